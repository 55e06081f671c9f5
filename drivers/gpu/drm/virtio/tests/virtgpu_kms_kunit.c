// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/prandom.h>
#include <drm/drm_connector.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_modes.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_vblank.h>
#include <uapi/drm/drm_mode.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/* Scanouts, flip events and cursors of the mock host. */

#define W 64
#define H 48

/* Enough pending messages to make the control queue congested. */
#define NUM_RESOURCES 2100

/* Show a framebuffer with a pattern on the first output. */
static struct drm_framebuffer *show_first_output(struct virtgpu_test_client *u, u32 pattern_id)
{
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	test_client_fill_pattern(u, fb, pattern_id);
	KUNIT_ASSERT_EQ(u->test, test_client_show(u, 0, fb), 0);

	return fb;
}

static struct virtgpu_frames *frames_of(struct virtgpu_test_client *u, unsigned int output)
{
	return &virtgpu_mock_vgdev(u->mock)->kms.outputs[output].frames;
}

static void expect_idle(struct virtgpu_test_client *u)
{
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_vgdev(u->mock)->ctrl.num_pending, 0);
}

/*
 * Frames
 */

static void shows_pixels(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first_output(u, 1);

	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 1, W, H));
	KUNIT_EXPECT_EQ(test,
			virtgpu_mock_resource_is_blob(u->mock, virtgpu_mock_shown(u->mock, 0)),
			virtgpu_mock_has(u->mock, VIRTIO_GPU_F_RESOURCE_BLOB));

	/* Disabling the output releases all resources. */
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
	expect_idle(u);
}

/* Scan out a part of a framebuffer with padded lines. */
static void source_rectangle(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	u32 handle = test_client_dumb(u, 200, 150);
	struct drm_framebuffer *fb = test_client_fb(u, handle, 160, 120, 200 * 4,
						    200 * 4 * 10 + 12);
	struct virtgpu_show show = { .fb = fb, .x = 24, .y = 17, .w = W, .h = H };

	test_client_fill_pattern(u, fb, 2);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 2, 24, 17, W, H));

	/* Pan to the lower right corner. */
	show.x = 160 - W;
	show.y = 120 - H;
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 2, 160 - W, 120 - H, W, H));

	/* The source must stay within the framebuffer. */
	show.x++;
	KUNIT_EXPECT_LT(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	expect_idle(u);
}

/* A plane outside the output shows nothing; its buffer is not rejected. */
static void outside_output(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_show show = { .fb = show_first_output(u, 1), .crtc_x = 4 * W };
	unsigned int i, resources;

	resources = virtgpu_mock_resources(u->mock);
	for (i = 1; i <= 2; i++) {
		KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_FLIP), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		virtgpu_mock_wait_idle(u->mock);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	}

	show.crtc_x = 0;
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 1, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), resources);
	expect_idle(u);
}

static void kms_flips(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	fbs[0] = show_first_output(u, 0);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 6; i++) {
		test_client_fill_pattern(u, fbs[i % 2], i);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, i, W, H));
	}
	/* One resource was created for each buffer. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)) +
			virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 2);
	expect_idle(u);
}

static void damage(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first_output(u, 1);
	struct drm_mode_rect clip = { .x1 = 8, .y1 = 4, .x2 = 24, .y2 = 20 };
	struct virtgpu_show show = { .fb = fb, .clip = &clip };

	test_client_fill_pattern(u, fb, 2);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 8, 4), test_client_color(2, 8, 4));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 23, 19), test_client_color(2, 23, 19));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 24, 19), test_client_color(1, 24, 19));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 23, 20), test_client_color(1, 23, 20));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 7, 4), test_client_color(1, 7, 4));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 8, 3), test_client_color(1, 8, 3));
}

/*
 * Damage is relative to the previous frame, whatever buffer that was in: each
 * buffer gets what has changed since its own last frame, and nothing else.
 */
static void damage_of_another(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	const struct drm_mode_rect clips[] = {
		{ .x1 = 0, .y1 = 0, .x2 = 8, .y2 = 8 },
		{ .x1 = 40, .y1 = 30, .x2 = 64, .y2 = 48 },
		{ .x1 = 20, .y1 = 20, .x2 = 24, .y2 = 24 },
	};
	const struct drm_mode_rect elsewhere = { .x1 = 30, .y1 = 4, .x2 = 31, .y2 = 5 };
	struct drm_framebuffer *fbs[2];
	struct virtgpu_show show = { };
	unsigned int i, j;
	bool blob;

	fbs[0] = show_first_output(u, 1);
	blob = virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB));
	fbs[1] = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, fbs[1], 1);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fbs[1]), 0);
	for (i = 0; i < ARRAY_SIZE(clips); i++) {
		show.fb = fbs[i % 2];
		show.clip = &clips[i];
		/* The other buffer lacks what changed in the frame before. */
		for (j = i ? i - 1 : 0; j <= i; j++)
			test_client_fill_clip(u, show.fb, &clips[j], 2 + j);
		/* The damage of the first frames was a whole buffer. */
		if (i)
			test_client_fill_clip(u, show.fb, &elsewhere, 9);
		KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
		for (j = 0; j <= i; j++)
			KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, clips[j].x1,
								 clips[j].y1),
					test_client_color(2 + j, clips[j].x1, clips[j].y1));
		/* Without damage, nothing is transferred. */
		KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 30, 4),
				test_client_color(blob && i ? 9 : 1, 30, 4));
	}
}

static void random_clip(struct rnd_state *rnd, struct drm_mode_rect *clip)
{
	clip->x1 = prandom_u32_state(rnd) % W;
	clip->y1 = prandom_u32_state(rnd) % H;
	clip->x2 = clip->x1 + 1 + prandom_u32_state(rnd) % (W - clip->x1);
	clip->y2 = clip->y1 + 1 + prandom_u32_state(rnd) % (H - clip->y1);
}

static bool screen_equals(struct virtgpu_mock *m, const u32 *pixels)
{
	u32 x, y;

	for (y = 0; y < H; y++)
		for (x = 0; x < W; x++)
			if (virtgpu_mock_pixel(m, 0, x, y) != pixels[y * W + x])
				return false;

	return true;
}

