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
 * vgpu_queue_publish() puts a message into the ring, or, while the ring is full,
 * into a backlog that the virtqueue callback moves on.  Queueing never waits for
 * room, so a commit of sixteen outputs works on a ring of sixteen entries.  The
 * device is notified by vgpu_queue_kick(), once for each operation.
 *
 * Callers that let user space create work call vgpu_queue_throttle() first.  It
 * leaves a quarter of the ring to the display and to teardown, and gives each
 * context at most half of what the others leave of the rest, so that a program
 * whose jobs take hours delays no other program's calls.
 *
 * No decision rests on the age of a message.  The device is unresponsive when it has
 * responded to nothing for ten seconds although the oldest command in the ring is one
 * that hosts respond to at once, or, behind rendering, has not responded to a probe
 * for ten seconds.  A RESOURCE_FLUSH at the head of the ring is neither: the host's
 * display holds the frame, and hosts take no other command meanwhile.  Nor is what
 * stands behind a flush that a host with a renderer has responded to; if such a host
 * dies just then, that is not found out.  While the
 * device is unresponsive, new commands of callers that would wait fail with -EIO, and
 * the watchdog goes on probing.  Messages keep their memory until the device has given
 * them back or was reset, and so do fences stay unsignalled.
 */

/* Callers that must not wait see a congested queue at this length. */
#define CROWDED_AT 2048

/* Commands of a frame at most: transfer, scanout, flush. */
#define FRAME_MSGS 3

/* Watchdog periods between two looks while only rendering is outstanding. */
#define RELAXED_TICKS 10

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

/* Of up to three buffers the event index is that of the last one. */
static bool ring_enable_last(struct vgpu_queue *q)
{
	return virtqueue_enable_cb_delayed(q->ring);
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
	.enable_last = ring_enable_last,
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

static enum vgpu_msg_class msg_class(const struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	if (msg->cursor)
		return VGPU_MSG_CURSOR;

	switch (vgpu_msg_type(msg)) {
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		return VGPU_MSG_DISPLAY;
	case VIRTIO_GPU_CMD_SUBMIT_3D:
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D:
		return VGPU_MSG_RENDER;
	default:
		/* Renderers end fences in the order of their timeline. */
		return q->renders && msg->fenced ? VGPU_MSG_RENDER : VGPU_MSG_PROMPT;
	}
}

static void to_ring_list(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	msg->state = VGPU_MSG_RING;
	msg->serial = ++q->serial;
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

static size_t payload_bytes(const struct vgpu_msg *msg)
{
	const struct vgpu_entries *e = msg->payload;

	if (!e)
		return 0;

	return e->count ? e->count * sizeof(struct virtio_gpu_mem_entry) : e->bytes;
}

static void client_add(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	/* Request, payload and response. */
	msg->slots = 1;
	if (!msg->client->bound && !q->indirect)
		msg->slots = 2 + (msg->payload ? msg->payload->sgt.nents : 0);
	if (!msg->client->bound)
		q->client_slots += msg->slots;
	msg->client->slots += msg->slots;
	msg->client->bytes += payload_bytes(msg);
}

static void client_remove(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	if (!msg->client->bound)
		q->client_slots -= msg->slots;
	msg->client->slots -= msg->slots;
	msg->client->bytes -= payload_bytes(msg);
}

/* Update the accounting for messages that have ended.  Caller must hold @q->lock. */
static void account_ended(struct vgpu_queue *q, struct list_head *ended)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, ended, link) {
		if (msg->state == VGPU_MSG_ENDED)
			continue;
		msg->state = VGPU_MSG_ENDED;
		q->outstanding--;
		if (msg->client)
			client_remove(q, msg);
		/* Do not count commands that a suspend or the end of the device has cut off. */
		if (msg->error && msg->error != -ENODEV)
			q->stats.errors++;
	}
}

