// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include "virtgpu_cmd_3d.h"
#include "vgpu_hostmem.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: memory of the host
 *
 * Blobs of the host are seen through a window, a range of physical addresses that
 * the device has.  A blob is brought in when a program asks where to map it, and
 * stays when nobody maps it any more: hosts take long for both directions.  It leaves
 * when it ends, or, the longest unused first, when another one needs the room.
 *
 * Nothing here waits but vgpu_hostmap_wait().  The place of a blob that leaves is free
 * again when the host has answered.
 */

/**
 * vgpu_hostmem_init - start without a window
 * @pool: zeroed memory
 * @queue: the control queue
 * @mapping: where all user mappings of the device are
 */
void vgpu_hostmem_init(struct vgpu_hostmem *pool, struct virtgpu_vq *queue,
		       struct address_space *mapping)
{
	pool->queue = queue;
	pool->mapping = mapping;
	mutex_init(&pool->maps_lock);
	INIT_LIST_HEAD(&pool->maps);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->idle);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmem_init);

/**
 * vgpu_hostmem_start - there is a window
 * @pool: one without
 * @start: its physical address
 * @size: in bytes, not 0
 * @align: what places in it are to be a multiple of
 */
void vgpu_hostmem_start(struct vgpu_hostmem *pool, u64 start, u64 size, u64 align)
{
	pool->start = start;
	pool->size = size;
	pool->align = align;
	drm_mm_init(&pool->space, 0, size);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmem_start);

/**
 * vgpu_hostmem_fini - check that nothing is left in the window
 * @pool: one whose queue was stopped
 */
void vgpu_hostmem_fini(struct vgpu_hostmem *pool)
{
	if (pool->size && !WARN_ON(!drm_mm_clean(&pool->space)))
		drm_mm_takedown(&pool->space);
	mutex_destroy(&pool->maps_lock);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmem_fini);

static const char * const state_names[] = {
	[VGPU_HOSTMAP_OUT] = "out",
	[VGPU_HOSTMAP_COMING] = "coming",
	[VGPU_HOSTMAP_IN] = "in",
	[VGPU_HOSTMAP_LEAVING] = "leaving",
	[VGPU_HOSTMAP_FAILED] = "failed",
};

/**
 * vgpu_hostmem_print - say what is in the window, for debugfs
 * @pool: the window
 * @p: where to print
 */
void vgpu_hostmem_print(struct vgpu_hostmem *pool, struct drm_printer *p)
{
	struct vgpu_hostmap *map;

	drm_printf(p, "window: %llu\n", pool->size);
	drm_printf(p, "mapped: %llu\n", pool->mapped);
	drm_printf(p, "unmapped: %llu\n", pool->unmapped);
	drm_printf(p, "reused: %llu\n", pool->reused);

	mutex_lock(&pool->maps_lock);
	list_for_each_entry(map, &pool->maps, link) {
		drm_printf(p, "map: resource=%u size=%llu state=%s error=%d", map->resource,
			   map->size, state_names[map->state], map->error);
		drm_printf(p, " users=%u at=0x%llx caching=%u\n", map->users,
			   map->node.start, map->info);
	}
	mutex_unlock(&pool->maps_lock);
}

static void map_put(struct vgpu_hostmap *map)
{
	if (!refcount_dec_and_test(&map->ref))
		return;

	virtgpu_msg_put(map->unmap);
	kfree(map);
}

/* Under the lock: it is not in the window any more. */
static void leave(struct vgpu_hostmap *map, enum vgpu_hostmap_state state, int error)
{
	if (drm_mm_node_allocated(&map->node))
		drm_mm_remove_node(&map->node);
	list_del_init(&map->idle);
	map->state = state;
	map->error = error;
}

static void note_answer(struct vgpu_hostmem *pool)
{
	WRITE_ONCE(pool->answers, pool->answers + 1);
}

/* An error changes nothing: what the host does not know is not in the window. */
static void unmap_done(struct virtgpu_msg *msg)
{
	struct vgpu_hostmap *map = msg->priv;
	struct vgpu_hostmem *pool = map->pool;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	note_answer(pool);
	WRITE_ONCE(map->skipped, false);
	if (map->state == VGPU_HOSTMAP_LEAVING)
		leave(map, map->error ? VGPU_HOSTMAP_FAILED : VGPU_HOSTMAP_OUT, map->error);
	spin_unlock_irqrestore(&pool->lock, flags);

	map_put(map);
}