/* Random damage in buffers in random order; the display holds some frames. */
static void damage_random(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	u32 *pixels = kunit_kcalloc(test, W * H, sizeof(*pixels), GFP_KERNEL);
	struct drm_framebuffer *fbs[4];
	struct drm_mode_rect clips[6];
	struct virtgpu_show show = { .clip = clips };
	struct iosys_map map;
	struct rnd_state rnd;
	unsigned int i, j;

	KUNIT_ASSERT_NOT_NULL(test, pixels);
	prandom_seed_state(&rnd, 17);
	fbs[0] = show_first_output(u, 0);
	for (i = 1; i < ARRAY_SIZE(fbs); i++)
		fbs[i] = test_client_new_fb(u, W, H);
	for (i = 0; i < W * H; i++)
		pixels[i] = test_client_color(0, i % W, i / W);
	for (i = 1; i <= 1000; i++) {
		show.fb = fbs[prandom_u32_state(&rnd) % ARRAY_SIZE(fbs)];
		show.num_clips = 1 + prandom_u32_state(&rnd) % ARRAY_SIZE(clips);
		for (j = 0; j < show.num_clips; j++) {
			random_clip(&rnd, &clips[j]);
			for (int y = clips[j].y1; y < clips[j].y2; y++)
				for (int x = clips[j].x1; x < clips[j].x2; x++)
					pixels[y * W + x] = test_client_color(i, x, y);
		}
		KUNIT_ASSERT_EQ(test, drm_gem_vmap(show.fb->obj[0], &map), 0);
		iosys_map_memcpy_to(&map, 0, pixels, W * H * sizeof(*pixels));
		drm_gem_vunmap(show.fb->obj[0], &map);
		if (i % 50 == 10)
			virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
		KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
		if (i % 50 >= 10 && i % 50 < 14)
			continue;
		if (i % 50 == 14)
			virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(screen_equals(u->mock, pixels)),
				      "frame %u", i);
	}
}

/* Show the same buffer on two outputs. */
static void mirror(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	struct drm_framebuffer *fb = show_first_output(u, 1);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 1, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 1, 1, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), virtgpu_mock_shown(u->mock, 1));
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 1), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
}

/* A commit of several outputs kicks the control queue once. */
static void one_kick(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 4);
	struct virtgpu_show shows[4] = { };
	unsigned int i, kicks, log_pos;
	struct virtgpu_mock_log_entry e;

	for (i = 0; i < 4; i++) {
		shows[i].output = i;
		shows[i].fb = test_client_new_fb(u, W, H);
		test_client_fill_pattern(u, shows[i].fb, i);
	}
	KUNIT_ASSERT_EQ(test, test_client_commit(u, shows, 4, VIRTGPU_WAIT), 0);
	expect_idle(u);

	for (i = 0; i < 4; i++) {
		shows[i].fb = test_client_new_fb(u, W, H);
		test_client_fill_pattern(u, shows[i].fb, 8 + i);
	}
	log_pos = virtgpu_mock_log_pos(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, shows, 4, VIRTGPU_FLIP), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, i) == 1));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, i, 8 + i, W, H));

	/*
	 * A ring of 64 has space for all commands; a smaller one needs more
	 * kicks.
	 */
	if (((const struct virtgpu_test_config *)test->param_value)->ring >= 64)
		for (; virtgpu_mock_log_entry(u->mock, log_pos, &e); log_pos++)
			KUNIT_EXPECT_EQ(test, e.kick, kicks + 1);
}

/* The event is not sent before the response to RESOURCE_FLUSH. */
static void event_waits_for_host(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *next;

	show_first_output(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock,
								    CMD(RESOURCE_FLUSH)) == 1));
	/* Wait for three vblanks. */
	msleep(60);
	/*
	 * On a slow machine the display is considered to hold the frame by now.
	 */
	if (!frames_of(u, 0)->stats.held) {
		KUNIT_EXPECT_EQ(test, test_client_flips(u, 0), 0);
		/* A second flip is rejected until the first one is done. */
		KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), -EBUSY);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
}

/* Each flip takes a vblank of its own. */
static void event_waits_for_vblank(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];
	struct drm_crtc *crtc = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0].crtc;
	u64 start;
	unsigned int i;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	start = drm_crtc_vblank_count(crtc);
	for (i = 1; i <= 16; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	KUNIT_EXPECT_GE(test, drm_crtc_vblank_count(crtc) - start, 16);
}

/*
 * UNREF of the old buffer follows the new frame, without waiting for its
 * response.
 */
static void old_buffer_ends_behind(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *first = show_first_output(u, 1);
	struct drm_framebuffer *next = test_client_new_fb(u, W, H);
	unsigned int i = virtgpu_mock_log_pos(u->mock);
	struct virtgpu_mock_log_entry e;

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	test_client_rmfb(u, first);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_find(u->mock, i, CMD(RESOURCE_UNREF),
								    &e)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(u->mock, CMD(RESOURCE_FLUSH)), 1);
	for (; virtgpu_mock_log_entry(u->mock, i, &e) && e.type != CMD(RESOURCE_FLUSH); i++)
		KUNIT_EXPECT_NE(test, e.type, CMD(RESOURCE_UNREF));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_find(u->mock, i, CMD(RESOURCE_UNREF), &e));
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
}

/* A congested control queue does not make flips fail. */
static void flip_behind_many(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct drm_virtgpu_resource_create args = {
		.target = 2,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 16,
		.height = 16,
		.depth = 1,
		.array_size = 1,
		.size = PAGE_SIZE,
	};
	u32 *handles = kunit_kcalloc(test, NUM_RESOURCES, sizeof(*handles), GFP_KERNEL);
	struct drm_framebuffer *next, *cursors[2];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, handles);
	show_first_output(u, 1);
	next = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, next, 2);
	for (i = 0; i < 2; i++)
		cursors[i] = test_client_new_cursor(u, 16, 16);
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursors[0], 1, 2), 0);
	for (i = 0; i < NUM_RESOURCES; i++) {
		args.bo_handle = 0;
		KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
		handles[i] = args.bo_handle;
	}
	virtgpu_mock_wait_idle(u->mock);

	/* Closing many handles, as at the exit of a process. */
	virtgpu_mock_freeze(u->mock);
	for (i = 0; i < NUM_RESOURCES; i++)
		test_client_drop(u, handles[i]);
	KUNIT_EXPECT_GE(test, READ_ONCE(ctrl->num_pending), NUM_RESOURCES);
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), 0);
	/* Only images of legacy cursor updates are throttled. */
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursors[1], 1, 2), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursors[0], 3, 4), 0);
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 2, W, H)));
}

