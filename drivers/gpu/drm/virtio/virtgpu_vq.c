// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-fence.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <drm/drm_print.h>

#include "virtgpu_mem_entries.h"
#include "virtgpu_fence.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"
#include "virtgpu_trace.h"

/**
 * DOC: transport
 *
 * virtgpu_vq_queue_msg() adds a message to the ring.  While the ring is full,
 * messages wait in a backlog, which the virtqueue callback moves to the ring.
 * Queueing never waits for ring space, so a commit of sixteen outputs works on
 * a ring of sixteen entries.  virtgpu_vq_kick() notifies the device, once per
 * operation; for an operation of one message virtgpu_vq_send_msg() does both.
 *
 * Callers that let user space create work must call virtgpu_vq_throttle()
 * first.  A quarter of the ring is reserved for the display and for teardown.
 * Of the rest, each context may use at most half of the room that other
 * contexts leave, so that long-running jobs of one program do not delay other
 * programs.
 *
 * The device interrupts only for responses that something depends on.  A frame
 * takes one interrupt, that of its RESOURCE_FLUSH.  Deferrable messages, such
 * as submissions without a fence, take none unless others need one for each
 * response: another interrupt completes them, the watchdog, or the message that
 * makes them an eighth of the ring.
 *
 * The device is considered unresponsive in three cases: the virtqueue is
 * broken; or the oldest command in the ring is one that hosts respond to at
 * once, and no command completed for ten seconds; or the oldest command is
 * rendering, and a probe queued behind it did not complete for ten seconds.
 *
 * The age of a message alone decides nothing.  A RESOURCE_FLUSH at the head of
 * the ring is not an error, because hosts process no other command while their
 * display holds the frame.  Hosts with a renderer respond to the flush first,
 * so commands behind a completed flush do not count either; if such a host dies
 * at that point, the failure is not detected.
 *
 * While the device is unresponsive, new commands of callers that would wait
 * fail with -EIO, and the watchdog keeps at most one probe pending.  Messages
 * keep their memory, and fences stay unsignalled, until the device returns the
 * message or is reset.
 */

/* Pending messages from which on the queue is congested. */
#define CONGESTED_THRESHOLD 2048

/* Maximum number of commands of a frame: transfers, scanout, flush. */
#define FRAME_MSGS 6

/* Watchdog periods between two runs while only rendering is pending. */
#define RELAXED_TICKS 10

/*
 * Part of the ring that messages without an interrupt may use: less than what
 * virtgpu_vq_has_room() leaves to any client.
 */
#define DEFERRED_SHARE 8

/* Passes over the used ring in one interrupt. */
#define INTERRUPT_ROUNDS 4

/**
 * virtgpu_vq_max_segs() - Get the maximum number of segments of a payload
 * @q: a started queue
 *
 * A chain must not be longer than the ring, whether it is indirect or not:
 * virtio specification, 2.7.5.3.1.
 *
 * Return: descriptors that a request may use in addition to the request header
 * and the response.
 */
unsigned int virtgpu_vq_max_segs(const struct virtgpu_vq *q)
{
	return q->ring_size - 2;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_max_segs);

static u64 virtgpu_vq_first_fence_id(const struct list_head *msgs, u64 first)
{
	const struct virtgpu_msg *msg;

	list_for_each_entry(msg, msgs, link)
		if (msg->fenced)
			first = min(first, le64_to_cpu(msg->request.hdr.fence_id));

	return first;
}

/**
 * virtgpu_vq_fence_ids() - Get the progress of fenced commands
 * @q: the queue
 * @completed: set to the fence ID up to which all commands have completed
 * @queued: set to the fence ID of the last fenced command
 *
 * Context: Process context. Caller must not hold @q->lock.
 */
void virtgpu_vq_fence_ids(struct virtgpu_vq *q, u64 *completed, u64 *queued)
{
	u64 first;

	spin_lock_irq(&q->lock);
	first = virtgpu_vq_first_fence_id(&q->in_ring, q->next_fence);
	first = virtgpu_vq_first_fence_id(&q->backlog, first);
	*completed = first - 1;
	*queued = q->next_fence - 1;
	spin_unlock_irq(&q->lock);
}

static int virtgpu_vq_ring_add(struct virtgpu_vq *q, struct scatterlist *sgs[],
			       unsigned int out, unsigned int in, struct virtgpu_msg *msg)
{
	return virtqueue_add_sgs(q->ring, sgs, out, in, msg, GFP_ATOMIC);
}

static bool virtgpu_vq_ring_prepare_kick(struct virtgpu_vq *q)
{
	return virtqueue_kick_prepare(q->ring);
}

static void virtgpu_vq_ring_kick(struct virtgpu_vq *q)
{
	virtqueue_notify(q->ring);
}

static struct virtgpu_msg *virtgpu_vq_ring_get(struct virtgpu_vq *q, u32 *used)
{
	return virtqueue_get_buf(q->ring, used);
}

static bool virtgpu_vq_ring_enable(struct virtgpu_vq *q)
{
	return virtqueue_enable_cb(q->ring);
}

/*
 * With up to three buffers in the ring the event index is that of the last one.
 */
static bool virtgpu_vq_ring_enable_last(struct virtgpu_vq *q)
{
	return virtqueue_enable_cb_delayed(q->ring);
}

static void virtgpu_vq_ring_disable(struct virtgpu_vq *q)
{
	virtqueue_disable_cb(q->ring);
}

static struct virtgpu_msg *virtgpu_vq_ring_detach(struct virtgpu_vq *q)
{
	return virtqueue_detach_unused_buf(q->ring);
}

