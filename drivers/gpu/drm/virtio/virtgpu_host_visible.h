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
struct virtgpu_resource;

/**
 * enum virtgpu_host_mapping_state - is a blob in the window?
 * @VIRTGPU_HOST_MAPPING_UNMAPPED: no
 * @VIRTGPU_HOST_MAPPING_MAPPING: MAP_BLOB is on its way
 * @VIRTGPU_HOST_MAPPING_MAPPED: yes
 * @VIRTGPU_HOST_MAPPING_UNMAPPING: UNMAP_BLOB is on its way
 * @VIRTGPU_HOST_MAPPING_FAILED: no, and there is an error that says why
 */
enum virtgpu_host_mapping_state {
	VIRTGPU_HOST_MAPPING_UNMAPPED,
	VIRTGPU_HOST_MAPPING_MAPPING,
	VIRTGPU_HOST_MAPPING_MAPPED,
	VIRTGPU_HOST_MAPPING_UNMAPPING,
	VIRTGPU_HOST_MAPPING_FAILED,
};

/**
 * struct virtgpu_host_visible - the window through which the host's memory is seen
 * @queue: the control queue
 * @mapping: where all user mappings of the device are
 * @start: where the window is, as a physical address
 * @size: of the window, 0 if there is none
 * @align: of what is mapped in it
 * @maps_lock: protects @maps; may sleep
 * @maps: every blob that may come into the window
 * @lock: protects all below and the blobs' state, taken in interrupts
 * @space: which parts of the window are taken
 * @idle: blobs that nobody uses but that are still there, the longest unused first
 * @mapped: MAP_BLOBs sent
 * @unmapped: UNMAP_BLOBs sent
 * @reused: blobs that were there when they were wanted again
 * @responses: responses of the host, so that a waiter can tell
 */
struct virtgpu_host_visible {
	struct virtgpu_vq *queue;
	struct address_space *mapping;
	u64 start;
	u64 size;
	u64 align;
	struct mutex maps_lock; /* @maps */
	struct list_head maps;
	spinlock_t lock; /* all below */
	struct drm_mm space;
	struct list_head idle;
	u64 mapped;
	u64 unmapped;
	u64 reused;
	u64 responses;
};

/**
 * struct virtgpu_host_mapping - a blob that may come into the window
 * @ref: its buffer's, and one for each message about it
 * @hv: the window
 * @link: in @hv's list
 * @resource: the blob's number
 * @size: in bytes
 * @vma_node: user mappings of it
 * @state: see enum virtgpu_host_mapping_state
 * @error: why it is not there
 * @skipped: the host has not responded to MAP_BLOB or UNMAP_BLOB of it, but to later
 *	commands
 * @map_info: the caching that the host wants, VIRTIO_GPU_MAP_CACHE_*
 * @pin_count: who keeps it in the window
 * @node: its place
 * @idle: in @hv's list while nobody uses it
 * @unmap: reserved while it is there
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
int virtgpu_host_mapping_map(struct virtgpu_host_mapping *map);
bool virtgpu_host_mapping_pin(struct virtgpu_host_mapping *map);
void virtgpu_host_mapping_unpin(struct virtgpu_host_mapping *map);
bool virtgpu_host_mapping_get_addr(struct virtgpu_host_mapping *map, phys_addr_t *addr,
				   u32 *map_info);

#endif
