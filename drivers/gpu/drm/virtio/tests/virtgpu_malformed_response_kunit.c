// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/*
 * Each command, answered in each way that a host can think of.  Whatever it is, no
 * program hangs, and once the host is sound again everything works as if nothing had
 * been.
 */

#define W 64
#define H 48

static const struct {
	u32 type;
	const char *name;
} commands[] = {
	{ CMD(GET_DISPLAY_INFO), "GET_DISPLAY_INFO" },
	{ CMD(GET_EDID), "GET_EDID" },
	{ CMD(RESOURCE_CREATE_2D), "CREATE_2D" },
	{ CMD(RESOURCE_UNREF), "UNREF" },
	{ CMD(SET_SCANOUT), "SET_SCANOUT" },
	{ CMD(RESOURCE_FLUSH), "FLUSH" },
	{ CMD(TRANSFER_TO_HOST_2D), "TRANSFER" },
	{ CMD(RESOURCE_ATTACH_BACKING), "ATTACH" },
	{ CMD(RESOURCE_DETACH_BACKING), "DETACH" },
	{ CMD(RESOURCE_ASSIGN_UUID), "ASSIGN_UUID" },
	{ CMD(RESOURCE_CREATE_BLOB), "CREATE_BLOB" },
	{ CMD(SET_SCANOUT_BLOB), "SET_SCANOUT_BLOB" },
	{ CMD(UPDATE_CURSOR), "UPDATE_CURSOR" },
	{ CMD(MOVE_CURSOR), "MOVE_CURSOR" },
};

static const struct {
	const char *name;
	struct virtgpu_mock_rule rule;
} answers[] = {
	{ "error", { .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "out of memory", { .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "no such resource", { .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID } },
	{ "no such output", { .error = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID } },
	{ "bad parameter", { .error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER } },
	{ "error that nobody knows", { .error = 0xffffffff } },
	{ "odd success", { .error = 0x11ff } },
	{ "nothing", { .cut = VIRTGPU_MOCK_NOTHING } },
	{ "half a header", { .cut = 12 } },
	{ "a byte too many", { .excess = 1 } },
	{ "far too many", { .excess = 0x40000000 } },
	{ "noise", { .garble = true } },
	{ "late", { .hold = true } },
};

struct reply {
	u32 type;
	struct virtgpu_mock_rule rule;
	char name[KUNIT_PARAM_DESC_SIZE];
};

static struct reply replies[ARRAY_SIZE(commands) * ARRAY_SIZE(answers)];

static void fill_replies(void)
{
	struct reply *r = replies;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (j = 0; j < ARRAY_SIZE(answers); j++, r++) {
			r->type = commands[i].type;
			r->rule = answers[j].rule;
			r->rule.type = r->type;
			snprintf(r->name, sizeof(r->name), "%s: %s", commands[i].name,
				 answers[j].name);
		}
	}
}

static const void *reply_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct reply *r = prev ? (const struct reply *)prev + 1 : replies;

	if (!prev)
		fill_replies();
	if (r == replies + ARRAY_SIZE(replies))
		return NULL;
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);

	return r;
}

struct scene {
	struct kunit *test;
	struct virtgpu_mock *m;
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	unsigned int flips;
};

/* On a host that is not sound everything may fail; what it may not do is hang. */
static void check(struct scene *s, bool sound, int ret)
{
	if (sound)
		KUNIT_EXPECT_EQ(s->test, ret, 0);
	else
		KUNIT_EXPECT_LE(s->test, ret, 0);
}

static void check_sees(struct scene *s, bool sound, unsigned int output, u32 seed)
{
	if (sound)
		KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(test_client_scanout_matches(s->u,
											 output,
												 seed, 0, 0,
											 W, H)));
}

static void use_own(struct scene *s, bool sound, u32 seed)
{
	struct drm_framebuffer *fbs[2], *cursor;
	unsigned int i;
	int ret;

	for (i = 0; i < 2; i++) {
		fbs[i] = test_client_new_fb(s->u, W, H);
		test_client_fill_pattern(s->u, fbs[i], seed + i);
	}
	cursor = test_client_new_cursor(s->u, VIRTGPU_MOCK_CURSOR, VIRTGPU_MOCK_CURSOR);

	check(s, sound, test_client_show(s->u, 0, fbs[0]));
	check_sees(s, sound, 0, seed);
	ret = test_client_flip(s->u, 0, fbs[1]);
	check(s, sound, ret);
	if (!ret)
		KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(test_client_flips(s->u, 0) ==
							     s->flips + 1));
	s->flips = test_client_flips(s->u, 0);
	check_sees(s, sound, 0, seed + 1);

	for (i = 0; i < 4; i++) {
		check(s, sound, test_client_cursor(s->u, 0, cursor, i, i));
		/* Those that come faster than the host takes them are one. */
		msleep(20);
	}
	check(s, sound, test_client_cursor(s->u, 0, NULL, 0, 0));

	/* What was once refused may be asked for again. */
	test_client_show(s->u, 0, fbs[0]);
	check(s, sound, test_client_show(s->u, 0, NULL));
	test_client_rmfb(s->u, fbs[0]);
	test_client_rmfb(s->u, fbs[1]);
	test_client_rmfb(s->u, cursor);
}

