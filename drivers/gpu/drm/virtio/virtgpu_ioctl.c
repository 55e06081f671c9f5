// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_rect.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_ioctl.h"
#include "virtgpu_ioctl_3d.h"
#include "virtgpu_msg.h"
#include "virtgpu_submit.h"

/**
 * DOC: user API
 *
 * The driver implements the ioctls of <drm/virtgpu_drm.h>. On a device without
 * 3D VIRTGPU_PARAM_3D_FEATURES is 0 and the ioctls for contexts, capability
 * sets and submissions fail. User space may still create guest blobs and 2D
 * resources and pass their resource IDs to other virtio devices.
 */

/* Upper limit of DRM_IOCTL_VIRTGPU_WAIT. */
#define WAIT_TIMEOUT (15 * HZ)

static int virtgpu_ioctl_getparam(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	const struct virtgpu_features *f = &vgdev->features;
	struct drm_virtgpu_getparam *args = data;
	int value, ret;
	u64 ids;

	switch (args->param) {
	case VIRTGPU_PARAM_3D_FEATURES:
		value = f->virgl;
		break;
	case VIRTGPU_PARAM_CAPSET_QUERY_FIX:
		value = 1;
		break;
	case VIRTGPU_PARAM_RESOURCE_BLOB:
		value = f->blob;
		break;
	case VIRTGPU_PARAM_HOST_VISIBLE:
		value = vgdev->host_visible.size != 0;
		break;
	case VIRTGPU_PARAM_CROSS_DEVICE:
		value = f->uuid;
		break;
	case VIRTGPU_PARAM_CONTEXT_INIT:
		value = f->virgl && f->context_init;
		break;
	case VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs:
		ret = virtgpu_capsets_ids(&vgdev->capsets, &ids);
		if (ret)
			return ret;
		/* The UAPI type of all parameters is int. */
		value = lower_32_bits(ids);
		break;
	case VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME:
		value = f->virgl && f->context_init;
		break;
	case VIRTGPU_PARAM_BLOB_ALIGNMENT:
		if (f->blob_align == PAGE_SIZE)
			return -ENOENT;
		value = f->blob_align;
		break;
	default:
		return -EINVAL;
	}

	return copy_to_user(u64_to_user_ptr(args->value), &value, sizeof(value)) ?
	       -EFAULT : 0;
}

static int virtgpu_ioctl_map(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_virtgpu_map *args = data;
	struct drm_gem_object *obj;
	int ret;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = virtgpu_gem_host3d_map(to_virtgpu_gem(obj));
	drm_gem_object_put(obj);

	return ret ?: virtgpu_gem_dumb_map_offset(file, dev, args->handle, &args->offset);
}

/*
 * Get the resource of a buffer, with a reference, creating it if needed. NULL
 * if the buffer has no resource.
 */
static struct virtgpu_resource *virtgpu_ioctl_gem_resource(struct virtgpu_gem *gem)
{
	struct virtgpu_resource *res;
	int ret;

	ret = virtgpu_resources_throttle(&to_virtgpu(gem->base.dev)->resources);
	if (!ret)
		ret = dma_resv_lock_interruptible(gem->base.resv, NULL);
	if (ret)
		return ERR_PTR(ret);

	res = virtgpu_gem_get_resource(gem);
	if (!IS_ERR_OR_NULL(res))
		virtgpu_resource_get(res);
	dma_resv_unlock(gem->base.resv);

	return res;
}

static u32 virtgpu_ioctl_gem_blob_mem(const struct virtgpu_gem *gem,
				      const struct virtgpu_resource *res)
{
	if (gem->blob_mem)
		return gem->blob_mem;

	return res && res->type == VIRTGPU_RES_BLOB_GUEST ? VIRTGPU_BLOB_MEM_GUEST : 0;
}

static int virtgpu_ioctl_resource_info(struct drm_device *dev, void *data,
				       struct drm_file *file)
{
	struct drm_virtgpu_resource_info *args = data;
	struct virtgpu_resource *res;
	struct drm_gem_object *obj;
	int ret = 0;

	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;

	/*
	 * virglrenderer cannot render from or to guest memory. A command buffer
	 * that uses an import silently disables its context.
	 */
	if (to_virtgpu_gem(obj)->import && virtgpu_file_uses_virgl(file)) {
		ret = -EOPNOTSUPP;
		goto put;
	}

