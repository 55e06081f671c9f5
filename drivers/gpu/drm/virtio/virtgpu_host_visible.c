// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include "virtgpu_cmd.h"
#include "virtgpu_host_visible.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: host-visible region
 *
 * Blobs in host memory are accessed through the host-visible region, a range of
 * physical addresses of the device.  A mappable blob is mapped into the region
 * along with its creation, unless user space has asked to defer that or the
 * region is filling up.  Otherwise it is mapped when user space queries its
 * mmap offset, maps it, or accesses its mapping, and when another device
 * attaches to its dma-buf.  It stays mapped when it is no longer used, because
 * hosts take long to map and unmap.  It is unmapped when it is freed, or when
 * another blob needs the range; the least recently used blob is unmapped first.
 *
 * Only virtgpu_host_mapping_map() waits for the device.  The range of a blob is
 * free again when the host has responded to RESOURCE_UNMAP_BLOB.  If the host
 * rejects that command although the blob may be mapped, the range is
 * quarantined until the device is reset: another program that got the range
 * would access the blob.
 */

/*
 * Blobs are not mapped early beyond this part of the region, because they would
 * evict others.
 */
static u64 virtgpu_host_visible_early_limit(const struct virtgpu_host_visible *hv)
{
	return hv->size - hv->size / 4;
}

/**
 * virtgpu_host_visible_init() - Initialise without a host-visible region
 * @hv: zeroed memory
 * @queue: the control queue
 * @mapping: address space of the device's user mappings
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
	INIT_LIST_HEAD(&hv->quarantined);
}

/**
 * virtgpu_host_visible_start() - Add the host-visible region
 * @hv: initialised, without a region
 * @start: physical address of the region
 * @size: in bytes, not 0
 * @align: alignment of mappings in the region, in bytes
 */
void virtgpu_host_visible_start(struct virtgpu_host_visible *hv, u64 start, u64 size, u64 align)
{
	hv->start = start;
	hv->size = size;
	hv->align = align;
	drm_mm_init(&hv->space, 0, size);
}

/**
 * virtgpu_host_visible_fini() - Release the host-visible region
 * @hv: the region, without mappings, its queue stopped
 */
void virtgpu_host_visible_fini(struct virtgpu_host_visible *hv)
{
	if (hv->size && !WARN_ON(!drm_mm_clean(&hv->space)))
		drm_mm_takedown(&hv->space);
	mutex_destroy(&hv->maps_lock);
}

static const char * const virtgpu_host_mapping_states[] = {
	[VIRTGPU_HOST_MAPPING_UNMAPPED] = "unmapped",
	[VIRTGPU_HOST_MAPPING_MAPPING] = "mapping",
	[VIRTGPU_HOST_MAPPING_MAPPED] = "mapped",
	[VIRTGPU_HOST_MAPPING_UNMAPPING] = "unmapping",
	[VIRTGPU_HOST_MAPPING_FAILED] = "failed",
	[VIRTGPU_HOST_MAPPING_QUARANTINED] = "quarantined",
};

/**
 * virtgpu_host_visible_print() - Print the host-visible region for debugfs
 * @hv: the region
 * @p: printer
 *
 * Context: May sleep.
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
			   map->size, virtgpu_host_mapping_states[map->state], map->error);
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

static void virtgpu_host_mapping_finish_unmap(struct virtgpu_host_mapping *map,
					      enum virtgpu_host_mapping_state state, int error)
{
	lockdep_assert_held(&map->hv->lock);

	if (drm_mm_node_allocated(&map->node)) {
		drm_mm_remove_node(&map->node);
		map->hv->used -= map->size;
	}
	list_del_init(&map->idle);
	map->state = state;
	map->error = error;
}

static void virtgpu_host_visible_count_response(struct virtgpu_host_visible *hv)
{
	WRITE_ONCE(hv->responses, hv->responses + 1);
}

/*
 * The blob is not mapped after an error of UNMAP if MAP has failed, or if the
 * host has no such resource, because its creation has failed.
 */
static bool virtgpu_host_mapping_may_be_mapped(const struct virtgpu_host_mapping *map, int error)
{
	return error && error != -ENODEV && error != -ENOENT && !map->map_failed;
}

/* Keep the range, and @map with it, until virtgpu_host_visible_invalidate(). */
static void virtgpu_host_mapping_quarantine(struct virtgpu_host_mapping *map)
{
	lockdep_assert_held(&map->hv->lock);

	map->state = VIRTGPU_HOST_MAPPING_QUARANTINED;
	map->error = -EIO;
	refcount_inc(&map->ref);
	list_add_tail(&map->idle, &map->hv->quarantined);
}

