// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/rcupdate.h>

#include "virtgpu_fence.h"
#include "virtgpu_msg.h"
#include "virtgpu_test_ring.h"

static struct virtgpu_fence *new_fence(struct kunit *test, struct virtgpu_timeline *tl)
{
	struct virtgpu_fence *f = virtgpu_fence_alloc(tl);

	KUNIT_ASSERT_NOT_NULL(test, f);

	return f;
}

static void expect_names(struct kunit *test, struct virtgpu_fence *f, const char *timeline)
{
	const char __rcu *driver, *name;

	rcu_read_lock();
	driver = dma_fence_driver_name(&f->base);
	name = dma_fence_timeline_name(&f->base);
	KUNIT_EXPECT_STREQ(test, rcu_dereference(driver), "virtio_gpu");
	KUNIT_EXPECT_STREQ(test, rcu_dereference(name), timeline);
	rcu_read_unlock();
}

/* Made, not armed: nobody can have seen it, and it may just be dropped. */
static void unarmed(struct kunit *test)
{
	struct virtgpu_timeline tl;
	struct virtgpu_fence *f;

	virtgpu_timeline_init(&tl, "test");
	f = new_fence(test, &tl);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&f->base));
	KUNIT_EXPECT_EQ(test, tl.seqno, 0);
	dma_fence_put(&f->base);
	KUNIT_EXPECT_EQ(test, tl.seqno, 0);
}

static void names(struct kunit *test)
{
	struct virtgpu_timeline tl;
	struct virtgpu_fence *f;

	virtgpu_timeline_init(&tl, "a test's timeline");
	f = new_fence(test, &tl);
	expect_names(test, f, "a test's timeline");
	dma_fence_put(&f->base);
}

/* Numbers follow the order of arming, not that of allocation. */
static void numbers(struct kunit *test)
{
	struct virtgpu_fence *f[4];
	struct virtgpu_timeline tl;
	int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 4; i++)
		f[i] = new_fence(test, &tl);
	for (i = 3; i >= 0; i--)
		virtgpu_fence_emit(f[i]);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, f[i]->base.seqno, 4 - i);
		KUNIT_EXPECT_EQ(test, f[i]->base.context, tl.context);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(&f[0]->base, &f[3]->base));
	for (i = 0; i < 4; i++) {
		virtgpu_fence_signal(f[i], 0);
		dma_fence_put(&f[i]->base);
	}
}

static void timelines_apart(struct kunit *test)
{
	struct virtgpu_timeline a, b;
	struct virtgpu_fence *fa, *fb;

	virtgpu_timeline_init(&a, "a");
	virtgpu_timeline_init(&b, "b");
	KUNIT_EXPECT_NE(test, a.context, b.context);
	fa = new_fence(test, &a);
	fb = new_fence(test, &b);
	virtgpu_fence_emit(fa);
	virtgpu_fence_emit(fb);
	KUNIT_EXPECT_EQ(test, fa->base.seqno, 1);
	KUNIT_EXPECT_EQ(test, fb->base.seqno, 1);
	virtgpu_fence_signal(fa, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fb->base));
	virtgpu_fence_signal(fb, 0);
	dma_fence_put(&fa->base);
	dma_fence_put(&fb->base);
}

/* The first result counts, whatever comes after it. */
struct twice_case {
	const char *name;
	int first;
	int second;
};

static const struct twice_case twice_cases[] = {
	{ "good, then good", 0, 0 },
	{ "good, then bad", 0, -EIO },
	{ "cancelled, then answered", -ECANCELED, 0 },
	{ "cancelled, then refused", -ECANCELED, -EINVAL },
	{ "refused, then gone", -ENOMEM, -ENODEV },
};

KUNIT_ARRAY_PARAM_DESC(twice, twice_cases, name);

struct watcher {
	struct dma_fence_cb cb;
	unsigned int calls;
	int error;
};

static void watch(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct watcher *w = container_of(cb, struct watcher, cb);

	w->calls++;
	w->error = fence->error;
}

static void fence_twice(struct kunit *test)
{
	const struct twice_case *c = test->param_value;
	struct watcher w = {};
	struct virtgpu_timeline tl;
	struct virtgpu_fence *f;

	virtgpu_timeline_init(&tl, "test");
	f = new_fence(test, &tl);
	virtgpu_fence_emit(f);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(&f->base, &w.cb, watch), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&f->base), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_fence_signal(f, c->first));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&f->base), c->first ?: 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_fence_signal(f, c->second));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&f->base), c->first ?: 1);
	KUNIT_EXPECT_EQ(test, w.calls, 1);
	KUNIT_EXPECT_EQ(test, w.error, c->first);
	dma_fence_put(&f->base);
}

