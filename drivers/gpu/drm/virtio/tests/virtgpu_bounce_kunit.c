// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_test_client.h"
#include "virtgpu_test_render.h"

/*
 * Devices for which the DMA API uses bounce buffers, and devices with DMA
 * addresses without them.
 */

#define W 64
#define H 48
#define SIZE (W * H * 4)
#define PLATFORM BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
#define CMD(name) VIRTIO_GPU_CMD_##name

struct bounce_case {
	const char *name;
	u64 features;
	bool bounces;
};

static const struct bounce_case bounce_cases[] = {
	{ "blobs", VIRTGPU_MOCK_FEATURES | PLATFORM, true },
	{ "2D resources", VIRTGPU_MOCK_NO_BLOB | PLATFORM, true },
	{ "3D", VIRTGPU_MOCK_3D | PLATFORM, true },
	{ "blobs, no bounce buffers", VIRTGPU_MOCK_FEATURES | PLATFORM, false },
	{ "3D, no bounce buffers", VIRTGPU_MOCK_3D | PLATFORM, false },
	{ "guest-physical addresses", VIRTGPU_MOCK_FEATURES, false },
};

KUNIT_ARRAY_PARAM_DESC(bounce_case, bounce_cases, name);

static struct virtgpu_mock *start_mock(struct kunit *test, u64 features, bool bounces)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };

	if (features & BIT_ULL(VIRTIO_GPU_F_VIRGL))
		config = (struct virtgpu_mock_config){ VIRTGPU_MOCK_CONFIG_3D };
	config.features = features;
	config.bounces = bounces;

	return virtgpu_mock_start(test, &config);
}

/*
 * The DMA API allocates the pages of a device with bounce buffers, and only
 * them.  It takes no compound pages.
 */
static void bounce_pages(struct kunit *test)
{
	const struct bounce_case *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, c->features, c->bounces);
	struct virtgpu_test_client *u = test_client_open(test, m);
	u32 handle = test_client_dumb(u, W, H);
	struct drm_gem_object *obj = test_client_object(u, handle);
	struct virtgpu_backing *b = to_virtgpu_gem(obj)->pages;
	struct scatterlist *sg;
	unsigned int i;
	u64 sum = 0;

	KUNIT_EXPECT_EQ(test, to_virtgpu(u->drm)->backings.bounces, c->bounces);
	KUNIT_EXPECT_EQ(test, b->addr_type, c->features & PLATFORM ? VIRTGPU_ADDR_DMA :
								     VIRTGPU_ADDR_GPA);
	KUNIT_EXPECT_FALSE(test, b->needs_sync);
	for_each_sgtable_sg(b->sgt, sg, i) {
		if (sg->length > PAGE_SIZE)
			KUNIT_EXPECT_EQ(test, !PageCompound(sg_page(sg)), c->bounces);
		KUNIT_EXPECT_NULL(test, memchr_inv(sg_virt(sg), 0, sg->length));
	}
	if (c->features & PLATFORM)
		for_each_sgtable_dma_sg(b->sgt, sg, i)
			sum += sg_dma_len(sg);
	KUNIT_EXPECT_EQ(test, sum, c->features & PLATFORM ? b->size : 0);
	test_client_drop(u, handle);
}

/* The host shows what is drawn, in place or by copies. */
static void bounce_shows(struct kunit *test)
{
	const struct bounce_case *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, c->features, c->bounces);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	u32 pattern;

	for (pattern = 1; pattern < 4; pattern++) {
		test_client_fill_pattern(u, fb, pattern);
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, pattern, W, H));
	}
}

/* The DMA API would map a copy of an import, so imports are refused. */
static void bounce_import(struct kunit *test)
{
	const struct bounce_case *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, c->features, c->bounces);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct virtgpu_test_client *u = test_client_open(test, m);
	u32 handle;

	KUNIT_EXPECT_EQ(test, test_client_import(u, b->dma_buf, &handle), c->bounces ? -EXDEV : 0);
	if (c->bounces)
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(b->attachments)));
	else
		test_client_drop(u, handle);
}

/* The pages of a buffer stay when the device is removed, without DMA. */
static void bounce_unplug(struct kunit *test)
{
	const struct bounce_case *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, c->features, c->bounces);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_gem_object *obj = test_client_object(u, test_client_dumb(u, 512, 512));
	struct virtgpu_backing *b = to_virtgpu_gem(obj)->pages;
	struct iosys_map map;

	b->needs_sync = true;
	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &map), 0);
	virtgpu_mock_unplug(m);
	KUNIT_EXPECT_EQ(test, READ_ONCE(b->needs_sync), !(c->features & PLATFORM));
	b->needs_sync = false;
	iosys_map_memset(&map, 0, 0x5a, b->size);
	drm_gem_vunmap(obj, &map);
}

