// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_mem_entries.h"

#define DMA_MAX ((dma_addr_t)~0ull)

struct run {
	u64 addr;
	u64 len;
};

struct merge_case {
	const char *name;
	struct run in[12];
	struct run out[12];
};

/* Virtio specification, 5.7.6.8: le64 addr, le32 length, le32 padding. */
static const struct merge_case merge_cases[] = {
	{
		.name = "one page",
		.in = { { 0x1000, 0x1000 } },
		.out = { { 0x1000, 0x1000 } },
	}, {
		.name = "two neighbours",
		.in = { { 0x1000, 0x1000 }, { 0x2000, 0x1000 } },
		.out = { { 0x1000, 0x2000 } },
	}, {
		.name = "two neighbours in reverse order",
		.in = { { 0x2000, 0x1000 }, { 0x1000, 0x1000 } },
		.out = { { 0x2000, 0x1000 }, { 0x1000, 0x1000 } },
	}, {
		.name = "a hole of one page",
		.in = { { 0x1000, 0x1000 }, { 0x3000, 0x1000 } },
		.out = { { 0x1000, 0x1000 }, { 0x3000, 0x1000 } },
	}, {
		.name = "a hole of one byte",
		.in = { { 0x1000, 0xfff }, { 0x2000, 0x1000 } },
		.out = { { 0x1000, 0xfff }, { 0x2000, 0x1000 } },
	}, {
		.name = "the same page twice",
		.in = { { 0x5000, 0x1000 }, { 0x5000, 0x1000 } },
		.out = { { 0x5000, 0x1000 }, { 0x5000, 0x1000 } },
	}, {
		.name = "overlapping",
		.in = { { 0x5000, 0x3000 }, { 0x6000, 0x3000 }, { 0x9000, 0x1000 } },
		.out = { { 0x5000, 0x3000 }, { 0x6000, 0x4000 } },
	}, {
		.name = "groups",
		.in = { { 0x1000, 0x1000 }, { 0x2000, 0x2000 }, { 0x9000, 0x1000 },
			{ 0xa000, 0x6000 }, { 0x10000, 0x1000 }, { 0x4000, 0x1000 } },
		.out = { { 0x1000, 0x3000 }, { 0x9000, 0x8000 }, { 0x4000, 0x1000 } },
	}, {
		.name = "empty element between neighbours",
		.in = { { 0x1000, 0x1000 }, { 0x7000, 0 }, { 0x2000, 0x1000 } },
		.out = { { 0x1000, 0x2000 } },
	}, {
		.name = "empty elements at both ends",
		.in = { { 0x7000, 0 }, { 0x1000, 0x1000 }, { 0x8000, 0x1000 }, { 0x9000, 0 } },
		.out = { { 0x1000, 0x1000 }, { 0x8000, 0x1000 } },
	}, {
		.name = "at address 0",
		.in = { { 0, 0x1000 }, { 0x1000, 0x1000 } },
		.out = { { 0, 0x2000 } },
	}, {
		.name = "across 4 GiB",
		.in = { { 0xfffff000, 0x1000 }, { 0x100000000, 0x1000 } },
		.out = { { 0xfffff000, 0x2000 } },
	}, {
		.name = "the same below and above 4 GiB",
		.in = { { 0x1000, 0x1000 }, { 0x100002000, 0x1000 } },
		.out = { { 0x1000, 0x1000 }, { 0x100002000, 0x1000 } },
	}, {
		.name = "4 GiB less a page",
		.in = { { 0x100000000, 0x80000000 }, { 0x180000000, 0x7ffff000 } },
		.out = { { 0x100000000, 0xfffff000 } },
	}, {
		.name = "4 GiB",
		.in = { { 0x100000000, 0x80000000 }, { 0x180000000, 0x80000000 } },
		.out = { { 0x100000000, 0x80000000 }, { 0x180000000, 0x80000000 } },
	}, {
		.name = "4 GiB and a page apart",
		.in = { { 0x100000000, 0x80000000 }, { 0x180000000, 0x80000000 },
			{ 0x300000000, 0x1000 } },
		.out = { { 0x100000000, 0x80000000 }, { 0x180000000, 0x80000000 },
			 { 0x300000000, 0x1000 } },
	}, {
		.name = "9 GiB",
		.in = { { 0x40000000, 0x40000000 }, { 0x80000000, 0x40000000 },
			{ 0xc0000000, 0x40000000 }, { 0x100000000, 0x40000000 },
			{ 0x140000000, 0x40000000 }, { 0x180000000, 0x40000000 },
			{ 0x1c0000000, 0x40000000 }, { 0x200000000, 0x40000000 },
			{ 0x240000000, 0x40000000 } },
		.out = { { 0x40000000, 0xc0000000 }, { 0x100000000, 0xc0000000 },
			 { 0x1c0000000, 0xc0000000 } },
	}, {
		.name = "at the top of the address space",
		.in = { { 0xffffffffffffe000, 0x1000 }, { 0xfffffffffffff000, 0x1000 } },
		.out = { { 0xffffffffffffe000, 0x2000 } },
	},
};

