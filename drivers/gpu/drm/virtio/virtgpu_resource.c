// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_backing.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"
#include "virtgpu_resource.h"
#include "virtgpu_trace.h"

/**
 * DOC: resources
 *
 * A resource has its memory attached from its first command to its last: it is
 * made with all its fields filled, and ended by RESOURCE_UNREF, which needs no
 * answer to be waited for.  A buffer that moves loses its resources and gets new
 * ones for the new place: DETACH_BACKING (fenced, so that the exporter knows when
 * the old place is free) and UNREF now, and a new creation on the next use.  To
 * attach the old resource again would save a command, but QEMU shows only blobs
 * whose memory came with RESOURCE_CREATE_BLOB.
 *
 * All messages of a resource's end are reserved when it is made.
 *
 * A device that was reset, as over a suspend, knows no resources.  Those from
 * before are lost: their end is told to nobody, and who still has one makes another
 * on its next use.  What a 3D context has made for itself only it could make again; it
 * stays lost, and its use fails with -EIO.
 */

/*
 * Commands outstanding that create resources, of all programs.  Hosts respond to them
 * at once, but not while their display holds a frame.
 */
#define MAX_CREATIONS 128

/**
 * virtgpu_resource_mgr_init - start with no resources
 * @mgr: what to initialise
 * @drm: for log messages
 * @queue: the control queue
 *
 * Return: 0 or -ENOMEM.
 */
int virtgpu_resource_mgr_init(struct virtgpu_resource_mgr *mgr, struct drm_device *drm,
			      struct virtgpu_vq *queue)
{
	mgr->drm = drm;
	mgr->queue = queue;
	virtgpu_timeline_init(&mgr->detaches, "detach");
	ida_init(&mgr->ids);
	spin_lock_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->list);
	mgr->client = virtgpu_client_alloc(MAX_CREATIONS);

	return mgr->client ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mgr_init);

/**
 * virtgpu_resource_mgr_fini - check that none is left
 * @mgr: a mgr whose queue was stopped
 */
void virtgpu_resource_mgr_fini(struct virtgpu_resource_mgr *mgr)
{
	virtgpu_client_put(mgr->client);
	mgr->client = NULL;
	if (WARN_ON(!list_empty(&mgr->list)))
		return;
	ida_destroy(&mgr->ids);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mgr_fini);

/**
 * virtgpu_resources_throttle - wait until more resources may be created
 * @mgr: the mgr
 *
 * Creations of all programs share one bound, as hosts respond to them at once.
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int virtgpu_resources_throttle(struct virtgpu_resource_mgr *mgr)
{
	return virtgpu_vq_throttle(mgr->queue, mgr->client);
}

/**
 * virtgpu_resources_invalidate - mark all resources as lost after a reset
 * @mgr: a mgr whose device was reset
 *
 * Context: any.
 */
void virtgpu_resources_invalidate(struct virtgpu_resource_mgr *mgr)
{
	struct virtgpu_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(res, &mgr->list, link)
		WRITE_ONCE(res->stale, true);
	spin_unlock_irqrestore(&mgr->lock, flags);
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
 * virtgpu_resources_print - list them for debugfs
 * @mgr: the mgr
 * @p: where to print
 *
 * Context: may not sleep in @p.
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
		ida_free(&res->mgr->ids, res->id);
	kfree(res);
}

/**
 * virtgpu_resource_get - take a reference
 * @res: the resource
 */
void virtgpu_resource_get(struct virtgpu_resource *res)
{
	refcount_inc(&res->ref);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_get);

/**
 * virtgpu_resource_put - drop a reference
 * @res: the resource or NULL
 *
 * With the last one the number is free again: the host has answered to UNREF.
 *
 * Context: any.
 */
void virtgpu_resource_put(struct virtgpu_resource *res)
{
	unsigned long flags;

	if (!res || !refcount_dec_and_test(&res->ref))
		return;

	spin_lock_irqsave(&res->mgr->lock, flags);
	list_del(&res->link);
	spin_unlock_irqrestore(&res->mgr->lock, flags);

	virtgpu_resource_free(res);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_put);

