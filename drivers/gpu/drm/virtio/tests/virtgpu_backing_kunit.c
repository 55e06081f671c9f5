// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "virtgpu_backing.h"

static void mgr_fini(void *data)
{
	virtgpu_backing_mgr_flush(data);
}

static struct virtgpu_backing_mgr *mgr_create(struct kunit *test, enum virtgpu_addr_type type)
{
	struct virtgpu_backing_mgr *mgr = kunit_kzalloc(test, sizeof(*mgr), GFP_KERNEL);
	struct device *dev = kunit_device_register(test, "virtgpu-test-backing");

	KUNIT_ASSERT_NOT_NULL(test, mgr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	if (type == VIRTGPU_ADDR_DMA)
		KUNIT_ASSERT_EQ(test, dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)), 0);
	virtgpu_backing_mgr_init(mgr, dev, type);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mgr_fini, mgr), 0);

	return mgr;
}

/* A device that uses DMA addresses. */
static struct virtgpu_backing_mgr *dma_mgr_create(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_DMA);

	/* The same parameters as set by virtgpu_device_init(). */
	mgr->dev->dma_parms = kunit_kzalloc(test, sizeof(*mgr->dev->dma_parms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mgr->dev->dma_parms);
	dma_set_max_seg_size(mgr->dev, UINT_MAX);

	return mgr;
}

static void put_pages(void *data)
{
	virtgpu_backing_put_sync(data);
}

static struct virtgpu_backing *pages_create(struct kunit *test, u64 size)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_GPA);
	struct virtgpu_backing *b = virtgpu_pages_alloc(mgr, size);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_pages, b), 0);

	return b;
}

/*
 * Guest pages
 */

struct size_case {
	const char *name;
	u64 pages;
	unsigned int max_entries;
};

/* Blocks of the page allocator are at most 4 MiB. */
static const struct size_case size_cases[] = {
	{ "one page", 1, 1 },
	{ "two pages", 2, 2 },
	{ "three pages", 3, 3 },
	{ "a cursor", 4, 4 },
	{ "seven pages", 7, 7 },
	{ "64 KiB", 16, 16 },
	{ "1024x768", 768, 32 },
	{ "4 MiB", 1024, 32 },
	{ "4 MiB and a page", 1025, 32 },
	{ "1920x1080", 2025, 32 },
	{ "3840x2160", 8100, 32 },
};

KUNIT_ARRAY_PARAM_DESC(size, size_cases, name);

static void backing_size(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct virtgpu_backing *b = pages_create(test, c->pages << PAGE_SHIFT);
	struct virtgpu_mem_entries *e;
	struct scatterlist *sg;
	unsigned int i;
	u64 sum = 0;

	KUNIT_EXPECT_EQ(test, b->size, c->pages << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, b->addr_type, VIRTGPU_ADDR_GPA);
	KUNIT_EXPECT_EQ(test, refcount_read(&b->ref), 1);
	for_each_sgtable_sg(b->sgt, sg, i) {
		KUNIT_EXPECT_TRUE(test, is_power_of_2(sg->length >> PAGE_SHIFT));
		KUNIT_EXPECT_EQ(test, sg->offset, 0);
		sum += sg->length;
	}
	KUNIT_EXPECT_EQ(test, sum, b->size);

	e = virtgpu_mem_entries_alloc(b->sgt, b->addr_type, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	KUNIT_EXPECT_EQ(test, e->bytes, b->size);
	KUNIT_EXPECT_LE(test, e->count, c->max_entries);
	KUNIT_EXPECT_LE(test, e->count, b->sgt->orig_nents);
	virtgpu_mem_entries_free(e);
}

static void zeroed(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct virtgpu_backing *b = pages_create(test, c->pages << PAGE_SHIFT);
	struct virtgpu_pages_pos pos = { };
	u64 at;

	for (at = 0; at < b->size; at += PAGE_SIZE) {
		struct page *page = virtgpu_pages_page(b, &pos, at);
		void *p, *nonzero;

		KUNIT_ASSERT_NOT_NULL(test, page);
		p = kmap_local_page(page);
		nonzero = memchr_inv(p, 0, PAGE_SIZE);
		kunmap_local(p);
		KUNIT_ASSERT_NULL(test, nonzero);
	}
}

/* Only single pages take more than one attempt at reclaiming memory. */
static void page_flags(struct kunit *test)
{
	const gfp_t user = GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	unsigned int order;
	gfp_t gfp;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		gfp = virtgpu_pages_gfp(order);
		KUNIT_EXPECT_TRUE(test, (gfp | __GFP_DIRECT_RECLAIM) == (gfp | user));
		KUNIT_EXPECT_TRUE(test, gfp & __GFP_KSWAPD_RECLAIM);
		KUNIT_EXPECT_EQ(test, !!(gfp & __GFP_DIRECT_RECLAIM),
				order <= PAGE_ALLOC_COSTLY_ORDER);
		KUNIT_EXPECT_EQ(test, !!(gfp & __GFP_NORETRY), order > 0);
		KUNIT_EXPECT_EQ(test, !!(gfp & __GFP_RETRY_MAYFAIL), order == 0);
		KUNIT_EXPECT_EQ(test, !!(gfp & __GFP_COMP), order > 0);
	}
}