static void virtgpu_host_mapping_unmap_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_host_mapping *map = msg->priv;
	struct virtgpu_host_visible *hv = map->hv;
	bool quarantined = false;
	unsigned long flags;

	spin_lock_irqsave(&hv->lock, flags);
	virtgpu_host_visible_count_response(hv);
	WRITE_ONCE(map->skipped, false);
	if (map->state == VIRTGPU_HOST_MAPPING_UNMAPPING) {
		quarantined = virtgpu_host_mapping_may_be_mapped(map, msg->error);
		if (quarantined)
			virtgpu_host_mapping_quarantine(map);
		else
			virtgpu_host_mapping_finish_unmap(map, map->error ?
							  VIRTGPU_HOST_MAPPING_FAILED :
							  VIRTGPU_HOST_MAPPING_UNMAPPED,
							  map->error);
	}
	spin_unlock_irqrestore(&hv->lock, flags);

	if (quarantined)
		drm_err_ratelimited(hv->queue->drm, "resource %u: UNMAP_BLOB failed: %d\n",
				    map->resource, msg->error);
	virtgpu_host_mapping_put(map);
}

/*
 * @error: the error of the mapping once it is unmapped, or 0
 *
 * Return: the message, to be queued after @hv->lock is released.
 */
static struct virtgpu_msg *virtgpu_host_mapping_start_unmap(struct virtgpu_host_mapping *map,
							    int error)
{
	struct virtgpu_msg *msg = map->unmap;

	lockdep_assert_held(&map->hv->lock);

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
	const struct virtio_gpu_resp_map_info *resp = msg->resp;
	struct virtgpu_host_mapping *map = msg->priv;
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *unmap = NULL;
	unsigned long flags;

	spin_lock_irqsave(&hv->lock, flags);
	virtgpu_host_visible_count_response(hv);
	WRITE_ONCE(map->skipped, false);
	/*
	 * The blob may have been freed before: UNMAP is queued, and its
	 * response counts.
	 */
	map->map_failed = msg->error && msg->error != -EPROTO;
	if (map->state == VIRTGPU_HOST_MAPPING_MAPPING) {
		if (msg->error == -EPROTO) {
			/*
			 * The mapping state is unknown after a malformed
			 * response.  Unmap the blob before reusing the range.
			 */
			unmap = virtgpu_host_mapping_start_unmap(map, msg->error);
		} else if (msg->error) {
			virtgpu_host_mapping_finish_unmap(map, VIRTGPU_HOST_MAPPING_FAILED,
							  msg->error);
		} else {
			map->map_info = le32_to_cpu((__force __le32)resp->map_info) &
				    VIRTIO_GPU_MAP_CACHE_MASK;
			map->state = VIRTGPU_HOST_MAPPING_MAPPED;
			if (!map->pin_count)
				list_add_tail(&map->idle, &hv->idle);
		}
	}
	spin_unlock_irqrestore(&hv->lock, flags);

	if (unmap)
		virtgpu_vq_send_msg(hv->queue, unmap);
	virtgpu_host_mapping_put(map);
}

/* Unmap unused blobs until their sizes add up to @size. */
static void virtgpu_host_visible_evict(struct virtgpu_host_visible *hv, u64 size,
				       struct list_head *msgs)
{
	struct virtgpu_host_mapping *map;
	struct virtgpu_msg *msg;
	u64 freed = 0;

	lockdep_assert_held(&hv->lock);

	while (freed < size &&
	       (map = list_first_entry_or_null(&hv->idle, struct virtgpu_host_mapping, idle))) {
		freed += map->size;
		msg = virtgpu_host_mapping_start_unmap(map, 0);
		list_add_tail(&msg->link, msgs);
	}
}

static bool virtgpu_host_visible_has_state(struct virtgpu_host_visible *hv,
					   enum virtgpu_host_mapping_state state, bool pinned)
{
	const struct virtgpu_host_mapping *map;
	struct drm_mm_node *node;

	lockdep_assert_held(&hv->lock);

	drm_mm_for_each_node(node, &hv->space) {
		map = container_of(node, struct virtgpu_host_mapping, node);
		if (map->state == state && (pinned || !map->pin_count))
			return true;
	}

	return false;
}

static bool virtgpu_host_visible_unmap_pending(struct virtgpu_host_visible *hv)
{
	return virtgpu_host_visible_has_state(hv, VIRTGPU_HOST_MAPPING_UNMAPPING, true);
}

/* A blob that is not pinned can be evicted as soon as it is mapped. */
static bool virtgpu_host_visible_map_pending(struct virtgpu_host_visible *hv)
{
	return virtgpu_host_visible_has_state(hv, VIRTGPU_HOST_MAPPING_MAPPING, false);
}

