/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_DEVICE_H
#define VIRTGPU_DEVICE_H

#include <drm/drm_device.h>

#include "virtgpu_backing.h"
#include "virtgpu_capset.h"
#include "virtgpu_context.h"
#include "virtgpu_features.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_import_cache.h"
#include "virtgpu_kms.h"
#include "virtgpu_resource.h"
#include "virtgpu_vq.h"

struct virtio_device;

/**
 * struct virtgpu_counters - Rare events, for debugfs
 * @blob_fallbacks: blob resources that were replaced by 2D resources
 * @moves_to_ram: imported buffers that were moved to guest RAM, because the
 *	host rejects memory of other devices
 * @copied_imports: imported buffers that the CPU copies, because the host
 *	cannot access them and their exporter cannot move them
 * @invalidate_waits: invalidations of imported buffers that waited for the host
 * @reused_imports: imports for which the import cache had the buffer
 */
struct virtgpu_counters {
	atomic_t blob_fallbacks;
	atomic_t moves_to_ram;
	atomic_t copied_imports;
	atomic_t invalidate_waits;
	atomic_t reused_imports;
};

/**
 * struct virtgpu_device - A virtio-gpu device
 * @drm: the DRM device
 * @vdev: the virtio device; must not be used after the queues were stopped
 * @features: negotiated features and limits of the device
 * @gem_funcs: functions of GEM objects
 * @ctrl: control queue
 * @cursor: cursor queue
 * @backings: backing pages that the device may access
 * @resources: resources of the device
 * @imports: recent imports
 * @capsets: capability sets of the host's renderers
 * @contexts: rendering contexts
 * @host_visible: host-visible region
 * @kms: outputs
 * @peer2peer_rejected: the host has rejected memory of another device
 * @counters: rare events
 *
 * Only the UAPI and KMS entry points, debugfs, GEM, and the probe and remove
 * code use this struct.  Lower layers are passed the member that they work on.
 */
struct virtgpu_device {
	struct drm_device drm;
	struct virtio_device *vdev;
	struct virtgpu_features features;
	const struct drm_gem_object_funcs *gem_funcs;
	struct virtgpu_vq ctrl;
	struct virtgpu_vq cursor;
	struct virtgpu_backing_mgr backings;
	struct virtgpu_resource_mgr resources;
	struct virtgpu_import_cache imports;
	struct virtgpu_capsets capsets;
	struct virtgpu_context_mgr contexts;
	struct virtgpu_host_visible host_visible;
	struct virtgpu_kms kms;
	bool peer2peer_rejected;
	struct virtgpu_counters counters;
};

static inline struct virtgpu_device *to_virtgpu(struct drm_device *drm)
{
	return container_of(drm, struct virtgpu_device, drm);
}

#endif
