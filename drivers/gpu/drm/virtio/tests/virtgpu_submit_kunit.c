// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/sizes.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_msg.h"
#include "virtgpu_test_fault.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_ring.h"
#include "virtgpu_test_client.h"

/* EXECBUFFER: effects, ordering, fences, and no effect on failure. */

#define SIZE 8192
#define RING VIRTGPU_EXECBUF_RING_IDX
#define FENCE_IN VIRTGPU_EXECBUF_FENCE_FD_IN
#define FENCE_OUT VIRTGPU_EXECBUF_FENCE_FD_OUT
#define RESET VIRTGPU_EXECBUF_SYNCOBJ_RESET

static const struct virtgpu_mock_op nop = { VIRTGPU_MOCK_NOP };

/*
 * Command buffers and failure
 */

struct cmdbuf_case {
	const char *name;
	u32 count;
	u64 features;
	unsigned int ring;
};

static const struct cmdbuf_case cmdbuf_cases[] = {
	{ "one command", 1, VIRTGPU_MOCK_3D, 256 },
	{ "a page", 341, VIRTGPU_MOCK_3D, 256 },
	{ "some pages", 2000, VIRTGPU_MOCK_3D, 256 },
	{ "1 MiB", SZ_1M / 12, VIRTGPU_MOCK_3D, 256 },
	{ "1 MiB, ring of 16", SZ_1M / 12, VIRTGPU_MOCK_3D, 16 },
	{ "1 MiB, direct", SZ_1M / 12,
	  VIRTGPU_MOCK_3D & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 64 },
	{ "16 MiB", SZ_16M / 12, VIRTGPU_MOCK_3D, 256 },
};

KUNIT_ARRAY_PARAM_DESC(cmdbuf_case, cmdbuf_cases, name);

/* All of the command buffer arrives: only its last command has an effect. */
static void submit_cmdbuf(struct kunit *test)
{
	const struct cmdbuf_case *s = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct drm_virtgpu_execbuffer args = { };
	struct drm_virtgpu_3d_wait wait = { };
	struct virtgpu_mock_op *ops;
	struct virtgpu_test_client *u;
	u32 resource;
	u64 addr;

	config.features = s->features;
	config.ctrl_size = s->ring;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	KUNIT_ASSERT_EQ(test, virtgpu_render_blob(u, SIZE, &wait.handle, &resource), 0);
	ops = kvcalloc(s->count, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	ops[s->count - 1] = (struct virtgpu_mock_op){ VIRTGPU_MOCK_FILL, resource, 0x12345678 };
	args.bo_handles = test_client_memory(test, &wait.handle, sizeof(wait.handle));
	args.num_bo_handles = 1;
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, ops, s->count), 0);
	kvfree(ops);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);

	if (!virtgpu_mock_host_visible_has_memory(u->mock))
		kunit_skip(test, "no memory in the host-visible region on this machine");
	KUNIT_ASSERT_EQ(test, virtgpu_render_map(u, wait.handle, SIZE, &addr), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, addr + SIZE - 4), 0x12345678);
}

/* One submission is one command and one notification. */
static void one_command(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 1);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	unsigned int from, kicks, i;

	virtgpu_mock_wait_idle(u->mock);
	from = virtgpu_mock_log_pos(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nop, 1), 0);
		virtgpu_mock_wait_idle(u->mock);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock) - from, 10);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_kicks(u->mock, 0) - kicks, 10);
}

/*
 * A submission that uses all features, and the state that a failure must keep.
 */
struct full_submit {
	struct virtgpu_test_client *u;
	struct drm_virtgpu_execbuffer args;
	struct drm_virtgpu_execbuffer_syncobj in;
	struct drm_virtgpu_execbuffer_syncobj out[2];
	u32 bos[2];
	struct dma_fence *old_fence;
	int in_fd;
};

static int new_sync_file(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *file = sync_file_create(fence);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file->file);

	return fd;
}

