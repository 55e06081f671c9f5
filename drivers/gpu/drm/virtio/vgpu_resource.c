// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_cmd_3d.h"
#include "virtgpu_mem_entries.h"
#include "vgpu_memory.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"
#include "vgpu_resource.h"
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
 * vgpu_resources_init - start with no resources
 * @pool: what to initialise
 * @dev: for log messages
 * @queue: the control queue
 *
 * Return: 0 or -ENOMEM.
 */
int vgpu_resources_init(struct vgpu_resources *pool, struct device *dev,
			struct virtgpu_vq *queue)
{
	pool->dev = dev;
	pool->queue = queue;
	virtgpu_timeline_init(&pool->detaches, "detach");
	ida_init(&pool->ids);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->list);
	pool->client = virtgpu_client_alloc(MAX_CREATIONS);

	return pool->client ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resources_init);

/**
 * vgpu_resources_fini - check that none is left
 * @pool: a pool whose queue was stopped
 */
void vgpu_resources_fini(struct vgpu_resources *pool)
{
	virtgpu_client_put(pool->client);
	pool->client = NULL;
	if (WARN_ON(!list_empty(&pool->list)))
		return;
	ida_destroy(&pool->ids);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resources_fini);

/**
 * vgpu_resources_throttle - wait until more resources may be created
 * @pool: the pool
 *
 * Creations of all programs share one bound, as hosts respond to them at once.
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int vgpu_resources_throttle(struct vgpu_resources *pool)
{
	return virtgpu_vq_throttle(pool->queue, pool->client);
}

/**
 * vgpu_resources_lose - mark all resources as lost after a reset
 * @pool: a pool whose device was reset
 *
 * Context: any.
 */
void vgpu_resources_lose(struct vgpu_resources *pool)
{
	struct vgpu_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_for_each_entry(res, &pool->list, link)
		WRITE_ONCE(res->lost, true);
	spin_unlock_irqrestore(&pool->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resources_lose);

static const char *kind_name(const struct vgpu_resource *res)
{
	switch (res->kind) {
	case VGPU_BLOB:
		return "blob";
	case VGPU_SURFACE:
		return "surface";
	case VGPU_TEXTURE:
		return "texture";
	default:
		return "host";
	}
}

/**
 * vgpu_resources_print - list them for debugfs
 * @pool: the pool
 * @p: where to print
 *
 * Context: may not sleep in @p.
 */
void vgpu_resources_print(struct vgpu_resources *pool, struct drm_printer *p)
{
	struct vgpu_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	drm_printf(p, "attached: %llu\n", pool->attached);
	drm_printf(p, "detached: %llu\n", pool->detached);
	drm_printf(p, "refused: %llu\n", pool->refused);
	list_for_each_entry(res, &pool->list, link) {
		drm_printf(p, "resource: id=%u kind=%s size=%llu entries=%u", res->id,
			   kind_name(res), res->size, res->entries);
		if (res->kind == VGPU_SURFACE || res->kind == VGPU_TEXTURE)
			drm_printf(p, " format=%u width=%u height=%u",
				   res->key.format, res->key.width, res->key.height);
		drm_printf(p, " state=%s error=%d refused=%u\n",
			   READ_ONCE(res->lost) ? "lost" : res->unref ? "live" : "dying",
			   res->error, res->refused);
	}
	spin_unlock_irqrestore(&pool->lock, flags);
}

static void put_backing(struct vgpu_resource *res)
{
	struct vgpu_backing *backing = xchg(&res->backing, NULL);

	if (backing)
		vgpu_backing_put(backing);
}

static void resource_free(struct vgpu_resource *res)
{
	virtgpu_msg_put(res->detach);
	virtgpu_msg_put(res->unref);
	put_backing(res);
	if (res->id)
		ida_free(&res->pool->ids, res->id);
	kfree(res);
}

/**
 * vgpu_resource_get - take a reference
 * @res: the resource
 */
void vgpu_resource_get(struct vgpu_resource *res)
{
	refcount_inc(&res->ref);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_get);

/**
 * vgpu_resource_put - drop a reference
 * @res: the resource or NULL
 *
 * With the last one the number is free again: the host has answered to UNREF.
 *
 * Context: any.
 */
void vgpu_resource_put(struct vgpu_resource *res)
{
	unsigned long flags;

	if (!res || !refcount_dec_and_test(&res->ref))
		return;

	spin_lock_irqsave(&res->pool->lock, flags);
	list_del(&res->link);
	spin_unlock_irqrestore(&res->pool->lock, flags);

	resource_free(res);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_put);

/**
 * vgpu_resource_refuse - note that the host will not have this blob
 * @res: the blob
 *
 * Context: any.
 * Return: true if this is the news, false if it was known.
 */
bool vgpu_resource_refuse(struct vgpu_resource *res)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&res->pool->lock, flags);
	first = !res->refused;
	res->refused = true;
	if (first)
		res->pool->refused++;
	spin_unlock_irqrestore(&res->pool->lock, flags);

	if (first && res->pool->on_refused)
		res->pool->on_refused(res->pool);

	return first;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_refuse);

