// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every call without memory, at every allocation that it makes.
 *
 * /proc/thread-self/fail-nth has the kernel fail the Nth allocation from now on
 * that this thread asks for.  Each call is made with N = 1, 2, ... until it
 * comes through without having met its failure.  Until then it succeeds all the
 * same or says that there is no memory, and can be repeated.  What workers do
 * for a call has failures of its own, in the driver's slab caches.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "stress.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define MAX_N		2000

/* What the calls work on. */
struct stage {
	struct kms kms;
	struct buffer a, b, cursor, foreign;
	drmModeAtomicReq *modeset, *flip[2], *off;
	int flips;
	int other;	/* a second open file */
};

/* What a call has made and its undoing needs. */
struct made {
	uint32_t handle;
	uint64_t offset;
	uint32_t id;
	int fd;
	void *map;
};

/**
 * struct call - what is done without memory
 * @name: for the reader
 * @run: does it, and returns 0 or a negative errno
 * @undo: undoes it if it succeeded
 * @before: makes what each attempt needs anew, with memory
 * @after: takes that away
 */
struct call {
	const char *name;
	int (*run)(struct stage *s, struct made *m);
	void (*undo)(struct stage *s, struct made *m);
	void (*before)(struct stage *s, struct made *m);
	void (*after)(struct stage *s, struct made *m);
};

static int fail_nth_fd = -1;

static void set_fail_nth(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	check_eq(pwrite(fail_nth_fd, text, len, 0), len);
}

static int get_fail_nth(void)
{
	char text[16] = "";

	check_cmp(pread(fail_nth_fd, text, sizeof(text) - 1, 0), >, 0);
	return atoi(text);
}

/* Select the allocations that can fail, without a report of each failure. */
static void arm(void)
{
	static const char * const kinds[] = { "failslab", "fail_page_alloc" };
	char path[96];
	unsigned int i;

	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth_fd < 0)
		skip("the kernel cannot fail allocations on demand");
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/ignore-gfp-wait",
			 kinds[i]);
		check_ok(write_file(path, "N"));
		snprintf(path, sizeof(path), DEBUGFS "%s/verbose", kinds[i]);
		check_ok(write_file(path, "0"));
	}
	check_ok(write_file(DEBUGFS "fail_page_alloc/min-order", "0"));
	check_ok(write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N"));
}

/*
 * The calls
 */

static int run_open(struct stage *s, struct made *m)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/dri/card%d", s->kms.card);
	m->fd = open(path, O_RDWR | O_CLOEXEC);
	return m->fd < 0 ? -errno : 0;
}

static void undo_fd(struct stage *s, struct made *m)
{
	(void)s;
	close(m->fd);
}

static int run_dumb(struct stage *s, struct made *m)
{
	uint64_t size;

	return try_dumb(s->kms.fd, 300, 200, &m->handle, &size);
}

static int run_large_dumb(struct stage *s, struct made *m)
{
	uint64_t size;

	return try_dumb(s->kms.fd, 1920, 1080, &m->handle, &size);
}

static void undo_handle(struct stage *s, struct made *m)
{
	check_ok(kms_gem_close(s->kms.fd, m->handle));
}

static int run_map_dumb(struct stage *s, struct made *m)
{
	struct drm_mode_map_dumb args = { .handle = s->a.handle };
	int ret = try_ioctl(s->kms.fd, DRM_IOCTL_MODE_MAP_DUMB, &args);

	m->offset = args.offset;
	return ret;
}

static int run_mmap(struct stage *s, struct made *m)
{
	struct drm_mode_map_dumb args = { .handle = s->a.handle };
	int ret = try_ioctl(s->kms.fd, DRM_IOCTL_MODE_MAP_DUMB, &args);

	if (ret)
		return ret;
	m->map = mmap(NULL, s->a.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->kms.fd, args.offset);
	return m->map == MAP_FAILED ? -errno : 0;
}

static void undo_mmap(struct stage *s, struct made *m)
{
	munmap(m->map, s->a.size);
}

static int run_export(struct stage *s, struct made *m)
{
	return kms_prime_export(s->kms.fd, s->a.handle, &m->fd);
}

/* One that has never been exported. */
static int run_first_export(struct stage *s, struct made *m)
{
	return kms_prime_export(s->kms.fd, m->handle, &m->fd);
}

static int run_import(struct stage *s, struct made *m)
{
	return kms_prime_import(s->kms.fd, s->foreign.fd, &m->handle);
}