/* Account for a message and put it into the backlog.  Caller must hold @q->lock. */
static void enlist(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	if (msg->fence)
		vgpu_fence_arm(msg->fence);
	if (msg->fence || msg->fenced) {
		msg->fenced = true;
		msg->request.hdr.flags |= cpu_to_le32(VIRTIO_GPU_FLAG_FENCE);
		msg->request.hdr.fence_id = cpu_to_le64(q->next_fence++);
	}
	msg->class = msg_class(q, msg);
	trace_vgpu_queue(q, msg);
	q->stats.commands[vgpu_stat_index(vgpu_msg_type(msg))]++;
	q->outstanding++;
	if (msg->client)
		client_add(q, msg);
	/* Waiters see that the device is unresponsive and do not wait. */
	if (q->wedged)
		complete_all(&msg->finished);
	msg->state = VGPU_MSG_BACKLOG;
	list_add_tail(&msg->link, &q->backlog);
}

/* Have the watchdog look at the queue soon.  Caller must hold @q->lock. */
static void watch(struct vgpu_queue *q)
{
	if (q->gone)
		return;
	if (!delayed_work_pending(&q->watchdog)) {
		q->ticks = 1;
		queue_delayed_work(system_highpri_wq, &q->watchdog, VGPU_WATCHDOG_PERIOD);
	} else if (q->ticks != 1) {
		q->ticks = 1;
		mod_delayed_work(system_highpri_wq, &q->watchdog, VGPU_WATCHDOG_PERIOD);
	}
}

/*
 * A frame alone in the ring needs no interrupt before the response to its flush, which
 * comes when the host's display has taken it.  Anything else that is queued meanwhile
 * does.  Caller must hold @q->lock.
 */
static void choose_interrupt(struct vgpu_queue *q, struct vgpu_msg *msgs[], unsigned int n)
{
	bool alone = n > 1 && n <= FRAME_MSGS && q->outstanding == n &&
		     msgs[n - 1]->class == VGPU_MSG_DISPLAY &&
		     msgs[n - 1]->state == VGPU_MSG_RING;

	if (q->gone || alone == q->enabled_last)
		return;
	q->enabled_last = alone;
	if (!(alone ? q->ops->enable_last(q) : q->ops->enable(q)))
		queue_work(system_highpri_wq, &q->drain);
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
	choose_interrupt(q, msgs, n);
	watch(q);
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_publish_batch);

/**
 * vgpu_queue_end - run the callbacks of messages that have ended
 * @q: the queue
 * @ended: from vgpu_queue_publish_batch(); empty afterwards
 *
 * Context: any, without locks that the callbacks take.
 */
void vgpu_queue_end(struct vgpu_queue *q, struct list_head *ended)
{
	if (list_empty(ended))
		return;

	end_messages(ended);
	wake_up_all(&q->wait);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_end);

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
	vgpu_queue_end(q, &ended);
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

/**
 * vgpu_queue_is_crowded - is the device far behind?
 * @q: the queue
 *
 * For operations that must not wait and that nothing else bounds.
 *
 * Context: any.
 * Return: true if too much is outstanding to add to it.
 */
bool vgpu_queue_is_crowded(struct vgpu_queue *q)
{
	/* On a device that is gone nothing stays outstanding. */
	return READ_ONCE(q->outstanding) >= CROWDED_AT && !READ_ONCE(q->gone);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_is_crowded);

/**
 * vgpu_queue_is_wedged - is the device unresponsive?
 * @q: the queue
 *
 * Context: any.
 * Return: true until the device has responded to something.
 */
bool vgpu_queue_is_wedged(struct vgpu_queue *q)
{
	return READ_ONCE(q->wedged);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_is_wedged);

/**
 * vgpu_queue_has_room - may a program queue more?
 * @q: the queue
 * @client: the program, or NULL
 *
 * A client may take half of what the others leave of the clients' share.  So each
 * further client finds room, however much those before have outstanding.
 *
 * Context: any.
 * Return: true if vgpu_queue_throttle() would not wait.
 */
bool vgpu_queue_has_room(const struct vgpu_queue *q, const struct vgpu_client *client)
{
	unsigned int share = q->ring_size - q->ring_size / 4;
	unsigned int all = READ_ONCE(q->client_slots);
	unsigned int own = client ? READ_ONCE(client->slots) : 0;
	unsigned int others = all - min(own, all);

	if (client && client->bound)
		return own < client->bound;
	if (client && READ_ONCE(client->bytes) >= VGPU_CLIENT_BYTES)
		return false;

	return all < share && own < max((share - others) / 2, 1);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_has_room);

