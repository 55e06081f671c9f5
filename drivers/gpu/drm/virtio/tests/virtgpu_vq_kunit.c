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

/* As in virtgpu_vq.c: length of a congested queue. */
#define CONGESTED_THRESHOLD 2048

/* Watchdog periods in ten minutes. */
#define TEN_MINUTES (600 * HZ / VIRTGPU_WATCHDOG_PERIOD)

static void publish_many(struct test_ring *r, struct test_completion *ends, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		virtgpu_vq_queue_msg(&r->q, test_msg(r->test, ends ? &ends[i] : NULL));
}

static struct dma_fence *publish_fenced(struct test_ring *r, struct test_completion *end,
					struct virtgpu_timeline *tl)
{
	struct virtgpu_msg *msg = test_msg_fenced(r->test, end, tl);
	struct dma_fence *fence = dma_fence_get(&msg->fence->base);

	virtgpu_vq_queue_msg(&r->q, msg);

	return fence;
}

/*
 * What goes into the ring
 */

static void chain(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_cmd_cursor where = { .resource = 1 };
	struct virtgpu_msg *msg;

	/* A request and its answer. */
	publish_many(r, NULL, 1);
	KUNIT_ASSERT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, r->slots[0].type, 0x102);
	KUNIT_EXPECT_EQ(test, r->slots[0].request_size, 32);
	KUNIT_EXPECT_EQ(test, r->slots[0].pieces, 0);
	KUNIT_EXPECT_EQ(test, r->slots[0].reply_size, 24);
	KUNIT_EXPECT_EQ(test, r->slots[0].descs, 2);

	/* One that expects more of an answer. */
	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_display_info));
	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_cmd_get_display_info(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].request_size, 24);
	KUNIT_EXPECT_EQ(test, r->slots[1].reply_size, 408);

	/* A cursor command is answered with nothing at all. */
	msg = virtgpu_msg_alloc();
	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_cmd_move_cursor(msg, &where);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_ASSERT_EQ(test, r->count, 3);
	KUNIT_EXPECT_EQ(test, r->slots[2].request_size, 56);
	KUNIT_EXPECT_EQ(test, r->slots[2].reply_size, 0);
	KUNIT_EXPECT_EQ(test, r->slots[2].descs, 1);
	test_reply_all(r);
}

/* Lists of every length that the ring can carry, in as many pieces. */
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
	KUNIT_EXPECT_EQ(test, r->slots[0].type, 0x106);
	KUNIT_EXPECT_EQ(test, r->slots[0].payload_size, *n * 16);
	KUNIT_EXPECT_EQ(test, r->slots[0].descs, r->slots[0].pieces + 2);
	KUNIT_EXPECT_LE(test, r->slots[0].descs, 16);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

static const unsigned int ring_sizes[] = { 16, 64, 256, 1024 };

static void size_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "ring of %u", *n);
}

KUNIT_ARRAY_PARAM(size, ring_sizes, size_desc);

/* The longest payload together with its request and answer fills the ring. */
static void max_pieces(struct kunit *test)
{
	const unsigned int *size = test->param_value;
	struct test_ring *r = test_ring_create(test, *size);

	KUNIT_EXPECT_EQ(test, virtgpu_vq_max_segs(&r->q) + 2, *size);
}

/* Each command has a counter of its own. */
static void command_counters(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	unsigned int i;

	virtgpu_vq_queue_msg(&r->q, test_msg(test, NULL));
	virtgpu_vq_queue_msg(&r->q, test_msg(test, NULL));
	for (i = 0; i < VIRTGPU_NUM_CMDS; i++)
		KUNIT_EXPECT_EQ(test, r->q.stats.commands[i],
				i == VIRTGPU_CMD_RESOURCE_UNREF ? 2 : 0);
	test_reply_all(r);
}

/*
 * The end of a message
 */

struct answer_case {
	const char *name;
	u32 type;
	u32 used;
	int error;
};

