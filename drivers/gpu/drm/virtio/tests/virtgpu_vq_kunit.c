// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>
#include <drm/drm_rect.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_fence.h"
#include "virtgpu_msg.h"
#include "virtgpu_test_ring.h"

/* As in virtgpu_vq.c: pending messages of a congested queue. */
#define CONGESTED_THRESHOLD 2048

/* Watchdog periods in ten minutes. */
#define TEN_MINUTES (600 * HZ / VIRTGPU_WATCHDOG_PERIOD)

static void queue_many(struct test_ring *r, struct test_completion *done, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		virtgpu_vq_queue_msg(&r->q, test_msg(r->test, done ? &done[i] : NULL));
}

static struct dma_fence *queue_fenced(struct test_ring *r, struct test_completion *done,
				      struct virtgpu_timeline *tl)
{
	struct virtgpu_msg *msg = test_msg_fenced(r->test, done, tl);
	struct dma_fence *fence = dma_fence_get(&msg->fence->base);

	virtgpu_vq_queue_msg(&r->q, msg);

	return fence;
}

/* A private success code, as at least one host uses. */
#define RESP_OK_PRIVATE (VIRTIO_GPU_RESP_ERR_UNSPEC - 1)

#define HDR_SIZE sizeof(struct virtio_gpu_ctrl_hdr)

/*
 * Queueing
 */

static void chain(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_cmd_cursor cursor = { .resource = 1 };
	struct virtgpu_msg *msg;

	/* A request and its response. */
	queue_many(r, NULL, 1);
	KUNIT_ASSERT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, r->slots[0].type, VIRTIO_GPU_CMD_RESOURCE_UNREF);
	KUNIT_EXPECT_EQ(test, r->slots[0].request_size,
			sizeof(struct virtio_gpu_resource_unref));
	KUNIT_EXPECT_EQ(test, r->slots[0].segs, 0);
	KUNIT_EXPECT_EQ(test, r->slots[0].resp_size, HDR_SIZE);
	KUNIT_EXPECT_EQ(test, r->slots[0].descs, 2);

	/* A command with a larger response. */
	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_display_info));
	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_cmd_get_display_info(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].request_size, HDR_SIZE);
	KUNIT_EXPECT_EQ(test, r->slots[1].resp_size,
			sizeof(struct virtio_gpu_resp_display_info));

	/* A cursor command has no response. */
	msg = virtgpu_msg_alloc();
	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_cmd_move_cursor(msg, &cursor);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_ASSERT_EQ(test, r->count, 3);
	KUNIT_EXPECT_EQ(test, r->slots[2].request_size, sizeof(struct virtio_gpu_update_cursor));
	KUNIT_EXPECT_EQ(test, r->slots[2].resp_size, 0);
	KUNIT_EXPECT_EQ(test, r->slots[2].descs, 1);
	test_complete_all(r);
}

/* Lists of many lengths, in as many segments as the ring can carry. */
static const unsigned int payloads[] = { 1, 14, 256, 1000, 4096, 8100, 16384 };

static void payload_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u entries", *n);
}

KUNIT_ARRAY_PARAM(payload, payloads, payload_desc);

static void vq_payload(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	virtgpu_cmd_attach_backing(msg, 7, test_entries(test, *n, virtgpu_vq_max_segs(&r->q)));
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_ASSERT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, r->slots[0].type, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
	KUNIT_EXPECT_EQ(test, r->slots[0].payload_size,
			*n * sizeof(struct virtio_gpu_mem_entry));
	KUNIT_EXPECT_EQ(test, r->slots[0].descs, r->slots[0].segs + 2);
	KUNIT_EXPECT_LE(test, r->slots[0].descs, 16);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

static const unsigned int ring_sizes[] = { 16, 64, 256, 1024 };

static void size_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "ring of %u", *n);
}

KUNIT_ARRAY_PARAM(size, ring_sizes, size_desc);

/* The longest payload together with request and response fills the ring. */
static void max_segs(struct kunit *test)
{
	const unsigned int *size = test->param_value;
	struct test_ring *r = test_ring_create(test, *size);

	KUNIT_EXPECT_EQ(test, virtgpu_vq_max_segs(&r->q) + 2, *size);
}

/* Each command has its own counter. */
static void command_counters(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	unsigned int i;

	virtgpu_vq_queue_msg(&r->q, test_msg(test, NULL));
	virtgpu_vq_queue_msg(&r->q, test_msg(test, NULL));
	for (i = 0; i < VIRTGPU_NUM_CMDS; i++)
		KUNIT_EXPECT_EQ(test, r->q.stats.commands[i],
				i == VIRTGPU_CMD_RESOURCE_UNREF ? 2 : 0);
	test_complete_all(r);
}

/*
 * Completion
 */

struct resp_case {
	const char *name;
	u32 type;
	u32 used;
	int error;
};

static const struct resp_case resp_cases[] = {
	{ "success", VIRTIO_GPU_RESP_OK_NODATA, HDR_SIZE, 0 },
	{ "private success code", RESP_OK_PRIVATE, HDR_SIZE, 0 },
	{ "ERR_UNSPEC", VIRTIO_GPU_RESP_ERR_UNSPEC, HDR_SIZE, -EIO },
	{ "ERR_OUT_OF_MEMORY", VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, HDR_SIZE, -ENOMEM },
	{ "ERR_INVALID_SCANOUT_ID", VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, HDR_SIZE, -ENXIO },
	{ "ERR_INVALID_RESOURCE_ID", VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, HDR_SIZE, -ENOENT },
	{ "ERR_INVALID_CONTEXT_ID", VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, HDR_SIZE, -ENOENT },
	{ "ERR_INVALID_PARAMETER", VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, HDR_SIZE, -EINVAL },
	{ "short", VIRTIO_GPU_RESP_OK_NODATA, HDR_SIZE - 1, -EPROTO },
	{ "empty", VIRTIO_GPU_RESP_OK_NODATA, 0, -EPROTO },
	{ "oversized", VIRTIO_GPU_RESP_OK_NODATA, HDR_SIZE + 1, -EPROTO },
	{ "absurd length", VIRTIO_GPU_RESP_OK_NODATA, 0x80000000, -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(resp, resp_cases, name);

/* Callback, fence and waiter get the same result, once. */
static void exactly_once(struct kunit *test)
{
	const struct resp_case *c = test->param_value;
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {};
	struct dma_fence *fence;
	struct virtgpu_timeline tl;
	struct virtgpu_msg *msg;

	virtgpu_timeline_init(&tl, "test");
	msg = test_msg_fenced(test, &done, &tl);
	fence = dma_fence_get(&msg->fence->base);
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);

	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, done.calls, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	test_respond_raw(r, 0, &hdr, sizeof(hdr), c->used);
	KUNIT_EXPECT_EQ(test, done.calls, 0);
	test_interrupt(r);
	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, c->error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), c->error ?: 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), c->error);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_COMPLETED);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, c->error ? 1 : 0);

	/* Stopping the queue has nothing left to complete. */
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
	dma_fence_put(fence);
}

