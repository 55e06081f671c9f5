// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/*
 * Native contexts as used by Mesa: blobs of memory that a command buffer
 * allocates, host-visible mappings, several rings and their events.
 */

#define SIZE (2 * PAGE_SIZE)
#define RING VIRTGPU_EXECBUF_RING_IDX

/*
 * Like Mesa, pass the command buffer that allocates the memory with the blob.
 */
static int create(struct virtgpu_test_client *u, const struct virtgpu_mock_op *ops,
		  unsigned int count, u64 id,
		  struct drm_virtgpu_resource_create_blob *args)
{
	*args = (struct drm_virtgpu_resource_create_blob) {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = SIZE,
		.blob_id = id,
		.cmd_size = count * sizeof(*ops),
		.cmd = count ? test_client_memory(u->test, ops, count * sizeof(*ops)) : 0,
	};

	return test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, args);
}

/* Allocate the memory and create the blob of it. */
static int create_allocated(struct virtgpu_test_client *u, u64 id,
			    struct drm_virtgpu_resource_create_blob *args)
{
	struct virtgpu_mock_op alloc = { VIRTGPU_MOCK_ALLOC, id, SIZE };

	return create(u, &alloc, 1, id, args);
}

/* Get the sticky error of a blob, which the next submission returns. */
static int blob_error(struct virtgpu_test_client *u, u32 handle)
{
	struct drm_virtgpu_execbuffer args = {
		.num_bo_handles = 1,
		.bo_handles = test_client_memory(u->test, &handle, sizeof(handle)),
	};

	virtgpu_mock_wait_idle(u->mock);

	return virtgpu_render_submit(u, &args, NULL, 0);
}

/*
 * SUBMIT_3D, RESOURCE_CREATE_BLOB, RESOURCE_MAP_BLOB and CTX_ATTACH_RESOURCE
 * with one notification.
 */
static void native_context_create(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct drm_virtgpu_resource_create_blob args;
	static const u32 order[] = {
		CMD(SUBMIT_3D), CMD(RESOURCE_CREATE_BLOB), CMD(RESOURCE_MAP_BLOB),
		CMD(CTX_ATTACH_RESOURCE),
	};
	unsigned int from, kicks, i;
	struct virtgpu_mock_log_entry e;

	virtgpu_mock_wait_idle(u->mock);
	from = virtgpu_mock_log_pos(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	/* The device must see all commands at once. */
	virtgpu_mock_freeze(u->mock);
	KUNIT_ASSERT_EQ(test, create_allocated(u, 17, &args), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_run(u->mock), ARRAY_SIZE(order));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_kicks(u->mock, 0) - kicks, 1);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_log_entry(u->mock, from + i, &e));
		KUNIT_EXPECT_EQ(test, e.type, order[i]);
		KUNIT_EXPECT_EQ(test, e.context, order[i] == CMD(RESOURCE_MAP_BLOB) ?
				0 : virtgpu_render_context(u));
	}
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_EQ(test, blob_error(u, args.bo_handle), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_attached(u->mock, virtgpu_render_context(u),
						      args.res_handle));
}

/*
 * Blob ID 0 is the memory shared by the guest driver and the host's renderer.
 */
static void shared_memory(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	struct drm_virtgpu_execbuffer exec = { };
	struct virtgpu_mock_op op = { VIRTGPU_MOCK_FILL };
	u64 addr;

	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 0, &args), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_map(u, args.bo_handle, SIZE, &addr), 0);
	op.object = args.res_handle;
	op.value = 0xcafe;
	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &exec, &op, 1), 0);
	virtgpu_mock_wait_idle(u->mock);
	if (!virtgpu_mock_host_visible_has_memory(u->mock))
		kunit_skip(test, "no memory in the host-visible region on this machine");
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, addr), 0xcafe);
}

/*
 * Failing creation
 */

/* A blob ID that no command buffer has allocated. */
static void unknown_blob_id(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	u64 addr;

	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 5, &args), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, args.bo_handle), -EINVAL);
	KUNIT_EXPECT_EQ(test, virtgpu_render_map(u, args.bo_handle, SIZE, &addr), -EINVAL);
	test_client_drop(u, args.bo_handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_vgdev(u->mock)->ctrl.num_pending));
	KUNIT_ASSERT_EQ(test, create_allocated(u, 5, &args), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, args.bo_handle), 0);
}

/* A blob ID can be used once. */
static void blob_id_reused(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob first, second;

	KUNIT_ASSERT_EQ(test, create_allocated(u, 5, &first), 0);
	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 5, &second), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, first.bo_handle), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, second.bo_handle), -EINVAL);
}

/* A blob ID is valid only in the context that allocated the memory. */
static void blob_id_of_other_context(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	struct drm_virtgpu_resource_create_blob valid, invalid;
	struct virtgpu_mock_op alloc = { VIRTGPU_MOCK_ALLOC, 9, SIZE };
	struct drm_virtgpu_execbuffer exec = { };

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, VIRTIO_GPU_CAPSET_DRM, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &exec, &alloc, 1), 0);
	KUNIT_ASSERT_EQ(test, create(other, NULL, 0, 9, &invalid), 0);
	KUNIT_EXPECT_EQ(test, blob_error(other, invalid.bo_handle), -EINVAL);
	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 9, &valid), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, valid.bo_handle), 0);
}

