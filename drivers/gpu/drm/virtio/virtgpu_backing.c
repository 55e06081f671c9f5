// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cc_platform.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <linux/wait.h>

#include "virtgpu_backing.h"

/**
 * DOC: memory
 *
 * A backing is the memory of resources: guest pages, or the mapping of an
 * imported dma-buf.  It is released when the GEM object and all resources have
 * dropped it.  A resource may drop it in an interrupt, so a worker does the
 * release.
 *
 * DMA mappings must not outlive the device, even if user space keeps its
 * buffers, so all of them are in a list and undone on removal.
 *
 * The pages of a buffer come from the page allocator, in blocks as large as
 * available. shmem would have no advantage: the host has the pages attached
 * while they are shown, so they cannot be swapped out.  The sizes of its blocks
 * also depend on the system's settings for huge pages.  A 4K frame has about a
 * dozen entries, and a thousand if memory is fragmented.
 *
 * The pages are charged to the control group of the process that creates the
 * buffer, and counted as GPU memory (GPUActive in /proc/meminfo).
 *
 * In confidential guests, and with swiotlb=force, the DMA API copies mapped
 * pages to bounce buffers.  A resource would keep a copy of the past: hosts
 * read guest blobs, and command buffers refer to resources, without a
 * notification to the driver.  There the DMA API allocates the pages, which the
 * device can access in place, so nothing is copied.  dma_free_pages() needs the
 * parent device, which the DRM device references, and no driver bound to it.
 */

static void virtgpu_backing_release(struct virtgpu_backing *b)
{
	struct virtgpu_backing_mgr *mgr = b->mgr;
	bool mapped;

	spin_lock(&mgr->lock);
	mapped = !list_empty(&b->link);
	list_del_init(&b->link);
	mgr->releasing += mapped;
	spin_unlock(&mgr->lock);

	b->release(b);
	if (!mapped)
		return;

	spin_lock(&mgr->lock);
	if (!--mgr->releasing)
		wake_up_all(&mgr->released);
	spin_unlock(&mgr->lock);
}

static void virtgpu_backing_release_work(struct work_struct *work)
{
	struct virtgpu_backing_mgr *mgr = container_of(work, struct virtgpu_backing_mgr,
						       release_work);
	struct llist_node *list = llist_del_all(&mgr->release_list);
	struct virtgpu_backing *b, *next;

	llist_for_each_entry_safe(b, next, list, release_node)
		virtgpu_backing_release(b);
}

/**
 * virtgpu_backing_is_translated() - Check for an IOMMU that translates
 * @dev: device for the DMA API
 *
 * Context: Any.
 * Return: true if DMA addresses of @dev are not guest-physical.
 */
bool virtgpu_backing_is_translated(struct device *dev)
{
	const struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY;
}

/*
 * Only bounce buffers limit the size of a mapping.  Behind an IOMMU they are
 * used for parts of pages, and a buffer consists of whole pages.
 */
VISIBLE_IF_KUNIT bool virtgpu_backing_bounces(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(virtgpu_backing_bounces, dev);

	return dma_max_mapping_size(dev) < SIZE_MAX && !virtgpu_backing_is_translated(dev);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_bounces);

/**
 * virtgpu_backing_mgr_init() - Initialise a backing manager
 * @mgr: the backing manager
 * @dev: device for the DMA API
 * @addr_type: address type passed to the device
 */
void virtgpu_backing_mgr_init(struct virtgpu_backing_mgr *mgr, struct device *dev,
			      enum virtgpu_addr_type addr_type)
{
	mgr->dev = dev;
	mgr->addr_type = addr_type;
	mgr->bounces = addr_type == VIRTGPU_ADDR_DMA && virtgpu_backing_bounces(dev);
	mgr->dir = DMA_TO_DEVICE;
	init_llist_head(&mgr->release_list);
	INIT_WORK(&mgr->release_work, virtgpu_backing_release_work);
	spin_lock_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->mapped);
	init_waitqueue_head(&mgr->released);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_init);

/* Take a mapped backing that is in use off the list, with a reference. */
static struct virtgpu_backing *virtgpu_backing_take_mapped(struct virtgpu_backing_mgr *mgr)
{
	struct virtgpu_backing *b;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(b, &mgr->mapped, link) {
		/* If no reference is left, the release undoes the mapping. */
		if (!refcount_inc_not_zero(&b->ref))
			continue;
		list_del_init(&b->link);
		return b;
	}

