// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/shrinker.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/*
 * Imported dma-bufs: shown in place, and detached when the exporter moves them.
 */

#define W 64
#define H 48
#define SIZE (W * H * 4)

struct exporter_case {
	const char *name;
	enum virtgpu_mock_exporter exporter;
	u64 features;
	unsigned int ring;
	bool no_peer;
};

/* The first NUM_DYNAMIC ones can move. */
static const struct exporter_case exporter_cases[] = {
	{ "dynamic", VIRTGPU_MOCK_DYNAMIC, VIRTGPU_MOCK_FEATURES, 64 },
	{ "dynamic, no blobs", VIRTGPU_MOCK_DYNAMIC, VIRTGPU_MOCK_NO_BLOB, 64 },
	{ "dynamic, ring of 16, direct", VIRTGPU_MOCK_DYNAMIC,
	  VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 16 },
	{ "peer-to-peer", VIRTGPU_MOCK_VRAM, VIRTGPU_MOCK_FEATURES, 64 },
	{ "peer-to-peer, no blobs", VIRTGPU_MOCK_VRAM, VIRTGPU_MOCK_NO_BLOB, 64 },
	{ "static", VIRTGPU_MOCK_STATIC, VIRTGPU_MOCK_FEATURES, 64 },
	{ "static, no blobs", VIRTGPU_MOCK_STATIC, VIRTGPU_MOCK_NO_BLOB, 64 },
};

#define NUM_DYNAMIC 5

static void exporter_desc(const struct exporter_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(exporter, exporter_cases, exporter_desc);

static const void *dynamic_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct exporter_case *c = prev ? (const struct exporter_case *)prev + 1 :
					       exporter_cases;

	if (c == exporter_cases + NUM_DYNAMIC)
		return NULL;
	exporter_desc(c, desc);

	return c;
}

/* A device, a buffer of another device, and a client that imports it. */
struct import_test {
	struct virtgpu_mock *m;
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	u32 handle;
	struct drm_framebuffer *fb;
};

static struct virtgpu_mock *start_mock(struct kunit *test, const struct exporter_case *c)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };

	config.features = c->features;
	config.ctrl_size = c->ring;
	config.scanouts = 2;
	config.no_peer = c->no_peer;

	return virtgpu_mock_start(test, &config);
}

static void import(struct import_test *s)
{
	KUNIT_ASSERT_EQ(s->u->test, test_client_import(s->u, s->b->dma_buf, &s->handle), 0);
	s->fb = test_client_fb(s->u, s->handle, W, H, W * 4, 0);
}

static struct import_test set_up(struct kunit *test, const struct exporter_case *c)
{
	struct import_test s = { };

	s.m = start_mock(test, c);
	s.b = virtgpu_mock_buffer_create(test, s.m, c->exporter, SIZE);
	s.u = test_client_open(test, s.m);
	import(&s);

	return s;
}

static void show(struct import_test *s, u32 seed)
{
	test_client_fill_pattern(s->u, s->fb, seed);
	KUNIT_ASSERT_EQ(s->u->test, test_client_show(s->u, 0, s->fb), 0);
	KUNIT_EXPECT_TRUE(s->u->test, test_client_scanout_is(s->u, 0, seed, W, H));
}

/* The host rejects the first commands for the frame. */
static void show_later(struct import_test *s, u32 seed)
{
	test_client_fill_pattern(s->u, s->fb, seed);
	KUNIT_ASSERT_EQ(s->u->test, test_client_show(s->u, 0, s->fb), 0);
	KUNIT_EXPECT_TRUE(s->u->test,
			  virtgpu_mock_wait(test_client_scanout_is(s->u, 0, seed, W, H)));
}

static void hide(struct import_test *s)
{
	KUNIT_ASSERT_EQ(s->u->test, test_client_show(s->u, 0, NULL), 0);
	KUNIT_ASSERT_TRUE(s->u->test, virtgpu_mock_wait(!READ_ONCE(s->b->pins)));
}

/* Free the framebuffer and the handle. */
static void drop(struct import_test *s)
{
	test_client_rmfb(s->u, s->fb);
	test_client_drop(s->u, s->handle);
}

static void expect_released(struct import_test *s)
{
	KUNIT_EXPECT_TRUE(s->u->test, virtgpu_mock_wait(!READ_ONCE(s->b->attachments)));
	KUNIT_EXPECT_EQ(s->u->test, s->b->mappings, 0);
	KUNIT_EXPECT_EQ(s->u->test, s->b->pins, 0);
	KUNIT_EXPECT_TRUE(s->u->test, virtgpu_mock_wait(!virtgpu_mock_resources(s->m)));
}

/* Number of blobs and 2D resources created. */
static unsigned int creations(struct virtgpu_mock *m)
{
	return virtgpu_mock_count(m, CMD(RESOURCE_CREATE_BLOB)) +
		virtgpu_mock_count(m, CMD(RESOURCE_CREATE_2D));
}

