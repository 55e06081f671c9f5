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
 * A frame is shown by RESOURCE_FLUSH. The host responds when its display has
 * taken the frame, that is, when it is ready for the next frame. An output has
 * at most one RESOURCE_FLUSH in flight.
 *
 * If responses take time, the host's display has a rate of its own, and the
 * response is the vblank. The flip event is sent from the response, or one
 * period of the mode after the last event if that is later, and the vblank
 * clock takes its phase from the event. So frames follow the host's display at
 * every phase.
 *
 * A host that responds at once has no rate, and the vblank clock paces its
 * frames. The first frame after half a second without events starts the clock
 * anew, unless user space waits for vblanks: its event is sent from the
 * response.
 *
 * A display may hold a frame, for example for as long as a window is hidden.
 * After a quarter to half a second, commits complete without the host, at a low
 * rate (see the module parameter held_rate). Each frame replaces the waiting
 * frame before it. When the host responds, the newest frame is queued at once.
 * The buffer that the host shows meanwhile stays pinned until the commands that
 * replace the buffer are queued.
 */

static unsigned int virtgpu_held_rate = 10;
module_param_named(held_rate, virtgpu_held_rate, uint, 0644);
MODULE_PARM_DESC(held_rate, "Frames per second that commits complete at while the host's display holds a frame (default 10)");

/* Watchdog periods after which the display is considered to hold a frame. */
#define HELD_TICKS 2

/* Surplus of slow responses that indicates a display with a rate of its own. */
#define HOST_PACED_THRESHOLD 4
#define HOST_PACED_MAX 8

/*
 * While events lag behind the responses of a display with the rate of the mode,
 * each event may come earlier by this fraction of a period.
 */
#define PHASE_LOCK_DIV 200

/* The first frame after this time does not wait for a vblank of the clock. */
#define IDLE_THRESHOLD (NSEC_PER_SEC / 2)

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

/* The caller must call virtgpu_frames_send_flip() after it dropped @f->lock. */
static void virtgpu_frames_take_event(struct virtgpu_frames *f, ktime_t when, bool in_phase,
				      struct virtgpu_flip *flip)
{
	lockdep_assert_held(&f->lock);

	flip->event = f->event;
	flip->error = f->error;
	flip->when = when;
	flip->in_phase = in_phase;
	flip->async = f->event_type == VIRTGPU_FLIP_EVENT_NOW;
	f->event = NULL;
	f->waits_for_host = false;
	f->last_event = in_phase ? virtgpu_vblank_before(&f->clock, when) : when;
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

	/* No other event can be armed before this one is sent. */
	f->flip = *flip;
	if (!f->ops->before_event(f))
		virtgpu_frames_emit_flip(f);
}

/**
 * virtgpu_frames_send_deferred() - Send a deferred flip event
 * @f: frames for which &virtgpu_frames_ops.before_event has returned true
 *
 * Context: Any.
 */
void virtgpu_frames_send_deferred(struct virtgpu_frames *f)
{
	/* The time of the vblank may have passed. */
	f->flip.when = ktime_get();
	f->flip.in_phase = true;
	virtgpu_frames_emit_flip(f);
}

static void virtgpu_frames_send_later(struct virtgpu_frames *f, ktime_t due, bool in_phase)
{
	lockdep_assert_held(&f->lock);

	f->waits_for_host = false;
	f->event_due = due;
	f->in_phase = in_phase;
	virtgpu_vblank_set_alarm(&f->clock, due);
}

/* A faster display does not match: events would be faster than the mode. */
static bool virtgpu_frames_matches_mode(const struct virtgpu_frames *f)
{
	return abs(f->interval - f->clock.period) < f->clock.period / 100;
}

/* Time of the event if the host's display has a rate. */
static ktime_t virtgpu_frames_host_due(struct virtgpu_frames *f)
{
	u32 period = f->clock.period;
	ktime_t at = f->responded, due = max(at, ktime_add_ns(f->last_event, period));

	lockdep_assert_held(&f->lock);

	/*
	 * Delay one event to the display's next vsync. The response to the
	 * next frame then comes a period later, and so do all further events.
	 */
	if (f->realign && ktime_after(due, at))
		due = ktime_add_ns(at, period);
	else if (virtgpu_frames_matches_mode(f))
		due = max(at, ktime_sub_ns(due, period / PHASE_LOCK_DIV));
	f->realign = false;

	return due;
}

