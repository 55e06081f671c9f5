// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/virtio.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/* Client usage stats in /proc/PID/fdinfo. */

#define W 64
#define H 48
#define SIZE ((u64)W * H * 4)

static const char * const regions[] = { "memory", "imported", "host" };

static const char *read_fdinfo(struct virtgpu_test_client *u)
{
	struct seq_file m = { .size = PAGE_SIZE };

	m.buf = kunit_kzalloc(u->test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(u->test, m.buf);
	KUNIT_ASSERT_NOT_NULL(u->test, u->filp->f_op->show_fdinfo);
	u->filp->f_op->show_fdinfo(&m, u->filp);
	KUNIT_ASSERT_LT(u->test, m.count, m.size);

	return m.buf;
}

/* Find the value of a key, or NULL. */
static const char *find_key(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text && *text; text = strchr(text, '\n')) {
		if (*text == '\n')
			text++;
		if (!strncmp(text, key, len) && text[len] == ':')
			return skip_spaces(text + len + 1);
	}

	return NULL;
}

/* Read a value in bytes. */
static u64 read_stat(struct virtgpu_test_client *u, const char *stat, const char *region)
{
	char key[32], unit[4] = "";
	const char *value;
	u64 n = 0;
	int found;

	snprintf(key, sizeof(key), "drm-%s-%s", stat, region);
	value = find_key(read_fdinfo(u), key);
	KUNIT_ASSERT_NOT_NULL_MSG(u->test, value, "%s", key);
	found = sscanf(value, "%llu %3s", &n, unit);
	KUNIT_ASSERT_GE_MSG(u->test, found, 1, "%s", key);
	if (!strcmp(unit, "KiB"))
		n *= SZ_1K;
	else if (!strcmp(unit, "MiB"))
		n *= SZ_1M;

	return n;
}

/**
 * struct usage - Expected values of one region, in bytes
 * @total: all buffers
 * @shared: buffers that are shared
 * @resident: buffers that have memory
 * @active: buffers with unsignalled fences
 */
struct usage {
	u64 total, shared, resident, active;
};

#define USAGE(...) ((struct usage){ __VA_ARGS__ })

static void expect_usage(struct virtgpu_test_client *u, const char *region, struct usage expected)
{
	KUNIT_EXPECT_EQ_MSG(u->test, read_stat(u, "total", region), expected.total, "%s", region);
	KUNIT_EXPECT_EQ_MSG(u->test, read_stat(u, "shared", region), expected.shared,
			    "%s", region);
	KUNIT_EXPECT_EQ_MSG(u->test, read_stat(u, "resident", region), expected.resident,
			    "%s", region);
	KUNIT_EXPECT_EQ_MSG(u->test, read_stat(u, "active", region), expected.active,
			    "%s", region);
}

/* Expect no memory in other regions. */
static void expect_only(struct virtgpu_test_client *u, const char *region, struct usage expected)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regions); i++)
		expect_usage(u, regions[i],
			     strcmp(regions[i], region) ? USAGE(0, 0, 0, 0) : expected);
}

static void fdinfo_keys(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	const char *text = read_fdinfo(u), *value;

	value = find_key(text, "drm-driver");
	KUNIT_ASSERT_NOT_NULL(test, value);
	KUNIT_EXPECT_EQ(test, strncmp(value, "virtio_gpu\n", 11), 0);
	KUNIT_EXPECT_NOT_NULL(test, find_key(text, "drm-client-id"));
	/*
	 * The mock is not a PCI device, and the host does not report engine
	 * time.
	 */
	KUNIT_EXPECT_NULL(test, find_key(text, "drm-pdev"));
	KUNIT_EXPECT_NULL(test, strstr(text, "drm-engine"));
	expect_only(u, "memory", USAGE(0, 0, 0, 0));
}

static void fdinfo_dumb(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	u32 small = test_client_dumb(u, W, H), large = test_client_dumb(u, 640, 480);
	u64 size = test_client_object(u, large)->size;
	struct drm_framebuffer *fb;

	expect_only(u, "memory", USAGE(SIZE + size, 0, SIZE + size, 0));
	expect_only(other, "memory", USAGE(0, 0, 0, 0));

	/* Scanout adds no memory, but a framebuffer holds a handle. */
	fb = test_client_fb(u, small, W, H, W * 4, 0);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	expect_only(u, "memory", USAGE(SIZE + size, SIZE, SIZE + size, 0));
	test_client_rmfb(u, fb);
	expect_only(u, "memory", USAGE(SIZE + size, 0, SIZE + size, 0));

	test_client_drop(u, large);
	expect_only(u, "memory", USAGE(SIZE, 0, SIZE, 0));
	test_client_drop(u, small);
	expect_only(u, "memory", USAGE(0, 0, 0, 0));
}

