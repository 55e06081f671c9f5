// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What things cost, for tools/bench. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "buffer.h"
#include "cases.h"

#define TRACING		"/sys/kernel/tracing/"
#define WORKQUEUE	TRACING "events/workqueue/"

/* Of the modes that set_mode() makes. */
#define MODE_PERIOD_NS	(1000000000 / 60)

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

void start_count(void)
{
	/* What the preparations left to do is not the case's. */
	sleep_ms(100);
	if (!have_marks())
		skip("marks are instructions of x86-64");
	if (!try_host("mark %s-start", case_label()))
		skip("the host takes no marks");
	MARK_NOW(MARK_START);
}

void end_count(int times)
{
	/* What was put off belongs to it. */
	sleep_ms(100);
	MARK_NOW(MARK_END);
	ask_host("mark %s-end", case_label());
	note("bench times=%d", times);
}

/* A mode of any size; outputs of this device can do them all. */
static void set_mode(struct kms *kms, struct output *out, uint32_t w, uint32_t h)
{
	drmModeModeInfo *mode = &out->mode;

	memset(mode, 0, sizeof(*mode));
	mode->hdisplay = w;
	mode->hsync_start = w + 16;
	mode->hsync_end = w + 48;
	mode->htotal = w + 80;
	mode->vdisplay = h;
	mode->vsync_start = h + 3;
	mode->vsync_end = h + 8;
	mode->vtotal = h + 20;
	mode->vrefresh = 60;
	mode->clock = mode->htotal * mode->vtotal * 60 / 1000;
	snprintf(mode->name, sizeof(mode->name), "%ux%u", w, h);
	check_ok(drmModeCreatePropertyBlob(kms->fd, mode, sizeof(*mode), &out->mode_blob));
}

/*
 * Flips
 */

/**
 * struct scene - outputs that show buffers
 * @kms: the card
 * @buf: two buffers for each output
 * @flip: all outputs show their first buffer; their second one
 */
struct scene {
	struct kms kms;
	struct buffer buf[4][2];
	drmModeAtomicReqPtr flip[2];
};

static void start_flip(struct scene *s, int which)
{
	check_ok(kms_commit(&s->kms, s->flip[which],
			    DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT));
}

static void end_flip(struct scene *s)
{
	check_eq(kms_wait_flips(&s->kms, s->kms.n_outputs, 5000), s->kms.n_outputs);
}

static void flip_all(struct scene *s, int which)
{
	start_flip(s, which);
	end_flip(s);
}

/* @n outputs of that size, each with two buffers that were shown before. */
static void set_scene(struct scene *s, int n, enum source source, uint32_t w, uint32_t h)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct kms *kms = &s->kms;
	int i, j;

	kms_open(kms, w, h);
	kms_want_outputs(kms, n, w, h);
	s->flip[0] = drmModeAtomicAlloc();
	s->flip[1] = drmModeAtomicAlloc();
	for (i = 0; i < n; i++) {
		set_mode(kms, &kms->out[i], w, h);
		for (j = 0; j < 2; j++) {
			buffer_new(&s->buf[i][j], kms, source, w, h);
			buffer_import(&s->buf[i][j], kms);
			kms_add(kms, s->flip[j], kms->out[i].primary, DRM_MODE_OBJECT_PLANE,
				"FB_ID", s->buf[i][j].fb);
		}
		kms_show(kms, req, &kms->out[i], s->buf[i][0].fb, NULL);
		kms_enable(kms, req, &kms->out[i]);
	}
	check_ok(kms_commit(kms, req, DRM_MODE_ATOMIC_ALLOW_MODESET));
	drmModeAtomicFree(req);
	for (i = 1; i <= 4; i++)
		flip_all(s, i % 2);
}

static void end_scene(struct scene *s)
{
	int i, j;

	for (i = 0; i < s->kms.n_outputs; i++)
		check_ok(kms_off(&s->kms, &s->kms.out[i]));
	for (i = 0; i < s->kms.n_outputs; i++)
		for (j = 0; j < 2; j++)
			buffer_free(&s->buf[i][j], &s->kms);
	drmModeAtomicFree(s->flip[0]);
	drmModeAtomicFree(s->flip[1]);
}