/**
 * vgpu_queue_throttle - wait until a program may queue more
 * @q: the queue
 * @client: the program, or NULL for one whose messages are not counted
 *
 * For the start of an operation that user space can repeat at will.
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: 0; -EINTR for a fatal signal; -ENODEV; -EIO if the device is unresponsive.
 */
int vgpu_queue_throttle(struct vgpu_queue *q, const struct vgpu_client *client)
{
	int ret;

	if (vgpu_queue_is_wedged(q))
		return -EIO;
	if (READ_ONCE(q->gone))
		return -ENODEV;
	if (likely(vgpu_queue_has_room(q, client)))
		return 0;

	vgpu_queue_kick(q);
	do {
		ret = vgpu_queue_wait_event(q, vgpu_queue_has_room(q, client));
	} while (ret == -ETIMEDOUT);
	if (!ret && READ_ONCE(q->gone))
		ret = -ENODEV;

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_throttle);

/**
 * vgpu_queue_close_client - the host has ended all that belongs to a client
 * @q: the queue
 * @client: its context has ended, and the host has confirmed that
 *
 * What the host does not respond to within ten seconds from now it never will.  The
 * fences of such messages are signalled with -ECANCELED then.
 *
 * Context: any, without @q's lock.
 */
void vgpu_queue_close_client(struct vgpu_queue *q, struct vgpu_client *client)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	client->closed = true;
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_close_client);

/**
 * vgpu_queue_wait_msg - wait for the host's response
 * @q: the queue
 * @msg: a message that was queued, of which the caller holds a reference
 *
 * Waits until the device responds or is found unresponsive, so also for as long as its
 * display holds a frame.
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: the message's result; -EINTR for a fatal signal; -ETIMEDOUT if the device is
 * unresponsive, or has skipped the message.
 */
int vgpu_queue_wait_msg(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	bool ended;

	if (wait_for_completion_state(&msg->finished, VGPU_WAIT_STATE))
		return -EINTR;

	spin_lock_irq(&q->lock);
	ended = msg->state == VGPU_MSG_ENDED;
	spin_unlock_irq(&q->lock);

	return ended ? msg->error : -ETIMEDOUT;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_wait_msg);

/**
 * vgpu_queue_send_sync - queue, notify, wait
 * @q: the queue
 * @msg: a filled message of which the caller keeps its reference
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: see vgpu_queue_wait_msg(); -EIO, with nothing sent, if the device is
 * unresponsive.
 */
