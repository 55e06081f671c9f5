// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The device is taken away while programs use it, and comes back.
 *
 * Each round starts workers, which are processes with open files of their own,
 * takes the device away in their midst, and has a time limit for everything.
 * A worker ends well if all it was promised was kept: errors instead of hangs,
 * events and fences for what had been accepted, faults instead of old memory.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <virtgpu_drm.h>

#include "stress.h"

#define DRIVER		"/sys/bus/virtio/drivers/virtio_gpu"
#define MAX_WORKERS	8
#define FENCES		8
#define ROUND_SECONDS	30
#define SETTLED		5

/* What the parent shares with the workers of a round. */
struct round {
	int ready[2];	/* a worker writes a byte when it is at work */
	int gone[2];	/* the parent closes it when the device is gone */
	pid_t worker[MAX_WORKERS];
	const char *what[MAX_WORKERS];
	int workers;
	int64_t deadline;
};

/* How a device goes and comes back; each returns 0 or a negative errno. */
struct removal {
	const char *name;
	int (*remove)(int round);
	int (*restore)(int round);
};

/* Where the device of this round is: found again each time. */
static char pci_path[PATH_MAX];
static const char *virtio_name;

/*
 * In the worker
 */

static sigjmp_buf fault_jump;

static void on_fault(int signal)
{
	siglongjmp(fault_jump, signal);
}

/* The signal that writing to memory raises, or 0. */
static int touch(volatile char *memory)
{
	int signal = sigsetjmp(fault_jump, 1);

	if (!signal)
		*memory = 1;
	return signal;
}

static void say_ready(struct round *r)
{
	check_eq(write(r->ready[1], "r", 1), 1);
}

static bool is_gone(struct round *r, int ms)
{
	struct pollfd pfd = { .fd = r->gone[0], .events = POLLIN };

	return poll(&pfd, 1, ms) == 1;
}

/* During removal a call succeeds or returns an error for it. */
static bool still_there(const char *what, int ret)
{
	if (ret >= 0)
		return true;
	if (ret != -ENODEV)
		fail("%s while the device went: %s", what, strerror(-ret));
	return false;
}

static void expect_gone(struct round *r, int fd)
{
	char args[256];
	unsigned int nr;
	int ret;

	if (!is_gone(r, ROUND_SECONDS * 1000))
		fail("calls fail, but the device did not go");
	for (nr = 0; nr < 256; nr++) {
		memset(args, 0, sizeof(args));
		ret = try_ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'd', nr, 64),
				args);
		if (ret != -ENODEV)
			fail("ioctl %#x of a device that is gone: %s", nr,
			     ret ? strerror(-ret) : "success");
	}
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x100000000) ==
	      MAP_FAILED);
}

/* Whoever has a fence gets an end of it. */
static void expect_signalled(const int *fences, int n)
{
	struct sync_file_info info;
	struct pollfd pfd;
	int i;

	for (i = 0; i < n; i++) {
		if (fences[i] < 0)
			continue;
		pfd = (struct pollfd){ .fd = fences[i], .events = POLLIN };
		if (poll(&pfd, 1, 5000) != 1)
			fail("an out-fence did not signal");
		memset(&info, 0, sizeof(info));
		check_eq(ioctl(fences[i], SYNC_IOC_FILE_INFO, &info), 0);
		check(info.status != 0);
		close(fences[i]);
	}
}

/* The first to open the card is its master, which the flips have to be. */
static int open_unprivileged(void)
{
	int fd = open_card("virtio_gpu", 0, NULL);

	check_cmp(fd, >=, 0);
	drmDropMaster(fd);
	return fd;
}

static void become_master(int fd)
{
	int64_t end = now_ms() + 5000;

	while (!drmIsMaster(fd) && drmSetMaster(fd) && now_ms() < end)
		sleep_ms(1);
}

struct cursor_thread {
	struct kms *kms;
	uint32_t handle;
	volatile bool stop;
};

static void *cursor_storm(void *data)
{
	struct cursor_thread *c = data;
	struct output *out;
	unsigned int i;
	int ret = 0;

	for (i = 0; !c->stop && ret != -ENODEV; i++) {
		out = &c->kms->out[i % c->kms->n_outputs];
		if (i % 64 < 2)
			ret = drmModeSetCursor(c->kms->fd, out->crtc, c->handle,
					       CURSOR_SIZE, CURSOR_SIZE);
		else
			ret = drmModeMoveCursor(c->kms->fd, out->crtc,
						i % 500, i % 300);
		if (!still_there("cursor", ret))
			break;
	}
	return NULL;
}