	res = virtgpu_ioctl_gem_resource(to_virtgpu_gem(obj));
	if (IS_ERR(res)) {
		ret = PTR_ERR(res);
		goto put;
	}

	args->size = obj->size;
	args->res_handle = res ? res->id : 0;
	args->blob_mem = virtgpu_ioctl_gem_blob_mem(to_virtgpu_gem(obj), res);
	ret = virtgpu_file_attach_object(obj, file);
	virtgpu_vq_kick(&to_virtgpu(dev)->ctrl);
	virtgpu_resource_put(res);
put:
	drm_gem_object_put(obj);
	return ret;
}

/*
 * Create the handle and the resource of a new buffer; consumes the reference.
 */
static int virtgpu_ioctl_gem_finish_create(struct virtgpu_gem *gem, struct drm_file *file,
					   u32 *handle, u32 *res_handle)
{
	struct virtgpu_resource *res = virtgpu_ioctl_gem_resource(gem);
	int ret = PTR_ERR_OR_ZERO(res);

	if (!ret)
		ret = drm_gem_handle_create(file, &gem->base, handle);
	if (!ret)
		*res_handle = res ? res->id : 0;
	if (!IS_ERR(res))
		virtgpu_resource_put(res);
	virtgpu_vq_kick(&to_virtgpu(gem->base.dev)->ctrl);
	drm_gem_object_put(&gem->base);

	return ret;
}

/*
 * Without 3D RESOURCE_CREATE creates only plain 2D resources; flags are
 * ignored.
 */
static bool virtgpu_ioctl_gem_check_2d(const struct drm_virtgpu_resource_create *args)
{
	return args->target == VIRTGPU_PIPE_TEXTURE_2D && args->depth <= 1 &&
	       args->array_size <= 1 && args->last_level <= 1 && args->nr_samples <= 1;
}

static struct virtgpu_gem *
virtgpu_ioctl_gem_create_2d(struct virtgpu_device *vgdev,
			    const struct drm_virtgpu_resource_create *args)
{
	struct virtgpu_2d_layout layout = {
		.format = args->format,
		.width = args->width,
		.height = args->height,
	};
	struct virtgpu_resource *res;
	struct virtgpu_gem *gem;

	if (!virtgpu_ioctl_gem_check_2d(args) || !args->width || !args->height)
		return ERR_PTR(-EINVAL);

	gem = virtgpu_gem_create(vgdev, args->size ?: PAGE_SIZE);
	if (IS_ERR(gem))
		return gem;

	dma_resv_lock(gem->base.resv, NULL);
	res = virtgpu_gem_get_2d(gem, &layout);
	dma_resv_unlock(gem->base.resv);
	if (IS_ERR(res)) {
		drm_gem_object_put(&gem->base);
		return ERR_CAST(res);
	}

	return gem;
}

static struct virtgpu_gem *
virtgpu_ioctl_gem_create_3d(struct virtgpu_device *vgdev, struct drm_file *file,
			    const struct drm_virtgpu_resource_create *args)
{
	struct virtgpu_cmd_create_3d cmd = {
		.target = args->target,
		.format = args->format,
		.bind = args->bind,
		.width = args->width,
		.height = args->height,
		.depth = args->depth,
		.array_size = args->array_size,
		.last_level = args->last_level,
		.nr_samples = args->nr_samples,
		.flags = args->flags,
	};
	struct virtgpu_context *ctx = virtgpu_file_context(file);

	if (IS_ERR(ctx))
		return ERR_CAST(ctx);

	return virtgpu_gem_create_3d(vgdev, args->size ?: PAGE_SIZE, &cmd);
}

static int virtgpu_ioctl_resource_create(struct drm_device *dev, void *data,
					 struct drm_file *file)
{
	struct drm_virtgpu_resource_create *args = data;
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct virtgpu_gem *gem;
	int ret;

	ret = virtgpu_resources_throttle(&vgdev->resources);
	if (ret)
		return ret;

	gem = vgdev->features.virgl ? virtgpu_ioctl_gem_create_3d(vgdev, file, args) :
				     virtgpu_ioctl_gem_create_2d(vgdev, args);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	return virtgpu_ioctl_gem_finish_create(gem, file, &args->bo_handle, &args->res_handle);
}

