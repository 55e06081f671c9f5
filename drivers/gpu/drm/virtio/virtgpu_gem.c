// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <drm/drm_drv.h>
#include <drm/drm_mode.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_msg.h"

/**
 * DOC: buffers
 *
 * A GEM object is memory; resources are created from it on first use.  A buffer
 * can have a guest blob, which hosts can show in place, and one 2D resource for
 * each layout in which it is shown, which hosts copy.  The primary plane shows
 * the blob if there is one; the cursor plane always shows a 2D resource.  If
 * the host rejects the blob, 2D resources replace it for the rest of the
 * buffer's life.  Imported memory of another device is first moved to guest
 * RAM; if the exporter cannot do so, the CPU copies it.  If the host has no
 * memory for a 2D resource, those that are not shown are evicted, oldest first;
 * the next use creates them again.
 *
 * A buffer that a 3D context creates has its resource from the start, and only
 * that one, because the context's commands use its resource ID.
 *
 * What differs between guest pages, imported dma-bufs and host memory is in a
 * table of operations for each, &struct virtgpu_gem_ops.
 */

/*
 * 2D resources of a buffer; for another one, the oldest that is not in use is
 * destroyed.  Several buffers of a swap chain may be in one GEM object.
 */
#define MAX_COPIES_2D 4

static void virtgpu_gem_destroy_resource(struct virtgpu_gem *gem, struct virtgpu_resource *res)
{
	if (gem->ops->add_detach_fence)
		gem->ops->add_detach_fence(gem, virtgpu_resource_detach_backing(res));
	else
		virtgpu_resource_destroy(res);
}

static void virtgpu_gem_drop_2d(struct virtgpu_gem *gem, struct virtgpu_resource *res)
{
	list_del_init(&res->gem_link);
	virtgpu_gem_destroy_resource(gem, res);
}

/**
 * virtgpu_gem_release_resources() - Destroy all resources of a GEM object
 * @gem: a GEM object that is freed or moves
 *
 * Queues the commands; the caller must kick.
 *
 * Context: Caller must hold the reservation lock.  May sleep if the memory can
 * move.
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

/**
 * virtgpu_gem_pin() - Keep the memory of a GEM object in place and mapped
 * @gem: the GEM object
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 * Return: 0 on success, -ENODEV if the device was removed, or the exporter's
 * error.
 */
int virtgpu_gem_pin(struct virtgpu_gem *gem)
{
	return gem->ops->pin ? gem->ops->pin(gem) : 0;
}

/**
 * virtgpu_gem_unpin() - Undo virtgpu_gem_pin()
 * @gem: the GEM object
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 */
void virtgpu_gem_unpin(struct virtgpu_gem *gem)
{
	if (gem->ops->unpin)
		gem->ops->unpin(gem);
}

/**
 * virtgpu_gem_is_rejected_peer() - Check whether the memory must be moved
 * @gem: any GEM object
 *
 * Context: Caller must hold the reservation lock.
 * Return: true if the host has rejected the blob of memory that may be that of
 * another device.
 */
bool virtgpu_gem_is_rejected_peer(const struct virtgpu_gem *gem)
{
	const struct virtgpu_resource *blob = gem->blob;

	dma_resv_assert_held(gem->base.resv);

	return gem->peer2peer &&
	       (gem->blob_unsupported ||
		(blob && (READ_ONCE(blob->rejected) || READ_ONCE(blob->error))));
}

/**
 * virtgpu_gem_set_unreachable() - Remember that the host rejects the memory
 * @gem: an imported GEM object, in any memory that its exporter can offer
 *
 * Context: Caller must hold the reservation lock.
 */
void virtgpu_gem_set_unreachable(struct virtgpu_gem *gem)
{
	dma_resv_assert_held(gem->base.resv);

	gem->unreachable = true;
	/* The host would also reject the memory of other devices. */
	WRITE_ONCE(to_virtgpu(gem->base.dev)->peer2peer_rejected, true);
}

