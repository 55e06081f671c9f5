// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Moving a buffer under its importers, and taking it away from them. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "virtgpu_exporter.h"

/* 7.3 renamed dma_buf_move_notify(). */
#ifdef VIRTGPU_EXP_HAVE_INVALIDATE_MAPPINGS
#define virtgpu_exp_dma_buf_notify	dma_buf_invalidate_mappings
#else
#define virtgpu_exp_dma_buf_notify	dma_buf_move_notify
#endif

/* An importer that keeps its fences longer than this has lost them. */
#define VIRTGPU_EXP_FENCE_TIMEOUT	(10 * HZ)

/* How many fences are pending that are not in the list of old ones? */
static unsigned int virtgpu_exp_new_fences(struct dma_resv *resv,
					   struct dma_fence **old,
					   unsigned int n_old)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int n = 0;
	unsigned int i;

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP,
				fence) {
		for (i = 0; i < n_old; i++)
			if (old[i] == fence)
				break;
		if (i == n_old && !dma_fence_is_signaled(fence))
			n++;
	}
	return n;
}

/* Tell the importers, and watch what they do meanwhile. */
static int virtgpu_exp_notify(struct virtgpu_exp_buf *buf)
{
	struct dma_resv *resv = buf->dmabuf->resv;
	struct dma_fence **old;
	unsigned long sleeps;
	unsigned int n_old;
	ktime_t start;
	int ret;

	ret = dma_resv_get_fences(resv, DMA_RESV_USAGE_BOOKKEEP, &n_old, &old);
	if (ret)
		return ret;

	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_NOTIFIES, virtgpu_exp_mark_stale(buf));
	sleeps = current->nvcsw;
	start = ktime_get();
	virtgpu_exp_dma_buf_notify(buf->dmabuf);
	virtgpu_exp_count_max(buf, VIRTGPU_EXPORTER_NOTIFY_MAX_NS,
			      ktime_to_ns(ktime_sub(ktime_get(), start)));
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_NOTIFY_SLEEPS,
			  current->nvcsw - sleeps);
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_NOTIFY_FENCES,
			  virtgpu_exp_new_fences(resv, old, n_old));

	while (n_old)
		dma_fence_put(old[--n_old]);
	kfree(old);
	return 0;
}

static int virtgpu_exp_wait(struct virtgpu_exp_buf *buf, bool interruptible)
{
	long ret;

	ret = dma_resv_wait_timeout(buf->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				    interruptible, VIRTGPU_EXP_FENCE_TIMEOUT);
	if (ret < 0)
		return ret;
	if (!ret) {
		virtgpu_exp_count(buf, VIRTGPU_EXPORTER_FENCE_TIMEOUTS, 1);
		return -ETIMEDOUT;
	}
	return 0;
}

static void virtgpu_exp_zap_user_mappings(struct virtgpu_exp_buf *buf)
{
	unmap_mapping_range(buf->dmabuf->file->f_mapping, 0, 0, 1);
}

/**
 * virtgpu_exp_move - take a buffer to other memory
 * @buf: the buffer
 * @placement: VIRTGPU_EXPORTER_RAM or VIRTGPU_EXPORTER_VRAM
 *
 * See struct virtgpu_exporter_move.
 *
 * Context: may sleep; the reservation lock is held.
 * Return: 0; -EBUSY while pinned; -ENODEV when revoked; -ETIMEDOUT when a fence
 * stays silent; -ENOMEM or -ENOSPC without memory.
 */
int virtgpu_exp_move(struct virtgpu_exp_buf *buf,
		     enum virtgpu_exporter_placement placement)
{
	struct virtgpu_exp_backing *to;
	int ret;

	dma_resv_assert_held(buf->dmabuf->resv);
	if (placement != VIRTGPU_EXPORTER_RAM && placement != VIRTGPU_EXPORTER_VRAM)
		return -EINVAL;
	if (buf->gone)
		return -ENODEV;
	if (!buf->dynamic || virtgpu_exp_pins(buf))
		return -EBUSY;

	to = virtgpu_exp_backing_new(placement, buf->backing->size,
				     buf->flags & VIRTGPU_EXPORTER_CREATE_SCATTER);
	if (IS_ERR(to))
		return PTR_ERR(to);
	ret = virtgpu_exp_notify(buf);
	if (ret)
		goto err_put;
	ret = virtgpu_exp_wait(buf, true);
	if (ret)
		goto err_put;
	virtgpu_exp_zap_user_mappings(buf);
	ret = virtgpu_exp_backing_copy(to, buf->backing);
	if (ret)
		goto err_put;

	virtgpu_exp_poison(buf->backing);
	virtgpu_exp_backing_put(buf->quarantine);
	buf->quarantine = buf->backing;
	WRITE_ONCE(buf->backing, to);
	buf->generation++;
	virtgpu_exp_stamp(buf);
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_MOVES, 1);
	return 0;

err_put:
	virtgpu_exp_backing_put(to);
	return ret;
}

/**
 * virtgpu_exp_revoke - take a buffer away for good
 * @buf: the buffer
 *
 * Neither pins nor silent fences stop this.  The memory is kept, poisoned, for
 * as long as somebody has it mapped.
 *
 * Context: may sleep; the reservation lock is held.
 */
void virtgpu_exp_revoke(struct virtgpu_exp_buf *buf)
{
	dma_resv_assert_held(buf->dmabuf->resv);
	if (buf->gone)
		return;
	WRITE_ONCE(buf->gone, true);
	if (virtgpu_exp_notify(buf))
		pr_warn("no memory to tell the importers\n");
	if (virtgpu_exp_wait(buf, false))
		pr_warn("revoked a buffer with a fence pending\n");
	virtgpu_exp_zap_user_mappings(buf);
	virtgpu_exp_poison(buf->backing);
}
