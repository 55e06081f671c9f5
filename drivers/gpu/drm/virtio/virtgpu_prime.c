// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>

#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_prime.h"

/**
 * DOC: import
 *
 * Another device's buffer is attached dynamically, peer-to-peer allowed, and
 * mapped when it is first shown.  The mapping stays, and so do the resources made
 * of it, until the exporter says that the buffer moves; so a buffer that does not
 * move is described to the host once.  It is pinned only from prepare_fb to
 * cleanup_fb, so that it can move when it is not shown.
 *
 * When the buffer moves the host is told to let go, the fence of that command
 * goes into the exporter's reservation object, and the callback returns.  The old
 * mapping is undone when the host has answered.
 */

/* How often memory for a slot of a reservation object is tried for again. */
#define RESERVE_RETRY (HZ / 50)

/**
 * struct virtgpu_import - the importer's side of a foreign buffer
 * @ref: the GEM object's and each mapping's
 * @dma_buf: the buffer
 * @gem: NULL once the GEM object is gone
 * @attach: the attachment, or NULL if the exporter has only a kernel mapping
 * @map: the current mapping, or NULL
 * @pins: users of the pin
 * @memory: for mappings
 * @ctrl: to be kicked when the buffer moves
 * @waits: how often a move had to wait for the host, want of memory
 *
 * All but @attach, @dma_buf and @ref is protected by the buffer's reservation lock; that
 * there is a @map may be seen without it.
 */
struct virtgpu_import {
	refcount_t ref;
	struct dma_buf *dma_buf;
	struct virtgpu_gem *gem;
	struct dma_buf_attachment *attach;
	struct virtgpu_backing *map;
	unsigned int pins;
	struct virtgpu_backing_mgr *memory;
	struct virtgpu_vq *ctrl;
	atomic_t *waits;
};

struct virtgpu_import_mapping {
	struct virtgpu_backing base;
	struct virtgpu_import *import;
};

static void virtgpu_import_put(struct virtgpu_import *imp)
{
	if (!refcount_dec_and_test(&imp->ref))
		return;

	if (imp->attach)
		dma_buf_detach(imp->dma_buf, imp->attach);
	dma_buf_put(imp->dma_buf);
	kfree(imp);
}

static void virtgpu_import_mapping_release(struct virtgpu_backing *b)
{
	struct virtgpu_import_mapping *m = container_of(b, struct virtgpu_import_mapping, base);
	struct dma_buf_attachment *attach = m->import->attach;

	dma_buf_unmap_attachment_unlocked(attach, b->sgt, DMA_BIDIRECTIONAL);
	virtgpu_import_put(m->import);
	kfree(m);
}

/**
 * virtgpu_import_backing - the memory of an imported buffer
 * @imp: the import
 *
 * Context: under the reservation lock.
 * Return: the current mapping, borrowed, or NULL while the buffer is not mapped.
 */
struct virtgpu_backing *virtgpu_import_backing(struct virtgpu_import *imp)
{
	dma_resv_assert_held(imp->dma_buf->resv);

	return imp->map;
}

/**
 * virtgpu_import_is_mapped - is an imported buffer mapped for the device?
 * @imp: the import
 *
 * Context: any; without the reservation lock the answer may be out of date.
 * Return: true if it is.
 */
bool virtgpu_import_is_mapped(const struct virtgpu_import *imp)
{
	return READ_ONCE(imp->map);
}

static void virtgpu_import_set_map(struct virtgpu_import *imp, struct virtgpu_import_mapping *m,
				   struct sg_table *sgt, void (*release)(struct virtgpu_backing *b))
{
	virtgpu_backing_init(&m->base, imp->memory, release);
	m->base.sgt = sgt;
	m->base.addr_type = VIRTGPU_ADDR_DMA;
	m->base.size = imp->dma_buf->size;
	refcount_inc(&imp->ref);
	m->import = imp;
	WRITE_ONCE(imp->map, &m->base);
}

/* The mapping is undone when nobody uses it any more. */
static void virtgpu_import_drop_map(struct virtgpu_import *imp)
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