static bool host_has_blobs(const struct import_test *s)
{
	return virtgpu_mock_has(s->m, VIRTIO_GPU_F_RESOURCE_BLOB);
}

/*
 * Scanout
 */

static void import_show(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct import_test s = set_up(test, c);

	/* The import alone pins and maps nothing, and creates no resource. */
	KUNIT_EXPECT_EQ(test, s.b->attachments, 1);
	KUNIT_EXPECT_EQ(test, s.b->maps, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(s.m), 0);

	show(&s, 1);
	KUNIT_EXPECT_EQ(test, s.b->pins, c->exporter == VIRTGPU_MOCK_STATIC ? 0 : 1);
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resource_is_blob(s.m, virtgpu_mock_shown(s.m, 0)),
			host_has_blobs(&s));
	/* A blob is shown in place; a 2D resource needs a transfer. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(TRANSFER_TO_HOST_2D)),
			host_has_blobs(&s) ? 0 : 1);

	/* The mapping and the resource are kept. */
	hide(&s);
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);
	show(&s, 2);
	KUNIT_EXPECT_EQ(test, s.b->maps, 1);
	KUNIT_EXPECT_EQ(test, creations(s.m), 1);

	drop(&s);
	expect_released(&s);
	KUNIT_EXPECT_EQ(test, s.m->state.lost, 0);
}

static void flips(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct import_test s[2];
	unsigned int i;

	s[0].m = start_mock(test, c);
	s[1].m = s[0].m;
	for (i = 0; i < 2; i++)
		s[i].b = virtgpu_mock_buffer_create(test, s[i].m,
						    c->exporter == VIRTGPU_MOCK_VRAM && i ?
						    VIRTGPU_MOCK_DYNAMIC : c->exporter, SIZE);
	s[0].u = test_client_open(test, s[0].m);
	s[1].u = s[0].u;
	import(&s[0]);
	import(&s[1]);

	show(&s[0], 0);
	for (i = 1; i <= 6; i++) {
		test_client_fill_pattern(s[0].u, s[i % 2].fb, i);
		KUNIT_ASSERT_EQ(test, test_client_flip(s[0].u, 0, s[i % 2].fb), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(s[0].u, 0) == i));
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s[0].u, 0, i, W, H));
		/* The previous buffer is unpinned. */
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s[(i + 1) % 2].b->pins)));
	}
	KUNIT_EXPECT_EQ(test, creations(s[0].m), 2);
	KUNIT_EXPECT_EQ(test, s[0].b->maps, 1);
	KUNIT_EXPECT_EQ(test, s[1].b->maps, 1);
}

/* On two outputs: one pin, which stays while either output shows the buffer. */
static void mirror(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	show(&s, 1);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 1, s.fb), 0);
	KUNIT_EXPECT_EQ(test, s.b->pins, 1);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 1, 1, W, H));
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, NULL), 0);
	msleep(50);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), -EBUSY);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 1, NULL), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
}

static void cursor(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct virtgpu_mock_pointer *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct drm_framebuffer *screen;
	struct import_test s = { };

	KUNIT_ASSERT_NOT_NULL(test, p);
	s.m = start_mock(test, c);
	s.b = virtgpu_mock_buffer_create(test, s.m, c->exporter, 64 * 64 * 4);
	s.u = test_client_open(test, s.m);
	KUNIT_ASSERT_EQ(test, test_client_import(s.u, s.b->dma_buf, &s.handle), 0);
	s.fb = test_client_cursor_fb(s.u, s.handle, 64, 64);
	screen = test_client_new_fb(s.u, W, H);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, screen), 0);

	test_client_fill_pattern(s.u, s.fb, 5);
	KUNIT_ASSERT_EQ(test, test_client_cursor(s.u, 0, s.fb, 1, 2), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(({
		virtgpu_mock_pointer(s.m, 0, p);
		p->resource;
	})));
	KUNIT_EXPECT_EQ(test, p->image[64 * 30 + 7], test_client_color(5, 7, 30));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), -EBUSY);

	KUNIT_ASSERT_EQ(test, test_client_cursor(s.u, 0, NULL, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
}

/*
 * Invalidation by the exporter
 */

static void move_unused(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	test_client_fill_pattern(s.u, s.fb, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_buffer_is_idle(s.b));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_DETACH_BACKING)), 0);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, s.fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 1, W, H));
}

