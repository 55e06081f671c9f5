// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_backing.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"
#include "virtgpu_resource.h"
#include "virtgpu_trace.h"
#include "virtgpu_vq.h"

/**
 * DOC: resources
 *
 * A resource gets its memory when it is created, and keeps it until
 * RESOURCE_UNREF.  No caller waits for the response to RESOURCE_UNREF, but the
 * ID and the memory are not reused before it, nor before a reset if the host
 * rejects the command for a resource that it has.  If the memory can move,
 * DETACH_BACKING precedes RESOURCE_UNREF.  When a buffer moves, its resources
 * are destroyed: DETACH_BACKING has a fence, so that the exporter can wait
 * until the old memory is free, and the next use creates new resources.
 * Attaching the new memory to the old resource would save a command, but QEMU
 * shows only blobs that got their memory with RESOURCE_CREATE_BLOB.
 *
 * The host has limited memory for 2D resources (QEMU: max_hostmem).  When it
 * has run out of memory, &virtgpu_resource_mgr.limit_2d is what fits, and the
 * owners evict resources that are not shown before they create others.
 *
 * The messages that destroy a resource are allocated when it is created.
 *
 * A device reset, for example over a suspend, destroys all resources on the
 * host.  They are marked stale: no command is sent for them, and the next use
 * of the buffer creates a new resource.  Only its 3D context could create the
 * content of a 3D resource or host3d blob again, so these stay stale, and using
 * them fails with -EIO.
 */

/*
 * Pending resource creations of all clients together.  Hosts respond to them at
 * once, except while the display holds a frame.
 */
#define MAX_CREATIONS 128

/**
 * virtgpu_resource_mgr_init() - Initialise a resource manager
 * @mgr: the resource manager
 * @drm: DRM device, for log messages
 * @queue: the control queue
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory.
 */
int virtgpu_resource_mgr_init(struct virtgpu_resource_mgr *mgr, struct drm_device *drm,
			      struct virtgpu_vq *queue)
{
	mgr->drm = drm;
	mgr->queue = queue;
	virtgpu_timeline_init_ordered(&mgr->creations, "create");
	virtgpu_timeline_init_ordered(&mgr->detaches, "detach");
	virtgpu_ids_init(&mgr->ids);
	spin_lock_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->list);
	INIT_LIST_HEAD(&mgr->quarantined);
	mgr->limit_2d = U64_MAX;
	mgr->client = virtgpu_client_alloc(MAX_CREATIONS);

	return mgr->client ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mgr_init);

/**
 * virtgpu_resource_mgr_fini() - Release a resource manager
 * @mgr: the resource manager, without resources, its queue stopped
 */
void virtgpu_resource_mgr_fini(struct virtgpu_resource_mgr *mgr)
{
	virtgpu_client_put(mgr->client);
	mgr->client = NULL;
	if (WARN_ON(!list_empty(&mgr->list)))
		return;
	ida_destroy(&mgr->ids.ida);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mgr_fini);

/**
 * virtgpu_resources_throttle() - Wait until more resources may be created
 * @mgr: the resource manager
 *
 * Creations of all clients share one limit, because hosts respond to them at
 * once.
 *
 * Context: May sleep.  Caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int virtgpu_resources_throttle(struct virtgpu_resource_mgr *mgr)
{
	return virtgpu_vq_throttle(mgr->queue, mgr->client);
}

/* Returns true if the host has not responded to a RESOURCE_UNREF. */
static bool virtgpu_resources_destroying(struct virtgpu_resource_mgr *mgr)
{
	struct virtgpu_resource *res;
	bool destroying = false;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(res, &mgr->list, link) {
		destroying = !READ_ONCE(res->unref) && !res->quarantined;
		if (destroying)
			break;
	}
	spin_unlock_irqrestore(&mgr->lock, flags);

	return destroying;
}

