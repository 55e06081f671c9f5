// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "virtgpu_device.h"
#include "vgpu_mock.h"
#include "vgpu_test_render.h"
#include "vgpu_test_user.h"

/*
 * Native contexts, as Mesa's drivers use them: memory that a command stream makes and a
 * blob names, seen through the window; several timelines, and events of them.
 */

#define SIZE (2 * PAGE_SIZE)
#define RING VIRTGPU_EXECBUF_RING_IDX

/* As Mesa does it: the stream that makes the memory comes with the blob. */
static int create(struct vgpu_user *u, const struct vgpu_mock_op *ops, unsigned int count, u64 id,
		  struct drm_virtgpu_resource_create_blob *args)
{
	*args = (struct drm_virtgpu_resource_create_blob) {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = SIZE,
		.blob_id = id,
		.cmd_size = count * sizeof(*ops),
		.cmd = count ? vgpu_user_memory(u->test, ops, count * sizeof(*ops)) : 0,
	};

	return vgpu_user_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, args);
}

static int create_made(struct vgpu_user *u, u64 id, struct drm_virtgpu_resource_create_blob *args)
{
	struct vgpu_mock_op make = { VGPU_MOCK_MAKE, id, SIZE };

	return create(u, &make, 1, id, args);
}

/* What the host has to say about a blob comes with the next use. */
static int host_says(struct vgpu_user *u, u32 handle)
{
	struct drm_virtgpu_execbuffer args = {
		.num_bo_handles = 1,
		.bo_handles = vgpu_user_memory(u->test, &handle, sizeof(handle)),
	};

	vgpu_mock_settle(u->mock);

	return vgpu_render_submit(u, &args, NULL, 0);
}

/* Stream, blob and the context's use of it: in this order, with one notification. */
static void native_create(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct drm_virtgpu_resource_create_blob args;
	static const u32 order[] = {
		CMD(SUBMIT_3D), CMD(RESOURCE_CREATE_BLOB), CMD(CTX_ATTACH_RESOURCE),
	};
	unsigned int from, kicks, i;
	struct vgpu_mock_entry e;

	vgpu_mock_settle(u->mock);
	from = vgpu_mock_mark(u->mock);
	kicks = vgpu_mock_kicks(u->mock, 0);
	/* So that what was published at once is taken at once. */
	vgpu_mock_freeze(u->mock);
	KUNIT_ASSERT_EQ(test, create_made(u, 17, &args), 0);
	KUNIT_EXPECT_EQ(test, vgpu_mock_run(u->mock), ARRAY_SIZE(order));
	KUNIT_EXPECT_EQ(test, vgpu_mock_kicks(u->mock, 0) - kicks, 1);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		KUNIT_ASSERT_TRUE(test, vgpu_mock_entry(u->mock, from + i, &e));
		KUNIT_EXPECT_EQ(test, e.type, order[i]);
		KUNIT_EXPECT_EQ(test, e.context, vgpu_render_context(u));
	}
	vgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_EQ(test, host_says(u, args.bo_handle), 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_attached(u->mock, vgpu_render_context(u),
						   args.res_handle));
}

/* Number 0 is the memory that guest and host talk through. */
static void native_shared_memory(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	struct drm_virtgpu_execbuffer exec = { };
	struct vgpu_mock_op op = { VGPU_MOCK_FILL };
	u64 addr;

	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 0, &args), 0);
	KUNIT_ASSERT_EQ(test, vgpu_render_map(u, args.bo_handle, SIZE, &addr), 0);
	op.object = args.res_handle;
	op.value = 0xcafe;
	KUNIT_ASSERT_EQ(test, vgpu_render_submit(u, &exec, &op, 1), 0);
	vgpu_mock_settle(u->mock);
	if (!vgpu_mock_window_has_memory(u->mock))
		kunit_skip(test, "nothing is in the window on this machine");
	KUNIT_EXPECT_EQ(test, vgpu_render_peek(test, addr), 0xcafe);
}

/*
 * Creation that fails
 */

