// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The dma-buf side: what importers call, and whether they may.
 *
 * Buffers in VRAM behave as those of a GPU: an importer that cannot do
 * peer-to-peer makes the buffer move to RAM when it pins or maps it.  There is
 * no check of the PCI topology: in the test guest every device reaches the BAR.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "virtgpu_exporter.h"

/* An entry for each MiB of VRAM, so that importers see more than one. */
#define VIRTGPU_EXP_VRAM_CHUNK	SZ_1M

/*
 * Who imports a buffer again and again has as many mappings of the same memory.
 */
#ifdef DMA_ATTR_DEBUGGING_IGNORE_CACHELINES
#define VIRTGPU_EXP_RAM_ATTRS	DMA_ATTR_DEBUGGING_IGNORE_CACHELINES
#else
#define VIRTGPU_EXP_RAM_ATTRS	0
#endif

/**
 * struct virtgpu_exp_attach - an importer's attachment
 * @pins: pins taken through it
 * @mappings: struct virtgpu_exp_mapping made through it
 * @n_mappings: their number
 */
struct virtgpu_exp_attach {
	unsigned int pins;
	struct list_head mappings;
	unsigned int n_mappings;
};

/**
 * struct virtgpu_exp_mapping - what an importer has mapped
 * @link: in the attachment's list
 * @sgt: the addresses
 * @backing: the memory
 * @stale: from before a move
 * @stale_since: when that move began, in jiffies
 */
struct virtgpu_exp_mapping {
	struct list_head link;
	struct sg_table sgt;
	struct virtgpu_exp_backing *backing;
	bool stale;
	unsigned long stale_since;
};

static DEFINE_MUTEX(virtgpu_exp_bufs_lock);
static LIST_HEAD(virtgpu_exp_bufs);

static void virtgpu_exp_check_locked(struct virtgpu_exp_buf *buf)
{
	if (!dma_resv_is_locked(buf->dmabuf->resv))
		virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_UNLOCKED);
}

static int virtgpu_exp_fault(struct virtgpu_exp_buf *buf,
			     enum virtgpu_exporter_fault_point point)
{
	if (!buf->fault[point].count)
		return 0;
	buf->fault[point].count--;
	return -buf->fault[point].error;
}

/**
 * virtgpu_exp_pins - what keeps a buffer where it is
 * @buf: the buffer
 *
 * Context: the reservation lock is held.
 * Return: number of pins and kernel mappings.
 */
unsigned int virtgpu_exp_pins(struct virtgpu_exp_buf *buf)
{
	unsigned int pins = buf->dmabuf->vmapping_counter;
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &buf->dmabuf->attachments, node) {
		struct virtgpu_exp_attach *at = attach->priv;

		pins += at->pins;
#ifndef VIRTGPU_EXP_MAPPED_CAN_MOVE
		/* Each mapping of a dynamic importer has a pin by the core. */
		if (attach->importer_ops &&
		    buf->flags & VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED)
			pins -= min(at->pins, at->n_mappings);
#endif
	}
	return pins;
}

/**
 * virtgpu_exp_all_peer2peer - can every importer reach VRAM?
 * @buf: the buffer
 *
 * Context: the reservation lock is held.
 * Return: true if all can.
 */
bool virtgpu_exp_all_peer2peer(struct virtgpu_exp_buf *buf)
{
	struct dma_buf_attachment *attach;

	list_for_each_entry(attach, &buf->dmabuf->attachments, node)
		if (!attach->peer2peer)
			return false;
	return true;
}

/**
 * virtgpu_exp_mark_stale - all mappings belong to the past
 * @buf: the buffer
 *
 * Context: the reservation lock is held.
 * Return: number of attachments.
 */
unsigned int virtgpu_exp_mark_stale(struct virtgpu_exp_buf *buf)
{
	struct dma_buf_attachment *attach;
	struct virtgpu_exp_mapping *mapping;
	unsigned int n = 0;

	list_for_each_entry(attach, &buf->dmabuf->attachments, node) {
		struct virtgpu_exp_attach *at = attach->priv;

		n++;
		list_for_each_entry(mapping, &at->mappings, link) {
			if (!mapping->stale)
				mapping->stale_since = jiffies;
			mapping->stale = true;
		}
	}
	return n;
}