/**
 * virtgpu_resources_wait_destroyed() - Wait for resources that are destroyed
 * @mgr: the resource manager
 *
 * Waits until the host has responded to each RESOURCE_UNREF, for a second at
 * most: the display may hold a frame for longer.
 *
 * Context: May sleep.  Caller must not hold a lock that a response needs.
 */
void virtgpu_resources_wait_destroyed(struct virtgpu_resource_mgr *mgr)
{
	struct virtgpu_vq *q = mgr->queue;

	virtgpu_vq_kick(q);
	wait_event_killable_timeout(q->wait, !virtgpu_resources_destroying(mgr) ||
				    READ_ONCE(q->stopped) || virtgpu_vq_is_wedged(q), HZ);
}

/**
 * virtgpu_resources_invalidate() - Mark all resources stale after a reset
 * @mgr: the resource manager
 *
 * Context: Any.
 */
void virtgpu_resources_invalidate(struct virtgpu_resource_mgr *mgr)
{
	struct virtgpu_resource *res, *next;
	LIST_HEAD(quarantined);
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(res, &mgr->list, link)
		WRITE_ONCE(res->stale, true);
	list_splice_init(&mgr->quarantined, &quarantined);
	mgr->limit_2d = U64_MAX;
	spin_unlock_irqrestore(&mgr->lock, flags);

	list_for_each_entry_safe(res, next, &quarantined, gem_link) {
		list_del_init(&res->gem_link);
		virtgpu_resource_put(res);
	}
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resources_invalidate);

static const char *virtgpu_resource_type_name(const struct virtgpu_resource *res)
{
	switch (res->type) {
	case VIRTGPU_RES_BLOB_GUEST:
		return "blob";
	case VIRTGPU_RES_2D:
		return "2d";
	case VIRTGPU_RES_3D:
		return "3d";
	default:
		return "host3d";
	}
}

/**
 * virtgpu_resources_print() - Print all resources for debugfs
 * @mgr: the resource manager
 * @p: printer, which must not sleep
 *
 * Context: Any.
 */
void virtgpu_resources_print(struct virtgpu_resource_mgr *mgr, struct drm_printer *p)
{
	struct virtgpu_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	drm_printf(p, "attached: %llu\n", mgr->attached);
	drm_printf(p, "detached: %llu\n", mgr->detached);
	drm_printf(p, "rejected: %llu\n", mgr->rejected);
	list_for_each_entry(res, &mgr->list, link) {
		drm_printf(p, "resource: id=%u type=%s size=%llu entries=%u", res->id,
			   virtgpu_resource_type_name(res), res->size, res->entries);
		if (res->type == VIRTGPU_RES_2D || res->type == VIRTGPU_RES_3D)
			drm_printf(p, " format=%u width=%u height=%u",
				   res->layout.format, res->layout.width, res->layout.height);
		drm_printf(p, " state=%s error=%d rejected=%u\n",
			   READ_ONCE(res->stale) ? "stale" : res->unref ? "active" : "destroying",
			   res->error, res->rejected);
	}
	spin_unlock_irqrestore(&mgr->lock, flags);
}

static void virtgpu_resource_put_backing(struct virtgpu_resource *res)
{
	struct virtgpu_backing *backing = xchg(&res->backing, NULL);

	if (backing)
		virtgpu_backing_put(backing);
}

static void virtgpu_resource_free(struct virtgpu_resource *res)
{
	virtgpu_msg_put(res->detach);
	virtgpu_msg_put(res->unref);
	virtgpu_resource_put_backing(res);
	if (res->id)
		virtgpu_ids_free(&res->mgr->ids, res->id);
	kfree(res);
}

static void virtgpu_resource_uncount(struct virtgpu_resource *res)
{
	lockdep_assert_held(&res->mgr->lock);

	if (res->counted)
		res->mgr->size_2d -= virtgpu_2d_layout_size(&res->layout);
	res->counted = false;
	WRITE_ONCE(res->gem, NULL);
}

/**
 * virtgpu_resource_get() - Take a reference
 * @res: the resource
 */
void virtgpu_resource_get(struct virtgpu_resource *res)
{
	refcount_inc(&res->ref);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_get);

