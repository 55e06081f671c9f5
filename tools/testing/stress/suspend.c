// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The machine sleeps and wakes up, and the screens are as they were.
 *
 * QEMU resets the device on the way, so that all has to be made again.  The
 * guest's script has taken care of what does not survive, the shared folders,
 * and of a disk to hibernate to.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "stress.h"

/* virglrenderer's words for a buffer of bytes. */
#define PIPE_FORMAT_R8_UNORM	64
#define PIPE_BIND_VERTEX_BUFFER	0x10

enum level { DEVICES, PLATFORM, REAL, DISK, LEVELS };

static const char * const level_names[LEVELS] = {
	"devices", "platform", "none", "none",
};

#define ARG(source, level)	((source) * LEVELS + (level))

/* What becomes of the virtual machine then. */
static void on_reboot(const char *action)
{
	ask_host("qmp '{\"execute\":\"set-action\",\"arguments\":{\"reboot\":\"%s\"}}' >/dev/null",
		 action);
}

/* Sleep and come back; the kernel's test modes do all but the last step. */
static void suspend_cycle(enum level level)
{
	/* The kernel waits in its test modes, five seconds by default. */
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	if (level != REAL && level != DISK)
		check_ok(write_file("/sys/power/pm_test", level_names[level]));
	else
		write_file("/sys/power/pm_test", "none");
	if (level == DISK) {
		check_ok(write_file("/sys/power/disk", "reboot"));
		on_reboot("reset");
		check_ok(write_file("/sys/power/state", "disk"));
		on_reboot("shutdown");
		return;
	}
	if (level == REAL) {
		check_ok(write_file("/sys/power/mem_sleep", "deep"));
		ask_host("wake 1");
	}
	check_ok(write_file("/sys/power/state", "mem"));
}

static void needs(enum level level)
{
	if (access("/sys/power/state", W_OK) ||
	    (level < REAL && access("/sys/power/pm_test", W_OK)) ||
	    (level == DISK && access("/sys/power/resume", W_OK)))
		skip("the kernel does not sleep");
}

/* How often something happened on the host between two marks. */
static int host_count(const char *from, const char *to, const char *event)
{
	char command[128], name[64];
	int total = 0;
	int count;
	FILE *f;

	snprintf(command, sizeof(command), "host counts %s %s", from, to);
	f = popen(command, "r");
	check(f);
	while (fscanf(f, "%d %63[^\n]", &count, name) == 2)
		if (!strcmp(name, event))
			total += count;
	check_eq(pclose(f), 0);
	return total;
}

struct scene {
	struct kms kms;
	struct buffer a, b, cursor;
};

