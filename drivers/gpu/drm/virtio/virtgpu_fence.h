/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FENCE_H
#define VIRTGPU_FENCE_H

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>

/**
 * struct virtgpu_timeline - commands that the host finishes in order
 * @context: the dma_fence context
 * @seqno: the last number given, under the lock of the queue that carries it
 * @name: what /sys/kernel/debug/dma_buf shows, a constant string
 * @ordered: a fence is not signalled before those with lower numbers
 * @lock: protects @pending; inside it only a fence's lock
 * @pending: of an ordered timeline: the armed fences, each with a reference
 *
 * An ordered timeline is freed by RCU, and not before its last fence was signalled.
 */
struct virtgpu_timeline {
	u64 context;
	u64 seqno;
	const char *name;
	bool ordered;
	spinlock_t lock; /* @pending; inside it only a fence's */
	struct list_head pending;
};

/**
 * struct virtgpu_fence - the host's answer to one command
 * @base: first, so that dma_fence_free() frees all of it
 * @lock: the lock of @base; its own, so that a fence outlives the device
 * @timeline: where @base is numbered once it is armed; an ordered one until it is
 *	signalled
 * @name: the timeline's, kept for after the device is gone
 * @link: in the ordered timeline's list
 * @ended: likewise: to be signalled when its turn comes
 * @error: with which error
 */
struct virtgpu_fence {
	struct dma_fence base;
	spinlock_t lock; /* @base's */
	struct virtgpu_timeline *timeline;
	const char *name;
	struct list_head link;
	bool ended;
	int error;
};

void virtgpu_timeline_init(struct virtgpu_timeline *tl, const char *name);
void virtgpu_timeline_init_ordered(struct virtgpu_timeline *tl, const char *name);
struct virtgpu_fence *virtgpu_fence_alloc(struct virtgpu_timeline *tl);
void virtgpu_fence_emit(struct virtgpu_fence *f);
bool virtgpu_fence_signal(struct virtgpu_fence *f, int error);

#endif
