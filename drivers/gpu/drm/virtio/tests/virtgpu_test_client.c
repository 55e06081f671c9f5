// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_uapi.h>
#include <drm/drm_blend.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_modes.h>
#include <drm/drm_property.h>
#include <drm/drm_vblank.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/*
 * A simulated user space client: opens the device, creates buffers and commits
 * framebuffers through the functions that implement the system calls.
 */

const struct virtgpu_test_config virtgpu_test_configs[] = {
	{ "blobs", VIRTGPU_MOCK_FEATURES, 64 },
	{ "2D resources", VIRTGPU_MOCK_NO_BLOB, 64 },
	{ "blobs, ring of 16, direct",
	  VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 16 },
	{ "2D resources, ring of 16, no event_idx, no EDID",
	  VIRTGPU_MOCK_NO_BLOB & ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX) & ~BIT_ULL(VIRTIO_GPU_F_EDID),
	  16 },
	{ "blobs, DMA addresses", VIRTGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM), 64 },
};

/* Parameter generator for KUNIT_CASE_PARAM(). */
const void *virtgpu_test_config_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct virtgpu_test_config *h =
		prev ? (const struct virtgpu_test_config *)prev + 1 : virtgpu_test_configs;

	if (h == virtgpu_test_configs + ARRAY_SIZE(virtgpu_test_configs))
		return NULL;
	strscpy(desc, h->name, KUNIT_PARAM_DESC_SIZE);

	return h;
}

static void client_close(void *data)
{
	struct virtgpu_test_client *u = data;

	while (u->fb_count)
		test_client_rmfb(u, u->fbs[u->fb_count - 1]);
	__fput_sync(u->filp);
	drm_dev_put(u->drm);
}

static struct virtgpu_test_client *client_open(struct kunit *test, struct virtgpu_mock *m,
					       bool render_node)
{
	struct virtgpu_test_client *u = kunit_kzalloc(test, sizeof(*u), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, u);
	u->test = test;
	u->mock = m;
	u->drm = virtgpu_mock_drm(m);
	KUNIT_ASSERT_NOT_NULL(test, u->drm);
	u->filp = mock_drm_getfile(render_node ? u->drm->render : u->drm->primary, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, u->filp);
	/* Opening the device node increments open_count. */
	atomic_inc(&u->drm->open_count);
	u->file = u->filp->private_data;
	drm_dev_get(u->drm);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, client_close, u), 0);

	return u;
}

/**
 * test_client_open() - Open the primary node of a device
 * @test: the running test
 * @m: a mock device that is bound to the driver
 *
 * Return: the client, which is closed at the end of the test.
 */
struct virtgpu_test_client *test_client_open(struct kunit *test, struct virtgpu_mock *m)
{
	return client_open(test, m, false);
}

/* As test_client_open(), but opens the render node. */
struct virtgpu_test_client *test_client_open_render(struct kunit *test, struct virtgpu_mock *m)
{
	return client_open(test, m, true);
}

/**
 * test_client_start() - Create a device, bind it and open it
 * @test: the running test
 * @h: configuration of the mock device
 * @scanouts: number of scanouts
 *
 * Return: the client, which is closed at the end of the test.
 */
struct virtgpu_test_client *test_client_start(struct kunit *test,
					      const struct virtgpu_test_config *h, u32 scanouts)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };

	config.features = h->features;
	config.ctrl_size = h->ring;
	config.scanouts = scanouts;

	return test_client_open(test, virtgpu_mock_start(test, &config));
}

void test_client_close(struct virtgpu_test_client *u)
{
	kunit_release_action(u->test, client_close, u);
}

/*
 * Buffers
 */

u32 test_client_dumb(struct virtgpu_test_client *u, u32 width, u32 height)
{
	struct drm_mode_create_dumb args = { .width = width, .height = height, .bpp = 32 };

	KUNIT_ASSERT_EQ(u->test, u->drm->driver->dumb_create(u->file, u->drm, &args), 0);
	KUNIT_EXPECT_GE(u->test, args.size, (u64)args.pitch * height);

	return args.handle;
}

/* Get the object of a handle, without a reference. */
struct drm_gem_object *test_client_object(struct virtgpu_test_client *u, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(u->file, handle);

	KUNIT_ASSERT_NOT_NULL(u->test, obj);
	drm_gem_object_put(obj);

	return obj;
}

void test_client_drop(struct virtgpu_test_client *u, u32 handle)
{
	KUNIT_EXPECT_EQ(u->test, drm_gem_handle_delete(u->file, handle), 0);
}

