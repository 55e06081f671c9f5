/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MEMORY_H
#define VGPU_MEMORY_H

#include <linux/dma-direction.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "virtgpu_mem_entries.h"

struct device;
struct iosys_map;
struct vm_area_struct;

/**
 * struct vgpu_memory - how the device reaches memory
 * @dev: the device of the DMA API: the transport's, not the virtio device
 * @which: the addresses it is told
 * @dir: what it does with pages; DMA_TO_DEVICE unless set otherwise after the start
 * @reap: backings whose last user was an interrupt
 * @reaper: releases them
 * @lock: in process context only
 * @mapped: backings that are mapped with the DMA API
 * @withdrawn: the device is gone, nothing may be mapped for it
 */
struct vgpu_memory {
	struct device *dev;
	enum virtgpu_addr_type which;
	enum dma_data_direction dir;
	struct llist_head reap;
	struct work_struct reaper;
	spinlock_t lock; /* @mapped and @withdrawn */
	struct list_head mapped;
	bool withdrawn;
};

/**
 * struct vgpu_backing - memory that the host may be using
 * @ref: one for the object, one for each resource made of it
 * @sgt: the memory
 * @which: its addresses as the device knows them
 * @size: in bytes, a multiple of PAGE_SIZE
 * @mem: where it came from
 * @release: gives it back; may sleep
 * @withdraw: undoes the mapping while there are users; may sleep
 * @reap: in @mem's list of what is to be released
 * @link: in @mem's list of what is mapped
 */
struct vgpu_backing {
	refcount_t ref;
	struct sg_table *sgt;
	enum virtgpu_addr_type which;
	u64 size;
	struct vgpu_memory *mem;
	void (*release)(struct vgpu_backing *b);
	void (*withdraw)(struct vgpu_backing *b);
	struct llist_node reap;
	struct list_head link;
};

void vgpu_memory_init(struct vgpu_memory *mem, struct device *dev,
		      enum virtgpu_addr_type which);
void vgpu_memory_withdraw(struct vgpu_memory *mem);
void vgpu_memory_fini(struct vgpu_memory *mem);

void vgpu_backing_init(struct vgpu_backing *b, struct vgpu_memory *mem,
		       void (*release)(struct vgpu_backing *b));
int vgpu_backing_mapped(struct vgpu_backing *b,
			void (*withdraw)(struct vgpu_backing *b));
struct vgpu_backing *vgpu_backing_get(struct vgpu_backing *b);
void vgpu_backing_put(struct vgpu_backing *b);
void vgpu_backing_put_now(struct vgpu_backing *b);

/* Memory of our own */
struct vgpu_backing *vgpu_pages_alloc(struct vgpu_memory *mem, u64 size);
void vgpu_pages_sync_for_device(struct vgpu_backing *b);
void vgpu_pages_sync_for_cpu(struct vgpu_backing *b);
int vgpu_pages_vmap(struct vgpu_backing *b, struct iosys_map *map);
int vgpu_pages_mmap(struct vgpu_backing *b, struct vm_area_struct *vma,
		    unsigned long first);
void *vgpu_pages_address(struct vgpu_backing *b, u64 offset);
struct sg_table *vgpu_pages_sg_table(struct vgpu_backing *b);

#endif
