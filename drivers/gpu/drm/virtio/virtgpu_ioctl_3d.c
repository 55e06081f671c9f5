// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_capset.h"
#include "virtgpu_cmd.h"
#include "virtgpu_context.h"
#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_ioctl_3d.h"
#include "virtgpu_msg.h"

/**
 * DOC: 3D ioctls
 *
 * GET_CAPS returns the contents of a capability set. CONTEXT_INIT creates the
 * context of the file with parameters, for files that do not use the defaults.
 * TRANSFER_TO_HOST and TRANSFER_FROM_HOST copy a box between the guest pages of
 * a buffer and its resource on the host. They return before the host has copied
 * the box; the reservation object of the buffer has the fence of the copy.
 */

/* Number of parameters of CONTEXT_INIT, none of which may be repeated. */
#define MAX_CONTEXT_PARAMS 4

/**
 * virtgpu_ioctl_get_caps() - Handle DRM_IOCTL_VIRTGPU_GET_CAPS
 * @dev: the DRM device
 * @data: struct drm_virtgpu_get_caps
 * @file: the open file
 *
 * Context: May sleep; waits for the host.
 * Return: 0 on success, -ENOSYS if the device has no capability sets, -EINVAL
 * if the host does not have this set or the size is 0, -EFAULT, or an error of
 * virtgpu_capset_get().
 */
int virtgpu_ioctl_get_caps(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct drm_virtgpu_get_caps *args = data;
	const struct virtio_gpu_resp_capset *resp;
	struct virtgpu_msg *msg;
	u32 size;
	int ret;

	if (!vgdev->capsets.count)
		return -ENOSYS;
	if (!args->size)
		return -EINVAL;

	msg = virtgpu_capset_get(&vgdev->capsets, args->cap_set_id, args->cap_set_ver, &size);
	if (IS_ERR(msg))
		return PTR_ERR(msg);

	resp = msg->resp;
	ret = copy_to_user(u64_to_user_ptr(args->addr), resp->capset_data,
			   min(args->size, size)) ? -EFAULT : 0;
	virtgpu_msg_put(msg);

	return ret;
}

/* Truncate the name: some hosts require a terminating zero. */
static int virtgpu_ioctl_3d_read_name(u64 addr, char *name)
{
	long len = strncpy_from_user(name, u64_to_user_ptr(addr), VIRTGPU_CONTEXT_NAME - 1);

	if (len < 0)
		return len;
	name[len] = 0;

	return 0;
}

static int virtgpu_ioctl_3d_read_param(struct virtgpu_device *vgdev,
				       const struct drm_virtgpu_context_set_param *p,
				       struct virtgpu_context_params *params)
{
	u64 ids;
	int ret;

	switch (p->param) {
	case VIRTGPU_CONTEXT_PARAM_CAPSET_ID:
		if (p->value > VIRTGPU_CAPSET_MAX)
			return -EINVAL;
		ret = virtgpu_capsets_ids(&vgdev->capsets, &ids);
		if (ret)
			return ret;
		params->capset = p->value;
		return ids & BIT_ULL(p->value) ? 0 : -EINVAL;
	case VIRTGPU_CONTEXT_PARAM_NUM_RINGS:
		params->num_rings = p->value;
		return p->value > VIRTGPU_CONTEXT_MAX_RINGS ? -EINVAL : 0;
	case VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK:
		params->poll_rings_mask = p->value;
		return 0;
	case VIRTGPU_CONTEXT_PARAM_DEBUG_NAME:
		return virtgpu_ioctl_3d_read_name(p->value, params->name);
	default:
		return -EINVAL;
	}
}

static int virtgpu_ioctl_3d_read_params(struct virtgpu_device *vgdev,
					const struct drm_virtgpu_context_init *args,
					struct virtgpu_context_params *params)
{
	const struct drm_virtgpu_context_set_param __user *array =
		u64_to_user_ptr(args->ctx_set_params);
	struct drm_virtgpu_context_set_param p;
	u32 seen = 0, i;
	int ret;

	if (args->num_params > MAX_CONTEXT_PARAMS)
		return -EINVAL;

	virtgpu_context_params_init(params);
	for (i = 0; i < args->num_params; i++) {
		if (copy_from_user(&p, &array[i], sizeof(p)))
			return -EFAULT;
		ret = virtgpu_ioctl_3d_read_param(vgdev, &p, params);
		if (ret)
			return ret;
		if (seen & BIT(p.param))
			return -EINVAL;
		seen |= BIT(p.param);
	}

