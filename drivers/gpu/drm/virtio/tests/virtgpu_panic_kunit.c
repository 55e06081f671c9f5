// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/iosys-map.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_panic.h>
#include <drm/drm_plane.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_backing.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/* The panic screen, without a panic. */

#define W 64
#define H 48

static struct drm_plane *primary_of(struct virtgpu_test_client *u, unsigned int output)
{
	return to_virtgpu(u->drm)->kms.outputs[output].primary;
}

static struct drm_plane *primary(struct virtgpu_test_client *u)
{
	return primary_of(u, 0);
}

static void draw_pixel(struct drm_scanout_buffer *sb, u32 x, u32 y, u32 color)
{
	if (sb->set_pixel)
		sb->set_pixel(sb, x, y, color);
	else
		iosys_map_wr(&sb->map[0], y * sb->pitch[0] + x * 4, u32, color);
}

/* Do what drm_panic does, with interrupts disabled. */
static int draw_output(struct virtgpu_test_client *u, unsigned int output, u32 pattern_id)
{
	struct drm_plane *plane = primary_of(u, output);
	const struct drm_plane_helper_funcs *funcs = plane->helper_private;
	struct drm_scanout_buffer sb = { };
	unsigned long flags;
	u32 x, y;
	int ret;

	local_irq_save(flags);
	ret = funcs->get_scanout_buffer(plane, &sb);
	if (!ret) {
		for (y = 0; y < sb.height; y++)
			for (x = 0; x < sb.width; x++)
				draw_pixel(&sb, x, y, test_client_color(pattern_id, x, y));
		funcs->panic_flush(plane);
	}
	local_irq_restore(flags);

	return ret;
}

static int draw(struct virtgpu_test_client *u, u32 pattern_id)
{
	return draw_output(u, 0, pattern_id);
}

static void shows(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);

	/* There is no framebuffer yet. */
	KUNIT_EXPECT_EQ(test, draw(u, 1), -ENODEV);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 2, W, H)));
	/* drm_panic may draw several times. */
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 3, W, H)));

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 4), -ENODEV);
}

/* A framebuffer with an offset and padded lines. */
static void finds_pixels(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	u32 handle = test_client_dumb(u, 300, 200);
	struct drm_framebuffer *fb = test_client_fb(u, handle, W, H, 300 * 4, 300 * 4 * 17 + 20);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 2, W, H)));
}

/*
 * In a buffer of many blocks the next pixel is not looked up from the first
 * block on, which has a wrong length meanwhile.  A page has one line.
 */
static void fragments(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	const struct drm_plane_helper_funcs *funcs = primary(u)->helper_private;
	struct drm_framebuffer *fb = test_client_new_fb(u, PAGE_SIZE / 4, 31);
	struct scatterlist *first = to_virtgpu_gem(fb->obj[0])->pages->sgt->sgl;
	unsigned int length = first->length, wrong = 0;
	u32 y, second = length / fb->pitches[0];
	struct drm_scanout_buffer sb = { };
	struct iosys_map map;

	KUNIT_ASSERT_LT(test, second, fb->height);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_ASSERT_EQ(test, funcs->get_scanout_buffer(primary(u), &sb), 0);
	sb.set_pixel(&sb, 7, second, second);
	first->length = 0;
	for (y = second + 1; y < fb->height; y++)
		sb.set_pixel(&sb, 7, y, y);
	first->length = length;
	for (y = 0; y < second; y++)
		sb.set_pixel(&sb, 7, y, y);

	KUNIT_ASSERT_EQ(test, drm_gem_vmap(fb->obj[0], &map), 0);
	for (y = 0; y < fb->height; y++)
		wrong += ((u32 *)(map.vaddr + y * fb->pitches[0]))[7] != y;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	drm_gem_vunmap(fb->obj[0], &map);
}

/* Each of two outputs that share a framebuffer shows the whole screen. */
static void shared(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	struct drm_framebuffer *fb = test_client_new_fb(u, 2 * W, 2 * H);
	struct virtgpu_show shows[] = {
		{ .output = 0, .fb = fb, .x = W, .y = H, .w = W, .h = H },
		{ .output = 1, .fb = fb, .w = W, .h = H },
	};

	KUNIT_ASSERT_EQ(test, test_client_commit(u, shows, 2, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 2, W, H)));
	KUNIT_EXPECT_FALSE(test, test_client_scanout_is(u, 1, 2, W, H));
	KUNIT_EXPECT_EQ(test, draw_output(u, 1, 3), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 1, 3, W, H)));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 2, W, H));
}