static bool virtgpu_vq_ring_dead(struct virtgpu_vq *q)
{
	return virtqueue_is_broken(q->ring);
}

static void virtgpu_vq_ring_info(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info)
{
	const struct virtqueue *vq = q->ring;

	info->dev = vq->vdev->index;
	info->index = vq->index;
	info->num_free = vq->num_free;
}

const struct virtgpu_vq_ops virtgpu_virtqueue_ops = {
	.add = virtgpu_vq_ring_add,
	.prepare_kick = virtgpu_vq_ring_prepare_kick,
	.kick = virtgpu_vq_ring_kick,
	.get = virtgpu_vq_ring_get,
	.enable = virtgpu_vq_ring_enable,
	.enable_last = virtgpu_vq_ring_enable_last,
	.disable = virtgpu_vq_ring_disable,
	.detach = virtgpu_vq_ring_detach,
	.dead = virtgpu_vq_ring_dead,
	.info = virtgpu_vq_ring_info,
};

/**
 * virtgpu_vq_get_ring_info() - Describe the ring of a queue
 * @q: the queue
 * @info: filled; all zero if @q is stopped, because its ring may be freed
 *
 * Context: Any. Caller must hold @q->lock.
 */
void virtgpu_vq_get_ring_info(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info)
{
	memset(info, 0, sizeof(*info));
	if (!q->stopped)
		q->ops->info(q, info);
}

/*
 * Queueing commands
 */

/* sg_init_one() would zero @sg once more, by a call. */
static void virtgpu_vq_set_sg(struct scatterlist *sg, void *buf, unsigned int size)
{
	sg_mark_end(sg);
	sg_set_buf(sg, buf, size);
}

static int virtgpu_vq_add_to_ring(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	struct scatterlist request = { }, resp = { }, *sgs[3];
	unsigned int out = 0, in = 0;

	lockdep_assert_held(&q->lock);

	virtgpu_vq_set_sg(&request, &msg->request, msg->cmd->request_size);
	sgs[out++] = &request;
	if (msg->payload)
		sgs[out++] = msg->payload->sgt.sgl;
	if (msg->resp_size) {
		virtgpu_vq_set_sg(&resp, msg->resp, msg->resp_size);
		sgs[out + in++] = &resp;
	}

	return q->ops->add(q, sgs, out, in, msg);
}

static enum virtgpu_msg_class virtgpu_vq_classify(const struct virtgpu_vq *q,
						  const struct virtgpu_msg *msg)
{
	if (msg->cursor)
		return VIRTGPU_MSG_CURSOR;

	switch (virtgpu_msg_type(msg)) {
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		return VIRTGPU_MSG_DISPLAY;
	case VIRTIO_GPU_CMD_SUBMIT_3D:
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D:
		return VIRTGPU_MSG_RENDER;
	default:
		/* Renderers complete fences in the order of their timeline. */
		return q->renders && msg->fenced ? VIRTGPU_MSG_RENDER : VIRTGPU_MSG_PROMPT;
	}
}

static void virtgpu_vq_mark_in_flight(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	msg->state = VIRTGPU_MSG_IN_FLIGHT;
	msg->serial = ++q->serial;
	trace_virtio_gpu_cmd_queue(q, msg, &msg->request.hdr);
	list_move_tail(&msg->link, &q->in_ring);
	q->kick = true;
}

/*
 * Returns true if the host uses memory, a range or an ID until it gets @msg.
 * Such a command must not be dropped, or the next owner would share them with
 * the host.
 */
static bool virtgpu_vq_msg_is_release(const struct virtgpu_msg *msg)
{
	switch (virtgpu_msg_type(msg)) {
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
	case VIRTIO_GPU_CMD_CTX_DESTROY:
	case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
		return true;
	default:
		return false;
	}
}

/*
 * Move messages from the backlog to the ring.  If an empty ring rejects a
 * message, the message fails with the error of the ring, unless it releases
 * something: then it stays, and the watchdog tries again.  On a broken device
 * all messages fail with -ENODEV.  Failed messages are moved to @completed.
 * Returns true if a message was added to the ring.  Caller must hold @q->lock.
 */
static bool virtgpu_vq_flush_backlog(struct virtgpu_vq *q, struct list_head *completed)
{
	struct virtgpu_msg *msg;
	bool added = false;
	int ret;

	while ((msg = list_first_entry_or_null(&q->backlog, struct virtgpu_msg, link))) {
		ret = virtgpu_vq_add_to_ring(q, msg);
		if (!ret) {
			virtgpu_vq_mark_in_flight(q, msg);
			added = true;
			continue;
		}
		if (q->ops->dead(q))
			ret = -ENODEV;
		else if (!list_empty(&q->in_ring) || virtgpu_vq_msg_is_release(msg))
			break;
		msg->error = ret;
		list_move_tail(&msg->link, completed);
	}

	return added;
}

static void virtgpu_vq_complete_list(struct list_head *completed)
{
	struct virtgpu_msg *msg, *next;
	bool cookie;

	cookie = dma_fence_begin_signalling();
	list_for_each_entry_safe(msg, next, completed, link) {
		list_del_init(&msg->link);
		virtgpu_msg_complete(msg);
	}
	dma_fence_end_signalling(cookie);
}

static size_t virtgpu_vq_payload_bytes(const struct virtgpu_msg *msg)
{
	const struct virtgpu_mem_entries *e = msg->payload;

	if (!e)
		return 0;

	return e->count ? e->count * sizeof(struct virtio_gpu_mem_entry) : e->bytes;
}

