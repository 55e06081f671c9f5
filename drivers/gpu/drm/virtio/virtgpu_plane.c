// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/slab.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_blend.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_print.h>

#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_output.h"
#include "virtgpu_panic.h"
#include "virtgpu_plane.h"

/**
 * DOC: planes
 *
 * prepare_fb creates the resource of the buffer if needed, pins an imported
 * buffer, and reserves the messages of the frame. Only atomic_check and
 * prepare_fb can fail. The update of the primary plane fills the messages and
 * passes them to virtgpu_frames_queue(): TRANSFER_TO_HOST_2D of what the host's
 * copy lacks, if the host may keep one, SET_SCANOUT or SET_SCANOUT_BLOB if the
 * resource or the source rectangle changes, and RESOURCE_FLUSH. The update of
 * the cursor plane transfers a changed image, and passes image and position to
 * virtgpu_cursor_set().
 */

/**
 * struct virtgpu_plane_desc - Properties of a type of planes
 * @helper_funcs: helper functions
 * @formats: pixel formats, DRM_FORMAT_*
 * @num_formats: entries of @formats
 * @blend_modes: mask of DRM_MODE_BLEND_*
 * @size_hint: preferred size for user space, or NULL
 * @size: width and height of a 2D resource in pixels, or 0 for those of the
 *	framebuffer
 * @can_position: the plane may cover a part of the CRTC, or extend beyond it
 * @can_show_blob: the host can show a guest blob without a 2D resource
 */
struct virtgpu_plane_desc {
	const struct drm_plane_helper_funcs *helper_funcs;
	const u32 *formats;
	unsigned int num_formats;
	unsigned int blend_modes;
	const struct drm_plane_size_hint *size_hint;
	u32 size;
	bool can_position;
	bool can_show_blob;
};

static struct virtgpu_plane *to_virtgpu_plane(struct drm_plane *plane)
{
	return container_of(plane, struct virtgpu_plane, base);
}

static const struct virtgpu_plane_desc *
virtgpu_plane_state_desc(const struct virtgpu_plane_state *vs)
{
	return to_virtgpu_plane(vs->base.plane)->desc;
}

static struct virtgpu_output *virtgpu_plane_output(struct drm_plane *plane)
{
	return to_virtgpu_plane(plane)->out;
}

static struct virtgpu_gem *virtgpu_plane_fb_gem(struct drm_framebuffer *fb)
{
	return to_virtgpu_gem(fb->obj[0]);
}

static struct virtgpu_gem *virtgpu_plane_gem(const struct virtgpu_plane_state *vs)
{
	return vs->shadow.gem ?: vs->copy.gem ?: virtgpu_plane_fb_gem(vs->base.fb);
}

static void virtgpu_plane_release_messages(struct virtgpu_plane_state *vs)
{
	while (vs->num_transfers)
		virtgpu_msg_put(vs->transfers[--vs->num_transfers]);
	virtgpu_msg_put(vs->set_scanout);
	virtgpu_msg_put(vs->flush);
	vs->set_scanout = NULL;
	vs->flush = NULL;
}

static void virtgpu_plane_destroy_state(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(state);

	virtgpu_plane_release_messages(vs);
	__drm_atomic_helper_plane_destroy_state(state);
	kfree(vs);
}

static void virtgpu_plane_reset(struct drm_plane *plane)
{
	struct virtgpu_plane_state *vs;

	if (plane->state)
		virtgpu_plane_destroy_state(plane, plane->state);
	plane->state = NULL;

	vs = kzalloc_obj(*vs);
	if (vs)
		__drm_atomic_helper_plane_reset(plane, &vs->base);
}

static struct drm_plane_state *virtgpu_plane_duplicate_state(struct drm_plane *plane)
{
	struct virtgpu_plane_state *vs;

	if (WARN_ON(!plane->state))
		return NULL;

	vs = kzalloc_obj(*vs);
	if (!vs)
		return NULL;
	__drm_atomic_helper_plane_duplicate_state(plane, &vs->base);

	return &vs->base;
}