/**
 * virtgpu_resource_put() - Drop a reference
 * @res: the resource or NULL
 *
 * The message of RESOURCE_UNREF holds a reference, so the resource ID is free
 * for reuse only when the host has responded.
 *
 * Context: Any.
 */
void virtgpu_resource_put(struct virtgpu_resource *res)
{
	unsigned long flags;

	if (!res || !refcount_dec_and_test(&res->ref))
		return;

	spin_lock_irqsave(&res->mgr->lock, flags);
	list_del(&res->link);
	virtgpu_resource_uncount(res);
	spin_unlock_irqrestore(&res->mgr->lock, flags);

	virtgpu_resource_free(res);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_put);

/**
 * virtgpu_resource_set_evictable() - Set the owner that may evict a resource
 * @res: a 2D resource
 * @gem: the owner, or NULL if @res must not be evicted any more
 *
 * Context: Any.  Caller must hold the reservation lock of the owner.
 */
void virtgpu_resource_set_evictable(struct virtgpu_resource *res, struct virtgpu_gem *gem)
{
	unsigned long flags;

	spin_lock_irqsave(&res->mgr->lock, flags);
	WRITE_ONCE(res->gem, gem);
	spin_unlock_irqrestore(&res->mgr->lock, flags);
}

/**
 * virtgpu_resource_is_evictable() - Check whether a 2D resource is not in use
 * @res: the resource
 *
 * Plane states, messages and files that use a resource have references.
 *
 * Context: Caller must hold &virtgpu_resource_mgr.lock, or the reservation lock
 * of the owner.
 * Return: true if only the owner has a reference, and it may destroy @res.
 */
bool virtgpu_resource_is_evictable(const struct virtgpu_resource *res)
{
	return READ_ONCE(res->gem) && refcount_read(&res->ref) == 1;
}

/**
 * virtgpu_resources_have_room() - Check for host memory for a 2D resource
 * @mgr: the resource manager
 * @size: of the resource, in bytes
 *
 * Context: Any.
 * Return: false if the host is likely to run out of memory.
 */
bool virtgpu_resources_have_room(struct virtgpu_resource_mgr *mgr, u64 size)
{
	unsigned long flags;
	bool room;

	spin_lock_irqsave(&mgr->lock, flags);
	room = size <= mgr->limit_2d && mgr->size_2d <= mgr->limit_2d - size;
	spin_unlock_irqrestore(&mgr->lock, flags);

	return room;
}

/**
 * virtgpu_resources_make_room() - Raise the limit for a 2D resource if needed
 * @mgr: the resource manager
 * @size: of the resource, in bytes
 *
 * For callers that have evicted all other resources: the host may have more
 * memory by now.  If not, its error lowers the limit again.
 *
 * Context: Any.
 */
void virtgpu_resources_make_room(struct virtgpu_resource_mgr *mgr, u64 size)
{
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	mgr->limit_2d = max(mgr->limit_2d, mgr->size_2d + size);
	spin_unlock_irqrestore(&mgr->lock, flags);
}

/**
 * virtgpu_resource_mark_rejected() - Mark a resource as rejected by the host
 * @res: a guest blob, or a 2D resource for which the host has no memory, or a
 *	backing that the host cannot access
 *
 * Context: Any.
 * Return: true on the first call for @res.
 */
bool virtgpu_resource_mark_rejected(struct virtgpu_resource *res)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&res->mgr->lock, flags);
	first = !res->rejected;
	res->rejected = true;
	if (first && res->type == VIRTGPU_RES_BLOB_GUEST)
		res->mgr->rejected++;
	spin_unlock_irqrestore(&res->mgr->lock, flags);

	if (first && res->mgr->on_rejected)
		res->mgr->on_rejected(res->mgr);

	return first;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mark_rejected);

/*
 * User space can provoke these errors, so they are warnings, of which DRM has
 * no rate-limited variant.
 */
