// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Calls of fuzz_ops.c that are the same with each driver, and their results.
 *
 * The calls of an episode follow from the seed and the number of the episode.
 * It has a file of its own, and begins with a picture on the screen and with
 * the same properties, so that it can be repeated alone.  One thread makes the
 * calls, and waits for what a call has started before it makes the next.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz_ops.h"
#include "stress.h"

#define EPISODE		64
#define MAX_HANDLES	256
#define UNKNOWN		(~0ull)
/* What waits for longer ends with EINTR. */
#define MAX_SECONDS	30
#define MAX_STATE	64

/**
 * struct replay - a run
 * @holder: a file that is open throughout, lest the console comes back
 * @kms: of the episode
 * @template: what is in the slot's memory before each call
 * @state: the properties at the beginning of an episode
 * @active: the CRTC's property
 * @learned: the number of IDs that all episodes have
 * @stuck: the host does not complete the file's work
 * @size: of the buffers, by handle
 */
struct replay {
	int holder;
	struct kms kms;
	struct program p;
	struct thread t;
	uint32_t template[256];
	struct {
		uint32_t object, id;
		uint64_t value;
	} state[MAX_STATE];
	int states;
	uint32_t active;
	int learned;
	bool stuck;
	uint64_t size[MAX_HANDLES];
	FILE *log;
};

/* Words of results that two runs need not have in common. */
static const struct {
	unsigned long request;
	uint32_t words;
	bool left_out;	/* even whether they have changed */
} unstable[] = {
	/* The offset. */
	{ DRM_IOCTL_VIRTGPU_MAP, 1 << 0 | 1 << 1, false },
	{ DRM_IOCTL_MODE_MAP_DUMB, 1 << 2 | 1 << 3, false },
	/* The resource. */
	{ DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, 1 << 11, false },
	{ DRM_IOCTL_VIRTGPU_RESOURCE_INFO, 1 << 1, false },
	{ DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, 1 << 3, false },
	/* Vblanks and times. */
	{ DRM_IOCTL_WAIT_VBLANK, 0x3f, true },
	{ DRM_IOCTL_CRTC_GET_SEQUENCE, 0x3c, true },
	{ DRM_IOCTL_CRTC_QUEUE_SEQUENCE, 0xc, true },
	{ DRM_IOCTL_SYNCOBJ_WAIT, ~0u, true },
	/* IDs. */
	{ DRM_IOCTL_MODE_ADDFB, 1 << 0, false },
	{ DRM_IOCTL_MODE_ADDFB2, 1 << 0, false },
	{ DRM_IOCTL_MODE_CREATEPROPBLOB, 1 << 3, false },
	{ DRM_IOCTL_MODE_GETCRTC, 1 << 4, false },
	{ DRM_IOCTL_MODE_GETENCODER, 1 << 2, false },
	{ DRM_IOCTL_MODE_GETCONNECTOR, 1 << 11, false },
	{ DRM_IOCTL_MODE_GETPLANE, 1 << 1 | 1 << 2, false },
};

/*
 * Begin and end of a call
 */

/* What succeeds later, or the next time, may be either. */
static bool is_timed(const struct thread *t)
{
	const struct drm_virtgpu_3d_wait *wait = (const void *)&t->in;

	return (t->request == DRM_IOCTL_VIRTGPU_WAIT && t->error == EBUSY &&
		wait->flags & VIRTGPU_WAIT_NOWAIT) ||
	       (t->request == DRM_IOCTL_SYNCOBJ_WAIT && t->error == ETIME);
}

static void log_words(struct replay *r, const union fuzz_args *args, const union fuzz_args *before,
		      unsigned long request)
{
	uint32_t masked = 0;
	bool left_out = false;
	int i;

	for (i = 0; i < (int)(sizeof(unstable) / sizeof(*unstable)); i++) {
		if (unstable[i].request != request)
			continue;
		masked = unstable[i].words;
		left_out = unstable[i].left_out;
	}

	for (i = 0; i < 128; i++) {
		if (args->word[i] == before->word[i])
			continue;
		if (i >= 32 || !(masked & 1u << i))
			fprintf(r->log, " %d=%x", i, args->word[i]);
		else if (!left_out)
			fprintf(r->log, " %d=*", i);
	}
}

