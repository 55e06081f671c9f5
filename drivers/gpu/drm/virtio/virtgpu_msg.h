/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MSG_H
#define VIRTGPU_MSG_H

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#include "virtgpu_wire.h"

struct virtgpu_mem_entries;
struct virtgpu_fence;
struct virtgpu_vq;

/**
 * enum virtgpu_msg_state - where a message is
 * @VIRTGPU_MSG_RESERVED: its owner's, not published
 * @VIRTGPU_MSG_BACKLOG: published, waiting for room in the ring
 * @VIRTGPU_MSG_IN_FLIGHT: the device's
 * @VIRTGPU_MSG_COMPLETED: answered, refused or given up with the device
 */
enum virtgpu_msg_state {
	VIRTGPU_MSG_RESERVED,
	VIRTGPU_MSG_BACKLOG,
	VIRTGPU_MSG_IN_FLIGHT,
	VIRTGPU_MSG_COMPLETED,
};

/**
 * enum virtgpu_msg_class - what the host's response to a command waits for
 * @VIRTGPU_MSG_PROMPT: nothing; hosts respond at once
 * @VIRTGPU_MSG_DISPLAY: the host's display, which may hold a frame without end
 * @VIRTGPU_MSG_RENDER: rendering, which may take hours
 * @VIRTGPU_MSG_CURSOR: the cursor queue, which some hosts never serve
 */
enum virtgpu_msg_class {
	VIRTGPU_MSG_PROMPT,
	VIRTGPU_MSG_DISPLAY,
	VIRTGPU_MSG_RENDER,
	VIRTGPU_MSG_CURSOR,
};

/**
 * struct virtgpu_client - what one program has outstanding on a queue
 * @ref: the program's reference, and one for each message
 * @bound: messages that the client may have outstanding, in the backlog too; 0 for a
 *	client whose messages may take long, and that has a share of the ring instead
 * @slots: without @bound, descriptors that its messages take, else messages; under
 *	the lock of the queue
 * @bytes: size of their payloads, likewise
 * @closed: the host has confirmed the end of its context
 */
struct virtgpu_client {
	refcount_t ref;
	unsigned int bound;
	unsigned int slots;
	size_t bytes;
	bool closed;
};

/**
 * struct virtgpu_msg - one command on its way to the host and back
 * @link: in the queue's backlog or ring list
 * @ref: the queue's reference while published, the owner's, the waiters'
 * @state: under the queue's lock while published
 * @error: the result, final once @state is VIRTGPU_MSG_COMPLETED
 * @timed_out: the host has responded to later messages for long, but not to this
 *	one; a waiter has returned, the message may still end
 * @cursor: the request is a cursor command: another header, no answer's body
 * @fenced: the request has VIRTIO_GPU_FLAG_FENCE, with or without @fence
 * @seen: the watchdog has seen the message in the ring
 * @class: what the response waits for; set when the message is queued
 * @serial: number of messages added to the ring, up to and including this one
 * @ticks: watchdog periods since the host has responded to a later message
 * @closed_ticks: watchdog periods since the host has confirmed the end of @client
 * @slots: descriptors in the ring, counted for @client
 * @client: the program that the message is counted for, or NULL
 * @fence: signalled when the message ends, or NULL
 * @pre_complete: called before @fence is signalled, in interrupt context, may be NULL
 * @complete: called once when the message ends, in interrupt context, may be NULL
 * @priv: for @pre_complete and @complete
 * @completed: for virtgpu_vq_wait_msg()
 * @payload: second part of the request, or NULL
 * @cmd: entry of the command in virtgpu_cmd_table
 * @resp_size: bytes that the device may write to @resp
 * @resp_len: bytes that it has written
 * @resp: @inline_resp or an allocation of its own
 * @request: the command
 * @inline_resp: enough for every answer of a fixed small size
 *
 * @inline_resp does not share cache lines with the other members, because the device
 * writes it.
 */
struct virtgpu_msg {
	struct list_head link;
	refcount_t ref;
	enum virtgpu_msg_state state;
	int error;
	bool timed_out;
	bool cursor;
	bool fenced;
	bool seen;
	enum virtgpu_msg_class class;
	u64 serial;
	unsigned int ticks;
	unsigned int closed_ticks;
	unsigned int slots;
	struct virtgpu_client *client;
	struct virtgpu_fence *fence;
	void (*pre_complete)(struct virtgpu_msg *msg);
	void (*complete)(struct virtgpu_msg *msg);
	void *priv;
	struct completion completed;
	struct virtgpu_mem_entries *payload;
	const struct virtgpu_cmd_info *cmd;
	u32 resp_size;
	u32 resp_len;
	void *resp;

	union virtgpu_request request;

	__dma_from_device_group_begin();
	u8 inline_resp[64] __aligned(8);
	__dma_from_device_group_end();
};

int virtgpu_msg_cache_init(void);
void virtgpu_msg_cache_exit(void);

struct virtgpu_msg *virtgpu_msg_alloc(void);
struct virtgpu_msg *virtgpu_msg_alloc_resp(size_t reply_size);
void virtgpu_msg_reinit(struct virtgpu_msg *msg);
void virtgpu_msg_get(struct virtgpu_msg *msg);
void virtgpu_msg_put(struct virtgpu_msg *msg);

/**
 * virtgpu_msg_set_command() - Set the command of a message
 * @msg: reserved message whose request is zeroed
 * @cmd: entry of virtgpu_cmd_table
 */
static inline void virtgpu_msg_set_command(struct virtgpu_msg *msg,
					   const struct virtgpu_cmd_info *cmd)
{
	msg->cmd = cmd;
	msg->request.hdr.type = cpu_to_le32(cmd->type);
}

u32 virtgpu_msg_type(const struct virtgpu_msg *msg);
const struct virtio_gpu_ctrl_hdr *virtgpu_msg_resp_hdr(const struct virtgpu_msg *msg);
int virtgpu_msg_check_response(const struct virtgpu_msg *msg);
void virtgpu_msg_complete(struct virtgpu_msg *msg);

struct virtgpu_client *virtgpu_client_alloc(unsigned int bound);
void virtgpu_client_put(struct virtgpu_client *client);
void virtgpu_msg_set_client(struct virtgpu_msg *msg, struct virtgpu_client *client);

#endif
