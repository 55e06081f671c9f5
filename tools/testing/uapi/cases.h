/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef UAPI_CASES_H
#define UAPI_CASES_H

#include "harness.h"

/* Each ends with an empty entry. */
extern const struct test_case dumb_cases[];
extern const struct test_case addfb_cases[];
extern const struct test_case fdinfo_cases[];
extern const struct test_case flip_cases[];
extern const struct test_case cursor_cases[];
extern const struct test_case capture_cases[];
extern const struct test_case import_cases[];
extern const struct test_case held_cases[];
extern const struct test_case large_cases[];
extern const struct test_case move_cases[];
extern const struct test_case release_cases[];
extern const struct test_case fence_cases[];
extern const struct test_case count_cases[];
extern const struct test_case output_cases[];
extern const struct test_case entries_cases[];
extern const struct test_case render_cases[];
extern const struct test_case window_cases[];
extern const struct test_case bench_cases[];
extern const struct test_case bench_render_cases[];

#endif /* UAPI_CASES_H */
