// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <drm/drm_connector.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_modes.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_vblank.h>
#include <uapi/drm/drm_mode.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/* What a host shows, and when a program hears of it. */

#define W 64
#define H 48

/* More messages than cursors may wait behind. */
#define MANY 2100

/* A painted framebuffer on the first output. */
static struct drm_framebuffer *show_first(struct virtgpu_test_client *u, u32 seed)
{
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	test_client_fill_pattern(u, fb, seed);
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
 * Pictures
 */

static void shows_pixels(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first(u, 1);

	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 1, 0, 0, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resource_is_blob(u->mock, virtgpu_mock_shown(u->mock,
											0)),
			virtgpu_mock_has(u->mock, VIRTIO_GPU_F_RESOURCE_BLOB));

	/* Off, and nothing of it stays. */
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
	expect_idle(u);
}

/* A part of a framebuffer whose lines are longer than it is wide. */
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

	/* It moves over the picture. */
	show.x = 160 - W;
	show.y = 120 - H;
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 2, 160 - W, 120 - H, W, H));

	/* Not out of it. */
	show.x++;
	KUNIT_EXPECT_LT(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	expect_idle(u);
}

static void kms_flips(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	fbs[0] = show_first(u, 0);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 6; i++) {
		test_client_fill_pattern(u, fbs[i % 2], i);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, i, 0, 0, W, H));
	}
	/* Each buffer was described once. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)) +
			virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 2);
	expect_idle(u);
}

static void damage(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first(u, 1);
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

/* What has changed says nothing of a framebuffer that was not there before. */
static void damage_of_another(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first(u, 1), *other = test_client_new_fb(u, W, H);
	struct drm_mode_rect clip = { .x1 = 0, .y1 = 0, .x2 = 1, .y2 = 1 };
	struct virtgpu_show show = { .fb = other, .clip = &clip };

	test_client_fill_pattern(u, other, 2);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 2, 0, 0, W, H));

	test_client_fill_pattern(u, fb, 3);
	show.fb = fb;
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 3, 0, 0, W, H));
}

/* The same buffer on two outputs: each is brought up to date by its own commits. */
static void mirror(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	struct drm_framebuffer *fb = show_first(u, 1);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 1, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 1, 1, 0, 0, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), virtgpu_mock_shown(u->mock, 1));
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(u->mock, 1), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
}

/* Several outputs in one commit are one notification. */
static void one_kick(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 4);
	struct virtgpu_show shows[4] = { };
	unsigned int i, kicks, mark;
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
	mark = virtgpu_mock_log_pos(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	KUNIT_ASSERT_EQ(test, test_client_commit(u, shows, 4, VIRTGPU_FLIP), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, i) == 1));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, i, 8 + i, 0, 0, W, H));

	/* A ring of 64 takes it all at once; a small one goes on as it empties. */
	if (((const struct virtgpu_test_config *)test->param_value)->ring >= 64)
		for (; virtgpu_mock_log_entry(u->mock, mark, &e); mark++)
			KUNIT_EXPECT_EQ(test, e.kick, kicks + 1);
}

/*
 * Flip events
 */

/* Not before the host has shown the frame. */
static void event_waits_for_host(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *next;

	show_first(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock,
								    CMD(RESOURCE_FLUSH)) == 1));
	/* Three vblanks go by. */
	msleep(60);
	/* Unless the machine was so slow that the display is taken to hold the frame. */
	if (!frames_of(u, 0)->stats.held) {
		KUNIT_EXPECT_EQ(test, test_client_flips(u, 0), 0);
		/* Another flip is one too many meanwhile. */
		KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), -EBUSY);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
}

/* Nor before the next vblank: each has one of its own. */
static void event_waits_for_vblank(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];
	struct drm_crtc *crtc = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0].crtc;
	u64 began;
	unsigned int i;

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	began = drm_crtc_vblank_count(crtc);
	for (i = 1; i <= 16; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	KUNIT_EXPECT_GE(test, drm_crtc_vblank_count(crtc) - began, 16);
}

