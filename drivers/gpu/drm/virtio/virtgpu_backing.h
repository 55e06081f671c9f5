/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_BACKING_H
#define VIRTGPU_BACKING_H

#include <linux/dma-direction.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "virtgpu_mem_entries.h"

struct device;
struct iosys_map;
struct page;
struct vm_area_struct;

/**
 * struct virtgpu_backing_mgr - All backings of a device
 * @dev: device for the DMA API: the parent of the virtio device
 * @addr_type: address type passed to the device
 * @bounces: the DMA API copies what it maps to bounce buffers, so it allocates
 *	the guest pages
 * @dir: DMA direction of guest pages; DMA_TO_DEVICE unless the device writes
 * @release_list: backings to be released
 * @release_work: releases them
 * @lock: protects the members below; taken in process context only
 * @mapped: backings mapped with the DMA API
 * @releasing: mapped backings that are being released
 * @released: woken when @releasing becomes 0
 * @unmapped: the device was removed; mapping fails
 */
struct virtgpu_backing_mgr {
	struct device *dev;
	enum virtgpu_addr_type addr_type;
	bool bounces;
	enum dma_data_direction dir;
	struct llist_head release_list;
	struct work_struct release_work;
	spinlock_t lock; /* the members below */
	struct list_head mapped;
	unsigned int releasing;
	wait_queue_head_t released;
	bool unmapped;
};

/**
 * struct virtgpu_backing - Memory of resources
 * @ref: references of the GEM object and of each resource
 * @sgt: the memory
 * @addr_type: address type passed to the device
 * @needs_sync: the DMA API synchronises the mapping; false after removal
 * @size: in bytes, a multiple of PAGE_SIZE
 * @mgr: the backing manager
 * @release: frees the backing; may sleep
 * @unmap_now: undoes the DMA mapping while the backing has users; may sleep
 * @release_node: in @mgr's list of backings to be released
 * @link: in @mgr's list of mapped backings
 */
struct virtgpu_backing {
	refcount_t ref;
	struct sg_table *sgt;
	enum virtgpu_addr_type addr_type;
	bool needs_sync;
	u64 size;
	struct virtgpu_backing_mgr *mgr;
	void (*release)(struct virtgpu_backing *b);
	void (*unmap_now)(struct virtgpu_backing *b);
	struct llist_node release_node;
	struct list_head link;
};

/**
 * struct virtgpu_pages_pos - Position in guest pages
 * @sg: a block, or NULL
 * @start: offset of @sg in the buffer, in bytes
 */
struct virtgpu_pages_pos {
	struct scatterlist *sg;
	u64 start;
};

bool virtgpu_backing_is_translated(struct device *dev);
void virtgpu_backing_mgr_init(struct virtgpu_backing_mgr *mgr, struct device *dev,
			      enum virtgpu_addr_type addr_type);
void virtgpu_backing_mgr_unmap_all(struct virtgpu_backing_mgr *mgr);
void virtgpu_backing_mgr_flush(struct virtgpu_backing_mgr *mgr);

void virtgpu_backing_init(struct virtgpu_backing *b, struct virtgpu_backing_mgr *mgr,
			  void (*release)(struct virtgpu_backing *b));
int virtgpu_backing_track_mapping(struct virtgpu_backing *b,
				  void (*unmap_now)(struct virtgpu_backing *b));
struct virtgpu_backing *virtgpu_backing_get(struct virtgpu_backing *b);
void virtgpu_backing_put(struct virtgpu_backing *b);
void virtgpu_backing_put_sync(struct virtgpu_backing *b);

/* Guest pages */
struct virtgpu_backing *virtgpu_pages_alloc(struct virtgpu_backing_mgr *mgr, u64 size);
void virtgpu_pages_sync_for_device(struct virtgpu_backing *b);
void virtgpu_pages_sync_for_cpu(struct virtgpu_backing *b);
int virtgpu_pages_vmap(struct virtgpu_backing *b, struct iosys_map *map);
int virtgpu_pages_mmap(struct virtgpu_backing *b, struct vm_area_struct *vma,
		       unsigned long pgoff);
struct page *virtgpu_pages_page(struct virtgpu_backing *b, struct virtgpu_pages_pos *pos,
				u64 offset);
struct sg_table *virtgpu_pages_sg_table(struct virtgpu_backing *b);
#if IS_ENABLED(CONFIG_KUNIT)
bool virtgpu_backing_bounces(struct device *dev);
gfp_t virtgpu_pages_gfp(unsigned int order);
#endif

#endif
