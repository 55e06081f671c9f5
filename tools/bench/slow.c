// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A display that takes its time with a frame, as one does that shows guest memory
 * in place: it blocks the renderer when a flush reaches it and unblocks it later,
 * on the guest's clock. QEMU holds the fence of the flush until then, as it does
 * for its GTK and D-Bus displays.
 *
 * QEMU exports what its own display modules need; the types are those of
 * ui/console.h and qemu/timer.h, as far as they are used.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "slow.h"

#define CLOCK_VIRTUAL	1
#define DISPLAYS	8

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
	bool holds;
	bool lets_go;
};

extern void *qemu_console_lookup_by_index(unsigned int index);
/* Other QEMUs have them under other names: their displays are not slow. */
extern void register_displaychangelistener(struct display *d) __attribute__((weak));
extern void graphic_hw_gl_block(void *console, bool block) __attribute__((weak));
extern void bql_lock_impl(const char *file, int line);
extern void bql_unlock(void);
extern int64_t qemu_clock_get_ns(int clock);
extern void timer_init_full(void *timer, void *group, int clock, int scale, int attributes,
			    void (*callback)(void *), void *opaque);
extern void timer_mod(void *timer, int64_t when);

static struct display displays[DISPLAYS];
static unsigned int n_displays;
static int64_t delay;

static void update(struct display *d, int x, int y, int w, int h)
{
	(void)x;
	(void)y;
	(void)w;
	(void)h;
	/* A flush without a fence is tried again when the queue goes on. */
	if (!delay || d->holds || d->lets_go)
		return;
	d->holds = true;
	graphic_hw_gl_block(d->console, true);
	timer_mod(d->timer, qemu_clock_get_ns(CLOCK_VIRTUAL) + delay);
}

static void let_go(void *opaque)
{
	struct display *d = opaque;

	d->holds = false;
	d->lets_go = true;
	graphic_hw_gl_block(d->console, false);
	d->lets_go = false;
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
		timer_init_full(d->timer, NULL, CLOCK_VIRTUAL, 1, 0, let_go, d);
		register_displaychangelistener(d);
	}
}

void slow_display(unsigned int ms)
{
	if (!register_displaychangelistener || !graphic_hw_gl_block) {
		fprintf(stderr, "bench: a display of this QEMU cannot be made slow\n");
		return;
	}
	bql_lock_impl(__FILE__, __LINE__);
	delay = 0;
	if (!n_displays)
		open_displays();
	delay = ms * 1000000ll;
	bql_unlock();
}