/* The old buffer's end follows the frame that replaces it, and waits for no answer to that. */
static void old_buffer_ends_behind(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *first = show_first(u, 1), *next = test_client_new_fb(u, W, H);
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

/* However much others have piled up: a frame is shown in its turn. */
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
	u32 *handles = kunit_kcalloc(test, MANY, sizeof(*handles), GFP_KERNEL);
	struct drm_framebuffer *next, *cursors[2];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, handles);
	show_first(u, 1);
	next = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, next, 2);
	for (i = 0; i < 2; i++)
		cursors[i] = test_client_new_cursor(u, 16, 16);
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursors[0], 1, 2), 0);
	for (i = 0; i < MANY; i++) {
		args.bo_handle = 0;
		KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
		handles[i] = args.bo_handle;
	}
	virtgpu_mock_wait_idle(u->mock);

	/* As at the end of a program. */
	virtgpu_mock_freeze(u->mock);
	for (i = 0; i < MANY; i++)
		test_client_drop(u, handles[i]);
	KUNIT_EXPECT_GE(test, READ_ONCE(ctrl->num_pending), MANY);
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, next), 0);
	/* Only these have nothing else to hold them back. */
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursors[1], 1, 2), -EBUSY);
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 2, 0, 0, W,
									      H)));
}

/*
 * A display that holds its frame
 */

/* A window that is hidden, found out about by a flip. */
static void hold_display(struct virtgpu_test_client *u, struct drm_framebuffer *fb)
{
	unsigned int flips = test_client_flips(u, 0);

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(u->test, test_client_flip(u, 0, fb), 0);
	KUNIT_ASSERT_TRUE(u->test, virtgpu_mock_wait(test_client_flips(u, 0) == flips + 1));
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_held(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_GT(u->test, virtgpu_frames_held_ms(frames_of(u, 0)), 0);
}

/* Commits complete, none fails, one frame is in flight; then the newest is shown. */
static void kms_held(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct drm_framebuffer *fbs[3];
	unsigned int i, flushes;
	unsigned long began;

	fbs[0] = show_first(u, 1);
	for (i = 1; i < 3; i++)
		fbs[i] = test_client_new_fb(u, W, H);
	flushes = virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH));
	hold_display(u, fbs[1]);

	began = jiffies;
	for (i = 2; i < 7; i++) {
		test_client_fill_pattern(u, fbs[i % 3], i);
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 3]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	/* At ten a second. */
	KUNIT_EXPECT_GE(test, jiffies_to_msecs(jiffies - began), 450);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH)), flushes + 1);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.held, 1);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.replaced, 4);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 6, 0, 0, W,
									      H)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_FLUSH)), flushes + 2);
	KUNIT_EXPECT_EQ(test, virtgpu_frames_held_ms(frames_of(u, 0)), 0);
	KUNIT_EXPECT_GE(test, frames_of(u, 0)->stats.held_ms, 450);

	/* And then the pace is the host's again. */
	test_client_fill_pattern(u, fbs[1], 9);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[1]), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 7));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 9, 0, 0, W, H));
	expect_idle(u);
}

/* For ten minutes, as the watchdog counts them. */
static void held_long(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct drm_framebuffer *fbs[2];

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	hold_display(u, fbs[1]);
	virtgpu_mock_ticks(u->mock, VIRTGPU_MOCK_TEN_MINUTES);
	test_client_fill_pattern(u, fbs[0], 5);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fbs[0]), 0);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);
	KUNIT_EXPECT_EQ(test, frames_of(u, 0)->stats.held, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 5, 0, 0, W,
									      H)));
}

