// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "virtgpu_capset.h"
#include "virtgpu_cmd.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: capability sets
 *
 * A capability set describes one of the host's renderers. The driver queries
 * the list of sets when the device is initialised, without waiting for the
 * responses. A caller that needs the list waits as long as the device makes
 * progress. After an error or a missing response, the other sets are usable,
 * and the next caller queries the missing sets again.
 *
 * The contents of a set are queried on first use. The driver caches one version
 * of each set.
 */

/* Upper limits; hosts have about six sets of a few hundred bytes. */
#define MAX_SETS 64
#define MAX_SIZE SZ_1M

/**
 * virtgpu_capsets_init() - Initialise the capability sets of a device
 * @c: the sets, zeroed
 * @queue: the control queue
 * @count: number of sets in the device's configuration
 *
 * Context: May sleep.
 * Return: 0 on success, or -ENOMEM.
 */
int virtgpu_capsets_init(struct virtgpu_capsets *c, struct virtgpu_vq *queue, u32 count)
{
	u32 i;

	c->queue = queue;
	spin_lock_init(&c->lock);
	count = min(count, MAX_SETS);
	c->sets = kcalloc(count, sizeof(*c->sets), GFP_KERNEL);
	if (!c->sets)
		return -ENOMEM;

	c->count = count;
	for (i = 0; i < count; i++) {
		c->sets[i].capsets = c;
		c->sets[i].index = i;
	}

	return 0;
}

/**
 * virtgpu_capsets_fini() - Free the capability sets of a device
 * @c: the sets, or zeroed memory; their queue must be stopped
 *
 * Context: May sleep.
 */
void virtgpu_capsets_fini(struct virtgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		virtgpu_msg_put(c->sets[i].data);
	kfree(c->sets);
	c->sets = NULL;
	c->count = 0;
}

static void virtgpu_capset_info_complete(struct virtgpu_msg *msg)
{
	const struct virtio_gpu_resp_capset_info *resp = msg->resp;
	struct virtgpu_capset *set = msg->priv;
	struct virtgpu_capsets *c = set->capsets;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	set->query_pending = false;
	if (!msg->error) {
		set->id = le32_to_cpu(resp->capset_id);
		set->max_version = le32_to_cpu(resp->capset_max_version);
		set->max_size = le32_to_cpu(resp->capset_max_size);
		set->valid = true;
	}
	spin_unlock_irqrestore(&c->lock, flags);
}

/* Mark a set as being queried. Returns false if no query is needed. */
static bool virtgpu_capset_begin_query(struct virtgpu_capset *set)
{
	bool needed;

	spin_lock_irq(&set->capsets->lock);
	needed = !set->valid && !set->query_pending;
	if (needed)
		set->query_pending = true;
	spin_unlock_irq(&set->capsets->lock);

	return needed;
}

static void virtgpu_capset_cancel_query(struct virtgpu_capset *set)
{
	spin_lock_irq(&set->capsets->lock);
	set->query_pending = false;
	spin_unlock_irq(&set->capsets->lock);
}

/**
 * virtgpu_capsets_query() - Query all sets that are not valid yet
 * @c: the sets
 *
 * Queues the queries and kicks the queue, but does not wait for the responses.
 *
 * Context: May sleep.
 */
void virtgpu_capsets_query(struct virtgpu_capsets *c)
{
	struct virtgpu_msg *msg;
	u32 i;

	for (i = 0; i < c->count; i++) {
		if (!virtgpu_capset_begin_query(&c->sets[i]))
			continue;
		msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_capset_info));
		if (!msg) {
			virtgpu_capset_cancel_query(&c->sets[i]);
			break;
		}
		virtgpu_cmd_get_capset_info(msg, i);
		msg->priv = &c->sets[i];
		msg->complete = virtgpu_capset_info_complete;
		virtgpu_vq_queue_msg(c->queue, msg);
	}
	virtgpu_vq_kick(c->queue);
}

static bool virtgpu_capsets_all_valid(struct virtgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (!READ_ONCE(c->sets[i].valid))
			return false;

	return true;
}

static bool virtgpu_capsets_none_pending(struct virtgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (READ_ONCE(c->sets[i].query_pending))
			return false;

	return true;
}

