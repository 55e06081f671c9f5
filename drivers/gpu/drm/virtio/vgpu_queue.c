// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/dma-fence.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>

#include "vgpu_entries.h"
#include "vgpu_fence.h"
#include "vgpu_msg.h"
#include "vgpu_queue.h"
#include "vgpu_trace.h"

/**
 * DOC: transport
 *
 * vgpu_queue_publish() puts a message into the ring, or, while the ring is
 * full, behind the others in a backlog which the callback moves on.  So room in
 * the ring is nothing that a publisher has to wait for, and a commit of sixteen
 * outputs works on a ring of sixteen entries.  Who lets users create work calls
 * vgpu_queue_throttle() first, which bounds the backlog.
 *
 * A host that leaves a message without an answer for VGPU_PATIENCE, and answers to
 * nothing else either, is wedged; unless the message stands behind one that may take
 * longer, as hosts draw one after the other.  Who was waiting has his time-out by then; others
 * are refused at once until it answers again.
 *
 * Publishing does not notify the device.  The end of the operation does, with
 * vgpu_queue_kick(), once for all that was published on the way.
 */

/*
 * Published messages that a user may pile up before he has to wait.  Cursors may not
 * wait, so they have some room left.
 */
#define THROTTLE_AT 512
#define CROWDED_AT (4 * THROTTLE_AT)

/* How often the watchdog looks while there is something to look at. */
#define WATCHDOG_PERIOD (HZ / 4)

/* Rounds through the used ring in one interrupt. */
#define INTERRUPT_ROUNDS 4

/**
 * vgpu_stat_index - the counter of a command
 * @type: VIRTIO_GPU_CMD_*
 *
 * Return: an index below VGPU_STAT_COMMANDS.
 */
unsigned int vgpu_stat_index(u32 type)
{
	u32 n = type & 0xff;

	switch (type & ~0xff) {
	case 0x100:
		return n < 16 ? VGPU_STAT_2D + n : VGPU_STAT_OTHER;
	case 0x200:
		return n < 16 ? VGPU_STAT_3D + n : VGPU_STAT_OTHER;
	case 0x300:
		return n < 8 ? VGPU_STAT_CURSOR + n : VGPU_STAT_OTHER;
	default:
		return VGPU_STAT_OTHER;
	}
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_stat_index);

/**
 * vgpu_queue_max_pieces - room for a payload
 * @q: a started queue
 *
 * A chain may not be longer than the ring, indirect or not: the virtio
 * specification, 2.7.5.3.1.
 *
 * Return: descriptors that a request may have beside its two fixed ones.
 */
unsigned int vgpu_queue_max_pieces(const struct vgpu_queue *q)
{
	return q->ring_size - 2;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_max_pieces);

/*
 * Ring operations of a real virtqueue
 */

static int ring_add(struct vgpu_queue *q, struct scatterlist *sgs[],
		    unsigned int out, unsigned int in, struct vgpu_msg *msg)
{
	return virtqueue_add_sgs(q->ring, sgs, out, in, msg, GFP_ATOMIC);
}

static bool ring_prepare_kick(struct vgpu_queue *q)
{
	return virtqueue_kick_prepare(q->ring);
}

static void ring_kick(struct vgpu_queue *q)
{
	virtqueue_notify(q->ring);
}

static struct vgpu_msg *ring_get(struct vgpu_queue *q, u32 *used)
{
	return virtqueue_get_buf(q->ring, used);
}

static bool ring_enable(struct vgpu_queue *q)
{
	return virtqueue_enable_cb(q->ring);
}

static void ring_disable(struct vgpu_queue *q)
{
	virtqueue_disable_cb(q->ring);
}

static struct vgpu_msg *ring_detach(struct vgpu_queue *q)
{
	return virtqueue_detach_unused_buf(q->ring);
}

static bool ring_dead(struct vgpu_queue *q)
{
	return virtqueue_is_broken(q->ring);
}

const struct vgpu_queue_ops vgpu_virtqueue_ops = {
	.add = ring_add,
	.prepare_kick = ring_prepare_kick,
	.kick = ring_kick,
	.get = ring_get,
	.enable = ring_enable,
	.disable = ring_disable,
	.detach = ring_detach,
	.dead = ring_dead,
};

/*
 * Publication
 */