/* Time of the event if the vblank clock paces the frames. */
static ktime_t virtgpu_frames_clock_due(const struct virtgpu_frames *f, ktime_t vblank)
{
	u32 period = f->clock.period;
	ktime_t at = f->responded;

	/* A response shortly after a vblank may still belong to that vblank. */
	if (ktime_after(vblank, f->queued) &&
	    ktime_before(at, ktime_add_ns(vblank, period / 4)) &&
	    ktime_after(vblank, ktime_add_ns(f->last_event, period / 2)))
		return at;

	return ktime_add_ns(vblank, period);
}

/* With users of vblanks, the event must wait for their next vblank. */
static bool virtgpu_frames_was_idle(const struct virtgpu_frames *f)
{
	return !READ_ONCE(f->clock.enabled) &&
	       ktime_to_ns(ktime_sub(f->responded, f->last_event)) > IDLE_THRESHOLD;
}

/*
 * The host has responded to the frame of the pending event: take the event, or
 * set the alarm for its time.  The caller must send @flip.
 */
static void virtgpu_frames_complete_flip(struct virtgpu_frames *f, struct virtgpu_flip *flip)
{
	ktime_t at = f->responded, due = at;
	bool in_phase = false;

	lockdep_assert_held(&f->lock);

	if (f->event_type == VIRTGPU_FLIP_EVENT_NOW) {
		virtgpu_frames_take_event(f, at, true, flip);
		return;
	}

	if (f->host_paced >= HOST_PACED_THRESHOLD) {
		due = virtgpu_frames_host_due(f);
	} else if (!virtgpu_frames_was_idle(f)) {
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
	if (f->event && !f->waits_for_host && !ktime_before(now, f->event_due))
		virtgpu_frames_take_event(f, f->in_phase ? now : f->event_due, f->in_phase, &flip);
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_frames_send_flip(f, &flip);
}

static ktime_t virtgpu_frames_held_period(void)
{
	return NSEC_PER_SEC / clamp(READ_ONCE(virtgpu_held_rate), 1U, 1000U);
}

/**
 * virtgpu_frames_arm() - Arm the flip event of a commit
 * @f: frames without a pending event
 * @event: the event
 * @type: when to send @event
 *
 * The event is sent when the host shows the frame of the commit. If the commit
 * has no frame, the event is sent with the next vblank.
 *
 * Context: Any. The commit of the output, after its frame was queued.
 */
void virtgpu_frames_arm(struct virtgpu_frames *f, struct drm_pending_vblank_event *event,
			enum virtgpu_flip_event type)
{
	struct virtgpu_flip flip = { };
	ktime_t due, now = ktime_get();
	unsigned long flags;
	bool has_frame;

	spin_lock_irqsave(&f->lock, flags);
	has_frame = f->commit_has_frame;
	f->commit_has_frame = false;
	/* Drop the error of an earlier frame. */
	if (!has_frame || f->in_flight)
		f->error = 0;
	f->event = event;
	f->event_type = type;
	if (f->holding) {
		due = ktime_add(f->last_event, virtgpu_frames_held_period());
		virtgpu_frames_send_later(f, max(now, due), true);
	} else if (has_frame && f->in_flight) {
		f->waits_for_host = true;
	} else if (has_frame) {
		virtgpu_frames_complete_flip(f, &flip);
	} else if (type == VIRTGPU_FLIP_EVENT_NOW) {
		virtgpu_frames_take_event(f, now, true, &flip);
	} else {
		due = ktime_add_ns(virtgpu_vblank_before(&f->clock, now), f->clock.period);
		virtgpu_frames_send_later(f, due, true);
	}
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_frames_send_flip(f, &flip);
}

/*
 * Frames
 */

/* Caller must not hold the lock of the frames. */
static void virtgpu_frames_drop_frame(struct virtgpu_frame *frame)
{
	unsigned int i;

	for (i = 0; i < frame->num_transfers; i++)
		virtgpu_msg_put(frame->transfers[i]);
	virtgpu_msg_put(frame->set_scanout);
	virtgpu_msg_put(frame->flush);
	virtgpu_resource_put(frame->res);
}

static void virtgpu_frames_take_next(struct virtgpu_frames *f, struct virtgpu_frame *next)
{
	lockdep_assert_held(&f->lock);

	*next = f->next;
	memset(&f->next, 0, sizeof(f->next));
	f->has_next = false;
	if (!f->kept.gem)
		return;
	/*
	 * Make @kept free for another buffer before the work runs. If @released
	 * is still in use, @kept is free only after the work.
	 */
	if (!f->released.gem) {
		f->released = f->kept;
		memset(&f->kept, 0, sizeof(f->kept));
	}
	f->ops->queue_release(f);
}

static void virtgpu_frames_flush_complete(struct virtgpu_msg *msg);

/* Messages that are not needed are left in @frame. */
static void virtgpu_frames_queue_frame(struct virtgpu_frames *f, struct virtgpu_frame *frame,
				       ktime_t now, struct list_head *completed)
{
	s64 waited = ktime_to_ns(ktime_sub(now, frame->commit_time));
	struct virtgpu_msg *msgs[VIRTGPU_DAMAGE_RECTS + 2];
	unsigned int n;

	lockdep_assert_held(&f->lock);

	for (n = 0; n < frame->num_transfers; n++) {
		/* Some hosts reject transfers to blobs; ignore the error. */
		if (!frame->blob)
			virtgpu_resource_track(frame->res, frame->transfers[n]);
		msgs[n] = frame->transfers[n];
	}
	if (n)
		frame->res->has_contents = true;
	frame->num_transfers = 0;
	virtgpu_damage_copied(&f->damage, frame->seq, frame->res->id);
	if (memcmp(&frame->scanout, &f->scanout_state, sizeof(f->scanout_state))) {
		f->scanout_state = frame->scanout;
		virtgpu_resource_track(frame->res, frame->set_scanout);
		if (frame->blob)
			virtgpu_cmd_set_scanout_blob(frame->set_scanout, &frame->scanout);
		else
			virtgpu_cmd_set_scanout(frame->set_scanout, &frame->scanout);
		msgs[n++] = frame->set_scanout;
		frame->set_scanout = NULL;
	}
	/*
	 * A fenced RESOURCE_FLUSH completes when the display has taken the
	 * frame.
	 */
	frame->flush->fenced = true;
	frame->flush->priv = f;
	frame->flush->complete = virtgpu_frames_flush_complete;
	msgs[n++] = frame->flush;
	frame->flush = NULL;

	f->in_flight = true;
	f->ticks = 0;
	f->queued = now;
	f->stats.frames++;
	virtgpu_frames_count_step(f, VIRTGPU_FRAME_STEP_QUEUE, waited);
	virtgpu_vblank_defer(&f->clock, true);
	virtgpu_vq_queue_batch(f->queue, msgs, n, completed);
	trace_virtio_gpu_frame_queued(f);
}

/*
 * Update the state and the statistics after the response to RESOURCE_FLUSH.
 * @host_paced counts responses that took a noticeable part of a period, less
 * those that came at once.
 */
static void virtgpu_frames_account_response(struct virtgpu_frames *f, ktime_t now)
{
	s64 ns = ktime_to_ns(ktime_sub(now, f->queued));

	lockdep_assert_held(&f->lock);

	f->in_flight = false;
	f->interval = ktime_to_ns(ktime_sub(now, f->responded));
	f->responded = now;
	virtgpu_vblank_defer(&f->clock, false);
	virtgpu_frames_count_step(f, VIRTGPU_FRAME_STEP_RESPONSE, ns);
	if (ns >= f->clock.period && !f->holding)
		f->stats.missed += div_u64(ns, f->clock.period);
	if (ns > max_t(s64, f->clock.period / 8, NSEC_PER_MSEC)) {
		f->host_paced = min(f->host_paced + 1, HOST_PACED_MAX);
		f->realign |= f->host_paced == HOST_PACED_THRESHOLD;
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
	LIST_HEAD(completed);

	spin_lock_irqsave(&f->lock, flags);
	virtgpu_frames_account_response(f, now);
	f->error = msg->error;
	trace_virtio_gpu_frame_response(f);
	if (f->has_next) {
		virtgpu_frames_take_next(f, &next);
		/* After removal of the device the frame is dropped. */
		if (msg->error != -ENODEV)
			virtgpu_frames_queue_frame(f, &next, now, &completed);
	}
	if (f->event && f->in_flight)
		f->waits_for_host = true;
	else if (f->event && f->waits_for_host)
		virtgpu_frames_complete_flip(f, &flip);
	spin_unlock_irqrestore(&f->lock, flags);

	if (next.res)
		virtgpu_vq_kick(f->queue);
	virtgpu_vq_complete_batch(f->queue, &completed);
	virtgpu_frames_drop_frame(&next);
	virtgpu_frames_send_flip(f, &flip);
}

/**
 * virtgpu_frames_add_damage() - Add the damage of a new frame
 * @f: the frames
 * @frame: the new frame, with @res; @seq is filled in
 * @old: state of the primary plane in the frame before
 * @new: the new state, with a framebuffer
 * @damage: filled in with a rectangle around the damage, if there is any
 * @stale: filled in with what the host's copy of the framebuffer lacks
 *
 * Context: Any. The commit of the output.
 * Return: false if the frame is equal to the frame before.
 */
bool virtgpu_frames_add_damage(struct virtgpu_frames *f, struct virtgpu_frame *frame,
			       const struct drm_plane_state *old,
			       const struct drm_plane_state *new, struct drm_rect *damage,
			       struct virtgpu_damage_rects *stale)
{
	const struct virtgpu_damage_rects *rects;
	unsigned long flags;
	bool damaged;

	spin_lock_irqsave(&f->lock, flags);
	rects = virtgpu_damage_add(&f->damage, old, new);
	frame->seq = f->damage.seq;
	damaged = rects->count;
	if (damaged)
		virtgpu_damage_bounds(rects, damage);
	if (!frame->res->has_contents ||
	    !virtgpu_damage_since(&f->damage, frame->res->id, stale)) {
		stale->count = 1;
		drm_rect_fp_to_int(&stale->rects[0], &new->src);
	}
	spin_unlock_irqrestore(&f->lock, flags);

	return damaged;
}

/**
 * virtgpu_frames_in_flight() - Check for a frame without a response
 * @f: the frames
 *
 * Context: Any.
 * Return: true if a new frame has to wait. Such a frame may replace others, so
 * it must describe all of the scanout.
 */
bool virtgpu_frames_in_flight(struct virtgpu_frames *f)
{
	return READ_ONCE(f->in_flight);
}

/**
 * virtgpu_frames_would_change() - Compare a scanout with the current one
 * @f: the frames
 * @s: parameters of the new scanout
 *
 * Context: Any. The commit of the output.
 * Return: false if @s is the current scanout.
 */
bool virtgpu_frames_would_change(struct virtgpu_frames *f, const struct virtgpu_cmd_scanout *s)
{
	/*
	 * Only the response to a frame in flight changes @scanout_state
	 * concurrently.
	 */
	return virtgpu_frames_in_flight(f) || memcmp(&f->scanout_state, s, sizeof(*s));
}

/**
 * virtgpu_frames_try_set_scanout() - Set the parameters of the last SET_SCANOUT
 * @f: the frames
 * @s: parameters of a command that the caller queues
 *
 * Does nothing if the lock is not free.
 *
 * Context: Any, panic included.
 */
void virtgpu_frames_try_set_scanout(struct virtgpu_frames *f, const struct virtgpu_cmd_scanout *s)
{
	unsigned long flags;

	if (!spin_trylock_irqsave(&f->lock, flags))
		return;
	f->scanout_state = *s;
	spin_unlock_irqrestore(&f->lock, flags);
}

/**
 * virtgpu_frames_queue() - Queue a frame
 * @f: the frames
 * @frame: the frame; its messages are consumed
 *
 * While another frame is in flight, the frame waits, and replaces a frame that
 * waited before. The caller must kick the control queue.
 *
 * Context: Any. The commit of the output.
 */
void virtgpu_frames_queue(struct virtgpu_frames *f, struct virtgpu_frame *frame)
{
	struct virtgpu_frame old = { };
	ktime_t now = ktime_get();
	unsigned long flags;
	LIST_HEAD(completed);

	spin_lock_irqsave(&f->lock, flags);
	f->commit_has_frame = true;
	if (f->in_flight) {
		old = f->next;
		f->stats.replaced += f->has_next;
		f->next = *frame;
		virtgpu_resource_get(frame->res);
		f->has_next = true;
	} else {
		virtgpu_frames_queue_frame(f, frame, now, &completed);
		old = *frame;
		old.res = NULL;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_vq_complete_batch(f->queue, &completed);
	virtgpu_frames_drop_frame(&old);
}

/**
 * virtgpu_frames_disable() - Queue SET_SCANOUT without a resource
 * @f: the frames
 * @msg: message reserved for SET_SCANOUT; consumed
 *
 * The caller must kick the control queue.
 *
 * Context: Any. The commit of the output.
 */
void virtgpu_frames_disable(struct virtgpu_frames *f, struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_scanout none = { .scanout = f->scanout_state.scanout };
	struct virtgpu_frame next = { };
	unsigned long flags;
	LIST_HEAD(completed);

	virtgpu_cmd_set_scanout(msg, &none);
	spin_lock_irqsave(&f->lock, flags);
	virtgpu_frames_take_next(f, &next);
	f->commit_has_frame = false;
	if (f->scanout_state.resource) {
		f->scanout_state = none;
		virtgpu_vq_queue_batch(f->queue, &msg, 1, &completed);
		msg = NULL;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	virtgpu_vq_complete_batch(f->queue, &completed);
	virtgpu_frames_drop_frame(&next);
	virtgpu_msg_put(msg);
}

/**
 * virtgpu_frames_keep() - Keep the shown buffer until it is replaced
 * @f: the frames
 * @gem: a buffer that the output has shown before
 * @res: the resource of @gem; on success the caller's reference and pin are
 *	consumed
 *
 * Context: Any. The commit of the output.
 * Return: true if the host shows @res and the frame that replaces @res waits.
 */
bool virtgpu_frames_keep(struct virtgpu_frames *f, struct virtgpu_gem *gem,
			 struct virtgpu_resource *res)
{
	unsigned long flags;
	bool keep;

	if (!READ_ONCE(f->has_next))
		return false;

	spin_lock_irqsave(&f->lock, flags);
	keep = f->has_next && !f->kept.gem && f->scanout_state.resource == res->id;
	if (keep) {
		drm_gem_object_get(&gem->base);
		f->kept.gem = gem;
		f->kept.res = res;
	}
	spin_unlock_irqrestore(&f->lock, flags);

	return keep;
}

static struct virtgpu_kept_buffer virtgpu_frames_take_released(struct virtgpu_frames *f)
{
	struct virtgpu_kept_buffer *src = &f->released, kept;

	spin_lock_irq(&f->lock);
	if (!src->gem && !f->has_next)
		src = &f->kept;
	kept = *src;
	memset(src, 0, sizeof(*src));
	spin_unlock_irq(&f->lock);

	return kept;
}

static void virtgpu_frames_release_all(struct virtgpu_frames *f)
{
	struct virtgpu_kept_buffer kept;

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
 * virtgpu_frames_tick() - Detect a display that holds a frame
 * @f: the frames
 *
 * Context: Process context. Called once per watchdog period of the control
 * queue.
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
 * virtgpu_frames_held_ms() - Get the time for which the display holds its frame
 * @f: the frames
 *
 * Context: Process context.
 * Return: time in ms, 0 if the display does not hold a frame.
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
 * virtgpu_frames_print() - Print statistics for debugfs
 * @f: the frames
 * @index: index of the output
 * @p: the printer
 *
 * Context: May sleep.
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
		   paced >= HOST_PACED_THRESHOLD ? "host" : "timer");
	for (i = 0; i < VIRTGPU_FRAME_STEPS; i++)
		virtgpu_frames_print_step(p, index, steps[i], s.steps[i]);
}

/**
 * virtgpu_frames_init() - Initialise the frames of an output
 * @f: zeroed memory
 * @queue: the control queue
 * @crtc: the CRTC of the output
 * @scanout: index of the scanout
 * @ops: operations of the owner
 *
 * Context: May sleep.
 */
void virtgpu_frames_init(struct virtgpu_frames *f, struct virtgpu_vq *queue, struct drm_crtc *crtc,
			 unsigned int scanout, const struct virtgpu_frames_ops *ops)
{
	f->queue = queue;
	f->ops = ops;
	f->scanout_state.scanout = scanout;
	spin_lock_init(&f->lock);
	INIT_WORK(&f->release_work, virtgpu_frames_release_work);
	virtgpu_vblank_init(&f->clock, crtc, virtgpu_frames_alarm);
}

/**
 * virtgpu_frames_fini() - Release the resources of frames
 * @f: frames of a stopped control queue, or zeroed memory
 *
 * Context: May sleep.
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