/* Picture A on one output and B on the other; a cursor. */
static void set_scene(struct scene *s, enum source source)
{
	struct output *out;
	int i;

	kms_open(&s->kms, 640, 480);
	kms_want_outputs(&s->kms, 2, 640, 480);
	out = &s->kms.out[0];
	buffer_new(&s->a, &s->kms, source, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_new(&s->b, &s->kms, source, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_draw(&s->a, &s->kms, &picture_a);
	buffer_draw(&s->b, &s->kms, &picture_b);
	buffer_import(&s->a, &s->kms);
	buffer_import(&s->b, &s->kms);
	for (i = 0; i < s->kms.n_outputs; i++)
		check_ok(kms_modeset(&s->kms, &s->kms.out[i],
				     i % 2 ? s->b.fb : s->a.fb));

	buffer_new(&s->cursor, &s->kms, SOURCE_DUMB, CURSOR_SIZE, CURSOR_SIZE);
	buffer_draw(&s->cursor, &s->kms, &picture_b);
	check_ok(drmModeSetCursor(s->kms.fd, out->crtc, s->cursor.owner_handle,
				  CURSOR_SIZE, CURSOR_SIZE));
	check_ok(drmModeMoveCursor(s->kms.fd, out->crtc, 100, 200));
}

static void shoot(struct scene *s, const char *when, bool swapped)
{
	char name[48];
	int i;

	for (i = 0; i < s->kms.n_outputs; i++) {
		snprintf(name, sizeof(name), "%s-%d", when, i);
		take_screenshot(&s->kms.out[i], name,
				(i + swapped) % 2 ? &picture_b : &picture_a, NULL);
	}
}

/* The host was asked for nothing that it refused, and owes no answer. */
static void check_counters(struct kms *kms)
{
	static const char * const none[] = {
		"control_errors", "control_timeouts", "control_wedged", "cursor_errors",
		"cursor_timeouts", "blob_fallbacks",
		"control_pending", "cursor_pending",
	};
	int64_t end = now_ms() + 3000;
	unsigned int i;

	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		while (kms_counter(kms, none[i]) && now_ms() < end)
			sleep_ms(10);
		if (kms_counter(kms, none[i]))
			fail("%s: %lld", none[i],
			     (long long)kms_counter(kms, none[i]));
	}
}

static void same_picture(int arg)
{
	enum source source = arg / LEVELS;
	enum level level = arg % LEVELS;
	char when[32], slept[48], woke[48];
	struct scene s = { 0 };
	uint32_t *pixels;
	int round, i, j;

	needs(level);
	set_scene(&s, source);
	for (round = 0; round < setting("VIRTGPU_SUSPEND_CYCLES", 2); round++) {
		snprintf(when, sizeof(when), "before%d", round);
		shoot(&s, when, false);
		snprintf(slept, sizeof(slept), "%s-sleep%d", case_label(),
			 round);
		snprintf(woke, sizeof(woke), "%s-wake%d", case_label(), round);
		ask_host("mark %s", slept);
		suspend_cycle(level);
		/* The kernel is back; the host may draw a little later. */
		sleep_ms(300);
		ask_host("mark %s", woke);
		snprintf(when, sizeof(when), "after%d", round);
		shoot(&s, when, false);
		/* A screenshot has no cursor; QEMU's trace has the command. */
		check_cmp(host_count(slept, woke, "virtio_gpu_update_cursor"),
			  >, 0);

		/*
		 * All goes on: flips, in both directions, and their pictures.
		 */
		for (i = 0; i < 9; i++)
			for (j = 0; j < s.kms.n_outputs; j++)
				check_ok(kms_flip(&s.kms, &s.kms.out[j],
						  (i + j) % 2 ? s.a.fb :
								s.b.fb));
		snprintf(when, sizeof(when), "flipped%d", round);
		shoot(&s, when, true);
		for (j = 0; j < s.kms.n_outputs; j++)
			check_ok(kms_flip(&s.kms, &s.kms.out[j],
					  j % 2 ? s.b.fb : s.a.fb));
		check_ok(drmModeMoveCursor(s.kms.fd, s.kms.out[0].crtc,
					   10 + round, 20));
		check_counters(&s.kms);
	}
	if (source == SOURCE_DUMB) {
		pixels = buffer_map(&s.a, &s.kms);
		check_eq(pixels[0] & 0xffffff, picture_a.color[0]);
	}
	for (i = 0; i < s.kms.n_outputs; i++)
		check_ok(kms_off(&s.kms, &s.kms.out[i]));
}

/* The machine falls asleep in the middle of flips, moves and cursors. */
static void busy(int arg)
{
	struct virtgpu_exporter_stats before;
	enum level level = arg % LEVELS;
	volatile int *flips;
	struct scene s = { 0 };
	int status, round, was;
	pid_t pid;

	needs(level);
	exporter_stats(NULL, &before);
	flips = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(flips != MAP_FAILED);
	pid = fork();
	check_cmp(pid, >=, 0);
	if (!pid) {
		set_scene(&s, SOURCE_RAM);
		while (*flips >= 0) {
			check_ok(kms_flip(&s.kms, &s.kms.out[0],
					  *flips % 2 ? s.a.fb : s.b.fb));
			check_ok(drmModeMoveCursor(s.kms.fd,
						   s.kms.out[0].crtc,
						   *flips % 500, 20));
			/* The one that is not shown, if it may. */
			if (*flips % 5 == 0)
				exporter_move(*flips % 2 ? &s.b : &s.a,
					      VIRTGPU_EXPORTER_RAM);
			if (*flips >= 0)
				++*flips;
		}
		exit(EXIT_SUCCESS);
	}
	for (round = 0; round < setting("VIRTGPU_SUSPEND_CYCLES", 3); round++) {
		was = *flips;
		sleep_ms(500 + 37 * round);
		check_eq(waitpid(pid, &status, WNOHANG), 0);
		suspend_cycle(level);
		sleep_ms(500);
		check_cmp(*flips, >, was);
	}
	figure("%d flips", *flips);
	was = *flips;
	sleep_ms(500);
	check_cmp(*flips, >, was);
	*flips = -1000000;
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
	exporter_check_balance(&before);
}

/* Buffers that are not shown are created again when they are shown. */
static void unseen(int arg)
{
	enum level level = arg % LEVELS;
	struct scene s = { 0 };

	needs(level);
	set_scene(&s, SOURCE_RAM);
	check_ok(kms_flip(&s.kms, &s.kms.out[0], s.b.fb));
	check_ok(kms_off(&s.kms, &s.kms.out[0]));
	suspend_cycle(level);
	check_ok(kms_modeset(&s.kms, &s.kms.out[0], s.a.fb));
	take_screenshot(&s.kms.out[0], "first", &picture_a, NULL);
	check_ok(kms_flip(&s.kms, &s.kms.out[0], s.b.fb));
	take_screenshot(&s.kms.out[0], "second", &picture_b, NULL);
	check_ok(kms_off(&s.kms, &s.kms.out[0]));
}

/* A buffer on the host, and commands that are done with it. */
static uint32_t start_rendering(int fd)
{
	struct drm_virtgpu_resource_create res = {
		.format = PIPE_FORMAT_R8_UNORM,
		.bind = PIPE_BIND_VERTEX_BUFFER,
		.width = 4096,
		.height = 1,
		.depth = 1,
		.array_size = 1,
		.size = 4096,
	};
	struct drm_virtgpu_execbuffer exec = { .num_bo_handles = 1 };
	struct drm_virtgpu_3d_wait wait;

	check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &res));
	exec.bo_handles = (uintptr_t)&res.bo_handle;
	check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec));
	wait = (struct drm_virtgpu_3d_wait){ .handle = res.bo_handle };
	check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait));
	return res.bo_handle;
}

