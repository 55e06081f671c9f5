/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_SUBMIT_H
#define VIRTGPU_SUBMIT_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct virtgpu_device;
struct virtgpu_mem_entries;

struct virtgpu_mem_entries *virtgpu_cmdbuf_from_user(struct virtgpu_device *vgdev, u64 addr,
						     u32 size);
int virtgpu_ioctl_execbuffer(struct drm_device *dev, void *data, struct drm_file *file);

#endif
