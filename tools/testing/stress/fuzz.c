// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every ioctl, with arguments that make sense and arguments that do not.
 *
 * Each call starts from arguments that would work, of which some are then
 * replaced: by handles of something else, bad sizes, values that overflow, bad
 * pointers.  One program meanwhile shows pictures on an output of its own and
 * must not notice.  The others have a lease of the second output, so that they
 * can do all that a display server can; some have a render node only.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "stress.h"

#define PROGRAMS	3
#define THREADS		2
#define SLOTS		16
#define MAX_PROPS	128
#define MAX_FLAT	8
#define MAX_MORE_SECONDS	200
/* Larger buffers are a case of their own; these many fit at a time. */
#define MAX_BYTES	(4u << 20)

/*
 * The memory that the pointers in the arguments refer to.  A mutated pointer
 * may still be valid, so nothing else is mapped within four gigabytes of this
 * area: the kernel may overwrite the area, but never the rest of the program.
 */
struct arg_area {
	uint32_t handle[SLOTS];
	uint32_t syncobj[SLOTS];
	uint32_t object[16];
	uint32_t connector;
	struct arg_slot {
		/* With room for all that a kernel may write there. */
		union {
			uint32_t word[256];
			char room[65536];
		} memory;
		uint32_t flat[4][MAX_FLAT];
		uint64_t values[MAX_FLAT];
		int32_t fence;
	} arg_slot[THREADS];
};

#define ARG_AREA_BASE	0x200000000000
#define ARG_AREA_OFFSET	0x5a5a0000

/* What a program has at hand; its threads race for it. */
struct program {
	int fd;
	bool lessee;
	int foreign[2];
	int syncfile;
	uint32_t fb[SLOTS];
	uint32_t blob[SLOTS];
	int objects;
	struct {
		uint32_t object, id, type;
		char name[DRM_PROP_NAME_LEN];
	} prop[MAX_PROPS];
	int props;
	uint32_t connector, crtc, primary, cursor;
	drmModeModeInfo mode;
	struct arg_area *arg_area;
	char *edge;	/* the end of memory */
};

struct thread {
	struct program *p;
	uint64_t random;
	struct arg_slot *arg_slot;
};

/* Shared with all programs. */
struct totals {
	volatile bool stop;
	uint64_t flips;
	struct {
		uint64_t calls, good;
	} op[64];
};

static struct totals *totals;

/*
 * Values
 */

static uint64_t next(struct thread *t)
{
	/* xorshift64* */
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return t->random * 2685821657736338717ull;
}

static uint32_t below(struct thread *t, uint32_t n)
{
	return (next(t) >> 32) % n;
}

static bool one_in(struct thread *t, uint32_t n)
{
	return below(t, n) == 0;
}

static uint32_t odd_value(struct thread *t)
{
	static const uint32_t values[] = {
		0, 1, 2, 3, 4, 31, 32, 63, 64, 65, 255, 256, 4095, 4096, 4097,
		16383, 16384, 16385, 65535, 65536, 0x00ffffff, 0x3fffffff,
		0x40000000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
		0xffffffff,
	};

	switch (below(t, 4)) {
	case 0:
		return below(t, 1024);
	case 1:
		return next(t);
	case 2:
		return t->p->arg_area->object[below(t, 16)];
	default:
		return values[below(t, sizeof(values) / sizeof(*values))];
	}
}

static uint64_t odd_pointer(struct thread *t)
{
	static const uint64_t values[] = {
		0, 1, 0x1000, 0x7fffffffffff, 0x800000000000,
		0x8000000000000000, 0xffff888000000000, 0xffffffff81000000,
		0xfffffffffffffff0, 0xffffffffffffffff,
	};

	switch (below(t, 4)) {
	case 0:
		return (uintptr_t)t->p->edge - below(t, 64);
	case 1:
		return (uintptr_t)&t->arg_slot->memory;
	default:
		return values[below(t, sizeof(values) / sizeof(*values))];
	}
}

static uint32_t some(struct thread *t, const uint32_t *slots)
{
	return slots[below(t, SLOTS)];
}

/*
 * Operations.  One fills in arguments that may work, the other takes care of
 * what a success has made.
 */

#define OP(name) static void fill_##name(struct thread *t, void *data)
#define END(name) static void end_##name(struct thread *t, void *data)

OP(getparam)
{
	struct drm_virtgpu_getparam *a = data;

	a->param = 1 + below(t, 10);
	a->value = (uintptr_t)&t->arg_slot->memory;
}

OP(map)
{
	((struct drm_virtgpu_map *)data)->handle = some(t, t->p->arg_area->handle);
}

