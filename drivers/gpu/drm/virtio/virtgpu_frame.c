// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-fence.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/drm_vblank.h>

#include "virtgpu_frame.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"
#include "virtgpu_resource.h"
#include "virtgpu_trace.h"

/**
 * DOC: frames
 *
 * A frame is shown by RESOURCE_FLUSH, and the host responds when its display has taken
 * the frame.  An output has one RESOURCE_FLUSH in flight.
 *
 * The response is the vblank.  Where the host's display has a rate of its own, which is
 * seen from responses that take time, the flip event is sent from the response, or one
 * period of the mode after the last event if that is later, and the vblank clock takes
 * its phase from it.  So frames follow the host's display at every phase.  A host that
 * responds at once has no rate; its frames are paced by the vblank clock alone.
 *
 * A display may hold a frame: a hidden or minimised window, for as long as it is
 * hidden.  After a quarter to half a second, commits complete without the host, at a
 * low rate (see the module parameter held_rate).  Each replaces the one before; when
 * the host responds the newest frame is queued at once.  The buffer that the host shows
 * meanwhile stays pinned until the commands that replace it are queued.
 */

static unsigned int virtgpu_held_rate = 10;
module_param_named(held_rate, virtgpu_held_rate, uint, 0644);
MODULE_PARM_DESC(held_rate, "Frames per second that commits complete at while the host's display holds a frame (default 10)");

/* Watchdog periods after which the display is taken to hold a frame. */
#define HELD_TICKS 2

/* So many more slow responses than fast ones mean that the host's display has a rate. */
#define HOST_PACED_AT 4
#define HOST_PACED_MAX 8

/*
 * By so much of a period, events may come closer to each other while they are later than
 * the responses of a host whose display has the rate of the mode.
 */
#define PHASE_LOCK 200

/* A frame that comes so much later than the one before starts a vblank of its own. */
#define ALONE (NSEC_PER_SEC / 2)

/*
 * Statistics
 */

static void virtgpu_frames_count_step(struct virtgpu_frames *f, enum virtgpu_frame_step step,
				      s64 ns)
{
	unsigned int bucket = 0;

	lockdep_assert_held(&f->lock);

	while (bucket < VIRTGPU_FRAME_BUCKETS - 1 && ns >= (s64)NSEC_PER_MSEC << bucket)
		bucket++;
	f->stats.steps[step][bucket]++;
}

/*
 * Flip events
 */

/* Takes the event out, to be sent by virtgpu_frames_send_flip() without the lock. */
static void virtgpu_frames_take_event(struct virtgpu_frames *f, ktime_t when, bool in_phase,
				      struct virtgpu_flip *flip)
{
	lockdep_assert_held(&f->lock);

	flip->event = f->event;
	flip->error = f->error;
	flip->when = when;
	flip->in_phase = in_phase;
	flip->async = f->end == VIRTGPU_FLIP_ASYNC;
	f->event = NULL;
	f->waits_for_host = false;
	f->last = in_phase ? virtgpu_vblank_before(&f->clock, when) : when;
}

static void virtgpu_frames_emit_flip(struct virtgpu_frames *f)
{
	struct virtgpu_flip flip = f->flip;
	struct drm_crtc *crtc = f->clock.crtc;
	struct drm_pending_event *base = &flip.event->base;
	unsigned long flags;

	if (flip.error && base->fence)
		dma_fence_set_error(base->fence, flip.error);
	if (flip.async)
		drm_crtc_accurate_vblank_count(crtc);
	else
		virtgpu_vblank_signal(&f->clock, flip.when, flip.in_phase);
	trace_virtio_gpu_frame_event(f);

	spin_lock_irqsave(&crtc->dev->event_lock, flags);
	drm_crtc_send_vblank_event(crtc, flip.event);
	spin_unlock_irqrestore(&crtc->dev->event_lock, flags);
}

static void virtgpu_frames_send_flip(struct virtgpu_frames *f, const struct virtgpu_flip *flip)
{
	if (!flip->event)
		return;

	/* There is no other event before this one is sent. */
	f->flip = *flip;
	if (!f->ops->before_event(f))
		virtgpu_frames_emit_flip(f);
}

