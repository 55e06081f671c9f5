// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-resv.h>
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
 * Each output has one message for its cursor. While the message is in flight,
 * further changes only replace the pending state, and the completion queues the
 * newest state. So a host that is slow, or never reads its cursor queue,
 * affects nothing but the cursor. UPDATE_CURSOR is queued when the transfer of
 * the image on the control queue has completed; until then the cursor moves
 * with the old image. Of the images that are set meanwhile, the last one is
 * transferred next. Moving and hiding a cursor adds nothing to the control
 * queue.
 *
 * Some hosts silently ignore cursors of another size than 64x64, and a 2D
 * resource has no pitch. A smaller image, an image that is a part of its
 * framebuffer, and an image with another pitch are therefore copied to a shadow
 * buffer of 64x64 pixels, which is transparent around the image.
 * prepare_fb allocates the shadow, and the plane update copies the image.
 * Moves of the cursor keep the shadow.
 *
 * QEMU defines the old image again when a cursor is hidden, and viewers that
 * cannot hide a cursor keep showing that image. So a transparent image is set
 * before the cursor is hidden. It is created when the cursor is first shown.
 */

#define VIRTGPU_CURSOR_PITCH (VIRTGPU_CURSOR_SIZE * 4)

/*
 * Commands
 */

/* MOVE_CURSOR changes the position alone. */
static bool virtgpu_cursor_same_image(const struct virtgpu_cmd_cursor *a,
				      const struct virtgpu_cmd_cursor *b)
{
	return a->resource == b->resource && a->hot_x == b->hot_x && a->hot_y == b->hot_y;
}

/* If this returns true the caller must drop @c->lock and send the message. */
static bool virtgpu_cursor_prepare(struct virtgpu_cursor *c)
{
	struct virtgpu_cmd_cursor next = c->pending;
	unsigned int gen = c->pending_gen;
	u32 blank = READ_ONCE(c->blank);

	lockdep_assert_held(&c->lock);

	if (c->busy)
		return false;
	/* While the host has the old image only, that one is moved. */
	if (c->uploading && next.resource) {
		if (!c->queued.resource)
			return false;
		next = c->queued;
		next.x = c->pending.x;
		next.y = c->pending.y;
		gen = c->queued_gen;
	}
	/* Some hosts keep showing the last image of a hidden cursor. */
	if (!next.resource && c->queued.resource && c->queued.resource != blank)
		next.resource = blank;
	if (gen == c->queued_gen && !memcmp(&next, &c->queued, sizeof(next)))
		return false;

	virtgpu_msg_reinit(c->msg);
	if (gen != c->queued_gen || !virtgpu_cursor_same_image(&next, &c->queued))
		virtgpu_cmd_update_cursor(c->msg, &next);
	else
		virtgpu_cmd_move_cursor(c->msg, &next);

	c->queued = next;
	c->queued_gen = gen;
	c->busy = true;

	return true;
}

/*
 * Caller must not hold @c->lock, because a stopped queue completes the message
 * at once. While @c->busy is set the message has no other user.
 */
static void virtgpu_cursor_send(struct virtgpu_cursor *c)
{
	virtgpu_msg_get(c->msg);
	virtgpu_vq_send_msg(c->queue, c->msg);
}

static void virtgpu_cursor_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_cursor *c = msg->priv;
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&c->lock, flags);
	c->busy = false;
	/*
	 * Responses of the cursor queue have no content, so an error comes from
	 * the queue. A further message would fail at once in the same way. The
	 * next change of the cursor tries again.
	 */
	again = !msg->error && virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	if (again)
		virtgpu_cursor_send(c);
}

/**
 * virtgpu_cursor_init() - Initialise a cursor that is not shown
 * @c: zeroed memory
 * @queue: the cursor queue
 * @ctrl: the control queue
 * @scanout: index of the scanout
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory.
 */
int virtgpu_cursor_init(struct virtgpu_cursor *c, struct virtgpu_vq *queue,
			struct virtgpu_vq *ctrl, unsigned int scanout)
{
	spin_lock_init(&c->lock);
	c->queue = queue;
	c->ctrl = ctrl;
	c->pending.scanout = scanout;
	c->queued.scanout = scanout;
	c->msg = virtgpu_msg_alloc();
	if (!c->msg)
		return -ENOMEM;

	c->msg->priv = c;
	c->msg->complete = virtgpu_cursor_complete;

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_init);

/**
 * virtgpu_cursor_fini() - Release the messages and the blank image of a cursor
 * @c: cursor of stopped queues, or zeroed memory
 *
 * Context: May sleep.
 */
void virtgpu_cursor_fini(struct virtgpu_cursor *c)
{
	virtgpu_msg_put(c->next_upload);
	virtgpu_msg_put(c->msg);
	if (c->blank_gem)
		drm_gem_object_put(&c->blank_gem->base);
	c->next_upload = NULL;
	c->msg = NULL;
	c->blank_gem = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_fini);

