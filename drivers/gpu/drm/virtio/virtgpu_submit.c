// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_syncobj.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_cmd.h"
#include "virtgpu_context.h"
#include "virtgpu_device.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_submit.h"

/**
 * DOC: submission
 *
 * EXECBUFFER has five phases. Parse copies the command buffer from user space.
 * Lookup creates the context of the file if there is none yet, and resolves the
 * handles of buffers and syncobjs. Prepare allocates the message, the fence,
 * the event and the file descriptor, and waits for in-fences and for the
 * fences of writers to imported buffers. Lock takes the reservation locks of
 * the buffers. Each of these phases may fail. Then the command buffer is not
 * queued, but a new context remains. The last phase, queue, cannot fail.
 *
 * In-fences of the submission's own timeline are not waited for, because the
 * host executes the commands of a timeline in order.
 */

/* Upper limits of what one call can allocate. */
#define MAX_CMDBUF_SIZE	SZ_16M
/* Adding a message to the ring copies its command buffer, interrupts off. */
#define MAX_BOUNCED_CMDBUF_SIZE	SZ_1M
#define MAX_BUFFERS	SZ_64K
#define MAX_SYNCOBJS	SZ_16K

struct virtgpu_submit_event {
	struct drm_pending_event base;
	struct drm_event event;
	struct dma_fence_cb cb;
	struct drm_device *dev;
};

struct virtgpu_submit_out {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain;
	u64 point;
};

/**
 * struct virtgpu_submit - State of one EXECBUFFER call
 * @vgdev: the device
 * @file: the open file of the caller
 * @args: the ioctl's arguments
 * @ctx: context of @file
 * @timeline: timeline of the fence
 * @cmdbuf: command buffer, NULL if empty or once @msg owns it
 * @in: fences to wait for
 * @in_count: number of @in
 * @resets: in-syncobjs that the submission resets
 * @reset_count: number of @resets
 * @outs: out-syncobjs
 * @out_count: number of @outs
 * @bos: buffers that get the fence; may contain duplicates until locked
 * @bo_count: number of @bos
 * @msg: the SUBMIT_3D command, NULL once queued
 * @fence: fence of @msg, or NULL if the caller needs none
 * @event: DRM event of @fence, or NULL
 * @sync_file: sync file of @fence, or NULL
 * @fd: file descriptor reserved for @sync_file, or negative
 */
struct virtgpu_submit {
	struct virtgpu_device *vgdev;
	struct drm_file *file;
	struct drm_virtgpu_execbuffer *args;
	struct virtgpu_context *ctx;
	struct virtgpu_timeline *timeline;
	struct virtgpu_mem_entries *cmdbuf;
	struct dma_fence **in;
	unsigned int in_count;
	struct drm_syncobj **resets;
	unsigned int reset_count;
	struct virtgpu_submit_out *outs;
	unsigned int out_count;
	struct drm_gem_object **bos;
	unsigned int bo_count;
	struct virtgpu_msg *msg;
	struct dma_fence *fence;
	struct virtgpu_submit_event *event;
	struct sync_file *sync_file;
	int fd;
};

/*
 * Parse and lookup
 */

/**
 * virtgpu_cmdbuf_from_user() - Copy a command buffer from user space
 * @vgdev: the device
 * @addr: user address of the buffer
 * @size: size of the buffer in bytes, not 0
 *
 * Context: May sleep.
 * Return: the command buffer, ERR_PTR(-E2BIG) above 16 MiB, or above 1 MiB if
 * the DMA API uses bounce buffers, ERR_PTR(-EFAULT), or ERR_PTR(-ENOMEM).
 */
struct virtgpu_mem_entries *virtgpu_cmdbuf_from_user(struct virtgpu_device *vgdev, u64 addr,
						     u32 size)
{
	u32 max = vgdev->backings.bounces ? MAX_BOUNCED_CMDBUF_SIZE : MAX_CMDBUF_SIZE;
	struct virtgpu_mem_entries *cmdbuf;
	struct scatterlist *sg;
	unsigned int i;

	if (size > max)
		return ERR_PTR(-E2BIG);
	cmdbuf = virtgpu_mem_entries_alloc_bytes(size, virtgpu_vq_max_segs(&vgdev->ctrl));
	if (!cmdbuf)
		return ERR_PTR(-ENOMEM);

	for_each_sg(cmdbuf->sgt.sgl, sg, cmdbuf->sgt.nents, i) {
		if (copy_from_user(sg_virt(sg), u64_to_user_ptr(addr), sg->length)) {
			virtgpu_mem_entries_free(cmdbuf);
			return ERR_PTR(-EFAULT);
		}
		addr += sg->length;
	}

	return cmdbuf;
}