static void virtgpu_vq_charge_client(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	/* Request, payload and response. */
	msg->slots = 1;
	if (!msg->client->bound && !q->indirect)
		msg->slots = 2 + (msg->payload ? msg->payload->sgt.nents : 0);
	if (!msg->client->bound)
		q->client_slots += msg->slots;
	msg->client->slots += msg->slots;
	msg->client->bytes += virtgpu_vq_payload_bytes(msg);
}

static void virtgpu_vq_uncharge_client(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	if (!msg->client->bound)
		q->client_slots -= msg->slots;
	msg->client->slots -= msg->slots;
	msg->client->bytes -= virtgpu_vq_payload_bytes(msg);
}

/* Update the accounting for completed messages.  Caller must hold @q->lock. */
static void virtgpu_vq_account(struct virtgpu_vq *q, struct list_head *completed)
{
	struct virtgpu_msg *msg;

	list_for_each_entry(msg, completed, link) {
		if (msg->state == VIRTGPU_MSG_COMPLETED)
			continue;
		trace_virtio_gpu_cmd_response(q, msg, virtgpu_msg_resp_hdr(msg));
		msg->state = VIRTGPU_MSG_COMPLETED;
		q->num_pending--;
		q->num_deferrable -= msg->deferrable;
		if (msg->client)
			virtgpu_vq_uncharge_client(q, msg);
		/* Do not count commands cancelled by suspend or removal. */
		if (msg->error && msg->error != -ENODEV)
			q->stats.errors++;
	}
}

/*
 * Account for a message and add it to the backlog.  Caller must hold @q->lock.
 */
static void virtgpu_vq_enqueue(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	if (msg->fence)
		virtgpu_fence_emit(msg->fence);
	if (msg->fence && !msg->prompt_fence)
		msg->fenced = true;
	if (msg->fenced) {
		msg->request.hdr.flags |= cpu_to_le32(VIRTIO_GPU_FLAG_FENCE);
		msg->request.hdr.fence_id = cpu_to_le64(q->next_fence++);
	}
	msg->class = virtgpu_vq_classify(q, msg);
	q->stats.commands[msg->cmd->id]++;
	q->num_pending++;
	q->num_deferrable += msg->deferrable;
	if (msg->client)
		virtgpu_vq_charge_client(q, msg);
	/* Waiters must not wait for an unresponsive device. */
	if (q->wedged)
		complete_all(&msg->completed);
	msg->state = VIRTGPU_MSG_BACKLOG;
	list_add_tail(&msg->link, &q->backlog);
}

/* Run the watchdog within one period.  Caller must hold @q->lock. */
static void virtgpu_vq_start_watchdog(struct virtgpu_vq *q)
{
	if (q->stopped)
		return;
	if (!delayed_work_pending(&q->watchdog)) {
		q->ticks = 1;
		queue_delayed_work(system_highpri_wq, &q->watchdog, VIRTGPU_WATCHDOG_PERIOD);
	} else if (q->ticks != 1) {
		q->ticks = 1;
		mod_delayed_work(system_highpri_wq, &q->watchdog, VIRTGPU_WATCHDOG_PERIOD);
	}
}

/* Messages that need an interrupt.  Caller must hold @q->lock. */
static unsigned int virtgpu_vq_num_prompt(const struct virtgpu_vq *q)
{
	return q->num_pending - q->num_deferrable;
}

/*
 * Returns true if used messages may stay in the ring until a later interrupt:
 * no client lacks the room.  Caller must hold @q->lock.
 */
static bool virtgpu_vq_may_defer(const struct virtgpu_vq *q)
{
	return q->num_deferrable && q->client_slots <= q->ring_size / DEFERRED_SHARE &&
	       list_empty(&q->backlog);
}

/*
 * Returns true if one frame, or one other message behind deferrable ones, is
 * all that needs an interrupt.  Its response comes last, unless the host is
 * slow with a deferrable one: then the watchdog enables the interrupt for each.
 * Caller must hold @q->lock.
 */
static bool virtgpu_vq_is_alone(const struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
				unsigned int n)
{
	const struct virtgpu_msg *last = msgs[n - 1];

	if (virtgpu_vq_num_prompt(q) != n || last->state != VIRTGPU_MSG_IN_FLIGHT)
		return false;
	if (n == 1)
		return virtgpu_vq_may_defer(q);

	return n <= FRAME_MSGS && last->class == VIRTGPU_MSG_DISPLAY &&
	       (!q->num_deferrable || virtgpu_vq_may_defer(q));
}

/* Caller must hold @q->lock. */
static enum virtgpu_vq_interrupt virtgpu_vq_choose_interrupt(const struct virtgpu_vq *q,
							     struct virtgpu_msg *msgs[],
							     unsigned int n)
{
	if (msgs[n - 1]->deferrable) {
		if (!virtgpu_vq_may_defer(q))
			return VIRTGPU_VQ_INTERRUPT_EACH;
		if (!virtgpu_vq_num_prompt(q))
			return VIRTGPU_VQ_INTERRUPT_NONE;
		/* The interrupt for the messages before it comes no later. */
		return q->interrupt == VIRTGPU_VQ_INTERRUPT_LAST ? VIRTGPU_VQ_INTERRUPT_LAST :
								   VIRTGPU_VQ_INTERRUPT_EACH;
	}

	return virtgpu_vq_is_alone(q, msgs, n) ? VIRTGPU_VQ_INTERRUPT_LAST :
						 VIRTGPU_VQ_INTERRUPT_EACH;
}

