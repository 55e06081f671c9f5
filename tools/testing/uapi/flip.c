// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Showing dumb buffers: modesets, flips, panning, front-buffer drawing. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"

static void two_buffers(struct kms *kms, struct buffer *a, struct buffer *b)
{
	struct output *out = &kms->out[0];

	buffer_new(a, kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_new(b, kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_draw(a, kms, &picture_a);
	buffer_draw(b, kms, &picture_b);
	buffer_import(a, kms);
	buffer_import(b, kms);
}

static void events(int arg)
{
	struct buffer a, b;
	unsigned int last;
	struct kms kms;
	int i;

	(void)arg;
	kms_open(&kms, 1024, 768);
	two_buffers(&kms, &a, &b);
	check_ok(kms_modeset(&kms, &kms.out[0], a.fb));
	take_screenshot(&kms.out[0], "modeset", &picture_a, NULL);
	for (i = 0; i < 60; i++) {
		last = kms.out[0].sequence;
		check_ok(kms_flip(&kms, &kms.out[0], i % 2 ? a.fb : b.fb));
		if (i)
			check_cmp((int)(kms.out[0].sequence - last), >, 0);
	}
	take_screenshot(&kms.out[0], "flipped", &picture_a, NULL);
	check_ok(kms_flip(&kms, &kms.out[0], b.fb));
	take_screenshot(&kms.out[0], "again", &picture_b, NULL);
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* A commit of the output alone, without any plane. */
static int commit_output(struct kms *kms)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int ret;

	kms_add(kms, req, kms->out[0].crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", 1);
	ret = kms_commit(kms, req, DRM_MODE_ATOMIC_NONBLOCK);
	drmModeAtomicFree(req);

	return ret;
}

/* Any commit before the event of a flip is refused, and no event lost. */
static void busy(int arg)
{
	struct buffer a, b;
	struct kms kms;
	int ret, i;
	int refused = 0, refused_alone = 0;
	int made = 0;

	(void)arg;
	kms_open(&kms, 640, 480);
	two_buffers(&kms, &a, &b);
	check_ok(kms_modeset(&kms, &kms.out[0], a.fb));
	for (i = 0; i < 50; i++) {
		ret = kms_flip_nonblock(&kms, &kms.out[0], b.fb);
		if (ret == -EBUSY)
			refused++;
		else
			check_ok(ret);
		made += !ret;
		ret = commit_output(&kms);
		if (ret == -EBUSY)
			refused_alone++;
		else
			check_ok(ret);
	}
	check_cmp(refused, >, 0);
	check_cmp(refused_alone, >, 0);
	check_eq(kms_wait_flips(&kms, made, 5000), made);
	check_eq(kms_wait_flips(&kms, 1, 200), 0);
	check_ok(kms_flip(&kms, &kms.out[0], a.fb));
}

/* A smaller part of a larger buffer, from its corners and its middle. */
static void pan(int arg)
{
	static const struct picture whole = {
		{ 0x1060a0, 0xa06010, 0x60a010, 0x9050d0 }, false
	};
	struct picture seen;
	drmModeAtomicReq *req;
	struct output *out;
	struct rect src;
	struct buffer buf;
	struct kms kms;
	char name[8] = "corner0";
	int i, j;

	(void)arg;
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	src.w = out->mode.hdisplay;
	src.h = out->mode.vdisplay;
	buffer_new(&buf, &kms, SOURCE_DUMB, src.w * 2, src.h * 2);
	buffer_draw(&buf, &kms, &whole);
	buffer_import(&buf, &kms);
	for (i = 0; i < 5; i++) {
		src.x = i == 4 ? src.w / 2 : src.w * (i % 2);
		src.y = i == 4 ? src.h / 2 : src.h * (i / 2);
		for (j = 0; j < 4; j++)
			seen.color[j] = whole.color[i == 4 ? j : i];
		req = drmModeAtomicAlloc();
		kms_show(&kms, req, out, buf.fb, &src);
		kms_enable(&kms, req, out);
		check_ok(kms_commit(&kms, req,
				    DRM_MODE_ATOMIC_ALLOW_MODESET));
		drmModeAtomicFree(req);
		name[6] = '0' + i;
		take_screenshot(out, name, &seen, NULL);
	}

	/* Not a pixel beyond the buffer. */
	src.x = src.w + 1;
	src.y = 0;
	req = drmModeAtomicAlloc();
	kms_show(&kms, req, out, buf.fb, &src);
	check_err(kms_commit(&kms, req, DRM_MODE_ATOMIC_TEST_ONLY), ENOSPC);
	drmModeAtomicFree(req);
	check_ok(kms_off(&kms, out));
}

/* Drawing into the buffer that is shown, told of with DIRTYFB. */
static void dirty(int arg)
{
	struct drm_mode_fb_dirty_cmd cmd = { 0 };
	struct drm_clip_rect clip;
	struct output *out;
	struct buffer buf;
	struct kms kms;
	void *map;
	int i;

	(void)arg;
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	buffer_new(&buf, &kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_draw(&buf, &kms, &picture_a);
	buffer_import(&buf, &kms);
	check_ok(kms_modeset(&kms, out, buf.fb));
	map = buffer_map(&buf, &kms);

	cmd.fb_id = buf.fb;
	cmd.clips_ptr = (uintptr_t)&clip;
	cmd.num_clips = 1;
	for (i = 0; i < 100; i++) {
		clip.x1 = i;
		clip.y1 = i;
		clip.x2 = i + 1 + i * 3 % 200;
		clip.y2 = i + 1 + i * 7 % 200;
		check_eq(drmIoctl(kms.fd, DRM_IOCTL_MODE_DIRTYFB, &cmd), 0);
	}

	/* Without clips: the whole of it. */
	paint(map, buf.width, buf.height, buf.stride, &picture_b);
	cmd.num_clips = 0;
	cmd.clips_ptr = 0;
	check_eq(drmIoctl(kms.fd, DRM_IOCTL_MODE_DIRTYFB, &cmd), 0);
	/* DIRTYFB may return before the host has the news. */
	sleep_ms(200);
	take_screenshot(out, "whole", &picture_b, NULL);

	/* Clips that cover the picture: it is the old one again. */
	paint(map, buf.width, buf.height, buf.stride, &picture_a);
	clip.x1 = 0;
	clip.y1 = 0;
	clip.x2 = buf.width;
	clip.y2 = buf.height;
	cmd.clips_ptr = (uintptr_t)&clip;
	cmd.num_clips = 1;
	check_eq(drmIoctl(kms.fd, DRM_IOCTL_MODE_DIRTYFB, &cmd), 0);
	sleep_ms(200);
	take_screenshot(out, "clip", &picture_a, NULL);

	munmap(map, buf.size);
	check_ok(kms_off(&kms, out));
}

/* An out-fence signals once the flip is done. */
static void out_fence(int arg)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	struct output *out;
	struct buffer a, b;
	struct kms kms;

	(void)arg;
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	two_buffers(&kms, &a, &b);
	check_ok(kms_modeset(&kms, out, a.fb));
	kms_show(&kms, req, out, b.fb, NULL);
	kms_add(&kms, req, out->crtc, DRM_MODE_OBJECT_CRTC, "OUT_FENCE_PTR",
		(uintptr_t)&pfd.fd);
	check_ok(kms_commit(&kms, req, DRM_MODE_ATOMIC_NONBLOCK));
	drmModeAtomicFree(req);
	check_cmp(pfd.fd, >=, 0);
	check_eq(poll(&pfd, 1, 5000), 1);
	close(pfd.fd);
	check_ok(kms_off(&kms, out));
}

const struct test_case flip_cases[] = {
	{ "flip/events", events, 0, 0 },
	{ "flip/busy", busy, 0, 0 },
	{ "flip/pan", pan, 0, 0 },
	{ "flip/dirty", dirty, 0, 0 },
	{ "flip/out-fence", out_fence, 0, 0 },
	{ 0 }
};
