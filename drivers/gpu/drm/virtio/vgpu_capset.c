// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vgpu_capset.h"
#include "virtgpu_cmd_3d.h"
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
 * vgpu_capsets_init - nothing is known yet
 * @c: zeroed memory
 * @queue: the control queue
 * @count: how many sets the host has
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vgpu_capsets_init(struct vgpu_capsets *c, struct virtgpu_vq *queue, u32 count)
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
		c->sets[i].owner = c;
		c->sets[i].index = i;
	}

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_capsets_init);

/**
 * vgpu_capsets_fini - forget everything
 * @c: sets whose queue was stopped, or zeroed memory
 */
void vgpu_capsets_fini(struct vgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		virtgpu_msg_put(c->sets[i].data);
	kfree(c->sets);
	c->sets = NULL;
	c->count = 0;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_capsets_fini);

static void info_done(struct virtgpu_msg *msg)
{
	const struct virtio_gpu_resp_capset_info *reply = msg->resp;
	struct vgpu_capset *set = msg->priv;
	struct vgpu_capsets *c = set->owner;
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
static bool claim(struct vgpu_capset *set)
{
	bool unknown;

	spin_lock_irq(&set->owner->lock);
	unknown = !set->known && !set->asked;
	if (unknown)
		set->asked = true;
	spin_unlock_irq(&set->owner->lock);

	return unknown;
}

static void unclaim(struct vgpu_capset *set)
{
	spin_lock_irq(&set->owner->lock);
	set->asked = false;
	spin_unlock_irq(&set->owner->lock);
}

/**
 * vgpu_capsets_ask - ask for all sets that are not known
 * @c: the sets
 *
 * Does not wait for the answers.
 *
 * Context: may sleep.
 */
void vgpu_capsets_ask(struct vgpu_capsets *c)
{
	struct virtgpu_msg *msg;
	u32 i;

	for (i = 0; i < c->count; i++) {
		if (!claim(&c->sets[i]))
			continue;
		msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_capset_info));
		if (!msg) {
			unclaim(&c->sets[i]);
			break;
		}
		virtgpu_cmd_get_capset_info(msg, i);
		msg->priv = &c->sets[i];
		msg->complete = info_done;
		virtgpu_vq_queue_msg(c->queue, msg);
	}
	virtgpu_vq_kick(c->queue);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_capsets_ask);

static bool all_known(struct vgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (!READ_ONCE(c->sets[i].known))
			return false;

	return true;
}

static bool all_answered(struct vgpu_capsets *c)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (READ_ONCE(c->sets[i].asked))
			return false;

	return true;
}

/* Wait until as much is known as there is to know. */
static int learn(struct vgpu_capsets *c)
{
	u32 i;
	int ret;

	if (all_known(c))
		return 0;
	if (!virtgpu_vq_is_wedged(c->queue))
		vgpu_capsets_ask(c);

	ret = virtgpu_vq_wait_event(c->queue, all_answered(c));
	if (ret == -ETIMEDOUT) {
		/* The host has skipped a query: the next caller asks again. */
		for (i = 0; i < c->count; i++)
			unclaim(&c->sets[i]);
	}

	/* Without a response the sets that are known remain usable. */
	return ret == -EINTR ? ret : 0;
}

/**
 * vgpu_capsets_ids - which sets there are
 * @c: the sets
 * @ids: filled: a bit for each number
 *
 * Context: may sleep; waits for the host.
 * Return: 0, with the sets that the host has told of; -EINTR for a fatal signal.
 */
int vgpu_capsets_ids(struct vgpu_capsets *c, u64 *ids)
{
	u32 i;
	int ret;

	*ids = 0;
	ret = learn(c);
	if (ret)
		return ret;

	spin_lock_irq(&c->lock);
	for (i = 0; i < c->count; i++)
		if (c->sets[i].known && c->sets[i].id &&
		    c->sets[i].id <= VGPU_CAPSET_MAX)
			*ids |= BIT_ULL(c->sets[i].id);
	spin_unlock_irq(&c->lock);

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_capsets_ids);

/* Under the lock. */
static struct vgpu_capset *find(struct vgpu_capsets *c, u32 id, u32 version)
{
	u32 i;

	for (i = 0; i < c->count; i++)
		if (c->sets[i].known && id && c->sets[i].id == id &&
		    c->sets[i].max_version >= version)
			return &c->sets[i];

	return NULL;
}

/* Ask the host; what it says is kept in place of what was known. */
static struct virtgpu_msg *fetch(struct vgpu_capsets *c, struct vgpu_capset *set,
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
 * vgpu_capset_get - the contents of a set
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
struct virtgpu_msg *vgpu_capset_get(struct vgpu_capsets *c, u32 id, u32 version, u32 *size)
{
	struct virtgpu_msg *msg = NULL;
	struct vgpu_capset *set;
	int ret;

	spin_lock_irq(&c->lock);
	set = find(c, id, version);
	spin_unlock_irq(&c->lock);
	if (!set) {
		ret = learn(c);
		if (ret)
			return ERR_PTR(ret);
	}

	spin_lock_irq(&c->lock);
	set = find(c, id, version);
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

	return msg ?: fetch(c, set, id, version, *size);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_capset_get);
