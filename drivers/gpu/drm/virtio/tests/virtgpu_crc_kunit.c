// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/crc32.h>
#include <linux/dma-buf.h>
#include <linux/slab.h>
#include <drm/drm_crtc.h>
#include <drm/drm_debugfs_crc.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/* CRCs of an output, as read from crtc-0/crc/data in debugfs. */

#define W 64
#define H 48
#define CURSOR 16
#define LINE 4096

#define CMD(name) VIRTIO_GPU_CMD_##name

struct crc_reader {
	struct kunit *test;
	struct drm_crtc *crtc;
	bool enabled;
};

static struct drm_crtc *first_crtc(struct virtgpu_test_client *u)
{
	return &to_virtgpu(u->drm)->kms.outputs[0].crtc;
}

/* Do what closing crc/data does. */
static void close_reader(void *data)
{
	struct crc_reader *reader = data;
	struct drm_crtc_crc *crc = &reader->crtc->crc;
	struct drm_crtc_crc_entry *entries;

	if (reader->enabled)
		KUNIT_EXPECT_EQ(reader->test,
				reader->crtc->funcs->set_crc_source(reader->crtc, NULL), 0);
	reader->enabled = false;

	spin_lock_irq(&crc->lock);
	entries = crc->entries;
	crc->entries = NULL;
	crc->opened = false;
	spin_unlock_irq(&crc->lock);
	kfree(entries);
}

/* Do what opening crc/data does.  @ret is the result of set_crc_source(). */
static struct crc_reader *try_open_reader(struct virtgpu_test_client *u, int *ret)
{
	struct crc_reader *reader = kunit_kzalloc(u->test, sizeof(*reader), GFP_KERNEL);
	struct drm_crtc_crc_entry *entries = kcalloc(DRM_CRC_ENTRIES_NR, sizeof(*entries),
						     GFP_KERNEL);
	struct drm_crtc_crc *crc = &first_crtc(u)->crc;

	KUNIT_ASSERT_NOT_NULL(u->test, reader);
	KUNIT_ASSERT_NOT_NULL(u->test, entries);
	reader->test = u->test;
	reader->crtc = first_crtc(u);

	spin_lock_irq(&crc->lock);
	crc->entries = entries;
	crc->values_cnt = 1;
	crc->head = 0;
	crc->tail = 0;
	crc->opened = true;
	spin_unlock_irq(&crc->lock);
	*ret = reader->crtc->funcs->set_crc_source(reader->crtc, "auto");
	reader->enabled = !*ret;
	KUNIT_ASSERT_EQ(u->test, kunit_add_action_or_reset(u->test, close_reader, reader), 0);

	return reader;
}

static struct crc_reader *open_reader(struct virtgpu_test_client *u)
{
	struct crc_reader *reader;
	int ret;

	reader = try_open_reader(u, &ret);
	KUNIT_ASSERT_EQ(u->test, ret, 0);

	return reader;
}

static bool take_entry(struct crc_reader *reader, struct drm_crtc_crc_entry *entry)
{
	struct drm_crtc_crc *crc = &reader->crtc->crc;
	bool any;

	spin_lock_irq(&crc->lock);
	any = crc->head != crc->tail;
	if (any) {
		*entry = crc->entries[crc->tail];
		crc->tail = (crc->tail + 1) % DRM_CRC_ENTRIES_NR;
	}
	spin_unlock_irq(&crc->lock);

	return any;
}

static struct drm_crtc_crc_entry next_entry(struct crc_reader *reader)
{
	struct drm_crtc_crc_entry entry = {};

	KUNIT_ASSERT_TRUE(reader->test, virtgpu_mock_wait(take_entry(reader, &entry)));
	KUNIT_EXPECT_TRUE(reader->test, entry.has_frame_counter);

	return entry;
}

/* Read entries of consecutive vblanks until @value is reported. */
static void expect_consecutive(struct crc_reader *reader, u32 value, u32 *frame)
{
	struct drm_crtc_crc_entry entry;

	do {
		entry = next_entry(reader);
		KUNIT_ASSERT_EQ(reader->test, entry.frame, ++*frame);
	} while (entry.crcs[0] != value);
}