/**
 * virtgpu_gem_move_to_ram() - Move memory of another device to guest RAM
 * @gem: an imported GEM object that the host has rejected
 *
 * Does nothing if the memory is in guest RAM, or if the exporter cannot move
 * it.
 *
 * Context: May sleep; the exporter may wait for fences.  Caller must not hold
 * the reservation lock.
 */
void virtgpu_gem_move_to_ram(struct virtgpu_gem *gem)
{
	if (gem->ops->move_to_ram)
		gem->ops->move_to_ram(gem);
}

/**
 * virtgpu_gem_sync_for_device() - Make CPU writes visible to the device
 * @gem: any GEM object
 *
 * Removal waits for the end of this call before it undoes the DMA mapping.
 *
 * Context: Process context, or a commit.
 */
void virtgpu_gem_sync_for_device(struct virtgpu_gem *gem)
{
	int idx;

	if (!gem->pages || !READ_ONCE(gem->pages->needs_sync) ||
	    !drm_dev_enter(gem->base.dev, &idx))
		return;
	virtgpu_pages_sync_for_device(gem->pages);
	drm_dev_exit(idx);
}

/*
 * GEM object functions
 */

/**
 * virtgpu_gem_free() - &drm_gem_object_funcs.free
 * @obj: the object
 *
 * Context: May sleep.  Takes the reservation lock of @obj; the caller must hold
 * no reservation lock.
 */
void virtgpu_gem_free(struct drm_gem_object *obj)
{
	struct virtgpu_device *vgdev = to_virtgpu(obj->dev);
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	dma_resv_lock(obj->resv, NULL);
	virtgpu_gem_release_resources(gem);
	if (gem->pinned_for_ctx)
		virtgpu_gem_unpin(gem);
	dma_resv_unlock(obj->resv);
	virtgpu_vq_kick(&vgdev->ctrl);

	if (gem->ops->free)
		gem->ops->free(gem);
	drm_gem_object_release(obj);
	kfree(gem);
}

/**
 * virtgpu_gem_get_sg_table() - &drm_gem_object_funcs.get_sg_table
 * @obj: the object
 *
 * Return: a table to be mapped and freed by the caller, -ENOMEM, or -EOPNOTSUPP
 * if the buffer has no guest pages.
 */
struct sg_table *virtgpu_gem_get_sg_table(struct drm_gem_object *obj)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	return gem->pages ? virtgpu_pages_sg_table(gem->pages) : ERR_PTR(-EOPNOTSUPP);
}

/**
 * virtgpu_gem_vmap() - &drm_gem_object_funcs.vmap
 * @obj: the object
 * @map: filled in
 *
 * Return: 0 on success, -ENOMEM, -EOPNOTSUPP for host memory, or the exporter's
 * error.
 */
int virtgpu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	dma_resv_assert_held(obj->resv);

	return gem->ops->vmap ? gem->ops->vmap(gem, map) : -EOPNOTSUPP;
}

/**
 * virtgpu_gem_vunmap() - &drm_gem_object_funcs.vunmap
 * @obj: the object
 * @map: from virtgpu_gem_vmap()
 */
void virtgpu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	dma_resv_assert_held(obj->resv);

	if (gem->ops->vunmap)
		gem->ops->vunmap(gem, map);
}

/**
 * virtgpu_gem_mmap() - &drm_gem_object_funcs.mmap
 * @obj: the object
 * @vma: the range to map
 *
 * Return: 0 on success, -EINVAL for a private writable mapping, a range outside
 * the buffer, or memory that cannot be mapped, or the error of
 * &virtgpu_gem_ops.mmap.
 */
int virtgpu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	unsigned long pgoff = vma->vm_pgoff - drm_vma_node_start(&obj->vma_node);
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	if (!gem->ops->mmap)
		return -EINVAL;
	/* The host would never see what is written to a private mapping. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;

	return gem->ops->mmap(gem, vma, pgoff);
}

/**
 * virtgpu_gem_status() - &drm_gem_object_funcs.status
 * @obj: the object
 *
 * Context: Any.
 * Return: DRM_GEM_OBJECT_RESIDENT or 0.
 */
