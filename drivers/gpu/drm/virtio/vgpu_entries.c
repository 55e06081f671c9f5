// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-mapping.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/virtio_gpu.h>

#include "vgpu_entries.h"

/**
 * DOC: entries
 *
 * The host learns where a resource's memory is from a list of address and
 * length.  Hosts limit that list (udmabuf: 1,024 entries, QEMU: 16,384), so
 * neighbours are merged into one entry.  The list is allocated in pieces, large
 * ones where memory allows, never more pieces than the ring has room for, and
 * always before the command that carries it is published.  Command streams go the
 * same way.
 */

/* A merged run; its length fits the wire's 32 bits, in whole pages. */
struct run {
	u64 addr;
	u64 len;
};

#define RUN_MAX ((u64)U32_MAX & PAGE_MASK)
#define PIECE_MAX SZ_64K

/* Where entries are written to; @entry has room for @room of them, the next piece for more. */
struct cursor {
	struct vgpu_entries *list;
	struct scatterlist *piece;
	struct virtio_gpu_mem_entry *entry;
	unsigned int room;
};

static void write_entry(struct cursor *to, u64 addr, u32 len)
{
	if (!to->room) {
		to->piece = to->piece ? sg_next(to->piece) : to->list->sgt.sgl;
		to->entry = sg_virt(to->piece);
		to->room = to->piece->length / sizeof(*to->entry);
	}
	to->entry->addr = cpu_to_le64(addr);
	to->entry->length = cpu_to_le32(len);
	to->entry->padding = 0;
	to->entry++;
	to->room--;
	to->list->bytes += len;
}

/* The entries of a run, 0 of an empty one; they are written if there is a place. */
static u32 put_run(struct cursor *to, struct run r)
{
	u32 n = 0;

	while (r.len) {
		u32 len = min(r.len, RUN_MAX);

		if (to)
			write_entry(to, r.addr, len);
		r.addr += len;
		r.len -= len;
		n++;
	}

	return n;
}

/* One step for each page of a buffer in small pieces, and taken twice: it has to be short. */
static u32 put_runs(struct cursor *to, struct sg_table *sgt, enum vgpu_address which)
{
	bool dma = which == VGPU_ADDRESS_DMA;
	unsigned int left = dma ? sgt->nents : sgt->orig_nents;
	struct scatterlist *sg = sgt->sgl;
	struct run r = {};
	u32 n = 0;

	for (; left; left--, sg = sg_next(sg)) {
		u64 addr = dma ? sg_dma_address(sg) : sg_phys(sg);
		unsigned int len = dma ? sg_dma_len(sg) : sg->length;

		if (r.addr + r.len == addr || !len) {
			r.len += len;
			continue;
		}
		n += put_run(to, r);
		r.addr = addr;
		r.len = len;
	}

	return n + put_run(to, r);
}

/**
 * vgpu_entries_count - how many entries a scatter list becomes
 * @sgt: the scatter list
 * @which: the addresses to look at
 *
 * Context: any.
 * Return: the number of entries, after merging.
 */
u32 vgpu_entries_count(struct sg_table *sgt, enum vgpu_address which)
{
	return put_runs(NULL, sgt, which);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_entries_count);

static size_t half(size_t size)
{
	return round_down(size / 2, sizeof(struct virtio_gpu_mem_entry));
}

/* Large pieces are a wish; the smallest that the ring can carry is not. */
static void *piece_alloc(size_t *size, size_t least)
{
	size_t try = *size;
	void *p;

	for (; try > least; try = max(half(try), least)) {
		p = kmalloc(try, GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
		if (p)
			goto done;
	}
	p = kmalloc(try, GFP_KERNEL);
done:
	*size = try;

	return p;
}

static int alloc_pieces(struct vgpu_entries *e, size_t left, unsigned int max_pieces)
{
	size_t least = roundup_pow_of_two(DIV_ROUND_UP(left, max_pieces));
	struct scatterlist *sg;
	unsigned int i = 0;
	int ret;

	least = max_t(size_t, least, min_t(size_t, left, PAGE_SIZE));
	ret = sg_alloc_table(&e->sgt, DIV_ROUND_UP(left, least), GFP_KERNEL);
	if (ret)
		return ret;

	for (sg = e->sgt.sgl; left; sg = sg_next(sg), i++) {
		size_t size = min_t(size_t, left, max_t(size_t, least, PIECE_MAX));
		void *p = piece_alloc(&size, min(least, left));

		if (!p)
			return -ENOMEM;
		sg_set_buf(sg, p, size);
		left -= size;
		if (!left)
			sg_mark_end(sg);
	}
	e->sgt.nents = i;

	return 0;
}

/**
 * vgpu_entries_alloc - describe memory to the host
 * @sgt: the memory
 * @which: the addresses that the device can reach it by
 * @max_pieces: how many descriptors the list may take in the ring, at least 1
 *
 * See the virtio specification, 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING.
 *
 * Context: may sleep.
 * Return: the list, -EINVAL for empty memory, -ENOMEM.
 */
struct vgpu_entries *vgpu_entries_alloc(struct sg_table *sgt,
					enum vgpu_address which,
					unsigned int max_pieces)
{
	struct vgpu_entries *e = kzalloc_obj(*e);
	struct cursor to = { .list = e };

	if (!e)
		return ERR_PTR(-ENOMEM);

	e->count = vgpu_entries_count(sgt, which);
	if (!e->count) {
		kfree(e);
		return ERR_PTR(-EINVAL);
	}
	if (alloc_pieces(e, array_size(e->count, sizeof(struct virtio_gpu_mem_entry)),
			 max_pieces)) {
		vgpu_entries_free(e);
		return ERR_PTR(-ENOMEM);
	}
	put_runs(&to, sgt, which);

	return e;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_entries_alloc);

/**
 * vgpu_entries_alloc_bytes - room for a command stream instead of a list
 * @size: in bytes, not 0
 * @max_pieces: how many descriptors it may take in the ring, at least 1
 *
 * The pieces are the caller's to fill.
 *
 * Context: may sleep.
 * Return: @size bytes without entries, or NULL without memory.
 */
struct vgpu_entries *vgpu_entries_alloc_bytes(size_t size, unsigned int max_pieces)
{
	struct vgpu_entries *e = kzalloc_obj(*e);

	if (!e)
		return NULL;

	e->bytes = size;
	if (alloc_pieces(e, size, max_pieces)) {
		vgpu_entries_free(e);
		return NULL;
	}

	return e;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_entries_alloc_bytes);

/**
 * vgpu_entries_free - give a list back
 * @e: the list or NULL
 *
 * Context: any.
 */
void vgpu_entries_free(struct vgpu_entries *e)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!e)
		return;

	for_each_sgtable_sg(&e->sgt, sg, i) {
		/* A table that was not filled to its end stops here. */
		if (!sg || !sg_page(sg))
			break;
		kfree(sg_virt(sg));
	}
	sg_free_table(&e->sgt);
	kfree(e);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_entries_free);
