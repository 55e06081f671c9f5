// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/string.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"

/*
 * What each command looks like in memory, byte by byte: the drawings of the
 * virtio specification, 5.7.6.8 and 5.7.6.10, in little endian.  No macro of
 * the driver or of the kernel computes what is expected here.
 */

#define REQUEST_MAX sizeof_field(struct virtgpu_msg, request)

struct cmd_case {
	const char *name;
	void (*fill)(struct virtgpu_msg *msg);
	u32 size;
	u32 expect;
	u32 reply_min;
	u32 reply_size;
	bool cursor;
	u8 bytes[REQUEST_MAX];
};

/* Only its length is sent in the request. */
static struct virtgpu_mem_entries backing = { .count = 0x00031205 };

static void fill_display_info(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_display_info(msg);
}

static void fill_edid(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_edid(msg, 15);
}

static void fill_create_2d(struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_create_2d p = {
		.resource = 0x11223344,
		.format = 67,
		.width = 0x0f00,
		.height = 0x01020870,
	};

	virtgpu_cmd_create_2d(msg, &p);
}

static void fill_create_blob(struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_create_blob p = {
		.resource = 0xa1b2c3d4,
		.mem = 1,
		.flags = 2,
		.size = 0x0123456789abc000,
	};

	virtgpu_cmd_create_blob(msg, &p, &backing);
}

static void fill_attach(struct virtgpu_msg *msg)
{
	virtgpu_cmd_attach_backing(msg, 0x80000001, &backing);
}

static void fill_detach(struct virtgpu_msg *msg)
{
	virtgpu_cmd_detach_backing(msg, 0x00010203);
}

static void fill_unref(struct virtgpu_msg *msg)
{
	virtgpu_cmd_unref(msg, 0xfffefdfc);
}

static void fill_uuid(struct virtgpu_msg *msg)
{
	virtgpu_cmd_assign_uuid(msg, 0x00ff00fe);
}

static const struct virtgpu_cmd_scanout scanout = {
	.scanout = 9,
	.resource = 0x0a0b0c0d,
	.x = 0x101,
	.y = 0x202,
	.w = 0x1e00,
	.h = 0x10e0,
	.format = 2,
	.fb_width = 0x2001,
	.fb_height = 0x2102,
	.stride = 0x12345678,
	.offset = 0x87654320,
};

static void fill_scanout(struct virtgpu_msg *msg)
{
	virtgpu_cmd_set_scanout(msg, &scanout);
}

static void fill_scanout_off(struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_scanout none = { .scanout = 3 };

	virtgpu_cmd_set_scanout(msg, &none);
}

static void fill_scanout_blob(struct virtgpu_msg *msg)
{
	virtgpu_cmd_set_scanout_blob(msg, &scanout);
}

static const struct drm_rect rect = DRM_RECT_INIT(0x11, 0x2222, 0x3300, 0x0444);

static void fill_transfer(struct virtgpu_msg *msg)
{
	virtgpu_cmd_transfer_to_host_2d(msg, 0x66778899, &rect, 0x0000000f12345678);
}

static void fill_flush(struct virtgpu_msg *msg)
{
	virtgpu_cmd_flush(msg, 0x99887766, &rect);
}

static const struct virtgpu_cmd_cursor cursor = {
	.scanout = 2,
	.resource = 0x01020304,
	.x = 0x1122,
	.y = 0x3344,
	.hot_x = 63,
	.hot_y = 31,
};

static void fill_update_cursor(struct virtgpu_msg *msg)
{
	virtgpu_cmd_update_cursor(msg, &cursor);
}

static void fill_move_cursor(struct virtgpu_msg *msg)
{
	virtgpu_cmd_move_cursor(msg, &cursor);
}

static void fill_move_cursor_out(struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_cursor p = { .scanout = 1, .resource = 5, .x = -1, .y = -64 };

	virtgpu_cmd_move_cursor(msg, &p);
}

