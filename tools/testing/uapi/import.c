// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Other devices' buffers on our outputs, as a compositor on two GPUs does it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"

#define FLIPS	40

static void open_small(struct kms *kms)
{
	uint64_t caps;

	kms_open(kms, 640, 480);
	if (drmGetCap(kms->fd, DRM_CAP_PRIME, &caps) ||
	    !(caps & DRM_PRIME_CAP_IMPORT))
		skip("the driver does not import");
}

static void new_screen(struct buffer *buf, struct kms *kms, enum source source,
		       const struct picture *picture)
{
	buffer_new(buf, kms, source, kms->out[0].mode.hdisplay,
		   kms->out[0].mode.vdisplay);
	buffer_draw(buf, kms, picture);
}

/* Two buffers take turns; the picture is theirs, and nothing is done twice. */
static void show(int arg)
{
	bool ours = arg >= SOURCE_STATIC;
	struct picture a = picture_a;
	struct picture b = picture_b;
	struct virtgpu_exporter_stats before, s;
	struct buffer one, two;
	struct output *out;
	struct kms kms;
	int i;

	open_small(&kms);
	out = &kms.out[0];
	if (ours)
		exporter_stats(NULL, &before);
	a.stamped = ours;
	b.stamped = ours;
	new_screen(&one, &kms, arg, &a);
	new_screen(&two, &kms, arg, &b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);

	check_ok(kms_modeset(&kms, out, one.fb));
	take_screenshot(out, "first", &a, ours ? &one : NULL);
	for (i = 1; i <= FLIPS; i++)
		check_ok(kms_flip(&kms, out, i % 2 ? two.fb : one.fb));
	check_ok(kms_flip(&kms, out, two.fb));
	take_screenshot(out, "second", &b, ours ? &two : NULL);

	if (ours) {
		exporter_stats(&one, &s);
		/* After a rejected blob, also without peer-to-peer. */
		check_cmp(stat_of(&s, VIRTGPU_EXPORTER_ATTACHES), <=, 2);
		check_eq(stat_of(&s, VIRTGPU_EXPORTER_MAPS),
			 stat_of(&s, VIRTGPU_EXPORTER_ATTACHES));
		check_eq(stat_of(&s, VIRTGPU_EXPORTER_MOVES), 0);
		/* An importer that does peer-to-peer leaves VRAM in place. */
		check_eq(s.placement, arg == SOURCE_STATIC ?
			 VIRTGPU_EXPORTER_STATIC : arg == SOURCE_RAM ?
			 VIRTGPU_EXPORTER_RAM : VIRTGPU_EXPORTER_VRAM);
	}
	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	if (ours)
		exporter_check_balance(&before);
}

/* Stay on the screen, for as long as the caller asks. */
static void hold(int arg)
{
	const char *seconds = getenv("VIRTGPU_HOLD");
	struct buffer buf;
	struct kms kms;

	if (!seconds)
		skip("VIRTGPU_HOLD is not set");
	open_small(&kms);
	new_screen(&buf, &kms, arg, &picture_a);
	buffer_import(&buf, &kms);
	check_ok(kms_modeset(&kms, &kms.out[0], buf.fb));
	sleep(atoi(seconds));
	check_ok(kms_off(&kms, &kms.out[0]));
	buffer_free(&buf, &kms);
}

/*
 * What the plane shows is another device's memory, by the driver's own words.
 */
static void check_imported(struct kms *kms, uint32_t fb)
{
	char text[16384], name[16];
	char *plane, *end;

	check(kms_debugfs(kms, "state", text, sizeof(text)));
	snprintf(name, sizeof(name), "\tfb=%u\n", fb);
	plane = strstr(text, name);
	check(plane);
	end = strstr(plane, "\nplane[");
	if (end)
		*end = '\0';
	check(strstr(plane, "memory=imported"));
}

static void show_in_place(struct kms *kms, uint32_t fb)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();

	kms_show(kms, req, &kms->out[0], fb, NULL);
	check_ok(kms_commit(kms, req, 0));
	drmModeAtomicFree(req);
}