/* Each byte has the same content as in a contiguous kernel mapping. */
static void address(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct virtgpu_backing *b = pages_create(test, c->pages << PAGE_SHIFT);
	struct virtgpu_pages_pos pos = { };
	struct iosys_map map;
	struct page *page;
	int wrong = 0;
	u64 at, v;

	KUNIT_ASSERT_EQ(test, virtgpu_pages_vmap(b, &map), 0);
	for (at = 0; at < b->size; at += 512)
		*(u64 *)(map.vaddr + at) = at ^ 0x5a5a00000000;
	vunmap(map.vaddr);

	for (at = 0; at < b->size; at += 512) {
		page = virtgpu_pages_page(b, &pos, at);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memcpy_from_page((char *)&v, page, offset_in_page(at), sizeof(v));
		wrong += v != (at ^ 0x5a5a00000000);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);

	/* Adjacent bytes, and the bounds. */
	KUNIT_EXPECT_PTR_EQ(test, virtgpu_pages_page(b, &pos, 1), virtgpu_pages_page(b, &pos, 0));
	KUNIT_EXPECT_PTR_EQ(test, virtgpu_pages_page(b, &pos, b->size - 1),
			    virtgpu_pages_page(b, &pos, b->size - PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, virtgpu_pages_page(b, &pos, b->size));
	KUNIT_EXPECT_NULL(test, virtgpu_pages_page(b, &pos, U64_MAX));
}

/* The table for another device has the same pages and is freed separately. */
static void backing_sg_table(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct virtgpu_backing *b = pages_create(test, c->pages << PAGE_SHIFT);
	struct sg_page_iter pages, copied;
	struct sg_table *copy = virtgpu_pages_sg_table(b);
	u64 n = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	KUNIT_EXPECT_PTR_NE(test, copy, b->sgt);
	KUNIT_EXPECT_PTR_NE(test, copy->sgl, b->sgt->sgl);
	__sg_page_iter_start(&copied, copy->sgl, copy->orig_nents, 0);
	for_each_sgtable_page(b->sgt, &pages, 0) {
		if (!__sg_page_iter_next(&copied))
			break;
		if (sg_page_iter_page(&pages) != sg_page_iter_page(&copied))
			break;
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, c->pages);
	KUNIT_EXPECT_FALSE(test, __sg_page_iter_next(&copied));
	sg_free_table(copy);
	kfree(copy);
}

/* The sum lacks up to 127 pages in each CPU's counter. */
static void expect_gpu_pages(struct kunit *test, long expected)
{
	long slack = 127L * num_possible_cpus() * num_online_nodes();
	long count = global_node_page_state(NR_GPU_ACTIVE);

	KUNIT_EXPECT_GE(test, count, expected - slack);
	KUNIT_EXPECT_LE(test, count, expected + slack);
}

/* GPUActive includes the pages of a buffer until the buffer is freed. */
static void backing_counted(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_GPA);
	long before = global_node_page_state(NR_GPU_ACTIVE);
	struct virtgpu_backing *large, *odd;

	large = virtgpu_pages_alloc(mgr, 4096 << PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, large);
	expect_gpu_pages(test, before + 4096);
	odd = virtgpu_pages_alloc(mgr, 2047 << PAGE_SHIFT);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, odd);
	expect_gpu_pages(test, before + 4096 + 2047);
	if (!IS_ERR(odd))
		virtgpu_backing_put_sync(odd);
	expect_gpu_pages(test, before + 4096);
	virtgpu_backing_put_sync(large);
	expect_gpu_pages(test, before);
}

