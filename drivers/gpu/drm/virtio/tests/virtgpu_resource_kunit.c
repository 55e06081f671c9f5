// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
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

#define OK VIRTIO_GPU_RESP_OK_NODATA
#define ERR_RESOURCE VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define ERR_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

/* Field @member of struct virtio_gpu_@command in a request. */
#define FIELD(slot, command, member) \
	get_unaligned_le32((slot)->request + offsetof(struct virtio_gpu_##command, member))

#define PAGES 6
#define SIZE (PAGES * 0x1000ull)
#define FLAGS VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE

/* Six pages in three segments, and a count of releases. */
struct test_backing {
	struct virtgpu_backing base;
	struct sg_table sgt;
	unsigned int releases;
};

struct resource_test {
	struct virtgpu_resource_mgr mgr;
	struct virtgpu_backing_mgr mem;
	struct test_ring *r;
	struct test_backing backing;
	unsigned int rejections;
};

static void count_release(struct virtgpu_backing *b)
{
	container_of(b, struct test_backing, base)->releases++;
}

static void count_rejection(struct virtgpu_resource_mgr *mgr)
{
	container_of(mgr, struct resource_test, mgr)->rejections++;
}

static void resource_fini(void *data)
{
	struct resource_test *t = data;

	virtgpu_backing_mgr_flush(&t->mem);
	virtgpu_resource_mgr_fini(&t->mgr);
	sg_free_table(&t->backing.sgt);
}

static struct resource_test *resource_create(struct kunit *test)
{
	struct resource_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	virtgpu_backing_mgr_init(&t->mem, NULL, VIRTGPU_ADDR_GPA);
	virtgpu_resource_mgr_init(&t->mgr, NULL, NULL);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, resource_fini, t), 0);
	t->r = test_ring_create(test, 64);
	t->mgr.drm = &t->r->drm;
	t->mgr.queue = &t->r->q;
	t->mgr.on_rejected = count_rejection;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&t->backing.sgt, PAGES, GFP_KERNEL), 0);
	for_each_sgtable_sg(&t->backing.sgt, sg, i) {
		sg_dma_address(sg) = i / 2 * 0x100000 + i % 2 * 0x1000 + 0x40000000;
		sg->length = 0x1000;
		sg_dma_len(sg) = 0x1000;
	}
	virtgpu_backing_init(&t->backing.base, &t->mem, count_release);
	t->backing.base.addr_type = VIRTGPU_ADDR_DMA;
	t->backing.base.sgt = &t->backing.sgt;
	t->backing.base.size = SIZE;

	return t;
}

static struct virtgpu_resource *new_blob(struct kunit *test, struct resource_test *t,
					 bool movable)
{
	struct virtgpu_resource *res = virtgpu_resource_create_blob(&t->mgr, &t->backing.base,
								    SIZE, FLAGS, movable);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);

	return res;
}

static const struct virtgpu_2d_layout layout = {
	.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = 64, .height = 96,
};

static struct virtgpu_resource *new_2d(struct kunit *test, struct resource_test *t,
				       bool movable)
{
	struct virtgpu_resource *res = virtgpu_resource_create_2d(&t->mgr, &t->backing.base,
								  &layout, movable);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);

	return res;
}

static void expect_sent(struct kunit *test, struct resource_test *t, unsigned int i,
			u32 type, u32 id)
{
	KUNIT_ASSERT_LT(test, i, t->r->count);
	KUNIT_EXPECT_EQ(test, t->r->slots[i].type, type);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[i], resource_unref, resource_id), id);
}

/* Only the test's own reference may be left. */
static void expect_released(struct kunit *test, struct resource_test *t)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&t->mgr.list));
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&t->mgr.ids.ida));
	flush_work(&t->mem.release_work);
	KUNIT_EXPECT_EQ(test, t->backing.releases, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 1);
	virtgpu_backing_put_sync(&t->backing.base);
	KUNIT_EXPECT_EQ(test, t->backing.releases, 1);
}

