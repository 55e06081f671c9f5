// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-mapping.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_mem_entries.h"

/**
 * DOC: entries
 *
 * Guest memory is described to the host by a list of addresses and lengths.
 * Hosts limit the length of the list (udmabuf: 1,024 entries, QEMU: 16,384), so
 * adjacent pages are merged into one entry.  The list is allocated in segments
 * before its command is queued: large segments where possible, and never more
 * than the ring has descriptors for.  Command buffers are allocated in the same
 * way.
 */

#define ENTRY_SIZE sizeof(struct virtio_gpu_mem_entry)
#define SEG_MAX SZ_64K

static size_t virtgpu_mem_entries_half(size_t size)
{
	return round_down(size / 2, ENTRY_SIZE);
}

/*
 * Prefer large segments, but never go below @min_size, which keeps the chain
 * within the ring.
 */
static void *virtgpu_mem_entries_alloc_seg(size_t *size, size_t min_size, gfp_t gfp)
{
	size_t try = *size;
	void *p;

	for (; try > min_size; try = max(virtgpu_mem_entries_half(try), min_size)) {
		p = kmalloc(try, gfp | __GFP_NOWARN | __GFP_NORETRY);
		if (p)
			goto done;
	}
	p = kmalloc(try, gfp);
done:
	*size = try;

	return p;
}

/*
 * Allocate the table for @size bytes; returns the minimum segment size, 0 on
 * error.
 */
static size_t virtgpu_mem_entries_init_segs(struct virtgpu_mem_entries *e, size_t size,
					    unsigned int max_segs)
{
	size_t min_size = roundup_pow_of_two(DIV_ROUND_UP(size, max_segs));

	min_size = max_t(size_t, min_size, min_t(size_t, size, PAGE_SIZE));
	if (sg_alloc_table(&e->sgt, DIV_ROUND_UP(size, min_size), GFP_KERNEL))
		return 0;
	e->sgt.nents = 0;

	return min_size;
}

/* Add a segment of at most @left bytes behind @last, which may be NULL. */
static struct scatterlist *virtgpu_mem_entries_add_seg(struct virtgpu_mem_entries *e,
						       struct scatterlist *last,
						       size_t left, size_t min_size, gfp_t gfp)
{
	struct scatterlist *sg = last ? sg_next(last) : e->sgt.sgl;
	size_t size = min_t(size_t, left, max_t(size_t, min_size, SEG_MAX));
	void *p = virtgpu_mem_entries_alloc_seg(&size, min(min_size, left), gfp);

	if (!p)
		return NULL;
	sg_set_buf(sg, p, size);
	e->sgt.nents++;

	return sg;
}

/* Command buffers of user space are charged to the caller's control group. */
static int virtgpu_mem_entries_alloc_segs(struct virtgpu_mem_entries *e, size_t left,
					  unsigned int max_segs)
{
	size_t min_size = virtgpu_mem_entries_init_segs(e, left, max_segs);
	struct scatterlist *sg = NULL;

	if (!min_size)
		return -ENOMEM;
	for (; left; left -= sg->length) {
		sg = virtgpu_mem_entries_add_seg(e, sg, left, min_size, GFP_KERNEL_ACCOUNT);
		if (!sg)
			return -ENOMEM;
	}
	sg_mark_end(sg);

	return 0;
}

/*
 * The loop body must stay cheap: a fragmented buffer takes one iteration per
 * page.
 */