static bool virtgpu_submit_wants_event(const struct virtgpu_submit *s)
{
	return s->args->flags & VIRTGPU_EXECBUF_RING_IDX &&
	       s->ctx->params.poll_rings_mask & BIT_ULL(s->args->ring_idx);
}

static bool virtgpu_submit_wants_fence(const struct virtgpu_submit *s)
{
	return s->args->flags & VIRTGPU_EXECBUF_FENCE_FD_OUT || s->args->num_out_syncobjs ||
	       s->args->num_bo_handles || virtgpu_submit_wants_event(s);
}

static int virtgpu_submit_parse(struct virtgpu_submit *s)
{
	const struct drm_virtgpu_execbuffer *args = s->args;

	if (args->flags & ~VIRTGPU_EXECBUF_FLAGS)
		return -EINVAL;
	if (args->num_bo_handles > MAX_BUFFERS || args->num_in_syncobjs > MAX_SYNCOBJS ||
	    args->num_out_syncobjs > MAX_SYNCOBJS)
		return -E2BIG;
	if (!args->size)
		return 0;

	s->cmdbuf = virtgpu_cmdbuf_from_user(s->vgdev, args->command, args->size);
	if (IS_ERR(s->cmdbuf)) {
		int ret = PTR_ERR(s->cmdbuf);

		s->cmdbuf = NULL;
		return ret;
	}

	return 0;
}

/* User space may be built with a shorter or a longer struct. */
static int virtgpu_submit_copy_syncobj(const struct virtgpu_submit *s, u64 array, unsigned int i,
				       struct drm_virtgpu_execbuffer_syncobj *desc)
{
	size_t stride = s->args->syncobj_stride;

	memset(desc, 0, sizeof(*desc));

	return copy_from_user(desc, u64_to_user_ptr(array + i * stride),
			      min(stride, sizeof(*desc))) ? -EFAULT : 0;
}

