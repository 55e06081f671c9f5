// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What flips and moves cost, counted in QEMU's trace (option "trace" of the
 * guest): notifications of the control queue, and commands by type.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "harness.h"

#define FLIPS	50
#define TRACING	"/sys/kernel/tracing/"

/**
 * struct tally - events between two marks
 * @kicks: notifications of the control queue
 * @transfer: TRANSFER_TO_HOST_2D
 * @scanout: SET_SCANOUT and SET_SCANOUT_BLOB
 * @flush: RESOURCE_FLUSH
 * @attach: RESOURCE_ATTACH_BACKING
 * @detach: RESOURCE_DETACH_BACKING
 * @create: resources created
 * @commands: all commands
 */
struct tally {
	long kicks, transfer, scanout, flush, attach, detach, create, commands;
};

static void add_event(struct tally *t, const char *event, long n)
{
	if (!strcmp(event, "virtio_queue_notify 0"))
		t->kicks += n;
	if (strncmp(event, "virtio_gpu_cmd_", 15))
		return;
	event += 15;
	t->commands += n;
	if (!strcmp(event, "res_xfer_toh_2d"))
		t->transfer += n;
	else if (!strncmp(event, "set_scanout", 11))
		t->scanout += n;
	else if (!strcmp(event, "res_flush"))
		t->flush += n;
	else if (!strcmp(event, "res_back_attach"))
		t->attach += n;
	else if (!strcmp(event, "res_back_detach"))
		t->detach += n;
	else if (!strncmp(event, "res_create", 10))
		t->create += n;
}

static void set_mark(const char *which)
{
	if (!try_host("mark %s-%s", case_label(), which))
		skip("the host takes no marks");
}

static void tally(struct tally *t)
{
	char command[192];
	char line[128];
	FILE *f;
	long n;
	int at;

	memset(t, 0, sizeof(*t));
	snprintf(command, sizeof(command), "host counts %s-start %s-end",
		 case_label(), case_label());
	f = popen(command, "r");
	check(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%ld %n", &n, &at) == 1)
			add_event(t, line + at, n);
	}
	if (pclose(f) || !t->commands)
		skip("the host counts nothing (no trace)");
	note("%ld kicks, %ld commands, of them %ld transfer, %ld scanout",
	     t->kicks, t->commands, t->transfer, t->scanout);
	note("%ld flush, %ld attach, %ld detach, %ld create", t->flush,
	     t->attach, t->detach, t->create);
}

/* The driver's own tracepoint tells which commands had a fence. */
static bool trace_commands(bool on)
{
	FILE *f = fopen(TRACING "events/virtio_gpu/virtio_gpu_cmd_queue/enable", "w");

	if (!f)
		return false;
	fputs(on ? "1" : "0", f);
	check(!fclose(f));
	if (on) {
		f = fopen(TRACING "buffer_size_kb", "w");
		check(f);
		fputs("4096", f);
		check(!fclose(f));
		f = fopen(TRACING "trace", "w");
		check(f);
		check(!fclose(f));
	}
	return true;
}

/* How many commands of a name were queued with a fence. */
static long fenced(const char *command)
{
	FILE *f = fopen(TRACING "trace", "r");
	unsigned int flags;
	char line[512];
	long n = 0;
	char *at;

	check(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, command) ? strstr(line, "flags=0x") : NULL;
		if (at && sscanf(at, "flags=%x", &flags) == 1)
			n += flags & 1;
	}
	fclose(f);
	return n;
}

static void flip_all(struct kms *kms, struct buffer (*buf)[2], int which)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int i;

	for (i = 0; i < kms->n_outputs; i++)
		kms_show(kms, req, &kms->out[i], buf[i][which].fb, NULL);
	check_ok(kms_commit(kms, req, DRM_MODE_ATOMIC_NONBLOCK |
				      DRM_MODE_PAGE_FLIP_EVENT));
	drmModeAtomicFree(req);
	check_eq(kms_wait_flips(kms, kms->n_outputs, 5000), kms->n_outputs);
}

/* Flips of n outputs in one commit: one notification each. */
static void flips(int n, enum source source)
{
	struct buffer buf[MAX_OUTPUTS][2];
	drmModeAtomicReq *req;
	struct tally t;
	struct kms kms;
	int i, j;

	kms_open(&kms, 640, 480);
	kms_want_outputs(&kms, n, 640, 480);
	for (i = 0; i < n; i++) {
		for (j = 0; j < 2; j++) {
			buffer_new(&buf[i][j], &kms, source,
				   kms.out[i].mode.hdisplay,
				   kms.out[i].mode.vdisplay);
			buffer_draw(&buf[i][j], &kms,
				    j ? &picture_b : &picture_a);
			buffer_import(&buf[i][j], &kms);
		}
	}
	req = drmModeAtomicAlloc();
	for (i = 0; i < n; i++) {
		kms_show(&kms, req, &kms.out[i], buf[i][0].fb, NULL);
		kms_enable(&kms, req, &kms.out[i]);
	}
	check_ok(kms_commit(&kms, req, DRM_MODE_ATOMIC_ALLOW_MODESET));
	drmModeAtomicFree(req);
	/* Steady: every buffer was shown before. */
	for (i = 0; i < 4; i++)
		flip_all(&kms, buf, (i + 1) % 2);

	set_mark("start");
	for (i = 0; i < FLIPS; i++)
		flip_all(&kms, buf, (i + 1) % 2);
	set_mark("end");
	for (i = 0; i < n; i++)
		check_ok(kms_off(&kms, &kms.out[i]));

	tally(&t);
	/* Less than one is luck: the host was still looking at the queue. */
	check_cmp(t.kicks, <=, FLIPS);
	check_eq(t.flush, FLIPS * n);
	check_eq(t.attach, 0);
	check_eq(t.detach, 0);
	check_eq(t.create, 0);
	if (source == SOURCE_DUMB) {
		check_cmp(t.commands, <=, FLIPS * n * 3);
	} else {
		check_eq(t.transfer, 0);
		check_cmp(t.commands, <=, FLIPS * n * 2);
	}
}