/* Asynchronous flips support the same formats as synchronous ones. */
static bool virtgpu_plane_async_format(struct drm_plane *plane, u32 format, u64 modifier)
{
	return modifier == DRM_FORMAT_MOD_LINEAR && virtgpu_fb_host_format(format);
}

static const struct drm_plane_funcs virtgpu_plane_funcs = {
	.update_plane = drm_atomic_helper_update_plane,
	.disable_plane = drm_atomic_helper_disable_plane,
	.reset = virtgpu_plane_reset,
	.atomic_duplicate_state = virtgpu_plane_duplicate_state,
	.atomic_destroy_state = virtgpu_plane_destroy_state,
	.format_mod_supported_async = virtgpu_plane_async_format,
};

static void virtgpu_plane_get_layout(const struct virtgpu_plane_state *vs,
				     struct virtgpu_2d_layout *layout)
{
	u32 size = virtgpu_plane_state_desc(vs)->size;

	virtgpu_fb_get_layout(vs->base.fb, layout);
	if (!size)
		return;

	layout->width = size;
	layout->height = size;
	if (vs->shadow.gem)
		layout->offset = 0;
}

/*
 * The resource of a 3D context; else the blob if the plane can show one; else a
 * 2D resource.  Returns NULL if the host cannot access the memory.
 */
static struct virtgpu_resource *virtgpu_plane_select_resource(const struct virtgpu_plane_state *vs,
							      struct virtgpu_gem *gem)
{
	struct virtgpu_2d_layout layout;
	struct virtgpu_resource *res;
	int ret;

	dma_resv_assert_held(gem->base.resv);

	if (gem->host3d_res) {
		ret = virtgpu_gem_host_error(gem);
		return ret ? ERR_PTR(ret) : gem->host3d_res;
	}
	if (gem->unreachable || virtgpu_gem_is_rejected_peer(gem))
		return NULL;
	if (virtgpu_plane_state_desc(vs)->can_show_blob) {
		res = virtgpu_gem_get_blob(gem);
		if (res != ERR_PTR(-EOPNOTSUPP))
			return res;
	}
	virtgpu_plane_get_layout(vs, &layout);
	res = virtgpu_gem_try_get_2d(gem, &layout);
	if (!IS_ERR(res) || !gem->import || res == ERR_PTR(-ENOMEM) || res == ERR_PTR(-EAGAIN))
		return res;
	if (!gem->peer2peer)
		virtgpu_gem_set_unreachable(gem);

	return NULL;
}

/* @rejected: set to true if the host cannot access the memory */
static int virtgpu_plane_try_get_resource(struct virtgpu_plane_state *vs, bool *rejected)
{
	struct virtgpu_gem *gem = virtgpu_plane_gem(vs);
	struct virtgpu_resource *res;
	int ret;

	*rejected = false;
	dma_resv_lock(gem->base.resv, NULL);
	ret = virtgpu_gem_pin(gem);
	if (ret)
		goto unlock;
	res = virtgpu_plane_select_resource(vs, gem);
	if (IS_ERR_OR_NULL(res)) {
		*rejected = !res;
		ret = res ? PTR_ERR(res) : -EREMOTEIO;
		virtgpu_gem_unpin(gem);
		goto unlock;
	}
	virtgpu_resource_get(res);
	vs->res = res;
unlock:
	dma_resv_unlock(gem->base.resv);

	return ret;
}

/* The host cannot access the memory: move or copy it. */
static int virtgpu_plane_get_reachable(struct virtgpu_plane_state *vs)
{
	struct virtgpu_gem *gem = virtgpu_plane_gem(vs);
	bool rejected = true;
	int ret = 0;

	if (!READ_ONCE(gem->unreachable)) {
		virtgpu_gem_move_to_ram(gem);
		ret = virtgpu_plane_try_get_resource(vs, &rejected);
	}
	if (!rejected)
		return ret;
	ret = virtgpu_copy_prepare(&vs->copy, &vs->base);

	return ret ?: virtgpu_plane_try_get_resource(vs, &rejected);
}

/*
 * If the host has no memory for a 2D resource, evict others and try once more.
 */
