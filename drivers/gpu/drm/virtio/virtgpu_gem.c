// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <drm/drm_drv.h>
#include <drm/drm_mode.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_prime.h"
#include "virtgpu_msg.h"

/**
 * DOC: buffers
 *
 * A buffer is memory; the host hears of it only when there is something to do
 * with it.  Then the same buffer can be a blob, which the host shows in place, or
 * one surface for each layout that it is shown in, which the host copies.  A blob
 * that the host refuses is replaced by a surface, for this buffer for good.
 *
 * What a 3D context makes is the other way round: the host has it first, and for good,
 * under the one number that the context's commands name it by.
 */

/* Another device's memory may move as soon as the host no longer has it. */
static void virtgpu_gem_destroy_resource(struct virtgpu_gem *gem, struct virtgpu_resource *res)
{
	if (gem->import)
		virtgpu_import_add_detach_fence(gem->import, virtgpu_resource_detach_backing(res));
	else
		virtgpu_resource_destroy(res);
}

static void virtgpu_gem_drop_2d(struct virtgpu_gem *gem, struct virtgpu_resource *res)
{
	list_del_init(&res->gem_link);
	virtgpu_gem_destroy_resource(gem, res);
}

/**
 * virtgpu_gem_release_resources - take a buffer's memory from the host
 * @gem: a buffer that moves or is freed
 *
 * Published, not kicked.
 *
 * Context: under the reservation lock; may sleep if the buffer is an import.
 */
void virtgpu_gem_release_resources(struct virtgpu_gem *gem)
{
	struct virtgpu_resource *res, *next;

	if (gem->blob)
		virtgpu_gem_destroy_resource(gem, gem->blob);
	gem->blob = NULL;
	if (gem->map)
		virtgpu_host_mapping_release(gem->map);
	gem->map = NULL;
	if (gem->host3d_res)
		virtgpu_resource_destroy(gem->host3d_res);
	gem->host3d_res = NULL;

	list_for_each_entry_safe(res, next, &gem->copies_2d, gem_link)
		virtgpu_gem_drop_2d(gem, res);
}

static void virtgpu_gem_free(struct drm_gem_object *obj)
{
	struct virtgpu_device *vgdev = to_virtgpu(obj->dev);
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	if (gem->import)
		dma_resv_lock(obj->resv, NULL);
	virtgpu_gem_release_resources(gem);
	if (gem->pinned_for_ctx)
		virtgpu_import_unpin(gem->import);
	if (gem->import)
		dma_resv_unlock(obj->resv);
	virtgpu_vq_kick(&vgdev->ctrl);

	if (iosys_map_is_set(&gem->vmap))
		vunmap(gem->vmap.vaddr);
	if (gem->import)
		virtgpu_import_release(gem->import);
	if (gem->pages)
		virtgpu_backing_put_sync(gem->pages);

	drm_gem_object_release(obj);
	kfree(gem);
}

static struct sg_table *virtgpu_gem_get_sg_table(struct drm_gem_object *obj)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	return gem->pages ? virtgpu_pages_sg_table(gem->pages) : ERR_PTR(-EOPNOTSUPP);
}

static int virtgpu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	int ret;

	dma_resv_assert_held(obj->resv);

	if (gem->import)
		return dma_buf_vmap(virtgpu_import_dma_buf(gem->import), map);
	if (!gem->pages)
		return -EOPNOTSUPP;

	if (iosys_map_is_null(&gem->vmap)) {
		ret = virtgpu_pages_vmap(gem->pages, &gem->vmap);
		if (ret)
			return ret;
	}
	*map = gem->vmap;

	return 0;
}

static void virtgpu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	dma_resv_assert_held(obj->resv);

	/* Ours is kept: the console wants it for every stroke. */
	if (gem->import)
		dma_buf_vunmap(virtgpu_import_dma_buf(gem->import), map);
}

