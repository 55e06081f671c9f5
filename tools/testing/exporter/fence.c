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

#include "vgpu_exporter.h"

/**
 * struct vgpu_exp_fences - the fences added through one open file
 * @lock: protects @pending
 * @pending: those that have not signalled
 */
struct vgpu_exp_fences {
	spinlock_t lock; /* protects pending */
	struct list_head pending;
};

struct vgpu_exp_fence {
	struct dma_fence base;
	spinlock_t lock; /* the fence's own */
	struct list_head link;
	struct vgpu_exp_fences *owner;
	struct delayed_work work;
};

/*
 * Contexts set apart for our fences, so that they are known by their number.
 * Each fence takes the next: a later one must not stand for an earlier one.
 */
#define VGPU_EXP_CONTEXTS	SZ_1M

static u64 vgpu_exp_first_context;
static atomic_t vgpu_exp_fence_count;
static struct workqueue_struct *vgpu_exp_wq;

static const char *vgpu_exp_fence_name(struct dma_fence *fence)
{
	return "vgpu_exporter";
}

static void vgpu_exp_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops vgpu_exp_fence_ops = {
	.get_driver_name = vgpu_exp_fence_name,
	.get_timeline_name = vgpu_exp_fence_name,
	.release = vgpu_exp_fence_release,
};

/**
 * vgpu_exp_fence_is_ours - was a fence made by VGPU_EXPORTER_ADD_FENCE?
 * @fence: any fence
 *
 * Context: any.
 * Return: true if it was.
 */
bool vgpu_exp_fence_is_ours(struct dma_fence *fence)
{
	return fence->context - vgpu_exp_first_context < VGPU_EXP_CONTEXTS;
}

static void vgpu_exp_fence_work(struct work_struct *work)
{
	struct vgpu_exp_fence *fence =
		container_of(work, struct vgpu_exp_fence, work.work);

	spin_lock(&fence->owner->lock);
	list_del_init(&fence->link);
	spin_unlock(&fence->owner->lock);
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

/**
 * vgpu_exp_fence_init - set up fence numbers and the worker
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vgpu_exp_fence_init(void)
{
	vgpu_exp_first_context = dma_fence_context_alloc(VGPU_EXP_CONTEXTS);
	vgpu_exp_wq = alloc_workqueue("vgpu_exporter", WQ_UNBOUND, 0);
	return vgpu_exp_wq ? 0 : -ENOMEM;
}

/**
 * vgpu_exp_fence_exit - undo vgpu_exp_fence_init()
 *
 * Context: may sleep; no fence is left.
 */
void vgpu_exp_fence_exit(void)
{
	destroy_workqueue(vgpu_exp_wq);
}

/**
 * vgpu_exp_fences_new - set up for one open file
 *
 * Context: may sleep.
 * Return: an empty set, or NULL.
 */
struct vgpu_exp_fences *vgpu_exp_fences_new(void)
{
	struct vgpu_exp_fences *fences = kzalloc_obj(*fences);

	if (!fences)
		return NULL;
	spin_lock_init(&fences->lock);
	INIT_LIST_HEAD(&fences->pending);
	return fences;
}

/**
 * vgpu_exp_fences_signal - signal all that are pending
 * @fences: the set
 *
 * Returns when they have signalled.
 *
 * Context: may sleep.
 */
void vgpu_exp_fences_signal(struct vgpu_exp_fences *fences)
{
	struct vgpu_exp_fence *fence;

	spin_lock(&fences->lock);
	while (!list_empty(&fences->pending)) {
		fence = list_first_entry(&fences->pending,
					 struct vgpu_exp_fence, link);
		dma_fence_get(&fence->base);
		spin_unlock(&fences->lock);
		mod_delayed_work(vgpu_exp_wq, &fence->work, 0);
		flush_delayed_work(&fence->work);
		dma_fence_put(&fence->base);
		spin_lock(&fences->lock);
	}
	spin_unlock(&fences->lock);
}

/**
 * vgpu_exp_fences_free - the file is closed
 * @fences: the set; what is pending is signalled
 *
 * Context: may sleep.
 */
void vgpu_exp_fences_free(struct vgpu_exp_fences *fences)
{
	vgpu_exp_fences_signal(fences);
	kfree(fences);
}

/**
 * vgpu_exp_fences_add - put a fence on a buffer's reservation
 * @fences: the set it belongs to
 * @buf: the buffer
 * @args: what kind of fence
 *
 * Context: may sleep; the reservation lock is held.
 * Return: 0 or an errno.
 */
int vgpu_exp_fences_add(struct vgpu_exp_fences *fences,
			struct vgpu_exp_buf *buf,
			const struct vgpu_exporter_add_fence *args)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	bool write = args->flags & VGPU_EXPORTER_FENCE_WRITE;
	struct vgpu_exp_fence *fence;
	u32 n;
	int ret;

	if (args->flags & ~VGPU_EXPORTER_FENCE_WRITE ||
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
	INIT_DELAYED_WORK(&fence->work, vgpu_exp_fence_work);
	fence->owner = fences;
	n = atomic_inc_return(&vgpu_exp_fence_count);
	dma_fence_init(&fence->base, &vgpu_exp_fence_ops, &fence->lock,
		       vgpu_exp_first_context + n % VGPU_EXP_CONTEXTS, n);
	if (args->error)
		dma_fence_set_error(&fence->base, -(int)args->error);

	spin_lock(&fences->lock);
	list_add_tail(&fence->link, &fences->pending);
	spin_unlock(&fences->lock);
	dma_resv_add_fence(resv, &fence->base,
			   write ? DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	if (args->ms != VGPU_EXPORTER_NEVER)
		queue_delayed_work(vgpu_exp_wq, &fence->work,
				   msecs_to_jiffies(args->ms));
	return 0;
}
