/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CAPSET_H
#define VIRTGPU_CAPSET_H

#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>

struct virtgpu_msg;
struct virtgpu_vq;

/* A capability set's number has to fit a mask of 64 bits. */
#define VIRTGPU_CAPSET_MAX 63

/**
 * struct virtgpu_capset - what the host says of one of its capability sets
 * @capsets: all of them
 * @index: its place in the host's list
 * @asked: GET_CAPSET_INFO is on its way
 * @known: the rest is valid
 * @id: the number that user space knows it by
 * @max_version: the highest version of it
 * @max_size: bytes of it at the most
 * @data: the answer to the last GET_CAPSET, or NULL
 * @data_version: of which version that is
 */
struct virtgpu_capset {
	struct virtgpu_capsets *capsets;
	u32 index;
	bool asked;
	bool known;
	u32 id;
	u32 max_version;
	u32 max_size;
	struct virtgpu_msg *data;
	u32 data_version;
};

/**
 * struct virtgpu_capsets - the capability sets of a device
 * @queue: the control queue
 * @lock: protects the sets, taken in interrupts
 * @count: how many sets there are
 * @sets: each of them
 */
struct virtgpu_capsets {
	struct virtgpu_vq *queue;
	spinlock_t lock; /* the sets */
	u32 count;
	struct virtgpu_capset *sets;
};

int virtgpu_capsets_init(struct virtgpu_capsets *c, struct virtgpu_vq *queue, u32 count);
void virtgpu_capsets_fini(struct virtgpu_capsets *c);
void virtgpu_capsets_query(struct virtgpu_capsets *c);
int virtgpu_capsets_ids(struct virtgpu_capsets *c, u64 *ids);
struct virtgpu_msg *virtgpu_capset_get(struct virtgpu_capsets *c, u32 id, u32 version, u32 *size);

#endif