static void virtgpu_exp_sync(struct virtgpu_exp_buf *buf, bool for_device)
{
	struct dma_buf_attachment *attach;
	struct virtgpu_exp_mapping *mapping;

	list_for_each_entry(attach, &buf->dmabuf->attachments, node) {
		struct virtgpu_exp_attach *at = attach->priv;

		list_for_each_entry(mapping, &at->mappings, link) {
			if (mapping->stale || !mapping->backing->pages)
				continue;
			if (for_device)
				dma_sync_sgtable_for_device(attach->dev,
							    &mapping->sgt,
							    DMA_BIDIRECTIONAL);
			else
				dma_sync_sgtable_for_cpu(attach->dev,
							 &mapping->sgt,
							 DMA_BIDIRECTIONAL);
		}
	}
}

/**
 * virtgpu_exp_sync_for_device - the CPU has written to the buffer
 * @buf: the buffer
 *
 * Context: the reservation lock is held.
 */
void virtgpu_exp_sync_for_device(struct virtgpu_exp_buf *buf)
{
	virtgpu_exp_sync(buf, true);
}

static int virtgpu_exp_attach(struct dma_buf *dmabuf,
			      struct dma_buf_attachment *attach)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;
	struct virtgpu_exp_attach *at;
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = virtgpu_exp_fault(buf, VIRTGPU_EXPORTER_FAULT_ATTACH);
	if (!ret && buf->gone)
		ret = -ENODEV;
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		return ret;

	at = kzalloc_obj(*at);
	if (!at)
		return -ENOMEM;
	INIT_LIST_HEAD(&at->mappings);
	attach->priv = at;
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_ATTACHES, 1);
	return 0;
}

static void virtgpu_exp_unmap_memory(struct dma_buf_attachment *attach,
				     struct virtgpu_exp_mapping *mapping,
				     enum dma_data_direction dir)
{
	struct sg_table *sgt = &mapping->sgt;
	struct scatterlist *sg;
	int i;

	if (mapping->backing->pages) {
		dma_unmap_sgtable(attach->dev, sgt, dir, VIRTGPU_EXP_RAM_ATTRS);
	} else {
		for_each_sgtable_sg(sgt, sg, i)
			if (sg_dma_len(sg))
				dma_unmap_resource(attach->dev,
						   sg_dma_address(sg),
						   sg_dma_len(sg), dir, 0);
	}
	sg_free_table(sgt);
}

static void virtgpu_exp_drop_mapping(struct virtgpu_exp_attach *at,
				     struct virtgpu_exp_mapping *mapping)
{
	list_del(&mapping->link);
	at->n_mappings--;
	virtgpu_exp_backing_put(mapping->backing);
	kfree(mapping);
}

static void virtgpu_exp_detach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attach)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;
	struct virtgpu_exp_attach *at = attach->priv;
	struct virtgpu_exp_mapping *mapping, *next;

	if (at->pins)
		virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_PINNED_AT_DETACH);
	list_for_each_entry_safe(mapping, next, &at->mappings, link) {
		virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_MAPPED_AT_DETACH);
		virtgpu_exp_unmap_memory(attach, mapping, DMA_BIDIRECTIONAL);
		virtgpu_exp_drop_mapping(at, mapping);
	}
	kfree(at);
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_DETACHES, 1);
}

/* Put the buffer where this importer reaches it. */
static int virtgpu_exp_make_reachable(struct virtgpu_exp_buf *buf,
				      bool peer2peer)
{
	if (buf->gone)
		return -ENODEV;
	if (buf->backing->placement != VIRTGPU_EXPORTER_VRAM || peer2peer)
		return 0;
	return virtgpu_exp_move(buf, VIRTGPU_EXPORTER_RAM);
}

static int virtgpu_exp_pin(struct dma_buf_attachment *attach)
{
	struct virtgpu_exp_buf *buf = attach->dmabuf->priv;
	struct virtgpu_exp_attach *at = attach->priv;
	int ret;

	virtgpu_exp_check_locked(buf);
	ret = virtgpu_exp_fault(buf, VIRTGPU_EXPORTER_FAULT_PIN);
	if (ret)
		return ret;
	ret = virtgpu_exp_make_reachable(buf, virtgpu_exp_all_peer2peer(buf));
	if (ret)
		return ret;
	at->pins++;
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_PINS, 1);
	return 0;
}

