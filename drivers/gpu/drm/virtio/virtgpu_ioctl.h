/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_IOCTL_H
#define VIRTGPU_IOCTL_H

#include <drm/drm_ioctl.h>
#include <uapi/drm/virtgpu_drm.h>

/* PIPE_TEXTURE_2D of Gallium, for drm_virtgpu_resource_create.target. */
#define VIRTGPU_PIPE_TEXTURE_2D 2

#define VIRTGPU_NUM_IOCTLS (DRM_VIRTGPU_CONTEXT_INIT + 1)

extern const struct drm_ioctl_desc virtgpu_ioctls[VIRTGPU_NUM_IOCTLS];

#endif
