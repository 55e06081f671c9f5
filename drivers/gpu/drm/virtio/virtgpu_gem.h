/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_GEM_H
#define VIRTGPU_GEM_H

#include <linux/iosys-map.h>
#include <linux/uuid.h>
#include <drm/drm_gem.h>

#include "virtgpu_resource.h"

struct dma_fence;
struct drm_mode_create_dumb;
struct drm_printer;
struct sg_table;
struct virtgpu_backing;
struct virtgpu_device;
struct virtgpu_gem;
struct virtgpu_host_mapping;
struct virtgpu_import;
struct virtgpu_resource;
struct vm_area_struct;

/**
 * enum virtgpu_gem_region - Where the memory of a GEM object is
 * @VIRTGPU_GEM_GUEST: guest pages
 * @VIRTGPU_GEM_IMPORTED: a dma-buf of another device
 * @VIRTGPU_GEM_HOST3D: host memory only
 * @VIRTGPU_GEM_NUM_REGIONS: number of regions
 */
enum virtgpu_gem_region {
	VIRTGPU_GEM_GUEST,
	VIRTGPU_GEM_IMPORTED,
	VIRTGPU_GEM_HOST3D,
	VIRTGPU_GEM_NUM_REGIONS,
};

/**
 * struct virtgpu_gem_ops - Operations of one type of memory
 * @region: where the memory is
 * @free: free the memory; the resources are destroyed by then
 * @backing: get the current backing without a reference, or NULL while the
 *	memory is not mapped for the device
 * @pin: keep the memory in place and mapped for the device
 * @unpin: undo @pin
 * @move_to_ram: make the exporter move the memory to guest RAM if it is the
 *	memory of another device; clears &virtgpu_gem.peer2peer
 * @add_detach_fence: delay moving the memory until the fence of DETACH_BACKING
 *	has signalled; consumes the fence reference.  Only memory that can move
 *	has it.
 * @is_resident: whether the memory is resident, called without a lock; always
 *	if NULL
 * @vmap: map the memory for the kernel
 * @vunmap: undo @vmap; without it the mapping is kept
 * @mmap: map the memory for user space, from the given page of the buffer
 *
 * Any operation may be NULL.  Callers of all but @free, @move_to_ram,
 * @is_resident and @mmap hold the reservation lock.
 */
struct virtgpu_gem_ops {
	enum virtgpu_gem_region region;
	void (*free)(struct virtgpu_gem *gem);
	struct virtgpu_backing *(*backing)(struct virtgpu_gem *gem);
	int (*pin)(struct virtgpu_gem *gem);
	void (*unpin)(struct virtgpu_gem *gem);
	void (*move_to_ram)(struct virtgpu_gem *gem);
	void (*add_detach_fence)(struct virtgpu_gem *gem, struct dma_fence *fence);
	bool (*is_resident)(const struct virtgpu_gem *gem);
	int (*vmap)(struct virtgpu_gem *gem, struct iosys_map *map);
	void (*vunmap)(struct virtgpu_gem *gem, struct iosys_map *map);
	int (*mmap)(struct virtgpu_gem *gem, struct vm_area_struct *vma, unsigned long pgoff);
};

/**
 * struct virtgpu_gem - GEM object
 * @base: the DRM object
 * @ops: operations of the memory
 * @pages: guest pages, or NULL
 * @import: imported dma-buf, or NULL
 * @copy: guest pages that @import is copied to if the host cannot access it,
 *	created on first use
 * @blob: guest blob resource, created on first use
 * @copies_2d: 2D resources, one for each layout, created on first use
 * @host3d_res: resource created by a 3D context, or NULL; excludes @blob and
 *	@copies_2d
 * @map: mapping of @host3d_res in the host-visible region, or NULL if not
 *	mappable
 * @blob_mem: VIRTGPU_BLOB_MEM_* requested by user space, or 0
 * @blob_flags: VIRTIO_GPU_BLOB_FLAG_* of @blob
 * @dumb: layout of a dumb buffer, or zeroes
 * @pinned_for_ctx: pinned until freed, because contexts may use the resource ID
 * @blob_unsupported: the host rejected the blob; use 2D resources
 * @peer2peer: the exporter may keep @import in memory of another device
 * @unreachable: the host rejects the memory of @import
 * @vmap: kernel mapping of @pages, kept from first use on
 * @uuid: UUID for other virtio devices
 * @uuid_valid: @uuid is valid
 *
 * @ops, @pages, @import, @host3d_res, @map, @blob_mem, @blob_flags and @dumb do
 * not change; the reservation lock protects the other members.
 */