static void virtgpu_exp_unpin(struct dma_buf_attachment *attach)
{
	struct virtgpu_exp_buf *buf = attach->dmabuf->priv;
	struct virtgpu_exp_attach *at = attach->priv;

	virtgpu_exp_check_locked(buf);
	if (!at->pins) {
		virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_UNPIN_UNDERFLOW);
		return;
	}
	at->pins--;
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_UNPINS, 1);
}

static int virtgpu_exp_map_ram(struct device *dev, struct sg_table *sgt,
			       struct virtgpu_exp_backing *backing,
			       enum dma_data_direction dir)
{
	int ret;

	ret = sg_alloc_table_from_pages(sgt, backing->pages,
					backing->size >> PAGE_SHIFT, 0,
					backing->size, GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, sgt, dir, VIRTGPU_EXP_RAM_ATTRS);
	if (ret)
		sg_free_table(sgt);
	return ret;
}

/* Bus addresses and no pages, as GPU drivers hand out their memory. */
static int virtgpu_exp_map_vram(struct device *dev, struct sg_table *sgt,
				struct virtgpu_exp_backing *backing,
				enum dma_data_direction dir)
{
	struct scatterlist *sg;
	size_t at = 0;
	int i, ret;

	ret = sg_alloc_table(sgt, DIV_ROUND_UP(backing->size,
					       VIRTGPU_EXP_VRAM_CHUNK),
			     GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(sgt, sg, i) {
		size_t len = min_t(size_t, backing->size - at,
				   VIRTGPU_EXP_VRAM_CHUNK);
		dma_addr_t addr;

		addr = dma_map_resource(dev, backing->phys + at, len, dir, 0);
		if (dma_mapping_error(dev, addr))
			goto err_unmap;
		sg_set_page(sg, NULL, len, 0);
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = len;
		at += len;
	}
	return 0;

err_unmap:
	for_each_sgtable_sg(sgt, sg, i)
		if (sg_dma_len(sg))
			dma_unmap_resource(dev, sg_dma_address(sg),
					   sg_dma_len(sg), dir, 0);
	sg_free_table(sgt);
	return -EIO;
}

static struct sg_table *virtgpu_exp_map(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct virtgpu_exp_buf *buf = attach->dmabuf->priv;
	struct virtgpu_exp_attach *at = attach->priv;
	struct virtgpu_exp_mapping *mapping;
	int ret;

	virtgpu_exp_check_locked(buf);
	ret = virtgpu_exp_fault(buf, VIRTGPU_EXPORTER_FAULT_MAP);
	if (ret)
		return ERR_PTR(ret);
	ret = virtgpu_exp_make_reachable(buf, attach->peer2peer);
	if (ret)
		return ERR_PTR(ret);
	/* Importers may undo a mapping a little later, but not much. */
	list_for_each_entry(mapping, &at->mappings, link)
		if (mapping->stale &&
		    time_after(jiffies, mapping->stale_since + HZ))
			virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_STALE_AT_MAP);

	mapping = kzalloc_obj(*mapping);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	if (buf->backing->pages)
		ret = virtgpu_exp_map_ram(attach->dev, &mapping->sgt,
					  buf->backing, dir);
	else
		ret = virtgpu_exp_map_vram(attach->dev, &mapping->sgt,
					   buf->backing, dir);
	if (ret) {
		kfree(mapping);
		return ERR_PTR(ret);
	}
	kref_get(&buf->backing->kref);
	mapping->backing = buf->backing;
	list_add(&mapping->link, &at->mappings);
	at->n_mappings++;
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_MAPS, 1);
	return &mapping->sgt;
}

/*
 * Is somebody's access to the present memory still under way?  With more than
 * one importer it cannot be told whose it is.
 */
static bool virtgpu_exp_busy(struct virtgpu_exp_buf *buf)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	if (!list_is_singular(&buf->dmabuf->attachments))
		return false;
	dma_resv_for_each_fence(&cursor, buf->dmabuf->resv,
				DMA_RESV_USAGE_BOOKKEEP, fence)
		if (!virtgpu_exp_fence_is_ours(fence) &&
		    !dma_fence_is_signaled(fence))
			return true;
	return false;
}

