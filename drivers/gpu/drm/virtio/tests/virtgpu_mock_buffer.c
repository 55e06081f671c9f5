// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"

/*
 * Another device's buffers.  A buffer has two places, and is in one of them.  It
 * holds the importer to what importers have promised: who has moved a buffer may
 * use the old place for something else once all fences have signalled, and who
 * undoes a mapping no longer has the device use it.
 */

#define FENCE_PATIENCE (15 * HZ)

/* What is left in a place that the buffer has moved out of. */
#define STALE 0x5c

struct mapping {
	struct sg_table sgt;
	unsigned int place;
};

static struct virtgpu_mock_buffer *to_buffer(struct dma_buf *dma_buf)
{
	return dma_buf->priv;
}

/* Where the device that has the buffer, and its host, find a page of it. */
static dma_addr_t address(const struct virtgpu_mock_buffer *b, unsigned int place, size_t offset)
{
	if (b->kind == VIRTGPU_MOCK_VRAM)
		return VIRTGPU_MOCK_PEER + place * b->size + offset;

	return page_to_phys(vmalloc_to_page(b->memory[place] + offset));
}

/* Does the host have any of a place? */
static bool host_knows(const struct virtgpu_mock_buffer *b, unsigned int place)
{
	size_t offset;

	for (offset = 0; offset < b->size; offset += PAGE_SIZE)
		if (virtgpu_mock_knows(b->mock, address(b, place, offset)))
			return true;

	return false;
}

/*
 * What importers call
 */

static int buffer_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(dma_buf);

	if (b->attach_error)
		return b->attach_error;
	if (b->kind == VIRTGPU_MOCK_VRAM && !attach->peer2peer)
		return -EBUSY;
	b->attachments++;

	return 0;
}

static void buffer_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	to_buffer(dma_buf)->attachments--;
}

static int buffer_pin(struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);

	dma_resv_assert_held(attach->dmabuf->resv);
	if (b->pin_error)
		return b->pin_error;
	b->pins++;

	return 0;
}

static void buffer_unpin(struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);

	dma_resv_assert_held(attach->dmabuf->resv);
	if (!b->pins)
		virtgpu_mock_spec_violation(b->mock, "a buffer is unpinned that is not pinned");
	else
		b->pins--;
}

static void fill_table(const struct virtgpu_mock_buffer *b, struct mapping *map)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&map->sgt, sg, i) {
		size_t offset = (size_t)i << PAGE_SHIFT;

		if (b->kind != VIRTGPU_MOCK_VRAM)
			sg_set_page(sg, vmalloc_to_page(b->memory[map->place] + offset), PAGE_SIZE,
				    0);
		sg_dma_address(sg) = address(b, map->place, offset);
		sg_dma_len(sg) = PAGE_SIZE;
	}
}

static struct sg_table *buffer_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);
	struct mapping *map;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (b->map_error)
		return ERR_PTR(b->map_error);
	map = kzalloc_obj(*map);
	if (!map)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(&map->sgt, b->size >> PAGE_SHIFT, GFP_KERNEL)) {
		kfree(map);
		return ERR_PTR(-ENOMEM);
	}
	map->place = b->place;
	fill_table(b, map);
	b->mappings++;
	b->maps++;

	return &map->sgt;
}

static void buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);
	struct mapping *map = container_of(sgt, struct mapping, sgt);

	dma_resv_assert_held(attach->dmabuf->resv);
	/* Another device may be slower to give it up. */
	if (attach->dev == &b->mock->parent->dev && host_knows(b, map->place))
		virtgpu_mock_spec_violation(b->mock, "a buffer is unmapped while the host has it");
	b->mappings--;
	sg_free_table(sgt);
	kfree(map);
}

static int buffer_vmap(struct dma_buf *dma_buf, struct iosys_map *map)
{
	struct virtgpu_mock_buffer *b = to_buffer(dma_buf);

	dma_resv_assert_held(dma_buf->resv);
	iosys_map_set_vaddr(map, b->memory[b->place]);

	return 0;
}

static int buffer_begin_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	struct virtgpu_mock_buffer *b = to_buffer(dma_buf);
	struct completion *gate = READ_ONCE(b->gate);

	if (b->read_error)
		return b->read_error;
	b->reads++;
	WRITE_ONCE(b->reading, true);
	if (gate)
		wait_for_completion(gate);

	return 0;
}

static int buffer_end_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	WRITE_ONCE(to_buffer(dma_buf)->reading, false);

	return 0;
}

static void buffer_release(struct dma_buf *dma_buf)
{
	WRITE_ONCE(to_buffer(dma_buf)->released, true);
}

static const struct dma_buf_ops static_ops = {
	.attach = buffer_attach,
	.detach = buffer_detach,
	.map_dma_buf = buffer_map,
	.unmap_dma_buf = buffer_unmap,
	.begin_cpu_access = buffer_begin_cpu_access,
	.end_cpu_access = buffer_end_cpu_access,
	.vmap = buffer_vmap,
	.release = buffer_release,
};