static int virtgpu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff - drm_vma_node_start(&obj->vma_node);
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	/* An import is mapped through its dma-buf. */
	if (gem->import)
		return -EINVAL;
	if (!gem->pages)
		return virtgpu_gem_host3d_mmap(gem, vma);

	/* A private copy of a screen would never be shown. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;

	return virtgpu_pages_mmap(gem->pages, vma, first);
}

/**
 * virtgpu_gem_region - where the memory of a buffer is
 * @gem: the buffer
 *
 * A 3D resource or blob with pages of the guest is in these, whatever the host adds.
 *
 * Context: any.
 * Return: the region, the same for as long as the buffer has handles.
 */
enum virtgpu_gem_region virtgpu_gem_region(const struct virtgpu_gem *gem)
{
	if (gem->import)
		return VIRTGPU_GEM_IMPORTED;

	return gem->pages ? VIRTGPU_GEM_GUEST : VIRTGPU_GEM_HOST3D;
}

static enum drm_gem_object_status virtgpu_gem_status(struct drm_gem_object *obj)
{
	const struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	bool resident = true;

	switch (virtgpu_gem_region(gem)) {
	case VIRTGPU_GEM_IMPORTED:
		resident = virtgpu_import_is_mapped(gem->import);
		break;
	case VIRTGPU_GEM_HOST3D:
		resident = !virtgpu_gem_host_error(gem);
		break;
	default:
		break;
	}

	return resident ? DRM_GEM_OBJECT_RESIDENT : 0;
}

static void virtgpu_gem_print_info(struct drm_printer *p, unsigned int indent,
				   const struct drm_gem_object *obj)
{
	static const char * const regions[VIRTGPU_GEM_NUM_REGIONS] = {
		[VIRTGPU_GEM_GUEST] = "own",
		[VIRTGPU_GEM_IMPORTED] = "imported",
		[VIRTGPU_GEM_HOST3D] = "host",
	};
	const struct virtgpu_gem *gem = to_virtgpu_gem((struct drm_gem_object *)obj);

	drm_printf_indent(p, indent, "memory=%s\n", regions[virtgpu_gem_region(gem)]);
	drm_printf_indent(p, indent, "blob_refused=%u\n", gem->blob_unsupported);
}

static const struct vm_operations_struct virtgpu_gem_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static const struct drm_gem_object_funcs virtgpu_gem_funcs = {
	.free = virtgpu_gem_free,
	.open = virtgpu_file_open_object,
	.close = virtgpu_file_close_object,
	.print_info = virtgpu_gem_print_info,
	.export = virtgpu_prime_export,
	.get_sg_table = virtgpu_gem_get_sg_table,
	.vmap = virtgpu_gem_vmap,
	.vunmap = virtgpu_gem_vunmap,
	.mmap = virtgpu_gem_mmap,
	.status = virtgpu_gem_status,
	.vm_ops = &virtgpu_gem_vm_ops,
};

static struct virtgpu_gem *virtgpu_gem_alloc(struct virtgpu_device *vgdev, u64 size,
					     struct dma_resv *resv)
{
	struct virtgpu_gem *gem = kzalloc_obj(*gem);

	if (!gem)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&gem->copies_2d);
	gem->base.funcs = &virtgpu_gem_funcs;
	gem->base.resv = resv;
	drm_gem_private_object_init(&vgdev->drm, &gem->base, size);

	return gem;
}

/**
 * virtgpu_gem_create_imported - make the object of a foreign buffer
 * @vgdev: the device
 * @dma_buf: the buffer, whose reservation object it shares
 *
 * Context: may sleep.
 * Return: an object that has no memory yet, or ERR_PTR(-ENOMEM).
 */
struct virtgpu_gem *virtgpu_gem_create_imported(struct virtgpu_device *vgdev,
						struct dma_buf *dma_buf)
{
	return virtgpu_gem_alloc(vgdev, dma_buf->size, dma_buf->resv);
}

/**
 * virtgpu_gem_create_empty - make a buffer that has no memory of the guest's
 * @vgdev: the device
 * @size: in bytes, a multiple of PAGE_SIZE
 *
 * Context: may sleep.
 * Return: the object, -ENOMEM, or -ENOSPC if there are no offsets to map it at.
 */