int vgpu_queue_send_sync(struct vgpu_queue *q, struct vgpu_msg *msg)
{
	if (vgpu_queue_is_wedged(q))
		return -EIO;

	vgpu_msg_get(msg);
	vgpu_queue_publish(q, msg);
	vgpu_queue_kick(q);

	return vgpu_queue_wait_msg(q, msg);
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
		q->responses++;
		q->answered = max(q->answered, msg->serial);
		if (msg->class != VGPU_MSG_RENDER)
			q->after_flush = msg->class == VGPU_MSG_DISPLAY;
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
		back = q->wedged;
		q->wedged = false;
	}
	/* A caller that is still queueing its batch notifies the device itself. */
	kick = pump(q, &ended) && prepare_kick(q);
	account_ended(q, &ended);
	q->enabled_last = false;
	more = !q->ops->enable(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();

	if (back)
		dev_info(q->dev, "%s queue: device is responding again\n", q->name);
	end_messages(&ended);
	if (wq_has_sleeper(&q->wait))
		wake_up_all(&q->wait);

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
 * Watchdog
 */

/* Has the device responded to a later message?  Caller must hold @q->lock. */
static bool is_overtaken(const struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	return msg->serial < q->answered;
}

/*
 * The oldest message whose response says that the device makes progress: not one that
 * the device has passed by, unless that is rendering, which later commands do not wait
 * for.  Caller must hold @q->lock.
 */
static struct vgpu_msg *oldest(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (!msg->timed_out &&
		    (msg->class == VGPU_MSG_RENDER || !is_overtaken(q, msg)))
			return msg;

	return NULL;
}

/*
 * Is the display the reason why @msg, the oldest, has no response?  Hosts with a renderer
 * respond to the flush when that has finished, and take no command behind it while the
 * display holds the frame.  Caller must hold @q->lock.
 */
static bool display_holds(const struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	return msg->class == VGPU_MSG_DISPLAY || (q->renders && q->after_flush);
}

/* Does the display hold back what came before @msg?  Caller must hold @q->lock. */
static bool behind_display(struct vgpu_queue *q, const struct vgpu_msg *msg)
{
	const struct vgpu_msg *before;

	if (msg->state != VGPU_MSG_RING)
		return true;
	list_for_each_entry(before, &q->in_ring, link) {
		if (before == msg)
			break;
		if (before->class == VGPU_MSG_DISPLAY)
			return true;
	}

	return false;
}

/**
 * enum verdict - what the watchdog has found
 * @GOOD: nothing to do
 * @PROBE: send a command that hosts respond to at once
 * @WEDGED: the device is unresponsive
 */
enum verdict { GOOD, PROBE, WEDGED };

/* Look at the head of the ring.  Caller must hold @q->lock. */
static enum verdict judge(struct vgpu_queue *q)
{
	unsigned int limit = VGPU_UNRESPONSIVE_TICKS;
	struct vgpu_msg *msg = oldest(q);

	if (q->responses != q->seen || !msg)
		q->stalled = 0;
	else
		q->stalled += q->ticks;
	q->seen = q->responses;
	if (q->gone || !q->outstanding)
		return GOOD;
	/* A broken device responds to nothing. */
	if (q->ops->dead(q))
		return q->wedged ? GOOD : WEDGED;
	if (!msg)
		return GOOD;
	if (display_holds(q, msg) || msg->class == VGPU_MSG_CURSOR) {
		q->stalled = 0;
		return GOOD;
	}

	if (msg->class == VGPU_MSG_RENDER)
		limit *= 2;
	if (q->stalled >= limit / 2 && !q->probe)
		return PROBE;
	if (q->wedged || q->stalled < limit)
		return GOOD;
	/* Rendering may take hours; only the probe behind it decides. */
	if (msg->class == VGPU_MSG_RENDER && (!q->probe || behind_display(q, q->probe)))
		return GOOD;

	return WEDGED;
}

/* Is there nothing that the device has to respond to soon?  Caller must hold @q->lock. */
static bool only_renders(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->class != VGPU_MSG_RENDER)
			return false;

	return list_empty(&q->backlog) && !q->kick;
}

/*
 * Let callers return that wait for what hosts respond to at once, if this one has
 * responded to later messages only, for long.  Caller must hold @q->lock.
 */
static bool skip_messages(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;
	bool skipped = false;

	list_for_each_entry(msg, &q->in_ring, link) {
		if (!is_overtaken(q, msg))
			break;
		if (msg->class != VGPU_MSG_PROMPT || msg->timed_out)
			continue;
		msg->ticks += q->ticks;
		if (msg->ticks < VGPU_UNRESPONSIVE_TICKS)
			continue;
		msg->timed_out = true;
		q->lost++;
		q->stats.timeouts++;
		complete_all(&msg->finished);
		skipped = true;
	}

	return skipped;
}

/* Let all callers that wait for the device return.  Caller must hold @q->lock. */
static void set_wedged(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;

	q->wedged = true;
	list_for_each_entry(msg, &q->in_ring, link)
		complete_all(&msg->finished);
	list_for_each_entry(msg, &q->backlog, link)
		complete_all(&msg->finished);
}

static void probe_done(struct vgpu_msg *msg)
{
	struct vgpu_queue *q = msg->owner;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->probe = NULL;
	spin_unlock_irqrestore(&q->lock, flags);
}

static void send_probe(struct vgpu_queue *q)
{
	struct vgpu_msg *msg = q->alloc_probe ? q->alloc_probe(q) : NULL;

	/* Without memory the next period tries again. */
	if (!msg)
		return;

	msg->owner = q;
	msg->done = probe_done;
	spin_lock_irq(&q->lock);
	q->probe = msg;
	q->stats.probes++;
	spin_unlock_irq(&q->lock);
	vgpu_queue_publish(q, msg);
	vgpu_queue_kick(q);
}

