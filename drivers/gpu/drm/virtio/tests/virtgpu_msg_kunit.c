// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cmd.h"
#include "virtgpu_msg.h"

#define HDR 24

/*
 * The judgement on an answer
 */

struct reply_case {
	const char *name;
	u32 type;
	u32 used;
	u32 size;
	u32 expect;
	u32 least;
	bool cursor;
	int error;
};

static const struct reply_case reply_cases[] = {
	/* Success, however a host spells it. */
	{ "OK_NODATA", 0x1100, HDR, HDR },
	{ "OK of another kind", 0x1106, HDR, HDR },
	{ "a success of the host's own", 0x11ff, HDR, HDR },
	{ "type 0", 0, HDR, HDR },
	{ "the command echoed", 0x0102, HDR, HDR },

	/* The host's errors. */
	{ "ERR_UNSPEC", 0x1200, HDR, HDR, .error = -EIO },
	{ "ERR_OUT_OF_MEMORY", 0x1201, HDR, HDR, .error = -ENOMEM },
	{ "ERR_INVALID_SCANOUT_ID", 0x1202, HDR, HDR, .error = -ENXIO },
	{ "ERR_INVALID_RESOURCE_ID", 0x1203, HDR, HDR, .error = -ENOENT },
	{ "ERR_INVALID_CONTEXT_ID", 0x1204, HDR, HDR, .error = -ENOENT },
	{ "ERR_INVALID_PARAMETER", 0x1205, HDR, HDR, .error = -EINVAL },
	{ "an error of the future", 0x1206, HDR, HDR, .error = -EIO },
	{ "type of all ones", 0xffffffff, HDR, HDR, .error = -EIO },
	{ "type in the wrong byte order", 0x00110000, HDR, HDR, .error = -EIO },

	/* Lengths that no honest host tells. */
	{ "nothing", 0x1100, 0, HDR, .error = -EPROTO },
	{ "one byte", 0x1100, 1, HDR, .error = -EPROTO },
	{ "header less a byte", 0x1100, HDR - 1, HDR, .error = -EPROTO },
	{ "error, but short", 0x1201, HDR - 1, HDR, .error = -EPROTO },
	{ "one byte too many", 0x1100, HDR + 1, HDR, .error = -EPROTO },
	{ "error, but long", 0x1201, HDR + 1, HDR, .error = -EPROTO },
	{ "length of all ones", 0x1100, 0xffffffff, HDR, .error = -EPROTO },

	/* Answers with data. */
	{ "data", 0x1105, 40, 40, 0x1105, 40 },
	{ "data, one byte short", 0x1105, 39, 40, 0x1105, 40, .error = -EPROTO },
	{ "data, header only", 0x1105, HDR, 40, 0x1105, 40, .error = -EPROTO },
	{ "data, one byte long", 0x1105, 41, 40, 0x1105, 40, .error = -EPROTO },
	{ "data of another type", 0x1104, 40, 40, 0x1105, 40, .error = -EPROTO },
	{ "no data where some was to be", 0x1100, 40, 40, 0x1105, 40, .error = -EPROTO },
	{ "own success where data was to be", 0x11ff, 40, 40, 0x1105, 40, .error = -EPROTO },
	{ "error instead of data", 0x1203, HDR, 40, 0x1105, 40, .error = -ENOENT },
	{ "error as long as data", 0x1203, 40, 40, 0x1105, 40, .error = -ENOENT },
	{ "large data, as short as allowed", 0x1104, 32, 1056, 0x1104, 32 },
	{ "large data, all of it", 0x1104, 1056, 1056, 0x1104, 32 },
	{ "large data, too short", 0x1104, 31, 1056, 0x1104, 32, .error = -EPROTO },
	{ "large data, too long", 0x1104, 1057, 1056, 0x1104, 32, .error = -EPROTO },

	/* The cursor queue has no answers. */
	{ "cursor, nothing", 0, 0, 0, .cursor = true },
	{ "cursor, nothing but a length", 0, 4096, 0, .cursor = true },
};

KUNIT_ARRAY_PARAM_DESC(reply, reply_cases, name);

/* KASAN sees it if the check looks beyond the answer's memory. */
static void reply_check(struct kunit *test)
{
	const struct reply_case *c = test->param_value;
	struct virtgpu_cmd_info cmd = {
		.resp_type = c->expect ?: VIRTIO_GPU_RESP_OK_NODATA,
		.resp_min_size = c->least,
	};
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(c->size);
	__le32 type = cpu_to_le32(c->type);

	KUNIT_ASSERT_NOT_NULL(test, msg);
	memset(msg->resp, 0, c->size);
	memcpy(msg->resp, &type, min_t(u32, c->size, sizeof(type)));
	msg->cmd = &cmd;
	msg->resp_len = c->used;
	msg->cursor = c->cursor;
	KUNIT_EXPECT_EQ(test, virtgpu_msg_check_response(msg), c->error);
	virtgpu_msg_put(msg);
}

/* The type is read as little endian from the first bytes of the answer. */
static void reply_byte_order(struct kunit *test)
{
	static const u8 no_memory[HDR] = { 0x01, 0x12 };
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	memcpy(msg->resp, no_memory, sizeof(no_memory));
	msg->resp_len = sizeof(no_memory);
	KUNIT_EXPECT_EQ(test, virtgpu_msg_check_response(msg), -ENOMEM);
	virtgpu_msg_put(msg);
}