int test_client_import(struct virtgpu_test_client *u, struct dma_buf *dma_buf, u32 *handle)
{
	struct drm_gem_object *obj = u->drm->driver->gem_prime_import(u->drm, dma_buf);
	int ret;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ret = drm_gem_handle_create(u->file, obj, handle);
	drm_gem_object_put(obj);

	return ret;
}

struct drm_framebuffer *test_client_add_fb(struct virtgpu_test_client *u,
					   const struct drm_mode_fb_cmd2 *cmd)
{
	struct drm_framebuffer *fb;

	KUNIT_ASSERT_LT(u->test, u->fb_count, TEST_CLIENT_FBS);
	fb = virtgpu_fb_create(u->drm, u->file, drm_format_info(cmd->pixel_format), cmd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(u->test, fb);
	u->fbs[u->fb_count++] = fb;

	return fb;
}

struct drm_framebuffer *test_client_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
				       u32 height, u32 pitch, u32 offset)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = width,
		.height = height,
		.pixel_format = DRM_FORMAT_HOST_XRGB8888,
		.handles[0] = handle,
		.pitches[0] = pitch,
		.offsets[0] = offset,
	};

	return test_client_add_fb(u, &cmd);
}

/* Add a framebuffer in the format of cursors. */
struct drm_framebuffer *test_client_cursor_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
					      u32 height)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = width,
		.height = height,
		.pixel_format = DRM_FORMAT_HOST_ARGB8888,
		.handles[0] = handle,
		.pitches[0] = width * 4,
	};

	return test_client_add_fb(u, &cmd);
}

/* Create a framebuffer of a dumb buffer that has no other reference. */
struct drm_framebuffer *test_client_new_fb(struct virtgpu_test_client *u, u32 width, u32 height)
{
	u32 handle = test_client_dumb(u, width, height);
	struct drm_framebuffer *fb = test_client_fb(u, handle, width, height, width * 4, 0);

	test_client_drop(u, handle);

	return fb;
}

struct drm_framebuffer *test_client_new_cursor(struct virtgpu_test_client *u, u32 width, u32 height)
{
	u32 handle = test_client_dumb(u, width, height);
	struct drm_framebuffer *fb = test_client_cursor_fb(u, handle, width, height);

	test_client_drop(u, handle);

	return fb;
}

/* Remove a framebuffer, which disables the outputs that show it. */
void test_client_rmfb(struct virtgpu_test_client *u, struct drm_framebuffer *fb)
{
	unsigned int i;

	for (i = 0; i < u->fb_count && u->fbs[i] != fb; i++)
		;
	KUNIT_ASSERT_LT(u->test, i, u->fb_count);
	u->fbs[i] = u->fbs[--u->fb_count];
	drm_framebuffer_remove(fb);
}

/* A pattern in which all pixels differ. */
u32 test_client_color(u32 pattern_id, u32 x, u32 y)
{
	return pattern_id << 24 | y << 12 | x;
}

/* The CPU stores the result as the pixel. */
static u32 pixel_of(const struct drm_framebuffer *fb, u32 color)
{
	switch (fb->format->format) {
	case DRM_FORMAT_BGRX8888:
	case DRM_FORMAT_BGRA8888:
		return (__force u32)cpu_to_be32(color);
	default:
		return (__force u32)cpu_to_le32(color);
	}
}

void test_client_fill(struct virtgpu_test_client *u, struct drm_framebuffer *fb, u32 pattern_id,
		      u32 (*color)(u32 pattern_id, u32 x, u32 y))
{
	struct iosys_map map;
	u32 x, y;

	KUNIT_ASSERT_EQ(u->test, drm_gem_vmap(fb->obj[0], &map), 0);
	for (y = 0; y < fb->height; y++)
		for (x = 0; x < fb->width; x++)
			iosys_map_wr(&map, fb->offsets[0] + y * fb->pitches[0] + x * 4, u32,
				     pixel_of(fb, color(pattern_id, x, y)));
	drm_gem_vunmap(fb->obj[0], &map);
}

/* Fill a rectangle, so that the buffer differs from its last frame there. */
void test_client_fill_clip(struct virtgpu_test_client *u, struct drm_framebuffer *fb,
			   const struct drm_mode_rect *clip, u32 pattern_id)
{
	struct iosys_map map;
	int x, y;

	KUNIT_ASSERT_EQ(u->test, drm_gem_vmap(fb->obj[0], &map), 0);
	for (y = clip->y1; y < clip->y2; y++)
		for (x = clip->x1; x < clip->x2; x++)
			iosys_map_wr(&map, fb->offsets[0] + y * fb->pitches[0] + x * 4, u32,
				     pixel_of(fb, test_client_color(pattern_id, x, y)));
	drm_gem_vunmap(fb->obj[0], &map);
}

