/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FRAME_H
#define VIRTGPU_FRAME_H

#include <linux/ktime.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "virtgpu_cmd.h"
#include "virtgpu_damage.h"
#include "virtgpu_vblank.h"

struct drm_pending_vblank_event;
struct drm_plane_state;
struct drm_printer;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;
struct virtgpu_resource;

/**
 * enum virtgpu_frame_step - Measured steps of a frame
 * @VIRTGPU_FRAME_STEP_QUEUE: from the start of the commit to queueing
 * @VIRTGPU_FRAME_STEP_RESPONSE: from queueing to the response
 * @VIRTGPU_FRAME_STEP_EVENT: from the response to the flip event
 * @VIRTGPU_FRAME_STEPS: number of steps
 */
enum virtgpu_frame_step {
	VIRTGPU_FRAME_STEP_QUEUE,
	VIRTGPU_FRAME_STEP_RESPONSE,
	VIRTGPU_FRAME_STEP_EVENT,
	VIRTGPU_FRAME_STEPS,
};

/* Upper bounds of the buckets: 1 ms, 2 ms, 4 ms ... 128 ms, and no bound. */
#define VIRTGPU_FRAME_BUCKETS 9

/**
 * struct virtgpu_frame_stats - Statistics, protected by &virtgpu_frames.lock
 * @frames: frames that were queued
 * @missed: periods of the mode that elapsed while frames waited for the host
 * @replaced: frames that were replaced by a newer frame before they were queued
 * @held: number of times that the display held a frame
 * @held_ms: total time that the display held frames, in ms
 * @steps: histogram of the duration of each step
 */
struct virtgpu_frame_stats {
	u64 frames;
	u64 missed;
	u64 replaced;
	u64 held;
	u64 held_ms;
	u64 steps[VIRTGPU_FRAME_STEPS][VIRTGPU_FRAME_BUCKETS];
};

/**
 * struct virtgpu_frame - Commands that show a frame
 * @res: the resource; borrowed until the frame is queued
 * @scanout: parameters of SET_SCANOUT(_BLOB)
 * @seq: number of the frame, see &struct virtgpu_damage
 * @transfers: filled TRANSFER_TO_HOST_2D, the first @num_transfers of them
 * @num_transfers: number of @transfers
 * @set_scanout: message reserved for SET_SCANOUT(_BLOB)
 * @flush: filled RESOURCE_FLUSH
 * @blob: @res is a blob
 * @commit_time: start of the commit
 *
 * The frame owns a reference to each message.
 */
struct virtgpu_frame {
	struct virtgpu_resource *res;
	struct virtgpu_cmd_scanout scanout;
	u64 seq;
	struct virtgpu_msg *transfers[VIRTGPU_DAMAGE_RECTS];
	unsigned int num_transfers;
	struct virtgpu_msg *set_scanout;
	struct virtgpu_msg *flush;
	bool blob;
	ktime_t commit_time;
};

/**
 * enum virtgpu_flip_event - When to send a flip event
 * @VIRTGPU_FLIP_EVENT_VBLANK: with the vblank at which the host shows the frame
 * @VIRTGPU_FLIP_EVENT_NOW: with the response to the frame (asynchronous flip)
 */
enum virtgpu_flip_event {
	VIRTGPU_FLIP_EVENT_VBLANK,
	VIRTGPU_FLIP_EVENT_NOW,
};

/**
 * struct virtgpu_flip - A flip event that is being sent
 * @event: the event, or NULL
 * @error: error of the frame, for the out-fence
 * @when: time of the vblank
 * @in_phase: see virtgpu_vblank_signal()
 * @async: the event signals no vblank
 */
struct virtgpu_flip {
	struct drm_pending_vblank_event *event;
	int error;
	ktime_t when;
	bool in_phase;
	bool async;
};

/**
 * struct virtgpu_kept_buffer - A buffer that the host still shows
 * @gem: the buffer, referenced and, if it is imported, pinned; NULL for none
 * @res: the resource of @gem, referenced
 */
struct virtgpu_kept_buffer {
	struct virtgpu_gem *gem;
	struct virtgpu_resource *res;
};

struct virtgpu_frames;

/**
 * struct virtgpu_frames_ops - Operations of the owner of frames
 * @before_event: called before an event is sent, in any context; returns true
 *	if the event must wait for virtgpu_frames_send_deferred()
 * @queue_release: queue &virtgpu_frames.release_work, in any context
 * @put_buffer: unpin a kept buffer and put its references, in process context
 */
struct virtgpu_frames_ops {
	bool (*before_event)(struct virtgpu_frames *f);
	void (*queue_release)(struct virtgpu_frames *f);
	void (*put_buffer)(struct virtgpu_gem *gem, struct virtgpu_resource *res);
};

