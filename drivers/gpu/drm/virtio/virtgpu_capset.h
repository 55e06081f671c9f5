/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CAPSET_H
#define VIRTGPU_CAPSET_H

#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>

struct virtgpu_msg;
struct virtgpu_vq;

/* Highest capability set ID: UAPI and driver use masks of 64 bits. */
#define VIRTGPU_CAPSET_MAX 63

/**
 * struct virtgpu_capset - A capability set
 * @capsets: the sets of the device
 * @index: index in the host's list
 * @query_pending: GET_CAPSET_INFO is pending
 * @valid: @id, @max_version and @max_size are valid
 * @id: capability set ID
 * @max_version: highest version of the set
 * @max_size: maximum size of the set in bytes
 * @data: message with the response of the last GET_CAPSET, or NULL
 * @data_version: version of @data
 */
struct virtgpu_capset {
	struct virtgpu_capsets *capsets;
	u32 index;
	bool query_pending;
	bool valid;
	u32 id;
	u32 max_version;
	u32 max_size;
	struct virtgpu_msg *data;
	u32 data_version;
};

/**
 * struct virtgpu_capsets - The capability sets of a device
 * @queue: the control queue
 * @lock: protects the sets, taken in interrupts
 * @count: number of sets
 * @sets: the sets
 */
struct virtgpu_capsets {
	struct virtgpu_vq *queue;
	spinlock_t lock; /* protects @sets */
	u32 count;
	struct virtgpu_capset *sets;
};

int virtgpu_capsets_init(struct virtgpu_capsets *c, struct virtgpu_vq *queue, u32 count);
void virtgpu_capsets_fini(struct virtgpu_capsets *c);
void virtgpu_capsets_query(struct virtgpu_capsets *c);
int virtgpu_capsets_ids(struct virtgpu_capsets *c, u64 *ids);
struct virtgpu_msg *virtgpu_capset_get(struct virtgpu_capsets *c, u32 id, u32 version, u32 *size);

#endif
