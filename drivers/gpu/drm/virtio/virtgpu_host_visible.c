// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include "virtgpu_cmd.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: memory of the host
 *
 * Blobs of the host are seen through a window, a range of physical addresses that
 * the device has.  A blob is brought in when a program asks addr to map it, and
 * stays when nobody maps it any more: hosts take long for both directions.  It leaves
 * when it ends, or, the longest unused first, when another one needs the room.
 *
 * Nothing here waits but virtgpu_host_mapping_map().  The place of a blob that leaves is free
 * again when the host has answered.
 */

/**
 * virtgpu_host_visible_init - start without a window
 * @hv: zeroed memory
 * @queue: the control queue
 * @mapping: addr all user mappings of the device are
 */
void virtgpu_host_visible_init(struct virtgpu_host_visible *hv, struct virtgpu_vq *queue,
			       struct address_space *mapping)
{
	hv->queue = queue;
	hv->mapping = mapping;
	mutex_init(&hv->maps_lock);
	INIT_LIST_HEAD(&hv->maps);
	spin_lock_init(&hv->lock);
	INIT_LIST_HEAD(&hv->idle);
}

/**
 * virtgpu_host_visible_start - there is a window
 * @hv: one without
 * @start: its physical address
 * @size: in bytes, not 0
 * @align: what places in it are to be a multiple of
 */
void virtgpu_host_visible_start(struct virtgpu_host_visible *hv, u64 start, u64 size, u64 align)
{
	hv->start = start;
	hv->size = size;
	hv->align = align;
	drm_mm_init(&hv->space, 0, size);
}

/**
 * virtgpu_host_visible_fini - check that nothing is left in the window
 * @hv: one whose queue was stopped
 */
void virtgpu_host_visible_fini(struct virtgpu_host_visible *hv)
{
	if (hv->size && !WARN_ON(!drm_mm_clean(&hv->space)))
		drm_mm_takedown(&hv->space);
	mutex_destroy(&hv->maps_lock);
}

static const char * const state_names[] = {
	[VIRTGPU_HOST_MAPPING_UNMAPPED] = "unmapped",
	[VIRTGPU_HOST_MAPPING_MAPPING] = "mapping",
	[VIRTGPU_HOST_MAPPING_MAPPED] = "mapped",
	[VIRTGPU_HOST_MAPPING_UNMAPPING] = "unmapping",
	[VIRTGPU_HOST_MAPPING_FAILED] = "failed",
};

/**
 * virtgpu_host_visible_print - say what is in the window, for debugfs
 * @hv: the window
 * @p: addr to print
 */
void virtgpu_host_visible_print(struct virtgpu_host_visible *hv, struct drm_printer *p)
{
	struct virtgpu_host_mapping *map;

	drm_printf(p, "size: %llu\n", hv->size);
	drm_printf(p, "mapped: %llu\n", hv->mapped);
	drm_printf(p, "unmapped: %llu\n", hv->unmapped);
	drm_printf(p, "reused: %llu\n", hv->reused);

	mutex_lock(&hv->maps_lock);
	list_for_each_entry(map, &hv->maps, link) {
		drm_printf(p, "map: resource=%u size=%llu state=%s error=%d", map->resource,
			   map->size, state_names[map->state], map->error);
		drm_printf(p, " pin_count=%u offset=0x%llx map_info=%u\n", map->pin_count,
			   map->node.start, map->map_info);
	}
	mutex_unlock(&hv->maps_lock);
}

static void virtgpu_host_mapping_put(struct virtgpu_host_mapping *map)
{
	if (!refcount_dec_and_test(&map->ref))
		return;

	virtgpu_msg_put(map->unmap);
	kfree(map);
}

/* Under the lock: it is not in the window any more. */
static void virtgpu_host_mapping_finish_unmap(struct virtgpu_host_mapping *map,
					      enum virtgpu_host_mapping_state state, int error)
{
	if (drm_mm_node_allocated(&map->node))
		drm_mm_remove_node(&map->node);
	list_del_init(&map->idle);
	map->state = state;
	map->error = error;
}

static void virtgpu_host_visible_wake(struct virtgpu_host_visible *hv)
{
	WRITE_ONCE(hv->responses, hv->responses + 1);
}