/* Caller must hold @q->lock. */
static void virtgpu_vq_set_interrupt(struct virtgpu_vq *q, enum virtgpu_vq_interrupt interrupt)
{
	bool enabled = true;

	if (q->stopped || interrupt == q->interrupt)
		return;
	q->interrupt = interrupt;
	if (interrupt == VIRTGPU_VQ_INTERRUPT_NONE)
		q->ops->disable(q);
	else if (interrupt == VIRTGPU_VQ_INTERRUPT_LAST)
		enabled = q->ops->enable_last(q);
	else
		enabled = q->ops->enable(q);
	if (!enabled)
		queue_work(system_highpri_wq, &q->drain);
}

/*
 * Returns true if the device must be notified.  The caller notifies it after
 * releasing @q->lock, because the notification may trap to the host, and inside
 * an RCU read-side section, which virtgpu_vq_stop() waits for.  Caller must
 * hold @q->lock.
 */
static bool virtgpu_vq_prepare_kick(struct virtgpu_vq *q)
{
	if (!q->kick || q->stopped)
		return false;

	q->kick = false;
	if (!q->ops->prepare_kick(q))
		return false;

	q->stats.kicks++;

	return true;
}

/* Failed messages are added to @completed.  Caller must hold @q->lock. */
static void virtgpu_vq_queue_locked(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
				    unsigned int n, struct list_head *completed)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		virtgpu_vq_enqueue(q, msgs[i]);
		if (q->stopped) {
			msgs[i]->error = -ENODEV;
			list_move_tail(&msgs[i]->link, completed);
		} else if (list_is_singular(&q->backlog) || list_empty(&q->in_ring)) {
			virtgpu_vq_flush_backlog(q, completed);
		}
		if (!list_empty(&q->backlog))
			q->stats.backlogged++;
	}
	if (unlikely(!list_empty(completed)))
		virtgpu_vq_account(q, completed);
	virtgpu_vq_set_interrupt(q, virtgpu_vq_choose_interrupt(q, msgs, n));
	virtgpu_vq_start_watchdog(q);
}

/**
 * virtgpu_vq_queue_batch() - Queue messages, deferring failed ones
 * @q: the queue
 * @msgs: filled messages, in order; the caller's references pass to @q
 * @n: number of messages
 * @completed: list to which messages that fail at once are added
 *
 * For callers that hold a lock which the message callbacks take.  The caller
 * must pass @completed to virtgpu_vq_complete_batch() after releasing that
 * lock, and must kick.
 *
 * Context: Any. Caller must not hold @q->lock.
 */
void virtgpu_vq_queue_batch(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			    unsigned int n, struct list_head *completed)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	virtgpu_vq_queue_locked(q, msgs, n, completed);
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_queue_batch);

/**
 * virtgpu_vq_complete_batch() - Complete the failed messages of a batch
 * @q: the queue
 * @completed: from virtgpu_vq_queue_batch(); empty afterwards
 *
 * Context: Any. Caller must not hold locks that the message callbacks take.
 */
void virtgpu_vq_complete_batch(struct virtgpu_vq *q, struct list_head *completed)
{
	if (list_empty(completed))
		return;

	virtgpu_vq_complete_list(completed);
	wake_up_all(&q->wait);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_complete_batch);

/**
 * virtgpu_vq_queue_msg() - Queue a message; the caller must kick
 * @q: the queue
 * @msg: a filled message; the caller's reference passes to @q
 *
 * Never sleeps and never fails: on a stopped queue the message completes at
 * once with -ENODEV.
 *
 * Context: Any. Caller must not hold @q->lock.
 */
void virtgpu_vq_queue_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	LIST_HEAD(completed);

	virtgpu_vq_queue_batch(q, &msg, 1, &completed);
	virtgpu_vq_complete_batch(q, &completed);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_queue_msg);

/**
 * virtgpu_vq_send_msg() - Queue a message and notify the device
 * @q: the queue
 * @msg: a filled message; the caller's reference passes to @q
 *
 * Does the same as virtgpu_vq_queue_msg() and virtgpu_vq_kick(), for operations
 * of one message.
 *
 * Context: Any. Caller must not hold @q->lock.
 */
void virtgpu_vq_send_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	LIST_HEAD(completed);
	unsigned long flags;
	bool kick;

	rcu_read_lock();
	spin_lock_irqsave(&q->lock, flags);
	virtgpu_vq_queue_locked(q, &msg, 1, &completed);
	kick = virtgpu_vq_prepare_kick(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();
	virtgpu_vq_complete_batch(q, &completed);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_send_msg);

/**
 * virtgpu_vq_kick() - Notify the device of queued messages
 * @q: the queue
 *
 * Context: Any. Caller must not hold @q->lock.
 */