static void complain(struct vgpu_resource *res, struct virtgpu_msg *msg)
{
	dev_err_ratelimited(res->pool->dev, "resource %u: command 0x%04x failed: %d\n",
			    res->id, virtgpu_msg_type(msg), msg->error);
}

/*
 * A message about a resource has ended.  Errors are latched, and told once for
 * each resource; a blob's are no error yet, as there is another way to show it.
 */
static void tracked_done(struct virtgpu_msg *msg)
{
	struct vgpu_resource *res = msg->priv;
	bool first;

	/* A device that is gone, perhaps asleep, does not know it when it is back. */
	if (msg->error == -ENODEV)
		WRITE_ONCE(res->lost, true);

	/* That the device is gone, or has no such output, is no error of the resource. */
	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO) {
		first = !cmpxchg(&res->error, 0, msg->error);
		if (res->kind == VGPU_BLOB)
			vgpu_resource_refuse(res);
		else if (first)
			complain(res, msg);
	}

	vgpu_resource_put(res);
}

/* The resource is as good as before. */
static void noted_done(struct virtgpu_msg *msg)
{
	struct vgpu_resource *res = msg->priv;

	if (msg->error && msg->error != -ENODEV && msg->error != -ENXIO)
		complain(res, msg);
	vgpu_resource_put(res);
}

/* The end of a resource: an error is no news to its owner, who is gone. */
static void ended_done(struct virtgpu_msg *msg)
{
	struct vgpu_resource *res = msg->priv;

	if (msg->error && msg->error != -ENODEV && !res->error)
		complain(res, msg);
	vgpu_resource_put(res);
}

static void hold(struct vgpu_resource *res, struct virtgpu_msg *msg,
		 void (*done)(struct virtgpu_msg *msg))
{
	vgpu_resource_get(res);
	msg->priv = res;
	msg->complete = done;
}

/**
 * vgpu_resource_track - have a command's error latched on its resource
 * @res: the resource; the message holds a reference until it ends
 * @msg: a message that is not published yet
 *
 * Not so on a resource of a 3D context: that a frame was refused is no reason to
 * refuse what is drawn next.
 */
void vgpu_resource_track(struct vgpu_resource *res, struct virtgpu_msg *msg)
{
	hold(res, msg, vgpu_resource_is_rendered(res) ? noted_done : tracked_done);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_track);

static void transfer_written(struct virtgpu_msg *msg)
{
	struct vgpu_resource *res = msg->priv;

	if (!msg->error)
		vgpu_pages_sync_for_cpu(res->backing);
}

/**
 * vgpu_resource_track_transfer - let a transfer hold its resource
 * @res: the resource; the message holds a reference until it ends
 * @msg: a message that is not published yet
 * @writes: the host writes to the guest's memory
 *
 * An error is that of the message's fence: the resource is as good as before.
 */
void vgpu_resource_track_transfer(struct vgpu_resource *res, struct virtgpu_msg *msg,
				  bool writes)
{
	hold(res, msg, noted_done);
	if (writes && res->backing)
		msg->pre_complete = transfer_written;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_track_transfer);

/*
 * The host has let go of the memory, whoever still knows the resource.  If it does not
 * say so, that is known with the end of the resource.
 */
static void detached_done(struct virtgpu_msg *msg)
{
	if (!msg->error || msg->error == -ENODEV)
		put_backing(msg->priv);
	ended_done(msg);
}

static void publish_making(struct vgpu_resource *res, struct virtgpu_msg *msg)
{
	hold(res, msg, tracked_done);
	virtgpu_msg_set_client(msg, res->pool->client);
	virtgpu_vq_queue_msg(res->pool->queue, msg);
}

static int reserve_end(struct vgpu_resource *res, bool movable)
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
	res->detach->fence = virtgpu_fence_alloc(&res->pool->detaches);
	if (!res->detach->fence)
		return -ENOMEM;
	virtgpu_fence_pin_module(res->detach->fence);

	return 0;
}

static struct vgpu_resource *resource_alloc(struct vgpu_resources *pool,
					    struct vgpu_backing *backing,
					    enum vgpu_resource_kind kind,
					    bool movable)
{
	struct vgpu_resource *res = kzalloc_obj(*res);
	int ret;

	if (!res)
		return ERR_PTR(-ENOMEM);

	refcount_set(&res->ref, 1);
	res->pool = pool;
	res->kind = kind;
	INIT_LIST_HEAD(&res->siblings);

	ret = ida_alloc_min(&pool->ids, 1, GFP_KERNEL);
	if (ret < 0)
		goto free;
	res->id = ret;

	ret = reserve_end(res, movable);
	if (ret)
		goto free;
	if (backing)
		res->backing = vgpu_backing_get(backing);

	return res;
free:
	resource_free(res);
	return ERR_PTR(ret);
}

