/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_QUEUE_H
#define VGPU_QUEUE_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct device;
struct scatterlist;
struct vgpu_msg;
struct vgpu_queue;

/* How often the watchdog looks at a queue that has something outstanding. */
#define VGPU_WATCHDOG_PERIOD	(HZ / 4)

/*
 * Watchdog periods after which a device that does not respond to what hosts respond to
 * at once is unresponsive: ten seconds.  Periods are counted, not jiffies, because
 * guest clocks jump when a machine was paused or migrated.
 */
#define VGPU_UNRESPONSIVE_TICKS	40

/*
 * How callers wait for the host.  A suspend freezes them, since a display may hold its
 * frame for longer than the freezer waits; of locks they hold one of their own file at most.
 */
#define VGPU_WAIT_STATE (TASK_KILLABLE | TASK_FREEZABLE_UNSAFE)

/* What the payloads of one program's outstanding messages may sum up to. */
#define VGPU_CLIENT_BYTES	SZ_64M

/**
 * struct vgpu_queue_ops - what a queue needs of a ring
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
 *
 * All but @kick are called under the queue's lock.  The table exists so that
 * tests can script a device.
 */
struct vgpu_queue_ops {
	int (*add)(struct vgpu_queue *q, struct scatterlist *sgs[],
		   unsigned int out, unsigned int in, struct vgpu_msg *msg);
	bool (*prepare_kick)(struct vgpu_queue *q);
	void (*kick)(struct vgpu_queue *q);
	struct vgpu_msg *(*get)(struct vgpu_queue *q, u32 *used);
	bool (*enable)(struct vgpu_queue *q);
	bool (*enable_last)(struct vgpu_queue *q);
	void (*disable)(struct vgpu_queue *q);
	struct vgpu_msg *(*detach)(struct vgpu_queue *q);
	bool (*dead)(struct vgpu_queue *q);
};

extern const struct vgpu_queue_ops vgpu_virtqueue_ops;

/* One slot for each command of the 2D, 3D and cursor groups, one for others. */
enum {
	VGPU_STAT_2D = 0,
	VGPU_STAT_3D = 16,
	VGPU_STAT_CURSOR = 32,
	VGPU_STAT_OTHER = 40,
	VGPU_STAT_COMMANDS
};

/**
 * struct vgpu_queue_stats - what a queue has done, under its lock
 * @commands: published, by vgpu_stat_index()
 * @kicks: notifications of the device
 * @interrupts: calls of the virtqueue callback
 * @full: messages that had to wait for room in the ring
 * @errors: messages that ended with an error, but for the device's end
 * @timeouts: messages that the host responded to neither before nor after later ones
 * @probes: commands sent to find out whether the device responds
 */
struct vgpu_queue_stats {
	u64 commands[VGPU_STAT_COMMANDS];
	u64 kicks;
	u64 interrupts;
	u64 full;
	u64 errors;
	u64 timeouts;
	u64 probes;
};

