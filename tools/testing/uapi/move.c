// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Buffers that their exporter moves, or takes away. */

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"

/* VIRTGPU_MOVES=n for less, where the kernel is slow. */
#define MOVES	1000

static const struct picture stamped_a = {
	{ 0x204080, 0x40c020, 0xc06020, 0xe0e0e0 }, true
};

static const struct picture stamped_b = {
	{ 0x802040, 0x2040c0, 0x20c0c0, 0x606060 }, true
};

static void new_screen(struct buffer *buf, struct kms *kms, enum source source,
		       const struct picture *picture)
{
	buffer_new_flags(buf, source, kms->out[0].mode.hdisplay,
			 kms->out[0].mode.vdisplay,
			 VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED);
	buffer_draw(buf, kms, picture);
}

/* The first buffer that the host rejects. */
static struct output *show_rejected(struct kms *kms, struct buffer *buf,
				    const struct picture *picture)
{
	struct output *out;

	kms_open(kms, 640, 480);
	out = &kms->out[0];
	new_screen(buf, kms, SOURCE_VRAM, picture);
	buffer_import(buf, kms);
	check_ok(kms_modeset(kms, out, buf->fb));
	sleep_ms(500);
	return out;
}

/*
 * The host rejects memory of other devices: the exporter moves the buffer to
 * RAM, where the host shows it in place.
 */
static void rejected(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct buffer one, two;
	struct output *out;
	struct kms kms;

	(void)arg;
	exporter_stats(NULL, &before);
	out = show_rejected(&kms, &one, &stamped_a);
	take_screenshot(out, "rejected", &stamped_a, &one);
	exporter_stats(&one, &s);
	check_eq(s.placement, VIRTGPU_EXPORTER_RAM);
	check_eq(kms_counter(&kms, "moves_to_ram"), 1);

	/* The host is not asked again, and shows the first frame. */
	new_screen(&two, &kms, SOURCE_VRAM, &stamped_b);
	buffer_import(&two, &kms);
	check_ok(kms_flip(&kms, out, two.fb));
	take_screenshot(out, "remembered", &stamped_b, &two);
	exporter_stats(&two, &s);
	check_eq(s.placement, VIRTGPU_EXPORTER_RAM);
	check_eq(kms_counter(&kms, "moves_to_ram"), 1);
	check_eq(kms_counter(&kms, "blob_fallbacks"), 0);
	check_eq(kms_counter(&kms, "copied_imports"), 0);
	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	exporter_check_balance(&before);
}

/*
 * The host rejects memory of other devices, and the exporter does not attach
 * the buffer without peer-to-peer: the CPU copies it.
 */
static void copied(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct buffer first, buf;
	struct output *out;
	struct kms kms;

	(void)arg;
	exporter_stats(NULL, &before);
	out = show_rejected(&kms, &first, &stamped_b);
	check_eq(kms_counter(&kms, "copied_imports"), 0);

	new_screen(&buf, &kms, SOURCE_VRAM, &stamped_a);
	check_ok(exporter_fault(&buf, VIRTGPU_EXPORTER_FAULT_ATTACH, EOPNOTSUPP, 1));
	buffer_import(&buf, &kms);
	check_ok(kms_flip(&kms, out, buf.fb));
	take_screenshot(out, "copied", &stamped_a, &buf);
	buffer_draw(&buf, &kms, &stamped_b);
	check_ok(kms_flip(&kms, out, buf.fb));
	take_screenshot(out, "redrawn", &stamped_b, &buf);
	exporter_stats(&buf, &s);
	check_eq(s.placement, VIRTGPU_EXPORTER_VRAM);
	check_eq(kms_counter(&kms, "copied_imports"), 1);
	check_ok(kms_off(&kms, out));
	buffer_free(&first, &kms);
	buffer_free(&buf, &kms);
	exporter_check_balance(&before);
}

/*
 * A commit that had to wait for another may still hold its old buffer for a
 * moment.
 */
static int move_hidden(struct buffer *buf, uint32_t placement)
{
	int64_t end = now_ms() + 1000;
	int ret;

	for (;;) {
		ret = exporter_move(buf, placement);
		if (ret != -EBUSY || now_ms() > end)
			return ret;
		sleep_ms(2);
	}
}

static uint32_t other_place(enum source source, int round)
{
	if (source == SOURCE_RAM)
		return VIRTGPU_EXPORTER_RAM;
	return round % 2 ? VIRTGPU_EXPORTER_VRAM : VIRTGPU_EXPORTER_RAM;
}

/* While it is shown it is pinned. */
static void shown(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer buf;
	struct kms kms;

	kms_open(&kms, 640, 480);
	exporter_stats(NULL, &before);
	new_screen(&buf, &kms, arg, &stamped_a);
	buffer_import(&buf, &kms);
	check_ok(kms_modeset(&kms, &kms.out[0], buf.fb));
	sleep_ms(200);
	check_err(exporter_move(&buf, VIRTGPU_EXPORTER_RAM), EBUSY);
	check_ok(kms_flip(&kms, &kms.out[0], buf.fb));
	sleep_ms(200);
	check_err(exporter_move(&buf, VIRTGPU_EXPORTER_RAM), EBUSY);
	take_screenshot(&kms.out[0], "pinned", &stamped_a, &buf);
	check_ok(kms_off(&kms, &kms.out[0]));
	check_ok(move_hidden(&buf, VIRTGPU_EXPORTER_RAM));
	buffer_free(&buf, &kms);
	exporter_check_balance(&before);
}

/* Moved before it was ever shown, and while another one was. */
static void while_hidden(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct buffer one, two;
	struct output *out;
	struct kms kms;
	int i;

	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&one, &kms, arg, &stamped_a);
	new_screen(&two, &kms, arg, &stamped_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(move_hidden(&one, VIRTGPU_EXPORTER_RAM));
	check_ok(kms_modeset(&kms, out, one.fb));
	take_screenshot(out, "moved-before", &stamped_a, &one);

	for (i = 0; i < 4; i++) {
		check_ok(kms_flip(&kms, out, two.fb));
		check_ok(move_hidden(&one, other_place(arg, i)));
		check_ok(kms_flip(&kms, out, one.fb));
	}
	take_screenshot(out, "moved-hidden", &stamped_a, &one);
	check_ok(kms_flip(&kms, out, two.fb));
	take_screenshot(out, "other", &stamped_b, &two);

	/* New content in new memory. */
	check_ok(move_hidden(&one, other_place(arg, 1)));
	buffer_draw(&one, &kms, &stamped_b);
	check_ok(kms_flip(&kms, out, one.fb));
	take_screenshot(out, "redrawn", &stamped_b, &one);

	/* A host that rejects VRAM makes the exporter move more often. */
	exporter_stats(&one, &s);
	if (!kms_counter(&kms, "moves_to_ram")) {
		check_eq(s.generation, 6);
		check_eq(stat_of(&s, VIRTGPU_EXPORTER_ATTACHES), 1);
	}
	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	exporter_check_balance(&before);
}

/* Several moves without a flip between: one mapping at most for each flip. */
static void twice(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct buffer one, two;
	struct output *out;
	struct kms kms;
	int i;

	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&one, &kms, arg, &stamped_a);
	new_screen(&two, &kms, arg, &stamped_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(kms_modeset(&kms, out, one.fb));
	check_ok(kms_flip(&kms, out, two.fb));
	for (i = 0; i < 20; i++)
		check_ok(move_hidden(&one, other_place(arg, i)));
	check_ok(kms_flip(&kms, out, one.fb));
	take_screenshot(out, "settled", &stamped_a, &one);
	exporter_stats(&one, &s);
	check_cmp(stat_of(&s, VIRTGPU_EXPORTER_MAPS), <=, 3);
	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	exporter_check_balance(&before);
}

/* A thousand moves of the hidden buffer, one between a flip and the next. */
static void storm(int arg)
{
	struct virtgpu_exporter_stats before, one_s, two_s;
	struct buffer one, two;
	struct buffer *moved;
	struct output *out;
	struct kms kms;
	char name[16];
	int moves = MOVES;
	int i;

	if (getenv("VIRTGPU_MOVES"))
		moves = atoi(getenv("VIRTGPU_MOVES"));
	check_cmp(moves, >=, 10);
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&one, &kms, arg, &stamped_a);
	new_screen(&two, &kms, arg, &stamped_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(kms_modeset(&kms, out, one.fb));
	check_ok(kms_flip(&kms, out, two.fb));
	check_ok(kms_flip(&kms, out, one.fb));

	for (i = 0; i < moves; i++) {
		moved = i % 2 ? &one : &two;
		check_ok(move_hidden(moved, other_place(arg, i / 2)));
		check_ok(kms_flip(&kms, out, moved->fb));
		if (i % 250 < 2 || i >= moves - 2) {
			snprintf(name, sizeof(name), "round%d", i);
			take_screenshot(out, name,
					i % 2 ? &stamped_a : &stamped_b, moved);
		}
	}

	exporter_stats(&one, &one_s);
	exporter_stats(&two, &two_s);
	check_eq(stat_of(&one_s, VIRTGPU_EXPORTER_MOVES) +
		 stat_of(&two_s, VIRTGPU_EXPORTER_MOVES), moves);
	check_eq(stat_of(&one_s, VIRTGPU_EXPORTER_FENCE_TIMEOUTS) +
		 stat_of(&two_s, VIRTGPU_EXPORTER_FENCE_TIMEOUTS), 0);
	note("longest notification %llu us, %llu sleeps in all, %llu fences",
	     (unsigned long long)
	     stat_of(&one_s, VIRTGPU_EXPORTER_NOTIFY_MAX_NS) / 1000,
	     (unsigned long long)(stat_of(&one_s, VIRTGPU_EXPORTER_NOTIFY_SLEEPS) +
				  stat_of(&two_s, VIRTGPU_EXPORTER_NOTIFY_SLEEPS)),
	     (unsigned long long)(stat_of(&one_s, VIRTGPU_EXPORTER_NOTIFY_FENCES) +
				  stat_of(&two_s, VIRTGPU_EXPORTER_NOTIFY_FENCES)));
	/* The callback does not wait, for the host least of all. */
	check_eq(stat_of(&one_s, VIRTGPU_EXPORTER_NOTIFY_SLEEPS) +
		 stat_of(&two_s, VIRTGPU_EXPORTER_NOTIFY_SLEEPS), 0);

	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	exporter_check_balance(&before);
}

/* Taken away while hidden: showing it is an error, the rest goes on. */
static void revoked_hidden(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer one, two, late;
	struct output *out;
	struct kms kms;
	uint32_t handle;

	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&one, &kms, arg, &stamped_a);
	new_screen(&two, &kms, arg, &stamped_b);
	new_screen(&late, &kms, arg, &stamped_a);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(kms_modeset(&kms, out, one.fb));
	check_ok(kms_flip(&kms, out, two.fb));

	check_ok(exporter_revoke(one.fd));
	check_err(exporter_move(&one, VIRTGPU_EXPORTER_RAM), ENODEV);
	check_err(kms_flip_nonblock(&kms, out, one.fb), ENODEV);
	check_ok(kms_flip(&kms, out, two.fb));
	take_screenshot(out, "survivor", &stamped_b, &two);

	/* One that is revoked before anybody imports it. */
	check_ok(exporter_revoke(late.fd));
	check_err(kms_prime_import(kms.fd, late.fd, &handle), ENODEV);

	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	buffer_free(&late, &kms);
	exporter_check_balance(&before);
}

/* Taken away while shown: nothing hangs, and the next picture appears. */
static void revoked_shown(int arg)
{
	struct virtgpu_exporter_stats before;
	struct buffer one, two;
	struct output *out;
	struct kms kms;

	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&one, &kms, arg, &stamped_a);
	new_screen(&two, &kms, SOURCE_RAM, &stamped_b);
	buffer_import(&one, &kms);
	buffer_import(&two, &kms);
	check_ok(kms_modeset(&kms, out, one.fb));
	check_ok(exporter_revoke(arg == SOURCE_VRAM ? -1 : one.fd));
	check_ok(kms_flip(&kms, out, two.fb));
	take_screenshot(out, "next", &stamped_b, &two);
	check_err(kms_flip_nonblock(&kms, out, one.fb), ENODEV);
	check_ok(kms_off(&kms, out));
	buffer_free(&one, &kms);
	buffer_free(&two, &kms);
	exporter_check_balance(&before);
}

/* The exporter's device is unplugged with its buffer on the screen. */
static void unplugged(int arg)
{
	struct virtgpu_exporter_stats before, s;
	struct virtgpu_exporter_info info;
	struct buffer gone, moved, stays;
	struct output *out;
	struct kms kms;
	glob_t found;
	int ret;

	(void)arg;
	kms_open(&kms, 640, 480);
	out = &kms.out[0];
	exporter_stats(NULL, &before);
	new_screen(&gone, &kms, SOURCE_VRAM, &stamped_a);
	new_screen(&moved, &kms, SOURCE_VRAM, &stamped_b);
	new_screen(&stays, &kms, SOURCE_RAM, &stamped_b);
	check_ok(exporter_move(&moved, VIRTGPU_EXPORTER_RAM));
	buffer_import(&gone, &kms);
	buffer_import(&moved, &kms);
	buffer_import(&stays, &kms);
	check_ok(kms_modeset(&kms, out, stays.fb));
	check_ok(kms_flip(&kms, out, gone.fb));

	check_eq(glob("/sys/bus/pci/drivers/virtgpu_exporter/*:*/remove", 0, NULL,
		      &found), 0);
	check_ok(write_file(found.gl_pathv[0], "1"));
	globfree(&found);
	exporter_stats(&gone, &s);
	check_eq(s.placement, VIRTGPU_EXPORTER_GONE);
	exporter_info(&info);
	check(!(info.flags & VIRTGPU_EXPORTER_INFO_VRAM));

	check_ok(kms_flip(&kms, out, moved.fb));
	take_screenshot(out, "moved", &stamped_b, &moved);
	check_ok(kms_flip(&kms, out, stays.fb));
	ret = kms_flip_nonblock(&kms, out, gone.fb);
	check_ok(write_file("/sys/bus/pci/rescan", "1"));
	check_err(ret, ENODEV);
	exporter_info(&info);
	check(info.flags & VIRTGPU_EXPORTER_INFO_VRAM);

	check_ok(kms_off(&kms, out));
	buffer_free(&gone, &kms);
	buffer_free(&moved, &kms);
	buffer_free(&stays, &kms);
	exporter_check_balance(&before);
}

const struct test_case move_cases[] = {
	{ "move/shown-ram", shown, SOURCE_RAM, 0 },
	{ "move/shown-vram", shown, SOURCE_VRAM, 0 },
	{ "move/hidden-ram", while_hidden, SOURCE_RAM, 0 },
	{ "move/hidden-vram", while_hidden, SOURCE_VRAM, 0 },
	{ "move/twice-ram", twice, SOURCE_RAM, 0 },
	{ "move/twice-vram", twice, SOURCE_VRAM, 0 },
	{ "move/storm-ram", storm, SOURCE_RAM, 300 },
	{ "move/storm-vram", storm, SOURCE_VRAM, 300 },
	{ "move/revoked-hidden-ram", revoked_hidden, SOURCE_RAM, 0 },
	{ "move/revoked-hidden-vram", revoked_hidden, SOURCE_VRAM, 0 },
	{ "move/revoked-shown-ram", revoked_shown, SOURCE_RAM, 0 },
	{ "move/revoked-shown-vram", revoked_shown, SOURCE_VRAM, 0 },
	{ "move/unplugged", unplugged, 0, 0 },
	{ "peer/rejected", rejected, 0, 0 },
	{ "peer/copied", copied, 0, 0 },
	{ 0 }
};