/**
 * virtgpu_frames_send_deferred - send the event that &virtgpu_frames_ops.before_event deferred
 * @f: the frames
 *
 * Context: any.
 */
void virtgpu_frames_send_deferred(struct virtgpu_frames *f)
{
	/* Meanwhile the time of the vblank may have passed. */
	f->flip.when = ktime_get();
	f->flip.in_phase = true;
	virtgpu_frames_emit_flip(f);
}

static void virtgpu_frames_send_later(struct virtgpu_frames *f, ktime_t due, bool in_phase)
{
	lockdep_assert_held(&f->lock);

	f->waits_for_host = false;
	f->due = due;
	f->in_phase = in_phase;
	virtgpu_vblank_set_alarm(&f->clock, due);
}

/* Not of a display that is faster: its frames would be faster than the mode. */
static bool virtgpu_frames_has_rate_of_mode(const struct virtgpu_frames *f)
{
	return abs(f->interval - f->clock.period) < f->clock.period / 100;
}

/* When the event is sent by the pace of the host's display. */
static ktime_t virtgpu_frames_host_due(struct virtgpu_frames *f)
{
	u32 period = f->clock.period;
	ktime_t at = f->answered, due = max(at, ktime_add_ns(f->last, period));

	lockdep_assert_held(&f->lock);

	/*
	 * Once, skip to the display's next vsync: the response to the next frame is a
	 * period later then, and events come with the responses.
	 */
	if (f->realign && ktime_after(due, at))
		due = ktime_add_ns(at, period);
	else if (virtgpu_frames_has_rate_of_mode(f))
		due = max(at, ktime_sub_ns(due, period / PHASE_LOCK));
	f->realign = false;

	return due;
}

/* When the event is sent by the vblank clock. */
static ktime_t virtgpu_frames_clock_due(const struct virtgpu_frames *f, ktime_t vblank)
{
	u32 period = f->clock.period;
	ktime_t at = f->answered;

	/* A response shortly after a vblank may still be one of that vblank. */
	if (ktime_after(vblank, f->queued) &&
	    ktime_before(at, ktime_add_ns(vblank, period / 4)) &&
	    ktime_after(vblank, ktime_add_ns(f->last, period / 2)))
		return at;

	return ktime_add_ns(vblank, period);
}

/* Without users of vblanks, the first frame after a while makes a vblank. */
static bool virtgpu_frames_is_alone(const struct virtgpu_frames *f)
{
	return !READ_ONCE(f->clock.enabled) &&
	       ktime_to_ns(ktime_sub(f->answered, f->last)) > ALONE;
}

/* The host has responded to the frame that the event belongs to. */
static void virtgpu_frames_complete_flip(struct virtgpu_frames *f, struct virtgpu_flip *flip)
{
	ktime_t at = f->answered, due = at;
	bool in_phase = false;

	lockdep_assert_held(&f->lock);

	if (f->end == VIRTGPU_FLIP_ASYNC) {
		virtgpu_frames_take_event(f, at, true, flip);
		return;
	}

	if (f->host_paced >= HOST_PACED_AT) {
		due = virtgpu_frames_host_due(f);
	} else if (!virtgpu_frames_is_alone(f)) {
		due = virtgpu_frames_clock_due(f, virtgpu_vblank_before(&f->clock, at));
		in_phase = true;
	}
	virtgpu_frames_count_step(f, VIRTGPU_FRAME_STEP_EVENT, ktime_to_ns(ktime_sub(due, at)));
	if (ktime_before(at, due))
		virtgpu_frames_send_later(f, due, in_phase);
	else
		virtgpu_frames_take_event(f, at, in_phase, flip);
}

static struct virtgpu_frames *clock_to_virtgpu_frames(struct virtgpu_vblank *v)
{
	return container_of(v, struct virtgpu_frames, clock);
}