static void virtgpu_import_unmap_now(struct virtgpu_backing *b)
{
	struct virtgpu_import *imp = container_of(b, struct virtgpu_import_mapping, base)->import;

	dma_resv_lock(imp->dma_buf->resv, NULL);
	if (imp->map == b)
		virtgpu_import_drop_map(imp);
	dma_resv_unlock(imp->dma_buf->resv);
}

static int virtgpu_import_map(struct virtgpu_import *imp)
{
	struct virtgpu_import_mapping *m = kzalloc_obj(*m);
	struct sg_table *sgt;
	int ret;

	if (!m)
		return -ENOMEM;

	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		kfree(m);
		return PTR_ERR(sgt);
	}
	virtgpu_import_set_map(imp, m, sgt, virtgpu_import_mapping_release);

	ret = virtgpu_backing_track_mapping(&m->base, virtgpu_import_unmap_now);
	if (ret)
		virtgpu_import_drop_map(imp);

	return ret;
}

/**
 * virtgpu_import_pin - keep a buffer where it is, and mapped
 * @imp: the import
 *
 * Context: may sleep, under the reservation lock.
 * Return: 0, -ENODEV when the device has gone, or what the exporter says.
 */
int virtgpu_import_pin(struct virtgpu_import *imp)
{
	int ret;

	dma_resv_assert_held(imp->dma_buf->resv);

	/* What has only a kernel mapping is pinned for as long as that stands. */
	if (!imp->attach)
		return 0;

	if (!imp->pins) {
		ret = dma_buf_pin(imp->attach);
		if (ret)
			return ret;
	}
	if (!imp->map) {
		ret = virtgpu_import_map(imp);
		if (ret) {
			if (!imp->pins)
				dma_buf_unpin(imp->attach);
			return ret;
		}
	}
	imp->pins++;

	return 0;
}

/**
 * virtgpu_import_unpin - let a buffer move again
 * @imp: the import, pinned
 *
 * Context: may sleep, under the reservation lock.
 */
void virtgpu_import_unpin(struct virtgpu_import *imp)
{
	dma_resv_assert_held(imp->dma_buf->resv);

	if (imp->attach && !--imp->pins)
		dma_buf_unpin(imp->attach);
}

/**
 * virtgpu_import_add_detach_fence - add the fence of a detach to the exporter's reservation object
 * @imp: the import
 * @fence: of a DETACH_BACKING; the reference is taken over
 *
 * The exporter waits for @fence before it uses the memory for something else.  Without
 * memory for a slot this function waits for that memory or for @fence, whichever comes
 * first, because the exporter must not reuse what the host may still access.
 *
 * Context: may sleep, under the reservation lock.
 */
void virtgpu_import_add_detach_fence(struct virtgpu_import *imp, struct dma_fence *fence)
{
	struct dma_resv *resv = imp->dma_buf->resv;

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

static void virtgpu_import_invalidate(struct dma_buf_attachment *attach)
{
	virtgpu_import_drop_map(attach->importer_priv);
}

static const struct dma_buf_attach_ops import_attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = virtgpu_import_invalidate,
};

/**
 * virtgpu_import_release - the GEM object of an import is going away
 * @imp: its import
 *
 * The attachment stays for as long as the host may know the memory.
 *
 * Context: may sleep.
 */
void virtgpu_import_release(struct virtgpu_import *imp)
{
	struct dma_resv *resv = imp->dma_buf->resv;
	struct virtgpu_backing *old;

	dma_resv_lock(resv, NULL);
	imp->gem = NULL;
	old = imp->map;
	WRITE_ONCE(imp->map, NULL);
	dma_resv_unlock(resv);

	if (old)
		virtgpu_backing_put(old);
	virtgpu_import_put(imp);
}

/*
 * A device that was not told to use the platform's DMA addresses takes what it is
 * given for guest-physical.  Behind a translating IOMMU the exporter's addresses
 * are something else.
 */