void virtgpu_vq_kick(struct virtgpu_vq *q)
{
	unsigned long flags;
	bool kick;

	rcu_read_lock();
	spin_lock_irqsave(&q->lock, flags);
	kick = virtgpu_vq_prepare_kick(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_kick);

/**
 * virtgpu_vq_is_congested() - Check whether too many messages are pending
 * @q: the queue
 *
 * For operations that can neither wait nor be bounded otherwise.
 *
 * Context: Any.
 * Return: true if the caller must not queue further messages.
 */
bool virtgpu_vq_is_congested(struct virtgpu_vq *q)
{
	/* On a stopped queue messages complete at once. */
	return READ_ONCE(q->num_pending) >= CONGESTED_THRESHOLD && !READ_ONCE(q->stopped);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_is_congested);

/**
 * virtgpu_vq_is_wedged() - Check whether the device is unresponsive
 * @q: the queue
 *
 * Context: Any.
 * Return: true until the device responds to a command.
 */
bool virtgpu_vq_is_wedged(struct virtgpu_vq *q)
{
	return READ_ONCE(q->wedged);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_is_wedged);

/**
 * virtgpu_vq_has_room() - Check whether a client may queue further messages
 * @q: the queue
 * @client: the client, or NULL
 *
 * A client may use half of the room that other clients leave, so a further
 * client usually finds room.
 *
 * Context: Any.
 * Return: true if virtgpu_vq_throttle() would not wait.
 */
bool virtgpu_vq_has_room(const struct virtgpu_vq *q, const struct virtgpu_client *client)
{
	unsigned int share = q->ring_size - q->ring_size / 4;
	unsigned int all = READ_ONCE(q->client_slots);
	unsigned int own = client ? READ_ONCE(client->slots) : 0;
	unsigned int others = all - min(own, all);

	if (client && client->bound)
		return own < client->bound;
	if (client && READ_ONCE(client->bytes) >= VIRTGPU_CLIENT_BYTES)
		return false;

	return all < share && own < max((share - others) / 2, 1);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_has_room);

/**
 * virtgpu_vq_throttle() - Wait until a client may queue further messages
 * @q: the queue
 * @client: the client, or NULL for callers without accounting
 *
 * To be called first in operations that user space can repeat without limit.
 *
 * Context: May sleep. The caller must not hold a lock that a message callback
 * takes.
 * Return: 0 on success, -EINTR for a fatal signal, -ENODEV if the queue is
 * stopped, -EIO if the device is unresponsive.
 */
int virtgpu_vq_throttle(struct virtgpu_vq *q, const struct virtgpu_client *client)
{
	int ret;

	if (virtgpu_vq_is_wedged(q))
		return -EIO;
	if (READ_ONCE(q->stopped))
		return -ENODEV;
	if (likely(virtgpu_vq_has_room(q, client)))
		return 0;

	virtgpu_vq_kick(q);
	do {
		ret = virtgpu_vq_wait_event(q, virtgpu_vq_has_room(q, client));
	} while (ret == -ETIMEDOUT);
	if (!ret && READ_ONCE(q->stopped))
		ret = -ENODEV;

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_throttle);

/**
 * virtgpu_vq_close_client() - Bound the messages of a destroyed context
 * @q: the queue
 * @client: client of a context, after completion of CTX_DESTROY
 *
 * Fences of messages that do not complete within ten seconds from now are
 * signalled with -ECANCELED.
 *
 * Context: Any. Caller must not hold @q->lock.
 */
void virtgpu_vq_close_client(struct virtgpu_vq *q, struct virtgpu_client *client)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	client->closed = true;
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_close_client);

/**
 * virtgpu_vq_wait_msg() - Wait for the completion of a message
 * @q: the queue
 * @msg: a queued message; the caller holds a reference
 *
 * Has no timeout of its own: the wait lasts as long as the display holds a
 * frame.
 *
 * Context: May sleep. The caller must not hold a lock that a message callback
 * takes.
 * Return: &virtgpu_msg.error if @msg completed, -EINTR for a fatal signal,
 * -ETIMEDOUT if the device is unresponsive or has skipped @msg.
 */
int virtgpu_vq_wait_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	bool completed;

	if (wait_for_completion_state(&msg->completed, VIRTGPU_WAIT_STATE))
		return -EINTR;

	spin_lock_irq(&q->lock);
	completed = msg->state == VIRTGPU_MSG_COMPLETED;
	spin_unlock_irq(&q->lock);

	return completed ? msg->error : -ETIMEDOUT;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_wait_msg);

/**
 * virtgpu_vq_send_sync() - Send a message and wait for its completion
 * @q: the queue
 * @msg: a filled message; the caller keeps its reference
 *
 * Context: May sleep. The caller must not hold a lock that a message callback
 * takes.
 * Return: -EIO, without sending @msg, if the device is unresponsive; otherwise
 * the result of virtgpu_vq_wait_msg().
 */
int virtgpu_vq_send_sync(struct virtgpu_vq *q, struct virtgpu_msg *msg)
{
	if (virtgpu_vq_is_wedged(q))
		return -EIO;

	virtgpu_msg_get(msg);
	virtgpu_vq_send_msg(q, msg);

	return virtgpu_vq_wait_msg(q, msg);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_send_sync);

static void virtgpu_vq_reap_used(struct virtgpu_vq *q, struct list_head *completed)
{
	struct virtgpu_msg *msg;
	u32 used;

	while ((msg = q->ops->get(q, &used))) {
		msg->resp_len = used;
		msg->error = virtgpu_msg_check_response(msg);
		list_move_tail(&msg->link, completed);
		q->responses++;
		q->last_response = max(q->last_response, msg->serial);
		if (msg->class != VIRTGPU_MSG_RENDER)
			q->after_flush = msg->class == VIRTGPU_MSG_DISPLAY;
	}
}

/*
 * Returns true if another message was used before the interrupt was enabled
 * again.  Caller must hold @q->lock.
 */
static bool virtgpu_vq_rearm(struct virtgpu_vq *q)
{
	if (!virtgpu_vq_num_prompt(q) && virtgpu_vq_may_defer(q)) {
		q->interrupt = VIRTGPU_VQ_INTERRUPT_NONE;
		return false;
	}
	/* Unless others were queued behind the operation, its last one is. */
	if (q->interrupt == VIRTGPU_VQ_INTERRUPT_LAST && !list_empty(&q->in_ring) &&
	    !list_last_entry(&q->in_ring, struct virtgpu_msg, link)->deferrable)
		return !q->ops->enable_last(q);
	q->interrupt = VIRTGPU_VQ_INTERRUPT_EACH;

	return !q->ops->enable(q);
}

/*
 * Returns false if the used ring is empty and the interrupt is enabled again,
 * or no pending message needs it.
 */
