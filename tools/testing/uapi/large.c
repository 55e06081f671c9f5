// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffers as large as those of 1080p, 4K and 8K monitors, of which the output
 * shows the middle.  The figure tells how the host shows them: it has a udmabuf
 * of what it shows in place.
 */

#include <string.h>

#include "buffer.h"
#include "harness.h"

static struct rect middle(const struct output *out, const struct buffer *buf)
{
	return (struct rect){
		.x = (buf->width - out->mode.hdisplay) / 2,
		.y = (buf->height - out->mode.vdisplay) / 2,
		.w = out->mode.hdisplay,
		.h = out->mode.vdisplay,
	};
}

static void show_middle(struct kms *kms, struct buffer *buf, bool enable)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct output *out = &kms->out[0];
	struct rect src = middle(out, buf);

	if (enable)
		kms_enable(kms, req, out);
	kms_show(kms, req, out, buf->fb, &src);
	check_ok(kms_commit(kms, req, enable ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0));
	drmModeAtomicFree(req);
}

static void large(enum source source, uint32_t width, uint32_t height)
{
	struct buffer buf;
	int64_t fallbacks;
	struct kms kms;

	kms_open(&kms, 640, 480);
	fallbacks = kms_counter(&kms, "blob_fallbacks");
	if (source == SOURCE_RAM)
		buffer_new_flags(&buf, source, width, height,
				 VIRTGPU_EXPORTER_CREATE_SCATTER);
	else
		buffer_new(&buf, &kms, source, width, height);
	buffer_draw(&buf, &kms, &picture_a);
	buffer_import(&buf, &kms);
	show_middle(&kms, &buf, true);
	/* The host may reject the blob only now. */
	sleep_ms(1000);
	take_screenshot(&kms.out[0], "first", &picture_a, NULL);
	buffer_draw(&buf, &kms, &picture_b);
	show_middle(&kms, &buf, false);
	take_screenshot(&kms.out[0], "redrawn", &picture_b, NULL);
	if (kms_counter(&kms, "blob_fallbacks") == fallbacks) {
		ask_host("udmabuf %llu", (unsigned long long)buf.size);
		figure("in place");
	} else {
		figure("copied");
	}
	check_ok(kms_off(&kms, &kms.out[0]));
	buffer_free(&buf, &kms);
}

static void large_1080p(int arg)
{
	large(arg, 1920, 1080);
}

static void large_4k(int arg)
{
	large(arg, 3840, 2160);
}

static void large_8k(int arg)
{
	large(arg, 7680, 4320);
}

const struct test_case large_cases[] = {
	{ "large/own-1080p", large_1080p, SOURCE_DUMB, 0 },
	{ "large/own-4k", large_4k, SOURCE_DUMB, 0 },
	{ "large/own-8k", large_8k, SOURCE_DUMB, 300 },
	{ "large/heap-1080p", large_1080p, SOURCE_HEAP, 0 },
	{ "large/heap-4k", large_4k, SOURCE_HEAP, 0 },
	{ "large/heap-8k", large_8k, SOURCE_HEAP, 300 },
	{ "large/scattered-1080p", large_1080p, SOURCE_RAM, 0 },
	{ 0 }
};