/*
 * Under the lock.  @error is what users of the blob are told once it has left.
 * Returns the message, to be published without the lock.
 */
static struct virtgpu_msg *begin_leaving(struct vgpu_hostmap *map, int error)
{
	struct virtgpu_msg *msg = map->unmap;

	list_del_init(&map->idle);
	map->state = VGPU_HOSTMAP_LEAVING;
	map->error = error;
	map->unmap = NULL;
	map->pool->unmapped++;
	refcount_inc(&map->ref);
	virtgpu_cmd_unmap_blob(msg, map->resource);
	msg->priv = map;
	msg->complete = unmap_done;

	return msg;
}

static void map_done(struct virtgpu_msg *msg)
{
	const struct virtio_gpu_resp_map_info *reply = msg->resp;
	struct vgpu_hostmap *map = msg->priv;
	struct vgpu_hostmem *pool = map->pool;
	struct virtgpu_msg *unmap = NULL;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	note_answer(pool);
	WRITE_ONCE(map->skipped, false);
	/* Its end may have come before the answer: then the next one counts. */
	if (map->state == VGPU_HOSTMAP_COMING) {
		if (msg->error == -EPROTO) {
			/* It may be there or not: nobody else gets the room before it is not. */
			unmap = begin_leaving(map, msg->error);
		} else if (msg->error) {
			leave(map, VGPU_HOSTMAP_FAILED, msg->error);
		} else {
			map->info = le32_to_cpu((__force __le32)reply->map_info) &
				    VIRTIO_GPU_MAP_CACHE_MASK;
			map->state = VGPU_HOSTMAP_IN;
			if (!map->users)
				list_add_tail(&map->idle, &pool->idle);
		}
	}
	spin_unlock_irqrestore(&pool->lock, flags);

	if (unmap) {
		virtgpu_vq_queue_msg(pool->queue, unmap);
		virtgpu_vq_kick(pool->queue);
	}
	map_put(map);
}

/* Under the lock: send away what nobody uses, until there may be room. */
static void make_room(struct vgpu_hostmem *pool, u64 size, struct list_head *msgs)
{
	struct vgpu_hostmap *map;
	struct virtgpu_msg *msg;
	u64 room = 0;

	while (room < size &&
	       (map = list_first_entry_or_null(&pool->idle, struct vgpu_hostmap, idle))) {
		room += map->size;
		msg = begin_leaving(map, 0);
		list_add_tail(&msg->link, msgs);
	}
}

static bool anything_leaving(struct vgpu_hostmem *pool)
{
	struct drm_mm_node *node;

	drm_mm_for_each_node(node, &pool->space)
		if (container_of(node, struct vgpu_hostmap, node)->state ==
		    VGPU_HOSTMAP_LEAVING)
			return true;

	return false;
}

/* Under the lock.  0 if @map_msg is to be published; 1 if there is nothing to do. */
static int place(struct vgpu_hostmap *map, struct virtgpu_msg *map_msg,
		 struct virtgpu_msg **unmap_msg, struct list_head *leaving)
{
	struct vgpu_hostmem *pool = map->pool;
	int ret;

	switch (map->state) {
	case VGPU_HOSTMAP_IN:
	case VGPU_HOSTMAP_COMING:
		return 1;
	case VGPU_HOSTMAP_LEAVING:
		return -EAGAIN;
	case VGPU_HOSTMAP_FAILED:
		return map->error;
	default:
		break;
	}

	ret = drm_mm_insert_node_generic(&pool->space, &map->node, map->size,
					 pool->align, 0, DRM_MM_INSERT_BEST);
	if (ret) {
		if (!anything_leaving(pool))
			make_room(pool, map->size, leaving);
		return anything_leaving(pool) ? -EAGAIN : -ENOSPC;
	}

	map->state = VGPU_HOSTMAP_COMING;
	swap(map->unmap, *unmap_msg);
	pool->mapped++;
	refcount_inc(&map->ref);
	virtgpu_cmd_map_blob(map_msg, map->resource, map->node.start);
	map_msg->priv = map;
	map_msg->complete = map_done;