/* Capability sets are left out: some have the host's free memory. */
static bool fills_memory(unsigned long request)
{
	return request == DRM_IOCTL_VIRTGPU_GETPARAM || request == DRM_IOCTL_MODE_GETPROPBLOB ||
	       request == DRM_IOCTL_MODE_GETGAMMA;
}

static void note_size(struct replay *r, uint32_t handle, uint64_t size)
{
	if (handle < MAX_HANDLES)
		r->size[handle] = size;
}

static void note_sizes(struct replay *r)
{
	const void *args = &r->t.args;
	const struct drm_virtgpu_resource_create_blob *blob = args;
	const struct drm_virtgpu_resource_create *res = args;
	const struct drm_mode_create_dumb *dumb = args;
	const struct drm_prime_handle *prime = args;
	const struct drm_mode_fb_cmd2 *fb2 = args;
	const struct drm_mode_fb_cmd *fb = args;
	const struct drm_gem_open *open = args;

	switch (r->t.request) {
	case DRM_IOCTL_MODE_CREATE_DUMB:
		return note_size(r, dumb->handle, dumb->size);
	case DRM_IOCTL_VIRTGPU_RESOURCE_CREATE:
		return note_size(r, res->bo_handle, res->size ? res->size : 4096);
	case DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB:
		return note_size(r, blob->bo_handle, blob->size);
	case DRM_IOCTL_PRIME_FD_TO_HANDLE:
		return note_size(r, prime->handle, UNKNOWN);
	case DRM_IOCTL_GEM_OPEN:
		return note_size(r, open->handle, open->size);
	case DRM_IOCTL_MODE_GETFB:
		return note_size(r, fb->handle, UNKNOWN);
	case DRM_IOCTL_MODE_GETFB2:
		return note_size(r, fb2->handles[0], UNKNOWN);
	}
}

/* Whether a framebuffer has more pixels than its buffer. */
static const char *too_small(struct replay *r)
{
	const void *args = &r->t.in;
	const struct drm_mode_cursor2 *cursor = args;
	const struct drm_mode_fb_cmd2 *fb2 = args;
	const struct drm_mode_fb_cmd *fb = args;
	uint64_t end, size;
	uint32_t handle;

	switch (r->t.request) {
	case DRM_IOCTL_MODE_ADDFB:
		handle = fb->handle;
		end = (fb->height - 1ull) * fb->pitch + fb->width * 4ull;
		break;
	case DRM_IOCTL_MODE_ADDFB2:
		handle = fb2->handles[0];
		end = (fb2->height - 1ull) * fb2->pitches[0] + fb2->width * 4ull + fb2->offsets[0];
		break;
	case DRM_IOCTL_MODE_CURSOR:
	case DRM_IOCTL_MODE_CURSOR2:
		handle = cursor->handle;
		end = 4ull * cursor->width * cursor->height;
		break;
	default:
		return "";
	}
	if (!handle || handle >= MAX_HANDLES)
		return "";
	size = (r->size[handle] + 4095) & ~4095ull;
	return r->size[handle] == UNKNOWN ? " perhaps-small" : end > size ? " small" : "";
}

static const char *name_of(const struct program *p, uint32_t property)
{
	int i;

	for (i = 0; i < p->props; i++)
		if (p->prop[i].id == property)
			return p->prop[i].name;
	return "none";
}