/* An error changes nothing: what the host does not know is not in the window. */
static void virtgpu_host_mapping_unmap_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_host_mapping *map = msg->priv;
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;

	spin_lock_irqsave(&hv->lock, flags);
	virtgpu_host_visible_wake(hv);
	WRITE_ONCE(map->skipped, false);
	if (map->state == VIRTGPU_HOST_MAPPING_UNMAPPING)
		virtgpu_host_mapping_finish_unmap(map,
						  map->error ? VIRTGPU_HOST_MAPPING_FAILED : VIRTGPU_HOST_MAPPING_UNMAPPED, map->error);
	spin_unlock_irqrestore(&hv->lock, flags);

	virtgpu_host_mapping_put(map);
}

/*
 * Under the lock.  @error is what users of the blob are told once it has left.
 * Returns the message, to be published without the lock.
 */
static struct virtgpu_msg *virtgpu_host_mapping_start_unmap(struct virtgpu_host_mapping *map,
							    int error)
{
	struct virtgpu_msg *msg = map->unmap;

	list_del_init(&map->idle);
	map->state = VIRTGPU_HOST_MAPPING_UNMAPPING;
	map->error = error;
	map->unmap = NULL;
	map->hv->unmapped++;
	refcount_inc(&map->ref);
	virtgpu_cmd_unmap_blob(msg, map->resource);
	msg->priv = map;
	msg->complete = virtgpu_host_mapping_unmap_complete;

	return msg;
}

static void virtgpu_host_mapping_map_complete(struct virtgpu_msg *msg)
{
	const struct virtio_gpu_resp_map_info *reply = msg->resp;
	struct virtgpu_host_mapping *map = msg->priv;
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *unmap = NULL;
	unsigned long flags;

	spin_lock_irqsave(&hv->lock, flags);
	virtgpu_host_visible_wake(hv);
	WRITE_ONCE(map->skipped, false);
	/* Its end may have come before the answer: then the next one counts. */
	if (map->state == VIRTGPU_HOST_MAPPING_MAPPING) {
		if (msg->error == -EPROTO) {
			/* It may be there or not: nobody else gets the room before it is not. */
			unmap = virtgpu_host_mapping_start_unmap(map, msg->error);
		} else if (msg->error) {
			virtgpu_host_mapping_finish_unmap(map, VIRTGPU_HOST_MAPPING_FAILED,
							  msg->error);
		} else {
			map->map_info = le32_to_cpu((__force __le32)reply->map_info) &
				    VIRTIO_GPU_MAP_CACHE_MASK;
			map->state = VIRTGPU_HOST_MAPPING_MAPPED;
			if (!map->pin_count)
				list_add_tail(&map->idle, &hv->idle);
		}
	}
	spin_unlock_irqrestore(&hv->lock, flags);

	if (unmap) {
		virtgpu_vq_queue_msg(hv->queue, unmap);
		virtgpu_vq_kick(hv->queue);
	}
	virtgpu_host_mapping_put(map);
}

/* Under the lock: send away what nobody uses, until there may be room. */
static void virtgpu_host_visible_evict(struct virtgpu_host_visible *hv, u64 size,
				       struct list_head *msgs)
{
	struct virtgpu_host_mapping *map;
	struct virtgpu_msg *msg;
	u64 room = 0;

	while (room < size &&
	       (map = list_first_entry_or_null(&hv->idle, struct virtgpu_host_mapping, idle))) {
		room += map->size;
		msg = virtgpu_host_mapping_start_unmap(map, 0);
		list_add_tail(&msg->link, msgs);
	}
}

static bool virtgpu_host_visible_unmap_pending(struct virtgpu_host_visible *hv)
{
	struct drm_mm_node *node;

	drm_mm_for_each_node(node, &hv->space)
		if (container_of(node, struct virtgpu_host_mapping, node)->state ==
		    VIRTGPU_HOST_MAPPING_UNMAPPING)
			return true;

	return false;
}

/* Under the lock.  0 if @map_msg is to be published; 1 if there is nothing to do. */
static int virtgpu_host_mapping_reserve_range(struct virtgpu_host_mapping *map,
					      struct virtgpu_msg *map_msg,
					      struct virtgpu_msg **unmap_msg,
						      struct list_head *leaving)
{
	struct virtgpu_host_visible *hv = map->hv;
	int ret;

	switch (map->state) {
	case VIRTGPU_HOST_MAPPING_MAPPED:
	case VIRTGPU_HOST_MAPPING_MAPPING:
		return 1;
	case VIRTGPU_HOST_MAPPING_UNMAPPING:
		return -EAGAIN;
	case VIRTGPU_HOST_MAPPING_FAILED:
		return map->error;
	default:
		break;
	}

