// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_backing.h"
#include "virtgpu_msg.h"
#include "virtgpu_resource.h"
#include "virtgpu_test_ring.h"

#define CREATE_2D VIRTIO_GPU_CMD_RESOURCE_CREATE_2D
#define CREATE_BLOB VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB
#define ATTACH VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING
#define DETACH VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING
#define UNREF VIRTIO_GPU_CMD_RESOURCE_UNREF

#define PAGES 6
#define SIZE (PAGES * 0x1000ull)

/* Six pages in three places, and how often they were given back. */
struct test_backing {
	struct virtgpu_backing base;
	struct sg_table sgt;
	unsigned int releases;
};

struct resource_test {
	struct virtgpu_resource_mgr pool;
	struct virtgpu_backing_mgr mem;
	struct test_ring *r;
	struct test_backing backing;
	unsigned int refusals;
};

static void count_release(struct virtgpu_backing *b)
{
	container_of(b, struct test_backing, base)->releases++;
}

static void count_refusal(struct virtgpu_resource_mgr *pool)
{
	container_of(pool, struct resource_test, pool)->refusals++;
}

static void resource_fini(void *data)
{
	struct resource_test *t = data;

	virtgpu_backing_mgr_fini(&t->mem);
	virtgpu_resource_mgr_fini(&t->pool);
	sg_free_table(&t->backing.sgt);
}

static struct resource_test *resource_create(struct kunit *test)
{
	struct resource_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	virtgpu_backing_mgr_init(&t->mem, NULL, VIRTGPU_ADDR_DMA);
	virtgpu_resource_mgr_init(&t->pool, NULL, NULL);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, resource_fini, t), 0);
	t->r = test_ring_create(test, 64);
	t->pool.queue = &t->r->q;
	t->pool.on_rejected = count_refusal;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&t->backing.sgt, PAGES, GFP_KERNEL), 0);
	for_each_sgtable_sg(&t->backing.sgt, sg, i) {
		sg_dma_address(sg) = i / 2 * 0x100000 + i % 2 * 0x1000 + 0x40000000;
		sg->length = 0x1000;
		sg_dma_len(sg) = 0x1000;
	}
	virtgpu_backing_init(&t->backing.base, &t->mem, count_release);
	t->backing.base.sgt = &t->backing.sgt;
	t->backing.base.size = SIZE;

	return t;
}

static struct virtgpu_resource *new_blob(struct kunit *test, struct resource_test *t,
					 bool movable)
{
	struct virtgpu_resource *res = virtgpu_resource_create_blob(&t->pool, &t->backing.base,
								    SIZE, movable);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);

	return res;
}

static const struct virtgpu_2d_layout key = { .format = 2, .width = 64, .height = 96 };

static struct virtgpu_resource *new_surface(struct kunit *test, struct resource_test *t,
					    bool movable)
{
	struct virtgpu_resource *res = virtgpu_resource_create_2d(&t->pool, &t->backing.base,
								  &key, movable);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);

	return res;
}

static u32 word(const struct test_slot *slot, unsigned int offset)
{
	return slot->request[offset] | slot->request[offset + 1] << 8 |
	       slot->request[offset + 2] << 16 | (u32)slot->request[offset + 3] << 24;
}

static void expect_sent(struct kunit *test, struct resource_test *t, unsigned int i,
			u32 type, u32 id)
{
	KUNIT_ASSERT_LT(test, i, t->r->count);
	KUNIT_EXPECT_EQ(test, t->r->slots[i].type, type);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[i], 24), id);
}

/* The test's own reference; after it all have to be gone. */
static void expect_released(struct kunit *test, struct resource_test *t)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&t->pool.list));
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&t->pool.ids));
	flush_work(&t->mem.release_work);
	KUNIT_EXPECT_EQ(test, t->backing.releases, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 1);
	virtgpu_backing_put_sync(&t->backing.base);
	KUNIT_EXPECT_EQ(test, t->backing.releases, 1);
}

/*
 * Birth
 */

static void resource_blob(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	KUNIT_EXPECT_EQ(test, res->type, VIRTGPU_RES_BLOB_GUEST);
	KUNIT_EXPECT_EQ(test, res->size, SIZE);
	KUNIT_EXPECT_EQ(test, res->entries, 3);
	KUNIT_EXPECT_EQ(test, res->error, 0);
	KUNIT_EXPECT_PTR_EQ(test, res->backing, &t->backing.base);
	KUNIT_EXPECT_NOT_NULL(test, res->unref);
	KUNIT_EXPECT_NULL(test, res->detach);
	KUNIT_EXPECT_EQ(test, t->pool.attached, 1);

	/* One command, with the list; the kick is its caller's. */
	KUNIT_ASSERT_EQ(test, t->r->count, 1);
	expect_sent(test, t, 0, CREATE_BLOB, res->id);
	KUNIT_EXPECT_NE(test, res->id, 0);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 28), VIRTIO_GPU_BLOB_MEM_GUEST);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 32), VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 36), 3);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 48), SIZE);
	KUNIT_EXPECT_EQ(test, t->r->slots[0].payload_size, 3 * 16);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);

	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

