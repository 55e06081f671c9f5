/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_ENTRIES_H
#define VGPU_ENTRIES_H

#include <linux/scatterlist.h>
#include <linux/types.h>

/**
 * struct vgpu_entries - a list of struct virtio_gpu_mem_entry for the host
 * @count: number of entries, 0 for a command stream
 * @bytes: the memory that they name, or the length of the stream, in bytes
 * @sgt: the list itself, in as many pieces as it took to allocate
 */
struct vgpu_entries {
	u32 count;
	u64 bytes;
	struct sg_table sgt;
};

/**
 * enum vgpu_address - which address of a scatter list the device is told
 * @VGPU_ADDRESS_PHYSICAL: guest-physical, of the pages
 * @VGPU_ADDRESS_DMA: what the DMA API or the exporter mapped
 */
enum vgpu_address {
	VGPU_ADDRESS_PHYSICAL,
	VGPU_ADDRESS_DMA,
};

struct vgpu_entries *vgpu_entries_alloc(struct sg_table *sgt,
					enum vgpu_address which,
					unsigned int max_pieces);
struct vgpu_entries *vgpu_entries_alloc_bytes(size_t size, unsigned int max_pieces);
void vgpu_entries_free(struct vgpu_entries *e);

#endif