enum drm_gem_object_status virtgpu_gem_status(struct drm_gem_object *obj)
{
	const struct virtgpu_gem *gem = to_virtgpu_gem(obj);

	if (gem->ops->is_resident && !gem->ops->is_resident(gem))
		return 0;

	return DRM_GEM_OBJECT_RESIDENT;
}

/**
 * virtgpu_gem_print_info() - &drm_gem_object_funcs.print_info
 * @p: printer
 * @indent: indentation in tabs
 * @obj: the object
 */
void virtgpu_gem_print_info(struct drm_printer *p, unsigned int indent,
			    const struct drm_gem_object *obj)
{
	static const char * const regions[VIRTGPU_GEM_NUM_REGIONS] = {
		[VIRTGPU_GEM_GUEST] = "guest",
		[VIRTGPU_GEM_IMPORTED] = "imported",
		[VIRTGPU_GEM_HOST3D] = "host3d",
	};
	const struct virtgpu_gem *gem = to_virtgpu_gem((struct drm_gem_object *)obj);

	drm_printf_indent(p, indent, "memory=%s\n", regions[virtgpu_gem_region(gem)]);
	drm_printf_indent(p, indent, "blob_unsupported=%u\n", gem->blob_unsupported);
}

/*
 * Guest pages
 */

static void virtgpu_gem_guest_free(struct virtgpu_gem *gem)
{
	if (iosys_map_is_set(&gem->vmap))
		vunmap(gem->vmap.vaddr);
	if (gem->pages)
		virtgpu_backing_put_sync(gem->pages);
}

static struct virtgpu_backing *virtgpu_gem_guest_backing(struct virtgpu_gem *gem)
{
	return gem->pages;
}

/* The mapping is kept: fbdev emulation maps the buffer on every update. */
static int virtgpu_gem_guest_vmap(struct virtgpu_gem *gem, struct iosys_map *map)
{
	int ret;

	if (iosys_map_is_null(&gem->vmap)) {
		ret = virtgpu_pages_vmap(gem->pages, &gem->vmap);
		if (ret)
			return ret;
	}
	*map = gem->vmap;

	return 0;
}

static const struct vm_operations_struct virtgpu_gem_guest_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int virtgpu_gem_guest_mmap(struct virtgpu_gem *gem, struct vm_area_struct *vma,
				  unsigned long pgoff)
{
	vma->vm_ops = &virtgpu_gem_guest_vm_ops;

	return virtgpu_pages_mmap(gem->pages, vma, pgoff);
}

static const struct virtgpu_gem_ops virtgpu_gem_guest_ops = {
	.region = VIRTGPU_GEM_GUEST,
	.free = virtgpu_gem_guest_free,
	.backing = virtgpu_gem_guest_backing,
	.vmap = virtgpu_gem_guest_vmap,
	.mmap = virtgpu_gem_guest_mmap,
};

/**
 * virtgpu_gem_alloc() - Allocate a GEM object without memory
 * @vgdev: the device
 * @size: in bytes, a multiple of PAGE_SIZE
 * @resv: reservation object of an imported dma-buf, or NULL
 * @ops: operations of the memory
 *
 * Native objects get an offset for mmap(); imported ones get it when user space
 * asks for it.
 *
 * Context: May sleep.
 * Return: the object, -ENOMEM, or -ENOSPC if no offset is left.
 */
struct virtgpu_gem *virtgpu_gem_alloc(struct virtgpu_device *vgdev, u64 size,
				      struct dma_resv *resv,
				      const struct virtgpu_gem_ops *ops)
{
	struct virtgpu_gem *gem = kzalloc_obj(*gem);
	int ret;

	if (!gem)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&gem->copies_2d);
	gem->ops = ops;
	gem->blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE;
	gem->base.funcs = vgdev->gem_funcs;
	gem->base.resv = resv;
	drm_gem_private_object_init(&vgdev->drm, &gem->base, size);
	if (resv)
		return gem;

	ret = drm_gem_create_mmap_offset(&gem->base);
	if (ret) {
		drm_gem_object_put(&gem->base);
		return ERR_PTR(ret);
	}

	return gem;
}