static int virtgpu_plane_get_resource(struct virtgpu_plane_state *vs)
{
	struct virtgpu_device *vgdev = virtgpu_plane_output(vs->base.plane)->vgdev;
	struct virtgpu_2d_layout layout;
	bool rejected;
	int ret;

	ret = virtgpu_plane_try_get_resource(vs, &rejected);
	if (rejected)
		ret = virtgpu_plane_get_reachable(vs);
	if (ret != -ENOMEM && ret != -EAGAIN)
		return ret;

	virtgpu_plane_get_layout(vs, &layout);
	if (!virtgpu_gem_evict_2d(vgdev, virtgpu_2d_layout_size(&layout)) && ret == -ENOMEM)
		return ret;

	return virtgpu_plane_try_get_resource(vs, &rejected);
}

static void virtgpu_plane_unpin_gem(struct virtgpu_gem *gem)
{
	if (!gem->import)
		return;

	dma_resv_lock(gem->base.resv, NULL);
	virtgpu_gem_unpin(gem);
	dma_resv_unlock(gem->base.resv);
}

/**
 * virtgpu_plane_put_buffer() - Release a buffer that was kept for the host
 * @gem: the buffer, pinned if it is imported; the reference is put
 * @res: the resource of @gem; the reference is put
 *
 * Context: May sleep. Takes the reservation lock of @gem.
 */
void virtgpu_plane_put_buffer(struct virtgpu_gem *gem, struct virtgpu_resource *res)
{
	virtgpu_plane_unpin_gem(gem);
	virtgpu_resource_put(res);
	drm_gem_object_put(&gem->base);
}

/*
 * A 2D resource is a copy, and the host may also keep a copy of a guest blob,
 * except of an imported one. The guest does not transfer resources of contexts.
 */
static bool virtgpu_plane_needs_transfer(const struct virtgpu_plane_state *vs)
{
	return vs->res->type == VIRTGPU_RES_2D ||
	       (vs->res->type == VIRTGPU_RES_BLOB_GUEST &&
		!virtgpu_plane_gem(vs)->import);
}

/* Must be called before the states are swapped. */
static bool virtgpu_plane_is_disabling(struct drm_plane_state *state)
{
	return !state->fb ||
	       !drm_atomic_get_new_crtc_state(state->state, state->crtc)->active;
}

/*
 * On error the caller must call virtgpu_plane_release().  On success @vs->res
 * is NULL if there is nothing to show.
 */
static int virtgpu_plane_prepare(struct drm_plane *plane, struct virtgpu_plane_state *vs)
{
	unsigned int num_transfers = 1;
	struct virtgpu_msg *msg;
	bool keep;
	int ret;

	if (!vs->base.fb)
		return 0;

	/*
	 * Do not wait for the host under modeset locks; fail at once.  But a
	 * commit that keeps a buffer must not fail because the host has
	 * rejected the buffer meanwhile, nor while it disables the CRTC, as the
	 * exit of a program does.
	 */
	keep = vs->base.fb == plane->state->fb;
	if (virtgpu_vq_is_wedged(&virtgpu_plane_output(plane)->vgdev->ctrl))
		return keep && virtgpu_plane_is_disabling(&vs->base) ? 0 : -EIO;
	if (keep && virtgpu_gem_host_error(virtgpu_plane_fb_gem(vs->base.fb)))
		return 0;

	ret = virtgpu_plane_get_resource(vs);
	if (ret)
		return ret;
	/* Pinning may move the buffer, so collect its fences afterwards. */
	ret = drm_gem_plane_helper_prepare_fb(plane, &vs->base);
	if (ret)
		return ret;
	if (!virtgpu_plane_needs_transfer(vs))
		return 0;

	/* Hosts that show a blob in place do not transfer it. */
	if (drm_plane_get_damage_clips_count(&vs->base) && vs->res->type == VIRTGPU_RES_2D)
		num_transfers = ARRAY_SIZE(vs->transfers);
	while (vs->num_transfers < num_transfers) {
		msg = virtgpu_msg_alloc();
		if (!msg)
			return -ENOMEM;
		vs->transfers[vs->num_transfers++] = msg;
	}

	return 0;
}