KUNIT_ARRAY_PARAM_DESC(merge, merge_cases, name);

static void free_table(void *data)
{
	sg_free_table(data);
}

static struct sg_table *new_table(struct kunit *test, unsigned int n)
{
	struct sg_table *sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(sgt, n, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_table, sgt), 0);

	return sgt;
}

static void set_dma(struct scatterlist *sg, u64 addr, u32 len)
{
	sg_dma_address(sg) = addr;
	sg->length = len;
	sg_dma_len(sg) = len;
}

static struct sg_table *table_of(struct kunit *test, const struct run *runs,
				 unsigned int n)
{
	struct sg_table *sgt = new_table(test, n);
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i) {
		if (runs[i].addr > DMA_MAX)
			kunit_skip(test, "dma_addr_t is too small");
		set_dma(sg, runs[i].addr, runs[i].len);
	}

	return sgt;
}

/* Compare all bytes of all segments, as the device reads them. */
static void expect_list(struct kunit *test, const struct virtgpu_mem_entries *e,
			const struct run *want, u32 count, unsigned int max_segs)
{
	struct scatterlist *seg = e->sgt.sgl;
	unsigned int segs = 0;
	u64 bytes = 0;
	u32 i = 0;

	KUNIT_ASSERT_EQ(test, e->count, count);

	for (; seg; seg = sg_next(seg), segs++) {
		const u8 *p = sg_virt(seg);
		u32 at;

		KUNIT_ASSERT_GT(test, seg->length, 0);
		KUNIT_ASSERT_EQ(test, seg->length % 16, 0);
		for (at = 0; at < seg->length; at += 16, i++) {
			u8 raw[16] = {};
			unsigned int k;

			KUNIT_ASSERT_LT(test, i, count);
			for (k = 0; k < 8; k++)
				raw[k] = want[i].addr >> (8 * k);
			for (k = 0; k < 4; k++)
				raw[8 + k] = want[i].len >> (8 * k);
			if (memcmp(p + at, raw, 16)) {
				KUNIT_FAIL(test, "entry %u of %u: %*ph and not %*ph\n",
					   i, count, 16, p + at, 16, raw);
				return;
			}
			bytes += want[i].len;
		}
	}

	KUNIT_EXPECT_EQ(test, i, count);
	KUNIT_EXPECT_EQ(test, e->bytes, bytes);
	KUNIT_EXPECT_EQ(test, e->sgt.nents, segs);
	KUNIT_EXPECT_LE(test, segs, max_segs);
}

static unsigned int runs_in(const struct run *runs, unsigned int max)
{
	unsigned int n = 0, i;

	for (i = 0; i < max; i++)
		if (runs[i].addr || runs[i].len)
			n = i + 1;

	return n;
}

static void mem_entries_merge(struct kunit *test)
{
	const struct merge_case *c = test->param_value;
	unsigned int n = runs_in(c->in, ARRAY_SIZE(c->in));
	unsigned int count = runs_in(c->out, ARRAY_SIZE(c->out));
	struct sg_table *sgt = table_of(test, c->in, n);
	struct virtgpu_mem_entries *e;

	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_DMA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, c->out, count, 14);
	virtgpu_mem_entries_free(e);
}