static const struct answer_case answer_cases[] = {
	{ "good", 0x1100, 24, 0 },
	{ "good in the host's own way", 0x11ff, 24, 0 },
	{ "ERR_UNSPEC", 0x1200, 24, -EIO },
	{ "ERR_OUT_OF_MEMORY", 0x1201, 24, -ENOMEM },
	{ "ERR_INVALID_SCANOUT_ID", 0x1202, 24, -ENXIO },
	{ "ERR_INVALID_RESOURCE_ID", 0x1203, 24, -ENOENT },
	{ "ERR_INVALID_CONTEXT_ID", 0x1204, 24, -ENOENT },
	{ "ERR_INVALID_PARAMETER", 0x1205, 24, -EINVAL },
	{ "short", 0x1100, 23, -EPROTO },
	{ "empty", 0x1100, 0, -EPROTO },
	{ "oversized", 0x1100, 25, -EPROTO },
	{ "absurd", 0x1100, 0x80000000, -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(answer, answer_cases, name);

/* Callback, fence and waiter learn the same, and learn it once. */
static void exactly_once(struct kunit *test)
{
	const struct answer_case *c = test->param_value;
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {};
	struct dma_fence *fence;
	struct virtgpu_timeline tl;
	struct virtgpu_msg *msg;

	virtgpu_timeline_init(&tl, "test");
	msg = test_msg_fenced(test, &end, &tl);
	fence = dma_fence_get(&msg->fence->base);
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);

	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, end.ends, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	test_answer_raw(r, 0, &hdr, sizeof(hdr), c->used);
	KUNIT_EXPECT_EQ(test, end.ends, 0);
	test_interrupt(r);
	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, c->error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), c->error ?: 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), c->error);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_COMPLETED);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, c->error ? 1 : 0);

	/* The death of the queue has nothing left to end. */
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
	dma_fence_put(fence);
}

/* Without a waiter the message goes with its end, with all that it owns. */
static void drops_reference(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct dma_fence *fence;
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, NULL, &tl);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	test_reply(r, 0, 0x1100);
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
		KUNIT_EXPECT_EQ(test, r->slots[i].request[24], 100 + i);
	test_reply_all(r);
}

/* Each message has its own answer, in whatever order a host finishes them. */
static void out_of_order(struct kunit *test)
{
	static const unsigned int order[] = { 3, 0, 4, 2, 1 };
	static const u32 type[] = { 0x1100, 0x1200, 0x1201, 0x1202, 0x1205 };
	static const int error[] = { 0, -EIO, -ENOMEM, -ENXIO, -EINVAL };
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion ends[5] = {};
	unsigned int clock = 0, i;

	for (i = 0; i < 5; i++)
		ends[i].clock = &clock;
	publish_many(r, ends, 5);
	for (i = 0; i < 5; i++)
		test_answer(r, order[i], type[order[i]]);
	test_interrupt(r);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, ends[i].ends, 1);
		KUNIT_EXPECT_EQ(test, ends[i].error, error[i]);
		KUNIT_EXPECT_EQ(test, ends[order[i]].order, i + 1);
	}
}

/*
 * Notifications
 */

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

	publish_many(r, NULL, c->messages);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	/* Nothing new, nothing to tell. */
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, r->kicks, c->kicks);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, c->kicks);
}

/* An answer in the middle of a batch is no reason to tell of half of it. */
static void interrupt_in_batch(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	publish_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	publish_many(r, NULL, 2);
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	publish_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 2);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 2);
	test_reply_all(r);
}

/* A host that polls is not disturbed; it may change its mind. */
static void quiet_host(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 128);

	r->quiet = true;
	publish_many(r, NULL, 2);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->asked, 1);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 0);
	r->quiet = false;
	publish_many(r, NULL, 1);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	test_reply_all(r);
}

/*
 * A full ring
 */

/* Two of six fit; the others follow one by one, in order, with a kick each. */
static void backlog(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 4);
	struct test_completion ends[6] = {};
	unsigned int clock = 0, i;

	for (i = 0; i < 6; i++)
		ends[i].clock = &clock;
	publish_many(r, ends, 6);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->kicks, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 6);
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 4);

	for (i = 0; i < 6; i++) {
		KUNIT_ASSERT_EQ(test, r->count, min(i + 2, 6U));
		test_reply(r, i, 0x1100);
		KUNIT_EXPECT_EQ(test, ends[i].ends, 1);
		KUNIT_EXPECT_EQ(test, ends[i].order, i + 1);
		KUNIT_EXPECT_EQ(test, r->q.num_pending, 5 - i);
		KUNIT_EXPECT_EQ(test, r->kicks, 1 + min(i + 1, 4U));
	}
}