static void virtgpu_exp_unmap(struct dma_buf_attachment *attach,
			      struct sg_table *sgt, enum dma_data_direction dir)
{
	struct virtgpu_exp_buf *buf = attach->dmabuf->priv;
	struct virtgpu_exp_attach *at = attach->priv;
	struct virtgpu_exp_mapping *mapping;

	virtgpu_exp_check_locked(buf);
	list_for_each_entry(mapping, &at->mappings, link) {
		if (&mapping->sgt != sgt)
			continue;
		/* A move waits for the fences of stale mappings itself. */
		if (!mapping->stale && virtgpu_exp_busy(buf))
			virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_EARLY_UNMAP);
		virtgpu_exp_unmap_memory(attach, mapping, dir);
		virtgpu_exp_drop_mapping(at, mapping);
		virtgpu_exp_count(buf, VIRTGPU_EXPORTER_UNMAPS, 1);
		return;
	}
	virtgpu_exp_violation(buf, VIRTGPU_EXPORTER_UNKNOWN_UNMAP);
}

static int virtgpu_exp_begin_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction dir)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;

	dma_resv_lock(dmabuf->resv, NULL);
	virtgpu_exp_sync(buf, false);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int virtgpu_exp_end_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction dir)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;

	dma_resv_lock(dmabuf->resv, NULL);
	virtgpu_exp_sync(buf, true);
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static vm_fault_t virtgpu_exp_vm_fault(struct vm_fault *vmf)
{
	struct virtgpu_exp_buf *buf = vmf->vma->vm_private_data;
	pgprot_t prot = vmf->vma->vm_page_prot;
	struct virtgpu_exp_backing *backing;
	unsigned long pfn;
	vm_fault_t ret;

	if (vmf->pgoff >= buf->dmabuf->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	if (dma_resv_lock_interruptible(buf->dmabuf->resv, NULL))
		return VM_FAULT_NOPAGE;
	backing = buf->backing;
	if (buf->gone) {
		ret = VM_FAULT_SIGBUS;
	} else {
		if (backing->pages) {
			pfn = page_to_pfn(backing->pages[vmf->pgoff]);
		} else {
			pfn = PHYS_PFN(backing->phys) + vmf->pgoff;
			prot = pgprot_writecombine(prot);
		}
		ret = vmf_insert_pfn_prot(vmf->vma, vmf->address, pfn, prot);
	}
	dma_resv_unlock(buf->dmabuf->resv);
	return ret;
}

static const struct vm_operations_struct virtgpu_exp_vm_ops = {
	.fault = virtgpu_exp_vm_fault,
};

static int virtgpu_exp_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = dmabuf->priv;
	vma->vm_ops = &virtgpu_exp_vm_ops;
	return 0;
}

static int virtgpu_exp_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;

	virtgpu_exp_check_locked(buf);
	if (buf->gone)
		return -ENODEV;
	/* Mapped already; dma_buf::vmapping_counter keeps it in place. */
	*map = buf->backing->map;
	return 0;
}

static void virtgpu_exp_release(struct dma_buf *dmabuf)
{
	struct virtgpu_exp_buf *buf = dmabuf->priv;

	mutex_lock(&virtgpu_exp_bufs_lock);
	list_del(&buf->link);
	mutex_unlock(&virtgpu_exp_bufs_lock);
	virtgpu_exp_backing_put(buf->quarantine);
	virtgpu_exp_backing_put(buf->backing);
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_BUFFERS, -1);
	kfree(buf);
}

static const struct dma_buf_ops virtgpu_exp_dynamic_ops = {
	.attach = virtgpu_exp_attach,
	.detach = virtgpu_exp_detach,
	.pin = virtgpu_exp_pin,
	.unpin = virtgpu_exp_unpin,
	.map_dma_buf = virtgpu_exp_map,
	.unmap_dma_buf = virtgpu_exp_unmap,
	.begin_cpu_access = virtgpu_exp_begin_cpu_access,
	.end_cpu_access = virtgpu_exp_end_cpu_access,
	.mmap = virtgpu_exp_mmap,
	.vmap = virtgpu_exp_vmap,
	.release = virtgpu_exp_release,
};

