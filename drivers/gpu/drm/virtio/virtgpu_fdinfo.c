// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/idr.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include "virtgpu_device.h"
#include "virtgpu_fdinfo.h"
#include "virtgpu_gem.h"

/**
 * DOC: client usage stats
 *
 * ``/proc/PID/fdinfo/FD`` has the keys of
 * Documentation/gpu/drm-usage-stats.rst. The memory of the file's buffers is
 * reported in three regions:
 *
 * ``memory``
 *	guest pages: dumb buffers, guest blobs, and the backing of 3D resources
 * ``imported``
 *	dma-bufs of other devices, always counted as shared; resident while
 *	mapped for this device
 * ``host``
 *	blobs in host memory; resident until lost in a reset
 *
 * Each buffer is in one region. As defined by DRM, a buffer is shared if it was
 * exported or has more than one handle, of which a framebuffer holds one. A
 * buffer is active while its reservation object has unsignalled fences. The
 * host does not report the memory that it allocates for 2D and 3D resources.
 *
 * There are no ``drm-engine-`` keys. The guest can measure when a submission
 * was queued and completed, but not how long the host's GPU worked for it,
 * because the host shares the GPU with other guests.
 */

#define FDINFO_STATUS (DRM_GEM_OBJECT_RESIDENT | DRM_GEM_OBJECT_ACTIVE)

static const char * const fdinfo_regions[VIRTGPU_GEM_NUM_REGIONS] = {
	[VIRTGPU_GEM_GUEST] = "memory",
	[VIRTGPU_GEM_IMPORTED] = "imported",
	[VIRTGPU_GEM_HOST3D] = "host",
};

static void virtgpu_fdinfo_add(struct drm_memory_stats *stats, struct drm_gem_object *obj)
{
	enum virtgpu_gem_region region = virtgpu_gem_region(to_virtgpu_gem(obj));
	struct drm_memory_stats *s = &stats[region];

	if (region == VIRTGPU_GEM_IMPORTED || drm_gem_object_is_shared_for_memory_stats(obj))
		s->shared += obj->size;
	else
		s->private += obj->size;

	/* Active memory is a subset of resident memory. */
	if (!(obj->funcs->status(obj) & DRM_GEM_OBJECT_RESIDENT))
		return;
	s->resident += obj->size;
	if (!dma_resv_test_signaled(obj->resv, dma_resv_usage_rw(true)))
		s->active += obj->size;
}

/**
 * virtgpu_fdinfo_show() - Implement &drm_driver.show_fdinfo
 * @p: the printer
 * @file: the open file
 *
 * Context: May sleep.
 */
void virtgpu_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	struct device *parent = to_virtgpu(file->minor->dev)->backings.dev;
	struct drm_memory_stats stats[VIRTGPU_GEM_NUM_REGIONS] = { };
	struct drm_gem_object *obj;
	unsigned int i;
	int id;

	/* DRM core does not print drm-pdev for virtio devices behind PCI. */
	if (dev_is_pci(parent))
		drm_printf(p, "drm-pdev:\t%s\n", dev_name(parent));

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id)
		virtgpu_fdinfo_add(stats, obj);
	spin_unlock(&file->table_lock);

	for (i = 0; i < VIRTGPU_GEM_NUM_REGIONS; i++)
		drm_print_memory_stats(p, &stats[i], FDINFO_STATUS, fdinfo_regions[i]);
}