/*
 * The state of the host's renderer is lost: its users get errors, others start
 * anew.
 */
static void context(int arg)
{
	struct drm_virtgpu_3d_transfer_to_host transfer = {
		.box = { .w = 4096, .h = 1, .d = 1 },
	};
	struct drm_virtgpu_3d_wait wait = { 0 };
	struct drm_virtgpu_execbuffer exec = {
		.flags = VIRTGPU_EXECBUF_FENCE_FD_OUT,
	};
	int fd = open_card("virtio_gpu", 0, NULL);
	enum level level = arg % LEVELS;
	int i;

	needs(level);
	check_cmp(fd, >=, 0);
	if (!has_param(fd, VIRTGPU_PARAM_3D_FEATURES))
		skip("no 3D");
	transfer.bo_handle = start_rendering(fd);
	wait.handle = transfer.bo_handle;
	for (i = 0; i < setting("VIRTGPU_SUSPEND_CYCLES", 2); i++) {
		suspend_cycle(level);
		check_eq(try_ioctl(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &exec),
			 -EIO);
		check_eq(try_ioctl(fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST,
				   &transfer), -EIO);
		/* Nothing is under way. */
		check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait));
		check_ok(kms_gem_close(fd, transfer.bo_handle));
		close(fd);
		fd = open_card("virtio_gpu", 0, NULL);
		check_cmp(fd, >=, 0);
		transfer.bo_handle = start_rendering(fd);
		wait.handle = transfer.bo_handle;
		check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST,
				   &transfer));
		check_ok(try_ioctl(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait));
	}
	close(fd);
}

const struct test_case suspend_cases[] = {
	{ "suspend/devices-dumb", same_picture, ARG(SOURCE_DUMB, DEVICES), 120 },
	{ "suspend/devices-busy", busy, DEVICES, 120 },
	{ "suspend/platform-dumb", same_picture, ARG(SOURCE_DUMB, PLATFORM), 120 },
	{ "suspend/s3-dumb", same_picture, ARG(SOURCE_DUMB, REAL), 120 },
	{ "suspend/s3-static", same_picture, ARG(SOURCE_STATIC, REAL), 120 },
	{ "suspend/s3-ram", same_picture, ARG(SOURCE_RAM, REAL), 120 },
	{ "suspend/s3-vram", same_picture, ARG(SOURCE_VRAM, REAL), 120 },
	{ "suspend/s3-busy", busy, REAL, 120 },
	{ "suspend/s3-unseen", unseen, REAL, 120 },
	{ "suspend/s3-context", context, REAL, 120 },
	{ "suspend/s4-dumb", same_picture, ARG(SOURCE_DUMB, DISK), 100 },
	{ "suspend/s4-ram", same_picture, ARG(SOURCE_RAM, DISK), 100 },
	{ "suspend/s4-busy", busy, DISK, 100 },
	{ 0 }
};