static void drop_entries(struct crc_reader *reader)
{
	struct drm_crtc_crc_entry entry;

	while (take_entry(reader, &entry))
		;
}

static bool crc_arrives(struct crc_reader *reader, u32 value)
{
	struct drm_crtc_crc_entry entry;

	return virtgpu_mock_wait(take_entry(reader, &entry) && entry.crcs[0] == value);
}

static bool no_entry_arrives(struct crc_reader *reader)
{
	struct drm_crtc_crc_entry entry;

	/* Wait for several vblanks. */
	msleep(200);

	return !take_entry(reader, &entry);
}

/*
 * Values
 */

struct crc_case {
	const char *name;
	u32 format;
	u32 x, y, w, h;
	u32 pitch, offset;
	bool cursor;
	int cursor_x, cursor_y;
};

static const struct crc_case crc_cases[] = {
	{ "all of it", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, 0 },
	{ "with alpha", DRM_FORMAT_ARGB8888, 0, 0, W, H, W * 4, 0 },
	{ "blue first", DRM_FORMAT_XBGR8888, 0, 0, W, H, W * 4, 0 },
	{ "blue first, with alpha", DRM_FORMAT_ABGR8888, 0, 0, W, H, W * 4, 0 },
	{ "a part", DRM_FORMAT_XRGB8888, 8, 5, 40, 32, W * 4, 0 },
	{ "longer lines", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4 + 256, 0 },
	{ "not from the start", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, LINE },
	{ "a part of longer lines, blue first", DRM_FORMAT_XBGR8888, 24, 16, 40, 32, LINE, LINE },
	{ "cursor", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, 0, true, 10, 20 },
	{ "cursor over a part", DRM_FORMAT_XRGB8888, 8, 5, 40, 32, W * 4, 0, true, 10, 3 },
	{ "cursor, blue first", DRM_FORMAT_XBGR8888, 0, 0, W, H, W * 4, 0, true, 10, 20 },
	{ "cursor over the left edge", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, 0, true, -9, 20 },
	{ "cursor over the top", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, 0, true, 9, -3 },
	{ "cursor over the lower right corner", DRM_FORMAT_XRGB8888, 0, 0, W, H, W * 4, 0, true,
	  W - 5, H - 7 },
};

KUNIT_ARRAY_PARAM_DESC(crc_case, crc_cases, name);

static u32 pack(u32 alpha, u32 red, u32 green, u32 blue)
{
	return alpha << 24 | red << 16 | green << 8 | blue;
}

/* Premultiplied, from transparent on the left to opaque on the right. */
static u32 cursor_color(u32 pattern_id, u32 x, u32 y)
{
	u32 alpha = x * 255 / (CURSOR - 1);

	return pack(alpha, alpha * y / CURSOR, alpha * pattern_id / 8, alpha);
}

/* Pixels and patterns differ from each other. */
static u32 fb_color(u32 pattern_id, u32 x, u32 y)
{
	return pack(x * y, x * 3 + pattern_id, y * 5, x ^ y);
}

static struct drm_framebuffer *new_fb(struct virtgpu_test_client *u, u32 pattern_id)
{
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	test_client_fill(u, fb, pattern_id, fb_color);

	return fb;
}

static struct drm_framebuffer *new_cursor(struct virtgpu_test_client *u, u32 pattern_id)
{
	struct drm_framebuffer *fb = test_client_new_cursor(u, CURSOR, CURSOR);

	test_client_fill(u, fb, pattern_id, cursor_color);

	return fb;
}

static u32 over(u32 cursor, u32 under, unsigned int shift)
{
	u32 alpha = cursor >> 24, c = cursor >> shift & 0xff, u = under >> shift & 0xff;

	return (c * 255 + u * (255 - alpha) + 127) / 255 << shift;
}