/* Without a waiter the message is freed at completion, with its fence. */
static void drops_reference(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct dma_fence *fence;
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, NULL, &tl);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_put(fence);
}

static void vq_order(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 64);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct virtgpu_msg *msg = test_msg(test, NULL);

		virtgpu_cmd_detach_backing(msg, 100 + i);
		virtgpu_vq_queue_msg(&r->q, msg);
	}
	KUNIT_ASSERT_EQ(test, r->count, 20);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, r->slots[i].request[HDR_SIZE], 100 + i);
	test_complete_all(r);
}

/* Each message gets its own response, in whatever order they arrive. */
static void out_of_order(struct kunit *test)
{
	static const unsigned int order[] = { 3, 0, 4, 2, 1 };
	static const struct {
		u32 type;
		int error;
	} resps[] = {
		{ VIRTIO_GPU_RESP_OK_NODATA, 0 },
		{ VIRTIO_GPU_RESP_ERR_UNSPEC, -EIO },
		{ VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, -ENOMEM },
		{ VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, -ENXIO },
		{ VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, -EINVAL },
	};
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done[5] = {};
	unsigned int order_counter = 0, i;

	for (i = 0; i < 5; i++)
		done[i].order_counter = &order_counter;
	queue_many(r, done, 5);
	for (i = 0; i < 5; i++)
		test_respond(r, order[i], resps[order[i]].type);
	test_interrupt(r);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, done[i].calls, 1);
		KUNIT_EXPECT_EQ(test, done[i].error, resps[i].error);
		KUNIT_EXPECT_EQ(test, done[order[i]].order, i + 1);
	}
}

struct batch_case {
	unsigned int messages;
	unsigned int kicks;
};

static const struct batch_case batch_cases[] = {
	{ 0, 0 }, { 1, 1 }, { 2, 1 }, { 3, 1 }, { 8, 1 }, { 48, 1 },
};

static void batch_desc(const struct batch_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u messages", c->messages);
}

KUNIT_ARRAY_PARAM(batch, batch_cases, batch_desc);

static void one_kick(struct kunit *test)
{
	const struct batch_case *c = test->param_value;
	struct test_ring *r = test_ring_create(test, 128);

	queue_many(r, NULL, c->messages);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	/* Without new messages there is no notification. */
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, c->kicks);
}

/* A response in the middle of a batch does not cause a notification. */
static void interrupt_in_batch(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	queue_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	queue_many(r, NULL, 2);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	queue_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 2);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 2);
	test_complete_all(r);
}

/* The host may suppress notifications, and enable them again. */
static void quiet_host(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 128);

	r->quiet = true;
	queue_many(r, NULL, 2);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->asked, 1);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 0);
	r->quiet = false;
	queue_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	test_complete_all(r);
}

/* Two of six fit; the others follow one by one, in order, with a kick each. */
static void backlog(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 4);
	struct test_completion done[6] = {};
	unsigned int order_counter = 0, i;

	for (i = 0; i < 6; i++)
		done[i].order_counter = &order_counter;
	queue_many(r, done, 6);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 6);
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 4);

	for (i = 0; i < 6; i++) {
		KUNIT_ASSERT_EQ(test, r->count, min(i + 2, 6U));
		test_complete(r, i, VIRTIO_GPU_RESP_OK_NODATA);
		KUNIT_EXPECT_EQ(test, done[i].calls, 1);
		KUNIT_EXPECT_EQ(test, done[i].order, i + 1);
		KUNIT_EXPECT_EQ(test, r->q.num_pending, 5 - i);
		KUNIT_EXPECT_EQ(test, r->kicks, 1 + min(i + 1, 4U));
	}
}

/*
 * Many responses in one interrupt make room for many messages, with one kick.
 */
static void backlog_one_kick(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	queue_many(r, NULL, 16);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->count, 8);
	test_respond_all(r, VIRTIO_GPU_RESP_OK_NODATA);
	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, r->count, 16);
	KUNIT_EXPECT_EQ(test, r->kicks, 2);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 2);
	test_complete_all(r);
}

/* A short message does not overtake a long one that waits for room. */
static void no_overtaking(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	/* 2 descriptors, then all descriptors but one, then 2. */
	queue_many(r, NULL, 1);
	virtgpu_cmd_attach_backing(msg, 1, test_entries(test, 13 * 4096, 13));
	KUNIT_ASSERT_GT(test, msg->payload->sgt.nents, 12);
	virtgpu_vq_queue_msg(&r->q, msg);
	queue_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_ASSERT_GE(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].type, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
	test_complete_all(r);
	KUNIT_ASSERT_EQ(test, r->count, 3);
	KUNIT_EXPECT_EQ(test, r->slots[2].type, VIRTIO_GPU_CMD_RESOURCE_UNREF);
}

static const int add_errors[] = { -ENOSPC, -ENOMEM, -EIO };

static void add_desc(const int *error, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%pe", ERR_PTR(*error));
}

KUNIT_ARRAY_PARAM(add, add_errors, add_desc);

/* While messages are in flight, a failed one is retried. */
static void add_fails_in_flight(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done[3] = {};

	queue_many(r, done, 1);
	r->add_error = *error;
	r->add_errors = 1;
	queue_many(r, done + 1, 2);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, done[1].calls, 0);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, r->count, 3);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, done[1].calls, 1);
	KUNIT_EXPECT_EQ(test, done[1].error, 0);
	KUNIT_EXPECT_EQ(test, done[2].calls, 1);
	KUNIT_EXPECT_EQ(test, done[2].error, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

/* A command that creates or shows something may fail. */
static struct virtgpu_msg *scanout_msg(struct kunit *test, struct test_completion *done)
{
	struct virtgpu_msg *msg = test_msg(test, done);
	const struct virtgpu_cmd_scanout scanout = {};

	virtgpu_cmd_set_scanout(msg, &scanout);

	return msg;
}

static void queue_scanouts(struct test_ring *r, struct test_completion *done, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		virtgpu_vq_queue_msg(&r->q, scanout_msg(r->test, &done[i]));
}

/* With an empty ring no response would retry, so the message fails at once. */
static void add_fails_alone(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {}, next = {};
	struct virtgpu_msg *msg = scanout_msg(test, &done);
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	msg->fence = virtgpu_fence_alloc(&tl);
	KUNIT_ASSERT_NOT_NULL(test, msg->fence);
	fence = dma_fence_get(&msg->fence->base);
	r->add_error = *error;
	r->add_errors = 1;
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, *error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), *error);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, 1);
	dma_fence_put(fence);

	queue_many(r, &next, 1);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, next.calls, 1);
	KUNIT_EXPECT_EQ(test, next.error, 0);
}

