/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FEATURES_H
#define VIRTGPU_FEATURES_H

#include <linux/types.h>

struct virtio_device;
struct virtio_driver;

/**
 * struct virtgpu_features - what this device and this driver agreed on
 * @edid: GET_EDID is served
 * @blob: blob resources are served
 * @uuid: RESOURCE_ASSIGN_UUID is served
 * @context_init: contexts carry a capset id
 * @virgl: 3D commands are served
 * @dma: addresses are DMA API addresses (VIRTIO_F_ACCESS_PLATFORM); without it
 *	they are guest-physical
 * @indirect: the ring takes indirect descriptors
 * @event_idx: notifications are suppressed by index
 * @packed: the ring has the packed layout
 * @blob_align: the size of a blob is to be a multiple of this many bytes, a
 *	power of two of at least PAGE_SIZE
 * @scanouts: number of scanouts, 1 to VIRTIO_GPU_MAX_SCANOUTS, or 0 for a
 *	device without a display
 * @capsets: number of capability sets
 *
 * Filled once while the device is probed and constant from then on.
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