/* A buffer with handles in two files is shared in both. */
static void fdinfo_shared(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	u32 handle = test_client_dumb(u, W, H), theirs;

	KUNIT_ASSERT_EQ(test, drm_gem_handle_create(other->file, test_client_object(u, handle),
						    &theirs), 0);
	expect_only(u, "memory", USAGE(SIZE, SIZE, SIZE, 0));
	expect_only(other, "memory", USAGE(SIZE, SIZE, SIZE, 0));
	test_client_drop(other, theirs);
	expect_only(u, "memory", USAGE(SIZE, 0, SIZE, 0));
	expect_only(other, "memory", USAGE(0, 0, 0, 0));
}

static void fdinfo_active(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	u32 handle = test_client_dumb(u, W, H);
	struct dma_fence *fence;

	test_client_dumb(u, W, H);
	fence = test_client_add_write_fence(u, test_client_object(u, handle)->resv);
	expect_only(u, "memory", USAGE(2 * SIZE, 0, 2 * SIZE, SIZE));
	dma_fence_signal(fence);
	dma_fence_put(fence);
	expect_only(u, "memory", USAGE(2 * SIZE, 0, 2 * SIZE, 0));
}

/* An import is resident while it is mapped for the device. */
static void fdinfo_import(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, u->mock,
								   VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct drm_framebuffer *fb;
	struct dma_fence *fence;
	u32 handle;

	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &handle), 0);
	fb = test_client_fb(u, handle, W, H, W * 4, 0);
	fence = test_client_add_write_fence(u, b->dma_buf->resv);
	expect_only(u, "imported", USAGE(SIZE, SIZE, 0, 0));
	dma_fence_signal(fence);
	dma_fence_put(fence);

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	expect_only(u, "imported", USAGE(SIZE, SIZE, SIZE, 0));

	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(b->pins)));
	KUNIT_ASSERT_EQ(test, virtgpu_mock_buffer_move(b), 0);
	expect_usage(u, "imported", USAGE(SIZE, SIZE, 0, 0));

	test_client_rmfb(u, fb);
	test_client_drop(u, handle);
	expect_only(u, "memory", USAGE(0, 0, 0, 0));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(b->attachments)));
}

/* Host blobs, and 3D resources, which have guest pages. */
static void fdinfo_host(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_VENUS, 0, 0);
	u64 size = 4 * PAGE_SIZE, pages;
	u32 blob, res_3d, resource;

	KUNIT_ASSERT_EQ(test, virtgpu_render_blob(u, size, &blob, &resource), 0);
	virtgpu_mock_wait_idle(u->mock);
	expect_only(u, "host", USAGE(size, 0, size, 0));

	res_3d = virtgpu_render_buffer(u, PAGE_SIZE, &resource);
	pages = test_client_object(u, res_3d)->size;
	virtgpu_mock_wait_idle(u->mock);
	expect_usage(u, "host", USAGE(size, 0, size, 0));
	expect_usage(u, "memory", USAGE(pages, 0, pages, 0));

	/* A reset frees the host memory, but not the guest pages. */
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	expect_usage(u, "host", USAGE(size, 0, 0, 0));
	expect_usage(u, "memory", USAGE(pages, 0, pages, 0));
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);

	test_client_drop(u, blob);
	test_client_drop(u, res_3d);
	expect_only(u, "memory", USAGE(0, 0, 0, 0));
}

static void fdinfo_unplug(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);

	test_client_dumb(u, W, H);
	virtgpu_mock_unplug(u->mock);
	KUNIT_EXPECT_STREQ(test, read_fdinfo(u), "");
}

static struct kunit_case fdinfo_tests[] = {
	KUNIT_CASE(fdinfo_keys),
	KUNIT_CASE_PARAM(fdinfo_dumb, virtgpu_test_config_gen_params),
	KUNIT_CASE(fdinfo_shared),
	KUNIT_CASE(fdinfo_active),
	KUNIT_CASE_PARAM(fdinfo_import, virtgpu_test_config_gen_params),
	KUNIT_CASE(fdinfo_host),
	KUNIT_CASE(fdinfo_unplug),
	{}
};

static struct kunit_suite fdinfo_suite = {
	.name = "virtio_gpu_fdinfo",
	.test_cases = fdinfo_tests,
};

kunit_test_suite(fdinfo_suite);