/*
 * Between two frames of a compositor, which is stopped: on its plane, without a
 * modeset.
 */
static void desktop(int arg)
{
	const char *compositor = getenv("VIRTGPU_COMPOSITOR");
	struct buffer one, two;
	struct kms kms;
	uint32_t frame;

	if (!compositor)
		skip("no compositor");
	kms_borrow(&kms, atoi(compositor), 640, 480);
	frame = kms_shown(&kms, &kms.out[0]);
	check(frame);
	new_screen(&one, &kms, arg, &picture_a);
	new_screen(&two, &kms, arg, &picture_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);

	show_in_place(&kms, one.fb);
	check_imported(&kms, one.fb);
	take_screenshot(&kms.out[0], "first", &picture_a, NULL);
	show_in_place(&kms, two.fb);
	check_imported(&kms, two.fb);
	take_screenshot(&kms.out[0], "second", &picture_b, NULL);

	show_in_place(&kms, frame);
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
}

/* Every pixel in its place, in each of a chain of buffers. */
static void gradients(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer buf[4];
	struct output *out;
	char name[8] = "buffer0";
	struct kms kms;
	int i;

	open_small(&kms);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	for (i = 0; i < 4; i++) {
		buffer_new(&buf[i], &kms, arg, out->mode.hdisplay,
			   out->mode.vdisplay);
		buffer_gradient(&buf[i], 0x30 * i + 7);
		buffer_import(&buf[i], &kms);
	}
	check_ok(kms_modeset(&kms, out, buf[3].fb));
	for (i = 0; i < 4; i++) {
		check_ok(kms_flip(&kms, out, buf[i].fb));
		name[6] = '0' + i;
		take_gradient_screenshot(out, name, 0x30 * i + 7);
	}
	check_ok(kms_off(&kms, out));
	for (i = 0; i < 4; i++)
		buffer_free(&buf[i], &kms);
	exporter_check_balance(&before);
}

/* With the LINEAR modifier, and at an offset inside the buffer. */
static void modifier(int arg)
{
	struct picture whole = picture_a;
	struct buffer buf;
	struct output *out;
	struct kms kms;
	uint32_t half;
	int64_t fb;

	(void)arg;
	open_small(&kms);
	out = &kms.out[0];
	half = out->mode.vdisplay / 2;
	buffer_new(&buf, &kms, SOURCE_HEAP, out->mode.hdisplay, half * 4);
	buffer_draw(&buf, &kms, &whole);
	check_ok(kms_prime_import(kms.fd, buf.fd, &buf.handle));
	fb = kms_addfb_offset(&kms, buf.handle, out->mode.hdisplay,
			      out->mode.vdisplay, buf.stride,
			      buf.stride * half, HOST_XRGB8888,
			      DRM_FORMAT_MOD_LINEAR);
	check_ok(fb);
	check_ok(kms_modeset(&kms, out, fb));
	/* The middle of four quadrants is four quadrants again. */
	take_screenshot(out, "middle", &whole, NULL);
	check_ok(kms_off(&kms, out));
	check_ok(kms_rmfb(&kms, fb));
	buffer_free(&buf, &kms);
}

/* A list entry for each page, and more pages than a host's udmabuf may take. */
static void scatter(int arg)
{
	struct buffer buf;
	struct kms kms;

	(void)arg;
	open_small(&kms);
	kms_probe(&kms, 1920, 1080, false);
	buffer_new_flags(&buf, SOURCE_RAM, kms.out[0].mode.hdisplay,
			 kms.out[0].mode.vdisplay,
			 VIRTGPU_EXPORTER_CREATE_SCATTER);
	note("%llu pages", (unsigned long long)(buf.size / 4096));
	buffer_draw(&buf, &kms, &picture_a);
	buffer_import(&buf, &kms);
	check_ok(kms_modeset(&kms, &kms.out[0], buf.fb));
	take_screenshot(&kms.out[0], "scattered", &picture_a, NULL);
	buffer_draw(&buf, &kms, &picture_b);
	check_ok(kms_flip(&kms, &kms.out[0], buf.fb));
	take_screenshot(&kms.out[0], "redrawn", &picture_b, NULL);
	check_ok(kms_off(&kms, &kms.out[0]));
	buffer_free(&buf, &kms);
}