static void resource_surface(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_surface(test, t, false);

	KUNIT_EXPECT_EQ(test, res->type, VIRTGPU_RES_2D);
	KUNIT_EXPECT_MEMEQ(test, &res->layout, &key, sizeof(key));
	KUNIT_EXPECT_FALSE(test, res->has_contents);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_sent(test, t, 0, CREATE_2D, res->id);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 28), 2);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 32), 64);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 36), 96);
	expect_sent(test, t, 1, ATTACH, res->id);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[1], 28), 3);
	KUNIT_EXPECT_EQ(test, t->r->slots[1].payload_size, 3 * 16);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);

	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

static const u64 excesses[] = { 1, 0x1000, 0x100000000ull, U64_MAX - SIZE };

static void excess_desc(const u64 *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "0x%llx bytes too many", *n);
}

KUNIT_ARRAY_PARAM(excess, excesses, excess_desc);

/* The host is never told of more than there is, and a failure leaves nothing. */
static void backing_too_small(struct kunit *test)
{
	const u64 *excess = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	res = virtgpu_resource_create_blob(&t->pool, &t->backing.base, SIZE + *excess, true);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	KUNIT_EXPECT_EQ(test, t->pool.attached, 0);
	expect_released(test, t);
}

static void no_backing(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	t->backing.sgt.nents = 0;
	res = virtgpu_resource_create_blob(&t->pool, &t->backing.base, 0, false);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	res = virtgpu_resource_create_2d(&t->pool, &t->backing.base, &key, false);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	expect_released(test, t);
}

/* Part of a buffer may be a blob; the list names all the same. */
static void part_of_backing(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	res = virtgpu_resource_create_blob(&t->pool, &t->backing.base, 0x1000, false);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);
	KUNIT_EXPECT_EQ(test, res->size, 0x1000);
	KUNIT_EXPECT_EQ(test, word(&t->r->slots[0], 48), 0x1000);
	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

/*
 * Death
 */

/* The number and the memory are the host's until it has answered to UNREF. */
static void retire(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *first = new_blob(test, t, false), *second;
	u32 id = first->id;

	virtgpu_resource_destroy(first);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_sent(test, t, 1, UNREF, id);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 2);

	/* The answer to its creation changes nothing. */
	test_reply(t->r, 0, 0x1100);
	second = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, second->id, id);

	test_reply(t->r, 1, 0x1100);
	flush_work(&t->mem.release_work);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 2);
	virtgpu_resource_destroy(second);
	second = new_blob(test, t, false);
	KUNIT_EXPECT_EQ(test, second->id, id);
	virtgpu_resource_destroy(second);
	test_reply_all(t->r);
	expect_released(test, t);
}

/* A host that answers UNREF first: the message before it still has its resource. */
static void late_creation(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false), *next;
	u32 id = res->id;

	virtgpu_resource_destroy(res);
	test_reply(t->r, 1, 0x1100);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->pool.list));
	next = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, next->id, id);
	test_reply(t->r, 0, 0x1203);
	virtgpu_resource_destroy(next);
	test_reply_all(t->r);
	expect_released(test, t);
}

struct end_case {
	const char *name;
	u32 answer;
};

static const struct end_case end_cases[] = {
	{ "done", 0x1100 },
	{ "refused", 0x1203 },
	{ "the device is gone", 0 },
};

KUNIT_ARRAY_PARAM_DESC(end, end_cases, name);

static void end_all(struct resource_test *t, u32 answer)
{
	if (answer) {
		test_answer_all(t->r, answer);
		test_interrupt(t->r);
	} else {
		virtgpu_vq_stop(&t->r->q);
	}
}

/* Whatever becomes of UNREF, nothing is kept for ever. */
static void unref_ends(struct kunit *test)
{
	const struct end_case *c = test->param_value;
	struct resource_test *t = resource_create(test);

	virtgpu_resource_destroy(new_blob(test, t, true));
	virtgpu_resource_destroy(new_surface(test, t, false));
	end_all(t, c->answer);
	expect_released(test, t);
}

