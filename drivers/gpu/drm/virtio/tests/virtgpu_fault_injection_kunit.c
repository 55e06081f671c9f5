// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_test_fault.h"
#include "virtgpu_test_client.h"

/*
 * Allocation failures.  Each operation is repeated with its first, second,
 * third... allocation failing, until it needs no further allocation.  It must
 * succeed nevertheless or return -ENOMEM, and must not leak.
 */

/* Upper bound of the allocations of an operation. */
#define MAX_ALLOCATIONS 5000

/* Objects that the operations use, created without failures. */
struct fault_fixture {
	struct kunit *test;
	struct virtgpu_mock *m;
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	u32 handle;
	u32 imported;
	struct drm_framebuffer *shown;
	struct drm_framebuffer *fb;
	struct drm_framebuffer *import_fb;
	struct drm_framebuffer *cursor;
	struct dma_buf *dma_buf;
};

/*
 * Operations of user space, and how to undo them, which must not fail.
 */

struct operation {
	const char *name;
	u64 features;
	void (*prepare)(struct fault_fixture *b);
	int (*act)(struct fault_fixture *b);
	void (*undo)(struct fault_fixture *b, int ret);
};

static void drop_handle(struct fault_fixture *b, int ret)
{
	if (b->handle)
		test_client_drop(b->u, b->handle);
	b->handle = 0;
}

static int act_dumb(struct fault_fixture *b)
{
	struct drm_mode_create_dumb args = { .width = 641, .height = 480, .bpp = 32 };
	int ret = b->u->drm->driver->dumb_create(b->u->file, b->u->drm, &args);

	b->handle = ret ? 0 : args.handle;

	return ret;
}

static int act_blob(struct fault_fixture *b)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 1 << 20,
	};
	int ret = test_client_ioctl(b->u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args);

	b->handle = ret ? 0 : args.bo_handle;

	return ret;
}

static int act_create_2d(struct fault_fixture *b)
{
	struct drm_virtgpu_resource_create args = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 512, .height = 512, .size = 512 * 512 * 4,
	};
	int ret = test_client_ioctl(b->u, DRM_VIRTGPU_RESOURCE_CREATE, &args);

	b->handle = ret ? 0 : args.bo_handle;

	return ret;
}

static void prepare_2d(struct fault_fixture *b)
{
	KUNIT_ASSERT_EQ(b->test, act_create_2d(b), 0);
}

static int act_transfer(struct fault_fixture *b)
{
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = b->handle, .box = { .w = 16, .h = 16, .d = 1 },
	};

	return test_client_ioctl(b->u, DRM_VIRTGPU_TRANSFER_TO_HOST, &args);
}

static void prepare_buffer(struct fault_fixture *b)
{
	b->handle = test_client_dumb(b->u, 64, 48);
}

static int act_export(struct fault_fixture *b)
{
	b->dma_buf = drm_gem_prime_handle_to_dmabuf(b->u->drm, b->u->file, b->handle, 0);

	return PTR_ERR_OR_ZERO(b->dma_buf);
}

static void put_export(struct fault_fixture *b)
{
	dma_buf_put(b->dma_buf);
	flush_delayed_fput();
}

static void undo_export(struct fault_fixture *b, int ret)
{
	if (!ret)
		put_export(b);
	drop_handle(b, ret);
}

static int act_uuid(struct fault_fixture *b)
{
	uuid_t uuid;
	int ret = act_export(b);

	if (!ret) {
		ret = virtio_dma_buf_get_uuid(b->dma_buf, &uuid);
		put_export(b);
	}

	return ret;
}

static int act_vmap(struct fault_fixture *b)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(b->u->file, b->handle);
	struct iosys_map map;
	int ret = drm_gem_vmap(obj, &map);

	if (!ret)
		drm_gem_vunmap(obj, &map);
	drm_gem_object_put(obj);

	return ret;
}

/* Called when another device maps an exported buffer. */
static int act_list_pages(struct fault_fixture *b)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(b->u->file, b->handle);
	struct sg_table *sgt = obj->funcs->get_sg_table(obj);

	drm_gem_object_put(obj);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	sg_free_table(sgt);
	kfree(sgt);

	return 0;
}