static void move_hidden(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	unsigned int i;

	for (i = 0; i < 6; i++) {
		show(&s, i);
		KUNIT_EXPECT_EQ(test, s.b->maps, i + 1);
		KUNIT_EXPECT_EQ(test, creations(s.m), i + 1);
		hide(&s);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_DETACH_BACKING)), i + 1);
		/* The old memory is unmapped. */
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(s.m)));
	}
	/* A second move has nothing to detach. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	virtgpu_mock_wait_idle(s.m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_DETACH_BACKING)), i);
}

static void move_shown(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct drm_framebuffer *other = test_client_new_fb(s.u, W, H);
	unsigned int frames;

	show(&s, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), -EBUSY);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 1, W, H));

	/*
	 * The buffer can move when the next frame is queued, and its fence
	 * waits for the host.
	 */
	virtgpu_mock_wait_idle(s.m);
	frames = virtgpu_mock_flushes(s.m, 0);
	virtgpu_mock_freeze(s.m);
	KUNIT_ASSERT_EQ(test, test_client_flip(s.u, 0, other), 0);
	KUNIT_EXPECT_EQ(test, s.b->pins, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	while (virtgpu_mock_flushes(s.m, 0) == frames) {
		KUNIT_EXPECT_FALSE(test, virtgpu_mock_buffer_is_idle(s.b));
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_step(s.m));
	}
	virtgpu_mock_thaw(s.m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
}

/*
 * The fence in the reservation object and the mapping wait for DETACH_BACKING.
 */
static void move_waits_for_host(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	show(&s, 1);
	hide(&s);
	virtgpu_mock_hold(s.m, CMD(RESOURCE_DETACH_BACKING));
	virtgpu_mock_hold(s.m, CMD(RESOURCE_UNREF));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(s.m, 0) == 2));
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_buffer_is_idle(s.b));
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);

	/* The buffer can be shown at its new address meanwhile. */
	show(&s, 2);
	KUNIT_EXPECT_EQ(test, s.b->mappings, 2);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_buffer_is_idle(s.b));

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(s.m, CMD(RESOURCE_DETACH_BACKING)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_buffer_is_idle(s.b));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(s.m, CMD(RESOURCE_UNREF)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(READ_ONCE(s.b->mappings) == 1));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 2, W, H));
}

/* The buffer moves while the creation of its resource is pending. */
static void move_in_creation(struct kunit *test)
{
	const u32 types[] = {
		CMD(RESOURCE_CREATE_BLOB), CMD(RESOURCE_CREATE_2D), CMD(RESOURCE_ATTACH_BACKING),
		CMD(SET_SCANOUT), CMD(SET_SCANOUT_BLOB), CMD(TRANSFER_TO_HOST_2D),
	};
	struct import_test s = set_up(test, test->param_value);
	struct drm_framebuffer *other = test_client_new_fb(s.u, W, H);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		virtgpu_mock_hold(s.m, types[i]);
	show(&s, 1);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, other), 0);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_GT(test, virtgpu_mock_release(s.m, 0), 2);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));
	show(&s, 2);
}

/* Get a reference to the fence that the exporter waits for. */
static struct dma_fence *detach_fence(struct import_test *s)
{
	struct dma_fence *fence = NULL;

	dma_resv_lock(s->b->dma_buf->resv, NULL);
	KUNIT_EXPECT_EQ(s->u->test, dma_resv_get_singleton(s->b->dma_buf->resv,
							   DMA_RESV_USAGE_BOOKKEEP, &fence), 0);
	dma_resv_unlock(s->b->dma_buf->resv);
	KUNIT_ASSERT_NOT_NULL(s->u->test, fence);

	return fence;
}

/* The fence of DETACH_BACKING has no timeout. */
static void move_no_deadline(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct dma_fence *fence;

	show(&s, 1);
	hide(&s);
	virtgpu_mock_hold(s.m, CMD(RESOURCE_DETACH_BACKING));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	fence = detach_fence(&s);
	virtgpu_mock_ticks(s.m, VIRTGPU_MOCK_TEN_MINUTES);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_buffer_is_idle(s.b));
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(s.m, 0), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));
	show(&s, 2);
	drop(&s);
	expect_released(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_vgdev(s.m)->ctrl.num_pending, 0);
}

/*
 * The display holds the frame: the import stays pinned until the next frame is
 * queued.
 */
static void import_held(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct drm_framebuffer *other = test_client_new_fb(s.u, W, H);

	virtgpu_mock_hold(s.m, CMD(RESOURCE_FLUSH));
	test_client_fill_pattern(s.u, other, 5);
	/* Returns when the display is found to hold the frame. */
	show(&s, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(s.m, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, other), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(s.m, CMD(RESOURCE_FLUSH)), 1);
	KUNIT_EXPECT_EQ(test, s.b->pins, 1);

	virtgpu_mock_release(s.m, CMD(RESOURCE_FLUSH));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 0, 5, W, H)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	KUNIT_EXPECT_EQ(test, s.m->state.lost, 0);
}

static void detach_rejected(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct dma_fence *fence;

	show(&s, 1);
	hide(&s);
	virtgpu_mock_hold(s.m, CMD(RESOURCE_UNREF));
	virtgpu_mock_reject(s.m, CMD(RESOURCE_DETACH_BACKING), VIRTIO_GPU_RESP_ERR_UNSPEC);
	virtgpu_mock_freeze(s.m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	fence = detach_fence(&s);
	virtgpu_mock_thaw(s.m);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(dma_fence_is_signaled(fence)));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	dma_fence_put(fence);

	/* The mapping is undone when RESOURCE_UNREF completes. */
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(s.m, CMD(RESOURCE_UNREF)), 1);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->mappings)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
}

