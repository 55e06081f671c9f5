/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_DAMAGE_H
#define VIRTGPU_DAMAGE_H

#include <linux/types.h>
#include <drm/drm_rect.h>

struct drm_plane_state;

/* Compositors use two to four buffers, so the copy of one is recent. */
#define VIRTGPU_DAMAGE_FRAMES 8

/* Each rectangle takes a TRANSFER_TO_HOST_2D. */
#define VIRTGPU_DAMAGE_RECTS 4

/**
 * struct virtgpu_damage_rects - Rectangles that may overlap
 * @count: number of @rects
 * @rects: in pixels of the framebuffer, none of them empty
 */
struct virtgpu_damage_rects {
	unsigned int count;
	struct drm_rect rects[VIRTGPU_DAMAGE_RECTS];
};

/**
 * struct virtgpu_damage - Damage of the last frames of an output
 * @seq: number of frames so far
 * @frames: the last frames, frame @seq at index @seq % VIRTGPU_DAMAGE_FRAMES
 * @frames.resource: resource with a copy that was made equal to the frame, or 0
 * @frames.rects: difference from the frame before
 */
struct virtgpu_damage {
	u64 seq;
	struct {
		u32 resource;
		struct virtgpu_damage_rects rects;
	} frames[VIRTGPU_DAMAGE_FRAMES];
};

const struct virtgpu_damage_rects *virtgpu_damage_add(struct virtgpu_damage *d,
						      const struct drm_plane_state *old,
						      const struct drm_plane_state *new);
void virtgpu_damage_copied(struct virtgpu_damage *d, u64 seq, u32 resource);
bool virtgpu_damage_since(const struct virtgpu_damage *d, u32 resource,
			  struct virtgpu_damage_rects *rects);
void virtgpu_damage_bounds(const struct virtgpu_damage_rects *rects, struct drm_rect *bounds);

#endif
