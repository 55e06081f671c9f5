// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Framebuffers: which are taken, and with which errno the others are refused.
 */

#include <errno.h>
#include <string.h>

#include "buffer.h"
#include "harness.h"

static void formats(int arg)
{
	static const uint32_t good[] = {
		DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888,
		DRM_FORMAT_XBGR8888, DRM_FORMAT_ABGR8888,
		HOST_XRGB8888, HOST_ARGB8888,
	};
	static const uint32_t bad[] = {
		DRM_FORMAT_RGB565, DRM_FORMAT_NV12, DRM_FORMAT_XRGB2101010,
		DRM_FORMAT_R8, 0, 0xffffffff,
	};
	struct buffer buf;
	struct kms kms;
	unsigned int i;
	int64_t fb;

	(void)arg;
	kms_open(&kms, 0, 0);
	buffer_new(&buf, &kms, SOURCE_DUMB, 640, 480);
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		fb = kms_addfb_offset(&kms, buf.owner_handle, 640, 480,
				      buf.stride, 0, good[i], NO_MODIFIER);
		check_ok(fb);
		check_ok(kms_rmfb(&kms, fb));
		check_err(kms_rmfb(&kms, fb), ENOENT);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check_err(kms_addfb_offset(&kms, buf.owner_handle, 640, 480,
					   buf.stride, 0, bad[i],
					   NO_MODIFIER), EINVAL);
}

static int64_t add(struct kms *kms, const struct buffer *buf, uint32_t width,
		   uint32_t height, uint32_t stride, uint32_t offset)
{
	int64_t fb = kms_addfb_offset(kms, buf->owner_handle, width, height,
				      stride, offset, DRM_FORMAT_XRGB8888,
				      NO_MODIFIER);

	if (fb >= 0)
		check_ok(kms_rmfb(kms, fb));
	return fb;
}

static void limits(int arg)
{
	struct buffer buf;
	struct kms kms;

	(void)arg;
	kms_open(&kms, 0, 0);
	buffer_new(&buf, &kms, SOURCE_DUMB, 1024, 1024);
	check_eq(buf.stride, 4096);
	check_eq(buf.size, 4096 * 1024);

	check_ok(add(&kms, &buf, 1024, 1024, 4096, 0));
	check_ok(add(&kms, &buf, 1024, 1023, 4096, 4096));
	check_ok(add(&kms, &buf, 512, 1024, 4096, 2048));
	check_ok(add(&kms, &buf, 1000, 512, 8192, 0));

	check_err(add(&kms, &buf, 1024, 1025, 4096, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 4100, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 4092, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 0, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 65536, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 4096, 4), EINVAL);
	check_err(add(&kms, &buf, 1024, 1024, 4096, 0xfffff000), ERANGE);
	check_err(add(&kms, &buf, 1, 1, 4096, 4096 * 1024), EINVAL);
	check_err(add(&kms, &buf, 0, 1024, 4096, 0), EINVAL);
	check_err(add(&kms, &buf, 1024, 0, 4096, 0), EINVAL);
	check_err(add(&kms, &buf, 0xffffffff, 1, 4096, 0), EINVAL);
	check_err(add(&kms, &buf, 1, 0xffffffff, 4096, 0), EINVAL);
}

static void handles(int arg)
{
	struct buffer buf;
	struct kms kms;

	(void)arg;
	kms_open(&kms, 0, 0);
	buffer_new(&buf, &kms, SOURCE_DUMB, 64, 64);
	check_err(kms_addfb(&kms, 0, 64, 64, 256), EINVAL);
	check_err(kms_addfb(&kms, 0x7fff, 64, 64, 256), ENOENT);
	check_ok(kms_gem_close(kms.fd, buf.owner_handle));
	check_err(kms_addfb(&kms, buf.owner_handle, 64, 64, 256), ENOENT);
}

static void modifiers(int arg)
{
	struct buffer buf;
	uint64_t value;
	struct kms kms;

	(void)arg;
	kms_open(&kms, 0, 0);
	if (drmGetCap(kms.fd, DRM_CAP_ADDFB2_MODIFIERS, &value))
		value = 0;
	check_eq(value, 1);
	check(kms_get_prop(&kms, kms.out[0].primary, DRM_MODE_OBJECT_PLANE,
			   "IN_FORMATS", &value));
	check_cmp(value, !=, 0);

	buffer_new(&buf, &kms, SOURCE_DUMB, 64, 64);
	check_ok(kms_addfb_offset(&kms, buf.owner_handle, 64, 64, buf.stride,
				  0, DRM_FORMAT_XRGB8888,
				  DRM_FORMAT_MOD_LINEAR));
	check_err(kms_addfb_offset(&kms, buf.owner_handle, 64, 64, buf.stride,
				   0, DRM_FORMAT_XRGB8888,
				   I915_FORMAT_MOD_X_TILED), EINVAL);
	check_err(kms_addfb_offset(&kms, buf.owner_handle, 64, 64, buf.stride,
				   0, DRM_FORMAT_XRGB8888,
				   DRM_FORMAT_MOD_INVALID), EINVAL);
}

const struct test_case addfb_cases[] = {
	{ "addfb/formats", formats, 0, 0 },
	{ "addfb/limits", limits, 0, 0 },
	{ "addfb/handles", handles, 0, 0 },
	{ "addfb/modifiers", modifiers, 0, 0 },
	{ 0 }
};
