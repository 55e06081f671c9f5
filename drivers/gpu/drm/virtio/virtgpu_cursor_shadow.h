/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CURSOR_SHADOW_H
#define VIRTGPU_CURSOR_SHADOW_H

#include <linux/iosys-map.h>
#include <linux/types.h>

struct drm_plane_state;
struct virtgpu_gem;

/**
 * struct virtgpu_cursor_shadow - a cursor's picture in the size that hosts take
 * @gem: the buffer that it is copied to, or NULL if the framebuffer does as it is
 * @from: the framebuffer's memory, until it was copied
 * @to: the memory of @gem, likewise
 */
struct virtgpu_cursor_shadow {
	struct virtgpu_gem *gem;
	struct iosys_map from;
	struct iosys_map to;
};

bool virtgpu_cursor_shadow_equal(const struct drm_plane_state *old,
				 const struct drm_plane_state *new);
int virtgpu_cursor_shadow_check(const struct drm_plane_state *state);
int virtgpu_cursor_shadow_prepare(struct virtgpu_cursor_shadow *img,
				  const struct drm_plane_state *state);
void virtgpu_cursor_shadow_get(struct virtgpu_cursor_shadow *img,
			       const struct virtgpu_cursor_shadow *shown);
void virtgpu_cursor_shadow_copy(struct virtgpu_cursor_shadow *img,
				const struct drm_plane_state *state);
void virtgpu_cursor_shadow_release(struct virtgpu_cursor_shadow *img);

#endif
