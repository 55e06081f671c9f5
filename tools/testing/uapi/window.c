// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Blobs of the host's memory, and the window that they are seen through. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "kms.h"
#include "render.h"

/* Venus makes a blob of shared memory for who gives it no number. */
#define CAPSET_VENUS	4
#define BLOB_SIZE	(1024 * 1024)
/* More than can be in the window at once. */
#define MANY		64

int open_venus(void)
{
	struct drm_virtgpu_context_set_param p = {
		VIRTGPU_CONTEXT_PARAM_CAPSET_ID, CAPSET_VENUS
	};
	int fd = open_render();

	if (getparam(fd, VIRTGPU_PARAM_HOST_VISIBLE) != 1)
		skip("no window");
	if (init_context(fd, &p, 1))
		skip("no Venus");
	return fd;
}

static int blob(int fd, uint64_t size, uint32_t flags, uint32_t *handle)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = flags,
		.size = size,
	};
	int ret = new_blob(fd, &args);

	*handle = args.bo_handle;
	return ret;
}

uint32_t new_window_blob(int fd, uint64_t size)
{
	uint32_t handle;

	check_ok(blob(fd, size, VIRTGPU_BLOB_FLAG_USE_MAPPABLE, &handle));
	return handle;
}

/* A line of the debugfs file "virtio-gpu-host-visible". */
static long long window(const char *name)
{
	struct kms kms;
	char text[65536], *line;
	long long value;

	kms.fd = open_card("virtio_gpu", 0, &kms.card);
	if (!kms_debugfs(&kms, "virtio-gpu-host-visible", text, sizeof(text)))
		skip("nothing counts");
	close(kms.fd);
	line = strstr(text, name);
	check(line && sscanf(line + strlen(name), ": %lld", &value) == 1);
	return value;
}

/* The whole and its parts are the same memory, and outlive the handle. */
static void map(int arg)
{
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE);
	uint8_t *whole = map_buffer(fd, handle, BLOB_SIZE);
	uint8_t *part;
	int dmabuf;

	(void)arg;
	/* DRM finds a buffer by its beginning only, a dma-buf is one. */
	check_ok(kms_prime_export(fd, handle, &dmabuf));
	part = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, BLOB_SIZE - 8192);
	check(part != MAP_FAILED);
	check_ok(close(dmabuf));
	memset(whole, 0x5a, BLOB_SIZE);
	check_eq(part[8191], 0x5a);
	part[4096] = 1;
	check_eq(whole[BLOB_SIZE - 4096], 1);
	check_ok(kms_gem_close(fd, handle));
	check_eq(part[8190], 0x5a);
	check_ok(munmap(whole, BLOB_SIZE));
	part[0] = 2;
	check_eq(part[0], 2);
}

static void bad(int arg)
{
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE), other;
	uint64_t offset;

	(void)arg;
	check_ok(map_offset(fd, handle, &offset));
	check(mmap(NULL, 2 * BLOB_SIZE, PROT_READ, MAP_SHARED, fd, offset) == MAP_FAILED);
	check(mmap(NULL, BLOB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, offset) ==
	      MAP_FAILED);
	check_ok(blob(fd, BLOB_SIZE, 0, &other));
	check_err(map_offset(fd, other, &offset), EINVAL);
}

/* Who maps and unmaps a lot does not bother the host with it. */
static void kept(int arg)
{
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE);
	long long mapped, unmapped;
	uint8_t *bytes;
	int i;

	(void)arg;
	bytes = map_buffer(fd, handle, BLOB_SIZE);
	mapped = window("mapped");
	unmapped = window("unmapped");
	for (i = 0; i < 100; i++) {
		bytes[i] = i;
		check_ok(munmap(bytes, BLOB_SIZE));
		bytes = map_buffer(fd, handle, BLOB_SIZE);
		check_eq(bytes[i], i);
	}
	check_eq(window("mapped"), mapped);
	check_eq(window("unmapped"), unmapped);
}

/*
 * What is mapped has its place; when there is none left, the next one is told
 * so.
 */
static void full(int arg)
{
	int fd = open_venus();
	uint64_t size = window("size") / 4, offset;
	uint8_t *bytes[5];
	uint32_t handle[5];
	int i, n = 0;

	(void)arg;
	for (i = 0; i < 5; i++) {
		handle[i] = new_window_blob(fd, size);
		if (map_offset(fd, handle[i], &offset))
			break;
		bytes[i] = map_buffer(fd, handle[i], size);
		bytes[i][0] = i;
		n++;
	}
	/* Others may have some of it. */
	check_cmp(n, >=, 3);
	check_cmp(n, <=, 4);
	check_err(map_offset(fd, handle[n], &offset), ENOSPC);
	check_ok(munmap(bytes[0], size));
	bytes[n] = map_buffer(fd, handle[n], size);
	bytes[n][0] = n;
	check_ok(munmap(bytes[1], size));
	bytes[0] = map_buffer(fd, handle[0], size);
	check_eq(bytes[0][0], 0);
	check_eq(bytes[n][0], n);
}

/* Blobs make room for each other, and none loses what is in it. */
static void turns(int arg)
{
	int fd = open_venus();
	uint64_t size = window("size") / (MANY / 2);
	uint32_t handle[MANY];
	uint8_t *bytes;
	int i, round;

	(void)arg;
	for (i = 0; i < MANY; i++)
		handle[i] = new_window_blob(fd, size);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < MANY; i++) {
			bytes = map_buffer(fd, handle[i], size);
			if (round)
				check_eq(bytes[size - 1], (uint8_t)(i + round - 1));
			bytes[size - 1] = i + round;
			check_ok(munmap(bytes, size));
		}
	}
}

/* A child has the mapping of its parent, who may go. */
static void child(int arg)
{
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE);
	uint8_t *bytes = map_buffer(fd, handle, BLOB_SIZE);
	int status;
	pid_t pid;

	(void)arg;
	bytes[0] = 1;
	pid = fork();
	check_cmp(pid, >=, 0);
	if (!pid) {
		bytes[1] = bytes[0] + 1;
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
	check_eq(bytes[1], 2);
}

static void come_and_go(void)
{
	int fd = open_venus();
	int i;

	for (i = 0; i < 20; i++)
		map_buffer(fd, new_window_blob(fd, BLOB_SIZE), BLOB_SIZE);
	/* One that is not waited for. */
	new_window_blob(fd, BLOB_SIZE);
}

/* Nothing of a program that has gone stays in the window. */
static void gone(int arg)
{
	long long there;
	int i, status;
	pid_t pid;

	(void)arg;
	close(open_venus());
	there = window("mapped") - window("unmapped");
	for (i = 0; i < 5; i++) {
		pid = fork();
		check_cmp(pid, >=, 0);
		if (!pid) {
			come_and_go();
			_exit(0);
		}
		check_eq(waitpid(pid, &status, 0), pid);
		check_eq(status, 0);
	}
	check_eq(window("mapped") - window("unmapped"), there);
}

const struct test_case window_cases[] = {
	{ "window/map", map, 0, 0 },
	{ "window/bad", bad, 0, 0 },
	{ "window/kept", kept, 0, 0 },
	{ "window/full", full, 0, 0 },
	{ "window/turns", turns, 0, 0 },
	{ "window/child", child, 0, 0 },
	{ "window/gone", gone, 0, 0 },
	{ 0 }
};
