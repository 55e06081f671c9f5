// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every ioctl, see fuzz_ops.c, from several threads at a time.
 *
 * One program meanwhile shows pictures on an output of its own and must not
 * notice.  The others have a lease of the second output, so that they can do
 * all that a display server can; some have a render node only.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "fuzz_ops.h"
#include "stress.h"

#define PROGRAMS	3
#define MAX_MORE_SECONDS	200

/* Shared with all programs. */
struct totals {
	volatile bool stop;
	uint64_t flips;
	struct {
		uint64_t calls, good;
	} op[64];
};

static struct totals *totals;

static void *fuzz_thread(void *data)
{
	struct thread *t = data;
	char events[1024];
	enum outcome outcome;
	int i, n;

	for (i = 0; i < 256; i++)
		t->arg_slot->memory.word[i] = odd_value(t);
	for (n = 0; !totals->stop; n++) {
		i = pick_op(t);
		outcome = fuzz_call(t, &ops[i]);
		if (outcome == NOT_MADE)
			continue;
		__atomic_add_fetch(&totals->op[i].calls, 1, __ATOMIC_RELAXED);
		if (outcome == SUCCEEDED)
			__atomic_add_fetch(&totals->op[i].good, 1,
					   __ATOMIC_RELAXED);
		/* The events are read now and then; they are few that fit. */
		if (n % 64 == 0 && read(t->p->fd, events, sizeof(events)) < 0)
			continue;
		if (n % 256 == 0)
			t->arg_slot->memory.word[below(t, 256)] = odd_value(t);
	}
	return NULL;
}

/*
 * Programs
 */

