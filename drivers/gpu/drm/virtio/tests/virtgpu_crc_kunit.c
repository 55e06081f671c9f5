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

/* Checksums of what an output shows, as who reads crtc-0/crc/data gets them. */

#define W 64
#define H 48
#define CURSOR 16
#define LINE 4096

#define CMD(name) VIRTIO_GPU_CMD_##name

struct listener {
	struct kunit *test;
	struct drm_crtc *crtc;
	bool on;
};

static struct drm_crtc *first_crtc(struct virtgpu_test_client *u)
{
	return &to_virtgpu(u->drm)->kms.outputs[0].crtc;
}

/* As closing the file does. */
static void stop_listening(void *data)
{
	struct listener *l = data;
	struct drm_crtc_crc *crc = &l->crtc->crc;
	struct drm_crtc_crc_entry *entries;

	if (l->on)
		KUNIT_EXPECT_EQ(l->test, l->crtc->funcs->set_crc_source(l->crtc, NULL), 0);
	l->on = false;

	spin_lock_irq(&crc->lock);
	entries = crc->entries;
	crc->entries = NULL;
	crc->opened = false;
	spin_unlock_irq(&crc->lock);
	kfree(entries);
}

/* As opening it does: what the driver says is in @ret. */
static struct listener *try_to_listen(struct virtgpu_test_client *u, int *ret)
{
	struct listener *l = kunit_kzalloc(u->test, sizeof(*l), GFP_KERNEL);
	struct drm_crtc_crc_entry *entries = kcalloc(DRM_CRC_ENTRIES_NR, sizeof(*entries),
						     GFP_KERNEL);
	struct drm_crtc_crc *crc = &first_crtc(u)->crc;

	KUNIT_ASSERT_NOT_NULL(u->test, l);
	KUNIT_ASSERT_NOT_NULL(u->test, entries);
	l->test = u->test;
	l->crtc = first_crtc(u);

	spin_lock_irq(&crc->lock);
	crc->entries = entries;
	crc->values_cnt = 1;
	crc->head = 0;
	crc->tail = 0;
	crc->opened = true;
	spin_unlock_irq(&crc->lock);
	*ret = l->crtc->funcs->set_crc_source(l->crtc, "auto");
	l->on = !*ret;
	KUNIT_ASSERT_EQ(u->test, kunit_add_action_or_reset(u->test, stop_listening, l), 0);

	return l;
}

static struct listener *listen(struct virtgpu_test_client *u)
{
	struct listener *l;
	int ret;

	l = try_to_listen(u, &ret);
	KUNIT_ASSERT_EQ(u->test, ret, 0);

	return l;
}