static int run_import_other(struct stage *s, struct made *m)
{
	return kms_prime_import(s->other, s->a.fd, &m->handle);
}

static void undo_other_handle(struct stage *s, struct made *m)
{
	check_ok(kms_gem_close(s->other, m->handle));
}

static int run_addfb(struct stage *s, struct made *m)
{
	int64_t fb = kms_addfb(&s->kms, s->a.handle, s->a.width, s->a.height,
			       s->a.stride);

	m->id = fb;
	return fb < 0 ? fb : 0;
}

static void undo_fb(struct stage *s, struct made *m)
{
	check_ok(kms_rmfb(&s->kms, m->id));
}

static int run_getfb2(struct stage *s, struct made *m)
{
	struct drm_mode_fb_cmd2 args = { .fb_id = s->a.fb };
	int ret = try_ioctl(s->kms.fd, DRM_IOCTL_MODE_GETFB2, &args);

	m->handle = args.handles[0];
	return ret;
}

/* The handle is another one's, in this file the same. */
static void undo_nothing(struct stage *s, struct made *m)
{
	(void)s;
	(void)m;
}

static int run_modeset(struct stage *s, struct made *m)
{
	(void)m;
	return kms_commit(&s->kms, s->modeset, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

static int run_test_only(struct stage *s, struct made *m)
{
	(void)m;
	return kms_commit(&s->kms, s->flip[0], DRM_MODE_ATOMIC_TEST_ONLY);
}

static int run_off(struct stage *s, struct made *m)
{
	(void)m;
	return kms_commit(&s->kms, s->off, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

static void undo_off(struct stage *s, struct made *m)
{
	(void)m;
	check_ok(kms_commit(&s->kms, s->modeset,
			    DRM_MODE_ATOMIC_ALLOW_MODESET));
}

static int run_flip(struct stage *s, struct made *m)
{
	(void)m;
	return kms_commit(&s->kms, s->flip[s->flips++ % 2],
			  DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT);
}

static void undo_flip(struct stage *s, struct made *m)
{
	(void)m;
	check_eq(kms_wait_flips(&s->kms, 1, 5000), 1);
}

static int run_flip_wait(struct stage *s, struct made *m)
{
	(void)m;
	return kms_commit(&s->kms, s->flip[s->flips++ % 2], 0);
}

/* A buffer that the host has never heard of. */
static int run_first_flip(struct stage *s, struct made *m)
{
	struct drm_mode_crtc_page_flip args = {
		.crtc_id = s->kms.out[0].crtc,
		.fb_id = m->id,
		.flags = DRM_MODE_PAGE_FLIP_EVENT,
		.user_data = (uintptr_t)&s->kms,
	};

	return try_ioctl(s->kms.fd, DRM_IOCTL_MODE_PAGE_FLIP, &args);
}

static void undo_first_flip(struct stage *s, struct made *m)
{
	undo_flip(s, m);
	check_ok(kms_flip(&s->kms, &s->kms.out[0], s->a.fb));
}

static int run_dirty(struct stage *s, struct made *m)
{
	struct drm_clip_rect clips[2] = { { 1, 2, 30, 40 }, { 50, 60, 70, 80 } };
	struct drm_mode_fb_dirty_cmd args = {
		.fb_id = m->id,
		.num_clips = 2,
		.clips_ptr = (uintptr_t)clips,
	};

	return try_ioctl(s->kms.fd, DRM_IOCTL_MODE_DIRTYFB, &args);
}

static int run_cursor(struct stage *s, struct made *m)
{
	struct drm_mode_cursor2 args = {
		.flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE,
		.crtc_id = s->kms.out[0].crtc,
		.width = CURSOR_SIZE,
		.height = CURSOR_SIZE,
		.handle = s->cursor.handle,
	};

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_MODE_CURSOR2, &args);
}

static void undo_cursor(struct stage *s, struct made *m)
{
	(void)m;
	check_ok(drmModeSetCursor(s->kms.fd, s->kms.out[0].crtc, 0, 0, 0));
}

static int run_cursor_move(struct stage *s, struct made *m)
{
	struct drm_mode_cursor args = {
		.flags = DRM_MODE_CURSOR_MOVE,
		.crtc_id = s->kms.out[0].crtc,
		.x = 10,
	};

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_MODE_CURSOR, &args);
}

static int run_connector(struct stage *s, struct made *m)
{
	struct drm_mode_get_connector args = {
		.connector_id = s->kms.out[0].connector,
	};

	(void)m;
	/* Without room for modes: they are asked for again. */
	return try_ioctl(s->kms.fd, DRM_IOCTL_MODE_GETCONNECTOR, &args);
}

static int run_resource_create(struct stage *s, struct made *m)
{
	struct drm_virtgpu_resource_create args = {
		.target = 2,
		.format = 2,
		.bind = 2,
		.width = 64,
		.height = 64,
		.depth = 1,
		.array_size = 1,
		.size = 64 * 64 * 4,
	};
	int ret = try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &args);

	m->handle = args.bo_handle;
	return ret;
}

static int run_create_blob(struct stage *s, struct made *m)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = 1 << 20,
	};
	int ret = try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB,
			    &args);

	m->handle = args.bo_handle;
	return ret;
}