/* What goes to the same buffer again and again, as on a console or under Xorg. */
static void held_dirty(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = show_first(u, 1);
	struct drm_mode_rect clips[] = {
		{ .x1 = 0, .y1 = 0, .x2 = 8, .y2 = 8 }, { .x1 = 40, .y1 = 30, .x2 = 64, .y2 = 48 },
	};
	struct virtgpu_show show = { .fb = fb };
	unsigned int i;

	hold_display(u, fb);
	for (i = 0; i < 2; i++) {
		show.clip = &clips[i];
		test_client_fill_pattern(u, fb, 2 + i);
		KUNIT_EXPECT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_WAIT), 0);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH)), 1);
	/* All that has changed meanwhile, not the last part of it. */
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 3, 0, 0, W,
									      H)));
}

/* Each output on its own; and all outputs when the host takes no commands meanwhile. */
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
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 0, 0, 0, W,
									      H)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 1, 3, 0, 0, W,
									      H)));
}

/* The buffer that the host shows ends behind the frame that replaces it. */
static void held_keeps_buffer(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *held, *next;
	struct virtgpu_mock_log_entry e;
	unsigned int mark;

	show_first(u, 1);
	held = test_client_new_fb(u, W, H);
	next = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, next, 4);
	hold_display(u, held);
	mark = virtgpu_mock_log_pos(u->mock);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));
	test_client_rmfb(u, held);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_find(u->mock, mark, CMD(RESOURCE_UNREF), &e));

	virtgpu_mock_release(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_find(u->mock, mark,
								    CMD(RESOURCE_UNREF),
								    &e)));
	for (; virtgpu_mock_log_entry(u->mock, mark, &e) && e.type != CMD(RESOURCE_FLUSH); mark++)
		KUNIT_EXPECT_NE(test, e.type, CMD(RESOURCE_UNREF));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 4, 0, 0, W, H));
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);
}

/* Turned off meanwhile: the frame that waits is not shown any more. */
static void held_off(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fbs[2];

	fbs[0] = show_first(u, 1);
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

/* The cursor's own queue goes on. */
static void held_cursor(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *cursor = test_client_new_cursor(u, 64, 64);
	struct drm_framebuffer *next = test_client_new_fb(u, W, H);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	show_first(u, 1);
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

/* The rate is a parameter; an event has no error, as nothing went wrong. */
static void held_fence(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_show show = { .fb = test_client_new_fb(u, W, H) };

	show.out_fence = test_client_add_write_fence(u, NULL);
	show_first(u, 1);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_commit(u, &show, 1, VIRTGPU_FLIP), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(dma_fence_is_signaled(show.out_fence)));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(show.out_fence), 1);
	dma_fence_put(show.out_fence);
}

/*
 * The pace
 */

/* A display with a rate of its own: the event is sent from its response. */
static void kms_host_paced(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	KUNIT_EXPECT_EQ(test, f->host_paced, 0);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	for (i = 1; i <= 12; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
		/* One and a half periods of the mode. */
		usleep_range(25000, 26000);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_release_one(u->mock, 0, 0));
		/* By then the response was the vblank. */
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

/* The first frame after a while is shown at once, and no timer runs for it. */
static void alone(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fb = show_first(u, 1);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		msleep(700);
		KUNIT_EXPECT_EQ(test, fb->funcs->dirty(fb, u->file, 0, 0, NULL, 0), 0);
		KUNIT_EXPECT_EQ(test, ktime_compare(f->last_event, f->responded), 0);
		KUNIT_EXPECT_FALSE(test, hrtimer_active(&f->clock.timer));
	}
}

