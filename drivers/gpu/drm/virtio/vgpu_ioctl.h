/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_IOCTL_H
#define VGPU_IOCTL_H

#include <drm/drm_ioctl.h>
#include <uapi/drm/virtgpu_drm.h>

#define VGPU_IOCTL_COUNT (DRM_VIRTGPU_CONTEXT_INIT + 1)

extern const struct drm_ioctl_desc vgpu_ioctls[VGPU_IOCTL_COUNT];

#endif
