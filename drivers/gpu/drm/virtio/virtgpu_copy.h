/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_COPY_H
#define VIRTGPU_COPY_H

#include <linux/iosys-map.h>

struct drm_plane_state;
struct virtgpu_damage_rects;
struct virtgpu_gem;

/**
 * struct virtgpu_copy - Copy of an imported buffer that the host cannot access
 * @gem: buffer with the copy, or NULL if the framebuffer is used directly
 * @from: mapping of the imported buffer
 * @to: mapping of @gem
 */
struct virtgpu_copy {
	struct virtgpu_gem *gem;
	struct iosys_map from;
	struct iosys_map to;
};

int virtgpu_copy_prepare(struct virtgpu_copy *copy, const struct drm_plane_state *state);
void virtgpu_copy_update(struct virtgpu_copy *copy, const struct drm_plane_state *state,
			 const struct virtgpu_damage_rects *rects);
void virtgpu_copy_release(struct virtgpu_copy *copy, const struct drm_plane_state *state);

#endif