/* Many answers in one interrupt make room for many, and one kick tells. */
static void backlog_one_kick(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	publish_many(r, NULL, 16);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->count, 8);
	test_answer_all(r, 0x1100);
	test_interrupt(r);
	KUNIT_EXPECT_EQ(test, r->count, 16);
	KUNIT_EXPECT_EQ(test, r->kicks, 2);
	KUNIT_EXPECT_EQ(test, r->q.stats.kicks, 2);
	test_reply_all(r);
}

/* A short message does not overtake a long one that waits for room. */
static void no_overtaking(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	/* 2 descriptors, then one piece short of all of them, then 2. */
	publish_many(r, NULL, 1);
	virtgpu_cmd_attach_backing(msg, 1, test_entries(test, 13 * 4096, 13));
	KUNIT_ASSERT_GT(test, msg->payload->sgt.nents, 12);
	virtgpu_vq_queue_msg(&r->q, msg);
	publish_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	test_reply(r, 0, 0x1100);
	KUNIT_ASSERT_GE(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].type, 0x106);
	test_reply_all(r);
	KUNIT_ASSERT_EQ(test, r->count, 3);
	KUNIT_EXPECT_EQ(test, r->slots[2].type, 0x102);
}

static const int add_errors[] = { -ENOSPC, -ENOMEM, -EIO };

static void add_desc(const int *error, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%pe", ERR_PTR(*error));
}

KUNIT_ARRAY_PARAM(add, add_errors, add_desc);

/* With answers to come there will be another chance. */
static void add_fails_in_flight(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion ends[3] = {};

	publish_many(r, ends, 1);
	r->add_error = *error;
	r->add_errors = 1;
	publish_many(r, ends + 1, 2);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, ends[1].ends, 0);
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_EQ(test, r->count, 3);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, ends[1].ends, 1);
	KUNIT_EXPECT_EQ(test, ends[1].error, 0);
	KUNIT_EXPECT_EQ(test, ends[2].ends, 1);
	KUNIT_EXPECT_EQ(test, ends[2].error, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

/* With none to come nobody would try again: it ends now, with that error. */
static void add_fails_alone(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {}, next = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	r->add_error = *error;
	r->add_errors = 1;
	fence = publish_fenced(r, &end, &tl);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, *error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), *error);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.errors, 1);
	dma_fence_put(fence);

	publish_many(r, &next, 1);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, next.ends, 1);
	KUNIT_EXPECT_EQ(test, next.error, 0);
}

/* The head of the backlog fails for good in the interrupt; the rest goes on. */
static void add_fails_in_interrupt(struct kunit *test)
{
	const int *error = test->param_value;
	struct test_ring *r = test_ring_create(test, 2);
	struct test_completion ends[3] = {};

	publish_many(r, ends, 3);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	r->add_error = *error;
	r->add_errors = 1;
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_EQ(test, ends[0].error, 0);
	KUNIT_EXPECT_EQ(test, ends[1].ends, 1);
	KUNIT_EXPECT_EQ(test, ends[1].error, *error);
	KUNIT_EXPECT_EQ(test, ends[2].ends, 0);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, ends[2].ends, 1);
	KUNIT_EXPECT_EQ(test, ends[2].error, 0);
}

/* A chain that is longer than the ring can never go in, and holds nobody up. */
static void too_long(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 4);
	struct test_completion end = {};
	struct virtgpu_msg *msg = test_msg(test, &end);

	virtgpu_cmd_attach_backing(msg, 1, test_entries(test, 4 * 4096, 1022));
	KUNIT_ASSERT_GT(test, msg->payload->sgt.nents, 2);
	virtgpu_vq_queue_msg(&r->q, msg);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, -ENOSPC);
	publish_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	test_reply_all(r);
}

/*
 * Interrupts
 */

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

static void publish_frame(struct test_ring *r, unsigned int n)
{
	struct virtgpu_msg *msgs[3];
	LIST_HEAD(ended);
	unsigned int i;

	for (i = 0; i < n - 1; i++)
		msgs[i] = test_msg(r->test, NULL);
	msgs[n - 1] = flush_msg(r->test);
	virtgpu_vq_queue_batch(&r->q, msgs, n, &ended);
	virtgpu_vq_complete_batch(&r->q, &ended);
}

