/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CURSOR_H
#define VIRTGPU_CURSOR_H

#include <linux/iosys-map.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_cmd.h"

struct drm_plane_state;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;

/* The one size that every host takes. */
#define VIRTGPU_CURSOR_SIZE 64

/**
 * struct virtgpu_cursor - the host's cursor on one output
 * @lock: protects all below; inside it only the queue's lock
 * @queue: the cursor queue
 * @ctrl: the control queue, for images
 * @msg: the one message, sent again and again
 * @busy: @msg is the device's
 * @loading: an image is on its way to the host
 * @next: the transfer of the image that replaces it, or NULL
 * @want: what is to be shown
 * @want_image: counts the images that were wanted
 * @sent: what @msg said last
 * @sent_image: likewise
 */
struct virtgpu_cursor {
	spinlock_t lock; /* all below; inside it only the queue's */
	struct virtgpu_vq *queue;
	struct virtgpu_vq *ctrl;
	struct virtgpu_msg *msg;
	bool busy;
	bool loading;
	struct virtgpu_msg *next;
	struct virtgpu_cmd_cursor want;
	unsigned int want_image;
	struct virtgpu_cmd_cursor sent;
	unsigned int sent_image;
};

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

int virtgpu_cursor_init(struct virtgpu_cursor *c, struct virtgpu_vq *queue,
			struct virtgpu_vq *ctrl, unsigned int scanout);
void virtgpu_cursor_fini(struct virtgpu_cursor *c);
void virtgpu_cursor_set(struct virtgpu_cursor *c, const struct virtgpu_cmd_cursor *want,
			bool new_image);
void virtgpu_cursor_hide(struct virtgpu_cursor *c);
void virtgpu_cursor_upload(struct virtgpu_cursor *c, struct virtgpu_msg *transfer);

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