static int add_to_ring(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	struct scatterlist request, reply, *sgs[3];
	unsigned int out = 0, in = 0;

	lockdep_assert_held(&q->lock);

	sg_init_one(&request, &msg->request, msg->request_size);
	sgs[out++] = &request;
	if (msg->payload)
		sgs[out++] = msg->payload->sgt.sgl;
	if (msg->reply_size) {
		sg_init_one(&reply, msg->reply, msg->reply_size);
		sgs[out + in++] = &reply;
	}

	return q->ops->add(q, sgs, out, in, msg);
}

static void to_ring_list(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	msg->state = VGPU_MSG_RING;
	list_move_tail(&msg->link, &q->in_ring);
	q->kick = true;
}

/*
 * Fill the ring from the backlog.  A message that the ring will never take (the
 * ring is empty and still refuses it) ends with that error, on @ended; on a device
 * that is broken or was shut down, with -ENODEV.  Returns true if the ring got
 * something.
 */
static bool pump(struct vgpu_queue *q, struct list_head *ended)
{
	struct vgpu_msg *msg;
	bool added = false;
	int ret;

	while ((msg = list_first_entry_or_null(&q->backlog, struct vgpu_msg, link))) {
		ret = add_to_ring(q, msg);
		if (!ret) {
			to_ring_list(q, msg);
			added = true;
			continue;
		}
		if (q->ops->dead(q))
			ret = -ENODEV;
		else if (!list_empty(&q->in_ring))
			break;
		msg->error = ret;
		list_move_tail(&msg->link, ended);
	}

	return added;
}

static void end_messages(struct list_head *ended)
{
	struct vgpu_msg *msg, *next;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	list_for_each_entry_safe(msg, next, ended, link) {
		list_del_init(&msg->link);
		vgpu_msg_finish(msg);
	}
	dma_fence_end_signalling(cookie);
}

/* Under the lock: @ended leave the books. */
static void account_ended(struct vgpu_queue *q, struct list_head *ended)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, ended, link) {
		if (msg->state == VGPU_MSG_ENDED)
			continue;
		msg->state = VGPU_MSG_ENDED;
		q->outstanding--;
		/* Not what the end of the device, or a suspend, has cut off. */
		if (msg->error && msg->error != -ENODEV)
			q->stats.errors++;
	}
}

/* Under the lock: put a message into the books and the backlog. */
static void enlist(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	if (msg->fence)
		vgpu_fence_arm(msg->fence);
	if (msg->fence || msg->fenced) {
		msg->fenced = true;
		msg->request.hdr.flags |= cpu_to_le32(VIRTIO_GPU_FLAG_FENCE);
		msg->request.hdr.fence_id = cpu_to_le64(q->next_fence++);
	}
	trace_vgpu_queue(q, msg);
	msg->published = jiffies;
	if (!msg->patience)
		msg->patience = VGPU_PATIENCE;
	q->stats.commands[vgpu_stat_index(vgpu_msg_type(msg))]++;
	q->outstanding++;
	msg->state = VGPU_MSG_BACKLOG;
	list_add_tail(&msg->link, &q->backlog);
}

/**
 * vgpu_queue_publish_batch - queue messages that belong together
 * @q: the queue
 * @msgs: filled messages, in their order; the caller's references become the queue's
 * @n: how many
 * @ended: messages that have ended at once are added to this list
 *
 * For callers that hold a lock which callbacks of the messages take: such a caller
 * passes @ended to vgpu_queue_end() after it has released that lock.  The device is
 * not notified.
 *
 * Context: any, without @q's lock.
 */
void vgpu_queue_publish_batch(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			      unsigned int n, struct list_head *ended)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&q->lock, flags);

	for (i = 0; i < n; i++) {
		enlist(q, msgs[i]);
		if (q->gone) {
			msgs[i]->error = -ENODEV;
			list_move_tail(&msgs[i]->link, ended);
		} else if (list_is_singular(&q->backlog)) {
			pump(q, ended);
		}
		if (!list_empty(&q->backlog))
			q->stats.full++;
	}
	account_ended(q, ended);

	if (!q->gone && !delayed_work_pending(&q->watchdog))
		schedule_delayed_work(&q->watchdog, WATCHDOG_PERIOD);

	spin_unlock_irqrestore(&q->lock, flags);
}

/**
 * vgpu_queue_end - run the callbacks of messages that have ended
 * @ended: from vgpu_queue_publish_batch(); empty afterwards
 *
 * Context: any, without locks that the callbacks take.
 */