/**
 * virtgpu_resource_mark_rejected - note that the host will not have this blob
 * @res: the blob
 *
 * Context: any.
 * Return: true if this is the news, false if it was known.
 */
bool virtgpu_resource_mark_rejected(struct virtgpu_resource *res)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&res->mgr->lock, flags);
	first = !res->rejected;
	res->rejected = true;
	if (first)
		res->mgr->rejected++;
	spin_unlock_irqrestore(&res->mgr->lock, flags);

	if (first && res->mgr->on_rejected)
		res->mgr->on_rejected(res->mgr);

	return first;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_mark_rejected);

static void virtgpu_resource_report_error(struct virtgpu_resource *res, struct virtgpu_msg *msg)
{
	drm_err_ratelimited(res->mgr->drm, "resource %u: command 0x%04x failed: %d\n",
			    res->id, virtgpu_msg_type(msg), msg->error);
}

/*
 * A message about a resource has ended.  Errors are latched, and told once for
 * each resource; a blob's are no error yet, as there is another way to show it.
 */
static void virtgpu_resource_track_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;
	bool first;

	/* A device that is gone, perhaps asleep, does not know it when it is back. */
	if (msg->error == -ENODEV)
		WRITE_ONCE(res->stale, true);

	/* That the device is gone, or has no such output, is no error of the resource. */
	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO) {
		first = !cmpxchg(&res->error, 0, msg->error);
		if (res->type == VIRTGPU_RES_BLOB_GUEST)
			virtgpu_resource_mark_rejected(res);
		else if (first)
			virtgpu_resource_report_error(res, msg);
	}

	virtgpu_resource_put(res);
}

/* The resource is as good as before. */
static void virtgpu_resource_warn_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;

	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO)
		virtgpu_resource_report_error(res, msg);
	virtgpu_resource_put(res);
}

/* The end of a resource: an error is no news to its owner, who is gone. */
static void virtgpu_resource_destroy_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;

	if (msg->error && msg->error != -ENODEV && !res->error)
		virtgpu_resource_report_error(res, msg);
	virtgpu_resource_put(res);
}

static void virtgpu_resource_bind_msg(struct virtgpu_resource *res, struct virtgpu_msg *msg,
				      void (*done)(struct virtgpu_msg *msg))
{
	virtgpu_resource_get(res);
	msg->priv = res;
	msg->complete = done;
}

/**
 * virtgpu_resource_track - have a command's error latched on its resource
 * @res: the resource; the message holds a reference until it ends
 * @msg: a message that is not published yet
 *
 * Not so on a resource of a 3D context: that a frame was refused is no reason to
 * refuse what is drawn next.
 */
void virtgpu_resource_track(struct virtgpu_resource *res, struct virtgpu_msg *msg)
{
	virtgpu_resource_bind_msg(res, msg,
				  virtgpu_resource_is_rendered(res) ? virtgpu_resource_warn_complete : virtgpu_resource_track_complete);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_track);

static void virtgpu_resource_transfer_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_resource *res = msg->priv;

	if (!msg->error)
		virtgpu_pages_sync_for_cpu(res->backing);
}

/**
 * virtgpu_resource_track_transfer - let a transfer hold its resource
 * @res: the resource; the message holds a reference until it ends
 * @msg: a message that is not published yet
 * @writes: the host writes to the guest's memory
 *
 * An error is that of the message's fence: the resource is as good as before.
 */
void virtgpu_resource_track_transfer(struct virtgpu_resource *res, struct virtgpu_msg *msg,
				     bool writes)
{
	virtgpu_resource_bind_msg(res, msg, virtgpu_resource_warn_complete);
	if (writes && res->backing)
		msg->pre_complete = virtgpu_resource_transfer_complete;
}