/* Flip dumb and imported buffers on all outputs, and move the cursors. */
static void flip_worker(struct round *r)
{
	enum { BUFFERS = 4 };
	static const enum source sources[BUFFERS] = {
		SOURCE_DUMB, SOURCE_STATIC, SOURCE_RAM, SOURCE_DUMB,
	};
	struct cursor_thread cursor = { 0 };
	struct buffer buf[BUFFERS], image;
	int fences[FENCES];
	drmModeAtomicReq *req;
	struct output *out;
	pthread_t thread;
	struct kms kms;
	int fence, ret, i, j;

	kms_open(&kms, 640, 480);
	become_master(kms.fd);
	kms_want_outputs(&kms, 2, 640, 480);
	for (i = 0; i < BUFFERS; i++) {
		buffer_new(&buf[i], &kms, sources[i], kms.out[0].mode.hdisplay,
			   kms.out[0].mode.vdisplay);
		buffer_draw(&buf[i], &kms, i % 2 ? &picture_a : &picture_b);
		buffer_import(&buf[i], &kms);
	}
	for (i = 0; i < kms.n_outputs; i++)
		check_ok(kms_modeset(&kms, &kms.out[i], buf[0].fb));
	buffer_new(&image, &kms, SOURCE_DUMB, CURSOR_SIZE, CURSOR_SIZE);
	buffer_draw(&image, &kms, &picture_a);
	/* Asks for the property that the loop uses while it may still ask. */
	kms_prop(&kms, kms.out[0].crtc, DRM_MODE_OBJECT_CRTC, "OUT_FENCE_PTR");

	for (i = 0; i < FENCES; i++)
		fences[i] = -1;
	cursor.kms = &kms;
	cursor.handle = image.owner_handle;
	check_eq(pthread_create(&thread, NULL, cursor_storm, &cursor), 0);

	for (i = 0;; i++) {
		fence = -1;
		req = drmModeAtomicAlloc();
		for (j = 0; j < kms.n_outputs; j++) {
			out = &kms.out[j];
			kms_show(&kms, req, out, buf[(i + j) % BUFFERS].fb,
				 NULL);
		}
		kms_add(&kms, req, kms.out[0].crtc, DRM_MODE_OBJECT_CRTC,
			"OUT_FENCE_PTR", (uintptr_t)&fence);
		ret = kms_commit(&kms, req, DRM_MODE_ATOMIC_NONBLOCK |
					    DRM_MODE_PAGE_FLIP_EVENT);
		drmModeAtomicFree(req);
		/* Only what was accepted is owed an event and a fence. */
		if (!still_there("flip", ret))
			break;
		if (fences[i % FENCES] >= 0)
			close(fences[i % FENCES]);
		fences[i % FENCES] = fence;
		if (kms_wait_flips(&kms, kms.n_outputs, 5000) != kms.n_outputs)
			fail("flip %d was accepted and has no event", i);
		if (i == 3)
			say_ready(r);
	}
	cursor.stop = true;
	pthread_join(thread, NULL);
	expect_signalled(fences, FENCES);
	expect_gone(r, kms.fd);
	kms_close(&kms);
}

static bool blob_comes_and_goes(int fd)
{
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = 65536,
	};

	return still_there("blob", try_ioctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &blob)) &&
	       still_there("close", kms_gem_close(fd, blob.bo_handle));
}

