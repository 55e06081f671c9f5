/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_HOST_VISIBLE_H
#define VIRTGPU_HOST_VISIBLE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <drm/drm_mm.h>

struct address_space;
struct drm_printer;
struct drm_vma_offset_node;
struct virtgpu_msg;
struct virtgpu_vq;

/**
 * enum virtgpu_host_mapping_state - State of a blob in the host-visible region
 * @VIRTGPU_HOST_MAPPING_UNMAPPED: not mapped
 * @VIRTGPU_HOST_MAPPING_MAPPING: RESOURCE_MAP_BLOB is pending
 * @VIRTGPU_HOST_MAPPING_MAPPED: mapped
 * @VIRTGPU_HOST_MAPPING_UNMAPPING: RESOURCE_UNMAP_BLOB is pending
 * @VIRTGPU_HOST_MAPPING_FAILED: not mapped because of an error
 * @VIRTGPU_HOST_MAPPING_QUARANTINED: RESOURCE_UNMAP_BLOB has failed; the blob
 *	may be mapped until the device is reset
 */
enum virtgpu_host_mapping_state {
	VIRTGPU_HOST_MAPPING_UNMAPPED,
	VIRTGPU_HOST_MAPPING_MAPPING,
	VIRTGPU_HOST_MAPPING_MAPPED,
	VIRTGPU_HOST_MAPPING_UNMAPPING,
	VIRTGPU_HOST_MAPPING_FAILED,
	VIRTGPU_HOST_MAPPING_QUARANTINED,
};

/**
 * struct virtgpu_host_visible - Host-visible region of a device
 * @queue: the control queue
 * @mapping: address space of the device's user mappings
 * @start: physical address
 * @size: in bytes, 0 if the device has no region
 * @align: alignment of mappings, in bytes
 * @maps_lock: protects @maps; may sleep
 * @maps: all mappable blobs
 * @lock: protects the members below and the state of all mappings; taken in
 *	interrupts
 * @space: allocated ranges
 * @used: size of the allocated ranges, in bytes
 * @idle: mapped blobs that are not pinned, least recently used first
 * @quarantined: blobs in state QUARANTINED, with a reference
 * @mapped: number of RESOURCE_MAP_BLOB commands
 * @unmapped: number of RESOURCE_UNMAP_BLOB commands
 * @reused: number of blobs that were still mapped when pinned again
 * @responses: number of responses, as a wakeup condition
 */
struct virtgpu_host_visible {
	struct virtgpu_vq *queue;
	struct address_space *mapping;
	u64 start;
	u64 size;
	u64 align;
	struct mutex maps_lock; /* @maps */
	struct list_head maps;
	spinlock_t lock; /* the members below, and all mappings */
	struct drm_mm space;
	u64 used;
	struct list_head idle;
	struct list_head quarantined;
	u64 mapped;
	u64 unmapped;
	u64 reused;
	u64 responses;
};

/**
 * struct virtgpu_host_mapping - Mapping of a blob in the host-visible region
 * @ref: references of the GEM object and of each message
 * @hv: the region
 * @link: in @hv's list of mappable blobs
 * @resource: resource ID
 * @size: in bytes
 * @vma_node: user mappings of the blob
 * @state: see enum virtgpu_host_mapping_state
 * @error: errno in state FAILED or QUARANTINED, or to be set when unmapped
 * @map_failed: the host has rejected the last RESOURCE_MAP_BLOB
 * @skipped: the host has skipped a message, maybe MAP or UNMAP; cleared by
 *	the response to MAP or UNMAP
 * @map_info: caching requested by the host, VIRTIO_GPU_MAP_CACHE_*
 * @pin_count: number of pins
 * @node: allocated range
 * @idle: in @hv's list of idle or quarantined blobs
 * @unmap: message for RESOURCE_UNMAP_BLOB, allocated while mapped
 */
struct virtgpu_host_mapping {
	refcount_t ref;
	struct virtgpu_host_visible *hv;
	struct list_head link;
	u32 resource;
	u64 size;
	struct drm_vma_offset_node *vma_node;
	enum virtgpu_host_mapping_state state;
	int error;
	bool map_failed;
	bool skipped;
	u32 map_info;
	unsigned int pin_count;
	struct drm_mm_node node;
	struct list_head idle;
	struct virtgpu_msg *unmap;
};

void virtgpu_host_visible_init(struct virtgpu_host_visible *hv, struct virtgpu_vq *queue,
			       struct address_space *mapping);
void virtgpu_host_visible_start(struct virtgpu_host_visible *hv, u64 start, u64 size, u64 align);
void virtgpu_host_visible_invalidate(struct virtgpu_host_visible *hv, int error);
void virtgpu_host_visible_fini(struct virtgpu_host_visible *hv);
void virtgpu_host_visible_print(struct virtgpu_host_visible *hv, struct drm_printer *p);

struct virtgpu_host_mapping *virtgpu_host_mapping_alloc(struct virtgpu_host_visible *hv,
							u32 resource, u64 size,
							struct drm_vma_offset_node *vma_node);
void virtgpu_host_mapping_release(struct virtgpu_host_mapping *map);
int virtgpu_host_mapping_queue(struct virtgpu_host_mapping *map);
void virtgpu_host_mapping_queue_early(struct virtgpu_host_mapping *map);
int virtgpu_host_mapping_map(struct virtgpu_host_mapping *map);
bool virtgpu_host_mapping_pin(struct virtgpu_host_mapping *map);
void virtgpu_host_mapping_unpin(struct virtgpu_host_mapping *map);
bool virtgpu_host_mapping_get_addr(struct virtgpu_host_mapping *map, phys_addr_t *addr,
				   u32 *map_info);

#endif