/* A number that no stream has made. */
static void native_unknown(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	u64 addr;

	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 5, &args), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, args.bo_handle), -EINVAL);
	KUNIT_EXPECT_EQ(test, vgpu_render_map(u, args.bo_handle, SIZE, &addr), -EINVAL);
	vgpu_user_drop(u, args.bo_handle);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(!vgpu_mock_vgpu(u->mock)->ctrl.num_pending));
	KUNIT_ASSERT_EQ(test, create_made(u, 5, &args), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, args.bo_handle), 0);
}

/* Memory is made into one blob, once. */
static void native_twice(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob first, second;

	KUNIT_ASSERT_EQ(test, create_made(u, 5, &first), 0);
	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 5, &second), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, first.bo_handle), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, second.bo_handle), -EINVAL);
}

/* Another context's is not ours. */
static void native_of_others(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct vgpu_user *other = vgpu_user_open(test, u->mock);
	struct drm_virtgpu_resource_create_blob mine, theirs;
	struct vgpu_mock_op make = { VGPU_MOCK_MAKE, 9, SIZE };
	struct drm_virtgpu_execbuffer exec = { };

	KUNIT_ASSERT_EQ(test, vgpu_render_init(other, VIRTIO_GPU_CAPSET_DRM, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, vgpu_render_submit(u, &exec, &make, 1), 0);
	KUNIT_ASSERT_EQ(test, create(other, NULL, 0, 9, &theirs), 0);
	KUNIT_EXPECT_EQ(test, host_says(other, theirs.bo_handle), -EINVAL);
	KUNIT_ASSERT_EQ(test, create(u, NULL, 0, 9, &mine), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, mine.bo_handle), 0);
}

/* A stream that the host does not like makes no memory, so there is no blob. */
static void native_stream_fails(struct kunit *test)
{
	static const struct vgpu_mock_op ops[] = {
		{ VGPU_MOCK_FAIL }, { VGPU_MOCK_MAKE, 5, SIZE },
	};
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;

	KUNIT_ASSERT_EQ(test, create(u, ops, ARRAY_SIZE(ops), 5, &args), 0);
	KUNIT_EXPECT_EQ(test, host_says(u, args.bo_handle), -EINVAL);
}

/* A stream that cannot be read is not sent, nor is the blob made. */
static void native_stream_bad(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D, .size = SIZE, .cmd = 16,
	};
	static const struct {
		u32 size;
		int ret;
	} bad[] = { { 12, -EFAULT }, { 6, -EINVAL }, { U32_MAX - 3, -E2BIG } };
	unsigned int i, from;

	vgpu_mock_settle(u->mock);
	from = vgpu_mock_mark(u->mock);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args.cmd_size = bad[i].size;
		KUNIT_EXPECT_EQ(test, vgpu_user_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
				bad[i].ret);
	}
	vgpu_mock_settle(u->mock);
	KUNIT_EXPECT_EQ(test, vgpu_mock_mark(u->mock), from);
}

/*
 * Timelines
 */

struct rings {
	const char *name;
	u32 count;
	u64 polled;
};

static const struct rings rings[] = {
	{ "one", 1, 1 },
	{ "CPU and GPU", 2, 2 },
	{ "three, not polled", 3, 0 },
	{ "16, every other", 16, 0x5555 },
	{ "64", 64, ~0ull },
};

KUNIT_ARRAY_PARAM_DESC(rings, rings, name);

/* Each polled timeline tells of each fence, when it signals; the others say nothing. */
static void native_events(struct kunit *test)
{
	const struct rings *r = test->param_value;
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, r->count, r->polled);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	unsigned int seen = 0;

	vgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (args.ring_idx = 0; args.ring_idx < r->count; args.ring_idx++)
		KUNIT_ASSERT_EQ(test, vgpu_render_submit(u, &args, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, vgpu_render_submit(u, &args, NULL, 0), -EINVAL);
	vgpu_mock_settle(u->mock);
	KUNIT_EXPECT_EQ(test, vgpu_user_signals(u), 0);
	for (args.ring_idx = 0; args.ring_idx < r->count; args.ring_idx++) {
		KUNIT_EXPECT_TRUE(test, vgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0));
		seen += !!(r->polled & BIT_ULL(args.ring_idx));
		KUNIT_EXPECT_EQ(test, vgpu_user_signals(u), seen);
	}
	/* What names no timeline polls none. */
	args.flags = 0;
	vgpu_mock_obey(u->mock);
	KUNIT_ASSERT_EQ(test, vgpu_render_submit(u, &args, NULL, 0), 0);
	vgpu_mock_settle(u->mock);
	KUNIT_EXPECT_EQ(test, vgpu_user_signals(u), seen);
}