/*
 * The host has let go of the memory, whoever still knows the resource.  If it does not
 * say so, that is known with the end of the resource.
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
						       enum virtgpu_resource_type kind,
						       bool movable)
{
	struct virtgpu_resource *res = kzalloc_obj(*res);
	int ret;

	if (!res)
		return ERR_PTR(-ENOMEM);

	refcount_set(&res->ref, 1);
	res->mgr = mgr;
	res->type = kind;
	INIT_LIST_HEAD(&res->gem_link);

	ret = ida_alloc_min(&mgr->ids, 1, GFP_KERNEL);
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

/* @e: NULL for what has no memory of the guest's. */
static void virtgpu_resource_add(struct virtgpu_resource *res, const struct virtgpu_mem_entries *e)
{
	unsigned long flags;

	if (e)
		res->entries = e->count;
	spin_lock_irqsave(&res->mgr->lock, flags);
	list_add_tail(&res->link, &res->mgr->list);
	if (e)
		res->mgr->attached++;
	spin_unlock_irqrestore(&res->mgr->lock, flags);
	if (e)
		trace_virtio_gpu_backing_attach(res->id, e->count, e->bytes);
}

/* The list for the host; it may not name less memory than the resource has. */
static struct virtgpu_mem_entries *virtgpu_resource_build_entries(struct virtgpu_resource_mgr *mgr,
								  struct virtgpu_backing *backing,
									  u64 size)
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

/* @backing: NULL for what has no memory of the guest's; @before: see the callers. */
static struct virtgpu_resource *virtgpu_resource_create_any_blob(struct virtgpu_resource_mgr *mgr,
								 struct virtgpu_backing *backing,
								 struct virtgpu_cmd_create_blob *cmd,
								 struct virtgpu_msg *before,
									 bool movable)
{
	enum virtgpu_resource_type kind = cmd->mem == VIRTIO_GPU_BLOB_MEM_GUEST ?
				       VIRTGPU_RES_BLOB_GUEST : VIRTGPU_RES_BLOB_HOST3D;
	struct virtgpu_mem_entries *e = NULL;
	struct virtgpu_resource *res;
	struct virtgpu_msg *msg;

	res = virtgpu_resource_alloc(mgr, backing, kind, movable);
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
	if (before)
		virtgpu_vq_queue_msg(mgr->queue, before);
	virtgpu_cmd_create_blob(msg, cmd, e);
	virtgpu_resource_queue_create(res, msg);

	return res;
}

/**
 * virtgpu_resource_create_blob - make a resource out of the guest's memory
 * @mgr: where
 * @backing: the memory
 * @size: bytes of it, a multiple of the device's blob alignment
 * @movable: the memory may have to be detached
 *
 * The command is published, not kicked; what the host says to it is latched.
 *
 * Context: may sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL when @backing is
 * smaller than @size.
 */
struct virtgpu_resource *virtgpu_resource_create_blob(struct virtgpu_resource_mgr *mgr,
						      struct virtgpu_backing *backing,
						      u64 size, bool movable)
{
	struct virtgpu_cmd_create_blob cmd = {
		.mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
		.size = size,
	};

	return virtgpu_resource_create_any_blob(mgr, backing, &cmd, NULL, movable);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_create_blob);

/**
 * virtgpu_resource_create_host3d_blob - make a resource out of the host's memory
 * @mgr: where
 * @backing: the guest's part of it, or NULL
 * @cmd: what it is to be; its number is filled in
 * @before: a filled message to be published before; on success the queue's; or NULL
 *
 * The command is published, not kicked; what the host says to it is latched.
 *
 * Context: may sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL when @backing is too
 * small.
 */
struct virtgpu_resource *virtgpu_resource_create_host3d_blob(struct virtgpu_resource_mgr *mgr,
							     struct virtgpu_backing *backing,
							     struct virtgpu_cmd_create_blob *cmd,
							     struct virtgpu_msg *before)
{
	return virtgpu_resource_create_any_blob(mgr, backing, cmd, before, false);
}

/* The commands that make what the host keeps a copy of: @create is to be filled, @attach is. */
static int virtgpu_resource_prep_create(struct virtgpu_resource *res, struct virtgpu_msg **create,
					struct virtgpu_msg **attach)
{
	struct virtgpu_mem_entries *e;