static void virtgpu_plane_release(struct virtgpu_plane_state *vs)
{
	virtgpu_plane_release_messages(vs);
	if (vs->res) {
		virtgpu_plane_unpin_gem(virtgpu_plane_gem(vs));
		virtgpu_resource_put(vs->res);
	}
	vs->res = NULL;
	virtgpu_copy_release(&vs->copy, &vs->base);
}

static int virtgpu_plane_check(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct drm_crtc_state *crtc_state;

	if (!new->crtc) {
		new->visible = false;
		return 0;
	}

	crtc_state = drm_atomic_get_crtc_state(state, new->crtc);
	if (IS_ERR(crtc_state))
		return PTR_ERR(crtc_state);

	return drm_atomic_helper_check_plane_state(new, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   to_virtgpu_plane(plane)->desc->can_position,
						   true);
}

/*
 * Primary plane
 */

static int virtgpu_primary_plane_reserve(struct virtgpu_plane_state *vs)
{
	vs->set_scanout = virtgpu_msg_alloc();
	if (!vs->set_scanout)
		return -ENOMEM;
	if (virtgpu_plane_is_disabling(&vs->base))
		return 0;
	vs->commit_time = ktime_get();
	vs->flush = virtgpu_msg_alloc();

	return vs->flush ? 0 : -ENOMEM;
}

static int virtgpu_primary_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(state);
	int ret;

	ret = virtgpu_plane_prepare(plane, vs);
	if (!ret)
		ret = virtgpu_primary_plane_reserve(vs);
	if (ret)
		virtgpu_plane_release(vs);

	return ret;
}

static void virtgpu_primary_plane_cleanup_fb(struct drm_plane *plane,
					     struct drm_plane_state *state)
{
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(state);
	struct virtgpu_frames *frames = &virtgpu_plane_output(plane)->frames;

	if (vs->res && virtgpu_frames_keep(frames, virtgpu_plane_gem(vs), vs->res))
		vs->res = NULL;
	virtgpu_plane_release(vs);
}

static struct virtgpu_msg *virtgpu_plane_fill_transfer(struct virtgpu_plane_state *vs,
						       const struct drm_rect *r)
{
	struct drm_framebuffer *fb = vs->base.fb;
	struct virtgpu_msg *msg = vs->transfers[--vs->num_transfers];
	u64 offset = 0;

	if (!vs->shadow.gem)
		offset = virtgpu_fb_offset(fb->offsets[0], fb->pitches[0], r);
	virtgpu_cmd_transfer_to_host_2d(msg, vs->res->id, r, offset);

	return msg;
}

static void virtgpu_plane_fill_transfers(struct virtgpu_plane_state *vs,
					 struct virtgpu_frame *frame,
					 struct virtgpu_damage_rects *rects)
{
	unsigned int i;

	if (!vs->num_transfers || !rects->count)
		return;
	if (rects->count > vs->num_transfers) {
		virtgpu_damage_bounds(rects, &rects->rects[0]);
		rects->count = 1;
	}
	virtgpu_copy_update(&vs->copy, &vs->base, rects);
	virtgpu_gem_sync_for_device(virtgpu_plane_gem(vs));
	for (i = 0; i < rects->count; i++)
		frame->transfers[i] = virtgpu_plane_fill_transfer(vs, &rects->rects[i]);
	frame->num_transfers = rects->count;
}

static void virtgpu_plane_describe_scanout(const struct virtgpu_output *out,
					   const struct virtgpu_plane_state *vs,
					   const struct drm_rect *src,
					   struct virtgpu_cmd_scanout *s)
{
	const struct drm_framebuffer *fb = vs->base.fb;

	memset(s, 0, sizeof(*s));
	s->scanout = out->index;
	s->resource = vs->res->id;
	s->x = src->x1;
	s->y = src->y1;
	s->w = drm_rect_width(src);
	s->h = drm_rect_height(src);
	if (virtgpu_resource_is_blob(vs->res)) {
		s->format = virtgpu_fb_host_format(fb->format->format);
		s->fb_width = fb->width;
		s->fb_height = fb->height;
		s->stride = fb->pitches[0];
		s->offset = fb->offsets[0];
	}
}