static void virtgpu_resource_report_error(struct virtgpu_resource *res, struct virtgpu_msg *msg)
{
	dev_warn_ratelimited(res->mgr->drm->dev, "resource %u: command 0x%04x failed: %d\n",
			     res->id, virtgpu_msg_type(msg), msg->error);
}

/*
 * The host has no memory for the resource: what fits is all others.  If some of
 * them can be evicted, the owner tries again; otherwise it returns the error.
 */
static void virtgpu_resource_out_of_memory(struct virtgpu_resource *res)
{
	struct virtgpu_resource_mgr *mgr = res->mgr;
	struct virtgpu_resource *other;
	bool evictable = false;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	virtgpu_resource_uncount(res);
	mgr->limit_2d = min(mgr->limit_2d, mgr->size_2d);
	list_for_each_entry(other, &mgr->list, link)
		evictable |= virtgpu_resource_is_evictable(other);
	spin_unlock_irqrestore(&mgr->lock, flags);

	if (evictable)
		virtgpu_resource_mark_rejected(res);
}

/* The memory of another device, which the host may be unable to access. */
static bool virtgpu_resource_is_backing_rejected(const struct virtgpu_resource *res,
						 const struct virtgpu_msg *msg)
{
	return virtgpu_msg_type(msg) == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING && res->detach;
}

/*
 * The first error is sticky, and logged.  The error of a guest blob is not
 * logged, because the buffer falls back to 2D resources, nor that of imported
 * memory, which is moved or copied.
 */
static void virtgpu_resource_track_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;
	bool first;

	/* The device was reset or removed, for example by a suspend. */
	if (msg->error == -ENODEV)
		WRITE_ONCE(res->stale, true);

	/*
	 * -ENXIO: the device has no such scanout, which is no error of the
	 * resource.
	 */
	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO) {
		first = !cmpxchg(&res->error, 0, msg->error);
		if (res->type == VIRTGPU_RES_BLOB_GUEST)
			virtgpu_resource_mark_rejected(res);
		else if (first && virtgpu_resource_is_backing_rejected(res, msg))
			virtgpu_resource_mark_rejected(res);
		else if (first)
			virtgpu_resource_report_error(res, msg);
		if (first && res->type == VIRTGPU_RES_2D && msg->error == -ENOMEM)
			virtgpu_resource_out_of_memory(res);
	}

	virtgpu_resource_put(res);
}

/* The resource stays usable, so an error is only logged. */
static void virtgpu_resource_warn_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;

	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO)
		virtgpu_resource_report_error(res, msg);
	virtgpu_resource_put(res);
}

/*
 * The owner is gone, so an error is only logged.  Unless the host has no such
 * resource, it may still use the ID and the memory: keep the reference of the
 * message until virtgpu_resources_invalidate().
 */
static void virtgpu_resource_destroy_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;
	unsigned long flags;

	if (!msg->error || msg->error == -ENODEV || res->error) {
		virtgpu_resource_put(res);
		return;
	}

	virtgpu_resource_report_error(res, msg);
	if (msg->error == -ENOENT || virtgpu_msg_type(msg) != VIRTIO_GPU_CMD_RESOURCE_UNREF) {
		virtgpu_resource_put(res);
		return;
	}
	spin_lock_irqsave(&res->mgr->lock, flags);
	res->quarantined = true;
	list_add_tail(&res->gem_link, &res->mgr->quarantined);
	spin_unlock_irqrestore(&res->mgr->lock, flags);
}

static void virtgpu_resource_bind_msg(struct virtgpu_resource *res, struct virtgpu_msg *msg,
				      void (*complete)(struct virtgpu_msg *msg))
{
	virtgpu_resource_get(res);
	msg->priv = res;
	msg->complete = complete;
}

/**
 * virtgpu_resource_track() - Make a command's error sticky on its resource
 * @res: the resource; the message holds a reference until it completes
 * @msg: a message that is not queued yet
 *
 * Errors are not sticky for resources of 3D contexts: a rejected frame does not
 * prevent later rendering.
 *
 * Context: Any.
 */
