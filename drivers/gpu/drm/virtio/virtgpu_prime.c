// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>

#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_import_cache.h"
#include "virtgpu_prime.h"

/**
 * DOC: import
 *
 * A dma-buf of another device is attached dynamically, with peer-to-peer
 * allowed, and mapped on first use.  The mapping and the resources created from
 * it stay until the exporter invalidates the mapping (invalidate_mappings), so
 * a buffer that does not move is described to the host once.
 *
 * Many hosts cannot access the memory of another PCI device, and reject the
 * blob.  The driver then attaches the buffer a second time, without
 * peer-to-peer, and pins it by that attachment, so the exporter moves the
 * buffer to guest RAM.  Buffers that are imported later are attached that way
 * from the start.
 *
 * The buffer is pinned from prepare_fb to cleanup_fb, so the exporter can move
 * it while it is not shown.  A buffer that virtgpu_frames_keep() keeps for the
 * host stays pinned longer.  With 3D, a buffer is pinned when user space gets
 * its resource ID, and until it is freed, because command buffers may contain
 * the ID.
 *
 * On invalidation, the driver queues DETACH_BACKING, adds the fence of that
 * command to the exporter's reservation object, and returns.  If no slot for
 * the fence can be reserved, it waits for memory or for the fence first.  The
 * old mapping is undone when the host has responded.
 */

/* Interval between attempts to reserve a fence slot in a reservation object. */
#define RESERVE_RETRY (HZ / 50)

/**
 * struct virtgpu_import - Importer's side of a dma-buf
 * @ref: references of the GEM object and of each mapping
 * @dma_buf: the dma-buf
 * @gem: the GEM object, or NULL once it is freed
 * @attach: the attachment in use
 * @spare: the other attachment, without or with peer-to-peer, or NULL
 * @map: the current mapping, or NULL; may be tested for NULL without the lock
 * @pins: pin count
 * @pinned: the exporter has pinned the buffer by @attach
 * @backings: for mappings
 * @ctrl: control queue, to kick on invalidation
 * @waits: number of invalidations that had to wait because no fence slot could
 *	be reserved
 * @cache: the import cache
 * @cached: place in @cache, protected by the lock of @cache
 *
 * The buffer's reservation lock protects all members from @gem to @pinned but
 * @dma_buf.
 */
struct virtgpu_import {
	refcount_t ref;
	struct dma_buf *dma_buf;
	struct virtgpu_gem *gem;
	struct dma_buf_attachment *attach;
	struct dma_buf_attachment *spare;
	struct virtgpu_backing *map;
	unsigned int pins;
	bool pinned;
	struct virtgpu_backing_mgr *backings;
	struct virtgpu_vq *ctrl;
	atomic_t *waits;
	struct virtgpu_import_cache *cache;
	struct virtgpu_cached_import cached;
};

/**
 * struct virtgpu_import_mapping - A mapping of an imported dma-buf
 * @base: the backing of resources, which reference it until the host has
 *	detached it
 * @import: the import, with a reference
 * @attach: the attachment that is mapped
 *
 * After an invalidation the old mapping exists next to the new one until the
 * host has detached the old mapping.
 */
struct virtgpu_import_mapping {
	struct virtgpu_backing base;
	struct virtgpu_import *import;
	struct dma_buf_attachment *attach;
};

static void virtgpu_prime_put_import(struct virtgpu_import *imp)
{
	if (!refcount_dec_and_test(&imp->ref))
		return;

	dma_buf_detach(imp->dma_buf, imp->attach);
	if (imp->spare)
		dma_buf_detach(imp->dma_buf, imp->spare);
	dma_buf_put(imp->dma_buf);
	kfree(imp);
}

static void virtgpu_prime_mapping_release(struct virtgpu_backing *b)
{
	struct virtgpu_import_mapping *m = container_of(b, struct virtgpu_import_mapping, base);

	dma_buf_unmap_attachment_unlocked(m->attach, b->sgt, DMA_BIDIRECTIONAL);
	virtgpu_prime_put_import(m->import);
	kfree(m);
}