static void use_import(struct scene *s, bool sound, u32 seed)
{
	struct drm_framebuffer *fb;
	u32 handle;

	KUNIT_ASSERT_EQ(s->test, test_client_import(s->u, s->b->dma_buf, &handle), 0);
	fb = test_client_fb(s->u, handle, W, H, W * 4, 0);
	test_client_fill_pattern(s->u, fb, seed);
	check(s, sound, test_client_show(s->u, 1, fb));
	check_sees(s, sound, 1, seed);
	check(s, sound, test_client_show(s->u, 1, NULL));
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(!READ_ONCE(s->b->pins)));
	KUNIT_EXPECT_EQ(s->test, virtgpu_mock_buffer_move(s->b), 0);
	/* Unless the host holds the DETACH. */
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(virtgpu_mock_buffer_is_idle(s->b) ||
						     virtgpu_mock_held(s->m,
								       CMD(RESOURCE_DETACH_BACKING))));
	check(s, sound, test_client_show(s->u, 1, fb));
	check_sees(s, sound, 1, seed);
	test_client_rmfb(s->u, fb);
	test_client_drop(s->u, handle);
}

static void use_ioctls(struct scene *s, bool sound)
{
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 65536,
	};
	struct drm_virtgpu_resource_create surface = {
		.target = 2, .format = 2, .width = 64, .height = 64, .size = 16384,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = { .box = { .w = 64, .h = 64, .d = 1 } };
	struct drm_virtgpu_3d_wait wait = { };
	struct dma_buf *dma_buf;
	uuid_t uuid;
	int ret;

	ret = test_client_ioctl(s->u, DRM_VIRTGPU_RESOURCE_CREATE, &surface);
	check(s, sound, ret);
	transfer.bo_handle = surface.bo_handle;
	wait.handle = surface.bo_handle;
	if (!ret) {
		check(s, sound, test_client_ioctl(s->u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer));
		check(s, sound, test_client_ioctl(s->u, DRM_VIRTGPU_WAIT, &wait));
		test_client_drop(s->u, surface.bo_handle);
	}

	ret = test_client_ioctl(s->u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &blob);
	check(s, sound, ret);
	if (ret)
		return;
	dma_buf = drm_gem_prime_handle_to_dmabuf(s->u->drm, s->u->file, blob.bo_handle, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(s->test, dma_buf);
	check(s, sound, virtio_dma_buf_get_uuid(dma_buf, &uuid));
	dma_buf_put(dma_buf);
	flush_delayed_fput();
	test_client_drop(s->u, blob.bo_handle);
}

static void use_everything(struct scene *s, bool sound, u32 seed)
{
	virtgpu_mock_set_output(s->m, 1, sound, 800 + seed, 600);
	virtgpu_mock_raise_display(s->m);
	use_own(s, sound, seed);
	use_import(s, sound, seed + 2);
	use_ioctls(s, sound);
}

static bool is_done(struct scene *s)
{
	return !virtgpu_mock_resources(s->m) && !READ_ONCE(s->b->attachments) &&
	       !READ_ONCE(virtgpu_mock_vgdev(s->m)->ctrl.num_pending) &&
	       !READ_ONCE(virtgpu_mock_vgdev(s->m)->cursor.num_pending);
}

static void to_each(struct kunit *test)
{
	const struct reply *r = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct scene s = { .test = test };

	config.scanouts = 2;
	s.m = virtgpu_mock_start(test, &config);
	s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_DYNAMIC, W * H * 4);
	s.u = test_client_open(test, s.m);

	virtgpu_mock_rule(s.m, &r->rule);
	use_everything(&s, false, 10);
	KUNIT_EXPECT_GT(test, virtgpu_mock_count(s.m, r->type), 0);
	if (r->rule.hold)
		ssleep(12);
	virtgpu_mock_obey(s.m);
	virtgpu_mock_release(s.m, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(is_done(&s)));

	use_everything(&s, true, 20);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(is_done(&s)));
	KUNIT_EXPECT_TRUE(test,
			  virtgpu_mock_wait(virtgpu_mock_vgdev(s.m)->kms.outputs[1].info.width ==
						  820));
}

static struct kunit_case reply_tests[] = {
	KUNIT_CASE_PARAM_ATTR(to_each, reply_gen_params, { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite reply_suite = {
	.name = "virtio_gpu_malformed_response",
	.test_cases = reply_tests,
};

kunit_test_suite(reply_suite);