static int virtgpu_submit_lookup_context(struct virtgpu_submit *s)
{
	struct virtgpu_context *ctx = virtgpu_file_context(s->file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	s->ctx = ctx;
	s->timeline = &s->vgdev->contexts.default_timeline;
	if (!(s->args->flags & VIRTGPU_EXECBUF_RING_IDX))
		return 0;
	if (s->args->ring_idx >= ctx->params.num_rings)
		return -EINVAL;
	s->timeline = &ctx->ring[s->args->ring_idx];

	return 0;
}

static int virtgpu_submit_lookup_in_syncobj(struct virtgpu_submit *s, unsigned int i)
{
	struct drm_virtgpu_execbuffer_syncobj desc;
	struct drm_syncobj *syncobj;
	int ret;

	ret = virtgpu_submit_copy_syncobj(s, s->args->in_syncobjs, i, &desc);
	if (ret)
		return ret;
	if (desc.flags & ~VIRTGPU_EXECBUF_SYNCOBJ_FLAGS)
		return -EINVAL;

	ret = drm_syncobj_find_fence(s->file, desc.handle, desc.point, 0,
				     &s->in[s->in_count]);
	if (ret)
		return ret;
	s->in_count++;
	if (!(desc.flags & VIRTGPU_EXECBUF_SYNCOBJ_RESET))
		return 0;

	syncobj = drm_syncobj_find(s->file, desc.handle);
	if (!syncobj)
		return -EINVAL;
	s->resets[s->reset_count++] = syncobj;

	return 0;
}

static int virtgpu_submit_lookup_in(struct virtgpu_submit *s)
{
	unsigned int n = s->args->num_in_syncobjs, i;
	int ret;

	if (!n && !(s->args->flags & VIRTGPU_EXECBUF_FENCE_FD_IN))
		return 0;
	s->in = kvcalloc(n + 1, sizeof(*s->in), GFP_KERNEL);
	if (!s->in)
		return -ENOMEM;
	s->resets = kvcalloc(n + 1, sizeof(*s->resets), GFP_KERNEL);
	if (!s->resets)
		return -ENOMEM;

	for (i = 0; i < n; i++) {
		ret = virtgpu_submit_lookup_in_syncobj(s, i);
		if (ret)
			return ret;
	}
	if (!(s->args->flags & VIRTGPU_EXECBUF_FENCE_FD_IN))
		return 0;

	s->in[s->in_count] = sync_file_get_fence(s->args->fence_fd);
	if (!s->in[s->in_count])
		return -EINVAL;
	s->in_count++;

	return 0;
}

static int virtgpu_submit_lookup_out(struct virtgpu_submit *s)
{
	unsigned int n = s->args->num_out_syncobjs;
	struct drm_virtgpu_execbuffer_syncobj desc;
	struct virtgpu_submit_out *out;
	int ret;

	if (!n)
		return 0;
	s->outs = kvcalloc(n, sizeof(*s->outs), GFP_KERNEL);
	if (!s->outs)
		return -ENOMEM;

	while (s->out_count < n) {
		ret = virtgpu_submit_copy_syncobj(s, s->args->out_syncobjs, s->out_count, &desc);
		if (ret)
			return ret;
		if (desc.flags)
			return -EINVAL;

		out = &s->outs[s->out_count];
		out->point = desc.point;
		out->syncobj = drm_syncobj_find(s->file, desc.handle);
		if (!out->syncobj)
			return -EINVAL;
		s->out_count++;
	}

	return 0;
}

static int virtgpu_submit_lookup_buffers(struct virtgpu_submit *s)
{
	unsigned int i;
	int ret;

	if (!s->args->num_bo_handles)
		return 0;

	s->bo_count = s->args->num_bo_handles;
	ret = drm_gem_objects_lookup(s->file, u64_to_user_ptr(s->args->bo_handles),
				     s->bo_count, &s->bos);
	if (ret)
		return ret;

	for (i = 0; i < s->bo_count; i++) {
		ret = virtgpu_gem_host_error(to_virtgpu_gem(s->bos[i]));
		if (ret)
			return ret;
	}

	return 0;
}

static int virtgpu_submit_lookup(struct virtgpu_submit *s)
{
	int ret;

	ret = virtgpu_submit_lookup_context(s);
	if (ret)
		return ret;
	ret = virtgpu_submit_lookup_buffers(s);
	if (ret)
		return ret;
	ret = virtgpu_submit_lookup_out(s);
	if (ret)
		return ret;

	return virtgpu_submit_lookup_in(s);
}

/*
 * Preparation
 */

static void virtgpu_submit_send_event(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct virtgpu_submit_event *e = container_of(cb, struct virtgpu_submit_event, cb);

	/* Frees the event if the file is closed. */
	drm_send_event(e->dev, &e->base);
}

static int virtgpu_submit_prepare_event(struct virtgpu_submit *s)
{
	struct virtgpu_submit_event *e;
	int ret;

	if (!virtgpu_submit_wants_event(s))
		return 0;
	e = kzalloc_obj(*e);
	if (!e)
		return -ENOMEM;

	e->dev = &s->vgdev->drm;
	e->event.type = VIRTGPU_EVENT_FENCE_SIGNALED;
	e->event.length = sizeof(e->event);
	ret = drm_event_reserve_init(e->dev, s->file, &e->base, &e->event);
	if (ret) {
		kfree(e);
		return ret;
	}
	s->event = e;

	return 0;
}

static int virtgpu_submit_prepare_message(struct virtgpu_submit *s)
{
	s->msg = virtgpu_msg_alloc();
	if (!s->msg)
		return -ENOMEM;

	virtgpu_cmd_submit_3d(s->msg, s->ctx->id, s->cmdbuf);
	s->cmdbuf = NULL;
	if (!virtgpu_submit_wants_fence(s)) {
		/* The memory of a large command buffer is freed at once. */
		s->msg->deferrable = s->args->size <= SZ_4K;
		return 0;
	}

	s->msg->fence = virtgpu_fence_alloc(s->timeline);
	if (!s->msg->fence)
		return -ENOMEM;
	s->fence = dma_fence_get(&s->msg->fence->base);
	if (s->args->flags & VIRTGPU_EXECBUF_RING_IDX)
		virtgpu_cmd_set_ring_idx(s->msg, s->args->ring_idx);

	return 0;
}

static int virtgpu_submit_prepare_file(struct virtgpu_submit *s)
{
	if (!(s->args->flags & VIRTGPU_EXECBUF_FENCE_FD_OUT))
		return 0;

	s->fd = get_unused_fd_flags(O_CLOEXEC);
	if (s->fd < 0)
		return s->fd;
	s->sync_file = sync_file_create(s->fence);

	return s->sync_file ? 0 : -ENOMEM;
}

static int virtgpu_submit_prepare_points(struct virtgpu_submit *s)
{
	unsigned int i;

	for (i = 0; i < s->out_count; i++) {
		if (!s->outs[i].point)
			continue;
		s->outs[i].chain = dma_fence_chain_alloc();
		if (!s->outs[i].chain)
			return -ENOMEM;
	}

	return 0;
}

static int virtgpu_submit_wait_fence(const struct virtgpu_submit *s, struct dma_fence *fence)
{
	struct dma_fence_unwrap it;
	struct dma_fence *f;
	int ret;

	dma_fence_unwrap_for_each(f, &it, fence) {
		if (f->context == s->timeline->context)
			continue;
		ret = dma_fence_wait(f, true);
		if (ret) {
			dma_fence_put(it.chain);
			return ret;
		}
	}

	return 0;
}

/*
 * Writers to an import use fences of other drivers, unordered with the
 * timeline.
 */
static int virtgpu_submit_wait_implicit(const struct virtgpu_submit *s, struct drm_gem_object *obj)
{
	struct dma_fence *fence;
	int ret;

	if (!to_virtgpu_gem(obj)->import)
		return 0;
	ret = dma_resv_get_singleton(obj->resv, DMA_RESV_USAGE_WRITE, &fence);
	if (ret || !fence)
		return ret;
	ret = virtgpu_submit_wait_fence(s, fence);
	dma_fence_put(fence);

	return ret;
}

static int virtgpu_submit_prepare(struct virtgpu_submit *s)
{
	unsigned int i;
	int ret;

	ret = virtgpu_submit_prepare_message(s);
	if (ret)
		return ret;
	ret = virtgpu_submit_prepare_event(s);
	if (ret)
		return ret;
	ret = virtgpu_submit_prepare_file(s);
	if (ret)
		return ret;
	ret = virtgpu_submit_prepare_points(s);
	if (ret)
		return ret;

	for (i = 0; i < s->in_count; i++) {
		ret = virtgpu_submit_wait_fence(s, s->in[i]);
		if (ret)
			return ret;
	}
	for (i = 0; i < s->bo_count; i++) {
		ret = virtgpu_submit_wait_implicit(s, s->bos[i]);
		if (ret)
			return ret;
	}

	return 0;
}

/*
 * Locking and queueing
 */

static int virtgpu_submit_cmp_resv(const void *a, const void *b)
{
	const struct drm_gem_object *x = *(struct drm_gem_object **)a;
	const struct drm_gem_object *y = *(struct drm_gem_object **)b;

	return x->resv < y->resv ? -1 : x->resv > y->resv;
}

/* Keep one buffer of each reservation object. */
static void virtgpu_submit_dedup_buffers(struct virtgpu_submit *s)
{
	unsigned int i, n = 1;

	sort(s->bos, s->bo_count, sizeof(*s->bos), virtgpu_submit_cmp_resv, NULL);
	for (i = 1; i < s->bo_count; i++) {
		if (s->bos[i]->resv == s->bos[n - 1]->resv)
			drm_gem_object_put(s->bos[i]);
		else
			s->bos[n++] = s->bos[i];
	}
	s->bo_count = n;
}

/*
 * drm_exec would do the same, but takes another reference to each buffer: 17 %
 * more instructions for a submission with 64 buffers.
 */
static int virtgpu_submit_lock(struct virtgpu_submit *s, struct ww_acquire_ctx *ww)
{
	unsigned int i;
	int ret;

	if (!s->bo_count)
		return 0;

	ret = drm_gem_lock_reservations(s->bos, s->bo_count, ww);
	if (ret == -EALREADY) {
		/* Duplicates are rare. Do not search for them in advance. */
		virtgpu_submit_dedup_buffers(s);
		ret = drm_gem_lock_reservations(s->bos, s->bo_count, ww);
	}
	if (ret)
		return ret;

	for (i = 0; i < s->bo_count; i++) {
		ret = dma_resv_reserve_fences(s->bos[i]->resv, 1);
		if (ret) {
			drm_gem_unlock_reservations(s->bos, s->bo_count, ww);
			return ret;
		}
	}

	return 0;
}

static void virtgpu_submit_queue_command(struct virtgpu_submit *s, struct ww_acquire_ctx *ww)
{
	unsigned int i;

	/* The fence cannot have signalled before its command is queued. */
	if (s->event)
		dma_fence_add_callback(s->fence, &s->event->cb, virtgpu_submit_send_event);
	s->event = NULL;

	virtgpu_context_track(s->ctx, s->msg);
	virtgpu_vq_send_msg(&s->vgdev->ctrl, s->msg);
	s->msg = NULL;

	for (i = 0; i < s->bo_count; i++)
		dma_resv_add_fence(s->bos[i]->resv, s->fence, DMA_RESV_USAGE_WRITE);
	if (s->bo_count)
		drm_gem_unlock_reservations(s->bos, s->bo_count, ww);
}

static void virtgpu_submit_install_fence(struct virtgpu_submit *s)
{
	unsigned int i;

	for (i = 0; i < s->reset_count; i++)
		drm_syncobj_replace_fence(s->resets[i], NULL);

	for (i = 0; i < s->out_count; i++) {
		struct virtgpu_submit_out *out = &s->outs[i];

		if (out->chain)
			drm_syncobj_add_point(out->syncobj, out->chain, s->fence,
					      out->point);
		else
			drm_syncobj_replace_fence(out->syncobj, s->fence);
		out->chain = NULL;
	}

	if (s->sync_file) {
		s->args->fence_fd = s->fd;
		fd_install(s->fd, s->sync_file->file);
		s->sync_file = NULL;
		s->fd = -1;
	}
}

static void virtgpu_submit_release_in(struct virtgpu_submit *s)
{
	unsigned int i;

	for (i = 0; i < s->in_count; i++)
		dma_fence_put(s->in[i]);
	kvfree(s->in);
	for (i = 0; i < s->reset_count; i++)
		drm_syncobj_put(s->resets[i]);
	kvfree(s->resets);
}

static void virtgpu_submit_release_out(struct virtgpu_submit *s)
{
	unsigned int i;

	for (i = 0; i < s->out_count; i++) {
		dma_fence_chain_free(s->outs[i].chain);
		drm_syncobj_put(s->outs[i].syncobj);
	}
	kvfree(s->outs);
}

static void virtgpu_submit_release_buffers(struct virtgpu_submit *s)
{
	unsigned int i;

	for (i = 0; i < s->bo_count; i++)
		drm_gem_object_put(s->bos[i]);
	kvfree(s->bos);
}

/* Release everything that the queued command does not own. */
static void virtgpu_submit_cleanup(struct virtgpu_submit *s)
{
	if (s->event)
		drm_event_cancel_free(&s->vgdev->drm, &s->event->base);
	if (s->sync_file)
		fput(s->sync_file->file);
	if (s->fd >= 0)
		put_unused_fd(s->fd);

	if (s->in)
		virtgpu_submit_release_in(s);
	if (s->outs)
		virtgpu_submit_release_out(s);
	if (s->bos)
		virtgpu_submit_release_buffers(s);

	virtgpu_mem_entries_free(s->cmdbuf);
	virtgpu_msg_put(s->msg);
	dma_fence_put(s->fence);
}

/**
 * virtgpu_ioctl_execbuffer() - Handle DRM_IOCTL_VIRTGPU_EXECBUFFER
 * @dev: the DRM device
 * @data: struct drm_virtgpu_execbuffer
 * @file: the open file
 *
 * Context: May sleep; waits interruptibly for in-fences, without a timeout.
 * Return: 0 on success, -ENOSYS without 3D, -EINVAL for invalid arguments
 * including handles of out-syncobjs, -ENOENT for an invalid handle of a buffer
 * or an in-syncobj, -E2BIG, -EFAULT, -ENOMEM, -EIO if the context or a buffer
 * was lost, the host's error if the host rejected the context or a buffer, or
 * -ERESTARTSYS. On error the command buffer is not queued, but the context that
 * the call may have created remains.
 */
int virtgpu_ioctl_execbuffer(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct virtgpu_submit s = {
		.vgdev = to_virtgpu(dev),
		.file = file,
		.args = data,
		.fd = -1,
	};
	struct ww_acquire_ctx ww;
	int ret;

	if (!s.vgdev->features.virgl)
		return -ENOSYS;
	ret = virtgpu_vq_throttle(&s.vgdev->ctrl, virtgpu_file_client(file));
	if (ret)
		return ret;

	ret = virtgpu_submit_parse(&s);
	if (!ret)
		ret = virtgpu_submit_lookup(&s);
	if (!ret)
		ret = virtgpu_submit_prepare(&s);
	if (!ret)
		ret = virtgpu_submit_lock(&s, &ww);
	if (!ret) {
		virtgpu_submit_queue_command(&s, &ww);
		virtgpu_submit_install_fence(&s);
	}
	virtgpu_submit_cleanup(&s);

	return ret;
}
