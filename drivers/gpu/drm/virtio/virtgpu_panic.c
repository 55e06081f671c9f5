// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/highmem.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_panic.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_output.h"
#include "virtgpu_plane.h"

/**
 * DOC: panic
 *
 * The panic screen is drawn into the visible part of the framebuffer of the
 * primary plane, page by page. TRANSFER_TO_HOST_2D and RESOURCE_FLUSH use messages that are reserved
 * when the output is initialised. Imported buffers and host3d resources cannot
 * be drawn into; such an output does not show the panic screen.
 */

static struct virtgpu_output *virtgpu_panic_output(struct drm_plane *plane)
{
	return container_of(plane, struct virtgpu_plane, base)->out;
}

/* DRM draws in little-endian formats only; set_pixel swaps the bytes. */
static u32 virtgpu_panic_format(u32 fourcc)
{
	switch (fourcc) {
	case DRM_FORMAT_BGRX8888:
		return DRM_FORMAT_XRGB8888;
	case DRM_FORMAT_BGRA8888:
		return DRM_FORMAT_ARGB8888;
	default:
		return fourcc;
	}
}

/* The visible part: outputs may share a framebuffer. */
static void virtgpu_panic_get_visible(const struct drm_plane_state *state, struct drm_rect *r)
{
	drm_rect_fp_to_int(r, &state->src);
}

static u64 virtgpu_panic_offset(const struct drm_plane_state *state)
{
	struct drm_rect visible;

	virtgpu_panic_get_visible(state, &visible);

	return virtgpu_fb_offset(state->fb->offsets[0], state->fb->pitches[0], &visible);
}

static void virtgpu_panic_set_pixel(struct drm_scanout_buffer *sb, unsigned int x,
				    unsigned int y, u32 color)
{
	struct drm_plane *plane = sb->private;
	struct drm_framebuffer *fb = plane->state->fb;
	u64 offset = virtgpu_panic_offset(plane->state) + (u64)y * fb->pitches[0] + x * 4;
	struct page *page;
	void *vaddr;

	/* A fragmented buffer has thousands of blocks. */
	page = virtgpu_pages_page(to_virtgpu_gem(fb->obj[0])->pages,
				  &virtgpu_panic_output(plane)->panic_pos, offset);
	if (!page)
		return;

	if (sb->format->format != fb->format->format)
		color = swab32(color);
	vaddr = kmap_local_page(page);
	*(u32 *)(vaddr + offset_in_page(offset)) = (__force u32)cpu_to_le32(color);
	kunmap_local(vaddr);
}

/**
 * virtgpu_panic_get_buffer() - Implement
 * &drm_plane_helper_funcs.get_scanout_buffer
 * @plane: a primary plane
 * @sb: filled with the scanout buffer
 *
 * Context: Panic. Must not sleep, allocate or wait for locks.
 * Return: 0 on success, -ENODEV if there is no framebuffer to draw into.
 */
int virtgpu_panic_get_buffer(struct drm_plane *plane, struct drm_scanout_buffer *sb)
{
	struct drm_plane_state *state = plane->state;
	struct drm_framebuffer *fb = state ? state->fb : NULL;
	struct drm_rect visible;

	if (!fb || !state->visible || !to_virtgpu_gem(fb->obj[0])->pages ||
	    to_virtgpu_gem(fb->obj[0])->host3d_res)
		return -ENODEV;

	sb->format = drm_format_info(virtgpu_panic_format(fb->format->format));
	virtgpu_panic_get_visible(state, &visible);
	sb->width = drm_rect_width(&visible);
	sb->height = drm_rect_height(&visible);
	sb->pitch[0] = fb->pitches[0];
	sb->set_pixel = virtgpu_panic_set_pixel;
	sb->private = plane;
	memset(&virtgpu_panic_output(plane)->panic_pos, 0, sizeof(struct virtgpu_pages_pos));

	return 0;
}

/* A message in flight cannot be queued again. */
static bool virtgpu_panic_is_reusable(struct virtgpu_msg *msg)
{
	if (msg->state == VIRTGPU_MSG_COMPLETED)
		virtgpu_msg_reinit(msg);

	return msg->state == VIRTGPU_MSG_RESERVED;
}

/**
 * virtgpu_panic_flush() - Implement &drm_plane_helper_funcs.panic_flush
 * @plane: a primary plane for which virtgpu_panic_get_buffer() has succeeded
 *
 * Context: Panic. Must not sleep, allocate or wait for locks.
 */
void virtgpu_panic_flush(struct drm_plane *plane)
{
	struct virtgpu_output *out = virtgpu_panic_output(plane);
	struct virtgpu_plane_state *vs = to_virtgpu_plane_state(plane->state);
	struct virtgpu_gem *gem = to_virtgpu_gem(vs->base.fb->obj[0]);
	struct virtgpu_msg **msgs = out->panic_msgs;
	struct drm_rect visible;

	if (!vs->res || !virtgpu_panic_is_reusable(msgs[0]) || !virtgpu_panic_is_reusable(msgs[1]))
		return;

	if (gem->pages)
		virtgpu_pages_sync_for_device(gem->pages);
	virtgpu_panic_get_visible(&vs->base, &visible);
	virtgpu_cmd_transfer_to_host_2d(msgs[0], vs->res->id, &visible,
					virtgpu_panic_offset(&vs->base));
	virtgpu_cmd_flush(msgs[1], vs->res->id, &visible);
	virtgpu_vq_panic_send(&out->vgdev->ctrl, msgs, 2);
}