static void report_wedged(struct vgpu_queue *q)
{
	dev_err(q->dev, "%s queue: device is not responding; failing new commands with -EIO\n",
		q->name);
	if (q->on_wedged)
		q->on_wedged(q);
}

/*
 * A message whose client the host has ended, and which the host has not responded to
 * for long since then; with a reference.  Caller must hold @q->lock.
 */
static struct vgpu_msg *abandoned(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->closed_ticks == VGPU_UNRESPONSIVE_TICKS && !msg->timed_out) {
			msg->timed_out = true;
			vgpu_msg_get(msg);
			return msg;
		}

	return NULL;
}

static void end_abandoned(struct vgpu_queue *q)
{
	struct vgpu_msg *msg;

	spin_lock_irq(&q->lock);
	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->client && msg->client->closed &&
		    msg->closed_ticks < VGPU_UNRESPONSIVE_TICKS)
			msg->closed_ticks = min(msg->closed_ticks + q->ticks,
						VGPU_UNRESPONSIVE_TICKS);
	while ((msg = abandoned(q))) {
		spin_unlock_irq(&q->lock);
		if (msg->fence)
			vgpu_fence_signal(msg->fence, -ECANCELED);
		vgpu_msg_put(msg);
		spin_lock_irq(&q->lock);
	}
	spin_unlock_irq(&q->lock);
}

/*
 * An operation that failed half way has not notified the device.  One that is still
 * running has queued something since the last look.  Caller must hold @q->lock.
 */
static bool kick_missed(struct vgpu_queue *q)
{
	struct vgpu_msg *newest;

	if (!q->kick || list_empty(&q->in_ring))
		return false;

	newest = list_last_entry(&q->in_ring, struct vgpu_msg, link);
	if (newest->seen)
		return true;
	newest->seen = true;

	return false;
}

static void watchdog_work(struct work_struct *work)
{
	struct vgpu_queue *q = container_of(to_delayed_work(work),
					    struct vgpu_queue, watchdog);
	enum verdict verdict;
	unsigned int ticks;
	bool kick, skipped;

	/* Responses to the commands before a flush may have come without an interrupt. */
	if (READ_ONCE(q->enabled_last))
		take_all_replies(q, 0);
	spin_lock_irq(&q->lock);
	kick = kick_missed(q);
	skipped = skip_messages(q);
	verdict = judge(q);
	if (verdict == WEDGED)
		set_wedged(q);
	spin_unlock_irq(&q->lock);

	if (kick)
		vgpu_queue_kick(q);
	if (verdict == PROBE)
		send_probe(q);
	if (verdict == WEDGED)
		report_wedged(q);
	if (skipped || verdict == WEDGED)
		wake_up_all(&q->wait);
	end_abandoned(q);
	if (q->on_tick)
		q->on_tick(q);

	spin_lock_irq(&q->lock);
	if (q->outstanding && !q->gone) {
		ticks = only_renders(q) ? RELAXED_TICKS : 1;
		/* Unless a message that was queued meanwhile has asked for a look. */
		if (queue_delayed_work(system_highpri_wq, &q->watchdog,
				       ticks * VGPU_WATCHDOG_PERIOD))
			q->ticks = ticks;
	}
	spin_unlock_irq(&q->lock);
}

/*
 * Setup and teardown
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
	init_waitqueue_head(&q->wait);
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
	q->ticks = 1;
	q->stalled = 0;
	q->after_flush = false;
	q->enabled_last = false;
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

	/* Wait for concurrent vgpu_queue_kick(). */
	synchronize_rcu();

	end_messages(&ended);
	wake_up_all(&q->wait);
	cancel_work_sync(&q->drain);
	cancel_delayed_work_sync(&q->watchdog);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_queue_stop);

/**
 * vgpu_queue_panic_send - publish and notify with the machine going down
 * @q: the queue
 * @msgs: filled messages, reserved long ago; the owner keeps its references
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
