/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_VBLANK_H
#define VGPU_VBLANK_H

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

struct drm_crtc;

/**
 * struct vgpu_vblank - the vblank clock of a CRTC
 * @crtc: the CRTC
 * @on_alarm: called in the timer's context when @alarm has come
 * @lock: protects all below; innermost, DRM takes it under its vblank locks
 * @timer: expires at the next vblank while @enabled, or at @alarm
 * @time: of the last vblank
 * @count: number of the last vblank
 * @period: of the mode, in ns
 * @alarm: when @on_alarm is called, KTIME_MAX for never
 * @enabled: DRM has users of vblanks
 * @defer: the host is about to say when the next vblank is
 */
struct vgpu_vblank {
	struct drm_crtc *crtc;
	void (*on_alarm)(struct vgpu_vblank *v, ktime_t now);
	spinlock_t lock; /* all below */
	struct hrtimer timer;
	ktime_t time;
	u32 count;
	u32 period;
	ktime_t alarm;
	bool enabled;
	bool defer;
};

void vgpu_vblank_init(struct vgpu_vblank *v, struct drm_crtc *crtc,
		      void (*on_alarm)(struct vgpu_vblank *v, ktime_t now));
void vgpu_vblank_fini(struct vgpu_vblank *v);
void vgpu_vblank_start(struct vgpu_vblank *v, u32 period);

int vgpu_vblank_enable(struct vgpu_vblank *v);
void vgpu_vblank_disable(struct vgpu_vblank *v);
u32 vgpu_vblank_count(struct vgpu_vblank *v);
ktime_t vgpu_vblank_time(struct vgpu_vblank *v);

ktime_t vgpu_vblank_before(struct vgpu_vblank *v, ktime_t now);
void vgpu_vblank_set_alarm(struct vgpu_vblank *v, ktime_t when);
void vgpu_vblank_signal(struct vgpu_vblank *v, ktime_t when, bool in_phase);

/**
 * vgpu_vblank_defer - is the host about to say when the next vblank is?
 * @v: the clock
 * @defer: true while a frame is on its way to the host's display
 */
static inline void vgpu_vblank_defer(struct vgpu_vblank *v, bool defer)
{
	WRITE_ONCE(v->defer, defer);
}

#endif
