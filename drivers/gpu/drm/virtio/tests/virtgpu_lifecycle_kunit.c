// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/* Removal, suspend and failure of a device in use. */

#define W 64
#define H 48
#define SIZE (W * H * 4)

/*
 * A device in use: the first output shows a native buffer and a cursor, the
 * second output an imported buffer.
 */
struct busy {
	struct kunit *test;
	struct virtgpu_mock *m;
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	struct drm_framebuffer *own[2];
	struct drm_framebuffer *cursor;
	struct drm_framebuffer *imported;
	u32 handle;
	struct dma_buf *exported;
	struct virtgpu_mock_pointer *pointer;
};

static void put_exported(void *data)
{
	dma_buf_put(data);
	flush_delayed_fput();
}

static struct busy start_busy(struct kunit *test, const struct virtgpu_test_config *h)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct busy s = { .test = test };
	u32 handle;

	s.pointer = kunit_kzalloc(test, sizeof(*s.pointer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s.pointer);
	config.features = h->features;
	config.ctrl_size = h->ring;
	config.scanouts = 2;
	s.m = virtgpu_mock_start(test, &config);
	s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_DYNAMIC, SIZE);
	s.u = test_client_open(test, s.m);

	handle = test_client_dumb(s.u, W, H);
	s.own[0] = test_client_fb(s.u, handle, W, H, W * 4, 0);
	s.exported = drm_gem_prime_handle_to_dmabuf(s.u->drm, s.u->file, handle, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s.exported);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_exported, s.exported), 0);
	s.own[1] = test_client_new_fb(s.u, W, H);
	s.cursor = test_client_new_cursor(s.u, VIRTGPU_MOCK_CURSOR, VIRTGPU_MOCK_CURSOR);
	KUNIT_ASSERT_EQ(test, test_client_import(s.u, s.b->dma_buf, &s.handle), 0);
	s.imported = test_client_fb(s.u, s.handle, W, H, W * 4, 0);

	test_client_fill_pattern(s.u, s.own[0], 1);
	test_client_fill_pattern(s.u, s.own[1], 2);
	test_client_fill_pattern(s.u, s.imported, 3);
	test_client_fill_pattern(s.u, s.cursor, 4);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, s.own[0]), 0);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 1, s.imported), 0);
	KUNIT_ASSERT_EQ(test, test_client_cursor(s.u, 0, s.cursor, 7, 8), 0);

	return s;
}

static bool cursor_is(struct busy *s, s32 x, s32 y)
{
	struct virtgpu_mock_pointer *p = s->pointer;

	virtgpu_mock_pointer(s->m, 0, p);

	return p->resource && p->x == x && p->y == y &&
	       p->image[64 * 63 + 62] == test_client_color(4, 62, 63);
}

static void expect_restored(struct busy *s)
{
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(test_client_scanout_is(s->u, 0, 1, W, H)));
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(test_client_scanout_is(s->u, 1, 3, W, H)));
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(cursor_is(s, 7, 8)));
}

/* A thread that waits for the host. */
struct waiter {
	struct dma_buf *dma_buf;
	struct task_struct *task;
	uuid_t uuid;
	int ret;
};

static int wait_for_uuid(void *data)
{
	struct waiter *w = data;

	w->ret = virtio_dma_buf_get_uuid(w->dma_buf, &w->uuid);

	return 0;
}

static void start_waiter(struct busy *s, struct waiter *w)
{
	w->dma_buf = s->exported;
	w->ret = 1;
	w->task = kthread_create(wait_for_uuid, w, "virtio-gpu-waiter");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(s->test, w->task);
	get_task_struct(w->task);
	wake_up_process(w->task);
}

static void end_waiter(struct waiter *w)
{
	kthread_stop_put(w->task);
}

/*
 * Removal
 */

struct unplug_case {
	const char *name;
	const struct virtgpu_test_config *host;
	u32 types[4];
	bool frozen;
	bool stalled;
};

#define BLOBS (&virtgpu_test_configs[0])
#define NO_BLOBS (&virtgpu_test_configs[1])
#define SMALL (&virtgpu_test_configs[2])