/*
 * Release
 */

/*
 * The mapping and the attachment stay until the host has detached the memory.
 */
static void drop_waits_for_host(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	show(&s, 1);
	hide(&s);
	virtgpu_mock_hold(s.m, CMD(RESOURCE_DETACH_BACKING));
	virtgpu_mock_hold(s.m, CMD(RESOURCE_UNREF));
	drop(&s);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(s.m, 0) == 2));
	KUNIT_EXPECT_EQ(test, s.b->mappings, 1);
	KUNIT_EXPECT_EQ(test, s.b->attachments, 1);

	/* The buffer may move meanwhile. */
	if (((const struct exporter_case *)test->param_value)->exporter != VIRTGPU_MOCK_STATIC)
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(s.m, 0), 2);
	expect_released(&s);
}

static void close(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	show(&s, 1);
	test_client_close(s.u);
	expect_released(&s);
}

/* Two devices import the same buffer. */
static void twice(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct import_test s[2] = { };

	s[0].m = start_mock(test, c);
	s[1].m = start_mock(test, c);
	s[0].b = virtgpu_mock_buffer_create(test, s[0].m, c->exporter, SIZE);
	s[1].b = s[0].b;
	s[1].m->state.peers[0] = s[0].m->state.peers[0];
	s[1].m->state.peers[1] = s[0].m->state.peers[1];
	s[0].u = test_client_open(test, s[0].m);
	s[1].u = test_client_open(test, s[1].m);
	import(&s[0]);
	import(&s[1]);
	KUNIT_EXPECT_EQ(test, s[0].b->attachments, 2);

	show(&s[0], 1);
	show(&s[1], 2);
	KUNIT_EXPECT_EQ(test, s[0].b->pins, 2);
	KUNIT_ASSERT_EQ(test, test_client_show(s[0].u, 0, NULL), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(READ_ONCE(s[0].b->pins) == 1));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s[0].b), -EBUSY);
	hide(&s[1]);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s[0].b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s[0].b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s[0].m, CMD(RESOURCE_DETACH_BACKING)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s[1].m, CMD(RESOURCE_DETACH_BACKING)), 1);
}

/* Exporting an import returns the original dma-buf. */
static void export(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct dma_buf *dma_buf;

	dma_buf = drm_gem_prime_handle_to_dmabuf(s.u->drm, s.u->file, s.handle, 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf, s.b->dma_buf);
	dma_buf_put(dma_buf);
}

/* RESOURCE_INFO returns a resource ID only while the buffer has a resource. */
static void res_handle(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct drm_virtgpu_resource_info info = { .bo_handle = s.handle };

	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, 0);
	KUNIT_EXPECT_EQ(test, info.size, SIZE);
	show(&s, 1);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, virtgpu_mock_shown(s.m, 0));
	hide(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, 0);

	/* A mapping without a resource is left after a reset. */
	show(&s, 2);
	hide(&s);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(s.u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, 0);
}

/*
 * Errors
 */

static void not_attached(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct import_test s = { };

	s.m = start_mock(test, c);
	s.b = virtgpu_mock_buffer_create(test, s.m, c->exporter, SIZE);
	s.u = test_client_open(test, s.m);
	s.b->attach_error = -EPERM;
	KUNIT_EXPECT_EQ(test, test_client_import(s.u, s.b->dma_buf, &s.handle), -EPERM);
	s.b->attach_error = 0;
	import(&s);
	show(&s, 1);
}

static void no_sg_table_free(struct drm_gem_object *obj)
{
	drm_gem_object_release(obj);
}

static const struct drm_gem_object_funcs no_sg_table_funcs = {
	.free = no_sg_table_free,
};

/*
 * A DRM driver without get_sg_table() exports no scatter list, so there is no
 * import.
 */
static void no_sg_table(struct kunit *test)
{
	struct virtgpu_test_client *from = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_gem_object *obj = kunit_kzalloc(test, sizeof(*obj), GFP_KERNEL);
	struct dma_buf *dma_buf;
	u32 handle;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	obj->funcs = &no_sg_table_funcs;
	drm_gem_private_object_init(from->drm, obj, SIZE);
	dma_buf = drm_gem_prime_export(obj, O_RDWR);
	drm_gem_object_put(obj);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);

	KUNIT_EXPECT_LT(test, test_client_import(u, dma_buf, &handle), 0);
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

static void not_pinned(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	s.b->pin_error = -EBUSY;
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.fb), -EBUSY);
	KUNIT_EXPECT_EQ(test, s.b->maps, 0);
	virtgpu_mock_wait_idle(s.m);
	KUNIT_EXPECT_EQ(test, creations(s.m), 0);
	s.b->pin_error = 0;
	show(&s, 1);
}