/* The mapping is undone when the host has detached it. */
static void virtgpu_prime_drop_mapping(struct virtgpu_import *imp)
{
	struct virtgpu_backing *old = imp->map;

	dma_resv_assert_held(imp->dma_buf->resv);

	if (!old)
		return;

	WRITE_ONCE(imp->map, NULL);
	if (imp->gem) {
		virtgpu_gem_release_resources(imp->gem);
		virtgpu_vq_kick(imp->ctrl);
	}
	virtgpu_backing_put(old);
}

static void virtgpu_prime_unmap_now(struct virtgpu_backing *b)
{
	struct virtgpu_import *imp = container_of(b, struct virtgpu_import_mapping, base)->import;

	dma_resv_lock(imp->dma_buf->resv, NULL);
	if (imp->map == b)
		virtgpu_prime_drop_mapping(imp);
	dma_resv_unlock(imp->dma_buf->resv);
}

static void virtgpu_prime_invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct virtgpu_import *imp = attach->importer_priv;

	virtgpu_prime_drop_mapping(imp);
	/* The exporter may need the memory. */
	virtgpu_import_cache_drop(imp->cache, &imp->cached);
}

static const struct dma_buf_attach_ops virtgpu_prime_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = virtgpu_prime_invalidate_mappings,
};

/* The exporter must keep the buffer in guest RAM. */
static const struct dma_buf_attach_ops virtgpu_prime_ram_attach_ops = {
	.allow_peer2peer = false,
	.invalidate_mappings = virtgpu_prime_invalidate_mappings,
};

static struct dma_buf_attachment *virtgpu_prime_attach(struct virtgpu_import *imp,
						       const struct dma_buf_attach_ops *ops)
{
	return dma_buf_dynamic_attach(imp->dma_buf, imp->backings->dev, ops, imp);
}

static struct virtgpu_backing *virtgpu_prime_create_mapping(struct virtgpu_import *imp,
							    struct dma_buf_attachment *attach)
{
	struct virtgpu_import_mapping *m = kzalloc_obj(*m);
	struct sg_table *sgt;

	if (!m)
		return ERR_PTR(-ENOMEM);

	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		kfree(m);
		return ERR_CAST(sgt);
	}
	virtgpu_backing_init(&m->base, imp->backings, virtgpu_prime_mapping_release);
	m->base.sgt = sgt;
	m->base.addr_type = VIRTGPU_ADDR_DMA;
	m->base.size = imp->dma_buf->size;
	refcount_inc(&imp->ref);
	m->import = imp;
	m->attach = attach;

	return &m->base;
}

static int virtgpu_prime_set_mapping(struct virtgpu_import *imp, struct virtgpu_backing *map)
{
	int ret;

	WRITE_ONCE(imp->map, map);
	ret = virtgpu_backing_track_mapping(map, virtgpu_prime_unmap_now);
	if (ret)
		virtgpu_prime_drop_mapping(imp);

	return ret;
}

static int virtgpu_prime_map(struct virtgpu_import *imp)
{
	struct virtgpu_backing *map = virtgpu_prime_create_mapping(imp, imp->attach);

	return IS_ERR(map) ? PTR_ERR(map) : virtgpu_prime_set_mapping(imp, map);
}

static int virtgpu_prime_pin_attachment(struct virtgpu_import *imp)
{
	int ret;

	if (imp->pinned)
		return 0;
	ret = dma_buf_pin(imp->attach);
	imp->pinned = !ret;

	return ret;
}

static void virtgpu_prime_unpin_attachment(struct virtgpu_import *imp)
{
	if (imp->pinned)
		dma_buf_unpin(imp->attach);
	imp->pinned = false;
}

static int virtgpu_prime_pin(struct virtgpu_gem *gem)
{
	struct virtgpu_import *imp = gem->import;
	int ret;

	dma_resv_assert_held(gem->base.resv);

	ret = virtgpu_prime_pin_attachment(imp);
	if (!ret && !imp->map)
		ret = virtgpu_prime_map(imp);
	if (!ret)
		imp->pins++;
	else if (!imp->pins)
		virtgpu_prime_unpin_attachment(imp);

	return ret;
}

static void virtgpu_prime_unpin(struct virtgpu_gem *gem)
{
	struct virtgpu_import *imp = gem->import;

	dma_resv_assert_held(gem->base.resv);

	if (!--imp->pins)
		virtgpu_prime_unpin_attachment(imp);
}