/* XRGB8888 color of a pixel of the output, with a zero X. */
static u32 expected_color(const struct crc_case *s, u32 pattern_id, u32 cursor_pattern_id,
			  u32 x, u32 y)
{
	u32 v = fb_color(pattern_id, s->x + x, s->y + y), c;
	int cx = (int)x - s->cursor_x, cy = (int)y - s->cursor_y;

	if (s->format == DRM_FORMAT_XBGR8888 || s->format == DRM_FORMAT_ABGR8888)
		v = pack(0, v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff);
	v &= 0xffffff;
	if (!s->cursor || cx < 0 || cx >= CURSOR || cy < 0 || cy >= CURSOR)
		return v;
	c = cursor_color(cursor_pattern_id, cx, cy);

	return over(c, v, 16) | over(c, v, 8) | over(c, v, 0);
}

static u32 expected(const struct crc_case *s, u32 pattern_id, u32 cursor_pattern_id)
{
	u32 crc = ~0, x, y;

	for (y = 0; y < s->h; y++) {
		for (x = 0; x < s->w; x++) {
			u32 v = expected_color(s, pattern_id, cursor_pattern_id, x, y);
			u8 bytes[] = { v, v >> 8, v >> 16, 0 };

			crc = crc32_le(crc, bytes, sizeof(bytes));
		}
	}

	return ~crc;
}

static u32 expected_plain(u32 pattern_id)
{
	return expected(&crc_cases[0], pattern_id, 0);
}

static void crc_value(struct kunit *test)
{
	const struct crc_case *s = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	/* Large enough for all cases. */
	u32 handle = test_client_dumb(u, LINE / 4, H + 1);
	struct drm_mode_fb_cmd2 cmd = {
		.width = W,
		.height = H,
		.pixel_format = s->format,
		.handles[0] = handle,
		.pitches[0] = s->pitch,
		.offsets[0] = s->offset,
	};
	struct drm_framebuffer *fb = test_client_add_fb(u, &cmd);
	struct virtgpu_show show = { .fb = fb, .x = s->x, .y = s->y, .w = s->w, .h = s->h };
	struct crc_reader *reader;

	test_client_fill(u, fb, 3, fb_color);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	if (s->cursor)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, new_cursor(u, 5), s->cursor_x,
							 s->cursor_y), 0);

	/* Test the frame that is shown already, and the next one. */
	reader = open_reader(u);
	KUNIT_EXPECT_EQ(test, next_entry(reader).crcs[0], expected(s, 3, 5));
	KUNIT_ASSERT_NE(test, expected(s, 3, 5), expected(s, 4, 5));
	test_client_fill(u, fb, 4, fb_color);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected(s, 4, 5)));
}

/* Only big-endian machines offer these formats, so replace that of a frame. */
static void big_endian(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *cursor = test_client_new_cursor(u, CURSOR, CURSOR);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	struct crc_case s = crc_cases[0];
	struct crc_reader *reader;

	s.cursor = true;
	s.cursor_x = 10;
	s.cursor_y = 20;
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, cursor, s.cursor_x, s.cursor_y), 0);

	fb->format = drm_format_info(DRM_FORMAT_BGRX8888);
	cursor->format = drm_format_info(DRM_FORMAT_BGRA8888);
	test_client_fill(u, fb, 3, fb_color);
	test_client_fill(u, cursor, 5, cursor_color);
	reader = open_reader(u);
	KUNIT_EXPECT_EQ(test, next_entry(reader).crcs[0], expected(&s, 3, 5));
}

/*
 * Entries
 */

/* Each vblank has an entry, with the same CRC until the frame changes. */
static void each_vblank(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_crtc_crc_entry first, entry;
	struct crc_reader *reader;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, new_fb(u, 1)), 0);
	reader = open_reader(u);
	first = next_entry(reader);
	for (i = 1; i < 20; i++) {
		entry = next_entry(reader);
		KUNIT_EXPECT_EQ(test, entry.frame, first.frame + i);
		KUNIT_EXPECT_EQ(test, entry.crcs[0], first.crcs[0]);
	}
}