static int virtgpu_ioctl_gem_check_blob(const struct virtgpu_features *f,
					const struct drm_virtgpu_resource_create_blob *args)
{
	u32 valid_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE |
		    VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE;

	/* Hints may be ignored, so unknown ones are. */
	if (!f->blob || args->blob_flags & ~valid_flags)
		return -EINVAL;
	if (args->blob_flags & VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE && !f->uuid)
		return -EINVAL;

	switch (args->blob_mem) {
	case VIRTGPU_BLOB_MEM_GUEST:
		return args->blob_id || args->cmd_size ? -EINVAL : 0;
	case VIRTGPU_BLOB_MEM_HOST3D:
	case VIRTGPU_BLOB_MEM_HOST3D_GUEST:
		if (!f->virgl || args->cmd_size % 4)
			return -EINVAL;
		/*
		 * The size is rounded up to pages; a larger alignment is up to
		 * user space.
		 */
		return f->blob_align > PAGE_SIZE && !IS_ALIGNED(args->size, f->blob_align) ?
		       -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* Prepare the command buffer that allocates the host memory of the blob. */
static struct virtgpu_msg *
virtgpu_ioctl_gem_prep_cmdbuf(struct virtgpu_device *vgdev, struct virtgpu_context *ctx,
			      const struct drm_virtgpu_resource_create_blob *args)
{
	struct virtgpu_mem_entries *cmdbuf;
	struct virtgpu_msg *msg;

	if (!args->cmd_size)
		return NULL;

	cmdbuf = virtgpu_cmdbuf_from_user(vgdev, args->cmd, args->cmd_size);
	if (IS_ERR(cmdbuf))
		return ERR_CAST(cmdbuf);
	msg = virtgpu_msg_alloc();
	if (!msg) {
		virtgpu_mem_entries_free(cmdbuf);
		return ERR_PTR(-ENOMEM);
	}
	virtgpu_cmd_submit_3d(msg, ctx->id, cmdbuf);

	return msg;
}

static struct virtgpu_gem *
virtgpu_ioctl_gem_create_host3d(struct virtgpu_device *vgdev, struct drm_file *file,
				const struct drm_virtgpu_resource_create_blob *args)
{
	struct virtgpu_cmd_create_blob cmd = {
		.mem = args->blob_mem,
		.flags = args->blob_flags,
		.size = PAGE_ALIGN(args->size),
		.id = args->blob_id,
	};
	struct virtgpu_context *ctx;
	struct virtgpu_msg *cmdbuf_msg;
	struct virtgpu_gem *gem;

	ctx = virtgpu_file_context(file);
	if (IS_ERR(ctx))
		return ERR_CAST(ctx);

	cmdbuf_msg = virtgpu_ioctl_gem_prep_cmdbuf(vgdev, ctx, args);
	if (IS_ERR(cmdbuf_msg))
		return ERR_CAST(cmdbuf_msg);
	if (cmdbuf_msg)
		virtgpu_context_track(ctx, cmdbuf_msg);
	cmd.context = ctx->id;
	gem = virtgpu_gem_create_host3d_blob(vgdev, &cmd, cmdbuf_msg,
					     args->blob_hints &
					     DRM_VIRTGPU_BLOB_FLAG_HINT_DEFER_MAPPING);
	if (IS_ERR(gem) && cmdbuf_msg) {
		/* Drop the reference of virtgpu_context_track(). */
		virtgpu_context_put(ctx);
		virtgpu_msg_put(cmdbuf_msg);
	}

	return gem;
}

static struct virtgpu_gem *
virtgpu_ioctl_gem_create_guest(struct virtgpu_device *vgdev,
			       const struct drm_virtgpu_resource_create_blob *args)
{
	struct virtgpu_gem *gem = virtgpu_gem_create(vgdev, args->size);

	/* The flags have the values of the virtio specification. */
	if (!IS_ERR(gem))
		gem->blob_flags = args->blob_flags;

	return gem;
}

static int virtgpu_ioctl_resource_create_blob(struct drm_device *dev, void *data,
					      struct drm_file *file)
{
	struct drm_virtgpu_resource_create_blob *args = data;
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct virtgpu_gem *gem;
	int ret;

	ret = virtgpu_ioctl_gem_check_blob(&vgdev->features, args);
	if (ret)
		return ret;
	ret = virtgpu_resources_throttle(&vgdev->resources);
	if (ret)
		return ret;

	gem = args->blob_mem == VIRTGPU_BLOB_MEM_GUEST ?
	      virtgpu_ioctl_gem_create_guest(vgdev, args) :
	      virtgpu_ioctl_gem_create_host3d(vgdev, file, args);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	return virtgpu_ioctl_gem_finish_create(gem, file, &args->bo_handle, &args->res_handle);
}

/*
 * Transfer to the first 2D resource. Without one there is nothing to do: if the
 * host keeps a copy of a guest blob, the plane update transfers it.
 */
static int virtgpu_ioctl_gem_transfer_2d(struct virtgpu_device *vgdev, struct drm_file *file,
					 const struct drm_virtgpu_3d_transfer_to_host *args)
{
	struct drm_rect r = DRM_RECT_INIT(args->box.x, args->box.y, args->box.w,
					  args->box.h);
	struct virtgpu_resource *res;
	struct drm_gem_object *obj;
	struct virtgpu_msg *msg;
	int ret;

	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;
	ret = virtgpu_resources_throttle(&vgdev->resources);
	if (ret)
		goto put;
	msg = virtgpu_msg_alloc();
	if (!msg) {
		ret = -ENOMEM;
		goto put;
	}

	virtgpu_msg_set_client(msg, vgdev->resources.client);
	dma_resv_lock(obj->resv, NULL);
	res = list_first_entry_or_null(&to_virtgpu_gem(obj)->copies_2d,
				       struct virtgpu_resource, gem_link);
	if (res) {
		virtgpu_gem_sync_for_device(to_virtgpu_gem(obj));
		virtgpu_cmd_transfer_to_host_2d(msg, res->id, &r, args->offset);
		/* The caller chose the rectangle: no sticky error. */
		virtgpu_resource_track_transfer(res, msg, false);
		virtgpu_vq_queue_msg(&vgdev->ctrl, msg);
	} else {
		virtgpu_msg_put(msg);
	}
	dma_resv_unlock(obj->resv);
	virtgpu_vq_kick(&vgdev->ctrl);
put:
	drm_gem_object_put(obj);
	return ret;
}

static int virtgpu_ioctl_transfer_to_host(struct drm_device *dev, void *data,
					  struct drm_file *file)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);

	return vgdev->features.virgl ? virtgpu_transfer_to_host_3d(vgdev, file, data) :
				       virtgpu_ioctl_gem_transfer_2d(vgdev, file, data);
}