static int run_resource_info(struct stage *s, struct made *m)
{
	struct drm_virtgpu_resource_info args = { .bo_handle = s->b.handle };

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, &args);
}

static int run_transfer(struct stage *s, struct made *m)
{
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = s->a.handle,
		.box = { .w = 64, .h = 64, .d = 1 },
	};

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &args);
}

static int run_wait(struct stage *s, struct made *m)
{
	struct drm_virtgpu_3d_wait args = { .handle = s->a.handle };

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_WAIT, &args);
}

static int run_getparam(struct stage *s, struct made *m)
{
	int value;
	struct drm_virtgpu_getparam args = {
		.param = VIRTGPU_PARAM_RESOURCE_BLOB,
		.value = (uintptr_t)&value,
	};

	(void)m;
	return try_ioctl(s->kms.fd, DRM_IOCTL_VIRTGPU_GETPARAM, &args);
}

static int run_move(struct stage *s, struct made *m)
{
	(void)m;
	return exporter_move(&s->foreign, VIRTGPU_EXPORTER_RAM);
}

static int run_debugfs(struct stage *s, struct made *m)
{
	char path[64], text[512];
	int fd;

	(void)m;
	snprintf(path, sizeof(path), DEBUGFS "dri/%d/virtio-gpu-resources", s->kms.card);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text)) < 0) {
		close(fd);
		return -errno;
	}
	close(fd);
	return 0;
}

/*
 * Calls for which each attempt needs a new buffer, which is made and freed
 * outside of the window in which allocations fail.
 */

static void fresh_fb(struct stage *s, struct made *m, bool import)
{
	uint64_t size;
	int64_t fb;

	if (import)
		check_ok(kms_prime_import(s->kms.fd, s->foreign.fd, &m->handle));
	else
		check_ok(try_dumb(s->kms.fd, s->a.width, s->a.height,
				  &m->handle, &size));
	fb = kms_addfb(&s->kms, m->handle, s->a.width, s->a.height,
		       s->a.width * 4);
	check_ok(fb);
	m->id = fb;
}

static void drop_fb(struct stage *s, struct made *m)
{
	check_ok(kms_rmfb(&s->kms, m->id));
	check_ok(kms_gem_close(s->kms.fd, m->handle));
}

static void fresh_dumb_fb(struct stage *s, struct made *m)
{
	fresh_fb(s, m, false);
}

static void fresh_import_fb(struct stage *s, struct made *m)
{
	fresh_fb(s, m, true);
}

static void fresh_shown(struct stage *s, struct made *m)
{
	fresh_fb(s, m, false);
	check_ok(kms_flip(&s->kms, &s->kms.out[0], m->id));
}

static void drop_shown(struct stage *s, struct made *m)
{
	check_ok(kms_flip(&s->kms, &s->kms.out[0], s->a.fb));
	drop_fb(s, m);
}

static void fresh_handle(struct stage *s, struct made *m)
{
	check_ok(run_dumb(s, m));
}