	return 0;
}

static void publish_all(struct vgpu_hostmem *pool, struct list_head *msgs)
{
	struct virtgpu_msg *msg;

	while ((msg = list_first_entry_or_null(msgs, struct virtgpu_msg, link))) {
		list_del_init(&msg->link);
		virtgpu_vq_queue_msg(pool->queue, msg);
	}
}

/**
 * vgpu_hostmap_start - bring a blob into the window
 * @map: the blob
 *
 * Published and kicked, not waited for.
 *
 * Context: may sleep, but not for the host.
 * Return: 0 if it is there or on its way; -EAGAIN if something has to leave first;
 * -ENOSPC if there is no room; -EOPNOTSUPP without a window; -ENOMEM; the host's last
 * error.
 */
int vgpu_hostmap_start(struct vgpu_hostmap *map)
{
	struct vgpu_hostmem *pool = map->pool;
	struct virtgpu_msg *map_msg, *unmap_msg;
	LIST_HEAD(leaving);
	int ret;

	if (!pool->size)
		return -EOPNOTSUPP;
	if (READ_ONCE(map->state) == VGPU_HOSTMAP_IN)
		return 0;

	map_msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_map_info));
	unmap_msg = virtgpu_msg_alloc();
	ret = -ENOMEM;
	if (!map_msg || !unmap_msg)
		goto free;

	spin_lock_irq(&pool->lock);
	ret = place(map, map_msg, &unmap_msg, &leaving);
	spin_unlock_irq(&pool->lock);

	publish_all(pool, &leaving);
	if (!ret) {
		virtgpu_vq_queue_msg(pool->queue, map_msg);
		map_msg = NULL;
	}
	virtgpu_vq_kick(pool->queue);
	if (ret > 0)
		ret = 0;
free:
	virtgpu_msg_put(map_msg);
	virtgpu_msg_put(unmap_msg);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_start);

/**
 * vgpu_hostmap_wait - wait until a blob is in the window
 * @map: the blob
 *
 * It is brought in if need be, also if that failed before; of a lost blob the caller
 * does not ask for that.
 *
 * Context: may sleep; waits for the host; the caller must not hold a lock that a
 * response needs.
 * Return: 0; -ENOSPC; what virtgpu_vq_wait_event() and vgpu_hostmap_start() return.
 */
int vgpu_hostmap_wait(struct vgpu_hostmap *map)
{
	struct vgpu_hostmem *pool = map->pool;
	u64 seen;
	int ret;

	if (virtgpu_vq_is_wedged(pool->queue))
		return -EIO;

	spin_lock_irq(&pool->lock);
	if (map->state == VGPU_HOSTMAP_FAILED)
		map->state = VGPU_HOSTMAP_OUT;
	spin_unlock_irq(&pool->lock);

	while (READ_ONCE(map->state) != VGPU_HOSTMAP_IN) {
		seen = READ_ONCE(pool->answers);
		ret = vgpu_hostmap_start(map);
		if (ret && ret != -EAGAIN)
			return ret;
		/* A command that the host has skipped is not waited for twice. */
		if (READ_ONCE(map->skipped))
			return -ETIMEDOUT;
		ret = virtgpu_vq_wait_event(pool->queue,
					    READ_ONCE(pool->answers) != seen ||
					    READ_ONCE(map->state) == VGPU_HOSTMAP_IN);
		if (ret == -ETIMEDOUT && READ_ONCE(map->state) != VGPU_HOSTMAP_OUT)
			WRITE_ONCE(map->skipped, true);
		if (ret)
			return ret;
	}

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_wait);

/**
 * vgpu_hostmap_use - keep a blob in the window
 * @map: the blob
 *
 * Counted, whether it is there or not: from the moment that it is it stays.
 *
 * Context: any.
 * Return: true if it is there.
 */
bool vgpu_hostmap_use(struct vgpu_hostmap *map)
{
	struct vgpu_hostmem *pool = map->pool;
	unsigned long flags;
	bool in;

	spin_lock_irqsave(&pool->lock, flags);
	if (!map->users++ && !list_empty(&map->idle)) {
		list_del_init(&map->idle);
		pool->reused++;
	}
	in = map->state == VGPU_HOSTMAP_IN;
	spin_unlock_irqrestore(&pool->lock, flags);

	return in;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_use);

