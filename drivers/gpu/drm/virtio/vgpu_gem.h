/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_GEM_H
#define VGPU_GEM_H

#include <linux/iosys-map.h>
#include <linux/uuid.h>
#include <drm/drm_gem.h>

#include "virtgpu_resource.h"

struct dma_buf;
struct drm_mode_create_dumb;
struct virtgpu_backing;
struct vgpu_device;
struct vgpu_hostmap;
struct vgpu_import;
struct virtgpu_resource;

/**
 * enum vgpu_gem_region - where the memory of a buffer is
 * @VGPU_GEM_GUEST: in pages of the guest
 * @VGPU_GEM_IMPORTED: with another device, whose dma-buf it is
 * @VGPU_GEM_HOST: with the host alone
 * @VGPU_GEM_REGIONS: how many there are
 */
enum vgpu_gem_region {
	VGPU_GEM_GUEST,
	VGPU_GEM_IMPORTED,
	VGPU_GEM_HOST,
	VGPU_GEM_REGIONS,
};

/**
 * struct vgpu_gem - a buffer
 * @base: the GEM object
 * @pages: its memory, if it is ours; what is only the host's has none
 * @import: its memory, if it is another device's
 * @blob: the host's name for that memory, made on first use
 * @surfaces: copies on the host, made on first use
 * @host: what a 3D context has made; it is all that the host knows of this buffer
 * @map: its place in the window, if @host can be mapped there, or NULL
 * @blob_mem: VIRTGPU_BLOB_MEM_* that user space has asked for, or 0
 * @dumb: the layout that a dumb buffer was made for, or zeroes
 * @stays: the import is pinned, as programs know it by its number
 * @blob_refused: the host would not make or show the blob: use a surface
 * @vmap: kernel mapping of @pages, from its first use on
 * @uuid: the name that other virtio devices know it by
 * @uuid_known: @uuid is valid
 *
 * All but @pages, @import, @host, @map, @blob_mem and @dumb, which do not change, is
 * protected by the reservation lock.
 */
struct vgpu_gem {
	struct drm_gem_object base;
	struct virtgpu_backing *pages;
	struct vgpu_import *import;
	struct virtgpu_resource *blob;
	struct list_head surfaces;
	struct virtgpu_resource *host;
	struct vgpu_hostmap *map;
	u32 blob_mem;
	struct virtgpu_2d_layout dumb;
	bool stays;
	bool blob_refused;
	struct iosys_map vmap;
	uuid_t uuid;
	bool uuid_known;
};

static inline struct vgpu_gem *to_vgpu_gem(struct drm_gem_object *obj)
{
	return container_of(obj, struct vgpu_gem, base);
}

struct vgpu_gem *vgpu_gem_create(struct vgpu_device *vgpu, u64 size);
struct vgpu_gem *vgpu_gem_create_empty(struct vgpu_device *vgpu, u64 size);
struct vgpu_gem *vgpu_gem_create_imported(struct vgpu_device *vgpu,
					  struct dma_buf *dma_buf);
int vgpu_gem_dumb_create(struct drm_file *file, struct drm_device *dev,
			 struct drm_mode_create_dumb *args);

enum vgpu_gem_region vgpu_gem_region(const struct vgpu_gem *gem);
int vgpu_gem_host_error(const struct vgpu_gem *gem);
struct virtgpu_resource *vgpu_gem_known(struct vgpu_gem *gem);
struct virtgpu_resource *vgpu_gem_number(struct vgpu_gem *gem);
struct virtgpu_resource *vgpu_gem_blob(struct vgpu_gem *gem);
struct virtgpu_resource *vgpu_gem_surface(struct vgpu_gem *gem,
					  const struct virtgpu_2d_layout *key);
void vgpu_gem_let_go(struct vgpu_gem *gem);
int vgpu_gem_uuid(struct vgpu_gem *gem, uuid_t *uuid);

#endif
