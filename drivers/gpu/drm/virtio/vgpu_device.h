/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_DEVICE_H
#define VGPU_DEVICE_H

#include <drm/drm_device.h>

#include "virtgpu_capset.h"
#include "virtgpu_context.h"
#include "virtgpu_kms.h"
#include "virtgpu_features.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_backing.h"
#include "virtgpu_vq.h"
#include "virtgpu_resource.h"

struct virtio_device;

/**
 * struct vgpu_counters - rare events, for debugfs
 * @fallbacks: blobs that were replaced by a surface
 * @move_waits: moves of a buffer that had to wait for the host
 */
struct vgpu_counters {
	atomic_t fallbacks;
	atomic_t move_waits;
};

/**
 * struct vgpu_device - one virtio-gpu device
 * @drm: the DRM device
 * @vdev: the virtio device; unusable once the queues are stopped
 * @features: what was negotiated
 * @ctrl: control queue
 * @cursor: cursor queue
 * @memory: memory that the device is told about
 * @resources: what the host knows by a number
 * @capsets: what the host's renderers can do
 * @contexts: what programs have on the host
 * @hostmem: the window to the host's memory
 * @display: outputs
 * @counters: rare events
 *
 * Only the front (ioctls, KMS, debugfs) and the glue know this struct; lower
 * layers are given the member that they work on.
 */
struct vgpu_device {
	struct drm_device drm;
	struct virtio_device *vdev;
	struct virtgpu_features features;
	struct virtgpu_vq ctrl;
	struct virtgpu_vq cursor;
	struct virtgpu_backing_mgr memory;
	struct virtgpu_resource_mgr resources;
	struct virtgpu_capsets capsets;
	struct virtgpu_context_mgr contexts;
	struct virtgpu_host_visible hostmem;
	struct virtgpu_kms display;
	struct vgpu_counters counters;
};

static inline struct vgpu_device *to_vgpu(struct drm_device *drm)
{
	return container_of(drm, struct vgpu_device, drm);
}

#endif
