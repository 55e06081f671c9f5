// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "virtgpu_fence.h"
#include "virtgpu_trace.h"

/**
 * DOC: fences
 *
 * A fence belongs to the message whose response it stands for.  It is allocated
 * with the message, numbered when the message is queued (under the lock of the
 * queue, so the numbers are in ring order) and signalled when the message ends:
 * by the response, by the host's error, by the reset of the device; or when the host
 * has ended the context of the message.  All but the first set an error.  A fence
 * has no deadline.  A fence that was never armed was never visible to others and is
 * merely dropped.
 *
 * Who holds the last fence of a rendering timeline takes those before for signalled,
 * and the host ends them in order; but it reports errors at once.  So an ordered
 * timeline keeps such a fence back until its turn comes.  Its lock is held meanwhile,
 * so that nobody overtakes; inside the lock of a queue it is taken to number a fence.
 * So what is called back for such a fence publishes nothing.
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
 * virtgpu_timeline_init - start a timeline
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
 * virtgpu_timeline_init_ordered - start a timeline whose fences others compare
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
 * virtgpu_fence_alloc - make a fence that is not armed yet
 * @tl: where it will be numbered
 *
 * Context: may sleep.
 * Return: the fence with one reference, or NULL without memory.
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
 * virtgpu_fence_emit - number a fence
 * @f: the fence; from here on it will be signalled
 *
 * Context: under the lock of the queue that carries the timeline.
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
	first = !f->ended;
	if (first) {
		f->ended = true;
		f->error = error;
	}
	while ((next = list_first_entry_or_null(&tl->pending, struct virtgpu_fence, link)) &&
	       next->ended) {
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
 * virtgpu_fence_signal - signal a fence, once
 * @f: an armed fence
 * @error: 0, or the errno that waiters see
 *
 * On an ordered timeline it may be signalled later, with others before it.
 *
 * Context: any; no lock of a queue may be held.
 * Return: false if it was signalled before, for instance when its client was closed.
 */
bool virtgpu_fence_signal(struct virtgpu_fence *f, int error)
{
	struct virtgpu_timeline *tl;
	bool first;

	/* The watchdog may come when both fence and timeline have ended. */
	rcu_read_lock();
	tl = READ_ONCE(f->timeline);
	first = tl ? virtgpu_fence_signal_ordered(tl, f, error) : virtgpu_fence_signal_now(f,
											   error);
	rcu_read_unlock();

	return first;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fence_signal);
