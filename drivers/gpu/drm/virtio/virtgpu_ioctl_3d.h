/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_IOCTL_3D_H
#define VIRTGPU_IOCTL_3D_H

struct drm_device;
struct drm_file;

int virtgpu_ioctl_get_caps(struct drm_device *dev, void *data, struct drm_file *file);
int virtgpu_ioctl_context_init(struct drm_device *dev, void *data, struct drm_file *file);
int virtgpu_ioctl_transfer_to_host(struct drm_device *dev, void *data, struct drm_file *file);
int virtgpu_ioctl_transfer_from_host(struct drm_device *dev, void *data,
				     struct drm_file *file);

#endif