struct virtgpu_gem *virtgpu_gem_create_empty(struct virtgpu_device *vgdev, u64 size)
{
	struct virtgpu_gem *gem = virtgpu_gem_alloc(vgdev, size, NULL);
	int ret;

	if (IS_ERR(gem))
		return gem;

	ret = drm_gem_create_mmap_offset(&gem->base);
	if (ret) {
		drm_gem_object_put(&gem->base);
		return ERR_PTR(ret);
	}

	return gem;
}

/**
 * virtgpu_gem_create - make a buffer
 * @vgdev: the device
 * @size: in bytes; rounded up to what the device can take
 *
 * Context: may sleep.
 * Return: the object, -EINVAL for no size or too much, -ENOMEM, -ENOSPC.
 */
struct virtgpu_gem *virtgpu_gem_create(struct virtgpu_device *vgdev, u64 size)
{
	struct virtgpu_gem *gem;
	struct virtgpu_backing *pages;

	if (!size || size > LONG_MAX - vgdev->features.blob_align)
		return ERR_PTR(-EINVAL);
	size = ALIGN(size, vgdev->features.blob_align);

	gem = virtgpu_gem_create_empty(vgdev, size);
	if (IS_ERR(gem))
		return gem;

	pages = virtgpu_pages_alloc(&vgdev->backings, size);
	if (IS_ERR(pages)) {
		drm_gem_object_put(&gem->base);
		return ERR_CAST(pages);
	}
	gem->pages = pages;

	return gem;
}

/**
 * virtgpu_gem_dumb_create - DRM_IOCTL_MODE_CREATE_DUMB
 * @file: the caller
 * @dev: the device
 * @args: parameters and results
 *
 * Context: may sleep.
 * Return: 0, -EINVAL for other than 32 bits per pixel, -ENOMEM, -ENOSPC.
 */
int virtgpu_gem_dumb_create(struct drm_file *file, struct drm_device *dev,
			    struct drm_mode_create_dumb *args)
{
	struct virtgpu_gem *gem;
	int ret;

	if (args->bpp != 32)
		return -EINVAL;

	/* What is shown from buffers becomes resources of the host. */
	ret = virtgpu_resources_throttle(&to_virtgpu(dev)->resources);
	if (ret)
		return ret;

	args->pitch = args->width * 4;
	gem = virtgpu_gem_create(to_virtgpu(dev), (u64)args->pitch * args->height);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	gem->dumb.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
	gem->dumb.width = args->width;
	gem->dumb.height = args->height;
	args->size = gem->base.size;
	ret = drm_gem_handle_create(file, &gem->base, &args->handle);
	drm_gem_object_put(&gem->base);

	return ret;
}

/*
 * What the host knows of a buffer
 */

static struct virtgpu_backing *virtgpu_gem_backing(struct virtgpu_gem *gem)
{
	return gem->import ? virtgpu_import_backing(gem->import) : gem->pages;
}

static void virtgpu_gem_drop_blob(struct virtgpu_gem *gem)
{
	virtgpu_gem_destroy_resource(gem, gem->blob);
	gem->blob = NULL;
	gem->uuid_valid = false;
}

static void virtgpu_gem_fall_back_to_2d(struct virtgpu_device *vgdev, struct virtgpu_gem *gem)
{
	drm_info_once(&vgdev->drm,
		      "the host does not show blob resource %u (%zu bytes, %u entries): such buffers are copied from now on\n",
		      gem->blob->id, gem->base.size, gem->blob->entries);
	atomic_inc(&vgdev->counters.fallbacks);

	virtgpu_gem_drop_blob(gem);
	gem->blob_unsupported = true;
}

/**
 * virtgpu_gem_get_blob - the blob of a buffer, made if need be
 * @gem: the buffer, its memory in place (an import is pinned)
 *
 * Context: may sleep, under the reservation lock.
 * Return: the blob, borrowed; -EOPNOTSUPP if the device has no blobs or does not
 * want this one; -ENOMEM.
 */