/**
 * virtgpu_gem_create_nowait() - Create a GEM object with guest pages
 * @vgdev: the device
 * @size: in bytes; rounded up to the device's blob alignment
 *
 * Context: May sleep; does not wait for the device.
 * Return: the object, -EINVAL if @size is 0 or too large, -ENOMEM, or -ENOSPC
 * if no mmap offset is left.
 */
struct virtgpu_gem *virtgpu_gem_create_nowait(struct virtgpu_device *vgdev, u64 size)
{
	struct virtgpu_gem *gem;
	struct virtgpu_backing *pages;

	if (!size || size > LONG_MAX - vgdev->features.blob_align)
		return ERR_PTR(-EINVAL);
	size = ALIGN(size, vgdev->features.blob_align);

	gem = virtgpu_gem_alloc(vgdev, size, NULL, &virtgpu_gem_guest_ops);
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
 * virtgpu_gem_create() - Create a GEM object with guest pages
 * @vgdev: the device
 * @size: in bytes; rounded up to the device's blob alignment
 *
 * The memory of a destroyed buffer is free only when the host has responded to
 * RESOURCE_UNREF.  A program that creates and destroys buffers at the limit of
 * its control group needs that memory, so wait for it once.
 *
 * Context: May sleep; may wait for the device for up to a second.  Caller must
 * not hold a lock that a response needs.
 * Return: see virtgpu_gem_create_nowait().
 */
struct virtgpu_gem *virtgpu_gem_create(struct virtgpu_device *vgdev, u64 size)
{
	struct virtgpu_gem *gem = virtgpu_gem_create_nowait(vgdev, size);

	if (gem != ERR_PTR(-ENOMEM) || fatal_signal_pending(current))
		return gem;

	virtgpu_resources_wait_destroyed(&vgdev->resources);
	virtgpu_backing_mgr_flush(&vgdev->backings);

	return virtgpu_gem_create_nowait(vgdev, size);
}

/**
 * virtgpu_gem_dumb_create() - &drm_driver.dumb_create
 * @file: the file that gets the handle
 * @dev: the DRM device
 * @args: parameters and results
 *
 * Context: May sleep; waits while too many resource creations are pending.
 * Return: 0 on success, -EINVAL for other than 32 bits per pixel or a bad size,
 * -ENOMEM, -ENOSPC, or the error of virtgpu_vq_throttle().
 */
int virtgpu_gem_dumb_create(struct drm_file *file, struct drm_device *dev,
			    struct drm_mode_create_dumb *args)
{
	struct virtgpu_gem *gem;
	int ret;

	if (args->bpp != 32)
		return -EINVAL;

	/* Showing the buffer creates resources. */
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

/**
 * virtgpu_gem_dumb_map_offset() - &drm_driver.dumb_map_offset
 * @file: the file that has the handle
 * @dev: the DRM device
 * @handle: the handle
 * @offset: set to the offset for mmap()
 *
 * drm_gem_dumb_map_offset() rejects imports, but clients map buffers of either
 * kind, and the exporter can map an import.
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOENT for an invalid handle, -ENOMEM, or -ENOSPC if
 * no offset is left.
 */
int virtgpu_gem_dumb_map_offset(struct drm_file *file, struct drm_device *dev, u32 handle,
				u64 *offset)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);
	int ret;

	if (!obj)
		return -ENOENT;

	ret = drm_gem_create_mmap_offset(obj);
	if (!ret)
		*offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);

	return ret;
}

/*
 * Resources
 */