static void full_submit_init(struct kunit *test, struct full_submit *a)
{
	u32 resource;

	memset(a, 0, sizeof(*a));
	a->u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 3);
	a->old_fence = dma_fence_get_stub();
	a->in.handle = virtgpu_render_syncobj(a->u, a->old_fence);
	a->in.flags = RESET;
	a->out[0].handle = virtgpu_render_syncobj(a->u, a->old_fence);
	a->out[1].handle = virtgpu_render_syncobj(a->u, NULL);
	a->out[1].point = 7;
	a->bos[0] = virtgpu_render_buffer(a->u, SIZE, &resource);
	a->bos[1] = test_client_dumb(a->u, 64, 48);
	a->in_fd = new_sync_file(test, a->old_fence);
	a->args = (struct drm_virtgpu_execbuffer) {
		.flags = RING | FENCE_IN | FENCE_OUT,
		.fence_fd = a->in_fd,
		.ring_idx = 1,
		.syncobj_stride = sizeof(a->in),
		.num_in_syncobjs = 1,
		.in_syncobjs = test_client_memory(test, &a->in, sizeof(a->in)),
		.num_out_syncobjs = 2,
		.out_syncobjs = test_client_memory(test, a->out, sizeof(a->out)),
		.num_bo_handles = 2,
		.bo_handles = test_client_memory(test, a->bos, sizeof(a->bos)),
		.size = sizeof(nop),
		.command = test_client_memory(test, &nop, sizeof(nop)),
	};
	virtgpu_mock_wait_idle(a->u->mock);
}

static void full_submit_fini(struct kunit *test, struct full_submit *a)
{
	KUNIT_EXPECT_EQ(test, close_fd(a->in_fd), 0);
	dma_fence_put(a->old_fence);
}

static unsigned int submit_deferred(struct virtgpu_test_client *u,
				    struct drm_virtgpu_execbuffer *args, u32 count)
{
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(u->mock)->ctrl;
	struct virtgpu_mock_op *ops = kvcalloc(count, sizeof(*ops), GFP_KERNEL);
	unsigned int before = READ_ONCE(ctrl->num_deferrable);

	KUNIT_ASSERT_NOT_NULL(u->test, ops);
	KUNIT_EXPECT_EQ(u->test, virtgpu_render_submit(u, args, ops, count), 0);
	kvfree(ops);

	return READ_ONCE(ctrl->num_deferrable) - before;
}

/* A small submission that nothing depends on takes no interrupt. */
static void submit_deferrable(struct kunit *test)
{
	/* Only the second ring has events. */
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 2);
	const u32 page = SZ_4K / sizeof(struct virtgpu_mock_op);
	struct drm_virtgpu_execbuffer_syncobj out = { };
	struct drm_virtgpu_execbuffer args = { };
	u32 handle, resource;

	handle = virtgpu_render_buffer(u, SIZE, &resource);
	out.handle = virtgpu_render_syncobj(u, NULL);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	test_hold_watchdog(&virtgpu_mock_vgdev(u->mock)->ctrl);
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 1);
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, page), 1);
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, page + 1), 0);
	args.flags = RING;
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 1);
	args.ring_idx = 1;
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 0);

	args = (struct drm_virtgpu_execbuffer){
		.num_bo_handles = 1,
		.bo_handles = test_client_memory(test, &handle, sizeof(handle)),
	};
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 0);
	args = (struct drm_virtgpu_execbuffer){
		.syncobj_stride = sizeof(out),
		.num_out_syncobjs = 1,
		.out_syncobjs = test_client_memory(test, &out, sizeof(out)),
	};
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 0);
	args = (struct drm_virtgpu_execbuffer){ .flags = FENCE_OUT };
	KUNIT_EXPECT_EQ(test, submit_deferred(u, &args, 1), 0);
	KUNIT_EXPECT_EQ(test, close_fd(args.fence_fd), 0);
	virtgpu_mock_release(u->mock, 0);
}

/* The next free file descriptor, or a negative errno. */
static int next_fd(void)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0)
		put_unused_fd(fd);

	return fd;
}

static void expect_fence(struct kunit *test, struct virtgpu_test_client *u, u32 handle,
			 const struct dma_fence *wanted)
{
	struct dma_fence *fence = virtgpu_render_syncobj_fence(u, handle);

	KUNIT_EXPECT_PTR_EQ(test, (const struct dma_fence *)fence, wanted);
	dma_fence_put(fence);
}

static bool is_idle(struct virtgpu_test_client *u, u32 handle)
{
	struct drm_virtgpu_3d_wait wait = {
		.handle = handle, .flags = VIRTGPU_WAIT_NOWAIT,
	};

	return !test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait);
}