/* The memory moves: a fence tells when the host has let go of the old place. */
static void resource_detach(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, true);
	struct dma_fence *fence;
	u32 id = res->id;

	test_reply(t->r, 0, 0x1100);
	fence = virtgpu_resource_detach_backing(res);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_sent(test, t, 1, DETACH, id);
	KUNIT_EXPECT_EQ(test, t->r->slots[1].flags, VIRTIO_GPU_FLAG_FENCE);
	expect_sent(test, t, 2, UNREF, id);
	KUNIT_EXPECT_EQ(test, t->r->slots[2].flags, 0);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);
	KUNIT_EXPECT_EQ(test, t->pool.detached, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);

	test_reply(t->r, 1, 0x1100);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->pool.list));
	test_reply(t->r, 2, 0x1100);
	expect_released(test, t);
	dma_fence_put(fence);
}

static void detach_ends(struct kunit *test)
{
	const struct end_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct dma_fence *fence = virtgpu_resource_detach_backing(new_surface(test, t, true));
	int error = c->answer == 0x1203 ? -ENOENT : -ENODEV;

	end_all(t, c->answer);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), c->answer == 0x1100 ? 1 : error);
	expect_released(test, t);
	dma_fence_put(fence);
}

/* Several moves: their fences are on one timeline, in the order of the moves. */
static void detach_order(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res[3];
	struct dma_fence *fence[3];
	int i;

	for (i = 0; i < 3; i++)
		res[i] = new_blob(test, t, true);
	for (i = 2; i >= 0; i--)
		fence[i] = virtgpu_resource_detach_backing(res[i]);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, fence[i]->context, t->pool.detaches.context);
		KUNIT_EXPECT_EQ(test, fence[i]->seqno, 3 - i);
	}
	test_reply_all(t->r);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
	expect_released(test, t);
}

/* Movable and never moved: its fence was never anyone's. */
static void never_detached(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, true);

	KUNIT_EXPECT_NOT_NULL(test, res->detach);
	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
	KUNIT_EXPECT_EQ(test, t->pool.detached, 0);
	KUNIT_EXPECT_EQ(test, t->pool.detaches.seqno, 0);
	expect_released(test, t);
}

/*
 * Errors
 */

struct error_case {
	const char *name;
	u32 answer;
	int error;
};