static int virtgpu_mem_entries_fill(struct virtgpu_mem_entries *e, struct sg_table *sgt, bool dma,
				    unsigned int max_segs)
{
	unsigned int left = dma ? sgt->nents : sgt->orig_nents;
	/* Next entry to write, and end of the segment. */
	struct virtio_gpu_mem_entry *entry = NULL, *end = NULL;
	struct scatterlist *sg = sgt->sgl, *seg = NULL;
	u64 next = 0, bytes = 0;
	u32 run = 0, count = 0;
	size_t min_size;

	if (!left)
		return -EINVAL;
	/* Merging only reduces the number of entries. */
	min_size = virtgpu_mem_entries_init_segs(e, array_size(left, ENTRY_SIZE), max_segs);
	if (!min_size)
		return -ENOMEM;

	for (; left; left--, sg = sg_next(sg)) {
		u64 addr = dma ? sg_dma_address(sg) : sg_phys(sg);
		u32 len = dma ? sg_dma_len(sg) : sg->length;

		if (!len)
			continue;
		if (addr == next && run && len <= U32_MAX - run) {
			run += len;
		} else {
			if (entry == end) {
				seg = virtgpu_mem_entries_add_seg(e, seg, left * ENTRY_SIZE,
								  min_size, GFP_KERNEL);
				if (!seg)
					return -ENOMEM;
				entry = sg_virt(seg);
				end = sg_virt(seg) + seg->length;
			}
			entry->addr = cpu_to_le64(addr);
			entry->padding = 0;
			entry++;
			count++;
			run = len;
		}
		entry[-1].length = cpu_to_le32(run);
		bytes += len;
		next = addr + len;
	}
	if (!count)
		return -EINVAL;

	seg->length = (void *)entry - sg_virt(seg);
	sg_mark_end(seg);
	e->count = count;
	e->bytes = bytes;

	return 0;
}

/**
 * virtgpu_mem_entries_alloc() - Build the memory entries of a scatter list
 * @sgt: the memory
 * @addr_type: type of the addresses passed to the device
 * @max_segs: maximum number of segments, at least 1
 *
 * Virtio specification, 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING.
 *
 * Context: May sleep.
 * Return: the entries, ERR_PTR(-EINVAL) if @sgt is empty, ERR_PTR(-ENOMEM) if
 * out of memory.
 */
struct virtgpu_mem_entries *virtgpu_mem_entries_alloc(struct sg_table *sgt,
						      enum virtgpu_addr_type addr_type,
						      unsigned int max_segs)
{
	struct virtgpu_mem_entries *e = kzalloc_obj(*e);
	int ret;

	if (!e)
		return ERR_PTR(-ENOMEM);

	ret = virtgpu_mem_entries_fill(e, sgt, addr_type == VIRTGPU_ADDR_DMA, max_segs);
	if (ret) {
		virtgpu_mem_entries_free(e);
		return ERR_PTR(ret);
	}

	return e;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_mem_entries_alloc);

/**
 * virtgpu_mem_entries_alloc_bytes() - Allocate a command buffer
 * @size: in bytes, not 0
 * @max_segs: maximum number of segments, at least 1
 *
 * The caller must fill the segments.  They are charged to the control group of
 * the current process.
 *
 * Context: May sleep.
 * Return: @size uninitialised bytes, or NULL if out of memory.
 */
struct virtgpu_mem_entries *virtgpu_mem_entries_alloc_bytes(size_t size, unsigned int max_segs)
{
	struct virtgpu_mem_entries *e = kzalloc_obj(*e);

	if (!e)
		return NULL;

	e->bytes = size;
	if (virtgpu_mem_entries_alloc_segs(e, size, max_segs)) {
		virtgpu_mem_entries_free(e);
		return NULL;
	}

	return e;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_mem_entries_alloc_bytes);

/**
 * virtgpu_mem_entries_free() - Free a payload
 * @e: the payload or NULL
 *
 * Context: Any.
 */
void virtgpu_mem_entries_free(struct virtgpu_mem_entries *e)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!e)
		return;

	for_each_sgtable_sg(&e->sgt, sg, i) {
		/* A failed allocation leaves unused table entries. */
		if (!sg || !sg_page(sg))
			break;
		kfree(sg_virt(sg));
	}
	sg_free_table(&e->sgt);
	kfree(e);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_mem_entries_free);