	res->size = res->backing->size;
	*create = virtgpu_msg_alloc();
	*attach = virtgpu_msg_alloc();
	e = *create && *attach ? virtgpu_resource_build_entries(res->mgr, res->backing,
								0) : ERR_PTR(-ENOMEM);
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
 * virtgpu_resource_create_2d - make a resource that the host keeps a copy of
 * @mgr: where
 * @backing: the memory to copy from
 * @key: format and size
 * @movable: the memory may have to be detached
 *
 * The commands are published, not kicked; what the host says is latched.
 *
 * Context: may sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL when @backing is
 * empty.
 */
struct virtgpu_resource *virtgpu_resource_create_2d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    const struct virtgpu_2d_layout *key,
						    bool movable)
{
	struct virtgpu_cmd_create_2d cmd = {
		.format = key->format,
		.width = key->width,
		.height = key->height,
	};
	struct virtgpu_msg *create, *attach;
	struct virtgpu_resource *res;
	int ret;

	res = virtgpu_resource_alloc(mgr, backing, VIRTGPU_RES_2D, movable);
	if (IS_ERR(res))
		return res;
	res->layout = *key;

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
 * virtgpu_resource_create_3d - make a resource of the host's renderer
 * @mgr: where
 * @backing: the guest's memory, which transfers copy from and to
 * @cmd: what it is to be; its number is filled in
 *
 * The commands are published, not kicked; what the host says is latched.
 *
 * Context: may sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL when @backing is
 * empty.
 */
struct virtgpu_resource *virtgpu_resource_create_3d(struct virtgpu_resource_mgr *mgr,
						    struct virtgpu_backing *backing,
						    struct virtgpu_cmd_create_3d *cmd)
{
	struct virtgpu_msg *create, *attach;
	struct virtgpu_resource *res;
	int ret;

	res = virtgpu_resource_alloc(mgr, backing, VIRTGPU_RES_3D, false);
	if (IS_ERR(res))
		return res;
	res->layout.format = cmd->format;
	res->layout.width = cmd->width;
	res->layout.height = cmd->height;

	ret = virtgpu_resource_prep_create(res, &create, &attach);
	if (ret) {
		virtgpu_resource_free(res);
		return ERR_PTR(ret);
	}
	cmd->resource = res->id;
	virtgpu_cmd_create_3d(create, cmd);
	virtgpu_resource_queue_create(res, create);
	virtgpu_resource_queue_create(res, attach);

	return res;
}

/**
 * virtgpu_resource_is_blob - is it shown by SET_SCANOUT_BLOB?
 * @res: the resource
 *
 * Return: false if SET_SCANOUT shows it.
 */
bool virtgpu_resource_is_blob(const struct virtgpu_resource *res)
{
	return res->type == VIRTGPU_RES_BLOB_GUEST || res->type == VIRTGPU_RES_BLOB_HOST3D;
}

/**
 * virtgpu_resource_is_rendered - has a 3D context made it?
 * @res: the resource
 *
 * Return: false if it is made, and made again, from a buffer of the guest.
 */
bool virtgpu_resource_is_rendered(const struct virtgpu_resource *res)
{
	return res->type == VIRTGPU_RES_3D || res->type == VIRTGPU_RES_BLOB_HOST3D;
}

/**
 * virtgpu_resource_is_active - may contexts be told about it?
 * @res: the resource
 *
 * Context: its owner is kept from ending it.
 * Return: false once its end was published, or the host has forgotten it.
 */
bool virtgpu_resource_is_active(const struct virtgpu_resource *res)
{
	return res->unref && !READ_ONCE(res->stale);
}

/**
 * virtgpu_resource_destroy - end a resource
 * @res: the owner's reference
 *
 * Published, not kicked.
 *
 * Context: any.
 */
void virtgpu_resource_destroy(struct virtgpu_resource *res)
{
	struct virtgpu_msg *unref = res->unref;

	if (!READ_ONCE(res->stale)) {
		res->unref = NULL;
		virtgpu_resource_bind_msg(res, unref, virtgpu_resource_destroy_complete);
		virtgpu_vq_queue_msg(res->mgr->queue, unref);
	}
	virtgpu_resource_put(res);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_resource_destroy);

/**
 * virtgpu_resource_detach_backing - end a resource whose memory is about to move
 * @res: the owner's reference of a movable resource
 *
 * Published, not kicked.
 *
 * Context: any, and under the exporter's reservation lock.
 * Return: a reference to the fence of DETACH_BACKING; of a lost resource, to one
 * that has signalled.
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