struct virtgpu_gem {
	struct drm_gem_object base;
	const struct virtgpu_gem_ops *ops;
	struct virtgpu_backing *pages;
	struct virtgpu_import *import;
	struct virtgpu_gem *copy;
	struct virtgpu_resource *blob;
	struct list_head copies_2d;
	struct virtgpu_resource *host3d_res;
	struct virtgpu_host_mapping *map;
	u32 blob_mem;
	u32 blob_flags;
	struct virtgpu_2d_layout dumb;
	bool pinned_for_ctx;
	bool blob_unsupported;
	bool peer2peer;
	bool unreachable;
	struct iosys_map vmap;
	uuid_t uuid;
	bool uuid_valid;
};

static inline struct virtgpu_gem *to_virtgpu_gem(struct drm_gem_object *obj)
{
	return container_of(obj, struct virtgpu_gem, base);
}

/**
 * virtgpu_gem_region() - Get where the memory of a GEM object is
 * @gem: the GEM object
 *
 * Guest pages count as guest memory even if the host has a copy of its own.
 *
 * Context: Any.
 * Return: the region, which does not change.
 */
static inline enum virtgpu_gem_region virtgpu_gem_region(const struct virtgpu_gem *gem)
{
	return gem->ops->region;
}

struct virtgpu_gem *virtgpu_gem_alloc(struct virtgpu_device *vgdev, u64 size,
				      struct dma_resv *resv,
				      const struct virtgpu_gem_ops *ops);
struct virtgpu_gem *virtgpu_gem_create_nowait(struct virtgpu_device *vgdev, u64 size);
struct virtgpu_gem *virtgpu_gem_create(struct virtgpu_device *vgdev, u64 size);
int virtgpu_gem_dumb_create(struct drm_file *file, struct drm_device *dev,
			    struct drm_mode_create_dumb *args);
int virtgpu_gem_dumb_map_offset(struct drm_file *file, struct drm_device *dev, u32 handle,
				u64 *offset);

int virtgpu_gem_pin(struct virtgpu_gem *gem);
void virtgpu_gem_unpin(struct virtgpu_gem *gem);
bool virtgpu_gem_is_rejected_peer(const struct virtgpu_gem *gem);
void virtgpu_gem_set_unreachable(struct virtgpu_gem *gem);
void virtgpu_gem_move_to_ram(struct virtgpu_gem *gem);
void virtgpu_gem_sync_for_device(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_lookup_resource(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_resource(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_blob(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_2d(struct virtgpu_gem *gem,
					    const struct virtgpu_2d_layout *layout);
struct virtgpu_resource *virtgpu_gem_try_get_2d(struct virtgpu_gem *gem,
						const struct virtgpu_2d_layout *layout);
bool virtgpu_gem_evict_2d(struct virtgpu_device *vgdev, u64 size);
void virtgpu_gem_release_resources(struct virtgpu_gem *gem);
int virtgpu_gem_get_uuid(struct virtgpu_gem *gem, uuid_t *uuid);

/* For struct drm_gem_object_funcs */
void virtgpu_gem_free(struct drm_gem_object *obj);
void virtgpu_gem_print_info(struct drm_printer *p, unsigned int indent,
			    const struct drm_gem_object *obj);
struct sg_table *virtgpu_gem_get_sg_table(struct drm_gem_object *obj);
int virtgpu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map);
void virtgpu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map);
int virtgpu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma);
enum drm_gem_object_status virtgpu_gem_status(struct drm_gem_object *obj);

/**
 * virtgpu_gem_host_error() - Get the error of a 3D context's resource
 * @gem: any GEM object
 *
 * Context: Any.
 * Return: 0 if the resource is usable or was not created by a context, -EIO if
 * it was lost in a reset, or the host's error for its creation.
 */
static inline int virtgpu_gem_host_error(const struct virtgpu_gem *gem)
{
	if (!gem->host3d_res)
		return 0;

	return READ_ONCE(gem->host3d_res->stale) ? -EIO : READ_ONCE(gem->host3d_res->error);
}

#endif