static int act_import(struct fault_fixture *b)
{
	int ret = test_client_import(b->u, b->b->dma_buf, &b->handle);

	if (ret)
		b->handle = 0;

	return ret;
}

/* Framebuffers without a resource, but for the one that is shown. */
static void prepare_fbs(struct fault_fixture *b)
{
	b->shown = test_client_new_fb(b->u, 64, 48);
	b->fb = test_client_new_fb(b->u, 64, 48);
	KUNIT_ASSERT_EQ(b->test, test_client_import(b->u, b->b->dma_buf, &b->imported), 0);
	b->import_fb = test_client_fb(b->u, b->imported, 64, 48, 64 * 4, 0);
	b->cursor = test_client_new_cursor(b->u, VIRTGPU_MOCK_CURSOR, VIRTGPU_MOCK_CURSOR);
	KUNIT_ASSERT_EQ(b->test, test_client_show(b->u, 0, b->shown), 0);
}

static void undo_fbs(struct fault_fixture *b, int ret)
{
	test_client_rmfb(b->u, b->shown);
	test_client_rmfb(b->u, b->fb);
	test_client_rmfb(b->u, b->import_fb);
	test_client_rmfb(b->u, b->cursor);
	test_client_drop(b->u, b->imported);
}

static int act_show(struct fault_fixture *b)
{
	return test_client_show(b->u, 0, b->fb);
}

static int act_show_import(struct fault_fixture *b)
{
	return test_client_show(b->u, 0, b->import_fb);
}

static int act_show_both(struct fault_fixture *b)
{
	struct virtgpu_show shows[] = {
		{ .output = 0, .fb = b->fb }, { .output = 1, .fb = b->import_fb },
	};

	return test_client_commit(b->u, shows, ARRAY_SIZE(shows), VIRTGPU_WAIT);
}

static int act_flip(struct fault_fixture *b)
{
	return test_client_flip(b->u, 0, b->fb);
}

static void undo_flip(struct fault_fixture *b, int ret)
{
	undo_fbs(b, ret);
	/* Read the events: the space for events is bounded. */
	test_client_flips(b->u, 0);
}

static int act_hide(struct fault_fixture *b)
{
	return test_client_show(b->u, 0, NULL);
}

static int act_cursor(struct fault_fixture *b)
{
	return test_client_cursor(b->u, 0, b->cursor, 5, 6);
}

static void prepare_cursor(struct fault_fixture *b)
{
	prepare_fbs(b);
	KUNIT_ASSERT_EQ(b->test, act_cursor(b), 0);
}

static int act_move_cursor(struct fault_fixture *b)
{
	return test_client_cursor(b->u, 0, b->cursor, 7, 8);
}

/* The import has a resource and is not shown. */
static void prepare_invalidate(struct fault_fixture *b)
{
	prepare_fbs(b);
	KUNIT_ASSERT_EQ(b->test, act_show_import(b), 0);
	KUNIT_ASSERT_EQ(b->test, act_show(b), 0);
	KUNIT_ASSERT_TRUE(b->test, virtgpu_mock_wait(!READ_ONCE(b->b->pins)));
}

/* Invalidation cannot fail: it waits where no fence can be allocated. */
static int act_invalidate(struct fault_fixture *b)
{
	return virtgpu_mock_buffer_move(b->b);
}

static void undo_invalidate(struct fault_fixture *b, int ret)
{
	KUNIT_EXPECT_EQ(b->test, ret, 0);
	KUNIT_EXPECT_EQ(b->test, virtgpu_mock_buffer_reuse(b->b), 0);
	undo_fbs(b, ret);
}