/* Who does not read his events gets no more of them, and keeps nobody from closing. */
static void native_unread(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 1);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	struct vgpu_mock *m = u->mock;
	unsigned int n = 0;
	int ret;

	do {
		ret = vgpu_render_submit(u, &args, NULL, 0);
	} while (!ret && ++n < 10000);
	KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
	vgpu_mock_settle(m);
	KUNIT_EXPECT_EQ(test, vgpu_mock_count(m, CMD(SUBMIT_3D)), n);
	KUNIT_EXPECT_EQ(test, vgpu_user_signals(u), n);
	KUNIT_EXPECT_EQ(test, vgpu_render_submit(u, &args, NULL, 0), 0);
	vgpu_mock_hold(m, CMD(SUBMIT_3D));
	KUNIT_EXPECT_EQ(test, vgpu_render_submit(u, &args, NULL, 0), 0);
	vgpu_mock_settle(m);
	vgpu_user_close(u);
	vgpu_mock_release(m, 0);
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(!vgpu_mock_contexts(m)));
}

/* A buffer is waited for on whichever timeline it was used. */
static void native_wait(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct drm_virtgpu_execbuffer exec = { .flags = RING, .num_bo_handles = 1 };
	struct drm_virtgpu_3d_wait wait = { .flags = VIRTGPU_WAIT_NOWAIT };
	struct drm_virtgpu_resource_create_blob args;

	KUNIT_ASSERT_EQ(test, create_made(u, 3, &args), 0);
	vgpu_mock_settle(u->mock);
	wait.handle = args.bo_handle;
	exec.bo_handles = vgpu_user_memory(test, &args.bo_handle, sizeof(args.bo_handle));
	vgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (exec.ring_idx = 0; exec.ring_idx < 2; exec.ring_idx++)
		KUNIT_ASSERT_EQ(test, vgpu_render_submit(u, &exec, NULL, 0), 0);
	vgpu_mock_settle(u->mock);
	KUNIT_EXPECT_EQ(test, vgpu_user_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	vgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 1);
	KUNIT_EXPECT_EQ(test, vgpu_user_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	vgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0);
	KUNIT_EXPECT_EQ(test, vgpu_user_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
}

/* Buffers come and go, mapped and not, and nothing of them stays. */
static void native_come_and_go(struct kunit *test)
{
	struct vgpu_user *u = vgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_resource_create_blob args;
	unsigned int i;
	u64 addr;

	for (i = 1; i <= 200; i++) {
		KUNIT_ASSERT_EQ(test, create_made(u, i, &args), 0);
		if (i % 3 == 0)
			KUNIT_ASSERT_EQ(test, vgpu_render_map(u, args.bo_handle, SIZE, &addr), 0);
		vgpu_user_drop(u, args.bo_handle);
		if (i % 3 == 0)
			KUNIT_ASSERT_EQ(test, vm_munmap(addr, SIZE), 0);
	}
	KUNIT_EXPECT_TRUE(test, vgpu_mock_wait(!vgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, vgpu_mock_mappings(u->mock), 0);
	KUNIT_EXPECT_EQ(test, vgpu_mock_contexts(u->mock), 1);
}

static struct kunit_case native_tests[] = {
	KUNIT_CASE(native_create),
	KUNIT_CASE(native_shared_memory),
	KUNIT_CASE(native_unknown),
	KUNIT_CASE(native_twice),
	KUNIT_CASE(native_of_others),
	KUNIT_CASE(native_stream_fails),
	KUNIT_CASE(native_stream_bad),
	KUNIT_CASE_PARAM(native_events, rings_gen_params),
	KUNIT_CASE(native_unread),
	KUNIT_CASE(native_wait),
	KUNIT_CASE(native_come_and_go),
	{}
};

static struct kunit_suite native_suite = {
	.name = "vgpu_native",
	.test_cases = native_tests,
};

kunit_test_suite(native_suite);