static void virtgpu_primary_plane_update(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state, plane);
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(new);
	struct virtgpu_frames *frames = &virtgpu_plane_output(plane)->frames;
	struct virtgpu_frame frame = { .res = vs->res, .commit_time = vs->commit_time };
	struct virtgpu_damage_rects stale;
	struct drm_rect src, damage;
	bool changed, damaged;

	if (!vs->res)
		return;
	/* The clipped source of a plane outside the CRTC is empty. */
	if (!new->visible) {
		virtgpu_plane_disable_scanout(virtgpu_plane_output(plane), new);
		return;
	}

	drm_rect_fp_to_int(&src, &new->src);
	damaged = virtgpu_frames_add_damage(frames, &frame, old, new, &damage, &stale);
	frame.blob = virtgpu_resource_is_blob(vs->res);
	virtgpu_plane_describe_scanout(virtgpu_plane_output(plane), vs, &src, &frame.scanout);
	changed = virtgpu_frames_would_change(frames, &frame.scanout);
	if (!changed && !damaged)
		return;

	virtgpu_plane_fill_transfers(vs, &frame, &stale);
	swap(frame.set_scanout, vs->set_scanout);
	swap(frame.flush, vs->flush);
	virtgpu_cmd_flush(frame.flush, vs->res->id, changed ? &src : &damage);
	virtgpu_frames_queue(frames, &frame);
}

/**
 * virtgpu_plane_disable_scanout() - Queue SET_SCANOUT without a resource
 * @out: the output
 * @state: the prepared new state of the primary plane, or NULL
 *
 * Context: Any. The commit of @out.
 */
void virtgpu_plane_disable_scanout(struct virtgpu_output *out, struct drm_plane_state *state)
{
	struct virtgpu_msg *msg = NULL;

	if (!state)
		return;

	swap(msg, to_virtgpu_plane_state(state)->set_scanout);
	if (!WARN_ON(!msg))
		virtgpu_frames_disable(&out->frames, msg);
}

static void virtgpu_primary_plane_disable(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	virtgpu_plane_disable_scanout(virtgpu_plane_output(plane),
				      drm_atomic_get_new_plane_state(state, plane));
}

static const struct drm_plane_helper_funcs virtgpu_primary_plane_helper_funcs = {
	.prepare_fb = virtgpu_primary_plane_prepare_fb,
	.cleanup_fb = virtgpu_primary_plane_cleanup_fb,
	.atomic_check = virtgpu_plane_check,
	.atomic_update = virtgpu_primary_plane_update,
	.atomic_disable = virtgpu_primary_plane_disable,
#ifdef CONFIG_DRM_PANIC
	.get_scanout_buffer = virtgpu_panic_get_buffer,
	.panic_flush = virtgpu_panic_flush,
#endif
};

/*
 * Cursor plane
 */

/* A cursor that only moves keeps its shadow. */
static int virtgpu_cursor_plane_prepare_shadow(struct drm_plane *plane,
					       struct virtgpu_plane_state *vs)
{
	const struct virtgpu_cursor_shadow *shown = &to_virtgpu_plane_state(plane->state)->shadow;

	if (shown->gem && !virtgpu_cursor_needs_upload(plane->state, &vs->base)) {
		virtgpu_cursor_shadow_get(&vs->shadow, shown);
		return 0;
	}

	return virtgpu_cursor_shadow_prepare(&vs->shadow, &vs->base);
}

static void virtgpu_cursor_plane_cleanup_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(state);

	virtgpu_plane_release(vs);
	virtgpu_cursor_shadow_release(&vs->shadow);
}

static int virtgpu_cursor_plane_prepare_fb(struct drm_plane *plane, struct drm_plane_state *state)
{
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(state);
	struct virtgpu_output *out = virtgpu_plane_output(plane);
	int ret = 0;

	if (state->fb && !plane->state->fb)
		virtgpu_cursor_prepare_blank(&out->cursor, out->vgdev);
	if (state->fb)
		ret = virtgpu_cursor_plane_prepare_shadow(plane, vs);
	if (!ret)
		ret = virtgpu_plane_prepare(plane, vs);
	if (ret)
		virtgpu_cursor_plane_cleanup_fb(plane, state);

	return ret;
}