struct virtgpu_resource *virtgpu_gem_get_blob(struct virtgpu_gem *gem)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res;

	dma_resv_assert_held(gem->base.resv);

	/* What is the host's is no blob of the guest's. */
	if (gem->host3d_res)
		return ERR_PTR(-EOPNOTSUPP);
	if (gem->blob && READ_ONCE(gem->blob->stale))
		virtgpu_gem_drop_blob(gem);
	if (gem->blob && (READ_ONCE(gem->blob->rejected) || READ_ONCE(gem->blob->error)))
		virtgpu_gem_fall_back_to_2d(vgdev, gem);
	/* Some hosts with 3D offer blobs of the guest's, but cannot make them. */
	if (vgdev->features.virgl && gem->dumb.width)
		return ERR_PTR(-EOPNOTSUPP);
	if (!vgdev->features.blob || gem->blob_unsupported ||
	    !IS_ALIGNED(gem->base.size, vgdev->features.blob_align))
		return ERR_PTR(-EOPNOTSUPP);
	if (gem->blob)
		return gem->blob;

	res = virtgpu_resource_create_blob(&vgdev->resources, virtgpu_gem_backing(gem),
					   gem->base.size, gem->import);
	if (!IS_ERR(res))
		gem->blob = res;

	return res;
}

static bool virtgpu_gem_same_layout(const struct virtgpu_2d_layout *a,
				    const struct virtgpu_2d_layout *b)
{
	return a->format == b->format && a->width == b->width &&
	       a->height == b->height && a->offset == b->offset;
}

/**
 * virtgpu_gem_get_2d - a surface of a buffer, made if need be
 * @gem: the buffer, its memory in place (an import is pinned)
 * @key: the layout
 *
 * A surface that the host reported an error for is given up: this call returns
 * the error, the next one tries anew.
 *
 * Context: may sleep, under the reservation lock.
 * Return: the surface, borrowed; -ENOMEM; the host's latched error.
 */
struct virtgpu_resource *virtgpu_gem_get_2d(struct virtgpu_gem *gem,
					    const struct virtgpu_2d_layout *key)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res, *next;
	int error;

	dma_resv_assert_held(gem->base.resv);

	list_for_each_entry_safe(res, next, &gem->copies_2d, gem_link) {
		if (READ_ONCE(res->stale)) {
			virtgpu_gem_drop_2d(gem, res);
			continue;
		}
		if (!virtgpu_gem_same_layout(&res->layout, key))
			continue;
		error = READ_ONCE(res->error);
		if (!error)
			return res;
		virtgpu_gem_drop_2d(gem, res);
		return ERR_PTR(error);
	}

	res = virtgpu_resource_create_2d(&vgdev->resources, virtgpu_gem_backing(gem), key,
					 gem->import);
	if (!IS_ERR(res))
		list_add_tail(&res->gem_link, &gem->copies_2d);

	return res;
}

/**
 * virtgpu_gem_host_error - can what a 3D context has made be used?
 * @gem: any buffer
 *
 * Return: 0; -EIO if it was lost with its context; the host's error if that would
 * not make it.
 */
int virtgpu_gem_host_error(const struct virtgpu_gem *gem)
{
	if (!gem->host3d_res)
		return 0;

	return READ_ONCE(gem->host3d_res->stale) ? -EIO : READ_ONCE(gem->host3d_res->error);
}

/**
 * virtgpu_gem_lookup_resource - what the host knows of a buffer
 * @gem: the buffer
 *
 * Context: under the reservation lock.
 * Return: the resource that commands of contexts name the buffer by, borrowed, or
 * NULL if the host knows none.
 */
struct virtgpu_resource *virtgpu_gem_lookup_resource(struct virtgpu_gem *gem)
{
	struct virtgpu_resource *res;

	dma_resv_assert_held(gem->base.resv);

	if (gem->host3d_res)
		return gem->host3d_res;
	res = gem->blob;
	if (res && !READ_ONCE(res->stale) && !READ_ONCE(res->rejected) && !READ_ONCE(res->error))
		return res;
	list_for_each_entry(res, &gem->copies_2d, gem_link)
		if (!READ_ONCE(res->stale))
			return res;

	return NULL;
}