static const struct unplug_case unplug_cases[] = {
	{ "nothing", BLOBS },
	{ "nothing, no blobs", NO_BLOBS },
	{ "frames", BLOBS, { CMD(RESOURCE_FLUSH) } },
	{ "frames, no blobs", NO_BLOBS, { CMD(RESOURCE_FLUSH) } },
	{ "transfers, no blobs", NO_BLOBS, { CMD(TRANSFER_TO_HOST_2D) } },
	{ "creation", BLOBS, { CMD(RESOURCE_CREATE_BLOB), CMD(SET_SCANOUT_BLOB) } },
	{ "creation, no blobs", NO_BLOBS,
	  { CMD(RESOURCE_CREATE_2D), CMD(RESOURCE_ATTACH_BACKING), CMD(SET_SCANOUT) } },
	{ "destruction", BLOBS, { CMD(RESOURCE_DETACH_BACKING), CMD(RESOURCE_UNREF) } },
	{ "UUIDs", BLOBS, { CMD(RESOURCE_ASSIGN_UUID) } },
	{ "outputs", BLOBS, { CMD(GET_DISPLAY_INFO), CMD(GET_EDID) } },
	{ "cursors", BLOBS, { }, false, true },
	{ "all", BLOBS, { }, true },
	{ "all, no blobs", NO_BLOBS, { }, true },
	{ "all, more than the ring takes", SMALL, { }, true },
};

KUNIT_ARRAY_PARAM_DESC(unplug, unplug_cases, name);

static void hold_all(struct busy *s, const struct unplug_case *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->types) && h->types[i]; i++)
		virtgpu_mock_hold(s->m, h->types[i]);
	if (h->frozen)
		virtgpu_mock_freeze(s->m);
	virtgpu_mock_stalled_cursor(s->m, h->stalled);
}

/* Start all operations that do not wait for the host. */
static void start_everything(struct busy *s)
{
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 65536,
	};
	unsigned int i;

	/* The import is hidden and was moved, so DETACH_BACKING is queued. */
	KUNIT_EXPECT_EQ(s->test, test_client_flip(s->u, 1, s->own[0]), 0);
	KUNIT_EXPECT_EQ(s->test, test_client_flip(s->u, 0, s->own[1]), 0);
	virtgpu_mock_set_output(s->m, 1, true, 800, 600);
	virtgpu_mock_raise_display(s->m);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(s->test, test_client_cursor(s->u, 0, s->cursor, i, i), 0);
	if (virtgpu_mock_has(s->m, VIRTIO_GPU_F_RESOURCE_BLOB))
		for (i = 0; i < 10; i++)
			KUNIT_EXPECT_EQ(s->test, test_client_ioctl(s->u,
								   DRM_VIRTGPU_RESOURCE_CREATE_BLOB,
								   &blob), 0);
}

static struct dma_fence *move_import(struct busy *s)
{
	struct dma_fence *fence = NULL;

	if (virtgpu_mock_buffer_move(s->b))
		return NULL;
	dma_resv_lock(s->b->dma_buf->resv, NULL);
	KUNIT_EXPECT_EQ(s->test, dma_resv_get_singleton(s->b->dma_buf->resv,
							DMA_RESV_USAGE_BOOKKEEP, &fence), 0);
	dma_resv_unlock(s->b->dma_buf->resv);

	return fence;
}

static bool is_silent(const struct unplug_case *h, u32 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->types); i++)
		if (h->types[i] == type)
			return true;

	return h->frozen;
}

static void unplug(struct kunit *test)
{
	const struct unplug_case *h = test->param_value;
	struct drm_virtgpu_resource_create create = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 64, .height = 64, .size = 64 * 64 * 4,
	};
	struct busy s = start_busy(test, h->host);
	struct waiter w = { };
	struct dma_fence *fence;

	/* Only a hidden import can move; hide it before the host stops. */
	if (is_silent(h, CMD(RESOURCE_DETACH_BACKING))) {
		KUNIT_ASSERT_EQ(test, test_client_show(s.u, 1, NULL), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	}
	hold_all(&s, h);
	fence = move_import(&s);
	start_everything(&s);
	start_waiter(&s, &w);
	msleep(50);

	virtgpu_mock_unplug(s.m);

	/* All waits end. */
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(w.ret <= 0));
	if (is_silent(h, CMD(RESOURCE_ASSIGN_UUID)))
		KUNIT_EXPECT_EQ(test, w.ret, virtgpu_mock_has(s.m, VIRTIO_GPU_F_RESOURCE_BLOB) ?
				-ENODEV : -EOPNOTSUPP);
	end_waiter(&w);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 1) == 1));
	if (fence) {
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
		dma_fence_put(fence);
	}
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));

	/* Open files get -ENODEV, and may be closed later. */
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_CREATE, &create),
			-ENODEV);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