	return NULL;
}

static bool virtgpu_backing_mgr_is_unmapped(struct virtgpu_backing_mgr *mgr)
{
	bool unmapped;

	spin_lock(&mgr->lock);
	unmapped = list_empty(&mgr->mapped) && !mgr->releasing;
	spin_unlock(&mgr->lock);

	return unmapped;
}

/**
 * virtgpu_backing_mgr_unmap_all() - Undo all DMA mappings before removal
 * @mgr: the backing manager of a device that was reset
 *
 * Mapping fails from now on.  Waits for concurrent releases of mappings.
 *
 * Context: May sleep.  Caller must not hold reservation locks, and must have
 * unplugged the DRM device, so that no caller synchronises the mappings.
 */
void virtgpu_backing_mgr_unmap_all(struct virtgpu_backing_mgr *mgr)
{
	struct virtgpu_backing *b;

	spin_lock(&mgr->lock);
	mgr->unmapped = true;
	while ((b = virtgpu_backing_take_mapped(mgr))) {
		spin_unlock(&mgr->lock);
		b->unmap_now(b);
		virtgpu_backing_put(b);
		spin_lock(&mgr->lock);
	}
	spin_unlock(&mgr->lock);
	flush_work(&mgr->release_work);
	wait_event(mgr->released, virtgpu_backing_mgr_is_unmapped(mgr));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_unmap_all);

/**
 * virtgpu_backing_mgr_flush() - Wait until all unused backings are released
 * @mgr: the backing manager
 *
 * Context: May sleep.  Caller must not hold locks that the release takes.
 */
