// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_features.h"

/* The features that the driver negotiates. */
static const unsigned int virtgpu_feature_table[] = {
	VIRTIO_GPU_F_EDID,
	VIRTIO_GPU_F_RESOURCE_UUID,
	VIRTIO_GPU_F_RESOURCE_BLOB,
	VIRTIO_GPU_F_CONTEXT_INIT,
	VIRTIO_GPU_F_BLOB_ALIGNMENT,
#ifdef __LITTLE_ENDIAN
	/* Command buffers of user space are passed on without byte swapping. */
	VIRTIO_GPU_F_VIRGL,
#endif
};

/**
 * virtgpu_features_init_driver() - Set the feature table of the virtio driver
 * @driver: a driver that is not registered yet
 */
void virtgpu_features_init_driver(struct virtio_driver *driver)
{
	driver->feature_table = virtgpu_feature_table;
	driver->feature_table_size = ARRAY_SIZE(virtgpu_feature_table);
}

/*
 * virtio_has_feature() must not be called for bits missing in the feature
 * table.
 */
static bool virtgpu_features_negotiated(struct virtio_device *vdev, unsigned int bit)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(virtgpu_feature_table); i++)
		if (virtgpu_feature_table[i] == bit)
			return virtio_has_feature(vdev, bit);

	return false;
}

/*
 * Some devices use the bit of VIRTIO_GPU_F_BLOB_ALIGNMENT for another purpose,
 * and their blob_alignment reads as zero.  Ignore values that are not a power
 * of two or less than PAGE_SIZE.
 */
static u32 virtgpu_features_blob_alignment(struct virtio_device *vdev)
{
	u32 align = 0;

	if (virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_BLOB_ALIGNMENT))
		virtio_cread_le(vdev, struct virtio_gpu_config, blob_alignment,
				&align);

	if (!is_power_of_2(align) || align < PAGE_SIZE)
		align = PAGE_SIZE;

	return align;
}

/**
 * virtgpu_features_read() - Read negotiated features and configuration
 * @vdev: a device with completed feature negotiation
 * @f: filled
 *
 * Virtio specification, 5.7.3 "Feature bits" and 5.7.4 "Device configuration
 * layout".
 *
 * Context: May sleep.
 */
void virtgpu_features_read(struct virtio_device *vdev, struct virtgpu_features *f)
{
	u32 scanouts, capsets;

	f->edid = virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_EDID);
	f->blob = virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_RESOURCE_BLOB);
	f->uuid = virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_RESOURCE_UUID);
	f->context_init = virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_CONTEXT_INIT);
	f->virgl = virtgpu_features_negotiated(vdev, VIRTIO_GPU_F_VIRGL);
	f->dma = virtio_has_feature(vdev, VIRTIO_F_ACCESS_PLATFORM);
	f->indirect = virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	f->event_idx = virtio_has_feature(vdev, VIRTIO_RING_F_EVENT_IDX);
	f->packed = virtio_has_feature(vdev, VIRTIO_F_RING_PACKED);
	f->blob_align = virtgpu_features_blob_alignment(vdev);

	virtio_cread_le(vdev, struct virtio_gpu_config, num_scanouts, &scanouts);
	virtio_cread_le(vdev, struct virtio_gpu_config, num_capsets, &capsets);
	f->scanouts = min_t(u32, scanouts, VIRTIO_GPU_MAX_SCANOUTS);
	f->capsets = capsets;
}
