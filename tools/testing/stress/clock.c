// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The machine stands still for a while, or is put back to an earlier state,
 * while a program flips: flips go on at the mode's rate, and the driver takes
 * it for no fault of the host's.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "stress.h"

#define MAX_FLIPS	20000
/* Events of which the rate is taken. */
#define WINDOW		30
/*
 * By which a guest in emulation may be late with an event, and in time with the
 * next.
 */
#define JITTER_MS	100

/**
 * struct watch - what must not happen meanwhile
 * @log: the kernel's log, from here on
 * @uevents: the kernel's events, from here on
 */
struct watch {
	int log;
	int uevents;
};

static void watch_start(struct watch *w)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	w->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	check_cmp(w->log, >=, 0);
	check_cmp(lseek(w->log, 0, SEEK_END), >=, 0);
	w->uevents = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_KOBJECT_UEVENT);
	check_cmp(w->uevents, >=, 0);
	check_eq(bind(w->uevents, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void watch_check(struct watch *w)
{
	char text[8192], *field;
	ssize_t len;

	while ((len = read(w->log, text, sizeof(text) - 1)) > 0) {
		text[len] = '\0';
		if (strstr(text, "virtio_gpu") || strstr(text, "[drm"))
			fail("kernel log: %s", text);
	}
	check_eq(errno, EAGAIN);
	while ((len = recv(w->uevents, text, sizeof(text) - 1, 0)) > 0) {
		text[len] = '\0';
		for (field = text; field < text + len; field += strlen(field) + 1)
			if (!strncmp(field, "WEDGED=", 7))
				fail("%s", field);
	}
	check_eq(errno, EAGAIN);
	close(w->log);
	close(w->uevents);
}

/* Flips of one output, and when their events came. */
static struct flips {
	struct kms kms;
	struct buffer buf[2];
	int64_t came[MAX_FLIPS];
	int64_t stamp[MAX_FLIPS];
	int n;
} flips;

static void flips_start(void)
{
	struct output *out;
	int i;

	kms_open(&flips.kms, 640, 480);
	out = &flips.kms.out[0];
	for (i = 0; i < 2; i++) {
		buffer_new(&flips.buf[i], &flips.kms, SOURCE_DUMB, out->mode.hdisplay,
			   out->mode.vdisplay);
		buffer_draw(&flips.buf[i], &flips.kms, i ? &picture_b : &picture_a);
		buffer_import(&flips.buf[i], &flips.kms);
	}
	check_ok(kms_modeset(&flips.kms, out, flips.buf[0].fb));
}

static void flip(void)
{
	struct output *out = &flips.kms.out[0];

	check_cmp(flips.n, <, MAX_FLIPS);
	check_ok(kms_flip(&flips.kms, out, flips.buf[(flips.n + 1) % 2].fb));
	flips.came[flips.n] = now_ms();
	flips.stamp[flips.n++] = out->stamp;
}

static void flip_for(int ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end)
		flip();
}

/* No more events than the mode has vblanks, and not fewer than @least. */
static void flips_check(int since, int least)
{
	const drmModeModeInfo *mode = &flips.kms.out[0].mode;
	double period_ms = (double)mode->htotal * mode->vtotal / mode->clock;
	int i;

	for (i = 1; i < flips.n; i++)
		check_cmp(flips.stamp[i], >, flips.stamp[i - 1]);
	for (i = 0; i + WINDOW < flips.n; i++) {
		if ((flips.stamp[i + WINDOW] - flips.stamp[i]) / 1e6 < WINDOW * period_ms * 0.995)
			fail("%d events of %.2f ms in %.2f ms", WINDOW, period_ms,
			     (flips.stamp[i + WINDOW] - flips.stamp[i]) / 1e6);
		if (flips.came[i + WINDOW] - flips.came[i] < WINDOW * period_ms - JITTER_MS)
			fail("%d events came within %lld ms", WINDOW,
			     (long long)(flips.came[i + WINDOW] - flips.came[i]));
	}
	check_cmp(flips.n - since, >=, least);
}

static void flips_end(const char *screenshot)
{
	int i;

	take_screenshot(&flips.kms.out[0], screenshot, flips.n % 2 ? &picture_b : &picture_a, NULL);
	check_ok(kms_off(&flips.kms, &flips.kms.out[0]));
	for (i = 0; i < 2; i++)
		buffer_free(&flips.buf[i], &flips.kms);
}

/* Wall time, which goes on while the machine stands still. */
static int64_t host_seconds(void)
{
	char text[64];
	int64_t seconds;
	FILE *f = popen("host seconds", "r");

	check(f);
	check(fgets(text, sizeof(text), f));
	seconds = atoll(text);
	check_eq(pclose(f), 0);
	return seconds;
}

static void pause_machine(int seconds)
{
	struct watch w;
	int64_t began;
	int since;

	seconds = setting("VIRTGPU_PAUSE", seconds);
	flips_start();
	watch_start(&w);
	flip_for(3000);
	began = host_seconds();
	ask_host("pause %d", seconds);
	flip_for(3000);
	since = flips.n;
	flip_for(3000);
	check_cmp(host_seconds() - began, >=, seconds);
	watch_check(&w);
	flips_check(since, 30);
	figure("%d flips, %lld s", flips.n, (long long)(host_seconds() - began));
	flips_end("after");
}

/*
 * An answer may have been given to what the guest was later: it is asked for
 * again.
 */
static bool is_rewound(void)
{
	return system("timeout 3 host rewound >/dev/null 2>&1") == 0;
}

static void rewind_machine(int seconds)
{
	struct watch w;
	int since, status;
	pid_t pid;

	flips_start();
	watch_start(&w);
	flip_for(3000);
	ask_host("rewind %d", seconds);
	pid = fork();
	check_cmp(pid, >=, 0);
	if (!pid) {
		while (!is_rewound())
			sleep_ms(500);
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		flip();
	since = flips.n;
	flip_for(3000);
	watch_check(&w);
	flips_check(since, 30);
	figure("%d flips", flips.n);
	flips_end("after");
}

const struct test_case clock_cases[] = {
	{ "clock/pause", pause_machine, 15, 120 },
	{ "clock/rewind", rewind_machine, 5, 120 },
	{ 0 }
};