/* Flip to @fb and wait until the display is considered to hold the frame. */
static void hold_display(struct virtgpu_test_client *u, struct drm_framebuffer *fb)
{
	unsigned int flips = test_client_flips(u, 0);

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(u->test, test_client_flip(u, 0, fb), 0);
	KUNIT_ASSERT_TRUE(u->test, virtgpu_mock_wait(test_client_flips(u, 0) == flips + 1));
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_held(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_GT(u->test, virtgpu_frames_held_ms(frames_of(u, 0)), 0);
}

/* Commits complete with one frame in flight; then the newest frame is shown. */
static void kms_held(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct drm_framebuffer *fbs[3];
	unsigned int i, flushes;
	unsigned long start;

	fbs[0] = show_first_output(u, 1);
	for (i = 1; i < 3; i++)
		fbs[i] = test_client_new_fb(u, W, H);
	flushes = virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH));
	hold_display(u, fbs[1]);

	start = jiffies;
	for (i = 2; i < 7; i++) {
		test_client_fill_pattern(u, fbs[i % 3], i);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 3]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	/* The default of held_rate is 10. */
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - start), 450);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH)), flushes + 1);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.held, 1);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.replaced, 4);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 6, W, H)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH)), flushes + 2);
	KUNIT_EXPECT_EQ(test, virtgpu_frames_held_ms(frames_of(u, 0)), 0);
	KUNIT_EXPECT_GE(test, frames_of(u, 0)->stats.held_ms, 450);

	/* Afterwards the host paces the frames again. */
	test_client_fill_pattern(u, fbs[1], 9);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[1]), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 7));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 9, W, H));
	expect_idle(u);
}

/* The display holds a frame for ten minutes of watchdog periods. */
static void held_long(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct drm_framebuffer *fbs[2];

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	hold_display(u, fbs[1]);
	virtgpu_mock_ticks(u->mock, VIRTGPU_MOCK_TEN_MINUTES);
	test_client_fill_pattern(u, fbs[0], 5);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[0]), 0);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.held, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 5, W, H)));
}

/* Repeated updates of one framebuffer, as by fbcon or Xorg. */
static void held_dirty(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first_output(u, 1);
	struct drm_mode_rect clips[] = {
		{ .x1 = 0, .y1 = 0, .x2 = 8, .y2 = 8 }, { .x1 = 40, .y1 = 30, .x2 = 64, .y2 = 48 },
	};
	struct virtgpu_show show = { .fb = fb };
	unsigned int i;

	hold_display(u, fb);
	for (i = 0; i < 2; i++) {
		show.clip = &clips[i];
		test_client_fill_clip(u, fb, &clips[i], 2 + i);
		KUNIT_EXPECT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	virtgpu_mock_wait_idle(u->mock);
	/* All accumulated damage is shown, not only the last clip. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 7, 7), test_client_color(2, 7, 7));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_pixel(u->mock, 0, 63, 47), test_client_color(3, 63, 47));
}

/* Outputs are held independently, or together if the host stops. */
static void held_outputs(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	struct virtgpu_mock_rule rule = { .type = CMD(RESOURCE_FLUSH), .hold = true, .times = 1 };
	struct drm_framebuffer *fbs[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		fbs[i] = test_client_new_fb(u, W, H);
		test_client_fill_pattern(u, fbs[i], i);
	}
	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, test_client_show(u, i, fbs[i]), 0);
	virtgpu_mock_rule(u->mock, &rule);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[2]), 0);
	for (i = 1; i <= 5; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 1, fbs[i & 1 ? 3 : 1]), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 1) == i));
	}
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, frames_of(u, 1)->stats.held, 0);

	virtgpu_mock_freeze(u->mock);
	for (i = 1; i <= 2; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 1, fbs[i & 1 ? 1 : 3]), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 1) == 5 + i));
	}
	KUNIT_EXPECT_EQ(test, frames_of(u, 1)->stats.held, 1);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[0]), 0);
	virtgpu_mock_thaw(u->mock);
	virtgpu_mock_release(u->mock, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 0, W, H)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 1, 3, W, H)));
}

/* UNREF of the held buffer follows the frame that replaces it. */
static void held_keeps_buffer(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *held, *next;
	struct virtgpu_mock_log_entry e;
	unsigned int log_pos;

	show_first_output(u, 1);
	held = test_client_new_fb(u, W, H);
	next = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, next, 4);
	hold_display(u, held);
	log_pos = virtgpu_mock_log_pos(u->mock);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
	test_client_rmfb(u, held);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_find(u->mock, log_pos, CMD(RESOURCE_UNREF), &e));

	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_find(u->mock, log_pos,
								    CMD(RESOURCE_UNREF),
								    &e)));
	for (; virtgpu_mock_log_entry(u->mock, log_pos, &e) && e.type != CMD(RESOURCE_FLUSH);
	     log_pos++)
		KUNIT_EXPECT_NE(test, e.type, CMD(RESOURCE_UNREF));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 4, W, H));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
}

/* Disabling the output drops the frame that waits. */
static void held_off(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	hold_display(u, fbs[1]);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[0]), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	test_client_rmfb(u, fbs[0]);
	test_client_rmfb(u, fbs[1]);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
	expect_idle(u);
}

/* The cursor queue is independent of a held frame. */
static void held_cursor(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *cursor = test_client_new_cursor(u, 64, 64);
	struct drm_framebuffer *next = test_client_new_fb(u, W, H);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	show_first_output(u, 1);
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, cursor, 1, 1), 0);
	hold_display(u, next);
	for (i = 0; i < 50; i++)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, cursor, i, 2 * i), 0);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_EQ(test, p->x, 49);
	KUNIT_EXPECT_EQ(test, p->y, 98);
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
}

/* The out-fence of a held frame is signalled without an error. */
static void held_fence(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_show show = { .fb = test_client_new_fb(u, W, H) };

	show.out_fence = test_client_add_write_fence(u, NULL);
	show_first_output(u, 1);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_FLIP), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(dma_fence_is_signaled(show.out_fence)));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(show.out_fence), 1);
	dma_fence_put(show.out_fence);
}