	ret = drm_mm_insert_node_generic(&hv->space, &map->node, map->size,
					 hv->align, 0, DRM_MM_INSERT_BEST);
	if (ret) {
		if (!virtgpu_host_visible_unmap_pending(hv))
			virtgpu_host_visible_evict(hv, map->size, leaving);
		return virtgpu_host_visible_unmap_pending(hv) ? -EAGAIN : -ENOSPC;
	}

	map->state = VIRTGPU_HOST_MAPPING_MAPPING;
	swap(map->unmap, *unmap_msg);
	hv->mapped++;
	refcount_inc(&map->ref);
	virtgpu_cmd_map_blob(map_msg, map->resource, map->node.start);
	map_msg->priv = map;
	map_msg->complete = virtgpu_host_mapping_map_complete;

	return 0;
}

static void virtgpu_host_visible_queue_all(struct virtgpu_host_visible *hv, struct list_head *msgs)
{
	struct virtgpu_msg *msg;

	while ((msg = list_first_entry_or_null(msgs, struct virtgpu_msg, link))) {
		list_del_init(&msg->link);
		virtgpu_vq_queue_msg(hv->queue, msg);
	}
}

/**
 * virtgpu_host_mapping_queue - bring a blob into the window
 * @map: the blob
 *
 * Published and kicked, not waited for.
 *
 * Context: may sleep, but not for the host.
 * Return: 0 if it is there or on its way; -EAGAIN if something has to leave first;
 * -ENOSPC if there is no room; -EOPNOTSUPP without a window; -ENOMEM; the host's last
 * error.
 */
int virtgpu_host_mapping_queue(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *map_msg, *unmap_msg;
	LIST_HEAD(leaving);
	int ret;

	if (!hv->size)
		return -EOPNOTSUPP;
	if (READ_ONCE(map->state) == VIRTGPU_HOST_MAPPING_MAPPED)
		return 0;

	map_msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_map_info));
	unmap_msg = virtgpu_msg_alloc();
	ret = -ENOMEM;
	if (!map_msg || !unmap_msg)
		goto free;

	spin_lock_irq(&hv->lock);
	ret = virtgpu_host_mapping_reserve_range(map, map_msg, &unmap_msg, &leaving);
	spin_unlock_irq(&hv->lock);

	virtgpu_host_visible_queue_all(hv, &leaving);
	if (!ret) {
		virtgpu_vq_queue_msg(hv->queue, map_msg);
		map_msg = NULL;
	}
	virtgpu_vq_kick(hv->queue);
	if (ret > 0)
		ret = 0;
free:
	virtgpu_msg_put(map_msg);
	virtgpu_msg_put(unmap_msg);
	return ret;
}

/**
 * virtgpu_host_mapping_map - wait until a blob is in the window
 * @map: the blob
 *
 * It is brought in if need be, also if that failed before; of a lost blob the caller
 * does not ask for that.
 *
 * Context: may sleep; waits for the host; the caller must not hold a lock that a
 * response needs.
 * Return: 0; -ENOSPC; what virtgpu_vq_wait_event() and virtgpu_host_mapping_queue() return.
 */
int virtgpu_host_mapping_map(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	u64 seen;
	int ret;

	if (virtgpu_vq_is_wedged(hv->queue))
		return -EIO;

	spin_lock_irq(&hv->lock);
	if (map->state == VIRTGPU_HOST_MAPPING_FAILED)
		map->state = VIRTGPU_HOST_MAPPING_UNMAPPED;
	spin_unlock_irq(&hv->lock);

	while (READ_ONCE(map->state) != VIRTGPU_HOST_MAPPING_MAPPED) {
		seen = READ_ONCE(hv->responses);
		ret = virtgpu_host_mapping_queue(map);
		if (ret && ret != -EAGAIN)
			return ret;
		/* A command that the host has skipped is not waited for twice. */
		if (READ_ONCE(map->skipped))
			return -ETIMEDOUT;
		ret = virtgpu_vq_wait_event(hv->queue,
					    READ_ONCE(hv->responses) != seen ||
					    READ_ONCE(map->state) == VIRTGPU_HOST_MAPPING_MAPPED);
		if (ret == -ETIMEDOUT && READ_ONCE(map->state) != VIRTGPU_HOST_MAPPING_UNMAPPED)
			WRITE_ONCE(map->skipped, true);
		if (ret)
			return ret;
	}

	return 0;
}

/**
 * virtgpu_host_mapping_pin - keep a blob in the window
 * @map: the blob
 *
 * Counted, whether it is there or not: from the moment that it is it stays.
 *
 * Context: any.
 * Return: true if it is there.
 */
