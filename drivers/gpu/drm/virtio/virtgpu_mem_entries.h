/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MEM_ENTRIES_H
#define VIRTGPU_MEM_ENTRIES_H

#include <linux/scatterlist.h>
#include <linux/types.h>

/**
 * struct virtgpu_mem_entries - a list of struct virtio_gpu_mem_entry for the host
 * @count: number of entries, 0 for a command stream
 * @bytes: the memory that they name, or the length of the stream, in bytes
 * @sgt: the list itself, in as many pieces as it took to allocate
 */
struct virtgpu_mem_entries {
	u32 count;
	u64 bytes;
	struct sg_table sgt;
};

/**
 * enum virtgpu_addr_type - which address of a scatter list the device is told
 * @VIRTGPU_ADDR_GPA: guest-physical, of the pages
 * @VIRTGPU_ADDR_DMA: what the DMA API or the exporter mapped
 */
enum virtgpu_addr_type {
	VIRTGPU_ADDR_GPA,
	VIRTGPU_ADDR_DMA,
};

struct virtgpu_mem_entries *virtgpu_mem_entries_alloc(struct sg_table *sgt,
						      enum virtgpu_addr_type which,
						      unsigned int max_segs);
struct virtgpu_mem_entries *virtgpu_mem_entries_alloc_bytes(size_t size, unsigned int max_segs);
void virtgpu_mem_entries_free(struct virtgpu_mem_entries *e);

#endif
