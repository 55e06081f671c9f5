/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_DEBUGFS_H
#define VGPU_DEBUGFS_H

struct drm_minor;

void vgpu_debugfs_init(struct drm_minor *minor);

#endif
