// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/crc32.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <drm/drm_crtc.h>
#include <drm/drm_debugfs_crc.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_plane.h>
#include <drm/drm_print.h>
#include <drm/drm_rect.h>
#include <drm/drm_vblank.h>

#include "virtgpu_crc.h"
#include "virtgpu_frame.h"
#include "virtgpu_gem.h"

/* Limit of the wait for a device that writes to the buffer of a frame. */
#define WRITE_TIMEOUT HZ

/**
 * DOC: CRCs
 *
 * Tests compare frames by the CRCs that a display controller computes. This
 * driver computes them from what the host is asked to show: the part of the
 * framebuffer on the output, with the cursor blended over it. The host reads a
 * buffer only when a commit or a cursor update requests it. So a worker
 * computes one CRC for each frame that a vblank finds still shown. This CRC is
 * then reported for each vblank that finds the frame shown.
 *
 * Commits record the frame only while CRCs are captured. User space may reuse
 * a buffer after the event of the flip that replaces it, so that event is
 * deferred while the worker still reads the buffer. If a cursor update
 * replaces the frame while its CRC is being computed, no CRC is reported for
 * that frame.
 */

/**
 * struct virtgpu_crc_frame - A frame of an output
 * @link: next frame in &virtgpu_crc.free_list
 * @fb: the framebuffer, or NULL for black
 * @x: left edge of the part of @fb that is shown, in pixels
 * @y: upper edge of that part, in pixels
 * @width: width of the output in pixels
 * @height: height of the output in pixels
 * @cursor: framebuffer of the cursor, or NULL
 * @cursor_src: the part of @cursor that is shown
 * @cursor_x: position of the cursor on the output, may be negative
 * @cursor_y: position of the cursor on the output, may be negative
 * @next: first vblank without an entry
 * @last: last vblank that showed the frame, once it was replaced
 * @valid: @value is valid
 * @value: the CRC
 */
struct virtgpu_crc_frame {
	struct virtgpu_crc_frame *link;
	struct drm_framebuffer *fb;
	unsigned int x, y;
	unsigned int width, height;
	struct drm_framebuffer *cursor;
	struct drm_rect cursor_src;
	int cursor_x, cursor_y;
	u64 next, last;
	bool valid;
	u32 value;
};

/*
 * Frames
 */

static struct drm_framebuffer *virtgpu_crc_get_fb(const struct drm_plane_state *state)
{
	if (!state->visible || !state->fb)
		return NULL;
	drm_framebuffer_get(state->fb);

	return state->fb;
}

static void virtgpu_crc_put_fb(struct drm_framebuffer *fb)
{
	if (fb)
		drm_framebuffer_put(fb);
}

/*
 * Only the state of the cursor may change concurrently. NULL if out of memory.
 */
static struct virtgpu_crc_frame *virtgpu_crc_capture_frame(struct virtgpu_crc *crc)
{
	const struct drm_display_mode *mode = &crc->crtc->state->mode;
	const struct drm_plane_state *primary = crc->crtc->primary->state;
	const struct drm_plane_state *cursor = crc->crtc->cursor->state;
	struct virtgpu_crc_frame *frame = kzalloc_obj(*frame);

	if (!frame)
		return NULL;

	frame->fb = virtgpu_crc_get_fb(primary);
	frame->x = primary->src.x1 >> 16;
	frame->y = primary->src.y1 >> 16;
	frame->width = mode->hdisplay;
	frame->height = mode->vdisplay;
	spin_lock_irq(&crc->lock);
	frame->cursor = virtgpu_crc_get_fb(cursor);
	frame->cursor_src = DRM_RECT_INIT(cursor->src_x >> 16, cursor->src_y >> 16,
					  cursor->src_w >> 16, cursor->src_h >> 16);
	frame->cursor_x = cursor->crtc_x;
	frame->cursor_y = cursor->crtc_y;
	spin_unlock_irq(&crc->lock);

	return frame;
}

static void virtgpu_crc_free_frames(struct virtgpu_crc_frame *list)
{
	struct virtgpu_crc_frame *frame;

	while ((frame = list)) {
		list = frame->link;
		virtgpu_crc_put_fb(frame->fb);
		virtgpu_crc_put_fb(frame->cursor);
		kfree(frame);
	}
}

