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
 * No memory, at each step of everything.  An operation is repeated with its first,
 * second, third... allocation failing, until it needs no more of them.  It either
 * succeeds all the same or says -ENOMEM, and leaves nothing behind.
 */

/* More than any operation allocates. */
#define STEPS_MAX 5000

/* What the operations work on, made while there is memory. */
struct bench {
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
 * Operations.  Each is what a program does, and then what it does to undo it; that
 * cannot fail.
 */

struct operation {
	const char *name;
	u64 features;
	void (*prepare)(struct bench *b);
	int (*act)(struct bench *b);
	void (*undo)(struct bench *b, int ret);
};

static void drop_handle(struct bench *b, int ret)
{
	if (b->handle)
		test_client_drop(b->u, b->handle);
	b->handle = 0;
}

static int act_dumb(struct bench *b)
{
	struct drm_mode_create_dumb args = { .width = 641, .height = 480, .bpp = 32 };
	int ret = b->u->drm->driver->dumb_create(b->u->file, b->u->drm, &args);

	b->handle = ret ? 0 : args.handle;

	return ret;
}

static int act_blob(struct bench *b)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 1 << 20,
	};
	int ret = test_client_ioctl(b->u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args);

	b->handle = ret ? 0 : args.bo_handle;

	return ret;
}

static int act_surface(struct bench *b)
{
	struct drm_virtgpu_resource_create args = {
		.target = 2, .format = 2, .width = 512, .height = 512, .size = 1 << 20,
	};
	int ret = test_client_ioctl(b->u, DRM_VIRTGPU_RESOURCE_CREATE, &args);

	b->handle = ret ? 0 : args.bo_handle;

	return ret;
}

static void prepare_surface(struct bench *b)
{
	KUNIT_ASSERT_EQ(b->test, act_surface(b), 0);
}

static int act_transfer(struct bench *b)
{
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = b->handle, .box = { .w = 16, .h = 16, .d = 1 },
	};

	return test_client_ioctl(b->u, DRM_VIRTGPU_TRANSFER_TO_HOST, &args);
}

static void prepare_buffer(struct bench *b)
{
	b->handle = test_client_dumb(b->u, 64, 48);
}

static int act_export(struct bench *b)
{
	b->dma_buf = drm_gem_prime_handle_to_dmabuf(b->u->drm, b->u->file, b->handle, 0);

	return PTR_ERR_OR_ZERO(b->dma_buf);
}

static void put_export(struct bench *b)
{
	dma_buf_put(b->dma_buf);
	flush_delayed_fput();
}

static void undo_export(struct bench *b, int ret)
{
	if (!ret)
		put_export(b);
	drop_handle(b, ret);
}

static int act_name(struct bench *b)
{
	uuid_t uuid;
	int ret = act_export(b);

	if (!ret) {
		ret = virtio_dma_buf_get_uuid(b->dma_buf, &uuid);
		put_export(b);
	}

	return ret;
}

static int act_vmap(struct bench *b)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(b->u->file, b->handle);
	struct iosys_map map;
	int ret = drm_gem_vmap(obj, &map);

	if (!ret)
		drm_gem_vunmap(obj, &map);
	drm_gem_object_put(obj);

	return ret;
}

/* For another device. */
static int act_list_pages(struct bench *b)
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

static int act_import(struct bench *b)
{
	int ret = test_client_import(b->u, b->b->dma_buf, &b->handle);

	if (ret)
		b->handle = 0;

	return ret;
}

/* Framebuffers that the host has never heard of. */
static void prepare_fbs(struct bench *b)
{
	b->shown = test_client_new_fb(b->u, 64, 48);
	b->fb = test_client_new_fb(b->u, 64, 48);
	KUNIT_ASSERT_EQ(b->test, test_client_import(b->u, b->b->dma_buf, &b->imported), 0);
	b->import_fb = test_client_fb(b->u, b->imported, 64, 48, 64 * 4, 0);
	b->cursor = test_client_new_cursor(b->u, VIRTGPU_MOCK_CURSOR, VIRTGPU_MOCK_CURSOR);
	KUNIT_ASSERT_EQ(b->test, test_client_show(b->u, 0, b->shown), 0);
}

