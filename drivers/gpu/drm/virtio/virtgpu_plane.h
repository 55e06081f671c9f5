/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_PLANE_H
#define VIRTGPU_PLANE_H

#include <linux/ktime.h>
#include <drm/drm_plane.h>

#include "virtgpu_copy.h"
#include "virtgpu_cursor.h"
#include "virtgpu_damage.h"

struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_output;
struct virtgpu_plane_desc;
struct virtgpu_resource;

/**
 * struct virtgpu_plane - A primary or cursor plane
 * @base: DRM plane
 * @out: the output of the plane
 * @desc: properties of the type of the plane
 */
struct virtgpu_plane {
	struct drm_plane base;
	struct virtgpu_output *out;
	const struct virtgpu_plane_desc *desc;
};

/**
 * struct virtgpu_plane_state - State of a plane and the messages to show it
 * @base: DRM plane state
 * @shadow: shadow of a cursor, from prepare_fb to cleanup_fb
 * @copy: copy of a buffer that the host cannot access, from prepare_fb to
 *	cleanup_fb
 * @res: resource to show; referenced and, if it is imported, pinned from
 *	prepare_fb to cleanup_fb
 * @transfers: messages reserved for TRANSFER_TO_HOST_2D
 * @num_transfers: number of @transfers that are left
 * @set_scanout: message reserved for SET_SCANOUT(_BLOB), or NULL
 * @flush: message reserved for RESOURCE_FLUSH, or NULL
 * @commit_time: start of the commit
 */
struct virtgpu_plane_state {
	struct drm_plane_state base;
	struct virtgpu_cursor_shadow shadow;
	struct virtgpu_copy copy;
	struct virtgpu_resource *res;
	struct virtgpu_msg *transfers[VIRTGPU_DAMAGE_RECTS];
	unsigned int num_transfers;
	struct virtgpu_msg *set_scanout;
	struct virtgpu_msg *flush;
	ktime_t commit_time;
};

static inline struct virtgpu_plane_state *to_virtgpu_plane_state(struct drm_plane_state *s)
{
	return container_of(s, struct virtgpu_plane_state, base);
}

struct drm_plane *virtgpu_plane_create(struct virtgpu_output *out, enum drm_plane_type type);
void virtgpu_plane_disable_scanout(struct virtgpu_output *out, struct drm_plane_state *state);
void virtgpu_plane_put_buffer(struct virtgpu_gem *gem, struct virtgpu_resource *res);

#endif