static bool virtgpu_vq_process_used_once(struct virtgpu_vq *q, unsigned int interrupts)
{
	bool kick, more, recovered = false;
	LIST_HEAD(completed);
	unsigned long flags;

	rcu_read_lock();
	spin_lock_irqsave(&q->lock, flags);
	if (q->stopped || q->resetting) {
		spin_unlock_irqrestore(&q->lock, flags);
		rcu_read_unlock();
		return false;
	}
	q->stats.interrupts += interrupts;
	q->ops->disable(q);
	virtgpu_vq_reap_used(q, &completed);
	if (!list_empty(&completed)) {
		recovered = q->wedged;
		q->wedged = false;
	}
	/* Unless the backlog moved, the queueing caller notifies the device. */
	kick = virtgpu_vq_flush_backlog(q, &completed) && virtgpu_vq_prepare_kick(q);
	virtgpu_vq_account(q, &completed);
	more = virtgpu_vq_rearm(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	rcu_read_unlock();

	if (recovered)
		drm_info(q->drm, "%s queue: device is responding again\n", q->name);
	virtgpu_vq_complete_list(&completed);
	if (wq_has_sleeper(&q->wait))
		wake_up_all(&q->wait);

	return more;
}

static void virtgpu_vq_process_used(struct virtgpu_vq *q, unsigned int interrupts)
{
	int i;

	for (i = 0; i < INTERRUPT_ROUNDS; i++) {
		if (!virtgpu_vq_process_used_once(q, interrupts))
			return;
		interrupts = 0;
	}

	queue_work(system_highpri_wq, &q->drain);
}

static void virtgpu_vq_drain_work(struct work_struct *work)
{
	virtgpu_vq_process_used(container_of(work, struct virtgpu_vq, drain), 0);
}

/**
 * virtgpu_vq_callback() - Process used messages in the virtqueue callback
 * @q: the queue
 *
 * Completes messages and signals their fences.
 *
 * Context: Hard interrupt.
 */
void virtgpu_vq_callback(struct virtgpu_vq *q)
{
	virtgpu_vq_process_used(q, 1);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_callback);

/*
 * Timeouts
 */

/*
 * Returns true if the device has responded to a later message.  Caller must
 * hold @q->lock.
 */
static bool virtgpu_vq_is_overtaken(const struct virtgpu_vq *q, const struct virtgpu_msg *msg)
{
	return msg->serial < q->last_response;
}

/*
 * Get the oldest message by which the progress of the device is judged, or
 * NULL.  Overtaken messages do not count, except rendering, which later
 * commands do not wait for.  Caller must hold @q->lock.
 */
static struct virtgpu_msg *virtgpu_vq_oldest(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (!msg->timed_out &&
		    (msg->class == VIRTGPU_MSG_RENDER || !virtgpu_vq_is_overtaken(q, msg)))
			return msg;

	return NULL;
}

/*
 * Returns true if the display may be the reason why @msg, the oldest message,
 * has no response.  Hosts with a renderer respond to RESOURCE_FLUSH when
 * rendering has finished, and then process no further command while the display
 * holds the frame.  Caller must hold @q->lock.
 */
static bool virtgpu_vq_is_held(const struct virtgpu_vq *q, const struct virtgpu_msg *msg)
{
	return msg->class == VIRTGPU_MSG_DISPLAY || (q->renders && q->after_flush);
}

/*
 * Returns true if @msg is in the backlog or behind a RESOURCE_FLUSH.  Caller
 * must hold @q->lock.
 */
static bool virtgpu_vq_is_behind_flush(struct virtgpu_vq *q, const struct virtgpu_msg *msg)
{
	const struct virtgpu_msg *before;

	if (msg->state != VIRTGPU_MSG_IN_FLIGHT)
		return true;
	list_for_each_entry(before, &q->in_ring, link) {
		if (before == msg)
			break;
		if (before->class == VIRTGPU_MSG_DISPLAY)
			return true;
	}

	return false;
}

/**
 * enum virtgpu_vq_health - Result of virtgpu_vq_check_progress()
 * @VQ_OK: nothing to do
 * @VQ_NEEDS_PROBE: a probe must be sent
 * @VQ_WEDGED: the device has become unresponsive
 */
enum virtgpu_vq_health { VQ_OK, VQ_NEEDS_PROBE, VQ_WEDGED };

/* Judge the device by the oldest message.  Caller must hold @q->lock. */
static enum virtgpu_vq_health virtgpu_vq_check_progress(struct virtgpu_vq *q)
{
	unsigned int limit = VIRTGPU_UNRESPONSIVE_TICKS;
	struct virtgpu_msg *msg = virtgpu_vq_oldest(q);

	if (q->responses != q->seen || !msg)
		q->stalled = 0;
	else
		q->stalled += q->ticks;
	q->seen = q->responses;
	if (q->stopped || !q->num_pending)
		return VQ_OK;
	/* A broken device never responds. */
	if (q->ops->dead(q))
		return q->wedged ? VQ_OK : VQ_WEDGED;
	if (!msg)
		return VQ_OK;
	if (virtgpu_vq_is_held(q, msg) || msg->class == VIRTGPU_MSG_CURSOR) {
		q->stalled = 0;
		return VQ_OK;
	}

	if (msg->class == VIRTGPU_MSG_RENDER)
		limit *= 2;
	if (q->stalled >= limit / 2 && !q->probe)
		return VQ_NEEDS_PROBE;
	if (q->wedged || q->stalled < limit)
		return VQ_OK;
	/*
	 * Rendering may take hours, so only the probe queued behind it counts.
	 */
	if (msg->class == VIRTGPU_MSG_RENDER &&
	    (!q->probe || virtgpu_vq_is_behind_flush(q, q->probe)))
		return VQ_OK;

	return VQ_WEDGED;
}

/*
 * Returns true if no command but rendering is pending.  Caller must hold
 * @q->lock.
 */
static bool virtgpu_vq_only_renders(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->class != VIRTGPU_MSG_RENDER)
			return false;

	return list_empty(&q->backlog) && !q->kick;
}