/* A frame is shown from the response on, not from queueing. */
static void crc_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_crtc_crc_entry entry;
	struct crc_reader *reader;
	unsigned int i;
	u32 last = 0;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, new_fb(u, 1)), 0);
	reader = open_reader(u);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, new_fb(u, 2)), 0);
	for (i = 0; i < 10; i++) {
		entry = next_entry(reader);
		KUNIT_EXPECT_EQ(test, entry.crcs[0], expected_plain(1));
		last = entry.frame;
	}

	virtgpu_mock_clear_rules(u->mock);
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	expect_consecutive(reader, expected_plain(2), &last);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, next_entry(reader).crcs[0], expected_plain(2));
}

/* Drawing without a flip does not change the CRC. */
static void drawn_without_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb = new_fb(u, 1);
	struct crc_reader *reader;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	reader = open_reader(u);
	test_client_fill(u, fb, 2, fb_color);
	drop_entries(reader);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, next_entry(reader).crcs[0], expected_plain(1));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(2)));
}

/* The CRC follows moves, images and hiding of the cursor. */
static void crc_cursor(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct crc_case s = crc_cases[0];
	struct drm_framebuffer *cursor;
	struct crc_reader *reader;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, new_fb(u, 1)), 0);
	reader = open_reader(u);
	cursor = new_cursor(u, 2);
	s.cursor = true;
	for (s.cursor_x = 3; s.cursor_x < 10; s.cursor_x++) {
		s.cursor_y = 2 * s.cursor_x;
		KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursor, s.cursor_x, s.cursor_y), 0);
		KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected(&s, 1, 2)));
	}
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, new_cursor(u, 7), 3, 6), 0);
	s.cursor_x = 3;
	s.cursor_y = 6;
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected(&s, 1, 7)));
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(1)));
}

/* A disabled output has no vblanks and no entries. */
static void output_off(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb = new_fb(u, 1);
	struct crc_reader *reader = open_reader(u);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_TRUE(test, no_entry_arrives(reader));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(1)));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
		drop_entries(reader);
	}
}

static void sources(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_crtc *crtc = first_crtc(u);
	const char *const *names;
	size_t count = 0, values;

	names = crtc->funcs->get_crc_sources(crtc, &count);
	KUNIT_ASSERT_EQ(test, count, 1);
	KUNIT_EXPECT_STREQ(test, names[0], "auto");
	KUNIT_EXPECT_EQ(test, crtc->funcs->verify_crc_source(crtc, names[0], &values), 0);
	KUNIT_EXPECT_EQ(test, values, 1);
	KUNIT_EXPECT_EQ(test, crtc->funcs->verify_crc_source(crtc, NULL, &values), 0);
	KUNIT_EXPECT_EQ(test, crtc->funcs->verify_crc_source(crtc, "pipe", &values), -EINVAL);
}

/* The device is removed during CRC capture. */
static void unplug(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct crc_reader *reader;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, new_fb(u, 1)), 0);
	reader = open_reader(u);
	next_entry(reader);
	virtgpu_mock_unplug(u->mock);
	drop_entries(reader);
	KUNIT_EXPECT_TRUE(test, no_entry_arrives(reader));
}

/*
 * Imported buffers
 */

static struct drm_framebuffer *imported(struct virtgpu_test_client *u,
					struct virtgpu_mock_buffer *b)
{
	struct drm_framebuffer *fb;
	u32 handle;

	KUNIT_ASSERT_EQ(u->test, test_client_import(u, b->dma_buf, &handle), 0);
	fb = test_client_fb(u, handle, W, H, W * 4, 0);
	test_client_drop(u, handle);

	return fb;
}

/* Release the imported buffer before its exporter. */
static void close_all(struct virtgpu_test_client *u, struct crc_reader *reader)
{
	kunit_release_action(u->test, close_reader, reader);
	test_client_close(u);
}

static struct virtgpu_mock_buffer *create_exported(struct virtgpu_test_client *u, u32 pattern_id)
{
	struct virtgpu_mock_buffer *b;
	u32 *pixel, x, y;

	b = virtgpu_mock_buffer_create(u->test, u->mock, VIRTGPU_MOCK_DYNAMIC,
				       PAGE_ALIGN(W * H * 4));
	pixel = b->memory[b->place];
	for (y = 0; y < H; y++)
		for (x = 0; x < W; x++)
			*pixel++ = fb_color(pattern_id, x, y);