static const struct dma_buf_ops virtgpu_exp_static_ops = {
	.attach = virtgpu_exp_attach,
	.detach = virtgpu_exp_detach,
	.map_dma_buf = virtgpu_exp_map,
	.unmap_dma_buf = virtgpu_exp_unmap,
	.begin_cpu_access = virtgpu_exp_begin_cpu_access,
	.end_cpu_access = virtgpu_exp_end_cpu_access,
	.mmap = virtgpu_exp_mmap,
	.vmap = virtgpu_exp_vmap,
	.release = virtgpu_exp_release,
};

/**
 * virtgpu_exp_buf_from - the buffer behind a dma-buf
 * @dmabuf: any dma-buf
 *
 * Context: any.
 * Return: the buffer, or NULL if another exporter made the dma-buf.
 */
struct virtgpu_exp_buf *virtgpu_exp_buf_from(struct dma_buf *dmabuf)
{
	if (dmabuf->ops != &virtgpu_exp_dynamic_ops &&
	    dmabuf->ops != &virtgpu_exp_static_ops)
		return NULL;
	return dmabuf->priv;
}

/**
 * virtgpu_exp_export - make a buffer
 * @args: what user space asked for
 *
 * Context: may sleep.
 * Return: a dma-buf with one reference, or an error pointer.
 */
struct dma_buf *virtgpu_exp_export(const struct virtgpu_exporter_create *args)
{
	bool scatter = args->flags & VIRTGPU_EXPORTER_CREATE_SCATTER;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct virtgpu_exp_buf *buf;
	struct dma_buf *dmabuf;
	int ret;

	if (!args->size || args->size > SZ_1G || args->pad ||
	    args->placement > VIRTGPU_EXPORTER_VRAM ||
	    args->flags & ~(VIRTGPU_EXPORTER_CREATE_SCATTER |
			    VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED))
		return ERR_PTR(-EINVAL);

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->flags = args->flags;
	buf->dynamic = args->placement != VIRTGPU_EXPORTER_STATIC;
	buf->backing = virtgpu_exp_backing_new(args->placement,
					       PAGE_ALIGN(args->size), scatter);
	if (IS_ERR(buf->backing)) {
		ret = PTR_ERR(buf->backing);
		goto err_free;
	}

	info.ops = buf->dynamic ? &virtgpu_exp_dynamic_ops : &virtgpu_exp_static_ops;
	info.size = buf->backing->size;
	info.flags = O_RDWR;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err_backing;
	}

	buf->dmabuf = dmabuf;
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_BUFFERS, 1);
	mutex_lock(&virtgpu_exp_bufs_lock);
	list_add(&buf->link, &virtgpu_exp_bufs);
	mutex_unlock(&virtgpu_exp_bufs_lock);
	return dmabuf;

err_backing:
	virtgpu_exp_backing_put(buf->backing);
err_free:
	kfree(buf);
	return ERR_PTR(ret);
}

/* The next buffer in VRAM, with a reference, or NULL. */
static struct dma_buf *virtgpu_exp_next_in_vram(void)
{
	struct dma_buf *found = NULL;
	struct virtgpu_exp_buf *buf;

	mutex_lock(&virtgpu_exp_bufs_lock);
	list_for_each_entry(buf, &virtgpu_exp_bufs, link) {
		if (READ_ONCE(buf->gone) ||
		    READ_ONCE(buf->backing)->placement != VIRTGPU_EXPORTER_VRAM)
			continue;
		/* One that is on its way out needs no revocation. */
		if (!get_file_active(&buf->dmabuf->file))
			continue;
		found = buf->dmabuf;
		break;
	}
	mutex_unlock(&virtgpu_exp_bufs_lock);
	return found;
}

/**
 * virtgpu_exp_revoke_vram - the BAR is gone, and so is all that was in it
 *
 * Context: may sleep; no reservation lock is held.
 */
void virtgpu_exp_revoke_vram(void)
{
	struct dma_buf *dmabuf;
	struct virtgpu_exp_buf *buf;

	while ((dmabuf = virtgpu_exp_next_in_vram())) {
		buf = dmabuf->priv;
		dma_resv_lock(dmabuf->resv, NULL);
		if (buf->backing->placement == VIRTGPU_EXPORTER_VRAM)
			virtgpu_exp_revoke(buf);
		dma_resv_unlock(dmabuf->resv);
		dma_buf_put(dmabuf);
	}
}
