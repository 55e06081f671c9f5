// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What 3D costs, for tools/bench. */

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "cases.h"
#include "kms.h"
#include "render.h"

#define BLOB_SIZE	(256 * 1024)
#define MAX_BUFFERS	64

/* Submissions of nothing with buffers, of which each so many is waited for. */
static void submissions(int buffers, int batch)
{
	const int times = 512;
	struct drm_virtgpu_execbuffer args = { .num_bo_handles = buffers };
	uint32_t handles[MAX_BUFFERS];
	int fd = open_render();
	int i;

	for (i = 0; i < buffers; i++)
		handles[i] = new_buffer(fd, NULL);
	args.bo_handles = (uintptr_t)handles;
	/* The first one makes the context. */
	check_ok(submit(fd, &args));
	start_count();
	for (i = 1; i <= times; i++) {
		args.flags = i % batch ? 0 : VIRTGPU_EXECBUF_FENCE_FD_OUT;
		check_ok(submit(fd, &args));
		if (i % batch)
			continue;
		check(signals(args.fence_fd, SOON_MS));
		close(args.fence_fd);
	}
	end_count(times);
}

/* Never so many that it is the ring that is waited for. */
static void bursts(int buffers)
{
	submissions(buffers, 32);
}

static void waits(int buffers)
{
	submissions(buffers, 1);
}

enum blob_use { BLOB_MAPS, BLOB_UNUSED, BLOB_USED };

static void touch(int fd, uint32_t handle)
{
	volatile uint8_t *bytes = map_buffer(fd, handle, BLOB_SIZE);

	bytes[0] = 1;
	check_ok(munmap((void *)bytes, BLOB_SIZE));
}

/* A blob that is mapped and unmapped; blobs that come and go, mapped or not. */
static void blobs(int use)
{
	const int times = 100;
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE);
	int i;

	touch(fd, handle);
	start_count();
	for (i = 0; i < times; i++) {
		if (use != BLOB_MAPS)
			handle = new_window_blob(fd, BLOB_SIZE);
		if (use != BLOB_UNUSED)
			touch(fd, handle);
		if (use != BLOB_MAPS)
			check_ok(kms_gem_close(fd, handle));
	}
	end_count(times);
}

const struct test_case bench_render_cases[] = {
	{ "bench/exec-empty", bursts, 0, 0 },
	{ "bench/exec-64", bursts, MAX_BUFFERS, 0 },
	{ "bench/exec-wait", waits, 0, 0 },
	{ "bench/blob-maps", blobs, BLOB_MAPS, 0 },
	{ "bench/blob-unused", blobs, BLOB_UNUSED, 0 },
	{ "bench/blob-used", blobs, BLOB_USED, 0 },
	{ 0 }
};