/* Returns true if the exporter has moved the buffer for this attachment. */
static bool virtgpu_prime_map_spare(struct virtgpu_import *imp)
{
	struct virtgpu_backing *map = virtgpu_prime_create_mapping(imp, imp->attach);

	if (IS_ERR(map))
		return false;
	/* The exporter invalidates the old mapping if it moves the buffer. */
	if (imp->map && sg_dma_address(imp->map->sgt->sgl) == sg_dma_address(map->sgt->sgl)) {
		virtgpu_backing_put(map);
		return false;
	}
	virtgpu_prime_drop_mapping(imp);

	return !virtgpu_prime_set_mapping(imp, map);
}

/*
 * Pin and map the buffer by the spare attachment.  If the exporter has moved
 * the buffer for that, use the spare attachment from now on, and return true.
 */
static bool virtgpu_prime_use_spare(struct virtgpu_import *imp)
{
	/* An exporter does not move a buffer that is pinned. */
	virtgpu_prime_unpin_attachment(imp);
	swap(imp->attach, imp->spare);
	if (!virtgpu_prime_pin_attachment(imp) && virtgpu_prime_map_spare(imp))
		return true;

	virtgpu_prime_unpin_attachment(imp);
	swap(imp->attach, imp->spare);
	/* If this fails, the next virtgpu_prime_pin() tries again. */
	virtgpu_prime_pin_attachment(imp);

	return false;
}

static void virtgpu_prime_moved_to_ram(struct virtgpu_gem *gem)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);

	WRITE_ONCE(vgdev->peer2peer_rejected, true);
	drm_info_once(&vgdev->drm,
		      "host rejects memory of other devices; imported buffers are moved to guest RAM\n");
	atomic_inc(&vgdev->counters.moves_to_ram);
	gem->blob_unsupported = false;
}

static void virtgpu_prime_move_to_ram(struct virtgpu_gem *gem)
{
	struct virtgpu_import *imp = gem->import;
	struct dma_buf_attachment *attach;

	attach = virtgpu_prime_attach(imp, &virtgpu_prime_ram_attach_ops);
	if (IS_ERR(attach))
		attach = NULL;

	dma_resv_lock(imp->dma_buf->resv, NULL);
	/* Another commit may have been first. */
	if (gem->peer2peer && attach) {
		swap(imp->spare, attach);
		if (virtgpu_prime_use_spare(imp))
			virtgpu_prime_moved_to_ram(gem);
		if (!imp->pins)
			virtgpu_prime_unpin_attachment(imp);
	}
	gem->peer2peer = false;
	dma_resv_unlock(imp->dma_buf->resv);

	if (attach)
		dma_buf_detach(imp->dma_buf, attach);
}

static struct virtgpu_backing *virtgpu_prime_backing(struct virtgpu_gem *gem)
{
	dma_resv_assert_held(gem->base.resv);

	return gem->import->map;
}

/*
 * The exporter waits for @fence before it reuses the memory.  Without memory
 * for a fence slot, wait for memory or for @fence, whichever comes first: the
 * exporter must not reuse what the host may still access.
 */
static void virtgpu_prime_add_detach_fence(struct virtgpu_gem *gem, struct dma_fence *fence)
{
	struct virtgpu_import *imp = gem->import;
	struct dma_resv *resv = gem->base.resv;
	int ret;

	ret = dma_resv_reserve_fences(resv, 1);
	if (ret) {
		atomic_inc(imp->waits);
		virtgpu_vq_kick(imp->ctrl);
	}
	while (ret && !dma_fence_wait_timeout(fence, false, RESERVE_RETRY))
		ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_fence_put(fence);
}

static bool virtgpu_prime_is_resident(const struct virtgpu_gem *gem)
{
	return READ_ONCE(gem->import->map);
}

static int virtgpu_prime_vmap(struct virtgpu_gem *gem, struct iosys_map *map)
{
	return dma_buf_vmap(gem->import->dma_buf, map);
}

static void virtgpu_prime_vunmap(struct virtgpu_gem *gem, struct iosys_map *map)
{
	dma_buf_vunmap(gem->import->dma_buf, map);
}