static void undo_fbs(struct bench *b, int ret)
{
	test_client_rmfb(b->u, b->shown);
	test_client_rmfb(b->u, b->fb);
	test_client_rmfb(b->u, b->import_fb);
	test_client_rmfb(b->u, b->cursor);
	test_client_drop(b->u, b->imported);
}

static int act_show(struct bench *b)
{
	return test_client_show(b->u, 0, b->fb);
}

static int act_show_import(struct bench *b)
{
	return test_client_show(b->u, 0, b->import_fb);
}

static int act_show_both(struct bench *b)
{
	struct virtgpu_show shows[] = {
		{ .output = 0, .fb = b->fb }, { .output = 1, .fb = b->import_fb },
	};

	return test_client_commit(b->u, shows, ARRAY_SIZE(shows), VIRTGPU_WAIT);
}

static int act_flip(struct bench *b)
{
	return test_client_flip(b->u, 0, b->fb);
}

static void undo_flip(struct bench *b, int ret)
{
	undo_fbs(b, ret);
	/* There is room for so many events only. */
	test_client_flips(b->u, 0);
}

static int act_hide(struct bench *b)
{
	return test_client_show(b->u, 0, NULL);
}

static int act_cursor(struct bench *b)
{
	return test_client_cursor(b->u, 0, b->cursor, 5, 6);
}

static void prepare_cursor(struct bench *b)
{
	prepare_fbs(b);
	KUNIT_ASSERT_EQ(b->test, act_cursor(b), 0);
}

static int act_move_cursor(struct bench *b)
{
	return test_client_cursor(b->u, 0, b->cursor, 7, 8);
}

/* The import is known to the host and not shown. */
static void prepare_move(struct bench *b)
{
	prepare_fbs(b);
	KUNIT_ASSERT_EQ(b->test, act_show_import(b), 0);
	KUNIT_ASSERT_EQ(b->test, act_show(b), 0);
	KUNIT_ASSERT_TRUE(b->test, virtgpu_mock_wait(!READ_ONCE(b->b->pins)));
}

/* This has no way to fail: it waits where it cannot note what to wait for. */
static int act_move(struct bench *b)
{
	return virtgpu_mock_buffer_move(b->b);
}

static void undo_move(struct bench *b, int ret)
{
	KUNIT_EXPECT_EQ(b->test, ret, 0);
	KUNIT_EXPECT_EQ(b->test, virtgpu_mock_buffer_reuse(b->b), 0);
	undo_fbs(b, ret);
}

static const struct operation operations[] = {
	{ "dumb buffer", VIRTGPU_MOCK_FEATURES, NULL, act_dumb, drop_handle },
	{ "blob", VIRTGPU_MOCK_FEATURES, NULL, act_blob, drop_handle },
	{ "surface", VIRTGPU_MOCK_FEATURES, NULL, act_surface, drop_handle },
	{ "transfer", VIRTGPU_MOCK_FEATURES, prepare_surface, act_transfer, drop_handle },
	{ "vmap", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_vmap, drop_handle },
	{ "list pages", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_list_pages, drop_handle },
	{ "export", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_export, undo_export },
	{ "name", VIRTGPU_MOCK_FEATURES, prepare_buffer, act_name, drop_handle },
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
	{ "move import", VIRTGPU_MOCK_FEATURES, prepare_move, act_move, undo_move },
	{ "move import, no blobs", VIRTGPU_MOCK_NO_BLOB, prepare_move, act_move, undo_move },
};

KUNIT_ARRAY_PARAM_DESC(operation, operations, name);