	return b;
}

/* Imports are read during CRC capture only, within begin/end_cpu_access(). */
static void import(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_mock_buffer *b = create_exported(u, 1);
	struct drm_framebuffer *fb = imported(u, b);
	struct crc_reader *reader;
	unsigned int reads;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, b->reads, 0);

	reader = open_reader(u);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(1)));
	/* One access per frame, not per vblank. */
	KUNIT_EXPECT_EQ(test, b->reads, 1);
	KUNIT_EXPECT_FALSE(test, b->reading);

	close_reader(reader);
	reads = b->reads;
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
	KUNIT_EXPECT_EQ(test, b->reads, reads);
	close_all(u, reader);
}

/* Unreadable buffers fail set_crc_source(), or get no entries. */
static void unreadable(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *own = new_fb(u, 1), *fb;
	struct virtgpu_mock_buffer *b = create_exported(u, 2);
	struct crc_reader *reader;
	int ret;

	fb = imported(u, b);
	b->read_error = -EIO;
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	reader = try_open_reader(u, &ret);
	KUNIT_EXPECT_EQ(test, ret, -EIO);
	KUNIT_EXPECT_TRUE(test, no_entry_arrives(reader));
	kunit_release_action(test, close_reader, reader);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	reader = open_reader(u);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(1)));
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	drop_entries(reader);
	KUNIT_EXPECT_TRUE(test, no_entry_arrives(reader));
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	KUNIT_EXPECT_TRUE(test, crc_arrives(reader, expected_plain(1)));
	close_all(u, reader);
}

/* A device that does not finish to write to the buffer delays no commit. */
static void unfinished_write(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_mock_buffer *b = create_exported(u, 1);
	struct drm_framebuffer *fb = imported(u, b);
	struct crc_reader *reader;
	struct dma_fence *fence;
	int ret;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	fence = test_client_add_write_fence(u, b->dma_buf->resv);
	reader = try_open_reader(u, &ret);
	KUNIT_EXPECT_EQ(test, ret, -ETIMEDOUT);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	close_all(u, reader);
}

/* The event of a flip waits while the CRC worker reads the old buffer. */
static void slow_reader(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *own = new_fb(u, 1), *fb;
	struct virtgpu_mock_buffer *b = create_exported(u, 2);
	DECLARE_COMPLETION_ONSTACK(gate);
	struct crc_reader *reader;
	u32 frame;

	fb = imported(u, b);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	reader = open_reader(u);
	frame = next_entry(reader).frame;
	WRITE_ONCE(b->gate, &gate);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(READ_ONCE(b->reading)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));

	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, own), 0);
	virtgpu_mock_wait_idle(u->mock);
	msleep(200);
	KUNIT_EXPECT_EQ(test, test_client_flips(u, 0), 1);
	WRITE_ONCE(b->gate, NULL);
	complete_all(&gate);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));

	/* All vblanks have entries. */
	expect_consecutive(reader, expected_plain(2), &frame);
	expect_consecutive(reader, expected_plain(1), &frame);
	close_all(u, reader);
}

static struct kunit_case crc_tests[] = {
	KUNIT_CASE_PARAM(crc_value, crc_case_gen_params),
	KUNIT_CASE(big_endian),
	KUNIT_CASE(each_vblank),
	KUNIT_CASE_PARAM(crc_flip, virtgpu_test_config_gen_params),
	KUNIT_CASE(drawn_without_flip),
	KUNIT_CASE(crc_cursor),
	KUNIT_CASE(output_off),
	KUNIT_CASE(sources),
	KUNIT_CASE(unplug),
	KUNIT_CASE(import),
	KUNIT_CASE(unreadable),
	KUNIT_CASE(unfinished_write),
	KUNIT_CASE(slow_reader),
	{}
};

static struct kunit_suite crc_suite = {
	.name = "virtio_gpu_crc",
	.test_cases = crc_tests,
};

kunit_test_suite(crc_suite);