static void not_mapped(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	s.b->map_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.fb), -ENOSPC);
	KUNIT_EXPECT_EQ(test, s.b->pins, 0);
	virtgpu_mock_wait_idle(s.m);
	KUNIT_EXPECT_EQ(test, creations(s.m), 0);
	s.b->map_error = 0;
	show(&s, 1);

	/* After a move, too; the old memory is detached nevertheless. */
	hide(&s);
	if (virtgpu_mock_buffer_move(s.b))
		return;
	s.b->map_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, test_client_show(s.u, 0, s.fb), -ENOSPC);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	s.b->map_error = 0;
	show(&s, 2);
}

/* A host that rejects the blob of an import gets a 2D resource. */
static void blob_rejected(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	virtgpu_mock_reject(s.m, CMD(SET_SCANOUT_BLOB), VIRTIO_GPU_RESP_ERR_UNSPEC);
	show_later(&s, 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_resource_is_blob(s.m, virtgpu_mock_shown(s.m, 0)));
	hide(&s);
	if (!virtgpu_mock_buffer_move(s.b))
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	show(&s, 2);
	drop(&s);
	expect_released(&s);
}

/*
 * Memory of another device that the host cannot access
 */

static const struct exporter_case migrating_cases[] = {
	{ "blobs", VIRTGPU_MOCK_MIGRATING, VIRTGPU_MOCK_FEATURES, 64, true },
	{ "no blobs", VIRTGPU_MOCK_MIGRATING, VIRTGPU_MOCK_NO_BLOB, 64, true },
};

KUNIT_ARRAY_PARAM(migrating, migrating_cases, exporter_desc);

/* The exporter moves the buffer to RAM, and the rejected frame is shown. */
static void peer_rejected_moves(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct virtgpu_device *vgdev = to_virtgpu(s.u->drm);
	unsigned int created;

	show_later(&s, 1);
	KUNIT_EXPECT_EQ(test, s.b->place, 1);
	KUNIT_EXPECT_EQ(test, s.b->pins, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resource_is_blob(s.m, virtgpu_mock_shown(s.m, 0)),
			host_has_blobs(&s));
	KUNIT_EXPECT_EQ(test, creations(s.m), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&vgdev->counters.moves_to_ram), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&vgdev->counters.blob_fallbacks), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
	show_later(&s, 2);
	KUNIT_EXPECT_EQ(test, creations(s.m), 2);
	hide(&s);
	drop(&s);
	expect_released(&s);

	/* The host is not asked again. */
	created = creations(s.m);
	s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_MIGRATING, SIZE);
	import(&s);
	show(&s, 3);
	KUNIT_EXPECT_EQ(test, s.b->place, 1);
	KUNIT_EXPECT_EQ(test, creations(s.m), created + 1);
	hide(&s);
	drop(&s);
	expect_released(&s);
}

/* A buffer on two outputs is pinned twice when the host rejects the blob. */
static void peer_rejected_mirror(struct kunit *test)
{
	struct virtgpu_show shows[2] = { { .output = 0 }, { .output = 1 } };
	struct import_test s = set_up(test, &migrating_cases[0]);

	test_client_fill_pattern(s.u, s.fb, 1);
	shows[0].fb = s.fb;
	shows[1].fb = s.fb;
	KUNIT_ASSERT_EQ(test, test_client_commit(s.u, shows, 2, VIRTGPU_WAIT), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 0, 1, W, H)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 1, 1, W, H)));
	KUNIT_EXPECT_EQ(test, s.b->pins, 1);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 0, NULL), 0);
	KUNIT_ASSERT_EQ(test, test_client_show(s.u, 1, NULL), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
}

/* The buffer is in RAM already, and the host rejects it for another reason. */
static void ram_rejected(struct kunit *test)
{
	static const struct exporter_case in_ram = {
		.exporter = VIRTGPU_MOCK_DYNAMIC, .features = VIRTGPU_MOCK_FEATURES, .ring = 64,
		.no_peer = true,
	};
	struct import_test s = set_up(test, &in_ram);
	struct virtgpu_device *vgdev = to_virtgpu(s.u->drm);

	virtgpu_mock_reject(s.m, CMD(RESOURCE_CREATE_BLOB), VIRTIO_GPU_RESP_ERR_UNSPEC);
	show_later(&s, 1);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_resource_is_blob(s.m, virtgpu_mock_shown(s.m, 0)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_CREATE_BLOB)), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&vgdev->counters.moves_to_ram), 0);
	KUNIT_EXPECT_FALSE(test, vgdev->peer2peer_rejected);
	hide(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	show_later(&s, 2);
	drop(&s);
	expect_released(&s);
}

static const struct exporter_case vram_cases[] = {
	{ "blobs", VIRTGPU_MOCK_VRAM, VIRTGPU_MOCK_FEATURES, 64, true },
	{ "no blobs", VIRTGPU_MOCK_VRAM, VIRTGPU_MOCK_NO_BLOB, 64, true },
};