/* Make, share, map, move and free buffers, as renderers do. */
static void buffer_worker(struct round *r)
{
	struct drm_virtgpu_resource_info info;
	struct drm_virtgpu_3d_wait wait;
	struct buffer foreign;
	uint32_t handle, import;
	uint64_t size;
	int fd, dmabuf;
	char *map;
	bool blobs;
	int i, ret;

	fd = open_unprivileged();
	blobs = has_blobs(fd);
	buffer_new(&foreign, NULL, SOURCE_RAM, 256, 256);
	for (i = 0;; i++) {
		if (!still_there("dumb buffer",
				 try_dumb(fd, 64 + i % 64, 64, &handle, &size)))
			break;
		map = map_dumb(fd, handle, size);
		if (!map) {
			still_there("mmap", -errno);
			break;
		}
		/* The device may go between the mapping and its use. */
		ret = touch(map);
		munmap(map, size);
		if (ret) {
			check_eq(ret, SIGBUS);
			break;
		}
		if (!still_there("export",
				 kms_prime_export(fd, handle, &dmabuf)))
			break;
		close(dmabuf);
		info = (struct drm_virtgpu_resource_info){
			.bo_handle = handle
		};
		if (!still_there("resource info",
				 try_ioctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO,
					   &info)))
			break;
		wait = (struct drm_virtgpu_3d_wait){ .handle = handle };
		if (!still_there("wait", try_ioctl(fd, DRM_IOCTL_VIRTGPU_WAIT,
						   &wait)))
			break;
		if (!still_there("close", kms_gem_close(fd, handle)))
			break;
		if (blobs && !blob_comes_and_goes(fd))
			break;
		if (!still_there("import",
				 kms_prime_import(fd, foreign.fd, &import)))
			break;
		ret = exporter_move(&foreign, VIRTGPU_EXPORTER_RAM);
		if (ret && ret != -EBUSY)
			fail("move: %s", strerror(-ret));
		if (!still_there("close", kms_gem_close(fd, import)))
			break;
		if (i == 1)
			say_ready(r);
	}
	expect_gone(r, fd);
	check_ok(exporter_move(&foreign, VIRTGPU_EXPORTER_RAM));
	close(fd);
	close(foreign.fd);
}

/* A shared buffer outlives its device, and is not taken for the device's. */
static void use_orphan(int dmabuf, void *map, size_t size)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_START,
	};
	int other = open_card("vgem", 0, NULL);
	uint32_t handle;

	/* The memory is there or it is not; there is no third. */
	touch(map);
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
	sync.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END;
	ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
	if (other >= 0) {
		kms_prime_import(other, dmabuf, &handle);
		close(other);
	}
	munmap(map, size);
	close(dmabuf);
}

/* Hold all there is to hold, and look at it when the device is gone. */
static void holding_worker(struct round *r)
{
	struct buffer dumb, mapped, foreign;
	void *dmabuf_map, *map, *second;
	struct kms kms;
	int dmabuf;

	kms.fd = open_unprivileged();
	buffer_new(&dumb, &kms, SOURCE_DUMB, 640, 480);
	buffer_import(&dumb, &kms);
	buffer_new(&mapped, &kms, SOURCE_DUMB, 256, 256);
	buffer_new(&foreign, &kms, SOURCE_RAM, 256, 256);
	buffer_import(&foreign, &kms);
	map = buffer_map(&mapped, &kms);
	second = buffer_map(&dumb, &kms);
	check_ok(kms_prime_export(kms.fd, dumb.owner_handle, &dmabuf));
	dmabuf_map = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  dmabuf, 0);
	check(dmabuf_map != MAP_FAILED);
	check_eq(touch(map), 0);
	check_eq(touch(second), 0);
	check_eq(touch(dmabuf_map), 0);
	say_ready(r);

	check(is_gone(r, ROUND_SECONDS * 1000));
	check_eq(touch(map), SIGBUS);
	check_eq(touch(second), SIGBUS);
	expect_gone(r, kms.fd);
	munmap(second, dumb.size);
	/* One way round with the file still open, the other way without. */
	if (getpid() % 2) {
		close(kms.fd);
		use_orphan(dmabuf, dmabuf_map, dumb.size);
	} else {
		use_orphan(dmabuf, dmabuf_map, dumb.size);
		close(kms.fd);
	}
	check_eq(touch(map), SIGBUS);
	munmap(map, mapped.size);
	close(foreign.fd);
}

/* Waits for what never comes: shows that a round notices. */
static void hanging_worker(struct round *r)
{
	say_ready(r);
	for (;;)
		pause();
}

/*
 * In the parent
 */