/*
 * @evict_msgs: list for messages that unmap other blobs, or NULL to unmap none
 *
 * Return: 0 if the caller must queue @map_msg, 1 if the blob is mapped or being
 * mapped, or an error.
 */
static int virtgpu_host_mapping_reserve_range(struct virtgpu_host_mapping *map,
					      struct virtgpu_msg *map_msg,
					      struct virtgpu_msg **unmap_msg,
					      struct list_head *evict_msgs)
{
	struct virtgpu_host_visible *hv = map->hv;
	int ret;

	lockdep_assert_held(&hv->lock);

	switch (map->state) {
	case VIRTGPU_HOST_MAPPING_MAPPED:
	case VIRTGPU_HOST_MAPPING_MAPPING:
		return 1;
	case VIRTGPU_HOST_MAPPING_UNMAPPING:
		return -EAGAIN;
	case VIRTGPU_HOST_MAPPING_FAILED:
	case VIRTGPU_HOST_MAPPING_QUARANTINED:
		return map->error;
	default:
		break;
	}

	ret = drm_mm_insert_node_generic(&hv->space, &map->node, map->size,
					 hv->align, 0, DRM_MM_INSERT_BEST);
	if (ret) {
		if (evict_msgs && !virtgpu_host_visible_unmap_pending(hv))
			virtgpu_host_visible_evict(hv, map->size, evict_msgs);
		return virtgpu_host_visible_unmap_pending(hv) ||
		       virtgpu_host_visible_map_pending(hv) ? -EAGAIN : -ENOSPC;
	}
	hv->used += map->size;

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
 * virtgpu_host_mapping_queue() - Start mapping a blob
 * @map: the mapping
 *
 * Queues RESOURCE_MAP_BLOB and kicks; does not wait for the response.
 *
 * Context: May sleep; does not wait for the device.
 * Return: 0 if the blob is mapped or MAP is pending, -EAGAIN if other blobs are
 * being unmapped first, or mapped so that they can be evicted, -ENOSPC if no
 * range is free, -EOPNOTSUPP without a region, -ENOMEM, or the error of the
 * last attempt.
 */
int virtgpu_host_mapping_queue(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *map_msg, *unmap_msg;
	LIST_HEAD(evict_msgs);
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
	ret = virtgpu_host_mapping_reserve_range(map, map_msg, &unmap_msg, &evict_msgs);
	spin_unlock_irq(&hv->lock);

	virtgpu_host_visible_queue_all(hv, &evict_msgs);
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
 * virtgpu_host_mapping_queue_early() - Map a new blob before it is accessed
 * @map: the mapping, of a blob with a queued creation
 *
 * Queues RESOURCE_MAP_BLOB; the caller must kick.  Does nothing without
 * memory, or if the region is filling up: the blob is mapped on access then.
 *
 * Context: May sleep; does not wait for the device.
 */
void virtgpu_host_mapping_queue_early(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *map_msg, *unmap_msg;
	int ret = -ENOMEM;

	if (READ_ONCE(hv->used) + map->size > virtgpu_host_visible_early_limit(hv))
		return;

	map_msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_map_info));
	unmap_msg = virtgpu_msg_alloc();
	if (map_msg && unmap_msg) {
		spin_lock_irq(&hv->lock);
		ret = virtgpu_host_mapping_reserve_range(map, map_msg, &unmap_msg, NULL);
		spin_unlock_irq(&hv->lock);
	}
	if (!ret)
		virtgpu_vq_queue_msg(hv->queue, map_msg);
	else
		virtgpu_msg_put(map_msg);
	virtgpu_msg_put(unmap_msg);
}

/**
 * virtgpu_host_mapping_map() - Map a blob and wait until it is mapped
 * @map: the mapping, of a blob that is not stale
 *
 * Tries again if an earlier attempt failed.
 *
 * Context: May sleep; waits for the device.  Caller must not hold a lock that a
 * response needs.
 * Return: 0 on success, -EIO if the device is not responding, -ETIMEDOUT, or
 * the error of virtgpu_vq_wait_event() or virtgpu_host_mapping_queue().
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
		/*
		 * Do not wait again for a command that the host has skipped.
		 * The flag is also set if another message was skipped during
		 * the wait, until the response to MAP or UNMAP clears it.
		 */
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
 * virtgpu_host_mapping_pin() - Keep a blob mapped
 * @map: the mapping
 *
 * Increments the pin count even if the blob is not mapped yet; once mapped, it
 * stays mapped until unpinned.
 *
 * Context: Any.
 * Return: true if the blob is mapped.
 */