/*
 * The exporter maps its buffer.  The mapping references the dma-buf, and not
 * the GEM object, so drop the reference that drm_gem_mmap_obj() has taken.
 */
static int virtgpu_prime_mmap(struct virtgpu_gem *gem, struct vm_area_struct *vma,
			      unsigned long pgoff)
{
	int ret;

	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	ret = dma_buf_mmap(gem->import->dma_buf, vma, pgoff);
	if (ret)
		return ret;

	/* The core expects it of each GEM object; exporters may not set it. */
	vm_flags_set(vma, VM_DONTEXPAND);
	drm_gem_object_put(&gem->base);

	return 0;
}

/* The attachment stays until the host has detached the last mapping. */
static void virtgpu_prime_free(struct virtgpu_gem *gem)
{
	struct virtgpu_import *imp = gem->import;
	struct dma_resv *resv = imp->dma_buf->resv;
	struct virtgpu_backing *old;

	dma_resv_lock(resv, NULL);
	imp->gem = NULL;
	old = imp->map;
	WRITE_ONCE(imp->map, NULL);
	dma_resv_unlock(resv);

	if (old)
		virtgpu_backing_put(old);
	virtgpu_prime_put_import(imp);
	if (gem->copy)
		drm_gem_object_put(&gem->copy->base);
}

static const struct virtgpu_gem_ops virtgpu_prime_gem_ops = {
	.region = VIRTGPU_GEM_IMPORTED,
	.free = virtgpu_prime_free,
	.backing = virtgpu_prime_backing,
	.pin = virtgpu_prime_pin,
	.unpin = virtgpu_prime_unpin,
	.move_to_ram = virtgpu_prime_move_to_ram,
	.add_detach_fence = virtgpu_prime_add_detach_fence,
	.is_resident = virtgpu_prime_is_resident,
	.vmap = virtgpu_prime_vmap,
	.vunmap = virtgpu_prime_vunmap,
	.mmap = virtgpu_prime_mmap,
};

static struct virtgpu_import *virtgpu_prime_create_import(struct virtgpu_device *vgdev,
							  struct dma_buf *dma_buf)
{
	struct virtgpu_import *imp = kzalloc_obj(*imp);
	struct dma_buf_attachment *attach;

	if (!imp)
		return ERR_PTR(-ENOMEM);

	refcount_set(&imp->ref, 1);
	imp->dma_buf = dma_buf;
	imp->backings = &vgdev->backings;
	imp->ctrl = &vgdev->ctrl;
	imp->waits = &vgdev->counters.invalidate_waits;
	imp->cache = &vgdev->imports;
	virtgpu_cached_import_init(&imp->cached, dma_buf);

	attach = ERR_PTR(-EOPNOTSUPP);
	if (READ_ONCE(vgdev->peer2peer_rejected))
		attach = virtgpu_prime_attach(imp, &virtgpu_prime_ram_attach_ops);
	/* An exporter that cannot move the buffer rejects the first attempt. */
	if (IS_ERR(attach))
		attach = virtgpu_prime_attach(imp, &virtgpu_prime_attach_ops);
	if (IS_ERR(attach)) {
		kfree(imp);
		return ERR_CAST(attach);
	}
	imp->attach = attach;
	get_dma_buf(dma_buf);

	return imp;
}

static struct drm_gem_object *virtgpu_prime_create_gem(struct virtgpu_device *vgdev,
						       struct dma_buf *dma_buf)
{
	struct virtgpu_import *imp;
	struct virtgpu_gem *gem;

	imp = virtgpu_prime_create_import(vgdev, dma_buf);
	if (IS_ERR(imp))
		return ERR_CAST(imp);

	gem = virtgpu_gem_alloc(vgdev, dma_buf->size, dma_buf->resv, &virtgpu_prime_gem_ops);
	if (IS_ERR(gem)) {
		virtgpu_prime_put_import(imp);
		return ERR_CAST(gem);
	}
	imp->gem = gem;
	gem->import = imp;
	gem->base.import_attach = imp->attach;
	gem->peer2peer = imp->attach->peer2peer;
	/* The host would also reject the memory of this device. */
	gem->unreachable = gem->peer2peer && READ_ONCE(vgdev->peer2peer_rejected);
	virtgpu_import_cache_add(imp->cache, &imp->cached, &gem->base);