static void log_call(struct replay *r, const struct op *op)
{
	static const union fuzz_args none;
	struct thread *t = &r->t;
	uint32_t hash = 2166136261u;
	const char *c;
	int i;

	for (c = op->name; *c; c++)
		putc(*c == ' ' ? '-' : *c, r->log);
	if (op->request != t->request && t->request)
		fprintf(r->log, " %lx", t->request);
	log_words(r, &t->tags, &none, 0);
	fputs(too_small(r), r->log);
	for (i = 0; t->request == DRM_IOCTL_VIRTGPU_CONTEXT_INIT && i < MAX_FLAT; i++)
		fprintf(r->log, " %c%d=%llx", i % 2 ? 'v' : 'p', i / 2,
			(unsigned long long)t->values[i]);
	if (t->request == DRM_IOCTL_MODE_ATOMIC) {
		fprintf(r->log, " object=%x", t->flat[0][0]);
		for (i = 0; i < (int)t->flat[1][0] && i < MAX_FLAT; i++)
			fprintf(r->log, " %s=%llx", name_of(&r->p, t->flat[2][i]),
				(unsigned long long)t->values[i]);
	}
	if (t->error && !is_timed(t)) {
		fprintf(r->log, " > %s\n", strerrorname_np(t->error));
		return;
	}
	note_sizes(r);
	fprintf(r->log, " > ok");
	log_words(r, &t->args, &t->in, t->request);
	if (fills_memory(t->request)) {
		for (i = 0; i < 256; i++)
			hash = (hash ^ t->arg_slot->memory.word[i]) * 16777619;
		fprintf(r->log, " memory=%x", hash);
	}
	putc('\n', r->log);
}

static bool changes_display(unsigned long request)
{
	return request == DRM_IOCTL_MODE_ATOMIC || request == DRM_IOCTL_MODE_PAGE_FLIP ||
	       request == DRM_IOCTL_MODE_SETCRTC || request == DRM_IOCTL_MODE_SETPLANE ||
	       request == DRM_IOCTL_MODE_CURSOR || request == DRM_IOCTL_MODE_CURSOR2 ||
	       request == DRM_IOCTL_MODE_DIRTYFB || request == DRM_IOCTL_MODE_OBJ_SETPROPERTY ||
	       request == DRM_IOCTL_MODE_SETPROPERTY || request == DRM_IOCTL_MODE_RMFB;
}

static bool changes_buffers(unsigned long request)
{
	return request == DRM_IOCTL_VIRTGPU_EXECBUFFER ||
	       request == DRM_IOCTL_VIRTGPU_RESOURCE_CREATE ||
	       request == DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB ||
	       request == DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST ||
	       request == DRM_IOCTL_VIRTGPU_TRANSFER_FROM_HOST;
}

static void wait_for_buffers(struct replay *r)
{
	struct drm_virtgpu_3d_wait args = { 0 };
	int i;

	for (i = 0; i < SLOTS; i++) {
		args.handle = r->p.arg_area->handle[i];
		/* What never signals is not waited for twice. */
		if (args.handle && !r->stuck)
			r->stuck = try_ioctl(r->p.fd, DRM_IOCTL_VIRTGPU_WAIT, &args) == -EBUSY;
	}
}

/* A commit that changes nothing, and waits for those before. */
static void settle(struct replay *r)
{
	uint32_t crtc = r->kms.out[0].crtc, ids[64], one = 1, i;
	uint64_t values[64];
	struct drm_mode_obj_get_properties props = {
		.props_ptr = (uintptr_t)ids,
		.prop_values_ptr = (uintptr_t)values,
		.count_props = 64,
		.obj_id = crtc,
		.obj_type = DRM_MODE_OBJECT_CRTC,
	};
	struct drm_mode_atomic commit = {
		.count_objs = 1,
		.objs_ptr = (uintptr_t)&crtc,
		.count_props_ptr = (uintptr_t)&one,
		.props_ptr = (uintptr_t)&r->active,
	};
	char events[1024];

	check_ok(try_ioctl(r->p.fd, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &props));
	for (i = 0; i < props.count_props && ids[i] != r->active; i++)
		;
	commit.prop_values_ptr = (uintptr_t)&values[i];
	check_ok(try_ioctl(r->p.fd, DRM_IOCTL_MODE_ATOMIC, &commit));
	while (read(r->p.fd, events, sizeof(events)) > 0)
		;
}

/*
 * Begin and end of an episode
 */

