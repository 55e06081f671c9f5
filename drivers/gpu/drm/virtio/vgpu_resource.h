/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_RESOURCE_H
#define VGPU_RESOURCE_H

#include <linux/idr.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_fence.h"

struct device;
struct drm_printer;
struct vgpu_backing;
struct virtgpu_cmd_create_3d;
struct virtgpu_cmd_create_blob;
struct virtgpu_msg;
struct virtgpu_vq;

/**
 * enum vgpu_resource_kind - what a resource is on the host
 * @VGPU_BLOB: the guest's memory itself
 * @VGPU_SURFACE: a copy that transfers keep up to date (a 2D resource)
 * @VGPU_TEXTURE: the same, that the host's renderer draws to (a 3D resource)
 * @VGPU_HOST_BLOB: memory of the host's
 */
enum vgpu_resource_kind {
	VGPU_BLOB,
	VGPU_SURFACE,
	VGPU_TEXTURE,
	VGPU_HOST_BLOB,
};

/**
 * struct vgpu_resources - all resources of a device
 * @dev: for log messages
 * @queue: the control queue
 * @client: what the creation of resources has outstanding
 * @detaches: the timeline of DETACH_BACKING
 * @ids: the numbers in use; given back when UNREF was answered
 * @lock: protects @list and @refused, taken in interrupts
 * @list: every resource that the host may know
 * @refused: blobs that the host would not make or show
 * @attached: backings attached since the start
 * @detached: backings detached because the buffer moved
 * @on_refused: called, in any context, when a blob is refused; may be NULL
 */
struct vgpu_resources {
	struct device *dev;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline detaches;
	struct ida ids;
	spinlock_t lock; /* @list and the counters */
	struct list_head list;
	u64 refused;
	u64 attached;
	u64 detached;
	void (*on_refused)(struct vgpu_resources *pool);
};

/**
 * struct vgpu_surface_key - what makes two surfaces of one buffer the same
 * @format: enum virtio_gpu_formats
 * @width: in pixels, the stride of the buffer included
 * @height: in pixels
 * @offset: bytes of the buffer before its first pixel
 */
struct vgpu_surface_key {
	u32 format;
	u32 width;
	u32 height;
	u32 offset;
};

/**
 * struct vgpu_resource - something that the host knows by a number
 * @ref: its owner's and one for each message about it
 * @pool: where it belongs
 * @link: in @pool's list
 * @id: the number
 * @kind: see enum vgpu_resource_kind
 * @key: for a surface
 * @size: bytes
 * @entries: length of the list that the host was given
 * @error: latched: the host's first error about it, an errno
 * @refused: the host would not make or show this blob
 * @lost: the host was reset and knows nothing of it any more
 * @backing: the memory, kept until the host is known to have let go
 * @detach: reserved at creation if the memory may move, with its fence
 * @unref: reserved at creation
 * @siblings: in the owner's list of surfaces
 * @transferred: the host's copy was filled at least once
 */
struct vgpu_resource {
	refcount_t ref;
	struct vgpu_resources *pool;
	struct list_head link;
	u32 id;
	enum vgpu_resource_kind kind;
	struct vgpu_surface_key key;
	u64 size;
	u32 entries;
	int error;
	bool refused;
	bool lost;
	struct vgpu_backing *backing;
	struct virtgpu_msg *detach;
	struct virtgpu_msg *unref;
	struct list_head siblings;
	bool transferred;
};

int vgpu_resources_init(struct vgpu_resources *pool, struct device *dev,
			struct virtgpu_vq *queue);
void vgpu_resources_fini(struct vgpu_resources *pool);
void vgpu_resources_lose(struct vgpu_resources *pool);
int vgpu_resources_throttle(struct vgpu_resources *pool);
void vgpu_resources_print(struct vgpu_resources *pool, struct drm_printer *p);

struct vgpu_resource *vgpu_resource_create_blob(struct vgpu_resources *pool,
						struct vgpu_backing *backing,
						u64 size, bool movable);
struct vgpu_resource *vgpu_resource_create_surface(struct vgpu_resources *pool,
						   struct vgpu_backing *backing,
						   const struct vgpu_surface_key *key,
						   bool movable);
struct vgpu_resource *vgpu_resource_create_texture(struct vgpu_resources *pool,
						   struct vgpu_backing *backing,
						   struct virtgpu_cmd_create_3d *cmd);
struct vgpu_resource *vgpu_resource_create_host_blob(struct vgpu_resources *pool,
						     struct vgpu_backing *backing,
						     struct virtgpu_cmd_create_blob *cmd,
						     struct virtgpu_msg *before);
bool vgpu_resource_is_blob(const struct vgpu_resource *res);
bool vgpu_resource_is_rendered(const struct vgpu_resource *res);
bool vgpu_resource_is_live(const struct vgpu_resource *res);
void vgpu_resource_get(struct vgpu_resource *res);
void vgpu_resource_put(struct vgpu_resource *res);
void vgpu_resource_retire(struct vgpu_resource *res);
struct dma_fence *vgpu_resource_detach(struct vgpu_resource *res);
void vgpu_resource_track(struct vgpu_resource *res, struct virtgpu_msg *msg);
void vgpu_resource_track_transfer(struct vgpu_resource *res, struct virtgpu_msg *msg,
				  bool writes);
bool vgpu_resource_refuse(struct vgpu_resource *res);

#endif
