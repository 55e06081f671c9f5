// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/crc32.h>
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

/**
 * DOC: checksums
 *
 * Tests compare pictures by the checksums that a display controller makes of each
 * frame.  Here they are made of what the host was told to show: the part of the
 * framebuffer on the output, with the cursor over it.  That changes only when a
 * commit or a cursor update says so, since the host looks at the buffer no more
 * often; so a checksum is computed once for each picture, by a worker, and then given
 * out for each vblank that finds it shown.
 *
 * The commits only note what they show, and only while somebody listens.  As a buffer
 * is its owner's again with the event of the flip that replaces it, such an event waits
 * while the worker still reads.  A picture that a cursor update replaces meanwhile is
 * given up: its vblanks get no entry, rather than one that may be wrong.
 */

/**
 * struct virtgpu_crc_frame - what an output shows
 * @link: the next one to be freed
 * @fb: the framebuffer, or NULL for black
 * @x: left edge of the part that is shown
 * @y: upper edge
 * @width: of the output, in pixels
 * @height: of the output
 * @cursor: the cursor's framebuffer, or NULL
 * @cursor_src: the part of @cursor that is shown
 * @cursor_x: where that is on the output, may be negative
 * @cursor_y: likewise
 * @next: the first vblank that may get an entry yet
 * @last: the last one, once the picture was replaced
 * @valid: @value is known
 * @value: the checksum
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
 * Pictures
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

/* Of the current states, of which only the cursor's may change; NULL without memory. */
static struct virtgpu_crc_frame *virtgpu_crc_capture_frame(struct virtgpu_crc *crc)
{
	const struct drm_display_mode *mode = &crc->crtc->state->mode;
	const struct drm_plane_state *primary = crc->crtc->primary->state;
	const struct drm_plane_state *cursor = crc->crtc->cursor->state;
	struct virtgpu_crc_frame *p = kzalloc_obj(*p);

	if (!p)
		return NULL;

	p->fb = virtgpu_crc_get_fb(primary);
	p->x = primary->src.x1 >> 16;
	p->y = primary->src.y1 >> 16;
	p->width = mode->hdisplay;
	p->height = mode->vdisplay;
	spin_lock_irq(&crc->lock);
	p->cursor = virtgpu_crc_get_fb(cursor);
	p->cursor_src = DRM_RECT_INIT(cursor->src_x >> 16, cursor->src_y >> 16,
				      cursor->src_w >> 16, cursor->src_h >> 16);
	p->cursor_x = cursor->crtc_x;
	p->cursor_y = cursor->crtc_y;
	spin_unlock_irq(&crc->lock);

	return p;
}

static void virtgpu_crc_free_frames(struct virtgpu_crc_frame *list)
{
	struct virtgpu_crc_frame *p;

	while ((p = list)) {
		list = p->link;
		virtgpu_crc_put_fb(p->fb);
		virtgpu_crc_put_fb(p->cursor);
		kfree(p);
	}
}

/* Under the lock. */
static void virtgpu_crc_drop_frame(struct virtgpu_crc *crc, struct virtgpu_crc_frame **place)
{
	struct virtgpu_crc_frame *p = *place;

	*place = NULL;
	if (!p)
		return;
	p->link = crc->unused;
	crc->unused = p;
}

/*
 * Computing
 */

/* One line as the bytes 0, red, green, blue, whatever the framebuffer's order. */
static void virtgpu_crc_read_line(u32 *line, const struct iosys_map *map, size_t offset,
				  unsigned int width, u32 format)
{
	bool swapped = format == DRM_FORMAT_XBGR8888 || format == DRM_FORMAT_ABGR8888;
	unsigned int i;

	iosys_map_memcpy_from(line, map, offset, width * sizeof(*line));
	for (i = 0; i < width; i++) {
		u32 v = le32_to_cpu((__force __le32)line[i]);

		if (swapped)
			v = (v & 0xff00) | (v & 0xff) << 16 | (v >> 16 & 0xff);
		line[i] = v & 0xffffff;
	}
}

static u32 virtgpu_crc_blend_channel(u32 over, u32 under, unsigned int shift)
{
	u32 alpha = over >> 24;
	u32 o = over >> shift & 0xff, u = under >> shift & 0xff;

	return min(o + DIV_ROUND_CLOSEST(u * (255 - alpha), 255), 255u) << shift;
}

