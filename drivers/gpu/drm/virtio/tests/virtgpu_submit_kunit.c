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
#include "virtgpu_test_client.h"

/* EXECBUFFER: what it does, in which order, and that it does nothing if it fails. */

#define SIZE 8192
#define RING VIRTGPU_EXECBUF_RING_IDX
#define FENCE_IN VIRTGPU_EXECBUF_FENCE_FD_IN
#define FENCE_OUT VIRTGPU_EXECBUF_FENCE_FD_OUT
#define RESET VIRTGPU_EXECBUF_SYNCOBJ_RESET

static const struct virtgpu_mock_op nothing = { VIRTGPU_MOCK_NOP };

/*
 * Streams
 */

struct stream {
	const char *name;
	u32 count;
	u64 features;
	unsigned int ring;
};

static const struct stream streams[] = {
	{ "one command", 1, VIRTGPU_MOCK_3D, 256 },
	{ "a page", 341, VIRTGPU_MOCK_3D, 256 },
	{ "some pages", 2000, VIRTGPU_MOCK_3D, 256 },
	{ "1 MiB", SZ_1M / 12, VIRTGPU_MOCK_3D, 256 },
	{ "1 MiB, ring of 16", SZ_1M / 12, VIRTGPU_MOCK_3D, 16 },
	{ "1 MiB, direct", SZ_1M / 12,
	  VIRTGPU_MOCK_3D & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 64 },
	{ "16 MiB", SZ_16M / 12, VIRTGPU_MOCK_3D, 256 },
};

KUNIT_ARRAY_PARAM_DESC(stream, streams, name);

/* It arrives whole: its last command is the one that does something. */
static void submit_stream(struct kunit *test)
{
	const struct stream *s = test->param_value;
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
		kunit_skip(test, "nothing is in the window on this machine");
	KUNIT_ASSERT_EQ(test, virtgpu_render_map(u, wait.handle, SIZE, &addr), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, addr + SIZE - 4), 0x12345678);
}

/* One submission is one command and one notification. */
static void costs(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 1, 1);
	struct drm_virtgpu_execbuffer args = { .flags = RING };
	unsigned int from, kicks, i;

	virtgpu_mock_wait_idle(u->mock);
	from = virtgpu_mock_log_pos(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nothing, 1), 0);
		virtgpu_mock_wait_idle(u->mock);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock) - from, 10);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_kicks(u->mock, 0) - kicks, 10);
}

/*
 * Failure
 */

/* A submission that wants everything, and what is to be as it was if it fails. */
struct all {
	struct virtgpu_test_client *u;
	struct drm_virtgpu_execbuffer args;
	struct drm_virtgpu_execbuffer_syncobj in;
	struct drm_virtgpu_execbuffer_syncobj out[2];
	u32 bos[2];
	struct dma_fence *before;
	struct dma_fence *last;
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

static void start_all(struct kunit *test, struct all *a)
{
	u32 resource;

	memset(a, 0, sizeof(*a));
	a->u = virtgpu_render_start(test, 6, 2, 3);
	a->before = dma_fence_get_stub();
	a->in.handle = virtgpu_render_syncobj(a->u, a->before);
	a->in.flags = RESET;
	a->out[0].handle = virtgpu_render_syncobj(a->u, a->before);
	a->out[1].handle = virtgpu_render_syncobj(a->u, NULL);
	a->out[1].point = 7;
	a->bos[0] = virtgpu_render_buffer(a->u, SIZE, &resource);
	a->bos[1] = test_client_dumb(a->u, 64, 48);
	a->in_fd = new_sync_file(test, a->before);
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
		.size = sizeof(nothing),
		.command = test_client_memory(test, &nothing, sizeof(nothing)),
	};
	virtgpu_mock_wait_idle(a->u->mock);
}

static void finish_all(struct kunit *test, struct all *a)
{
	KUNIT_EXPECT_EQ(test, close_fd(a->in_fd), 0);
	dma_fence_put(a->before);
}

/* Which number the next file would have, or 0 if there is none left. */
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

/* Nothing has come of it. */
static void expect_nothing(struct kunit *test, struct all *a, unsigned int submits,
			   int fd)
{
	virtgpu_mock_wait_idle(a->u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(a->u->mock, CMD(SUBMIT_3D)), submits);
	KUNIT_EXPECT_EQ(test, test_client_signals(a->u), 0);
	KUNIT_EXPECT_EQ(test, next_fd(), fd);
	expect_fence(test, a->u, a->in.handle, a->before);
	expect_fence(test, a->u, a->out[0].handle, a->before);
	expect_fence(test, a->u, a->out[1].handle, NULL);
	KUNIT_EXPECT_TRUE(test, is_idle(a->u, a->bos[0]));
	KUNIT_EXPECT_TRUE(test, is_idle(a->u, a->bos[1]));
	KUNIT_EXPECT_LE(test, virtgpu_mock_vgdev(a->u->mock)->ctrl.num_pending, 0);
}