/* @e: NULL for what has no memory of the guest's. */
static void resource_list(struct vgpu_resource *res, const struct virtgpu_mem_entries *e)
{
	unsigned long flags;

	if (e)
		res->entries = e->count;
	spin_lock_irqsave(&res->pool->lock, flags);
	list_add_tail(&res->link, &res->pool->list);
	if (e)
		res->pool->attached++;
	spin_unlock_irqrestore(&res->pool->lock, flags);
	if (e)
		trace_virtio_gpu_backing_attach(res->id, e->count, e->bytes);
}

/* The list for the host; it may not name less memory than the resource has. */
static struct virtgpu_mem_entries *list_backing(struct vgpu_resources *pool,
						struct vgpu_backing *backing, u64 size)
{
	struct virtgpu_mem_entries *e;

	e = virtgpu_mem_entries_alloc(backing->sgt, backing->which,
				      virtgpu_vq_max_segs(pool->queue));
	if (!IS_ERR(e) && e->bytes < size) {
		virtgpu_mem_entries_free(e);
		return ERR_PTR(-EINVAL);
	}

	return e;
}

/* @backing: NULL for what has no memory of the guest's; @before: see the callers. */
static struct vgpu_resource *create_blob(struct vgpu_resources *pool,
					 struct vgpu_backing *backing,
					 struct virtgpu_cmd_create_blob *cmd,
					 struct virtgpu_msg *before, bool movable)
{
	enum vgpu_resource_kind kind = cmd->mem == VIRTIO_GPU_BLOB_MEM_GUEST ?
				       VGPU_BLOB : VGPU_HOST_BLOB;
	struct virtgpu_mem_entries *e = NULL;
	struct vgpu_resource *res;
	struct virtgpu_msg *msg;

	res = resource_alloc(pool, backing, kind, movable);
	if (IS_ERR(res))
		return res;
	res->size = cmd->size;

	msg = virtgpu_msg_alloc();
	if (!msg) {
		resource_free(res);
		return ERR_PTR(-ENOMEM);
	}
	if (backing)
		e = list_backing(pool, backing, cmd->size);
	if (IS_ERR(e)) {
		virtgpu_msg_put(msg);
		resource_free(res);
		return ERR_CAST(e);
	}

	cmd->resource = res->id;
	resource_list(res, e);
	if (before)
		virtgpu_vq_queue_msg(pool->queue, before);
	virtgpu_cmd_create_blob(msg, cmd, e);
	publish_making(res, msg);

	return res;
}

/**
 * vgpu_resource_create_blob - make a resource out of the guest's memory
 * @pool: where
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
struct vgpu_resource *vgpu_resource_create_blob(struct vgpu_resources *pool,
						struct vgpu_backing *backing,
						u64 size, bool movable)
{
	struct virtgpu_cmd_create_blob cmd = {
		.mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
		.size = size,
	};

	return create_blob(pool, backing, &cmd, NULL, movable);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_create_blob);

/**
 * vgpu_resource_create_host_blob - make a resource out of the host's memory
 * @pool: where
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
struct vgpu_resource *vgpu_resource_create_host_blob(struct vgpu_resources *pool,
						     struct vgpu_backing *backing,
						     struct virtgpu_cmd_create_blob *cmd,
						     struct virtgpu_msg *before)
{
	return create_blob(pool, backing, cmd, before, false);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_create_host_blob);

/* The commands that make what the host keeps a copy of: @create is to be filled, @attach is. */
static int reserve_copy(struct vgpu_resource *res, struct virtgpu_msg **create,
			struct virtgpu_msg **attach)
{
	struct virtgpu_mem_entries *e;

	res->size = res->backing->size;
	*create = virtgpu_msg_alloc();
	*attach = virtgpu_msg_alloc();
	e = *create && *attach ? list_backing(res->pool, res->backing, 0) : ERR_PTR(-ENOMEM);
	if (IS_ERR(e)) {
		virtgpu_msg_put(*attach);
		virtgpu_msg_put(*create);
		return PTR_ERR(e);
	}
	resource_list(res, e);
	virtgpu_cmd_attach_backing(*attach, res->id, e);

	return 0;
}

