/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_VBLANK_H
#define VIRTGPU_VBLANK_H

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

struct drm_crtc;

/**
 * struct virtgpu_vblank - Vblank clock of a CRTC
 * @crtc: the CRTC
 * @on_alarm: called from the timer when @alarm has expired
 * @lock: protects the members below; taken inside the vblank locks of DRM
 * @timer: expires at the next vblank while @enabled, or at @alarm
 * @time: time of the last vblank
 * @count: number of the last vblank
 * @period: period of the mode in ns
 * @alarm: time at which @on_alarm is called, or KTIME_MAX
 * @enabled: DRM has users of vblanks
 * @defer: a frame is in flight; if the host paces the frames, its response is
 *	the next vblank
 */
struct virtgpu_vblank {
	struct drm_crtc *crtc;
	void (*on_alarm)(struct virtgpu_vblank *v, ktime_t now);
	spinlock_t lock; /* members below */
	struct hrtimer timer;
	ktime_t time;
	u32 count;
	u32 period;
	ktime_t alarm;
	bool enabled;
	bool defer;
};

void virtgpu_vblank_init(struct virtgpu_vblank *v, struct drm_crtc *crtc,
			 void (*on_alarm)(struct virtgpu_vblank *v, ktime_t now));
void virtgpu_vblank_fini(struct virtgpu_vblank *v);
void virtgpu_vblank_start(struct virtgpu_vblank *v, u32 period);

int virtgpu_vblank_enable(struct virtgpu_vblank *v);
void virtgpu_vblank_disable(struct virtgpu_vblank *v);
u32 virtgpu_vblank_count(struct virtgpu_vblank *v);
ktime_t virtgpu_vblank_time(struct virtgpu_vblank *v);

ktime_t virtgpu_vblank_before(struct virtgpu_vblank *v, ktime_t now);
void virtgpu_vblank_set_alarm(struct virtgpu_vblank *v, ktime_t when);
void virtgpu_vblank_signal(struct virtgpu_vblank *v, ktime_t when, bool in_phase);

/**
 * virtgpu_vblank_defer() - Delay the next vblank while a frame is in flight
 * @v: the clock
 * @defer: true while a frame is in flight
 *
 * Context: Any.
 */
static inline void virtgpu_vblank_defer(struct virtgpu_vblank *v, bool defer)
{
	WRITE_ONCE(v->defer, defer);
}

#endif