/**
 * vgpu_hostmap_unuse - undo vgpu_hostmap_use()
 * @map: the blob
 *
 * Context: any.
 */
void vgpu_hostmap_unuse(struct vgpu_hostmap *map)
{
	struct vgpu_hostmem *pool = map->pool;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	if (!--map->users && map->state == VGPU_HOSTMAP_IN)
		list_add_tail(&map->idle, &pool->idle);
	spin_unlock_irqrestore(&pool->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_unuse);

/**
 * vgpu_hostmap_place - where a blob is
 * @map: the blob, in use
 * @where: filled: its physical address
 * @info: filled: VIRTIO_GPU_MAP_CACHE_*
 *
 * Context: any.
 * Return: false if it is not in the window.
 */
bool vgpu_hostmap_place(struct vgpu_hostmap *map, phys_addr_t *where, u32 *info)
{
	struct vgpu_hostmem *pool = map->pool;
	unsigned long flags;
	bool in;

	spin_lock_irqsave(&pool->lock, flags);
	in = map->state == VGPU_HOSTMAP_IN;
	*where = in ? pool->start + map->node.start : 0;
	*info = map->info;
	spin_unlock_irqrestore(&pool->lock, flags);

	return in;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_place);

/**
 * vgpu_hostmap_alloc - a blob that may come into the window
 * @pool: the window
 * @resource: the blob's number
 * @size: in bytes, a multiple of PAGE_SIZE
 * @vma_node: its user mappings, which are undone when it is lost
 *
 * Context: may sleep.
 * Return: one that is not in the window, or NULL without memory.
 */
struct vgpu_hostmap *vgpu_hostmap_alloc(struct vgpu_hostmem *pool, u32 resource, u64 size,
					struct drm_vma_offset_node *vma_node)
{
	struct vgpu_hostmap *map = kzalloc_obj(*map);

	if (!map)
		return NULL;

	refcount_set(&map->ref, 1);
	map->pool = pool;
	map->resource = resource;
	map->size = size;
	map->vma_node = vma_node;
	INIT_LIST_HEAD(&map->idle);

	mutex_lock(&pool->maps_lock);
	list_add_tail(&map->link, &pool->maps);
	mutex_unlock(&pool->maps_lock);

	return map;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_alloc);

/**
 * vgpu_hostmap_release - a blob is going to end
 * @map: its map, without users; the reference is taken over
 *
 * Published, not kicked.
 *
 * Context: may sleep, but not for the host.
 */
void vgpu_hostmap_release(struct vgpu_hostmap *map)
{
	struct vgpu_hostmem *pool = map->pool;
	struct virtgpu_msg *msg = NULL;

	mutex_lock(&pool->maps_lock);
	list_del(&map->link);
	mutex_unlock(&pool->maps_lock);

	/* UNMAP may follow MAP before that is answered: the host keeps their order. */
	spin_lock_irq(&pool->lock);
	if (map->state == VGPU_HOSTMAP_IN || map->state == VGPU_HOSTMAP_COMING)
		msg = begin_leaving(map, 0);
	spin_unlock_irq(&pool->lock);

	if (msg)
		virtgpu_vq_queue_msg(pool->queue, msg);
	map_put(map);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmap_release);

/**
 * vgpu_hostmem_lose - nothing is in the window any more, nor will be
 * @pool: one whose queue was stopped
 * @error: what users of the blobs that were there are told
 *
 * User mappings are undone; what touches them again gets a SIGBUS.
 *
 * Context: may sleep.
 */
void vgpu_hostmem_lose(struct vgpu_hostmem *pool, int error)
{
	struct vgpu_hostmap *map;

	mutex_lock(&pool->maps_lock);
	list_for_each_entry(map, &pool->maps, link) {
		spin_lock_irq(&pool->lock);
		leave(map, VGPU_HOSTMAP_FAILED, error);
		spin_unlock_irq(&pool->lock);
		drm_vma_node_unmap(map->vma_node, pool->mapping);
	}
	mutex_unlock(&pool->maps_lock);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_hostmem_lose);