	return &gem->base;
}

/*
 * Without VIRTIO_F_ACCESS_PLATFORM the device takes addresses as
 * guest-physical.  Behind a translating IOMMU the exporter's DMA addresses are
 * not guest-physical.
 */
static bool virtgpu_prime_is_addressable(struct virtgpu_device *vgdev)
{
	return vgdev->features.dma || !virtgpu_backing_is_translated(vgdev->backings.dev);
}

/**
 * DOC: export
 *
 * Buffers are exported as virtio dma-bufs, so that the driver of another virtio
 * device can query the UUID and refer to the buffer by it.  The host assigns
 * the UUID when it is first queried.
 *
 * A buffer in host memory is exported by its address in the host-visible
 * region, to devices that support peer-to-peer DMA.  It stays mapped there
 * while a device is attached.  Drivers of virtio devices that do not support
 * peer-to-peer DMA may attach for the UUID, and get a scatter list without
 * addresses.
 */

static int virtgpu_prime_buf_get_uuid(struct dma_buf *dma_buf, uuid_t *uuid)
{
	return virtgpu_gem_get_uuid(to_virtgpu_gem(dma_buf->priv), uuid);
}

static bool virtgpu_prime_buf_is_host3d(const struct dma_buf *dma_buf)
{
	return virtgpu_gem_region(to_virtgpu_gem(dma_buf->priv)) == VIRTGPU_GEM_HOST3D;
}

/* Host memory is attached for its UUID only. */
static bool virtgpu_prime_buf_is_uuid_only(const struct dma_buf_attachment *attach)
{
	const struct drm_gem_object *obj = attach->dmabuf->priv;

	return !attach->peer2peer && is_virtio_device(attach->dev) &&
	       to_virtgpu(obj->dev)->features.uuid;
}

static int virtgpu_prime_buf_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	if (!virtgpu_prime_buf_is_host3d(dma_buf))
		return drm_gem_map_attach(dma_buf, attach);
	if (virtgpu_prime_buf_is_uuid_only(attach))
		return 0;
	if (!attach->peer2peer)
		return -EOPNOTSUPP;

	return virtgpu_gem_host3d_pin(to_virtgpu_gem(dma_buf->priv));
}

static void virtgpu_prime_buf_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	if (!virtgpu_prime_buf_is_host3d(dma_buf))
		drm_gem_map_detach(dma_buf, attach);
	else if (!virtgpu_prime_buf_is_uuid_only(attach))
		virtgpu_gem_host3d_unpin(to_virtgpu_gem(dma_buf->priv));
}

/* Fill an entry with an address only, because the region has no struct page. */
static int virtgpu_prime_buf_map_host3d(struct dma_buf_attachment *attach,
					struct scatterlist *sg, enum dma_data_direction dir)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(attach->dmabuf->priv);
	size_t size = gem->base.size;
	phys_addr_t phys;
	dma_addr_t addr;

	/* The attachment pins the blob, but a reset may have removed it. */
	if (!virtgpu_gem_host3d_get_addr(gem, &phys))
		return -EIO;
	if (size > UINT_MAX)
		return -E2BIG;

	addr = dma_map_resource(attach->dev, phys, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (dma_mapping_error(attach->dev, addr))
		return -EIO;
	sg_set_page(sg, NULL, size, 0);
	sg_dma_address(sg) = addr;
	sg_dma_len(sg) = size;

	return 0;
}

static struct sg_table *virtgpu_prime_buf_map(struct dma_buf_attachment *attach,
					      enum dma_data_direction dir)
{
	struct sg_table *sgt;
	int ret;

	if (!virtgpu_prime_buf_is_host3d(attach->dmabuf))
		return drm_gem_map_dma_buf(attach, dir);

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	/* The dma-buf core copies the table, so it must have an entry. */
	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto free;
	if (virtgpu_prime_buf_is_uuid_only(attach))
		return sgt;
	ret = virtgpu_prime_buf_map_host3d(attach, sgt->sgl, dir);
	if (!ret)
		return sgt;

