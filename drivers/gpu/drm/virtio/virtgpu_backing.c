// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "virtgpu_backing.h"

/**
 * DOC: memory
 *
 * A backing is memory that resources are made of: pages of our own, or another
 * device's buffer while it is mapped.  It lives until the last resource made of
 * it is known to be gone on the host.  That is learned in an interrupt, so the
 * release itself is left to a worker.
 *
 * What is mapped for the device with the DMA API must not stay so when the device
 * goes, however long users keep their buffers.
 *
 * The pages of a buffer come straight from the page allocator, in blocks as
 * large as it has them.  They could be shmem's; but the host has them attached
 * for as long as they are shown, so they could never be swapped, and shmem
 * offers either 2 MiB or single pages where a fragmented guest still has the
 * orders in between.  A 4K frame is a dozen entries this way, and a thousand at
 * the worst.
 *
 * They are charged to the control group of the program that asks for the buffer, and
 * counted as GPU memory (GPUActive in /proc/meminfo) where the kernel has that count.
 */

/* Up to here the page allocator compacts and reclaims before it gives up. */
#define SMALL_ORDER PAGE_ALLOC_COSTLY_ORDER

static void virtgpu_backing_release(struct virtgpu_backing *b)
{
	spin_lock(&b->mem->lock);
	list_del_init(&b->link);
	spin_unlock(&b->mem->lock);
	b->release(b);
}

static void virtgpu_backing_release_work(struct work_struct *work)
{
	struct virtgpu_backing_mgr *mem = container_of(work, struct virtgpu_backing_mgr,
						       release_work);
	struct llist_node *list = llist_del_all(&mem->release_list);
	struct virtgpu_backing *b, *next;

	llist_for_each_entry_safe(b, next, list, release_node)
		virtgpu_backing_release(b);
}

/**
 * virtgpu_backing_mgr_init - get ready to hand memory to a device
 * @mem: what to initialise
 * @dev: the device of the DMA API
 * @addr_type: the kind of addresses it understands
 */
void virtgpu_backing_mgr_init(struct virtgpu_backing_mgr *mem, struct device *dev,
			      enum virtgpu_addr_type addr_type)
{
	mem->dev = dev;
	mem->addr_type = addr_type;
	mem->dir = DMA_TO_DEVICE;
	init_llist_head(&mem->release_list);
	INIT_WORK(&mem->release_work, virtgpu_backing_release_work);
	spin_lock_init(&mem->lock);
	INIT_LIST_HEAD(&mem->mapped);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_init);

/**
 * virtgpu_backing_mgr_unmap_all - undo all mappings, for good
 * @mem: memory of a device that was reset
 *
 * Context: may sleep, without reservation locks.
 */