KUNIT_ARRAY_PARAM(vram, vram_cases, exporter_desc);

/* The exporter cannot move the buffer, so the CPU copies it. */
static void peer_rejected_copied(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct virtgpu_device *vgdev = to_virtgpu(s.u->drm);
	struct drm_clip_rect clip = { .x1 = 8, .y1 = 4, .x2 = 24, .y2 = 20 };
	unsigned int created, reads;

	show_later(&s, 1);
	KUNIT_EXPECT_EQ(test, s.b->place, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(s.b->pins)));
	KUNIT_EXPECT_EQ(test, atomic_read(&vgdev->counters.copied_imports), 1);

	/* Only the damage is copied. */
	created = creations(s.m);
	reads = s.b->reads;
	test_client_fill_pattern(s.u, s.fb, 2);
	KUNIT_EXPECT_EQ(test, s.fb->funcs->dirty(s.fb, s.u->file, 0, 0, &clip, 1), 0);
	KUNIT_EXPECT_FALSE(test, test_client_scanout_is(s.u, 0, 2, W, H));
	KUNIT_EXPECT_EQ(test, s.fb->funcs->dirty(s.fb, s.u->file, 0, 0, NULL, 0), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_scanout_is(s.u, 0, 2, W, H)));
	KUNIT_EXPECT_EQ(test, s.b->reads, reads + 2);
	KUNIT_EXPECT_EQ(test, creations(s.m), created);
	hide(&s);
	drop(&s);
	expect_released(&s);
}

/* A size that is not aligned for blobs. */
static void odd_size(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct import_test s = { };

	config.features |= BIT_ULL(VIRTIO_GPU_F_BLOB_ALIGNMENT);
	config.blob_alignment = 65536;
	s.m = virtgpu_mock_start(test, &config);
	s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_DYNAMIC, SIZE);
	s.u = test_client_open(test, s.m);
	import(&s);
	show(&s, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_CREATE_BLOB)), 0);
}

/*
 * Import cache
 */

static struct virtgpu_import_cache *cache_of(struct import_test *s)
{
	return &to_virtgpu(s->u->drm)->imports;
}

/* Import a buffer that was imported before. */
static void import_again(struct import_test *s)
{
	import(s);
	KUNIT_EXPECT_FALSE(s->u->test, list_empty(&cache_of(s)->list));
	/* Nothing expires, however slow the machine is. */
	cancel_delayed_work_sync(&cache_of(s)->work);
}

static struct import_test set_up_cached(struct kunit *test, const struct exporter_case *c)
{
	struct import_test s = set_up(test, c);

	drop(&s);
	import_again(&s);

	return s;
}

/* Number of commands of all types. */
static unsigned int commands(struct virtgpu_mock *m)
{
	virtgpu_mock_wait_idle(m);

	return virtgpu_mock_log_pos(m);
}

/* A compositor imports each frame anew: this costs no more than a flip. */
static void cache_flips(struct kunit *test)
{
	const struct exporter_case *c = test->param_value;
	struct import_test s[2], *now = &s[0], *last;
	unsigned int i, kicks = 0, count = 0;

	s[0] = set_up_cached(test, c);
	s[1] = s[0];
	s[1].b = virtgpu_mock_buffer_create(test, s[1].m, c->exporter == VIRTGPU_MOCK_VRAM ?
					    VIRTGPU_MOCK_DYNAMIC : c->exporter, SIZE);
	import(&s[1]);
	drop(&s[1]);
	import_again(&s[1]);
	drop(&s[1]);
	show(&s[0], 0);
	for (i = 1; i <= 6; i++) {
		last = now;
		now = &s[i % 2];
		import_again(now);
		test_client_fill_pattern(now->u, now->fb, i);
		KUNIT_ASSERT_EQ(test, test_client_flip(now->u, 0, now->fb), 0);
		KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(test_client_flips(now->u, 0) == i));
		KUNIT_EXPECT_TRUE(test, test_client_scanout_is(now->u, 0, i, W, H));
		drop(last);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(last->b->pins)));
		if (i == 2) {
			count = commands(now->m);
			kicks = virtgpu_mock_kicks(now->m, 0);
		}
	}
	KUNIT_EXPECT_EQ(test, commands(s[0].m), count + 4 * (host_has_blobs(&s[0]) ? 2 : 3));
	KUNIT_EXPECT_LE(test, virtgpu_mock_kicks(s[0].m, 0), kicks + 4);
	KUNIT_EXPECT_EQ(test, creations(s[0].m), 2);
	KUNIT_EXPECT_EQ(test, s[0].b->maps, 1);
	KUNIT_EXPECT_EQ(test, s[1].b->maps, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&to_virtgpu(s[0].u->drm)->counters.reused_imports), 6);
	virtgpu_import_cache_flush(cache_of(&s[0]));
}