static void open_file(struct replay *r)
{
	r->kms.fd = open_card("virtio_gpu", 0, NULL);
	check_cmp(r->kms.fd, >=, 0);
	r->p.fd = r->kms.fd;
	check_ok(drmSetMaster(r->p.fd));
	drmSetClientCap(r->p.fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1);
	drmSetClientCap(r->p.fd, DRM_CLIENT_CAP_ATOMIC, 1);
	fcntl(r->p.fd, F_SETFL, O_NONBLOCK);
}

static int commit_state(struct replay *r)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int i, ret;

	for (i = 0; i < r->states; i++)
		drmModeAtomicAddProperty(req, r->state[i].object, r->state[i].id,
					 r->state[i].value);
	ret = drmModeAtomicCommit(r->p.fd, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	drmModeAtomicFree(req);
	return ret;
}

/* The properties that a commit can set, with nothing on the screen. */
static void learn_state(struct replay *r)
{
	struct program *p = &r->p;
	drmModePropertyPtr prop;
	uint64_t value;
	uint32_t object;
	int i;

	for (i = 0; i < p->props; i++) {
		object = real_id(p, p->prop[i].object);
		prop = drmModeGetProperty(p->fd, real_id(p, p->prop[i].id));
		check(prop);
		check(kms_get_prop(&r->kms, object, p->prop[i].type, prop->name, &value));
		if (drm_property_type_is(prop, DRM_MODE_PROP_BLOB) ||
		    drm_property_type_is(prop, DRM_MODE_PROP_OBJECT) ||
		    !strcmp(prop->name, "ACTIVE"))
			value = 0;
		if (!strcmp(prop->name, "ACTIVE"))
			r->active = prop->prop_id;
		r->state[r->states].object = object;
		r->state[r->states].id = prop->prop_id;
		r->state[r->states].value = value;
		if (!(prop->flags & DRM_MODE_PROP_IMMUTABLE) && strcmp(prop->name, "DPMS") &&
		    r->states < MAX_STATE - 1)
			r->states++;
		drmModeFreeProperty(prop);
	}
	check(r->active);
}

static void start_episode(struct replay *r, uint64_t seed, int number)
{
	struct output *out = &r->kms.out[0];
	struct drm_syncobj_create sync = { 0 };
	struct program *p = &r->p;
	struct thread *t = &r->t;
	uint64_t size;
	int64_t fb;
	int i;

	p->ids = r->learned;
	r->stuck = false;
	memset(p->fb, 0, sizeof(p->fb));
	memset(p->blob, 0, sizeof(p->blob));
	memset(p->arg_area->handle, 0, sizeof(p->arg_area->handle));
	memset(p->arg_area->syncobj, 0, sizeof(p->arg_area->syncobj));
	memset(t->arg_slot, 0, sizeof(*t->arg_slot));
	p->syncfile = -1;
	t->random = (seed << 32 | number) * 0x9e3779b97f4a7c15ull | 1;
	for (i = 0; i < 256; i++)
		r->template[i] = i < 64 ? 0 : odd_word(t);

	open_file(r);
	check_ok(commit_state(r));
	for (i = 0; i < 2; i++) {
		uint32_t w = i ? CURSOR_SIZE : p->mode.hdisplay;
		uint32_t h = i ? CURSOR_SIZE : p->mode.vdisplay;

		check_ok(try_dumb(p->fd, w, h, &p->arg_area->handle[i], &size));
		note_size(r, p->arg_area->handle[i], size);
		fb = kms_addfb_offset(&r->kms, p->arg_area->handle[i], w, h, w * 4, 0,
				      i ? HOST_ARGB8888 : HOST_XRGB8888, NO_MODIFIER);
		check_ok(fb);
		p->fb[i] = new_id(p, fb);
	}
	check_ok(try_ioctl(p->fd, DRM_IOCTL_SYNCOBJ_CREATE, &sync));
	p->arg_area->syncobj[0] = sync.handle;
	check_ok(drmModeCreatePropertyBlob(p->fd, &p->mode, sizeof(p->mode), &out->mode_blob));
	p->blob[0] = new_id(p, out->mode_blob);
	check_ok(kms_modeset(&r->kms, out, real_id(p, p->fb[0])));
}

