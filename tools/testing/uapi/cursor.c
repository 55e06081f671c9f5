// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The cursor: set, moved in a storm, hidden. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "harness.h"

static int set_image(struct kms *kms, uint32_t crtc, uint32_t handle,
		     uint32_t width, uint32_t height, int hot_x, int hot_y)
{
	struct drm_mode_cursor2 args = {
		.flags = DRM_MODE_CURSOR_BO,
		.crtc_id = crtc,
		.width = width,
		.height = height,
		.handle = handle,
		.hot_x = hot_x,
		.hot_y = hot_y,
	};

	return drmIoctl(kms->fd, DRM_IOCTL_MODE_CURSOR2, &args) ? -errno : 0;
}

static int set_cursor(struct kms *kms, uint32_t crtc, uint32_t handle,
		      uint32_t width, uint32_t height)
{
	return set_image(kms, crtc, handle, width, height, handle ? 3 : 0,
			 handle ? 5 : 0);
}

static int set_hotspot(struct kms *kms, uint32_t crtc, uint32_t handle, int x,
		       int y)
{
	return set_image(kms, crtc, handle, CURSOR_SIZE, CURSOR_SIZE, x, y);
}

static void setup(struct kms *kms, struct buffer *screen, struct buffer *image)
{
	struct output *out;

	kms_need_cursor_ioctls();
	kms_open(kms, 640, 480);
	out = &kms->out[0];
	if (!out->cursor)
		skip("no cursor plane");
	buffer_new(screen, kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_draw(screen, kms, &picture_a);
	buffer_import(screen, kms);
	buffer_new(image, kms, SOURCE_DUMB, CURSOR_SIZE, CURSOR_SIZE);
	buffer_draw(image, kms, &picture_b);
	check_ok(kms_modeset(kms, out, screen->fb));
}

static void storm(int arg)
{
	struct buffer screen, image;
	struct output *out;
	struct kms kms;
	int64_t start;
	int i;

	(void)arg;
	setup(&kms, &screen, &image);
	out = &kms.out[0];
	check_ok(set_cursor(&kms, out->crtc, image.owner_handle, CURSOR_SIZE,
			    CURSOR_SIZE));
	start = now_ms();
	for (i = 0; i < 2000; i++)
		check_ok(drmModeMoveCursor(kms.fd, out->crtc, i % 640 - 32,
					   i % 480 - 32));
	note("2000 moves in %lld ms", (long long)(now_ms() - start));
	check_cmp(now_ms() - start, <, 10000);

	/* New images and moves among flips. */
	for (i = 0; i < 50; i++) {
		check_ok(set_cursor(&kms, out->crtc,
				    i % 2 ? image.owner_handle : 0,
				    CURSOR_SIZE, CURSOR_SIZE));
		check_ok(drmModeMoveCursor(kms.fd, out->crtc, i, i));
		check_ok(kms_flip(&kms, out, screen.fb));
	}
	check_ok(set_cursor(&kms, out->crtc, 0, 0, 0));
	take_screenshot(out, "after", &picture_a, NULL);
	check_ok(kms_off(&kms, out));
}

static void sizes(int arg)
{
	struct buffer screen, image, big;
	uint64_t width, height;
	struct kms kms;

	(void)arg;
	setup(&kms, &screen, &image);
	check_eq(drmGetCap(kms.fd, DRM_CAP_CURSOR_WIDTH, &width), 0);
	check_eq(drmGetCap(kms.fd, DRM_CAP_CURSOR_HEIGHT, &height), 0);
	check_eq(width, CURSOR_SIZE);
	check_eq(height, CURSOR_SIZE);
	buffer_new(&big, &kms, SOURCE_DUMB, CURSOR_SIZE * 2, CURSOR_SIZE * 2);
	check(set_cursor(&kms, kms.out[0].crtc, big.owner_handle,
			 CURSOR_SIZE * 2, CURSOR_SIZE * 2) < 0);
	check_err(set_cursor(&kms, kms.out[0].crtc, 0x7fff, CURSOR_SIZE,
			     CURSOR_SIZE), ENOENT);
	check_ok(set_cursor(&kms, kms.out[0].crtc, image.owner_handle,
			    CURSOR_SIZE, CURSOR_SIZE));
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* The image's handle is closed while the cursor is shown. */
static void closed(int arg)
{
	struct buffer screen, image;
	struct kms kms;
	int i;

	(void)arg;
	setup(&kms, &screen, &image);
	check_ok(set_cursor(&kms, kms.out[0].crtc, image.owner_handle,
			    CURSOR_SIZE, CURSOR_SIZE));
	check_ok(kms_gem_close(kms.fd, image.owner_handle));
	for (i = 0; i < 20; i++)
		check_ok(drmModeMoveCursor(kms.fd, kms.out[0].crtc, i, i));
	check_ok(kms_flip(&kms, &kms.out[0], screen.fb));
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* Have the host print what its viewer shows. */
static void note_viewer(const char *name)
{
	printf("# viewer %s ", name);
	ask_host("viewer");
}

/* What a viewer gets of the cursor; the host compares the lines. */
static void viewed(int arg)
{
	struct buffer screen, image;
	struct output *out;
	uint32_t *pixels;
	struct kms kms;
	int i;

	(void)arg;
	setup(&kms, &screen, &image);
	out = &kms.out[0];
	pixels = buffer_map(&image, &kms);
	for (i = 0; i < CURSOR_SIZE * CURSOR_SIZE; i++)
		pixels[i] = 0xffff0000;
	check_ok(set_hotspot(&kms, out->crtc, image.owner_handle, 3, 5));
	note_viewer("shown");
	check_ok(set_hotspot(&kms, out->crtc, image.owner_handle, 9, 8));
	note_viewer("hotspot");
	check_ok(set_hotspot(&kms, out->crtc, image.owner_handle, 100, -1));
	note_viewer("clamped");
	check_ok(set_cursor(&kms, out->crtc, 0, 0, 0));
	note_viewer("hidden");
	check_ok(set_hotspot(&kms, out->crtc, image.owner_handle, 3, 5));
	note_viewer("again");
	check_ok(kms_off(&kms, out));
	note_viewer("off");
}

/*
 * Cursor planes for a client without the capability for hotspots: none, unless
 * the driver was loaded with hotspot=N.
 */
static void without_hotspot(int hidden)
{
	unsigned int cursors = 0, i;
	drmModePlaneRes *planes;
	uint64_t type;
	struct kms kms;
	char text[8];

	check(read_file("/sys/module/virtio_gpu/parameters/hotspot", text, sizeof(text)));
	check_eq(text[0], hidden ? 'Y' : 'N');
	kms_open(&kms, 640, 480);
	/* kms_open() has set it, which fails without hotspots. */
	if (hidden)
		check_ok(drmSetClientCap(kms.fd, DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT, 0));
	planes = drmModeGetPlaneResources(kms.fd);
	check(planes);
	for (i = 0; i < planes->count_planes; i++) {
		check(kms_get_prop(&kms, planes->planes[i], DRM_MODE_OBJECT_PLANE, "type", &type));
		cursors += type == DRM_PLANE_TYPE_CURSOR;
	}
	check_eq(planes->count_planes - cursors, 4);
	check_eq(cursors, hidden ? 0 : 4);
	drmModeFreePlaneResources(planes);
}

const struct test_case cursor_cases[] = {
	{ "cursor/storm", storm, 0, 0 },
	{ "cursor/sizes", sizes, 0, 0 },
	{ "cursor/closed-handle", closed, 0, 0 },
	{ "cursor/viewer", viewed, 0, 0 },
	{ "cursor/plane-hidden", without_hotspot, 1, 0 },
	{ "cursor/plane-exposed", without_hotspot, 0, 0 },
	{ 0 }
};