static void fault_injection_operation(struct kunit *test)
{
	const struct operation *op = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct bench b = { .test = test };
	unsigned int nth, refused = 0;
	bool failed = true;
	int ret;

	config.features = op->features;
	config.scanouts = 2;
	b.m = virtgpu_mock_start(test, &config);
	b.b = virtgpu_mock_buffer_create(test, b.m, VIRTGPU_MOCK_DYNAMIC, 64 * 48 * 4);
	b.u = test_client_open(test, b.m);

	for (nth = 1; failed && nth < STEPS_MAX; nth++) {
		if (op->prepare)
			op->prepare(&b);
		virtgpu_fault_next(nth);
		ret = op->act(&b);
		failed = virtgpu_fault_happened();
		/* That is what DRM says if it has no memory for the number of a mode. */
		if (ret && ret != -EINVAL)
			KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		KUNIT_EXPECT_TRUE(test, failed || !ret);
		refused += ret == -ENOMEM;
		op->undo(&b, ret);

		/* All of it is gone: on the host, of the other device's, in the queue. */
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(!virtgpu_mock_resources(b.m) &&
							      !virtgpu_mock_vgdev(b.m)->ctrl.num_pending),
				      "allocation %u", nth);
		KUNIT_ASSERT_TRUE_MSG(test, virtgpu_mock_wait(!READ_ONCE(b.b->attachments)),
				      "allocation %u", nth);
	}
	KUNIT_EXPECT_LT(test, nth, STEPS_MAX);
	/* What allocates nothing proves nothing. */
	KUNIT_EXPECT_GT(test, nth, 2);
	if (op->act != act_move)
		KUNIT_EXPECT_GT(test, refused, 0);
	kunit_info(test, "%u allocations, %u refusals\n", nth - 2, refused);
}

/*
 * The device
 */

struct probe {
	struct virtgpu_mock *m;
	unsigned int nth;
};

static void begin_to_fail(void *data)
{
	struct probe *p = data;

	p->m->on_find = NULL;
	virtgpu_fault_next(p->nth);
}

/*
 * From the setting up of the queues on.  What comes before makes the KMS objects, and
 * there DRM in Linux 7.3 does not survive all failures of its own.
 */
static void fault_injection_probe(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	unsigned int unbound = 0, asked;
	bool failed = true, bound;
	struct probe p = { };

	p.m = virtgpu_mock_start(test, &config);
	p.m->on_find_data = &p;
	for (p.nth = 1; failed && p.nth < STEPS_MAX; p.nth++) {
		device_release_driver(&p.m->vdev.dev);
		asked = virtgpu_mock_count(p.m, CMD(GET_DISPLAY_INFO));
		p.m->on_find = begin_to_fail;
		bound = device_attach(&p.m->vdev.dev) > 0;
		failed = virtgpu_fault_happened();
		/* The driver has all it needs: it is DRM's turn again. */
		if (!bound && virtgpu_mock_count(p.m, CMD(GET_DISPLAY_INFO)) > asked)
			break;
		unbound += !bound;
	}
	KUNIT_EXPECT_LT(test, p.nth, STEPS_MAX);
	KUNIT_EXPECT_GT(test, unbound, 5);
	kunit_info(test, "%u allocations, %u times without the device\n", p.nth - 1, unbound);

	device_release_driver(&p.m->vdev.dev);
	KUNIT_EXPECT_EQ(test, device_attach(&p.m->vdev.dev), 1);
}

/* A device that cannot go to sleep stays awake. */
static void suspend(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 2);
	struct drm_framebuffer *fb = test_client_new_fb(u, 64, 48);
	unsigned int nth, refused = 0;
	bool failed = true;
	int ret;

	for (nth = 1; failed && nth < STEPS_MAX; nth++) {
		test_client_fill_pattern(u, fb, nth & 0xff);
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
		virtgpu_fault_next(nth);
		ret = virtio_device_freeze(&u->mock->vdev);
		failed = virtgpu_fault_happened();
		if (ret)
			KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		else
			KUNIT_ASSERT_EQ(test, virtio_device_restore(&u->mock->vdev), 0);
		refused += !!ret;
		KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, nth & 0xff, 0, 0, 64,
								    48));
		KUNIT_ASSERT_EQ(test, test_client_show(u, 0, NULL), 0);
	}
	KUNIT_EXPECT_LT(test, nth, STEPS_MAX);
	KUNIT_EXPECT_GT(test, refused, 0);
	kunit_info(test, "%u allocations, %u refusals\n", nth - 2, refused);
}

static struct kunit_case nomem_tests[] = {
	KUNIT_CASE_PARAM_ATTR(fault_injection_operation, operation_gen_params, { .speed =
			      KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(fault_injection_probe),
	KUNIT_CASE_SLOW(suspend),
	{}
};

static struct kunit_suite nomem_suite = {
	.name = "virtio_gpu_fault_injection",
	.init = virtgpu_fault_init,
	.test_cases = nomem_tests,
};

kunit_test_suite(nomem_suite);
