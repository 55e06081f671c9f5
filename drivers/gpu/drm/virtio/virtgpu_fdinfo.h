/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FDINFO_H
#define VIRTGPU_FDINFO_H

struct drm_file;
struct drm_printer;

void virtgpu_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif
