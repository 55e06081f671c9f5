// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* A display of the host that holds each frame for a while. */

#include <string.h>

#include "buffer.h"
#include "harness.h"

#define FLIPS	12

static int64_t errors;

static void show_first(struct kms *kms, struct buffer *buf)
{
	int i;

	errors = kms_counter(kms, "control_errors");
	for (i = 0; i < 2; i++) {
		buffer_new(&buf[i], kms, SOURCE_DUMB, 640, 480);
		buffer_draw(&buf[i], kms, i ? &picture_b : &picture_a);
		buffer_import(&buf[i], kms);
	}
	check_ok(kms_modeset(kms, &kms->out[0], buf[0].fb));
}

static void end(struct kms *kms, struct buffer *buf)
{
	check_eq(kms_counter(kms, "control_timeouts"), 0);
	check_eq(kms_counter(kms, "control_errors"), errors);
	check_ok(kms_off(kms, &kms->out[0]));
	buffer_free(&buf[0], kms);
	buffer_free(&buf[1], kms);
}

/* The time between two flip events, in ms, and the frames that were flushed. */
static int pace(struct kms *kms, struct buffer *buf, int *flushed)
{
	int64_t flushes = kms_counter(kms, "control_RESOURCE_FLUSH");
	int64_t start = now_ms();
	int i;

	for (i = 0; i < FLIPS; i++)
		check_ok(kms_flip(kms, &kms->out[0], buf[i % 2].fb));
	*flushed = kms_counter(kms, "control_RESOURCE_FLUSH") - flushes;
	return (now_ms() - start) / FLIPS;
}

/*
 * Events come at the host's pace, but not more slowly than about 10 Hz: then
 * some frames are replaced before the host gets them.
 */
static void held(int hold)
{
	struct buffer buf[2];
	struct kms kms;
	int ms, flushed;

	kms_open(&kms, 640, 480);
	ask_host("hold %d", hold);
	show_first(&kms, buf);
	ms = pace(&kms, buf, &flushed);
	figure("%d ms a flip, %d of %d flushed", ms, flushed, FLIPS);
	/* An emulated guest's clock may be a third slower than the host's. */
	check_cmp(ms, >=, hold <= 100 ? hold / 2 : 50);
	if (hold > 100)
		check_cmp(flushed, <, FLIPS);
	ask_host("hold 0");
	end(&kms, buf);
}

const struct test_case held_cases[] = {
	{ "held/0", held, 0, 0 },
	{ "held/16", held, 16, 0 },
	{ "held/100", held, 100, 0 },
	{ "held/400", held, 400, 0 },
	{ 0 }
};