/* Wait until no query is pending. */
static int virtgpu_capsets_wait_info(struct virtgpu_capsets *c)
{
	u32 i;
	int ret;

	if (virtgpu_capsets_all_valid(c))
		return 0;
	if (!virtgpu_vq_is_wedged(c->queue))
		virtgpu_capsets_query(c);

	ret = virtgpu_vq_wait_event(c->queue, virtgpu_capsets_none_pending(c));
	if (ret == -ETIMEDOUT) {
		/*
		 * The host skipped a message, maybe a query. Let the next
		 * caller repeat the queries that have no response.
		 */
		for (i = 0; i < c->count; i++)
			virtgpu_capset_cancel_query(&c->sets[i]);
	}

	/* Valid sets remain usable even if other queries failed. */
	return ret == -EINTR ? ret : 0;
}

/**
 * virtgpu_capsets_ids() - Get a mask of the sets that the host has
 * @c: the sets
 * @ids: filled in with a mask of capability set IDs
 *
 * Context: May sleep; waits for the host.
 * Return: 0 on success, or -EINTR for a fatal signal. Sets with failed queries
 * are missing in @ids.
 */
int virtgpu_capsets_ids(struct virtgpu_capsets *c, u64 *ids)
{
	u32 i;
	int ret;

	*ids = 0;
	ret = virtgpu_capsets_wait_info(c);
	if (ret)
		return ret;

	/* Some hosts pad their lists with sets of ID 0. */
	spin_lock_irq(&c->lock);
	for (i = 0; i < c->count; i++)
		if (c->sets[i].valid && c->sets[i].id &&
		    c->sets[i].id <= VIRTGPU_CAPSET_MAX)
			*ids |= BIT_ULL(c->sets[i].id);
	spin_unlock_irq(&c->lock);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_capsets_ids);

/* Caller must hold @c->lock. */
static struct virtgpu_capset *virtgpu_capset_find(struct virtgpu_capsets *c, u32 id, u32 version)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (c->sets[i].valid && id && c->sets[i].id == id &&
		    c->sets[i].max_version >= version)
			return &c->sets[i];

	return NULL;
}

/* Query the contents of a set and replace the cached version. */
static struct virtgpu_msg *virtgpu_capset_fetch(struct virtgpu_capsets *c,
						struct virtgpu_capset *set,
						u32 id, u32 version, u32 size)
{
	struct virtgpu_msg *msg, *old;
	int ret;

	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_capset) + size);
	if (!msg)
		return ERR_PTR(-ENOMEM);

	/* The response may be shorter. */
	memset(msg->resp, 0, msg->resp_size);
	virtgpu_cmd_get_capset(msg, id, version);
	ret = virtgpu_vq_send_sync(c->queue, msg);
	if (ret) {
		virtgpu_msg_put(msg);
		return ERR_PTR(ret);
	}

	virtgpu_msg_get(msg);
	spin_lock_irq(&c->lock);
	old = set->data;
	set->data = msg;
	set->data_version = version;
	spin_unlock_irq(&c->lock);
	virtgpu_msg_put(old);

	return msg;
}

/**
 * virtgpu_capset_get() - Get the contents of a set
 * @c: the sets
 * @id: ID of the set
 * @version: version of the set
 * @size: filled in with the size of the set in bytes
 *
 * Context: May sleep; waits for the host.
 * Return: a reference to a message with a struct virtio_gpu_resp_capset as its
 * response, ERR_PTR(-EINVAL) if the host does not have the set,
 * ERR_PTR(-ENOMEM), ERR_PTR(-EINTR), ERR_PTR(-ETIMEDOUT), ERR_PTR(-EIO) if the
 * device is unresponsive, or the host's error.
 */
struct virtgpu_msg *virtgpu_capset_get(struct virtgpu_capsets *c, u32 id, u32 version, u32 *size)
{
	struct virtgpu_msg *msg = NULL;
	struct virtgpu_capset *set;
	int ret;

	spin_lock_irq(&c->lock);
	set = virtgpu_capset_find(c, id, version);
	spin_unlock_irq(&c->lock);
	if (!set) {
		ret = virtgpu_capsets_wait_info(c);
		if (ret)
			return ERR_PTR(ret);
	}

	spin_lock_irq(&c->lock);
	set = virtgpu_capset_find(c, id, version);
	if (set) {
		*size = set->max_size;
		if (set->data && set->data_version == version) {
			msg = set->data;
			virtgpu_msg_get(msg);
		}
	}
	spin_unlock_irq(&c->lock);

	if (!set || *size > MAX_SIZE)
		return ERR_PTR(-EINVAL);

	return msg ?: virtgpu_capset_fetch(c, set, id, version, *size);
}