static void virtgpu_crc_drop_frame(struct virtgpu_crc *crc, struct virtgpu_crc_frame **slot)
{
	struct virtgpu_crc_frame *frame = *slot;

	lockdep_assert_held(&crc->lock);

	*slot = NULL;
	if (!frame)
		return;
	frame->link = crc->free_list;
	crc->free_list = frame;
}

/*
 * Computation
 */

/* Convert a pixel as it is in memory to ARGB8888 in CPU byte order. */
static u32 virtgpu_crc_convert_pixel(u32 pixel, u32 format)
{
	u32 v = le32_to_cpu((__force __le32)pixel);

	switch (format) {
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_ABGR8888:
		return (v & 0xff00ff00) | (v & 0xff) << 16 | (v >> 16 & 0xff);
	case DRM_FORMAT_BGRX8888:
	case DRM_FORMAT_BGRA8888:
		return swab32(v);
	default:
		return v;
	}
}

/* Convert a line to XRGB8888 in CPU byte order with a zero X. */
static void virtgpu_crc_read_line(u32 *line, const struct iosys_map *map, size_t offset,
				  unsigned int width, u32 format)
{
	unsigned int i;

	iosys_map_memcpy_from(line, map, offset, width * sizeof(*line));
	for (i = 0; i < width; i++)
		line[i] = virtgpu_crc_convert_pixel(line[i], format) & 0xffffff;
}

static u32 virtgpu_crc_blend_channel(u32 over, u32 under, unsigned int shift)
{
	u32 alpha = over >> 24;
	u32 o = over >> shift & 0xff, u = under >> shift & 0xff;

	return min(o + DIV_ROUND_CLOSEST(u * (255 - alpha), 255), 255u) << shift;
}

/* The cursor has premultiplied alpha. */
static u32 virtgpu_crc_blend_pixel(u32 over, u32 under)
{
	return virtgpu_crc_blend_channel(over, under, 16) |
	       virtgpu_crc_blend_channel(over, under, 8) |
	       virtgpu_crc_blend_channel(over, under, 0);
}

static void virtgpu_crc_blend_cursor(const struct virtgpu_crc_frame *frame,
				     const struct iosys_map *map, u32 *line, int y)
{
	const struct drm_rect *src = &frame->cursor_src;
	int row = y - frame->cursor_y, i, x;
	size_t start;
	u32 pixel;

	if (row < 0 || row >= drm_rect_height(src))
		return;

	start = frame->cursor->offsets[0] + src->x1 * 4 +
		(size_t)(src->y1 + row) * frame->cursor->pitches[0];
	for (i = 0; i < drm_rect_width(src); i++) {
		x = frame->cursor_x + i;
		if (x < 0 || x >= frame->width)
			continue;
		pixel = virtgpu_crc_convert_pixel(iosys_map_rd(map, start + i * 4, u32),
						  frame->cursor->format->format);
		line[x] = virtgpu_crc_blend_pixel(pixel, line[x]);
	}
}

static int virtgpu_crc_map_fb(struct drm_framebuffer *fb, struct iosys_map *map)
{
	struct iosys_map maps[DRM_FORMAT_MAX_PLANES] = {};
	long left;
	int ret;

	/* The memory of a host3d resource is on the host. */
	if (to_virtgpu_gem(fb->obj[0])->host3d_res)
		return -EOPNOTSUPP;

	/*
	 * The wait in begin_cpu_access() has no limit. Commits that disable the
	 * output wait for the CRC.
	 */
	left = dma_resv_wait_timeout(fb->obj[0]->resv, DMA_RESV_USAGE_WRITE, true, WRITE_TIMEOUT);
	if (left <= 0)
		return left ?: -ETIMEDOUT;

	ret = drm_gem_fb_vmap(fb, maps, NULL);
	if (ret)
		return ret;

	ret = drm_gem_fb_begin_cpu_access(fb, DMA_FROM_DEVICE);
	if (ret) {
		drm_gem_fb_vunmap(fb, maps);
		return ret;
	}
	*map = maps[0];

	return 0;
}

static void virtgpu_crc_unmap_fb(struct drm_framebuffer *fb, struct iosys_map *map)
{
	struct iosys_map maps[DRM_FORMAT_MAX_PLANES] = { *map };

	drm_gem_fb_end_cpu_access(fb, DMA_FROM_DEVICE);
	drm_gem_fb_vunmap(fb, maps);
}

