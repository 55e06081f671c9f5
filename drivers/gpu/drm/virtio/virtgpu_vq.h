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

/* How often the watchdog looks at a queue that has something outstanding. */
#define VIRTGPU_WATCHDOG_PERIOD	(HZ / 4)

/*
 * Watchdog periods after which a device that does not respond to what hosts respond to
 * at once is unresponsive: ten seconds.  Periods are counted, not jiffies, because
 * guest clocks jump when a machine was paused or migrated.
 */
#define VIRTGPU_UNRESPONSIVE_TICKS	40

/*
 * How callers wait for the host.  A suspend freezes them, since a display may hold its
 * frame for longer than the freezer waits; of locks they hold one of their own file at most.
 */
#define VIRTGPU_WAIT_STATE (TASK_KILLABLE | TASK_FREEZABLE_UNSAFE)

/* What the payloads of one program's outstanding messages may sum up to. */
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
 * struct virtgpu_vq_ops - what a queue needs of a ring
 * @add: put a message into the ring; -ENOSPC when there is no room for it now
 * @prepare_kick: has the device to be notified of what was added?
 * @kick: notify it; called without the queue's lock
 * @get: take a used message out of the ring, NULL if there is none
 * @enable: ask for an interrupt; false if there is something to get already
 * @enable_last: ask for an interrupt when all that is in the ring was used, or earlier;
 *	false if there is something to get already
 * @disable: ask for none
 * @detach: after the device was reset: take out a message that it never used
 * @dead: the device is broken
 * @info: describe the ring, for tracing
 *
 * All but @kick are called under the queue's lock.  The table exists so that
 * tests can script a device.
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
 * struct virtgpu_vq_stats - what a queue has done, under its lock
 * @commands: queued messages of each command, by enum virtgpu_cmd_id
 * @kicks: notifications of the device
 * @interrupts: calls of the virtqueue callback
 * @backlogged: messages that had to wait for room in the ring
 * @errors: messages that ended with an error, but for the device's end
 * @timeouts: messages that the host responded to neither before nor after later ones
 * @probes: commands sent to find out whether the device responds
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
 * struct virtgpu_vq - a virtqueue and the messages on it
 * @drm: for log messages only
 * @name: for log messages and tracing
 * @ops: the ring
 * @ring: what @ops works on
 * @ring_size: descriptors in the ring
 * @indirect: a chain takes one descriptor of the ring, however long it is
 * @renders: responses to fenced commands wait for rendering
 * @lock: protects all below, and the numbers of the fences
 * @backlog: published, no room in the ring yet; in order
 * @in_ring: the device's
 * @num_pending: length of both lists
 * @client_slots: descriptors that messages of clients take
 * @next_fence: the next fence_id on the wire
 * @kick: something was added since the last notification
 * @stopped: the device was removed or died: nothing is published any more
 * @wedged: the device is unresponsive, see virtgpu_vq_is_wedged()
 * @serial: messages that went into the ring
 * @last_response: the highest &virtgpu_msg.serial that the device has given back
 * @responses: messages that the device has given back
 * @seen: @responses at the last look of the watchdog
 * @stalled: watchdog periods without a response
 * @ticks: watchdog periods until its next look
 * @skipped: messages of &virtgpu_msg.timed_out
 * @after_flush: a RESOURCE_FLUSH was the last message, but for rendering, that the
 *	device has given back
 * @enabled_last: interrupts are on as by &virtgpu_vq_ops.enable_last
 * @probe: on its way to an unresponsive device, or NULL
 * @alloc_probe: returns a command that hosts respond to at once, or NULL without
 *	memory; may be NULL
 * @on_wedged: called, without the lock, when the device is found unresponsive; may be
 *	NULL
 * @on_tick: called by the watchdog, without the lock; may be NULL
 * @wait: waits of callers for the host; woken by each response and by the end of
 *	the device
 * @watchdog: finds out whether the device responds
 * @drain: continues a callback that had too much to do
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

	spinlock_t lock; /* all below, and the numbers of fences */
	struct list_head backlog;
	struct list_head in_ring;
	unsigned int num_pending;
	unsigned int client_slots;
	u64 next_fence;
	bool kick;
	bool stopped;
	bool wedged;
	u64 serial;
	u64 last_response;
	u64 responses;
	u64 seen;
	unsigned int stalled;
	unsigned int ticks;
	unsigned int skipped;
	bool after_flush;
	bool enabled_last;
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
void virtgpu_vq_stop(struct virtgpu_vq *q);

bool virtgpu_vq_is_congested(struct virtgpu_vq *q);
bool virtgpu_vq_is_wedged(struct virtgpu_vq *q);
bool virtgpu_vq_has_room(const struct virtgpu_vq *q, const struct virtgpu_client *client);
int virtgpu_vq_throttle(struct virtgpu_vq *q, const struct virtgpu_client *client);
void virtgpu_vq_close_client(struct virtgpu_vq *q, struct virtgpu_client *client);
void virtgpu_vq_queue_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg);
void virtgpu_vq_queue_batch(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			    unsigned int n, struct list_head *ended);
void virtgpu_vq_complete_batch(struct virtgpu_vq *q, struct list_head *ended);
void virtgpu_vq_kick(struct virtgpu_vq *q);
int virtgpu_vq_wait_msg(struct virtgpu_vq *q, struct virtgpu_msg *msg);
int virtgpu_vq_send_sync(struct virtgpu_vq *q, struct virtgpu_msg *msg);
void virtgpu_vq_callback(struct virtgpu_vq *q);

/**
 * virtgpu_vq_wait_error - is there a reason not to wait for a response?
 * @q: the queue
 * @lost: &virtgpu_vq.skipped when the wait began
 *
 * Return: 0, or the error that the wait ends with.
 */
static inline int virtgpu_vq_wait_error(const struct virtgpu_vq *q, unsigned int lost)
{
	if (READ_ONCE(q->stopped))
		return -ENODEV;
	if (READ_ONCE(q->wedged))
		return -EIO;

	return READ_ONCE(q->skipped) != lost ? -ETIMEDOUT : 0;
}

/**
 * virtgpu_vq_wait_event - wait for what a response brings about
 * @q: the queue
 * @condition: becomes true in a callback of a message
 *
 * Waits until the device responds or is found unresponsive, so also for as long as its
 * display holds a frame.
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: 0 if @condition is true; -EINTR for a fatal signal; -ENODEV without a
 * device; -EIO if the device is unresponsive; -ETIMEDOUT if the host has skipped a
 * message, perhaps the one waited for.
 */
#define virtgpu_vq_wait_event(q, condition)				\
({									\
	struct virtgpu_vq *__q = (q);					\
	unsigned int __lost = READ_ONCE(__q->skipped);			\
	bool __done = false;						\
	int __err = 0, __ret;						\
									\
	__ret = wait_event_state(__q->wait, (__done = (condition)) ||	\
				 (__err = virtgpu_vq_wait_error(__q, __lost)), \
				 VIRTGPU_WAIT_STATE);			\
	__done ? 0 : __ret ? -EINTR : __err;				\
})

bool virtgpu_vq_panic_send(struct virtgpu_vq *q, struct virtgpu_msg *msgs[],
			   unsigned int n);

unsigned int virtgpu_vq_max_segs(const struct virtgpu_vq *q);
void virtgpu_vq_fence_ids(struct virtgpu_vq *q, u64 *completed, u64 *queued);
void virtgpu_vq_get_ring_info(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info);

#endif
