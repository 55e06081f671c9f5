/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_FENCE_H
#define VGPU_FENCE_H

#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>

/**
 * struct vgpu_timeline - commands that the host finishes in order
 * @context: the dma_fence context
 * @seqno: the last number given, under the lock of the queue that carries it
 * @name: what /sys/kernel/debug/dma_buf shows, a constant string
 * @ordered: a fence is not signalled before those with lower numbers
 * @lock: protects @pending; inside it only a fence's lock
 * @pending: of an ordered timeline: the armed fences, each with a reference
 *
 * An ordered timeline is freed by RCU, and not before its last fence was signalled.
 */
struct vgpu_timeline {
	u64 context;
	u64 seqno;
	const char *name;
	bool ordered;
	spinlock_t lock; /* @pending; inside it only a fence's */
	struct list_head pending;
};

/**
 * struct vgpu_fence - the host's answer to one command
 * @base: first, so that dma_fence_free() frees all of it
 * @lock: the lock of @base; its own, so that a fence outlives the device
 * @timeline: where @base is numbered once it is armed; an ordered one until it is
 *	signalled
 * @name: the timeline's, kept for after the device is gone
 * @owner: a reference to this module, if others may keep the fence, or NULL
 * @link: in the ordered timeline's list
 * @ended: likewise: to be signalled when its turn comes
 * @error: with which error
 */
struct vgpu_fence {
	struct dma_fence base;
	spinlock_t lock; /* @base's */
	struct vgpu_timeline *timeline;
	const char *name;
	struct module *owner;
	struct list_head link;
	bool ended;
	int error;
};

void vgpu_timeline_init(struct vgpu_timeline *tl, const char *name);
void vgpu_timeline_init_ordered(struct vgpu_timeline *tl, const char *name);
struct vgpu_fence *vgpu_fence_alloc(struct vgpu_timeline *tl);
void vgpu_fence_share(struct vgpu_fence *f);
void vgpu_fence_arm(struct vgpu_fence *f);
bool vgpu_fence_signal(struct vgpu_fence *f, int error);

#endif
