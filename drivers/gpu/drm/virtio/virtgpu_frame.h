/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FRAME_H
#define VIRTGPU_FRAME_H

#include <linux/ktime.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "virtgpu_cmd.h"
#include "virtgpu_vblank.h"

struct drm_pending_vblank_event;
struct drm_printer;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;
struct virtgpu_resource;

/* Steps of a frame that are measured. */
enum virtgpu_frame_step {
	VIRTGPU_FRAME_STEP_QUEUE,
	VIRTGPU_FRAME_STEP_RESPONSE,
	VIRTGPU_FRAME_STEP_EVENT,
	VIRTGPU_FRAME_STEPS
};

/* Upper bounds of the histograms: 1 ms, 2 ms, 4 ms ... 128 ms, and what is longer. */
#define VIRTGPU_FRAME_BUCKETS 9

/**
 * struct virtgpu_frame_stats - how frames fared, under the lock of their frames
 * @frames: queued for the host
 * @missed: periods of the mode that went by while frames waited for the host
 * @replaced: frames that a newer one replaced before they were queued
 * @held: how often the display held a frame
 * @held_ms: for how long, all in all
 * @steps: histograms of the time that steps took
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
 * struct virtgpu_frame - commands that show a frame
 * @res: what is shown; borrowed until the frame is queued
 * @scanout: how it is shown
 * @transfer: filled TRANSFER_TO_HOST_2D, or NULL
 * @set_scanout: reserved for SET_SCANOUT(_BLOB)
 * @flush: filled RESOURCE_FLUSH, or NULL if nothing has changed
 * @blob: @res is a blob
 * @committed: when the commit began
 *
 * The messages are the frame's.
 */
struct virtgpu_frame {
	struct virtgpu_resource *res;
	struct virtgpu_cmd_scanout scanout;
	struct virtgpu_msg *transfer;
	struct virtgpu_msg *set_scanout;
	struct virtgpu_msg *flush;
	bool blob;
	ktime_t committed;
};

/**
 * enum virtgpu_flip_event - when a flip event is sent
 * @VIRTGPU_FLIP_VBLANK: with the vblank at which the host shows the frame
 * @VIRTGPU_FLIP_ASYNC: as soon as the host has the frame
 */
enum virtgpu_flip_event {
	VIRTGPU_FLIP_VBLANK,
	VIRTGPU_FLIP_ASYNC,
};

/**
 * struct virtgpu_flip - a flip event that is to be sent
 * @event: the event, or NULL
 * @error: of the frame, for the out-fence
 * @when: time of the vblank
 * @in_phase: see virtgpu_vblank_signal()
 * @async: the event makes no vblank
 */
struct virtgpu_flip {
	struct drm_pending_vblank_event *event;
	int error;
	ktime_t when;
	bool in_phase;
	bool async;
};

/**
 * struct virtgpu_shown_buffer - a buffer that is kept for the host
 * @gem: the buffer, with a reference and, if it is imported, a pin; NULL for none
 * @res: its resource, with a reference
 */
struct virtgpu_shown_buffer {
	struct virtgpu_gem *gem;
	struct virtgpu_resource *res;
};

struct virtgpu_frames;

/**
 * struct virtgpu_frames_ops - what the owner of frames does for them
 * @before_event: called before an event is sent, in any context; true if the event has
 *	to wait for virtgpu_frames_send_deferred()
 * @queue_release: queue &virtgpu_frames.release_work, in any context
 * @put_buffer: unpin a buffer that was kept, and put both references; process context
 */
struct virtgpu_frames_ops {
	bool (*before_event)(struct virtgpu_frames *f);
	void (*queue_release)(struct virtgpu_frames *f);
	void (*put_buffer)(struct virtgpu_gem *gem, struct virtgpu_resource *res);
};

/**
 * struct virtgpu_frames - the frames of an output, on their way to the host's display
 * @queue: the control queue
 * @clock: the vblank clock of the output
 * @ops: what the owner of the frames does for them
 * @lock: protects all below; inside it the locks of @clock and @queue
 * @scanout: what the host was last asked to show
 * @in_flight: a RESOURCE_FLUSH has no response yet
 * @ticks: watchdog periods since then
 * @holding: the display holds the frame for long
 * @committed: the running commit has a frame
 * @queued: when the last frame was queued
 * @answered: when the host responded to its RESOURCE_FLUSH
 * @interval: from the response before to that one, in ns
 * @error: of that response
 * @next: the newest frame while another one is in flight; it has a reference to its
 *	resource
 * @has_next: @next is valid
 * @kept: the buffer that the host shows while @next waits
 * @released: a buffer that was kept until it was replaced
 * @release_work: releases buffers that were kept
 * @event: waits for the host or for a time, or NULL
 * @end: when @event is sent
 * @waits_for_host: @event waits for the response to the newest frame
 * @due: when @event is sent otherwise
 * @in_phase: @event is sent with a vblank in the phase of @clock
 * @last: vblank of the last event
 * @host_paced: grows while responses take time, falls while they come at once
 * @realign: the display was found to have a rate just now
 * @flip: the event that is being sent, or that @ops has deferred
 * @stats: statistics
 */
struct virtgpu_frames {
	struct virtgpu_vq *queue;
	struct virtgpu_vblank clock;
	const struct virtgpu_frames_ops *ops;

	spinlock_t lock; /* all below; inside it the clock's and the queue's */
	struct virtgpu_cmd_scanout scanout;
	bool in_flight;
	unsigned int ticks;
	bool holding;
	bool committed;
	ktime_t queued;
	ktime_t answered;
	s64 interval;
	int error;
	struct virtgpu_frame next;
	bool has_next;
	struct virtgpu_shown_buffer kept;
	struct virtgpu_shown_buffer released;
	struct work_struct release_work;
	struct drm_pending_vblank_event *event;
	enum virtgpu_flip_event end;
	bool waits_for_host;
	ktime_t due;
	bool in_phase;
	ktime_t last;
	unsigned int host_paced;
	bool realign;
	struct virtgpu_flip flip;
	struct virtgpu_frame_stats stats;
};

void virtgpu_frames_init(struct virtgpu_frames *f, struct virtgpu_vq *queue, struct drm_crtc *crtc,
			 unsigned int scanout, const struct virtgpu_frames_ops *ops);
void virtgpu_frames_fini(struct virtgpu_frames *f);

bool virtgpu_frames_behind(struct virtgpu_frames *f);
bool virtgpu_frames_would_change(struct virtgpu_frames *f, const struct virtgpu_cmd_scanout *s);
void virtgpu_frames_queue(struct virtgpu_frames *f, struct virtgpu_frame *frame);
void virtgpu_frames_disable(struct virtgpu_frames *f, struct virtgpu_msg *msg);
bool virtgpu_frames_keep(struct virtgpu_frames *f, struct virtgpu_gem *gem,
			 struct virtgpu_resource *res);

void virtgpu_frames_arm(struct virtgpu_frames *f, struct drm_pending_vblank_event *event,
			enum virtgpu_flip_event end);
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
