/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_DEBUGFS_H
#define VIRTGPU_DEBUGFS_H

struct drm_minor;

void virtgpu_debugfs_init(struct drm_minor *minor);

#endif