/**
 * struct virtgpu_frames - Frames of an output on their way to the host's
 * display
 * @queue: the control queue
 * @clock: vblank clock of the output
 * @ops: operations of the owner
 * @lock: protects the members below; outside the locks of @clock and @queue
 * @scanout_state: parameters of the last SET_SCANOUT(_BLOB)
 * @damage: damage of the last frames
 * @in_flight: a RESOURCE_FLUSH has no response yet
 * @ticks: watchdog periods since the frame in flight was queued
 * @holding: the display has held the frame in flight for HELD_TICKS
 * @commit_has_frame: the running commit has queued a frame
 * @queued: time at which the last frame was queued
 * @responded: time of the last response to RESOURCE_FLUSH
 * @interval: time between the last two responses in ns
 * @error: error of the last response
 * @next: newest frame while another frame is in flight; owns a reference to the
 *	resource
 * @has_next: @next is valid
 * @kept: buffer that the host shows while @next waits
 * @released: buffer that was kept until it was replaced
 * @release_work: releases @kept and @released
 * @event: pending event, or NULL
 * @event_type: when to send @event
 * @waits_for_host: @event waits for the response to the newest frame
 * @event_due: time at which @event is sent otherwise
 * @in_phase: the vblank of @event is in the phase of @clock
 * @last_event: time of the vblank of the last event
 * @host_paced: counter that grows with slow responses and falls with fast ones
 * @realign: @host_paced has just reached its threshold
 * @flip: the event that is being sent, or that @ops has deferred
 * @stats: statistics
 */
struct virtgpu_frames {
	struct virtgpu_vq *queue;
	struct virtgpu_vblank clock;
	const struct virtgpu_frames_ops *ops;

	spinlock_t lock; /* members below; outside those of clock and queue */
	struct virtgpu_cmd_scanout scanout_state;
	struct virtgpu_damage damage;
	bool in_flight;
	unsigned int ticks;
	bool holding;
	bool commit_has_frame;
	ktime_t queued;
	ktime_t responded;
	s64 interval;
	int error;
	struct virtgpu_frame next;
	bool has_next;
	struct virtgpu_kept_buffer kept;
	struct virtgpu_kept_buffer released;
	struct work_struct release_work;
	struct drm_pending_vblank_event *event;
	enum virtgpu_flip_event event_type;
	bool waits_for_host;
	ktime_t event_due;
	bool in_phase;
	ktime_t last_event;
	unsigned int host_paced;
	bool realign;
	struct virtgpu_flip flip;
	struct virtgpu_frame_stats stats;
};

void virtgpu_frames_init(struct virtgpu_frames *f, struct virtgpu_vq *queue, struct drm_crtc *crtc,
			 unsigned int scanout, const struct virtgpu_frames_ops *ops);
void virtgpu_frames_fini(struct virtgpu_frames *f);

bool virtgpu_frames_add_damage(struct virtgpu_frames *f, struct virtgpu_frame *frame,
			       const struct drm_plane_state *old,
			       const struct drm_plane_state *new, struct drm_rect *damage,
			       struct virtgpu_damage_rects *stale);
bool virtgpu_frames_in_flight(struct virtgpu_frames *f);
bool virtgpu_frames_would_change(struct virtgpu_frames *f, const struct virtgpu_cmd_scanout *s);
void virtgpu_frames_try_set_scanout(struct virtgpu_frames *f,
				    const struct virtgpu_cmd_scanout *s);
void virtgpu_frames_queue(struct virtgpu_frames *f, struct virtgpu_frame *frame);
void virtgpu_frames_disable(struct virtgpu_frames *f, struct virtgpu_msg *msg);
bool virtgpu_frames_keep(struct virtgpu_frames *f, struct virtgpu_gem *gem,
			 struct virtgpu_resource *res);

void virtgpu_frames_arm(struct virtgpu_frames *f, struct drm_pending_vblank_event *event,
			enum virtgpu_flip_event type);
void virtgpu_frames_send_deferred(struct virtgpu_frames *f);
void virtgpu_frames_tick(struct virtgpu_frames *f);

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
unsigned int virtgpu_frames_held_ms(struct virtgpu_frames *f);
void virtgpu_frames_print(struct virtgpu_frames *f, unsigned int index, struct drm_printer *p);
#else
static inline unsigned int virtgpu_frames_held_ms(struct virtgpu_frames *f)
{
	return 0;
}

static inline void virtgpu_frames_print(struct virtgpu_frames *f, unsigned int index,
					struct drm_printer *p)
{
}
#endif

#endif