static void fuzz_program(struct program *p, uint64_t seed)
{
	static struct thread threads[THREADS];
	pthread_t id[THREADS];
	int i;

	prepare_faults();
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->syncfile = -1;
	for (i = 0; i < THREADS; i++) {
		threads[i].p = p;
		threads[i].arg_slot = &p->arg_area->arg_slot[i];
		threads[i].random = seed + 0x9e3779b97f4a7c15ull * (i + 1);
		check_eq(pthread_create(&id[i], NULL, fuzz_thread,
					&threads[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
}

/* The one that must not notice. */
static void flip_program(struct kms *kms)
{
	struct buffer a, b;

	buffer_new(&a, kms, SOURCE_DUMB, kms->out[0].mode.hdisplay,
		   kms->out[0].mode.vdisplay);
	buffer_new(&b, kms, SOURCE_RAM, a.width, a.height);
	buffer_import(&a, kms);
	buffer_import(&b, kms);
	check_ok(kms_modeset(kms, &kms->out[0], a.fb));
	while (!totals->stop) {
		check_ok(kms_flip(kms, &kms->out[0],
				  totals->flips % 2 ? a.fb : b.fb));
		totals->flips++;
	}
}

static pid_t start(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	check_cmp(pid, >=, 0);
	/* None outlives the case. */
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* One that only ever fails has not been tested. */
static bool has_to_succeed(const struct op *op)
{
	static const char * const names[] = {
		"ATOMIC whole", "PAGE_FLIP", "CURSOR2", "DIRTYFB",
		"PRIME_FD_TO_HANDLE", "TRANSFER_TO_HOST",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(op->name, names[i]))
			return true;
	return false;
}

static bool all_tested(void)
{
	int i;

	for (i = 0; i < num_ops; i++)
		if (!totals->op[i].calls ||
		    (has_to_succeed(&ops[i]) && !totals->op[i].good))
			return false;
	return true;
}

/*
 * Goes on for longer on a machine that is slow.  Ends well if each process of
 * its own accord did, and in time.
 */
static void storm(int seconds, uint64_t seed)
{
	uint32_t objects[4], lessee;
	pid_t pid[PROGRAMS + 1];
	struct program *p;
	struct output *out;
	struct kms kms;
	int64_t end;
	int i, lease, status, got;

	totals->stop = false;
	/* In a process of its own, which has all files that this takes. */
	kms_open(&kms, 640, 480);
	kms_want_outputs(&kms, 2, 640, 480);
	out = &kms.out[1];
	objects[0] = out->connector;
	objects[1] = out->crtc;
	objects[2] = out->primary;
	objects[3] = out->cursor;
	lease = drmModeCreateLease(kms.fd, objects, 4, O_CLOEXEC, &lessee);
	check_cmp(lease, >=, 0);

	for (i = 0; i < PROGRAMS; i++) {
		pid[i] = start();
		if (pid[i])
			continue;
		p = calloc(1, sizeof(*p));
		check(p);
		p->lessee = i < PROGRAMS - 1;
		p->fd = p->lessee ? lease :
			open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
		check_cmp(p->fd, >=, 0);
		close(kms.fd);
		if (p->lessee) {
			drmSetClientCap(p->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1);
			drmSetClientCap(p->fd, DRM_CLIENT_CAP_ATOMIC, 1);
		}
		prepare_arg_area(p);
		learn(p, out);
		fuzz_program(p, seed + i);
		exit(EXIT_SUCCESS);
	}
	pid[PROGRAMS] = start();
	if (!pid[PROGRAMS]) {
		close(lease);
		flip_program(&kms);
		exit(EXIT_SUCCESS);
	}
	close(lease);
	kms_close(&kms);

	end = now_ms() + seconds * 1000;
	while (now_ms() < end ||
	       (!all_tested() && now_ms() < end + MAX_MORE_SECONDS * 1000)) {
		sleep_ms(200);
		for (i = 0; i <= PROGRAMS; i++)
			if (waitpid(pid[i], &status, WNOHANG))
				fail("%s ended early, status %#x",
				     i < PROGRAMS ? "a fuzzer" : "the flips",
				     status);
	}
	totals->stop = true;
	end = now_ms() + 30000;
	for (i = 0; i <= PROGRAMS; i++) {
		while ((got = waitpid(pid[i], &status, WNOHANG)) == 0 &&
		       now_ms() < end)
			sleep_ms(10);
		if (!got) {
			show_blocked_tasks();
			fail("%s hangs", i < PROGRAMS ? "a fuzzer" : "flip");
		}
		if (status)
			fail("%s: status %#x", i < PROGRAMS ? "a fuzzer" :
			     "the flips", status);
	}
}

static void ioctls(int arg)
{
	int seconds = setting("VIRTGPU_SECONDS", 60);
	int seed = setting("VIRTGPU_SEED", time(NULL) & 0xffffff);
	struct virtgpu_exporter_stats before;
	struct memory settled;
	uint64_t calls = 0;
	uint64_t good = 0;
	uint64_t flips;
	int i;

	(void)arg;
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(totals != MAP_FAILED);
	note("seed %d (VIRTGPU_SEED=%d repeats it)", seed, seed);
	exporter_stats(NULL, &before);

	/* Caches fill in a first round. */
	storm(seconds / 10 + 1, seed);
	memory_now(&settled);
	storm(seconds, seed + 1000);
	memory_check(&settled, memory_slack());
	exporter_check_balance(&before);

	for (i = 0; i < num_ops; i++) {
		calls += totals->op[i].calls;
		good += totals->op[i].good;
		note("%-20s %9llu calls, %llu succeeded", ops[i].name,
		     (unsigned long long)totals->op[i].calls,
		     (unsigned long long)totals->op[i].good);
		check_cmp(totals->op[i].calls, >, 0);
		if (has_to_succeed(&ops[i]))
			check_cmp(totals->op[i].good, >, 0);
	}
	flips = totals->flips;
	check_cmp(flips, >, seconds);
	figure("%llu calls, %llu good, %llu flips meanwhile",
	       (unsigned long long)calls, (unsigned long long)good,
	       (unsigned long long)flips);
}

/* More than there is: refused without taking the rest of the system along. */
static void too_large(int arg)
{
	static const uint64_t sizes[] = {
		1ull << 32, 1ull << 36, 1ull << 40, 1ull << 62, ~0ull - 4095,
	};
	struct drm_virtgpu_resource_create_blob blob;
	uint32_t handle;
	unsigned int i;
	uint64_t size;
	int64_t start_ms;
	int fd, ret;

	(void)arg;
	fd = open_card("virtio_gpu", 0, NULL);
	check_cmp(fd, >=, 0);
	start_ms = now_ms();
	ret = try_dumb(fd, 32767, 32767, &handle, &size);
	note("4 GiB dumb buffer: %s after %lld ms", strerror(-ret),
	     (long long)(now_ms() - start_ms));
	check(ret == -ENOMEM || ret == -EINVAL);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		blob = (struct drm_virtgpu_resource_create_blob){
			.blob_mem = VIRTGPU_BLOB_MEM_GUEST,
			.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
			.size = sizes[i],
		};
		start_ms = now_ms();
		ret = try_ioctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB,
				&blob);
		note("blob of %#llx bytes: %s after %lld ms",
		     (unsigned long long)sizes[i], strerror(-ret),
		     (long long)(now_ms() - start_ms));
		/* There is a limit to what can be mapped at a time, too. */
		check(ret == -ENOMEM || ret == -EINVAL || ret == -ENOSPC);
	}
	check_ok(try_dumb(fd, 640, 480, &handle, &size));
	close(fd);
}

const struct test_case fuzz_cases[] = {
	{ "fuzz/too-large", too_large, 0, 120 },
	{ "fuzz/ioctls", ioctls, 0, 900 },
	{ 0 }
};