static void count_flips(struct scene *s)
{
	const int times = 500;
	int i;

	/* The vblanks of an output that nobody uses any more go on for 5 s. */
	sleep_ms(6000);
	start_count();
	for (i = 1; i <= times; i++)
		flip_all(s, i % 2);
	end_count(times);
	end_scene(s);
}

static void flips(int n, enum source source, uint32_t w, uint32_t h)
{
	struct scene s;

	set_scene(&s, n, source, w, h);
	count_flips(&s);
}

/* In each frame @n carets in opposite corners differ from the frame before. */
static void clip_flips(int n)
{
	const struct drm_mode_rect clips[2] = {
		{ 100, 100, 116, 116 }, { 1800, 1000, 1816, 1016 },
	};
	struct scene s;
	uint32_t blob;
	int i;

	set_scene(&s, 1, SOURCE_DUMB, 1920, 1080);
	check_ok(drmModeCreatePropertyBlob(s.kms.fd, clips, n * sizeof(clips[0]),
					   &blob));
	for (i = 0; i < 2; i++)
		kms_add(&s.kms, s.flip[i], s.kms.out[0].primary,
			DRM_MODE_OBJECT_PLANE, "FB_DAMAGE_CLIPS", blob);
	count_flips(&s);
}

static void dumb_flips(int n)
{
	flips(n, SOURCE_DUMB, 640, 480);
}

static void imported_flips(int n)
{
	flips(n, SOURCE_RAM, 640, 480);
}

static void steady_flips(int height)
{
	flips(1, SOURCE_RAM, height * 16 / 9, height);
}

/*
 * A host that takes its time
 */

static void trace_work(bool on)
{
	if (on) {
		check_ok(write_file(TRACING "trace_clock", "mono"));
		check_ok(write_file(TRACING "buffer_size_kb", "16384"));
		check_ok(write_file(TRACING "trace", ""));
	}
	check_ok(write_file(WORKQUEUE "workqueue_execute_start/enable", on ? "1" : "0"));
	check_ok(write_file(WORKQUEUE "workqueue_execute_end/enable", on ? "1" : "0"));
}

/*
 * The longest run of a work item that carries commits out, in us; 0 if none
 * did.
 */
static double longest_work(void)
{
	FILE *f = fopen(TRACING "trace", "r");
	char line[512], work[32] = "", item[32];
	double started = 0, longest = 0, t;
	char *at;

	check(f);
	while (fgets(line, sizeof(line), f)) {
		at = strchr(line, ']');
		if (!at || sscanf(at + 1, " %*s %lf:", &t) != 1)
			continue;
		at = strstr(line, "work struct ");
		if (!at || sscanf(at, "work struct %31[0-9a-f]", item) != 1)
			continue;
		if (strstr(line, "_start:") && strstr(line, "commit_work")) {
			snprintf(work, sizeof(work), "%s", item);
			started = t;
		} else if (strstr(line, "_end:") && !strcmp(work, item)) {
			if (t - started > longest)
				longest = t - started;
			work[0] = '\0';
		}
	}
	fclose(f);
	return longest * 1e6;
}

#define HELD(ms, outputs) ((ms) * 16 + (outputs))

static void held(int arg)
{
	const int times = 50, ms = arg / 16, n = arg % 16;
	int64_t start, before, took, longest = 0;
	struct scene s;
	int i;

	set_scene(&s, n, SOURCE_DUMB, 640, 480);
	trace_work(true);
	start_count();
	check_ok(mark_value(MARK_DELAY, ms));
	start = now_ns();
	for (i = 1; i <= times; i++) {
		before = now_ns();
		start_flip(&s, i % 2);
		took = now_ns() - before;
		if (took > longest)
			longest = took;
		end_flip(&s);
	}
	took = now_ns() - start;
	check_ok(mark_value(MARK_DELAY, 0));
	end_count(times);
	trace_work(false);
	/* The host was as slow as it should be. */
	check_cmp(took / times, >=, ms * 1000000ll);
	note("bench ioctl=%lld worker=%.0f frame=%lld", (long long)longest / 1000,
	     longest_work(), (long long)(took / times / 1000));
	end_scene(&s);
}

/*
 * A host with a vsync of its own
 */

