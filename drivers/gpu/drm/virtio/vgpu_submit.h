/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_SUBMIT_H
#define VGPU_SUBMIT_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct vgpu_entries;
struct vgpu_queue;

struct vgpu_entries *vgpu_stream_from_user(struct vgpu_queue *q, u64 addr, u32 size);
int vgpu_submit_ioctl(struct drm_device *dev, void *data, struct drm_file *file);

#endif