static const struct dma_buf_ops dynamic_ops = {
	.attach = buffer_attach,
	.detach = buffer_detach,
	.pin = buffer_pin,
	.unpin = buffer_unpin,
	.map_dma_buf = buffer_map,
	.unmap_dma_buf = buffer_unmap,
	.begin_cpu_access = buffer_begin_cpu_access,
	.end_cpu_access = buffer_end_cpu_access,
	.vmap = buffer_vmap,
	.release = buffer_release,
};

/*
 * Life
 */

static void buffer_destroy(void *data)
{
	struct virtgpu_mock_buffer *b = data;
	unsigned int i;

	virtgpu_mock_buffer_put(b);
	if (!virtgpu_mock_wait(READ_ONCE(b->released))) {
		/* Rather lost than used after it was freed. */
		KUNIT_FAIL(b->test, "somebody still holds a buffer\n");
		return;
	}
	KUNIT_EXPECT_EQ(b->test, b->attachments, 0);
	KUNIT_EXPECT_EQ(b->test, b->pins, 0);
	KUNIT_EXPECT_EQ(b->test, b->mappings, 0);
	for (i = 0; i < VIRTGPU_MOCK_PLACES; i++)
		vfree(b->memory[i]);
	kfree(b);
}

/**
 * virtgpu_mock_buffer_create - make another device's buffer
 * @test: the running test
 * @m: the device that it is for
 * @kind: see enum virtgpu_mock_exporter; @m has room for one VIRTGPU_MOCK_VRAM
 * @size: in bytes, a multiple of PAGE_SIZE
 *
 * Whoever has it has to let go before the test ends.
 *
 * Return: the buffer, which goes away with the test.
 */
struct virtgpu_mock_buffer *virtgpu_mock_buffer_create(struct kunit *test, struct virtgpu_mock *m,
						       enum virtgpu_mock_exporter kind, size_t size)
{
	struct virtgpu_mock_buffer *b = kzalloc_obj(*b);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->test = test;
	b->mock = m;
	b->kind = kind;
	b->size = size;
	/* One behind the other: so a peer's places are one stretch of addresses. */
	b->memory[0] = vzalloc(size);
	b->memory[1] = vzalloc(size);
	info.ops = kind == VIRTGPU_MOCK_STATIC ? &static_ops : &dynamic_ops;
	info.size = size;
	info.flags = O_RDWR;
	info.priv = b;
	b->dma_buf = b->memory[0] && b->memory[1] ? dma_buf_export(&info) : ERR_PTR(-ENOMEM);
	if (IS_ERR(b->dma_buf)) {
		vfree(b->memory[0]);
		vfree(b->memory[1]);
		kfree(b);
		KUNIT_FAIL_AND_ABORT(test, "no memory for a buffer\n");
	}
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, buffer_destroy, b), 0);
	for (i = 0; kind == VIRTGPU_MOCK_VRAM && i < VIRTGPU_MOCK_PLACES; i++)
		virtgpu_mock_set_peer(m, i, b->memory[i], size);

	return b;
}

/**
 * virtgpu_mock_buffer_put - drop the test's own reference
 * @b: the buffer
 */
void virtgpu_mock_buffer_put(struct virtgpu_mock_buffer *b)
{
	if (b->dma_buf)
		dma_buf_put(b->dma_buf);
	b->dma_buf = NULL;
	flush_delayed_fput();
}

/**
 * virtgpu_mock_buffer_move - bring a buffer to its other place
 * @b: the buffer
 *
 * The old place stays as it is until virtgpu_mock_buffer_reuse().
 *
 * Return: 0, or -EBUSY for a buffer that is pinned.
 */
int virtgpu_mock_buffer_move(struct virtgpu_mock_buffer *b)
{
	unsigned int to = !b->place;
	int ret = 0;

	dma_resv_lock(b->dma_buf->resv, NULL);
	if (b->pins || b->kind == VIRTGPU_MOCK_STATIC) {
		ret = -EBUSY;
	} else {
		dma_buf_invalidate_mappings(b->dma_buf);
		memcpy(b->memory[to], b->memory[b->place], b->size);
		b->place = to;
	}
	dma_resv_unlock(b->dma_buf->resv);

	return ret;
}

/**
 * virtgpu_mock_buffer_is_idle - may the exporter use the old place again?
 * @b: the buffer
 *
 * Return: true if all fences have signalled.
 */
bool virtgpu_mock_buffer_is_idle(struct virtgpu_mock_buffer *b)
{
	return dma_resv_test_signaled(b->dma_buf->resv, DMA_RESV_USAGE_BOOKKEEP);
}

/**
 * virtgpu_mock_buffer_reuse - use the place that a buffer has moved out of
 * @b: the buffer
 *
 * As exporters do once all fences have signalled.
 *
 * Return: 0, or -ETIMEDOUT if they do not.
 */
int virtgpu_mock_buffer_reuse(struct virtgpu_mock_buffer *b)
{
	unsigned int old = !b->place;

	if (dma_resv_wait_timeout(b->dma_buf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
				  FENCE_PATIENCE) <= 0)
		return -ETIMEDOUT;
	if (host_knows(b, old))
		virtgpu_mock_spec_violation(b->mock, "a buffer moved, and the host still has the old place");
	memset(b->memory[old], STALE, b->size);

	return 0;
}