struct order_case {
	const char *name;
	u32 format, drawn;
	u8 bytes[4];
};

/* drm_panic draws in little-endian formats only. */
static const struct order_case order_cases[] = {
	{ "XRGB8888", DRM_FORMAT_XRGB8888, DRM_FORMAT_XRGB8888, { 4, 3, 2, 1 } },
	{ "ARGB8888", DRM_FORMAT_ARGB8888, DRM_FORMAT_ARGB8888, { 4, 3, 2, 1 } },
	{ "XBGR8888", DRM_FORMAT_XBGR8888, DRM_FORMAT_XBGR8888, { 4, 3, 2, 1 } },
	{ "BGRX8888", DRM_FORMAT_BGRX8888, DRM_FORMAT_XRGB8888, { 1, 2, 3, 4 } },
	{ "BGRA8888", DRM_FORMAT_BGRA8888, DRM_FORMAT_ARGB8888, { 1, 2, 3, 4 } },
};

KUNIT_ARRAY_PARAM_DESC(order, order_cases, name);

/* Little-endian machines do not offer all formats: replace that of a frame. */
static void byte_order(struct kunit *test)
{
	const struct order_case *c = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	const struct drm_plane_helper_funcs *funcs = primary(u)->helper_private;
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	struct drm_scanout_buffer sb = { };
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	fb->format = drm_format_info(c->format);
	KUNIT_ASSERT_EQ(test, funcs->get_scanout_buffer(primary(u), &sb), 0);
	KUNIT_EXPECT_EQ(test, sb.format->format, c->drawn);
	sb.set_pixel(&sb, 5, 6, 0x01020304);

	KUNIT_ASSERT_EQ(test, drm_gem_vmap(fb->obj[0], &map), 0);
	KUNIT_EXPECT_MEMEQ(test, map.vaddr + (6 * W + 5) * 4, c->bytes, sizeof(c->bytes));
	drm_gem_vunmap(fb->obj[0], &map);
}

/* A message in flight is not queued again; after the response it is. */
static void busy_host(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	unsigned int log_pos;

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	log_pos = virtgpu_mock_log_pos(u->mock);
	virtgpu_mock_freeze(u->mock);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	virtgpu_mock_thaw(u->mock);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock) - log_pos, 2);
	KUNIT_EXPECT_EQ(test, draw(u, 4), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(u, 0, 4, W, H)));
}

enum foreign {
	FOREIGN_IMPORT,
	FOREIGN_BLOB,
	FOREIGN_BLOB_WITH_GUEST_MEMORY,
	FOREIGN_3D,
};

struct foreign_case {
	const char *name;
	enum foreign type;
	u64 features;
	bool bounces;
};

#define PLATFORM BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)

/* Framebuffers that cannot be drawn into. */
static const struct foreign_case foreign_cases[] = {
	{ "import", FOREIGN_IMPORT, VIRTGPU_MOCK_FEATURES },
	{ "import, 2D resources", FOREIGN_IMPORT, VIRTGPU_MOCK_NO_BLOB },
	{ "import, DMA addresses", FOREIGN_IMPORT, VIRTGPU_MOCK_FEATURES | PLATFORM },
	{ "host3d blob", FOREIGN_BLOB, VIRTGPU_MOCK_3D },
	{ "host3d blob, bounce buffers", FOREIGN_BLOB, VIRTGPU_MOCK_3D | PLATFORM, true },
	{ "host3d blob with guest memory", FOREIGN_BLOB_WITH_GUEST_MEMORY, VIRTGPU_MOCK_3D },
	{ "3D resource", FOREIGN_3D, VIRTGPU_MOCK_3D },
};

KUNIT_ARRAY_PARAM_DESC(foreign, foreign_cases, name);

static u32 foreign_create(struct virtgpu_test_client *u, enum foreign type)
{
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = type == FOREIGN_BLOB ? VIRTGPU_BLOB_MEM_HOST3D :
						   VIRTGPU_BLOB_MEM_HOST3D_GUEST,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = W * H * 4,
	};

	if (type == FOREIGN_3D)
		return virtgpu_render_texture(u, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, W, H);
	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &blob), 0);

	return blob.bo_handle;
}