/* With slow responses, events are sent from the responses. */
static void kms_host_paced(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	KUNIT_EXPECT_EQ(test, f->host_paced, 0);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	for (i = 1; i <= 12; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
		/* One and a half periods of the mode. */
		usleep_range(25000, 26000);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_release_one(u->mock, 0, 0));
		/* From the sixth frame on, the response is the vblank. */
		if (i > 6) {
			KUNIT_EXPECT_EQ(test, test_client_flips(u, 0), i);
			KUNIT_EXPECT_EQ(test, ktime_compare(f->last_event, f->responded), 0);
			KUNIT_EXPECT_EQ(test, ktime_compare(f->clock.time, f->responded), 0);
		}
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	KUNIT_EXPECT_EQ(test, f->stats.held, 0);
	virtgpu_mock_release(u->mock, 0);
}

/* The first frame after a pause completes at once, without the timer. */
static void after_idle(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fb = show_first_output(u, 1);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		msleep(700);
		KUNIT_EXPECT_EQ(test, fb->funcs->dirty(fb, u->file, 0, 0, NULL, 0), 0);
		KUNIT_EXPECT_EQ(test, ktime_compare(f->last_event, f->responded), 0);
		KUNIT_EXPECT_FALSE(test, hrtimer_active(&f->clock.timer));
	}
}

/* When the rate is detected, one event is delayed to the next vsync. */
static void kms_realign(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *next;

	show_first_output(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
	usleep_range(5000, 6000);
	f->host_paced = 3;
	/* Without realignment the event would lag behind the responses. */
	f->last_event = ktime_get();
	virtgpu_mock_release(u->mock, 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, f->host_paced, 4);
	KUNIT_EXPECT_FALSE(test, f->realign);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(ktime_sub(f->last_event, f->responded)),
			(s64)f->clock.period);
}

/* Events that lag behind the responses approach them step by step. */
static void phase_lock(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	unsigned int i;
	ktime_t last;
	bool near;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 5; i++) {
		f->host_paced = 8;
		f->realign = false;
		last = ktime_get();
		f->last_event = last;
		virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
		/*
		 * Pretend that the last response was a period, or half of it,
		 * ago.
		 */
		f->responded = ktime_sub_ns(ktime_get(), f->clock.period / (i & 1 ? 1 : 2));
		virtgpu_mock_release(u->mock, 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		near = abs(f->interval - f->clock.period) < f->clock.period / 100;
		if (ktime_compare(f->last_event, f->responded) > 0)
			KUNIT_EXPECT_EQ(test, ktime_to_ns(ktime_sub(f->last_event, last)),
					(s64)f->clock.period - (near ? f->clock.period / 200 : 0));
	}
}

/* Events are at least a period of the mode apart. */
static void never_faster(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	ktime_t last;
	unsigned int i;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 20; i++) {
		/* Test pacing by the clock and by the host. */
		f->host_paced = i <= 10 ? 0 : 8;
		last = f->last_event;
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		KUNIT_EXPECT_GE(test, ktime_to_ns(ktime_sub(f->last_event, last)),
				(s64)f->clock.period - f->clock.period / 200);
	}
}

/* Vblanks without users are counted without a timer. */
static void vblank_clock(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_vblank *v = &frames_of(u, 0)->clock;
	ktime_t start, now;
	u32 count;

	show_first_output(u, 1);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(v->enabled)));
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&v->timer));
	count = virtgpu_vblank_count(v);
	start = virtgpu_vblank_time(v);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&v->timer));
	KUNIT_EXPECT_GE(test, virtgpu_vblank_count(v) - count, 3);
	/* The phase is that of the last vblank. */
	KUNIT_EXPECT_EQ(test, (u64)ktime_to_ns(ktime_sub(virtgpu_vblank_time(v), start)),
			(u64)(virtgpu_vblank_count(v) - count) * v->period);

	/* A vblank signalled by the host sets the phase. */
	now = ktime_add_ns(virtgpu_vblank_time(v), v->period + 1000);
	count = virtgpu_vblank_count(v);
	virtgpu_vblank_signal(v, now, false);
	KUNIT_EXPECT_EQ(test, ktime_compare(v->time, now), 0);
	KUNIT_EXPECT_EQ(test, v->count - count, 1);
	/* A late vblank does not turn the clock back. */
	virtgpu_vblank_signal(v, ktime_sub_ns(now, 1000), false);
	KUNIT_EXPECT_EQ(test, ktime_compare(v->time, now), 0);
}

/* A jump of the guest's clock counts as one vblank. */
static void clock_jump(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct virtgpu_frames *f = &out->frames;
	struct drm_framebuffer *fbs[2];
	u64 count, jump;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	/* The clock must not be set to a time before boot. */
	msleep(4000);
	jump = ktime_to_ns(ktime_get()) / 2;
	KUNIT_ASSERT_EQ(test, drm_crtc_vblank_get(&out->crtc), 0);
	count = drm_crtc_vblank_count(&out->crtc);
	spin_lock_irq(&f->clock.lock);
	f->clock.time = ktime_sub_ns(f->clock.time, jump);
	spin_unlock_irq(&f->clock.lock);
	f->last_event = ktime_sub_ns(f->last_event, jump);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[1]), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_LT(test, drm_crtc_vblank_count(&out->crtc) - count,
			div_u64(jump, f->clock.period) / 2);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[0]), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&virtgpu_mock_vgdev(u->mock)->ctrl));
	drm_crtc_vblank_put(&out->crtc);
}

struct bad_response {
	const char *name;
	struct virtgpu_mock_rule rule;
};