/* The cursor's colours are multiplied with its alpha already. */
static u32 virtgpu_crc_blend_pixel(u32 over, u32 under)
{
	return virtgpu_crc_blend_channel(over, under, 16) | virtgpu_crc_blend_channel(over, under,
										      8) |
	       virtgpu_crc_blend_channel(over, under, 0);
}

static void virtgpu_crc_blend_cursor(const struct virtgpu_crc_frame *p, const struct iosys_map *map,
				     u32 *line, int y)
{
	const struct drm_rect *src = &p->cursor_src;
	int row = y - p->cursor_y, i, x;
	size_t start;

	if (row < 0 || row >= drm_rect_height(src))
		return;

	start = p->cursor->offsets[0] + src->x1 * 4 +
		(size_t)(src->y1 + row) * p->cursor->pitches[0];
	for (i = 0; i < drm_rect_width(src); i++) {
		x = p->cursor_x + i;
		if (x < 0 || x >= p->width)
			continue;
		line[x] = virtgpu_crc_blend_pixel(le32_to_cpu((__force __le32)
							      iosys_map_rd(map, start + i * 4,
									   u32)),
						  line[x]);
	}
}

static int virtgpu_crc_map_fb(struct drm_framebuffer *fb, struct iosys_map *map)
{
	struct iosys_map maps[DRM_FORMAT_MAX_PLANES] = {};
	int ret;

	/* Only the host knows what it has rendered. */
	if (to_virtgpu_gem(fb->obj[0])->host3d_res)
		return -EOPNOTSUPP;

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

static u32 virtgpu_crc_sum_lines(const struct virtgpu_crc_frame *p, const struct iosys_map *image,
				 const struct iosys_map *cursor, u32 *line)
{
	u32 crc = ~0;
	unsigned int y;

	for (y = 0; y < p->height; y++) {
		if (p->fb)
			virtgpu_crc_read_line(line, image, p->fb->offsets[0] + p->x * 4 +
					      (size_t)(p->y + y) * p->fb->pitches[0],
					      p->width, p->fb->format->format);
		else
			memset(line, 0, p->width * sizeof(*line));
		if (p->cursor)
			virtgpu_crc_blend_cursor(p, cursor, line, y);
		crc = crc32_le(crc, (u8 *)line, p->width * sizeof(*line));
	}

	return ~crc;
}

/* Returns 0, or an errno if the memory cannot be read. */
static int virtgpu_crc_compute(const struct virtgpu_crc_frame *p, u32 *value)
{
	struct iosys_map image = {}, cursor = {};
	u32 *line;
	int ret;

	line = kmalloc_array(p->width, sizeof(*line), GFP_KERNEL);
	if (!line)
		return -ENOMEM;

	ret = p->fb ? virtgpu_crc_map_fb(p->fb, &image) : 0;
	if (ret)
		goto free;
	ret = p->cursor ? virtgpu_crc_map_fb(p->cursor, &cursor) : 0;
	if (ret)
		goto unmap;

	*value = virtgpu_crc_sum_lines(p, &image, &cursor, line);

	if (p->cursor)
		virtgpu_crc_unmap_fb(p->cursor, &cursor);
unmap:
	if (p->fb)
		virtgpu_crc_unmap_fb(p->fb, &image);
free:
	kfree(line);
	return ret;
}

/*
 * Giving out
 */

/* Under the lock: an entry for each vblank that has found the picture shown. */
static void virtgpu_crc_report(struct virtgpu_crc *crc, struct virtgpu_crc_frame *p)
{
	u64 last = p == crc->shown ? drm_crtc_vblank_count(crc->crtc) : p->last;

	for (; p->next <= last; p->next++)
		drm_crtc_add_crc_entry(crc->crtc, true, p->next, &p->value);
}

static void virtgpu_crc_schedule_vblank(struct virtgpu_crc *crc)
{
	drm_vblank_work_schedule(&crc->tick, drm_crtc_vblank_count(crc->crtc) + 1, true);
}

static void virtgpu_crc_vblank_work(struct kthread_work *base)
{
	struct virtgpu_crc *crc = container_of(to_drm_vblank_work(base), struct virtgpu_crc, tick);
	bool on;

	spin_lock_irq(&crc->lock);
	on = crc->on;
	if (on && crc->shown && crc->shown->valid) {
		virtgpu_crc_report(crc, crc->shown);
	} else if (on && crc->shown && !crc->computed) {
		crc->computed = crc->shown;
		queue_work(system_dfl_wq, &crc->work);
	}
	spin_unlock_irq(&crc->lock);

	if (on)
		virtgpu_crc_schedule_vblank(crc);
}

static void virtgpu_crc_compute_work(struct work_struct *work)
{
	struct virtgpu_crc *crc = container_of(work, struct virtgpu_crc, work);
	struct virtgpu_crc_frame *p, *unused;
	bool held;
	int ret;

	/* Nobody else frees pictures meanwhile; this one may be among the unused soon. */
	spin_lock_irq(&crc->lock);
	p = crc->computed;
	unused = crc->unused;
	crc->unused = NULL;
	spin_unlock_irq(&crc->lock);

	ret = virtgpu_crc_compute(p, &p->value);
	if (ret)
		drm_err_ratelimited(crc->crtc->dev, "%s: failed to map framebuffer for CRC: %d\n",
				    crc->crtc->name, ret);

	spin_lock_irq(&crc->lock);
	held = crc->held;
	crc->held = false;
	crc->computed = NULL;
	if (!ret && crc->on && (held || p == crc->shown)) {
		p->valid = true;
		virtgpu_crc_report(crc, p);
	}
	spin_unlock_irq(&crc->lock);

	if (held)
		virtgpu_frames_send_deferred(crc->frames);
	virtgpu_crc_free_frames(unused);
}

/*
 * What the commits tell
 */

/* Under the lock. */
static void virtgpu_crc_show_queued(struct virtgpu_crc *crc)
{
	u64 now = drm_crtc_vblank_count(crc->crtc);

	if (!crc->queued)
		return;

	if (crc->shown)
		crc->shown->last = now;
	/* The tick of the last vblank may be late. */
	if (crc->shown && crc->shown->valid)
		virtgpu_crc_report(crc, crc->shown);
	crc->queued->next = now + 1;
	virtgpu_crc_drop_frame(crc, &crc->shown);
	swap(crc->shown, crc->queued);
}

static void virtgpu_crc_queue_frame(struct virtgpu_crc *crc, bool at_once)
{
	struct virtgpu_crc_frame *p;
	bool waits;

	if (!READ_ONCE(crc->on))
		return;

	p = virtgpu_crc_capture_frame(crc);
	spin_lock_irq(&crc->lock);
	if (crc->on) {
		waits = crc->queued;
		virtgpu_crc_drop_frame(crc, &crc->queued);
		swap(crc->queued, p);
		if (at_once && !waits)
			virtgpu_crc_show_queued(crc);
	}
	spin_unlock_irq(&crc->lock);
	/* Whoever listened has just left. */
	virtgpu_crc_free_frames(p);
}

/**
 * virtgpu_crc_queue - note what the running commit shows
 * @crc: CRCs of the output
 *
 * It counts from virtgpu_crc_show() on.
 *
 * Context: may sleep; the commit of the output.
 */
void virtgpu_crc_queue(struct virtgpu_crc *crc)
{
	virtgpu_crc_queue_frame(crc, false);
}

/**
 * virtgpu_crc_cursor - note that the cursor has changed
 * @crc: CRCs of the output
 *
 * It counts at once, or with the frame that is on its way to the host.
 *
 * Context: may sleep; the update of the cursor of the output.
 */
void virtgpu_crc_cursor(struct virtgpu_crc *crc)
{
	virtgpu_crc_queue_frame(crc, true);
}

/**
 * virtgpu_crc_show - the host shows what was queued last
 * @crc: CRCs of the output
 *
 * Context: any.
 * Return: true if what it replaces is still being read: virtgpu_frames_send_deferred()
 * will be called.
 */
bool virtgpu_crc_show(struct virtgpu_crc *crc)
{
	unsigned long flags;
	bool held;

	if (!READ_ONCE(crc->on))
		return false;

	spin_lock_irqsave(&crc->lock, flags);
	held = crc->queued && crc->shown && crc->computed == crc->shown;
	crc->held = held;
	virtgpu_crc_show_queued(crc);
	spin_unlock_irqrestore(&crc->lock, flags);

	return held;
}

/**
 * virtgpu_crc_enable - the output has vblanks from now on
 * @crc: CRCs of the output
 *
 * Context: the commit of the output.
 */
void virtgpu_crc_enable(struct virtgpu_crc *crc)
{
	if (READ_ONCE(crc->on))
		virtgpu_crc_schedule_vblank(crc);
}

/**
 * virtgpu_crc_disable - the output is about to have no vblanks
 * @crc: CRCs of the output
 *
 * Context: may sleep; the commit of the output.
 */
void virtgpu_crc_disable(struct virtgpu_crc *crc)
{
	struct virtgpu_crc_frame *unused;

	drm_vblank_work_cancel_sync(&crc->tick);
	flush_work(&crc->work);

	spin_lock_irq(&crc->lock);
	virtgpu_crc_drop_frame(crc, &crc->queued);
	virtgpu_crc_drop_frame(crc, &crc->shown);
	unused = crc->unused;
	crc->unused = NULL;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_free_frames(unused);
}

/*
 * What user space asks
 */

static const char *const sources[] = { "auto" };

/**
 * virtgpu_crc_get_sources - &drm_crtc_funcs.get_crc_sources
 * @crtc: the CRTC
 * @count: set to their number
 *
 * Return: the sources there are.
 */
const char *const *virtgpu_crc_get_sources(struct drm_crtc *crtc, size_t *count)
{
	*count = ARRAY_SIZE(sources);

	return sources;
}

/**
 * virtgpu_crc_verify_source - &drm_crtc_funcs.verify_crc_source
 * @crtc: the CRTC
 * @source: a name, or NULL for none
 * @values: set to the number of values in an entry
 *
 * Return: 0, or -EINVAL for a source that there is not.
 */
int virtgpu_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values)
{
	if (source && strcmp(source, sources[0])) {
		drm_dbg_driver(crtc->dev, "unknown CRC source \"%s\"\n", source);
		return -EINVAL;
	}
	*values = 1;

	return 0;
}

