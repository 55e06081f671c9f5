/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_HOSTMEM_H
#define VGPU_HOSTMEM_H

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
 * enum vgpu_hostmap_state - is a blob in the window?
 * @VGPU_HOSTMAP_OUT: no
 * @VGPU_HOSTMAP_COMING: MAP_BLOB is on its way
 * @VGPU_HOSTMAP_IN: yes
 * @VGPU_HOSTMAP_LEAVING: UNMAP_BLOB is on its way
 * @VGPU_HOSTMAP_FAILED: no, and there is an error that says why
 */
enum vgpu_hostmap_state {
	VGPU_HOSTMAP_OUT,
	VGPU_HOSTMAP_COMING,
	VGPU_HOSTMAP_IN,
	VGPU_HOSTMAP_LEAVING,
	VGPU_HOSTMAP_FAILED,
};

/**
 * struct vgpu_hostmem - the window through which the host's memory is seen
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
 * @answers: responses of the host, so that a waiter can tell
 */
struct vgpu_hostmem {
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
	u64 answers;
};

/**
 * struct vgpu_hostmap - a blob that may come into the window
 * @ref: its buffer's, and one for each message about it
 * @pool: the window
 * @link: in @pool's list
 * @resource: the blob's number
 * @size: in bytes
 * @vma_node: user mappings of it
 * @state: see enum vgpu_hostmap_state
 * @error: why it is not there
 * @skipped: the host has not responded to MAP_BLOB or UNMAP_BLOB of it, but to later
 *	commands
 * @info: the caching that the host wants, VIRTIO_GPU_MAP_CACHE_*
 * @users: who keeps it in the window
 * @node: its place
 * @idle: in @pool's list while nobody uses it
 * @unmap: reserved while it is there
 */
struct vgpu_hostmap {
	refcount_t ref;
	struct vgpu_hostmem *pool;
	struct list_head link;
	u32 resource;
	u64 size;
	struct drm_vma_offset_node *vma_node;
	enum vgpu_hostmap_state state;
	int error;
	bool skipped;
	u32 info;
	unsigned int users;
	struct drm_mm_node node;
	struct list_head idle;
	struct virtgpu_msg *unmap;
};

void vgpu_hostmem_init(struct vgpu_hostmem *pool, struct virtgpu_vq *queue,
		       struct address_space *mapping);
void vgpu_hostmem_start(struct vgpu_hostmem *pool, u64 start, u64 size, u64 align);
void vgpu_hostmem_lose(struct vgpu_hostmem *pool, int error);
void vgpu_hostmem_fini(struct vgpu_hostmem *pool);
void vgpu_hostmem_print(struct vgpu_hostmem *pool, struct drm_printer *p);

struct vgpu_hostmap *vgpu_hostmap_alloc(struct vgpu_hostmem *pool, u32 resource, u64 size,
					struct drm_vma_offset_node *vma_node);
void vgpu_hostmap_release(struct vgpu_hostmap *map);
int vgpu_hostmap_start(struct vgpu_hostmap *map);
int vgpu_hostmap_wait(struct vgpu_hostmap *map);
bool vgpu_hostmap_use(struct vgpu_hostmap *map);
void vgpu_hostmap_unuse(struct vgpu_hostmap *map);
bool vgpu_hostmap_place(struct vgpu_hostmap *map, phys_addr_t *where, u32 *info);

#endif
