// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/string.h>
#include <linux/vmalloc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_plane.h>
#include <drm/drm_print.h>

#include "virtgpu_cursor.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_cursor_shadow.h"

/**
 * DOC: cursor images
 *
 * A cursor has one size for the host, and some hosts ignore others without a word.
 * A smaller picture, or one that is a part of its framebuffer, is therefore copied
 * to a buffer of that size with nothing around it.  prepare_fb finds the memory, the
 * update copies; moves keep the copy that there is.
 */

#define IMAGE_PITCH (VIRTGPU_CURSOR_SIZE * 4)

static struct virtgpu_gem *virtgpu_cursor_shadow_gem(const struct drm_plane_state *state)
{
	return to_virtgpu_gem(state->fb->obj[0]);
}

static bool virtgpu_cursor_shadow_fits(const struct drm_plane_state *state)
{
	return !state->src_x && !state->src_y &&
	       state->src_w >> 16 == VIRTGPU_CURSOR_SIZE &&
	       state->src_h >> 16 == VIRTGPU_CURSOR_SIZE &&
	       state->fb->pitches[0] == IMAGE_PITCH;
}

/**
 * virtgpu_cursor_shadow_equal - does a cursor stay the same, apart from its place?
 * @old: the state before
 * @new: the state after
 *
 * Return: true if nothing has to be brought to the host.
 */
bool virtgpu_cursor_shadow_equal(const struct drm_plane_state *old,
				 const struct drm_plane_state *new)
{
	return old->fb == new->fb && old->src_x == new->src_x && old->src_y == new->src_y &&
	       old->src_w == new->src_w && old->src_h == new->src_h &&
	       !drm_plane_get_damage_clips_count(new);
}

/**
 * virtgpu_cursor_shadow_check - can this be a cursor?
 * @state: the new state, with a framebuffer
 *
 * Return: 0; -EINVAL if it is too large, or would have to be copied from another
 * device's buffer or from one that the host renders to.
 */
int virtgpu_cursor_shadow_check(const struct drm_plane_state *state)
{
	const struct virtgpu_gem *gem = virtgpu_cursor_shadow_gem(state);

	if (state->src_w >> 16 > VIRTGPU_CURSOR_SIZE || state->src_h >> 16 > VIRTGPU_CURSOR_SIZE ||
	    (!virtgpu_cursor_shadow_fits(state) && (gem->import || gem->host3d_res))) {
		drm_dbg_kms(state->plane->dev, "a cursor is %u x %u, or less in a buffer of ours\n",
			    VIRTGPU_CURSOR_SIZE, VIRTGPU_CURSOR_SIZE);
		return -EINVAL;
	}

	return 0;
}

/**
 * virtgpu_cursor_shadow_prepare - find the memory for a cursor
 * @img: zeroed
 * @state: a checked state, with a framebuffer
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM, with something to release either way.
 */
int virtgpu_cursor_shadow_prepare(struct virtgpu_cursor_shadow *img,
				  const struct drm_plane_state *state)
{
	struct virtgpu_gem *gem;
	int ret;

	if (virtgpu_cursor_shadow_fits(state))
		return 0;

	gem = virtgpu_gem_create(to_virtgpu(state->plane->dev), IMAGE_PITCH * VIRTGPU_CURSOR_SIZE);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	img->gem = gem;
	ret = virtgpu_pages_vmap(gem->pages, &img->to);
	if (ret)
		return ret;

	return virtgpu_pages_vmap(virtgpu_cursor_shadow_gem(state)->pages, &img->from);
}

/**
 * virtgpu_cursor_shadow_get - show the same copy again
 * @img: zeroed
 * @shown: the image before, of an equal state
 */
void virtgpu_cursor_shadow_get(struct virtgpu_cursor_shadow *img,
			       const struct virtgpu_cursor_shadow *shown)
{
	drm_gem_object_get(&shown->gem->base);
	img->gem = shown->gem;
}

static void virtgpu_cursor_shadow_unmap(struct virtgpu_cursor_shadow *img)
{
	vunmap(img->from.vaddr);
	vunmap(img->to.vaddr);
	iosys_map_clear(&img->from);
	iosys_map_clear(&img->to);
}

/**
 * virtgpu_cursor_shadow_copy - copy the picture, if that was not done yet
 * @img: a prepared image
 * @state: what it was prepared for
 *
 * Context: may sleep.
 */
void virtgpu_cursor_shadow_copy(struct virtgpu_cursor_shadow *img,
				const struct drm_plane_state *state)
{
	const struct drm_framebuffer *fb = state->fb;
	unsigned int width = state->src_w >> 16, height = state->src_h >> 16, y;
	size_t start;

	if (iosys_map_is_null(&img->from))
		return;

	start = fb->offsets[0] + (size_t)(state->src_y >> 16) * fb->pitches[0] +
		(state->src_x >> 16) * 4;
	for (y = 0; y < height; y++)
		memcpy(img->to.vaddr + y * IMAGE_PITCH,
		       img->from.vaddr + start + y * fb->pitches[0], width * 4);
	virtgpu_cursor_shadow_unmap(img);
}

/**
 * virtgpu_cursor_shadow_release - undo virtgpu_cursor_shadow_prepare() or virtgpu_cursor_shadow_get()
 * @img: the image; zeroed
 *
 * Context: may sleep.
 */
void virtgpu_cursor_shadow_release(struct virtgpu_cursor_shadow *img)
{
	virtgpu_cursor_shadow_unmap(img);
	if (img->gem)
		drm_gem_object_put(&img->gem->base);
	img->gem = NULL;
}
