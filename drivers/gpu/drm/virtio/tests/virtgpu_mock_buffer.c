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
 * An exporter of dma-bufs.  A buffer moves between two locations.  The exporter
 * checks that the host does not use the old location once all fences have
 * signalled, and that it does not use a mapping after unmap_dma_buf().
 */

#define FENCE_TIMEOUT (15 * HZ)

/* Fills the old location after a move. */
#define STALE 0x5c

struct mapping {
	struct sg_table sgt;
	unsigned int place;
};

static struct virtgpu_mock_buffer *to_buffer(struct dma_buf *dma_buf)
{
	return dma_buf->priv;
}

static bool in_vram(const struct virtgpu_mock_buffer *b, unsigned int place)
{
	return b->type == VIRTGPU_MOCK_VRAM || (b->type == VIRTGPU_MOCK_MIGRATING && !place);
}

/* Get the bus address of a page. */
static dma_addr_t address(const struct virtgpu_mock_buffer *b, unsigned int place, size_t offset)
{
	if (in_vram(b, place))
		return VIRTGPU_MOCK_PEER + place * b->size + offset;

	return page_to_phys(vmalloc_to_page(b->memory[place] + offset));
}

/* Check whether the host uses a location. */
static bool host_uses_place(const struct virtgpu_mock_buffer *b, unsigned int place)
{
	size_t offset;

	for (offset = 0; offset < b->size; offset += PAGE_SIZE)
		if (virtgpu_mock_has_address(b->mock, address(b, place, offset)))
			return true;

	return false;
}

/*
 * dma-buf operations
 */

static int buffer_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(dma_buf);

	if (b->attach_error)
		return b->attach_error;
	if (b->type == VIRTGPU_MOCK_VRAM && !attach->peer2peer)
		return -EBUSY;
	b->attachments++;

	return 0;
}

static void buffer_detach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	to_buffer(dma_buf)->attachments--;
}

/* The old location keeps its contents until virtgpu_mock_buffer_reuse(). */
static void move_to(struct virtgpu_mock_buffer *b, unsigned int to)
{
	dma_buf_invalidate_mappings(b->dma_buf);
	memcpy(b->memory[to], b->memory[b->place], b->size);
	b->place = to;
}

static bool has_importer_without_peer2peer(struct dma_buf *dma_buf)
{
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &dma_buf->attachments, node)
		if (!attach->peer2peer)
			return true;

	return false;
}

static int buffer_pin(struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);

	dma_resv_assert_held(attach->dmabuf->resv);
	if (b->pin_error)
		return b->pin_error;
	if (in_vram(b, b->place) && has_importer_without_peer2peer(attach->dmabuf)) {
		if (b->pins)
			return -EINVAL;
		move_to(b, 1);
	}
	b->pins++;

	return 0;
}

static void buffer_unpin(struct dma_buf_attachment *attach)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);

	dma_resv_assert_held(attach->dmabuf->resv);
	if (!b->pins)
		virtgpu_mock_spec_violation(b->mock, "unpin of a buffer that is not pinned");
	else
		b->pins--;
}

static void fill_table(const struct virtgpu_mock_buffer *b, struct mapping *map)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&map->sgt, sg, i) {
		size_t offset = (size_t)i << PAGE_SHIFT;

		if (!in_vram(b, map->place))
			sg_set_page(sg, vmalloc_to_page(b->memory[map->place] + offset), PAGE_SIZE,
				    0);
		sg_dma_address(sg) = address(b, map->place, offset);
		sg_dma_len(sg) = PAGE_SIZE;
	}
}

static bool is_own(const struct dma_buf_attachment *attach)
{
	return attach->dev == &to_buffer(attach->dmabuf)->mock->parent->dev;
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
	b->own_mappings[map->place] += is_own(attach);
	b->maps++;

	return &map->sgt;
}

static void buffer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct virtgpu_mock_buffer *b = to_buffer(attach->dmabuf);
	struct mapping *map = container_of(sgt, struct mapping, sgt);

	dma_resv_assert_held(attach->dmabuf->resv);
	/* Other importers may unmap the buffer at another time. */
	if (is_own(attach) && !--b->own_mappings[map->place] && host_uses_place(b, map->place))
		virtgpu_mock_spec_violation(b->mock, "a buffer is unmapped while the host uses it");
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