void virtgpu_backing_mgr_flush(struct virtgpu_backing_mgr *mgr)
{
	flush_work(&mgr->release_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_mgr_flush);

/**
 * virtgpu_backing_init() - Initialise a backing with one reference
 * @b: the backing, embedded in an object that @release frees
 * @mgr: the backing manager
 * @release: called in process context after the last reference is dropped
 */
void virtgpu_backing_init(struct virtgpu_backing *b, struct virtgpu_backing_mgr *mgr,
			  void (*release)(struct virtgpu_backing *b))
{
	refcount_set(&b->ref, 1);
	b->mgr = mgr;
	b->addr_type = mgr->addr_type;
	b->release = release;
	INIT_LIST_HEAD(&b->link);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_init);

/**
 * virtgpu_backing_track_mapping() - Track a DMA mapping for removal
 * @b: the backing, mapped by the caller
 * @unmap_now: undoes the mapping while the backing has users; called in process
 *	context
 *
 * Context: Any but interrupts.
 * Return: 0 on success, -ENODEV if the device was removed; the caller must then
 * undo the mapping.
 */
int virtgpu_backing_track_mapping(struct virtgpu_backing *b,
				  void (*unmap_now)(struct virtgpu_backing *b))
{
	struct virtgpu_backing_mgr *mgr = b->mgr;
	int ret = -ENODEV;

	spin_lock(&mgr->lock);
	if (!mgr->unmapped) {
		b->unmap_now = unmap_now;
		list_add_tail(&b->link, &mgr->mapped);
		ret = 0;
	}
	spin_unlock(&mgr->lock);

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_track_mapping);

/**
 * virtgpu_backing_get() - Take a reference
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
 * virtgpu_backing_put() - Drop a reference
 * @b: the backing
 *
 * A worker releases the backing.
 *
 * Context: Any.
 */
void virtgpu_backing_put(struct virtgpu_backing *b)
{
	struct virtgpu_backing_mgr *mgr = b->mgr;

	if (!refcount_dec_and_test(&b->ref))
		return;

	/* A running worker may free @b right after llist_add(). */
	llist_add(&b->release_node, &mgr->release_list);
	schedule_work(&mgr->release_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_put);

/**
 * virtgpu_backing_put_sync() - Drop a reference, and release without a worker
 * @b: the backing
 *
 * Context: May sleep.  Caller must not hold locks that the release takes.
 */
void virtgpu_backing_put_sync(struct virtgpu_backing *b)
{
	if (refcount_dec_and_test(&b->ref))
		virtgpu_backing_release(b);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_backing_put_sync);

/*
 * Guest pages
 */

/**
 * struct virtgpu_pages - Guest pages
 * @base: the backing
 * @table: the pages, one entry for each block
 */
struct virtgpu_pages {
	struct virtgpu_backing base;
	struct sg_table table;
};

/**
 * struct virtgpu_block - A block of pages that is not in a table yet
 * @link: in the list of blocks of a buffer
 * @page: the first page
 * @order: of the block
 * @addr: DMA address, from dma_alloc_pages() only
 */
struct virtgpu_block {
	struct list_head link;
	struct page *page;
	unsigned int order;
	dma_addr_t addr;
};

static struct virtgpu_pages *to_virtgpu_pages(struct virtgpu_backing *b)
{
	return container_of(b, struct virtgpu_pages, base);
}

/*
 * mod_lruvec_page_state() would warn: the pages are charged to a control group,
 * and NR_GPU_ACTIVE is no item of control groups.
 */
static void virtgpu_pages_count(struct page *page, long n)
{
	mod_node_page_state(page_pgdat(page), NR_GPU_ACTIVE, n);
}

static void virtgpu_pages_free_block(struct virtgpu_backing_mgr *mgr,
				     const struct virtgpu_block *block)
{
	virtgpu_pages_count(block->page, -(1L << block->order));
	if (mgr->bounces)
		dma_free_pages(mgr->dev, PAGE_SIZE << block->order, block->page, block->addr,
			       mgr->dir);
	else
		__free_pages(block->page, block->order);
}

static void virtgpu_pages_free_blocks(struct virtgpu_backing_mgr *mgr, struct list_head *blocks)
{
	struct virtgpu_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link) {
		virtgpu_pages_free_block(mgr, block);
		kfree(block);
	}
}

/* Pages from dma_alloc_pages() keep their addresses. */
static void virtgpu_pages_unmap(struct virtgpu_backing *b)
{
	WRITE_ONCE(b->needs_sync, false);
	if (b->mgr->bounces || b->addr_type != VIRTGPU_ADDR_DMA)
		return;
	dma_unmap_sgtable(b->mgr->dev, b->sgt, b->mgr->dir, 0);
	b->addr_type = VIRTGPU_ADDR_GPA;
}

static void virtgpu_pages_release(struct virtgpu_backing *b)
{
	struct virtgpu_pages *p = to_virtgpu_pages(b);
	struct scatterlist *sg;
	unsigned int i;

	virtgpu_pages_unmap(b);
	for_each_sgtable_sg(&p->table, sg, i) {
		struct virtgpu_block block = {
			.page = sg_page(sg),
			.order = get_order(sg->length),
			.addr = b->mgr->bounces ? sg_dma_address(sg) : 0,
		};

		virtgpu_pages_free_block(b->mgr, &block);
	}
	sg_free_table(&p->table);
	kfree(p);
}

/*
 * A single page is worth reclaiming memory until that makes no progress.  For a
 * larger block a smaller one will do: up to PAGE_ALLOC_COSTLY_ORDER, compact
 * and reclaim once, above only wake up the threads that do so.
 */
VISIBLE_IF_KUNIT gfp_t virtgpu_pages_gfp(unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;

	if (!order)
		return gfp | __GFP_RETRY_MAYFAIL;
	gfp |= __GFP_COMP | __GFP_NORETRY;

	return order > PAGE_ALLOC_COSTLY_ORDER ? gfp & ~__GFP_DIRECT_RECLAIM : gfp;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_gfp);

/*
 * Without __GFP_DIRECT_RECLAIM, dma_alloc_pages() takes unencrypted pages from
 * the pool for atomic allocations.
 */
static struct page *virtgpu_pages_alloc_pages(struct virtgpu_backing_mgr *mgr,
					      unsigned int order, dma_addr_t *addr)
{
	gfp_t gfp = virtgpu_pages_gfp(order);

	if (!mgr->bounces)
		return alloc_pages(gfp, order);
	gfp &= ~(__GFP_COMP | __GFP_HIGHMEM | __GFP_ZERO);

	return dma_alloc_pages(mgr->dev, PAGE_SIZE << order, addr, mgr->dir,
			       gfp | __GFP_DIRECT_RECLAIM);
}

static struct virtgpu_block *virtgpu_pages_alloc_block(struct virtgpu_backing_mgr *mgr,
						       unsigned int order)
{
	struct virtgpu_block *block = kmalloc_obj(*block);

	if (!block)
		return NULL;

	block->order = order;
	block->page = virtgpu_pages_alloc_pages(mgr, order, &block->addr);
	if (!block->page) {
		kfree(block);
		return NULL;
	}
	virtgpu_pages_count(block->page, 1L << order);

	return block;
}

/*
 * Return: number of blocks, or -ENOMEM.  On error, @blocks holds the blocks so
 * far.
 */
static int virtgpu_pages_alloc_blocks(struct virtgpu_backing_mgr *mgr, u64 left,
				      struct list_head *blocks)
{
	unsigned int order = MAX_PAGE_ORDER;
	struct virtgpu_block *block;
	int n = 0;

	while (left) {
		if (fatal_signal_pending(current))
			return -ENOMEM;
		order = min_t(unsigned int, order, ilog2(left));
		block = virtgpu_pages_alloc_block(mgr, order);
		if (!block && !order)
			return -ENOMEM;
		if (!block) {
			/* Do not retry an order that failed. */
			order--;
			continue;
		}
		list_add_tail(&block->link, blocks);
		left -= 1UL << order;
		n++;
	}

	return n;
}

/* Move all blocks to @p, which owns the pages then. */
static void virtgpu_pages_fill_table(struct virtgpu_pages *p, struct list_head *blocks)
{
	struct scatterlist *sg = p->table.sgl;
	struct virtgpu_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link) {
		size_t size = PAGE_SIZE << block->order;

		sg_set_page(sg, block->page, size, 0);
		if (p->base.mgr->bounces) {
			sg_dma_address(sg) = block->addr;
			sg_dma_len(sg) = size;
		}
		sg = sg_next(sg);
		kfree(block);
	}
}