/*
 * Creation
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
	KUNIT_EXPECT_EQ(test, t->mgr.attached, 1);

	/* One command with all entries; the caller must kick. */
	KUNIT_ASSERT_EQ(test, t->r->count, 1);
	expect_sent(test, t, 0, CREATE_BLOB, res->id);
	KUNIT_EXPECT_NE(test, res->id, 0);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_blob, blob_mem),
			VIRTIO_GPU_BLOB_MEM_GUEST);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_blob, blob_flags),
			VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_blob, nr_entries), 3);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_blob, size), SIZE);
	KUNIT_EXPECT_EQ(test, t->r->slots[0].payload_size,
			3 * sizeof(struct virtio_gpu_mem_entry));
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);

	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

static void resource_2d(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_2d(test, t, false);

	KUNIT_EXPECT_EQ(test, res->type, VIRTGPU_RES_2D);
	KUNIT_EXPECT_MEMEQ(test, &res->layout, &layout, sizeof(layout));
	KUNIT_EXPECT_FALSE(test, res->has_contents);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_sent(test, t, 0, CREATE_2D, res->id);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_2d, format),
			layout.format);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_2d, width), layout.width);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_2d, height), layout.height);
	expect_sent(test, t, 1, ATTACH, res->id);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[1], resource_attach_backing, nr_entries), 3);
	KUNIT_EXPECT_EQ(test, t->r->slots[1].payload_size,
			3 * sizeof(struct virtio_gpu_mem_entry));
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);

	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

static const u64 excesses[] = { 1, 0x1000, 0x100000000ull, U64_MAX - SIZE };

static void excess_desc(const u64 *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "0x%llx bytes too many", *n);
}

KUNIT_ARRAY_PARAM(excess, excesses, excess_desc);

/* A blob larger than its backing fails without a command. */
static void backing_too_small(struct kunit *test)
{
	const u64 *excess = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	res = virtgpu_resource_create_blob(&t->mgr, &t->backing.base, SIZE + *excess, FLAGS, true);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	KUNIT_EXPECT_EQ(test, t->mgr.attached, 0);
	expect_released(test, t);
}

static void no_backing(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	t->backing.sgt.nents = 0;
	res = virtgpu_resource_create_blob(&t->mgr, &t->backing.base, 0, FLAGS, false);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	res = virtgpu_resource_create_2d(&t->mgr, &t->backing.base, &layout, false);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(res), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	expect_released(test, t);
}

/* A blob may be smaller than its backing. */
static void part_of_backing(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res;

	res = virtgpu_resource_create_blob(&t->mgr, &t->backing.base, 0x1000, FLAGS, false);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, res);
	KUNIT_EXPECT_EQ(test, res->size, 0x1000);
	KUNIT_EXPECT_EQ(test, FIELD(&t->r->slots[0], resource_create_blob, size), 0x1000);
	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

/*
 * Destruction
 */

/*
 * The resource ID and the backing are free when UNREF completes, but the ID is
 * not used again soon.
 */
static void resource_destroy(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *first = new_blob(test, t, false), *second;
	u32 id = first->id;

	virtgpu_resource_destroy(first);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_sent(test, t, 1, UNREF, id);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 2);

	/* The response to the creation changes nothing. */
	test_complete(t->r, 0, OK);
	second = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, second->id, id);

	test_complete(t->r, 1, OK);
	flush_work(&t->mem.release_work);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 2);
	virtgpu_resource_destroy(second);
	second = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, second->id, id);
	virtgpu_resource_destroy(second);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* IDs are reused after all others, lowest first, and never while in use. */
static void ids_wrap(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *used = new_blob(test, t, false), *res;

	atomic_set(&t->mgr.ids.last, INT_MAX - 1);
	res = new_blob(test, t, false);
	KUNIT_EXPECT_EQ(test, res->id, INT_MAX);
	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	res = new_blob(test, t, false);
	KUNIT_EXPECT_EQ(test, res->id, used->id + 1);
	virtgpu_resource_destroy(res);
	virtgpu_resource_destroy(used);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* The host may still use what UNREF was to release, until a reset. */
static void unref_rejected(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	test_complete(t->r, 0, OK);
	virtgpu_resource_destroy(res);
	test_complete(t->r, 1, VIRTIO_GPU_RESP_ERR_UNSPEC);
	flush_work(&t->mem.release_work);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->backing.base.ref), 2);
	KUNIT_EXPECT_FALSE(test, ida_is_empty(&t->mgr.ids.ida));
	virtgpu_resources_invalidate(&t->mgr);
	expect_released(test, t);
}

