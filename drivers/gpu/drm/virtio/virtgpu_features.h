/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FEATURES_H
#define VIRTGPU_FEATURES_H

#include <linux/types.h>

struct virtio_device;
struct virtio_driver;

/**
 * struct virtgpu_features - Negotiated features and configuration of a device
 * @edid: VIRTIO_GPU_F_EDID
 * @blob: VIRTIO_GPU_F_RESOURCE_BLOB
 * @uuid: VIRTIO_GPU_F_RESOURCE_UUID
 * @context_init: VIRTIO_GPU_F_CONTEXT_INIT
 * @virgl: VIRTIO_GPU_F_VIRGL
 * @dma: addresses are DMA addresses (VIRTIO_F_ACCESS_PLATFORM) instead of guest
 *	physical addresses
 * @indirect: VIRTIO_RING_F_INDIRECT_DESC
 * @event_idx: VIRTIO_RING_F_EVENT_IDX
 * @packed: VIRTIO_F_RING_PACKED
 * @blob_align: alignment of the size of a blob in bytes, a power of two of at
 *	least PAGE_SIZE
 * @scanouts: number of scanouts, at most VIRTIO_GPU_MAX_SCANOUTS; 0 for a
 *	device without display
 * @capsets: number of capability sets
 *
 * Constant after probe.
 */
struct virtgpu_features {
	bool edid;
	bool blob;
	bool uuid;
	bool context_init;
	bool virgl;
	bool dma;
	bool indirect;
	bool event_idx;
	bool packed;
	u32 blob_align;
	u32 scanouts;
	u32 capsets;
};

void virtgpu_features_init_driver(struct virtio_driver *driver);
void virtgpu_features_read(struct virtio_device *vdev, struct virtgpu_features *f);

#endif