/* A client that imports a buffer once gives the memory back at once. */
static void cache_once(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);

	KUNIT_EXPECT_EQ(test, cache_of(&s)->count, 0);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&cache_of(&s)->work));
	drop(&s);
	KUNIT_EXPECT_EQ(test, s.b->attachments, 0);
}

/* The memory returns to the exporter a second after the last import. */
static void cache_expires(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	unsigned long start;

	drop(&s);
	import(&s);
	start = jiffies;
	show(&s, 1);
	drop(&s);
	KUNIT_EXPECT_EQ(test, s.b->pins, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(cache_of(&s)->count)));
	KUNIT_EXPECT_GE(test, jiffies, start + HZ);
	expect_released(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_UNREF)), 1);
	flush_delayed_work(&cache_of(&s)->work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&cache_of(&s)->work));
}

/* The exporter moves a cached buffer. */
static void cache_move(struct kunit *test)
{
	struct import_test s = set_up_cached(test, test->param_value);
	unsigned int i;

	for (i = 1; i <= 2; i++) {
		show(&s, i);
		drop(&s);
		KUNIT_EXPECT_EQ(test, cache_of(&s)->count, 1);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_reuse(s.b), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(s.m, CMD(RESOURCE_DETACH_BACKING)), i);
		flush_delayed_work(&cache_of(&s)->work);
		KUNIT_EXPECT_EQ(test, cache_of(&s)->count, 0);
		expect_released(&s);
		import_again(&s);
	}
	/* Before the work runs, another import may find the buffer. */
	show(&s, 3);
	hide(&s);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(s.b), 0);
	drop(&s);
	import(&s);
	show(&s, 4);
	drop(&s);
	virtgpu_import_cache_flush(cache_of(&s));
	expect_released(&s);
}

/* The least recent import makes room. */
static void cache_bounded(struct kunit *test)
{
	struct import_test s = set_up(test, &exporter_cases[0]);
	struct virtgpu_mock_buffer *first = s.b;
	unsigned int i;

	for (i = 1; i <= VIRTGPU_IMPORT_CACHE_SIZE; i++) {
		drop(&s);
		KUNIT_EXPECT_EQ(test, s.b->attachments, 0);
		import_again(&s);
		drop(&s);
		KUNIT_EXPECT_EQ(test, cache_of(&s)->count, i);
		s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_DYNAMIC, SIZE);
		import(&s);
	}
	drop(&s);
	KUNIT_EXPECT_EQ(test, first->attachments, 1);
	import(&s);
	KUNIT_EXPECT_LE(test, cache_of(&s)->count, VIRTGPU_IMPORT_CACHE_SIZE);
	flush_delayed_work(&cache_of(&s)->work);
	KUNIT_EXPECT_EQ(test, first->attachments, 0);
	drop(&s);
	KUNIT_EXPECT_EQ(test, s.b->attachments, 0);
	import_again(&s);
	drop(&s);
	KUNIT_EXPECT_EQ(test, s.b->attachments, 1);
	virtgpu_import_cache_flush(cache_of(&s));
	KUNIT_EXPECT_EQ(test, s.b->attachments, 0);
}

/* Two clients import the buffer, and one of them ends. */
static void cache_two_files(struct kunit *test)
{
	struct import_test s = set_up_cached(test, test->param_value), t = s;

	show(&s, 1);
	hide(&s);
	t.u = test_client_open(test, s.m);
	import(&t);
	KUNIT_EXPECT_PTR_EQ(test, test_client_object(s.u, s.handle),
			    test_client_object(t.u, t.handle));
	test_client_close(s.u);
	KUNIT_EXPECT_EQ(test, cache_of(&t)->count, 0);
	KUNIT_EXPECT_EQ(test, t.b->attachments, 1);
	show(&t, 2);
	KUNIT_EXPECT_EQ(test, creations(t.m), 1);
	drop(&t);
	expect_released(&t);
}

/* A blob that the host has rejected is not tried again. */
static void cache_rejected(struct kunit *test)
{
	struct import_test s = set_up_cached(test, test->param_value);
	unsigned int created;

	virtgpu_mock_reject(s.m, CMD(SET_SCANOUT_BLOB), VIRTIO_GPU_RESP_ERR_UNSPEC);
	show_later(&s, 1);
	created = creations(s.m);
	drop(&s);
	import(&s);
	show(&s, 2);
	KUNIT_EXPECT_EQ(test, creations(s.m), created);
	drop(&s);
	virtgpu_import_cache_flush(cache_of(&s));
	expect_released(&s);
}

/* Leave the buffer in the cache, with a resource and without other users. */
static void leave_in_cache(struct import_test *s, u32 seed)
{
	import_again(s);
	show(s, seed);
	drop(s);
	KUNIT_EXPECT_EQ(s->u->test, cache_of(s)->count, 1);
	KUNIT_EXPECT_EQ(s->u->test, s->b->attachments, 1);
}