static int virtgpu_cursor_plane_check(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	int ret;

	ret = virtgpu_plane_check(plane, state);
	if (ret || !new->fb)
		return ret;

	return virtgpu_cursor_shadow_check(new);
}

/* @image_changed: transfer the image even if the buffer is the same */
static void virtgpu_cursor_plane_show(struct virtgpu_output *out, struct drm_plane_state *new,
				      bool image_changed)
{
	struct drm_rect whole = DRM_RECT_INIT(0, 0, VIRTGPU_CURSOR_SIZE, VIRTGPU_CURSOR_SIZE);
	struct virtgpu_damage_rects whole_image = { .rects = { whole }, .count = 1 };
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(new);
	struct virtgpu_cmd_cursor cursor = { .scanout = out->index };

	if (new->fb && vs->res) {
		cursor.resource = vs->res->id;
		cursor.x = new->crtc_x;
		cursor.y = new->crtc_y;
		/* Some viewers end if the hotspot is outside of the image. */
		cursor.hot_x = clamp(new->hotspot_x, 0, VIRTGPU_CURSOR_SIZE - 1);
		cursor.hot_y = clamp(new->hotspot_y, 0, VIRTGPU_CURSOR_SIZE - 1);
		virtgpu_cursor_shadow_copy(&vs->shadow, new);
		if (vs->num_transfers && (image_changed || !vs->res->has_contents)) {
			vs->res->has_contents = true;
			virtgpu_copy_update(&vs->copy, new, &whole_image);
			virtgpu_gem_sync_for_device(virtgpu_plane_gem(vs));
			virtgpu_cursor_upload(&out->cursor,
					      virtgpu_plane_fill_transfer(vs, &whole));
			image_changed = true;
		}
	}
	virtgpu_cursor_set(&out->cursor, &cursor, cursor.resource && image_changed);
}

static void virtgpu_cursor_plane_update(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state, plane);
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	/* Disabling the output may have dropped a transfer. */
	bool image_changed = !old->crtc || virtgpu_cursor_needs_upload(old, new) ||
		      drm_atomic_get_new_crtc_state(state, new->crtc)->active_changed;

	virtgpu_cursor_plane_show(virtgpu_plane_output(plane), new, image_changed);
}

static void virtgpu_cursor_plane_disable(struct drm_plane *plane, struct drm_atomic_commit *state)
{
	virtgpu_cursor_hide(&virtgpu_plane_output(plane)->cursor);
}

static int virtgpu_cursor_plane_async_check(struct drm_plane *plane,
					    struct drm_atomic_commit *state, bool flip)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);

	/*
	 * Enabling or disabling the cursor or the output needs a full commit.
	 */
	if (!new->crtc || !plane->state->fb || !new->fb)
		return -EINVAL;

	return drm_atomic_get_new_crtc_state(state, new->crtc)->active ? 0 : -EINVAL;
}

static void virtgpu_cursor_plane_async_update(struct drm_plane *plane,
					      struct drm_atomic_commit *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state, plane);
	struct virtgpu_output *out = virtgpu_plane_output(plane);
	struct drm_plane_state *cur = plane->state;
	bool image_changed = virtgpu_cursor_needs_upload(cur, new);

	virtgpu_cursor_plane_show(out, new, image_changed);

	/*
	 * A commit that waited for a fence may read the state in
	 * virtgpu_crc_queue().
	 */
	spin_lock_irq(&out->crc.lock);
	cur->crtc_x = new->crtc_x;
	cur->crtc_y = new->crtc_y;
	cur->crtc_w = new->crtc_w;
	cur->crtc_h = new->crtc_h;
	cur->src_x = new->src_x;
	cur->src_y = new->src_y;
	cur->src_w = new->src_w;
	cur->src_h = new->src_h;
	cur->src = new->src;
	cur->dst = new->dst;
	cur->visible = new->visible;
	cur->hotspot_x = new->hotspot_x;
	cur->hotspot_y = new->hotspot_y;
	/* DRM cleans up @new, which must be what was shown before. */
	swap(cur->fb, new->fb);
	spin_unlock_irq(&out->crc.lock);
	swap(to_virtgpu_plane_state(cur)->res, to_virtgpu_plane_state(new)->res);
	swap(to_virtgpu_plane_state(cur)->shadow, to_virtgpu_plane_state(new)->shadow);
	swap(to_virtgpu_plane_state(cur)->copy, to_virtgpu_plane_state(new)->copy);

	virtgpu_crc_cursor(&out->crc);
}