static struct virtgpu_backing *virtgpu_gem_backing(struct virtgpu_gem *gem)
{
	return gem->ops->backing ? gem->ops->backing(gem) : NULL;
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
		      "blob resource %u (%zu bytes, %u entries) rejected by the host; falling back to 2D resources\n",
		      gem->blob->id, gem->base.size, gem->blob->entries);
	atomic_inc(&vgdev->counters.blob_fallbacks);

	virtgpu_gem_drop_blob(gem);
	gem->blob_unsupported = true;
}

/**
 * virtgpu_gem_get_blob() - Get or create the guest blob of a GEM object
 * @gem: the GEM object, pinned
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 * Return: the blob without a reference; -EOPNOTSUPP if the device has no blobs
 * or rejected this one, or for host memory; -ENOMEM.
 */
struct virtgpu_resource *virtgpu_gem_get_blob(struct virtgpu_gem *gem)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res;

	dma_resv_assert_held(gem->base.resv);

	if (gem->host3d_res)
		return ERR_PTR(-EOPNOTSUPP);
	if (gem->blob && READ_ONCE(gem->blob->stale))
		virtgpu_gem_drop_blob(gem);
	if (gem->blob && (READ_ONCE(gem->blob->rejected) || READ_ONCE(gem->blob->error)))
		virtgpu_gem_fall_back_to_2d(vgdev, gem);
	/*
	 * Some hosts with 3D offer guest blobs but cannot show them, so dumb
	 * buffers have 2D resources there.
	 */
	if (vgdev->features.virgl && gem->dumb.width)
		return ERR_PTR(-EOPNOTSUPP);
	if (!vgdev->features.blob || gem->blob_unsupported ||
	    !IS_ALIGNED(gem->base.size, vgdev->features.blob_align))
		return ERR_PTR(-EOPNOTSUPP);
	if (gem->blob)
		return gem->blob;

	res = virtgpu_resource_create_blob(&vgdev->resources, virtgpu_gem_backing(gem),
					   gem->base.size, gem->blob_flags,
					   gem->ops->add_detach_fence);
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

/* Destroy the oldest idle 2D resource of a GEM object if there are many. */
static void virtgpu_gem_bound_2d(struct virtgpu_gem *gem)
{
	struct virtgpu_resource *res;

	if (list_count_nodes(&gem->copies_2d) < MAX_COPIES_2D)
		return;
	list_for_each_entry(res, &gem->copies_2d, gem_link) {
		if (!virtgpu_resource_is_evictable(res))
			continue;
		virtgpu_gem_drop_2d(gem, res);
		return;
	}
}

/*
 * Return: the GEM object of the oldest idle 2D resource, locked and referenced,
 * or NULL.
 */
static struct virtgpu_gem *virtgpu_gem_lock_idle_2d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_resource **idle)
{
	struct virtgpu_gem *gem, *found = NULL;
	struct virtgpu_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(res, &mgr->list, link) {
		gem = res->gem;
		/* The owner takes @mgr->lock before @gem is freed. */
		if (!gem || !dma_resv_trylock(gem->base.resv))
			continue;
		if (virtgpu_resource_is_evictable(res) &&
		    kref_get_unless_zero(&gem->base.refcount)) {
			found = gem;
			*idle = res;
			break;
		}
		dma_resv_unlock(gem->base.resv);
	}
	spin_unlock_irqrestore(&mgr->lock, flags);

	return found;
}

/**
 * virtgpu_gem_evict_2d() - Make room for a 2D resource on the host
 * @vgdev: the device
 * @size: of the resource, in bytes
 *
 * Destroys 2D resources that are not in use, oldest first.  Queues the
 * commands, ahead of those that create the resource; the caller must kick.
 *
 * Context: May sleep.  Caller must not hold reservation locks.
 * Return: true if there was a resource to destroy.
 */
