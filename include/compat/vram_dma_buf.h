/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * 6.13: bochs moved from drm_gem_vram to GEM shmem objects.  The older objects
 * have no scatter lists, so that no device can attach to their dma-bufs.
 *
 * These functions add attachments to such dma-bufs: a mapping consists of the
 * pages behind the object's kernel mapping, and the object is pinned while it
 * is mapped.  All other dma-bufs are passed to the functions of the dma-buf
 * core.
 */
#ifndef VIRTGPU_COMPAT_VRAM_DMA_BUF_H
#define VIRTGPU_COMPAT_VRAM_DMA_BUF_H

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

struct virtgpu_compat_vram_attachment {
	struct dma_buf_attachment base;
	struct iosys_map map;
	struct sg_table sgt;
};

/* Return: the object of a DRM driver without scatter lists, or NULL. */
static inline struct drm_gem_object *virtgpu_compat_vram_object(struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops->map_dma_buf != drm_gem_map_dma_buf || obj->funcs->get_sg_table ||
	    !obj->funcs->pin || !obj->funcs->unpin || !obj->funcs->vmap)
		return NULL;

	return obj;
}

/* Attachments of the dma-buf core are in a list, unlike those of this file. */
static inline struct virtgpu_compat_vram_attachment *
virtgpu_compat_vram_attachment(struct dma_buf_attachment *attach)
{
	return list_empty(&attach->node) ?
	       container_of(attach, struct virtgpu_compat_vram_attachment, base) : NULL;
}

/* A device behind an IOMMU in pass-through mode uses physical addresses. */
static inline bool virtgpu_compat_is_translated(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY;
}

static inline struct dma_buf_attachment *
virtgpu_compat_dma_buf_dynamic_attach(struct dma_buf *dma_buf, struct device *dev,
				      const struct dma_buf_attach_ops *ops, void *priv)
{
	struct dma_buf_attachment *attach;
	struct virtgpu_compat_vram_attachment *vram;

	attach = dma_buf_dynamic_attach(dma_buf, dev, ops, priv);
	/* The mapping has physical addresses, so the device must use them. */
	if (!IS_ERR(attach) || !virtgpu_compat_vram_object(dma_buf) ||
	    virtgpu_compat_is_translated(dev) || dma_max_mapping_size(dev) != SIZE_MAX)
		return attach;

	vram = kzalloc_obj(*vram);
	if (!vram)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&vram->base.node);
	vram->base.dmabuf = dma_buf;
	vram->base.dev = dev;
	vram->base.importer_ops = ops;
	vram->base.importer_priv = priv;

	return &vram->base;
}

static inline void virtgpu_compat_dma_buf_detach(struct dma_buf *dma_buf,
						 struct dma_buf_attachment *attach)
{
	struct virtgpu_compat_vram_attachment *vram = virtgpu_compat_vram_attachment(attach);

	if (!vram) {
		dma_buf_detach(dma_buf, attach);
		return;
	}

	kfree(vram);
}

static inline phys_addr_t virtgpu_compat_vram_page(const struct iosys_map *map,
						   unsigned long offset)
{
	void *addr = map->is_iomem ? (__force void *)map->vaddr_iomem : map->vaddr;

	addr += offset;
	if (is_vmalloc_addr(addr))
		return PFN_PHYS(vmalloc_to_pfn(addr)) + offset_in_page(addr);

	return virt_to_phys(addr);
}

static inline int virtgpu_compat_vram_list_pages(struct virtgpu_compat_vram_attachment *vram)
{
	unsigned int n = vram->base.dmabuf->size >> PAGE_SHIFT, i;
	struct scatterlist *sg;
	int ret;

	ret = sg_alloc_table(&vram->sgt, n, GFP_KERNEL);
	if (ret)
		return ret;

	for_each_sgtable_sg(&vram->sgt, sg, i) {
		sg_dma_address(sg) = virtgpu_compat_vram_page(&vram->map,
							      (unsigned long)i << PAGE_SHIFT);
		sg_dma_len(sg) = PAGE_SIZE;
	}

	return 0;
}

static inline struct sg_table *
virtgpu_compat_dma_buf_map_attachment(struct dma_buf_attachment *attach,
				      enum dma_data_direction dir)
{
	struct virtgpu_compat_vram_attachment *vram = virtgpu_compat_vram_attachment(attach);
	struct drm_gem_object *obj = attach->dmabuf->priv;
	int ret;

	if (!vram)
		return dma_buf_map_attachment(attach, dir);

	ret = obj->funcs->pin(obj);
	if (ret)
		return ERR_PTR(ret);
	ret = dma_buf_vmap(attach->dmabuf, &vram->map);
	if (ret)
		goto unpin;
	ret = virtgpu_compat_vram_list_pages(vram);
	if (ret)
		goto vunmap;

	return &vram->sgt;

vunmap:
	dma_buf_vunmap(attach->dmabuf, &vram->map);
unpin:
	obj->funcs->unpin(obj);
	return ERR_PTR(ret);
}

static inline void
virtgpu_compat_dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
						 struct sg_table *sgt,
						 enum dma_data_direction dir)
{
	struct virtgpu_compat_vram_attachment *vram = virtgpu_compat_vram_attachment(attach);
	struct drm_gem_object *obj = attach->dmabuf->priv;

	if (!vram) {
		dma_buf_unmap_attachment_unlocked(attach, sgt, dir);
		return;
	}

	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_vunmap(attach->dmabuf, &vram->map);
	obj->funcs->unpin(obj);
	dma_resv_unlock(attach->dmabuf->resv);
	sg_free_table(&vram->sgt);
}

#define dma_buf_dynamic_attach virtgpu_compat_dma_buf_dynamic_attach
#define dma_buf_detach virtgpu_compat_dma_buf_detach
#define dma_buf_map_attachment virtgpu_compat_dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked virtgpu_compat_dma_buf_unmap_attachment_unlocked

#endif