/* Commands name it by its number, so that has to stay, and the memory with it. */
static int virtgpu_gem_pin_for_ctx(struct virtgpu_gem *gem)
{
	int ret;

	if (gem->pinned_for_ctx)
		return 0;
	ret = virtgpu_import_pin(gem->import);
	gem->pinned_for_ctx = !ret;

	return ret;
}

/**
 * virtgpu_gem_get_resource - the same, made if need be
 * @gem: the buffer
 *
 * With 3D an import whose number was told is pinned until it is freed.
 *
 * Context: may sleep, under the reservation lock.
 * Return: as virtgpu_gem_lookup_resource(); NULL if nothing can be made, as of an import without
 * blobs, or without 3D while it is not in use; -ENOMEM; what virtgpu_import_pin() says.
 */
struct virtgpu_resource *virtgpu_gem_get_resource(struct virtgpu_gem *gem)
{
	bool virgl = to_virtgpu(gem->base.dev)->features.virgl;
	struct virtgpu_resource *res;
	int ret;

	if (gem->import && virgl) {
		ret = virtgpu_gem_pin_for_ctx(gem);
		if (ret)
			return ERR_PTR(ret);
	}
	res = virtgpu_gem_lookup_resource(gem);
	if (res || (gem->import && !virgl))
		return res;

	res = virtgpu_gem_get_blob(gem);
	if (res == ERR_PTR(-EOPNOTSUPP))
		res = gem->dumb.width ? virtgpu_gem_get_2d(gem, &gem->dumb) : NULL;

	return res;
}

/* With a reference: the blob to ask the host about; or the name, if it is known. */
static struct virtgpu_resource *virtgpu_gem_get_blob_or_uuid(struct virtgpu_gem *gem, uuid_t *uuid)
{
	struct virtgpu_resource *res;
	int ret;

	ret = dma_resv_lock_interruptible(gem->base.resv, NULL);
	if (ret)
		return ERR_PTR(ret);

	/* This forgets a name that was given before the device was reset. */
	if (gem->host3d_res)
		res = READ_ONCE(gem->host3d_res->stale) ? ERR_PTR(-EIO) : gem->host3d_res;
	else
		res = gem->import ? ERR_PTR(-EOPNOTSUPP) : virtgpu_gem_get_blob(gem);
	if (gem->uuid_valid) {
		uuid_copy(uuid, &gem->uuid);
		res = NULL;
	}
	if (!IS_ERR_OR_NULL(res))
		virtgpu_resource_get(res);
	dma_resv_unlock(gem->base.resv);

	return res;
}

/**
 * virtgpu_gem_get_uuid - the name by which other virtio devices know a buffer
 * @gem: a buffer of ours
 * @uuid: filled
 *
 * Context: may sleep; waits for the host.
 * Return: 0; -EOPNOTSUPP if the device gives no names; the host's error;
 * -ETIMEDOUT; -ENOMEM; -EINTR.
 */
int virtgpu_gem_get_uuid(struct virtgpu_gem *gem, uuid_t *uuid)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	const struct virtio_gpu_resp_resource_uuid *reply;
	struct virtgpu_resource *res;
	struct virtgpu_msg *msg;
	int ret;

	if (!vgdev->features.uuid)
		return -EOPNOTSUPP;

	res = virtgpu_gem_get_blob_or_uuid(gem, uuid);
	if (IS_ERR_OR_NULL(res))
		return PTR_ERR_OR_ZERO(res);

	msg = virtgpu_msg_alloc_resp(sizeof(*reply));
	if (!msg) {
		ret = -ENOMEM;
		goto put_res;
	}
	virtgpu_cmd_assign_uuid(msg, res->id);
	ret = virtgpu_vq_send_sync(&vgdev->ctrl, msg);
	if (ret)
		goto put_msg;

	reply = msg->resp;
	import_uuid(uuid, reply->uuid);
	dma_resv_lock(gem->base.resv, NULL);
	if (gem->blob == res || gem->host3d_res == res) {
		uuid_copy(&gem->uuid, uuid);
		gem->uuid_valid = true;
	}
	dma_resv_unlock(gem->base.resv);
put_msg:
	virtgpu_msg_put(msg);
put_res:
	virtgpu_resource_put(res);
	return ret;
}