static void virtgpu_frames_alarm(struct virtgpu_vblank *v, ktime_t now)
{
	struct virtgpu_frames *f = clock_to_virtgpu_frames(v);
	struct virtgpu_flip flip = { };
	unsigned long flags;

	spin_lock_irqsave(&f->lock, flags);
	if (f->event && !f->waits_for_host && !ktime_before(now, f->due))
		virtgpu_frames_take_event(f, f->in_phase ? now : f->due, f->in_phase, &flip);
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_frames_send_flip(f, &flip);
}

static ktime_t virtgpu_frames_held_period(void)
{
	return NSEC_PER_SEC / clamp(READ_ONCE(virtgpu_held_rate), 1U, 1000U);
}

/**
 * virtgpu_frames_arm - send a flip event when the host shows the running commit's frame
 * @f: the frames; no event is pending
 * @event: the event
 * @end: when to send it
 *
 * Without a frame in the commit the event is sent with the next vblank.
 *
 * Context: the commit of the output, after its frame was queued.
 */
void virtgpu_frames_arm(struct virtgpu_frames *f, struct drm_pending_vblank_event *event,
			enum virtgpu_flip_event end)
{
	struct virtgpu_flip flip = { };
	ktime_t now = ktime_get();
	unsigned long flags;
	bool has_frame;

	spin_lock_irqsave(&f->lock, flags);
	has_frame = f->committed;
	f->committed = false;
	/* Otherwise the error is that of a frame before. */
	if (!has_frame || f->in_flight)
		f->error = 0;
	f->event = event;
	f->end = end;
	if (f->holding)
		virtgpu_frames_send_later(f, max(now, ktime_add(f->last,
								virtgpu_frames_held_period())),
									true);
	else if (has_frame && f->in_flight)
		f->waits_for_host = true;
	else if (has_frame)
		virtgpu_frames_complete_flip(f, &flip);
	else if (end == VIRTGPU_FLIP_ASYNC)
		virtgpu_frames_take_event(f, now, true, &flip);
	else
		virtgpu_frames_send_later(f, ktime_add_ns(virtgpu_vblank_before(&f->clock, now),
							  f->clock.period), true);
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_frames_send_flip(f, &flip);
}

/*
 * Frames
 */

/* References and messages that are given up, without the lock. */
static void virtgpu_frames_drop_frame(struct virtgpu_frame *frame)
{
	virtgpu_msg_put(frame->transfer);
	virtgpu_msg_put(frame->set_scanout);
	virtgpu_msg_put(frame->flush);
	virtgpu_resource_put(frame->res);
}

/* Takes the frame out that waits for the one in flight. */
static void virtgpu_frames_take_next(struct virtgpu_frames *f, struct virtgpu_frame *next)
{
	lockdep_assert_held(&f->lock);

	*next = f->next;
	memset(&f->next, 0, sizeof(f->next));
	f->has_next = false;
	if (!f->kept.gem)
		return;
	/* Another buffer may have to be kept before the work runs. */
	if (!f->released.gem) {
		f->released = f->kept;
		memset(&f->kept, 0, sizeof(f->kept));
	}
	f->ops->queue_release(f);
}

static void virtgpu_frames_flush_complete(struct virtgpu_msg *msg);

/* Queues the messages of @frame; those that were not needed are left in it. */
static void virtgpu_frames_queue_frame(struct virtgpu_frames *f, struct virtgpu_frame *frame,
				       ktime_t now,
				       struct list_head *ended)
{
	struct virtgpu_msg *msgs[3];
	unsigned int n = 0;

	lockdep_assert_held(&f->lock);

