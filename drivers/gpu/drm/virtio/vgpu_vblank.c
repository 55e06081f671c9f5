// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <drm/drm_crtc.h>
#include <drm/drm_vblank.h>

#include "vgpu_vblank.h"

/**
 * DOC: vblanks
 *
 * The device has no vblank interrupt.  The vblank clock of an output counts periods of
 * the mode, and takes its phase from the host where the host's display has one: see
 * vgpu_frame.c.  DRM reads it as a hardware counter, so vblanks without a waiter
 * cost nothing: the counter is brought up to date when it is read.
 *
 * The timer runs only while DRM has users of vblanks, or for one flip event.  It is
 * started and cancelled without waiting for its callback, because both happen under
 * DRM's vblank locks, which the callback takes.
 */

/* A vblank that comes so much later than it is due means that the clock has jumped. */
#define JUMP NSEC_PER_SEC

/* Number of periods from the last vblank to @now.  Caller must hold @v->lock. */
static u32 periods(const struct vgpu_vblank *v, ktime_t now)
{
	s64 ns = ktime_to_ns(ktime_sub(now, v->time));

	if (ns < v->period)
		return 0;

	return ns < 2 * (s64)v->period ? 1 : div_u64(ns, v->period);
}

/* Bring the clock up to @now.  Caller must hold @v->lock. */
static void advance(struct vgpu_vblank *v, ktime_t now)
{
	u32 n = periods(v, now);

	if (!n)
		return;

	v->count += n;
	v->time = ktime_add_ns(v->time, (u64)n * v->period);
}

/*
 * Vblanks that have users are a period apart.  If one comes much later the guest's
 * clock has jumped, or the machine was stopped.  Caller must hold @v->lock.
 */
static bool has_jumped(const struct vgpu_vblank *v, ktime_t now)
{
	return v->enabled && ktime_to_ns(ktime_sub(now, v->time)) >= JUMP;
}

/* As advance(), but a jump is one vblank.  Caller must hold @v->lock. */
static void tick(struct vgpu_vblank *v, ktime_t now)
{
	if (!has_jumped(v, now)) {
		advance(v, now);
		return;
	}

	v->count++;
	v->time = now;
}

/* While a frame is on its way the host has half a period to say when the vblank is. */
static ktime_t next_tick(const struct vgpu_vblank *v)
{
	return ktime_add_ns(v->time, READ_ONCE(v->defer) ? v->period + v->period / 2 :
							   v->period);
}

/* Caller must hold @v->lock. */
static void start_timer(struct vgpu_vblank *v)
{
	ktime_t next = v->alarm;

	if (v->enabled)
		next = min(next, next_tick(v));
	if (next == KTIME_MAX)
		hrtimer_try_to_cancel(&v->timer);
	else if (!hrtimer_is_queued(&v->timer) || hrtimer_get_expires(&v->timer) != next)
		hrtimer_start(&v->timer, next, HRTIMER_MODE_ABS);
}

static enum hrtimer_restart timer_expired(struct hrtimer *timer)
{
	struct vgpu_vblank *v = container_of(timer, struct vgpu_vblank, timer);
	ktime_t now = ktime_get();
	unsigned long flags;
	bool alarm, due;

	spin_lock_irqsave(&v->lock, flags);
	alarm = ktime_compare(now, v->alarm) >= 0;
	if (alarm)
		v->alarm = KTIME_MAX;
	spin_unlock_irqrestore(&v->lock, flags);

	/* A flip event makes a vblank, which may be the one that is due. */
	if (alarm)
		v->on_alarm(v, now);

	spin_lock_irqsave(&v->lock, flags);
	due = v->enabled && ktime_compare(now, next_tick(v)) >= 0;
	if (due)
		tick(v, now);
	spin_unlock_irqrestore(&v->lock, flags);

	if (due)
		drm_crtc_handle_vblank(v->crtc);

	/* Others may have started the timer meanwhile, so it is not restarted by return. */
	spin_lock_irqsave(&v->lock, flags);
	start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	return HRTIMER_NORESTART;
}

/**
 * vgpu_vblank_init - set up a vblank clock
 * @v: zeroed memory
 * @crtc: the CRTC
 * @on_alarm: see vgpu_vblank_set_alarm()
 */