/*
 * UNREF completes first: the message of the creation still holds a reference.
 */
static void late_creation(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false), *next;
	u32 id = res->id;

	virtgpu_resource_destroy(res);
	test_complete(t->r, 1, OK);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->mgr.list));
	next = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, next->id, id);
	test_complete(t->r, 0, ERR_RESOURCE);
	virtgpu_resource_destroy(next);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* @response: 0 to stop the queue instead */
struct end_case {
	const char *name;
	u32 response;
};

static const struct end_case end_cases[] = {
	{ "done", OK },
	{ "rejected", ERR_RESOURCE },
	{ "the device is gone", 0 },
};

KUNIT_ARRAY_PARAM_DESC(end, end_cases, name);

static void end_all(struct resource_test *t, u32 response)
{
	if (response) {
		test_respond_all(t->r, response);
		test_interrupt(t->r);
	} else {
		virtgpu_vq_stop(&t->r->q);
	}
}

/* Nothing leaks, whatever the response to UNREF. */
static void unref_ends(struct kunit *test)
{
	const struct end_case *c = test->param_value;
	struct resource_test *t = resource_create(test);

	virtgpu_resource_destroy(new_blob(test, t, true));
	virtgpu_resource_destroy(new_2d(test, t, false));
	end_all(t, c->response);
	expect_released(test, t);
}

/*
 * The memory moves: the fence of DETACH signals when the host has detached it.
 */
static void resource_detach(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, true);
	struct dma_fence *fence;
	u32 id = res->id;

	test_complete(t->r, 0, OK);
	fence = virtgpu_resource_detach_backing(res);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_sent(test, t, 1, DETACH, id);
	KUNIT_EXPECT_EQ(test, t->r->slots[1].flags, VIRTIO_GPU_FLAG_FENCE);
	expect_sent(test, t, 2, UNREF, id);
	KUNIT_EXPECT_EQ(test, t->r->slots[2].flags, 0);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);
	KUNIT_EXPECT_EQ(test, t->mgr.detached, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);

	test_complete(t->r, 1, OK);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->mgr.list));
	test_complete(t->r, 2, OK);
	expect_released(test, t);
	dma_fence_put(fence);
}

static void detach_ends(struct kunit *test)
{
	const struct end_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct dma_fence *fence = virtgpu_resource_detach_backing(new_2d(test, t, true));
	int status = c->response == OK ? 1 : c->response ? -ENOENT : -ENODEV;

	end_all(t, c->response);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), status);
	expect_released(test, t);
	dma_fence_put(fence);
}

/*
 * The fences of several moves are on one timeline, in the order of the moves.
 */
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
		KUNIT_EXPECT_EQ(test, fence[i]->context, t->mgr.detaches.context);
		KUNIT_EXPECT_EQ(test, fence[i]->seqno, 3 - i);
	}
	test_complete_all(t->r);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
	expect_released(test, t);
}

/*
 * A reservation object keeps one fence of a timeline, the latest, so that fence
 * must not signal while an earlier RESOURCE_DETACH_BACKING is pending.
 */
static void detach_out_of_order(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res[2];
	struct dma_fence *fence[2];
	int i;

	for (i = 0; i < 2; i++)
		res[i] = new_blob(test, t, true);
	for (i = 0; i < 2; i++)
		fence[i] = virtgpu_resource_detach_backing(res[i]);
	KUNIT_ASSERT_EQ(test, t->r->count, 6);
	expect_sent(test, t, 4, DETACH, res[1]->id);
	test_complete(t->r, 4, OK);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[0]), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[1]), 0);
	test_complete(t->r, 2, OK);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), 1);
		dma_fence_put(fence[i]);
	}
	test_complete_all(t->r);
	expect_released(test, t);
}

/* A movable resource that never moves does not use its fence. */
static void never_detached(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, true);

	KUNIT_EXPECT_NOT_NULL(test, res->detach);
	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
	KUNIT_EXPECT_EQ(test, t->mgr.detached, 0);
	KUNIT_EXPECT_EQ(test, t->mgr.detaches.seqno, 0);
	expect_released(test, t);
}