/* The submission had no effect. */
static void expect_no_effect(struct kunit *test, struct full_submit *a, unsigned int submits,
			     int fd)
{
	virtgpu_mock_wait_idle(a->u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(a->u->mock, CMD(SUBMIT_3D)), submits);
	KUNIT_EXPECT_EQ(test, test_client_signals(a->u), 0);
	KUNIT_EXPECT_EQ(test, next_fd(), fd);
	expect_fence(test, a->u, a->in.handle, a->old_fence);
	expect_fence(test, a->u, a->out[0].handle, a->old_fence);
	expect_fence(test, a->u, a->out[1].handle, NULL);
	KUNIT_EXPECT_TRUE(test, is_idle(a->u, a->bos[0]));
	KUNIT_EXPECT_TRUE(test, is_idle(a->u, a->bos[1]));
	KUNIT_EXPECT_LE(test, virtgpu_mock_vgdev(a->u->mock)->ctrl.num_pending, 0);
}

/* The submission had all effects. */
static void expect_effects(struct kunit *test, struct full_submit *a,
			   const struct drm_virtgpu_execbuffer *args)
{
	struct dma_fence *fence = virtgpu_render_take_fd(test, args->fence_fd), *point;

	KUNIT_EXPECT_NE(test, args->fence_fd, a->in_fd);
	expect_fence(test, a->u, a->in.handle, NULL);
	expect_fence(test, a->u, a->out[0].handle, fence);
	point = virtgpu_render_syncobj_fence(a->u, a->out[1].handle);
	KUNIT_EXPECT_NOT_NULL(test, point);
	dma_fence_put(point);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, HZ), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_signals(a->u) == 1));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(a->u->mock, CMD(SUBMIT_3D)), 1);
	dma_fence_put(fence);
}

/* Invalid arguments. */
struct bad_args {
	const char *name;
	void (*mutate)(struct full_submit *a, struct drm_virtgpu_execbuffer *args);
	int ret;
};

/* An address that is not mapped, and a handle that does not exist. */
#define BAD_ADDRESS 16
#define BAD_HANDLE 4711

static void unknown_flag(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->flags |= 8;
}

static void invalid_ring(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->ring_idx = 2;
}

static void huge_ring(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->ring_idx = 0x80000000;
}

static void cmdbuf_address(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->command = BAD_ADDRESS;
}

static void cmdbuf_huge(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->size = SZ_16M + 4;
}

static void invalid_fd(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->fence_fd = -1;
}

static void bos_address(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->bo_handles = BAD_ADDRESS;
}

static void invalid_bo(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	u32 bos[2] = { a->bos[0], BAD_HANDLE };

	args->bo_handles = test_client_memory(a->u->test, bos, sizeof(bos));
}

static void many_bos(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_bo_handles = U32_MAX;
}

static void in_address(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->in_syncobjs = BAD_ADDRESS;
}

static void many_in(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_in_syncobjs = U32_MAX;
}

static void set_in(struct full_submit *a, struct drm_virtgpu_execbuffer *args, u32 handle,
		   u32 flags, u64 point)
{
	struct drm_virtgpu_execbuffer_syncobj in = { handle, flags, point };

	args->in_syncobjs = test_client_memory(a->u->test, &in, sizeof(in));
}

static void invalid_in(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	set_in(a, args, BAD_HANDLE, 0, 0);
}

static void in_flags(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	set_in(a, args, a->in.handle, 0x80, 0);
}

static void in_point(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	set_in(a, args, a->out[1].handle, 0, 9);
}

static void in_empty(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	set_in(a, args, a->out[1].handle, 0, 0);
}

static void out_address(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->out_syncobjs = BAD_ADDRESS;
}

static void many_out(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_out_syncobjs = U32_MAX;
}

static void invalid_out(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	struct drm_virtgpu_execbuffer_syncobj out[2] = { a->out[0], { .handle = BAD_HANDLE } };

	args->out_syncobjs = test_client_memory(a->u->test, out, sizeof(out));
}

static void out_flags(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	struct drm_virtgpu_execbuffer_syncobj out[2] = { a->out[0], a->out[1] };

	out[1].flags = RESET;
	args->out_syncobjs = test_client_memory(a->u->test, out, sizeof(out));
}

