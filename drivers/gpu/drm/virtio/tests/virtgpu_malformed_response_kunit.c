// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/sizes.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_ioctl.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/*
 * Each command with each kind of error or malformed response. No call may hang,
 * and after the host has returned to normal everything must work again.
 */

#define W 64
#define H 48

static const struct {
	u32 type;
	const char *name;
} commands[] = {
	{ CMD(GET_DISPLAY_INFO), "GET_DISPLAY_INFO" },
	{ CMD(GET_EDID), "GET_EDID" },
	{ CMD(RESOURCE_CREATE_2D), "RESOURCE_CREATE_2D" },
	{ CMD(RESOURCE_UNREF), "RESOURCE_UNREF" },
	{ CMD(SET_SCANOUT), "SET_SCANOUT" },
	{ CMD(RESOURCE_FLUSH), "RESOURCE_FLUSH" },
	{ CMD(TRANSFER_TO_HOST_2D), "TRANSFER_TO_HOST_2D" },
	{ CMD(RESOURCE_ATTACH_BACKING), "RESOURCE_ATTACH_BACKING" },
	{ CMD(RESOURCE_DETACH_BACKING), "RESOURCE_DETACH_BACKING" },
	{ CMD(RESOURCE_ASSIGN_UUID), "RESOURCE_ASSIGN_UUID" },
	{ CMD(RESOURCE_CREATE_BLOB), "RESOURCE_CREATE_BLOB" },
	{ CMD(SET_SCANOUT_BLOB), "SET_SCANOUT_BLOB" },
	{ CMD(UPDATE_CURSOR), "UPDATE_CURSOR" },
	{ CMD(MOVE_CURSOR), "MOVE_CURSOR" },
};

static const struct {
	const char *name;
	struct virtgpu_mock_rule rule;
} responses[] = {
	{ "ERR_UNSPEC", { .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "ERR_OUT_OF_MEMORY", { .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "ERR_INVALID_RESOURCE_ID", { .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID } },
	{ "ERR_INVALID_SCANOUT_ID", { .error = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID } },
	{ "ERR_INVALID_PARAMETER", { .error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER } },
	{ "undefined error", { .error = U32_MAX } },
	{ "undefined success", { .error = VIRTIO_GPU_RESP_OK_NODATA | 0xff } },
	{ "no response", { .cut = VIRTGPU_MOCK_NOTHING } },
	{ "half a header", { .cut = sizeof(struct virtio_gpu_ctrl_hdr) / 2 } },
	{ "one byte too long", { .excess = 1 } },
	{ "1 GiB too long", { .excess = SZ_1G } },
	{ "garbled", { .garble = true } },
	{ "late", { .hold = true } },
};

struct response_case {
	u32 type;
	struct virtgpu_mock_rule rule;
	char name[KUNIT_PARAM_DESC_SIZE];
};

static struct response_case response_cases[ARRAY_SIZE(commands) * ARRAY_SIZE(responses)];

static void fill_response_cases(void)
{
	struct response_case *r = response_cases;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (j = 0; j < ARRAY_SIZE(responses); j++, r++) {
			r->type = commands[i].type;
			r->rule = responses[j].rule;
			r->rule.type = r->type;
			snprintf(r->name, sizeof(r->name), "%s: %s", commands[i].name,
				 responses[j].name);
		}
	}
}

static const void *response_case_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct response_case *r = prev ? (const struct response_case *)prev + 1 :
					       response_cases;

	if (!prev)
		fill_response_cases();
	if (r == response_cases + ARRAY_SIZE(response_cases))
		return NULL;
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);

	return r;
}

struct fixture {
	struct kunit *test;
	struct virtgpu_mock *m;
	struct virtgpu_mock_buffer *b;
	struct virtgpu_test_client *u;
	unsigned int flips;
};

/* On a faulty host calls may fail, but must return. */
static void check(struct fixture *s, bool healthy, int ret)
{
	if (healthy)
		KUNIT_EXPECT_EQ(s->test, ret, 0);
	else
		KUNIT_EXPECT_LE(s->test, ret, 0);
}

static void check_scanout(struct fixture *s, bool healthy, unsigned int output, u32 pattern_id)
{
	if (healthy)
		KUNIT_EXPECT_TRUE(s->test,
				  virtgpu_mock_wait(test_client_scanout_is(s->u, output,
									   pattern_id, W, H)));
}

static void use_dumb(struct fixture *s, bool healthy, u32 pattern_id)
{
	struct drm_framebuffer *fbs[2], *cursor;
	unsigned int i;
	int ret;

	for (i = 0; i < 2; i++) {
		fbs[i] = test_client_new_fb(s->u, W, H);
		test_client_fill_pattern(s->u, fbs[i], pattern_id + i);
	}
	cursor = test_client_new_cursor(s->u, VIRTGPU_MOCK_CURSOR, VIRTGPU_MOCK_CURSOR);

	check(s, healthy, test_client_show(s->u, 0, fbs[0]));
	check_scanout(s, healthy, 0, pattern_id);
	ret = test_client_flip(s->u, 0, fbs[1]);
	check(s, healthy, ret);
	if (!ret)
		KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(test_client_flips(s->u, 0) ==
							     s->flips + 1));
	s->flips = test_client_flips(s->u, 0);
	check_scanout(s, healthy, 0, pattern_id + 1);

	for (i = 0; i < 4; i++) {
		check(s, healthy, test_client_cursor(s->u, 0, cursor, i, i));
		/* Faster updates would be merged while the host is busy. */
		msleep(20);
	}
	check(s, healthy, test_client_cursor(s->u, 0, NULL, 0, 0));

	/* A framebuffer that was rejected once may be shown again. */
	test_client_show(s->u, 0, fbs[0]);
	check(s, healthy, test_client_show(s->u, 0, NULL));
	test_client_rmfb(s->u, fbs[0]);
	test_client_rmfb(s->u, fbs[1]);
	test_client_rmfb(s->u, cursor);
}

