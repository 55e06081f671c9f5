/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_HOSTILE_H
#define VIRTGPU_MOCK_HOSTILE_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct virtgpu_mock;
struct virtgpu_mock_request;

/**
 * enum virtgpu_mock_tampering - What a hostile host does with a request
 * @VIRTGPU_TAMPER_NONE: respond as the specification demands
 * @VIRTGPU_TAMPER_TYPE: respond with another type
 * @VIRTGPU_TAMPER_HEADER: change another member of the response's header
 * @VIRTGPU_TAMPER_SIZE: write a part of the response only
 * @VIRTGPU_TAMPER_USED: claim another length in the used ring
 * @VIRTGPU_TAMPER_WORD: change a word of the response
 * @VIRTGPU_TAMPER_NOISE: overwrite the rest of the response
 * @VIRTGPU_TAMPER_DELAY: respond later, behind other requests
 * @VIRTGPU_TAMPER_TWICE: return the request twice, then be silent
 * @VIRTGPU_TAMPER_ID: return another descriptor instead, then be silent
 * @VIRTGPU_TAMPER_SKIP: advance the used index over unwritten entries, then be
 *	silent
 * @VIRTGPU_TAMPER_CONFIG: change the configuration space
 * @VIRTGPU_TAMPER_INTERRUPT: raise interrupts that nothing justifies
 * @VIRTGPU_TAMPER_STALL: process no more requests of the cursor queue
 * @VIRTGPU_TAMPER_BREAK: mark the device as broken
 * @VIRTGPU_TAMPER_COUNT: number of tamperings
 */
enum virtgpu_mock_tampering {
	VIRTGPU_TAMPER_NONE,
	VIRTGPU_TAMPER_TYPE,
	VIRTGPU_TAMPER_HEADER,
	VIRTGPU_TAMPER_SIZE,
	VIRTGPU_TAMPER_USED,
	VIRTGPU_TAMPER_WORD,
	VIRTGPU_TAMPER_NOISE,
	VIRTGPU_TAMPER_DELAY,
	VIRTGPU_TAMPER_TWICE,
	VIRTGPU_TAMPER_ID,
	VIRTGPU_TAMPER_SKIP,
	VIRTGPU_TAMPER_CONFIG,
	VIRTGPU_TAMPER_INTERRUPT,
	VIRTGPU_TAMPER_STALL,
	VIRTGPU_TAMPER_BREAK,
	VIRTGPU_TAMPER_COUNT,
};

/**
 * struct virtgpu_mock_tamper - A tampering with one request
 * @after: number of requests before it
 * @kind: enum virtgpu_mock_tampering; other values do nothing
 * @x: first argument, with a meaning for each @kind
 * @y: second argument
 */
struct virtgpu_mock_tamper {
	u8 after;
	u8 kind;
	u8 x;
	u8 y;
};

#define VIRTGPU_MOCK_TAMPERS 64

/**
 * struct virtgpu_mock_hostile - A host that tampers with its responses
 * @mock: the device
 * @tampers: what will be tampered with, protected by @mock->host.lock
 * @count: number of @tampers
 * @work: sends delayed responses
 * @silent: queues with requests that the host must not use any more
 * @honest: tampers no more
 */
struct virtgpu_mock_hostile {
	struct virtgpu_mock *mock;
	struct virtgpu_mock_tamper tampers[VIRTGPU_MOCK_TAMPERS];
	unsigned int count;
	struct delayed_work work;
	bool silent[2];
	bool honest;
};

u32 virtgpu_mock_hostile_word(u8 n);
unsigned int virtgpu_mock_hostile_delay(u8 n);

void virtgpu_mock_hostile_init(struct virtgpu_mock_hostile *h, struct virtgpu_mock *m);
void virtgpu_mock_hostile_fini(struct virtgpu_mock_hostile *h);
void virtgpu_mock_hostile_arm(struct virtgpu_mock_hostile *h,
			      const struct virtgpu_mock_tamper *tamper);
void virtgpu_mock_hostile_config(struct virtgpu_mock_hostile *h, u8 x, u8 y);
void virtgpu_mock_hostile_restart(struct virtgpu_mock_hostile *h);
void virtgpu_mock_hostile_release(struct virtgpu_mock_hostile *h);
void virtgpu_mock_hostile_be_honest(struct virtgpu_mock_hostile *h);
void virtgpu_mock_hostile_respond(struct virtgpu_mock_hostile *h, struct virtgpu_mock_request *rq);

#endif