static void no_stride(struct full_submit *a, struct drm_virtgpu_execbuffer *args)
{
	args->syncobj_stride = 0;
}

static const struct bad_args bad_args[] = {
	{ "unknown flag", unknown_flag, -EINVAL },
	{ "invalid ring", invalid_ring, -EINVAL },
	{ "huge ring", huge_ring, -EINVAL },
	{ "command buffer at a bad address", cmdbuf_address, -EFAULT },
	{ "huge command buffer", cmdbuf_huge, -E2BIG },
	{ "invalid fence fd", invalid_fd, -EINVAL },
	{ "handles at a bad address", bos_address, -EFAULT },
	{ "invalid handle", invalid_bo, -ENOENT },
	{ "too many handles", many_bos, -E2BIG },
	{ "in-syncobjs at a bad address", in_address, -EFAULT },
	{ "too many in-syncobjs", many_in, -E2BIG },
	{ "invalid in-syncobj", invalid_in, -ENOENT },
	{ "in-syncobj with invalid flags", in_flags, -EINVAL },
	{ "in-syncobj with a future point", in_point, -EINVAL },
	{ "in-syncobj without a fence", in_empty, -EINVAL },
	{ "out-syncobjs at a bad address", out_address, -EFAULT },
	{ "too many out-syncobjs", many_out, -E2BIG },
	{ "invalid out-syncobj", invalid_out, -EINVAL },
	{ "out-syncobj with flags", out_flags, -EINVAL },
	{ "stride of 0", no_stride, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(bad_args, bad_args, name);

static void submit_bad_args(struct kunit *test)
{
	const struct bad_args *w = test->param_value;
	struct drm_virtgpu_execbuffer args;
	struct full_submit a;
	int fd;

	full_submit_init(test, &a);
	fd = next_fd();
	args = a.args;
	w->mutate(&a, &args);
	a.args.fence_fd = args.fence_fd;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args), w->ret);
	KUNIT_EXPECT_EQ(test, args.fence_fd, a.args.fence_fd);
	expect_no_effect(test, &a, 0, fd);

	/* The same submission succeeds with valid arguments. */
	args = a.args;
	args.fence_fd = a.in_fd;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args), 0);
	expect_effects(test, &a, &args);
	full_submit_fini(test, &a);
}

/* The process has no file descriptor left for the out-fence. */
static void no_fd(struct kunit *test)
{
	struct drm_virtgpu_execbuffer args;
	struct rlimit old;
	struct full_submit a;
	int fd;

	full_submit_init(test, &a);
	fd = next_fd();
	task_lock(current->group_leader);
	old = current->signal->rlim[RLIMIT_NOFILE];
	current->signal->rlim[RLIMIT_NOFILE].rlim_cur = 0;
	task_unlock(current->group_leader);
	args = a.args;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args), -EMFILE);
	task_lock(current->group_leader);
	current->signal->rlim[RLIMIT_NOFILE] = old;
	task_unlock(current->group_leader);
	KUNIT_EXPECT_EQ(test, args.fence_fd, a.in_fd);
	expect_no_effect(test, &a, 0, fd);
	full_submit_fini(test, &a);
}

/* Upper limit of the allocations of one submission. */
#define ALLOCS_MAX 500

/* Fail each allocation in turn, until a submission succeeds. */
static void each_alloc_fails(struct kunit *test)
{
	struct drm_virtgpu_execbuffer args;
	unsigned int nth, failures = 0;
	bool failed = true;
	struct full_submit a;
	int fd, ret;

	if (virtgpu_fault_init(test))
		return;
	full_submit_init(test, &a);
	fd = next_fd();
	for (nth = 1; failed && nth < ALLOCS_MAX; nth++) {
		args = a.args;
		virtgpu_fault_next(nth);
		ret = test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args);
		failed = virtgpu_fault_happened();
		if (!ret)
			break;
		KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		KUNIT_EXPECT_EQ_MSG(test, args.fence_fd, a.in_fd, "allocation %u", nth);
		expect_no_effect(test, &a, 0, fd);
		failures++;
	}
	KUNIT_EXPECT_LT(test, nth, ALLOCS_MAX);
	/*
	 * Command buffer, lists, message, fence, event, sync file, fence chain.
	 */
	KUNIT_EXPECT_GT(test, failures, 8);
	expect_effects(test, &a, &args);
	full_submit_fini(test, &a);
	kunit_info(test, "%u allocations\n", failures);
}