static const struct cmd_case cmd_cases[] = {
	{
		.name = "GET_DISPLAY_INFO",
		.fill = fill_display_info,
		.size = 24,
		.expect = 0x1101,
		.reply_min = 408,
		.reply_size = 24,
		.bytes = { [0] = 0x00, 0x01 },
	}, {
		.name = "GET_EDID",
		.fill = fill_edid,
		.size = 32,
		.expect = 0x1104,
		.reply_min = 32,
		.reply_size = 24,
		.bytes = { [0] = 0x0a, 0x01, [24] = 0x0f },
	}, {
		.name = "RESOURCE_CREATE_2D",
		.fill = fill_create_2d,
		.size = 40,
		.reply_size = 24,
		.bytes = {
			[0] = 0x01, 0x01,
			[24] = 0x44, 0x33, 0x22, 0x11,
			[28] = 0x43, 0x00, 0x00, 0x00,
			[32] = 0x00, 0x0f, 0x00, 0x00,
			[36] = 0x70, 0x08, 0x02, 0x01,
		},
	}, {
		.name = "RESOURCE_CREATE_BLOB",
		.fill = fill_create_blob,
		.size = 56,
		.reply_size = 24,
		.bytes = {
			[0] = 0x0c, 0x01,
			[24] = 0xd4, 0xc3, 0xb2, 0xa1,		/* resource_id */
			[28] = 0x01, 0x00, 0x00, 0x00,		/* blob_mem */
			[32] = 0x02, 0x00, 0x00, 0x00,		/* blob_flags */
			[36] = 0x05, 0x12, 0x03, 0x00,		/* nr_entries */
			[40] = 0x00, 0x00, 0x00, 0x00,		/* blob_id */
			[44] = 0x00, 0x00, 0x00, 0x00,
			[48] = 0x00, 0xc0, 0xab, 0x89,		/* size */
			[52] = 0x67, 0x45, 0x23, 0x01,
		},
	}, {
		.name = "RESOURCE_ATTACH_BACKING",
		.fill = fill_attach,
		.size = 32,
		.reply_size = 24,
		.bytes = {
			[0] = 0x06, 0x01,
			[24] = 0x01, 0x00, 0x00, 0x80,
			[28] = 0x05, 0x12, 0x03, 0x00,
		},
	}, {
		.name = "RESOURCE_DETACH_BACKING",
		.fill = fill_detach,
		.size = 32,
		.reply_size = 24,
		.bytes = { [0] = 0x07, 0x01, [24] = 0x03, 0x02, 0x01, 0x00 },
	}, {
		.name = "RESOURCE_UNREF",
		.fill = fill_unref,
		.size = 32,
		.reply_size = 24,
		.bytes = { [0] = 0x02, 0x01, [24] = 0xfc, 0xfd, 0xfe, 0xff },
	}, {
		.name = "RESOURCE_ASSIGN_UUID",
		.fill = fill_uuid,
		.size = 32,
		.expect = 0x1105,
		.reply_min = 40,
		.reply_size = 24,
		.bytes = { [0] = 0x0b, 0x01, [24] = 0xfe, 0x00, 0xff, 0x00 },
	}, {
		.name = "SET_SCANOUT",
		.fill = fill_scanout,
		.size = 48,
		.reply_size = 24,
		.bytes = {
			[0] = 0x03, 0x01,
			[24] = 0x01, 0x01, 0x00, 0x00,		/* r.x */
			[28] = 0x02, 0x02, 0x00, 0x00,
			[32] = 0x00, 0x1e, 0x00, 0x00,
			[36] = 0xe0, 0x10, 0x00, 0x00,
			[40] = 0x09, 0x00, 0x00, 0x00,		/* scanout_id */
			[44] = 0x0d, 0x0c, 0x0b, 0x0a,		/* resource_id */
		},
	}, {
		.name = "SET_SCANOUT, nothing",
		.fill = fill_scanout_off,
		.size = 48,
		.reply_size = 24,
		.bytes = { [0] = 0x03, 0x01, [40] = 0x03 },
	}, {
		.name = "SET_SCANOUT_BLOB",
		.fill = fill_scanout_blob,
		.size = 96,
		.reply_size = 24,
		.bytes = {
			[0] = 0x0d, 0x01,
			[24] = 0x01, 0x01, 0x00, 0x00,		/* r.x */
			[28] = 0x02, 0x02, 0x00, 0x00,
			[32] = 0x00, 0x1e, 0x00, 0x00,
			[36] = 0xe0, 0x10, 0x00, 0x00,
			[40] = 0x09, 0x00, 0x00, 0x00,		/* scanout_id */
			[44] = 0x0d, 0x0c, 0x0b, 0x0a,		/* resource_id */
			[48] = 0x01, 0x20, 0x00, 0x00,		/* width */
			[52] = 0x02, 0x21, 0x00, 0x00,		/* height */
			[56] = 0x02, 0x00, 0x00, 0x00,		/* format */
			[64] = 0x78, 0x56, 0x34, 0x12,		/* strides[0] */
			[80] = 0x20, 0x43, 0x65, 0x87,		/* offsets[0] */
		},
	}, {
		.name = "TRANSFER_TO_HOST_2D",
		.fill = fill_transfer,
		.size = 56,
		.reply_size = 24,
		.bytes = {
			[0] = 0x05, 0x01,
			[24] = 0x11, 0x00, 0x00, 0x00,
			[28] = 0x22, 0x22, 0x00, 0x00,
			[32] = 0x00, 0x33, 0x00, 0x00,
			[36] = 0x44, 0x04, 0x00, 0x00,
			[40] = 0x78, 0x56, 0x34, 0x12,		/* offset */
			[44] = 0x0f, 0x00, 0x00, 0x00,
			[48] = 0x99, 0x88, 0x77, 0x66,		/* resource_id */
		},
	}, {
		.name = "RESOURCE_FLUSH",
		.fill = fill_flush,
		.size = 48,
		.reply_size = 24,
		.bytes = {
			[0] = 0x04, 0x01,
			[24] = 0x11, 0x00, 0x00, 0x00,
			[28] = 0x22, 0x22, 0x00, 0x00,
			[32] = 0x00, 0x33, 0x00, 0x00,
			[36] = 0x44, 0x04, 0x00, 0x00,
			[40] = 0x66, 0x77, 0x88, 0x99,		/* resource_id */
		},
	}, {
		.name = "UPDATE_CURSOR",
		.fill = fill_update_cursor,
		.size = 56,
		.cursor = true,
		.bytes = {
			[0] = 0x00, 0x03,
			[24] = 0x02, 0x00, 0x00, 0x00,		/* pos.scanout_id */
			[28] = 0x22, 0x11, 0x00, 0x00,		/* pos.x */
			[32] = 0x44, 0x33, 0x00, 0x00,		/* pos.y */
			[40] = 0x04, 0x03, 0x02, 0x01,		/* resource_id */
			[44] = 0x3f, 0x00, 0x00, 0x00,		/* hot_x */
			[48] = 0x1f, 0x00, 0x00, 0x00,		/* hot_y */
		},
	}, {
		.name = "MOVE_CURSOR",
		.fill = fill_move_cursor,
		.size = 56,
		.cursor = true,
		.bytes = {
			[0] = 0x01, 0x03,
			[24] = 0x02, 0x00, 0x00, 0x00,
			[28] = 0x22, 0x11, 0x00, 0x00,
			[32] = 0x44, 0x33, 0x00, 0x00,
			[40] = 0x04, 0x03, 0x02, 0x01,
			[44] = 0x3f, 0x00, 0x00, 0x00,
			[48] = 0x1f, 0x00, 0x00, 0x00,
		},
	}, {
		.name = "MOVE_CURSOR, beyond the edge",
		.fill = fill_move_cursor_out,
		.size = 56,
		.cursor = true,
		.bytes = {
			[0] = 0x01, 0x03,
			[24] = 0x01, 0x00, 0x00, 0x00,
			[28] = 0xff, 0xff, 0xff, 0xff,
			[32] = 0xc0, 0xff, 0xff, 0xff,
			[40] = 0x05, 0x00, 0x00, 0x00,
		},
	},
};

