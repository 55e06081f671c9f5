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
 * A capability set says what one of the host's renderers can do.  Which sets there
 * are is asked for when the device is set up, without waiting for the responses; a
 * caller that needs one waits for it as long as the device makes progress.  An error,
 * or no response, costs that set only, and the set is asked for again by the next
 * caller.
 *
 * The contents of a set are asked for when they are first wanted, and kept, one
 * version of each.
 */

/* Hosts have half a dozen; their sets have a few hundred bytes. */
#define MAX_SETS 64
#define MAX_SIZE SZ_1M

/**
 * virtgpu_capsets_init - nothing is known yet
 * @c: zeroed memory
 * @queue: the control queue
 * @count: how many sets the host has
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
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
 * virtgpu_capsets_fini - forget everything
 * @c: sets whose queue was stopped, or zeroed memory
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
	const struct virtio_gpu_resp_capset_info *reply = msg->resp;
	struct virtgpu_capset *set = msg->priv;
	struct virtgpu_capsets *c = set->capsets;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	set->asked = false;
	if (!msg->error) {
		set->id = le32_to_cpu(reply->capset_id);
		set->max_version = le32_to_cpu(reply->capset_max_version);
		set->max_size = le32_to_cpu(reply->capset_max_size);
		/* Some hosts fill their lists up with zeroes. */
		set->known = true;
	}
	spin_unlock_irqrestore(&c->lock, flags);
}

/* Mark a set that is neither known nor asked for: true if that is to be done now. */
static bool virtgpu_capset_begin_query(struct virtgpu_capset *set)
{
	bool unknown;

	spin_lock_irq(&set->capsets->lock);
	unknown = !set->known && !set->asked;
	if (unknown)
		set->asked = true;
	spin_unlock_irq(&set->capsets->lock);

	return unknown;
}

static void virtgpu_capset_cancel_query(struct virtgpu_capset *set)
{
	spin_lock_irq(&set->capsets->lock);
	set->asked = false;
	spin_unlock_irq(&set->capsets->lock);
}

/**
 * virtgpu_capsets_query - ask for all sets that are not known
 * @c: the sets
 *
 * Does not wait for the answers.
 *
 * Context: may sleep.
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
		if (!READ_ONCE(c->sets[i].known))
			return false;

	return true;
}

static bool virtgpu_capsets_all_answered(struct virtgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (READ_ONCE(c->sets[i].asked))
			return false;

	return true;
}

/* Wait until as much is known as there is to know. */
static int virtgpu_capsets_wait_info(struct virtgpu_capsets *c)
{
	u32 i;
	int ret;

	if (virtgpu_capsets_all_valid(c))
		return 0;
	if (!virtgpu_vq_is_wedged(c->queue))
		virtgpu_capsets_query(c);

	ret = virtgpu_vq_wait_event(c->queue, virtgpu_capsets_all_answered(c));
	if (ret == -ETIMEDOUT) {
		/* The host has skipped a query: the next caller asks again. */
		for (i = 0; i < c->count; i++)
			virtgpu_capset_cancel_query(&c->sets[i]);
	}

	/* Without a response the sets that are known remain usable. */
	return ret == -EINTR ? ret : 0;
}

/**
 * virtgpu_capsets_ids - which sets there are
 * @c: the sets
 * @ids: filled: a bit for each number
 *
 * Context: may sleep; waits for the host.
 * Return: 0, with the sets that the host has told of; -EINTR for a fatal signal.
 */
int virtgpu_capsets_ids(struct virtgpu_capsets *c, u64 *ids)
{
	u32 i;
	int ret;

	*ids = 0;
	ret = virtgpu_capsets_wait_info(c);
	if (ret)
		return ret;

	spin_lock_irq(&c->lock);
	for (i = 0; i < c->count; i++)
		if (c->sets[i].known && c->sets[i].id &&
		    c->sets[i].id <= VIRTGPU_CAPSET_MAX)
			*ids |= BIT_ULL(c->sets[i].id);
	spin_unlock_irq(&c->lock);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_capsets_ids);

/* Under the lock. */
static struct virtgpu_capset *virtgpu_capset_find(struct virtgpu_capsets *c, u32 id, u32 version)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (c->sets[i].known && id && c->sets[i].id == id &&
		    c->sets[i].max_version >= version)
			return &c->sets[i];

	return NULL;
}

/* Ask the host; what it says is kept in place of what was known. */
static struct virtgpu_msg *virtgpu_capset_fetch(struct virtgpu_capsets *c,
						struct virtgpu_capset *set,
						u32 id, u32 version, u32 size)
{
	struct virtgpu_msg *msg, *old;
	int ret;

	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_capset) + size);
	if (!msg)
		return ERR_PTR(-ENOMEM);

	/* An answer may be shorter. */
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
 * virtgpu_capset_get - the contents of a set
 * @c: the sets
 * @id: which
 * @version: which version of it
 * @size: filled: bytes
 *
 * Context: may sleep; waits for the host.
 * Return: a reference to the message whose answer has the contents, behind struct
 * virtio_gpu_resp_capset; -EINVAL for a set that the host does not have; the host's
 * error; -ETIMEDOUT; -EINTR; -ENOMEM.
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