/**
 * vgpu_resource_create_surface - make a resource that the host keeps a copy of
 * @pool: where
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
struct vgpu_resource *vgpu_resource_create_surface(struct vgpu_resources *pool,
						   struct vgpu_backing *backing,
						   const struct vgpu_surface_key *key,
						   bool movable)
{
	struct virtgpu_cmd_create_2d cmd = {
		.format = key->format,
		.width = key->width,
		.height = key->height,
	};
	struct virtgpu_msg *create, *attach;
	struct vgpu_resource *res;
	int ret;

	res = resource_alloc(pool, backing, VGPU_SURFACE, movable);
	if (IS_ERR(res))
		return res;
	res->key = *key;

	ret = reserve_copy(res, &create, &attach);
	if (ret) {
		resource_free(res);
		return ERR_PTR(ret);
	}
	cmd.resource = res->id;
	virtgpu_cmd_create_2d(create, &cmd);
	publish_making(res, create);
	publish_making(res, attach);

	return res;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_create_surface);

/**
 * vgpu_resource_create_texture - make a resource of the host's renderer
 * @pool: where
 * @backing: the guest's memory, which transfers copy from and to
 * @cmd: what it is to be; its number is filled in
 *
 * The commands are published, not kicked; what the host says is latched.
 *
 * Context: may sleep.
 * Return: the resource with one reference, -ENOMEM, or -EINVAL when @backing is
 * empty.
 */
struct vgpu_resource *vgpu_resource_create_texture(struct vgpu_resources *pool,
						   struct vgpu_backing *backing,
						   struct virtgpu_cmd_create_3d *cmd)
{
	struct virtgpu_msg *create, *attach;
	struct vgpu_resource *res;
	int ret;

	res = resource_alloc(pool, backing, VGPU_TEXTURE, false);
	if (IS_ERR(res))
		return res;
	res->key.format = cmd->format;
	res->key.width = cmd->width;
	res->key.height = cmd->height;

	ret = reserve_copy(res, &create, &attach);
	if (ret) {
		resource_free(res);
		return ERR_PTR(ret);
	}
	cmd->resource = res->id;
	virtgpu_cmd_create_3d(create, cmd);
	publish_making(res, create);
	publish_making(res, attach);

	return res;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_create_texture);

/**
 * vgpu_resource_is_blob - is it shown by SET_SCANOUT_BLOB?
 * @res: the resource
 *
 * Return: false if SET_SCANOUT shows it.
 */
bool vgpu_resource_is_blob(const struct vgpu_resource *res)
{
	return res->kind == VGPU_BLOB || res->kind == VGPU_HOST_BLOB;
}

/**
 * vgpu_resource_is_rendered - has a 3D context made it?
 * @res: the resource
 *
 * Return: false if it is made, and made again, from a buffer of the guest.
 */
bool vgpu_resource_is_rendered(const struct vgpu_resource *res)
{
	return res->kind == VGPU_TEXTURE || res->kind == VGPU_HOST_BLOB;
}

/**
 * vgpu_resource_is_live - may contexts be told about it?
 * @res: the resource
 *
 * Context: its owner is kept from ending it.
 * Return: false once its end was published, or the host has forgotten it.
 */
bool vgpu_resource_is_live(const struct vgpu_resource *res)
{
	return res->unref && !READ_ONCE(res->lost);
}

/**
 * vgpu_resource_retire - end a resource
 * @res: the owner's reference
 *
 * Published, not kicked.
 *
 * Context: any.
 */
void vgpu_resource_retire(struct vgpu_resource *res)
{
	struct virtgpu_msg *unref = res->unref;

	if (!READ_ONCE(res->lost)) {
		res->unref = NULL;
		hold(res, unref, ended_done);
		virtgpu_vq_queue_msg(res->pool->queue, unref);
	}
	vgpu_resource_put(res);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_retire);

/**
 * vgpu_resource_detach - end a resource whose memory is about to move
 * @res: the owner's reference of a movable resource
 *
 * Published, not kicked.
 *
 * Context: any, and under the exporter's reservation lock.
 * Return: a reference to the fence of DETACH_BACKING; of a lost resource, to one
 * that has signalled.
 */
struct dma_fence *vgpu_resource_detach(struct vgpu_resource *res)
{
	struct virtgpu_msg *detach = res->detach;
	struct dma_fence *fence;
	unsigned long flags;

	if (READ_ONCE(res->lost)) {
		vgpu_resource_put(res);
		return dma_fence_get_stub();
	}

	fence = dma_fence_get(&detach->fence->base);
	spin_lock_irqsave(&res->pool->lock, flags);
	res->pool->detached++;
	spin_unlock_irqrestore(&res->pool->lock, flags);
	trace_virtio_gpu_backing_detach(res->id, res->entries, res->size);

	res->detach = NULL;
	hold(res, detach, detached_done);
	virtgpu_vq_queue_msg(res->pool->queue, detach);
	vgpu_resource_retire(res);

	return fence;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_resource_detach);