void virtgpu_backing_mgr_unmap_all(struct virtgpu_backing_mgr *mem)
{
	struct virtgpu_backing *b;

	spin_lock(&mem->lock);
	mem->unmapped = true;
	while ((b = list_first_entry_or_null(&mem->mapped, struct virtgpu_backing, link))) {
		list_del_init(&b->link);
		/* Without a reference left its release is on the way. */
		if (!refcount_inc_not_zero(&b->ref))
			continue;
		spin_unlock(&mem->lock);
		b->unmap_now(b);
		virtgpu_backing_put(b);
		spin_lock(&mem->lock);
	}
	spin_unlock(&mem->lock);
	flush_work(&mem->release_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_unmap_all);

/**
 * virtgpu_backing_mgr_fini - release all that is left to release
 * @mem: memory that no resource uses any more
 *
 * Context: may sleep.
 */
void virtgpu_backing_mgr_fini(struct virtgpu_backing_mgr *mem)
{
	flush_work(&mem->release_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_fini);

/**
 * virtgpu_backing_init - start a backing with one reference
 * @b: embedded in what @release frees
 * @mem: the device's memory
 * @release: called with the last reference gone, in process context
 */
void virtgpu_backing_init(struct virtgpu_backing *b, struct virtgpu_backing_mgr *mem,
			  void (*release)(struct virtgpu_backing *b))
{
	refcount_set(&b->ref, 1);
	b->mem = mem;
	b->addr_type = mem->addr_type;
	b->release = release;
	INIT_LIST_HEAD(&b->link);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_init);

/**
 * virtgpu_backing_track_mapping - a backing was mapped for the device
 * @b: the backing
 * @unmap_now: called when the device goes while there are users, in process context
 *
 * Context: any but interrupts.
 * Return: 0, or -ENODEV if the device has gone: the caller undoes it.
 */
int virtgpu_backing_track_mapping(struct virtgpu_backing *b,
				  void (*unmap_now)(struct virtgpu_backing *b))
{
	struct virtgpu_backing_mgr *mem = b->mem;
	int ret = -ENODEV;

	spin_lock(&mem->lock);
	if (!mem->unmapped) {
		b->unmap_now = unmap_now;
		list_add_tail(&b->link, &mem->mapped);
		ret = 0;
	}
	spin_unlock(&mem->lock);

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_track_mapping);

/**
 * virtgpu_backing_get - take a reference
 * @b: the backing
 *
 * Return: @b.
 */
struct virtgpu_backing *virtgpu_backing_get(struct virtgpu_backing *b)
{
	refcount_inc(&b->ref);

	return b;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_get);

/**
 * virtgpu_backing_put - drop a reference
 * @b: the backing
 *
 * Context: any; the release is left to a worker.
 */
void virtgpu_backing_put(struct virtgpu_backing *b)
{
	struct virtgpu_backing_mgr *mem = b->mem;

	if (!refcount_dec_and_test(&b->ref))
		return;

	/* A reaper that is at work already frees it at once. */
	llist_add(&b->release_node, &mem->release_list);
	schedule_work(&mem->release_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_put);

/**
 * virtgpu_backing_put_sync - drop a reference, and release at once if it was the last
 * @b: the backing
 *
 * Context: may sleep, without locks that the release takes.
 */
void virtgpu_backing_put_sync(struct virtgpu_backing *b)
{
	if (refcount_dec_and_test(&b->ref))
		virtgpu_backing_release(b);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_put_sync);

/*
 * Pages
 */

struct virtgpu_pages {
	struct virtgpu_backing base;
	struct sg_table table;
};

static struct virtgpu_pages *to_virtgpu_pages(struct virtgpu_backing *b)
{
	return container_of(b, struct virtgpu_pages, base);
}

/*
 * Not mod_lruvec_page_state(): the pages are charged to a control group, and control
 * groups have no such item; the kernel warns if one is changed.
 */
static void virtgpu_pages_count(struct page *page, long n)
{
	mod_node_page_state(page_pgdat(page), NR_GPU_ACTIVE, n);
}

static void virtgpu_pages_free_block(struct page *page, unsigned int order)
{
	virtgpu_pages_count(page, -(1L << order));
	__free_pages(page, order);
}

static void virtgpu_pages_free_blocks(struct list_head *blocks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, lru) {
		list_del(&page->lru);
		virtgpu_pages_free_block(page, compound_order(page));
	}
}

static void virtgpu_pages_unmap(struct virtgpu_backing *b)
{
	if (b->addr_type == VIRTGPU_ADDR_DMA)
		dma_unmap_sgtable(b->mem->dev, b->sgt, b->mem->dir, 0);
	b->addr_type = VIRTGPU_ADDR_GPA;
}

static void virtgpu_pages_release(struct virtgpu_backing *b)
{
	struct virtgpu_pages *p = to_virtgpu_pages(b);
	struct scatterlist *sg;
	unsigned int i;

	virtgpu_pages_unmap(b);
	for_each_sgtable_sg(&p->table, sg, i)
		virtgpu_pages_free_block(sg_page(sg), get_order(sg->length));
	sg_free_table(&p->table);
	kfree(p);
}

static struct page *virtgpu_pages_alloc_block(unsigned int order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	struct page *page;

	if (order)
		gfp |= __GFP_COMP;
	if (order > SMALL_ORDER)
		gfp |= __GFP_NORETRY;
	else
		gfp |= __GFP_RETRY_MAYFAIL;

	page = alloc_pages(gfp, order);
	if (page)
		virtgpu_pages_count(page, 1L << order);

	return page;
}

static unsigned int virtgpu_pages_max_order(struct virtgpu_backing_mgr *mem)
{
	unsigned int order = MAX_PAGE_ORDER;
	size_t max;

	/* Bounce buffers take no more than so much in one piece. */
	if (mem->addr_type == VIRTGPU_ADDR_DMA) {
		max = max_t(size_t, dma_max_mapping_size(mem->dev), PAGE_SIZE);
		if (max < PAGE_SIZE << MAX_PAGE_ORDER)
			order = ilog2(max >> PAGE_SHIFT);
	}

	return order;
}

/* Returns the number of blocks, or -ENOMEM with @blocks as far as it came. */
static int virtgpu_pages_alloc_blocks(struct virtgpu_backing_mgr *mem, u64 left,
				      struct list_head *blocks)
{
	unsigned int order = virtgpu_pages_max_order(mem);
	struct page *page;
	int n = 0;

	while (left) {
		order = min_t(unsigned int, order, ilog2(left));
		page = virtgpu_pages_alloc_block(order);
		if ((!page && !order) || fatal_signal_pending(current)) {
			if (page)
				virtgpu_pages_free_block(page, order);
			return -ENOMEM;
		}
		if (!page) {
			/* What failed once is not asked for again. */
			order--;
			continue;
		}
		list_add_tail(&page->lru, blocks);
		left -= 1UL << order;
		n++;
	}

	return n;
}

static void virtgpu_pages_fill_table(struct list_head *blocks, struct sg_table *table)
{
	struct scatterlist *sg = table->sgl;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, lru) {
		list_del(&page->lru);
		sg_set_page(sg, page, page_size(page), 0);
		sg = sg_next(sg);
	}
}

/**
 * virtgpu_pages_alloc - allocate the memory of a buffer
 * @mem: who will read it
 * @size: in bytes, a multiple of PAGE_SIZE
 *
 * The memory is zeroed and accounted to the caller's control group.
 *
 * Context: may sleep.
 * Return: a backing with one reference, or an error pointer: -ENOMEM, -EIO when
 * it cannot be mapped for the device, -ENODEV when that has gone.
 */
struct virtgpu_backing *virtgpu_pages_alloc(struct virtgpu_backing_mgr *mem, u64 size)
{
	u64 count = size >> PAGE_SHIFT;
	struct virtgpu_pages *p;
	LIST_HEAD(blocks);
	int n, ret;

	/* Do not sweep the machine for what it cannot have. */
	if (count > totalram_pages())
		return ERR_PTR(-ENOMEM);

	p = kzalloc_obj(*p);
	if (!p)
		return ERR_PTR(-ENOMEM);

	virtgpu_backing_init(&p->base, mem, virtgpu_pages_release);
	p->base.size = size;
	p->base.sgt = &p->table;

	n = virtgpu_pages_alloc_blocks(mem, count, &blocks);
	if (n < 0) {
		ret = n;
		goto free;
	}
	ret = sg_alloc_table(&p->table, n, GFP_KERNEL);
	if (ret)
		goto free;
	virtgpu_pages_fill_table(&blocks, &p->table);

	if (mem->addr_type == VIRTGPU_ADDR_DMA) {
		ret = dma_map_sgtable(mem->dev, &p->table, mem->dir, 0);
		if (ret)
			/* Nothing to undo. */
			p->base.addr_type = VIRTGPU_ADDR_GPA;
		else
			ret = virtgpu_backing_track_mapping(&p->base, virtgpu_pages_unmap);
		if (ret) {
			/* The pages are the table's now. */
			virtgpu_pages_release(&p->base);
			return ERR_PTR(ret);
		}
	}

	return &p->base;

free:
	virtgpu_pages_free_blocks(&blocks);
	kfree(p);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_alloc);

/**
 * virtgpu_pages_sync_for_device - make what the processor wrote visible
 * @b: from virtgpu_pages_alloc()
 *
 * Costs nothing where the device's addresses are guest-physical.
 *
 * Context: any.
 */
void virtgpu_pages_sync_for_device(struct virtgpu_backing *b)
{
	if (b->addr_type == VIRTGPU_ADDR_DMA)
		dma_sync_sgtable_for_device(b->mem->dev, b->sgt, b->mem->dir);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_sync_for_device);

/**
 * virtgpu_pages_sync_for_cpu - make what the device wrote visible
 * @b: from virtgpu_pages_alloc(), of a device that writes
 *
 * Context: any.
 */
void virtgpu_pages_sync_for_cpu(struct virtgpu_backing *b)
{
	if (b->addr_type == VIRTGPU_ADDR_DMA)
		dma_sync_sgtable_for_cpu(b->mem->dev, b->sgt, b->mem->dir);
}

/**
 * virtgpu_pages_vmap - map a buffer for the kernel
 * @b: from virtgpu_pages_alloc()
 * @map: filled; undone with vunmap()
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtgpu_pages_vmap(struct virtgpu_backing *b, struct iosys_map *map)
{
	unsigned int n = b->size >> PAGE_SHIFT, i = 0;
	struct sg_page_iter it;
	struct page **pages;
	void *vaddr;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;

	for_each_sgtable_page(b->sgt, &it, 0)
		pages[i++] = sg_page_iter_page(&it);

	vaddr = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, vaddr);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_vmap);

/**
 * virtgpu_pages_mmap - map a buffer for a user, all at once
 * @b: from virtgpu_pages_alloc()
 * @vma: where
 * @first: page of the buffer that its start maps
 *
 * Context: under the mmap lock.
 * Return: 0, -EINVAL for a range outside the buffer, -ENOMEM.
 */
int virtgpu_pages_mmap(struct virtgpu_backing *b, struct vm_area_struct *vma,
		       unsigned long first)
{
	u64 skip = (u64)first << PAGE_SHIFT;
	unsigned long addr = vma->vm_start;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	if (skip + (vma->vm_end - vma->vm_start) > b->size)
		return -EINVAL;

	for_each_sgtable_sg(b->sgt, sg, i) {
		unsigned long len;

		if (skip >= sg->length) {
			skip -= sg->length;
			continue;
		}
		len = min_t(unsigned long, sg->length - skip, vma->vm_end - addr);
		ret = remap_pfn_range(vma, addr,
				      page_to_pfn(sg_page(sg)) + (skip >> PAGE_SHIFT),
				      len, vma->vm_page_prot);
		if (ret)
			return ret;
		skip = 0;
		addr += len;
		if (addr == vma->vm_end)
			break;
	}

	return 0;
}

/**
 * virtgpu_pages_address - where a byte of a buffer is, without mapping anything
 * @b: from virtgpu_pages_alloc()
 * @offset: in bytes
 *
 * Context: any, panic included.
 * Return: its address, or NULL if the kernel has none for it (high memory) or
 * @offset is outside.
 */
void *virtgpu_pages_address(struct virtgpu_backing *b, u64 offset)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(b->sgt, sg, i) {
		if (offset < sg->length)
			return PageHighMem(sg_page(sg)) ? NULL : sg_virt(sg) + offset;
		offset -= sg->length;
	}

	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_address);

/**
 * virtgpu_pages_sg_table - list a buffer's pages for another device
 * @b: from virtgpu_pages_alloc()
 *
 * Context: may sleep.
 * Return: a table that the caller maps and frees, or ERR_PTR(-ENOMEM).
 */
struct sg_table *virtgpu_pages_sg_table(struct virtgpu_backing *b)
{
	struct sg_table *copy = kmalloc_obj(*copy);
	struct scatterlist *from, *to;
	unsigned int i;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	if (sg_alloc_table(copy, b->sgt->orig_nents, GFP_KERNEL)) {
		kfree(copy);
		return ERR_PTR(-ENOMEM);
	}

	to = copy->sgl;
	for_each_sgtable_sg(b->sgt, from, i) {
		sg_set_page(to, sg_page(from), from->length, 0);
		to = sg_next(to);
	}

	return copy;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_sg_table);