static void empty(struct kunit *test)
{
	static const struct run none[] = { { 0x1000, 0 }, { 0x2000, 0 } };
	struct sg_table *sgt = table_of(test, none, ARRAY_SIZE(none));

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_DMA, 14)),
			-EINVAL);
	/* Has no effect, as for kfree(). */
	virtgpu_mem_entries_free(NULL);
}

struct long_case {
	u32 count;
	unsigned int max_segs;
};

static const struct long_case long_cases[] = {
	{ 1, 1 }, { 1, 14 }, { 2, 1 }, { 3, 14 }, { 255, 14 }, { 256, 1 }, { 257, 14 },
	{ 1000, 3 }, { 1024, 14 }, { 4096, 14 }, { 4097, 14 }, { 8100, 14 }, { 8100, 254 },
	{ 16384, 1 }, { 16384, 2 }, { 16384, 14 }, { 16384, 62 }, { 16384, 1022 },
	{ 40000, 14 },
};

static void long_desc(const struct long_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u entries in at most %u segments",
		 c->count, c->max_segs);
}

KUNIT_ARRAY_PARAM(long, long_cases, long_desc);

static void mem_entries_long(struct kunit *test)
{
	const struct long_case *c = test->param_value;
	struct run *runs = kunit_kcalloc(test, c->count, sizeof(*runs), GFP_KERNEL);
	struct run *in = kunit_kcalloc(test, c->count * 4, sizeof(*in), GFP_KERNEL);
	u64 base = min_t(u64, 0x100000000, DMA_MAX / 2 + 1);
	unsigned int n = 0, part;
	struct virtgpu_mem_entries *e;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	KUNIT_ASSERT_NOT_NULL(test, in);
	for (i = 0; i < c->count; i++) {
		runs[i] = (struct run) { base + i * 0x5000ull, 0x1000 * (1 + i % 4) };
		for (part = 0; part <= i % 4; part++)
			in[n++] = (struct run) { runs[i].addr + part * 0x1000, 0x1000 };
	}

	e = virtgpu_mem_entries_alloc(table_of(test, in, n), VIRTGPU_ADDR_DMA, c->max_segs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, runs, c->count, c->max_segs);
	virtgpu_mem_entries_free(e);
}

/* A reference implementation of merging. */
static u32 merge_reference(const struct run *in, unsigned int n, struct run *out)
{
	u32 count = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct run *last = count ? &out[count - 1] : NULL;

		if (!in[i].len)
			continue;
		if (last && last->addr + last->len == in[i].addr &&
		    last->len + in[i].len <= U32_MAX)
			last->len += in[i].len;
		else
			out[count++] = in[i];
	}

	return count;
}

static const unsigned int seeds[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void seed_desc(const unsigned int *seed, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "seed %u", *seed);
}

KUNIT_ARRAY_PARAM(seed, seeds, seed_desc);

static void random(struct kunit *test)
{
	const unsigned int *seed = test->param_value;
	const unsigned int n = 2000;
	struct run *in = kunit_kcalloc(test, n, sizeof(*in), GFP_KERNEL);
	struct run *out = kunit_kcalloc(test, n * 2, sizeof(*out), GFP_KERNEL);
	struct rnd_state rnd;
	struct virtgpu_mem_entries *e;
	struct sg_table *sgt;
	u64 next = 0x10000;
	unsigned int i;
	u32 count;

	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_ASSERT_NOT_NULL(test, out);
	prandom_seed_state(&rnd, *seed);
	for (i = 0; i < n; i++) {
		u32 dice = prandom_u32_state(&rnd) % 100;

		if (dice < 20)
			next = ((u64)(prandom_u32_state(&rnd) & 0xffffff) << 12) & (DMA_MAX / 2);
		in[i].addr = next;
		if (dice % 10)
			in[i].len = (1 + prandom_u32_state(&rnd) % 64) << 12;
		/* A few are so large that merged runs exceed 4 GiB. */
		if (dice == 99 && DMA_MAX > U32_MAX)
			in[i].len = 0xc0000000;
		next += in[i].len;
	}

	count = merge_reference(in, n, out);
	sgt = table_of(test, in, n);
	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_DMA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, out, count, 14);
	virtgpu_mem_entries_free(e);
}