/* A fence is good for its holders when timeline and device are gone. */
static void outlives(struct kunit *test)
{
	struct virtgpu_timeline *tl = kunit_kzalloc(test, sizeof(*tl), GFP_KERNEL);
	struct virtgpu_fence *f;

	KUNIT_ASSERT_NOT_NULL(test, tl);
	virtgpu_timeline_init(tl, "gone");
	f = new_fence(test, tl);
	virtgpu_fence_emit(f);
	kunit_kfree(test, tl);
	expect_names(test, f, "gone");
	KUNIT_EXPECT_TRUE(test, virtgpu_fence_signal(f, -ENODEV));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&f->base), -ENODEV);
	dma_fence_put(&f->base);
}

/*
 * With messages
 */

/* The numbers are in ring order, also for those that had to wait for room. */
static void ring_order(struct kunit *test)
{
	struct test_ring *r = test_ring_create(test, 6);
	struct virtgpu_msg *msg[8];
	struct dma_fence *fence[8];
	struct virtgpu_timeline tl;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < 8; i++) {
		msg[i] = test_msg_fenced(test, NULL, &tl);
		fence[i] = dma_fence_get(&msg[i]->fence->base);
	}
	/* Published in another order than they were made. */
	for (i = 0; i < 8; i++)
		virtgpu_vq_queue_msg(&r->q, msg[i ^ 1]);
	test_reply_all(r);

	KUNIT_ASSERT_EQ(test, r->count, 8);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, fence[i ^ 1]->seqno, i + 1);
		KUNIT_EXPECT_PTR_EQ(test, r->slots[i].msg, msg[i ^ 1]);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
}

/* What is sent: a flag, and numbers that never repeat, in one order for all. */
static void on_the_wire(struct kunit *test)
{
	static const u8 first[16] = { [0] = 0x02, 0x01, [4] = 0x01, [8] = 0x01 };
	static const u8 second[16] = { [0] = 0x02, 0x01, [4] = 0x01, [8] = 0x02 };
	static const u8 bare[16] = { [0] = 0x02, 0x01 };
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_timeline a, b;

	virtgpu_timeline_init(&a, "a");
	virtgpu_timeline_init(&b, "b");
	virtgpu_vq_queue_msg(&r->q, test_msg_fenced(test, NULL, &a));
	virtgpu_vq_queue_msg(&r->q, test_msg(test, NULL));
	virtgpu_vq_queue_msg(&r->q, test_msg_fenced(test, NULL, &b));
	KUNIT_ASSERT_EQ(test, r->count, 3);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)r->slots[0].request, first, 16);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)r->slots[1].request, bare, 16);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)r->slots[2].request, second, 16);
	test_reply_all(r);
}

/* The id is 64 bits wide and little endian. */
static void wide_id(struct kunit *test)
{
	static const u8 id[8] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	r->q.next_fence = 0x1122334455667788;
	virtgpu_vq_queue_msg(&r->q, test_msg_fenced(test, NULL, &tl));
	KUNIT_ASSERT_EQ(test, r->count, 1);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)r->slots[0].request + 8, id, 8);
	test_reply_all(r);
}

/* Each fence has the result of its own command, and its callback runs once. */
static void own_result(struct kunit *test)
{
	static const struct {
		u32 type;
		int error;
	} answers[] = { { 0x1100, 0 }, { 0x1201, -ENOMEM }, { 0x11ff, 0 }, { 0x1205, -EINVAL } };
	struct test_ring *r = test_ring_create(test, 16);
	struct watcher w[ARRAY_SIZE(answers)] = {};
	struct dma_fence *fence[ARRAY_SIZE(answers)];
	struct virtgpu_timeline tl;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		struct virtgpu_msg *msg = test_msg_fenced(test, NULL, &tl);

		fence[i] = dma_fence_get(&msg->fence->base);
		KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence[i], &w[i].cb, watch), 0);
		virtgpu_vq_queue_msg(&r->q, msg);
	}
	/* Answered from the last to the first. */
	for (i = ARRAY_SIZE(answers); i--;) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[i]));
		test_reply(r, i, answers[i].type);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence[i]));
	}
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		KUNIT_EXPECT_EQ(test, w[i].calls, 1);
		KUNIT_EXPECT_EQ(test, w[i].error, answers[i].error);
		dma_fence_put(fence[i]);
	}
}

static struct kunit_case fence_tests[] = {
	KUNIT_CASE(unarmed),
	KUNIT_CASE(names),
	KUNIT_CASE(numbers),
	KUNIT_CASE(timelines_apart),
	KUNIT_CASE_PARAM(fence_twice, twice_gen_params),
	KUNIT_CASE(outlives),
	KUNIT_CASE(ring_order),
	KUNIT_CASE(on_the_wire),
	KUNIT_CASE(wide_id),
	KUNIT_CASE(own_result),
	{}
};

static struct kunit_suite fence_suite = {
	.name = "virtio_gpu_fence",
	.test_cases = fence_tests,
};

kunit_test_suite(fence_suite);