/* One interrupt for a frame: that of its flush. */
static void interrupt_of_frame(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 64);
	unsigned int n;

	for (n = 2; n <= 3; n++) {
		publish_frame(r, n);
		KUNIT_EXPECT_EQ(test, r->interrupt_at, r->count);
		test_reply_all(r);
		KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);
	}

	/* Not if something else is outstanding, or is queued before the flush is answered. */
	publish_many(r, NULL, 1);
	publish_frame(r, 3);
	KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);
	test_reply_all(r);
	publish_frame(r, 3);
	publish_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->interrupt_at, r->taken + 1);

	/* What was answered by then is taken. */
	test_reply_all(r);
	publish_frame(r, 3);
	test_answer(r, r->count - 3, 0x1100);
	publish_many(r, NULL, 1);
	flush_work(&r->q.drain);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 3);

	/* And what was answered without an interrupt is no reason to give the device up. */
	test_reply_all(r);
	publish_frame(r, 3);
	test_answer(r, r->count - 3, 0x1100);
	test_answer(r, r->count - 2, 0x1100);
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 1);
	test_reply_all(r);
}

static const unsigned int backlog_sizes[] = { 1, 3, 4, 5, 9, 40 };

static void flood_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u rounds", *n);
}

KUNIT_ARRAY_PARAM(flood, backlog_sizes, flood_desc);

/*
 * A host that answers as fast as it is read does not keep the processor in the
 * interrupt; a worker takes what is left, and interrupts are on at the end.
 */
static void vq_drain(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct test_ring *r = test_ring_create(test, 128);
	unsigned int i;

	r->per_round = 1;
	publish_many(r, NULL, *n);
	test_answer_all(r, 0x1100);
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
	unsigned int ends;
};

static void echo_done(struct virtgpu_msg *msg)
{
	struct echo *e = msg->priv;

	e->ends++;
	if (!e->left)
		return;

	e->left--;
	virtgpu_msg_reinit(msg);
	virtgpu_cmd_unref(msg, e->left);
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&e->r->q, msg);
}

/* A callback may publish its own message again. */
static void republish(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct echo e = { .r = r, .left = 3 };
	struct virtgpu_msg *msg = test_msg(test, NULL);

	msg->priv = &e;
	msg->complete = echo_done;
	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, e.ends, 4);
	KUNIT_EXPECT_EQ(test, r->count, 4);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
}

/* On a dead queue that ends as well, in the publisher's own context. */
static void republish_dead(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct echo e = { .r = r, .left = 3 };
	struct virtgpu_msg *msg = test_msg(test, NULL);

	msg->priv = &e;
	msg->complete = echo_done;
	virtgpu_vq_queue_msg(&r->q, msg);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, e.ends, 4);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
}

/*
 * Time
 */

/* As if so many periods of the watchdog had passed. */
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

struct late_case {
	const char *name;
	u32 type;
	u32 used;
	int error;
};

static const struct late_case late_cases[] = {
	{ "good", 0x1100, 24, 0 },
	{ "refused", 0x1203, 24, -ENOENT },
	{ "short", 0x1100, 3, -EPROTO },
};

KUNIT_ARRAY_PARAM_DESC(late, late_cases, name);

/* A fence has no deadline: after ten minutes it is signalled by the response, once. */
static void late_answer(struct kunit *test)
{
	const struct late_case *c = test->param_value;
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion end = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, &end, &tl);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, end.ends, 0);

	test_answer_raw(r, 0, &hdr, sizeof(hdr), c->used);
	test_interrupt(r);
	ticks(r, 1);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, c->error);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), c->error ?: 1);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	dma_fence_put(fence);
}

/* Without a response, the reset of the device ends the message and its fence. */
static void never_answered(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion end = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, &end, &tl);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	dma_fence_put(fence);
}

