/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the stress tests share, on top of ../uapi. */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "buffer.h"
#include "harness.h"

extern const struct test_case unplug_cases[];
extern const struct test_case suspend_cases[];
extern const struct test_case fuzz_cases[];
extern const struct test_case replay_cases[];
extern const struct test_case faults_cases[];
extern const struct test_case clock_cases[];

/* An ioctl on the card that is not repeated; 0 or a negative errno. */
static inline int try_ioctl(int fd, unsigned long request, void *args)
{
	return ioctl(fd, request, args) < 0 ? -errno : 0;
}

/* A dumb buffer of 32 bits per pixel. */
int try_dumb(int fd, uint32_t width, uint32_t height, uint32_t *handle,
	     uint64_t *size);

/* Whether a parameter of the device is other than 0. */
bool has_param(int fd, uint64_t param);

/* Whether the device has blob resources. */
bool has_blobs(int fd);

/* A number from the environment, or @otherwise. */
int setting(const char *name, int otherwise);

/* Put what hangs into the kernel's log. */
void show_blocked_tasks(void);

/**
 * struct memory - what the system has, with its caches dropped
 * @free: unused kilobytes, caches that could not be dropped included
 * @slab: kilobytes of kernel objects that cannot be reclaimed
 */
struct memory {
	long free;
	long slab;
};

void memory_now(struct memory *m);
/* Fails if there is more than a little less memory than @before. */
void memory_check(const struct memory *before, long slack_kib);
/* What a running system takes and gives anyway, in KiB. */
long memory_slack(void);

/*
 * Look for lost memory of the kernel, where it keeps book of it (kmemleak=on).
 * What there was before is forgotten by leaks_forget(); leaks_check() fails if
 * there is more.
 */
void leaks_forget(void);
void leaks_check(void);

#endif /* STRESS_H */