static const struct bad_response bad_frames[] = {
	{ "error", { .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "bad resource", { .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID } },
	{ "unknown success", { .error = VIRTIO_GPU_RESP_OK_NODATA + 0xff } },
	{ "nothing", { .cut = VIRTGPU_MOCK_NOTHING } },
	{ "half a header", { .cut = sizeof(struct virtio_gpu_ctrl_hdr) / 2 } },
	{ "too long", { .excess = 4096 } },
	{ "noise", { .garble = true } },
};

KUNIT_ARRAY_PARAM_DESC(bad_frame, bad_frames, name);

/* A bad response to a frame does not affect the next frame. */
static void kms_bad_frame(struct kunit *test)
{
	const struct bad_response *b = test->param_value;
	const u32 types[] = { CMD(RESOURCE_FLUSH), CMD(TRANSFER_TO_HOST_2D) };
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fbs[2];
	struct virtgpu_mock_rule rule;
	unsigned int i;

	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		rule = b->rule;
		rule.type = types[i];
		rule.times = 1;
		virtgpu_mock_rule(u->mock, &rule);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2 * i + 1));
		test_client_fill_pattern(u, fbs[0], 7 + i);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[0]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2 * i + 2));
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 7 + i, W, H));
	}
	/* Errors of transfers and flushes do not cause a fallback. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 0);
	expect_idle(u);
}

static const struct bad_response rejections[] = {
	{ "create: out of memory",
	  { .type = CMD(RESOURCE_CREATE_BLOB), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "create: unspecific",
	  { .type = CMD(RESOURCE_CREATE_BLOB), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "create: noise", { .type = CMD(RESOURCE_CREATE_BLOB), .garble = true } },
	{ "create: nothing", { .type = CMD(RESOURCE_CREATE_BLOB), .cut = VIRTGPU_MOCK_NOTHING } },
	{ "create: too long", { .type = CMD(RESOURCE_CREATE_BLOB), .excess = 8 } },
	{ "show: unspecific",
	  { .type = CMD(SET_SCANOUT_BLOB), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "show: bad parameter",
	  { .type = CMD(SET_SCANOUT_BLOB), .error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER } },
	{ "show: bad resource",
	  { .type = CMD(SET_SCANOUT_BLOB), .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID } },
	{ "show: noise", { .type = CMD(SET_SCANOUT_BLOB), .garble = true } },
	{ "show: nothing", { .type = CMD(SET_SCANOUT_BLOB), .cut = VIRTGPU_MOCK_NOTHING } },
};

KUNIT_ARRAY_PARAM_DESC(rejection, rejections, name);

/* A rejected blob is replaced by a 2D resource without another commit. */
static void fallback(struct kunit *test)
{
	const struct bad_response *b = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb;

	virtgpu_mock_rule(u->mock, &b->rule);
	fb = show_first_output(u, 3);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 3, W, H) &&
						  virtgpu_mock_count(u->mock, CMD(SET_SCANOUT))));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 3, W, H));
	KUNIT_EXPECT_FALSE(test,
			   virtgpu_mock_resource_is_blob(u->mock, virtgpu_mock_shown(u->mock, 0)));
	KUNIT_EXPECT_EQ(test,
			atomic_read(&virtgpu_mock_vgdev(u->mock)->counters.blob_fallbacks), 1);

	/* The buffer keeps its 2D resource. */
	test_client_fill_pattern(u, fb, 4);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 4, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 1);
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
}

static const struct bad_response errors_2d[] = {
	{ "create",
	  { .type = CMD(RESOURCE_CREATE_2D), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "attach", { .type = CMD(RESOURCE_ATTACH_BACKING), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "show", { .type = CMD(SET_SCANOUT), .error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER } },
	{ "transfer", { .type = CMD(TRANSFER_TO_HOST_2D), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
};

KUNIT_ARRAY_PARAM_DESC(error_2d, errors_2d, name);

/* The next commit returns the error of a 2D resource; later commits retry. */
static void kms_2d_error(struct kunit *test)
{
	const struct bad_response *b = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[1], 1);
	struct drm_framebuffer *fb;
	int ret;

	virtgpu_mock_rule(u->mock, &b->rule);
	fb = show_first_output(u, 3);
	virtgpu_mock_wait_idle(u->mock);
	ret = test_client_show(u, 0, fb);
	KUNIT_EXPECT_LT(test, ret, 0);
	KUNIT_EXPECT_NE(test, ret, -ETIMEDOUT);

	virtgpu_mock_clear_rules(u->mock);
	test_client_show(u, 0, fb);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 3, W, H));
}

/* ERR_INVALID_SCANOUT_ID does not mark the blob as rejected. */
static void no_such_output(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 2);
	struct virtgpu_mock_rule rule = {
		.type = CMD(SET_SCANOUT_BLOB), .times = 1,
		.error = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID,
	};
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	virtgpu_mock_rule(u->mock, &rule);
	test_client_fill_pattern(u, fb, 3);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 1, fb), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 3, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 0);
}

/*
 * Hotplug
 */

static void display_event(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[1];
	struct drm_connector *c = &out->connector;
	struct drm_display_mode *mode;
	bool found = false;

	KUNIT_EXPECT_EQ(test, c->funcs->detect(c, false), connector_status_disconnected);
	virtgpu_mock_set_output(u->mock, 1, true, 1234, 567);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(c->funcs->detect(c, false) ==
						  connector_status_connected));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(u->mock->space.events_read), 0);

	mutex_lock(&u->drm->mode_config.mutex);
	KUNIT_EXPECT_GT(test, c->funcs->fill_modes(c, 4096, 4096), 0);
	list_for_each_entry(mode, &c->modes, head)
		if (mode->type & DRM_MODE_TYPE_PREFERRED && mode->hdisplay == 1234 &&
		    mode->vdisplay == 567)
			found = true;
	mutex_unlock(&u->drm->mode_config.mutex);
	KUNIT_EXPECT_TRUE(test, found);

	virtgpu_mock_set_output(u->mock, 1, false, 0, 0);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(c->funcs->detect(c, false) ==
						  connector_status_disconnected));
}

/* The host's size is the preferred mode, also if an EDID cannot describe it. */
static void preferred_mode(struct kunit *test)
{
	static const struct {
		u32 w;
		u32 h;
	} sizes[] = {
		{ 16, 16 }, { 17, 17 }, { 1366, 767 }, { 640, 20 }, { 20, 480 },
		{ 4096, 2304 }, { 8192, 200 }, { 16384, 16384 },
	};
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct drm_connector *c = &out->connector;
	struct drm_display_mode *mode;
	unsigned int i, preferred;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		virtgpu_mock_set_output(u->mock, 0, true, sizes[i].w, sizes[i].h);
		virtgpu_mock_raise_display(u->mock);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == sizes[i].w &&
							  out->info.height == sizes[i].h));
		preferred = 0;
		mutex_lock(&u->drm->mode_config.mutex);
		c->funcs->fill_modes(c, VIRTGPU_FB_MAX, VIRTGPU_FB_MAX);
		list_for_each_entry(mode, &c->modes, head)
			if (mode->type & DRM_MODE_TYPE_PREFERRED) {
				KUNIT_EXPECT_EQ(test, mode->hdisplay, sizes[i].w);
				KUNIT_EXPECT_EQ(test, mode->vdisplay, sizes[i].h);
				KUNIT_EXPECT_EQ(test, drm_mode_vrefresh(mode), 60);
				preferred++;
			}
		mutex_unlock(&u->drm->mode_config.mutex);
		KUNIT_EXPECT_EQ_MSG(test, preferred, 1, "%ux%u", sizes[i].w, sizes[i].h);
	}
}

