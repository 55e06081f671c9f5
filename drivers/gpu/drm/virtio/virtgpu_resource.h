/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_RESOURCE_H
#define VIRTGPU_RESOURCE_H

#include <linux/idr.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_fence.h"

struct drm_device;
struct drm_printer;
struct virtgpu_backing;
struct virtgpu_cmd_create_3d;
struct virtgpu_cmd_create_blob;
struct virtgpu_msg;
struct virtgpu_vq;

/**
 * enum virtgpu_resource_type - what a resource is on the host
 * @VIRTGPU_RES_BLOB_GUEST: the guest's memory itself
 * @VIRTGPU_RES_2D: a copy that transfers keep up to date (a 2D resource)
 * @VIRTGPU_RES_3D: the same, that the host's renderer draws to (a 3D resource)
 * @VIRTGPU_RES_BLOB_HOST3D: memory of the host's
 */
enum virtgpu_resource_type {
	VIRTGPU_RES_BLOB_GUEST,
	VIRTGPU_RES_2D,
	VIRTGPU_RES_3D,
	VIRTGPU_RES_BLOB_HOST3D,
};

/**
 * struct virtgpu_resource_mgr - all resources of a device
 * @drm: for log messages
 * @queue: the control queue
 * @client: what the creation of resources has outstanding
 * @detaches: the timeline of DETACH_BACKING
 * @ids: the numbers in use; given back when UNREF was answered
 * @lock: protects @list and @rejected, taken in interrupts
 * @list: every resource that the host may know
 * @rejected: blobs that the host would not make or show
 * @attached: backings attached since the start
 * @detached: backings detached because the buffer moved
 * @on_rejected: called, in any context, when a blob is refused; may be NULL
 */
struct virtgpu_resource_mgr {
	struct drm_device *drm;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline detaches;
	struct ida ids;
	spinlock_t lock; /* @list and the counters */
	struct list_head list;
	u64 rejected;
	u64 attached;
	u64 detached;
	void (*on_rejected)(struct virtgpu_resource_mgr *mgr);
};

/**
 * struct virtgpu_2d_layout - what makes two surfaces of one buffer the same
 * @format: enum virtio_gpu_formats
 * @width: in pixels, the stride of the buffer included
 * @height: in pixels
 * @offset: bytes of the buffer before its first pixel
 */
struct virtgpu_2d_layout {
	u32 format;
	u32 width;
	u32 height;
	u32 offset;
};

/**
 * struct virtgpu_resource - something that the host knows by a number
 * @ref: its owner's and one for each message about it
 * @mgr: where it belongs
 * @link: in @mgr's list
 * @id: the number
 * @type: see enum virtgpu_resource_type
 * @layout: for a surface
 * @size: bytes
 * @entries: length of the list that the host was given
 * @error: latched: the host's first error about it, an errno
 * @rejected: the host would not make or show this blob
 * @stale: the host was reset and knows nothing of it any more
 * @backing: the memory, kept until the host is known to have let go
 * @detach: reserved at creation if the memory may move, with its fence
 * @unref: reserved at creation
 * @gem_link: in the owner's list of surfaces
 * @has_contents: the host's copy was filled at least once
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
	struct virtgpu_backing *backing;
	struct virtgpu_msg *detach;
	struct virtgpu_msg *unref;
	struct list_head gem_link;
	bool has_contents;
};

int virtgpu_resource_mgr_init(struct virtgpu_resource_mgr *mgr, struct drm_device *drm,
			      struct virtgpu_vq *queue);
void virtgpu_resource_mgr_fini(struct virtgpu_resource_mgr *mgr);
void virtgpu_resources_invalidate(struct virtgpu_resource_mgr *mgr);
int virtgpu_resources_throttle(struct virtgpu_resource_mgr *mgr);
void virtgpu_resources_print(struct virtgpu_resource_mgr *mgr, struct drm_printer *p);

struct virtgpu_resource *virtgpu_resource_create_blob(struct virtgpu_resource_mgr *mgr,
						      struct virtgpu_backing *backing,
						      u64 size, bool movable);
struct virtgpu_resource *virtgpu_resource_create_2d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    const struct virtgpu_2d_layout *key,
						    bool movable);
struct virtgpu_resource *virtgpu_resource_create_3d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    struct virtgpu_cmd_create_3d *cmd);
struct virtgpu_resource *virtgpu_resource_create_host3d_blob(struct virtgpu_resource_mgr *mgr,
							     struct virtgpu_backing *backing,
							     struct virtgpu_cmd_create_blob *cmd,
							     struct virtgpu_msg *before);
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
bool virtgpu_resource_mark_rejected(struct virtgpu_resource *res);

#endif