/**
 * virtgpu_cursor_set() - Set the image and the position of a cursor
 * @c: the cursor
 * @cursor: parameters of UPDATE_CURSOR
 * @image_changed: the image has changed, even if its resource has not
 *
 * Context: Any.
 */
void virtgpu_cursor_set(struct virtgpu_cursor *c, const struct virtgpu_cmd_cursor *cursor,
			bool image_changed)
{
	struct virtgpu_msg *dropped = NULL;
	unsigned long flags;
	bool changed;

	spin_lock_irqsave(&c->lock, flags);
	c->pending = *cursor;
	/* A hidden cursor needs no upload, and its resource may go away. */
	if (!cursor->resource)
		swap(dropped, c->next_upload);
	if (image_changed)
		c->pending_gen++;
	changed = virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	virtgpu_msg_put(dropped);
	if (changed)
		virtgpu_cursor_send(c);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_set);

/**
 * virtgpu_cursor_hide() - Hide a cursor
 * @c: the cursor
 *
 * Context: Any.
 */
void virtgpu_cursor_hide(struct virtgpu_cursor *c)
{
	struct virtgpu_cmd_cursor none = { .scanout = c->pending.scanout };

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
	swap(next, c->next_upload);
	c->uploading = next;
	ready = virtgpu_cursor_prepare(c);
	spin_unlock_irqrestore(&c->lock, flags);

	if (next)
		virtgpu_vq_send_msg(c->ctrl, next);
	if (ready)
		virtgpu_cursor_send(c);
}

/**
 * virtgpu_cursor_upload() - Transfer an image to the host
 * @c: the cursor
 * @transfer: filled TRANSFER_TO_HOST_2D; consumed
 *
 * The new image is not shown until @transfer has completed. If an
 * earlier transfer is in flight, @transfer waits for its completion. The
 * caller must kick the control queue.
 *
 * Context: Any.
 */
void virtgpu_cursor_upload(struct virtgpu_cursor *c, struct virtgpu_msg *transfer)
{
	struct virtgpu_msg *replaced = NULL;
	unsigned long flags;
	bool wait;

	transfer->priv = c;
	transfer->complete = virtgpu_cursor_upload_complete;

	spin_lock_irqsave(&c->lock, flags);
	wait = c->uploading;
	c->uploading = true;
	if (wait) {
		replaced = c->next_upload;
		c->next_upload = transfer;
	}
	spin_unlock_irqrestore(&c->lock, flags);

	virtgpu_msg_put(replaced);
	if (!wait)
		virtgpu_vq_queue_msg(c->ctrl, transfer);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_upload);

/*
 * Blank image
 */

static void virtgpu_cursor_blank_complete(struct virtgpu_msg *transfer)
{
	struct virtgpu_cursor *c = transfer->priv;

	if (!transfer->error)
		WRITE_ONCE(c->blank, c->blank_res);
}

static void virtgpu_cursor_transfer_blank(struct virtgpu_cursor *c)
{
	const struct virtgpu_2d_layout layout = {
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.width = VIRTGPU_CURSOR_SIZE,
		.height = VIRTGPU_CURSOR_SIZE,
	};
	struct virtgpu_resource *res;
	struct virtgpu_msg *transfer;
	struct drm_rect whole;

	res = virtgpu_gem_get_2d(c->blank_gem, &layout);
	if (!IS_ERR(res) && res->has_contents)
		return;
	WRITE_ONCE(c->blank, 0);
	transfer = IS_ERR(res) ? NULL : virtgpu_msg_alloc();
	if (!transfer)
		return;

	drm_rect_init(&whole, 0, 0, VIRTGPU_CURSOR_SIZE, VIRTGPU_CURSOR_SIZE);
	virtgpu_gem_sync_for_device(c->blank_gem);
	virtgpu_cmd_transfer_to_host_2d(transfer, res->id, &whole, 0);
	transfer->priv = c;
	transfer->complete = virtgpu_cursor_blank_complete;
	c->blank_res = res->id;
	res->has_contents = true;
	virtgpu_vq_queue_msg(c->ctrl, transfer);
}

/**
 * virtgpu_cursor_prepare_blank() - Create the image of a hidden cursor
 * @c: a cursor that is hidden
 * @vgdev: the device
 *
 * Without a blank image, which lack of memory prevents, hiding the cursor just
 * queues UPDATE_CURSOR without a resource. The caller must kick the control
 * queue.
 *
 * Context: May sleep. Caller must hold the lock of the plane. Takes the
 * reservation lock of the image.
 */
void virtgpu_cursor_prepare_blank(struct virtgpu_cursor *c, struct virtgpu_device *vgdev)
{
	struct virtgpu_gem *gem;

	if (!c->blank_gem) {
		gem = virtgpu_gem_create(vgdev, VIRTGPU_CURSOR_PITCH * VIRTGPU_CURSOR_SIZE);
		if (IS_ERR(gem))
			return;
		c->blank_gem = gem;
	}

	dma_resv_lock(c->blank_gem->base.resv, NULL);
	virtgpu_cursor_transfer_blank(c);
	dma_resv_unlock(c->blank_gem->base.resv);
}

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
 * virtgpu_cursor_needs_upload() - Check whether the image of a cursor changes
 * @old: the current state
 * @new: the new state
 *
 * Context: Caller must hold the lock of the plane.
 * Return: false if at most the position or the hotspot of the cursor changes.
 */
