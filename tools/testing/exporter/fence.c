// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Fences on demand: late, silent, or failing ones on a buffer's reservation, so
 * that an importer's implicit synchronisation can be tested.
 */

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "virtgpu_exporter.h"

/**
 * struct virtgpu_exp_fences - the fences added through one open file
 * @lock: protects @pending
 * @pending: those that have not signalled
 */
struct virtgpu_exp_fences {
	spinlock_t lock; /* protects pending */
	struct list_head pending;
};

struct virtgpu_exp_fence {
	struct dma_fence base;
	spinlock_t lock; /* the fence's own */
	struct list_head link;
	struct virtgpu_exp_fences *owner;
	struct delayed_work work;
};

/*
 * Contexts set apart for our fences, so that they are known by their number.
 * Each fence takes the next: a later one must not stand for an earlier one.
 */
#define VIRTGPU_EXP_CONTEXTS	SZ_1M

static u64 virtgpu_exp_first_context;
static atomic_t virtgpu_exp_fence_count;
static struct workqueue_struct *virtgpu_exp_wq;

static const char *virtgpu_exp_fence_name(struct dma_fence *fence)
{
	return "virtgpu_exporter";
}

static void virtgpu_exp_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops virtgpu_exp_fence_ops = {
	.get_driver_name = virtgpu_exp_fence_name,
	.get_timeline_name = virtgpu_exp_fence_name,
	.release = virtgpu_exp_fence_release,
};

/**
 * virtgpu_exp_fence_is_ours - was a fence made by VIRTGPU_EXPORTER_ADD_FENCE?
 * @fence: any fence
 *
 * Context: any.
 * Return: true if it was.
 */
bool virtgpu_exp_fence_is_ours(struct dma_fence *fence)
{
	return fence->context - virtgpu_exp_first_context < VIRTGPU_EXP_CONTEXTS;
}

static void virtgpu_exp_fence_work(struct work_struct *work)
{
	struct virtgpu_exp_fence *fence =
		container_of(work, struct virtgpu_exp_fence, work.work);

	spin_lock(&fence->owner->lock);
	list_del_init(&fence->link);
	spin_unlock(&fence->owner->lock);
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

/**
 * virtgpu_exp_fence_init - set up fence numbers and the worker
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtgpu_exp_fence_init(void)
{
	virtgpu_exp_first_context = dma_fence_context_alloc(VIRTGPU_EXP_CONTEXTS);
	virtgpu_exp_wq = alloc_workqueue("virtgpu_exporter", WQ_UNBOUND, 0);
	return virtgpu_exp_wq ? 0 : -ENOMEM;
}

/**
 * virtgpu_exp_fence_exit - undo virtgpu_exp_fence_init()
 *
 * Context: may sleep; no fence is left.
 */
void virtgpu_exp_fence_exit(void)
{
	destroy_workqueue(virtgpu_exp_wq);
}

/**
 * virtgpu_exp_fences_new - set up for one open file
 *
 * Context: may sleep.
 * Return: an empty set, or NULL.
 */
struct virtgpu_exp_fences *virtgpu_exp_fences_new(void)
{
	struct virtgpu_exp_fences *fences = kzalloc_obj(*fences);

	if (!fences)
		return NULL;
	spin_lock_init(&fences->lock);
	INIT_LIST_HEAD(&fences->pending);
	return fences;
}

/**
 * virtgpu_exp_fences_signal - signal all that are pending
 * @fences: the set
 *
 * Returns when they have signalled.
 *
 * Context: may sleep.
 */
void virtgpu_exp_fences_signal(struct virtgpu_exp_fences *fences)
{
	struct virtgpu_exp_fence *fence;

	spin_lock(&fences->lock);
	while (!list_empty(&fences->pending)) {
		fence = list_first_entry(&fences->pending,
					 struct virtgpu_exp_fence, link);
		dma_fence_get(&fence->base);
		spin_unlock(&fences->lock);
		mod_delayed_work(virtgpu_exp_wq, &fence->work, 0);
		flush_delayed_work(&fence->work);
		dma_fence_put(&fence->base);
		spin_lock(&fences->lock);
	}
	spin_unlock(&fences->lock);
}

/**
 * virtgpu_exp_fences_free - the file is closed
 * @fences: the set; what is pending is signalled
 *
 * Context: may sleep.
 */
void virtgpu_exp_fences_free(struct virtgpu_exp_fences *fences)
{
	virtgpu_exp_fences_signal(fences);
	kfree(fences);
}

/**
 * virtgpu_exp_fences_add - put a fence on a buffer's reservation
 * @fences: the set it belongs to
 * @buf: the buffer
 * @args: what kind of fence
 *
 * Context: may sleep; the reservation lock is held.
 * Return: 0 or an errno.
 */
int virtgpu_exp_fences_add(struct virtgpu_exp_fences *fences,
			   struct virtgpu_exp_buf *buf,
			   const struct virtgpu_exporter_add_fence *args)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	bool write = args->flags & VIRTGPU_EXPORTER_FENCE_WRITE;
	struct virtgpu_exp_fence *fence;
	u32 n;
	int ret;

	if (args->flags & ~VIRTGPU_EXPORTER_FENCE_WRITE ||
	    args->error > MAX_ERRNO)
		return -EINVAL;
	fence = kzalloc_obj(*fence);
	if (!fence)
		return -ENOMEM;
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret) {
		kfree(fence);
		return ret;
	}

	__module_get(THIS_MODULE);
	spin_lock_init(&fence->lock);
	INIT_DELAYED_WORK(&fence->work, virtgpu_exp_fence_work);
	fence->owner = fences;
	n = atomic_inc_return(&virtgpu_exp_fence_count);
	dma_fence_init(&fence->base, &virtgpu_exp_fence_ops, &fence->lock,
		       virtgpu_exp_first_context + n % VIRTGPU_EXP_CONTEXTS, n);
	if (args->error)
		dma_fence_set_error(&fence->base, -(int)args->error);

	spin_lock(&fences->lock);
	list_add_tail(&fence->link, &fences->pending);
	spin_unlock(&fences->lock);
	dma_resv_add_fence(resv, &fence->base,
			   write ? DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	if (args->ms != VIRTGPU_EXPORTER_NEVER)
		queue_delayed_work(virtgpu_exp_wq, &fence->work,
				   msecs_to_jiffies(args->ms));
	return 0;
}
