// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Dumb buffers: made, mapped, handed on, destroyed. */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"

static int create(int fd, uint32_t width, uint32_t height, uint32_t bpp,
		  struct drm_mode_create_dumb *args)
{
	memset(args, 0, sizeof(*args));
	args->width = width;
	args->height = height;
	args->bpp = bpp;
	return drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, args) ? -errno : 0;
}

static int destroy(int fd, uint32_t handle)
{
	struct drm_mode_destroy_dumb args = { .handle = handle };

	return drmIoctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &args) ? -errno : 0;
}

static void sizes(int arg)
{
	static const uint32_t tried[][2] = {
		{ 1, 1 }, { 64, 64 }, { 641, 479 }, { 1920, 1080 },
		{ 3840, 2160 }, { 7, 4096 }, { 4096, 3 },
	};
	struct drm_mode_create_dumb args;
	uint32_t *map, *last;
	struct kms kms;
	unsigned int i;

	(void)arg;
	kms_open(&kms, 0, 0);
	for (i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
		check_ok(create(kms.fd, tried[i][0], tried[i][1], 32, &args));
		check_cmp(args.pitch, >=, tried[i][0] * 4);
		check_cmp(args.size, >=,
			  (uint64_t)args.pitch * tried[i][1]);
		map = map_dumb(kms.fd, args.handle, args.size);
		check(map);
		last = map + args.size / 4 - 1;
		check_eq(*map, 0);
		check_eq(*last, 0);
		*last = 0x1234567;
		*map = 0x7654321;
		munmap(map, args.size);

		/* It is the same memory the next time. */
		map = map_dumb(kms.fd, args.handle, args.size);
		check(map);
		check_eq(map[args.size / 4 - 1],
			 args.size == 4 ? 0x7654321 : 0x1234567);
		check_eq(*map, 0x7654321);

		/* A mapping outlives its handle. */
		check_ok(destroy(kms.fd, args.handle));
		check_eq(*map, 0x7654321);
		munmap(map, args.size);
		check(destroy(kms.fd, args.handle) < 0);
		check(!map_dumb(kms.fd, args.handle, args.size));
	}
}

static void bad_sizes(int arg)
{
	struct drm_mode_create_dumb args;
	struct kms kms;

	(void)arg;
	kms_open(&kms, 0, 0);
	check_err(create(kms.fd, 0, 64, 32, &args), EINVAL);
	check_err(create(kms.fd, 64, 0, 32, &args), EINVAL);
	check_err(create(kms.fd, 64, 64, 0, &args), EINVAL);
	check_err(create(kms.fd, 0xffffffff, 0xffffffff, 32, &args), EINVAL);
	check(create(kms.fd, 0x10000, 0x10000, 32, &args) < 0);
	check_err(destroy(kms.fd, 0), EINVAL);
	check(!map_dumb(kms.fd, 0x12345, 4096));
}

/* Making and destroying must leave nothing behind. */
static void churn(int arg)
{
	struct drm_mode_create_dumb args;
	char before[65536];
	char after[65536];
	struct kms kms;
	bool known;
	int64_t end;
	int i;

	(void)arg;
	kms_open(&kms, 0, 0);
	known = kms_debugfs(&kms, "virtio-gpu-resources", before, sizeof(before));
	for (i = 0; i < 300; i++) {
		check_ok(create(kms.fd, 1920, 1080, 32, &args));
		check_ok(destroy(kms.fd, args.handle));
	}
	if (!known)
		return;
	end = now_ms() + 2000;
	do {
		sleep_ms(10);
		check(kms_debugfs(&kms, "virtio-gpu-resources", after, sizeof(after)));
	} while (strcmp(before, after) && now_ms() < end);
	check(!strcmp(before, after));
}

/* What one card draws, another sees, and the other way round. */
static void to_vgem(int arg)
{
	struct buffer buf;
	struct kms kms;
	uint32_t *ours, *theirs;
	uint32_t handle;
	int vgem, fd;

	(void)arg;
	kms_open(&kms, 0, 0);
	vgem = open_card("vgem", 0, NULL);
	if (vgem < 0)
		skip("no vgem card");
	buffer_new(&buf, &kms, SOURCE_DUMB, 256, 256);
	check_ok(kms_prime_export(kms.fd, buf.owner_handle, &fd));
	check_ok(kms_prime_import(vgem, fd, &handle));

	ours = buffer_map(&buf, &kms);
	theirs = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	check(theirs != MAP_FAILED);
	ours[1000] = 0xabcdef;
	check_eq(theirs[1000], 0xabcdef);
	theirs[buf.size / 4 - 1] = 0xfedcba;
	check_eq(ours[buf.size / 4 - 1], 0xfedcba);

	/* The memory lives as long as somebody has it. */
	munmap(ours, buf.size);
	check_ok(destroy(kms.fd, buf.owner_handle));
	close(kms.fd);
	check_eq(theirs[1000], 0xabcdef);
	check_ok(kms_gem_close(vgem, handle));
	close(fd);
	check_eq(theirs[1000], 0xabcdef);
}

/* More than fits into swiotlb's pool, each shown as it is after a change. */
static void many(int arg)
{
	struct buffer buf[12];
	struct output *out;
	struct kms kms;
	int i;

	(void)arg;
	kms_open(&kms, 1920, 1080);
	out = &kms.out[0];
	for (i = 0; i < 12; i++) {
		buffer_new(&buf[i], &kms, SOURCE_DUMB, 1920, 1080);
		buffer_draw(&buf[i], &kms, &picture_a);
		buffer_import(&buf[i], &kms);
	}
	check_ok(kms_modeset(&kms, out, buf[0].fb));
	take_screenshot(out, "first", &picture_a, NULL);
	for (i = 1; i < 12; i++)
		check_ok(kms_flip(&kms, out, buf[i].fb));
	take_screenshot(out, "last", &picture_a, NULL);
	buffer_draw(&buf[0], &kms, &picture_b);
	check_ok(kms_flip(&kms, out, buf[0].fb));
	take_screenshot(out, "again", &picture_b, NULL);
	check_ok(kms_off(&kms, out));
	for (i = 0; i < 12; i++)
		buffer_free(&buf[i], &kms);
}

const struct test_case dumb_cases[] = {
	{ "dumb/sizes", sizes, 0, 0 },
	{ "dumb/bad-sizes", bad_sizes, 0, 0 },
	{ "dumb/churn", churn, 0, 120 },
	{ "dumb/many", many, 0, 120 },
	{ "dumb/export-to-vgem", to_vgem, 0, 0 },
	{ 0 }
};