void virtgpu_resource_track(struct virtgpu_resource *res, struct virtgpu_msg *msg)
{
	virtgpu_resource_bind_msg(res, msg, virtgpu_resource_is_rendered(res) ?
				  virtgpu_resource_warn_complete :
				  virtgpu_resource_track_complete);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_track);

static void virtgpu_resource_transfer_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;

	if (!msg->error)
		virtgpu_pages_sync_for_cpu(res->backing);
}

/**
 * virtgpu_resource_track_transfer() - Hold a resource during a transfer
 * @res: the resource; the message holds a reference until it completes
 * @msg: a message that is not queued yet
 * @writes: the host writes to guest memory
 *
 * An error is logged and reported by the message's fence; the resource stays
 * usable.
 *
 * Context: Any.
 */
void virtgpu_resource_track_transfer(struct virtgpu_resource *res, struct virtgpu_msg *msg,
				     bool writes)
{
	virtgpu_resource_bind_msg(res, msg, virtgpu_resource_warn_complete);
	if (writes && res->backing && res->backing->needs_sync)
		msg->pre_complete = virtgpu_resource_transfer_complete;
}

/*
 * If the host rejects DETACH_BACKING, the backing stays until RESOURCE_UNREF
 * completes.
 */
static void virtgpu_resource_detach_complete(struct virtgpu_msg *msg)
{
	if (!msg->error || msg->error == -ENODEV)
		virtgpu_resource_put_backing(msg->priv);
	virtgpu_resource_destroy_complete(msg);
}

static void virtgpu_resource_queue_create(struct virtgpu_resource *res, struct virtgpu_msg *msg)
{
	virtgpu_resource_bind_msg(res, msg, virtgpu_resource_track_complete);
	virtgpu_msg_set_client(msg, res->mgr->client);
	virtgpu_vq_queue_msg(res->mgr->queue, msg);
}

static int virtgpu_resource_prep_destroy(struct virtgpu_resource *res, bool movable)
{
	res->unref = virtgpu_msg_alloc();
	if (!res->unref)
		return -ENOMEM;
	virtgpu_cmd_unref(res->unref, res->id);
	if (!movable)
		return 0;

	res->detach = virtgpu_msg_alloc();
	if (!res->detach)
		return -ENOMEM;
	virtgpu_cmd_detach_backing(res->detach, res->id);
	res->detach->fence = virtgpu_fence_alloc(&res->mgr->detaches);
	if (!res->detach->fence)
		return -ENOMEM;

	return 0;
}

static struct virtgpu_resource *virtgpu_resource_alloc(struct virtgpu_resource_mgr *mgr,
						       struct virtgpu_backing *backing,
						       enum virtgpu_resource_type type,
						       bool movable)
{
	struct virtgpu_resource *res = kzalloc_obj(*res);
	int ret;

	if (!res)
		return ERR_PTR(-ENOMEM);

	refcount_set(&res->ref, 1);
	res->mgr = mgr;
	res->type = type;
	INIT_LIST_HEAD(&res->gem_link);

	ret = virtgpu_ids_alloc(&mgr->ids);
	if (ret < 0)
		goto free;
	res->id = ret;

	ret = virtgpu_resource_prep_destroy(res, movable);
	if (ret)
		goto free;
	if (backing)
		res->backing = virtgpu_backing_get(backing);

	return res;
free:
	virtgpu_resource_free(res);
	return ERR_PTR(ret);
}

/* @e: NULL if the resource has no guest memory. */
static void virtgpu_resource_add(struct virtgpu_resource *res, const struct virtgpu_mem_entries *e)
{
	unsigned long flags;

	if (e)
		res->entries = e->count;
	spin_lock_irqsave(&res->mgr->lock, flags);
	list_add_tail(&res->link, &res->mgr->list);
	if (res->type == VIRTGPU_RES_2D) {
		res->counted = true;
		res->mgr->size_2d += virtgpu_2d_layout_size(&res->layout);
	}
	if (e)
		res->mgr->attached++;
	spin_unlock_irqrestore(&res->mgr->lock, flags);
	if (e)
		trace_virtio_gpu_backing_attach(res->id, e->count, e->bytes);
}

