/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CURSOR_H
#define VIRTGPU_CURSOR_H

#include <linux/iosys-map.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_cmd.h"

struct drm_plane_state;
struct virtgpu_device;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;

/* The only size in pixels that all hosts support. */
#define VIRTGPU_CURSOR_SIZE 64

/**
 * struct virtgpu_cursor - Cursor of an output
 * @lock: protects the members below; outside the lock of @queue
 * @queue: the cursor queue
 * @ctrl: the control queue, for transfers of images
 * @msg: the message that is reused for each command
 * @busy: @msg is in flight
 * @uploading: a transfer is in flight
 * @next_upload: transfer that is queued next, or NULL
 * @pending: parameters of the next command
 * @pending_gen: generation of the image of @pending
 * @queued: parameters of the last command
 * @queued_gen: generation of the image of @queued
 * @blank: ID of a resource with a transparent image, or 0
 * @blank_res: the resource that becomes @blank when its transfer completes
 * @blank_gem: buffer of the transparent image, or NULL; protected by the lock
 *	of the plane
 */
struct virtgpu_cursor {
	spinlock_t lock; /* members below; outside the lock of @queue */
	struct virtgpu_vq *queue;
	struct virtgpu_vq *ctrl;
	struct virtgpu_msg *msg;
	bool busy;
	bool uploading;
	struct virtgpu_msg *next_upload;
	struct virtgpu_cmd_cursor pending;
	unsigned int pending_gen;
	struct virtgpu_cmd_cursor queued;
	unsigned int queued_gen;
	u32 blank;
	u32 blank_res;
	struct virtgpu_gem *blank_gem;
};

/**
 * struct virtgpu_cursor_shadow - Copy of a cursor image in VIRTGPU_CURSOR_SIZE
 * @gem: buffer with the copy, or NULL if the framebuffer is used directly
 * @from: mapping of the framebuffer, until the image was copied
 * @to: mapping of @gem, until the image was copied
 */
struct virtgpu_cursor_shadow {
	struct virtgpu_gem *gem;
	struct iosys_map from;
	struct iosys_map to;
};

int virtgpu_cursor_init(struct virtgpu_cursor *c, struct virtgpu_vq *queue,
			struct virtgpu_vq *ctrl, unsigned int scanout);
void virtgpu_cursor_fini(struct virtgpu_cursor *c);
void virtgpu_cursor_set(struct virtgpu_cursor *c, const struct virtgpu_cmd_cursor *cursor,
			bool image_changed);
void virtgpu_cursor_hide(struct virtgpu_cursor *c);
void virtgpu_cursor_prepare_blank(struct virtgpu_cursor *c, struct virtgpu_device *vgdev);
void virtgpu_cursor_upload(struct virtgpu_cursor *c, struct virtgpu_msg *transfer);

bool virtgpu_cursor_needs_upload(const struct drm_plane_state *old,
				 const struct drm_plane_state *new);
int virtgpu_cursor_shadow_check(const struct drm_plane_state *state);
int virtgpu_cursor_shadow_prepare(struct virtgpu_cursor_shadow *shadow,
				  const struct drm_plane_state *state);
void virtgpu_cursor_shadow_get(struct virtgpu_cursor_shadow *shadow,
			       const struct virtgpu_cursor_shadow *old);
void virtgpu_cursor_shadow_copy(struct virtgpu_cursor_shadow *shadow,
				const struct drm_plane_state *state);
void virtgpu_cursor_shadow_release(struct virtgpu_cursor_shadow *shadow);

#endif