/* All of it has happened. */
static void expect_all(struct kunit *test, struct all *a, const struct drm_virtgpu_execbuffer *args)
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

/* What programs do wrong. */
struct wrong {
	const char *name;
	void (*spoil)(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args);
	int ret;
};

#define NOWHERE 16

static void unknown_flag(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->flags |= 8;
}

static void no_such_ring(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->ring_idx = 2;
}

static void huge_ring(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->ring_idx = 0x80000000;
}

static void stream_nowhere(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->command = NOWHERE;
}

static void stream_huge(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->size = SZ_16M + 4;
}

static void no_such_fd(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->fence_fd = -1;
}

static void bos_nowhere(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->bo_handles = NOWHERE;
}

static void no_such_bo(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	u32 bos[2] = { a->bos[0], 4711 };

	args->bo_handles = test_client_memory(test, bos, sizeof(bos));
}

static void many_bos(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_bo_handles = U32_MAX;
}

static void in_nowhere(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->in_syncobjs = NOWHERE;
}

static void many_in(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_in_syncobjs = U32_MAX;
}

static void give_in(struct kunit *test, struct drm_virtgpu_execbuffer *args, u32 handle, u32 flags,
		    u64 point)
{
	struct drm_virtgpu_execbuffer_syncobj in = { handle, flags, point };

	args->in_syncobjs = test_client_memory(test, &in, sizeof(in));
}

static void no_such_in(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	give_in(test, args, 4711, 0, 0);
}

static void in_flags(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	give_in(test, args, a->in.handle, 0x80, 0);
}

static void in_point(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	give_in(test, args, a->out[1].handle, 0, 9);
}

static void in_empty(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	give_in(test, args, a->out[1].handle, 0, 0);
}

static void out_nowhere(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->out_syncobjs = NOWHERE;
}

static void many_out(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->num_out_syncobjs = U32_MAX;
}

static void no_such_out(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	struct drm_virtgpu_execbuffer_syncobj out[2] = { a->out[0], { .handle = 4711 } };

	args->out_syncobjs = test_client_memory(test, out, sizeof(out));
}

static void out_flags(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	struct drm_virtgpu_execbuffer_syncobj out[2] = { a->out[0], a->out[1] };

	out[1].flags = RESET;
	args->out_syncobjs = test_client_memory(test, out, sizeof(out));
}

static void no_stride(struct kunit *test, struct all *a, struct drm_virtgpu_execbuffer *args)
{
	args->syncobj_stride = 0;
}

static const struct wrong wrongs[] = {
	{ "unknown flag", unknown_flag, -EINVAL },
	{ "no such timeline", no_such_ring, -EINVAL },
	{ "huge timeline", huge_ring, -EINVAL },
	{ "stream from nowhere", stream_nowhere, -EFAULT },
	{ "huge stream", stream_huge, -E2BIG },
	{ "no such fence fd", no_such_fd, -EINVAL },
	{ "buffers from nowhere", bos_nowhere, -EFAULT },
	{ "no such buffer", no_such_bo, -ENOENT },
	{ "many buffers", many_bos, -E2BIG },
	{ "in from nowhere", in_nowhere, -EFAULT },
	{ "many in", many_in, -E2BIG },
	{ "no such in", no_such_in, -ENOENT },
	{ "in with flags", in_flags, -EINVAL },
	{ "in with a point to come", in_point, -EINVAL },
	{ "in without a fence", in_empty, -EINVAL },
	{ "out to nowhere", out_nowhere, -EFAULT },
	{ "many out", many_out, -E2BIG },
	{ "no such out", no_such_out, -EINVAL },
	{ "out with flags", out_flags, -EINVAL },
	{ "no stride", no_stride, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(wrong, wrongs, name);

static void submit_wrong(struct kunit *test)
{
	const struct wrong *w = test->param_value;
	struct drm_virtgpu_execbuffer args;
	struct all a;
	int fd;

	start_all(test, &a);
	fd = next_fd();
	args = a.args;
	w->spoil(test, &a, &args);
	a.args.fence_fd = args.fence_fd;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args), w->ret);
	KUNIT_EXPECT_EQ(test, args.fence_fd, a.args.fence_fd);
	expect_nothing(test, &a, 0, fd);

	if (a.last) {
		dma_fence_signal(a.last);
		dma_fence_put(a.last);
	}
	/* And what is right does all of it. */
	args = a.args;
	args.fence_fd = a.in_fd;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args), 0);
	expect_all(test, &a, &args);
	finish_all(test, &a);
}