static struct virtgpu_test_client *foreign_start(struct kunit *test, const struct foreign_case *c,
						 struct drm_framebuffer **fb)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	struct virtgpu_mock *m;
	u32 handle;

	config.features = c->features;
	config.bounces = c->bounces;
	config.scanouts = 2;
	m = virtgpu_mock_start(test, &config);
	if (c->type == FOREIGN_IMPORT) {
		b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC, W * H * 4);
		u = test_client_open(test, m);
		KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &handle), 0);
	} else {
		u = test_client_open(test, m);
		handle = foreign_create(u, c->type);
	}
	*fb = test_client_fb(u, handle, W, H, W * 4, 0);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, *fb), 0);

	return u;
}

static bool spare_is(struct virtgpu_test_client *u, unsigned int output, u32 pattern_id)
{
	return virtgpu_mock_wait(test_client_scanout_is(u, output, pattern_id, VIRTGPU_PANIC_WIDTH,
							VIRTGPU_PANIC_HEIGHT));
}

/* The spare resource replaces the framebuffer; the next frame replaces it. */
static void spare(struct kunit *test)
{
	const struct foreign_case *c = test->param_value;
	struct drm_framebuffer *fb;
	struct virtgpu_test_client *u = foreign_start(test, c, &fb);
	struct virtgpu_mock_scanout *s = &u->mock->state.scanouts[0];
	unsigned int created;
	u32 resource;

	virtgpu_mock_wait_idle(u->mock);
	resource = s->resource;
	created = virtgpu_mock_count(u->mock, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D);
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	KUNIT_EXPECT_TRUE(test, spare_is(u, 0, 2));
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	KUNIT_EXPECT_TRUE(test, spare_is(u, 0, 3));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
			created + 1);

	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, fb), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, s->resource, resource);
}

/* All outputs show one resource, which is created once. */
static void spare_of_outputs(struct kunit *test)
{
	struct drm_framebuffer *fb;
	struct virtgpu_test_client *u = foreign_start(test, &foreign_cases[0], &fb);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 1, fb), 0);
	virtgpu_mock_freeze(u->mock);
	KUNIT_EXPECT_EQ(test, draw_output(u, 0, 2), 0);
	KUNIT_EXPECT_EQ(test, draw_output(u, 1, 2), 0);
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_TRUE(test, spare_is(u, 0, 2));
	KUNIT_EXPECT_TRUE(test, spare_is(u, 1, 2));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), 1);
}

/* A reset destroys the resource, so it is created again. */
static void spare_after_suspend(struct kunit *test)
{
	struct virtgpu_test_client *u;
	struct drm_framebuffer *fb;
	u32 pattern_id;

	virtgpu_mock_require_suspend(test);
	u = foreign_start(test, &foreign_cases[0], &fb);
	for (pattern_id = 1; pattern_id < 4; pattern_id++) {
		KUNIT_EXPECT_EQ(test, draw(u, pattern_id), 0);
		KUNIT_EXPECT_TRUE(test, spare_is(u, 0, pattern_id));
		KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
		KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	}
}

/* The host has no memory for the resource, and later it has. */
static void spare_without_memory(struct kunit *test)
{
	struct drm_framebuffer *fb;
	struct virtgpu_test_client *u = foreign_start(test, &foreign_cases[0], &fb);

	u->mock->config.host_memory = W * H * 4;
	KUNIT_EXPECT_EQ(test, draw(u, 2), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_FALSE(test, test_client_scanout_is(u, 0, 2, W, H));
	u->mock->config.host_memory = 0;
	KUNIT_EXPECT_EQ(test, draw(u, 3), 0);
	KUNIT_EXPECT_TRUE(test, spare_is(u, 0, 3));
}

static struct kunit_case panic_tests[] = {
	KUNIT_CASE_PARAM(shows, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(finds_pixels, virtgpu_test_config_gen_params),
	KUNIT_CASE(fragments),
	KUNIT_CASE_PARAM(shared, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(byte_order, order_gen_params),
	KUNIT_CASE_PARAM(busy_host, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(spare, foreign_gen_params),
	KUNIT_CASE(spare_of_outputs),
	KUNIT_CASE(spare_after_suspend),
	KUNIT_CASE(spare_without_memory),
	{}
};

static struct kunit_suite panic_suite = {
	.name = "virtio_gpu_panic",
	.test_cases = panic_tests,
};

kunit_test_suite(panic_suite);