/* The device's own buffer comes back as the same object. */
static void self(int arg)
{
	uint32_t same, other;
	struct buffer buf;
	uint32_t *ours, *theirs;
	struct kms kms;
	int fd, second;

	(void)arg;
	open_small(&kms);
	buffer_new(&buf, &kms, SOURCE_DUMB, 256, 256);
	check_ok(kms_prime_export(kms.fd, buf.owner_handle, &fd));
	check_ok(kms_prime_import(kms.fd, fd, &same));
	check_eq(same, buf.owner_handle);

	/* In another open file of the device: another handle, same memory. */
	second = open_card("virtio_gpu", 0, NULL);
	check_cmp(second, >=, 0);
	check_ok(kms_prime_import(second, fd, &other));
	ours = buffer_map(&buf, &kms);
	theirs = map_dumb(second, other, buf.size);
	check(theirs);
	ours[12345] = 0x5a5a5a5a;
	check_eq(theirs[12345], 0x5a5a5a5a);

	/* Exporting the import gives the same dma-buf. */
	close(fd);
	check_ok(kms_prime_export(second, other, &fd));
	check_ok(kms_prime_import(kms.fd, fd, &same));
	check_eq(same, buf.owner_handle);
	check_ok(kms_gem_close(kms.fd, buf.owner_handle));
	check_eq(theirs[12345], 0x5a5a5a5a);
	close(second);
	close(fd);
}

/* Imported twice is one handle; exported again it is the exporter's dma-buf. */
static void again(int arg)
{
	struct virtgpu_exporter_stats before, s;
	uint32_t handle, elsewhere;
	struct buffer buf;
	struct kms kms;
	int fd, second;

	(void)arg;
	open_small(&kms);
	exporter_stats(NULL, &before);
	buffer_new(&buf, &kms, SOURCE_RAM, 640, 480);
	check_ok(kms_prime_import(kms.fd, buf.fd, &buf.handle));
	check_ok(kms_prime_import(kms.fd, buf.fd, &handle));
	check_eq(handle, buf.handle);
	second = open_card("virtio_gpu", 0, NULL);
	check_ok(kms_prime_export(kms.fd, buf.handle, &fd));
	check_ok(kms_prime_import(second, fd, &elsewhere));
	exporter_stats(&buf, &s);
	check_cmp(stat_of(&s, VIRTGPU_EXPORTER_ATTACHES), <=, 2);
	close(second);
	close(fd);
	buffer_free(&buf, &kms);
	exporter_check_balance(&before);
}

/*
 * A compositor that imports each frame anew: the driver keeps what it knows of
 * the buffer for a second.
 */
static void each_frame(int arg)
{
	const struct picture picture[2] = {
		{ { 0x204080, 0x40c020, 0xc06020, 0xe0e0e0 }, true },
		{ { 0x802040, 0x2040c0, 0x20c0c0, 0x606060 }, true },
	};
	struct virtgpu_exporter_stats before, s;
	struct buffer buf[2];
	struct output *out;
	struct kms kms;
	int64_t reused, end;
	int i, ret;

	(void)arg;
	open_small(&kms);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	for (i = 0; i < 2; i++)
		new_screen(&buf[i], &kms, SOURCE_RAM, &picture[i]);
	buffer_import(&buf[0], &kms);
	check_ok(kms_modeset(&kms, out, buf[0].fb));
	reused = kms_counter(&kms, "reused_imports");
	for (i = 1; i <= FLIPS; i++) {
		buffer_import(&buf[i % 2], &kms);
		check_ok(kms_flip(&kms, out, buf[i % 2].fb));
		buffer_close(&buf[(i + 1) % 2], &kms);
	}
	take_screenshot(out, "last", &picture[0], &buf[0]);
	check_cmp(kms_counter(&kms, "reused_imports") - reused, >=, FLIPS / 2);
	exporter_stats(&buf[0], &s);
	check_cmp(stat_of(&s, VIRTGPU_EXPORTER_MAPS), <=, FLIPS / 4);

	/*
	 * The hidden one moves, and its next import shows the new place.
	 * Without CONFIG_DMABUF_MOVE_NOTIFY the kernel pins what the driver
	 * keeps.
	 */
	end = now_ms() + 2000;
	while ((ret = exporter_move(&buf[1], VIRTGPU_EXPORTER_RAM)) == -EBUSY && now_ms() < end)
		sleep_ms(10);
	check_ok(ret);
	buffer_import(&buf[1], &kms);
	check_ok(kms_flip(&kms, out, buf[1].fb));
	take_screenshot(out, "moved", &picture[1], &buf[1]);
	check_ok(kms_off(&kms, out));
	for (i = 0; i < 2; i++)
		buffer_free(&buf[i], &kms);
	exporter_check_balance(&before);
}