static bool virtgpu_import_is_addressable(struct virtgpu_device *vgdev)
{
	struct iommu_domain *domain;

	if (vgdev->features.dma)
		return true;

	domain = iommu_get_domain_for_dev(vgdev->backings.dev);

	return !domain || domain->type == IOMMU_DOMAIN_IDENTITY;
}

/*
 * Exporters without scatter lists
 */

struct virtgpu_kernel_mapping {
	struct virtgpu_import_mapping base;
	struct iosys_map map;
	struct sg_table sgt;
};

/* The object behind a DRM driver's dma-buf that only its kernel mapping leads to. */
static struct drm_gem_object *virtgpu_import_foreign_object(struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops->map_dma_buf != drm_gem_map_dma_buf ||
	    obj->funcs->get_sg_table || !obj->funcs->pin || !obj->funcs->unpin ||
	    !obj->funcs->vmap)
		return NULL;

	return obj;
}

static phys_addr_t virtgpu_import_mapped_page(const struct iosys_map *map,
					      unsigned long offset)
{
	void *addr = map->is_iomem ? (__force void *)map->vaddr_iomem : map->vaddr;

	addr += offset;
	if (is_vmalloc_addr(addr))
		return PFN_PHYS(vmalloc_to_pfn(addr)) + offset_in_page(addr);

	return virt_to_phys(addr);
}

/* A list of addresses without pages, as for memory that has none. */
static int virtgpu_import_list_mapped_pages(struct virtgpu_kernel_mapping *km, size_t size)
{
	unsigned int n = size >> PAGE_SHIFT, i;
	struct scatterlist *sg;
	int ret;

	ret = sg_alloc_table(&km->sgt, n, GFP_KERNEL);
	if (ret)
		return ret;

	for_each_sgtable_sg(&km->sgt, sg, i) {
		sg_dma_address(sg) = virtgpu_import_mapped_page(&km->map,
								(unsigned long)i << PAGE_SHIFT);
		sg_dma_len(sg) = PAGE_SIZE;
	}

	return 0;
}

static void virtgpu_import_kernel_mapping_release(struct virtgpu_backing *b)
{
	struct virtgpu_kernel_mapping *km = container_of(b, struct virtgpu_kernel_mapping,
							 base.base);
	struct virtgpu_import *imp = km->base.import;
	struct drm_gem_object *obj = imp->dma_buf->priv;

	dma_resv_lock(imp->dma_buf->resv, NULL);
	dma_buf_vunmap(imp->dma_buf, &km->map);
	obj->funcs->unpin(obj);
	dma_resv_unlock(imp->dma_buf->resv);

	sg_free_table(&km->sgt);
	kfree(km);
	virtgpu_import_put(imp);
}

static int virtgpu_import_map_for_kernel(struct virtgpu_import *imp, struct drm_gem_object *obj)
{
	struct virtgpu_kernel_mapping *km = kzalloc_obj(*km);
	int ret;

	if (!km)
		return -ENOMEM;

	dma_resv_lock(imp->dma_buf->resv, NULL);
	ret = obj->funcs->pin(obj);
	if (ret)
		goto unlock;
	ret = dma_buf_vmap(imp->dma_buf, &km->map);
	if (ret)
		goto unpin;
	ret = virtgpu_import_list_mapped_pages(km, imp->dma_buf->size);
	if (ret)
		goto vunmap;
	virtgpu_import_set_map(imp, &km->base, &km->sgt, virtgpu_import_kernel_mapping_release);
	dma_resv_unlock(imp->dma_buf->resv);

	return 0;

vunmap:
	dma_buf_vunmap(imp->dma_buf, &km->map);
unpin:
	obj->funcs->unpin(obj);
unlock:
	dma_resv_unlock(imp->dma_buf->resv);
	kfree(km);
	return ret;
}