/*
 * Return: entries that cover at least @size bytes, -EINVAL if @backing is too
 * small.
 */
static struct virtgpu_mem_entries *
virtgpu_resource_build_entries(struct virtgpu_resource_mgr *mgr,
			       struct virtgpu_backing *backing, u64 size)
{
	struct virtgpu_mem_entries *e;

	e = virtgpu_mem_entries_alloc(backing->sgt, backing->addr_type,
				      virtgpu_vq_max_segs(mgr->queue));
	if (!IS_ERR(e) && e->bytes < size) {
		virtgpu_mem_entries_free(e);
		return ERR_PTR(-EINVAL);
	}

	return e;
}

static struct virtgpu_resource *
virtgpu_resource_create_any_blob(struct virtgpu_resource_mgr *mgr,
				 struct virtgpu_backing *backing,
				 struct virtgpu_cmd_create_blob *cmd,
				 struct virtgpu_msg *cmdbuf_msg, bool movable)
{
	enum virtgpu_resource_type type = cmd->mem == VIRTIO_GPU_BLOB_MEM_GUEST ?
					  VIRTGPU_RES_BLOB_GUEST : VIRTGPU_RES_BLOB_HOST3D;
	struct virtgpu_mem_entries *e = NULL;
	struct virtgpu_resource *res;
	struct virtgpu_msg *msg;

	res = virtgpu_resource_alloc(mgr, backing, type, movable);
	if (IS_ERR(res))
		return res;
	res->size = cmd->size;

	msg = virtgpu_msg_alloc();
	if (!msg) {
		virtgpu_resource_free(res);
		return ERR_PTR(-ENOMEM);
	}
	if (backing)
		e = virtgpu_resource_build_entries(mgr, backing, cmd->size);
	if (IS_ERR(e)) {
		virtgpu_msg_put(msg);
		virtgpu_resource_free(res);
		return ERR_CAST(e);
	}

	cmd->resource = res->id;
	virtgpu_resource_add(res, e);
	if (cmdbuf_msg)
		virtgpu_vq_queue_msg(mgr->queue, cmdbuf_msg);
	virtgpu_cmd_create_blob(msg, cmd, e);
	virtgpu_resource_queue_create(res, msg);

	return res;
}

/**
 * virtgpu_resource_create_blob() - Create a guest blob
 * @mgr: the resource manager
 * @backing: the memory
 * @size: in bytes, a multiple of the device's blob alignment
 * @flags: VIRTIO_GPU_BLOB_FLAG_*
 * @movable: the memory can move: allow virtgpu_resource_detach_backing()
 *
 * Queues RESOURCE_CREATE_BLOB; the caller must kick.  The host's error is
 * sticky.
 *
 * Context: May sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL if @backing is
 * smaller than @size.
 */
struct virtgpu_resource *virtgpu_resource_create_blob(struct virtgpu_resource_mgr *mgr,
						      struct virtgpu_backing *backing,
						      u64 size, u32 flags, bool movable)
{
	struct virtgpu_cmd_create_blob cmd = {
		.mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.flags = flags,
		.size = size,
	};

	return virtgpu_resource_create_any_blob(mgr, backing, &cmd, NULL, movable);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_create_blob);

/**
 * virtgpu_resource_create_host3d_blob() - Create a blob in host memory
 * @mgr: the resource manager
 * @backing: the guest memory behind it, or NULL
 * @cmd: parameters; the resource ID is filled in
 * @cmdbuf_msg: message to queue before the creation, consumed on success, or
 *	NULL
 *
 * Queues RESOURCE_CREATE_BLOB; the caller must kick.  The host's error is
 * sticky.
 *
 * Context: May sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL if @backing is
 * too small.
 */
