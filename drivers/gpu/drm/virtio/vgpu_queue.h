/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_QUEUE_H
#define VGPU_QUEUE_H

#include <linux/list.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct device;
struct scatterlist;
struct vgpu_msg;
struct vgpu_queue;

/*
 * How long a host may take for a command, for a frame, and for what it renders: it may
 * have to compile shaders first, or have no GPU.
 */
#define VGPU_PATIENCE		(10 * HZ)
#define VGPU_FRAME_PATIENCE	(1 * HZ)
#define VGPU_RENDER_PATIENCE	(60 * HZ)

/**
 * struct vgpu_queue_ops - what a queue needs of a ring
 * @add: put a message into the ring; -ENOSPC when there is no room for it now
 * @prepare_kick: has the device to be notified of what was added?
 * @kick: notify it; called without the queue's lock
 * @get: take a used message out of the ring, NULL if there is none
 * @enable: ask for an interrupt; false if there is something to get already
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
 * @timeouts: messages that the watchdog gave up on
 */
struct vgpu_queue_stats {
	u64 commands[VGPU_STAT_COMMANDS];
	u64 kicks;
	u64 interrupts;
	u64 full;
	u64 errors;
	u64 timeouts;
};

/**
 * struct vgpu_queue - a virtqueue and the messages on it
 * @dev: for log messages
 * @name: for log messages and tracing
 * @ops: the ring
 * @ring: what @ops works on
 * @ring_size: descriptors in the ring
 * @lock: protects all below, and the numbers of the fences
 * @backlog: published, no room in the ring yet; in order
 * @in_ring: the device's
 * @outstanding: length of both lists
 * @next_fence: the next fence_id on the wire
 * @kick: something was added since the last notification
 * @gone: the device was removed or died: nothing is published any more
 * @wedged: the host has answered nothing for long, see vgpu_queue_is_wedged()
 * @answered: jiffies of the last answer
 * @on_wedged: called, without the lock, when the host is found silent; may be NULL
 * @on_tick: called by the watchdog, without the lock; may be NULL
 * @room: who waits in vgpu_queue_throttle()
 * @watchdog: looks after the silent host
 * @drain: continues a callback that had too much to do
 * @stats: counters
 */
struct vgpu_queue {
	struct device *dev;
	const char *name;
	const struct vgpu_queue_ops *ops;
	void *ring;
	unsigned int ring_size;

	spinlock_t lock; /* all below, and the numbers of fences */
	struct list_head backlog;
	struct list_head in_ring;
	unsigned int outstanding;
	u64 next_fence;
	bool kick;
	bool gone;
	bool wedged;
	unsigned long answered;
	void (*on_wedged)(struct vgpu_queue *q);
	void (*on_tick)(struct vgpu_queue *q);
	wait_queue_head_t room;
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
int vgpu_queue_throttle(struct vgpu_queue *q);
void vgpu_queue_publish(struct vgpu_queue *q, struct vgpu_msg *msg);
void vgpu_queue_publish_batch(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			      unsigned int n, struct list_head *ended);
void vgpu_queue_end(struct list_head *ended);
void vgpu_queue_kick(struct vgpu_queue *q);
int vgpu_queue_send_sync(struct vgpu_queue *q, struct vgpu_msg *msg);
void vgpu_queue_interrupt(struct vgpu_queue *q);

bool vgpu_queue_panic_send(struct vgpu_queue *q, struct vgpu_msg *msgs[],
			   unsigned int n);

unsigned int vgpu_queue_max_pieces(const struct vgpu_queue *q);
unsigned int vgpu_stat_index(u32 type);

#endif