static const struct operation operations[] = {
	{ "dumb buffer", VIRTGPU_MOCK_FEATURES, NULL, act_dumb, drop_handle },
	{ "blob", VIRTGPU_MOCK_FEATURES, NULL, act_blob, drop_handle },
	{ "2D resource", VIRTGPU_MOCK_FEATURES, NULL, act_create_2d, drop_handle },
	{ "transfer", VIRTGPU_MOCK_FEATURES, prepare_2d, act_transfer, drop_handle },
	{ "vmap", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_vmap, drop_handle },
	{ "list pages", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_list_pages, drop_handle },
	{ "export", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_export, undo_export },
	{ "UUID", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_uuid, drop_handle },
	{ "import", VIRTGPU_MOCK_FEATURES, NULL, act_import, drop_handle },
	{ "show", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_show, undo_fbs },
	{ "show, no blobs", VIRTGPU_MOCK_NO_BLOB, prepare_fbs, act_show, undo_fbs },
	{ "show import", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_show_import, undo_fbs },
	{ "show import, no blobs", VIRTGPU_MOCK_NO_BLOB, prepare_fbs, act_show_import, undo_fbs },
	{ "show on two outputs", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_show_both, undo_fbs },
	{ "flip", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_flip, undo_flip },
	{ "flip, no blobs", VIRTGPU_MOCK_NO_BLOB, prepare_fbs, act_flip, undo_flip },
	{ "turn off", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_hide, undo_fbs },
	{ "cursor", VIRTGPU_MOCK_FEATURES, prepare_fbs, act_cursor, undo_fbs },
	{ "move cursor", VIRTGPU_MOCK_FEATURES, prepare_cursor, act_move_cursor, undo_fbs },
	{ "invalidate import", VIRTGPU_MOCK_FEATURES, prepare_invalidate, act_invalidate,
	  undo_invalidate },
	{ "invalidate import, no blobs", VIRTGPU_MOCK_NO_BLOB, prepare_invalidate, act_invalidate,
	  undo_invalidate },
};

KUNIT_ARRAY_PARAM_DESC(operation, operations, name);

static void fault_injection_operation(struct kunit *test)
{
	const struct operation *op = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct fault_fixture b = { .test = test };
	unsigned int nth, num_errors = 0;
	struct virtgpu_vq *ctrl;
	bool failed = true;
	int ret;

	config.features = op->features;
	config.scanouts = 2;
	b.m = virtgpu_mock_start(test, &config);
	b.b = virtgpu_mock_buffer_create(test, b.m, VIRTGPU_MOCK_DYNAMIC, 64 * 48 * 4);
	b.u = test_client_open(test, b.m);
	ctrl = &virtgpu_mock_vgdev(b.m)->ctrl;

	for (nth = 1; failed && nth < MAX_ALLOCATIONS; nth++) {
		if (op->prepare)
			op->prepare(&b);
		virtgpu_fault_next(nth);
		ret = op->act(&b);
		failed = virtgpu_fault_happened();
		/* DRM returns -EINVAL if it cannot allocate a mode blob. */
		if (ret && ret != -EINVAL)
			KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		KUNIT_EXPECT_TRUE(test, failed || !ret);
		num_errors += ret == -ENOMEM;
		op->undo(&b, ret);

		/* No resource, message or attachment is left. */
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(!virtgpu_mock_resources(b.m)),
				      "allocation %u", nth);
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(!READ_ONCE(ctrl->num_pending)),
				      "allocation %u", nth);
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(!READ_ONCE(b.b->attachments)),
				      "allocation %u", nth);
	}
	KUNIT_EXPECT_LT(test, nth, MAX_ALLOCATIONS);
	/* The operation must allocate something. */
	KUNIT_EXPECT_GT(test, nth, 2);
	/* A dumb buffer is tried again, and each CPU has spare IDR nodes. */
	if (op->act != act_invalidate && op->act != act_dumb)
		KUNIT_EXPECT_GT(test, num_errors, 0);
	kunit_info(test, "%u allocations, %u errors\n", nth - 2, num_errors);
}

/*
 * Probe and suspend
 */

struct probe {
	struct virtgpu_mock *m;
	unsigned int nth;
};

static void start_failing(void *data)
{
	struct probe *p = data;

	p->m->on_find = NULL;
	virtgpu_fault_next(p->nth);
}

