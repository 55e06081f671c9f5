/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_GEM_H
#define VIRTGPU_GEM_H

#include <linux/iosys-map.h>
#include <linux/uuid.h>
#include <drm/drm_gem.h>

#include "virtgpu_resource.h"

struct dma_buf;
struct drm_mode_create_dumb;
struct virtgpu_backing;
struct virtgpu_device;
struct virtgpu_host_mapping;
struct virtgpu_import;
struct virtgpu_resource;

/**
 * enum virtgpu_gem_region - where the memory of a buffer is
 * @VIRTGPU_GEM_GUEST: in pages of the guest
 * @VIRTGPU_GEM_IMPORTED: with another device, whose dma-buf it is
 * @VIRTGPU_GEM_HOST3D: with the host alone
 * @VIRTGPU_GEM_NUM_REGIONS: how many there are
 */
enum virtgpu_gem_region {
	VIRTGPU_GEM_GUEST,
	VIRTGPU_GEM_IMPORTED,
	VIRTGPU_GEM_HOST3D,
	VIRTGPU_GEM_NUM_REGIONS,
};

/**
 * struct virtgpu_gem - a buffer
 * @base: the GEM object
 * @pages: its memory, if it is ours; what is only the host's has none
 * @import: its memory, if it is another device's
 * @blob: the host's name for that memory, made on first use
 * @copies_2d: copies on the host, made on first use
 * @host3d_res: what a 3D context has made; it is all that the host knows of this buffer
 * @map: its place in the window, if @host3d_res can be mapped there, or NULL
 * @blob_mem: VIRTGPU_BLOB_MEM_* that user space has asked for, or 0
 * @dumb: the layout that a dumb buffer was made for, or zeroes
 * @pinned_for_ctx: the import is pinned, as programs know it by its number
 * @blob_unsupported: the host would not make or show the blob: use a surface
 * @vmap: kernel mapping of @pages, from its first use on
 * @uuid: the name that other virtio devices know it by
 * @uuid_valid: @uuid is valid
 *
 * All but @pages, @import, @host3d_res, @map, @blob_mem and @dumb, which do not change, is
 * protected by the reservation lock.
 */
struct virtgpu_gem {
	struct drm_gem_object base;
	struct virtgpu_backing *pages;
	struct virtgpu_import *import;
	struct virtgpu_resource *blob;
	struct list_head copies_2d;
	struct virtgpu_resource *host3d_res;
	struct virtgpu_host_mapping *map;
	u32 blob_mem;
	struct virtgpu_2d_layout dumb;
	bool pinned_for_ctx;
	bool blob_unsupported;
	struct iosys_map vmap;
	uuid_t uuid;
	bool uuid_valid;
};

static inline struct virtgpu_gem *to_virtgpu_gem(struct drm_gem_object *obj)
{
	return container_of(obj, struct virtgpu_gem, base);
}

struct virtgpu_gem *virtgpu_gem_create(struct virtgpu_device *vgdev, u64 size);
struct virtgpu_gem *virtgpu_gem_create_empty(struct virtgpu_device *vgdev, u64 size);
struct virtgpu_gem *virtgpu_gem_create_imported(struct virtgpu_device *vgdev,
						struct dma_buf *dma_buf);
int virtgpu_gem_dumb_create(struct drm_file *file, struct drm_device *dev,
			    struct drm_mode_create_dumb *args);

enum virtgpu_gem_region virtgpu_gem_region(const struct virtgpu_gem *gem);
int virtgpu_gem_host_error(const struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_lookup_resource(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_resource(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_blob(struct virtgpu_gem *gem);
struct virtgpu_resource *virtgpu_gem_get_2d(struct virtgpu_gem *gem,
					    const struct virtgpu_2d_layout *key);
void virtgpu_gem_release_resources(struct virtgpu_gem *gem);
int virtgpu_gem_get_uuid(struct virtgpu_gem *gem, uuid_t *uuid);

#endif