/* QEMU's virtual clock: by icount the TSC counts its nanoseconds. */
static int64_t host_ns(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static void need_host_clock(void)
{
	int64_t host = host_ns(), guest = now_ns();

	sleep_ms(100);
	host = host_ns() - host;
	guest = now_ns() - guest;
	if (llabs(host - guest) > guest / 100)
		skip("the TSC is not the host's virtual clock");
}

/**
 * struct pace - how frames go through the display at each phase of the host's
 * @slowest: frames a second at the worst phase, of the slowest few
 * @fastest: at the best one, of all
 * @late: from a vsync of the host's until the program has the events, at most,
 *	in ns
 * @skew: of an event's timestamp and the nearest vsync of the host's, at most,
 *	in ns
 * @n: frames measured
 * @n_late: of them so many came later than half a millisecond after the vsync
 * @last_late: the last of those
 */
struct pace {
	double slowest;
	double fastest;
	int64_t late;
	int64_t skew;
	int n;
	int n_late;
	int last_late;
};

static void measure_events(struct scene *s, int64_t period, int64_t phase, struct pace *pace)
{
	int64_t host = host_ns(), guest = now_ns();
	int64_t late = (host - phase) % period;
	int64_t skew;
	int i;

	pace->n++;
	if (late > 500000) {
		pace->n_late++;
		pace->last_late = pace->n;
	}
	if (late > pace->late)
		pace->late = late;
	for (i = 0; i < s->kms.n_outputs; i++) {
		skew = (host - (guest - s->kms.out[i].stamp) - phase) % period;
		if (skew > period / 2)
			skew = period - skew;
		if (skew > pace->skew)
			pace->skew = skew;
	}
}

#define VSYNC(us, outputs)	((us) * 16 + (outputs))

#define PHASES		8
#define EACH_PHASE	40
#define MAX_FRAMES	6000
/* Of which the rate is taken. A single vblank missed in them is too much. */
#define FEW_FRAMES	20

/*
 * A host whose period is nearly the mode's goes through all phases by itself,
 * the narrow ones too that eight would leave out: how many frames that takes,
 * or 0.
 */
static int frames_of_all_phases(int us)
{
	int64_t slip = llabs(us * 1000ll - MODE_PERIOD_NS);
	int64_t frames = us * 1000ll / (slip + 1) + FEW_FRAMES;

	return frames > MAX_FRAMES || frames < PHASES * EACH_PHASE ? 0 : frames;
}

static void measure_rate(const int64_t *came, int n, struct pace *pace)
{
	double rate;
	int i;

	for (i = FEW_FRAMES; i <= n; i++) {
		rate = FEW_FRAMES * 1e9 / (came[i] - came[i - FEW_FRAMES]);
		if (rate < pace->slowest)
			pace->slowest = rate;
	}
	rate = n * 1e9 / (came[n] - came[0]);
	if (rate > pace->fastest)
		pace->fastest = rate;
}

static void vsync(int arg, enum source source)
{
	/*
	 * Longer than a driver may take to find out that the host has a rate of
	 * its own.
	 */
	const int settle = 16, us = arg / 16, n = arg % 16;
	const int all = frames_of_all_phases(us), phases = us && !all ? PHASES : 1;
	const int frames = all ? all : EACH_PHASE;
	static int64_t came[MAX_FRAMES + 1];
	struct pace pace = { .slowest = 1e9 };
	int64_t phase;
	struct scene s;
	int i, j;

	need_host_clock();
	set_scene(&s, n, source, 640, 480);
	start_count();
	for (i = 0; i < phases; i++) {
		phase = us * i / phases;
		check_ok(mark_value(MARK_PHASE, phase));
		check_ok(mark_value(MARK_PERIOD, us));
		for (j = 1; j <= settle; j++)
			flip_all(&s, j % 2);
		came[0] = now_ns();
		for (j = 1; j <= frames; j++) {
			flip_all(&s, j % 2);
			came[j] = now_ns();
			if (us)
				measure_events(&s, us * 1000ll, phase * 1000, &pace);
		}
		measure_rate(came, frames, &pace);
		note("phase %lld us: %d frames, %.2f a second", (long long)phase, frames,
		     frames * 1e9 / (came[frames] - came[0]));
		/* The host is as slow as it should be. */
		check_cmp(came[frames] - came[0], >, (frames - 1) * us * 1000ll);
	}
	check_ok(mark_value(MARK_PERIOD, 0));
	end_count(phases * (settle + frames));
	note("bench slowest=%.2f fastest=%.2f", pace.slowest, pace.fastest);
	/* A faster host's answers may be before their vblank. */
	if (us * 1000ll >= MODE_PERIOD_NS) {
		note("%d of %d events late, the last is number %d", pace.n_late, pace.n,
		     pace.last_late);
		note("bench late=%lld skew=%lld", (long long)pace.late / 1000,
		     (long long)pace.skew / 1000);
	}
	end_scene(&s);
}

static void vsync_dumb(int arg)
{
	vsync(arg, SOURCE_DUMB);
}

static void vsync_imported(int arg)
{
	vsync(arg, SOURCE_RAM);
}

/*
 * A display with little to show
 */

/* Local timer interrupts of all processors. */
static long timer_interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *at;
	long sum = -1, n;
	int used;

	check(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "LOC:");
		if (!at)
			continue;
		sum = 0;
		for (at += 4; sscanf(at, "%ld%n", &n, &used) == 1; at += used)
			sum += n;
	}
	fclose(f);
	check_cmp(sum, >=, 0);
	return sum;
}