	if (frame->transfer) {
		/* Some hosts reject transfers to blobs, which need none. */
		if (!frame->blob)
			virtgpu_resource_track(frame->res, frame->transfer);
		frame->res->has_contents = true;
		msgs[n++] = frame->transfer;
		frame->transfer = NULL;
	}
	if (memcmp(&frame->scanout, &f->scanout, sizeof(f->scanout))) {
		f->scanout = frame->scanout;
		virtgpu_resource_track(frame->res, frame->set_scanout);
		if (frame->blob)
			virtgpu_cmd_set_scanout_blob(frame->set_scanout, &frame->scanout);
		else
			virtgpu_cmd_set_scanout(frame->set_scanout, &frame->scanout);
		msgs[n++] = frame->set_scanout;
		frame->set_scanout = NULL;
	}
	/* With the flag the host responds when its display has taken the frame. */
	frame->flush->fenced = true;
	frame->flush->priv = f;
	frame->flush->complete = virtgpu_frames_flush_complete;
	msgs[n++] = frame->flush;
	frame->flush = NULL;

	f->in_flight = true;
	f->ticks = 0;
	f->queued = now;
	f->stats.frames++;
	virtgpu_frames_count_step(f, VIRTGPU_FRAME_STEP_QUEUE, ktime_to_ns(ktime_sub(now,
										     frame->committed)));
	virtgpu_vblank_defer(&f->clock, true);
	virtgpu_vq_queue_batch(f->queue, msgs, n, ended);
	trace_virtio_gpu_frame_queued(f);
}

/* The host has responded to the frame in flight. */
static void virtgpu_frames_account_response(struct virtgpu_frames *f, ktime_t now)
{
	s64 ns = ktime_to_ns(ktime_sub(now, f->queued));

	lockdep_assert_held(&f->lock);

	f->in_flight = false;
	f->interval = ktime_to_ns(ktime_sub(now, f->answered));
	f->answered = now;
	virtgpu_vblank_defer(&f->clock, false);
	virtgpu_frames_count_step(f, VIRTGPU_FRAME_STEP_RESPONSE, ns);
	if (ns >= f->clock.period && !f->holding)
		f->stats.missed += div_u64(ns, f->clock.period);
	if (ns > max_t(s64, f->clock.period / 8, NSEC_PER_MSEC)) {
		f->host_paced = min(f->host_paced + 1, HOST_PACED_MAX);
		f->realign |= f->host_paced == HOST_PACED_AT;
	} else if (f->host_paced) {
		f->host_paced--;
	}
	if (f->holding)
		f->stats.held_ms += div_u64(ns, NSEC_PER_MSEC);
	f->holding = false;
}

static void virtgpu_frames_flush_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_frames *f = msg->priv;
	struct virtgpu_frame next = { };
	struct virtgpu_flip flip = { };
	ktime_t now = ktime_get();
	unsigned long flags;
	LIST_HEAD(ended);

	spin_lock_irqsave(&f->lock, flags);
	virtgpu_frames_account_response(f, now);
	f->error = msg->error;
	trace_virtio_gpu_frame_response(f);
	if (f->has_next) {
		virtgpu_frames_take_next(f, &next);
		/* Without a device there is nothing that could show it. */
		if (msg->error != -ENODEV)
			virtgpu_frames_queue_frame(f, &next, now, &ended);
	}
	if (f->event && f->in_flight)
		f->waits_for_host = true;
	else if (f->event && f->waits_for_host)
		virtgpu_frames_complete_flip(f, &flip);
	spin_unlock_irqrestore(&f->lock, flags);

	if (next.res)
		virtgpu_vq_kick(f->queue);
	virtgpu_vq_complete_batch(f->queue, &ended);
	virtgpu_frames_drop_frame(&next);
	virtgpu_frames_send_flip(f, &flip);
}

/**
 * virtgpu_frames_behind - would a frame wait for the one before?
 * @f: the frames
 *
 * If so, it has to describe all that is shown, as it may replace others.
 *
 * Context: any.
 */
bool virtgpu_frames_behind(struct virtgpu_frames *f)
{
	return READ_ONCE(f->in_flight);
}

/**
 * virtgpu_frames_would_change - does the host show something else?
 * @f: the frames
 * @s: what is to be shown
 *
 * Context: the commit of the output.
 * Return: false if the host was last asked to show just @s.
 */
bool virtgpu_frames_would_change(struct virtgpu_frames *f, const struct virtgpu_cmd_scanout *s)
{
	/* Only a response to a frame before changes it meanwhile. */
	return virtgpu_frames_behind(f) || memcmp(&f->scanout, s, sizeof(*s));
}