bool virtgpu_cursor_needs_upload(const struct drm_plane_state *old,
				 const struct drm_plane_state *new)
{
	return old->fb != new->fb || old->src_x != new->src_x || old->src_y != new->src_y ||
	       old->src_w != new->src_w || old->src_h != new->src_h ||
	       drm_plane_get_damage_clips_count(new);
}

/**
 * virtgpu_cursor_shadow_check() - Check the framebuffer of a cursor
 * @state: the new state, with a framebuffer
 *
 * Context: Any.
 * Return: 0 if the framebuffer can be shown, -EINVAL if it is too large, or if
 * it needs a shadow and is imported or rendered by the host.
 */
int virtgpu_cursor_shadow_check(const struct drm_plane_state *state)
{
	const struct virtgpu_gem *gem = virtgpu_cursor_shadow_gem(state);

	if (state->src_w >> 16 > VIRTGPU_CURSOR_SIZE || state->src_h >> 16 > VIRTGPU_CURSOR_SIZE ||
	    (!virtgpu_cursor_shadow_fits(state) && (gem->import || gem->host3d_res))) {
		drm_dbg_kms(state->plane->dev,
			    "cursor must be %ux%u, or smaller and not imported\n",
			    VIRTGPU_CURSOR_SIZE, VIRTGPU_CURSOR_SIZE);
		return -EINVAL;
	}

	return 0;
}

/**
 * virtgpu_cursor_shadow_prepare() - Allocate and map a shadow if it is needed
 * @shadow: zeroed
 * @state: a checked state, with a framebuffer
 *
 * The caller must call virtgpu_cursor_shadow_release(), even after an error.
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory.
 */
int virtgpu_cursor_shadow_prepare(struct virtgpu_cursor_shadow *shadow,
				  const struct drm_plane_state *state)
{
	struct virtgpu_gem *gem;
	int ret;

	if (virtgpu_cursor_shadow_fits(state))
		return 0;

	gem = virtgpu_gem_create_nowait(to_virtgpu(state->plane->dev),
					VIRTGPU_CURSOR_PITCH * VIRTGPU_CURSOR_SIZE);
	if (IS_ERR(gem))
		return PTR_ERR(gem);

	shadow->gem = gem;
	ret = virtgpu_pages_vmap(gem->pages, &shadow->to);
	if (ret)
		return ret;

	return virtgpu_pages_vmap(virtgpu_cursor_shadow_gem(state)->pages, &shadow->from);
}

/**
 * virtgpu_cursor_shadow_get() - Share the shadow of an earlier state
 * @shadow: zeroed
 * @old: shadow of a state with the same image
 *
 * Context: Any.
 */
void virtgpu_cursor_shadow_get(struct virtgpu_cursor_shadow *shadow,
			       const struct virtgpu_cursor_shadow *old)
{
	drm_gem_object_get(&old->gem->base);
	shadow->gem = old->gem;
}

static void virtgpu_cursor_shadow_unmap(struct virtgpu_cursor_shadow *shadow)
{
	vunmap(shadow->from.vaddr);
	vunmap(shadow->to.vaddr);
	iosys_map_clear(&shadow->from);
	iosys_map_clear(&shadow->to);
}

/**
 * virtgpu_cursor_shadow_copy() - Copy the image to its shadow once
 * @shadow: a prepared shadow
 * @state: the state that @shadow was prepared for
 *
 * Context: May sleep.
 */
void virtgpu_cursor_shadow_copy(struct virtgpu_cursor_shadow *shadow,
				const struct drm_plane_state *state)
{
	const struct drm_framebuffer *fb = state->fb;
	unsigned int width = state->src_w >> 16, height = state->src_h >> 16, y;
	size_t start;

	if (iosys_map_is_null(&shadow->from))
		return;

	start = fb->offsets[0] + (size_t)(state->src_y >> 16) * fb->pitches[0] +
		(state->src_x >> 16) * 4;
	for (y = 0; y < height; y++)
		memcpy(shadow->to.vaddr + y * VIRTGPU_CURSOR_PITCH,
		       shadow->from.vaddr + start + y * fb->pitches[0], width * 4);
	virtgpu_cursor_shadow_unmap(shadow);
}

/**
 * virtgpu_cursor_shadow_release() - Put a shadow
 * @shadow: the shadow; zeroed on return
 *
 * Context: May sleep.
 */
void virtgpu_cursor_shadow_release(struct virtgpu_cursor_shadow *shadow)
{
	virtgpu_cursor_shadow_unmap(shadow);
	if (shadow->gem)
		drm_gem_object_put(&shadow->gem->base);
	shadow->gem = NULL;
}
