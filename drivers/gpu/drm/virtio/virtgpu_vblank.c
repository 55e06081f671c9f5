// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <drm/drm_crtc.h>
#include <drm/drm_vblank.h>

#include "virtgpu_vblank.h"

/**
 * DOC: vblanks
 *
 * The device has no vblank interrupt. The vblank clock of an output counts
 * periods of the mode, and takes the phase of the host's display where that
 * display has a rate of its own: see virtgpu_frame.c. DRM reads the clock as a
 * hardware counter. The counter is updated when it is read, so vblanks without
 * a waiter cost nothing.
 *
 * The timer runs only while DRM has users of vblanks, or for one flip event.
 * The timer is started and cancelled without waiting for its callback, because
 * both happen under the vblank locks of DRM, which the callback takes.
 */

/* A vblank that is late by this time means that the guest's clock jumped. */
#define CLOCK_JUMP_THRESHOLD NSEC_PER_SEC

/* Number of periods from the last vblank to @now. */
static u32 virtgpu_vblank_periods(const struct virtgpu_vblank *v, ktime_t now)
{
	s64 ns = ktime_to_ns(ktime_sub(now, v->time));

	lockdep_assert_held(&v->lock);

	if (ns < v->period)
		return 0;

	return ns < 2 * (s64)v->period ? 1 : div_u64(ns, v->period);
}

static void virtgpu_vblank_advance(struct virtgpu_vblank *v, ktime_t now)
{
	u32 n = virtgpu_vblank_periods(v, now);

	if (!n)
		return;

	v->count += n;
	v->time = ktime_add_ns(v->time, (u64)n * v->period);
}

/*
 * Vblanks with users are a period apart, unless the clock of the guest jumped
 * or the machine was paused. Caller must hold @v->lock.
 */
static bool virtgpu_vblank_has_jumped(const struct virtgpu_vblank *v, ktime_t now)
{
	return v->enabled && ktime_to_ns(ktime_sub(now, v->time)) >= CLOCK_JUMP_THRESHOLD;
}

/* Count a jump of the clock as one vblank. Caller must hold @v->lock. */
static void virtgpu_vblank_tick(struct virtgpu_vblank *v, ktime_t now)
{
	if (!virtgpu_vblank_has_jumped(v, now)) {
		virtgpu_vblank_advance(v, now);
		return;
	}

	v->count++;
	v->time = now;
}

/* While a frame is in flight, give the response half a period more. */
static ktime_t virtgpu_vblank_next_tick(const struct virtgpu_vblank *v)
{
	u32 delay = READ_ONCE(v->defer) ? v->period / 2 : 0;

	return ktime_add_ns(v->time, v->period + delay);
}

/* Caller must hold @v->lock. */
static void virtgpu_vblank_start_timer(struct virtgpu_vblank *v)
{
	ktime_t next = v->alarm;

	if (v->enabled)
		next = min(next, virtgpu_vblank_next_tick(v));
	if (next == KTIME_MAX)
		hrtimer_try_to_cancel(&v->timer);
	else if (!hrtimer_is_queued(&v->timer) || hrtimer_get_expires(&v->timer) != next)
		hrtimer_start(&v->timer, next, HRTIMER_MODE_ABS);
}

static enum hrtimer_restart virtgpu_vblank_timer_expired(struct hrtimer *timer)
{
	struct virtgpu_vblank *v = container_of(timer, struct virtgpu_vblank, timer);
	ktime_t now = ktime_get();
	unsigned long flags;
	bool alarm, due;

	spin_lock_irqsave(&v->lock, flags);
	alarm = ktime_compare(now, v->alarm) >= 0;
	if (alarm)
		v->alarm = KTIME_MAX;
	spin_unlock_irqrestore(&v->lock, flags);

	/* A flip event signals a vblank, which may be the one that is due. */
	if (alarm)
		v->on_alarm(v, now);

	spin_lock_irqsave(&v->lock, flags);
	due = v->enabled && ktime_compare(now, virtgpu_vblank_next_tick(v)) >= 0;
	if (due)
		virtgpu_vblank_tick(v, now);
	spin_unlock_irqrestore(&v->lock, flags);

	if (due)
		drm_crtc_handle_vblank(v->crtc);

	/* HRTIMER_RESTART would conflict with a concurrent hrtimer_start(). */
	spin_lock_irqsave(&v->lock, flags);
	virtgpu_vblank_start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	return HRTIMER_NORESTART;
}

/**
 * virtgpu_vblank_init() - Initialise a vblank clock
 * @v: zeroed memory
 * @crtc: the CRTC
 * @on_alarm: see virtgpu_vblank_set_alarm()
 *
 * Context: May sleep.
 */