/* Exported memory stays valid after removal. */
static void export_outlives(struct kunit *test)
{
	struct busy s = start_busy(test, BLOBS);
	struct iosys_map map;

	virtgpu_mock_unplug(s.m);
	test_client_close(s.u);
	dma_resv_lock(s.exported->resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap(s.exported, &map), 0);
	KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, (5 * W + 6) * 4, u32), test_client_color(1, 6, 5));
	dma_buf_vunmap(s.exported, &map);
	dma_resv_unlock(s.exported->resv);
}

/* The device is removed while an ioctl that began earlier uses a mapping. */
struct sync_race {
	struct virtgpu_mock *m;
	struct task_struct *task;
	bool unmapped;
};

static struct sync_race *sync_race;

static int unplug_thread(void *data)
{
	struct virtgpu_mock *m = data;

	virtgpu_mock_unplug(m);

	return 0;
}

static void slow_sync(struct virtgpu_backing *b)
{
	struct sync_race *r = sync_race;

	if (r->task)
		return;
	r->task = kthread_create(unplug_thread, r->m, "virtio-gpu-unplug");
	if (IS_ERR(r->task))
		return;
	get_task_struct(r->task);
	wake_up_process(r->task);
	msleep(1000);
	r->unmapped = b->addr_type != VIRTGPU_ADDR_DMA;
}

static void unplug_while_syncing(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct drm_virtgpu_resource_create create = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = W, .height = H, .size = SIZE,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = { .box = { .w = W, .h = H, .d = 1 } };
	struct virtgpu_test_client *u;
	struct sync_race race = { };

	config.features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	race.m = virtgpu_mock_start(test, &config);
	u = test_client_open(test, race.m);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &create), 0);
	transfer.bo_handle = create.bo_handle;
	to_virtgpu_gem(test_client_object(u, create.bo_handle))->pages->needs_sync = true;

	sync_race = &race;
	kunit_activate_static_stub(test, virtgpu_pages_sync_for_device, slow_sync);
	test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer);
	kunit_deactivate_static_stub(test, virtgpu_pages_sync_for_device);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, race.task);
	kthread_stop_put(race.task);
	KUNIT_EXPECT_FALSE(test, race.unmapped);
	test_client_close(u);
}

static void unplug_again(struct kunit *test)
{
	struct busy s;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		s = start_busy(test, &virtgpu_test_configs[i % ARRAY_SIZE(virtgpu_test_configs)]);
		if (i & 1)
			virtgpu_mock_freeze(s.m);
		KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
		virtgpu_mock_unplug(s.m);
		test_client_close(s.u);
	}
}

/*
 * Suspend
 */

static void suspend(struct kunit *test)
{
	struct busy s = start_busy(test, test->param_value);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(s.m), 0);
		KUNIT_EXPECT_EQ(test, s.b->pins, 0);
		KUNIT_EXPECT_EQ(test, s.m->state.lost, 0);

		KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
		expect_restored(&s);
		KUNIT_EXPECT_EQ(test, s.b->pins, 1);
	}

	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 2, W, H));
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
	KUNIT_EXPECT_LE(test, virtgpu_mock_resources(s.m), 1);
}

/* Buffers are moved and destroyed while the device is suspended. */
static void suspend_moves(struct kunit *test)
{
	struct busy s = start_busy(test, test->param_value);

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));
	test_client_rmfb(s.u, s.own[1]);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	expect_restored(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_DETACH_BACKING)), 0);
}

/* UUIDs are assigned again after a suspend. */
static void suspend_uuids(struct kunit *test)
{
	struct busy s = start_busy(test, BLOBS);
	uuid_t uuid;

	KUNIT_ASSERT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid), 0);
	KUNIT_ASSERT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_ASSIGN_UUID)), 1);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid), -ENODEV);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	KUNIT_ASSERT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_ASSIGN_UUID)), 2);
}

/* The display info changes during a suspend. */
static void suspend_resize(struct kunit *test)
{
	struct busy s = start_busy(test, BLOBS);
	struct virtgpu_output *out = &virtgpu_mock_vgdev(s.m)->kms.outputs[0];

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	virtgpu_mock_set_output(s.m, 0, true, 1000, 700);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(READ_ONCE(out->info.width) == 1000));
	expect_restored(&s);
}

