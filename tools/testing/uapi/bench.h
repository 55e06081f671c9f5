/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is counted by tools/bench: what a case does between two marks, a number
 * of times. The host counts; "bench" lines say how often the thing was done,
 * and what only the guest can see.
 */
#ifndef UAPI_BENCH_H
#define UAPI_BENCH_H

#include "../../bench/mark.h"

/* Everything before it is preparation; skips the case if nothing is counted. */
void start_count(void);
/* The thing was done that often. */
void end_count(int times);

#endif /* UAPI_BENCH_H */
