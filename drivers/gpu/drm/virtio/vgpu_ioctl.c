// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_rect.h>
#include <uapi/drm/virtgpu_drm.h>

#include "vgpu_cmd.h"
#include "vgpu_device.h"
#include "vgpu_gem.h"
#include "vgpu_ioctl.h"
#include "vgpu_msg.h"

/**
 * DOC: user API
 *
 * These are the ioctls of <drm/virtgpu_drm.h> that make sense on a device without
 * 3D: a program learns that there is none, and may still make guest memory known
 * to the host, by number, for other devices to find.
 */

/* DRM_IOCTL_VIRTGPU_WAIT does not wait for longer than this. */
#define WAIT_BOUND (15 * HZ)

static int ioctl_getparam(struct drm_device *dev, void *data, struct drm_file *file)
{
	const struct vgpu_features *f = &to_vgpu(dev)->features;
	struct drm_virtgpu_getparam *args = data;
	int value;

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
		value = 0;
		break;
	case VIRTGPU_PARAM_CROSS_DEVICE:
		value = f->uuid;
		break;
	case VIRTGPU_PARAM_CONTEXT_INIT:
		value = f->virgl && f->context_init;
		break;
	case VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs:
		value = 0;
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

static int ioctl_map(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_virtgpu_map *args = data;

	return drm_gem_dumb_map_offset(file, dev, args->handle, &args->offset);
}

/* The number of a buffer on the host; one is made if it has none. */
static int host_number(struct vgpu_gem *gem, u32 *id, bool *blob)
{
	struct vgpu_resource *res;
	int ret;

	ret = dma_resv_lock_interruptible(gem->base.resv, NULL);
	if (ret)
		return ret;

	res = list_first_entry_or_null(&gem->surfaces, struct vgpu_resource, siblings);
	/* An import has a number only while it is in use. */
	if (!res && (!gem->import || gem->blob))
		res = vgpu_gem_blob(gem);
	*id = IS_ERR_OR_NULL(res) ? 0 : res->id;
	*blob = *id && res->kind == VGPU_BLOB;
	dma_resv_unlock(gem->base.resv);

	/* A buffer of a device without blobs has no number, which is no error. */
	return IS_ERR(res) && res != ERR_PTR(-EOPNOTSUPP) ? PTR_ERR(res) : 0;
}

static int ioctl_resource_info(struct drm_device *dev, void *data,
			       struct drm_file *file)
{
	struct drm_virtgpu_resource_info *args = data;
	struct drm_gem_object *obj;
	bool blob = false;
	int ret;

	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;

	ret = host_number(to_vgpu_gem(obj), &args->res_handle, &blob);
	args->size = obj->size;
	args->blob_mem = blob ? VIRTGPU_BLOB_MEM_GUEST : 0;
	drm_gem_object_put(obj);
	vgpu_queue_kick(&to_vgpu(dev)->ctrl);

	return ret;
}

static int give_handle(struct vgpu_gem *gem, struct drm_file *file, u32 *handle,
		       u32 *number)
{
	bool blob;
	int ret;

	ret = host_number(gem, number, &blob);
	if (!ret)
		ret = drm_gem_handle_create(file, &gem->base, handle);
	vgpu_queue_kick(&to_vgpu(gem->base.dev)->ctrl);
	drm_gem_object_put(&gem->base);

	return ret;
}

/* A 2D device has surfaces of one level and layer, for showing. */
static bool is_plain_2d(const struct drm_virtgpu_resource_create *args)
{
	return args->target == 2 && args->depth <= 1 && args->array_size <= 1 &&
	       !args->last_level && !args->nr_samples && !args->flags;
}

static int ioctl_resource_create(struct drm_device *dev, void *data,
				 struct drm_file *file)
{
	struct drm_virtgpu_resource_create *args = data;
	struct vgpu_device *vgpu = to_vgpu(dev);
	struct vgpu_surface_key key = {
		.format = args->format,
		.width = args->width,
		.height = args->height,
	};
	struct vgpu_resource *res;
	struct vgpu_gem *gem;
	int ret;

	if (!is_plain_2d(args) || !args->width || !args->height)
		return -EINVAL;
	ret = vgpu_queue_throttle(&vgpu->ctrl);
	if (ret)
		return ret;

	gem = vgpu_gem_create(vgpu, args->size ?: PAGE_SIZE);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	dma_resv_lock(gem->base.resv, NULL);
	res = vgpu_gem_surface(gem, &key);
	dma_resv_unlock(gem->base.resv);
	if (IS_ERR(res)) {
		drm_gem_object_put(&gem->base);
		return PTR_ERR(res);
	}

	return give_handle(gem, file, &args->bo_handle, &args->res_handle);
}

static int ioctl_create_blob(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_virtgpu_resource_create_blob *args = data;
	struct vgpu_device *vgpu = to_vgpu(dev);
	struct vgpu_gem *gem;
	u32 known = VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE |
		    VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE;
	int ret;

	if (!vgpu->features.blob)
		return -EINVAL;
	if (args->blob_mem != VIRTGPU_BLOB_MEM_GUEST || args->blob_id ||
	    args->cmd_size || args->blob_flags & ~known)
		return -EINVAL;
	if (args->blob_flags & VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE &&
	    !vgpu->features.uuid)
		return -EINVAL;
	ret = vgpu_queue_throttle(&vgpu->ctrl);
	if (ret)
		return ret;

	gem = vgpu_gem_create(vgpu, args->size);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	return give_handle(gem, file, &args->bo_handle, &args->res_handle);
}

/* Guest memory is its own latest state: only a surface has a copy to update. */
static int ioctl_transfer_to_host(struct drm_device *dev, void *data,
				  struct drm_file *file)
{
	struct drm_virtgpu_3d_transfer_to_host *args = data;
	struct vgpu_device *vgpu = to_vgpu(dev);
	struct drm_rect r = DRM_RECT_INIT(args->box.x, args->box.y, args->box.w,
					  args->box.h);
	struct vgpu_resource *res;
	struct drm_gem_object *obj;
	struct vgpu_msg *msg;
	int ret;

	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;
	ret = vgpu_queue_throttle(&vgpu->ctrl);
	if (ret)
		goto put;
	msg = vgpu_msg_alloc();
	if (!msg) {
		ret = -ENOMEM;
		goto put;
	}

	dma_resv_lock(obj->resv, NULL);
	res = list_first_entry_or_null(&to_vgpu_gem(obj)->surfaces,
				       struct vgpu_resource, siblings);
	if (res) {
		if (to_vgpu_gem(obj)->pages)
			vgpu_pages_sync_for_device(to_vgpu_gem(obj)->pages);
		vgpu_cmd_transfer_to_host_2d(msg, res->id, &r, args->offset);
		vgpu_resource_track(res, msg);
		vgpu_queue_publish(&vgpu->ctrl, msg);
	} else {
		vgpu_msg_put(msg);
	}
	dma_resv_unlock(obj->resv);
	vgpu_queue_kick(&vgpu->ctrl);
put:
	drm_gem_object_put(obj);
	return ret;
}

static int ioctl_wait(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_virtgpu_3d_wait *args = data;
	long left;

	if (args->flags & VIRTGPU_WAIT_NOWAIT) {
		struct drm_gem_object *obj = drm_gem_object_lookup(file, args->handle);
		bool idle;

		if (!obj)
			return -ENOENT;
		idle = dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_READ);
		drm_gem_object_put(obj);
		return idle ? 0 : -EBUSY;
	}

	left = drm_gem_dma_resv_wait(file, args->handle, true, WAIT_BOUND);

	return left == -ETIME ? -EBUSY : left;
}

#define VGPU_IOCTL(name, func) \
	DRM_IOCTL_DEF_DRV(VIRTGPU_##name, func, DRM_RENDER_ALLOW)

/* What is missing here belongs to 3D and answers with -EINVAL, as no ioctl. */
const struct drm_ioctl_desc vgpu_ioctls[VGPU_IOCTL_COUNT] = {
	VGPU_IOCTL(MAP, ioctl_map),
	VGPU_IOCTL(GETPARAM, ioctl_getparam),
	VGPU_IOCTL(RESOURCE_CREATE, ioctl_resource_create),
	VGPU_IOCTL(RESOURCE_INFO, ioctl_resource_info),
	VGPU_IOCTL(TRANSFER_TO_HOST, ioctl_transfer_to_host),
	VGPU_IOCTL(WAIT, ioctl_wait),
	VGPU_IOCTL(RESOURCE_CREATE_BLOB, ioctl_create_blob),
};
