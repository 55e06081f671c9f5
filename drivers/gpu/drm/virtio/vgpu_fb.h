/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_FB_H
#define VGPU_FB_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_format_info;
struct drm_framebuffer;
struct drm_mode_fb_cmd2;
struct drm_rect;
struct virtgpu_2d_layout;

/* What a framebuffer may measure; the host may yet refuse less. */
#define VGPU_FB_MAX	16384

/* The smallest picture that QEMU takes for a scanout. */
#define VGPU_SCANOUT_MIN 16

extern const u32 vgpu_primary_formats[];
extern const unsigned int vgpu_primary_format_count;
extern const u32 vgpu_cursor_formats[];
extern const unsigned int vgpu_cursor_format_count;
extern const u64 vgpu_modifiers[];

u32 vgpu_host_format(u32 fourcc);
u64 vgpu_fb_offset(u32 base, u32 pitch, const struct drm_rect *r);
void vgpu_fb_surface_key(const struct drm_framebuffer *fb,
			 struct virtgpu_2d_layout *key);
struct drm_framebuffer *vgpu_fb_create(struct drm_device *dev,
				       struct drm_file *file,
				       const struct drm_format_info *info,
				       const struct drm_mode_fb_cmd2 *cmd);

#endif