/* Failed allocations do not change GPUActive. */
static void failed_not_counted(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = dma_mgr_create(test);
	long before = global_node_page_state(NR_GPU_ACTIVE);
	unsigned int i;

	virtgpu_backing_mgr_unmap_all(mgr);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(virtgpu_pages_alloc(mgr, 1000 << PAGE_SHIFT)),
				-ENODEV);
	expect_gpu_pages(test, before);
}

static void too_large(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_GPA);
	u64 size = ((u64)totalram_pages() + 1) << PAGE_SHIFT;

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(virtgpu_pages_alloc(mgr, size)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(virtgpu_pages_alloc(mgr, 1ull << 60)), -ENOMEM);
}

/* A device that uses DMA addresses gets DMA addresses. */
static void backing_dma(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = dma_mgr_create(test);
	struct virtgpu_backing *b;
	struct scatterlist *sg;
	unsigned int i;
	u64 sum = 0;

	b = virtgpu_pages_alloc(mgr, 100 << PAGE_SHIFT);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	KUNIT_EXPECT_EQ(test, b->addr_type, VIRTGPU_ADDR_DMA);
	for_each_sgtable_dma_sg(b->sgt, sg, i)
		sum += sg_dma_len(sg);
	KUNIT_EXPECT_EQ(test, sum, 100 << PAGE_SHIFT);
	virtgpu_pages_sync_for_device(b);
	virtgpu_backing_put_sync(b);
}

/*
 * References
 */

struct counted {
	struct virtgpu_backing base;
	unsigned int releases;
	unsigned int unmaps;
	bool in_process;
	struct completion released;
};

static void count_release(struct virtgpu_backing *b)
{
	struct counted *c = container_of(b, struct counted, base);

	c->releases++;
	c->in_process = in_task() && !irqs_disabled();
	complete(&c->released);
}

static struct counted *counted_create(struct kunit *test, struct virtgpu_backing_mgr *mgr)
{
	struct counted *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	init_completion(&c->released);
	virtgpu_backing_init(&c->base, mgr, count_release);

	return c;
}

static void backing_addr_type(struct kunit *test)
{
	struct counted *c = counted_create(test, mgr_create(test, VIRTGPU_ADDR_DMA));

	KUNIT_EXPECT_EQ(test, c->base.addr_type, VIRTGPU_ADDR_DMA);
	KUNIT_EXPECT_EQ(test, refcount_read(&c->base.ref), 1);
}

static void put_sync(struct kunit *test)
{
	struct counted *c = counted_create(test, mgr_create(test, VIRTGPU_ADDR_GPA));

	KUNIT_EXPECT_PTR_EQ(test, virtgpu_backing_get(&c->base), &c->base);
	virtgpu_backing_put_sync(&c->base);
	KUNIT_EXPECT_EQ(test, c->releases, 0);
	virtgpu_backing_put_sync(&c->base);
	KUNIT_EXPECT_EQ(test, c->releases, 1);
}

/*
 * Dropping the last reference in an interrupt defers the release to a worker.
 */
static void put_in_interrupt(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_GPA);
	struct counted *c = counted_create(test, mgr);
	unsigned long flags;

	virtgpu_backing_get(&c->base);
	local_irq_save(flags);
	virtgpu_backing_put(&c->base);
	virtgpu_backing_put(&c->base);
	KUNIT_EXPECT_EQ(test, c->releases, 0);
	local_irq_restore(flags);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&c->released, 5 * HZ), 0);
	KUNIT_EXPECT_EQ(test, c->releases, 1);
	KUNIT_EXPECT_TRUE(test, c->in_process);
}