KUNIT_ARRAY_PARAM_DESC(cmd, cmd_cases, name);

static struct virtgpu_msg *filled(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	c->fill(msg);

	return msg;
}

/* The list in this file's static memory is not the message's to free. */
static void drop(struct virtgpu_msg *msg)
{
	msg->payload = NULL;
	virtgpu_msg_put(msg);
}

/* The bytes that are sent, and zeroes in what follows them. */
static void cmd_bytes(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = filled(test);

	KUNIT_EXPECT_EQ(test, msg->request_size, c->size);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)&msg->request, c->bytes, REQUEST_MAX);
	drop(msg);
}

/* What is known about the answer before there is one. */
static void reply(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = filled(test);

	KUNIT_EXPECT_EQ(test, msg->resp_type, c->expect);
	KUNIT_EXPECT_EQ(test, msg->resp_min_size, c->reply_min);
	KUNIT_EXPECT_EQ(test, msg->resp_size, c->reply_size);
	KUNIT_EXPECT_EQ(test, msg->cursor, c->cursor);
	KUNIT_EXPECT_EQ(test, virtgpu_msg_type(msg), c->bytes[0] | c->bytes[1] << 8);
	drop(msg);
}

/* A command that is filled once more leaves nothing of the first in it. */
static void after_recycle(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	memset(&msg->request, 0xa5, sizeof(msg->request));
	virtgpu_msg_reinit(msg);
	c->fill(msg);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)&msg->request, c->bytes, REQUEST_MAX);
	drop(msg);
}

/* A list goes along with those commands that name its length, and no other. */
static void cmd_payload(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = filled(test);
	bool carries = c->fill == fill_create_blob || c->fill == fill_attach;

	KUNIT_EXPECT_PTR_EQ(test, msg->payload, carries ? &backing : NULL);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_RESERVED);
	KUNIT_EXPECT_NULL(test, msg->fence);
	drop(msg);
}

static struct kunit_case cmd_tests[] = {
	KUNIT_CASE_PARAM(cmd_bytes, cmd_gen_params),
	KUNIT_CASE_PARAM(reply, cmd_gen_params),
	KUNIT_CASE_PARAM(after_recycle, cmd_gen_params),
	KUNIT_CASE_PARAM(cmd_payload, cmd_gen_params),
	{}
};

static struct kunit_suite cmd_suite = {
	.name = "virtio_gpu_cmd",
	.test_cases = cmd_tests,
};

kunit_test_suite(cmd_suite);
