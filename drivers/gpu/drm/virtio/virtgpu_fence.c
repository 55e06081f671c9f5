// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "virtgpu_fence.h"
#include "virtgpu_trace.h"

/**
 * DOC: fences
 *
 * A fence is allocated together with its message, and emitted when the message
 * is queued: it gets its sequence number under &virtgpu_vq.lock, so sequence
 * numbers follow the order of the ring.  It signals when the message completes:
 * with a response, with an error of the host or the ring, or with -ENODEV after
 * a reset.  It signals with -ECANCELED if the message has not completed ten
 * seconds after the host has responded to CTX_DESTROY of its context.  Fences
 * have no other timeout.  A fence that was never emitted was never visible
 * outside of the driver and is merely freed.
 *
 * Fences on an ordered timeline must signal in order, because a waiter takes a
 * signalled fence as proof that all earlier ones have signalled.  Hosts
 * complete rendering in order, but report errors early.  An early fence is held
 * back until all earlier fences have signalled.  Fence callbacks run under
 * &virtgpu_timeline.lock, which nests inside &virtgpu_vq.lock at emission, so
 * they must not queue commands.
 */

static const char *virtgpu_fence_driver_name(struct dma_fence *fence)
{
	return "virtio_gpu";
}

static const char *virtgpu_fence_timeline_name(struct dma_fence *fence)
{
	return container_of(fence, struct virtgpu_fence, base)->name;
}

static const struct dma_fence_ops virtgpu_fence_ops = {
	.get_driver_name = virtgpu_fence_driver_name,
	.get_timeline_name = virtgpu_fence_timeline_name,
};

/**
 * virtgpu_timeline_init() - Initialise a timeline
 * @tl: the timeline
 * @name: a constant string
 */
void virtgpu_timeline_init(struct virtgpu_timeline *tl, const char *name)
{
	tl->context = dma_fence_context_alloc(1);
	tl->seqno = 0;
	tl->name = name;
	tl->ordered = false;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_timeline_init);

/**
 * virtgpu_timeline_init_ordered() - Initialise a timeline that signals in order
 * @tl: the timeline
 * @name: a constant string
 */
void virtgpu_timeline_init_ordered(struct virtgpu_timeline *tl, const char *name)
{
	virtgpu_timeline_init(tl, name);
	tl->ordered = true;
	spin_lock_init(&tl->lock);
	INIT_LIST_HEAD(&tl->pending);
}

/**
 * virtgpu_fence_alloc() - Allocate a fence that is not emitted yet
 * @tl: timeline of the fence
 *
 * Context: May sleep.
 * Return: the fence with one reference, or NULL if out of memory.
 */
struct virtgpu_fence *virtgpu_fence_alloc(struct virtgpu_timeline *tl)
{
	struct virtgpu_fence *f = kzalloc_obj(*f);

	if (!f)
		return NULL;

	spin_lock_init(&f->lock);
	f->timeline = tl;
	f->name = tl->name;
	dma_fence_init(&f->base, &virtgpu_fence_ops, &f->lock, tl->context, 0);

	return f;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fence_alloc);

/**
 * virtgpu_fence_emit() - Assign a sequence number
 * @f: the fence, which is guaranteed to signal from now on
 *
 * Context: Any. Caller must hold &virtgpu_vq.lock of the timeline's queue.
 */
void virtgpu_fence_emit(struct virtgpu_fence *f)
{
	struct virtgpu_timeline *tl = f->timeline;

	f->base.seqno = ++tl->seqno;
	if (!tl->ordered) {
		f->timeline = NULL;
		return;
	}

	dma_fence_get(&f->base);
	spin_lock(&tl->lock);
	list_add_tail(&f->link, &tl->pending);
	spin_unlock(&tl->lock);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fence_emit);

/*
 * Signal without regard to the order of the timeline.  Returns false if @f was
 * signalled before, for example by the watchdog.
 */
static bool virtgpu_fence_signal_now(struct virtgpu_fence *f, int error)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&f->lock, flags);
	first = !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &f->base.flags);
	if (first) {
		trace_virtio_gpu_fence_signaled(f, error);
		if (error)
			dma_fence_set_error(&f->base, error);
		dma_fence_signal_locked(&f->base);
	}
	spin_unlock_irqrestore(&f->lock, flags);

	return first;
}

static bool virtgpu_fence_signal_ordered(struct virtgpu_timeline *tl, struct virtgpu_fence *f,
					 int error)
{
	struct virtgpu_fence *next;
	LIST_HEAD(signalled);
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&tl->lock, flags);
	first = !f->completed;
	if (first) {
		f->completed = true;
		f->error = error;
	}
	while ((next = list_first_entry_or_null(&tl->pending, struct virtgpu_fence, link)) &&
	       next->completed) {
		virtgpu_fence_signal_now(next, next->error);
		WRITE_ONCE(next->timeline, NULL);
		list_move_tail(&next->link, &signalled);
	}
	spin_unlock_irqrestore(&tl->lock, flags);

	while ((next = list_first_entry_or_null(&signalled, struct virtgpu_fence, link))) {
		list_del(&next->link);
		dma_fence_put(&next->base);
	}

	return first;
}

/**
 * virtgpu_fence_signal() - Signal a fence
 * @f: an emitted fence
 * @error: 0 or negative error code for waiters
 *
 * On an ordered timeline @f signals after all earlier fences.
 *
 * Context: Any. Caller must not hold &virtgpu_vq.lock.
 * Return: false if @f has already completed, for example because its client was
 * closed.
 */
bool virtgpu_fence_signal(struct virtgpu_fence *f, int error)
{
	struct virtgpu_timeline *tl;
	bool first;

	/*
	 * The watchdog may race with the completion and the end of the
	 * timeline.
	 */
	rcu_read_lock();
	tl = READ_ONCE(f->timeline);
	first = tl ? virtgpu_fence_signal_ordered(tl, f, error) :
		     virtgpu_fence_signal_now(f, error);
	rcu_read_unlock();

	return first;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fence_signal);