/* When the rate of the display is found, one event is sent with its next vsync. */
static void kms_realign(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *next;

	show_first(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
	usleep_range(5000, 6000);
	f->host_paced = 3;
	/* The event would be sent after the response. */
	f->last_event = ktime_get();
	virtgpu_mock_release(u->mock, 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_EQ(test, f->host_paced, 4);
	KUNIT_EXPECT_FALSE(test, f->realign);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(ktime_sub(f->last_event, f->responded)),
			(s64)f->clock.period);
}

/* Events that are later than the responses come closer to them, a little each time. */
static void phase_lock(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	unsigned int i;
	ktime_t last;
	bool near;

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 5; i++) {
		f->host_paced = 8;
		f->realign = false;
		last = ktime_get();
		f->last_event = last;
		virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
		/* As if the response before had come a period, or half of it, ago. */
		f->responded = ktime_sub_ns(ktime_get(), f->clock.period / (i & 1 ? 1 : 2));
		virtgpu_mock_release(u->mock, 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		near = abs(f->interval - f->clock.period) < f->clock.period / 100;
		if (ktime_compare(f->last_event, f->responded) > 0)
			KUNIT_EXPECT_EQ(test, ktime_to_ns(ktime_sub(f->last_event, last)),
					(s64)f->clock.period - (near ? f->clock.period / 200 : 0));
	}
}

/* Not sooner than a period after the event before, however fast the display is. */
static void never_faster(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_frames *f = frames_of(u, 0);
	struct drm_framebuffer *fbs[2];
	ktime_t last;
	unsigned int i;

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 20; i++) {
		/* With the pace of the clock, and with that of the host. */
		f->host_paced = i <= 10 ? 0 : 8;
		last = f->last_event;
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i & 1]), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
		KUNIT_EXPECT_GE(test, ktime_to_ns(ktime_sub(f->last_event, last)),
				(s64)f->clock.period - f->clock.period / 200);
	}
}

/* Vblanks without a waiter are counted without a timer. */
static void vblank_clock(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_vblank *v = &frames_of(u, 0)->clock;
	ktime_t start, now;
	u32 count;

	show_first(u, 1);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(v->enabled)));
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&v->timer));
	count = virtgpu_vblank_count(v);
	start = virtgpu_vblank_time(v);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&v->timer));
	KUNIT_EXPECT_GE(test, virtgpu_vblank_count(v) - count, 3);
	/* In the phase of the last one. */
	KUNIT_EXPECT_EQ(test, (u64)ktime_to_ns(ktime_sub(virtgpu_vblank_time(v), start)),
			(u64)(virtgpu_vblank_count(v) - count) * v->period);

	/* From the host: one vblank, with its time, and the phase is its own. */
	now = ktime_add_ns(virtgpu_vblank_time(v), v->period + 1000);
	count = virtgpu_vblank_count(v);
	virtgpu_vblank_signal(v, now, false);
	KUNIT_EXPECT_EQ(test, ktime_compare(v->time, now), 0);
	KUNIT_EXPECT_EQ(test, v->count - count, 1);
	/* One that is late does not turn the clock back. */
	virtgpu_vblank_signal(v, ktime_sub_ns(now, 1000), false);
	KUNIT_EXPECT_EQ(test, ktime_compare(v->time, now), 0);
}

/* The guest's clock jumps while vblanks are enabled: one vblank, not one for each period. */
static void clock_jump(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct virtgpu_frames *f = &out->frames;
	struct drm_framebuffer *fbs[2];
	u64 count, jump;

	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	/* Times before the start of the machine mean nothing. */
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

struct bad_answer {
	const char *name;
	struct virtgpu_mock_rule rule;
};

static const struct bad_answer bad_frames[] = {
	{ "error", { .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "bad resource", { .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID } },
	{ "odd success", { .error = 0x11ff } },
	{ "nothing", { .cut = VIRTGPU_MOCK_NOTHING } },
	{ "half a header", { .cut = 12 } },
	{ "too long", { .excess = 4096 } },
	{ "noise", { .garble = true } },
};

KUNIT_ARRAY_PARAM_DESC(bad_frame, bad_frames, name);

/* Whatever the answer to a frame is, the next one can come. */
static void kms_bad_frame(struct kunit *test)
{
	const struct bad_answer *b = test->param_value;
	const u32 types[] = { CMD(RESOURCE_FLUSH), CMD(TRANSFER_TO_HOST_2D) };
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fbs[2];
	struct virtgpu_mock_rule rule;
	unsigned int i;

	fbs[0] = show_first(u, 1);
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
		KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 7 + i, 0, 0, W, H));
	}
	/* A blob's transfer and flush say nothing against the blob. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 0);
	expect_idle(u);
}

/*
 * Refusals
 */

