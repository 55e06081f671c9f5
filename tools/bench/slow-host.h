/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef BENCH_SLOW_HOST_H
#define BENCH_SLOW_HOST_H

/*
 * How the display takes frames from now on; without a call it takes them at
 * once. From a processor's thread.
 */

/* It holds each frame for that long. */
void slow_display_delay(unsigned int ms);
/* It holds the next frame for that long, and takes all others at once. */
void slow_display_hold(unsigned int ms);
/*
 * It has a vsync: frames are held until the next multiple of @period plus
 * @phase.
 */
void slow_display_vsync(unsigned int period_us, unsigned int phase_us);

#endif