bool virtgpu_host_mapping_pin(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;
	bool mapped;

	spin_lock_irqsave(&hv->lock, flags);
	if (!map->pin_count++ && !list_empty(&map->idle)) {
		list_del_init(&map->idle);
		hv->reused++;
	}
	mapped = map->state == VIRTGPU_HOST_MAPPING_MAPPED;
	spin_unlock_irqrestore(&hv->lock, flags);

	return mapped;
}

/**
 * virtgpu_host_mapping_unpin() - Undo virtgpu_host_mapping_pin()
 * @map: the mapping
 *
 * Context: Any.
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
 * virtgpu_host_mapping_get_addr() - Get the address of a blob
 * @map: the mapping, pinned
 * @addr: filled in with the physical address
 * @map_info: filled in with VIRTIO_GPU_MAP_CACHE_*
 *
 * Context: Any.
 * Return: false if the blob is not mapped.
 */
bool virtgpu_host_mapping_get_addr(struct virtgpu_host_mapping *map, phys_addr_t *addr,
				   u32 *map_info)
{
	struct virtgpu_host_visible *hv = map->hv;
	unsigned long flags;
	bool mapped;

	spin_lock_irqsave(&hv->lock, flags);
	mapped = map->state == VIRTGPU_HOST_MAPPING_MAPPED;
	*addr = mapped ? hv->start + map->node.start : 0;
	*map_info = map->map_info;
	spin_unlock_irqrestore(&hv->lock, flags);

	return mapped;
}

/**
 * virtgpu_host_mapping_alloc() - Allocate the mapping of a blob
 * @hv: the region
 * @resource: resource ID of the blob
 * @size: in bytes, a multiple of PAGE_SIZE
 * @vma_node: user mappings of the blob, which are zapped after a reset
 *
 * Context: May sleep.
 * Return: a mapping in state UNMAPPED, or NULL if out of memory.
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
 * virtgpu_host_mapping_release() - Release the mapping of a blob
 * @map: the mapping, not pinned; the reference is consumed
 *
 * Queues RESOURCE_UNMAP_BLOB if needed; the caller must kick.
 *
 * Context: May sleep; does not wait for the device.
 */
void virtgpu_host_mapping_release(struct virtgpu_host_mapping *map)
{
	struct virtgpu_host_visible *hv = map->hv;
	struct virtgpu_msg *msg = NULL;

	mutex_lock(&hv->maps_lock);
	list_del(&map->link);
	mutex_unlock(&hv->maps_lock);

	/*
	 * UNMAP may be queued while MAP is pending: the host processes them in
	 * order.
	 */
	spin_lock_irq(&hv->lock);
	if (map->state == VIRTGPU_HOST_MAPPING_MAPPED || map->state == VIRTGPU_HOST_MAPPING_MAPPING)
		msg = virtgpu_host_mapping_start_unmap(map, 0);
	spin_unlock_irq(&hv->lock);

	if (msg)
		virtgpu_vq_queue_msg(hv->queue, msg);
	virtgpu_host_mapping_put(map);
}

/* After a reset, nothing is mapped in the quarantined ranges. */
static void virtgpu_host_visible_end_quarantine(struct virtgpu_host_visible *hv, int error)
{
	struct virtgpu_host_mapping *map;

	spin_lock_irq(&hv->lock);
	while ((map = list_first_entry_or_null(&hv->quarantined, struct virtgpu_host_mapping,
					       idle))) {
		virtgpu_host_mapping_finish_unmap(map, VIRTGPU_HOST_MAPPING_FAILED, error);
		spin_unlock_irq(&hv->lock);
		virtgpu_host_mapping_put(map);
		spin_lock_irq(&hv->lock);
	}
	spin_unlock_irq(&hv->lock);
}

/**
 * virtgpu_host_visible_invalidate() - Drop all mappings after a reset
 * @hv: the region, its queue stopped
 * @error: error of the mappings from now on
 *
 * Zaps user mappings; accessing them again raises SIGBUS.
 *
 * Context: May sleep.
 */
void virtgpu_host_visible_invalidate(struct virtgpu_host_visible *hv, int error)
{
	struct virtgpu_host_mapping *map;

	virtgpu_host_visible_end_quarantine(hv, error);
	mutex_lock(&hv->maps_lock);
	list_for_each_entry(map, &hv->maps, link) {
		spin_lock_irq(&hv->lock);
		virtgpu_host_mapping_finish_unmap(map, VIRTGPU_HOST_MAPPING_FAILED, error);
		spin_unlock_irq(&hv->lock);
		drm_vma_node_unmap(map->vma_node, hv->mapping);
	}
	mutex_unlock(&hv->maps_lock);
}