#define BLOCK_ORDER 3

static void free_block(void *data)
{
	__free_pages(data, BLOCK_ORDER);
}

static struct page *new_block(struct kunit *test)
{
	struct page *block = alloc_pages(GFP_KERNEL, BLOCK_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, block);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_block, block), 0);

	return block;
}

/* Pages that are mapped for DMA to two distant ranges. */
static void address_types(struct kunit *test)
{
	struct page *block = new_block(test);
	u64 phys = page_to_phys(block);
	const struct run physical[] = { { phys, 0x3000 }, { phys + 0x5000, 0x1000 } };
	static const struct run mapped[] = { { 0xabcd0000, 0x2000 }, { 0x777000, 0x2000 } };
	static const unsigned int order[] = { 0, 1, 2, 5 };
	struct sg_table *sgt = new_table(test, ARRAY_SIZE(order));
	struct virtgpu_mem_entries *e;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i)
		sg_set_page(sg, block + order[i], PAGE_SIZE, 0);
	for_each_sgtable_sg(sgt, sg, i)
		sg_dma_len(sg) = PAGE_SIZE;

	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_GPA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, physical, ARRAY_SIZE(physical), 14);
	virtgpu_mem_entries_free(e);

	/* A mapping may have another number of elements. */
	sgt->nents = 4;
	sg = sgt->sgl;
	sg_dma_address(sg) = 0xabcd0000;
	sg = sg_next(sg);
	sg_dma_address(sg) = 0xabcd1000;
	sg = sg_next(sg);
	sg_dma_address(sg) = 0x777000;
	sg = sg_next(sg);
	sg_dma_address(sg) = 0x778000;
	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_DMA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, mapped, ARRAY_SIZE(mapped), 14);
	virtgpu_mem_entries_free(e);
}

/* A mapping may have fewer elements than pages. */
static void fewer_mapped(struct kunit *test)
{
	struct page *block = new_block(test);
	const struct run physical[] = { { page_to_phys(block), 0x4000 } };
	static const struct run mapped[] = { { 0x40000000, 0x1000 }, { 0x50000000, 0x1000 } };
	struct sg_table *sgt = new_table(test, 4);
	struct virtgpu_mem_entries *e;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(sgt, sg, i) {
		sg_set_page(sg, block + i, PAGE_SIZE, 0);
		sg_dma_address(sg) = 0x40000000 + i * 0x10000000ull;
		sg_dma_len(sg) = PAGE_SIZE;
	}
	sgt->nents = 2;

	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_DMA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, mapped, ARRAY_SIZE(mapped), 14);
	virtgpu_mem_entries_free(e);

	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_GPA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, physical, ARRAY_SIZE(physical), 14);
	virtgpu_mem_entries_free(e);
}

static void mem_entries_offset_in_page(struct kunit *test)
{
	struct page *block = new_block(test);
	const struct run physical[] = { { page_to_phys(block) + 0x200, 0x1e00 } };
	struct sg_table *sgt = new_table(test, 2);
	struct virtgpu_mem_entries *e;

	sg_set_page(sgt->sgl, block, PAGE_SIZE - 0x200, 0x200);
	sg_set_page(sg_next(sgt->sgl), block + 1, PAGE_SIZE, 0);

	e = virtgpu_mem_entries_alloc(sgt, VIRTGPU_ADDR_GPA, 14);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);
	expect_list(test, e, physical, ARRAY_SIZE(physical), 14);
	virtgpu_mem_entries_free(e);
}

static struct kunit_case entries_tests[] = {
	KUNIT_CASE_PARAM(mem_entries_merge, merge_gen_params),
	KUNIT_CASE(empty),
	KUNIT_CASE_PARAM(mem_entries_long, long_gen_params),
	KUNIT_CASE_PARAM(random, seed_gen_params),
	KUNIT_CASE(address_types),
	KUNIT_CASE(fewer_mapped),
	KUNIT_CASE(mem_entries_offset_in_page),
	{}
};

static struct kunit_suite entries_suite = {
	.name = "virtio_gpu_mem_entries",
	.test_cases = entries_tests,
};

kunit_test_suite(entries_suite);