	sg_free_table(sgt);
free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void virtgpu_prime_buf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
				    enum dma_data_direction dir)
{
	if (!virtgpu_prime_buf_is_host3d(attach->dmabuf)) {
		drm_gem_unmap_dma_buf(attach, sgt, dir);
		return;
	}

	if (sg_dma_len(sgt->sgl))
		dma_unmap_resource(attach->dev, sg_dma_address(sgt->sgl), sg_dma_len(sgt->sgl),
				   dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static const struct virtio_dma_buf_ops virtgpu_prime_buf_ops = {
	.ops = {
		.attach = virtio_dma_buf_attach,
		.detach = virtgpu_prime_buf_detach,
		.map_dma_buf = virtgpu_prime_buf_map,
		.unmap_dma_buf = virtgpu_prime_buf_unmap,
		.release = drm_gem_dmabuf_release,
		.mmap = drm_gem_dmabuf_mmap,
		.vmap = drm_gem_dmabuf_vmap,
		.vunmap = drm_gem_dmabuf_vunmap,
	},
	.device_attach = virtgpu_prime_buf_attach,
	.get_uuid = virtgpu_prime_buf_get_uuid,
};

/**
 * virtgpu_prime_export() - &drm_gem_object_funcs.export
 * @obj: the GEM object
 * @flags: DRM_CLOEXEC, DRM_RDWR
 *
 * Context: May sleep.
 * Return: the dma-buf, which is the original one for an imported object, or an
 * error pointer.
 */
struct dma_buf *virtgpu_prime_export(struct drm_gem_object *obj, int flags)
{
	struct drm_device *dev = obj->dev;
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = dev->driver->fops->owner,
		.ops = &virtgpu_prime_buf_ops.ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	struct dma_buf *dma_buf;

	if (gem->import) {
		get_dma_buf(gem->import->dma_buf);
		return gem->import->dma_buf;
	}

	dma_buf = virtio_dma_buf_export(&info);
	if (IS_ERR(dma_buf))
		return dma_buf;

	/* drm_gem_dmabuf_release() drops both references. */
	drm_dev_get(dev);
	drm_gem_object_get(obj);
	dma_buf->file->f_mapping = obj->dev->anon_inode->i_mapping;

	return dma_buf;
}

static bool virtgpu_prime_is_native(struct dma_buf *dma_buf, struct drm_device *dev)
{
	const struct drm_gem_object *obj = dma_buf->priv;

	return dma_buf->ops == &virtgpu_prime_buf_ops.ops && obj->dev == dev;
}

/**
 * virtgpu_prime_import() - &drm_driver.gem_prime_import
 * @dev: the DRM device
 * @dma_buf: any dma-buf
 *
 * Context: May sleep.
 * Return: the GEM object, which is the original one if @dev exported @dma_buf,
 * and may be that of an earlier import; -EXDEV if the device cannot reach the
 * memory, because it bypasses the IOMMU that it is behind, or because the DMA
 * API would map a copy; -ENOMEM; or the exporter's error.
 */
struct drm_gem_object *virtgpu_prime_import(struct drm_device *dev,
					    struct dma_buf *dma_buf)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct drm_gem_object *obj = dma_buf->priv;

	if (virtgpu_prime_is_native(dma_buf, dev)) {
		drm_gem_object_get(obj);
		return obj;
	}

	obj = virtgpu_import_cache_get(&vgdev->imports, dma_buf);
	if (obj) {
		atomic_inc(&vgdev->counters.reused_imports);
		return obj;
	}

	if (!virtgpu_prime_is_addressable(vgdev)) {
		drm_warn_once(dev, "cannot import dma-bufs: device bypasses the guest IOMMU; enable VIRTIO_F_ACCESS_PLATFORM (QEMU: iommu_platform=on)\n");
		return ERR_PTR(-EXDEV);
	}
	/* The host would show the copy that mapping the buffer makes. */
	if (vgdev->backings.bounces) {
		drm_warn_once(dev, "cannot import dma-bufs: the DMA API uses bounce buffers for the device\n");
		return ERR_PTR(-EXDEV);
	}

	return virtgpu_prime_create_gem(vgdev, dma_buf);
}