static bool take_entry(struct listener *l, struct drm_crtc_crc_entry *entry)
{
	struct drm_crtc_crc *crc = &l->crtc->crc;
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

static struct drm_crtc_crc_entry next_entry(struct listener *l)
{
	struct drm_crtc_crc_entry entry = {};

	KUNIT_ASSERT_TRUE(l->test, virtgpu_mock_wait(take_entry(l, &entry)));
	KUNIT_EXPECT_TRUE(l->test, entry.has_frame_counter);

	return entry;
}

/* Look on until this is told, and no vblank is left out or told twice. */
static void hear_in_row(struct listener *l, u32 value, u32 *frame)
{
	struct drm_crtc_crc_entry entry;

	do {
		entry = next_entry(l);
		KUNIT_ASSERT_EQ(l->test, entry.frame, ++*frame);
	} while (entry.crcs[0] != value);
}

static void forget_entries(struct listener *l)
{
	struct drm_crtc_crc_entry entry;

	while (take_entry(l, &entry))
		;
}

/* Is this told of a vblank before long? */
static bool hears(struct listener *l, u32 value)
{
	struct drm_crtc_crc_entry entry;

	return virtgpu_mock_wait(take_entry(l, &entry) && entry.crcs[0] == value);
}

static bool hears_nothing(struct listener *l)
{
	struct drm_crtc_crc_entry entry;

	/* Several frames. */
	msleep(200);

	return !take_entry(l, &entry);
}

/*
 * What it has to be
 */

struct scene {
	const char *name;
	u32 format;
	u32 x, y, w, h;
	u32 pitch, offset;
	bool cursor;
	int cursor_x, cursor_y;
};

static const struct scene crc_scenes[] = {
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

KUNIT_ARRAY_PARAM_DESC(scene, crc_scenes, name);

static u32 pack(u32 alpha, u32 red, u32 green, u32 blue)
{
	return alpha << 24 | red << 16 | green << 8 | blue;
}

/* From transparent on the left to opaque on the right; no colour is above its alpha. */
static u32 cursor_color(u32 seed, u32 x, u32 y)
{
	u32 alpha = x * 255 / (CURSOR - 1);

	return pack(alpha, alpha * y / CURSOR, alpha * seed / 8, alpha);
}

/* No two pixels alike, nor two seeds. */
static u32 image_color(u32 seed, u32 x, u32 y)
{
	return pack(x * y, x * 3 + seed, y * 5, x ^ y);
}

static struct drm_framebuffer *painted(struct virtgpu_test_client *u, u32 seed)
{
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	test_client_fill(u, fb, seed, image_color);

	return fb;
}

static struct drm_framebuffer *painted_cursor(struct virtgpu_test_client *u, u32 seed)
{
	struct drm_framebuffer *fb = test_client_new_cursor(u, CURSOR, CURSOR);

	test_client_fill(u, fb, seed, cursor_color);

	return fb;
}

static u32 over(u32 cursor, u32 under, unsigned int shift)
{
	u32 alpha = cursor >> 24, c = cursor >> shift & 0xff, u = under >> shift & 0xff;

	return (c * 255 + u * (255 - alpha) + 127) / 255 << shift;
}

/* The colour at a place of the output: 0, red, green, blue from the highest byte down. */
static u32 expected_color(const struct scene *s, u32 seed, u32 cursor_seed, u32 x, u32 y)
{
	u32 v = image_color(seed, s->x + x, s->y + y), c;
	int cx = (int)x - s->cursor_x, cy = (int)y - s->cursor_y;

	if (s->format == DRM_FORMAT_XBGR8888 || s->format == DRM_FORMAT_ABGR8888)
		v = pack(0, v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff);
	v &= 0xffffff;
	if (!s->cursor || cx < 0 || cx >= CURSOR || cy < 0 || cy >= CURSOR)
		return v;
	c = cursor_color(cursor_seed, cx, cy);

	return over(c, v, 16) | over(c, v, 8) | over(c, v, 0);
}

static u32 expected(const struct scene *s, u32 seed, u32 cursor_seed)
{
	u32 crc = ~0, x, y;

	for (y = 0; y < s->h; y++) {
		for (x = 0; x < s->w; x++) {
			u32 v = expected_color(s, seed, cursor_seed, x, y);
			u8 bytes[] = { v, v >> 8, v >> 16, 0 };

			crc = crc32_le(crc, bytes, sizeof(bytes));
		}
	}

	return ~crc;
}

static u32 expected_plain(u32 seed)
{
	return expected(&crc_scenes[0], seed, 0);
}

static void crc_value(struct kunit *test)
{
	const struct scene *s = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	/* Enough for the last line of the largest. */
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
	struct listener *l;

	test_client_fill(u, fb, 3, image_color);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	if (s->cursor)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, painted_cursor(u, 5), s->cursor_x,
							 s->cursor_y), 0);

	/* Of what is shown already, and of what is shown next. */
	l = listen(u);
	KUNIT_EXPECT_EQ(test, next_entry(l).crcs[0], expected(s, 3, 5));
	KUNIT_ASSERT_NE(test, expected(s, 3, 5), expected(s, 4, 5));
	test_client_fill(u, fb, 4, image_color);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, hears(l, expected(s, 4, 5)));
}

/*
 * When there is one
 */

/* An entry for each vblank, and the same as long as the picture is. */
static void each_vblank(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_crtc_crc_entry first, entry;
	struct listener *l;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, painted(u, 1)), 0);
	l = listen(u);
	first = next_entry(l);
	for (i = 1; i < 20; i++) {
		entry = next_entry(l);
		KUNIT_EXPECT_EQ(test, entry.frame, first.frame + i);
		KUNIT_EXPECT_EQ(test, entry.crcs[0], first.crcs[0]);
	}
}

/* A frame counts from when the host shows it, and not when it was sent there. */
static void crc_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_crtc_crc_entry entry;
	struct listener *l;
	unsigned int i;
	u32 last = 0;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, painted(u, 1)), 0);
	l = listen(u);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, painted(u, 2)), 0);
	for (i = 0; i < 10; i++) {
		entry = next_entry(l);
		KUNIT_EXPECT_EQ(test, entry.crcs[0], expected_plain(1));
		last = entry.frame;
	}

	virtgpu_mock_obey(u->mock);
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	hear_in_row(l, expected_plain(2), &last);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, next_entry(l).crcs[0], expected_plain(2));
}

/* The host looks at a buffer when it is told to. */
static void painted_behind(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb = painted(u, 1);
	struct listener *l;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	l = listen(u);
	test_client_fill(u, fb, 2, image_color);
	forget_entries(l);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, next_entry(l).crcs[0], expected_plain(1));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(2)));
}