/* The head of the backlog fails in the interrupt; the rest goes on. */
static void add_fails_in_interrupt(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 2);
	struct test_completion done[3] = {};

	queue_scanouts(r, done, 3);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	r->add_error = *error;
	r->add_errors = 1;
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, done[0].error, 0);
	KUNIT_EXPECT_EQ(test, done[1].calls, 1);
	KUNIT_EXPECT_EQ(test, done[1].error, *error);
	KUNIT_EXPECT_EQ(test, done[2].calls, 0);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, done[2].calls, 1);
	KUNIT_EXPECT_EQ(test, done[2].error, 0);
}

/* A chain longer than the ring fails, and does not block later messages. */
static void too_long(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 4);
	struct test_completion done = {};
	struct virtgpu_msg *msg = test_msg(test, &done);

	virtgpu_cmd_attach_backing(msg, 1, test_entries(test, 4 * 4096, 1022));
	KUNIT_ASSERT_GT(test, msg->payload->sgt.nents, 2);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, -ENOSPC);
	queue_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	test_complete_all(r);
}

static void interrupt_alone(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 1);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_TRUE(test, r->interrupts_on);
}

static struct virtgpu_msg *flush_msg(struct kunit *test)
{
	struct drm_rect rect = DRM_RECT_INIT(0, 0, 64, 64);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	memset(&msg->request, 0, sizeof(msg->request));
	virtgpu_cmd_flush(msg, 1, &rect);
	msg->fenced = true;

	return msg;
}

static void queue_frame(struct test_ring *r, unsigned int n)
{
	struct virtgpu_msg *msgs[3];
	LIST_HEAD(completed);
	unsigned int i;

	for (i = 0; i < n - 1; i++)
		msgs[i] = test_msg(r->test, NULL);
	msgs[n - 1] = flush_msg(r->test);
	virtgpu_vq_queue_batch(&r->q, msgs, n, &completed);
	virtgpu_vq_complete_batch(&r->q, &completed);
}

/* A frame has one interrupt: that of its RESOURCE_FLUSH. */
static void interrupt_of_frame(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 64);
	unsigned int n;

	for (n = 2; n <= 3; n++) {
		queue_frame(r, n);
		KUNIT_EXPECT_EQ(test, r->interrupt_at, r->count);
		test_complete_all(r);
		KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);
	}

	/*
	 * Not if other messages are pending or queued before the flush
	 * completes.
	 */
	queue_many(r, NULL, 1);
	queue_frame(r, 3);
	KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);
	test_complete_all(r);
	queue_frame(r, 3);
	queue_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);

	/* Messages used by then are completed. */
	test_complete_all(r);
	queue_frame(r, 3);
	test_respond(r, r->count - 3, VIRTIO_GPU_RESP_OK_NODATA);
	queue_many(r, NULL, 1);
	flush_work(&r->q.drain);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 3);

	/* The watchdog completes messages used without an interrupt. */
	test_complete_all(r);
	queue_frame(r, 3);
	test_respond(r, r->count - 3, VIRTIO_GPU_RESP_OK_NODATA);
	test_respond(r, r->count - 2, VIRTIO_GPU_RESP_OK_NODATA);
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	test_complete_all(r);
}

static const unsigned int backlog_sizes[] = { 1, 3, 4, 5, 9, 40 };

static void drain_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u rounds", *n);
}

KUNIT_ARRAY_PARAM(drain, backlog_sizes, drain_desc);

/*
 * A host that responds as fast as the ring is read does not keep the processor
 * in the interrupt: a worker completes the rest, and the interrupt is enabled
 * again.
 */
static void vq_drain(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct test_ring *r = test_ring_create(test, 128);
	unsigned int i;

	r->per_round = 1;
	queue_many(r, NULL, *n);
	test_respond_all(r, VIRTIO_GPU_RESP_OK_NODATA);
	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, r->taken_here, min(*n, 4U));
	for (i = 0; i < 100 && READ_ONCE(r->q.num_pending); i++)
		flush_work(&r->q.drain);
	flush_work(&r->q.drain);
	KUNIT_EXPECT_EQ(test, r->taken, *n);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_TRUE(test, r->interrupts_on);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 1);
}

struct echo {
	struct test_ring *r;
	unsigned int left;
	unsigned int calls;
};

static void echo_done(struct virtgpu_msg *msg)
{
	struct echo *e = msg->priv;

	e->calls++;
	if (!e->left)
		return;

	e->left--;
	virtgpu_msg_reinit(msg);
	virtgpu_cmd_unref(msg, e->left);
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&e->r->q, msg);
}

/* A callback may queue its own message again. */
static void requeue(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct echo e = { .r = r, .left = 3 };
	struct virtgpu_msg *msg = test_msg(test, NULL);

	msg->priv = &e;
	msg->complete = echo_done;
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, e.calls, 4);
	KUNIT_EXPECT_EQ(test, r->count, 4);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
}

/* On a stopped queue such messages complete in the context of the caller. */
static void requeue_stopped(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct echo e = { .r = r, .left = 3 };
	struct virtgpu_msg *msg = test_msg(test, NULL);

	msg->priv = &e;
	msg->complete = echo_done;
	virtgpu_vq_queue_msg(&r->q, msg);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, e.calls, 4);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

/*
 * Timeouts
 */

/* Run the watchdog @n times. */
static void ticks(struct test_ring *r, unsigned int n)
{
	while (n--)
		flush_delayed_work(&r->q.watchdog);
}

static struct virtgpu_msg *submit_msg(struct kunit *test, size_t size)
{
	struct virtgpu_msg *msg = test_msg(test, NULL);

	memset(&msg->request, 0, sizeof(msg->request));
	virtgpu_cmd_submit_3d(msg, 1, virtgpu_mem_entries_alloc_bytes(size, 14));
	KUNIT_ASSERT_NOT_NULL(test, msg->payload);

	return msg;
}