/* What waits for room in the ring is not given up either. */
static void backlog_waits(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct test_completion ends[2] = {};
	struct dma_fence *fence[2];
	struct virtgpu_timeline tl;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 2; i++)
		fence[i] = publish_fenced(r, &ends[i], &tl);
	KUNIT_EXPECT_EQ(test, r->count, 1);
	ticks(r, TEN_MINUTES);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 0);
		KUNIT_EXPECT_EQ(test, ends[i].ends, 0);
	}
	/* The device responds again: both commands are done, in order. */
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, r->count, 2);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, ends[i].ends, 1);
		KUNIT_EXPECT_EQ(test, ends[i].error, 0);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
}

/* No response for ten seconds to what hosts respond to at once. */
static void vq_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct virtgpu_msg *refused = test_msg(test, NULL);

	publish_many(r, NULL, 2);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	ticks(r, 2);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -EIO);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, refused), -EIO);
	KUNIT_EXPECT_EQ(test, r->count, 3);
	virtgpu_msg_put(refused);

	/* It is reported once. */
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, r->wedged, 1);

	test_reply(r, 1, 0x1100);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);
	test_reply_all(r);

	publish_many(r, NULL, 1);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 2);

	/* A device that is started again is not. */
	virtgpu_vq_stop(&r->q);
	test_ring_start(r, 16);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
}

/* The display holds a frame: no error for as long as it lasts, whatever stands behind. */
static void vq_held(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	publish_many(r, NULL, 3);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), 0);

	/* The ten seconds begin when the display has taken the frame. */
	test_reply(r, 0, 0x1100);
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

	publish_many(r, NULL, 2);
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	ticks(r, 1);
	test_reply(r, 0, 0x1100);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* A display that does not stop the queue hides no device that has died. */
static void flush_overtaken(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);

	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	publish_many(r, NULL, 1);
	ticks(r, 2);
	test_reply(r, 1, 0x1100);
	ticks(r, 2);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	publish_many(r, NULL, 1);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	test_reply_all(r);
}

/* With a renderer the flush itself may be answered: then nothing behind it is. */
static void held_renderer(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	r->q.renders = true;
	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	publish_many(r, NULL, 2);
	test_reply(r, 1, 0x1100);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));

	/* Rendering may still end meanwhile; anything else says that the display goes on. */
	test_reply(r, 0, 0x1100);
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	test_reply(r, 2, 0x1100);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* Rendering takes as long as it takes, while the device responds to probes behind it. */
static void long_job(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);
	unsigned int i, n;

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	for (i = 0; i < TEN_MINUTES / 10; i++) {
		ticks(r, 1);
		for (n = 1; n < r->count; n++)
			if (r->slots[n].state == TEST_SLOT_HELD)
				test_reply(r, n, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	}
	KUNIT_EXPECT_GT(test, r->q.stats.probes, 10);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);
	KUNIT_EXPECT_EQ(test, r->slots[0].state, TEST_SLOT_HELD);

	/* A probe that the device does not respond to for ten seconds decides. */
	ticks(r, 2 * VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 1);
}

/* Unless the display holds a frame between the job and the probe. */
static void long_job_held(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	ticks(r, TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->q.stats.probes, 1);
}

/* With a renderer, responses to fenced commands wait for what was submitted before. */
static void fenced_renders(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	r->q.renders = true;
	dma_fence_put(publish_fenced(r, NULL, &tl));
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
}

/* Only a long job needs no look four times a second. */
static void relaxed(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);

	virtgpu_vq_queue_msg(&r->q, submit_msg(test, 64));
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->q.ticks, 1);
	ticks(r, 1);
	KUNIT_EXPECT_GT(test, r->q.ticks, 1);
	publish_many(r, NULL, 1);
	KUNIT_EXPECT_EQ(test, r->q.ticks, 1);
}

/* A host that skips one command and responds to others: only that one's waiter returns. */
static void forgetful(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 256);
	struct virtgpu_msg *msg = test_msg(test, NULL);
	unsigned int i;

	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	for (i = 0; i < VIRTGPU_UNRESPONSIVE_TICKS + 1; i++) {
		publish_many(r, NULL, 1);
		test_reply(r, i + 1, 0x1100);
		ticks(r, 1);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, r->wedged, 0);

	/* The response may still come. */
	test_reply(r, 0, 0x1201);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ENOMEM);
	virtgpu_msg_put(msg);
}