static bool virtgpu_pages_needs_sync(struct virtgpu_backing *b)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(b->sgt, sg, i)
		if (dma_need_sync(b->mgr->dev, sg_dma_address(sg)))
			return true;

	return false;
}

/* Get DMA addresses, if the device uses them. */
static int virtgpu_pages_map(struct virtgpu_backing *b)
{
	struct virtgpu_backing_mgr *mgr = b->mgr;
	int ret;

	if (mgr->addr_type != VIRTGPU_ADDR_DMA)
		return 0;

	if (!mgr->bounces) {
		ret = dma_map_sgtable(mgr->dev, b->sgt, mgr->dir, 0);
		if (ret) {
			/* virtgpu_pages_release() must not unmap. */
			b->addr_type = VIRTGPU_ADDR_GPA;
			return ret;
		}
	}
	b->needs_sync = virtgpu_pages_needs_sync(b);

	return virtgpu_backing_track_mapping(b, virtgpu_pages_unmap);
}

/**
 * virtgpu_pages_alloc() - Allocate guest pages
 * @mgr: the backing manager
 * @size: in bytes, a multiple of PAGE_SIZE
 *
 * The pages are zeroed and charged to the caller's control group.
 *
 * Context: May sleep.
 * Return: a backing with one reference, -ENOMEM, -EIO if the pages cannot be
 * mapped for the device, or -ENODEV if the device was removed.
 */
struct virtgpu_backing *virtgpu_pages_alloc(struct virtgpu_backing_mgr *mgr, u64 size)
{
	u64 count = size >> PAGE_SHIFT;
	struct virtgpu_pages *p;
	LIST_HEAD(blocks);
	int n, ret;

	/* Reject sizes larger than RAM early instead of triggering reclaim. */
	if (count > totalram_pages())
		return ERR_PTR(-ENOMEM);

	p = kzalloc_obj(*p);
	if (!p)
		return ERR_PTR(-ENOMEM);

	virtgpu_backing_init(&p->base, mgr, virtgpu_pages_release);
	p->base.size = size;
	p->base.sgt = &p->table;

	n = virtgpu_pages_alloc_blocks(mgr, count, &blocks);
	if (n < 0) {
		ret = n;
		goto free;
	}
	ret = sg_alloc_table(&p->table, n, GFP_KERNEL);
	if (ret)
		goto free;
	virtgpu_pages_fill_table(p, &blocks);