static void start_worker(struct round *r, const char *what,
			 void (*run)(struct round *r))
{
	struct sigaction action = { .sa_handler = on_fault };
	pid_t pid;

	check_cmp(r->workers, <, MAX_WORKERS);
	fflush(stdout);
	pid = fork();
	check_cmp(pid, >=, 0);
	if (!pid) {
		close(r->gone[1]);
		sigaction(SIGBUS, &action, NULL);
		sigaction(SIGSEGV, &action, NULL);
		run(r);
		exit(EXIT_SUCCESS);
	}
	r->what[r->workers] = what;
	r->worker[r->workers++] = pid;
}

/* Returns false if it does not end in time. */
static bool await_process(pid_t pid, int64_t deadline, int *status)
{
	while (waitpid(pid, status, WNOHANG) == 0) {
		if (now_ms() > deadline)
			return false;
		sleep_ms(2);
	}
	return true;
}

static bool await_ready(struct round *r, int n)
{
	struct pollfd pfd = { .fd = r->ready[0], .events = POLLIN };
	char byte;

	while (n--) {
		if (poll(&pfd, 1, r->deadline - now_ms()) != 1 ||
		    read(r->ready[0], &byte, 1) != 1)
			return false;
	}
	return true;
}

/* Do it in another process: it may hang. */
static bool bounded(int (*step)(int round), int round, int64_t deadline,
		    int *ret)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	check_cmp(pid, >=, 0);
	if (!pid)
		_exit(-step(round) & 0x7f);
	if (!await_process(pid, deadline, &status)) {
		kill(pid, SIGKILL);
		return false;
	}
	*ret = WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
	return true;
}

/*
 * One round.  Returns NULL if all went well, or what did not; workers that
 * failed have said why themselves.
 */
static const char *run_round(struct round *r, const struct removal *how,
			     int round)
{
	static char message[96];
	const char *problem = NULL;
	int status, ret, i;

	if (!await_ready(r, r->workers)) {
		problem = "the workers did not start";
	} else {
		/* Anywhere in what they do. */
		sleep_ms(rand() % 300);
		if (!bounded(how->remove, round, r->deadline, &ret)) {
			problem = "removal hangs";
		} else if (ret) {
			snprintf(message, sizeof(message), "removal: %s",
				 strerror(-ret));
			problem = message;
		}
	}
	close(r->gone[1]);
	if (problem)
		r->deadline = now_ms() + 1000;
	for (i = 0; i < r->workers; i++) {
		if (!await_process(r->worker[i], r->deadline, &status)) {
			show_blocked_tasks();
			kill(r->worker[i], SIGKILL);
			if (!problem) {
				snprintf(message, sizeof(message),
					 "the %s worker hangs", r->what[i]);
				problem = message;
			}
			if (!await_process(r->worker[i], now_ms() + 10000,
					   &status))
				fail("a worker cannot be killed");
		} else if (status && !problem) {
			snprintf(message, sizeof(message),
				 "the %s worker failed, status %#x",
				 r->what[i], status);
			problem = message;
		}
	}
	close(r->ready[0]);
	close(r->ready[1]);
	close(r->gone[0]);
	return problem;
}

static void new_round(struct round *r, int seconds)
{
	memset(r, 0, sizeof(*r));
	check_eq(pipe(r->ready), 0);
	check_eq(pipe(r->gone), 0);
	r->deadline = now_ms() + seconds * 1000;
}

/* The card that the workers will open, and the devices that it is. */
static bool find_card(void)
{
	int64_t end = now_ms() + 10000;
	char link[64], *name;
	int card, fd;

	while ((fd = open_card("virtio_gpu", 0, &card)) < 0) {
		if (now_ms() > end)
			return false;
		sleep_ms(20);
	}
	close(fd);
	snprintf(link, sizeof(link), "/sys/class/drm/card%d/device", card);
	if (!realpath(link, pci_path))
		return false;
	/* The virtio device is below the PCI device. */
	name = strrchr(pci_path, '/');
	*name = '\0';
	virtio_name = name + 1;
	return true;
}

