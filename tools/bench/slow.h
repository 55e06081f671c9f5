/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef BENCH_SLOW_H
#define BENCH_SLOW_H

/* From now on each frame takes that long. From a processor's thread. */
void slow_display(unsigned int ms);

#endif