static void wrong_fds(int arg)
{
	struct kms kms;
	uint32_t handle;
	int pipes[2];
	int fd;

	(void)arg;
	open_small(&kms);
	check_err(kms_prime_import(kms.fd, -1, &handle), EBADF);
	check_err(kms_prime_import(kms.fd, 9999, &handle), EBADF);
	check_eq(pipe(pipes), 0);
	check_err(kms_prime_import(kms.fd, pipes[0], &handle), EINVAL);
	close(pipes[0]);
	check_err(kms_prime_import(kms.fd, pipes[0], &handle), EBADF);
	check_err(kms_prime_import(kms.fd, kms.fd, &handle), EINVAL);
	fd = memfd_create("no-dmabuf", 0);
	check_err(kms_prime_import(kms.fd, fd, &handle), EINVAL);
	close(fd);
	check_err(kms_prime_export(kms.fd, 0x7fff, &fd), ENOENT);
	check_err(kms_gem_close(kms.fd, 0x7fff), EINVAL);
}

/*
 * Addresses of other devices mean nothing to a device that bypasses its IOMMU,
 * or that can access bounce buffers only.
 */
static void unreachable(int arg)
{
	struct buffer buf;
	uint32_t handle;
	struct kms kms;

	(void)arg;
	open_small(&kms);
	new_screen(&buf, &kms, SOURCE_STATIC, &picture_a);
	check_err(kms_prime_import(kms.fd, buf.fd, &handle), EXDEV);
	buffer_free(&buf, &kms);
}

/* A handle of one device means nothing to another. */
static void wrong_handles(int arg)
{
	struct buffer buf;
	struct kms kms;
	int vgem;

	(void)arg;
	open_small(&kms);
	vgem = open_card("vgem", 0, NULL);
	if (vgem < 0)
		skip("no vgem card");
	buffer_new(&buf, &kms, SOURCE_VGEM, 64, 64);
	check_ok(kms_prime_import(kms.fd, buf.fd, &buf.handle));
	check_ok(kms_gem_close(kms.fd, buf.handle));
	check_err(kms_gem_close(kms.fd, buf.handle), EINVAL);
	check_err(kms_addfb(&kms, buf.handle, 64, 64, 256), ENOENT);
	buf.handle = 0;
	buffer_free(&buf, &kms);
}

/* Framebuffers may not reach beyond what was imported. */
static void sizes(int arg)
{
	static const uint32_t bytes[] = { 1, 4096, 12289, 1228800 };
	struct virtgpu_exporter_stats before;
	struct buffer buf;
	uint32_t rows;
	struct kms kms;
	unsigned int i;
	int64_t fb;

	(void)arg;
	open_small(&kms);
	exporter_stats(NULL, &before);
	for (i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		buffer_new(&buf, &kms, SOURCE_RAM, 1, (bytes[i] + 3) / 4);
		check_ok(kms_prime_import(kms.fd, buf.fd, &buf.handle));
		/* Whole pages are what a dma-buf has. */
		rows = ((bytes[i] + 4095) & ~4095u) / 128;
		fb = kms_addfb(&kms, buf.handle, 32, rows, 128);
		check_ok(fb);
		check_ok(kms_rmfb(&kms, fb));
		check_err(kms_addfb(&kms, buf.handle, 32, rows + 1, 128),
			  EINVAL);
		buffer_free(&buf, &kms);
	}
	exporter_check_balance(&before);
}