/* A failed command buffer allocates no memory, so creating the blob fails. */
static void cmdbuf_fails(struct kunit *test)
{
	static const struct virtgpu_mock_op ops[] = {
		{ VIRTGPU_MOCK_FAIL }, { VIRTGPU_MOCK_ALLOC, 5, SIZE },
	};
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;

	KUNIT_ASSERT_EQ(test, create(u, ops, ARRAY_SIZE(ops), 5, &args), 0);
	KUNIT_EXPECT_EQ(test, blob_error(u, args.bo_handle), -EINVAL);
}

/* Nothing is queued for a command buffer that is not valid. */
static void cmdbuf_invalid(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D, .size = SIZE, .cmd = 16,
	};
	static const struct {
		u32 size;
		int ret;
	} bad[] = { { 12, -EFAULT }, { 6, -EINVAL }, { U32_MAX - 3, -E2BIG } };
	unsigned int i, from;

	virtgpu_mock_wait_idle(u->mock);
	from = virtgpu_mock_log_pos(u->mock);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args.cmd_size = bad[i].size;
		KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
				bad[i].ret);
	}
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock), from);
}

/*
 * Rings and buffers
 */

struct ring_case {
	const char *name;
	u32 count;
	u64 polled;
};

static const struct ring_case ring_cases[] = {
	{ "one", 1, 1 },
	{ "CPU and GPU", 2, 2 },
	{ "three, not polled", 3, 0 },
	{ "16, every other polled", 16, 0x5555 },
	{ "64", 64, ~0ull },
};

KUNIT_ARRAY_PARAM_DESC(ring_case, ring_cases, name);

/*
 * Polled rings send an event for each signalled fence; other rings send none.
 */
static void ring_events(struct kunit *test)
{
	const struct ring_case *r = test->param_value;
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, r->count,
							     r->polled);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	unsigned int seen = 0;

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (args.ring_idx = 0; args.ring_idx < r->count; args.ring_idx++)
		KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), -EINVAL);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 0);
	for (args.ring_idx = 0; args.ring_idx < r->count; args.ring_idx++) {
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0));
		seen += !!(r->polled & BIT_ULL(args.ring_idx));
		KUNIT_EXPECT_EQ(test, test_client_signals(u), seen);
	}
	/* A submission without a ring index sends no event. */
	args.flags = 0;
	virtgpu_mock_clear_rules(u->mock);
	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), seen);
}

/*
 * Unread events limit further submissions, but do not block closing the file.
 */
static void unread_events(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 1);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	struct virtgpu_mock *m = u->mock;
	unsigned int n = 0;
	int ret;

	do {
		ret = virtgpu_render_submit(u, &args, NULL, 0);
	} while (!ret && ++n < 10000);
	KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(SUBMIT_3D)), n);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), n);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	virtgpu_mock_hold(m, CMD(SUBMIT_3D));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	virtgpu_mock_wait_idle(m);
	test_client_close(u);
	virtgpu_mock_release(m, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_contexts(m)));
}

/* WAIT covers the submissions of all rings that use the buffer. */
static void native_context_wait(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct drm_virtgpu_execbuffer exec = { .flags = RING, .num_bo_handles = 1 };
	struct drm_virtgpu_3d_wait wait = { .flags = VIRTGPU_WAIT_NOWAIT };
	struct drm_virtgpu_resource_create_blob args;

	KUNIT_ASSERT_EQ(test, create_allocated(u, 3, &args), 0);
	virtgpu_mock_wait_idle(u->mock);
	wait.handle = args.bo_handle;
	exec.bo_handles = test_client_memory(test, &args.bo_handle, sizeof(args.bo_handle));
	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (exec.ring_idx = 0; exec.ring_idx < 2; exec.ring_idx++)
		KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &exec, NULL, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 1);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
}

/* Create, map and destroy blobs in a loop without leaking any. */
static void create_destroy(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	unsigned int i;
	u64 addr;

	for (i = 1; i <= 200; i++) {
		KUNIT_ASSERT_EQ(test, create_allocated(u, i, &args), 0);
		if (i % 3 == 0)
			KUNIT_ASSERT_EQ(test, virtgpu_render_map(u, args.bo_handle, SIZE, &addr),
					0);
		test_client_drop(u, args.bo_handle);
		if (i % 3 == 0)
			KUNIT_ASSERT_EQ(test, vm_munmap(addr, SIZE), 0);
	}
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(u->mock), 1);
}

static struct kunit_case native_tests[] = {
	KUNIT_CASE(native_context_create),
	KUNIT_CASE(shared_memory),
	KUNIT_CASE(unknown_blob_id),
	KUNIT_CASE(blob_id_reused),
	KUNIT_CASE(blob_id_of_other_context),
	KUNIT_CASE(cmdbuf_fails),
	KUNIT_CASE(cmdbuf_invalid),
	KUNIT_CASE_PARAM(ring_events, ring_case_gen_params),
	KUNIT_CASE(unread_events),
	KUNIT_CASE(native_context_wait),
	KUNIT_CASE(create_destroy),
	{}
};

static struct kunit_suite native_suite = {
	.name = "virtio_gpu_native_context",
	.test_cases = native_tests,
};

kunit_test_suite(native_suite);