static void end_episode(struct replay *r)
{
	settle(r);
	if (r->p.syncfile >= 0)
		close(r->p.syncfile);
	close(r->p.fd);
}

/* A call may have written to wherever a pointer of the one before has led. */
static void reset_memory(struct replay *r)
{
	struct program *p = &r->p;
	int i;

	memcpy(r->t.arg_slot->memory.word, r->template, sizeof(r->template));
	memset(p->edge - 64, 0, 64);
	for (i = 0; i < MAX_OBJECTS; i++)
		p->arg_area->object[i] = real_id(p, p->object[i]);
	p->arg_area->connector = real_id(p, p->connector);
}

static void run_episode(struct replay *r, uint64_t seed, int number, int *calls, int *good)
{
	struct thread *t = &r->t;
	enum outcome outcome;
	const struct op *op;
	int i;

	start_episode(r, seed, number);
	for (i = 0; i < EPISODE; i++) {
		reset_memory(r);
		/* Every other file chooses a context before it needs one. */
		op = &ops[pick_op(t)];
		while (!i && number % 4 > 1 && op->request != DRM_IOCTL_VIRTGPU_CONTEXT_INIT)
			op = &ops[pick_op(t)];
		/*
		 * The in-tree driver imports only with blobs and without 3D,
		 * and runs are not compared after a difference.
		 */
		if (number % 8 && op->request == DRM_IOCTL_PRIME_FD_TO_HANDLE)
			continue;
		alarm(MAX_SECONDS);
		outcome = fuzz_call(t, op);
		alarm(0);
		if (outcome == NOT_MADE)
			continue;
		fprintf(r->log, "%d.%d ", number, i);
		log_call(r, op);
		/* settle() takes atomic commits. */
		drmSetClientCap(r->p.fd, DRM_CLIENT_CAP_ATOMIC, 1);
		if (outcome == SUCCEEDED && changes_display(t->request))
			settle(r);
		if (outcome == SUCCEEDED && changes_buffers(t->request))
			wait_for_buffers(r);
		++*calls;
		*good += outcome == SUCCEEDED;
	}
	end_episode(r);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void replay_calls(int arg)
{
	struct sigaction action = { .sa_handler = on_alarm };
	int seed = setting("VIRTGPU_SEED", 1);
	int first = setting("VIRTGPU_EPISODE", 0);
	int episodes = (setting("VIRTGPU_CALLS", 10000) + EPISODE - 1) / EPISODE;
	struct replay *r = calloc(1, sizeof(*r));
	int calls = 0, good = 0, i;

	(void)arg;
	check(r);
	r->log = fopen("replay.log", "w");
	check(r->log);
	setvbuf(r->log, NULL, _IOFBF, 1 << 18);
	r->holder = open_card("virtio_gpu", 0, NULL);
	check_cmp(r->holder, >=, 0);
	check_ok(drmDropMaster(r->holder));

	prepare_faults();
	sigaction(SIGALRM, &action, NULL);
	r->p.tagged = true;
	open_file(r);
	kms_probe(&r->kms, 640, 480, false);
	check_cmp(r->kms.n_outputs, >, 0);
	prepare_arg_area(&r->p);
	learn(&r->p, &r->kms.out[0]);
	r->t.p = &r->p;
	r->t.arg_slot = &r->p.arg_area->arg_slot[0];
	learn_state(r);
	r->learned = r->p.ids;
	close(r->p.fd);

	for (i = 0; i < episodes; i++)
		run_episode(r, seed, first + i, &calls, &good);
	check_ok(fclose(r->log));
	figure("%d calls, %d succeeded, seed %d", calls, good, seed);
}

const struct test_case replay_cases[] = {
	{ "replay/calls", replay_calls, 0, 24 * 3600 },
	{ 0 }
};