static int virtgpu_import_attach(struct virtgpu_import *imp)
{
	struct dma_buf_attachment *attach;
	struct drm_gem_object *obj;

	attach = dma_buf_dynamic_attach(imp->dma_buf, imp->memory->dev,
						       &import_attach_ops, imp);
	if (!IS_ERR(attach)) {
		imp->attach = attach;
		return 0;
	}

	/* Such a mapping has guest-physical addresses only. */
	obj = virtgpu_import_foreign_object(imp->dma_buf);
	if (!obj || imp->memory->addr_type != VIRTGPU_ADDR_GPA)
		return PTR_ERR(attach);

	return virtgpu_import_map_for_kernel(imp, obj);
}

static struct drm_gem_object *virtgpu_import_foreign(struct virtgpu_device *vgdev,
						     struct dma_buf *dma_buf)
{
	struct virtgpu_import *imp;
	struct virtgpu_gem *gem;
	int ret;

	gem = virtgpu_gem_create_imported(vgdev, dma_buf);
	if (IS_ERR(gem))
		return ERR_CAST(gem);

	imp = kzalloc_obj(*imp);
	if (!imp) {
		drm_gem_object_put(&gem->base);
		return ERR_PTR(-ENOMEM);
	}

	refcount_set(&imp->ref, 1);
	get_dma_buf(dma_buf);
	imp->dma_buf = dma_buf;
	imp->gem = gem;
	imp->memory = &vgdev->backings;
	imp->ctrl = &vgdev->ctrl;
	imp->waits = &vgdev->counters.move_waits;

	ret = virtgpu_import_attach(imp);
	if (ret) {
		virtgpu_import_put(imp);
		drm_gem_object_put(&gem->base);
		return ERR_PTR(ret);
	}

	gem->import = imp;
	gem->base.import_attach = imp->attach;

	return &gem->base;
}

/**
 * virtgpu_import_dma_buf - the buffer that was imported
 * @imp: the import
 *
 * Return: the dma-buf, borrowed.
 */
struct dma_buf *virtgpu_import_dma_buf(struct virtgpu_import *imp)
{
	return imp->dma_buf;
}

/**
 * DOC: export
 *
 * Buffers are exported as virtio dma-bufs, so that a driver of another virtio
 * device can ask for the UUID and name the buffer to its own device.  The UUID is
 * got from the host when it is first asked for.
 *
 * What is only in the host's memory is exported by its place in the window, to devices
 * that can reach another device's memory.  It stays there for as long as one of them
 * is attached.
 */

static int virtgpu_export_get_uuid(struct dma_buf *dma_buf, uuid_t *uuid)
{
	return virtgpu_gem_get_uuid(to_virtgpu_gem(dma_buf->priv), uuid);
}

static bool virtgpu_export_is_host_visible(const struct dma_buf *dma_buf)
{
	const struct virtgpu_gem *gem = to_virtgpu_gem(dma_buf->priv);

	return gem->host3d_res && !gem->pages;
}

static int virtgpu_export_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	if (!virtgpu_export_is_host_visible(dma_buf))
		return drm_gem_map_attach(dma_buf, attach);
	if (!attach->peer2peer)
		return -EOPNOTSUPP;

	return virtgpu_gem_host3d_pin(to_virtgpu_gem(dma_buf->priv));
}

static void virtgpu_export_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	if (virtgpu_export_is_host_visible(dma_buf))
		virtgpu_gem_host3d_release(to_virtgpu_gem(dma_buf->priv));
	else
		drm_gem_map_detach(dma_buf, attach);
}

/* One address without pages. */
static int virtgpu_export_map_addr(struct device *dev, struct sg_table *sgt, phys_addr_t where,
				   size_t size, enum dma_data_direction dir)
{
	dma_addr_t addr;
	int ret;

	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		return ret;

	addr = dma_map_resource(dev, where, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (dma_mapping_error(dev, addr)) {
		sg_free_table(sgt);
		return -EIO;
	}
	sg_set_page(sgt->sgl, NULL, size, 0);
	sg_dma_address(sgt->sgl) = addr;
	sg_dma_len(sgt->sgl) = size;

	return 0;
}

static struct sg_table *virtgpu_export_map(struct dma_buf_attachment *attach,
					   enum dma_data_direction dir)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(attach->dmabuf->priv);
	struct sg_table *sgt;
	phys_addr_t where;
	int ret;

	if (!virtgpu_export_is_host_visible(attach->dmabuf))
		return drm_gem_map_dma_buf(attach, dir);

	/* It was there when the device was attached; a reset takes it away. */
	if (!virtgpu_gem_host3d_get_addr(gem, &where))
		return ERR_PTR(-EIO);
	if (gem->base.size > UINT_MAX)
		return ERR_PTR(-E2BIG);

	sgt = kzalloc_obj(*sgt);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = virtgpu_export_map_addr(attach->dev, sgt, where, gem->base.size, dir);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}

	return sgt;
}