/*
 * Errors
 */

struct error_case {
	const char *name;
	u32 response;
	int error;
};

static const struct error_case error_cases[] = {
	{ "OK_NODATA", OK, 0 },
	{ "unknown OK", OK + 0xff, 0 },
	{ "ERR_INVALID_SCANOUT_ID", VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, 0 },
	{ "ERR_UNSPEC", VIRTIO_GPU_RESP_ERR_UNSPEC, -EIO },
	{ "ERR_OUT_OF_MEMORY", VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, -ENOMEM },
	{ "ERR_INVALID_RESOURCE_ID", ERR_RESOURCE, -ENOENT },
	{ "ERR_INVALID_PARAMETER", ERR_PARAMETER, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(error, error_cases, name);

/* A rejected blob is reported once, so that 2D resources can replace it. */
static void blob_error(struct kunit *test)
{
	const struct error_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);
	struct virtgpu_msg *msg = test_msg(test, NULL);

	virtgpu_resource_track(res, msg);
	virtgpu_vq_queue_msg(&t->r->q, msg);
	test_complete(t->r, 0, c->response);
	KUNIT_EXPECT_EQ(test, res->error, c->error);
	KUNIT_EXPECT_EQ(test, res->rejected, c->error != 0);
	KUNIT_EXPECT_EQ(test, t->rejections, c->error ? 1 : 0);
	KUNIT_EXPECT_EQ(test, t->mgr.rejected, c->error ? 1 : 0);

	/* The first error is sticky. */
	test_complete(t->r, 1, ERR_PARAMETER);
	KUNIT_EXPECT_EQ(test, res->error, c->error ?: -EINVAL);
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->rejections, 1);
	KUNIT_EXPECT_EQ(test, t->mgr.rejected, 1);

	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* A 2D resource has no fallback: the error is only sticky. */
static void error_2d(struct kunit *test)
{
	const struct error_case *c = test->param_value;
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_2d(test, t, false);

	test_complete(t->r, 0, c->response);
	KUNIT_EXPECT_EQ(test, res->error, c->error);
	test_complete(t->r, 1, ERR_PARAMETER);
	KUNIT_EXPECT_EQ(test, res->error, c->error ?: -EINVAL);
	KUNIT_EXPECT_FALSE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->rejections, 0);
	KUNIT_EXPECT_EQ(test, t->mgr.rejected, 0);

	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* An error of UNREF is not sticky: the owner is gone. */
static void error_at_end(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	virtgpu_resource_get(res);
	virtgpu_resource_destroy(res);
	test_complete(t->r, 0, OK);
	test_complete(t->r, 1, ERR_RESOURCE);
	KUNIT_EXPECT_EQ(test, res->error, 0);
	KUNIT_EXPECT_FALSE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->rejections, 0);
	virtgpu_resource_put(res);
	expect_released(test, t);
}

/* The blob is rejected by SET_SCANOUT_BLOB, not by its creation. */
static void mark_rejected(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	KUNIT_EXPECT_TRUE(test, virtgpu_resource_mark_rejected(res));
	KUNIT_EXPECT_FALSE(test, virtgpu_resource_mark_rejected(res));
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->rejections, 1);
	KUNIT_EXPECT_EQ(test, t->mgr.rejected, 1);
	t->mgr.on_rejected = NULL;
	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