static void count_wedged(struct virtgpu_vq *q)
{
	struct test_ring *r = container_of(q, struct test_ring, q);

	r->wedged++;
}

static struct virtgpu_msg *alloc_probe(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg =
		virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_display_info));

	if (msg)
		virtgpu_cmd_get_display_info(msg);

	return msg;
}

static struct test_ring *watched_ring(struct kunit *test, unsigned int size)
{
	struct test_ring *r = test_ring_create(test, size);

	r->q.on_wedged = count_wedged;
	r->q.alloc_probe = alloc_probe;

	return r;
}

static struct virtgpu_client *test_client(struct test_ring *r)
{
	struct virtgpu_client *client = virtgpu_client_alloc(0);

	KUNIT_ASSERT_NOT_NULL(r->test, client);

	return client;
}

static void queue_deferrable(struct test_ring *r, struct virtgpu_client *client, unsigned int n)
{
	struct virtgpu_msg *msg;

	while (n--) {
		msg = submit_msg(r->test, 64);
		msg->deferrable = true;
		virtgpu_msg_set_client(msg, client);
		virtgpu_vq_queue_msg(&r->q, msg);
	}
}

static void put_client(void *client)
{
	virtgpu_client_put(client);
}

struct deferral {
	struct test_ring *r;
	struct virtgpu_client *client;
};

static void run_watchdog(struct virtgpu_vq *q)
{
	flush_delayed_work(&q->watchdog);
	test_hold_watchdog(q);
}

/* Each message takes one of 64 descriptors. */
static struct deferral deferral_create(struct kunit *test)
{
	struct deferral d = { .r = watched_ring(test, 64) };

	d.r->q.indirect = true;
	d.client = test_client(d.r);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_client, d.client), 0);
	test_hold_watchdog(&d.r->q);

	return d;
}

/* The host returns the first @n messages that it has. */
static void use(struct test_ring *r, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < r->count && n; i++) {
		if (r->slots[i].state != TEST_SLOT_HELD)
			continue;
		test_respond(r, i, VIRTIO_GPU_RESP_OK_NODATA);
		test_interrupt_if_due(r);
		n--;
	}
	flush_work(&r->q.drain);
}

/* Messages that nothing depends on take no interrupt. */
static void deferrable_used(struct kunit *test)
{
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	queue_deferrable(r, d.client, 8);
	use(r, 8);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 8);
	KUNIT_EXPECT_EQ(test, r->enabled, 0);

	/* The one that fills an eighth of the ring has the others completed. */
	queue_deferrable(r, d.client, 1);
	flush_work(&r->q.drain);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	KUNIT_EXPECT_EQ(test, r->enabled, 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 0);

	/* The last ones are left to the watchdog. */
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	run_watchdog(&r->q);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 0);
	queue_many(r, NULL, 1);
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 1);
}

/* Clients without indirect descriptors keep their room. */
static void deferrable_direct(struct kunit *test)
{
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	r->q.indirect = false;
	queue_deferrable(r, d.client, 2);
	KUNIT_EXPECT_EQ(test, r->enabled, 0);
	queue_deferrable(r, d.client, 1);
	KUNIT_EXPECT_EQ(test, r->enabled, 1);
	test_complete_all(r);
}

static const unsigned int deferrable_counts[] = { 1, 2, 3, 4, 7 };

static void deferrable_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u messages", *n);
}

KUNIT_ARRAY_PARAM(deferrable, deferrable_counts, deferrable_desc);

/* Another message takes one interrupt, with used deferrable ones before it. */
static void deferrable_before(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	queue_deferrable(r, d.client, *n);
	use(r, *n);
	queue_many(r, NULL, 1);
	flush_work(&r->q.drain);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 0);
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 1);

	/* A frame as well. */
	queue_deferrable(r, d.client, *n);
	use(r, *n);
	queue_frame(r, 3);
	flush_work(&r->q.drain);
	use(r, 3);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, *n == 1 ? 2 : 3);
}

/* Its interrupt comes no later with deferrable ones behind it. */
static void deferrable_behind(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	queue_deferrable(r, d.client, 1);
	queue_many(r, NULL, 1);
	queue_deferrable(r, d.client, *n - 1);
	use(r, 2);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, *n - 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 1);
	test_complete_all(r);

	/* Nor after an interrupt for the ones before it. */
	queue_deferrable(r, d.client, 4);
	queue_many(r, NULL, 1);
	queue_deferrable(r, d.client, 1);
	use(r, 5);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	test_complete_all(r);

	/* Two other messages take an interrupt each. */
	queue_deferrable(r, d.client, 1);
	queue_many(r, NULL, 2);
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 2);
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	test_complete_all(r);
}

/*
 * A host that is slow with a deferrable message, or never returns it, delays
 * the response to others until the watchdog runs, once.
 */