bool virtgpu_gem_evict_2d(struct virtgpu_device *vgdev, u64 size)
{
	struct virtgpu_resource_mgr *mgr = &vgdev->resources;
	struct virtgpu_resource *res;
	struct virtgpu_gem *gem;
	bool evicted = false;

	while (!virtgpu_resources_have_room(mgr, size) &&
	       (gem = virtgpu_gem_lock_idle_2d(mgr, &res))) {
		virtgpu_gem_drop_2d(gem, res);
		dma_resv_unlock(gem->base.resv);
		drm_gem_object_put(&gem->base);
		evicted = true;
	}
	virtgpu_resources_make_room(mgr, size);

	return evicted;
}

/* Return: the resource, its sticky error, or NULL if there is none. */
static struct virtgpu_resource *virtgpu_gem_find_2d(struct virtgpu_gem *gem,
						    const struct virtgpu_2d_layout *layout)
{
	struct virtgpu_resource *res, *next;
	int error;

	dma_resv_assert_held(gem->base.resv);

	list_for_each_entry_safe(res, next, &gem->copies_2d, gem_link) {
		if (READ_ONCE(res->stale)) {
			virtgpu_gem_drop_2d(gem, res);
			continue;
		}
		if (!virtgpu_gem_same_layout(&res->layout, layout))
			continue;
		error = READ_ONCE(res->error);
		if (!error)
			return res;
		virtgpu_gem_drop_2d(gem, res);
		return ERR_PTR(error);
	}

	return NULL;
}

static struct virtgpu_resource *virtgpu_gem_create_2d(struct virtgpu_gem *gem,
						      const struct virtgpu_2d_layout *layout)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res;

	virtgpu_gem_bound_2d(gem);
	res = virtgpu_resource_create_2d(&vgdev->resources, virtgpu_gem_backing(gem), layout,
					 gem->ops->add_detach_fence);
	if (IS_ERR(res))
		return res;
	list_add_tail(&res->gem_link, &gem->copies_2d);
	virtgpu_resource_set_evictable(res, gem);

	return res;
}

/**
 * virtgpu_gem_get_2d() - Get or create a 2D resource of a GEM object
 * @gem: the GEM object, pinned
 * @layout: the layout
 *
 * A resource with a sticky error is destroyed: this call returns the error, the
 * next one creates a new resource.
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 * Return: the resource without a reference, -ENOMEM, or the sticky error.
 */
struct virtgpu_resource *virtgpu_gem_get_2d(struct virtgpu_gem *gem,
					    const struct virtgpu_2d_layout *layout)
{
	struct virtgpu_resource *res = virtgpu_gem_find_2d(gem, layout);

	return res ?: virtgpu_gem_create_2d(gem, layout);
}

/**
 * virtgpu_gem_try_get_2d() - Get or create a 2D resource if the host has memory
 * @gem: the GEM object, pinned
 * @layout: the layout
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 * Return: -EAGAIN if the caller should call virtgpu_gem_evict_2d() first,
 * otherwise see virtgpu_gem_get_2d().
 */
struct virtgpu_resource *virtgpu_gem_try_get_2d(struct virtgpu_gem *gem,
						const struct virtgpu_2d_layout *layout)
{
	struct virtgpu_resource *res = virtgpu_gem_find_2d(gem, layout);

	if (res)
		return res;
	if (!virtgpu_resources_have_room(&to_virtgpu(gem->base.dev)->resources,
					 virtgpu_2d_layout_size(layout)))
		return ERR_PTR(-EAGAIN);

	return virtgpu_gem_create_2d(gem, layout);
}

/**
 * virtgpu_gem_lookup_resource() - Look up the resource that contexts use
 * @gem: the GEM object
 *
 * Context: Caller must hold the reservation lock.
 * Return: the resource without a reference, or NULL if there is none.
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

/*
 * Command buffers contain the resource ID, so the resource must stay, and its
 * memory.
 */
static int virtgpu_gem_pin_for_ctx(struct virtgpu_gem *gem)
{
	int ret;

	if (gem->pinned_for_ctx)
		return 0;
	ret = virtgpu_gem_pin(gem);
	gem->pinned_for_ctx = !ret;

	return ret;
}

