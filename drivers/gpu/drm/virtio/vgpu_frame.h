/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_FRAME_H
#define VGPU_FRAME_H

#include <linux/ktime.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "virtgpu_cmd.h"
#include "vgpu_vblank.h"

struct drm_pending_vblank_event;
struct drm_printer;
struct virtgpu_gem;
struct virtgpu_msg;
struct virtgpu_vq;
struct virtgpu_resource;

/* Steps of a frame that are measured. */
enum vgpu_frame_step {
	VGPU_STEP_QUEUE,
	VGPU_STEP_ANSWER,
	VGPU_STEP_EVENT,
	VGPU_STEPS
};

/* Upper bounds of the histograms: 1 ms, 2 ms, 4 ms ... 128 ms, and what is longer. */
#define VGPU_FRAME_BUCKETS 9

/**
 * struct vgpu_frame_stats - how frames fared, under the lock of their frames
 * @frames: queued for the host
 * @missed: periods of the mode that went by while frames waited for the host
 * @replaced: frames that a newer one replaced before they were queued
 * @held: how often the display held a frame
 * @held_ms: for how long, all in all
 * @steps: histograms of the time that steps took
 */
struct vgpu_frame_stats {
	u64 frames;
	u64 missed;
	u64 replaced;
	u64 held;
	u64 held_ms;
	u64 steps[VGPU_STEPS][VGPU_FRAME_BUCKETS];
};

/**
 * struct vgpu_frame - commands that show a frame
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
struct vgpu_frame {
	struct virtgpu_resource *res;
	struct virtgpu_cmd_scanout scanout;
	struct virtgpu_msg *transfer;
	struct virtgpu_msg *set_scanout;
	struct virtgpu_msg *flush;
	bool blob;
	ktime_t committed;
};

/**
 * enum vgpu_flip_end - when a flip event is sent
 * @VGPU_FLIP_VBLANK: with the vblank at which the host shows the frame
 * @VGPU_FLIP_ASYNC: as soon as the host has the frame
 */
enum vgpu_flip_end {
	VGPU_FLIP_VBLANK,
	VGPU_FLIP_ASYNC,
};

/**
 * struct vgpu_flip - a flip event that is to be sent
 * @event: the event, or NULL
 * @error: of the frame, for the out-fence
 * @when: time of the vblank
 * @in_phase: see vgpu_vblank_signal()
 * @async: the event makes no vblank
 */
struct vgpu_flip {
	struct drm_pending_vblank_event *event;
	int error;
	ktime_t when;
	bool in_phase;
	bool async;
};

/**
 * struct vgpu_kept - a buffer that is kept for the host
 * @gem: the buffer, with a reference and, if it is imported, a pin; NULL for none
 * @res: its resource, with a reference
 */
struct vgpu_kept {
	struct virtgpu_gem *gem;
	struct virtgpu_resource *res;
};

struct vgpu_frames;

/**
 * struct vgpu_frames_ops - what the owner of frames does for them
 * @before_event: called before an event is sent, in any context; true if the event has
 *	to wait for vgpu_frames_send_deferred()
 * @put_buffer: unpin a buffer that was kept, and put both references; process context
 */
struct vgpu_frames_ops {
	bool (*before_event)(struct vgpu_frames *f);
	void (*put_buffer)(struct virtgpu_gem *gem, struct virtgpu_resource *res);
};

/**
 * struct vgpu_frames - the frames of an output, on their way to the host's display
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
struct vgpu_frames {
	struct virtgpu_vq *queue;
	struct vgpu_vblank clock;
	const struct vgpu_frames_ops *ops;

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
	struct vgpu_frame next;
	bool has_next;
	struct vgpu_kept kept;
	struct vgpu_kept released;
	struct work_struct release_work;
	struct drm_pending_vblank_event *event;
	enum vgpu_flip_end end;
	bool waits_for_host;
	ktime_t due;
	bool in_phase;
	ktime_t last;
	unsigned int host_paced;
	bool realign;
	struct vgpu_flip flip;
	struct vgpu_frame_stats stats;
};

void vgpu_frames_init(struct vgpu_frames *f, struct virtgpu_vq *queue, struct drm_crtc *crtc,
		      unsigned int scanout, const struct vgpu_frames_ops *ops);
void vgpu_frames_fini(struct vgpu_frames *f);

bool vgpu_frames_behind(struct vgpu_frames *f);
bool vgpu_frames_would_change(struct vgpu_frames *f, const struct virtgpu_cmd_scanout *s);
void vgpu_frames_queue(struct vgpu_frames *f, struct vgpu_frame *frame);
void vgpu_frames_hide(struct vgpu_frames *f, struct virtgpu_msg *msg);
bool vgpu_frames_keep(struct vgpu_frames *f, struct virtgpu_gem *gem, struct virtgpu_resource *res);

void vgpu_frames_arm(struct vgpu_frames *f, struct drm_pending_vblank_event *event,
		     enum vgpu_flip_end end);
void vgpu_frames_send_deferred(struct vgpu_frames *f);
void vgpu_frames_tick(struct vgpu_frames *f);

#ifdef CONFIG_DRM_VIRTIO_GPU_KMS
unsigned int vgpu_frames_held_ms(struct vgpu_frames *f);
void vgpu_frames_print(struct vgpu_frames *f, unsigned int index, struct drm_printer *p);
#else
static inline unsigned int vgpu_frames_held_ms(struct vgpu_frames *f)
{
	return 0;
}

static inline void vgpu_frames_print(struct vgpu_frames *f, unsigned int index,
				     struct drm_printer *p)
{
}
#endif

#endif