static void deferrable_kept(struct kunit *test)
{
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	queue_deferrable(r, d.client, 1);
	queue_many(r, NULL, 1);
	test_respond(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	test_interrupt_if_due(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 2);
	run_watchdog(&r->q);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_deferrable, 0);

	queue_many(r, NULL, 1);
	test_respond(r, 2, VIRTIO_GPU_RESP_OK_NODATA);
	test_interrupt_if_due(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	/* And then has its own interrupt. */
	use(r, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.interrupts, 2);
}

/* A device that is reset has them all. */
static void deferrable_stopped(struct kunit *test)
{
	struct deferral d = deferral_create(test);
	struct test_ring *r = d.r;

	queue_deferrable(r, d.client, 2);
	use(r, 1);
	virtgpu_vq_stop(&r->q);
	queue_deferrable(r, d.client, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_deferrable, 0);

	/* The interrupt of a started virtqueue is enabled. */
	test_ring_start(r, 64);
	queue_deferrable(r, d.client, 1);
	KUNIT_EXPECT_FALSE(test, r->interrupts_on);
	test_complete_all(r);
}

struct release_case {
	const char *name;
	void (*fill)(struct virtgpu_msg *msg);
};

static void fill_unref(struct virtgpu_msg *msg)
{
	virtgpu_cmd_unref(msg, 1);
}

static void fill_detach_backing(struct virtgpu_msg *msg)
{
	virtgpu_cmd_detach_backing(msg, 1);
}

static void fill_ctx_destroy(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_destroy(msg, 1);
}

static void fill_ctx_detach(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_detach(msg, 1, 1);
}

static void fill_unmap_blob(struct virtgpu_msg *msg)
{
	virtgpu_cmd_unmap_blob(msg, 1);
}

static const struct release_case releases[] = {
	{ "RESOURCE_UNREF", fill_unref },
	{ "RESOURCE_DETACH_BACKING", fill_detach_backing },
	{ "CTX_DESTROY", fill_ctx_destroy },
	{ "CTX_DETACH_RESOURCE", fill_ctx_detach },
	{ "RESOURCE_UNMAP_BLOB", fill_unmap_blob },
};

static void release_desc(const struct release_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(release, releases, release_desc);

/*
 * The host keeps using memory and IDs until it gets these commands, so a ring
 * without memory only delays them, and what is queued behind them.
 */
static void release_add_fails(struct kunit *test)
{
	const struct release_case *c = test->param_value;
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done[2] = {};
	struct virtgpu_msg *msg = test_msg(test, &done[0]);

	c->fill(msg);
	r->add_error = -ENOMEM;
	r->add_errors = 3;
	virtgpu_vq_queue_msg(&r->q, msg);
	virtgpu_vq_queue_msg(&r->q, scanout_msg(test, &done[1]));
	ticks(r, 1);
	KUNIT_EXPECT_EQ(test, r->count, 0);
	KUNIT_EXPECT_EQ(test, done[0].calls, 0);
	KUNIT_EXPECT_EQ(test, done[1].calls, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 2);

	/* Without another call, the watchdog adds them, in order. */
	ticks(r, 1);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	KUNIT_EXPECT_EQ(test, r->slots[1].type, VIRTIO_GPU_CMD_SET_SCANOUT);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, done[0].calls, 1);
	KUNIT_EXPECT_EQ(test, done[0].error, 0);
	KUNIT_EXPECT_EQ(test, done[1].error, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, 0);
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
}

/* Responses that a reset overtakes are ignored; the messages end with it. */
static void response_during_reset(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done = {};

	queue_many(r, &done, 1);
	virtgpu_vq_begin_reset(&r->q);
	test_complete(r, 0, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	ticks(r, 2);
	KUNIT_EXPECT_EQ(test, done.calls, 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, 0);

	/* The next start takes responses again. */
	test_ring_start(r, 16);
	KUNIT_EXPECT_FALSE(test, r->q.resetting);
}

/* Only the end of the device completes a command that was never added. */
static void release_stopped(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done = {};

	r->add_error = -EIO;
	r->add_errors = TEN_MINUTES + 2;
	queue_many(r, &done, 1);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, done.calls, 0);
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, -ENODEV);
}

struct late_case {
	const char *name;
	u32 type;
	u32 used;
	int error;
};

static const struct late_case late_cases[] = {
	{ "success", VIRTIO_GPU_RESP_OK_NODATA, HDR_SIZE, 0 },
	{ "rejected", VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, HDR_SIZE, -ENOENT },
	{ "short", VIRTIO_GPU_RESP_OK_NODATA, 3, -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(late, late_cases, name);

/* A fence has no timeout: after ten minutes the response signals it, once. */
static void late_response(struct kunit *test)
{
	const struct late_case *c = test->param_value;
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, &done, &tl);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, done.calls, 0);

	test_respond_raw(r, 0, &hdr, sizeof(hdr), c->used);
	test_interrupt(r);
	ticks(r, 1);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, c->error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), c->error ?: 1);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	dma_fence_put(fence);
}

/* Without a response, a reset completes the message and signals its fence. */
static void never_completed(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, &done, &tl);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	dma_fence_put(fence);
}

/* Messages in the backlog do not time out either. */
static void backlog_waits(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct test_completion done[2] = {};
	struct dma_fence *fence[2];
	struct virtgpu_timeline tl;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 2; i++)
		fence[i] = queue_fenced(r, &done[i], &tl);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	ticks(r, TEN_MINUTES);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 0);
		KUNIT_EXPECT_EQ(test, done[i].calls, 0);
	}
	/* When the device responds again, both commands complete in order. */
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, r->count, 2);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, done[i].calls, 1);
		KUNIT_EXPECT_EQ(test, done[i].error, 0);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
}

/* No response for ten seconds to a command that hosts respond to at once. */
static void vq_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct virtgpu_msg *rejected = test_msg(test, NULL);

	queue_many(r, NULL, 2);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	ticks(r, 2);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -EIO);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, rejected), -EIO);
	KUNIT_EXPECT_EQ(test, r->count, 3);
	virtgpu_msg_put(rejected);

	/* An unresponsive device is reported once. */
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, r->wedged, 1);

	test_complete(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);
	test_complete_all(r);

	queue_many(r, NULL, 1);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 2);

	/* A restarted queue is not wedged. */
	virtgpu_vq_stop(&r->q);
	test_ring_start(r, 16);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
}

/* A frame held by the display is no error, whatever is queued behind it. */
static void vq_held(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	queue_many(r, NULL, 3);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);

	/* The ten seconds begin when the flush completes. */
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	ticks(r, 2);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
}

/* Responses to earlier commands do not make a later one skipped. */
static void wedged_after_progress(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	queue_many(r, NULL, 2);
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	ticks(r, 1);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* A flush that later commands overtake does not hide an unresponsive device. */
static void flush_overtaken(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);

	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	queue_many(r, NULL, 1);
	ticks(r, 2);
	test_complete(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, 2);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	queue_many(r, NULL, 1);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	test_complete_all(r);
}

/* With a renderer the flush may complete while the display holds the frame. */
static void held_renderer(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	r->q.renders = true;
	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	queue_many(r, NULL, 2);
	test_complete(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));

	/*
	 * Rendering may complete meanwhile; other commands only after the hold.
	 */
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	test_complete(r, 2, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* Rendering has no time limit while the device responds to probes behind it. */
static void long_job(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);
	unsigned int i, n;

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	for (i = 0; i < TEN_MINUTES / 10; i++) {
		ticks(r, 1);
		for (n = 1; n < r->count; n++)
			if (r->slots[n].state == TEST_SLOT_HELD)
				test_complete(r, n, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	}
	KUNIT_EXPECT_GT(test, r->q.stats.probes, 10);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	KUNIT_EXPECT_EQ(test, r->slots[0].state, TEST_SLOT_HELD);

	/*
	 * A probe without a response for ten seconds makes the device wedged.
	 */
	ticks(r, 2 * VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* A probe that the host skips does not count, and another one is sent. */
static void long_job_probe_skipped(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_ASSERT_EQ(test, r->q.stats.probes, 1);
	queue_many(r, NULL, 1);
	test_complete(r, 2, VIRTIO_GPU_RESP_OK_NODATA);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 2);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 1);
	KUNIT_ASSERT_EQ(test, r->q.stats.probes, 2);
	test_complete(r, 3, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 3);
	/* A late response to the first probe does not answer for the third. */
	test_complete(r, 1, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	KUNIT_EXPECT_NOT_NULL(test, r->q.probe);
}

/* A frame held between the job and the probe makes the probe meaningless. */
static void long_job_held(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 1);
}

/* With a renderer, fenced commands wait for earlier rendering. */
static void fenced_renders(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	r->q.renders = true;
	dma_fence_put(queue_fenced(r, NULL, &tl));
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
}

/* While only rendering is pending the watchdog runs less often. */
static void relaxed(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->q.ticks, 1);
	ticks(r, 1);
	KUNIT_EXPECT_GT(test, r->q.ticks, 1);
	queue_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->q.ticks, 1);
}