/**
 * virtgpu_frames_queue - have a frame shown
 * @f: the frames
 * @frame: the frame, with a RESOURCE_FLUSH; its messages are taken over
 *
 * The frame waits if one is in flight, and replaces another one that waits.  The
 * device is not notified.
 *
 * Context: the commit of the output.
 */
void virtgpu_frames_queue(struct virtgpu_frames *f, struct virtgpu_frame *frame)
{
	struct virtgpu_frame old = { };
	ktime_t now = ktime_get();
	unsigned long flags;
	LIST_HEAD(ended);

	spin_lock_irqsave(&f->lock, flags);
	f->committed = true;
	if (f->in_flight) {
		old = f->next;
		f->stats.replaced += f->has_next;
		f->next = *frame;
		virtgpu_resource_get(frame->res);
		f->has_next = true;
	} else {
		virtgpu_frames_queue_frame(f, frame, now, &ended);
		old = *frame;
		old.res = NULL;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_vq_complete_batch(f->queue, &ended);
	virtgpu_frames_drop_frame(&old);
}

/**
 * virtgpu_frames_disable - have the output show nothing
 * @f: the frames
 * @msg: reserved for SET_SCANOUT; taken over
 *
 * The device is not notified.
 *
 * Context: the commit of the output.
 */
void virtgpu_frames_disable(struct virtgpu_frames *f, struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_scanout none = { .scanout = f->scanout.scanout };
	struct virtgpu_frame next = { };
	unsigned long flags;
	LIST_HEAD(ended);

	virtgpu_cmd_set_scanout(msg, &none);
	spin_lock_irqsave(&f->lock, flags);
	virtgpu_frames_take_next(f, &next);
	f->committed = false;
	if (f->scanout.resource) {
		f->scanout = none;
		virtgpu_vq_queue_batch(f->queue, &msg, 1, &ended);
		msg = NULL;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_vq_complete_batch(f->queue, &ended);
	virtgpu_frames_drop_frame(&next);
	virtgpu_msg_put(msg);
}

/**
 * virtgpu_frames_keep - keep what the host shows until it is replaced
 * @f: the frames
 * @gem: a buffer that the output has shown before
 * @res: its resource; on success the caller's reference and pin are taken over
 *
 * Context: may sleep; the commit of the output.
 * Return: true if the host shows @res and the frame that replaces it waits.
 */
bool virtgpu_frames_keep(struct virtgpu_frames *f, struct virtgpu_gem *gem,
			 struct virtgpu_resource *res)
{
	unsigned long flags;
	bool keep;

	if (!READ_ONCE(f->has_next))
		return false;

	spin_lock_irqsave(&f->lock, flags);
	keep = f->has_next && !f->kept.gem && f->scanout.resource == res->id;
	if (keep) {
		drm_gem_object_get(&gem->base);
		f->kept.gem = gem;
		f->kept.res = res;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	return keep;
}

/* Takes a buffer out that the host shows no more. */
static struct virtgpu_shown_buffer virtgpu_frames_take_released(struct virtgpu_frames *f)
{
	struct virtgpu_shown_buffer *from = &f->released, kept;

	spin_lock_irq(&f->lock);
	if (!from->gem && !f->has_next)
		from = &f->kept;
	kept = *from;
	memset(from, 0, sizeof(*from));
	spin_unlock_irq(&f->lock);

	return kept;
}

static void virtgpu_frames_release_all(struct virtgpu_frames *f)
{
	struct virtgpu_shown_buffer kept;

	while (kept = virtgpu_frames_take_released(f), kept.gem)
		f->ops->put_buffer(kept.gem, kept.res);
}

static void virtgpu_frames_release_work(struct work_struct *work)
{
	struct virtgpu_frames *f = container_of(work, struct virtgpu_frames, release_work);

	virtgpu_frames_release_all(f);
	virtgpu_vq_kick(f->queue);
}

/**
 * virtgpu_frames_tick - find out whether the display holds a frame
 * @f: the frames
 *
 * Context: process context, once each watchdog period of the queue.
 */
void virtgpu_frames_tick(struct virtgpu_frames *f)
{
	struct virtgpu_flip flip = { };
	ktime_t now = ktime_get();

	spin_lock_irq(&f->lock);
	if (f->in_flight && !f->holding && ++f->ticks >= HELD_TICKS) {
		f->holding = true;
		f->stats.held++;
		if (f->event && f->waits_for_host)
			virtgpu_frames_take_event(f, now, true, &flip);
	}
	spin_unlock_irq(&f->lock);

	virtgpu_frames_send_flip(f, &flip);
}

/**
 * virtgpu_frames_held_ms - how long has the display held its frame?
 * @f: the frames
 *
 * Context: process context.
 * Return: milliseconds, 0 if it does not hold one.
 */
unsigned int virtgpu_frames_held_ms(struct virtgpu_frames *f)
{
	unsigned int ms = 0;

	spin_lock_irq(&f->lock);
	if (f->holding)
		ms = max(ktime_ms_delta(ktime_get(), f->queued), 1);
	spin_unlock_irq(&f->lock);

	return ms;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_frames_held_ms);

static void virtgpu_frames_print_step(struct drm_printer *p, unsigned int index, const char *name,
				      const u64 *buckets)
{
	unsigned int i;

	drm_printf(p, "output: id=%u step=%s", index, name);
	for (i = 0; i < VIRTGPU_FRAME_BUCKETS - 1; i++)
		drm_printf(p, " lt_%ums=%llu", 1 << i, buckets[i]);
	drm_printf(p, " more=%llu\n", buckets[i]);
}

/**
 * virtgpu_frames_print - print statistics for debugfs
 * @f: the frames
 * @index: number of the output
 * @p: where to print
 *
 * Context: process context.
 */
void virtgpu_frames_print(struct virtgpu_frames *f, unsigned int index, struct drm_printer *p)
{
	static const char *const steps[] = { "queue", "response", "event" };
	struct virtgpu_frame_stats s;
	unsigned int i, paced;

	spin_lock_irq(&f->lock);
	s = f->stats;
	paced = f->host_paced;
	spin_unlock_irq(&f->lock);

	drm_printf(p, "output: id=%u frames=%llu missed=%llu replaced=%llu", index, s.frames,
		   s.missed, s.replaced);
	drm_printf(p, " held=%llu held_ms=%llu pacing=%s\n", s.held, s.held_ms,
		   paced >= HOST_PACED_AT ? "host" : "timer");
	for (i = 0; i < VIRTGPU_FRAME_STEPS; i++)
		virtgpu_frames_print_step(p, index, steps[i], s.steps[i]);
}

/**
 * virtgpu_frames_init - set up the frames of an output
 * @f: zeroed memory
 * @queue: the control queue
 * @crtc: the CRTC of the output
 * @scanout: number of the output
 * @ops: what the owner does
 */
void virtgpu_frames_init(struct virtgpu_frames *f, struct virtgpu_vq *queue, struct drm_crtc *crtc,
			 unsigned int scanout, const struct virtgpu_frames_ops *ops)
{
	f->queue = queue;
	f->ops = ops;
	f->scanout.scanout = scanout;
	spin_lock_init(&f->lock);
	INIT_WORK(&f->release_work, virtgpu_frames_release_work);
	virtgpu_vblank_init(&f->clock, crtc, virtgpu_frames_alarm);
}

/**
 * virtgpu_frames_fini - release what frames have
 * @f: frames of an output whose queue was stopped, or zeroed memory
 *
 * Context: may sleep.
 */
void virtgpu_frames_fini(struct virtgpu_frames *f)
{
	if (!f->ops)
		return;

	virtgpu_vblank_fini(&f->clock);
	cancel_work_sync(&f->release_work);
	virtgpu_frames_drop_frame(&f->next);
	f->has_next = false;
	virtgpu_frames_release_all(f);
}
