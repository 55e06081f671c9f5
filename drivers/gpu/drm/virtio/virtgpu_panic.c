// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/highmem.h>
#include <linux/kmemleak.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_panic.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_frame.h"
#include "virtgpu_gem.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"
#include "virtgpu_output.h"
#include "virtgpu_panic.h"
#include "virtgpu_plane.h"

/**
 * DOC: panic
 *
 * The panic screen is drawn into the visible part of the framebuffer of the
 * primary plane, if the framebuffer is in guest pages. Imported buffers and the
 * resources of contexts cannot be drawn into. Their outputs show the spare
 * resource instead: one 2D resource of 800x600 pixels for all outputs of a
 * device. Its guest pages (1.9 MB) are allocated on probe. The host needs
 * memory for it only if the kernel panics, because RESOURCE_CREATE_2D and
 * RESOURCE_ATTACH_BACKING are queued then.
 *
 * All messages are reserved: those that create the spare resource on probe,
 * those that show the panic screen when the output is initialised.
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

static bool virtgpu_panic_is_in_place(const struct drm_framebuffer *fb)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(fb->obj[0]);

	return gem->pages && !gem->host3d_res;
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

static void virtgpu_panic_get_framebuffer(struct drm_plane *plane, struct drm_scanout_buffer *sb)
{
	struct drm_framebuffer *fb = plane->state->fb;
	struct drm_rect visible;

	virtgpu_panic_get_visible(plane->state, &visible);
	sb->format = drm_format_info(virtgpu_panic_format(fb->format->format));
	sb->width = drm_rect_width(&visible);
	sb->height = drm_rect_height(&visible);
	sb->pitch[0] = fb->pitches[0];
	sb->set_pixel = virtgpu_panic_set_pixel;
	sb->private = plane;
	memset(&virtgpu_panic_output(plane)->panic_pos, 0, sizeof(struct virtgpu_pages_pos));
}

/* DRM writes pixels in the byte order of the CPU, as XRGB8888. */
static void virtgpu_panic_get_spare(const struct virtgpu_panic *panic,
				    struct drm_scanout_buffer *sb)
{
	sb->format = drm_format_info(DRM_FORMAT_XRGB8888);
	sb->width = VIRTGPU_PANIC_WIDTH;
	sb->height = VIRTGPU_PANIC_HEIGHT;
	sb->pitch[0] = VIRTGPU_PANIC_WIDTH * 4;
	sb->map[0] = panic->map;
}

/**
 * virtgpu_panic_get_buffer() - Implement
 * &drm_plane_helper_funcs.get_scanout_buffer
 * @plane: a primary plane
 * @sb: filled with the scanout buffer
 *
 * Context: Panic. Must not sleep, allocate or wait for locks.
 * Return: 0 on success, -ENODEV if the plane shows no framebuffer.
 */
int virtgpu_panic_get_buffer(struct drm_plane *plane, struct drm_scanout_buffer *sb)
{
	struct drm_plane_state *state = plane->state;

	if (!state || !state->fb || !state->visible)
		return -ENODEV;

	if (virtgpu_panic_is_in_place(state->fb))
		virtgpu_panic_get_framebuffer(plane, sb);
	else
		virtgpu_panic_get_spare(&virtgpu_panic_output(plane)->vgdev->kms.panic, sb);

	return 0;
}

/* A message in flight cannot be queued again. */
static bool virtgpu_panic_is_reusable(struct virtgpu_msg *msg)
{
	if (msg->state == VIRTGPU_MSG_COMPLETED)
		virtgpu_msg_reinit(msg);

	return msg->state == VIRTGPU_MSG_RESERVED;
}

static unsigned int virtgpu_panic_flush_framebuffer(struct drm_plane_state *state,
						    struct virtgpu_msg *show[],
						    struct virtgpu_msg *msgs[])
{
	struct virtgpu_gem *gem = to_virtgpu_gem(state->fb->obj[0]);
	u32 resource = to_virtgpu_plane_state(state)->res->id;
	struct drm_rect visible;

	virtgpu_pages_sync_for_device(gem->pages);
	virtgpu_panic_get_visible(state, &visible);
	virtgpu_cmd_transfer_to_host_2d(show[0], resource, &visible, virtgpu_panic_offset(state));
	virtgpu_cmd_flush(show[1], resource, &visible);
	msgs[0] = show[0];
	msgs[1] = show[1];

	return 2;
}

/*
 * Queue both messages once, unless the host has rejected them before.  Another
 * output may have queued them.
 */
static unsigned int virtgpu_panic_create_spare(struct virtgpu_panic *panic,
					       struct virtgpu_msg *msgs[])
{
	const struct virtgpu_cmd_create_2d cmd = {
		.resource = VIRTGPU_PANIC_RESOURCE,
		.format = virtgpu_fb_host_format(DRM_FORMAT_HOST_XRGB8888),
		.width = VIRTGPU_PANIC_WIDTH,
		.height = VIRTGPU_PANIC_HEIGHT,
	};

	if (panic->attach->state == VIRTGPU_MSG_COMPLETED && panic->attach->error)
		virtgpu_panic_reset(panic);
	if (panic->attach->state != VIRTGPU_MSG_RESERVED)
		return 0;

