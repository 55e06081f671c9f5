// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/slab.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_prime.h>

#include "virtgpu_export.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_import.h"

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

/**
 * virtgpu_export_object - the buffer behind a dma-buf
 * @dma_buf: any dma-buf
 * @dev: a DRM device
 *
 * Return: the buffer, borrowed, if it was exported by @dev; else NULL.
 */
struct drm_gem_object *virtgpu_export_object(struct dma_buf *dma_buf,
					     struct drm_device *dev)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops != &export_ops.ops || obj->dev != dev)
		return NULL;

	return obj;
}