OP(execbuffer)
{
	struct drm_virtgpu_execbuffer *a = data;

	a->flags = below(t, 8);
	a->size = 4 * below(t, 64);
	a->command = (uintptr_t)&t->arg_slot->memory;
	a->bo_handles = (uintptr_t)t->p->arg_area->handle;
	a->num_bo_handles = below(t, SLOTS);
	a->fence_fd = t->p->syncfile;
	a->syncobj_stride = sizeof(struct drm_virtgpu_execbuffer_syncobj);
	a->num_in_syncobjs = below(t, 3);
	a->in_syncobjs = (uintptr_t)&t->arg_slot->memory;
	a->num_out_syncobjs = below(t, 3);
	a->out_syncobjs = (uintptr_t)&t->arg_slot->memory;
}

/* The buffers of a slot's former owner go, lest memory ends. */
static void replace_handle(struct thread *t, uint32_t handle)
{
	uint32_t *slot = &t->p->arg_area->handle[below(t, SLOTS)];
	uint32_t old = __atomic_exchange_n(slot, handle, __ATOMIC_RELAXED);

	if (old)
		kms_gem_close(t->p->fd, old);
}

OP(resource_create)
{
	struct drm_virtgpu_resource_create *a = data;
	static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };

	a->target = 2;
	a->format = formats[below(t, 8)];
	a->bind = 1u << below(t, 20);
	a->width = 1 + below(t, 200);
	a->height = 1 + below(t, 200);
	a->depth = 1;
	a->array_size = 1;
	a->size = a->width * a->height * 4;
}

END(resource_create)
{
	replace_handle(t, ((struct drm_virtgpu_resource_create *)data)->bo_handle);
}

OP(resource_info)
{
	((struct drm_virtgpu_resource_info *)data)->bo_handle =
		some(t, t->p->arg_area->handle);
}

OP(transfer)
{
	struct drm_virtgpu_3d_transfer_to_host *a = data;

	a->bo_handle = some(t, t->p->arg_area->handle);
	a->box.w = 1 + below(t, 64);
	a->box.h = 1 + below(t, 64);
	a->box.d = 1;
	a->offset = 4 * below(t, 4096);
}

OP(wait)
{
	struct drm_virtgpu_3d_wait *a = data;

	a->handle = some(t, t->p->arg_area->handle);
	a->flags = below(t, 2);
}

OP(get_caps)
{
	struct drm_virtgpu_get_caps *a = data;

	a->cap_set_id = below(t, 8);
	a->addr = (uintptr_t)&t->arg_slot->memory;
	a->size = below(t, 1024);
}

OP(create_blob)
{
	struct drm_virtgpu_resource_create_blob *a = data;

	a->blob_mem = VIRTGPU_BLOB_MEM_GUEST;
	a->blob_flags = below(t, 4);
	a->size = 4096 * (1 + below(t, 200));
}

END(create_blob)
{
	replace_handle(t, ((struct drm_virtgpu_resource_create_blob *)data)->bo_handle);
}

OP(context_init)
{
	struct drm_virtgpu_context_init *a = data;

	a->num_params = below(t, 4);
	a->ctx_set_params = (uintptr_t)&t->arg_slot->memory;
}

OP(create_dumb)
{
	struct drm_mode_create_dumb *a = data;

	a->width = 1 + below(t, 700);
	a->height = 1 + below(t, 500);
	a->bpp = 32;
	/* Screens and cursors can be shown. */
	if (one_in(t, 3)) {
		a->width = t->p->mode.hdisplay;
		a->height = t->p->mode.vdisplay;
	} else if (one_in(t, 3)) {
		a->width = CURSOR_SIZE;
		a->height = CURSOR_SIZE;
	}
}

END(create_dumb)
{
	replace_handle(t, ((struct drm_mode_create_dumb *)data)->handle);
}

OP(map_dumb)
{
	((struct drm_mode_map_dumb *)data)->handle = some(t, t->p->arg_area->handle);
}

OP(handle)
{
	*(uint32_t *)data = some(t, t->p->arg_area->handle);
}

OP(addfb)
{
	struct drm_mode_fb_cmd *a = data;

	a->width = t->p->mode.hdisplay;
	a->height = t->p->mode.vdisplay;
	a->pitch = a->width * 4;
	a->bpp = 32;
	a->depth = 24;
	a->handle = some(t, t->p->arg_area->handle);
}

/* At most a file's slots of framebuffers: one in the way goes. */
static void replace_fb(struct thread *t, uint32_t fb)
{
	uint32_t *slot = &t->p->fb[below(t, SLOTS)];
	uint32_t old = __atomic_exchange_n(slot, fb, __ATOMIC_RELAXED);

	if (old)
		ioctl(t->p->fd, DRM_IOCTL_MODE_RMFB, &old);
}

