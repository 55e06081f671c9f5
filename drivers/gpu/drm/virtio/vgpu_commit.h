/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_COMMIT_H
#define VGPU_COMMIT_H

#include <linux/types.h>

struct drm_atomic_commit;
struct drm_device;
struct vgpu_commit;

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

int vgpu_atomic_commit(struct drm_device *dev, struct drm_atomic_commit *state,
		       bool nonblock);
struct drm_atomic_commit *vgpu_atomic_state_alloc(struct drm_device *dev);
void vgpu_atomic_state_free(struct drm_atomic_commit *state);

struct vgpu_commit *vgpu_commit_get(struct drm_atomic_commit *state);
void vgpu_commit_put(struct vgpu_commit *c);

#endif