/* One that was answered in time is left alone by the watchdog. */
static void watchdog_idle(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, NULL, &tl);
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&r->q.watchdog));
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.timeouts, 0);
	/* With nothing to look after it rests. */
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));
	dma_fence_put(fence);
}

/* Waiters return when the device is unresponsive, and so do those that come later. */
static void wait_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 16);
	struct test_completion end = {};
	struct virtgpu_msg *msg = test_msg(test, &end), *late = test_msg(test, NULL);

	virtgpu_msg_get(msg);
	virtgpu_msg_get(late);
	virtgpu_vq_queue_msg(&r->q, msg);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS + 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_IN_FLIGHT);
	virtgpu_vq_queue_msg(&r->q, late);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, late), -ETIMEDOUT);
	virtgpu_msg_put(late);

	test_reply(r, 0, 0x1201);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -ENOMEM);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	virtgpu_msg_put(msg);
	test_reply_all(r);
}

/* A waiter that was killed: the response still has memory to go to. */
static void wait_killed(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {};
	struct virtgpu_msg *msg = test_msg(test, &end);

	virtgpu_msg_get(msg);
	virtgpu_vq_queue_msg(&r->q, msg);
	/* Test threads are kernel threads, which signals do not reach unasked. */
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_wait_msg(&r->q, msg), -EINTR);
	flush_signals(current);
	disallow_signal(SIGKILL);
	virtgpu_msg_put(msg);
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
}

/*
 * Shares of the ring
 */

static struct virtgpu_client *test_client(struct test_ring *r)
{
	struct virtgpu_client *client = virtgpu_client_alloc(0);

	KUNIT_ASSERT_NOT_NULL(r->test, client);

	return client;
}

/* Queue jobs of a program for as long as it may; returns how many. */
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

/* However much some have outstanding, others and the display find room in the ring. */
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
	/* A program that has no context yet finds room, too, but for the smallest ring. */
	KUNIT_EXPECT_EQ(test, virtgpu_vq_has_room(&r->q, NULL), *size > 16);
	/* Nothing of it waits for room, nor does a frame. */
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 0);
	before = r->count;
	virtgpu_vq_queue_msg(&r->q, flush_msg(test));
	KUNIT_EXPECT_EQ(test, r->count, before + 1);
	KUNIT_EXPECT_EQ(test, r->q.stats.backlogged, 0);

	test_reply_all(r);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, clients[i]->slots, 0);
		KUNIT_EXPECT_EQ(test, clients[i]->bytes, 0);
		KUNIT_EXPECT_EQ(test, refcount_read(&clients[i]->ref), 1);
		virtgpu_client_put(clients[i]);
	}
	KUNIT_EXPECT_EQ(test, r->q.client_slots, 0);
}

/* With indirect descriptors a chain takes one place in the ring, however long it is. */
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
	/* What was counted is what is taken off, whatever the device is now. */
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, client->slots, 0);
	virtgpu_client_put(client);
}

/* A few large jobs are bounded as well as many small ones. */
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
	test_reply_all(r);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_has_room(&r->q, client));
	virtgpu_client_put(client);
	virtgpu_client_put(other);
}

/* The host has ended a context: what it does not respond to any more is cancelled. */
static void client_closed(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);
	struct virtgpu_client *client = test_client(r);
	struct test_completion end = {};
	struct dma_fence *fence, *other;
	struct virtgpu_timeline tl;
	struct virtgpu_msg *msg;

	virtgpu_timeline_init(&tl, "test");
	msg = test_msg_fenced(test, &end, &tl);
	virtgpu_msg_set_client(msg, client);
	fence = dma_fence_get(&msg->fence->base);
	virtgpu_vq_queue_msg(&r->q, msg);
	r->q.renders = true;
	other = publish_fenced(r, NULL, &tl);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	virtgpu_vq_close_client(&r->q, client);
	ticks(r, VIRTGPU_UNRESPONSIVE_TICKS - 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	ticks(r, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(other));
	KUNIT_EXPECT_EQ(test, end.ends, 0);

	/* The message keeps its memory until the device has given it back. */
	test_reply(r, 0, 0x1100);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	test_reply_all(r);
	dma_fence_put(fence);
	dma_fence_put(other);
	virtgpu_client_put(client);
}

/*
 * The dead device
 */