/**
 * struct vgpu_queue - a virtqueue and the messages on it
 * @dev: for log messages
 * @name: for log messages and tracing
 * @ops: the ring
 * @ring: what @ops works on
 * @ring_size: descriptors in the ring
 * @indirect: a chain takes one descriptor of the ring, however long it is
 * @renders: responses to fenced commands wait for rendering
 * @lock: protects all below, and the numbers of the fences
 * @backlog: published, no room in the ring yet; in order
 * @in_ring: the device's
 * @outstanding: length of both lists
 * @client_slots: descriptors that messages of clients take
 * @next_fence: the next fence_id on the wire
 * @kick: something was added since the last notification
 * @gone: the device was removed or died: nothing is published any more
 * @wedged: the device is unresponsive, see vgpu_queue_is_wedged()
 * @serial: messages that went into the ring
 * @answered: the highest &vgpu_msg.serial that the device has given back
 * @responses: messages that the device has given back
 * @seen: @responses at the last look of the watchdog
 * @stalled: watchdog periods without a response
 * @ticks: watchdog periods until its next look
 * @lost: messages of &vgpu_msg.timed_out
 * @after_flush: a RESOURCE_FLUSH was the last message, but for rendering, that the
 *	device has given back
 * @enabled_last: interrupts are on as by &vgpu_queue_ops.enable_last
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
struct vgpu_queue {
	struct device *dev;
	const char *name;
	const struct vgpu_queue_ops *ops;
	void *ring;
	unsigned int ring_size;
	bool indirect;
	bool renders;

	spinlock_t lock; /* all below, and the numbers of fences */
	struct list_head backlog;
	struct list_head in_ring;
	unsigned int outstanding;
	unsigned int client_slots;
	u64 next_fence;
	bool kick;
	bool gone;
	bool wedged;
	u64 serial;
	u64 answered;
	u64 responses;
	u64 seen;
	unsigned int stalled;
	unsigned int ticks;
	unsigned int lost;
	bool after_flush;
	bool enabled_last;
	struct vgpu_msg *probe;
	struct vgpu_msg *(*alloc_probe)(struct vgpu_queue *q);
	void (*on_wedged)(struct vgpu_queue *q);
	void (*on_tick)(struct vgpu_queue *q);
	wait_queue_head_t wait;
	struct delayed_work watchdog;
	struct work_struct drain;
	struct vgpu_queue_stats stats;
};

void vgpu_queue_init(struct vgpu_queue *q, struct device *dev, const char *name);
void vgpu_queue_start(struct vgpu_queue *q, const struct vgpu_queue_ops *ops,
		      void *ring, unsigned int ring_size);
void vgpu_queue_stop(struct vgpu_queue *q);

bool vgpu_queue_is_crowded(struct vgpu_queue *q);
bool vgpu_queue_is_wedged(struct vgpu_queue *q);
bool vgpu_queue_has_room(const struct vgpu_queue *q, const struct vgpu_client *client);
int vgpu_queue_throttle(struct vgpu_queue *q, const struct vgpu_client *client);
void vgpu_queue_close_client(struct vgpu_queue *q, struct vgpu_client *client);
void vgpu_queue_publish(struct vgpu_queue *q, struct vgpu_msg *msg);
void vgpu_queue_publish_batch(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			      unsigned int n, struct list_head *ended);
void vgpu_queue_end(struct vgpu_queue *q, struct list_head *ended);
void vgpu_queue_kick(struct vgpu_queue *q);
int vgpu_queue_wait_msg(struct vgpu_queue *q, struct vgpu_msg *msg);
int vgpu_queue_send_sync(struct vgpu_queue *q, struct vgpu_msg *msg);
void vgpu_queue_interrupt(struct vgpu_queue *q);

/**
 * vgpu_queue_wait_error - is there a reason not to wait for a response?
 * @q: the queue
 * @lost: &vgpu_queue.lost when the wait began
 *
 * Return: 0, or the error that the wait ends with.
 */
static inline int vgpu_queue_wait_error(const struct vgpu_queue *q, unsigned int lost)
{
	if (READ_ONCE(q->gone))
		return -ENODEV;
	if (READ_ONCE(q->wedged))
		return -EIO;

	return READ_ONCE(q->lost) != lost ? -ETIMEDOUT : 0;
}

/**
 * vgpu_queue_wait_event - wait for what a response brings about
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
#define vgpu_queue_wait_event(q, condition)				\
({									\
	struct vgpu_queue *__q = (q);					\
	unsigned int __lost = READ_ONCE(__q->lost);			\
	bool __done = false;						\
	int __err = 0, __ret;						\
									\
	__ret = wait_event_state(__q->wait, (__done = (condition)) ||	\
				 (__err = vgpu_queue_wait_error(__q, __lost)), \
				 VGPU_WAIT_STATE);			\
	__done ? 0 : __ret ? -EINTR : __err;				\
})

bool vgpu_queue_panic_send(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			   unsigned int n);

unsigned int vgpu_queue_max_pieces(const struct vgpu_queue *q);
unsigned int vgpu_stat_index(u32 type);

#endif