static void virtgpu_crc_stop(struct virtgpu_crc *crc)
{
	spin_lock_irq(&crc->lock);
	crc->on = false;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_disable(crc);
}

/* With the CRTC and its planes locked: what is shown now, if it can be read. */
static int virtgpu_crc_start(struct virtgpu_crc *crc)
{
	struct virtgpu_crc_frame *p = NULL;
	int ret;

	if (crc->crtc->state->active) {
		p = virtgpu_crc_capture_frame(crc);
		if (!p)
			return -ENOMEM;
		ret = virtgpu_crc_compute(p, &p->value);
		if (ret) {
			virtgpu_crc_free_frames(p);
			return ret;
		}
		p->valid = true;
		p->next = drm_crtc_vblank_count(crc->crtc) + 1;
	}

	spin_lock_irq(&crc->lock);
	crc->shown = p;
	crc->on = true;
	spin_unlock_irq(&crc->lock);

	virtgpu_crc_schedule_vblank(crc);

	return 0;
}

/**
 * virtgpu_crc_set_source - &drm_crtc_funcs.set_crc_source
 * @crc: CRCs of the output
 * @source: a name that was verified, or NULL to end
 *
 * Context: may sleep, without KMS locks.
 * Return: 0; -ENOMEM; what the exporter of the buffer says that is shown, if the
 * kernel cannot read it.
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
 * virtgpu_crc_init - set up an output's checksums
 * @crc: zeroed memory
 * @crtc: the CRTC of the output, for which drm_vblank_init() was called
 * @frames: the frames of the output
 */
void virtgpu_crc_init(struct virtgpu_crc *crc, struct drm_crtc *crtc,
		      struct virtgpu_frames *frames)
{
	crc->crtc = crtc;
	crc->frames = frames;
	spin_lock_init(&crc->lock);
	INIT_WORK(&crc->work, virtgpu_crc_compute_work);
	drm_vblank_work_init(&crc->tick, crtc, virtgpu_crc_vblank_work);
}

/**
 * virtgpu_crc_fini - end an output's checksums
 * @crc: CRCs of an output that is not used any more, or zeroed memory
 *
 * Context: may sleep.
 */
void virtgpu_crc_fini(struct virtgpu_crc *crc)
{
	/* Not if setting up did not come that far. */
	if (crc->crtc)
		virtgpu_crc_stop(crc);
}