/* It is seen where it is, and no longer when it has gone. */
static void crc_cursor(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct scene s = crc_scenes[0];
	struct drm_framebuffer *cursor;
	struct listener *l;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, painted(u, 1)), 0);
	l = listen(u);
	cursor = painted_cursor(u, 2);
	s.cursor = true;
	for (s.cursor_x = 3; s.cursor_x < 10; s.cursor_x++) {
		s.cursor_y = 2 * s.cursor_x;
		KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursor, s.cursor_x, s.cursor_y), 0);
		KUNIT_EXPECT_TRUE(test, hears(l, expected(&s, 1, 2)));
	}
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, painted_cursor(u, 7), 3, 6), 0);
	s.cursor_x = 3;
	s.cursor_y = 6;
	KUNIT_EXPECT_TRUE(test, hears(l, expected(&s, 1, 7)));
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(1)));
}

/* Without vblanks there are no entries. */
static void output_off(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb = painted(u, 1);
	struct listener *l = listen(u);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_TRUE(test, hears_nothing(l));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(1)));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
		forget_entries(l);
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

/* The device goes while somebody listens. */
static void unplug(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct listener *l;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, painted(u, 1)), 0);
	l = listen(u);
	next_entry(l);
	virtgpu_mock_unplug(u->mock);
	forget_entries(l);
	KUNIT_EXPECT_TRUE(test, hears_nothing(l));
}

/*
 * Another device's buffers
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

/* The exporter wants its buffer back before the test ends. */
static void leave(struct virtgpu_test_client *u, struct listener *l)
{
	kunit_release_action(u->test, stop_listening, l);
	test_client_close(u);
}

static struct virtgpu_mock_buffer *foreign(struct virtgpu_test_client *u, u32 seed)
{
	struct virtgpu_mock_buffer *b;
	u32 *pixel, x, y;

	b = virtgpu_mock_buffer_create(u->test, u->mock, VIRTGPU_MOCK_DYNAMIC,
				       PAGE_ALIGN(W * H * 4));
	pixel = b->memory[b->place];
	for (y = 0; y < H; y++)
		for (x = 0; x < W; x++)
			*pixel++ = image_color(seed, x, y);

	return b;
}

/* They are read between begin and end, and only while somebody listens. */
static void import(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_mock_buffer *b = foreign(u, 1);
	struct drm_framebuffer *fb = imported(u, b);
	struct listener *l;
	unsigned int reads;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, b->reads, 0);

	l = listen(u);
	KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(1)));
	/* Not for each vblank. */
	KUNIT_EXPECT_EQ(test, b->reads, 1);
	KUNIT_EXPECT_FALSE(test, b->reading);

	stop_listening(l);
	reads = b->reads;
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
	KUNIT_EXPECT_EQ(test, b->reads, reads);
	leave(u, l);
}

/* Who cannot be read is refused, or gets no entries; others do again. */
static void unreadable(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *own = painted(u, 1), *fb;
	struct virtgpu_mock_buffer *b = foreign(u, 2);
	struct listener *l;
	int ret;

	fb = imported(u, b);
	b->read_error = -EIO;
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	l = try_to_listen(u, &ret);
	KUNIT_EXPECT_EQ(test, ret, -EIO);
	KUNIT_EXPECT_TRUE(test, hears_nothing(l));
	kunit_release_action(test, stop_listening, l);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	l = listen(u);
	KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(1)));
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	forget_entries(l);
	KUNIT_EXPECT_TRUE(test, hears_nothing(l));
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	KUNIT_EXPECT_TRUE(test, hears(l, expected_plain(1)));
	leave(u, l);
}

/* A buffer that is being read is its owner's only when that is done. */
static void slow_reader(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *own = painted(u, 1), *fb;
	struct virtgpu_mock_buffer *b = foreign(u, 2);
	DECLARE_COMPLETION_ONSTACK(gate);
	struct listener *l;
	u32 frame;

	fb = imported(u, b);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, own), 0);
	l = listen(u);
	frame = next_entry(l).frame;
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

	/* Nothing that was shown is without its entries. */
	hear_in_row(l, expected_plain(2), &frame);
	hear_in_row(l, expected_plain(1), &frame);
	leave(u, l);
}

static struct kunit_case crc_cases[] = {
	KUNIT_CASE_PARAM(crc_value, scene_gen_params),
	KUNIT_CASE(each_vblank),
	KUNIT_CASE_PARAM(crc_flip, virtgpu_test_config_gen_params),
	KUNIT_CASE(painted_behind),
	KUNIT_CASE(crc_cursor),
	KUNIT_CASE(output_off),
	KUNIT_CASE(sources),
	KUNIT_CASE(unplug),
	KUNIT_CASE(import),
	KUNIT_CASE(unreadable),
	KUNIT_CASE(slow_reader),
	{}
};

static struct kunit_suite crc_suite = {
	.name = "virtio_gpu_crc",
	.test_cases = crc_cases,
};

kunit_test_suite(crc_suite);
