// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Fences on imported buffers: those a flip waits for, and those it leaves. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "buffer.h"
#include "harness.h"

/* Milliseconds: much longer than a flip takes. */
#define LATE	1500

static void setup(struct kms *kms, struct buffer *a, struct buffer *b)
{
	struct output *out;

	kms_open(kms, 640, 480);
	out = &kms->out[0];
	buffer_new(a, kms, SOURCE_RAM, out->mode.hdisplay, out->mode.vdisplay);
	buffer_new(b, kms, SOURCE_RAM, out->mode.hdisplay, out->mode.vdisplay);
	buffer_draw(a, kms, &picture_a);
	buffer_draw(b, kms, &picture_b);
	buffer_import(a, kms);
	buffer_import(b, kms);
	check_ok(kms_modeset(kms, out, a->fb));
	check_ok(kms_flip(kms, out, a->fb));
}

/* A flip waits for the writer's fence, and the commit itself does not. */
static void implicit(int arg)
{
	struct buffer a, b;
	struct kms kms;
	int64_t start;

	(void)arg;
	setup(&kms, &a, &b);
	start = now_ms();
	check_ok(exporter_add_fence(&b, VIRTGPU_EXPORTER_FENCE_WRITE, LATE, 0));
	check_ok(kms_flip_nonblock(&kms, &kms.out[0], b.fb));
	check_cmp(now_ms() - start, <, LATE);
	check_eq(kms_wait_flips(&kms, 1, 5000), 1);
	check_cmp(now_ms() - start, >=, LATE);
	take_screenshot(&kms.out[0], "after", &picture_b, NULL);
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* However long it takes. */
static void silent(int arg)
{
	struct buffer a, b;
	struct kms kms;

	(void)arg;
	setup(&kms, &a, &b);
	check_ok(exporter_add_fence(&b, VIRTGPU_EXPORTER_FENCE_WRITE,
				    VIRTGPU_EXPORTER_NEVER, 0));
	check_ok(kms_flip_nonblock(&kms, &kms.out[0], b.fb));
	check_eq(kms_wait_flips(&kms, 1, 3000), 0);
	take_screenshot(&kms.out[0], "before", &picture_a, NULL);
	check_err(kms_flip_nonblock(&kms, &kms.out[0], a.fb), EBUSY);
	check_ok(exporter_signal());
	check_eq(kms_wait_flips(&kms, 1, 5000), 1);
	take_screenshot(&kms.out[0], "after", &picture_b, NULL);
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* Readers do not hold up a flip. */
static void reader(int arg)
{
	struct buffer a, b;
	struct kms kms;

	(void)arg;
	setup(&kms, &a, &b);
	check_ok(exporter_add_fence(&b, 0, VIRTGPU_EXPORTER_NEVER, 0));
	check_ok(kms_flip(&kms, &kms.out[0], b.fb));
	take_screenshot(&kms.out[0], "shown", &picture_b, NULL);
	check_ok(exporter_signal());
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* A writer that failed still lets the flip go on. */
static void failed_writer(int arg)
{
	struct buffer a, b;
	struct kms kms;

	(void)arg;
	setup(&kms, &a, &b);
	check_ok(exporter_add_fence(&b, VIRTGPU_EXPORTER_FENCE_WRITE, 50, EIO));
	check_ok(kms_flip(&kms, &kms.out[0], b.fb));
	check_ok(kms_flip(&kms, &kms.out[0], a.fb));
	check_ok(kms_off(&kms, &kms.out[0]));
}

/* An explicit fence, by way of the buffer's implicit one. */
static void explicit(int arg)
{
	struct dma_buf_export_sync_file sync = { .flags = DMA_BUF_SYNC_READ };
	drmModeAtomicReq *req;
	struct output *out;
	struct buffer a, b, c;
	struct kms kms;
	int64_t start;

	(void)arg;
	setup(&kms, &a, &b);
	out = &kms.out[0];
	buffer_new(&c, &kms, SOURCE_RAM, 64, 64);
	start = now_ms();
	check_ok(exporter_add_fence(&c, VIRTGPU_EXPORTER_FENCE_WRITE, LATE, 0));
	check_eq(ioctl(c.fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &sync), 0);

	req = drmModeAtomicAlloc();
	kms_show(&kms, req, out, b.fb, NULL);
	kms_add(&kms, req, out->primary, DRM_MODE_OBJECT_PLANE, "IN_FENCE_FD",
		sync.fd);
	check_ok(kms_commit(&kms, req, DRM_MODE_ATOMIC_NONBLOCK |
				       DRM_MODE_PAGE_FLIP_EVENT));
	drmModeAtomicFree(req);
	close(sync.fd);
	check_cmp(now_ms() - start, <, LATE);
	check_eq(kms_wait_flips(&kms, 1, 5000), 1);
	check_cmp(now_ms() - start, >=, LATE);
	check_ok(kms_off(&kms, out));
}

static bool idle(struct buffer *buf, int ms)
{
	/* A dma-buf is writable once all fences on it have signalled. */
	struct pollfd pfd = { .fd = buf->fd, .events = POLLOUT };

	return poll(&pfd, 1, ms) == 1 && pfd.revents & POLLOUT;
}

/* What a flip puts on the buffer signals soon, and always. */
static void left_behind(int arg)
{
	struct buffer a, b;
	struct kms kms;
	int i;

	(void)arg;
	setup(&kms, &a, &b);
	for (i = 0; i < 20; i++) {
		check_ok(kms_flip(&kms, &kms.out[0], i % 2 ? a.fb : b.fb));
		check(idle(i % 2 ? &b : &a, 1000));
	}
	check(idle(&a, 1000));
	check_ok(kms_off(&kms, &kms.out[0]));
	check(idle(&a, 1000));
	check(idle(&b, 1000));
}

const struct test_case fence_cases[] = {
	{ "fence/implicit", implicit, 0, 0 },
	{ "fence/silent", silent, 0, 0 },
	{ "fence/reader", reader, 0, 0 },
	{ "fence/failed-writer", failed_writer, 0, 0 },
	{ "fence/explicit", explicit, 0, 0 },
	{ "fence/left-behind", left_behind, 0, 0 },
	{ 0 }
};
