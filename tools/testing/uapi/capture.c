// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Another program reads the screen that a compositor renders on the host. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "kms.h"
#include "render.h"

/* Wait for the host to have copied the picture to the guest's memory. */
static void read_back(int fd, const drmModeFB2 *fb)
{
	struct drm_virtgpu_3d_transfer_from_host args = {
		.bo_handle = fb->handles[0],
		.box = { .w = fb->width, .h = fb->height, .d = 1 },
	};
	struct drm_virtgpu_3d_wait wait = { .handle = fb->handles[0] };

	check_ok(call(fd, DRM_IOCTL_VIRTGPU_TRANSFER_FROM_HOST, &args));
	check_ok(call(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait));
}

/* Write a file that the test compares with the host's screenshot. */
static void save(const drmModeFB2 *fb, const uint8_t *pixels)
{
	FILE *f = fopen("captured.ppm", "w");
	uint32_t x, y;

	check(f);
	fprintf(f, "P6\n%u %u\n255\n", fb->width, fb->height);
	for (y = 0; y < fb->height; y++) {
		const uint8_t *p = pixels + fb->offsets[0] + (size_t)y * fb->pitches[0];

		for (x = 0; x < fb->width; x++, p += 4) {
			putc(p[2], f);
			putc(p[1], f);
			putc(p[0], f);
		}
	}
	check_eq(fclose(f), 0);
}

static void capture(int arg)
{
	struct kms kms = { .fd = open_render() };
	struct drm_virtgpu_resource_info info = { 0 };
	drmModeFB2 *fb;
	uint8_t *pixels;

	(void)arg;
	check_eq(drmSetClientCap(kms.fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1), 0);
	check_eq(drmSetClientCap(kms.fd, DRM_CLIENT_CAP_ATOMIC, 1), 0);
	kms_probe(&kms, 0, 0, false);
	check_cmp(kms.n_outputs, >, 0);
	fb = drmModeGetFB2(kms.fd, kms_shown(&kms, &kms.out[0]));
	check(fb);
	note("%ux%u, format %.4s, modifier %llx, pitch %u, offset %u", fb->width, fb->height,
	     (const char *)&fb->pixel_format, (unsigned long long)fb->modifier, fb->pitches[0],
	     fb->offsets[0]);
	check(fb->pixel_format == DRM_FORMAT_XRGB8888 || fb->pixel_format == DRM_FORMAT_ARGB8888);
	check_cmp(fb->handles[0], !=, 0);
	info.bo_handle = fb->handles[0];
	check_ok(call(kms.fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &info));
	check_cmp(info.size, >=, fb->offsets[0] + (uint64_t)fb->pitches[0] * fb->height);
	pixels = map_buffer(kms.fd, fb->handles[0], info.size);
	memset(pixels, 0x5a, info.size);
	read_back(kms.fd, fb);
	save(fb, pixels);
	check_ok(kms_gem_close(kms.fd, fb->handles[0]));
	drmModeFreeFB2(fb);
}

const struct test_case capture_cases[] = {
	{ "capture/screen", capture, 0, 600 },
	{ 0 }
};