/* If the host skips a command, only the waiter of that command returns. */
static void skipped_command(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);
	struct virtgpu_msg *msg = test_msg(test, NULL);
	unsigned int i;

	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	for (i = 0; i < VIRTGPU_UNRESPONSIVE_TICKS + 1; i++) {
		queue_many(r, NULL, 1);
		test_complete(r, i + 1, VIRTIO_GPU_RESP_OK_NODATA);
		ticks(r, 1);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);

	/* The response may still arrive. */
	test_complete(r, 0, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ENOMEM);
	virtgpu_msg_put(msg);
}

/* The watchdog ignores completed messages. */
static void watchdog_idle(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, NULL, &tl);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&r->q.watchdog));
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	/* The watchdog stops while nothing is pending. */
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));
	dma_fence_put(fence);
}

/* Waiters return when the device becomes wedged, and later ones at once. */
static void wait_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion done = {};
	struct virtgpu_msg *msg = test_msg(test, &done), *late = test_msg(test, NULL);

	virtgpu_msg_get(msg);
	virtgpu_msg_get(late);
	virtgpu_vq_queue_msg(&r->q, msg);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	virtgpu_vq_queue_msg(&r->q, late);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, late), -ETIMEDOUT);
	virtgpu_msg_put(late);

	test_complete(r, 0, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ENOMEM);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	virtgpu_msg_put(msg);
	test_complete_all(r);
}

/* After a waiter was killed the response buffer stays allocated. */
static void wait_killed(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {};
	struct virtgpu_msg *msg = test_msg(test, &done);

	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	/*
	 * Kernel threads, such as the test thread, ignore signals by default.
	 */
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -EINTR);
	flush_signals(current);
	disallow_signal(SIGKILL);
	virtgpu_msg_put(msg);
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
}

/* Queue jobs of a client while the client has room; returns their number. */
static unsigned int fill_share(struct test_ring *r, struct virtgpu_client *client)
{
	struct virtgpu_msg *msg;
	unsigned int n = 0;

	while (virtgpu_vq_has_room(&r->q, client) && n < TEST_RING_MAX) {
		msg = submit_msg(r->test, 64);
		virtgpu_msg_set_client(msg, client);
		virtgpu_vq_queue_msg(&r->q, msg);
		n++;
	}

	return n;
}

static const unsigned int share_rings[] = { 16, 64, 256, 512 };

static void share_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "ring of %u", *n);
}

KUNIT_ARRAY_PARAM(share, share_rings, share_desc);

/* However much some clients have pending, others and the display find room. */
static void shares(struct kunit *test)
{
	const unsigned int *size = test->param_value;
	struct test_ring *r = watched_ring(test, *size);
	struct virtgpu_client *clients[3];
	unsigned int i, before;

	for (i = 0; i < 3; i++) {
		clients[i] = test_client(r);
		KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, clients[i]), 0);
		KUNIT_EXPECT_GE(test, fill_share(r, clients[i]), 1);
		KUNIT_EXPECT_LE(test, r->q.client_slots, *size - *size / 4 + 2);
	}
	/*
	 * Callers without a client find room too, except in the smallest ring.
	 */
	KUNIT_EXPECT_EQ(test, virtgpu_vq_has_room(&r->q, NULL), *size > 16);
	/* Neither the jobs nor a frame wait for ring space. */
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 0);
	before = r->count;
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	KUNIT_EXPECT_EQ(test, r->count, before + 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 0);

	test_complete_all(r);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, clients[i]->slots, 0);
		KUNIT_EXPECT_EQ(test, clients[i]->bytes, 0);
		KUNIT_EXPECT_EQ(test, refcount_read(&clients[i]->ref), 1);
		virtgpu_client_put(clients[i]);
	}
	KUNIT_EXPECT_EQ(test, r->q.client_slots, 0);
}

/* With indirect descriptors a chain of any length takes one descriptor. */
static void share_indirect(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);
	struct virtgpu_client *client = test_client(r);
	struct virtgpu_msg *msg = submit_msg(test, 64);

	virtgpu_msg_set_client(msg, client);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, client->slots, 3);
	r->q.indirect = true;
	msg = submit_msg(test, 64);
	virtgpu_msg_set_client(msg, client);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, client->slots, 4);
	/* The accounting subtracts what was added at queueing. */
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, client->slots, 0);
	virtgpu_client_put(client);
}

/* Few large jobs are bounded like many small jobs. */
static void share_bytes(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);
	struct virtgpu_client *client = test_client(r), *other = test_client(r);
	unsigned int n = 0;

	while (virtgpu_vq_has_room(&r->q, client) && n < 100) {
		struct virtgpu_msg *msg = submit_msg(test, SZ_8M);

		virtgpu_msg_set_client(msg, client);
		virtgpu_vq_queue_msg(&r->q, msg);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, VIRTGPU_CLIENT_BYTES / SZ_8M);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, other), 0);
	test_complete_all(r);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_has_room(&r->q, client));
	virtgpu_client_put(client);
	virtgpu_client_put(other);
}

/* Fences of a destroyed context are cancelled after ten seconds. */
static void client_closed(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);
	struct virtgpu_client *client = test_client(r);
	struct test_completion done = {};
	struct dma_fence *fence, *other;
	struct virtgpu_timeline tl;
	struct virtgpu_msg *msg;

	virtgpu_timeline_init(&tl, "test");
	msg = test_msg_fenced(test, &done, &tl);
	virtgpu_msg_set_client(msg, client);
	fence = dma_fence_get(&msg->fence->base);
	virtgpu_vq_queue_msg(&r->q, msg);
	r->q.renders = true;
	other = queue_fenced(r, NULL, &tl);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	virtgpu_vq_close_client(&r->q, client);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	ticks(r, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(other));
	KUNIT_EXPECT_EQ(test, done.calls, 0);

	/* The message keeps its memory until the device has used it. */
	test_complete(r, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	test_complete_all(r);
	dma_fence_put(fence);
	dma_fence_put(other);
	virtgpu_client_put(client);
}