/* A change during a query is not lost. */
static void display_event_twice(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];

	virtgpu_mock_hold(u->mock, CMD(GET_DISPLAY_INFO));
	virtgpu_mock_set_output(u->mock, 0, true, 800, 600);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
	virtgpu_mock_set_output(u->mock, 0, true, 1024, 768);
	virtgpu_mock_raise_display(u->mock);
	virtgpu_mock_release(u->mock, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == 1024));
}

/* A skipped query does not prevent later queries. */
static void display_query_skipped(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct virtgpu_mock_rule rule = { .type = CMD(GET_DISPLAY_INFO), .hold = true, .times = 1 };

	virtgpu_mock_rule(u->mock, &rule);
	virtgpu_mock_set_output(u->mock, 0, true, 800, 600);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
	KUNIT_EXPECT_NE(test, out->info.width, 800);
	virtgpu_mock_ticks(u->mock, VIRTGPU_UNRESPONSIVE_TICKS + 2);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == 800));
	/* A late response to the dropped query is harmless. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	virtgpu_mock_set_output(u->mock, 0, true, 1024, 768);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == 1024));
}

/* A burst of changes, such as a window that is resized, causes few uevents. */
static void display_event_burst(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	unsigned int i, queries = virtgpu_mock_count(u->mock, CMD(GET_DISPLAY_INFO));
	unsigned long start = jiffies;

	for (i = 1; i <= 50; i++) {
		virtgpu_mock_set_output(u->mock, 0, true, 640 + 8 * i, 480);
		virtgpu_mock_raise_display(u->mock);
		msleep(20);
		/* The first change is not delayed. */
		if (i == 1)
			KUNIT_EXPECT_EQ(test, out->info.width, 648);
	}
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == 640 + 8 * 50));
	queries = virtgpu_mock_count(u->mock, CMD(GET_DISPLAY_INFO)) - queries;
	KUNIT_EXPECT_GE(test, queries, 4);
	KUNIT_EXPECT_LE(test, queries, (jiffies - start) / (HZ / 10) + 2);
}

/* On a broken device, where queries fail at once, none follows at once. */
static void display_event_broken(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct delayed_work *work = &to_virtgpu(u->drm)->kms.config_work;
	unsigned int i;

	virtio_break_device(&u->mock->vdev);
	virtgpu_mock_raise_display(u->mock);
	for (i = 0; i < 10; i++)
		flush_work(&work->work);
	KUNIT_EXPECT_TRUE(test, timer_pending(&work->timer));
}

/* The output is disconnected between a flip and its event. */
static void output_gone_mid_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct drm_framebuffer *next;

	virtgpu_mock_set_output(u->mock, 0, true, W, H);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.enabled));
	show_first_output(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	virtgpu_mock_set_output(u->mock, 0, false, 0, 0);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!out->info.enabled));
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
}

/* The event of a frame in flight is sent when the output is disabled. */
static void off_mid_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *next;

	show_first_output(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock,
								    CMD(RESOURCE_FLUSH)) == 1));
	/*
	 * The commit waits until the display is considered to hold the frame.
	 */
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, test_client_flips(u, 0), 1);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	expect_idle(u);
}

static void mode_change(struct kunit *test)
{
	static const struct { u32 w, h; } sizes[] = {
		{ 64, 48 }, { 32, 16 }, { 200, 100 }, { 1280, 16 }, { 64, 48 },
	};
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fb = test_client_new_fb(u, sizes[i].w, sizes[i].h);
		test_client_fill_pattern(u, fb, i);
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, i, sizes[i].w, sizes[i].h));
	}
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);

	/* Sizes below VIRTGPU_SCANOUT_MIN are rejected. */
	fb = test_client_new_fb(u, 64, 15);
	KUNIT_EXPECT_LT(test, test_client_show(u, 0, fb), 0);
	fb = test_client_new_fb(u, 15, 64);
	KUNIT_EXPECT_LT(test, test_client_show(u, 0, fb), 0);
}

static const struct {
	const char *name;
	u32 w, h, hz, flags;
	enum drm_mode_status status;
} modes[] = {
	{ "the smallest", 16, 16, 60, 0, MODE_OK },
	{ "too narrow", 15, 16, 60, 0, MODE_BAD },
	{ "too low", 16, 15, 60, 0, MODE_BAD },
	{ "fast", 640, 480, 1000, 0, MODE_OK },
	{ "too fast", 640, 480, 1001, 0, MODE_BAD },
	{ "stopped", 640, 480, 0, 0, MODE_BAD },
	{ "interlaced", 640, 480, 60, DRM_MODE_FLAG_INTERLACE, MODE_BAD },
	{ "doubled lines", 640, 480, 60, DRM_MODE_FLAG_DBLSCAN, MODE_BAD },
};

/* Modes that the vblank timer or the host cannot support. */
static void kms_modes(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_crtc *crtc = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0].crtc;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct drm_display_mode mode = {
			.hdisplay = modes[i].w, .htotal = 1000,
			.vdisplay = modes[i].h, .vtotal = 500,
			.clock = modes[i].hz * 500, .flags = modes[i].flags,
		};

		KUNIT_EXPECT_EQ_MSG(test, crtc->helper_private->mode_valid(crtc, &mode),
				    modes[i].status, "%s", modes[i].name);
	}
}

/*
 * Cursors
 */

static void kms_cursor(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *image = test_client_new_cursor(u, VIRTGPU_MOCK_CURSOR,
							       VIRTGPU_MOCK_CURSOR);
	unsigned int moves;

	KUNIT_ASSERT_NOT_NULL(test, p);
	show_first_output(u, 1);
	test_client_fill_pattern(u, image, 9);
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_count(u->mock,
								     CMD(UPDATE_CURSOR)) == 1));
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_NE(test, p->resource, 0);
	KUNIT_EXPECT_EQ(test, p->x, 10);
	KUNIT_EXPECT_EQ(test, p->y, 20);
	KUNIT_EXPECT_EQ(test, p->image[63 * 64 + 62], test_client_color(9, 62, 63));

	/* The cursor may extend beyond the CRTC. */
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, -5, 40), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_count(u->mock,
								     CMD(MOVE_CURSOR)) == 1));
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_EQ(test, p->x, -5);
	KUNIT_EXPECT_EQ(test, p->y, 40);

	/* A stalled host gets the last position only. */
	virtgpu_mock_stalled_cursor(u->mock, true);
	moves = virtgpu_mock_count(u->mock, CMD(MOVE_CURSOR));
	for (int i = 0; i < 50; i++)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, i, i), 0);
	virtgpu_mock_stalled_cursor(u->mock, false);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(({
		virtgpu_mock_pointer(u->mock, 0, p);
		p->x == 49;
	})));
	KUNIT_EXPECT_LE(test, virtgpu_mock_count(u->mock, CMD(MOVE_CURSOR)) - moves, 3);

	/* Hide the cursor. */
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(({
		virtgpu_mock_pointer(u->mock, 0, p);
		!p->resource;
	})));
}

