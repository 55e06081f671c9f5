// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Several outputs, and outputs that come and go. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "buffer.h"
#include "harness.h"

/* All outputs in one commit: modeset, flips with an event each, off. */
static void together(int n)
{
	struct buffer buf[MAX_OUTPUTS][2];
	drmModeAtomicReq *req;
	struct kms kms;
	char name[16];
	int i, round;

	kms_open(&kms, 640, 480);
	kms_want_outputs(&kms, n, 640, 480);
	for (i = 0; i < n; i++) {
		for (round = 0; round < 2; round++) {
			struct picture p = round ? picture_b : picture_a;

			/* Outputs differ in blue. */
			p.color[0] ^= i;
			buffer_new(&buf[i][round], &kms, SOURCE_DUMB,
				   kms.out[i].mode.hdisplay,
				   kms.out[i].mode.vdisplay);
			buffer_draw(&buf[i][round], &kms, &p);
			buffer_import(&buf[i][round], &kms);
		}
	}

	req = drmModeAtomicAlloc();
	for (i = 0; i < n; i++) {
		kms_show(&kms, req, &kms.out[i], buf[i][0].fb, NULL);
		kms_enable(&kms, req, &kms.out[i]);
	}
	check_ok(kms_commit(&kms, req, DRM_MODE_ATOMIC_ALLOW_MODESET));
	drmModeAtomicFree(req);

	for (round = 1; round <= 21; round++) {
		req = drmModeAtomicAlloc();
		for (i = 0; i < n; i++)
			kms_show(&kms, req, &kms.out[i], buf[i][round % 2].fb,
				 NULL);
		check_ok(kms_commit(&kms, req, DRM_MODE_ATOMIC_NONBLOCK |
					       DRM_MODE_PAGE_FLIP_EVENT));
		drmModeAtomicFree(req);
		check_eq(kms_wait_flips(&kms, n, 5000), n);
		for (i = 0; i < n; i++)
			check_eq(kms.out[i].flips, round);
	}

	for (i = 0; i < n; i++) {
		struct picture p = picture_b;

		p.color[0] ^= i;
		snprintf(name, sizeof(name), "head%d", i);
		take_screenshot(&kms.out[i], name, &p, NULL);
	}
	for (i = 0; i < n; i++)
		check_ok(kms_off(&kms, &kms.out[i]));
}

/* The kernel's own uevents: no need for udev in the guest. */
static int uevent_socket(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1,
	};
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	check_cmp(fd, >=, 0);
	check_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	check_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			    sizeof(patience)), 0);
	return fd;
}

static void wait_hotplug(int fd, int card)
{
	char message[4096];
	char device[32];
	bool hotplug;
	ssize_t len;
	char *field;

	snprintf(device, sizeof(device), "DEVNAME=dri/card%d", card);
	for (;;) {
		bool ours = false;

		len = recv(fd, message, sizeof(message) - 1, 0);
		if (len <= 0)
			fail("no hotplug uevent within 5 s");
		message[len] = '\0';
		hotplug = false;
		for (field = message; field < message + len;
		     field += strlen(field) + 1) {
			hotplug |= !strcmp(field, "HOTPLUG=1");
			ours |= !strcmp(field, device);
		}
		if (hotplug && ours)
			return;
	}
}

static int connected(struct kms *kms)
{
	kms_probe(kms, 0, 0, false);
	return kms->n_outputs;
}

static void await_connected(struct kms *kms, int n)
{
	int64_t end = now_ms() + 5000;

	while (connected(kms) != n && now_ms() < end)
		sleep_ms(20);
	check_eq(connected(kms), n);
}

/* Outputs plugged one after the other without a pause: none may be lost. */
static void hotplug(int arg)
{
	struct kms kms;
	int fd, all, n;

	(void)arg;
	kms_open(&kms, 0, 0);
	kms_probe(&kms, 0, 0, true);
	all = kms.n_outputs;
	if (!try_host("outputs 1 800x600"))
		skip("the host cannot plug outputs");
	await_connected(&kms, 1);

	fd = uevent_socket();
	for (n = all; n >= 1; n = n > 1 ? 1 : 0) {
		ask_host("outputs %d 1024x768", n);
		wait_hotplug(fd, kms.card);
		await_connected(&kms, n);
		check_eq(kms.out[0].mode.hdisplay, 1024);
		check_eq(kms.out[0].mode.vdisplay, 768);
	}

	/* A new size is a new preferred mode. */
	ask_host("ui 0 1280x1024");
	wait_hotplug(fd, kms.card);
	sleep_ms(300);
	check_eq(connected(&kms), 1);
	check_eq(kms.out[0].mode.hdisplay, 1280);
	check_eq(kms.out[0].mode.vdisplay, 1024);
	close(fd);
}

const struct test_case output_cases[] = {
	{ "output/two-in-one-commit", together, 2, 0 },
	{ "output/four-in-one-commit", together, 4, 0 },
	{ "output/hotplug", hotplug, 0, 0 },
	{ 0 }
};