struct virtgpu_resource *virtgpu_resource_create_host3d_blob(struct virtgpu_resource_mgr *mgr,
							     struct virtgpu_backing *backing,
							     struct virtgpu_cmd_create_blob *cmd,
							     struct virtgpu_msg *cmdbuf_msg)
{
	return virtgpu_resource_create_any_blob(mgr, backing, cmd, cmdbuf_msg, false);
}

/* Allocates both messages; the caller must fill in @create. */
static int virtgpu_resource_prep_create(struct virtgpu_resource *res, struct virtgpu_msg **create,
					struct virtgpu_msg **attach)
{
	struct virtgpu_mem_entries *e;

	res->size = res->backing->size;
	*create = virtgpu_msg_alloc();
	*attach = virtgpu_msg_alloc();
	e = *create && *attach ? virtgpu_resource_build_entries(res->mgr, res->backing, 0) :
				 ERR_PTR(-ENOMEM);
	if (IS_ERR(e)) {
		virtgpu_msg_put(*attach);
		virtgpu_msg_put(*create);
		return PTR_ERR(e);
	}
	virtgpu_resource_add(res, e);
	virtgpu_cmd_attach_backing(*attach, res->id, e);

	return 0;
}

/**
 * virtgpu_resource_create_2d() - Create a 2D resource
 * @mgr: the resource manager
 * @backing: the memory to transfer from
 * @layout: format, width and height in pixels
 * @movable: the memory can move: allow virtgpu_resource_detach_backing()
 *
 * Queues RESOURCE_CREATE_2D and RESOURCE_ATTACH_BACKING; the caller must kick.
 * The host's error is sticky.
 *
 * Context: May sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL if @backing is
 * empty.
 */
struct virtgpu_resource *virtgpu_resource_create_2d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    const struct virtgpu_2d_layout *layout,
						    bool movable)
{
	struct virtgpu_cmd_create_2d cmd = {
		.format = layout->format,
		.width = layout->width,
		.height = layout->height,
	};
	struct virtgpu_msg *create, *attach;
	struct virtgpu_resource *res;
	int ret;

	res = virtgpu_resource_alloc(mgr, backing, VIRTGPU_RES_2D, movable);
	if (IS_ERR(res))
		return res;
	res->layout = *layout;

	ret = virtgpu_resource_prep_create(res, &create, &attach);
	if (ret) {
		virtgpu_resource_free(res);
		return ERR_PTR(ret);
	}
	cmd.resource = res->id;
	virtgpu_cmd_create_2d(create, &cmd);
	virtgpu_resource_queue_create(res, create);
	virtgpu_resource_queue_create(res, attach);

	return res;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_create_2d);

/**
 * virtgpu_resource_create_3d() - Create a 3D resource
 * @mgr: the resource manager
 * @backing: the guest memory to transfer from and to
 * @cmd: parameters; the resource ID is filled in
 * @fence: set to a reference to the fence of RESOURCE_ATTACH_BACKING
 *
 * Queues RESOURCE_CREATE_3D and RESOURCE_ATTACH_BACKING; the caller must kick.
 * The host's error is sticky.  The host may write to @backing until @fence has
 * signalled: virglrenderer copies the contents of a staging buffer to memory
 * that is attached to it.
 *
 * Context: May sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL if @backing is
 * empty.
 */
struct virtgpu_resource *virtgpu_resource_create_3d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    struct virtgpu_cmd_create_3d *cmd,
						    struct dma_fence **fence)
{
	struct virtgpu_fence *attached = virtgpu_fence_alloc(&mgr->creations);
	struct virtgpu_msg *create, *attach;
	struct virtgpu_resource *res;
	int ret;

	if (!attached)
		return ERR_PTR(-ENOMEM);

	res = virtgpu_resource_alloc(mgr, backing, VIRTGPU_RES_3D, false);
	if (IS_ERR(res)) {
		dma_fence_put(&attached->base);
		return res;
	}
	res->layout.format = cmd->format;
	res->layout.width = cmd->width;
	res->layout.height = cmd->height;