/* No file descriptor is left: the last that can be asked of the process. */
static void no_fd(struct kunit *test)
{
	struct drm_virtgpu_execbuffer args;
	struct rlimit old;
	struct all a;
	int fd;

	start_all(test, &a);
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
	expect_nothing(test, &a, 0, fd);
	finish_all(test, &a);
}

/* More allocations than it makes. */
#define STEPS_MAX 500

/* Each allocation fails in turn; the first try that needs no more of them succeeds. */
static void each_step(struct kunit *test)
{
	struct drm_virtgpu_execbuffer args;
	unsigned int nth, refused = 0;
	bool failed = true;
	struct all a;
	int fd, ret;

	if (virtgpu_fault_init(test))
		return;
	start_all(test, &a);
	fd = next_fd();
	for (nth = 1; failed && nth < STEPS_MAX; nth++) {
		args = a.args;
		virtgpu_fault_next(nth);
		ret = test_client_ioctl(a.u, DRM_VIRTGPU_EXECBUFFER, &args);
		failed = virtgpu_fault_happened();
		if (!ret)
			break;
		KUNIT_EXPECT_EQ_MSG(test, ret, -ENOMEM, "allocation %u", nth);
		KUNIT_EXPECT_EQ_MSG(test, args.fence_fd, a.in_fd, "allocation %u", nth);
		expect_nothing(test, &a, 0, fd);
		refused++;
	}
	KUNIT_EXPECT_LT(test, nth, STEPS_MAX);
	/* Stream, lists, message, fence, event, sync file, a link of the timeline. */
	KUNIT_EXPECT_GT(test, refused, 8);
	expect_all(test, &a, &args);
	finish_all(test, &a);
	kunit_info(test, "%u refusals\n", refused);
}

/*
 * Order
 */

/* On a timeline: whoever knows that the last has signalled knows it of all. */
static void order_on_a_ring(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 1, 0);
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

/* Timelines do not wait for each other, nor do contexts. */
static void order_across_rings(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 64, 0);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	struct dma_fence *fence[4];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, 4, 1, 0), 0);
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

/* What names no timeline is on that of all contexts. */
static void order_of_all(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 1, 0, 0);
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

/* The wire says which timeline it is, and only if one was named. */
static void order_on_the_wire(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 64, 0);
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

/* An error is that of one fence, in its turn; those behind it know nothing of it. */
static void error_in_turn(struct kunit *test)
{
	static const struct virtgpu_mock_op fail = { VIRTGPU_MOCK_FAIL };
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 1, 1);
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

/* Who waits for a syncobj or a buffer hears of it, too. */
static void error_is_seen(struct kunit *test)
{
	static const struct virtgpu_mock_op fail = { VIRTGPU_MOCK_FAIL };
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 1, 0);
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
 * A cross-domain poll: the host responds when its compositor has something to say.  No
 * deadline, no error, and just one event.
 */
static void poll_ten_minutes(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .hold = true, .times = 1 };
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 2, 2);
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

	/* Meanwhile other timelines go on. */
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
 * Fences to wait for
 */

static int submit_behind(struct virtgpu_test_client *u, struct dma_fence *fence, u32 ring)
{
	struct drm_virtgpu_execbuffer args = {
		.flags = RING | FENCE_IN, .ring_idx = ring,
		.fence_fd = new_sync_file(u->test, fence),
	};
	int fd = args.fence_fd, ret = virtgpu_render_submit(u, &args, &nothing, 1);

	KUNIT_EXPECT_EQ(u->test, close_fd(fd), 0);

	return ret;
}

/* The host ends the fence of the same timeline first anyway: nobody waits for it. */
static void wait_same_ring(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 2, 0);
	struct dma_fence *fence;

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	fence = virtgpu_render_fence(u, 0);
	KUNIT_EXPECT_EQ(test, submit_behind(u, fence, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(u->mock, 0), 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

/* The event that a submission waits for, some time later. */
struct later {
	struct delayed_work work;
	struct virtgpu_mock *mock;
	struct dma_fence *fence;
	bool done;
};

static void later_work(struct work_struct *work)
{
	struct later *l = container_of(to_delayed_work(work), struct later, work);

	WRITE_ONCE(l->done, true);
	if (l->fence)
		dma_fence_signal(l->fence);
	else
		virtgpu_mock_release(l->mock, 0);
}

static void do_later(struct later *l)
{
	INIT_DELAYED_WORK_ONSTACK(&l->work, later_work);
	schedule_delayed_work(&l->work, HZ / 20);
}

static void end_later(struct later *l)
{
	flush_delayed_work(&l->work);
	destroy_delayed_work_on_stack(&l->work);
}

/* Of another timeline there is no such promise, so it is waited for. */
static void wait_other_ring(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .times = 1, .hold = true };
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 2, 0);
	struct later l = { .mock = u->mock };
	struct dma_fence *fence;

	virtgpu_mock_rule(u->mock, &rule);
	fence = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(u->mock);
	do_later(&l);
	KUNIT_EXPECT_EQ(test, submit_behind(u, fence, 1), 0);
	KUNIT_EXPECT_TRUE(test, l.done);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	end_later(&l);
	dma_fence_put(fence);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(SUBMIT_3D)), 2);
}

