// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Imported buffers let go of in every order, and by processes that die. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"

enum step { CLOSE_DMABUF, RMFB, GEM_CLOSE, OFF, STEPS };

static void setup(struct kms *kms, struct buffer *buf, enum source source)
{
	kms_open(kms, 640, 480);
	buffer_new(buf, kms, source, kms->out[0].mode.hdisplay,
		   kms->out[0].mode.vdisplay);
	buffer_draw(buf, kms, &picture_a);
	buffer_import(buf, kms);
	check_ok(kms_modeset(kms, &kms->out[0], buf->fb));
}

static void take(struct kms *kms, struct buffer *buf, enum step step)
{
	switch (step) {
	case CLOSE_DMABUF:
		close(buf->fd);
		buf->fd = -1;
		break;
	case RMFB:
		check_ok(kms_rmfb(kms, buf->fb));
		buf->fb = 0;
		break;
	case GEM_CLOSE:
		check_ok(kms_gem_close(kms->fd, buf->handle));
		buf->handle = 0;
		break;
	default:
		check_ok(kms_off(kms, &kms->out[0]));
		break;
	}
}

/* All 24 orders of four steps. */
static void orders(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer buf;
	struct kms kms;
	int order[STEPS];
	int i, j, n, rest;
	bool repeated;

	exporter_stats(NULL, &before);
	for (n = 0; n < STEPS * STEPS * STEPS * STEPS; n++) {
		repeated = false;
		for (i = 0, rest = n; i < STEPS; i++, rest /= STEPS) {
			order[i] = rest % STEPS;
			for (j = 0; j < i; j++)
				repeated |= order[j] == order[i];
		}
		if (repeated)
			continue;
		setup(&kms, &buf, arg);
		for (i = 0; i < STEPS; i++)
			take(&kms, &buf, order[i]);
		kms_close(&kms);
		exporter_check_balance(&before);
	}
}

/* The process dies while its buffer is shown and a flip is on its way. */
static void killed(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer buf, other;
	struct kms kms;
	int status, i;
	pid_t pid;

	exporter_stats(NULL, &before);
	for (i = 0; i < 5; i++) {
		pid = fork();
		check_cmp(pid, >=, 0);
		if (!pid) {
			setup(&kms, &buf, arg);
			buffer_new(&other, &kms, arg, buf.width, buf.height);
			buffer_import(&other, &kms);
			check_ok(kms_flip_nonblock(&kms, &kms.out[0],
						   other.fb));
			kill(getpid(), SIGKILL);
		}
		check_eq(waitpid(pid, &status, 0), pid);
		check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		exporter_check_balance(&before);
	}
}

/* Shown at the very end of its life: the picture stays until it is off. */
static void last_shown(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct buffer buf;
	struct kms kms;

	exporter_stats(NULL, &before);
	setup(&kms, &buf, arg);
	buffer_draw(&buf, &kms, &picture_b);
	check_ok(kms_flip(&kms, &kms.out[0], buf.fb));
	take(&kms, &buf, GEM_CLOSE);
	take(&kms, &buf, CLOSE_DMABUF);
	take_screenshot(&kms.out[0], "orphan", &picture_b, NULL);
	exporter_stats(NULL, &s);
	check_eq(stat_of(&s, VIRTGPU_EXPORTER_BUFFERS),
		 stat_of(&before, VIRTGPU_EXPORTER_BUFFERS) + 1);
	take(&kms, &buf, OFF);
	take(&kms, &buf, RMFB);
	exporter_check_balance(&before);
}

/* Imported and never shown. */
static void unused(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer buf;
	struct kms kms;
	int i;

	kms_open(&kms, 640, 480);
	exporter_stats(NULL, &before);
	for (i = 0; i < 100; i++) {
		buffer_new(&buf, &kms, arg, 64 + i, 64);
		check_ok(kms_prime_import(kms.fd, buf.fd, &buf.handle));
		if (i % 2) {
			close(buf.fd);
			buf.fd = -1;
		}
		buffer_free(&buf, &kms);
	}
	exporter_check_balance(&before);
}

const struct test_case release_cases[] = {
	{ "release/orders-static", orders, SOURCE_STATIC, 120 },
	{ "release/orders-ram", orders, SOURCE_RAM, 120 },
	{ "release/orders-vram", orders, SOURCE_VRAM, 120 },
	{ "release/killed-ram", killed, SOURCE_RAM, 0 },
	{ "release/killed-vram", killed, SOURCE_VRAM, 0 },
	{ "release/last-shown-ram", last_shown, SOURCE_RAM, 0 },
	{ "release/last-shown-vram", last_shown, SOURCE_VRAM, 0 },
	{ "release/unused-ram", unused, SOURCE_RAM, 0 },
	{ 0 }
};