/*
 * Allocations fail from virtio_find_vqs() on, because DRM in Linux 7.3 does not
 * survive all failures in the initialisation of KMS objects.
 */
static void fault_injection_probe(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	unsigned int unbound = 0, num_queries;
	bool failed = true, bound;
	struct probe p = { };

	p.m = virtgpu_mock_start(test, &config);
	p.m->on_find_data = &p;
	for (p.nth = 1; failed && p.nth < MAX_ALLOCATIONS; p.nth++) {
		device_release_driver(&p.m->vdev.dev);
		num_queries = virtgpu_mock_count(p.m, CMD(GET_DISPLAY_INFO));
		p.m->on_find = start_failing;
		bound = device_attach(&p.m->vdev.dev) > 0;
		failed = virtgpu_fault_happened();
		/* The failed allocation was one of drm_dev_register(). */
		if (!bound && virtgpu_mock_count(p.m, CMD(GET_DISPLAY_INFO)) > num_queries)
			break;
		unbound += !bound;
	}
	KUNIT_EXPECT_LT(test, p.nth, MAX_ALLOCATIONS);
	KUNIT_EXPECT_GT(test, unbound, 5);
	kunit_info(test, "%u allocations, %u times without the device\n", p.nth - 1, unbound);

	device_release_driver(&p.m->vdev.dev);
	KUNIT_EXPECT_EQ(test, device_attach(&p.m->vdev.dev), 1);
}

/* A device that cannot be suspended goes on. */
static void suspend(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 2);
	struct drm_framebuffer *fb = test_client_new_fb(u, 64, 48);
	unsigned int nth, num_errors = 0;
	bool failed = true;
	int ret;

	virtgpu_mock_require_suspend(test);
	for (nth = 1; failed && nth < MAX_ALLOCATIONS; nth++) {
		test_client_fill_pattern(u, fb, nth & 0xff);
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		virtgpu_fault_next(nth);
		ret = virtgpu_mock_suspend(u->mock);
		failed = virtgpu_fault_happened();
		if (ret)
			KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		else
			KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
		num_errors += !!ret;
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, nth & 0xff, 64, 48));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
	}
	KUNIT_EXPECT_LT(test, nth, MAX_ALLOCATIONS);
	KUNIT_EXPECT_GT(test, num_errors, 0);
	kunit_info(test, "%u allocations, %u errors\n", nth - 2, num_errors);
}

/*
 * A buffer that does not fit into memory is created when the host has confirmed
 * the destruction of another one.
 */
static void waits_for_unref(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct fault_fixture b = { .test = test };
	int ret;

	b.m = virtgpu_mock_start(test, &config);
	b.u = test_client_open(test, b.m);
	KUNIT_ASSERT_EQ(test, act_blob(&b), 0);
	virtgpu_mock_wait_idle(b.m);
	virtgpu_mock_freeze(b.m);
	drop_handle(&b, 0);

	virtgpu_mock_thaw_later(b.m);
	virtgpu_fault_next(1);
	ret = act_blob(&b);
	KUNIT_EXPECT_TRUE(test, virtgpu_fault_happened());
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(b.m, CMD(RESOURCE_UNREF)), 1);

	/* The wait is bounded. */
	virtgpu_mock_freeze(b.m);
	drop_handle(&b, 0);
	virtgpu_fault_next(1);
	KUNIT_EXPECT_EQ(test, act_blob(&b), 0);
	virtgpu_mock_thaw(b.m);
}

static struct kunit_case fault_injection_tests[] = {
	KUNIT_CASE_PARAM_ATTR(fault_injection_operation, operation_gen_params, { .speed =
			      KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(fault_injection_probe),
	KUNIT_CASE_SLOW(suspend),
	KUNIT_CASE(waits_for_unref),
	{}
};

static struct kunit_suite fault_injection_suite = {
	.name = "virtio_gpu_fault_injection",
	.init = virtgpu_fault_init,
	.test_cases = fault_injection_tests,
};

kunit_test_suite(fault_injection_suite);