/*
 * Ordering
 */

/* Fences of one ring signal in order: the last one implies all others. */
static void order_on_a_ring(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct dma_fence *fence[3];
	unsigned int i;

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (i = 0; i < 3; i++)
		fence[i] = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 2));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[2]));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence[0]));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[1]));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[2]));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
}

/* Fences of different rings or contexts signal independently. */
static void order_across_rings(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 64, 0);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	struct dma_fence *fence[4];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, VIRTIO_GPU_CAPSET_VENUS, 1, 0), 0);
	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	fence[0] = virtgpu_render_fence(u, 0);
	fence[1] = virtgpu_render_fence(u, 63);
	fence[2] = virtgpu_render_fence(other, 0);
	fence[3] = virtgpu_render_fence(u, -1);
	virtgpu_mock_wait_idle(u->mock);
	for (i = 4; i--; ) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[i]));
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), i));
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence[i]));
	}
	for (i = 0; i < 4; i++)
		dma_fence_put(fence[i]);
}

/* Submissions without a ring index share one timeline across contexts. */
static void order_default_timeline(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_VIRGL, 0, 0);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	struct dma_fence *fence[2];

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	fence[0] = virtgpu_render_fence(u, -1);
	fence[1] = virtgpu_render_fence(other, -1);
	KUNIT_EXPECT_EQ(test, fence[0]->context, fence[1]->context);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[1]));
	virtgpu_mock_release_one(u->mock, CMD(SUBMIT_3D), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence[1]));
	dma_fence_put(fence[0]);
	dma_fence_put(fence[1]);
}

/* The command header has a ring index only if user space set one. */
static void order_on_the_wire(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 64, 0);
	static const int rings[] = { 0, 63, -1 };
	struct virtgpu_mock_log_entry e;
	unsigned int i, from;

	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		virtgpu_mock_wait_idle(u->mock);
		from = virtgpu_mock_log_pos(u->mock);
		dma_fence_put(virtgpu_render_fence(u, rings[i]));
		virtgpu_mock_wait_idle(u->mock);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_find(u->mock, from, CMD(SUBMIT_3D), &e));
		KUNIT_EXPECT_EQ(test, e.timeline, rings[i]);
		KUNIT_EXPECT_EQ(test, e.context, virtgpu_render_context(u));
	}
}

/* An error is set on one fence and held back until earlier fences signal. */
static void error_in_order(struct kunit *test)
{
	static const struct virtgpu_mock_op fail = { VIRTGPU_MOCK_FAIL };
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 1);
	struct drm_virtgpu_execbuffer args = { .flags = RING | FENCE_OUT };
	struct dma_fence *first, *bad, *last;
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .times = 1, .hold = true };

	virtgpu_mock_rule(u->mock, &rule);
	first = virtgpu_render_fence(u, 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &args, &fail, 1), 0);
	bad = virtgpu_render_take_fd(test, args.fence_fd);
	last = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(bad), 0);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(first), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(bad), -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(last), 1);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 3);
	dma_fence_put(first);
	dma_fence_put(bad);
	dma_fence_put(last);
}

/* The error is visible on the fence of the out-syncobj. */
static void error_on_syncobj(struct kunit *test)
{
	static const struct virtgpu_mock_op fail = { VIRTGPU_MOCK_FAIL };
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 1, 0);
	struct drm_virtgpu_execbuffer_syncobj out = { .handle = virtgpu_render_syncobj(u, NULL) };
	struct drm_virtgpu_execbuffer args = {
		.syncobj_stride = sizeof(out),
		.num_out_syncobjs = 1,
		.out_syncobjs = test_client_memory(test, &out, sizeof(out)),
	};
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &args, &fail, 1), 0);
	fence = virtgpu_render_syncobj_fence(u, out.handle);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, HZ), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	dma_fence_put(fence);
}

/*
 * The host completes a cross-domain poll when its compositor sends an event.
 * There is no timeout, no error, and exactly one DRM event.
 */