/*
 * Timer interrupts a second, of a program that draws that often a second, or
 * not at all.
 */
static double idle_interrupts(struct scene *s, bool draws)
{
	const int seconds = 20;
	struct drm_clip_rect clip = { .x2 = 64, .y2 = 64 };
	struct drm_mode_fb_dirty_cmd cmd = { .clips_ptr = (uintptr_t)&clip, .num_clips = 1 };
	long before = timer_interrupts();
	int i;

	for (i = 0; i < seconds; i++) {
		if (draws) {
			cmd.fb_id = s->buf[0][0].fb;
			check_eq(drmIoctl(s->kms.fd, DRM_IOCTL_MODE_DIRTYFB, &cmd), 0);
		}
		sleep_ms(1000);
	}
	return (timer_interrupts() - before) / (double)seconds;
}

static void idle(int arg)
{
	const int times = 20;
	double off, shown, drawn;
	struct scene s;

	(void)arg;
	/*
	 * What the guest's start and the case before it left to do is not this
	 * one's.
	 */
	sleep_ms(10000);
	off = idle_interrupts(NULL, false);
	set_scene(&s, 1, SOURCE_DUMB, 640, 480);
	flip_all(&s, 0);
	sleep_ms(10000);
	shown = idle_interrupts(&s, false);
	start_count();
	drawn = idle_interrupts(&s, true);
	end_count(times);
	note("bench off=%.2f shown=%.2f drawn=%.2f", off, shown, drawn);
	end_scene(&s);
}

/*
 * The cursor
 */

enum cursor_change { CURSOR_MOVES, CURSOR_IMAGES, CURSOR_STORM };

/* A mouse that reports every millisecond, or as fast as the driver takes it. */
static void cursor(int change)
{
	const int times = 100, each = 10;
	struct buffer image[2];
	struct output *out;
	struct scene s;
	int i, j;

	kms_need_cursor_ioctls();
	set_scene(&s, 1, SOURCE_DUMB, 640, 480);
	out = &s.kms.out[0];
	for (i = 0; i < 2; i++) {
		buffer_new(&image[i], &s.kms, SOURCE_DUMB, CURSOR_SIZE, CURSOR_SIZE);
		check_eq(drmModeSetCursor(s.kms.fd, out->crtc, image[i].owner_handle,
					  CURSOR_SIZE, CURSOR_SIZE), 0);
	}
	start_count();
	for (i = 1; i <= times; i++) {
		start_flip(&s, i % 2);
		for (j = 0; j < each; j++) {
			if (change == CURSOR_IMAGES)
				check_eq(drmModeSetCursor(s.kms.fd, out->crtc,
							  image[j % 2].owner_handle,
							  CURSOR_SIZE, CURSOR_SIZE), 0);
			else
				check_eq(drmModeMoveCursor(s.kms.fd, out->crtc, i + j, j), 0);
			if (change != CURSOR_STORM)
				sleep_ms(1);
		}
		end_flip(&s);
	}
	end_count(times * each);
	end_scene(&s);
}