static const struct drm_plane_helper_funcs virtgpu_cursor_plane_helper_funcs = {
	.prepare_fb = virtgpu_cursor_plane_prepare_fb,
	.cleanup_fb = virtgpu_cursor_plane_cleanup_fb,
	.atomic_check = virtgpu_cursor_plane_check,
	.atomic_update = virtgpu_cursor_plane_update,
	.atomic_disable = virtgpu_cursor_plane_disable,
	.atomic_async_check = virtgpu_cursor_plane_async_check,
	.atomic_async_update = virtgpu_cursor_plane_async_update,
};

/* Smaller cursors need a copy. */
static const struct drm_plane_size_hint virtgpu_cursor_size_hint = {
	.width = VIRTGPU_CURSOR_SIZE,
	.height = VIRTGPU_CURSOR_SIZE,
};

static const struct virtgpu_plane_desc virtgpu_plane_descs[] = {
	[DRM_PLANE_TYPE_PRIMARY] = {
		.helper_funcs = &virtgpu_primary_plane_helper_funcs,
		.formats = virtgpu_primary_formats,
		.num_formats = ARRAY_SIZE(virtgpu_primary_formats),
		/*
		 * Only black is below a primary plane, so alpha has no effect.
		 */
		.blend_modes = BIT(DRM_MODE_BLEND_PREMULTI) | BIT(DRM_MODE_BLEND_PIXEL_NONE),
		.can_show_blob = true,
	},
	[DRM_PLANE_TYPE_CURSOR] = {
		.helper_funcs = &virtgpu_cursor_plane_helper_funcs,
		.formats = virtgpu_cursor_formats,
		.num_formats = ARRAY_SIZE(virtgpu_cursor_formats),
		.blend_modes = BIT(DRM_MODE_BLEND_PREMULTI),
		.size_hint = &virtgpu_cursor_size_hint,
		.size = VIRTGPU_CURSOR_SIZE,
		.can_position = true,
	},
};

/**
 * virtgpu_plane_create() - Create a plane
 * @out: output of the plane, which has no CRTC yet
 * @type: DRM_PLANE_TYPE_PRIMARY or DRM_PLANE_TYPE_CURSOR
 *
 * Context: May sleep.
 * Return: the plane, which lives as long as the DRM device, or an error
 * pointer.
 */
struct drm_plane *virtgpu_plane_create(struct virtgpu_output *out, enum drm_plane_type type)
{
	const struct virtgpu_plane_desc *desc = &virtgpu_plane_descs[type];
	struct drm_device *dev = &out->vgdev->drm;
	struct virtgpu_plane *p;
	int ret;

	p = drmm_universal_plane_alloc(dev, struct virtgpu_plane, base, BIT(out->index),
				       &virtgpu_plane_funcs, desc->formats, desc->num_formats,
				       virtgpu_modifiers, type, NULL);
	if (IS_ERR(p))
		return ERR_CAST(p);

	p->out = out;
	p->desc = desc;
	drm_plane_helper_add(&p->base, desc->helper_funcs);
	drm_plane_enable_fb_damage_clips(&p->base);
	if (desc->size_hint) {
		ret = drm_plane_add_size_hints_property(&p->base, desc->size_hint, 1);
		if (ret)
			return ERR_PTR(ret);
	}
	ret = drm_plane_create_blend_mode_property(&p->base, desc->blend_modes);

	return ret ? ERR_PTR(ret) : &p->base;
}
