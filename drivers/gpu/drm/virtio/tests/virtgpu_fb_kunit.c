// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/spinlock.h>
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_mode.h>
#include <drm/drm_rect.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_fb.h"
#include "virtgpu_resource.h"

/*
 * Formats
 */

struct format_case {
	u32 fourcc;
	u32 host;
	bool big_endian;
};

/* Virtio specification, 5.7.6.8: names of formats are in memory order. */
static const struct format_case format_cases[] = {
	{ DRM_FORMAT_ARGB8888, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM },
	{ DRM_FORMAT_XRGB8888, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM },
	{ DRM_FORMAT_ABGR8888, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM },
	{ DRM_FORMAT_XBGR8888, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM },
	/* Offered by big-endian machines only. */
	{ DRM_FORMAT_BGRA8888, VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, true },
	{ DRM_FORMAT_BGRX8888, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, true },
	/* Supported by devices, but not offered. */
	{ DRM_FORMAT_RGBA8888, 0 },
	{ DRM_FORMAT_RGBX8888, 0 },
	/* Not supported by any device. */
	{ DRM_FORMAT_RGB888, 0 },
	{ DRM_FORMAT_RGB565, 0 },
	{ DRM_FORMAT_XRGB2101010, 0 },
	{ DRM_FORMAT_NV12, 0 },
	{ DRM_FORMAT_XRGB8888 | DRM_FORMAT_BIG_ENDIAN, 0 },
	{ 0, 0 },
};

static void format_desc(const struct format_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%08x", c->fourcc);
}

KUNIT_ARRAY_PARAM(format, format_cases, format_desc);

static void host_format(struct kunit *test)
{
	const struct format_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, virtgpu_fb_host_format(c->fourcc), c->host);
}

static bool offered(const u32 *formats, unsigned int count, u32 fourcc)
{
	unsigned int i, n = 0;

	for (i = 0; i < count; i++)
		n += formats[i] == fourcc;

	return n == 1;
}

/*
 * Planes offer each supported format once. The cursor ioctls name ARGB8888 for
 * images that programs draw in host byte order.
 */
static void offered_formats(struct kunit *test)
{
	const struct format_case *c = test->param_value;
	bool primary = c->host && (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) || !c->big_endian);

	KUNIT_EXPECT_EQ(test, offered(virtgpu_primary_formats, ARRAY_SIZE(virtgpu_primary_formats),
				      c->fourcc), primary);
	KUNIT_EXPECT_EQ(test, offered(virtgpu_cursor_formats, ARRAY_SIZE(virtgpu_cursor_formats),
				      c->fourcc), c->fourcc == DRM_FORMAT_HOST_ARGB8888);
}

static void format_lists(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(virtgpu_primary_formats),
			IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) ? 6 : 4);
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(virtgpu_cursor_formats), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_modifiers[0], DRM_FORMAT_MOD_LINEAR);
	KUNIT_EXPECT_EQ(test, virtgpu_modifiers[1], DRM_FORMAT_MOD_INVALID);
}

/*
 * Offsets and layouts
 */

struct offset_case {
	const char *name;
	u32 base;
	u32 pitch;
	int x, y;
	u64 offset;
};

static const struct offset_case offset_cases[] = {
	{ "origin", 0, 4096, 0, 0, 0 },
	{ "base alone", 0x1000, 4096, 0, 0, 0x1000 },
	{ "one pixel to the right", 0, 4096, 1, 0, 4 },
	{ "one line down", 0, 4096, 0, 1, 4096 },
	{ "pitch that is no power of two", 0, 5464, 3, 7, 7 * 5464 + 12 },
	{ "all of it", 100, 7680, 10, 20, 100 + 20 * 7680 + 40 },
	{ "last pixel of the largest", 0, 65536, 16383, 16383, 0x3ffffffcull },
	{ "beyond 4 GiB", 0xfffffffc, 0x40000, 0, 16383, 0x1fffbfffcull },
	{ "all of it beyond 4 GiB", 0xfffffffc, 0xfffffffc, 1, 2, 0x2fffffff8ull },
};

KUNIT_ARRAY_PARAM_DESC(offset, offset_cases, name);

static void fb_offset(struct kunit *test)
{
	const struct offset_case *c = test->param_value;
	struct drm_rect r = DRM_RECT_INIT(c->x, c->y, 5, 6);

	KUNIT_EXPECT_EQ(test, virtgpu_fb_offset(c->base, c->pitch, &r), c->offset);
}

/* The width of a 2D resource is the pitch of the framebuffer. */
struct layout_case {
	const char *name;
	u32 fourcc;
	u32 width, height, pitch, offset;
	struct virtgpu_2d_layout layout;
};

static const struct layout_case layout_cases[] = {
	{ "plain", DRM_FORMAT_XRGB8888, 1024, 768, 4096, 0,
	  { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1024, 768, 0 } },
	{ "padded lines", DRM_FORMAT_XRGB8888, 1366, 768, 5504, 0,
	  { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1376, 768, 0 } },
	{ "inside a larger buffer", DRM_FORMAT_ARGB8888, 640, 480, 8192, 8000,
	  { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2048, 480, 8000 } },
	{ "cursor", DRM_FORMAT_ARGB8888, 64, 64, 256, 0,
	  { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64, 0 } },
	{ "ABGR", DRM_FORMAT_ABGR8888, 16, 16, 64, 4,
	  { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 16, 16, 4 } },
	{ "XBGR", DRM_FORMAT_XBGR8888, 16384, 16384, 65536, 0,
	  { VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 16384, 16384, 0 } },
};

