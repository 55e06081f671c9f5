/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_KMS_H
#define VIRTGPU_KMS_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct drm_property;
struct virtgpu_device;
struct virtgpu_display_query;
struct virtgpu_output;

/**
 * struct virtgpu_kms - the outputs of a device
 * @lock: protects what the outputs know of the host's wishes
 * @outputs: one for each scanout, in their order
 * @count: how many; 0 for a device or a build without a display
 * @info_dirty: the host's last change is not known yet
 * @config_work: asks the host what has changed
 * @query: on its way to the host, or NULL; of @config_work
 * @skipped: &virtgpu_vq.skipped when @config_work was started because of it
 * @commit_wq: the workqueue of commits, which all devices share
 * @fallback_work: shows a buffer again that the host refused
 * @mode_update: the connector property that tells compositors to follow the host's
 *	wishes
 */
struct virtgpu_kms {
	struct mutex lock; /* virtgpu_output.info */
	struct virtgpu_output *outputs;
	unsigned int count;
	bool info_dirty;
	struct delayed_work config_work;
	struct virtgpu_display_query *query;
	unsigned int skipped;
	struct workqueue_struct *commit_wq;
	struct work_struct fallback_work;
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