/*
 * Time out messages that the device has skipped: hosts respond to their
 * commands at once, but this device has responded to later messages for ten
 * seconds.  Returns true if there were any.  Caller must hold @q->lock.
 */
static bool virtgpu_vq_skip_overtaken(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;
	bool skipped = false;

	list_for_each_entry(msg, &q->in_ring, link) {
		if (!virtgpu_vq_is_overtaken(q, msg))
			break;
		if (msg->class != VIRTGPU_MSG_PROMPT || msg->timed_out)
			continue;
		msg->ticks += q->ticks;
		if (msg->ticks < VIRTGPU_UNRESPONSIVE_TICKS)
			continue;
		msg->timed_out = true;
		/* A probe that the device has skipped decides nothing. */
		if (q->probe == msg)
			q->probe = NULL;
		q->skipped++;
		q->stats.timeouts++;
		complete_all(&msg->completed);
		skipped = true;
	}

	return skipped;
}

/*
 * Mark the device unresponsive and wake all waiters.  Caller must hold
 * @q->lock.
 */
static void virtgpu_vq_set_wedged(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	q->wedged = true;
	list_for_each_entry(msg, &q->in_ring, link)
		complete_all(&msg->completed);
	list_for_each_entry(msg, &q->backlog, link)
		complete_all(&msg->completed);
}

static void virtgpu_vq_probe_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_vq *q = msg->priv;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	if (q->probe == msg)
		q->probe = NULL;
	spin_unlock_irqrestore(&q->lock, flags);
}

static void virtgpu_vq_send_probe(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg = q->alloc_probe ? q->alloc_probe(q) : NULL;

	/* If out of memory, the next watchdog period tries again. */
	if (!msg)
		return;

	msg->priv = q;
	msg->complete = virtgpu_vq_probe_complete;
	spin_lock_irq(&q->lock);
	q->probe = msg;
	q->stats.probes++;
	spin_unlock_irq(&q->lock);
	virtgpu_vq_send_msg(q, msg);
}

static void virtgpu_vq_report_wedged(struct virtgpu_vq *q)
{
	drm_err(q->drm, "%s queue: device is not responding; failing new commands with -EIO\n",
		q->name);
	if (q->on_wedged)
		q->on_wedged(q);
}

/*
 * Take a reference to a message of a closed client that has not completed for
 * ten seconds since the client was closed, or return NULL.  Caller must hold
 * @q->lock.
 */
static struct virtgpu_msg *virtgpu_vq_next_abandoned(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->closed_ticks == VIRTGPU_UNRESPONSIVE_TICKS && !msg->timed_out) {
			msg->timed_out = true;
			virtgpu_msg_get(msg);
			return msg;
		}

	return NULL;
}

static void virtgpu_vq_cancel_abandoned(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	spin_lock_irq(&q->lock);
	list_for_each_entry(msg, &q->in_ring, link)
		if (msg->client && msg->client->closed &&
		    msg->closed_ticks < VIRTGPU_UNRESPONSIVE_TICKS)
			msg->closed_ticks = min(msg->closed_ticks + q->ticks,
						VIRTGPU_UNRESPONSIVE_TICKS);
	while ((msg = virtgpu_vq_next_abandoned(q))) {
		spin_unlock_irq(&q->lock);
		if (msg->fence)
			virtgpu_fence_signal(msg->fence, -ECANCELED);
		virtgpu_msg_put(msg);
		spin_lock_irq(&q->lock);
	}
	spin_unlock_irq(&q->lock);
}

/*
 * Returns true if the device was not notified of a message within a watchdog
 * period, because an operation failed after queueing the message.  Caller must
 * hold @q->lock.
 */
static bool virtgpu_vq_kick_missed(struct virtgpu_vq *q)
{
	struct virtgpu_msg *newest;

	if (!q->kick || list_empty(&q->in_ring))
		return false;

	newest = list_last_entry(&q->in_ring, struct virtgpu_msg, link);
	if (newest->seen)
		return true;
	newest->seen = true;

	return false;
}

/*
 * The host is slow with the deferrable messages that are left, or never returns
 * them: others must not wait for them.  Caller must hold @q->lock.
 */
static void virtgpu_vq_end_deferral(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	if (!q->num_deferrable)
		return;
	list_for_each_entry(msg, &q->in_ring, link)
		msg->deferrable = false;
	list_for_each_entry(msg, &q->backlog, link)
		msg->deferrable = false;
	q->num_deferrable = 0;
	virtgpu_vq_set_interrupt(q, VIRTGPU_VQ_INTERRUPT_EACH);
}

