// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A display that holds frames, as one does that shows guest memory in place: it
 * blocks the renderer when a flush reaches it and unblocks it later, on the
 * guest's clock. QEMU holds the fence of the flush until then, as it does for
 * its GTK and D-Bus displays.
 *
 * QEMU exports what its own display modules need; the types are those of
 * ui/console.h and qemu/timer.h, as far as they are used.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "slow-host.h"

#define CLOCK_VIRTUAL	1
#define DISPLAYS	8

/**
 * enum pace - when a frame is released
 * @PACE_NONE: at once
 * @PACE_DELAY: a constant time after it came
 * @PACE_HOLD: the same, the first frame; the others at once
 * @PACE_VSYNC: at the next vsync. All displays have the same one, and each of
 *	them shows one frame then.
 */
enum pace {
	PACE_NONE,
	PACE_DELAY,
	PACE_HOLD,
	PACE_VSYNC,
};

struct display;

struct display_ops {
	const char *name;
	void (*refresh)(struct display *d);
	void (*update)(struct display *d, int x, int y, int w, int h);
	void *others[32];
};

struct display {
	/* QEMU's */
	uint64_t interval;
	const struct display_ops *ops;
	void *state;
	void *console;
	void *link[2];
	/* ours */
	uint64_t timer[16];
	int64_t shown_at;
	bool holding;
	bool releasing;
};

extern void *qemu_console_lookup_by_index(unsigned int index);
extern bool console_has_gl(void *console);
/* Other QEMUs have them under other names: their displays are not slow. */
extern void register_displaychangelistener(struct display *d) __attribute__((weak));
extern void graphic_hw_gl_block(void *console, bool block) __attribute__((weak));
extern void bql_lock_impl(const char *file, int line);
extern void bql_unlock(void);
extern int64_t qemu_clock_get_ns(int clock);
extern void timer_init_full(void *timer, void *group, int clock, int scale, int attributes,
			    void (*callback)(void *), void *opaque);
extern void timer_mod(void *timer, int64_t when);
/*
 * Of qemu-preload.c, if that library is preloaded. Called when QEMU's SDL
 * display has drawn a frame.
 */
extern void (*host_gl_drawn)(void) __attribute__((weak));

static struct display displays[DISPLAYS];
static unsigned int n_displays;
static enum pace pace;
/* Of PACE_DELAY and PACE_HOLD, or the period of PACE_VSYNC. */
static int64_t length, phase;
/* The vsync that is being handled, or 0. */
static int64_t vsync;

static int64_t next_vsync(int64_t now)
{
	return phase + ((now - phase) / length + 1) * length;
}

static void hold_frame(struct display *d)
{
	int64_t now, until;

	/* A flush without a fence is tried again when the queue goes on. */
	if (pace == PACE_NONE || d->holding || d->releasing)
		return;
	now = qemu_clock_get_ns(CLOCK_VIRTUAL);
	until = now + length;
	if (pace == PACE_VSYNC) {
		/*
		 * Several flushes may wait behind the one that blocks the
		 * renderer.
		 */
		if (vsync && d->shown_at < vsync) {
			d->shown_at = vsync;
			return;
		}
		until = next_vsync(now);
	} else if (pace == PACE_HOLD) {
		pace = PACE_NONE;
	}
	d->holding = true;
	graphic_hw_gl_block(d->console, true);
	timer_mod(d->timer, until);
}

static void release_frame(void *opaque)
{
	struct display *d = opaque;

	d->holding = false;
	d->releasing = true;
	if (pace == PACE_VSYNC)
		d->shown_at = vsync = qemu_clock_get_ns(CLOCK_VIRTUAL);
	graphic_hw_gl_block(d->console, false);
	vsync = 0;
	d->releasing = false;
}

static void update(struct display *d, int x, int y, int w, int h)
{
	(void)x;
	(void)y;
	(void)w;
	(void)h;
	hold_frame(d);
}

/* It does not say in which window: hosts with OpenGL have one output here. */
static void gl_drawn(void)
{
	hold_frame(&displays[0]);
}

static void open_displays(void)
{
	static const struct display_ops ops = { .name = "slow", .update = update };
	struct display *d;
	void *console;

	while (n_displays < DISPLAYS &&
	       (console = qemu_console_lookup_by_index(n_displays))) {
		d = &displays[n_displays++];
		d->ops = &ops;
		d->console = console;
		timer_init_full(d->timer, NULL, CLOCK_VIRTUAL, 1, 0, release_frame, d);
		/* One that OpenGL draws has a display, and takes no other. */
		if (!console_has_gl(console))
			register_displaychangelistener(d);
		else if (&host_gl_drawn)
			host_gl_drawn = gl_drawn;
	}
}

static void set_pace(enum pace new_pace, int64_t new_length, int64_t new_phase)
{
	if (!register_displaychangelistener || !graphic_hw_gl_block) {
		fprintf(stderr, "bench: a display of this QEMU cannot be made slow\n");
		return;
	}
	bql_lock_impl(__FILE__, __LINE__);
	/* To register a display also shows it a frame. */
	pace = PACE_NONE;
	if (!n_displays)
		open_displays();
	length = new_length;
	phase = new_phase;
	if (length)
		pace = new_pace;
	bql_unlock();
}

void slow_display_delay(unsigned int ms)
{
	set_pace(PACE_DELAY, ms * 1000000ll, 0);
}

void slow_display_hold(unsigned int ms)
{
	set_pace(PACE_HOLD, ms * 1000000ll, 0);
}

void slow_display_vsync(unsigned int period_us, unsigned int phase_us)
{
	set_pace(PACE_VSYNC, period_us * 1000ll, phase_us * 1000ll);
}