	/* The mask must not contain rings that the context does not have. */
	return params->num_rings < 64 && params->poll_rings_mask >> params->num_rings ? -EINVAL : 0;
}

/**
 * virtgpu_ioctl_context_init() - Handle DRM_IOCTL_VIRTGPU_CONTEXT_INIT
 * @dev: the DRM device
 * @data: struct drm_virtgpu_context_init
 * @file: the open file
 *
 * Context: May sleep; waits for the host.
 * Return: 0 on success, -EINVAL for invalid parameters or without 3D or
 * VIRTIO_GPU_F_CONTEXT_INIT, -EEXIST if the file has a context, -EFAULT,
 * -EINTR, -ENOMEM, or an error of virtgpu_vq_throttle().
 */
int virtgpu_ioctl_context_init(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct virtgpu_context_params params;
	int ret;

	if (!vgdev->features.virgl || !vgdev->features.context_init)
		return -EINVAL;
	ret = virtgpu_contexts_throttle(&vgdev->contexts);
	if (ret)
		return ret;
	ret = virtgpu_ioctl_3d_read_params(vgdev, data, &params);
	if (ret)
		return ret;

	return virtgpu_file_init_context(file, &params);
}

/*
 * Transfers
 */

/*
 * Find the resource to copy, or NULL if there is nothing to copy. Caller must
 * hold the reservation lock of @gem.
 */
static struct virtgpu_resource *
virtgpu_ioctl_3d_transfer_resource(struct virtgpu_gem *gem,
				   const struct virtgpu_cmd_transfer_3d *cmd)
{
	struct virtgpu_resource *res = virtgpu_gem_lookup_resource(gem);
	int ret = virtgpu_gem_host_error(gem);

	if (ret)
		return ERR_PTR(ret);
	/* Only host3d blobs take a stride. */
	if ((!res || res->type != VIRTGPU_RES_BLOB_HOST3D) && (cmd->stride || cmd->layer_stride))
		return ERR_PTR(-EINVAL);
	/* The host has no copy of a dumb buffer that was never shown. */
	if (!res && gem->dumb.width)
		return NULL;
	/*
	 * Contexts use the memory of guest blobs in place. If the host keeps a
	 * copy for scanout, the plane update transfers it.
	 */
	if (!res || res->type == VIRTGPU_RES_BLOB_GUEST)
		return ERR_PTR(-EINVAL);

	return res;
}

/*
 * Synchronising a buffer discards what the CPU and other transfers write at the
 * same time.  Lock a buffer that needs it only while it is idle.
 */
static int virtgpu_ioctl_3d_lock_transfer(struct virtgpu_gem *gem)
{
	bool exclusive = gem->pages && READ_ONCE(gem->pages->needs_sync);
	struct dma_resv *resv = gem->base.resv;
	long left;
	int ret;

	for (;;) {
		ret = dma_resv_lock_interruptible(resv, NULL);
		if (ret || !exclusive || dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ))
			return ret;
		dma_resv_unlock(resv);

		left = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_READ, true,
					     MAX_SCHEDULE_TIMEOUT);
		if (left < 0)
			return left;
	}
}

/* Caller must hold the reservation lock of @gem, and must kick. */
static int virtgpu_ioctl_3d_queue_transfer(struct virtgpu_gem *gem, struct virtgpu_msg *msg,
					   struct virtgpu_cmd_transfer_3d *cmd, bool to_host)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res;
	struct dma_fence *fence;
	int ret;

	res = virtgpu_ioctl_3d_transfer_resource(gem, cmd);
	if (IS_ERR_OR_NULL(res))
		return PTR_ERR_OR_ZERO(res);
	ret = dma_resv_reserve_fences(gem->base.resv, 1);
	if (ret)
		return ret;

	cmd->resource = res->id;
	if (to_host)
		virtgpu_cmd_transfer_to_host_3d(msg, cmd);
	else
		virtgpu_cmd_transfer_from_host_3d(msg, cmd);
	virtgpu_gem_sync_for_device(gem);
	virtgpu_resource_track_transfer(res, msg, !to_host);

	fence = dma_fence_get(&msg->fence->base);
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&vgdev->ctrl, msg);
	dma_resv_add_fence(gem->base.resv, fence, DMA_RESV_USAGE_WRITE);
	dma_fence_put(fence);

	return 0;
}