static void virtgpu_vq_watchdog_work(struct work_struct *work)
{
	struct virtgpu_vq *q = container_of(to_delayed_work(work),
					    struct virtgpu_vq, watchdog);
	enum virtgpu_vq_health health;
	LIST_HEAD(completed);
	unsigned int ticks;
	bool kick, skipped;

	/* Messages may have been used without an interrupt. */
	if (READ_ONCE(q->interrupt) != VIRTGPU_VQ_INTERRUPT_EACH)
		virtgpu_vq_process_used(q, 0);
	spin_lock_irq(&q->lock);
	virtgpu_vq_end_deferral(q);
	kick = virtgpu_vq_kick_missed(q);
	/* No response moves on a backlog behind an empty ring. */
	if (list_empty(&q->in_ring) && virtgpu_vq_flush_backlog(q, &completed))
		kick = true;
	virtgpu_vq_account(q, &completed);
	skipped = virtgpu_vq_skip_overtaken(q);
	health = virtgpu_vq_check_progress(q);
	if (health == VQ_WEDGED)
		virtgpu_vq_set_wedged(q);
	spin_unlock_irq(&q->lock);

	if (kick)
		virtgpu_vq_kick(q);
	virtgpu_vq_complete_batch(q, &completed);
	if (health == VQ_NEEDS_PROBE)
		virtgpu_vq_send_probe(q);
	if (health == VQ_WEDGED)
		virtgpu_vq_report_wedged(q);
	if (skipped || health == VQ_WEDGED)
		wake_up_all(&q->wait);
	virtgpu_vq_cancel_abandoned(q);
	if (q->on_tick)
		q->on_tick(q);

	spin_lock_irq(&q->lock);
	if (q->num_pending && !q->stopped) {
		ticks = virtgpu_vq_only_renders(q) && q->interrupt == VIRTGPU_VQ_INTERRUPT_EACH ?
			RELAXED_TICKS : 1;
		/*
		 * A message queued meanwhile may have scheduled an earlier run.
		 */
		if (queue_delayed_work(system_highpri_wq, &q->watchdog,
				       ticks * VIRTGPU_WATCHDOG_PERIOD))
			q->ticks = ticks;
	}
	spin_unlock_irq(&q->lock);
}

/*
 * Setup and teardown
 */

/**
 * virtgpu_vq_init() - Initialise a queue in stopped state
 * @q: zeroed memory
 * @drm: for log messages only
 * @name: a constant string
 */
void virtgpu_vq_init(struct virtgpu_vq *q, struct drm_device *drm, const char *name)
{
	q->drm = drm;
	q->name = name;
	q->stopped = true;
	q->next_fence = 1;
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->backlog);
	INIT_LIST_HEAD(&q->in_ring);
	init_waitqueue_head(&q->wait);
	INIT_DELAYED_WORK(&q->watchdog, virtgpu_vq_watchdog_work);
	INIT_WORK(&q->drain, virtgpu_vq_drain_work);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_init);

/**
 * virtgpu_vq_start() - Accept messages
 * @q: an initialised or stopped queue
 * @ops: operations of @ring
 * @ring: the virtqueue
 * @ring_size: descriptors of @ring
 *
 * Context: Process context. Caller must not hold @q->lock.
 */
void virtgpu_vq_start(struct virtgpu_vq *q, const struct virtgpu_vq_ops *ops,
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
	q->interrupt = VIRTGPU_VQ_INTERRUPT_EACH;
	q->resetting = false;
	q->stopped = false;
	spin_unlock_irq(&q->lock);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_start);

/**
 * virtgpu_vq_begin_reset() - Leave completion to virtgpu_vq_stop()
 * @q: a queue of a device that the caller is about to reset
 *
 * A reset destroys the resources and contexts of the host, and a host may then
 * still respond to commands that it has not processed, with errors that mean
 * nothing.
 *
 * Context: Any.  Caller must not hold @q->lock.
 */
void virtgpu_vq_begin_reset(struct virtgpu_vq *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->resetting = true;
	spin_unlock_irqrestore(&q->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_begin_reset);

/**
 * virtgpu_vq_stop() - Fail all pending and new messages with -ENODEV
 * @q: a queue of a device that was reset and cannot access memory any more
 *
 * Context: May sleep.
 */
void virtgpu_vq_stop(struct virtgpu_vq *q)
{
	LIST_HEAD(completed);
	struct virtgpu_msg *msg;

	spin_lock_irq(&q->lock);
	if (!q->stopped) {
		q->stopped = true;
		while (q->ops->detach(q))
			;
	}
	list_splice_tail_init(&q->in_ring, &completed);
	list_splice_tail_init(&q->backlog, &completed);
	list_for_each_entry(msg, &completed, link)
		msg->error = -ENODEV;
	virtgpu_vq_account(q, &completed);
	spin_unlock_irq(&q->lock);

	/* Wait for concurrent notifications of the device. */
	synchronize_rcu();

	virtgpu_vq_complete_list(&completed);
	wake_up_all(&q->wait);
	/* The watchdog may queue the drain. */
	cancel_delayed_work_sync(&q->watchdog);
	cancel_work_sync(&q->drain);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_stop);

/**
 * virtgpu_vq_panic_send() - Send messages from a panic handler
 * @q: the queue
 * @msgs: filled messages, allocated in advance; the owner keeps its references
 * @n: number of messages
 *
 * Does not wait for a response, and sends nothing if @q->lock was held when the
 * kernel panicked.
 *
 * Context: Panic, other processors are stopped.
 * Return: true if the messages were queued.
 */
bool virtgpu_vq_panic_send(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			   unsigned int n)
{
	LIST_HEAD(completed);
	unsigned long flags;
	bool kick, ok;
	unsigned int i;

	if (!spin_trylock_irqsave(&q->lock, flags))
		return false;

	ok = !q->stopped;
	for (i = 0; i < n && ok; i++) {
		virtgpu_msg_get(msgs[i]);
		virtgpu_vq_enqueue(q, msgs[i]);
	}
	if (ok)
		virtgpu_vq_flush_backlog(q, &completed);
	virtgpu_vq_account(q, &completed);
	kick = virtgpu_vq_prepare_kick(q);
	spin_unlock_irqrestore(&q->lock, flags);

	if (kick)
		q->ops->kick(q);
	virtgpu_vq_complete_list(&completed);

	return ok;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vq_panic_send);