static int buffer_mmap(struct dma_buf *dma_buf, struct vm_area_struct *vma)
{
	struct virtgpu_mock_buffer *b = to_buffer(dma_buf);

	return remap_vmalloc_range(vma, b->memory[b->place], vma->vm_pgoff);
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
	.mmap = buffer_mmap,
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
	.mmap = buffer_mmap,
	.vmap = buffer_vmap,
	.release = buffer_release,
};

/*
 * Setup and teardown
 */

static void buffer_destroy(void *data)
{
	struct virtgpu_mock_buffer *b = data;
	unsigned int i;

	virtgpu_mock_buffer_put(b);
	if (!virtgpu_mock_wait(READ_ONCE(b->released))) {
		/* Leak the buffer rather than risk a use after free. */
		KUNIT_FAIL(b->test, "a buffer is still referenced\n");
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
 * virtgpu_mock_buffer_create() - Create a buffer of another device
 * @test: the running test
 * @m: the importing device
 * @type: type of the exporter; @m supports one buffer that is or was in VRAM
 * @size: in bytes, a multiple of PAGE_SIZE
 *
 * All other references must be dropped before the test ends.
 *
 * Return: the buffer, which is destroyed when the test ends.
 */
struct virtgpu_mock_buffer *virtgpu_mock_buffer_create(struct kunit *test, struct virtgpu_mock *m,
						       enum virtgpu_mock_exporter type, size_t size)
{
	struct virtgpu_mock_buffer *b = kzalloc_obj(*b);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->test = test;
	b->mock = m;
	b->type = type;
	b->size = size;
	b->memory[0] = vmalloc_user(size);
	b->memory[1] = vmalloc_user(size);
	info.ops = type == VIRTGPU_MOCK_STATIC ? &static_ops : &dynamic_ops;
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
	for (i = 0; i < VIRTGPU_MOCK_PLACES; i++)
		if (in_vram(b, i))
			virtgpu_mock_set_peer(m, i, b->memory[i], size);

	return b;
}

/**
 * virtgpu_mock_buffer_destroy() - Destroy a buffer before the test ends
 * @b: the buffer
 */
void virtgpu_mock_buffer_destroy(struct virtgpu_mock_buffer *b)
{
	kunit_release_action(b->test, buffer_destroy, b);
}

/**
 * virtgpu_mock_buffer_put() - Drop the reference of the test
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
 * virtgpu_mock_buffer_move() - Move a buffer to its other location
 * @b: the buffer
 *
 * Return: 0 on success, -EBUSY if the buffer is pinned.
 */
int virtgpu_mock_buffer_move(struct virtgpu_mock_buffer *b)
{
	unsigned int to = !b->place;
	int ret = 0;

	dma_resv_lock(b->dma_buf->resv, NULL);
	if (b->pins || b->type == VIRTGPU_MOCK_STATIC)
		ret = -EBUSY;
	else
		move_to(b, to);
	dma_resv_unlock(b->dma_buf->resv);

	return ret;
}

/**
 * virtgpu_mock_buffer_is_idle() - Check whether all fences have signalled
 * @b: the buffer
 *
 * Return: true if all fences have signalled.
 */
bool virtgpu_mock_buffer_is_idle(struct virtgpu_mock_buffer *b)
{
	return dma_resv_test_signaled(b->dma_buf->resv, DMA_RESV_USAGE_BOOKKEEP);
}

/**
 * virtgpu_mock_buffer_reuse() - Overwrite the old location of a buffer
 * @b: the buffer
 *
 * Waits for all fences first, as exporters do.
 *
 * Return: 0 on success, -ETIMEDOUT if a fence does not signal.
 */
int virtgpu_mock_buffer_reuse(struct virtgpu_mock_buffer *b)
{
	unsigned int old = !b->place;

	if (dma_resv_wait_timeout(b->dma_buf->resv, DMA_RESV_USAGE_BOOKKEEP, false,
				  FENCE_TIMEOUT) <= 0)
		return -ETIMEDOUT;
	if (host_uses_place(b, old))
		virtgpu_mock_spec_violation(b->mock,
					    "the host uses the old location of a moved buffer");
	memset(b->memory[old], STALE, b->size);

	return 0;
}