/*
 * Stopped queues and broken devices
 */

static void not_started(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 0);
	struct test_completion done = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, &done, &tl);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -ENODEV);
	dma_fence_put(fence);
}

/* All queued messages fail in order: those in the ring, then the backlog. */
static void vq_stop(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 6);
	struct test_completion done[7] = {};
	struct dma_fence *fence[7];
	struct virtgpu_timeline tl;
	unsigned int order_counter = 0, i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 7; i++) {
		done[i].order_counter = &order_counter;
		fence[i] = queue_fenced(r, &done[i], &tl);
	}
	KUNIT_ASSERT_EQ(test, r->count, 3);
	/*
	 * The device has responded, but without an interrupt before the reset.
	 */
	test_respond(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	virtgpu_vq_stop(&r->q);

	KUNIT_EXPECT_EQ(test, r->detached, 3);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	for (i = 0; i < 7; i++) {
		KUNIT_EXPECT_EQ(test, done[i].calls, 1);
		KUNIT_EXPECT_EQ(test, done[i].error, -ENODEV);
		KUNIT_EXPECT_EQ(test, done[i].order, i + 1);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), -ENODEV);
		dma_fence_put(fence[i]);
	}
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));

	/* Later calls have no effect. */
	test_interrupt(r);
	virtgpu_vq_kick(&r->q);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, order_counter, 7);
}

static void queue_stopped(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {};
	struct virtgpu_msg *msg;

	virtgpu_vq_stop(&r->q);
	msg = test_msg(test, &done);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, msg), -ENODEV);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, r->count, 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));
	virtgpu_msg_put(msg);
}

/* After a restart fence IDs and sequence numbers continue. */
static void restart(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	dma_fence_put(queue_fenced(r, NULL, &tl));
	virtgpu_vq_stop(&r->q);
	test_ring_start(r, 16);
	fence = queue_fenced(r, &done, &tl);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].fence_id, 2);
	KUNIT_EXPECT_EQ(test, fence->seqno, 2);
	test_complete(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, done.error, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

static const unsigned int in_flight_counts[] = { 0, 1, 5 };

static void in_flight_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u in flight", *n);
}

KUNIT_ARRAY_PARAM(in_flight, in_flight_counts, in_flight_desc);

/* New messages to a broken device fail at once. */
static void broken(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion old[5] = {}, new = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	queue_many(r, old, *n);
	r->dead = true;
	fence = queue_fenced(r, &new, &tl);
	KUNIT_EXPECT_EQ(test, new.calls, 1);
	KUNIT_EXPECT_EQ(test, new.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, *n);
	dma_fence_put(fence);

	/* Messages in flight may be accessed by the device until the reset. */
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, old[i].calls, 0);
	virtgpu_vq_stop(&r->q);
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, old[i].calls, 1);
	KUNIT_EXPECT_EQ(test, new.calls, 1);
}

/* The watchdog detects a broken device in its next run. */
static void broken_in_flight(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion done = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = queue_fenced(r, &done, &tl);
	queue_many(r, NULL, 1);
	/* The last response. */
	test_complete(r, 1, VIRTIO_GPU_RESP_OK_NODATA);
	r->dead = true;
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -EIO);
	/* The device may access the memory until the reset. */
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, done.calls, 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, done.calls, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	dma_fence_put(fence);
}

/* A host that runs beside the test, some time after each notification. */
struct host {
	struct delayed_work work;
	struct test_ring *r;
	bool dies;
	bool silent;
};

static struct host *host_of(struct test_ring *r)
{
	return r->test->priv;
}

static void host_work(struct work_struct *work)
{
	struct host *h = container_of(to_delayed_work(work), struct host, work);

	if (h->dies)
		virtgpu_vq_stop(&h->r->q);
	else if (!h->silent)
		test_complete_all(h->r);
}

static void host_wakes(struct test_ring *r)
{
	schedule_delayed_work(&host_of(r)->work, msecs_to_jiffies(30));
}

static void host_stop(void *data)
{
	struct host *h = data;

	cancel_delayed_work_sync(&h->work);
}

static struct host *host_create(struct test_ring *r)
{
	struct host *h = kunit_kzalloc(r->test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(r->test, h);
	h->r = r;
	INIT_DELAYED_WORK(&h->work, host_work);
	r->test->priv = h;
	r->on_kick = host_wakes;
	KUNIT_ASSERT_EQ(r->test, kunit_add_action_or_reset(r->test, host_stop, h), 0);

	return h;
}

static void send_sync(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	host_create(r);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, msg), 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
}

static void send_sync_dies(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	host_create(r)->dies = true;
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, msg), -ENODEV);
	virtgpu_msg_put(msg);
}

/* Below its share a client does not wait, and the device is not notified. */
static void throttle_below(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_client *client = test_client(r);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), 0);
	virtgpu_msg_set_client(msg, client);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	test_complete_all(r);
	virtgpu_client_put(client);
}

/* Beyond its share a client notifies the device and waits for responses. */
static void throttle_waits(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_client *client = test_client(r);

	host_create(r);
	fill_share(r, client);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), 0);
	KUNIT_EXPECT_GE(test, r->kicks, 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_has_room(&r->q, client));
	virtgpu_client_put(client);
}

static void fill_deferrable(struct test_ring *r, struct virtgpu_client *client, bool indirect)
{
	r->q.indirect = indirect;
	while (virtgpu_vq_has_room(&r->q, client))
		queue_deferrable(r, client, 1);
	KUNIT_EXPECT_TRUE(r->test, r->interrupts_on);
	KUNIT_EXPECT_LE(r->test, r->interrupt_at, r->taken + 1);
	test_complete_all(r);
}

/* A client that has no room does not wait for the watchdog. */
static void throttle_deferrable(struct kunit *test)
{
	const unsigned int *size = test->param_value;
	struct test_ring *r = test_ring_create(test, *size);
	struct virtgpu_client *client = test_client(r);

	fill_deferrable(r, client, false);
	fill_deferrable(r, client, true);
	virtgpu_client_put(client);
}

static void congested(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	queue_many(r, NULL, CONGESTED_THRESHOLD - 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_congested(&r->q));
	queue_many(r, NULL, 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_congested(&r->q));
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_congested(&r->q));
}