/*
 * Memory
 */

static uint32_t create_dumb(int fd, uint32_t w, uint32_t h, uint64_t *size)
{
	struct drm_mode_create_dumb args = { .width = w, .height = h, .bpp = 32 };

	check_eq(drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args), 0);
	if (size)
		*size = args.size;
	return args.handle;
}

static void destroy_dumb(int fd, uint32_t handle)
{
	struct drm_mode_destroy_dumb args = { .handle = handle };

	check_eq(drmIoctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &args), 0);
}

static void dumb(int height)
{
	const int times = 20;
	struct kms kms;
	int i;

	kms_open(&kms, 0, 0);
	start_count();
	for (i = 0; i < times; i++)
		destroy_dumb(kms.fd, create_dumb(kms.fd, height * 16 / 9, height, NULL));
	end_count(times);
}

/* Made, shown, so that the host has it, and destroyed. */
static void shown(int height)
{
	const int times = 8;
	struct buffer buf[8];
	struct output *out;
	struct kms kms;
	int i;

	kms_open(&kms, 0, 0);
	out = &kms.out[0];
	set_mode(&kms, out, height * 16 / 9, height);
	start_count();
	/*
	 * Several at a time, so that the best pieces of memory are soon used
	 * up.
	 */
	for (i = 0; i < times; i++) {
		buffer_new(&buf[i], &kms, SOURCE_DUMB, height * 16 / 9, height);
		buffer_import(&buf[i], &kms);
		check_ok(kms_modeset(&kms, out, buf[i].fb));
	}
	check_ok(kms_off(&kms, out));
	for (i = 0; i < times; i++)
		buffer_free(&buf[i], &kms);
	end_count(times);
}

/* Each client makes, fills and destroys buffers, while another one flips. */
static void clients(int n)
{
	const int times = 20;
	struct scene s;
	uint32_t handle;
	uint64_t size;
	int i, j, fd;
	pid_t pid[16];
	void *map;

	set_scene(&s, 1, SOURCE_DUMB, 640, 480);
	start_count();
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		check_cmp(pid[i], >=, 0);
		if (pid[i])
			continue;
		fd = open_card("virtio_gpu", 0, NULL);
		for (j = 0; j < times; j++) {
			handle = create_dumb(fd, 256, 256, &size);
			map = map_dumb(fd, handle, size);
			if (!map)
				_exit(EXIT_FAILURE);
			memset(map, j, size);
			munmap(map, size);
			destroy_dumb(fd, handle);
		}
		_exit(EXIT_SUCCESS);
	}
	for (i = 1; i <= times; i++)
		flip_all(&s, i % 2);
	for (i = 0; i < n; i++) {
		check_eq(waitpid(pid[i], &j, 0), pid[i]);
		check(WIFEXITED(j) && WEXITSTATUS(j) == EXIT_SUCCESS);
	}
	end_count(n * times);
	end_scene(&s);
}

/*
 * Imports
 */

/* Without neighbouring pages, so that the lists are as long every time. */
static void new_scattered(struct buffer *buf, int n, int height)
{
	int i;

	for (i = 0; i < n; i++)
		buffer_new_flags(&buf[i], SOURCE_RAM, height * 16 / 9, height,
				 VIRTGPU_EXPORTER_CREATE_SCATTER);
}

/* From another device's buffer to its first frame, and the end of it. */
static void import(int height)
{
	/* A host can only map so many pages one by one. */
	const int times = height > 1080 ? 4 : 8;
	struct buffer buf[8];
	struct scene s;
	int i;

	set_scene(&s, 1, SOURCE_RAM, height * 16 / 9, height);
	new_scattered(buf, times, height);
	start_count();
	for (i = 0; i < times; i++) {
		buffer_import(&buf[i], &s.kms);
		check_ok(kms_flip(&s.kms, &s.kms.out[0], buf[i].fb));
	}
	flip_all(&s, 0);
	for (i = 0; i < times; i++)
		buffer_free(&buf[i], &s.kms);
	end_count(times);
	end_scene(&s);
}