static const struct bad_answer refusals[] = {
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

KUNIT_ARRAY_PARAM_DESC(refusal, refusals, name);

/* A blob that the host does not take is copied; nobody has to ask for it. */
static void fallback(struct kunit *test)
{
	const struct bad_answer *b = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_framebuffer *fb;

	virtgpu_mock_rule(u->mock, &b->rule);
	fb = show_first(u, 3);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_matches(u, 0, 3, 0, 0, W,
									      H) &&
						  virtgpu_mock_count(u->mock, CMD(SET_SCANOUT))));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 3, 0, 0, W, H));
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_resource_is_blob(u->mock, virtgpu_mock_shown(u->mock,
											   0)));
	KUNIT_EXPECT_EQ(test, atomic_read(&virtgpu_mock_vgdev(u->mock)->counters.blob_fallbacks), 1);

	/* It stays that way for this buffer. */
	test_client_fill_pattern(u, fb, 4);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 4, 0, 0, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 1);
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
}

static const struct bad_answer surface_errors[] = {
	{ "create",
	  { .type = CMD(RESOURCE_CREATE_2D), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "attach", { .type = CMD(RESOURCE_ATTACH_BACKING), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "show", { .type = CMD(SET_SCANOUT), .error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER } },
	{ "transfer", { .type = CMD(TRANSFER_TO_HOST_2D), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
};

KUNIT_ARRAY_PARAM_DESC(surface_error, surface_errors, name);

/* There is no other way left: an error to the next commit, and then another try. */
static void kms_surface_error(struct kunit *test)
{
	const struct bad_answer *b = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[1], 1);
	struct drm_framebuffer *fb;
	int ret;

	virtgpu_mock_rule(u->mock, &b->rule);
	fb = show_first(u, 3);
	virtgpu_mock_wait_idle(u->mock);
	ret = test_client_show(u, 0, fb);
	KUNIT_EXPECT_LT(test, ret, 0);
	KUNIT_EXPECT_NE(test, ret, -ETIMEDOUT);

	virtgpu_mock_obey(u->mock);
	test_client_show(u, 0, fb);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 3, 0, 0, W, H));
}

/* An output that the host does not have says nothing against the buffer. */
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
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 3, 0, 0, W, H));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), 0);
}

/*
 * Outputs that come and go
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

/* A change while the host is being asked is not lost. */
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

/* A query that the host has skipped does not keep later changes from being seen. */
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
	/* The response comes after all, when there is no query any more. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	virtgpu_mock_set_output(u->mock, 0, true, 1024, 768);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.width == 1024));
}

/* The host takes the output away between a flip and its event. */
static void output_gone_mid_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(u->mock)->kms.outputs[0];
	struct drm_framebuffer *next;

	virtgpu_mock_set_output(u->mock, 0, true, W, H);
	virtgpu_mock_raise_display(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(out->info.enabled));
	show_first(u, 1);
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

/* Turned off while a frame is out: the event of the frame comes all the same. */
static void off_mid_flip(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *next;

	show_first(u, 1);
	next = test_client_new_fb(u, W, H);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_FLUSH));
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, next), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock,
								    CMD(RESOURCE_FLUSH)) == 1));
	/* The commit waits for the flip, until the display is taken to hold the frame. */
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
		KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, i, 0, 0, sizes[i].w,
								    sizes[i].h));
	}
	KUNIT_EXPECT_EQ(test, u->mock->state.lost, 0);

	/* What no host shows is refused before it gets there. */
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