/**
 * virtgpu_gem_get_resource() - Get or create the resource of a GEM object
 * @gem: the GEM object
 *
 * With 3D, imported memory is pinned from here until the object is freed.
 *
 * Context: May sleep.  Caller must hold the reservation lock.
 * Return: the resource without a reference; NULL if none can be created,
 * because the device has no blobs or the memory is neither the guest's nor
 * pinned; -ENOMEM; or the error of virtgpu_gem_pin().
 */
struct virtgpu_resource *virtgpu_gem_get_resource(struct virtgpu_gem *gem)
{
	bool virgl = to_virtgpu(gem->base.dev)->features.virgl;
	struct virtgpu_resource *res;
	int ret;

	if (virgl) {
		ret = virtgpu_gem_pin_for_ctx(gem);
		if (ret)
			return ERR_PTR(ret);
	}
	res = virtgpu_gem_lookup_resource(gem);
	/* The resource of an unpinned import ends with its next move. */
	if (!res && virtgpu_gem_backing(gem) && (!gem->import || virgl)) {
		res = virtgpu_gem_get_blob(gem);
		if (res == ERR_PTR(-EOPNOTSUPP))
			res = gem->dumb.width ? virtgpu_gem_get_2d(gem, &gem->dumb) : NULL;
	}
	/* User space gets the resource ID, so the resource must stay. */
	if (!IS_ERR_OR_NULL(res))
		virtgpu_resource_set_evictable(res, NULL);

	return res;
}

/*
 * Return: the resource to assign a UUID to, referenced; NULL if @uuid was
 * filled in.
 */
static struct virtgpu_resource *virtgpu_gem_get_blob_or_uuid(struct virtgpu_gem *gem, uuid_t *uuid)
{
	struct virtgpu_resource *res;
	int ret;

	ret = dma_resv_lock_interruptible(gem->base.resv, NULL);
	if (ret)
		return ERR_PTR(ret);

	/*
	 * A UUID from before a reset must not be returned.
	 * virtgpu_gem_get_blob() drops it with the stale blob.
	 */
	if (gem->host3d_res)
		res = READ_ONCE(gem->host3d_res->stale) ? ERR_PTR(-EIO) : gem->host3d_res;
	else
		res = virtgpu_gem_get_blob(gem);
	if (!IS_ERR(res) && gem->uuid_valid) {
		uuid_copy(uuid, &gem->uuid);
		res = NULL;
	}
	if (!IS_ERR_OR_NULL(res))
		virtgpu_resource_get(res);
	dma_resv_unlock(gem->base.resv);

	return res;
}

/**
 * virtgpu_gem_get_uuid() - Get the UUID of a buffer for other virtio devices
 * @gem: a native GEM object
 * @uuid: filled in
 *
 * Sends RESOURCE_ASSIGN_UUID (virtio 1.3, section 5.7.6.8) on first use.
 *
 * Context: May sleep; waits for the device.
 * Return: 0 on success, -EOPNOTSUPP if the device assigns no UUIDs, -EIO after
 * a reset, -ETIMEDOUT, -ENOMEM, -EINTR, or the host's error.
 */
int virtgpu_gem_get_uuid(struct virtgpu_gem *gem, uuid_t *uuid)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	const struct virtio_gpu_resp_resource_uuid *resp;
	struct virtgpu_resource *res;
	struct virtgpu_msg *msg;
	int ret;

	if (!vgdev->features.uuid)
		return -EOPNOTSUPP;

	res = virtgpu_gem_get_blob_or_uuid(gem, uuid);
	if (IS_ERR_OR_NULL(res))
		return PTR_ERR_OR_ZERO(res);

	msg = virtgpu_msg_alloc_resp(sizeof(*resp));
	if (!msg) {
		ret = -ENOMEM;
		goto put_res;
	}
	virtgpu_cmd_assign_uuid(msg, res->id);
	ret = virtgpu_vq_send_sync(&vgdev->ctrl, msg);
	if (ret)
		goto put_msg;

	resp = msg->resp;
	import_uuid(uuid, resp->uuid);
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