/* virtgpu_backing_mgr_flush() waits for the worker. */
static void fini_releases(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_GPA);
	struct counted *c[20];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = counted_create(test, mgr);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		virtgpu_backing_put(&c[i]->base);
	virtgpu_backing_mgr_flush(mgr);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		KUNIT_EXPECT_EQ(test, c[i]->releases, 1);
}

static void count_unmap(struct virtgpu_backing *b)
{
	container_of(b, struct counted, base)->unmaps++;
}

/* Removal undoes the mappings of backings in use, and new mappings fail. */
static void unmap_all(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_DMA);
	struct counted *used = counted_create(test, mgr);
	struct counted *released = counted_create(test, mgr);
	struct counted *destroyed = counted_create(test, mgr);
	struct counted *unmapped = counted_create(test, mgr);
	struct counted *late = counted_create(test, mgr);

	KUNIT_EXPECT_EQ(test, virtgpu_backing_track_mapping(&used->base, count_unmap), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_backing_track_mapping(&released->base, count_unmap), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_backing_track_mapping(&destroyed->base, count_unmap), 0);
	virtgpu_backing_put_sync(&released->base);
	virtgpu_backing_put(&destroyed->base);

	virtgpu_backing_mgr_unmap_all(mgr);
	KUNIT_EXPECT_EQ(test, used->unmaps, 1);
	KUNIT_EXPECT_EQ(test, used->releases, 0);
	KUNIT_EXPECT_EQ(test, released->unmaps, 0);
	KUNIT_EXPECT_EQ(test, destroyed->unmaps, 0);
	KUNIT_EXPECT_EQ(test, destroyed->releases, 1);
	KUNIT_EXPECT_EQ(test, unmapped->unmaps, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_backing_track_mapping(&late->base, count_unmap),
			-ENODEV);

	virtgpu_backing_mgr_unmap_all(mgr);
	KUNIT_EXPECT_EQ(test, used->unmaps, 1);
	virtgpu_backing_put_sync(&used->base);
	KUNIT_EXPECT_EQ(test, used->releases, 1);
}

struct slow {
	struct virtgpu_backing base;
	struct completion started;
	bool released;
};

static void slow_release(struct virtgpu_backing *b)
{
	struct slow *s = container_of(b, struct slow, base);

	complete(&s->started);
	msleep(100);
	WRITE_ONCE(s->released, true);
}

static int slow_put(void *data)
{
	struct slow *s = data;

	virtgpu_backing_put_sync(&s->base);

	return 0;
}

/* Removal waits for a mapping that another thread is about to undo. */
static void unmap_all_waits(struct kunit *test)
{
	struct virtgpu_backing_mgr *mgr = mgr_create(test, VIRTGPU_ADDR_DMA);
	struct slow *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, s);
	init_completion(&s->started);
	virtgpu_backing_init(&s->base, mgr, slow_release);
	KUNIT_ASSERT_EQ(test, virtgpu_backing_track_mapping(&s->base, count_unmap), 0);
	task = kthread_create(slow_put, s, "virtio-gpu-put");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&s->started);
	virtgpu_backing_mgr_unmap_all(mgr);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(s->released));
	kthread_stop_put(task);
}

static struct kunit_case backing_tests[] = {
	KUNIT_CASE_PARAM(backing_size, size_gen_params),
	KUNIT_CASE_PARAM(zeroed, size_gen_params),
	KUNIT_CASE_PARAM(address, size_gen_params),
	KUNIT_CASE_PARAM(backing_sg_table, size_gen_params),
	KUNIT_CASE(backing_counted),
	KUNIT_CASE(failed_not_counted),
	KUNIT_CASE(too_large),
	KUNIT_CASE(backing_dma),
	KUNIT_CASE(backing_addr_type),
	KUNIT_CASE(put_sync),
	KUNIT_CASE(put_in_interrupt),
	KUNIT_CASE(fini_releases),
	KUNIT_CASE(unmap_all),
	KUNIT_CASE(unmap_all_waits),
	KUNIT_CASE(page_flags),
	{}
};

static struct kunit_suite backing_suite = {
	.name = "virtio_gpu_backing",
	.test_cases = backing_tests,
};

kunit_test_suite(backing_suite);
