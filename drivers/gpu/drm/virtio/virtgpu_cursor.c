// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_plane.h>
#include <drm/drm_print.h>

#include "virtgpu_cursor.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: cursor
 *
 * There is one message for each cursor.  While the device has it, further changes
 * only replace what is wanted; when it comes back the last of them is sent.  So a
 * host that is slow, or never takes anything from its cursor queue, costs nothing
 * but the cursor.  An image is announced once its transfer on the other queue was
 * answered; of the images that come in the meantime the last one is transferred next.
 *
 * A cursor has one size for the host, and some hosts ignore others without a word.
 * A smaller picture, or one that is a part of its framebuffer, is therefore copied
 * to a buffer of that size with nothing around it.  prepare_fb finds the memory, the
 * update copies; moves keep the copy that there is.
 */

#define VIRTGPU_CURSOR_PITCH (VIRTGPU_CURSOR_SIZE * 4)

/*
 * Commands
 */

/* Under the lock.  Returns true if the message was filled, to be sent after it. */
static bool virtgpu_cursor_prepare(struct virtgpu_cursor *c)
{
	if (c->busy || c->loading)
		return false;
	if (c->want_image == c->sent_image &&
	    !memcmp(&c->want, &c->sent, sizeof(c->want)))
		return false;

	virtgpu_msg_reinit(c->msg);
	if (c->want_image != c->sent_image || c->want.resource != c->sent.resource)
		virtgpu_cmd_update_cursor(c->msg, &c->want);
	else
		virtgpu_cmd_move_cursor(c->msg, &c->want);

	c->sent = c->want;
	c->sent_image = c->want_image;
	c->busy = true;

	return true;
}

/*
 * Without the lock, as a queue that is gone ends the message at once.  Nobody else
 * touches it while the cursor is busy.
 */
static void virtgpu_cursor_send(struct virtgpu_cursor *c)
{
	virtgpu_msg_get(c->msg);
	virtgpu_vq_queue_msg(c->queue, c->msg);
	virtgpu_vq_kick(c->queue);
}

static void virtgpu_cursor_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_cursor *c = msg->priv;
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&c->lock, flags);
	c->busy = false;
	again = !msg->error && virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	if (again)
		virtgpu_cursor_send(c);
}

/**
 * virtgpu_cursor_init - set up a cursor that is not shown
 * @c: zeroed memory
 * @queue: the cursor queue
 * @ctrl: the control queue
 * @scanout: the output's number
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtgpu_cursor_init(struct virtgpu_cursor *c, struct virtgpu_vq *queue,
			struct virtgpu_vq *ctrl, unsigned int scanout)
{
	spin_lock_init(&c->lock);
	c->queue = queue;
	c->ctrl = ctrl;
	c->want.scanout = scanout;
	c->sent.scanout = scanout;
	c->msg = virtgpu_msg_alloc();
	if (!c->msg)
		return -ENOMEM;

	c->msg->priv = c;
	c->msg->complete = virtgpu_cursor_complete;

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_init);

/**
 * virtgpu_cursor_fini - release a cursor
 * @c: a cursor whose queue was stopped
 */
void virtgpu_cursor_fini(struct virtgpu_cursor *c)
{
	virtgpu_msg_put(c->next);
	virtgpu_msg_put(c->msg);
	c->next = NULL;
	c->msg = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_fini);

/**
 * virtgpu_cursor_set - say what is to be shown from now on
 * @c: the cursor
 * @want: image and position
 * @new_image: the image is another than before, even if its number is the same
 *
 * Context: any.
 */
void virtgpu_cursor_set(struct virtgpu_cursor *c, const struct virtgpu_cmd_cursor *want,
			bool new_image)
{
	struct virtgpu_msg *unwanted = NULL;
	unsigned long flags;
	bool changed;

	spin_lock_irqsave(&c->lock, flags);
	c->want = *want;
	/* Without a cursor there is no image, and perhaps soon no resource. */
	if (!want->resource)
		swap(unwanted, c->next);
	if (new_image)
		c->want_image++;
	changed = virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	virtgpu_msg_put(unwanted);
	if (changed)
		virtgpu_cursor_send(c);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_set);

/**
 * virtgpu_cursor_hide - show no cursor from now on
 * @c: the cursor
 *
 * Context: any.
 */
void virtgpu_cursor_hide(struct virtgpu_cursor *c)
{
	struct virtgpu_cmd_cursor none = { .scanout = c->want.scanout };

	virtgpu_cursor_set(c, &none, false);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_hide);

static void virtgpu_cursor_upload_complete(struct virtgpu_msg *transfer)
{
	struct virtgpu_cursor *c = transfer->priv;
	struct virtgpu_msg *next = NULL;
	unsigned long flags;
	bool ready;

	spin_lock_irqsave(&c->lock, flags);
	swap(next, c->next);
	c->loading = next;
	ready = virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	if (next) {
		virtgpu_vq_queue_msg(c->ctrl, next);
		virtgpu_vq_kick(c->ctrl);
	}
	if (ready)
		virtgpu_cursor_send(c);
}

/**
 * virtgpu_cursor_upload - bring an image to the host, and hold changes back until then
 * @c: the cursor
 * @transfer: a filled message that is not published yet; the cursor's from here on
 *
 * Published, or kept until the one before was answered; not kicked.
 *
 * Context: any.
 */
void virtgpu_cursor_upload(struct virtgpu_cursor *c, struct virtgpu_msg *transfer)
{
	struct virtgpu_msg *replaced = NULL;
	unsigned long flags;
	bool wait;

	transfer->priv = c;
	transfer->complete = virtgpu_cursor_upload_complete;

	spin_lock_irqsave(&c->lock, flags);
	wait = c->loading;
	c->loading = true;
	if (wait) {
		replaced = c->next;
		c->next = transfer;
	}
	spin_unlock_irqrestore(&c->lock, flags);

	virtgpu_msg_put(replaced);
	if (!wait)
		virtgpu_vq_queue_msg(c->ctrl, transfer);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_upload);

/*
 * Shadows
 */

static struct virtgpu_gem *virtgpu_cursor_shadow_gem(const struct drm_plane_state *state)
{
	return to_virtgpu_gem(state->fb->obj[0]);
}

static bool virtgpu_cursor_shadow_fits(const struct drm_plane_state *state)
{
	return !state->src_x && !state->src_y &&
	       state->src_w >> 16 == VIRTGPU_CURSOR_SIZE &&
	       state->src_h >> 16 == VIRTGPU_CURSOR_SIZE &&
	       state->fb->pitches[0] == VIRTGPU_CURSOR_PITCH;
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
		drm_dbg_kms(state->plane->dev, "cursor must be %ux%u, or smaller and not imported\n",
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

	gem = virtgpu_gem_create(to_virtgpu(state->plane->dev), VIRTGPU_CURSOR_PITCH * VIRTGPU_CURSOR_SIZE);
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
		memcpy(img->to.vaddr + y * VIRTGPU_CURSOR_PITCH,
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