END(addfb)
{
	replace_fb(t, ((struct drm_mode_fb_cmd *)data)->fb_id);
}

OP(addfb2)
{
	static const uint32_t formats[] = {
		DRM_FORMAT_XRGB8888, DRM_FORMAT_ARGB8888, DRM_FORMAT_XBGR8888,
		DRM_FORMAT_RGB565, DRM_FORMAT_NV12, DRM_FORMAT_BGRX8888,
	};
	struct drm_mode_fb_cmd2 *a = data;
	bool cursor = one_in(t, 3);

	a->width = cursor ? CURSOR_SIZE : t->p->mode.hdisplay;
	a->height = cursor ? CURSOR_SIZE : t->p->mode.vdisplay;
	a->pixel_format = formats[one_in(t, 3) ? below(t, 6) : cursor];
	a->handles[0] = some(t, t->p->arg_area->handle);
	a->pitches[0] = a->width * 4;
	a->flags = one_in(t, 2) ? DRM_MODE_FB_MODIFIERS : 0;
}

END(addfb2)
{
	replace_fb(t, ((struct drm_mode_fb_cmd2 *)data)->fb_id);
}

OP(fb)
{
	*(uint32_t *)data = some(t, t->p->fb);
}

/* Handles that came with it. */
END(getfb)
{
	replace_handle(t, ((struct drm_mode_fb_cmd *)data)->handle);
}

END(getfb2)
{
	struct drm_mode_fb_cmd2 *a = data;
	int i;

	for (i = 0; i < 4; i++)
		if (a->handles[i] && (!i || a->handles[i] != a->handles[0]))
			replace_handle(t, a->handles[i]);
}