static void rejected_no_callback(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res = new_blob(test, t, false);

	t->mgr.on_rejected = NULL;
	test_complete(t->r, 0, ERR_PARAMETER);
	KUNIT_EXPECT_TRUE(test, res->rejected);
	KUNIT_EXPECT_EQ(test, t->rejections, 0);
	virtgpu_resource_destroy(res);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* A stopped queue is neither an error of the resource nor a rejection. */
static void on_dead_queue(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *blob, *res_2d;
	struct dma_fence *fence;

	virtgpu_vq_stop(&t->r->q);
	blob = new_blob(test, t, true);
	res_2d = new_2d(test, t, false);
	KUNIT_EXPECT_EQ(test, blob->error, 0);
	KUNIT_EXPECT_FALSE(test, blob->rejected);
	KUNIT_EXPECT_EQ(test, res_2d->error, 0);
	KUNIT_EXPECT_EQ(test, t->rejections, 0);
	/*
	 * The resources do not exist on the host: there is nothing to wait for.
	 */
	KUNIT_EXPECT_TRUE(test, blob->stale);
	KUNIT_EXPECT_TRUE(test, res_2d->stale);
	fence = virtgpu_resource_detach_backing(blob);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	virtgpu_resource_destroy(res_2d);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	expect_released(test, t);
	dma_fence_put(fence);
}

/*
 * After a reset no command is sent, and the exporter has nothing to wait for.
 */
static void resource_stale(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *blob = new_blob(test, t, true);
	struct virtgpu_resource *res_2d = new_2d(test, t, false);
	struct virtgpu_resource *destroyed = new_blob(test, t, false);
	struct virtgpu_resource *next;
	struct dma_fence *fence;
	unsigned int sent;

	test_complete_all(t->r);
	virtgpu_resource_destroy(destroyed);
	virtgpu_vq_stop(&t->r->q);
	virtgpu_resources_invalidate(&t->mgr);
	test_ring_start(t->r, 64);
	sent = t->r->count;

	/* New resources are created as usual, with other IDs. */
	next = new_blob(test, t, false);
	KUNIT_EXPECT_NE(test, next->id, blob->id);
	KUNIT_EXPECT_NE(test, next->id, res_2d->id);
	KUNIT_EXPECT_FALSE(test, next->stale);
	expect_sent(test, t, sent, CREATE_BLOB, next->id);

	fence = virtgpu_resource_detach_backing(blob);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
	virtgpu_resource_destroy(res_2d);
	KUNIT_EXPECT_EQ(test, t->r->count, sent + 1);
	KUNIT_EXPECT_EQ(test, t->mgr.detached, 0);

	virtgpu_resource_destroy(next);
	KUNIT_EXPECT_EQ(test, t->r->count, sent + 2);
	test_complete_all(t->r);
	expect_released(test, t);
}

/* Each of many resources has an ID of its own, and all IDs are freed. */
static void resource_many(struct kunit *test)
{
	struct resource_test *t = resource_create(test);
	struct virtgpu_resource *res[100];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(res); i++) {
		res[i] = i % 2 ? new_blob(test, t, i % 3) : new_2d(test, t, i % 3);
		for (k = 0; k < i; k++)
			KUNIT_ASSERT_NE(test, res[i]->id, res[k]->id);
	}
	for (i = 0; i < ARRAY_SIZE(res); i++) {
		if (res[i]->detach)
			dma_fence_put(virtgpu_resource_detach_backing(res[i]));
		else
			virtgpu_resource_destroy(res[i]);
	}
	test_complete_all(t->r);
	KUNIT_EXPECT_EQ(test, t->mgr.attached, ARRAY_SIZE(res));
	expect_released(test, t);
}

static struct kunit_case resource_tests[] = {
	KUNIT_CASE(resource_blob),
	KUNIT_CASE(resource_2d),
	KUNIT_CASE_PARAM(backing_too_small, excess_gen_params),
	KUNIT_CASE(no_backing),
	KUNIT_CASE(part_of_backing),
	KUNIT_CASE(resource_destroy),
	KUNIT_CASE(ids_wrap),
	KUNIT_CASE(unref_rejected),
	KUNIT_CASE(late_creation),
	KUNIT_CASE_PARAM(unref_ends, end_gen_params),
	KUNIT_CASE(resource_detach),
	KUNIT_CASE_PARAM(detach_ends, end_gen_params),
	KUNIT_CASE(detach_order),
	KUNIT_CASE(detach_out_of_order),
	KUNIT_CASE(never_detached),
	KUNIT_CASE_PARAM(blob_error, error_gen_params),
	KUNIT_CASE_PARAM(error_2d, error_gen_params),
	KUNIT_CASE(error_at_end),
	KUNIT_CASE(mark_rejected),
	KUNIT_CASE(rejected_no_callback),
	KUNIT_CASE(on_dead_queue),
	KUNIT_CASE(resource_stale),
	KUNIT_CASE(resource_many),
	{}
};

static struct kunit_suite resource_suite = {
	.name = "virtio_gpu_resource",
	.test_cases = resource_tests,
};

kunit_test_suite(resource_suite);