static void poll_ten_minutes(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .hold = true, .times = 1 };
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 2);
	struct virtgpu_vq *ctrl = &to_virtgpu(u->drm)->ctrl;
	struct dma_fence *poll, *fence;

	virtgpu_mock_rule(u->mock, &rule);
	poll = virtgpu_render_fence(u, 1);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_ticks(u->mock, VIRTGPU_MOCK_TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(poll));
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 0);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);

	/* Other rings are not blocked meanwhile. */
	fence = virtgpu_render_fence(u, 0);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, HZ), 0);
	dma_fence_put(fence);

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(poll), 1);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 1);
	dma_fence_put(poll);
	virtgpu_mock_ticks(u->mock, 4);
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 1);
}

/*
 * Waiting and buffers
 */

static int submit_behind(struct virtgpu_test_client *u, struct dma_fence *fence, u32 ring)
{
	struct drm_virtgpu_execbuffer args = {
		.flags = RING | FENCE_IN, .ring_idx = ring,
		.fence_fd = new_sync_file(u->test, fence),
	};
	int fd = args.fence_fd, ret = virtgpu_render_submit(u, &args, &nop, 1);

	KUNIT_EXPECT_EQ(u->test, close_fd(fd), 0);

	return ret;
}

/* An in-fence of the same ring is not waited for: the host keeps the order. */
static void wait_same_ring(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct dma_fence *fence;

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	fence = virtgpu_render_fence(u, 0);
	KUNIT_EXPECT_EQ(test, submit_behind(u, fence, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(u->mock, 0), 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

/* Signals a fence, or releases the held commands, after a delay. */
struct delayed_signal {
	struct delayed_work work;
	struct virtgpu_mock *mock;
	struct dma_fence *fence;
	bool done;
};

static void delayed_signal_work(struct work_struct *work)
{
	struct delayed_signal *l = container_of(to_delayed_work(work), struct delayed_signal, work);

	WRITE_ONCE(l->done, true);
	if (l->fence)
		dma_fence_signal(l->fence);
	else
		virtgpu_mock_release(l->mock, 0);
}

static void delayed_signal_start(struct delayed_signal *l)
{
	INIT_DELAYED_WORK_ONSTACK(&l->work, delayed_signal_work);
	schedule_delayed_work(&l->work, HZ / 20);
}

static void delayed_signal_finish(struct delayed_signal *l)
{
	flush_delayed_work(&l->work);
	destroy_delayed_work_on_stack(&l->work);
}

/* An in-fence of another ring is waited for. */
static void wait_other_ring(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .times = 1, .hold = true };
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct delayed_signal l = { .mock = u->mock };
	struct dma_fence *fence;

	virtgpu_mock_rule(u->mock, &rule);
	fence = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(u->mock);
	delayed_signal_start(&l);
	KUNIT_EXPECT_EQ(test, submit_behind(u, fence, 1), 0);
	KUNIT_EXPECT_TRUE(test, l.done);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	delayed_signal_finish(&l);
	dma_fence_put(fence);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(SUBMIT_3D)), 2);
}

/* A signal interrupts the wait, and nothing is submitted. */
static void wait_interrupted(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .times = 1, .hold = true };
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_DRM, 2, 0);
	struct dma_fence *fence;

	virtgpu_mock_rule(u->mock, &rule);
	fence = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(u->mock);
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	KUNIT_EXPECT_EQ(test, submit_behind(u, fence, 1), -ERESTARTSYS);
	flush_signals(current);
	disallow_signal(SIGUSR1);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(SUBMIT_3D)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	dma_fence_put(fence);
}

/* A submission waits for another device to write to an import. */
static void wait_for_writer(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_execbuffer args = { .num_bo_handles = 1 };
	struct delayed_signal l = { };
	u32 handle;

	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &handle), 0);
	args.bo_handles = test_client_memory(test, &handle, sizeof(handle));
	l.fence = test_client_add_write_fence(u, test_client_object(u, handle)->resv);
	delayed_signal_start(&l);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nop, 1), 0);
	KUNIT_EXPECT_TRUE(test, l.done);
	delayed_signal_finish(&l);
	dma_fence_put(l.fence);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(SUBMIT_3D)), 1);
}

