/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_COMMIT_H
#define VGPU_COMMIT_H

#include <linux/types.h>

struct drm_atomic_commit;
struct drm_device;
struct work_struct;

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
int vgpu_commits_init(void);
void vgpu_commits_exit(void);
#else
static inline int vgpu_commits_init(void)
{
	return 0;
}

static inline void vgpu_commits_exit(void)
{
}
#endif

void vgpu_commits_flush(void);
void vgpu_commits_queue(struct work_struct *work);

int vgpu_atomic_commit(struct drm_device *dev, struct drm_atomic_commit *state,
		       bool nonblock);

#endif