/* The exporter cannot attach, map or pin: an errno, and the next try works. */
static void faults(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer good, bad;
	struct output *out;
	struct kms kms;
	int ret;

	open_small(&kms);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&good, &kms, SOURCE_RAM, &picture_a);
	buffer_import(&good, &kms);
	check_ok(kms_modeset(&kms, out, good.fb));

	new_screen(&bad, &kms, SOURCE_RAM, &picture_b);
	check_ok(exporter_fault(&bad, arg, EREMOTEIO, 1));
	ret = kms_prime_import(kms.fd, bad.fd, &bad.handle);
	if (!ret) {
		/* Late mapping is fine, but then the flip has to fail. */
		check_cmp(arg, !=, VIRTGPU_EXPORTER_FAULT_ATTACH);
		buffer_import(&bad, &kms);
		ret = kms_flip_nonblock(&kms, out, bad.fb);
		check_err(ret, EREMOTEIO);
	} else {
		check_err(ret, EREMOTEIO);
		buffer_import(&bad, &kms);
	}
	/* What was shown still is, and the second try works. */
	check_ok(kms_flip(&kms, out, good.fb));
	take_screenshot(out, "still", &picture_a, NULL);
	check_ok(kms_flip(&kms, out, bad.fb));
	take_screenshot(out, "then", &picture_b, NULL);

	check_ok(kms_off(&kms, out));
	buffer_free(&good, &kms);
	buffer_free(&bad, &kms);
	exporter_check_balance(&before);
}

const struct test_case import_cases[] = {
	{ "import/vgem", show, SOURCE_VGEM, 0 },
	{ "import/bochs", show, SOURCE_BOCHS, 0 },
	{ "import/second-virtio-gpu", show, SOURCE_VIRTIO, 0 },
	{ "import/udmabuf", show, SOURCE_UDMABUF, 0 },
	{ "import/hold", hold, SOURCE_UDMABUF, 0 },
	{ "import/dma-heap", show, SOURCE_HEAP, 0 },
	{ "import/desktop-bochs", desktop, SOURCE_BOCHS, 0 },
	{ "import/desktop-vgem", desktop, SOURCE_VGEM, 0 },
	{ "import/desktop-udmabuf", desktop, SOURCE_UDMABUF, 0 },
	{ "import/exporter-static", show, SOURCE_STATIC, 0 },
	{ "import/exporter-ram", show, SOURCE_RAM, 0 },
	{ "import/exporter-vram", show, SOURCE_VRAM, 0 },
	{ "import/gradients-ram", gradients, SOURCE_RAM, 0 },
	{ "import/gradients-vram", gradients, SOURCE_VRAM, 0 },
	{ "import/modifier-and-offset", modifier, 0, 0 },
	{ "import/scatter", scatter, 0, 0 },
	{ "import/self", self, 0, 0 },
	{ "import/again", again, 0, 0 },
	{ "import/each-frame", each_frame, 0, 0 },
	{ "import/unreachable", unreachable, 0, 0 },
	{ "import/wrong-fds", wrong_fds, 0, 0 },
	{ "import/wrong-handles", wrong_handles, 0, 0 },
	{ "import/sizes", sizes, 0, 0 },
	{ "import/fault-attach", faults, VIRTGPU_EXPORTER_FAULT_ATTACH, 0 },
	{ "import/fault-pin", faults, VIRTGPU_EXPORTER_FAULT_PIN, 0 },
	{ "import/fault-map", faults, VIRTGPU_EXPORTER_FAULT_MAP, 0 },
	{ 0 }
};