static u32 virtgpu_crc_compute_lines(const struct virtgpu_crc_frame *frame,
				     const struct iosys_map *image,
				     const struct iosys_map *cursor, u32 *line)
{
	u32 crc = ~0;
	unsigned int y;

	for (y = 0; y < frame->height; y++) {
		if (frame->fb)
			virtgpu_crc_read_line(line, image, frame->fb->offsets[0] + frame->x * 4 +
					      (size_t)(frame->y + y) * frame->fb->pitches[0],
					      frame->width, frame->fb->format->format);
		else
			memset(line, 0, frame->width * sizeof(*line));
		if (frame->cursor)
			virtgpu_crc_blend_cursor(frame, cursor, line, y);
		/* Each machine computes the same CRC of a frame. */
		cpu_to_le32_array(line, frame->width);
		crc = crc32_le(crc, (u8 *)line, frame->width * sizeof(*line));
	}

	return ~crc;
}

/*
 * Returns 0 or an errno, for example of an exporter that permits no CPU access.
 */
static int virtgpu_crc_compute(const struct virtgpu_crc_frame *frame, u32 *value)
{
	struct iosys_map image = {}, cursor = {};
	u32 *line;
	int ret;

	line = kmalloc_array(frame->width, sizeof(*line), GFP_KERNEL);
	if (!line)
		return -ENOMEM;

	ret = frame->fb ? virtgpu_crc_map_fb(frame->fb, &image) : 0;
	if (ret)
		goto free;
	ret = frame->cursor ? virtgpu_crc_map_fb(frame->cursor, &cursor) : 0;
	if (ret)
		goto unmap;

	*value = virtgpu_crc_compute_lines(frame, &image, &cursor, line);

	if (frame->cursor)
		virtgpu_crc_unmap_fb(frame->cursor, &cursor);
unmap:
	if (frame->fb)
		virtgpu_crc_unmap_fb(frame->fb, &image);
free:
	kfree(line);
	return ret;
}

/* Add an entry for each vblank at which @frame was shown. */
static void virtgpu_crc_report(struct virtgpu_crc *crc, struct virtgpu_crc_frame *frame)
{
	u64 last = frame == crc->shown ? drm_crtc_vblank_count(crc->crtc) : frame->last;

	lockdep_assert_held(&crc->lock);

	for (; frame->next <= last; frame->next++)
		drm_crtc_add_crc_entry(crc->crtc, true, frame->next, &frame->value);
}

static void virtgpu_crc_schedule_vblank(struct virtgpu_crc *crc)
{
	drm_vblank_work_schedule(&crc->vblank_work, drm_crtc_vblank_count(crc->crtc) + 1, true);
}

static void virtgpu_crc_vblank_work(struct kthread_work *base)
{
	struct virtgpu_crc *crc = container_of(to_drm_vblank_work(base), struct virtgpu_crc,
					       vblank_work);
	bool capturing;

	spin_lock_irq(&crc->lock);
	capturing = crc->capturing;
	if (capturing && crc->shown && crc->shown->valid) {
		virtgpu_crc_report(crc, crc->shown);
	} else if (capturing && crc->shown && !crc->computing) {
		crc->computing = crc->shown;
		queue_work(system_dfl_wq, &crc->work);
	}
	spin_unlock_irq(&crc->lock);

	if (capturing)
		virtgpu_crc_schedule_vblank(crc);
}

static void virtgpu_crc_compute_work(struct work_struct *work)
{
	struct virtgpu_crc *crc = container_of(work, struct virtgpu_crc, work);
	struct virtgpu_crc_frame *frame, *free_list;
	bool deferred;
	int ret;

	/*
	 * The list of dropped frames is taken before the computation, so @frame
	 * stays valid if it is dropped meanwhile. virtgpu_crc_disable() frees
	 * frames too, but waits for this work first.
	 */
	spin_lock_irq(&crc->lock);
	frame = crc->computing;
	free_list = crc->free_list;
	crc->free_list = NULL;
	spin_unlock_irq(&crc->lock);

	ret = virtgpu_crc_compute(frame, &frame->value);
	if (ret)
		drm_err_ratelimited(crc->crtc->dev, "%s: failed to map framebuffer for CRC: %d\n",
				    crc->crtc->name, ret);

	spin_lock_irq(&crc->lock);
	deferred = crc->flip_deferred;
	crc->flip_deferred = false;
	crc->computing = NULL;
	if (!ret && crc->capturing && (deferred || frame == crc->shown)) {
		frame->valid = true;
		virtgpu_crc_report(crc, frame);
	}
	spin_unlock_irq(&crc->lock);

	if (deferred)
		virtgpu_frames_send_deferred(crc->frames);
	virtgpu_crc_free_frames(free_list);
}