static const struct call calls[] = {
	{ "open", run_open, undo_fd, NULL, NULL },
	{ "dumb create", run_dumb, undo_handle, NULL, NULL },
	{ "large dumb create", run_large_dumb, undo_handle, NULL, NULL },
	{ "map dumb", run_map_dumb, undo_nothing, NULL, NULL },
	{ "mmap", run_mmap, undo_mmap, NULL, NULL },
	{ "export", run_export, undo_fd, NULL, NULL },
	{ "first export", run_first_export, undo_fd, fresh_handle, undo_handle },
	{ "import", run_import, undo_handle, NULL, NULL },
	{ "import of our own", run_import_other, undo_other_handle, NULL, NULL },
	{ "addfb2", run_addfb, undo_fb, NULL, NULL },
	{ "getfb2", run_getfb2, undo_nothing, NULL, NULL },
	{ "getconnector", run_connector, undo_nothing, NULL, NULL },
	{ "modeset", run_modeset, undo_nothing, NULL, NULL },
	{ "off", run_off, undo_off, NULL, NULL },
	{ "test only", run_test_only, undo_nothing, NULL, NULL },
	{ "flip", run_flip, undo_flip, NULL, NULL },
	{ "blocking flip", run_flip_wait, undo_nothing, NULL, NULL },
	{ "first flip", run_first_flip, undo_first_flip, fresh_dumb_fb, drop_fb },
	{ "first flip of import", run_first_flip, undo_first_flip, fresh_import_fb, drop_fb },
	{ "dirtyfb", run_dirty, undo_nothing, fresh_shown, drop_shown },
	{ "cursor", run_cursor, undo_cursor, NULL, NULL },
	{ "cursor move", run_cursor_move, undo_nothing, NULL, NULL },
	{ "getparam", run_getparam, undo_nothing, NULL, NULL },
	{ "resource create", run_resource_create, undo_handle, NULL, NULL },
	{ "create blob", run_create_blob, undo_handle, NULL, NULL },
	{ "resource info", run_resource_info, undo_nothing, NULL, NULL },
	{ "transfer to host", run_transfer, undo_nothing, NULL, NULL },
	{ "wait", run_wait, undo_nothing, NULL, NULL },
	{ "move of import", run_move, undo_nothing, NULL, NULL },
	{ "debugfs", run_debugfs, undo_nothing, NULL, NULL },
};

