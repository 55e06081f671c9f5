/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FENCE_H
#define VIRTGPU_FENCE_H

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>

/**
 * struct virtgpu_timeline - Commands that the host completes in order
 * @context: the dma_fence context
 * @seqno: last sequence number, protected by &virtgpu_vq.lock
 * @name: shown in debugfs of dma-buf; a constant string
 * @ordered: fences signal in the order of their sequence numbers
 * @lock: protects @pending; only &virtgpu_fence.lock nests inside
 * @pending: emitted fences of an ordered timeline, each with a reference
 *
 * An ordered timeline must be freed by RCU, after its last fence has signalled.
 */
struct virtgpu_timeline {
	u64 context;
	u64 seqno;
	const char *name;
	bool ordered;
	spinlock_t lock; /* @pending */
	struct list_head pending;
};

/**
 * struct virtgpu_fence - Fence that signals when a command completes
 * @base: must be first, because dma_fence_free() frees the struct
 * @lock: lock of @base, embedded because fences outlive the device
 * @timeline: timeline of the fence until emission; on an ordered timeline until
 *	the fence has signalled
 * @name: copy of &virtgpu_timeline.name, valid after the timeline is freed
 * @link: entry in &virtgpu_timeline.pending
 * @completed: on an ordered timeline: the command has completed
 * @error: on an ordered timeline: 0 or negative error code of the command
 */
struct virtgpu_fence {
	struct dma_fence base;
	spinlock_t lock; /* @base */
	struct virtgpu_timeline *timeline;
	const char *name;
	struct list_head link;
	bool completed;
	int error;
};

void virtgpu_timeline_init(struct virtgpu_timeline *tl, const char *name);
void virtgpu_timeline_init_ordered(struct virtgpu_timeline *tl, const char *name);
struct virtgpu_fence *virtgpu_fence_alloc(struct virtgpu_timeline *tl);
void virtgpu_fence_emit(struct virtgpu_fence *f);
bool virtgpu_fence_signal(struct virtgpu_fence *f, int error);

#endif