	virtgpu_cmd_create_2d(panic->create, &cmd);
	virtgpu_cmd_attach_backing(panic->attach, VIRTGPU_PANIC_RESOURCE, panic->attach->payload);
	msgs[0] = panic->create;
	msgs[1] = panic->attach;

	return 2;
}

static unsigned int virtgpu_panic_flush_spare(struct virtgpu_output *out,
					      struct virtgpu_msg *show[],
					      struct virtgpu_msg *msgs[])
{
	struct virtgpu_panic *panic = &out->vgdev->kms.panic;
	const struct virtgpu_cmd_scanout scanout = {
		.scanout = out->index,
		.resource = VIRTGPU_PANIC_RESOURCE,
		.w = VIRTGPU_PANIC_WIDTH,
		.h = VIRTGPU_PANIC_HEIGHT,
	};
	const struct drm_rect whole = DRM_RECT_INIT(0, 0, scanout.w, scanout.h);
	unsigned int n = virtgpu_panic_create_spare(panic, msgs);

	virtgpu_pages_sync_for_device(panic->pages);
	virtgpu_cmd_transfer_to_host_2d(show[0], VIRTGPU_PANIC_RESOURCE, &whole, 0);
	virtgpu_cmd_flush(show[1], VIRTGPU_PANIC_RESOURCE, &whole);
	virtgpu_cmd_set_scanout(show[2], &scanout);
	/* After a test of the panic screen the next frame must replace it. */
	virtgpu_frames_try_set_scanout(&out->frames, &scanout);
	msgs[n++] = show[2];
	msgs[n++] = show[0];
	msgs[n++] = show[1];

	return n;
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
	struct virtgpu_msg **show = out->panic_msgs;
	struct virtgpu_msg *msgs[ARRAY_SIZE(out->panic_msgs) + 2];
	unsigned int i, n;

	if (!to_virtgpu_plane_state(plane->state)->res)
		return;
	for (i = 0; i < ARRAY_SIZE(out->panic_msgs); i++)
		if (!virtgpu_panic_is_reusable(show[i]))
			return;

	if (virtgpu_panic_is_in_place(plane->state->fb))
		n = virtgpu_panic_flush_framebuffer(plane->state, show, msgs);
	else
		n = virtgpu_panic_flush_spare(out, show, msgs);
	virtgpu_vq_panic_send(&out->vgdev->ctrl, msgs, n);
}

/*
 * Setup and teardown
 */

static int virtgpu_panic_alloc_messages(struct virtgpu_panic *panic, struct virtgpu_vq *q)
{
	struct virtgpu_mem_entries *e;
	struct scatterlist *sg;
	unsigned int i;

	panic->create = virtgpu_msg_alloc();
	panic->attach = virtgpu_msg_alloc();
	if (!panic->create || !panic->attach)
		return -ENOMEM;
	e = virtgpu_mem_entries_alloc(panic->pages->sgt, panic->pages->addr_type,
				      virtgpu_vq_max_segs(q));
	if (IS_ERR(e))
		return PTR_ERR(e);
	panic->attach->payload = e;
	/* kmemleak does not find memory by the pages of a scatterlist. */
	for_each_sg(e->sgt.sgl, sg, e->sgt.nents, i)
		kmemleak_not_leak(sg_virt(sg));

	return 0;
}

/**
 * virtgpu_panic_init() - Allocate the spare resource
 * @panic: zeroes
 * @vgdev: the device, with a started control queue
 *
 * On error the caller must call virtgpu_panic_fini().
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory, -EIO if the pages cannot be
 * mapped for the device.
 */
int virtgpu_panic_init(struct virtgpu_panic *panic, struct virtgpu_device *vgdev)
{
	u64 size = PAGE_ALIGN(VIRTGPU_PANIC_WIDTH * VIRTGPU_PANIC_HEIGHT * 4);
	struct virtgpu_backing *pages;
	int ret;

	pages = virtgpu_pages_alloc(&vgdev->backings, size);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	panic->pages = pages;
	ret = virtgpu_pages_vmap(pages, &panic->map);
	if (ret)
		return ret;

	return virtgpu_panic_alloc_messages(panic, &vgdev->ctrl);
}

/**
 * virtgpu_panic_reset() - Forget that the host has the spare resource
 * @panic: the spare resource; its messages are not in flight
 *
 * Context: Any, panic included.
 */
void virtgpu_panic_reset(struct virtgpu_panic *panic)
{
	virtgpu_msg_reinit(panic->create);
	virtgpu_msg_reinit(panic->attach);
}

/**
 * virtgpu_panic_fini() - Release the spare resource
 * @panic: zeroes, or the spare resource of a device with stopped queues
 *
 * Context: May sleep.
 */
void virtgpu_panic_fini(struct virtgpu_panic *panic)
{
	virtgpu_msg_put(panic->create);
	virtgpu_msg_put(panic->attach);
	if (iosys_map_is_set(&panic->map))
		vunmap(panic->map.vaddr);
	if (panic->pages)
		virtgpu_backing_put(panic->pages);
}