static int virtgpu_ioctl_wait(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_virtgpu_3d_wait *args = data;
	struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
	long left;

	if (!obj)
		return -ENOENT;
	left = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_READ, true,
				     args->flags & VIRTGPU_WAIT_NOWAIT ? 0 : WAIT_TIMEOUT);
	drm_gem_object_put(obj);

	return left < 0 ? left : left ? 0 : -EBUSY;
}

#define VIRTGPU_IOCTL(name, func) \
	DRM_IOCTL_DEF_DRV(VIRTGPU_##name, func, DRM_RENDER_ALLOW)

const struct drm_ioctl_desc virtgpu_ioctls[VIRTGPU_NUM_IOCTLS] = {
	VIRTGPU_IOCTL(MAP, virtgpu_ioctl_map),
	VIRTGPU_IOCTL(EXECBUFFER, virtgpu_ioctl_execbuffer),
	VIRTGPU_IOCTL(GETPARAM, virtgpu_ioctl_getparam),
	VIRTGPU_IOCTL(RESOURCE_CREATE, virtgpu_ioctl_resource_create),
	VIRTGPU_IOCTL(RESOURCE_INFO, virtgpu_ioctl_resource_info),
	VIRTGPU_IOCTL(TRANSFER_FROM_HOST, virtgpu_ioctl_transfer_from_host),
	VIRTGPU_IOCTL(TRANSFER_TO_HOST, virtgpu_ioctl_transfer_to_host),
	VIRTGPU_IOCTL(WAIT, virtgpu_ioctl_wait),
	VIRTGPU_IOCTL(GET_CAPS, virtgpu_ioctl_get_caps),
	VIRTGPU_IOCTL(RESOURCE_CREATE_BLOB, virtgpu_ioctl_resource_create_blob),
	VIRTGPU_IOCTL(CONTEXT_INIT, virtgpu_ioctl_context_init),
};