struct cmdbuf_size {
	const char *name;
	bool bounces;
	u32 size;
	int ret;
};

static const struct cmdbuf_size cmdbuf_sizes[] = {
	{ "1 MiB", true, SZ_1M, 0 },
	{ "above 1 MiB", true, SZ_1M + 4, -E2BIG },
	{ "16 MiB", true, SZ_16M, -E2BIG },
	{ "16 MiB, no bounce buffers", false, SZ_16M, 0 },
};

KUNIT_ARRAY_PARAM_DESC(cmdbuf_size, cmdbuf_sizes, name);

/* Adding a message to the ring copies its command buffer. */
static void bounce_cmdbuf(struct kunit *test)
{
	const struct cmdbuf_size *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, VIRTGPU_MOCK_3D | PLATFORM, c->bounces);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_execbuffer args = { .size = c->size };

	args.command = test_client_memory(test, NULL, c->size);
	m->expect_violations = true;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_EXECBUFFER, &args), c->ret);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(SUBMIT_3D)), !c->ret);
}

struct sync_case {
	const char *name;
	u64 features;
	bool bounces;
	bool needs_sync;
};

static const struct sync_case sync_cases[] = {
	{ "guest-physical addresses", VIRTGPU_MOCK_3D, false, false },
	{ "DMA addresses", VIRTGPU_MOCK_3D | PLATFORM, false, false },
	{ "bounce buffers", VIRTGPU_MOCK_3D | PLATFORM, true, false },
	{ "not coherent", VIRTGPU_MOCK_3D | PLATFORM, false, true },
};

KUNIT_ARRAY_PARAM_DESC(sync_case, sync_cases, name);

struct late_fence {
	struct delayed_work work;
	struct dma_fence *fence;
};

static void signal_late_fence(struct work_struct *work)
{
	dma_fence_signal(container_of(work, struct late_fence, work.work)->fence);
}

static unsigned int syncs;

static void count_sync(struct virtgpu_backing *b)
{
	syncs++;
}

/* Only a buffer that the DMA API synchronises must be idle for a transfer. */
static void transfer_of_busy_buffer(struct kunit *test)
{
	const struct sync_case *c = test->param_value;
	struct virtgpu_mock *m = start_mock(test, c->features, c->bounces);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_3d_transfer_to_host args = { .box = { .w = 4, .h = 1, .d = 1 } };
	struct late_fence late = { };
	struct virtgpu_gem *gem;
	u32 resource;

	args.bo_handle = virtgpu_render_buffer(u, SIZE, &resource);
	gem = to_virtgpu_gem(test_client_object(u, args.bo_handle));
	gem->pages->needs_sync = c->needs_sync;
	virtgpu_mock_wait_idle(m);
	late.fence = test_client_add_write_fence(u, gem->base.resv);
	INIT_DELAYED_WORK_ONSTACK(&late.work, signal_late_fence);
	schedule_delayed_work(&late.work, HZ / 2);

	syncs = 0;
	kunit_activate_static_stub(test, virtgpu_pages_sync_for_device, count_sync);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &args), 0);
	kunit_deactivate_static_stub(test, virtgpu_pages_sync_for_device);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(late.fence), c->needs_sync);
	KUNIT_EXPECT_EQ(test, syncs, c->needs_sync);

	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);
	dma_fence_put(late.fence);
	gem->pages->needs_sync = false;
}

static struct kunit_case bounce_tests[] = {
	KUNIT_CASE_PARAM(bounce_pages, bounce_case_gen_params),
	KUNIT_CASE_PARAM(bounce_shows, bounce_case_gen_params),
	KUNIT_CASE_PARAM(bounce_import, bounce_case_gen_params),
	KUNIT_CASE_PARAM(bounce_unplug, bounce_case_gen_params),
	KUNIT_CASE_PARAM(bounce_cmdbuf, cmdbuf_size_gen_params),
	KUNIT_CASE_PARAM(transfer_of_busy_buffer, sync_case_gen_params),
	{}
};

static struct kunit_suite bounce_suite = {
	.name = "virtio_gpu_bounce",
	.test_cases = bounce_tests,
};

kunit_test_suite(bounce_suite);
