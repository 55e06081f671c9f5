// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The cases of virtgpu-stress. */

#include <stddef.h>

#include "stress.h"

const struct test_case * const test_tables[] = {
	unplug_cases, suspend_cases, fuzz_cases, faults_cases,
	clock_cases, replay_cases, NULL
};