void test_client_fill_pattern(struct virtgpu_test_client *u, struct drm_framebuffer *fb,
			      u32 pattern_id)
{
	test_client_fill(u, fb, pattern_id, test_client_color);
}

/* Check whether an output shows this part of a pattern. */
bool test_client_scanout_matches(struct virtgpu_test_client *u, unsigned int output, u32 pattern_id,
				 u32 x, u32 y, u32 w, u32 h)
{
	u32 i, j;

	for (j = 0; j < h; j++)
		for (i = 0; i < w; i++)
			if (virtgpu_mock_pixel(u->mock, output, i, j) !=
			    test_client_color(pattern_id, x + i, y + j))
				return false;

	return true;
}

static const char *writer_name(struct dma_fence *fence)
{
	return "writer";
}

static void writer_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	set_bit(DMA_FENCE_FLAG_USER_BITS, &fence->flags);
}

static const struct dma_fence_ops writer_ops = {
	.get_driver_name = writer_name,
	.get_timeline_name = writer_name,
	.set_deadline = writer_set_deadline,
};

/* Check whether a fence of test_client_add_write_fence() has got a deadline. */
bool test_client_has_deadline(const struct dma_fence *fence)
{
	return test_bit(DMA_FENCE_FLAG_USER_BITS, &fence->flags);
}

static DEFINE_SPINLOCK(writer_lock);

/**
 * test_client_add_write_fence() - Add an unsignalled write fence to a buffer
 * @u: the client
 * @resv: reservation object of the buffer, or NULL
 *
 * Return: the fence, with a reference. The test must signal the fence.
 */
struct dma_fence *test_client_add_write_fence(struct virtgpu_test_client *u, struct dma_resv *resv)
{
	struct dma_fence *fence = kzalloc_obj(*fence);

	KUNIT_ASSERT_NOT_NULL(u->test, fence);
	dma_fence_init(fence, &writer_ops, &writer_lock, dma_fence_context_alloc(1), 1);
	if (!resv)
		return fence;

	dma_resv_lock(resv, NULL);
	KUNIT_EXPECT_EQ(u->test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(resv);

	return fence;
}

/*
 * Commits
 */

static struct virtgpu_output *output(struct virtgpu_test_client *u, unsigned int index)
{
	return &to_virtgpu(u->drm)->kms.outputs[index];
}

static void fill_mode(struct drm_display_mode *mode, u32 width, u32 height)
{
	memset(mode, 0, sizeof(*mode));
	mode->hdisplay = width;
	mode->hsync_start = width + 8;
	mode->hsync_end = width + 16;
	mode->htotal = width + 32;
	mode->vdisplay = height;
	mode->vsync_start = height + 2;
	mode->vsync_end = height + 4;
	mode->vtotal = height + 8;
	mode->clock = DIV_ROUND_UP(mode->htotal * mode->vtotal * 60, 1000);
	drm_mode_set_name(mode);
	drm_mode_set_crtcinfo(mode, CRTC_INTERLACE_HALVE_V);
}

static struct drm_pending_vblank_event *new_event(struct virtgpu_test_client *u, unsigned int index)
{
	struct drm_pending_vblank_event *e = kzalloc_obj(*e);

	if (!e)
		return NULL;
	e->event.base.type = DRM_EVENT_FLIP_COMPLETE;
	e->event.base.length = sizeof(e->event.vbl);
	e->event.vbl.user_data = index;
	if (drm_event_reserve_init(u->drm, u->file, &e->base, &e->event.base)) {
		kfree(e);
		return NULL;
	}

	return e;
}

/* Free the events that the commit has not sent. */
static void cancel_events(struct virtgpu_test_client *u, struct drm_atomic_commit *state)
{
	struct drm_crtc_state *crtc_state;
	struct drm_crtc *crtc;
	int i;

	for_each_new_crtc_in_state(state, crtc, crtc_state, i) {
		struct drm_pending_vblank_event *e = crtc_state->event;

		if (!e || !e->base.file_priv)
			continue;
		drm_event_cancel_free(u->drm, &e->base);
		crtc_state->event = NULL;
	}
}

static int set_clips(struct virtgpu_test_client *u, struct drm_plane_state *plane,
		     const struct virtgpu_show *s)
{
	struct drm_property_blob *blob;

	if (!s->clip)
		return 0;
	blob = drm_property_create_blob(u->drm, sizeof(*s->clip) * (s->num_clips ?: 1), s->clip);
	if (IS_ERR(blob))
		return PTR_ERR(blob);
	drm_property_replace_blob(&plane->fb_damage_clips, blob);
	drm_property_blob_put(blob);

	return 0;
}

static int add_show(struct virtgpu_test_client *u, struct drm_atomic_commit *state,
		    const struct virtgpu_show *s, enum virtgpu_how how)
{
	struct virtgpu_output *out = output(u, s->output);
	struct drm_connector_state *connector;
	struct drm_display_mode mode;
	struct drm_plane_state *plane;
	struct drm_crtc_state *crtc;
	int ret;

	crtc = drm_atomic_get_crtc_state(state, &out->crtc);
	plane = IS_ERR(crtc) ? ERR_CAST(crtc) : drm_atomic_get_plane_state(state, out->primary);
	connector = IS_ERR(plane) ? ERR_CAST(plane) :
		    drm_atomic_get_connector_state(state, &out->connector);
	if (IS_ERR(connector))
		return PTR_ERR(connector);

	if (s->fb)
		fill_mode(&mode, s->w ?: s->fb->width, s->h ?: s->fb->height);
	ret = drm_atomic_set_mode_for_crtc(crtc, s->fb ? &mode : NULL);
	if (!ret)
		ret = drm_atomic_set_crtc_for_connector(connector, s->fb ? &out->crtc : NULL);
	if (!ret)
		ret = drm_atomic_set_crtc_for_plane(plane, s->fb ? &out->crtc : NULL);
	if (!ret)
		ret = set_clips(u, plane, s);
	if (ret)
		return ret;

	crtc->active = s->fb;
	drm_atomic_set_fb_for_plane(plane, s->fb);
	if (s->fb) {
		plane->crtc_x = s->crtc_x;
		plane->crtc_w = mode.hdisplay;
		plane->crtc_h = mode.vdisplay;
		plane->src_x = s->x << 16;
		plane->src_y = s->y << 16;
		plane->src_w = mode.hdisplay << 16;
		plane->src_h = mode.vdisplay << 16;
	}
	if (how == VIRTGPU_FLIP) {
		crtc->event = new_event(u, s->output);
		if (!crtc->event)
			return -ENOMEM;
		crtc->event->base.fence = s->out_fence ? dma_fence_get(s->out_fence) : NULL;
	}

	return 0;
}

/**
 * test_client_commit() - Commit one or more outputs atomically
 * @u: the client
 * @shows: the new states of the outputs
 * @n: number of @shows
 * @how: see enum virtgpu_how
 *
 * Return: the result of the commit.
 */
int test_client_commit(struct virtgpu_test_client *u, const struct virtgpu_show *shows,
		       unsigned int n, enum virtgpu_how how)
{
	struct drm_modeset_acquire_ctx ctx;
	struct drm_atomic_commit *state;
	unsigned int i;
	int ret;

	state = drm_atomic_commit_alloc(u->drm);
	if (!state)
		return -ENOMEM;
	drm_modeset_acquire_init(&ctx, 0);
	state->acquire_ctx = &ctx;
	state->allow_modeset = how == VIRTGPU_WAIT;
retry:
	ret = 0;
	for (i = 0; i < n && !ret; i++) {
		ret = add_show(u, state, &shows[i], how);
		/* Like compositors, allow a modeset only if needed. */
		if (!shows[i].fb || !output(u, shows[i].output)->frames.scanout_state.resource)
			state->allow_modeset = true;
	}
	if (!ret && how == VIRTGPU_FLIP)
		ret = drm_atomic_nonblocking_commit(state);
	else if (!ret)
		ret = drm_atomic_commit(state);
	if (ret)
		cancel_events(u, state);
	if (ret == -EDEADLK) {
		drm_atomic_commit_clear(state);
		ret = drm_modeset_backoff(&ctx);
		if (!ret)
			goto retry;
	}
	drm_atomic_commit_put(state);
	drm_modeset_drop_locks(&ctx);
	drm_modeset_acquire_fini(&ctx);

	return ret;
}

int test_client_show(struct virtgpu_test_client *u, unsigned int output, struct drm_framebuffer *fb)
{
	struct virtgpu_show show = { .output = output, .fb = fb };

	return test_client_commit(u, &show, 1, VIRTGPU_WAIT);
}

int test_client_flip(struct virtgpu_test_client *u, unsigned int output, struct drm_framebuffer *fb)
{
	struct virtgpu_show show = { .output = output, .fb = fb };

	return test_client_commit(u, &show, 1, VIRTGPU_FLIP);
}

/* Update the cursor like the legacy ioctl, asynchronously if possible. */
int test_client_cursor(struct virtgpu_test_client *u, unsigned int index,
		       struct drm_framebuffer *fb, int x, int y)
{
	struct virtgpu_output *out = output(u, index);
	struct drm_plane *plane = out->crtc.cursor;
	struct drm_modeset_acquire_ctx ctx;
	int ret;

	drm_modeset_acquire_init(&ctx, 0);
retry:
	if (fb)
		ret = plane->funcs->update_plane(plane, &out->crtc, fb, x, y, fb->width, fb->height,
						 0, 0, fb->width << 16, fb->height << 16, &ctx);
	else
		ret = plane->funcs->disable_plane(plane, &ctx);
	if (ret == -EDEADLK) {
		ret = drm_modeset_backoff(&ctx);
		if (!ret)
			goto retry;
	}
	drm_modeset_drop_locks(&ctx);
	drm_modeset_acquire_fini(&ctx);

	return ret;
}

/* Set the property ACTIVE only: the planes keep their framebuffers. */
int test_client_set_active(struct virtgpu_test_client *u, unsigned int index, bool active)
{
	struct drm_modeset_acquire_ctx ctx;
	struct drm_atomic_commit *state;
	struct drm_crtc_state *crtc;
	int ret;

	state = drm_atomic_commit_alloc(u->drm);
	if (!state)
		return -ENOMEM;
	state->acquire_ctx = &ctx;
	DRM_MODESET_LOCK_ALL_BEGIN(u->drm, ctx, 0, ret);
	crtc = drm_atomic_get_crtc_state(state, &output(u, index)->crtc);
	ret = PTR_ERR_OR_ZERO(crtc);
	if (!ret) {
		crtc->active = active;
		ret = drm_atomic_commit(state);
	}
	DRM_MODESET_LOCK_ALL_END(u->drm, ctx, ret);
	drm_atomic_commit_put(state);

	return ret;
}

static void read_events(struct virtgpu_test_client *u)
{
	struct drm_pending_event *e, *next;
	LIST_HEAD(events);

	spin_lock_irq(&u->drm->event_lock);
	list_splice_init(&u->file->event_list, &events);
	list_for_each_entry(e, &events, link)
		u->file->event_space += e->event->length;
	spin_unlock_irq(&u->drm->event_lock);

	list_for_each_entry_safe(e, next, &events, link) {
		struct drm_event_vblank *vbl = (void *)e->event;

		if (e->event->type == DRM_EVENT_FLIP_COMPLETE)
			u->flips[vbl->user_data]++;
		if (e->event->type == VIRTGPU_EVENT_FENCE_SIGNALED)
			u->signals++;
		kfree(e);
	}
}

/**
 * test_client_flips() - Count the flip events of an output
 * @u: the client
 * @index: index of the output
 *
 * Return: the number of events since the client was opened.
 */
unsigned int test_client_flips(struct virtgpu_test_client *u, unsigned int index)
{
	read_events(u);

	return u->flips[index];
}

/**
 * test_client_signals() - Count the events of polled rings
 * @u: the client
 *
 * Return: the number of events since the client was opened.
 */
unsigned int test_client_signals(struct virtgpu_test_client *u)
{
	read_events(u);

	return u->signals;
}

/* Call an ioctl of the driver with arguments in kernel memory. */
int test_client_ioctl(struct virtgpu_test_client *u, unsigned int nr, void *data)
{
	const struct drm_driver *driver = u->drm->driver;
	const struct drm_ioctl_desc *desc = &driver->ioctls[nr];

	if (nr >= driver->num_ioctls || !desc->func)
		return -EINVAL;

	return drm_ioctl_kernel(u->filp, desc->func, data, desc->flags);
}

/**
 * test_client_memory() - Allocate user memory
 * @test: the running test; the memory is freed at its end
 * @data: initial contents, or NULL
 * @size: size in bytes
 *
 * Return: the user address.
 */
u64 test_client_memory(struct kunit *test, const void *data, size_t size)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(size), PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	KUNIT_ASSERT_NE(test, addr, 0);
	if (data)
		KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)addr, data, size), 0);

	return addr;
}