static void throttle_dies(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_client *client = test_client(r);

	host_create(r)->dies = true;
	fill_share(r, client);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), -ENODEV);
	virtgpu_client_put(client);
}

static void throttle_killed(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_client *client = test_client(r);

	host_create(r)->silent = true;
	fill_share(r, client);
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), -EINTR);
	flush_signals(current);
	disallow_signal(SIGKILL);
	test_complete_all(r);
	virtgpu_client_put(client);
}

/* Throttling ends when the device becomes wedged. */
static void throttle_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);
	struct virtgpu_client *client = test_client(r);

	host_create(r)->silent = true;
	/* Skip the time until the probe, and most of the time behind it. */
	r->q.stalled = 2 * VIRTGPU_UNRESPONSIVE_TICKS - 2;
	fill_share(r, client);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), -EIO);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	test_complete_all(r);
	virtgpu_client_put(client);
}

static void vq_panic(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msgs[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		msgs[i] = test_msg(test, NULL);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_panic_send(&r->q, msgs, 3));
	KUNIT_EXPECT_EQ(test, r->count, 3);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_PTR_EQ(test, r->slots[i].msg, msgs[i]);
		virtgpu_msg_put(msgs[i]);
	}
}

/* Without room in the ring the messages wait in the backlog. */
static void panic_full(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct virtgpu_msg *msg = test_msg(test, NULL);
	unsigned int count;

	queue_many(r, NULL, 1);
	count = r->count;
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_panic_send(&r->q, &msg, 1));
	KUNIT_EXPECT_EQ(test, r->count, count);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 2);
	test_complete_all(r);
	KUNIT_EXPECT_EQ(test, r->count, count + 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_COMPLETED);
	virtgpu_msg_put(msg);
}

static void panic_stopped(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_panic_send(&r->q, &msg, 1));
	KUNIT_EXPECT_EQ(test, r->count, 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_RESERVED);
	virtgpu_msg_put(msg);
}

static void panic_locked(struct kunit *test)
{
	struct test_ring *r;
	struct virtgpu_msg *msg;
	unsigned long flags;
	bool sent;

	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "spinlocks are not contended without SMP");

	r = test_ring_create(test, 16);
	msg = test_msg(test, NULL);
	spin_lock_irqsave(&r->q.lock, flags);
	sent = virtgpu_vq_panic_send(&r->q, &msg, 1);
	spin_unlock_irqrestore(&r->q.lock, flags);
	KUNIT_EXPECT_FALSE(test, sent);
	KUNIT_EXPECT_EQ(test, r->count, 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	virtgpu_msg_put(msg);
}

static struct kunit_case queue_tests[] = {
	KUNIT_CASE(chain),
	KUNIT_CASE_PARAM(vq_payload, payload_gen_params),
	KUNIT_CASE_PARAM(max_segs, size_gen_params),
	KUNIT_CASE(command_counters),
	KUNIT_CASE_PARAM(exactly_once, resp_gen_params),
	KUNIT_CASE(drops_reference),
	KUNIT_CASE(vq_order),
	KUNIT_CASE(out_of_order),
	KUNIT_CASE_PARAM(one_kick, batch_gen_params),
	KUNIT_CASE(interrupt_in_batch),
	KUNIT_CASE(quiet_host),
	KUNIT_CASE(backlog),
	KUNIT_CASE(backlog_one_kick),
	KUNIT_CASE(no_overtaking),
	KUNIT_CASE_PARAM(add_fails_in_flight, add_gen_params),
	KUNIT_CASE_PARAM(add_fails_alone, add_gen_params),
	KUNIT_CASE_PARAM(add_fails_in_interrupt, add_gen_params),
	KUNIT_CASE_PARAM(release_add_fails, release_gen_params),
	KUNIT_CASE(response_during_reset),
	KUNIT_CASE(release_stopped),
	KUNIT_CASE(too_long),
	KUNIT_CASE(interrupt_alone),
	KUNIT_CASE(interrupt_of_frame),
	KUNIT_CASE(deferrable_used),
	KUNIT_CASE(deferrable_direct),
	KUNIT_CASE_PARAM(deferrable_before, deferrable_gen_params),
	KUNIT_CASE_PARAM(deferrable_behind, deferrable_gen_params),
	KUNIT_CASE(deferrable_kept),
	KUNIT_CASE(deferrable_stopped),
	KUNIT_CASE_PARAM(vq_drain, drain_gen_params),
	KUNIT_CASE(requeue),
	KUNIT_CASE(requeue_stopped),
	KUNIT_CASE_PARAM(late_response, late_gen_params),
	KUNIT_CASE(never_completed),
	KUNIT_CASE(backlog_waits),
	KUNIT_CASE(vq_wedged),
	KUNIT_CASE(vq_held),
	KUNIT_CASE(wedged_after_progress),
	KUNIT_CASE(flush_overtaken),
	KUNIT_CASE(held_renderer),
	KUNIT_CASE(long_job),
	KUNIT_CASE(long_job_probe_skipped),
	KUNIT_CASE(long_job_held),
	KUNIT_CASE(fenced_renders),
	KUNIT_CASE(relaxed),
	KUNIT_CASE(skipped_command),
	KUNIT_CASE(watchdog_idle),
	KUNIT_CASE(wait_wedged),
	KUNIT_CASE(wait_killed),
	KUNIT_CASE_PARAM(shares, share_gen_params),
	KUNIT_CASE(share_indirect),
	KUNIT_CASE(share_bytes),
	KUNIT_CASE(client_closed),
	KUNIT_CASE(not_started),
	KUNIT_CASE(vq_stop),
	KUNIT_CASE(queue_stopped),
	KUNIT_CASE(restart),
	KUNIT_CASE_PARAM(broken, in_flight_gen_params),
	KUNIT_CASE(broken_in_flight),
	KUNIT_CASE(send_sync),
	KUNIT_CASE(send_sync_dies),
	KUNIT_CASE(throttle_below),
	KUNIT_CASE(throttle_waits),
	KUNIT_CASE(congested),
	KUNIT_CASE_PARAM(throttle_deferrable, share_gen_params),
	KUNIT_CASE(throttle_dies),
	KUNIT_CASE(throttle_killed),
	KUNIT_CASE(throttle_wedged),
	KUNIT_CASE(vq_panic),
	KUNIT_CASE(panic_full),
	KUNIT_CASE(panic_stopped),
	KUNIT_CASE(panic_locked),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "virtio_gpu_vq",
	.test_cases = queue_tests,
};

kunit_test_suite(queue_suite);
