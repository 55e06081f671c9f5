/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_IMAGE_H
#define VGPU_IMAGE_H

#include <linux/iosys-map.h>
#include <linux/types.h>

struct drm_plane_state;
struct virtgpu_gem;

/**
 * struct vgpu_image - a cursor's picture in the size that hosts take
 * @gem: the buffer that it is copied to, or NULL if the framebuffer does as it is
 * @from: the framebuffer's memory, until it was copied
 * @to: the memory of @gem, likewise
 */
struct vgpu_image {
	struct virtgpu_gem *gem;
	struct iosys_map from;
	struct iosys_map to;
};

bool vgpu_image_equal(const struct drm_plane_state *old, const struct drm_plane_state *new);
int vgpu_image_check(const struct drm_plane_state *state);
int vgpu_image_prepare(struct vgpu_image *img, const struct drm_plane_state *state);
void vgpu_image_share(struct vgpu_image *img, const struct vgpu_image *shown);
void vgpu_image_draw(struct vgpu_image *img, const struct drm_plane_state *state);
void vgpu_image_release(struct vgpu_image *img);

#endif