/*
 * What the command functions expect is what a host of the specification says
 */

struct spoken_case {
	const char *name;
	void (*fill)(struct virtgpu_msg *msg);
	u32 room;
	u32 type;
	u32 used;
	int error;
};

static void fill_info(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_display_info(msg);
}

static void fill_edid(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_edid(msg, 0);
}

static void fill_uuid(struct virtgpu_msg *msg)
{
	virtgpu_cmd_assign_uuid(msg, 1);
}

static void fill_unref(struct virtgpu_msg *msg)
{
	virtgpu_cmd_unref(msg, 1);
}

static const struct spoken_case spoken_cases[] = {
	{ "display info", fill_info, 408, 0x1101, 408 },
	{ "display info of fifteen outputs", fill_info, 408, 0x1101, 384, -EPROTO },
	{ "display info without outputs", fill_info, 408, 0x1100, 24, -EPROTO },
	{ "EDID", fill_edid, 1056, 0x1104, 1056 },
	{ "EDID, only what there is", fill_edid, 1056, 0x1104, 32 + 128 },
	{ "EDID without its length", fill_edid, 1056, 0x1104, 28, -EPROTO },
	{ "EDID of no such output", fill_edid, 1056, 0x1202, 24, -ENXIO },
	{ "UUID", fill_uuid, 40, 0x1105, 40 },
	{ "half a UUID", fill_uuid, 40, 0x1105, 32, -EPROTO },
	{ "UUID of no such resource", fill_uuid, 40, 0x1203, 24, -ENOENT },
	{ "UNREF", fill_unref, 24, 0x1100, 24 },
	{ "UNREF of no such resource", fill_unref, 24, 0x1203, 24, -ENOENT },
};

KUNIT_ARRAY_PARAM_DESC(spoken, spoken_cases, name);

static void reply_of_command(struct kunit *test)
{
	const struct spoken_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(c->room);
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };

	KUNIT_ASSERT_NOT_NULL(test, msg);
	c->fill(msg);
	memset(msg->resp, 0, c->room);
	memcpy(msg->resp, &hdr, sizeof(hdr));
	msg->resp_len = c->used;
	KUNIT_EXPECT_EQ(test, virtgpu_msg_check_response(msg), c->error);
	virtgpu_msg_put(msg);
}

/*
 * The message itself
 */

static const u32 rooms[] = { 24, 40, 63, 64, 65, 408, 1056, 65536 };

static void room_desc(const u32 *room, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "answer of %u bytes", *room);
}

KUNIT_ARRAY_PARAM(room, rooms, room_desc);

/* There is room for the answer, apart from what the device only reads. */
static void msg_room(struct kunit *test)
{
	const u32 *room = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(*room);
	u8 *request, *reply;

	KUNIT_ASSERT_NOT_NULL(test, msg);
	request = (u8 *)&msg->request;
	reply = msg->resp;
	KUNIT_EXPECT_EQ(test, msg->resp_size, *room);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_RESERVED);
	KUNIT_EXPECT_NULL(test, memchr_inv(request, 0, sizeof(msg->request)));
	KUNIT_EXPECT_TRUE(test, reply >= request + sizeof(msg->request) ||
			  reply + *room <= request);
	memset(reply, 0xff, *room);
	KUNIT_EXPECT_NULL(test, memchr_inv(request, 0, sizeof(msg->request)));
	virtgpu_msg_put(msg);
}

/* A cache line that the device writes to holds nothing that the driver reads. */
static void cache_lines(struct kunit *test)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)msg->inline_resp, ARCH_DMA_MINALIGN));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(sizeof(*msg), ARCH_DMA_MINALIGN));
	KUNIT_EXPECT_PTR_EQ(test, msg->resp, (void *)msg->inline_resp);
	virtgpu_msg_put(msg);
}

static void put_nothing(struct kunit *test)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_msg_put(NULL);
	virtgpu_msg_get(msg);
	virtgpu_msg_put(msg);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	virtgpu_msg_put(msg);
}

static void msg_client(struct kunit *test)
{
	struct virtgpu_client *client = virtgpu_client_alloc(0), *other = virtgpu_client_alloc(0);
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, client);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_msg_set_client(msg, NULL);
	KUNIT_EXPECT_NULL(test, msg->client);
	virtgpu_msg_set_client(msg, client);
	/* The first one counts. */
	virtgpu_msg_set_client(msg, other);
	KUNIT_EXPECT_PTR_EQ(test, msg->client, client);
	KUNIT_EXPECT_EQ(test, refcount_read(&client->ref), 2);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->ref), 1);
	virtgpu_msg_put(msg);
	KUNIT_EXPECT_EQ(test, refcount_read(&client->ref), 1);
	virtgpu_client_put(client);
	virtgpu_client_put(other);
	virtgpu_client_put(NULL);
}

static struct kunit_case msg_tests[] = {
	KUNIT_CASE_PARAM(reply_check, reply_gen_params),
	KUNIT_CASE(reply_byte_order),
	KUNIT_CASE_PARAM(reply_of_command, spoken_gen_params),
	KUNIT_CASE_PARAM(msg_room, room_gen_params),
	KUNIT_CASE(cache_lines),
	KUNIT_CASE(put_nothing),
	KUNIT_CASE(msg_client),
	{}
};

static struct kunit_suite msg_suite = {
	.name = "virtio_gpu_msg",
	.test_cases = msg_tests,
};

kunit_test_suite(msg_suite);
