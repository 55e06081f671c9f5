/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_IOCTL_3D_H
#define VIRTGPU_IOCTL_3D_H

struct drm_device;
struct drm_file;
struct drm_virtgpu_3d_transfer_to_host;
struct virtgpu_device;

int virtgpu_ioctl_get_caps(struct drm_device *dev, void *data, struct drm_file *file);
int virtgpu_ioctl_context_init(struct drm_device *dev, void *data, struct drm_file *file);
int virtgpu_ioctl_transfer_from_host(struct drm_device *dev, void *data,
				     struct drm_file *file);
int virtgpu_transfer_to_host_3d(struct virtgpu_device *vgdev, struct drm_file *file,
				const struct drm_virtgpu_3d_transfer_to_host *args);

#endif