void vgpu_queue_end(struct list_head *ended)
{
	if (!list_empty(ended))
		end_messages(ended);
}

/**
 * vgpu_queue_publish - queue a message for the device
 * @q: the queue
 * @msg: a filled message; the caller's reference becomes the queue's
 *
 * Never sleeps and never fails: on a device that is gone the message ends at
 * once, with -ENODEV.  The device is not notified, see vgpu_queue_kick().
 *
 * Context: any, without @q's lock.
 */
void vgpu_queue_publish(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	LIST_HEAD(ended);

	vgpu_queue_publish_batch(q, &msg, 1, &ended);
	vgpu_queue_end(&ended);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_publish);

/*
 * Under the lock: true if the device wants to be told.  That is done without the
 * lock, as it may be a trap to the host, but inside an RCU reader which
 * vgpu_queue_stop() waits for.
 */
static bool prepare_kick(struct vgpu_queue *q)
{
	if (!q->kick || q->gone)
		return false;

	q->kick = false;
	if (!q->ops->prepare_kick(q))
		return false;

	q->stats.kicks++;

	return true;
}

/**
 * vgpu_queue_kick - notify the device of all that was published
 * @q: the queue
 *
 * Context: any, without @q's lock.
 */
void vgpu_queue_kick(struct vgpu_queue *q)
{
	unsigned long flags;
	bool kick;

	rcu_read_lock();
	spin_lock_irqsave(&q->lock, flags);
	kick = prepare_kick(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_kick);

/* Never on a device that is gone, where nothing is outstanding for long. */
static bool holds_at_least(const struct vgpu_queue *q, unsigned int n)
{
	return READ_ONCE(q->outstanding) >= n && !READ_ONCE(q->gone);
}

/**
 * vgpu_queue_is_crowded - does the device lag far behind?
 * @q: the queue
 *
 * For operations that may not wait for it, instead of vgpu_queue_throttle(); what
 * that holds back does not get as far.
 *
 * Context: any.
 * Return: true if there is too much outstanding to add to it.
 */
bool vgpu_queue_is_crowded(struct vgpu_queue *q)
{
	return holds_at_least(q, CROWDED_AT);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_is_crowded);

/**
 * vgpu_queue_is_wedged - has the host stopped answering?
 * @q: the queue
 *
 * Context: any.
 * Return: true from the first time-out to the next answer.
 */
bool vgpu_queue_is_wedged(struct vgpu_queue *q)
{
	return READ_ONCE(q->wedged);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_is_wedged);

/**
 * vgpu_queue_throttle - wait until the device has caught up
 * @q: the queue
 *
 * For the start of an operation that users can repeat at will.
 *
 * Context: may sleep; no lock that a completion needs.
 * Return: 0, -ENODEV, -ETIMEDOUT, -EIO for a host that is wedged, or -EINTR for a
 * fatal signal.
 */
int vgpu_queue_throttle(struct vgpu_queue *q)
{
	long left = 1;

	if (holds_at_least(q, THROTTLE_AT) && !vgpu_queue_is_wedged(q)) {
		vgpu_queue_kick(q);
		left = wait_event_killable_timeout(q->room,
						   !holds_at_least(q, THROTTLE_AT) ||
						   vgpu_queue_is_wedged(q),
						   VGPU_RENDER_PATIENCE);
	}
	if (left < 0)
		return -EINTR;
	if (READ_ONCE(q->gone))
		return -ENODEV;
	if (!left)
		return -ETIMEDOUT;

	return vgpu_queue_is_wedged(q) ? -EIO : 0;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_throttle);

/**
 * vgpu_queue_send_sync - publish, notify, wait
 * @q: the queue
 * @msg: a filled message of which the caller keeps his reference
 *
 * Context: may sleep; no lock that a completion needs.
 * Return: see vgpu_msg_wait(); -EIO, with nothing sent, to a host that is wedged.
 */
int vgpu_queue_send_sync(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	if (vgpu_queue_is_wedged(q))
		return -EIO;

	vgpu_msg_get(msg);
	vgpu_queue_publish(q, msg);
	vgpu_queue_kick(q);

	return vgpu_msg_wait(msg, VGPU_PATIENCE);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_send_sync);

/*
 * Completion
 */

static void collect(struct vgpu_queue *q, struct list_head *ended)
{
	struct vgpu_msg *msg;
	u32 used;

	while ((msg = q->ops->get(q, &used))) {
		msg->reply_used = used;
		msg->error = vgpu_reply_check(msg);
		list_move_tail(&msg->link, ended);
	}
}

/* One pass; false if the used ring is empty and the interrupt is on again. */
static bool take_replies(struct vgpu_queue *q, unsigned int interrupts)
{
	LIST_HEAD(ended);
	unsigned long flags;
	bool kick, more, back = false;

	rcu_read_lock();
	spin_lock_irqsave(&q->lock, flags);
	if (q->gone) {
		spin_unlock_irqrestore(&q->lock, flags);
		rcu_read_unlock();
		return false;
	}
	q->stats.interrupts += interrupts;
	q->ops->disable(q);
	collect(q, &ended);
	if (!list_empty(&ended)) {
		q->answered = jiffies;
		back = q->wedged;
		q->wedged = false;
	}
	/* A publisher that is still at his batch will notify of it himself. */
	kick = pump(q, &ended) && prepare_kick(q);
	account_ended(q, &ended);
	more = !q->ops->enable(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();

	if (back)
		dev_info(q->dev, "%s queue: the host answers again\n", q->name);
	end_messages(&ended);
	if (wq_has_sleeper(&q->room))
		wake_up_all(&q->room);

	return more;
}

static void take_all_replies(struct vgpu_queue *q, unsigned int interrupts)
{
	int i;

	for (i = 0; i < INTERRUPT_ROUNDS; i++) {
		if (!take_replies(q, interrupts))
			return;
		interrupts = 0;
	}

	queue_work(system_highpri_wq, &q->drain);
}

static void drain_work(struct work_struct *work)
{
	take_all_replies(container_of(work, struct vgpu_queue, drain), 0);
}

/**
 * vgpu_queue_interrupt - the virtqueue callback
 * @q: the queue
 *
 * Fences are signalled from here.
 *
 * Context: hard interrupt.
 */
void vgpu_queue_interrupt(struct vgpu_queue *q)
{
	take_all_replies(q, 1);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_interrupt);

/*
 * The silent host
 */

static void give_up(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	dev_err_ratelimited(q->dev, "host is silent: %s queue, command 0x%04x for %u ms\n",
			    q->name, vgpu_msg_type(msg),
			    jiffies_to_msecs(jiffies - msg->published));
	if (msg->fence)
		vgpu_fence_signal(msg->fence, -ETIMEDOUT);
}

/*
 * Under the lock: the next overdue message, with a reference.  On a broken device
 * all are: it will answer nothing.
 */
static struct vgpu_msg *overdue(struct vgpu_queue *q, struct list_head *list)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, list, link) {
		if (msg->timed_out ||
		    (time_before(jiffies, msg->published + msg->patience) && !q->ops->dead(q)))
			continue;
		msg->timed_out = true;
		q->stats.timeouts++;
		vgpu_msg_get(msg);
		return msg;
	}

	return NULL;
}

