/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_VQ_H
#define VIRTGPU_VQ_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "virtgpu_wire.h"

struct drm_device;
struct scatterlist;
struct virtgpu_msg;
struct virtgpu_vq;

/*
 * Minimum number of entries of a virtqueue: a request, two segments of its
 * payload, and the response.
 */
#define VIRTGPU_VQ_MIN_SIZE	4

/* Period of the watchdog while messages are pending. */
#define VIRTGPU_WATCHDOG_PERIOD	(HZ / 4)

/*
 * Watchdog periods without a response after which the device is unresponsive:
 * ten seconds.  Jiffies are not compared, because they jump when the guest was
 * paused.
 */
#define VIRTGPU_UNRESPONSIVE_TICKS	40

/*
 * Task state of callers that wait for the host.  The freezer must not wait for
 * such callers, because a display may hold a frame for longer than the
 * freezer's timeout. Callers may hold at most a lock of their own open file.
 */
#define VIRTGPU_WAIT_STATE (TASK_KILLABLE | TASK_FREEZABLE_UNSAFE)

/* Limit of the payload of a client's pending messages, in bytes. */
#define VIRTGPU_CLIENT_BYTES	SZ_64M

/**
 * struct virtgpu_vq_ring_info - Description of a ring, for tracing
 * @dev: index of the virtio device
 * @index: index of the virtqueue
 * @num_free: free descriptors
 */
struct virtgpu_vq_ring_info {
	int dev;
	unsigned int index;
	unsigned int num_free;
};

/**
 * struct virtgpu_vq_ops - Operations of a ring
 * @add: add a message to the ring; -ENOSPC if the ring has no room for it
 * @prepare_kick: return true if the device must be notified of added messages
 * @kick: notify the device; called without &virtgpu_vq.lock
 * @get: remove a used message from the ring, NULL if there is none
 * @enable: enable the interrupt; false if there already is a used message
 * @enable_last: enable the interrupt for when all messages in the ring are
 *	used, or earlier; false if some or most of them already are
 * @disable: disable the interrupt
 * @detach: after a reset of the device: remove an unused message, NULL if there
 *	is none
 * @dead: return true if the device is broken
 * @info: describe the ring, for tracing
 *
 * All operations but @kick are called with &virtgpu_vq.lock held.  The table
 * lets KUnit tests replace the virtqueue by a scripted device.
 */
struct virtgpu_vq_ops {
	int (*add)(struct virtgpu_vq *q, struct scatterlist *sgs[],
		   unsigned int out, unsigned int in, struct virtgpu_msg *msg);
	bool (*prepare_kick)(struct virtgpu_vq *q);
	void (*kick)(struct virtgpu_vq *q);
	struct virtgpu_msg *(*get)(struct virtgpu_vq *q, u32 *used);
	bool (*enable)(struct virtgpu_vq *q);
	bool (*enable_last)(struct virtgpu_vq *q);
	void (*disable)(struct virtgpu_vq *q);
	struct virtgpu_msg *(*detach)(struct virtgpu_vq *q);
	bool (*dead)(struct virtgpu_vq *q);
	void (*info)(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info);
};

extern const struct virtgpu_vq_ops virtgpu_virtqueue_ops;

/**
 * enum virtgpu_vq_interrupt - Responses after which the device interrupts
 * @VIRTGPU_VQ_INTERRUPT_EACH: each one
 * @VIRTGPU_VQ_INTERRUPT_LAST: see &virtgpu_vq_ops.enable_last
 * @VIRTGPU_VQ_INTERRUPT_NONE: none
 */
enum virtgpu_vq_interrupt {
	VIRTGPU_VQ_INTERRUPT_EACH,
	VIRTGPU_VQ_INTERRUPT_LAST,
	VIRTGPU_VQ_INTERRUPT_NONE,
};

/**
 * struct virtgpu_vq_stats - Counters of a queue, protected by &virtgpu_vq.lock
 * @commands: queued messages of each command, by enum virtgpu_cmd_id
 * @kicks: notifications of the device
 * @interrupts: calls of the virtqueue callback
 * @backlogged: messages that found the ring full
 * @errors: messages that completed with an error other than -ENODEV
 * @timeouts: messages that the device has skipped, see &virtgpu_msg.timed_out
 * @probes: commands that the watchdog has sent to test whether the device
 *	responds
 */
struct virtgpu_vq_stats {
	u64 commands[VIRTGPU_NUM_CMDS];
	u64 kicks;
	u64 interrupts;
	u64 backlogged;
	u64 errors;
	u64 timeouts;
	u64 probes;
};

/**
 * struct virtgpu_vq - A virtqueue and the messages queued on it
 * @drm: for log messages only
 * @name: for log messages and tracing
 * @ops: operations of @ring
 * @ring: the virtqueue
 * @ring_size: descriptors of @ring
 * @indirect: a chain of any length takes one descriptor of @ring
 * @renders: responses to fenced commands wait for rendering
 * @lock: protects all members below, and the sequence numbers of fences
 * @backlog: messages that wait for room in @ring, in order
 * @in_ring: messages that the device owns, in order
 * @num_pending: messages on @backlog and @in_ring
 * @num_deferrable: those of @num_pending with &virtgpu_msg.deferrable set
 * @client_slots: descriptors of pending messages of clients without a bound
 * @next_fence: fence_id of the next fenced command
 * @kick: a message was added to @ring since the last notification
 * @stopped: the device was removed or reset; new messages fail with -ENODEV
 * @resetting: the device is about to be reset, see virtgpu_vq_begin_reset()
 * @wedged: the device is unresponsive, see virtgpu_vq_is_wedged()
 * @serial: messages added to @ring so far
 * @last_response: highest &virtgpu_msg.serial of a used message
 * @responses: used messages so far
 * @seen: @responses in the previous run of the watchdog
 * @stalled: watchdog periods without a response
 * @ticks: watchdog periods until the next run of the watchdog
 * @skipped: messages with &virtgpu_msg.timed_out set by a skip
 * @after_flush: a RESOURCE_FLUSH was the last used message, not counting
 *	rendering
 * @interrupt: responses after which the device interrupts
 * @probe: pending probe of the watchdog, or NULL
 * @alloc_probe: allocates a command that hosts respond to at once; returns NULL
 *	if out of memory; may be NULL
 * @on_wedged: called without @lock when the device becomes unresponsive; may be
 *	NULL
 * @on_tick: called by the watchdog without @lock; may be NULL
 * @wait: wait queue of callers; woken by each response and by a stop of the
 *	queue
 * @watchdog: checks whether the device responds
 * @drain: continues a virtqueue callback that has used up its rounds
 * @stats: counters
 */
