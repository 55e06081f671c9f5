// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-buf.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_prime.h>

#include "vgpu_export.h"
#include "vgpu_gem.h"
#include "vgpu_import.h"

/**
 * DOC: export
 *
 * Buffers are exported as virtio dma-bufs, so that a driver of another virtio
 * device can ask for the UUID and name the buffer to its own device.  The UUID is
 * got from the host when it is first asked for.
 */

static int export_get_uuid(struct dma_buf *dma_buf, uuid_t *uuid)
{
	return vgpu_gem_uuid(to_vgpu_gem(dma_buf->priv), uuid);
}

static const struct virtio_dma_buf_ops export_ops = {
	.ops = {
		.attach = virtio_dma_buf_attach,
		.detach = drm_gem_map_detach,
		.map_dma_buf = drm_gem_map_dma_buf,
		.unmap_dma_buf = drm_gem_unmap_dma_buf,
		.release = drm_gem_dmabuf_release,
		.mmap = drm_gem_dmabuf_mmap,
		.vmap = drm_gem_dmabuf_vmap,
		.vunmap = drm_gem_dmabuf_vunmap,
	},
	.device_attach = drm_gem_map_attach,
	.get_uuid = export_get_uuid,
};

/**
 * vgpu_prime_export - make a dma-buf of a buffer
 * @obj: the buffer
 * @flags: DRM_CLOEXEC, DRM_RDWR
 *
 * Context: may sleep.
 * Return: the dma-buf or an error pointer.
 */
struct dma_buf *vgpu_prime_export(struct drm_gem_object *obj, int flags)
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
	struct vgpu_gem *gem = to_vgpu_gem(obj);
	struct dma_buf *dma_buf;

	/* What was imported is not ours to export: it has a dma-buf. */
	if (gem->import) {
		dma_buf = vgpu_import_dma_buf(gem->import);
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
 * vgpu_export_object - the buffer behind a dma-buf
 * @dma_buf: any dma-buf
 * @dev: a DRM device
 *
 * Return: the buffer, borrowed, if it was exported by @dev; else NULL.
 */
struct drm_gem_object *vgpu_export_object(struct dma_buf *dma_buf,
					  struct drm_device *dev)
{
	struct drm_gem_object *obj = dma_buf->priv;

	if (dma_buf->ops != &export_ops.ops || obj->dev != dev)
		return NULL;

	return obj;
}