/* Under the lock: may the host still be at work on what came before @msg? */
static bool waits_its_turn(struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	const struct vgpu_msg *before;

	list_for_each_entry(before, &q->in_ring, link) {
		if (before == msg)
			break;
		if (time_before(jiffies, before->published + before->patience))
			return true;
	}

	return false;
}

/* Under the lock: @msg is overdue.  True if that is the news of a wedged host. */
static bool find_wedged(struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	if (q->wedged)
		return false;
	if (!q->ops->dead(q) && waits_its_turn(q, msg))
		return false;
	if (!q->ops->dead(q) &&
	    (msg->patience < VGPU_PATIENCE || time_after(q->answered, msg->published)))
		return false;
	q->wedged = true;

	return true;
}

static void tell_wedged(struct vgpu_queue *q)
{
	dev_err(q->dev, "%s queue: the host answers nothing any more; until it does, commands are refused\n",
		q->name);
	wake_up_all(&q->room);
	if (q->on_wedged)
		q->on_wedged(q);
}

/*
 * Under the lock: an operation that failed half way has not come to its end, the
 * kick.  One that is still at it has published something just now.
 */
static bool kick_forgotten(struct vgpu_queue *q)
{
	struct vgpu_msg *newest;

	if (!q->kick || list_empty(&q->in_ring))
		return false;

	newest = list_last_entry(&q->in_ring, struct vgpu_msg, link);

	return time_after(jiffies, newest->published + WATCHDOG_PERIOD);
}