/* A signal ends the wait, and nothing was submitted. */
static void wait_interrupted(struct kunit *test)
{
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .times = 1, .hold = true };
	struct virtgpu_test_client *u = virtgpu_render_start(test, 6, 2, 0);
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

/* Another device paints a buffer that the submission names. */
static void wait_for_painter(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_execbuffer args = { .num_bo_handles = 1 };
	struct later l = { };
	u32 handle;

	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &handle), 0);
	args.bo_handles = test_client_memory(test, &handle, sizeof(handle));
	l.fence = test_client_add_write_fence(u, test_client_object(u, handle)->resv);
	do_later(&l);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nothing, 1), 0);
	KUNIT_EXPECT_TRUE(test, l.done);
	end_later(&l);
	dma_fence_put(l.fence);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(SUBMIT_3D)), 1);
}

/* One program's long jobs fill its share; others render, and frames are shown. */
static void share_of_the_ring(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_test_client *u = test_client_open(test, m), *other = test_client_open(test,
											     m);
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(m)->ctrl;
	struct virtgpu_client *client;
	struct drm_framebuffer *fb;
	struct dma_fence *fence;
	unsigned int n = 0, i;

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, 6, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, 6, 1, 0), 0);
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

/*
 * Buffers
 */

/* They are busy until the host has answered, however often they are named. */
static void buffers_are_busy(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 1, 0, 0);
	struct drm_virtgpu_execbuffer args = { };
	u32 resource, bos[4];

	bos[0] = virtgpu_render_buffer(u, SIZE, &resource);
	bos[1] = test_client_dumb(u, 64, 48);
	bos[2] = bos[0];
	bos[3] = bos[0];
	args.num_bo_handles = ARRAY_SIZE(bos);
	args.bo_handles = test_client_memory(test, bos, sizeof(bos));
	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nothing, 1), 0);
	KUNIT_EXPECT_FALSE(test, is_idle(u, bos[0]));
	KUNIT_EXPECT_FALSE(test, is_idle(u, bos[1]));
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_TRUE(test, is_idle(u, bos[0]));
	KUNIT_EXPECT_TRUE(test, is_idle(u, bos[1]));
}

/* One that the host would not make cannot be rendered to. */
static void buffer_refused(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 1, 0, 0);
	struct drm_virtgpu_execbuffer args = { .num_bo_handles = 1 };
	u32 resource, handle;

	virtgpu_mock_reject(u->mock, CMD(RESOURCE_CREATE_3D), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	handle = virtgpu_render_buffer(u, SIZE, &resource);
	virtgpu_mock_wait_idle(u->mock);
	args.bo_handles = test_client_memory(test, &handle, sizeof(handle));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, &nothing, 1), -ENOMEM);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(SUBMIT_3D)), 0);
}

static struct kunit_case submit_tests[] = {
	KUNIT_CASE_PARAM(submit_stream, stream_gen_params),
	KUNIT_CASE(costs),
	KUNIT_CASE_PARAM(submit_wrong, wrong_gen_params),
	KUNIT_CASE(no_fd),
	KUNIT_CASE(each_step),
	KUNIT_CASE(order_on_a_ring),
	KUNIT_CASE(order_across_rings),
	KUNIT_CASE(order_of_all),
	KUNIT_CASE(order_on_the_wire),
	KUNIT_CASE(error_in_turn),
	KUNIT_CASE(error_is_seen),
	KUNIT_CASE(poll_ten_minutes),
	KUNIT_CASE(wait_same_ring),
	KUNIT_CASE(wait_other_ring),
	KUNIT_CASE(wait_interrupted),
	KUNIT_CASE(wait_for_painter),
	KUNIT_CASE(share_of_the_ring),
	KUNIT_CASE(buffers_are_busy),
	KUNIT_CASE(buffer_refused),
	{}
};

static struct kunit_suite submit_suite = {
	.name = "virtio_gpu_submit",
	.test_cases = submit_tests,
};

kunit_test_suite(submit_suite);