void virtgpu_vblank_init(struct virtgpu_vblank *v, struct drm_crtc *crtc,
			 void (*on_alarm)(struct virtgpu_vblank *v, ktime_t now))
{
	v->crtc = crtc;
	v->on_alarm = on_alarm;
	v->alarm = KTIME_MAX;
	v->time = ktime_get();
	v->period = NSEC_PER_SEC / 60;
	spin_lock_init(&v->lock);
	hrtimer_setup(&v->timer, virtgpu_vblank_timer_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
}

/**
 * virtgpu_vblank_fini() - Stop a vblank clock
 * @v: an initialised clock, or zeroed memory
 *
 * Context: May sleep. Caller must not hold the vblank locks of DRM.
 */
void virtgpu_vblank_fini(struct virtgpu_vblank *v)
{
	if (v->on_alarm)
		hrtimer_cancel(&v->timer);
}

/**
 * virtgpu_vblank_start() - Start counting periods of a mode
 * @v: clock of a CRTC that has no users of vblanks
 * @period: period of the mode in ns, not 0
 *
 * Context: Any.
 */
void virtgpu_vblank_start(struct virtgpu_vblank *v, u32 period)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	v->time = ktime_get();
	v->period = period;
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * virtgpu_vblank_enable() - Implement &drm_crtc_funcs.enable_vblank
 * @v: the clock
 *
 * Context: Atomic. Caller holds the vblank locks of DRM.
 * Return: 0.
 */
int virtgpu_vblank_enable(struct virtgpu_vblank *v)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	virtgpu_vblank_advance(v, ktime_get());
	v->enabled = true;
	virtgpu_vblank_start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	return 0;
}

/**
 * virtgpu_vblank_disable() - Implement &drm_crtc_funcs.disable_vblank
 * @v: the clock
 *
 * Context: Atomic. Caller holds the vblank locks of DRM, which a running timer
 * callback may be waiting for.
 */
void virtgpu_vblank_disable(struct virtgpu_vblank *v)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	v->enabled = false;
	virtgpu_vblank_start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * virtgpu_vblank_count() - Implement &drm_crtc_funcs.get_vblank_counter
 * @v: the clock
 *
 * Context: Any.
 * Return: the number of the last vblank, modulo 2^32.
 */
u32 virtgpu_vblank_count(struct virtgpu_vblank *v)
{
	unsigned long flags;
	u32 count;

	spin_lock_irqsave(&v->lock, flags);
	/* With users, only the timer and the responses of the host count. */
	if (!v->enabled)
		virtgpu_vblank_advance(v, ktime_get());
	count = v->count;
	spin_unlock_irqrestore(&v->lock, flags);

	return count;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vblank_count);

/**
 * virtgpu_vblank_time() - Implement &drm_crtc_funcs.get_vblank_timestamp
 * @v: the clock
 *
 * Context: Any.
 * Return: the time of the last vblank, on CLOCK_MONOTONIC.
 */
ktime_t virtgpu_vblank_time(struct virtgpu_vblank *v)
{
	unsigned long flags;
	ktime_t time;

	spin_lock_irqsave(&v->lock, flags);
	time = v->time;
	spin_unlock_irqrestore(&v->lock, flags);

	return time;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vblank_time);

/**
 * virtgpu_vblank_before() - Get the time of the last vblank before a given time
 * @v: the clock
 * @now: the given time, on CLOCK_MONOTONIC
 *
 * Context: Any.
 * Return: the latest time up to @now that is a whole number of periods after
 * the last vblank.
 */
ktime_t virtgpu_vblank_before(struct virtgpu_vblank *v, ktime_t now)
{
	unsigned long flags;
	ktime_t time;

	spin_lock_irqsave(&v->lock, flags);
	time = ktime_add_ns(v->time, (u64)virtgpu_vblank_periods(v, now) * v->period);
	spin_unlock_irqrestore(&v->lock, flags);

	return time;
}

/**
 * virtgpu_vblank_set_alarm() - Schedule one call of &virtgpu_vblank.on_alarm
 * @v: the clock
 * @when: time on CLOCK_MONOTONIC, or KTIME_MAX to cancel the call
 *
 * Context: Any.
 */
void virtgpu_vblank_set_alarm(struct virtgpu_vblank *v, ktime_t when)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	if (v->alarm != when) {
		v->alarm = when;
		virtgpu_vblank_start_timer(v);
	}
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * virtgpu_vblank_signal() - Signal a vblank
 * @v: the clock
 * @when: time of the vblank, not in the future
 * @in_phase: @when is a whole number of periods after the last vblank, and may
 *	be counted already; otherwise the clock takes its phase from @when
 *
 * Context: Any. Caller must not hold the vblank locks of DRM.
 */
void virtgpu_vblank_signal(struct virtgpu_vblank *v, ktime_t when, bool in_phase)
{
	unsigned long flags;
	bool enabled;
	u32 n;

	spin_lock_irqsave(&v->lock, flags);
	if (in_phase) {
		virtgpu_vblank_tick(v, when);
	} else if (ktime_after(when, v->time)) {
		n = virtgpu_vblank_has_jumped(v, when) ?
			1 : max(virtgpu_vblank_periods(v, when), 1);
		v->count += n;
		v->time = when;
	}
	enabled = v->enabled;
	if (enabled)
		virtgpu_vblank_start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	if (enabled)
		drm_crtc_handle_vblank(v->crtc);
	else
		drm_crtc_accurate_vblank_count(v->crtc);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_vblank_signal);