/* A hotspot that user space sets outside of the image is clamped. */
static void cursor_hotspot(struct kunit *test)
{
	static const struct { int x, y, host_x, host_y; } hotspots[] = {
		{ 3, 4, 3, 4 }, { 100, -1, 63, 0 }, { 64, 63, 63, 63 }, { -70000, 1 << 20, 0, 63 },
	};
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *image = test_client_new_cursor(u, VIRTGPU_MOCK_CURSOR,
							       VIRTGPU_MOCK_CURSOR);
	struct drm_plane *plane = virtgpu_mock_vgdev(u->mock)->kms.outputs[0].crtc.cursor;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	show_first_output(u, 1);
	for (i = 0; i < ARRAY_SIZE(hotspots); i++) {
		/* As the legacy ioctl does. */
		plane->state->hotspot_x = hotspots[i].x;
		plane->state->hotspot_y = hotspots[i].y;
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
		virtgpu_mock_wait_idle(u->mock);
		virtgpu_mock_pointer(u->mock, 0, p);
		KUNIT_EXPECT_EQ(test, p->hot_x, hotspots[i].host_x);
		KUNIT_EXPECT_EQ(test, p->hot_y, hotspots[i].host_y);
	}
}

static bool cursor_is_blank(struct virtgpu_mock *m, struct virtgpu_mock_pointer *p)
{
	virtgpu_mock_wait_idle(m);
	virtgpu_mock_pointer(m, 0, p);

	return !p->resource && !memchr_inv(p->image, 0, sizeof(p->image));
}

/* Whatever hides a cursor, viewers get a transparent image. */
static void cursor_hidden(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *image = test_client_new_cursor(u, VIRTGPU_MOCK_CURSOR,
							       VIRTGPU_MOCK_CURSOR);
	struct drm_framebuffer *fb = show_first_output(u, 1);

	KUNIT_ASSERT_NOT_NULL(test, p);
	test_client_fill_pattern(u, image, 9);
	for (unsigned int i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
		virtgpu_mock_wait_idle(u->mock);
		virtgpu_mock_pointer(u->mock, 0, p);
		KUNIT_EXPECT_EQ(test, p->image[63 * 64 + 62], test_client_color(9, 62, 63));
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
		KUNIT_EXPECT_TRUE(test, cursor_is_blank(u->mock, p));
	}

	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
	KUNIT_EXPECT_TRUE(test, cursor_is_blank(u->mock, p));
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_EQ(test, p->image[63 * 64 + 62], test_client_color(9, 62, 63));
}

/* A stalled cursor queue does not affect frames. */
static void cursor_stalled(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *image = test_client_new_cursor(u, VIRTGPU_MOCK_CURSOR,
							       VIRTGPU_MOCK_CURSOR);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	virtgpu_mock_stalled_cursor(u->mock, true);
	fbs[0] = show_first_output(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 20; i++)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, i, 0), 0);
	for (i = 1; i <= 3; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(UPDATE_CURSOR)), 0);
}

static bool cursor_has(struct virtgpu_mock_pointer *p, u32 pattern_id, u32 width, u32 height)
{
	u32 x, y;

	for (y = 0; y < VIRTGPU_MOCK_CURSOR; y++)
		for (x = 0; x < VIRTGPU_MOCK_CURSOR; x++)
			if (p->image[y * VIRTGPU_MOCK_CURSOR + x] !=
			    (x < width && y < height ? test_client_color(pattern_id, x, y) : 0))
				return false;

	return true;
}

/* Smaller images are padded with transparent pixels. */
static void cursor_small(struct kunit *test)
{
	static const struct { u32 w, h; } sizes[] = {
		{ 32, 32 }, { 64, 32 }, { 1, 1 }, { 63, 64 },
	};
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *image;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	show_first_output(u, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		image = test_client_new_cursor(u, sizes[i].w, sizes[i].h);
		test_client_fill_pattern(u, image, i + 1);
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
		virtgpu_mock_wait_idle(u->mock);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(UPDATE_CURSOR)), i + 1);
		virtgpu_mock_pointer(u->mock, 0, p);
		KUNIT_EXPECT_TRUE(test, cursor_has(p, i + 1, sizes[i].w, sizes[i].h));
	}
}

static void cursor_size(struct kunit *test)
{
	static const struct { u32 w, h; } sizes[] = { { 65, 64 }, { 64, 65 }, { 128, 128 } };
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *cursor;
	unsigned int i;

	show_first_output(u, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cursor = test_client_new_cursor(u, sizes[i].w, sizes[i].h);
		KUNIT_EXPECT_LT(test, test_client_cursor(u, 0, cursor, 0, 0), 0);
	}
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(UPDATE_CURSOR)), 0);
}

/*
 * Memory of the host
 */

#define OUTPUTS 4
#define BUFFERS 3
#define FB_BYTES (W * H * 4)

static struct virtgpu_test_client *start_limited(struct kunit *test, u64 host_memory)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };

	config.features = VIRTGPU_MOCK_NO_BLOB;
	config.scanouts = OUTPUTS;
	config.host_memory = host_memory;

	return test_client_open(test, virtgpu_mock_start(test, &config));
}

static void expect_shown(struct virtgpu_test_client *u, unsigned int out, u32 pattern_id)
{
	KUNIT_EXPECT_TRUE(u->test,
			  virtgpu_mock_wait(test_client_scanout_is(u, out, pattern_id, W, H)));
}

/*
 * The host has memory for the shown buffers and as many others, but not for
 * all: copies of buffers that are not shown are evicted.
 */