	ret = virtgpu_pages_map(&p->base);
	if (ret) {
		/* The table owns the pages. */
		virtgpu_pages_release(&p->base);
		return ERR_PTR(ret);
	}

	return &p->base;

free:
	virtgpu_pages_free_blocks(mgr, &blocks);
	kfree(p);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_alloc);

/**
 * virtgpu_pages_sync_for_device() - Make CPU writes visible to the device
 * @b: from virtgpu_pages_alloc()
 *
 * Does nothing if the DMA API has nothing to do for the mapping.
 *
 * Context: Any.  Caller must keep the pages mapped, see
 * virtgpu_gem_sync_for_device().
 */
void virtgpu_pages_sync_for_device(struct virtgpu_backing *b)
{
	KUNIT_STATIC_STUB_REDIRECT(virtgpu_pages_sync_for_device, b);

	if (READ_ONCE(b->needs_sync))
		dma_sync_sgtable_for_device(b->mgr->dev, b->sgt, b->mgr->dir);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_sync_for_device);

/**
 * virtgpu_pages_sync_for_cpu() - Make device writes visible to the CPU
 * @b: from virtgpu_pages_alloc(), mapped bidirectionally
 *
 * Context: Any.
 */
void virtgpu_pages_sync_for_cpu(struct virtgpu_backing *b)
{
	if (READ_ONCE(b->needs_sync))
		dma_sync_sgtable_for_cpu(b->mgr->dev, b->sgt, b->mgr->dir);
}

/* dma_alloc_pages() makes the pages unencrypted in confidential guests. */
static pgprot_t virtgpu_pages_prot(const struct virtgpu_backing *b, pgprot_t prot)
{
	if (b->mgr->bounces && cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		return pgprot_decrypted(prot);

	return prot;
}

/**
 * virtgpu_pages_vmap() - Map guest pages for the kernel
 * @b: from virtgpu_pages_alloc()
 * @map: filled in; the caller must vunmap() its address
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory or address space.
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

	vaddr = vmap(pages, n, VM_MAP, virtgpu_pages_prot(b, PAGE_KERNEL));
	kvfree(pages);
	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, vaddr);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_vmap);

/**
 * virtgpu_pages_mmap() - Map guest pages for user space, all at once
 * @b: from virtgpu_pages_alloc()
 * @vma: the range to map
 * @pgoff: first page to map
 *
 * Context: May sleep.  Caller must hold the mmap lock.
 * Return: 0 on success, -EINVAL for a range outside the buffer, -ENOMEM.
 */
int virtgpu_pages_mmap(struct virtgpu_backing *b, struct vm_area_struct *vma,
		       unsigned long pgoff)
{
	u64 skip = (u64)pgoff << PAGE_SHIFT;
	unsigned long addr = vma->vm_start;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	if (skip + (vma->vm_end - vma->vm_start) > b->size)
		return -EINVAL;

	vma->vm_page_prot = virtgpu_pages_prot(b, vma->vm_page_prot);
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
 * virtgpu_pages_page() - Get the page of a byte in guest pages
 * @b: from virtgpu_pages_alloc()
 * @pos: zeroes, or the position of an earlier call for @b; updated
 * @offset: in bytes
 *
 * The search starts at @pos, unless @offset lies before that block.
 *
 * Context: Any, panic included.
 * Return: the page, or NULL for an @offset outside the buffer.
 */
struct page *virtgpu_pages_page(struct virtgpu_backing *b, struct virtgpu_pages_pos *pos,
				u64 offset)
{
	if (!pos->sg || offset < pos->start) {
		pos->sg = b->sgt->sgl;
		pos->start = 0;
	}
	for (; pos->sg; pos->sg = sg_next(pos->sg)) {
		if (offset - pos->start < pos->sg->length)
			return sg_page(pos->sg) + ((offset - pos->start) >> PAGE_SHIFT);
		pos->start += pos->sg->length;
	}

	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_pages_page);

/**
 * virtgpu_pages_sg_table() - Create a scatter list of guest pages
 * @b: from virtgpu_pages_alloc()
 *
 * Context: May sleep.
 * Return: a table to be mapped and freed by the caller, or ERR_PTR(-ENOMEM).
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