/*
 * Interface
 */

static void virtgpu_crc_show_queued(struct virtgpu_crc *crc)
{
	u64 now = drm_crtc_vblank_count(crc->crtc);

	lockdep_assert_held(&crc->lock);

	if (!crc->queued)
		return;

	if (crc->shown)
		crc->shown->last = now;
	/* The vblank work of the last vblank may not have run yet. */
	if (crc->shown && crc->shown->valid)
		virtgpu_crc_report(crc, crc->shown);
	crc->queued->next = now + 1;
	virtgpu_crc_drop_frame(crc, &crc->shown);
	swap(crc->shown, crc->queued);
}

static void virtgpu_crc_queue_frame(struct virtgpu_crc *crc, bool at_once)
{
	struct virtgpu_crc_frame *frame;
	bool had_queued;

	if (!READ_ONCE(crc->capturing))
		return;

	frame = virtgpu_crc_capture_frame(crc);
	spin_lock_irq(&crc->lock);
	if (crc->capturing) {
		had_queued = crc->queued;
		virtgpu_crc_drop_frame(crc, &crc->queued);
		swap(crc->queued, frame);
		if (at_once && !had_queued)
			virtgpu_crc_show_queued(crc);
	}
	spin_unlock_irq(&crc->lock);
	/* CRC capture was disabled concurrently, if there is a frame left. */
	virtgpu_crc_free_frames(frame);
}

/**
 * virtgpu_crc_queue() - Record the frame of the running commit
 * @crc: CRCs of the output
 *
 * The frame is shown from virtgpu_crc_show() on.
 *
 * Context: May sleep. The commit of the output.
 */
void virtgpu_crc_queue(struct virtgpu_crc *crc)
{
	virtgpu_crc_queue_frame(crc, false);
}

/**
 * virtgpu_crc_cursor() - Record a change of the cursor
 * @crc: CRCs of the output
 *
 * The cursor changes at once, or with the frame in flight.
 *
 * Context: May sleep. The update of the cursor of the output.
 */
void virtgpu_crc_cursor(struct virtgpu_crc *crc)
{
	virtgpu_crc_queue_frame(crc, true);
}

/**
 * virtgpu_crc_show() - Mark the frame that was queued last as shown
 * @crc: CRCs of the output
 *
 * Context: Any.
 * Return: true if the replaced frame is still being read. Then
 * virtgpu_frames_send_deferred() is called when the CRC was computed.
 */
bool virtgpu_crc_show(struct virtgpu_crc *crc)
{
	unsigned long flags;
	bool deferred;

	if (!READ_ONCE(crc->capturing))
		return false;

	spin_lock_irqsave(&crc->lock, flags);
	deferred = crc->queued && crc->shown && crc->computing == crc->shown;
	crc->flip_deferred = deferred;
	virtgpu_crc_show_queued(crc);
	spin_unlock_irqrestore(&crc->lock, flags);

	return deferred;
}

/**
 * virtgpu_crc_enable() - Continue to report CRCs
 * @crc: CRCs of an output with enabled vblanks
 *
 * Context: May sleep. The commit of the output.
 */
void virtgpu_crc_enable(struct virtgpu_crc *crc)
{
	if (READ_ONCE(crc->capturing))
		virtgpu_crc_schedule_vblank(crc);
}

/**
 * virtgpu_crc_disable() - Suspend CRCs before vblanks are disabled
 * @crc: CRCs of the output
 *
 * Context: May sleep. The commit of the output.
 */
void virtgpu_crc_disable(struct virtgpu_crc *crc)
{
	struct virtgpu_crc_frame *free_list;

	drm_vblank_work_cancel_sync(&crc->vblank_work);
	flush_work(&crc->work);

	spin_lock_irq(&crc->lock);
	virtgpu_crc_drop_frame(crc, &crc->queued);
	virtgpu_crc_drop_frame(crc, &crc->shown);
	free_list = crc->free_list;
	crc->free_list = NULL;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_free_frames(free_list);
}

