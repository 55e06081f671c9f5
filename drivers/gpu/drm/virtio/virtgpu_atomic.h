/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_ATOMIC_H
#define VIRTGPU_ATOMIC_H

#include <linux/types.h>

struct drm_atomic_commit;
struct drm_device;
struct workqueue_struct;

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
int virtgpu_atomic_init(void);
void virtgpu_atomic_exit(void);
#else
static inline int virtgpu_atomic_init(void)
{
	return 0;
}

static inline void virtgpu_atomic_exit(void)
{
}
#endif

void virtgpu_atomic_flush_works(void);
struct workqueue_struct *virtgpu_atomic_workqueue(void);

int virtgpu_atomic_commit(struct drm_device *dev, struct drm_atomic_commit *state,
			  bool nonblock);

#endif
