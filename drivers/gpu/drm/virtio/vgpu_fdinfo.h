/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_FDINFO_H
#define VGPU_FDINFO_H

struct drm_file;
struct drm_printer;

void vgpu_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif
