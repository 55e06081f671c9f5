// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every ioctl, with arguments that make sense and arguments that do not.
 *
 * Each call starts from arguments that would work, of which some are then
 * replaced: by handles of something else, bad sizes, values that overflow, bad
 * pointers.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <virtgpu_drm.h>

#include "fuzz_ops.h"
#include "stress.h"

/* Larger buffers are a case of their own; these many fit at a time. */
#define MAX_BYTES	(4u << 20)

#define ARG_AREA_BASE	0x200000000000
#define ARG_AREA_OFFSET	0x5a5a0000

/* A tag has these bits; IDs are smaller. */
#define TAG		0x5d000000
/* Where IDs are tags, all numbers that may be those of the driver's objects. */
#define LEAST_ID	16
#define MOST_IDS	1024

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

uint32_t below(struct thread *t, uint32_t n)
{
	return (next(t) >> 32) % n;
}

static bool one_in(struct thread *t, uint32_t n)
{
	return below(t, n) == 0;
}

uint32_t odd_value(struct thread *t)
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
		return t->p->object[below(t, MAX_OBJECTS)];
	default:
		return values[below(t, sizeof(values) / sizeof(*values))];
	}
}

static uint32_t not_an_id(struct thread *t, uint32_t value)
{
	return t->p->tagged && value >= LEAST_ID && value < MOST_IDS ? value + MOST_IDS : value;
}

uint32_t odd_word(struct thread *t)
{
	return not_an_id(t, odd_value(t));
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
	uint32_t i = below(t, SLOTS);

	/* What is there more often than what is not. */
	return slots[i] ? slots[i] : slots[below(t, SLOTS)];
}

/*
 * IDs
 */

uint32_t real_id(const struct program *p, uint32_t value)
{
	return p->tagged && value >= TAG && value < TAG + (uint32_t)p->ids ? p->id[value - TAG] :
									      value;
}

uint32_t new_id(struct program *p, uint32_t id)
{
	if (!p->tagged)
		return id;
	check_cmp(p->ids, <, MAX_IDS);
	p->id[p->ids] = id;
	return TAG + p->ids++;
}

/* The same of what may have a tag already. */
static uint32_t learn_id(struct program *p, uint32_t id)
{
	int i;

	for (i = 0; p->tagged && i < p->ids; i++)
		if (p->id[i] == id)
			return TAG + i;
	return new_id(p, id);
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

	struct drm_virtgpu_execbuffer_syncobj *sync = t->arg_slot->sync;
	int i;

	for (i = 0; i < 4; i++) {
		sync[i].handle = some(t, t->p->arg_area->syncobj);
		sync[i].flags = i < 2 && one_in(t, 4) ? VIRTGPU_EXECBUF_SYNCOBJ_RESET : 0;
		sync[i].point = one_in(t, 4) ? below(t, 100) : 0;
		t->arg_slot->flat[3][i] = some(t, t->p->arg_area->handle);
	}
	a->flags = one_in(t, 2) ? below(t, 8) : 0;
	a->size = 4 * below(t, 64);
	a->command = (uintptr_t)&t->arg_slot->memory;
	a->bo_handles = (uintptr_t)t->arg_slot->flat[3];
	a->num_bo_handles = below(t, 4);
	a->fence_fd = t->p->syncfile;
	a->syncobj_stride = sizeof(*sync);
	a->num_in_syncobjs = one_in(t, 2) ? below(t, 3) : 0;
	a->in_syncobjs = (uintptr_t)sync;
	a->num_out_syncobjs = one_in(t, 2) ? below(t, 3) : 0;
	a->out_syncobjs = (uintptr_t)(sync + 2);
}

/* The next in-fence. */
END(execbuffer)
{
	struct drm_virtgpu_execbuffer *a = data;
	int old;

	if (!(a->flags & VIRTGPU_EXECBUF_FENCE_FD_OUT))
		return;
	old = __atomic_exchange_n(&t->p->syncfile, a->fence_fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
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

	a->blob_mem = one_in(t, 2) ? 1 + below(t, 3) : VIRTGPU_BLOB_MEM_GUEST;
	a->blob_flags = below(t, 4);
	a->size = 4096 * (1 + below(t, 200));
}

END(create_blob)
{
	replace_handle(t, ((struct drm_virtgpu_resource_create_blob *)data)->bo_handle);
}

OP(context_init)
{
	struct drm_virtgpu_context_set_param *p = (void *)t->arg_slot->values;
	struct drm_virtgpu_context_init *a = data;
	int i;

	a->num_params = below(t, 4);
	a->ctx_set_params = (uintptr_t)p;
	for (i = 0; i < MAX_FLAT / 2; i++) {
		p[i].param = 1 + below(t, 4);
		p[i].value = p[i].param == VIRTGPU_CONTEXT_PARAM_DEBUG_NAME ?
			     (uintptr_t)&t->arg_slot->memory : below(t, 8);
	}
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
	uint32_t old = __atomic_exchange_n(slot, new_id(t->p, fb), __ATOMIC_RELAXED);

	old = real_id(t->p, old);
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
			t->arg_slot->values[i] = one_in(t, 2) ? odd_word(t) :
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

	a->obj_id = t->p->object[below(t, MAX_OBJECTS)];
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
	struct drm_mode_destroy_blob old = { real_id(t->p, *slot) };

	*slot = new_id(t->p, ((struct drm_mode_create_blob *)data)->blob_id);
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
	*(uint32_t *)data = t->p->object[below(t, MAX_OBJECTS)];
}

OP(getplane)
{
	struct drm_mode_get_plane *a = data;

	a->plane_id = t->p->object[below(t, MAX_OBJECTS)];
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

#define V(name, f, e, w) { #name, DRM_IOCTL_VIRTGPU_##name, fill_##f, e, w, false }
#define M(name, f, e, w) { #name, DRM_IOCTL_MODE_##name, fill_##f, e, w, false }
#define D(name, f, e, w) { #name, DRM_IOCTL_##name, fill_##f, e, w, false }

const struct op ops[] = {
	V(GETPARAM, getparam, NULL, 2),
	V(MAP, map, NULL, 2),
	V(EXECBUFFER, execbuffer, end_execbuffer, 4),
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

const int num_ops = sizeof(ops) / sizeof(*ops);

static __thread sigjmp_buf fault_jump;

static void on_fault(int signal)
{
	siglongjmp(fault_jump, signal);
}

static enum outcome do_mmap(struct thread *t)
{
	struct drm_mode_map_dumb args = { .handle = some(t, t->p->arg_area->handle) };
	size_t size = one_in(t, 4) ? odd_value(t) : 4096u << below(t, 6);
	int prot = below(t, 4), flags = one_in(t, 8) ? MAP_PRIVATE : MAP_SHARED;
	uint64_t more = one_in(t, 4) ? (uint64_t)odd_value(t) << 12 : 0;
	volatile char *map;

	t->request = 0;
	memset(&t->tags, 0, sizeof(t->tags));
	t->tags.word[0] = args.handle;
	t->tags.word[1] = size;
	t->tags.word[2] = prot;
	t->tags.word[3] = flags;
	t->tags.word[4] = more >> 12;
	t->in = t->tags;

	ioctl(t->p->fd, DRM_IOCTL_MODE_MAP_DUMB, &args);
	map = mmap(NULL, size, prot, flags, t->p->fd, args.offset + more);
	t->error = map == MAP_FAILED ? errno : 0;
	t->args = t->tags;
	if (t->error)
		return FAILED;
	if (!sigsetjmp(fault_jump, 1)) {
		(void)map[0];
		map[size - 1] = 1;
	} else {
		t->error = EFAULT;
	}
	munmap((void *)map, size);
	return SUCCEEDED;
}

/* Whether an ioctl takes IDs of KMS; those that create buffers take sizes. */
static bool has_ids(unsigned long request)
{
	return request == DRM_IOCTL_WAIT_VBLANK || request == DRM_IOCTL_CRTC_GET_SEQUENCE ||
	       request == DRM_IOCTL_CRTC_QUEUE_SEQUENCE ||
	       (_IOC_NR(request) >= 0xa0 && request != DRM_IOCTL_MODE_CREATE_DUMB);
}

static void mutate(struct thread *t, void *data, size_t size, bool kms)
{
	uint32_t *words = data;
	int n = 1 + below(t, 3);
	uint32_t handle;
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
			handle = some(t, t->p->arg_area->handle);
			words[at] = one_in(t, 2) ? odd_value(t) : handle;
		}
		if (kms)
			words[at] = not_an_id(t, words[at]);
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

	for (i = 0; i < num_ops; i++)
		if (_IOC_NR(ops[i].request) == _IOC_NR(request))
			return &ops[i];
	return otherwise;
}

/* Put IDs in the place of the tags; @args are those of KMS. */
static void resolve(struct thread *t, union fuzz_args *args, size_t size)
{
	unsigned int i;

	for (i = 0; i < size / 4; i++)
		args->word[i] = real_id(t->p, args->word[i]);
	for (i = 0; i < MAX_FLAT; i++) {
		t->arg_slot->flat[0][i] = real_id(t->p, t->arg_slot->flat[0][i]);
		t->arg_slot->flat[2][i] = real_id(t->p, t->arg_slot->flat[2][i]);
		if (t->arg_slot->values[i] <= UINT32_MAX)
			t->arg_slot->values[i] = real_id(t->p, t->arg_slot->values[i]);
	}
}

static enum outcome do_ioctl(struct thread *t, const struct op *op)
{
	unsigned long request = op->request;
	size_t size = _IOC_SIZE(request);
	union fuzz_args *args = &t->args;

	memset(args, 0, sizeof(*args));
	op->fill(t, args);
	if (request == ANY) {
		/* No number that a program could do harm with to the lease. */
		request = _IOC(below(t, 4), 'd', 0x40 + below(t, 0x60),
			       8 * below(t, 32));
		op = same_number(request, op);
	} else if (!op->as_is && one_in(t, 2)) {
		mutate(t, args, size, has_ids(request));
	}
	if (too_big(op->request, args))
		return NOT_MADE;
	t->request = request;
	t->tags = *args;
	memcpy(t->flat, t->arg_slot->flat, sizeof(t->flat));
	memcpy(t->values, t->arg_slot->values, sizeof(t->values));
	if (has_ids(request))
		resolve(t, args, size);
	t->in = *args;
	t->error = ioctl(t->p->fd, request, args) ? errno : 0;
	if (t->error)
		return FAILED;
	if (op->end)
		op->end(t, args);
	return SUCCEEDED;
}

enum outcome fuzz_call(struct thread *t, const struct op *op)
{
	return op->fill ? do_ioctl(t, op) : do_mmap(t);
}

int pick_op(struct thread *t)
{
	static int total;
	int i, n;

	if (!total) {
		for (i = 0, n = 0; i < num_ops; i++)
			n += ops[i].weight;
		total = n;
	}
	n = below(t, total);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	return i;
}

/*
 * Programs
 */

/* Those that all drivers have; with tags there are no others. */
static bool is_common(const char *name)
{
	static const char * const names[] = {
		"ACTIVE", "CRTC_H", "CRTC_ID", "CRTC_W", "CRTC_X", "CRTC_Y", "DPMS", "EDID",
		"FB_DAMAGE_CLIPS", "FB_ID", "IN_FENCE_FD", "MODE_ID",
		"OUT_FENCE_PTR", "SRC_H", "SRC_W", "SRC_X", "SRC_Y", "link-status",
		"non-desktop", "type",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(drmModePropertyPtr *)a)->name, (*(drmModePropertyPtr *)b)->name);
}

static void learn_object(struct program *p, uint32_t object, uint32_t type)
{
	drmModeObjectPropertiesPtr props;
	drmModePropertyPtr prop[32];
	uint32_t i, n = 0;

	p->arg_area->object[p->objects % MAX_OBJECTS] = object;
	p->object[p->objects++ % MAX_OBJECTS] = learn_id(p, object);
	props = drmModeObjectGetProperties(p->fd, object, type);
	for (i = 0; props && i < props->count_props && n < 32; i++) {
		prop[n] = drmModeGetProperty(p->fd, props->props[i]);
		n += !!prop[n];
	}
	if (p->tagged)
		qsort(prop, n, sizeof(*prop), compare_names);
	for (i = 0; i < n; i++) {
		if (p->tagged)
			note("property %x %s", type, prop[i]->name);
		if (p->props < MAX_PROPS && (!p->tagged || is_common(prop[i]->name))) {
			p->prop[p->props].object = learn_id(p, object);
			p->prop[p->props].type = type;
			p->prop[p->props].id = learn_id(p, prop[i]->prop_id);
			snprintf(p->prop[p->props].name, DRM_PROP_NAME_LEN, "%s", prop[i]->name);
			p->props++;
		}
		drmModeFreeProperty(prop[i]);
	}
	drmModeFreeObjectProperties(props);
}

void prepare_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

void prepare_arg_area(struct program *p)
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

void learn(struct program *p, const struct output *out)
{
	struct buffer buf;
	int i;

	p->arg_area->connector = out->connector;
	p->mode = out->mode;
	learn_object(p, out->crtc, DRM_MODE_OBJECT_CRTC);
	learn_object(p, out->primary, DRM_MODE_OBJECT_PLANE);
	learn_object(p, out->cursor, DRM_MODE_OBJECT_PLANE);
	learn_object(p, out->connector, DRM_MODE_OBJECT_CONNECTOR);
	p->crtc = learn_id(p, out->crtc);
	p->primary = learn_id(p, out->primary);
	p->cursor = learn_id(p, out->cursor);
	p->connector = learn_id(p, out->connector);
	if (!p->props)
		p->props = 1;
	for (i = 0; i < 2; i++) {
		buffer_new(&buf, NULL, i ? SOURCE_RAM : SOURCE_STATIC,
			   p->mode.hdisplay, p->mode.vdisplay);
		p->foreign[i] = buf.fd;
	}
}