struct virtgpu_vq {
	struct drm_device *drm;
	const char *name;
	const struct virtgpu_vq_ops *ops;
	void *ring;
	unsigned int ring_size;
	bool indirect;
	bool renders;

	spinlock_t lock; /* all members below, and seqnos of fences */
	struct list_head backlog;
	struct list_head in_ring;
	unsigned int num_pending;
	unsigned int num_deferrable;
	unsigned int client_slots;
	u64 next_fence;
	bool kick;
	bool stopped;
	bool resetting;
	bool wedged;
	u64 serial;
	u64 last_response;
	u64 responses;
	u64 seen;
	unsigned int stalled;
	unsigned int ticks;
	unsigned int skipped;
	bool after_flush;
	enum virtgpu_vq_interrupt interrupt;
	struct virtgpu_msg *probe;
	struct virtgpu_msg *(*alloc_probe)(struct virtgpu_vq *q);
	void (*on_wedged)(struct virtgpu_vq *q);
	void (*on_tick)(struct virtgpu_vq *q);
	wait_queue_head_t wait;
	struct delayed_work watchdog;
	struct work_struct drain;
	struct virtgpu_vq_stats stats;
};

void virtgpu_vq_init(struct virtgpu_vq *q, struct drm_device *drm, const char *name);
void virtgpu_vq_start(struct virtgpu_vq *q, const struct virtgpu_vq_ops *ops,
		      void *ring, unsigned int ring_size);
void virtgpu_vq_begin_reset(struct virtgpu_vq *q);
void virtgpu_vq_stop(struct virtgpu_vq *q);

bool virtgpu_vq_is_congested(struct virtgpu_vq *q);
bool virtgpu_vq_is_wedged(struct virtgpu_vq *q);
bool virtgpu_vq_has_room(const struct virtgpu_vq *q, const struct virtgpu_client *client);
int virtgpu_vq_throttle(struct virtgpu_vq *q, const struct virtgpu_client *client);
void virtgpu_vq_close_client(struct virtgpu_vq *q, struct virtgpu_client *client);
void virtgpu_vq_queue_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg);
void virtgpu_vq_send_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg);
void virtgpu_vq_queue_batch(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			    unsigned int n, struct list_head *completed);
void virtgpu_vq_complete_batch(struct virtgpu_vq *q, struct list_head *completed);
void virtgpu_vq_kick(struct virtgpu_vq *q);
int virtgpu_vq_wait_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg);
int virtgpu_vq_send_sync(struct virtgpu_vq *q, struct virtgpu_msg *msg);
void virtgpu_vq_callback(struct virtgpu_vq *q);

/**
 * virtgpu_vq_wait_error() - Check whether a wait for a response must end
 * @q: the queue
 * @skipped: &virtgpu_vq.skipped when the wait began
 *
 * Return: 0 to go on waiting, -ENODEV if the queue is stopped, -EIO if the
 * device is unresponsive, -ETIMEDOUT if the device has skipped a message.
 */
static inline int virtgpu_vq_wait_error(const struct virtgpu_vq *q, unsigned int skipped)
{
	if (READ_ONCE(q->stopped))
		return -ENODEV;
	if (READ_ONCE(q->wedged))
		return -EIO;

	return READ_ONCE(q->skipped) != skipped ? -ETIMEDOUT : 0;
}

/**
 * virtgpu_vq_wait_event() - Wait for a condition that a response makes true
 * @q: the queue
 * @condition: becomes true in a callback of a message
 *
 * Has no timeout of its own: the wait lasts as long as the display holds a
 * frame.
 *
 * Context: May sleep. The caller must not hold a lock that a message callback
 * takes.
 * Return: 0 if @condition is true, -EINTR for a fatal signal, -ENODEV if the
 * queue is stopped, -EIO if the device is unresponsive, -ETIMEDOUT if the
 * device has skipped a message, which may be the awaited one.
 */
#define virtgpu_vq_wait_event(q, condition)				\
({									\
	struct virtgpu_vq *__q = (q);					\
	unsigned int __skipped = READ_ONCE(__q->skipped);		\
	bool __done = false;						\
	int __err = 0, __ret;						\
									\
	__ret = wait_event_state(__q->wait, (__done = (condition)) ||	\
				 (__err = virtgpu_vq_wait_error(__q, __skipped)), \
				 VIRTGPU_WAIT_STATE);			\
	__done ? 0 : __ret ? -EINTR : __err;				\
})

bool virtgpu_vq_panic_send(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			   unsigned int n);

unsigned int virtgpu_vq_max_segs(const struct virtgpu_vq *q);
void virtgpu_vq_fence_ids(struct virtgpu_vq *q, u64 *completed, u64 *queued);
void virtgpu_vq_get_ring_info(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info);

#endif
