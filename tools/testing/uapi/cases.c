// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The cases of virtgpu-uapi. */

#include <stddef.h>

#include "cases.h"

const struct test_case * const test_tables[] = {
	dumb_cases, addfb_cases, fdinfo_cases, flip_cases, cursor_cases, capture_cases,
	output_cases, import_cases, large_cases, release_cases, fence_cases, move_cases,
	count_cases, held_cases, entries_cases, render_cases, window_cases, bench_cases,
	bench_render_cases, NULL
};
