/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_DISPLAY_H
#define VGPU_DISPLAY_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct drm_property;
struct vgpu_device;
struct vgpu_display_query;
struct vgpu_output;

/**
 * struct vgpu_display - the outputs of a device
 * @lock: protects what the outputs know of the host's wishes
 * @outputs: one for each scanout, in their order
 * @count: how many; 0 for a device or a build without a display
 * @stale: the host's last change is not known yet
 * @changed: asks the host what has changed
 * @query: on its way to the host, or NULL; of @changed
 * @lost: &virtgpu_vq.skipped when @changed was started because of it
 * @repair: shows a buffer again that the host refused
 * @mode_update: the connector property that tells compositors to follow the host's
 *	wishes
 */
struct vgpu_display {
	struct mutex lock; /* vgpu_output.info */
	struct vgpu_output *outputs;
	unsigned int count;
	bool stale;
	struct delayed_work changed;
	struct vgpu_display_query *query;
	unsigned int lost;
	struct work_struct repair;
	struct drm_property *mode_update;
};

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
int vgpu_display_init(struct vgpu_device *vgpu);
int vgpu_display_start(struct vgpu_device *vgpu);
void vgpu_display_changed(struct vgpu_device *vgpu);
int vgpu_display_suspend(struct vgpu_device *vgpu);
void vgpu_display_resume(struct vgpu_device *vgpu);
void vgpu_display_stop(struct vgpu_device *vgpu);
void vgpu_display_tick(struct vgpu_device *vgpu);
#else
static inline int vgpu_display_init(struct vgpu_device *vgpu)
{
	return 0;
}

static inline int vgpu_display_start(struct vgpu_device *vgpu)
{
	return 0;
}

static inline void vgpu_display_changed(struct vgpu_device *vgpu)
{
}

static inline int vgpu_display_suspend(struct vgpu_device *vgpu)
{
	return 0;
}

static inline int vgpu_display_resume(struct vgpu_device *vgpu)
{
	return 0;
}

static inline void vgpu_display_stop(struct vgpu_device *vgpu)
{
}

static inline void vgpu_display_tick(struct vgpu_device *vgpu)
{
}
#endif

#endif
