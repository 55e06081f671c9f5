/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_RESOURCE_H
#define VIRTGPU_RESOURCE_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_fence.h"
#include "virtgpu_ids.h"

struct drm_device;
struct drm_printer;
struct virtgpu_backing;
struct virtgpu_cmd_create_3d;
struct virtgpu_cmd_create_blob;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;

/**
 * enum virtgpu_resource_type - Type of a resource
 * @VIRTGPU_RES_BLOB_GUEST: blob in guest memory
 * @VIRTGPU_RES_2D: 2D resource: a copy on the host, updated by transfers
 * @VIRTGPU_RES_3D: 3D resource: a copy on the host, also drawn to by the
 *	renderer
 * @VIRTGPU_RES_BLOB_HOST3D: blob in host memory, with or without guest memory
 */
enum virtgpu_resource_type {
	VIRTGPU_RES_BLOB_GUEST,
	VIRTGPU_RES_2D,
	VIRTGPU_RES_3D,
	VIRTGPU_RES_BLOB_HOST3D,
};

/**
 * struct virtgpu_resource_mgr - All resources of a device
 * @drm: DRM device, for log messages
 * @queue: the control queue
 * @client: accounts pending creations
 * @creations: ordered timeline of RESOURCE_ATTACH_BACKING to 3D resources
 * @detaches: ordered timeline of RESOURCE_DETACH_BACKING
 * @ids: resource IDs; free again when RESOURCE_UNREF has completed
 * @lock: protects the lists and the counters; taken in interrupts
 * @list: all resources that may exist on the host
 * @quarantined: resources for which the host has rejected RESOURCE_UNREF, with
 *	a reference
 * @size_2d: host memory of all 2D resources, in bytes
 * @limit_2d: @size_2d at which the host ran out of memory, in bytes
 * @rejected: number of blobs that the host rejected
 * @attached: number of backings attached
 * @detached: number of backings detached because the buffer moved
 * @on_rejected: called in any context when the host rejects a blob, or has no
 *	memory for a 2D resource; may be NULL
 */
struct virtgpu_resource_mgr {
	struct drm_device *drm;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline creations;
	struct virtgpu_timeline detaches;
	struct virtgpu_ids ids;
	spinlock_t lock; /* the lists and the counters */
	struct list_head list;
	struct list_head quarantined;
	u64 size_2d;
	u64 limit_2d;
	u64 rejected;
	u64 attached;
	u64 detached;
	void (*on_rejected)(struct virtgpu_resource_mgr *mgr);
};

/**
 * struct virtgpu_2d_layout - Layout of a 2D resource
 * @format: enum virtio_gpu_formats
 * @width: in pixels, covering the pitch of the buffer
 * @height: in pixels
 * @offset: of the first pixel in the buffer, in bytes
 */
struct virtgpu_2d_layout {
	u32 format;
	u32 width;
	u32 height;
	u32 offset;
};

/**
 * virtgpu_2d_layout_size() - Get the host memory of a 2D resource
 * @layout: the layout
 *
 * Return: size in bytes.
 */
static inline u64 virtgpu_2d_layout_size(const struct virtgpu_2d_layout *layout)
{
	return (u64)layout->width * layout->height * 4;
}

/**
 * struct virtgpu_resource - Resource on the host
 * @ref: references of the owner and of each message
 * @mgr: the resource manager
 * @link: in @mgr's list
 * @id: resource ID
 * @type: see enum virtgpu_resource_type
 * @layout: of a 2D or 3D resource
 * @size: in bytes
 * @entries: number of memory entries
 * @error: sticky error: the errno of the first command that failed
 * @rejected: the host rejected this blob, or has no memory for this 2D resource
 * @stale: the device was reset; the resource is gone
 * @quarantined: the host has rejected RESOURCE_UNREF
 * @backing: the memory, held until the host no longer accesses it
 * @detach: message with fence, allocated at creation if the memory can move
 * @unref: message allocated at creation; NULL once queued
 * @gem_link: in the owner's list of 2D resources, or in @mgr's list of
 *	quarantined ones
 * @has_contents: the host's copy was filled at least once
 * @gem: owner of a 2D resource that may be evicted, or NULL; protected by
 *	&virtgpu_resource_mgr.lock
 * @counted: part of &virtgpu_resource_mgr.size_2d
 */
struct virtgpu_resource {
	refcount_t ref;
	struct virtgpu_resource_mgr *mgr;
	struct list_head link;
	u32 id;
	enum virtgpu_resource_type type;
	struct virtgpu_2d_layout layout;
	u64 size;
	u32 entries;
	int error;
	bool rejected;
	bool stale;
	bool quarantined;
	struct virtgpu_backing *backing;
	struct virtgpu_msg *detach;
	struct virtgpu_msg *unref;
	struct list_head gem_link;
	bool has_contents;
	struct virtgpu_gem *gem;
	bool counted;
};

int virtgpu_resource_mgr_init(struct virtgpu_resource_mgr *mgr, struct drm_device *drm,
			      struct virtgpu_vq *queue);
void virtgpu_resource_mgr_fini(struct virtgpu_resource_mgr *mgr);
void virtgpu_resources_invalidate(struct virtgpu_resource_mgr *mgr);
void virtgpu_resources_wait_destroyed(struct virtgpu_resource_mgr *mgr);
int virtgpu_resources_throttle(struct virtgpu_resource_mgr *mgr);
void virtgpu_resources_print(struct virtgpu_resource_mgr *mgr, struct drm_printer *p);

struct virtgpu_resource *virtgpu_resource_create_blob(struct virtgpu_resource_mgr *mgr,
						      struct virtgpu_backing *backing,
						      u64 size, u32 flags, bool movable);
struct virtgpu_resource *virtgpu_resource_create_2d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    const struct virtgpu_2d_layout *layout,
						    bool movable);
struct virtgpu_resource *virtgpu_resource_create_3d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    struct virtgpu_cmd_create_3d *cmd,
						    struct dma_fence **fence);
struct virtgpu_resource *virtgpu_resource_create_host3d_blob(struct virtgpu_resource_mgr *mgr,
							     struct virtgpu_backing *backing,
							     struct virtgpu_cmd_create_blob *cmd,
							     struct virtgpu_msg *cmdbuf_msg);
bool virtgpu_resource_is_blob(const struct virtgpu_resource *res);
bool virtgpu_resource_is_rendered(const struct virtgpu_resource *res);
bool virtgpu_resource_is_active(const struct virtgpu_resource *res);
void virtgpu_resource_get(struct virtgpu_resource *res);
void virtgpu_resource_put(struct virtgpu_resource *res);
void virtgpu_resource_destroy(struct virtgpu_resource *res);
struct dma_fence *virtgpu_resource_detach_backing(struct virtgpu_resource *res);
void virtgpu_resource_track(struct virtgpu_resource *res, struct virtgpu_msg *msg);
void virtgpu_resource_track_transfer(struct virtgpu_resource *res, struct virtgpu_msg *msg,
				     bool writes);
void virtgpu_resource_set_evictable(struct virtgpu_resource *res, struct virtgpu_gem *gem);
bool virtgpu_resource_is_evictable(const struct virtgpu_resource *res);
bool virtgpu_resources_have_room(struct virtgpu_resource_mgr *mgr, u64 size);
void virtgpu_resources_make_room(struct virtgpu_resource_mgr *mgr, u64 size);
bool virtgpu_resource_mark_rejected(struct virtgpu_resource *res);

#endif