KUNIT_ARRAY_PARAM_DESC(layout, layout_cases, name);

static void layout_2d(struct kunit *test)
{
	const struct layout_case *c = test->param_value;
	struct drm_framebuffer *fb = kunit_kzalloc(test, sizeof(*fb), GFP_KERNEL);
	struct virtgpu_2d_layout layout;

	KUNIT_ASSERT_NOT_NULL(test, fb);
	fb->format = drm_format_info(c->fourcc);
	KUNIT_ASSERT_NOT_NULL(test, fb->format);
	fb->width = c->width;
	fb->height = c->height;
	fb->pitches[0] = c->pitch;
	fb->offsets[0] = c->offset;

	memset(&layout, 0xff, sizeof(layout));
	virtgpu_fb_get_layout(fb, &layout);
	KUNIT_EXPECT_EQ(test, layout.format, c->layout.format);
	KUNIT_EXPECT_EQ(test, layout.width, c->layout.width);
	KUNIT_EXPECT_EQ(test, layout.height, c->layout.height);
	KUNIT_EXPECT_EQ(test, layout.offset, c->layout.offset);
}

/*
 * ADDFB2.  The handle does not exist, so valid layouts fail with -ENOENT, and
 * invalid ones with -EINVAL.
 */

struct create_case {
	const char *name;
	u32 fourcc;
	u32 width, height, pitch, offset;
	int error;
};

static const struct create_case create_cases[] = {
	{ "plain", DRM_FORMAT_XRGB8888, 1024, 768, 4096, 0, -ENOENT },
	{ "padded lines", DRM_FORMAT_XRGB8888, 1366, 768, 5504, 0, -ENOENT },
	{ "offset", DRM_FORMAT_ABGR8888, 64, 64, 256, 4, -ENOENT },
	{ "largest", DRM_FORMAT_XRGB8888, 16384, 16384, 65536, 0, -ENOENT },
	{ "one pixel", DRM_FORMAT_ARGB8888, 1, 1, 4, 0, -ENOENT },
	{ "no such format", DRM_FORMAT_RGB565, 64, 64, 256, 0, -EINVAL },
	{ "pitch of half a pixel more", DRM_FORMAT_XRGB8888, 64, 64, 258, 0, -EINVAL },
	{ "pitch of a byte more", DRM_FORMAT_XRGB8888, 64, 64, 257, 0, -EINVAL },
	{ "offset of a byte", DRM_FORMAT_XRGB8888, 64, 64, 256, 1, -EINVAL },
	{ "offset of half a pixel", DRM_FORMAT_XRGB8888, 64, 64, 256, 2, -EINVAL },
	{ "ends at 4 GiB less a pixel", DRM_FORMAT_XRGB8888, 1, 1, 4, 0xfffffff8, -ENOENT },
	{ "ends at 4 GiB", DRM_FORMAT_XRGB8888, 1, 1, 4, 0xfffffffc, -EINVAL },
	{ "lines beyond 4 GiB", DRM_FORMAT_XRGB8888, 1, 3, 0x80000000, 0, -EINVAL },
	{ "sums up to 0 in 32 bits", DRM_FORMAT_XRGB8888, 16, 2, 0xffffffc0, 0, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(create, create_cases, name);

static const struct drm_driver no_driver = { .driver_features = DRIVER_GEM };

static void fb_create(struct kunit *test)
{
	const struct create_case *c = test->param_value;
	struct drm_mode_fb_cmd2 cmd = {
		.pixel_format = c->fourcc,
		.width = c->width,
		.height = c->height,
		.pitches = { c->pitch },
		.offsets = { c->offset },
		.handles = { 1 },
	};
	struct drm_device *drm = kunit_kzalloc(test, sizeof(*drm), GFP_KERNEL);
	struct drm_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct drm_framebuffer *fb;

	KUNIT_ASSERT_NOT_NULL(test, drm);
	KUNIT_ASSERT_NOT_NULL(test, file);
	drm->driver = &no_driver;
	drm->driver_features = ~0u;
	drm->dev = kunit_device_register(test, "virtio-gpu-fb-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, drm->dev);
	/* Zeroed memory is a table without handles. */
	spin_lock_init(&file->table_lock);

	fb = virtgpu_fb_create(drm, file, drm_format_info(c->fourcc), &cmd);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(fb), c->error);
}

static struct kunit_case fb_tests[] = {
	KUNIT_CASE_PARAM(host_format, format_gen_params),
	KUNIT_CASE_PARAM(offered_formats, format_gen_params),
	KUNIT_CASE(format_lists),
	KUNIT_CASE_PARAM(fb_offset, offset_gen_params),
	KUNIT_CASE_PARAM(layout_2d, layout_gen_params),
	KUNIT_CASE_PARAM(fb_create, create_gen_params),
	{}
};

static struct kunit_suite fb_suite = {
	.name = "virtio_gpu_fb",
	.test_cases = fb_tests,
};

kunit_test_suite(fb_suite);