static void not_started(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 0);
	struct test_completion end = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, &end, &tl);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	virtgpu_vq_kick(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -ENODEV);
	dma_fence_put(fence);
}

/* All that was published ends, in that order: the device's, and the backlog. */
static void vq_stop(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 6);
	struct test_completion ends[7] = {};
	struct dma_fence *fence[7];
	struct virtgpu_timeline tl;
	unsigned int clock = 0, i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 7; i++) {
		ends[i].clock = &clock;
		fence[i] = publish_fenced(r, &ends[i], &tl);
	}
	KUNIT_ASSERT_EQ(test, r->count, 3);
	/* Answered, but the driver has not heard of it before the reset. */
	test_answer(r, 1, 0x1100);
	virtgpu_vq_stop(&r->q);

	KUNIT_EXPECT_EQ(test, r->detached, 3);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	for (i = 0; i < 7; i++) {
		KUNIT_EXPECT_EQ(test, ends[i].ends, 1);
		KUNIT_EXPECT_EQ(test, ends[i].error, -ENODEV);
		KUNIT_EXPECT_EQ(test, ends[i].order, i + 1);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), -ENODEV);
		dma_fence_put(fence[i]);
	}
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));

	/* What comes later is harmless. */
	test_interrupt(r);
	virtgpu_vq_kick(&r->q);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, clock, 7);
}

static void publish_stopped(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {};
	struct virtgpu_msg *msg;

	virtgpu_vq_stop(&r->q);
	msg = test_msg(test, &end);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_send_sync(&r->q, msg), -ENODEV);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, r->count, 0);
	KUNIT_EXPECT_EQ(test, r->kicks, 0);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&r->q.watchdog));
	virtgpu_msg_put(msg);
}

/* After a reset the queue is as new, but its fence numbers go on. */
static void restart(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	dma_fence_put(publish_fenced(r, NULL, &tl));
	virtgpu_vq_stop(&r->q);
	test_ring_start(r, 16);
	fence = publish_fenced(r, &end, &tl);
	KUNIT_ASSERT_EQ(test, r->count, 2);
	KUNIT_EXPECT_EQ(test, r->slots[1].fence_id, 2);
	KUNIT_EXPECT_EQ(test, fence->seqno, 2);
	test_reply(r, 1, 0x1100);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, end.error, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

static const unsigned int in_flight_counts[] = { 0, 1, 5 };

static void flight_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u in flight", *n);
}

KUNIT_ARRAY_PARAM(flight, in_flight_counts, flight_desc);

/* A broken device will answer nothing, so nothing waits for its answers. */
static void broken(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion old[5] = {}, new = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	publish_many(r, old, *n);
	r->dead = true;
	fence = publish_fenced(r, &new, &tl);
	KUNIT_EXPECT_EQ(test, new.ends, 1);
	KUNIT_EXPECT_EQ(test, new.error, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, *n);
	dma_fence_put(fence);

	/* What the device had before may still be in its hands until the reset. */
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, old[i].ends, 0);
	virtgpu_vq_stop(&r->q);
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, old[i].ends, 1);
	KUNIT_EXPECT_EQ(test, new.ends, 1);
}

/* And it is found out by the next look at it, not by a time-out. */
static void broken_in_flight(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);
	struct test_completion end = {};
	struct virtgpu_timeline tl;
	struct dma_fence *fence;

	virtgpu_timeline_init(&tl, "test");
	fence = publish_fenced(r, &end, &tl);
	publish_many(r, NULL, 1);
	/* The last answer. */
	test_reply(r, 1, 0x1100);
	r->dead = true;
	flush_delayed_work(&r->q.watchdog);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, NULL), -EIO);
	/* The memory may be the device's until it is reset. */
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, end.ends, 0);
	virtgpu_vq_stop(&r->q);
	KUNIT_EXPECT_EQ(test, end.ends, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	dma_fence_put(fence);
}

/*
 * Waiting
 */

/* A host at work beside the test, some time after it was notified. */
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
		test_reply_all(h->r);
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

/* Below its share a program is not held up, and the device not notified early. */
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
	test_reply_all(r);
	virtgpu_client_put(client);
}

/* Beyond its share the device is notified, and its first responses let the program go on. */
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