static void expect_dropped(struct import_test *s)
{
	KUNIT_EXPECT_EQ(s->u->test, cache_of(s)->count, 0);
	expect_released(s);
}

/*
 * Memory pressure, a client that ends, suspend, and removal empty the cache.
 */
static void cache_dropped(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct shrinker *shrinker = cache_of(&s)->shrinker;
	struct shrink_control sc = { .nr_to_scan = 1 };

	virtgpu_mock_require_suspend(test);
	drop(&s);
	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, shrinker->scan_objects(shrinker, &sc), SHRINK_STOP);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&cache_of(&s)->work));

	leave_in_cache(&s, 1);
	KUNIT_EXPECT_EQ(test, shrinker->count_objects(shrinker, &sc), SIZE >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, shrinker->scan_objects(shrinker, &sc), SHRINK_STOP);
	flush_delayed_work(&cache_of(&s)->work);
	expect_dropped(&s);

	leave_in_cache(&s, 2);
	test_client_close(test_client_open(test, s.m));
	expect_dropped(&s);

	leave_in_cache(&s, 3);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(s.m), 0);
	expect_dropped(&s);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(s.m), 0);

	leave_in_cache(&s, 4);
	virtgpu_mock_unplug(s.m);
	expect_dropped(&s);
}

/*
 * Implicit fences
 */

/* A flip waits for the write fence. */
static void waits_for_write_fence(struct kunit *test)
{
	struct import_test s = set_up(test, test->param_value);
	struct virtgpu_output *out = &to_virtgpu(s.u->drm)->kms.outputs[0];
	struct dma_fence *fence;

	show(&s, 1);
	fence = test_client_add_write_fence(s.u, s.b->dma_buf->resv);
	KUNIT_EXPECT_EQ(test, test_client_flip(s.u, 0, s.fb), 0);
	msleep(100);
	virtgpu_mock_wait_idle(s.m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_flushes(s.m, 0), 1);
	KUNIT_EXPECT_EQ(test, test_client_flips(s.u, 0), 0);
	KUNIT_EXPECT_TRUE(test, test_client_has_deadline(fence));

	test_client_fill_pattern(s.u, s.fb, 2);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(s.u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(s.u, 0, 2, W, H));
	/* The shown frame does not keep the fence of another driver. */
	KUNIT_EXPECT_NULL(test, out->primary->state->fence);
}

static struct kunit_case prime_tests[] = {
	KUNIT_CASE_PARAM(import_show, exporter_gen_params),
	KUNIT_CASE_PARAM(flips, exporter_gen_params),
	KUNIT_CASE_PARAM(mirror, dynamic_gen_params),
	KUNIT_CASE_PARAM(cursor, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_unused, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_hidden, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_shown, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_waits_for_host, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_in_creation, dynamic_gen_params),
	KUNIT_CASE_PARAM(move_no_deadline, dynamic_gen_params),
	KUNIT_CASE_PARAM_ATTR(import_held, dynamic_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(detach_rejected, dynamic_gen_params),
	KUNIT_CASE_PARAM(drop_waits_for_host, exporter_gen_params),
	KUNIT_CASE_PARAM(close, exporter_gen_params),
	KUNIT_CASE_PARAM(twice, dynamic_gen_params),
	KUNIT_CASE_PARAM(export, exporter_gen_params),
	KUNIT_CASE_PARAM(res_handle, dynamic_gen_params),
	KUNIT_CASE_PARAM(not_attached, exporter_gen_params),
	KUNIT_CASE(no_sg_table),
	KUNIT_CASE_PARAM(not_pinned, dynamic_gen_params),
	KUNIT_CASE_PARAM(not_mapped, exporter_gen_params),
	KUNIT_CASE_PARAM(blob_rejected, exporter_gen_params),
	KUNIT_CASE_PARAM(peer_rejected_moves, migrating_gen_params),
	KUNIT_CASE(peer_rejected_mirror),
	KUNIT_CASE(ram_rejected),
	KUNIT_CASE_PARAM(peer_rejected_copied, vram_gen_params),
	KUNIT_CASE(odd_size),
	KUNIT_CASE_PARAM(cache_flips, exporter_gen_params),
	KUNIT_CASE_PARAM(cache_once, exporter_gen_params),
	KUNIT_CASE_PARAM(cache_expires, exporter_gen_params),
	KUNIT_CASE_PARAM(cache_move, dynamic_gen_params),
	KUNIT_CASE(cache_bounded),
	KUNIT_CASE_PARAM(cache_two_files, exporter_gen_params),
	KUNIT_CASE_PARAM(cache_rejected, exporter_gen_params),
	KUNIT_CASE_PARAM(cache_dropped, exporter_gen_params),
	KUNIT_CASE_PARAM(waits_for_write_fence, exporter_gen_params),
	{}
};

static struct kunit_suite prime_suite = {
	.name = "virtio_gpu_prime",
	.test_cases = prime_tests,
};

kunit_test_suite(prime_suite);
