// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_panic.h>
#include <drm/drm_plane.h>

#include "virtgpu_device.h"
#include "vgpu_mock.h"
#include "vgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "vgpu_test_user.h"

/* The panic screen, short of the panic. */

#define W 64
#define H 48

static struct drm_plane *primary(struct vgpu_user *u)
{
	return to_virtgpu(u->drm)->kms.outputs[0].primary;
}

/* As DRM does it: nothing sleeps, and no interrupt comes in between. */
static int draw(struct vgpu_user *u, u32 seed)
{
	const struct drm_plane_helper_funcs *funcs = primary(u)->helper_private;
	struct drm_scanout_buffer sb = { };
	unsigned long flags;
	u32 x, y;
	int ret;

	local_irq_save(flags);
	ret = funcs->get_scanout_buffer(primary(u), &sb);
	if (!ret) {
		for (y = 0; y < sb.height; y++)
			for (x = 0; x < sb.width; x++)
				sb.set_pixel(&sb, x, y, vgpu_user_color(seed, x, y));
		funcs->panic_flush(primary(u));
	}
	local_irq_restore(flags);

	return ret;
}

static void panic_shows(struct kunit *test)
{
	struct vgpu_user *u = vgpu_user_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = vgpu_user_new_fb(u, W, H);

	/* There is nothing to draw into. */
	KUNIT_EXPECT_EQ(test, draw(u, 1), -ENODEV);

	KUNIT_ASSERT_EQ(test, vgpu_user_show(u, 0, fb), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(vgpu_user_sees(u, 0, 2, 0, 0, W, H)));
	/* The log gets longer, so it is drawn more than once. */
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(vgpu_user_sees(u, 0, 3, 0, 0, W, H)));

	KUNIT_ASSERT_EQ(test, vgpu_user_show(u, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 4), -ENODEV);
}

/* With lines that are longer than the picture is wide, and not from the start. */
static void panic_finds_pixels(struct kunit *test)
{
	struct vgpu_user *u = vgpu_user_start(test, test->param_value, 1);
	u32 handle = vgpu_user_dumb(u, 300, 200);
	struct drm_framebuffer *fb = vgpu_user_fb(u, handle, W, H, 300 * 4, 300 * 4 * 17 + 20);

	KUNIT_ASSERT_EQ(test, vgpu_user_show(u, 0, fb), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(vgpu_user_sees(u, 0, 2, 0, 0, W, H)));
}

/* What the host has not answered cannot be sent again; the next one can. */
static void panic_busy_host(struct kunit *test)
{
	struct vgpu_user *u = vgpu_user_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = vgpu_user_new_fb(u, W, H);
	unsigned int mark;

	KUNIT_ASSERT_EQ(test, vgpu_user_show(u, 0, fb), 0);
	mark = vgpu_mock_mark(u->mock);
	vgpu_mock_freeze(u->mock);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	vgpu_mock_thaw(u->mock);
	vgpu_mock_settle(u->mock);
	KUNIT_EXPECT_EQ(test, vgpu_mock_mark(u->mock) - mark, 2);
	KUNIT_EXPECT_EQ(test, draw(u, 4), 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(vgpu_user_sees(u, 0, 4, 0, 0, W, H)));
}

/* Another device's buffer is not drawn into. */
static void panic_import(struct kunit *test)
{
	struct vgpu_mock_config config = { VGPU_MOCK_CONFIG };
	struct vgpu_mock *m = vgpu_mock_start(test, &config);
	struct vgpu_mock_buffer *b = vgpu_mock_buffer_create(test, m, VGPU_MOCK_DYNAMIC, W * H * 4);
	struct vgpu_user *u = vgpu_user_open(test, m);
	struct drm_framebuffer *fb;
	u32 handle;

	KUNIT_ASSERT_EQ(test, vgpu_user_import(u, b->dma_buf, &handle), 0);
	fb = vgpu_user_fb(u, handle, W, H, W * 4, 0);
	vgpu_user_paint(u, fb, 1);
	KUNIT_ASSERT_EQ(test, vgpu_user_show(u, 0, fb), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), -ENODEV);
	KUNIT_EXPECT_TRUE(test, vgpu_user_sees(u, 0, 1, 0, 0, W, H));
}

static struct kunit_case panic_tests[] = {
	KUNIT_CASE_PARAM(panic_shows, vgpu_host_gen_params),
	KUNIT_CASE_PARAM(panic_finds_pixels, vgpu_host_gen_params),
	KUNIT_CASE_PARAM(panic_busy_host, vgpu_host_gen_params),
	KUNIT_CASE(panic_import),
	{}
};

static struct kunit_suite panic_suite = {
	.name = "vgpu_panic",
	.test_cases = panic_tests,
};

kunit_test_suite(panic_suite);
