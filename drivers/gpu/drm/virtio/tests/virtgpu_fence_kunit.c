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

/* A fence that was not emitted may be freed unsignalled. */
static void not_emitted(struct kunit *test)
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

/* Sequence numbers follow the order of emission, not of allocation. */
static void seqnos(struct kunit *test)
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

static void separate_timelines(struct kunit *test)
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

/* The first result counts. */
struct signal_pair {
	const char *name;
	int first;
	int second;
};

static const struct signal_pair signal_pairs[] = {
	{ "success, then success", 0, 0 },
	{ "success, then error", 0, -EIO },
	{ "cancelled, then completed", -ECANCELED, 0 },
	{ "cancelled, then rejected", -ECANCELED, -EINVAL },
	{ "rejected, then stopped", -ENOMEM, -ENODEV },
};

KUNIT_ARRAY_PARAM_DESC(pair, signal_pairs, name);

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
	const struct signal_pair *c = test->param_value;
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

/* A fence outlives its timeline and its device. */
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

/* Sequence numbers are in ring order, also for messages from the backlog. */
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
	/* Queued in another order than allocated. */
	for (i = 0; i < 8; i++)
		virtgpu_vq_queue_msg(&r->q, msg[i ^ 1]);
	test_complete_all(r);

	KUNIT_ASSERT_EQ(test, r->count, 8);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, fence[i ^ 1]->seqno, i + 1);
		KUNIT_EXPECT_PTR_EQ(test, r->slots[i].msg, msg[i ^ 1]);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
}

/* All timelines of a queue share one sequence of fence IDs. */
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
	test_complete_all(r);
}

/* The fence ID has 64 bits, in little endian. */
static void fence_id_64bit(struct kunit *test)
{
	static const u8 id[8] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };
	struct test_ring *r = test_ring_create(test, 16);
	struct virtgpu_timeline tl;

	virtgpu_timeline_init(&tl, "test");
	r->q.next_fence = 0x1122334455667788;
	virtgpu_vq_queue_msg(&r->q, test_msg_fenced(test, NULL, &tl));
	KUNIT_ASSERT_EQ(test, r->count, 1);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)r->slots[0].request + 8, id, 8);
	test_complete_all(r);
}

/* Each fence has the result of its own command, and one callback. */
static void own_result(struct kunit *test)
{
	static const struct {
		u32 type;
		int error;
	} responses[] = {
		{ VIRTIO_GPU_RESP_OK_NODATA, 0 },
		{ VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, -ENOMEM },
		{ VIRTIO_GPU_RESP_OK_EDID, 0 },
		{ VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, -EINVAL },
	};
	struct test_ring *r = test_ring_create(test, 16);
	struct watcher w[ARRAY_SIZE(responses)] = {};
	struct dma_fence *fence[ARRAY_SIZE(responses)];
	struct virtgpu_timeline tl;
	unsigned int i;

	virtgpu_timeline_init(&tl, "test");
	for (i = 0; i < ARRAY_SIZE(responses); i++) {
		struct virtgpu_msg *msg = test_msg_fenced(test, NULL, &tl);

		fence[i] = dma_fence_get(&msg->fence->base);
		KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence[i], &w[i].cb, watch), 0);
		virtgpu_vq_queue_msg(&r->q, msg);
	}
	/* Responses from the last to the first. */
	for (i = ARRAY_SIZE(responses); i--;) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence[i]));
		test_complete(r, i, responses[i].type);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence[i]));
	}
	for (i = 0; i < ARRAY_SIZE(responses); i++) {
		KUNIT_EXPECT_EQ(test, w[i].calls, 1);
		KUNIT_EXPECT_EQ(test, w[i].error, responses[i].error);
		dma_fence_put(fence[i]);
	}
}

static struct kunit_case fence_tests[] = {
	KUNIT_CASE(not_emitted),
	KUNIT_CASE(names),
	KUNIT_CASE(seqnos),
	KUNIT_CASE(separate_timelines),
	KUNIT_CASE_PARAM(fence_twice, pair_gen_params),
	KUNIT_CASE(outlives),
	KUNIT_CASE(ring_order),
	KUNIT_CASE(on_the_wire),
	KUNIT_CASE(fence_id_64bit),
	KUNIT_CASE(own_result),
	{}
};

static struct kunit_suite fence_suite = {
	.name = "virtio_gpu_fence",
	.test_cases = fence_tests,
};

kunit_test_suite(fence_suite);