/* Suspend does not hang if the host does not respond. */
static void suspend_unresponsive(struct kunit *test)
{
	struct busy s;

	virtgpu_mock_require_suspend(test);
	s = start_busy(test, test->param_value);
	virtgpu_mock_freeze(s.m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	virtgpu_mock_thaw(s.m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	expect_restored(&s);
}

static const bool responsive_cases[] = { false, true };

static void responsive_name(const bool *responsive, char *desc)
{
	strscpy(desc, *responsive ? "responsive host" : "unresponsive host",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(responsive, responsive_cases, responsive_name);

/* Suspend does not hang if a frame waits for rendering that never finishes. */
static void suspend_unfinished(struct kunit *test)
{
	const bool *responsive = test->param_value;
	struct dma_fence *fence;
	struct busy s;

	virtgpu_mock_require_suspend(test);
	s = start_busy(test, BLOBS);
	fence = test_client_add_write_fence(s.u, s.own[1]->obj[0]->resv);
	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
	if (!*responsive)
		virtgpu_mock_freeze(s.m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	virtgpu_mock_thaw(s.m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 0, 2, W, H)));
}

/* A frame is in flight at suspend. */
static void suspend_mid_flip(struct kunit *test)
{
	struct busy s;

	virtgpu_mock_require_suspend(test);
	s = start_busy(test, test->param_value);
	virtgpu_mock_hold(s.m, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	virtgpu_mock_clear_rules(s.m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 0, 2, W, H)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 1, 3, W, H)));
}

/* Outputs that cannot be restored stay disabled until a mode is set. */
static void resume_disabled(struct kunit *test)
{
	struct busy s = start_busy(test, BLOBS);

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	s.b->pin_error = -EBUSY;
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	s.b->pin_error = 0;
	KUNIT_EXPECT_EQ(test, s.m->state.scanouts[1].resource, 0);

	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.own[0]), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 1, s.imported), 0);
	KUNIT_EXPECT_EQ(test, test_client_cursor(s.u, 0, s.cursor, 7, 8), 0);
	expect_restored(&s);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

/* After a failed restore nothing hangs. */
static void restore_fails(struct kunit *test)
{
	struct busy s = start_busy(test, BLOBS);
	uuid_t uuid;

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	s.m->config.find_error = -ENOENT;
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resume(s.m), -ENOENT);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid), -ENODEV);
	test_client_show(s.u, 0, s.own[1]);
	virtgpu_mock_unplug(s.m);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

/* The device is removed while it is suspended. */
static void unplug_suspended(struct kunit *test)
{
	struct busy s = start_busy(test, test->param_value);

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	virtgpu_mock_unplug(s.m);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

/*
 * Shutdown
 */

struct shutdown_case {
	const char *name;
	const struct virtgpu_test_config *host;
	u32 hold;
	bool frozen;
};

static const struct shutdown_case shutdown_cases[] = {
	{ "idle", BLOBS },
	{ "idle, no blobs", NO_BLOBS },
	{ "held display", BLOBS, CMD(RESOURCE_FLUSH) },
	{ "held display, no blobs", NO_BLOBS, CMD(RESOURCE_FLUSH) },
	{ "host without response", BLOBS, 0, true },
	{ "host without response, full ring", SMALL, 0, true },
};

KUNIT_ARRAY_PARAM_DESC(shutdown, shutdown_cases, name);

/* Call the shutdown method as device_shutdown() does. */
static void shut_down(struct virtgpu_mock *m)
{
	struct device *dev = &m->vdev.dev;

	device_lock(dev);
	dev->bus->shutdown(dev);
	device_unlock(dev);
}

/*
 * The device is reset at once, with the outputs disabled, and all waits end,
 * even if the host does not respond.
 */
static void shutdown(struct kunit *test)
{
	const struct shutdown_case *c = test->param_value;
	struct busy s = start_busy(test, c->host);
	struct virtgpu_device *vgdev = virtgpu_mock_vgdev(s.m);
	struct waiter w = { };
	unsigned long start;

	if (c->hold)
		virtgpu_mock_hold(s.m, c->hold);
	if (c->frozen)
		virtgpu_mock_freeze(s.m);
	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
	start_waiter(&s, &w);
	msleep(50);

	start = jiffies;
	shut_down(s.m);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(w.ret <= 0));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + HZ));
	end_waiter(&w);

	KUNIT_EXPECT_EQ(test, s.m->status, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(s.m), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(s.m, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_shown(s.m, 1), 0);
	KUNIT_EXPECT_EQ(test, vgdev->ctrl.num_pending, 0);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&vgdev->ctrl));

	/* A compositor that still runs finds no device. */
	KUNIT_EXPECT_TRUE(test, drm_dev_is_unplugged(s.u->drm));
	start = jiffies;
	test_client_show(s.u, 0, s.own[0]);
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + HZ));
	virtgpu_mock_unplug(s.m);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

/*
 * Failure
 */