static void use_import(struct fixture *s, bool healthy, u32 pattern_id)
{
	struct drm_framebuffer *fb;
	u32 handle;

	KUNIT_ASSERT_EQ(s->test, test_client_import(s->u, s->b->dma_buf, &handle), 0);
	fb = test_client_fb(s->u, handle, W, H, W * 4, 0);
	test_client_fill_pattern(s->u, fb, pattern_id);
	check(s, healthy, test_client_show(s->u, 1, fb));
	check_scanout(s, healthy, 1, pattern_id);
	check(s, healthy, test_client_show(s->u, 1, NULL));
	KUNIT_EXPECT_TRUE(s->test, virtgpu_mock_wait(!READ_ONCE(s->b->pins)));
	KUNIT_EXPECT_EQ(s->test, virtgpu_mock_buffer_move(s->b), 0);
	/* The attachment stays while the host holds RESOURCE_DETACH_BACKING. */
	KUNIT_EXPECT_TRUE(s->test,
			  virtgpu_mock_wait(virtgpu_mock_buffer_is_idle(s->b) ||
					    virtgpu_mock_held(s->m, CMD(RESOURCE_DETACH_BACKING))));
	check(s, healthy, test_client_show(s->u, 1, fb));
	check_scanout(s, healthy, 1, pattern_id);
	test_client_rmfb(s->u, fb);
	test_client_drop(s->u, handle);
}

static void use_ioctls(struct fixture *s, bool healthy)
{
	struct drm_virtgpu_resource_create_blob blob = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST, .size = 65536,
	};
	struct drm_virtgpu_resource_create res_2d = {
		.target = VIRTGPU_PIPE_TEXTURE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 64,
		.height = 64,
		.size = 64 * 64 * 4,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = { .box = { .w = 64, .h = 64, .d = 1 } };
	struct drm_virtgpu_3d_wait wait = { };
	struct dma_buf *dma_buf;
	uuid_t uuid;
	int ret;

	ret = test_client_ioctl(s->u, DRM_VIRTGPU_RESOURCE_CREATE, &res_2d);
	check(s, healthy, ret);
	transfer.bo_handle = res_2d.bo_handle;
	wait.handle = res_2d.bo_handle;
	if (!ret) {
		check(s, healthy, test_client_ioctl(s->u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer));
		check(s, healthy, test_client_ioctl(s->u, DRM_VIRTGPU_WAIT, &wait));
		test_client_drop(s->u, res_2d.bo_handle);
	}

	ret = test_client_ioctl(s->u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &blob);
	check(s, healthy, ret);
	if (ret)
		return;
	dma_buf = drm_gem_prime_handle_to_dmabuf(s->u->drm, s->u->file, blob.bo_handle, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(s->test, dma_buf);
	check(s, healthy, virtio_dma_buf_get_uuid(dma_buf, &uuid));
	dma_buf_put(dma_buf);
	flush_delayed_fput();
	test_client_drop(s->u, blob.bo_handle);
}

static void use_everything(struct fixture *s, bool healthy, u32 pattern_id)
{
	virtgpu_mock_set_output(s->m, 1, healthy, 800 + pattern_id, 600);
	virtgpu_mock_raise_display(s->m);
	use_dumb(s, healthy, pattern_id);
	use_import(s, healthy, pattern_id + 2);
	use_ioctls(s, healthy);
}

static bool is_done(struct fixture *s)
{
	return !virtgpu_mock_resources(s->m) && !READ_ONCE(s->b->attachments) &&
	       !READ_ONCE(virtgpu_mock_vgdev(s->m)->ctrl.num_pending) &&
	       !READ_ONCE(virtgpu_mock_vgdev(s->m)->cursor.num_pending);
}

static void each_command(struct kunit *test)
{
	const struct response_case *r = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct fixture s = { .test = test };

	config.scanouts = 2;
	s.m = virtgpu_mock_start(test, &config);
	s.b = virtgpu_mock_buffer_create(test, s.m, VIRTGPU_MOCK_DYNAMIC, W * H * 4);
	s.u = test_client_open(test, s.m);

	virtgpu_mock_rule(s.m, &r->rule);
	use_everything(&s, false, 10);
	KUNIT_EXPECT_GT(test, virtgpu_mock_count(s.m, r->type), 0);
	if (r->rule.hold)
		ssleep(12);
	virtgpu_mock_clear_rules(s.m);
	virtgpu_mock_release(s.m, 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(is_done(&s)));

	use_everything(&s, true, 20);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(is_done(&s)));
	KUNIT_EXPECT_TRUE(test,
			  virtgpu_mock_wait(virtgpu_mock_vgdev(s.m)->kms.outputs[1].info.width ==
						  820));
}

static struct kunit_case malformed_response_tests[] = {
	KUNIT_CASE_PARAM_ATTR(each_command, response_case_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite malformed_response_suite = {
	.name = "virtio_gpu_malformed_response",
	.test_cases = malformed_response_tests,
};

kunit_test_suite(malformed_response_suite);