/* Cursors have room left where others have to wait. */
static void crowded(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 16);

	publish_many(r, NULL, CONGESTED_THRESHOLD - 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_congested(&r->q));
	publish_many(r, NULL, 1);
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
	test_reply_all(r);
	virtgpu_client_put(client);
}

/* It ends when the device is found unresponsive. */
static void throttle_wedged(struct kunit *test)
{
	struct test_ring *r = watched_ring(test, 64);
	struct virtgpu_client *client = test_client(r);

	host_create(r)->silent = true;
	/* The probe would come after ten seconds, and decide after ten more. */
	r->q.stalled = 2 * VIRTGPU_UNRESPONSIVE_TICKS - 2;
	fill_share(r, client);
	KUNIT_EXPECT_EQ(test, virtgpu_vq_throttle(&r->q, client), -EIO);
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_is_wedged(&r->q));
	test_reply_all(r);
	virtgpu_client_put(client);
}

/*
 * Panic
 */

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

/* No picture is better than a machine that hangs instead of going down. */
/* Without room in the ring the messages wait like all others. */
static void panic_full(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 2);
	struct virtgpu_msg *msg = test_msg(test, NULL);
	unsigned int count;

	publish_many(r, NULL, 1);
	count = r->count;
	KUNIT_EXPECT_TRUE(test, virtgpu_vq_panic_send(&r->q, &msg, 1));
	KUNIT_EXPECT_EQ(test, r->count, count);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 2);
	test_reply_all(r);
	KUNIT_EXPECT_EQ(test, r->count, count + 1);
	KUNIT_EXPECT_EQ(test, r->q.num_pending, 0);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_COMPLETED);
	virtgpu_msg_put(msg);
}

static void panic_refused(struct kunit *test)
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
		kunit_skip(test, "the locks of one processor can always be taken");

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
	KUNIT_CASE_PARAM(max_pieces, size_gen_params),
	KUNIT_CASE(command_counters),
	KUNIT_CASE_PARAM(exactly_once, answer_gen_params),
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
	KUNIT_CASE(too_long),
	KUNIT_CASE(interrupt_alone),
	KUNIT_CASE(interrupt_of_frame),
	KUNIT_CASE_PARAM(vq_drain, flood_gen_params),
	KUNIT_CASE(republish),
	KUNIT_CASE(republish_dead),
	KUNIT_CASE_PARAM(late_answer, late_gen_params),
	KUNIT_CASE(never_answered),
	KUNIT_CASE(backlog_waits),
	KUNIT_CASE(vq_wedged),
	KUNIT_CASE(vq_held),
	KUNIT_CASE(wedged_after_progress),
	KUNIT_CASE(flush_overtaken),
	KUNIT_CASE(held_renderer),
	KUNIT_CASE(long_job),
	KUNIT_CASE(long_job_held),
	KUNIT_CASE(fenced_renders),
	KUNIT_CASE(relaxed),
	KUNIT_CASE(forgetful),
	KUNIT_CASE(watchdog_idle),
	KUNIT_CASE(wait_wedged),
	KUNIT_CASE(wait_killed),
	KUNIT_CASE_PARAM(shares, share_gen_params),
	KUNIT_CASE(share_indirect),
	KUNIT_CASE(share_bytes),
	KUNIT_CASE(client_closed),
	KUNIT_CASE(not_started),
	KUNIT_CASE(vq_stop),
	KUNIT_CASE(publish_stopped),
	KUNIT_CASE(restart),
	KUNIT_CASE_PARAM(broken, flight_gen_params),
	KUNIT_CASE(broken_in_flight),
	KUNIT_CASE(send_sync),
	KUNIT_CASE(send_sync_dies),
	KUNIT_CASE(throttle_below),
	KUNIT_CASE(throttle_waits),
	KUNIT_CASE(crowded),
	KUNIT_CASE(throttle_dies),
	KUNIT_CASE(throttle_killed),
	KUNIT_CASE(throttle_wedged),
	KUNIT_CASE(vq_panic),
	KUNIT_CASE(panic_full),
	KUNIT_CASE(panic_refused),
	KUNIT_CASE(panic_locked),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "virtio_gpu_vq",
	.test_cases = queue_tests,
};

kunit_test_suite(queue_suite);