/* Calls fail at once after the transport has marked the device as broken. */
static void broken(struct kunit *test)
{
	struct busy s = start_busy(test, test->param_value);
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 4096,
	};
	struct waiter w = { };

	virtgpu_mock_hold(s.m, CMD(RESOURCE_FLUSH));
	virtgpu_mock_hold(s.m, CMD(RESOURCE_ASSIGN_UUID));
	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.own[1]), 0);
	start_waiter(&s, &w);
	msleep(50);
	virtio_break_device(&s.m->vdev);
	KUNIT_EXPECT_TRUE(test,
			  virtgpu_mock_wait(virtgpu_vq_is_wedged(&virtgpu_mock_vgdev(s.m)->ctrl)));

	/* The display is considered to hold the frame, and waiters return. */
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(w.ret <= 0));
	if (virtgpu_mock_has(s.m, VIRTIO_GPU_F_RESOURCE_BLOB))
		KUNIT_EXPECT_EQ(test, w.ret, -ETIMEDOUT);
	end_waiter(&w);

	KUNIT_EXPECT_LT(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &blob), 0);
	test_client_show(s.u, 0, s.own[0]);
	KUNIT_EXPECT_LT(test, virtio_dma_buf_get_uuid(s.exported, &w.uuid), 0);
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 1, NULL), 0);
	virtgpu_mock_unplug(s.m);
	test_client_close(s.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->attachments)));
}

static int dirty(struct busy *s, struct drm_file *file)
{
	return s->own[0]->funcs->dirty(s->own[0], file, 0, 0, NULL, 0);
}

static void wedged(struct kunit *test)
{
	struct busy s = start_busy(test, test->param_value);
	bool blobs = virtgpu_mock_has(s.m, VIRTIO_GPU_F_RESOURCE_BLOB);
	struct drm_virtgpu_resource_create args = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 64, .height = 64, .size = 64 * 64 * 4,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = { .box = { .w = 64, .h = 64, .d = 1 } };
	struct virtgpu_device *vgdev = virtgpu_mock_vgdev(s.m);
	unsigned long start;
	uuid_t uuid;

	KUNIT_ASSERT_EQ(test, test_client_cursor(s.u, 1, test_client_new_cursor(s.u, 64, 64), 1, 1),
			0);
	virtgpu_mock_wait_idle(s.m);
	virtgpu_mock_freeze(s.m);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_vq_is_wedged(&vgdev->ctrl)));

	/* Calls fail at once. */
	start = jiffies;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_CREATE, &args), -EIO);
	transfer.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer),
			-EIO);
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.own[1]), -EIO);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(s.exported, &uuid),
			blobs ? -EIO : -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, dirty(&s, s.u->file), -EIO);
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 5 * HZ));

	/* fbcon gets no error, because it would WARN. */
	KUNIT_EXPECT_EQ(test, dirty(&s, NULL), 0);

	/*
	 * Disabling an output works, for example at the exit of a process, also
	 * with a cursor, which DRM does not disable.
	 */
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 1, NULL), 0);

	/* The device responds again. */
	virtgpu_mock_thaw(s.m);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_vq_is_wedged(&vgdev->ctrl)));
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.own[1]), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 2, W, H));
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	virtgpu_mock_wait_idle(s.m);
	KUNIT_EXPECT_EQ(test, vgdev->ctrl.num_pending, 0);
}

static struct kunit_case lifecycle_tests[] = {
	KUNIT_CASE_PARAM(unplug, unplug_gen_params),
	KUNIT_CASE(export_outlives),
	KUNIT_CASE(unplug_while_syncing),
	KUNIT_CASE(unplug_again),
	KUNIT_CASE_PARAM(suspend, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(suspend_moves, virtgpu_test_config_gen_params),
	KUNIT_CASE(suspend_uuids),
	KUNIT_CASE(suspend_resize),
	KUNIT_CASE_PARAM_ATTR(suspend_unresponsive, virtgpu_test_config_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(suspend_unfinished, responsive_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(suspend_mid_flip, virtgpu_test_config_gen_params),
	KUNIT_CASE(resume_disabled),
	KUNIT_CASE(restore_fails),
	KUNIT_CASE_PARAM(unplug_suspended, virtgpu_test_config_gen_params),
	KUNIT_CASE_PARAM(shutdown, shutdown_gen_params),
	KUNIT_CASE_PARAM_ATTR(broken, virtgpu_test_config_gen_params, { .speed =
			      KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(wedged, virtgpu_test_config_gen_params, { .speed =
			      KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite lifecycle_suite = {
	.name = "virtio_gpu_lifecycle",
	.test_cases = lifecycle_tests,
};

kunit_test_suite(lifecycle_suite);