static int virtgpu_ioctl_3d_transfer_gem(struct virtgpu_gem *gem, struct virtgpu_client *client,
					 struct virtgpu_cmd_transfer_3d *cmd, bool to_host)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_msg *msg;
	int ret = -ENOMEM;

	msg = virtgpu_msg_alloc();
	if (!msg)
		return ret;
	virtgpu_msg_set_client(msg, client);
	msg->fence = virtgpu_fence_alloc(&vgdev->contexts.default_timeline);
	if (!msg->fence)
		goto put;

	ret = virtgpu_ioctl_3d_lock_transfer(gem);
	if (ret)
		goto put;
	ret = virtgpu_ioctl_3d_queue_transfer(gem, msg, cmd, to_host);
	dma_resv_unlock(gem->base.resv);
	virtgpu_vq_kick(&vgdev->ctrl);
put:
	virtgpu_msg_put(msg);
	return ret;
}

static int virtgpu_ioctl_3d_transfer_handle(struct virtgpu_device *vgdev, struct drm_file *file,
					    u32 handle, const struct drm_virtgpu_3d_box *box,
					    struct virtgpu_cmd_transfer_3d *cmd, bool to_host)
{
	struct drm_gem_object *obj;
	struct virtgpu_context *ctx;
	int ret;

	ret = virtgpu_vq_throttle(&vgdev->ctrl, virtgpu_file_client(file));
	if (ret)
		return ret;
	obj = drm_gem_object_lookup(file, handle);
	if (!obj)
		return -ENOENT;
	ctx = virtgpu_file_context(file);
	if (IS_ERR(ctx)) {
		ret = PTR_ERR(ctx);
		goto put;
	}

	cmd->context = ctx->id;
	cmd->x = box->x;
	cmd->y = box->y;
	cmd->z = box->z;
	cmd->w = box->w;
	cmd->h = box->h;
	cmd->d = box->d;
	ret = virtgpu_ioctl_3d_transfer_gem(to_virtgpu_gem(obj), ctx->client, cmd, to_host);
put:
	drm_gem_object_put(obj);
	return ret;
}

/**
 * virtgpu_transfer_to_host_3d() - Copy a box of a 3D resource to the host
 * @vgdev: the device, with 3D
 * @file: the open file
 * @args: box, handle and layout, from user space
 *
 * The fence of the copy is added to the reservation object of the buffer.
 *
 * Context: May sleep; if the DMA API synchronises the buffer, it waits until
 * the buffer is idle.
 * Return: 0 on success, -ENOENT if the handle is invalid, -EINVAL if a buffer
 * that is not a dumb one has no copy on the host, or if the buffer cannot have
 * the stride, -EIO if the buffer or the context was lost or the device is
 * unresponsive, -ENODEV if the device was removed, -ENOMEM, -EINTR,
 * -ERESTARTSYS, or the host's error if the host has rejected the buffer or the
 * context.
 */
int virtgpu_transfer_to_host_3d(struct virtgpu_device *vgdev, struct drm_file *file,
				const struct drm_virtgpu_3d_transfer_to_host *args)
{
	struct virtgpu_cmd_transfer_3d cmd = {
		.offset = args->offset,
		.level = args->level,
		.stride = args->stride,
		.layer_stride = args->layer_stride,
	};

	return virtgpu_ioctl_3d_transfer_handle(vgdev, file, args->bo_handle, &args->box, &cmd,
						true);
}

/**
 * virtgpu_ioctl_transfer_from_host() - Handle TRANSFER_FROM_HOST
 * @dev: the DRM device
 * @data: struct drm_virtgpu_3d_transfer_from_host
 * @file: the open file
 *
 * The fence of the copy is added to the reservation object of the buffer.
 *
 * Context: As virtgpu_transfer_to_host_3d().
 * Return: as virtgpu_transfer_to_host_3d(), or -ENOSYS without 3D.
 */
int virtgpu_ioctl_transfer_from_host(struct drm_device *dev, void *data,
				     struct drm_file *file)
{
	struct drm_virtgpu_3d_transfer_from_host *args = data;
	struct virtgpu_cmd_transfer_3d cmd = {
		.offset = args->offset,
		.level = args->level,
		.stride = args->stride,
		.layer_stride = args->layer_stride,
	};

	if (!to_virtgpu(dev)->features.virgl)
		return -ENOSYS;

	return virtgpu_ioctl_3d_transfer_handle(to_virtgpu(dev), file, args->bo_handle,
						&args->box, &cmd, false);
}