bool virtgpu_host_mapping_pin(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;
	bool in;

	spin_lock_irqsave(&hv->lock, flags);
	if (!map->pin_count++ && !list_empty(&map->idle)) {
		list_del_init(&map->idle);
		hv->reused++;
	}
	in = map->state == VIRTGPU_HOST_MAPPING_MAPPED;
	spin_unlock_irqrestore(&hv->lock, flags);

	return in;
}

/**
 * virtgpu_host_mapping_unpin - undo virtgpu_host_mapping_pin()
 * @map: the blob
 *
 * Context: any.
 */
void virtgpu_host_mapping_unpin(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;

	spin_lock_irqsave(&hv->lock, flags);
	if (!--map->pin_count && map->state == VIRTGPU_HOST_MAPPING_MAPPED)
		list_add_tail(&map->idle, &hv->idle);
	spin_unlock_irqrestore(&hv->lock, flags);
}

/**
 * virtgpu_host_mapping_get_addr - addr a blob is
 * @map: the blob, in use
 * @addr: filled: its physical address
 * @info: filled: VIRTIO_GPU_MAP_CACHE_*
 *
 * Context: any.
 * Return: false if it is not in the window.
 */
bool virtgpu_host_mapping_get_addr(struct virtgpu_host_mapping *map, phys_addr_t *addr, u32 *info)
{
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;
	bool in;

	spin_lock_irqsave(&hv->lock, flags);
	in = map->state == VIRTGPU_HOST_MAPPING_MAPPED;
	*addr = in ? hv->start + map->node.start : 0;
	*info = map->map_info;
	spin_unlock_irqrestore(&hv->lock, flags);

	return in;
}

/**
 * virtgpu_host_mapping_alloc - a blob that may come into the window
 * @hv: the window
 * @resource: the blob's number
 * @size: in bytes, a multiple of PAGE_SIZE
 * @vma_node: its user mappings, which are undone when it is lost
 *
 * Context: may sleep.
 * Return: one that is not in the window, or NULL without memory.
 */
struct virtgpu_host_mapping *virtgpu_host_mapping_alloc(struct virtgpu_host_visible *hv,
							u32 resource, u64 size,
							struct drm_vma_offset_node *vma_node)
{
	struct virtgpu_host_mapping *map = kzalloc_obj(*map);

	if (!map)
		return NULL;

	refcount_set(&map->ref, 1);
	map->hv = hv;
	map->resource = resource;
	map->size = size;
	map->vma_node = vma_node;
	INIT_LIST_HEAD(&map->idle);

	mutex_lock(&hv->maps_lock);
	list_add_tail(&map->link, &hv->maps);
	mutex_unlock(&hv->maps_lock);

	return map;
}

/**
 * virtgpu_host_mapping_release - a blob is going to end
 * @map: its map, without users; the reference is taken over
 *
 * Published, not kicked.
 *
 * Context: may sleep, but not for the host.
 */
void virtgpu_host_mapping_release(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *msg = NULL;

	mutex_lock(&hv->maps_lock);
	list_del(&map->link);
	mutex_unlock(&hv->maps_lock);

	/* UNMAP may follow MAP before that is answered: the host keeps their order. */
	spin_lock_irq(&hv->lock);
	if (map->state == VIRTGPU_HOST_MAPPING_MAPPED || map->state == VIRTGPU_HOST_MAPPING_MAPPING)
		msg = virtgpu_host_mapping_start_unmap(map, 0);
	spin_unlock_irq(&hv->lock);

	if (msg)
		virtgpu_vq_queue_msg(hv->queue, msg);
	virtgpu_host_mapping_put(map);
}

/**
 * virtgpu_host_visible_invalidate - nothing is in the window any more, nor will be
 * @hv: one whose queue was stopped
 * @error: what users of the blobs that were there are told
 *
 * User mappings are undone; what touches them again gets a SIGBUS.
 *
 * Context: may sleep.
 */
void virtgpu_host_visible_invalidate(struct virtgpu_host_visible *hv, int error)
{
	struct virtgpu_host_mapping *map;

	mutex_lock(&hv->maps_lock);
	list_for_each_entry(map, &hv->maps, link) {
		spin_lock_irq(&hv->lock);
		virtgpu_host_mapping_finish_unmap(map, VIRTGPU_HOST_MAPPING_FAILED, error);
		spin_unlock_irq(&hv->lock);
		drm_vma_node_unmap(map->vma_node, hv->mapping);
	}
	mutex_unlock(&hv->maps_lock);
}