static const struct error_case error_cases[] = {
	{ "good", 0x1100, 0 },
	{ "good in the host's own way", 0x11ff, 0 },
	{ "the output's fault, not the resource's", 0x1202, 0 },
	{ "ERR_UNSPEC", 0x1200, -EIO },
	{ "ERR_OUT_OF_MEMORY", 0x1201, -ENOMEM },
	{ "ERR_INVALID_RESOURCE_ID", 0x1203, -ENOENT },
	{ "ERR_INVALID_PARAMETER", 0x1205, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(error, error_cases, name);

/* A refused blob is told of at once, and once, so that it can be replaced. */
static void blob_error(struct kunit *test)
{
	const struct error_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	virtgpu_resource_track(res, msg);
	virtgpu_vq_queue_msg(&t->r->q, msg);
	test_reply(t->r, 0, c->answer);
	KUNIT_EXPECT_EQ(test, res->error, c->error);
	KUNIT_EXPECT_EQ(test, res->rejected, c->error != 0);
	KUNIT_EXPECT_EQ(test, t->refusals, c->error ? 1 : 0);
	KUNIT_EXPECT_EQ(test, t->pool.rejected, c->error ? 1 : 0);

	/* The next command fails for another reason, which comes of the first. */
	test_reply(t->r, 1, 0x1205);
	KUNIT_EXPECT_EQ(test, res->error, c->error ?: -EINVAL);
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->refusals, 1);
	KUNIT_EXPECT_EQ(test, t->pool.rejected, 1);

	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

/* There is nothing to replace a surface with: the error is just kept. */
static void surface_error(struct kunit *test)
{
	const struct error_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_surface(test, t, false);

	test_reply(t->r, 0, c->answer);
	KUNIT_EXPECT_EQ(test, res->error, c->error);
	test_reply(t->r, 1, 0x1205);
	KUNIT_EXPECT_EQ(test, res->error, c->error ?: -EINVAL);
	KUNIT_EXPECT_FALSE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
	KUNIT_EXPECT_EQ(test, t->pool.rejected, 0);

	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

/* An answer to UNREF is no concern of the resource's owner, who is gone. */
static void error_at_end(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	virtgpu_resource_get(res);
	virtgpu_resource_destroy(res);
	test_reply(t->r, 0, 0x1100);
	test_reply(t->r, 1, 0x1203);
	KUNIT_EXPECT_EQ(test, res->error, 0);
	KUNIT_EXPECT_FALSE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
	virtgpu_resource_put(res);
	expect_released(test, t);
}

/* By the scanout, not by an answer. */
static void refuse(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	KUNIT_EXPECT_TRUE(test, virtgpu_resource_mark_rejected(res));
	KUNIT_EXPECT_FALSE(test, virtgpu_resource_mark_rejected(res));
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->refusals, 1);
	KUNIT_EXPECT_EQ(test, t->pool.rejected, 1);
	t->pool.on_rejected = NULL;
	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

static void refuse_unheard(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	t->pool.on_rejected = NULL;
	test_reply(t->r, 0, 0x1205);
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
	virtgpu_resource_destroy(res);
	test_reply_all(t->r);
	expect_released(test, t);
}

/* That the device is gone is no error of a resource, and no refusal. */
static void on_dead_queue(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *blob, *surface;
	struct dma_fence *fence;

	virtgpu_vq_stop(&t->r->q);
	blob = new_blob(test, t, true);
	surface = new_surface(test, t, false);
	KUNIT_EXPECT_EQ(test, blob->error, 0);
	KUNIT_EXPECT_FALSE(test, blob->rejected);
	KUNIT_EXPECT_EQ(test, surface->error, 0);
	KUNIT_EXPECT_EQ(test, t->refusals, 0);
	/* Such a device has never heard of them, and there is nothing to wait for. */
	KUNIT_EXPECT_TRUE(test, blob->stale);
	KUNIT_EXPECT_TRUE(test, surface->stale);
	fence = virtgpu_resource_detach_backing(blob);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	virtgpu_resource_destroy(surface);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	expect_released(test, t);
	dma_fence_put(fence);
}

/* After a reset there is nobody to tell, and the exporter has nothing to wait for. */
static void resource_lost(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *blob = new_blob(test, t, true);
	struct virtgpu_resource *surface = new_surface(test, t, false);
	struct virtgpu_resource *dying = new_blob(test, t, false);
	struct virtgpu_resource *next;
	struct dma_fence *fence;
	unsigned int sent;

	test_reply_all(t->r);
	virtgpu_resource_destroy(dying);
	virtgpu_vq_stop(&t->r->q);
	virtgpu_resources_invalidate(&t->pool);
	test_ring_start(t->r, 64);
	sent = t->r->count;

	/* What is made from now on is told as ever, under another number. */
	next = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, next->id, blob->id);
	KUNIT_EXPECT_NE(test, next->id, surface->id);
	KUNIT_EXPECT_FALSE(test, next->stale);
	expect_sent(test, t, sent, CREATE_BLOB, next->id);

	fence = virtgpu_resource_detach_backing(blob);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
	virtgpu_resource_destroy(surface);
	KUNIT_EXPECT_EQ(test, t->r->count, sent + 1);
	KUNIT_EXPECT_EQ(test, t->pool.detached, 0);

	virtgpu_resource_destroy(next);
	KUNIT_EXPECT_EQ(test, t->r->count, sent + 2);
	test_reply_all(t->r);
	expect_released(test, t);
}

/* Many at once: each has a number of its own, and all come back. */
static void resource_many(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res[100];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(res); i++) {
		res[i] = i % 2 ? new_blob(test, t, i % 3) : new_surface(test, t, i % 3);
		for (k = 0; k < i; k++)
			KUNIT_ASSERT_NE(test, res[i]->id, res[k]->id);
	}
	for (i = 0; i < ARRAY_SIZE(res); i++) {
		if (res[i]->detach)
			dma_fence_put(virtgpu_resource_detach_backing(res[i]));
		else
			virtgpu_resource_destroy(res[i]);
	}
	test_reply_all(t->r);
	KUNIT_EXPECT_EQ(test, t->pool.attached, ARRAY_SIZE(res));
	expect_released(test, t);
}

static struct kunit_case resource_tests[] = {
	KUNIT_CASE(resource_blob),
	KUNIT_CASE(resource_surface),
	KUNIT_CASE_PARAM(backing_too_small, excess_gen_params),
	KUNIT_CASE(no_backing),
	KUNIT_CASE(part_of_backing),
	KUNIT_CASE(retire),
	KUNIT_CASE(late_creation),
	KUNIT_CASE_PARAM(unref_ends, end_gen_params),
	KUNIT_CASE(resource_detach),
	KUNIT_CASE_PARAM(detach_ends, end_gen_params),
	KUNIT_CASE(detach_order),
	KUNIT_CASE(never_detached),
	KUNIT_CASE_PARAM(blob_error, error_gen_params),
	KUNIT_CASE_PARAM(surface_error, error_gen_params),
	KUNIT_CASE(error_at_end),
	KUNIT_CASE(refuse),
	KUNIT_CASE(refuse_unheard),
	KUNIT_CASE(on_dead_queue),
	KUNIT_CASE(resource_lost),
	KUNIT_CASE(resource_many),
	{}
};

static struct kunit_suite resource_suite = {
	.name = "virtio_gpu_resource",
	.test_cases = resource_tests,
};

kunit_test_suite(resource_suite);