static void run_rounds(const struct removal *how, int n)
{
	struct virtgpu_exporter_stats before;
	int64_t slowest = 0, start;
	const char *problem;
	struct memory settled;
	struct round r;
	int i, ret;

	exporter_stats(NULL, &before);
	for (i = 0; i < n; i++) {
		if (i == SETTLED) {
			memory_now(&settled);
			leaks_forget();
		}
		if (!find_card())
			fail("round %d: no card", i);
		start = now_ms();
		new_round(&r, ROUND_SECONDS);
		start_worker(&r, "flip", flip_worker);
		start_worker(&r, "buffer", buffer_worker);
		start_worker(&r, "holding", holding_worker);
		problem = run_round(&r, how, i);
		if (problem)
			fail("round %d: %s", i, problem);
		exporter_check_balance(&before);
		if (!bounded(how->restore, i, now_ms() + ROUND_SECONDS * 1000,
			     &ret))
			fail("round %d: coming back hangs", i);
		if (ret)
			fail("round %d: coming back: %s", i, strerror(-ret));
		if (now_ms() - start > slowest)
			slowest = now_ms() - start;
	}
	figure("%d rounds of %s, slowest %lld ms", n, how->name,
	       (long long)slowest);
	if (n > SETTLED) {
		leaks_check();
		memory_check(&settled, memory_slack());
	}
}

/*
 * Ways to go
 */

static int take_driver(int round)
{
	(void)round;
	return write_file(DRIVER "/unbind", virtio_name);
}

static int give_driver(int round)
{
	(void)round;
	return write_file(DRIVER "/bind", virtio_name);
}

static int pci_remove(int round)
{
	char path[PATH_MAX + 8];

	(void)round;
	snprintf(path, sizeof(path), "%s/remove", pci_path);
	return write_file(path, "1");
}

static int pci_rescan(int round)
{
	(void)round;
	return write_file("/sys/bus/pci/rescan", "1");
}

#define SLOTS		"/sys/bus/pci/slots"

/*
 * What a press of the slot's button does: the kernel removes the device and
 * switches the slot off, upon which QEMU takes it out of the machine.
 */
static int eject(int round)
{
	char path[PATH_MAX], address[32], *function;
	const char *device = strrchr(pci_path, '/') + 1;
	DIR *dir = opendir(SLOTS);
	struct dirent *entry;
	FILE *f;

	(void)round;
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), SLOTS "/%s/address", entry->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		function = fgets(address, sizeof(address), f);
		fclose(f);
		if (!function)
			continue;
		address[strcspn(address, "\n")] = '\0';
		if (strncmp(device, address, strlen(address)))
			continue;
		snprintf(path, sizeof(path), SLOTS "/%s/power", entry->d_name);
		return write_file(path, "0");
	}
	return -ENXIO;
}

static int nothing(int round)
{
	(void)round;
	return 0;
}

static const struct removal removals[] = {
	{ "unbind", take_driver, give_driver },
	{ "PCI removal", pci_remove, pci_rescan },
	{ "ejection", eject, nothing },
};

static void remove_often(int arg)
{
	run_rounds(&removals[arg], setting("VIRTGPU_ITERATIONS", 10));
}

/* As many rounds as there are devices: none comes back. */
static void eject_all(int arg)
{
	DIR *dir = opendir(DRIVER);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += !strncmp(entry->d_name, "virtio", 6);

	if (n < 2)
		skip("one gpu on a port is needed for each round");
	run_rounds(&removals[arg], n);
	check_eq(open_card("virtio_gpu", 0, NULL), -1);
}

/* The watchdog barks. */
static void notices_hang(int arg)
{
	static const struct removal none = { "nothing", nothing, nothing };
	const char *problem;
	struct round r;

	(void)arg;
	new_round(&r, 2);
	start_worker(&r, "hanging", hanging_worker);
	problem = run_round(&r, &none, 0);
	check(problem);
	note("said: %s", problem);
	check(!strcmp(problem, "the hanging worker hangs"));
}

/* A worker that finds the device alive after its removal fails. */
static void notices_survivor(int arg)
{
	static const struct removal none = { "nothing", nothing, nothing };
	struct round r;

	(void)arg;
	new_round(&r, ROUND_SECONDS);
	start_worker(&r, "holding", holding_worker);
	check(run_round(&r, &none, 0));
}

const struct test_case unplug_cases[] = {
	{ "unplug/notices-hang", notices_hang, 0, 0 },
	{ "unplug/notices-survivor", notices_survivor, 0, 0 },
	{ "unplug/unbind", remove_often, 0, 1800 },
	{ "unplug/pci-remove", remove_often, 1, 1800 },
	{ "unplug/eject", eject_all, 2, 600 },
	{ 0 }
};
