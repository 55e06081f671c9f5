/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FB_H
#define VIRTGPU_FB_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_format_info;
struct drm_framebuffer;
struct drm_mode_fb_cmd2;
struct drm_rect;
struct virtgpu_2d_layout;

/*
 * Maximum width and height of a framebuffer; the host may have a lower limit.
 */
#define VIRTGPU_FB_MAX	16384

/* Minimum width and height of a scanout in QEMU. */
#define VIRTGPU_SCANOUT_MIN 16

#ifdef __BIG_ENDIAN
#define VIRTGPU_NUM_PRIMARY_FORMATS 6
#else
#define VIRTGPU_NUM_PRIMARY_FORMATS 4
#endif

extern const u32 virtgpu_primary_formats[VIRTGPU_NUM_PRIMARY_FORMATS];
extern const u32 virtgpu_cursor_formats[1];
extern const u64 virtgpu_modifiers[];

u32 virtgpu_fb_host_format(u32 fourcc);
u64 virtgpu_fb_offset(u32 base, u32 pitch, const struct drm_rect *r);
void virtgpu_fb_get_layout(const struct drm_framebuffer *fb,
			   struct virtgpu_2d_layout *layout);
struct drm_framebuffer *virtgpu_fb_create(struct drm_device *dev,
					  struct drm_file *file,
					  const struct drm_format_info *info,
					  const struct drm_mode_fb_cmd2 *cmd);

#endif