static const char *const virtgpu_crc_sources[] = { "auto" };

/**
 * virtgpu_crc_get_sources() - Implement &drm_crtc_funcs.get_crc_sources
 * @crtc: the CRTC
 * @count: set to the number of sources
 *
 * Context: Any.
 * Return: the names of the sources.
 */
const char *const *virtgpu_crc_get_sources(struct drm_crtc *crtc, size_t *count)
{
	*count = ARRAY_SIZE(virtgpu_crc_sources);

	return virtgpu_crc_sources;
}

/**
 * virtgpu_crc_verify_source() - Implement &drm_crtc_funcs.verify_crc_source
 * @crtc: the CRTC
 * @source: name of a source, or NULL for none
 * @values: set to the number of values in an entry
 *
 * Context: Any.
 * Return: 0 on success, -EINVAL if @source is unknown.
 */
int virtgpu_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values)
{
	if (source && strcmp(source, virtgpu_crc_sources[0])) {
		drm_dbg_driver(crtc->dev, "unknown CRC source \"%s\"\n", source);
		return -EINVAL;
	}
	*values = 1;

	return 0;
}

static void virtgpu_crc_stop(struct virtgpu_crc *crc)
{
	spin_lock_irq(&crc->lock);
	crc->capturing = false;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_disable(crc);
}

/* Caller must hold the locks of the CRTC and its planes. */
static int virtgpu_crc_start(struct virtgpu_crc *crc)
{
	struct virtgpu_crc_frame *frame = NULL;
	int ret;

	if (crc->crtc->state->active) {
		frame = virtgpu_crc_capture_frame(crc);
		if (!frame)
			return -ENOMEM;
		ret = virtgpu_crc_compute(frame, &frame->value);
		if (ret) {
			virtgpu_crc_free_frames(frame);
			return ret;
		}
		frame->valid = true;
		frame->next = drm_crtc_vblank_count(crc->crtc) + 1;
	}

	spin_lock_irq(&crc->lock);
	crc->shown = frame;
	crc->capturing = true;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_schedule_vblank(crc);

	return 0;
}

/**
 * virtgpu_crc_set_source() - Implement &drm_crtc_funcs.set_crc_source
 * @crc: CRCs of the output
 * @source: a verified name, or NULL to stop
 *
 * Context: May sleep. Takes all modeset locks.
 * Return: 0 on success, -ENOMEM if out of memory, -EOPNOTSUPP for a host3d
 * resource, -ETIMEDOUT if another device writes to the buffer for longer than a
 * second, negative error code from the exporter otherwise.
 */
int virtgpu_crc_set_source(struct virtgpu_crc *crc, const char *source)
{
	struct drm_modeset_acquire_ctx ctx;
	int ret = 0;

	virtgpu_crc_stop(crc);
	if (!source)
		return 0;

	DRM_MODESET_LOCK_ALL_BEGIN(crc->crtc->dev, ctx, 0, ret);
	ret = virtgpu_crc_start(crc);
	DRM_MODESET_LOCK_ALL_END(crc->crtc->dev, ctx, ret);

	return ret;
}

/**
 * virtgpu_crc_init() - Initialise the CRCs of an output
 * @crc: zeroed memory
 * @crtc: the CRTC of the output, for which drm_vblank_init() was called
 * @frames: the frames of the output
 *
 * Context: May sleep.
 */
void virtgpu_crc_init(struct virtgpu_crc *crc, struct drm_crtc *crtc,
		      struct virtgpu_frames *frames)
{
	crc->crtc = crtc;
	crc->frames = frames;
	spin_lock_init(&crc->lock);
	INIT_WORK(&crc->work, virtgpu_crc_compute_work);
	drm_vblank_work_init(&crc->vblank_work, crtc, virtgpu_crc_vblank_work);
}

/**
 * virtgpu_crc_fini() - Stop the CRCs of an output
 * @crc: CRCs of an output without further commits, or zeroed memory
 *
 * Context: May sleep.
 */
void virtgpu_crc_fini(struct virtgpu_crc *crc)
{
	if (crc->crtc)
		virtgpu_crc_stop(crc);
}