/* A timer stands in for the vblanks, so not every mode is possible. */
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
	show_first(u, 1);
	test_client_fill_pattern(u, image, 9);
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, 10, 20), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_count(u->mock,
								     CMD(UPDATE_CURSOR)) == 1));
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_NE(test, p->resource, 0);
	KUNIT_EXPECT_EQ(test, p->x, 10);
	KUNIT_EXPECT_EQ(test, p->y, 20);
	KUNIT_EXPECT_EQ(test, p->image[63 * 64 + 62], test_client_color(9, 62, 63));

	/* It may stick out. */
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, -5, 40), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_count(u->mock,
								     CMD(MOVE_CURSOR)) == 1));
	virtgpu_mock_pointer(u->mock, 0, p);
	KUNIT_EXPECT_EQ(test, p->x, -5);
	KUNIT_EXPECT_EQ(test, p->y, 40);

	/* A host that looks the other way for a while gets where it is, not where it was. */
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

	/* And off. */
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, NULL, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(({
		virtgpu_mock_pointer(u->mock, 0, p);
		!p->resource;
	})));
}

/* A host that never takes anything from its cursor queue costs the cursor, no more. */
static void cursor_deaf(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *image = test_client_new_cursor(u, VIRTGPU_MOCK_CURSOR,
							       VIRTGPU_MOCK_CURSOR);
	struct drm_framebuffer *fbs[2];
	unsigned int i;

	virtgpu_mock_stalled_cursor(u->mock, true);
	fbs[0] = show_first(u, 1);
	fbs[1] = test_client_new_fb(u, W, H);
	for (i = 1; i <= 20; i++)
		KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, image, i, 0), 0);
	for (i = 1; i <= 3; i++) {
		KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, fbs[i % 2]), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == i));
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(UPDATE_CURSOR)), 0);
}

static bool cursor_has(struct virtgpu_mock_pointer *p, u32 seed, u32 width, u32 height)
{
	u32 x, y;

	for (y = 0; y < VIRTGPU_MOCK_CURSOR; y++)
		for (x = 0; x < VIRTGPU_MOCK_CURSOR; x++)
			if (p->image[y * VIRTGPU_MOCK_CURSOR + x] !=
			    (x < width && y < height ? test_client_color(seed, x, y) : 0))
				return false;

	return true;
}

/* The host gets an image of its size, with nothing around the smaller one. */
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
	show_first(u, 1);
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
	unsigned int i;

	show_first(u, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_LT(test, test_client_cursor(u, 0,
							 test_client_new_cursor(u, sizes[i].w,
										sizes[i].h),
							 0, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(UPDATE_CURSOR)), 0);
}

static struct kunit_case kms_tests[] = {
	KUNIT_CASE_PARAM(shows_pixels, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(source_rectangle, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(kms_flips, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(damage, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(damage_of_another, virtgpu_test_config_gen_params),
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
	KUNIT_CASE_PARAM_ATTR(alone, virtgpu_test_config_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(kms_realign, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(phase_lock, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(never_faster, virtgpu_test_config_gen_params),
	KUNIT_CASE(vblank_clock),
	KUNIT_CASE_SLOW(clock_jump),
	KUNIT_CASE_PARAM(kms_bad_frame, bad_frame_gen_params),
	KUNIT_CASE_PARAM(fallback, refusal_gen_params),
	KUNIT_CASE_PARAM(kms_surface_error, surface_error_gen_params),
	KUNIT_CASE(no_such_output),
	KUNIT_CASE_PARAM(display_event, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(display_event_twice, virtgpu_test_config_gen_params),
	KUNIT_CASE(display_query_skipped),
	KUNIT_CASE_PARAM(output_gone_mid_flip, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM_ATTR(off_mid_flip, virtgpu_test_config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(mode_change, virtgpu_test_config_gen_params),
	KUNIT_CASE(kms_modes),
	KUNIT_CASE_PARAM(kms_cursor, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_deaf, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_small, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(cursor_size, virtgpu_test_config_gen_params),
	{}
};

static struct kunit_suite kms_suite = {
	.name = "virtio_gpu_kms",
	.test_cases = kms_tests,
};

kunit_test_suite(kms_suite);