/*
 * A message that the host does not answer keeps its place, as the device may
 * still write to it.  Its fence does not: nobody waits without a bound.
 */
static void watchdog_work(struct work_struct *work)
{
	struct vgpu_queue *q = container_of(to_delayed_work(work),
					    struct vgpu_queue, watchdog);
	struct vgpu_msg *msg;
	bool again, wedged;

	spin_lock_irq(&q->lock);
	again = kick_forgotten(q);
	spin_unlock_irq(&q->lock);
	if (again)
		vgpu_queue_kick(q);

	do {
		spin_lock_irq(&q->lock);
		msg = overdue(q, &q->in_ring);
		if (!msg)
			msg = overdue(q, &q->backlog);
		wedged = msg && find_wedged(q, msg);
		again = q->outstanding && !q->gone;
		spin_unlock_irq(&q->lock);

		if (wedged)
			tell_wedged(q);
		if (msg) {
			give_up(q, msg);
			vgpu_msg_put(msg);
		}
	} while (msg);

	if (q->on_tick)
		q->on_tick(q);
	if (again)
		schedule_delayed_work(&q->watchdog, WATCHDOG_PERIOD);
}

/*
 * Life and death
 */

/**
 * vgpu_queue_init - make a queue that refuses everything until it is started
 * @q: zeroed memory
 * @dev: for log messages
 * @name: a constant string
 */
void vgpu_queue_init(struct vgpu_queue *q, struct device *dev, const char *name)
{
	q->dev = dev;
	q->name = name;
	q->gone = true;
	q->next_fence = 1;
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->backlog);
	INIT_LIST_HEAD(&q->in_ring);
	init_waitqueue_head(&q->room);
	INIT_DELAYED_WORK(&q->watchdog, watchdog_work);
	INIT_WORK(&q->drain, drain_work);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_init);

/**
 * vgpu_queue_start - let messages through
 * @q: an initialised or stopped queue
 * @ops: how to work on @ring
 * @ring: the virtqueue
 * @ring_size: its descriptors
 */
void vgpu_queue_start(struct vgpu_queue *q, const struct vgpu_queue_ops *ops,
		      void *ring, unsigned int ring_size)
{
	spin_lock_irq(&q->lock);
	q->ops = ops;
	q->ring = ring;
	q->ring_size = ring_size;
	q->kick = false;
	q->wedged = false;
	q->answered = jiffies;
	q->gone = false;
	spin_unlock_irq(&q->lock);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_start);

/**
 * vgpu_queue_stop - end every message with -ENODEV and refuse new ones
 * @q: a queue whose device was reset, so that it cannot write any more
 *
 * Context: may sleep.
 */
void vgpu_queue_stop(struct vgpu_queue *q)
{
	LIST_HEAD(ended);
	struct vgpu_msg *msg;

	spin_lock_irq(&q->lock);
	if (!q->gone) {
		q->gone = true;
		while (q->ops->detach(q))
			;
	}
	list_splice_tail_init(&q->in_ring, &ended);
	list_splice_tail_init(&q->backlog, &ended);
	list_for_each_entry(msg, &ended, link)
		msg->error = -ENODEV;
	account_ended(q, &ended);
	spin_unlock_irq(&q->lock);

	/* Who was about to notify has done so. */
	synchronize_rcu();

	end_messages(&ended);
	wake_up_all(&q->room);
	cancel_work_sync(&q->drain);
	cancel_delayed_work_sync(&q->watchdog);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_stop);

/**
 * vgpu_queue_panic_send - publish and notify with the machine going down
 * @q: the queue
 * @msgs: filled messages, reserved long ago; their owner keeps his references
 * @n: how many
 *
 * Nothing is waited for, and nothing is sent if the queue was locked when the
 * machine stopped.
 *
 * Context: panic, other processors are stopped.
 * Return: true if the messages were published.
 */
bool vgpu_queue_panic_send(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			   unsigned int n)
{
	LIST_HEAD(ended);
	unsigned long flags;
	bool kick, ok;
	unsigned int i;

	if (!spin_trylock_irqsave(&q->lock, flags))
		return false;

	ok = !q->gone;
	for (i = 0; i < n && ok; i++) {
		vgpu_msg_get(msgs[i]);
		enlist(q, msgs[i]);
	}
	if (ok)
		pump(q, &ended);
	account_ended(q, &ended);
	kick = prepare_kick(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	end_messages(&ended);

	return ok;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_panic_send);