/* Long jobs fill one file's share of the ring; other files render and flip. */
static void share_of_the_ring(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct virtgpu_test_client *other = test_client_open(test, m);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(m)->ctrl;
	struct virtgpu_client *client;
	struct drm_framebuffer *fb;
	struct dma_fence *fence;
	unsigned int n = 0, i;

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, VIRTIO_GPU_CAPSET_DRM, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, VIRTIO_GPU_CAPSET_DRM, 1, 0), 0);
	fb = test_client_new_fb(other, 64, 48);
	test_client_fill_pattern(other, fb, 3);
	KUNIT_ASSERT_EQ(test, test_client_show(other, 0, fb), 0);

	client = virtgpu_file_client(u->file);
	virtgpu_mock_hold(m, CMD(SUBMIT_3D));
	while (virtgpu_vq_has_room(ctrl, client) && n++ < 1000)
		dma_fence_put(virtgpu_render_fence(u, 0));
	KUNIT_EXPECT_GT(test, n, 10);
	KUNIT_EXPECT_LT(test, n, ctrl->ring_size);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(m, CMD(SUBMIT_3D)), n);

	fence = virtgpu_render_fence(other, 0);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(m, CMD(SUBMIT_3D)), n + 1);
	dma_fence_put(fence);
	for (i = 1; i <= 5; i++) {
		test_client_fill_pattern(other, fb, 3 + i);
		KUNIT_ASSERT_EQ(test, test_client_flip(other, 0, fb), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(other, 0) == i));
	}
	KUNIT_EXPECT_EQ(test, ctrl->stats.backlogged, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, 0), n + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_has_room(ctrl, client));
	KUNIT_EXPECT_EQ(test, virtgpu_file_client(other->file)->slots, 0);
}

/* Buffers are busy until the command completes; handles may be repeated. */
static void buffers_are_busy(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_VIRGL, 0, 0);
	struct drm_virtgpu_execbuffer args = { };
	u32 resource, bos[4];

	bos[0] = virtgpu_render_buffer(u, SIZE, &resource);
	bos[1] = test_client_dumb(u, 64, 48);
	bos[2] = bos[0];
	bos[3] = bos[0];
	args.num_bo_handles = ARRAY_SIZE(bos);
	args.bo_handles = test_client_memory(test, bos, sizeof(bos));
	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nop, 1), 0);
	KUNIT_EXPECT_FALSE(test, is_idle(u, bos[0]));
	KUNIT_EXPECT_FALSE(test, is_idle(u, bos[1]));
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_TRUE(test, is_idle(u, bos[0]));
	KUNIT_EXPECT_TRUE(test, is_idle(u, bos[1]));
}

/* A buffer that the host rejected fails the submission. */
static void buffer_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_VIRGL, 0, 0);
	struct drm_virtgpu_execbuffer args = { .num_bo_handles = 1 };
	u32 resource, handle;

	virtgpu_mock_reject(u->mock, CMD(RESOURCE_CREATE_3D), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	handle = virtgpu_render_buffer(u, SIZE, &resource);
	virtgpu_mock_wait_idle(u->mock);
	args.bo_handles = test_client_memory(test, &handle, sizeof(handle));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nop, 1), -ENOMEM);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(SUBMIT_3D)), 0);
}

static struct kunit_case submit_tests[] = {
	KUNIT_CASE_PARAM(submit_cmdbuf, cmdbuf_case_gen_params),
	KUNIT_CASE(one_command),
	KUNIT_CASE(submit_deferrable),
	KUNIT_CASE_PARAM(submit_bad_args, bad_args_gen_params),
	KUNIT_CASE(no_fd),
	KUNIT_CASE(each_alloc_fails),
	KUNIT_CASE(order_on_a_ring),
	KUNIT_CASE(order_across_rings),
	KUNIT_CASE(order_default_timeline),
	KUNIT_CASE(order_on_the_wire),
	KUNIT_CASE(error_in_order),
	KUNIT_CASE(error_on_syncobj),
	KUNIT_CASE(poll_ten_minutes),
	KUNIT_CASE(wait_same_ring),
	KUNIT_CASE(wait_other_ring),
	KUNIT_CASE(wait_interrupted),
	KUNIT_CASE(wait_for_writer),
	KUNIT_CASE(share_of_the_ring),
	KUNIT_CASE(buffers_are_busy),
	KUNIT_CASE(buffer_rejected),
	{}
};

static struct kunit_suite submit_suite = {
	.name = "virtio_gpu_submit",
	.test_cases = submit_tests,
};

kunit_test_suite(submit_suite);
