// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What the stress tests share. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "stress.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

int try_dumb(int fd, uint32_t width, uint32_t height, uint32_t *handle,
	     uint64_t *size)
{
	struct drm_mode_create_dumb args = {
		.width = width,
		.height = height,
		.bpp = 32,
	};
	int ret = try_ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args);

	*handle = args.handle;
	*size = args.size;
	return ret;
}

bool has_param(int fd, uint64_t param)
{
	int value = 0;
	struct drm_virtgpu_getparam args = {
		.param = param,
		.value = (uintptr_t)&value,
	};

	return !try_ioctl(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &args) && value;
}

bool has_blobs(int fd)
{
	return has_param(fd, VIRTGPU_PARAM_RESOURCE_BLOB);
}

int setting(const char *name, int otherwise)
{
	const char *value = getenv(name);

	return value && *value ? atoi(value) : otherwise;
}

void show_blocked_tasks(void)
{
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "l");
}

void memory_now(struct memory *m)
{
	static const char * const counted[] = {
		"MemFree:", "Buffers:", "Cached:", "SReclaimable:",
	};
	char line[128], name[64];
	unsigned int i;
	long kib;
	FILE *f;

	sync();
	/* What was freed after a grace period or by a worker is back, too. */
	sleep_ms(1000);
	write_file("/proc/sys/vm/drop_caches", "3");
	sleep_ms(200);

	memset(m, 0, sizeof(*m));
	f = fopen("/proc/meminfo", "r");
	check(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &kib) != 2)
			continue;
		for (i = 0; i < sizeof(counted) / sizeof(*counted); i++)
			if (!strcmp(name, counted[i]))
				m->free += kib;
		if (!strcmp(name, "SUnreclaim:"))
			m->slab = kib;
	}
	fclose(f);
}

void memory_check(const struct memory *before, long slack_kib)
{
	struct memory now;

	memory_now(&now);
	note("memory: %ld KiB free before, %ld KiB now; slab %ld KiB, %ld KiB",
	     before->free, now.free, before->slab, now.slab);
	check_cmp(before->free - now.free, <, slack_kib);
	check_cmp(now.slab - before->slab, <, slack_kib);
}

long memory_slack(void)
{
	/* KASAN keeps what is freed for a while. */
	return access(KMEMLEAK, F_OK) ? 16384 : 98304;
}

void leaks_forget(void)
{
	if (write_file(KMEMLEAK, "scan"))
		return;
	/* A new object is believed lost only when it is a few seconds old. */
	sleep_ms(5000);
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "clear");
}

void leaks_check(void)
{
	char line[256];
	int found = 0;
	int shown = 0;
	FILE *f;

	if (access(KMEMLEAK, F_OK) || write_file(KMEMLEAK, "scan"))
		return;
	sleep_ms(6000);
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		found += !strncmp(line, "unreferenced object", 19);
		line[strcspn(line, "\n")] = '\0';
		if (shown++ < 60)
			note("%s", line);
	}
	fclose(f);
	note("kmemleak was asked");
	check_eq(found, 0);
}
