/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_KMS_H
#define VIRTGPU_KMS_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "virtgpu_panic.h"

struct drm_property;
struct virtgpu_device;
struct virtgpu_display_query;
struct virtgpu_output;

/**
 * struct virtgpu_kms - Outputs of a device
 * @lock: protects &virtgpu_output.info
 * @outputs: array of outputs, one for each scanout
 * @count: number of @outputs; 0 without scanouts or without modesetting support
 * @info_dirty: the display info is older than the last event
 * @suspending: the outputs are being disabled, so frames wait for no rendering
 * @config_work: queries the display info
 * @query: query in flight, or NULL; belongs to @config_work
 * @skipped: value of &virtgpu_vq.skipped when @config_work last checked @query
 * @commit_wq: workqueue of commits, shared by all devices
 * @fallback_work: shows a 2D resource instead of a rejected blob
 * @panic: spare resource for the panic screen
 * @mode_update: connector property that makes compositors follow the preferred
 *	mode of the host
 */
struct virtgpu_kms {
	struct mutex lock; /* virtgpu_output.info */
	struct virtgpu_output *outputs;
	unsigned int count;
	bool info_dirty;
	bool suspending;
	struct delayed_work config_work;
	struct virtgpu_display_query *query;
	unsigned int skipped;
	struct workqueue_struct *commit_wq;
	struct work_struct fallback_work;
	struct virtgpu_panic panic;
	struct drm_property *mode_update;
};

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
int virtgpu_kms_init(struct virtgpu_device *vgdev);
int virtgpu_kms_start(struct virtgpu_device *vgdev);
void virtgpu_kms_config_changed(struct virtgpu_device *vgdev);
int virtgpu_kms_suspend(struct virtgpu_device *vgdev);
void virtgpu_kms_resume(struct virtgpu_device *vgdev);
void virtgpu_kms_stop(struct virtgpu_device *vgdev);
void virtgpu_kms_tick(struct virtgpu_device *vgdev);
#else
static inline int virtgpu_kms_init(struct virtgpu_device *vgdev)
{
	return 0;
}

static inline int virtgpu_kms_start(struct virtgpu_device *vgdev)
{
	return 0;
}

static inline void virtgpu_kms_config_changed(struct virtgpu_device *vgdev)
{
}

static inline int virtgpu_kms_suspend(struct virtgpu_device *vgdev)
{
	return 0;
}

static inline void virtgpu_kms_resume(struct virtgpu_device *vgdev)
{
}

static inline void virtgpu_kms_stop(struct virtgpu_device *vgdev)
{
}

static inline void virtgpu_kms_tick(struct virtgpu_device *vgdev)
{
}
#endif

#endif