static void set_stage(struct stage *s)
{
	struct output *out;
	int i;

	memset(s, 0, sizeof(*s));
	kms_open(&s->kms, 640, 480);
	s->kms.n_outputs = 1;
	out = &s->kms.out[0];
	s->other = open_card("virtio_gpu", 0, NULL);
	buffer_new(&s->a, &s->kms, SOURCE_DUMB, out->mode.hdisplay,
		   out->mode.vdisplay);
	buffer_new(&s->b, &s->kms, SOURCE_DUMB, s->a.width, s->a.height);
	buffer_new(&s->cursor, &s->kms, SOURCE_DUMB, CURSOR_SIZE, CURSOR_SIZE);
	buffer_new(&s->foreign, &s->kms, SOURCE_RAM, s->a.width, s->a.height);
	buffer_import(&s->a, &s->kms);
	buffer_import(&s->b, &s->kms);
	s->cursor.handle = s->cursor.owner_handle;
	check_ok(kms_prime_export(s->kms.fd, s->a.handle, &s->a.fd));
	check_ok(kms_modeset(&s->kms, out, s->a.fb));

	/* Requests are made beforehand: what libdrm allocates is not ours. */
	s->modeset = drmModeAtomicAlloc();
	kms_show(&s->kms, s->modeset, out, s->a.fb, NULL);
	kms_enable(&s->kms, s->modeset, out);
	for (i = 0; i < 2; i++) {
		s->flip[i] = drmModeAtomicAlloc();
		kms_show(&s->kms, s->flip[i], out, i ? s->a.fb : s->b.fb, NULL);
	}
	s->off = drmModeAtomicAlloc();
	kms_add(&s->kms, s->off, out->primary, DRM_MODE_OBJECT_PLANE, "FB_ID", 0);
	kms_add(&s->kms, s->off, out->primary, DRM_MODE_OBJECT_PLANE, "CRTC_ID", 0);
	kms_add(&s->kms, s->off, out->connector, DRM_MODE_OBJECT_CONNECTOR,
		"CRTC_ID", 0);
	kms_add(&s->kms, s->off, out->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", 0);
	kms_add(&s->kms, s->off, out->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", 0);
}

/* The resources of the host. */
static int count_resources(struct stage *s)
{
	char text[16384], *line = text;
	int n = 0;

	check(kms_debugfs(&s->kms, "virtio-gpu-resources", text, sizeof(text)));
	while ((line = strstr(line, "resource: "))) {
		line++;
		n++;
	}
	return n;
}

/* They end when the host has answered to that. */
static void check_resources(struct stage *s, const char *name, int expected)
{
	int64_t end = now_ms() + 3000;
	int n;

	while ((n = count_resources(s)) != expected && now_ms() < end)
		sleep_ms(10);
	if (n != expected)
		fail("%s: %d resources, not %d", name, n, expected);
}

/* One attempt; returns true if a failure was met. */
static bool attempt(struct stage *s, const struct call *call, int n,
		    int *refused)
{
	struct made m = { .fd = -1 };
	bool met;
	int ret;

	if (call->before)
		call->before(s, &m);
	set_fail_nth(n);
	ret = call->run(s, &m);
	met = n && get_fail_nth() == 0;
	set_fail_nth(0);
	if (!ret)
		call->undo(s, &m);
	else if (!met)
		fail("%s: %s without a reason", call->name, strerror(-ret));
	else if (ret != -ENOMEM)
		fail("%s: %s for want of memory at allocation %d",
		     call->name, strerror(-ret), n);
	*refused += !!ret;
	if (call->after)
		call->after(s, &m);
	return met;
}

static bool possible(struct stage *s, const struct call *call)
{
	return call->run != run_create_blob || has_blobs(s->kms.fd);
}

static void calls_fail(int arg)
{
	struct virtgpu_exporter_stats before;
	const struct call *call;
	struct memory settled;
	int total = 0;
	unsigned int i;
	struct stage s;
	int n, known;
	int refused = 0;

	(void)arg;
	arm();
	exporter_stats(NULL, &before);
	set_stage(&s);
	/* Once without failures: what can be cached is. */
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (possible(&s, &calls[i]))
			attempt(&s, &calls[i], 0, &refused);
	memory_now(&settled);
	leaks_forget();
	known = count_resources(&s);

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		call = &calls[i];
		if (!possible(&s, call))
			continue;
		refused = 0;
		for (n = 1; attempt(&s, call, n, &refused); n++)
			if (n == MAX_N)
				fail("%s does not end", call->name);
		total += n - 1;
		note("%-20s failed at %d allocations, %d of them refused",
		     call->name, n - 1, refused);
		/* All is well again. */
		attempt(&s, call, 0, &refused);
		check_resources(&s, call->name, known);
	}
	buffer_draw(&s.a, &s.kms, &picture_a);
	check_ok(kms_modeset(&s.kms, &s.kms.out[0], s.a.fb));
	take_screenshot(&s.kms.out[0], "end", &picture_a, NULL);
	leaks_check();
	memory_check(&settled, memory_slack());
	close(s.other);
	close(s.a.fd);
	close(s.foreign.fd);
	kms_close(&s.kms);
	exporter_check_balance(&before);
	figure("%d injections", total);
}

/* Commits whose second half a worker does, when the driver's messages fail. */
static void caches_fail(int arg)
{
	static const char cache[] = "/sys/kernel/slab/virtgpu_msg/failslab";
	int seconds = setting("VIRTGPU_SECONDS", 60) / 4 + 1;
	int flips = 0;
	int refused = 0;
	struct stage s;
	int64_t end;
	int i, ret;

	(void)arg;
	arm();
	set_stage(&s);
	if (write_file(cache, "1"))
		skip("the driver's cache cannot be told apart");
	check_ok(write_file(DEBUGFS "failslab/cache-filter", "Y"));
	check_ok(write_file(DEBUGFS "failslab/times", "-1"));
	check_ok(write_file(DEBUGFS "failslab/probability", "20"));
	end = now_ms() + seconds * 1000;
	for (i = 0; now_ms() < end; i++) {
		ret = run_flip(&s, NULL);
		if (!ret) {
			flips++;
			check_eq(kms_wait_flips(&s.kms, 1, 5000), 1);
		} else if (ret == -ENOMEM) {
			refused++;
		} else {
			fail("flip: %s", strerror(-ret));
		}
		ret = run_cursor_move(&s, NULL);
		if (ret && ret != -ENOMEM)
			fail("cursor: %s", strerror(-ret));
		ret = i % 8 ? 0 : run_move(&s, NULL);
		if (ret && ret != -ENOMEM && ret != -EBUSY)
			fail("move: %s", strerror(-ret));
	}
	check_ok(write_file(DEBUGFS "failslab/probability", "0"));
	check_ok(write_file(DEBUGFS "failslab/cache-filter", "N"));
	write_file(cache, "0");
	check_ok(kms_flip(&s.kms, &s.kms.out[0], s.b.fb));
	check_ok(kms_flip(&s.kms, &s.kms.out[0], s.a.fb));
	figure("%d flips, %d refused", flips, refused);
}

const struct test_case faults_cases[] = {
	{ "faults/calls", calls_fail, 0, 600 },
	{ "faults/caches", caches_fail, 0, 300 },
	{ 0 }
};