static void dumb_flips(int n)
{
	flips(n, SOURCE_DUMB);
}

static void import_flips(int n)
{
	flips(n, SOURCE_RAM);
}

static void vram_flips(int n)
{
	flips(n, SOURCE_VRAM);
}

static int move_hidden(struct buffer *buf)
{
	int64_t end = now_ms() + 1000;
	int ret;

	do {
		ret = exporter_move(buf, VIRTGPU_EXPORTER_RAM);
	} while (ret == -EBUSY && now_ms() < end);
	return ret;
}

/*
 * Each move of an attached buffer is one fenced detach, each use one
 * attachment.
 */
static void attached_moves(int arg)
{
	struct buffer one, two;
	struct output *out;
	struct tally t;
	struct kms kms;
	bool traced;
	int i;

	(void)arg;
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	buffer_new_flags(&one, SOURCE_RAM, out->mode.hdisplay,
			 out->mode.vdisplay, VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED);
	buffer_new_flags(&two, SOURCE_RAM, out->mode.hdisplay,
			 out->mode.vdisplay, VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED);
	buffer_draw(&one, &kms, &picture_a);
	buffer_draw(&two, &kms, &picture_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(kms_modeset(&kms, out, one.fb));
	check_ok(kms_flip(&kms, out, two.fb));
	check_ok(kms_flip(&kms, out, one.fb));

	traced = trace_commands(true);
	set_mark("start");
	for (i = 0; i < FLIPS; i++) {
		check_ok(move_hidden(i % 2 ? &one : &two));
		check_ok(kms_flip(&kms, out, i % 2 ? one.fb : two.fb));
	}
	set_mark("end");
	check_ok(kms_off(&kms, out));
	if (traced) {
		check_eq(fenced("RESOURCE_DETACH_BACKING"), FLIPS);
		trace_commands(false);
	} else {
		note("another driver: it does not tell which commands are fenced");
	}

	tally(&t);
	check_eq(t.detach, FLIPS);
	/* Attached again, or made anew with its memory. */
	check_eq(t.attach + t.create, FLIPS);
	check_eq(t.transfer, 0);
	check_eq(t.flush, FLIPS);
}

/* Moves of what is not attached concern nobody. */
static void detached_moves(int arg)
{
	struct buffer imported, unknown, screen;
	struct tally t;
	struct kms kms;
	int i;

	(void)arg;
	kms_open(&kms, 640, 480);
	buffer_new(&screen, &kms, SOURCE_DUMB, kms.out[0].mode.hdisplay,
		   kms.out[0].mode.vdisplay);
	buffer_import(&screen, &kms);
	check_ok(kms_modeset(&kms, &kms.out[0], screen.fb));
	buffer_new_flags(&imported, SOURCE_RAM, 640, 480,
			 VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED);
	buffer_new_flags(&unknown, SOURCE_RAM, 640, 480,
			 VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED);
	buffer_import(&imported, &kms);
	/* The import may have attached it; this move undoes that. */
	check_ok(move_hidden(&imported));
	sleep_ms(100);

	set_mark("start");
	for (i = 0; i < FLIPS; i++) {
		check_ok(move_hidden(&imported));
		check_ok(move_hidden(&unknown));
	}
	/* So that there is something to count. */
	check_ok(kms_flip(&kms, &kms.out[0], screen.fb));
	set_mark("end");
	check_ok(kms_off(&kms, &kms.out[0]));

	tally(&t);
	check_eq(t.flush, 1);
	check_eq(t.attach + t.create, 0);
	check_eq(t.detach, 0);
}

/* A cursor that only moves is brought to the host once, a small one too. */
static void cursor_moves(int size)
{
	struct buffer screen, image;
	struct output *out;
	struct tally t;
	struct kms kms;
	int i;

	kms_need_cursor_ioctls();
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	buffer_new(&screen, &kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_import(&screen, &kms);
	buffer_new(&image, &kms, SOURCE_DUMB, size, size);
	check_ok(kms_modeset(&kms, out, screen.fb));

	set_mark("start");
	check_ok(drmModeSetCursor(kms.fd, out->crtc, image.owner_handle, size, size));
	for (i = 0; i < FLIPS; i++)
		check_ok(drmModeMoveCursor(kms.fd, out->crtc, i, i));
	set_mark("end");
	check_ok(kms_off(&kms, out));

	tally(&t);
	check_eq(t.create, 1);
	check_eq(t.attach, 1);
	check_eq(t.transfer, 1);
	check_eq(t.flush, 0);
}

const struct test_case count_cases[] = {
	{ "count/flip-one", dumb_flips, 1, 0 },
	{ "count/flip-two", dumb_flips, 2, 0 },
	{ "count/flip-four", dumb_flips, 4, 0 },
	{ "count/flip-one-imported", import_flips, 1, 0 },
	{ "count/flip-two-imported", import_flips, 2, 0 },
	{ "count/flip-two-vram", vram_flips, 2, 0 },
	{ "count/moves-attached", attached_moves, 0, 0 },
	{ "count/moves-detached", detached_moves, 0, 0 },
	{ "count/cursor", cursor_moves, 64, 0 },
	{ "count/cursor-small", cursor_moves, 24, 0 },
	{ 0 }
};
