/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MEM_ENTRIES_H
#define VIRTGPU_MEM_ENTRIES_H

#include <linux/scatterlist.h>
#include <linux/types.h>

/**
 * struct virtgpu_mem_entries - Payload of a request
 * @count: number of struct virtio_gpu_mem_entry, 0 for a command buffer
 * @bytes: size of the described memory or of the command buffer, in bytes
 * @sgt: segments that hold the entries or the command buffer
 */
struct virtgpu_mem_entries {
	u32 count;
	u64 bytes;
	struct sg_table sgt;
};

/**
 * enum virtgpu_addr_type - Type of the addresses passed to the device
 * @VIRTGPU_ADDR_GPA: guest physical addresses
 * @VIRTGPU_ADDR_DMA: DMA addresses, mapped by the DMA API or by an exporter
 */
enum virtgpu_addr_type {
	VIRTGPU_ADDR_GPA,
	VIRTGPU_ADDR_DMA,
};

struct virtgpu_mem_entries *virtgpu_mem_entries_alloc(struct sg_table *sgt,
						      enum virtgpu_addr_type addr_type,
						      unsigned int max_segs);
struct virtgpu_mem_entries *virtgpu_mem_entries_alloc_bytes(size_t size, unsigned int max_segs);
void virtgpu_mem_entries_free(struct virtgpu_mem_entries *e);

#endif