	ret = virtgpu_resource_prep_create(res, &create, &attach);
	if (ret) {
		dma_fence_put(&attached->base);
		virtgpu_resource_free(res);
		return ERR_PTR(ret);
	}
	cmd->resource = res->id;
	virtgpu_cmd_create_3d(create, cmd);
	attach->fence = attached;
	attach->prompt_fence = true;
	*fence = dma_fence_get(&attached->base);
	virtgpu_resource_queue_create(res, create);
	virtgpu_resource_queue_create(res, attach);

	return res;
}

/**
 * virtgpu_resource_is_blob() - Check whether a resource is a blob
 * @res: the resource
 *
 * Context: Any.
 * Return: true if SET_SCANOUT_BLOB shows it, false if SET_SCANOUT does.
 */
bool virtgpu_resource_is_blob(const struct virtgpu_resource *res)
{
	return res->type == VIRTGPU_RES_BLOB_GUEST || res->type == VIRTGPU_RES_BLOB_HOST3D;
}

/**
 * virtgpu_resource_is_rendered() - Check whether a 3D context created a
 * resource
 * @res: the resource
 *
 * Context: Any.
 * Return: false if the driver created it from a buffer, and can create it
 * again.
 */
bool virtgpu_resource_is_rendered(const struct virtgpu_resource *res)
{
	return res->type == VIRTGPU_RES_3D || res->type == VIRTGPU_RES_BLOB_HOST3D;
}

/**
 * virtgpu_resource_is_active() - Check whether commands may use a resource
 * @res: the resource
 *
 * Context: Caller must keep the owner from destroying @res.
 * Return: false if RESOURCE_UNREF was queued or the device was reset.
 */
bool virtgpu_resource_is_active(const struct virtgpu_resource *res)
{
	return res->unref && !READ_ONCE(res->stale);
}

/**
 * virtgpu_resource_destroy() - Destroy a resource
 * @res: the owner's reference, which is consumed
 *
 * Queues RESOURCE_UNREF unless the resource is stale; the caller must kick.
 *
 * Context: Any.
 */
void virtgpu_resource_destroy(struct virtgpu_resource *res)
{
	struct virtgpu_msg *unref = res->unref;
	unsigned long flags;

	spin_lock_irqsave(&res->mgr->lock, flags);
	virtgpu_resource_uncount(res);
	spin_unlock_irqrestore(&res->mgr->lock, flags);
	if (!READ_ONCE(res->stale)) {
		WRITE_ONCE(res->unref, NULL);
		virtgpu_resource_bind_msg(res, unref, virtgpu_resource_destroy_complete);
		virtgpu_vq_queue_msg(res->mgr->queue, unref);
	}
	virtgpu_resource_put(res);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_destroy);

/**
 * virtgpu_resource_detach_backing() - Destroy a resource before its memory
 * moves
 * @res: the owner's reference of a movable resource, which is consumed
 *
 * Queues RESOURCE_DETACH_BACKING and RESOURCE_UNREF; the caller must kick.
 *
 * Context: Process context.  Caller must hold the exporter's reservation lock.
 * Return: a reference to the fence of DETACH_BACKING, or to a signalled fence
 * if the resource is stale.
 */
struct dma_fence *virtgpu_resource_detach_backing(struct virtgpu_resource *res)
{
	struct virtgpu_msg *detach = res->detach;
	struct dma_fence *fence;
	unsigned long flags;

	if (READ_ONCE(res->stale)) {
		virtgpu_resource_put(res);
		return dma_fence_get_stub();
	}

	fence = dma_fence_get(&detach->fence->base);
	spin_lock_irqsave(&res->mgr->lock, flags);
	res->mgr->detached++;
	spin_unlock_irqrestore(&res->mgr->lock, flags);
	trace_virtio_gpu_backing_detach(res->id, res->entries, res->size);

	res->detach = NULL;
	virtgpu_resource_bind_msg(res, detach, virtgpu_resource_detach_complete);
	virtgpu_vq_queue_msg(res->mgr->queue, detach);
	virtgpu_resource_destroy(res);

	return fence;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_detach_backing);