/* Flip to a new import of @now, then close the one of @last. */
static void flip_import(struct scene *s, struct buffer *now, struct buffer *last)
{
	struct kms *kms = &s->kms;

	buffer_import(now, kms);
	drmModeAtomicSetCursor(s->flip[0], 0);
	kms_add(kms, s->flip[0], kms->out[0].primary, DRM_MODE_OBJECT_PLANE, "FB_ID", now->fb);
	flip_all(s, 0);
	buffer_close(last, kms);
}

/*
 * A compositor that imports each frame anew, as Mutter does. The guest's time
 * may run on for seconds while the host sets the mark, so that the first two
 * imports may be as those of new buffers.
 */
static void reimported(int height)
{
	const int times = height > 1080 ? 200 : 1000;
	struct buffer buf[2];
	struct scene s;
	int i;

	set_scene(&s, 1, SOURCE_RAM, height * 16 / 9, height);
	new_scattered(buf, 2, height);
	for (i = 0; i < 4; i++)
		flip_import(&s, &buf[i % 2], &buf[(i + 1) % 2]);
	start_count();
	for (i = 0; i < times; i++)
		flip_import(&s, &buf[i % 2], &buf[(i + 1) % 2]);
	end_count(times);
	end_scene(&s);
	for (i = 0; i < 2; i++)
		buffer_free(&buf[i], &s.kms);
}

/* The hidden one of two buffers moves, then it is shown. */
static void moves(int times)
{
	struct virtgpu_exporter_stats before, after;
	int64_t patience;
	struct scene s;
	int i, ret;

	set_scene(&s, 1, SOURCE_RAM, 640, 480);
	exporter_stats(NULL, &before);
	start_count();
	for (i = 1; i <= times; i++) {
		patience = now_ms() + 2000;
		while ((ret = exporter_move(&s.buf[0][i % 2], VIRTGPU_EXPORTER_RAM)) == -EBUSY &&
		       now_ms() < patience)
			sleep_ms(2);
		check_ok(ret);
		flip_all(&s, i % 2);
	}
	end_count(times);
	exporter_stats(NULL, &after);
	note("bench notify_sleeps=%llu", (unsigned long long)
	     (stat_of(&after, VIRTGPU_EXPORTER_NOTIFY_SLEEPS) -
	      stat_of(&before, VIRTGPU_EXPORTER_NOTIFY_SLEEPS)));
	end_scene(&s);
}

static void dirty(int size)
{
	const int times = 200;
	struct drm_clip_rect clip = { 0 };
	struct drm_mode_fb_dirty_cmd cmd = { .clips_ptr = (uintptr_t)&clip, .num_clips = 1 };
	struct scene s;
	int i;

	set_scene(&s, 1, SOURCE_DUMB, 640, 480);
	flip_all(&s, 0);
	cmd.fb_id = s.buf[0][0].fb;
	start_count();
	for (i = 0; i < times; i++) {
		clip.x1 = i;
		clip.y1 = i;
		clip.x2 = i + size;
		clip.y2 = i + size;
		check_eq(drmIoctl(s.kms.fd, DRM_IOCTL_MODE_DIRTYFB, &cmd), 0);
	}
	end_count(times);
	end_scene(&s);
}