void vgpu_vblank_init(struct vgpu_vblank *v, struct drm_crtc *crtc,
		      void (*on_alarm)(struct vgpu_vblank *v, ktime_t now))
{
	v->crtc = crtc;
	v->on_alarm = on_alarm;
	v->alarm = KTIME_MAX;
	v->time = ktime_get();
	v->period = NSEC_PER_SEC / 60;
	spin_lock_init(&v->lock);
	hrtimer_setup(&v->timer, timer_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
}

/**
 * vgpu_vblank_fini - stop a vblank clock for good
 * @v: a clock that was set up, or zeroed memory
 *
 * Context: may sleep, without DRM's vblank locks.
 */
void vgpu_vblank_fini(struct vgpu_vblank *v)
{
	if (v->on_alarm)
		hrtimer_cancel(&v->timer);
}

/**
 * vgpu_vblank_start - start to count periods of a mode
 * @v: the clock of a CRTC that has no users of vblanks
 * @period: of the mode, in ns, not 0
 */
void vgpu_vblank_start(struct vgpu_vblank *v, u32 period)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	v->time = ktime_get();
	v->period = period;
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * vgpu_vblank_enable - &drm_crtc_funcs.enable_vblank
 * @v: the clock
 *
 * Context: under DRM's vblank locks.
 * Return: 0.
 */
int vgpu_vblank_enable(struct vgpu_vblank *v)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	advance(v, ktime_get());
	v->enabled = true;
	start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	return 0;
}

/**
 * vgpu_vblank_disable - &drm_crtc_funcs.disable_vblank
 * @v: the clock
 *
 * Context: under DRM's vblank locks, which a running callback may be waiting for.
 */
void vgpu_vblank_disable(struct vgpu_vblank *v)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	v->enabled = false;
	start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * vgpu_vblank_count - &drm_crtc_funcs.get_vblank_counter
 * @v: the clock
 *
 * Context: any.
 * Return: the number of the last vblank, modulo 2^32.
 */
u32 vgpu_vblank_count(struct vgpu_vblank *v)
{
	unsigned long flags;
	u32 count;

	spin_lock_irqsave(&v->lock, flags);
	/* With users, vblanks happen when the timer or the host says so. */
	if (!v->enabled)
		advance(v, ktime_get());
	count = v->count;
	spin_unlock_irqrestore(&v->lock, flags);

	return count;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_vblank_count);

/**
 * vgpu_vblank_time - &drm_crtc_funcs.get_vblank_timestamp
 * @v: the clock
 *
 * Context: any.
 * Return: when the last vblank was, on CLOCK_MONOTONIC.
 */
ktime_t vgpu_vblank_time(struct vgpu_vblank *v)
{
	unsigned long flags;
	ktime_t time;

	spin_lock_irqsave(&v->lock, flags);
	time = v->time;
	spin_unlock_irqrestore(&v->lock, flags);

	return time;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_vblank_time);

/**
 * vgpu_vblank_before - when was the last vblank, by the period of the mode?
 * @v: the clock
 * @now: the time
 *
 * Context: any.
 * Return: the latest time up to @now that is a number of periods after the last
 * vblank.
 */
ktime_t vgpu_vblank_before(struct vgpu_vblank *v, ktime_t now)
{
	unsigned long flags;
	ktime_t time;

	spin_lock_irqsave(&v->lock, flags);
	time = ktime_add_ns(v->time, (u64)periods(v, now) * v->period);
	spin_unlock_irqrestore(&v->lock, flags);

	return time;
}

/**
 * vgpu_vblank_set_alarm - have &vgpu_vblank.on_alarm called once
 * @v: the clock
 * @when: the time, or KTIME_MAX for never
 *
 * Context: any.
 */
void vgpu_vblank_set_alarm(struct vgpu_vblank *v, ktime_t when)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	if (v->alarm != when) {
		v->alarm = when;
		start_timer(v);
	}
	spin_unlock_irqrestore(&v->lock, flags);
}

/**
 * vgpu_vblank_signal - there is a vblank
 * @v: the clock
 * @when: its time, not in the future
 * @in_phase: a number of periods after the last one, and there may have been a vblank
 *	at @when already; otherwise the clock takes its phase from @when
 *
 * Context: any, without DRM's vblank locks.
 */
void vgpu_vblank_signal(struct vgpu_vblank *v, ktime_t when, bool in_phase)
{
	unsigned long flags;
	bool enabled;
	u32 n;

	spin_lock_irqsave(&v->lock, flags);
	if (in_phase) {
		tick(v, when);
	} else if (ktime_after(when, v->time)) {
		n = has_jumped(v, when) ? 1 : max(periods(v, when), 1);
		v->count += n;
		v->time = when;
	}
	enabled = v->enabled;
	if (enabled)
		start_timer(v);
	spin_unlock_irqrestore(&v->lock, flags);

	if (enabled)
		drm_crtc_handle_vblank(v->crtc);
	else
		drm_crtc_accurate_vblank_count(v->crtc);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_vblank_signal);
