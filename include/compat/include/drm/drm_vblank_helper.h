/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * 6.18: vblanks from a timer are DRM's own.  Before, this is the same interface.
 * One source file of the driver includes it, so the functions can stand here.
 */
#ifdef HAVE_DRM_VBLANK_TIMER
#include_next <drm/drm_vblank_helper.h>
#else
#ifndef VGPU_COMPAT_DRM_VBLANK_HELPER_H
#define VGPU_COMPAT_DRM_VBLANK_HELPER_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_vblank.h>

/**
 * struct compat_vblank_timer - the vblank timer of a CRTC
 * @link: in the list of all
 * @crtc: whose it is
 * @timer: ticks while vblanks are enabled
 * @lock: protects what follows
 * @period: of a frame; 0 tells the timer to end
 * @ticking: the timer is set, or its function will set it again
 */
struct compat_vblank_timer {
	struct list_head link;
	struct drm_crtc *crtc;
	struct hrtimer timer;
	spinlock_t lock; /* @period and @ticking */
	ktime_t period;
	bool ticking;
};

static LIST_HEAD(compat_vblank_timers);
static DEFINE_SPINLOCK(compat_vblank_lock);

static struct compat_vblank_timer *compat_vblank_find(struct drm_crtc *crtc)
{
	struct compat_vblank_timer *t, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&compat_vblank_lock, flags);
	list_for_each_entry(t, &compat_vblank_timers, link) {
		if (t->crtc == crtc) {
			found = t;
			break;
		}
	}
	spin_unlock_irqrestore(&compat_vblank_lock, flags);

	return found;
}

/* Is the timer to go on?  If not, enabling vblanks starts it again. */
static bool compat_vblank_goes_on(struct compat_vblank_timer *t, ktime_t *period)
{
	unsigned long flags;

	spin_lock_irqsave(&t->lock, flags);
	*period = t->period;
	if (!t->period)
		t->ticking = false;
	spin_unlock_irqrestore(&t->lock, flags);

	return *period;
}

static enum hrtimer_restart compat_vblank_tick(struct hrtimer *timer)
{
	struct compat_vblank_timer *t = container_of(timer, struct compat_vblank_timer,
						     timer);
	ktime_t period;

	if (!compat_vblank_goes_on(t, &period))
		return HRTIMER_NORESTART;

	/* First, so that the timestamp of this vblank is the tick's. */
	hrtimer_forward_now(timer, period);
	drm_crtc_handle_vblank(t->crtc);

	return compat_vblank_goes_on(t, &period) ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

static void compat_vblank_remove(struct drm_device *dev, void *data)
{
	struct compat_vblank_timer *t = data;

	hrtimer_cancel(&t->timer);
	spin_lock_irq(&compat_vblank_lock);
	list_del(&t->link);
	spin_unlock_irq(&compat_vblank_lock);
	kfree(t);
}

static void compat_vblank_enlist(struct compat_vblank_timer *t)
{
	unsigned long flags;

	spin_lock_irqsave(&compat_vblank_lock, flags);
	list_add(&t->link, &compat_vblank_timers);
	spin_unlock_irqrestore(&compat_vblank_lock, flags);
}

/**
 * vgpu_compat_vblank_timer_init - make the timer of a CRTC
 * @crtc: the CRTC
 *
 * Vblanks are enabled under spinlocks, so the timer is there before.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
static inline int vgpu_compat_vblank_timer_init(struct drm_crtc *crtc)
{
	struct compat_vblank_timer *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;

	t->crtc = crtc;
	spin_lock_init(&t->lock);
	hrtimer_init(&t->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	t->timer.function = compat_vblank_tick;
	compat_vblank_enlist(t);

	return drmm_add_action_or_reset(crtc->dev, compat_vblank_remove, t);
}

/**
 * drm_crtc_vblank_helper_enable_vblank_timer - start the vblanks of a CRTC
 * @crtc: the CRTC
 *
 * Context: under DRM's vblank locks.
 * Return: 0.
 */
static inline int drm_crtc_vblank_helper_enable_vblank_timer(struct drm_crtc *crtc)
{
	struct compat_vblank_timer *t = compat_vblank_find(crtc);
	unsigned long flags;
	ktime_t period;
	bool start;

	drm_calc_timestamping_constants(crtc, &crtc->mode);
	period = ns_to_ktime(drm_crtc_vblank_crtc(crtc)->framedur_ns);

	/* A tick that is running sees the new period, and is not waited for. */
	spin_lock_irqsave(&t->lock, flags);
	t->period = period;
	start = !t->ticking;
	t->ticking = true;
	spin_unlock_irqrestore(&t->lock, flags);

	if (start)
		hrtimer_start(&t->timer, period, HRTIMER_MODE_REL);

	return 0;
}

/**
 * drm_crtc_vblank_helper_disable_vblank_timer - stop the vblanks of a CRTC
 * @crtc: the CRTC
 *
 * Context: under DRM's vblank locks, which a running tick may be waiting for.
 */
static inline void drm_crtc_vblank_helper_disable_vblank_timer(struct drm_crtc *crtc)
{
	struct compat_vblank_timer *t = compat_vblank_find(crtc);
	unsigned long flags;

	spin_lock_irqsave(&t->lock, flags);
	t->period = 0;
	spin_unlock_irqrestore(&t->lock, flags);

	/* One that is running ends by itself. */
	if (hrtimer_try_to_cancel(&t->timer) < 0)
		return;

	spin_lock_irqsave(&t->lock, flags);
	t->ticking = false;
	spin_unlock_irqrestore(&t->lock, flags);
}

/**
 * drm_crtc_vblank_helper_get_vblank_timestamp_from_timer - when the last vblank was
 * @crtc: the CRTC
 * @max_error: not used
 * @vblank_time: filled
 * @in_vblank_irq: not used
 *
 * Context: under DRM's vblank locks.
 * Return: true.
 */
static inline bool
drm_crtc_vblank_helper_get_vblank_timestamp_from_timer(struct drm_crtc *crtc,
						       int *max_error,
						       ktime_t *vblank_time,
						       bool in_vblank_irq)
{
	struct drm_vblank_crtc *vblank = drm_crtc_vblank_crtc(crtc);
	struct compat_vblank_timer *t = compat_vblank_find(crtc);
	ktime_t period = READ_ONCE(t->period);

	if (!READ_ONCE(vblank->enabled) || !period) {
		*vblank_time = ktime_get();
		return true;
	}

	/* The timer is set to the next one. */
	*vblank_time = ktime_sub(READ_ONCE(t->timer.node.expires), period);

	return true;
}

#define DRM_CRTC_VBLANK_TIMER_FUNCS \
	.enable_vblank = drm_crtc_vblank_helper_enable_vblank_timer, \
	.disable_vblank = drm_crtc_vblank_helper_disable_vblank_timer, \
	.get_vblank_timestamp = drm_crtc_vblank_helper_get_vblank_timestamp_from_timer

/* DRM sets the timer up when vblanks are first enabled; here, with the CRTC. */
#define drmm_crtc_init_with_planes(dev, crtc, ...) \
	(drmm_crtc_init_with_planes(dev, crtc, __VA_ARGS__) ?: \
	 vgpu_compat_vblank_timer_init(crtc))

#endif
#endif