static void host_memory_full(struct kunit *test)
{
	struct virtgpu_test_client *u = start_limited(test, 2 * OUTPUTS * FB_BYTES);
	struct virtgpu_device *vgdev = virtgpu_mock_vgdev(u->mock);
	struct drm_framebuffer *fbs[OUTPUTS][BUFFERS];
	unsigned int round, out, errors = 0;

	for (out = 0; out < OUTPUTS; out++)
		for (round = 0; round < BUFFERS; round++) {
			fbs[out][round] = test_client_new_fb(u, W, H);
			test_client_fill_pattern(u, fbs[out][round], out * BUFFERS + round);
		}

	for (round = 0; round < 4 * BUFFERS; round++) {
		for (out = 0; out < OUTPUTS; out++)
			KUNIT_ASSERT_EQ(test, test_client_show(u, out, fbs[out][round % BUFFERS]),
					0);
		for (out = 0; out < OUTPUTS; out++)
			expect_shown(u, out, out * BUFFERS + round % BUFFERS);
		/* The limit is known after the first error. */
		if (round == BUFFERS)
			errors = vgdev->ctrl.stats.errors;
	}
	KUNIT_EXPECT_EQ(test, vgdev->ctrl.stats.errors, errors);
	KUNIT_EXPECT_LE(test, vgdev->resources.size_2d, 2 * OUTPUTS * FB_BYTES);
	expect_idle(u);
}

/* A host without memory for one buffer: errors, but no endless attempts. */
static void host_memory_none(struct kunit *test)
{
	struct virtgpu_test_client *u = start_limited(test, FB_BYTES - 1);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	unsigned int pos;

	test_client_show(u, 0, fb);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), -ENOMEM);
	msleep(2000);
	pos = virtgpu_mock_log_pos(u->mock);
	msleep(500);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock), pos);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), 0);
	expect_idle(u);
}

/* A resource is not evicted if user space has its ID. */
static void host_memory_ids(struct kunit *test)
{
	struct virtgpu_test_client *u = start_limited(test, 2 * FB_BYTES);
	struct drm_virtgpu_resource_create args = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = W, .height = H, .size = FB_BYTES,
	};
	struct drm_framebuffer *fbs[2] = { test_client_new_fb(u, W, H),
					   test_client_new_fb(u, W, H) };
	unsigned int i;

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	for (i = 0; i < 2; i++)
		test_client_fill_pattern(u, fbs[i], i);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[0]), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[1]), 0);
	expect_shown(u, 0, 1);
	virtgpu_mock_wait_idle(u->mock);
	mutex_lock(&u->mock->host.lock);
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&u->mock->state.resources, args.res_handle));
	mutex_unlock(&u->mock->host.lock);
}

/* A buffer that is shown at many offsets has few copies. */
static void host_memory_layouts(struct kunit *test)
{
	struct virtgpu_test_client *u = start_limited(test, 0);
	u32 handle = test_client_dumb(u, W, 10 * H);
	struct drm_framebuffer *fb;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		fb = test_client_fb(u, handle, W, H, W * 4, i * FB_BYTES);
		test_client_fill_pattern(u, fb, i);
		KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), 0);
		expect_shown(u, 0, i);
	}
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_LE(test, virtgpu_mock_resources(u->mock), 4);
}

/* Depths of the ADDFB ioctl and of fbdev emulation are in host byte order. */
static void legacy_depths(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	u32 depth_24 = drm_driver_legacy_fb_format(u->drm, 32, 24);
	u32 depth_32 = drm_driver_legacy_fb_format(u->drm, 32, 32);

	/* Without it ADDFB2 fails on big-endian machines. */
	KUNIT_EXPECT_TRUE(test, u->drm->mode_config.quirk_addfb_prefer_host_byte_order);
	KUNIT_EXPECT_EQ(test, depth_24, DRM_FORMAT_HOST_XRGB8888);
	KUNIT_EXPECT_EQ(test, depth_32, DRM_FORMAT_HOST_ARGB8888);
	KUNIT_EXPECT_TRUE(test, drm_any_plane_has_format(u->drm, depth_24, DRM_FORMAT_MOD_LINEAR));
	KUNIT_EXPECT_TRUE(test, drm_any_plane_has_format(u->drm, depth_32, DRM_FORMAT_MOD_LINEAR));
}

static struct kunit_case kms_tests[] = {
	KUNIT_CASE_PARAM(shows_pixels, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(source_rectangle, virtgpu_test_config_gen_params),
	KUNIT_CASE(legacy_depths),
	KUNIT_CASE_PARAM(outside_output, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(kms_flips, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(damage, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(damage_of_another, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(damage_random, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(mirror, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(one_kick, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(event_waits_for_host, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(event_waits_for_vblank, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(old_buffer_ends_behind, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(flip_behind_many, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM_ATTR(kms_held, virtgpu_test_config_gen_params, { .speed =
			      KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(held_long, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(held_dirty, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM_ATTR(held_outputs, virtgpu_test_config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(held_keeps_buffer, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(held_off, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(held_cursor, virtgpu_test_config_gen_params),
	KUNIT_CASE(held_fence),
	KUNIT_CASE_PARAM(kms_host_paced, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM_ATTR(after_idle, virtgpu_test_config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(kms_realign, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(phase_lock, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(never_faster, virtgpu_test_config_gen_params),
	KUNIT_CASE(vblank_clock),
	KUNIT_CASE_SLOW(clock_jump),
	KUNIT_CASE_PARAM(kms_bad_frame, bad_frame_gen_params),
	KUNIT_CASE_PARAM(fallback, rejection_gen_params),
	KUNIT_CASE_PARAM(kms_2d_error, error_2d_gen_params),
	KUNIT_CASE(no_such_output),
	KUNIT_CASE_PARAM(display_event, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(preferred_mode, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(display_event_twice, virtgpu_test_config_gen_params),
	KUNIT_CASE(display_query_skipped),
	KUNIT_CASE(display_event_burst),
	KUNIT_CASE(display_event_broken),
	KUNIT_CASE_PARAM(output_gone_mid_flip, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM_ATTR(off_mid_flip, virtgpu_test_config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(mode_change, virtgpu_test_config_gen_params),
	KUNIT_CASE(kms_modes),
	KUNIT_CASE_PARAM(kms_cursor, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_hotspot, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_hidden, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_stalled, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_small, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_size, virtgpu_test_config_gen_params),
	KUNIT_CASE(host_memory_full),
	KUNIT_CASE(host_memory_none),
	KUNIT_CASE(host_memory_ids),
	KUNIT_CASE(host_memory_layouts),
	{}
};

static struct kunit_suite kms_suite = {
	.name = "virtio_gpu_kms",
	.test_cases = kms_tests,
};

kunit_test_suite(kms_suite);