OP(dirtyfb)
{
	struct drm_mode_fb_dirty_cmd *a = data;

	a->fb_id = some(t, t->p->fb);
	a->num_clips = below(t, 8);
	a->clips_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(page_flip)
{
	struct drm_mode_crtc_page_flip *a = data;

	a->crtc_id = t->p->crtc;
	a->fb_id = some(t, t->p->fb);
	a->flags = one_in(t, 2) ? DRM_MODE_PAGE_FLIP_EVENT : 0;
}

OP(setcrtc)
{
	struct drm_mode_crtc *a = data;

	a->crtc_id = t->p->crtc;
	if (one_in(t, 4))
		return;
	a->fb_id = some(t, t->p->fb);
	a->set_connectors_ptr = (uintptr_t)&t->p->arg_area->connector;
	a->count_connectors = 1;
	a->mode_valid = 1;
	memcpy(&a->mode, &t->p->mode, sizeof(a->mode));
}

OP(getcrtc)
{
	((struct drm_mode_crtc *)data)->crtc_id = t->p->crtc;
}

OP(cursor)
{
	struct drm_mode_cursor2 *a = data;

	a->flags = 1 + below(t, 3);
	a->crtc_id = t->p->crtc;
	a->x = below(t, 2000) - 500;
	a->y = below(t, 2000) - 500;
	a->width = CURSOR_SIZE;
	a->height = CURSOR_SIZE;
	a->handle = some(t, t->p->arg_area->handle);
}

static uint64_t plausible(struct thread *t, const char *name)
{
	struct program *p = t->p;

	if (!strcmp(name, "FB_ID"))
		return some(t, p->fb);
	if (!strcmp(name, "CRTC_ID"))
		return one_in(t, 8) ? 0 : p->crtc;
	if (!strcmp(name, "MODE_ID"))
		return some(t, p->blob);
	if (!strcmp(name, "ACTIVE"))
		return !one_in(t, 8);
	if (!strcmp(name, "SRC_W"))
		return (uint64_t)p->mode.hdisplay << 16;
	if (!strcmp(name, "SRC_H"))
		return (uint64_t)p->mode.vdisplay << 16;
	if (!strcmp(name, "CRTC_W"))
		return p->mode.hdisplay;
	if (!strcmp(name, "CRTC_H"))
		return p->mode.vdisplay;
	if (!strcmp(name, "OUT_FENCE_PTR"))
		return (uintptr_t)&t->arg_slot->fence;
	if (!strcmp(name, "IN_FENCE_FD"))
		return one_in(t, 2) ? p->syncfile : -1;
	if (!strcmp(name, "FB_DAMAGE_CLIPS"))
		return some(t, p->blob);
	return 0;
}

/* The object, its @n properties and their values are in the slot. */
static void one_object(struct thread *t, struct drm_mode_atomic *a, int n)
{
	t->arg_slot->flat[1][0] = n;
	a->count_objs = 1;
	a->objs_ptr = (uintptr_t)t->arg_slot->flat[0];
	a->count_props_ptr = (uintptr_t)t->arg_slot->flat[1];
	a->props_ptr = (uintptr_t)t->arg_slot->flat[2];
	a->prop_values_ptr = (uintptr_t)t->arg_slot->values;
	t->arg_slot->fence = -1;
}

/* A few properties of one object, mostly with values that fit. */
OP(atomic)
{
	struct drm_mode_atomic *a = data;
	struct program *p = t->p;
	int start = below(t, p->props);
	int i, n;

	t->arg_slot->flat[0][0] = p->prop[start].object;
	n = one_in(t, 2) ? MAX_FLAT : 1 + below(t, MAX_FLAT);
	for (i = 0; i < n && start + i < p->props &&
	     p->prop[start + i].object == t->arg_slot->flat[0][0]; i++) {
		t->arg_slot->flat[2][i] = p->prop[start + i].id;
		t->arg_slot->values[i] = plausible(t, p->prop[start + i].name);
		if (one_in(t, 8))
			t->arg_slot->values[i] = one_in(t, 2) ? odd_value(t) :
						      odd_pointer(t);
	}
	one_object(t, a, i);
	a->flags = (one_in(t, 3) ? DRM_MODE_ATOMIC_TEST_ONLY :
		    one_in(t, 3) ? DRM_MODE_PAGE_FLIP_EVENT : 0) |
		   (one_in(t, 2) ? DRM_MODE_ATOMIC_NONBLOCK : 0) |
		   (one_in(t, 2) ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0) |
		   (one_in(t, 8) ? DRM_MODE_PAGE_FLIP_ASYNC : 0);
}

END(atomic)
{
	(void)data;
	if (t->arg_slot->fence >= 0)
		close(t->arg_slot->fence);
	t->arg_slot->fence = -1;
}

/* A whole screen, as a display server shows it. */
OP(show)
{
	struct drm_mode_atomic *a = data;
	struct program *p = t->p;
	uint32_t object = p->primary;
	int i, n = 0;

	t->arg_slot->flat[0][0] = object;
	for (i = 0; i < p->props && n < MAX_FLAT; i++) {
		if (p->prop[i].object != object ||
		    (strncmp(p->prop[i].name, "SRC_", 4) &&
		     strncmp(p->prop[i].name, "CRTC_", 5) &&
		     strcmp(p->prop[i].name, "FB_ID")))
			continue;
		if (!strcmp(p->prop[i].name, "SRC_X") ||
		    !strcmp(p->prop[i].name, "SRC_Y"))
			continue;
		t->arg_slot->flat[2][n] = p->prop[i].id;
		t->arg_slot->values[n++] = !strcmp(p->prop[i].name, "CRTC_ID") ? p->crtc :
				 plausible(t, p->prop[i].name);
	}
	one_object(t, a, n);
	a->flags = (one_in(t, 2) ? DRM_MODE_PAGE_FLIP_EVENT : 0) |
		   (one_in(t, 2) ? DRM_MODE_ATOMIC_NONBLOCK : 0);
}

OP(gamma)
{
	struct drm_mode_crtc_lut *a = data;

	a->crtc_id = t->p->crtc;
	a->gamma_size = below(t, 2) * 256;
	a->red = (uintptr_t)&t->arg_slot->memory;
	a->green = (uintptr_t)&t->arg_slot->memory;
	a->blue = (uintptr_t)&t->arg_slot->memory;
}

OP(getproperty)
{
	struct drm_mode_get_property *a = data;

	a->prop_id = t->p->prop[below(t, t->p->props)].id;
	a->count_values = below(t, 8);
	a->values_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(obj_getproperties)
{
	struct drm_mode_obj_get_properties *a = data;

	a->obj_id = t->p->arg_area->object[below(t, 16)];
	a->count_props = below(t, 32);
	a->props_ptr = (uintptr_t)&t->arg_slot->memory;
	a->prop_values_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(obj_setproperty)
{
	struct drm_mode_obj_set_property *a = data;
	int i = below(t, t->p->props);

	a->obj_id = t->p->prop[i].object;
	a->obj_type = t->p->prop[i].type;
	a->prop_id = t->p->prop[i].id;
	a->value = plausible(t, t->p->prop[i].name);
}

OP(setproperty)
{
	struct drm_mode_connector_set_property *a = data;

	a->connector_id = t->p->connector;
	a->prop_id = t->p->prop[below(t, t->p->props)].id;
	a->value = below(t, 4);
}

OP(createblob)
{
	struct drm_mode_create_blob *a = data;

	a->data = (uintptr_t)&t->arg_slot->memory;
	a->length = 16 * (1 + below(t, 8));
	if (one_in(t, 2)) {
		memcpy(&t->arg_slot->memory, &t->p->mode, sizeof(t->p->mode));
		a->length = sizeof(t->p->mode);
	}
}

END(createblob)
{
	uint32_t *slot = &t->p->blob[below(t, SLOTS)];
	struct drm_mode_destroy_blob old = { *slot };

	*slot = ((struct drm_mode_create_blob *)data)->blob_id;
	if (old.blob_id)
		ioctl(t->p->fd, DRM_IOCTL_MODE_DESTROYPROPBLOB, &old);
}

OP(blob)
{
	*(uint32_t *)data = some(t, t->p->blob);
}

OP(getblob)
{
	struct drm_mode_get_blob *a = data;

	a->blob_id = some(t, t->p->blob);
	a->length = 16 * (1 + below(t, 8));
	a->data = (uintptr_t)&t->arg_slot->memory;
}

OP(getresources)
{
	struct drm_mode_card_res *a = data;

	a->count_fbs = below(t, 8);
	a->count_crtcs = below(t, 8);
	a->count_connectors = below(t, 8);
	a->count_encoders = below(t, 8);
	a->fb_id_ptr = (uintptr_t)&t->arg_slot->memory;
	a->crtc_id_ptr = (uintptr_t)&t->arg_slot->memory;
	a->connector_id_ptr = (uintptr_t)&t->arg_slot->memory;
	a->encoder_id_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(getconnector)
{
	struct drm_mode_get_connector *a = data;

	a->connector_id = t->p->connector;
	a->count_modes = below(t, 2);
	a->count_props = below(t, 32);
	a->count_encoders = below(t, 2);
	a->modes_ptr = (uintptr_t)&t->arg_slot->memory;
	a->props_ptr = (uintptr_t)&t->arg_slot->memory;
	a->prop_values_ptr = (uintptr_t)&t->arg_slot->memory;
	a->encoders_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(object)
{
	*(uint32_t *)data = t->p->arg_area->object[below(t, 16)];
}

OP(getplane)
{
	struct drm_mode_get_plane *a = data;

	a->plane_id = t->p->arg_area->object[below(t, 16)];
	a->count_format_types = below(t, 16);
	a->format_type_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(getplaneres)
{
	struct drm_mode_get_plane_res *a = data;

	a->plane_id_ptr = (uintptr_t)&t->arg_slot->memory;
	a->count_planes = below(t, 16);
}

OP(setplane)
{
	struct drm_mode_set_plane *a = data;

	a->plane_id = one_in(t, 3) ? t->p->cursor : t->p->primary;
	a->crtc_id = t->p->crtc;
	a->fb_id = some(t, t->p->fb);
	a->crtc_w = t->p->mode.hdisplay;
	a->crtc_h = t->p->mode.vdisplay;
	a->src_w = a->crtc_w << 16;
	a->src_h = a->crtc_h << 16;
	if (a->plane_id == t->p->cursor) {
		a->crtc_w = CURSOR_SIZE;
		a->crtc_h = CURSOR_SIZE;
		a->src_w = a->crtc_w << 16;
		a->src_h = a->crtc_h << 16;
	}
}

OP(to_fd)
{
	struct drm_prime_handle *a = data;

	a->handle = some(t, t->p->arg_area->handle);
	a->flags = DRM_CLOEXEC | DRM_RDWR;
}

END(to_fd)
{
	struct drm_prime_handle *a = data;

	(void)t;
	close(a->fd);
}

OP(to_handle)
{
	struct drm_prime_handle *a = data;

	a->fd = t->p->foreign[below(t, 2)];
}

END(to_handle)
{
	replace_handle(t, ((struct drm_prime_handle *)data)->handle);
}

OP(get_cap)
{
	((struct drm_get_cap *)data)->capability = below(t, 24);
}

OP(client_cap)
{
	struct drm_set_client_cap *a = data;

	a->capability = 1 + below(t, 7);
	a->value = 1;
}

OP(queue_sequence)
{
	struct drm_crtc_queue_sequence *a = data;

	a->crtc_id = t->p->crtc;
	a->flags = below(t, 4);
	a->sequence = 1;
}

OP(get_sequence)
{
	((struct drm_crtc_get_sequence *)data)->crtc_id = t->p->crtc;
}

OP(vblank)
{
	union drm_wait_vblank *a = data;

	a->request.type = _DRM_VBLANK_RELATIVE | _DRM_VBLANK_EVENT |
			  below(t, 2) << _DRM_VBLANK_HIGH_CRTC_SHIFT;
	a->request.sequence = below(t, 3);
}

OP(syncobj_create)
{
	((struct drm_syncobj_create *)data)->flags = below(t, 2);
}

END(syncobj_create)
{
	uint32_t *slot = &t->p->arg_area->syncobj[below(t, SLOTS)];
	struct drm_syncobj_destroy old = { .handle = *slot };

	*slot = ((struct drm_syncobj_create *)data)->handle;
	if (old.handle)
		ioctl(t->p->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &old);
}

OP(syncobj)
{
	*(uint32_t *)data = some(t, t->p->arg_area->syncobj);
}

OP(syncobj_wait)
{
	struct drm_syncobj_wait *a = data;

	a->handles = (uintptr_t)t->p->arg_area->syncobj;
	a->count_handles = 1 + below(t, SLOTS);
	a->flags = below(t, 4);
}

OP(flink)
{
	((struct drm_gem_flink *)data)->handle = some(t, t->p->arg_area->handle);
}

OP(gem_open)
{
	((struct drm_gem_open *)data)->name = 1 + below(t, 64);
}

END(gem_open)
{
	replace_handle(t, ((struct drm_gem_open *)data)->handle);
}

OP(lease)
{
	struct drm_mode_create_lease *a = data;

	a->object_ids = (uintptr_t)t->p->arg_area->object;
	a->object_count = below(t, 8);
	a->flags = O_CLOEXEC;
}

END(lease)
{
	(void)t;
	close(((struct drm_mode_create_lease *)data)->fd);
}

OP(lessees)
{
	struct drm_mode_list_lessees *a = data;

	a->count_lessees = below(t, 8);
	a->lessees_ptr = (uintptr_t)&t->arg_slot->memory;
}

OP(anything)
{
	uint32_t *word = data;
	int i;

	for (i = 0; i < 32; i++)
		word[i] = odd_value(t);
}

/*
 * In place of a number: the driver's, and others, with any size and direction.
 */
#define ANY	1

struct op {
	const char *name;
	unsigned long request;
	void (*fill)(struct thread *t, void *data);
	void (*end)(struct thread *t, void *data);
	int weight;
	bool as_is;	/* with other values it would wait for long, or at all */
};

#define V(name, f, e, w) { #name, DRM_IOCTL_VIRTGPU_##name, fill_##f, e, w, false }
#define M(name, f, e, w) { #name, DRM_IOCTL_MODE_##name, fill_##f, e, w, false }
#define D(name, f, e, w) { #name, DRM_IOCTL_##name, fill_##f, e, w, false }

static const struct op ops[] = {
	V(GETPARAM, getparam, NULL, 2),
	V(MAP, map, NULL, 2),
	V(EXECBUFFER, execbuffer, NULL, 2),
	V(RESOURCE_CREATE, resource_create, end_resource_create, 3),
	V(RESOURCE_INFO, resource_info, NULL, 2),
	V(TRANSFER_FROM_HOST, transfer, NULL, 2),
	V(TRANSFER_TO_HOST, transfer, NULL, 4),
	V(WAIT, wait, NULL, 3),
	V(GET_CAPS, get_caps, NULL, 2),
	V(RESOURCE_CREATE_BLOB, create_blob, end_create_blob, 3),
	V(CONTEXT_INIT, context_init, NULL, 2),
	M(CREATE_DUMB, create_dumb, end_create_dumb, 4),
	M(MAP_DUMB, map_dumb, NULL, 2),
	M(DESTROY_DUMB, handle, NULL, 1),
	D(GEM_CLOSE, handle, NULL, 1),
	M(ADDFB, addfb, end_addfb, 2),
	M(ADDFB2, addfb2, end_addfb2, 6),
	M(RMFB, fb, NULL, 1),
	M(DIRTYFB, dirtyfb, NULL, 3),
	M(GETFB, fb, end_getfb, 1),
	M(GETFB2, fb, end_getfb2, 1),
	M(PAGE_FLIP, page_flip, NULL, 3),
	M(SETCRTC, setcrtc, NULL, 2),
	M(GETCRTC, getcrtc, NULL, 1),
	M(CURSOR, cursor, NULL, 3),
	M(CURSOR2, cursor, NULL, 3),
	M(ATOMIC, atomic, end_atomic, 8),
	{ "ATOMIC whole", DRM_IOCTL_MODE_ATOMIC, fill_show, end_atomic, 6, false },
	M(GETGAMMA, gamma, NULL, 1),
	M(SETGAMMA, gamma, NULL, 1),
	M(GETPROPERTY, getproperty, NULL, 1),
	M(OBJ_GETPROPERTIES, obj_getproperties, NULL, 1),
	M(OBJ_SETPROPERTY, obj_setproperty, NULL, 2),
	M(SETPROPERTY, setproperty, NULL, 1),
	M(CREATEPROPBLOB, createblob, end_createblob, 2),
	M(DESTROYPROPBLOB, blob, NULL, 1),
	M(GETPROPBLOB, getblob, NULL, 1),
	M(GETRESOURCES, getresources, NULL, 1),
	M(GETCONNECTOR, getconnector, NULL, 1),
	M(GETENCODER, object, NULL, 1),
	M(GETPLANE, getplane, NULL, 1),
	M(GETPLANERESOURCES, getplaneres, NULL, 1),
	M(SETPLANE, setplane, NULL, 3),
	D(PRIME_HANDLE_TO_FD, to_fd, end_to_fd, 3),
	D(PRIME_FD_TO_HANDLE, to_handle, end_to_handle, 3),
	D(GET_CAP, get_cap, NULL, 1),
	D(SET_CLIENT_CAP, client_cap, NULL, 1),
	D(CRTC_GET_SEQUENCE, get_sequence, NULL, 1),
	D(CRTC_QUEUE_SEQUENCE, queue_sequence, NULL, 1),
	{ "WAIT_VBLANK", DRM_IOCTL_WAIT_VBLANK, fill_vblank, NULL, 1, true },
	D(SYNCOBJ_CREATE, syncobj_create, end_syncobj_create, 1),
	D(SYNCOBJ_DESTROY, syncobj, NULL, 1),
	{ "SYNCOBJ_WAIT", DRM_IOCTL_SYNCOBJ_WAIT, fill_syncobj_wait, NULL, 1, true },
	D(GEM_FLINK, flink, NULL, 1),
	D(GEM_OPEN, gem_open, end_gem_open, 1),
	M(CREATE_LEASE, lease, end_lease, 1),
	M(LIST_LESSEES, lessees, NULL, 1),
	{ "mmap", 0, NULL, NULL, 3, false },
	{ "any number", ANY, fill_anything, NULL, 2, true },
};

#define OPS	((int)(sizeof(ops) / sizeof(*ops)))

enum outcome { NOT_MADE, FAILED, SUCCEEDED };

static __thread sigjmp_buf fault_jump;

static void on_fault(int signal)
{
	siglongjmp(fault_jump, signal);
}

static enum outcome do_mmap(struct thread *t)
{
	struct drm_mode_map_dumb args = { .handle = some(t, t->p->arg_area->handle) };
	size_t size = one_in(t, 4) ? odd_value(t) : 4096u << below(t, 6);
	volatile char *map;
	int prot = below(t, 4);

	ioctl(t->p->fd, DRM_IOCTL_MODE_MAP_DUMB, &args);
	if (one_in(t, 4))
		args.offset += (uint64_t)odd_value(t) << 12;
	map = mmap(NULL, size, prot, one_in(t, 8) ? MAP_PRIVATE : MAP_SHARED,
		   t->p->fd, args.offset);
	if (map == MAP_FAILED)
		return FAILED;
	if (!sigsetjmp(fault_jump, 1)) {
		(void)map[0];
		map[size - 1] = 1;
	}
	munmap((void *)map, size);
	return SUCCEEDED;
}

static void mutate(struct thread *t, void *data, size_t size)
{
	uint32_t *words = data;
	int n = 1 + below(t, 3);
	uint64_t pointer;
	size_t at;

	while (n--) {
		at = below(t, size / 4);
		if (one_in(t, 3) && size >= 8) {
			pointer = odd_pointer(t);
			memcpy((char *)data + (at * 4 & ~7ul) % (size - 7),
			       &pointer, 8);
		} else if (one_in(t, 3)) {
			words[at] ^= 1u << below(t, 32);
		} else {
			words[at] = one_in(t, 2) ? odd_value(t) :
						   some(t, t->p->arg_area->handle);
		}
	}
}

/* See MAX_BYTES. */
static bool too_big(unsigned long request, const void *data)
{
	const struct drm_virtgpu_resource_create_blob *blob = data;
	const struct drm_virtgpu_resource_create *res = data;
	const struct drm_mode_create_dumb *dumb = data;
	const struct drm_mode_create_blob *prop = data;
	uint64_t size = 0;

	switch (request) {
	case DRM_IOCTL_MODE_CREATE_DUMB:
		size = (uint64_t)dumb->width * dumb->height * 4;
		/* What does not fit into 32 bits is refused at once. */
		return size > MAX_BYTES && size <= UINT32_MAX;
	case DRM_IOCTL_VIRTGPU_RESOURCE_CREATE:
		return res->size > MAX_BYTES;
	case DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB:
		return blob->size > MAX_BYTES && blob->size < 1ull << 62;
	case DRM_IOCTL_MODE_CREATEPROPBLOB:
		/* DRM allocates up to 2 GiB before it looks at the data. */
		return prop->length > MAX_BYTES && prop->length <= INT32_MAX;
	default:
		return false;
	}
}

/*
 * The operation that the kernel takes a request for, whatever its size; or
 * @otherwise.
 */
static const struct op *same_number(unsigned long request, const struct op *otherwise)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (_IOC_NR(ops[i].request) == _IOC_NR(request))
			return &ops[i];
	return otherwise;
}

static enum outcome do_ioctl(struct thread *t, const struct op *op)
{
	union {
		uint64_t quad[64];
		char bytes[512];
	} args;
	unsigned long request = op->request;
	size_t size = _IOC_SIZE(request);

	memset(&args, 0, sizeof(args));
	op->fill(t, &args);
	if (request == ANY) {
		/* No number that a program could do harm with to the lease. */
		request = _IOC(below(t, 4), 'd', 0x40 + below(t, 0x60),
			       8 * below(t, 32));
		op = same_number(request, op);
	} else if (!op->as_is && one_in(t, 2)) {
		mutate(t, &args, size);
	}
	if (too_big(op->request, &args))
		return NOT_MADE;
	if (ioctl(t->p->fd, request, &args))
		return FAILED;
	if (op->end)
		op->end(t, &args);
	return SUCCEEDED;
}

static int pick_op(struct thread *t)
{
	static int total;
	int i, n;

	if (!total) {
		for (i = 0, n = 0; i < OPS; i++)
			n += ops[i].weight;
		total = n;
	}
	n = below(t, total);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	return i;
}

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
		outcome = ops[i].fill ? do_ioctl(t, &ops[i]) : do_mmap(t);
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

static void learn_object(struct program *p, uint32_t object, uint32_t type)
{
	drmModeObjectPropertiesPtr props;
	drmModePropertyPtr prop;
	uint32_t i;

	p->arg_area->object[p->objects++ % 16] = object;
	props = drmModeObjectGetProperties(p->fd, object, type);
	for (i = 0; props && i < props->count_props; i++) {
		prop = drmModeGetProperty(p->fd, props->props[i]);
		if (!prop || p->props == MAX_PROPS)
			break;
		p->prop[p->props].object = object;
		p->prop[p->props].type = type;
		p->prop[p->props].id = prop->prop_id;
		snprintf(p->prop[p->props].name, DRM_PROP_NAME_LEN, "%s",
			 prop->name);
		p->props++;
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
}

static void prepare_arg_area(struct program *p)
{
	size_t size = (sizeof(*p->arg_area) + 4095) & ~4095ul;
	char *base = mmap((void *)ARG_AREA_BASE, 1ul << 32, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			  MAP_FIXED_NOREPLACE, -1, 0);

	check(base == (void *)ARG_AREA_BASE);
	base += ARG_AREA_OFFSET;
	/* And a page whose end is the edge. */
	check_eq(mprotect(base, size + 4096, PROT_READ | PROT_WRITE), 0);
	p->arg_area = (struct arg_area *)base;
	p->edge = base + size + 4096;
}

static void learn(struct program *p, const struct output *out)
{
	struct buffer buf;
	int i;

	p->connector = out->connector;
	p->arg_area->connector = out->connector;
	p->crtc = out->crtc;
	p->primary = out->primary;
	p->cursor = out->cursor;
	p->mode = out->mode;
	learn_object(p, p->crtc, DRM_MODE_OBJECT_CRTC);
	learn_object(p, p->primary, DRM_MODE_OBJECT_PLANE);
	learn_object(p, p->cursor, DRM_MODE_OBJECT_PLANE);
	learn_object(p, p->connector, DRM_MODE_OBJECT_CONNECTOR);
	if (!p->props)
		p->props = 1;
	for (i = 0; i < 2; i++) {
		buffer_new(&buf, NULL, i ? SOURCE_RAM : SOURCE_STATIC,
			   p->mode.hdisplay, p->mode.vdisplay);
		p->foreign[i] = buf.fd;
	}
}

static void fuzz_program(struct program *p, uint64_t seed)
{
	struct sigaction action = { .sa_handler = on_fault };
	static struct thread threads[THREADS];
	pthread_t id[THREADS];
	int i;

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
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

	for (i = 0; i < OPS; i++)
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

	for (i = 0; i < OPS; i++) {
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