static void virtgpu_export_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
				 enum dma_data_direction dir)
{
	if (!virtgpu_export_is_host_visible(attach->dmabuf)) {
		drm_gem_unmap_dma_buf(attach, sgt, dir);
		return;
	}

	dma_unmap_resource(attach->dev, sg_dma_address(sgt->sgl), sg_dma_len(sgt->sgl),
			   dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

static const struct virtio_dma_buf_ops export_ops = {
	.ops = {
		.attach = virtio_dma_buf_attach,
		.detach = virtgpu_export_detach,
		.map_dma_buf = virtgpu_export_map,
		.unmap_dma_buf = virtgpu_export_unmap,
		.release = drm_gem_dmabuf_release,
		.mmap = drm_gem_dmabuf_mmap,
		.vmap = drm_gem_dmabuf_vmap,
		.vunmap = drm_gem_dmabuf_vunmap,
	},
	.device_attach = virtgpu_export_attach,
	.get_uuid = virtgpu_export_get_uuid,
};

/**
 * virtgpu_prime_export - make a dma-buf of a buffer
 * @obj: the buffer
 * @flags: DRM_CLOEXEC, DRM_RDWR
 *
 * Context: may sleep.
 * Return: the dma-buf or an error pointer.
 */
struct dma_buf *virtgpu_prime_export(struct drm_gem_object *obj, int flags)
{
	struct drm_device *dev = obj->dev;
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = dev->driver->fops->owner,
		.ops = &export_ops.ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	struct dma_buf *dma_buf;

	/* What was imported is not ours to export: it has a dma-buf. */
	if (gem->import) {
		dma_buf = virtgpu_import_dma_buf(gem->import);
		get_dma_buf(dma_buf);
		return dma_buf;
	}

	dma_buf = virtio_dma_buf_export(&info);
	if (IS_ERR(dma_buf))
		return dma_buf;

	/* drm_gem_dmabuf_release() drops both. */
	drm_dev_get(dev);
	drm_gem_object_get(obj);
	dma_buf->file->f_mapping = obj->dev->anon_inode->i_mapping;

	return dma_buf;
}

/* Return: the GEM object if @dev exported @dma_buf, without a reference; else NULL. */
static struct drm_gem_object *virtgpu_prime_object(struct dma_buf *dma_buf,
						   struct drm_device *dev)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops != &export_ops.ops || obj->dev != dev)
		return NULL;

	return obj;
}

/**
 * virtgpu_prime_import - make a GEM object of a dma-buf
 * @dev: the DRM device
 * @dma_buf: whoever's buffer it is
 *
 * Context: may sleep.
 * Return: the object; our own one if the buffer came from here; -EXDEV when the
 * device cannot reach the memory because it bypasses the IOMMU that it is
 * behind; -ENOMEM; or what the exporter says to the attachment.
 */
struct drm_gem_object *virtgpu_prime_import(struct drm_device *dev,
					    struct dma_buf *dma_buf)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct drm_gem_object *own = virtgpu_prime_object(dma_buf, dev);

	if (own) {
		drm_gem_object_get(own);
		return own;
	}

	if (!virtgpu_import_is_addressable(vgdev)) {
		drm_warn_once(dev, "cannot import buffers: the device is behind an IOMMU but bypasses it; give it iommu_platform=on\n");
		return ERR_PTR(-EXDEV);
	}

	return virtgpu_import_foreign(vgdev, dma_buf);
}