const struct test_case bench_cases[] = {
	{ "bench/flip-1", dumb_flips, 1, 0 },
	{ "bench/flip-2", dumb_flips, 2, 0 },
	{ "bench/flip-4", dumb_flips, 4, 0 },
	{ "bench/flip-clip", clip_flips, 1, 0 },
	{ "bench/flip-clips", clip_flips, 2, 0 },
	{ "bench/flip-1-imported", imported_flips, 1, 0 },
	{ "bench/flip-2-imported", imported_flips, 2, 0 },
	{ "bench/flip-4-imported", imported_flips, 4, 0 },
	{ "bench/flip-1080-imported", steady_flips, 1080, 0 },
	{ "bench/flip-2160-imported", steady_flips, 2160, 0 },
	{ "bench/held-0-1", held, HELD(0, 1), 0 },
	{ "bench/held-8-1", held, HELD(8, 1), 0 },
	{ "bench/held-40-1", held, HELD(40, 1), 0 },
	{ "bench/held-0-4", held, HELD(0, 4), 0 },
	{ "bench/held-8-4", held, HELD(8, 4), 0 },
	{ "bench/held-40-4", held, HELD(40, 4), 0 },
	{ "bench/vsync-0-1", vsync_dumb, VSYNC(0, 1), 600 },
	{ "bench/vsync-0-1-imported", vsync_imported, VSYNC(0, 1), 600 },
	{ "bench/vsync-0-4", vsync_dumb, VSYNC(0, 4), 600 },
	{ "bench/vsync-0-4-imported", vsync_imported, VSYNC(0, 4), 600 },
	{ "bench/vsync-6.94-1", vsync_dumb, VSYNC(6940, 1), 600 },
	{ "bench/vsync-6.94-1-imported", vsync_imported, VSYNC(6940, 1), 600 },
	{ "bench/vsync-6.94-4", vsync_dumb, VSYNC(6940, 4), 600 },
	{ "bench/vsync-6.94-4-imported", vsync_imported, VSYNC(6940, 4), 600 },
	{ "bench/vsync-13.3-1", vsync_dumb, VSYNC(13300, 1), 600 },
	{ "bench/vsync-13.3-1-imported", vsync_imported, VSYNC(13300, 1), 600 },
	{ "bench/vsync-13.3-4", vsync_dumb, VSYNC(13300, 4), 600 },
	{ "bench/vsync-13.3-4-imported", vsync_imported, VSYNC(13300, 4), 600 },
	{ "bench/vsync-16.67-1", vsync_dumb, VSYNC(16670, 1), 600 },
	{ "bench/vsync-16.67-1-imported", vsync_imported, VSYNC(16670, 1), 600 },
	{ "bench/vsync-16.67-4", vsync_dumb, VSYNC(16670, 4), 600 },
	{ "bench/vsync-16.67-4-imported", vsync_imported, VSYNC(16670, 4), 600 },
	{ "bench/vsync-16.68-1", vsync_dumb, VSYNC(16680, 1), 600 },
	{ "bench/vsync-16.68-1-imported", vsync_imported, VSYNC(16680, 1), 600 },
	{ "bench/vsync-16.68-4", vsync_dumb, VSYNC(16680, 4), 600 },
	{ "bench/vsync-16.68-4-imported", vsync_imported, VSYNC(16680, 4), 600 },
	{ "bench/vsync-33.3-1", vsync_dumb, VSYNC(33300, 1), 600 },
	{ "bench/vsync-33.3-1-imported", vsync_imported, VSYNC(33300, 1), 600 },
	{ "bench/vsync-33.3-4", vsync_dumb, VSYNC(33300, 4), 600 },
	{ "bench/vsync-33.3-4-imported", vsync_imported, VSYNC(33300, 4), 600 },
	{ "bench/vsync-40-1", vsync_dumb, VSYNC(40000, 1), 600 },
	{ "bench/vsync-40-1-imported", vsync_imported, VSYNC(40000, 1), 600 },
	{ "bench/vsync-40-4", vsync_dumb, VSYNC(40000, 4), 600 },
	{ "bench/vsync-40-4-imported", vsync_imported, VSYNC(40000, 4), 600 },
	{ "bench/idle", idle, 0, 180 },
	{ "bench/cursor-moves", cursor, CURSOR_MOVES, 0 },
	{ "bench/cursor-images", cursor, CURSOR_IMAGES, 0 },
	{ "bench/cursor-storm", cursor, CURSOR_STORM, 0 },
	{ "bench/dumb-1080", dumb, 1080, 0 },
	{ "bench/dumb-2160", dumb, 2160, 0 },
	{ "bench/shown-1080", shown, 1080, 0 },
	{ "bench/shown-2160", shown, 2160, 0 },
	{ "bench/import-1080", import, 1080, 0 },
	{ "bench/import-2160", import, 2160, 0 },
	{ "bench/flip-1080-reimported", reimported, 1080, 0 },
	{ "bench/flip-2160-reimported", reimported, 2160, 0 },
	{ "bench/moves", moves, 1000, 300 },
	{ "bench/dirty-64", dirty, 64, 0 },
	{ "bench/clients-16", clients, 16, 0 },
	{ 0 }
};
