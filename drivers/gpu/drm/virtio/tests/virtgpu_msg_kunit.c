// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <drm/drm_edid.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cmd.h"
#include "virtgpu_msg.h"

#define HDR sizeof(struct virtio_gpu_ctrl_hdr)
#define UUID sizeof(struct virtio_gpu_resp_resource_uuid)
#define INFO sizeof(struct virtio_gpu_resp_display_info)
#define EDID sizeof(struct virtio_gpu_resp_edid)
#define EDID_MIN offsetof(struct virtio_gpu_resp_edid, edid)

#define OK(name) VIRTIO_GPU_RESP_OK_##name
#define OK_UUID OK(RESOURCE_UUID)
#define ERR(name) VIRTIO_GPU_RESP_ERR_##name

/* A private success code, as at least one host uses. */
#define OK_PRIVATE (VIRTIO_GPU_RESP_ERR_UNSPEC - 1)

struct resp_case {
	const char *name;
	u32 type;
	u32 used;
	u32 size;
	u32 resp_type;
	u32 min_size;
	bool cursor;
	int error;
};

static const struct resp_case resp_cases[] = {
	/* Success of any type. */
	{ "OK_NODATA", OK(NODATA), HDR, HDR },
	{ "OK of another type", OK(MAP_INFO), HDR, HDR },
	{ "private success code", OK_PRIVATE, HDR, HDR },
	{ "type 0", VIRTIO_GPU_UNDEFINED, HDR, HDR },
	{ "the command echoed", VIRTIO_GPU_CMD_RESOURCE_UNREF, HDR, HDR },

	/* Errors of the host. */
	{ "ERR_UNSPEC", ERR(UNSPEC), HDR, HDR, .error = -EIO },
	{ "ERR_OUT_OF_MEMORY", ERR(OUT_OF_MEMORY), HDR, HDR, .error = -ENOMEM },
	{ "INVALID_SCANOUT_ID", ERR(INVALID_SCANOUT_ID), HDR, HDR, .error = -ENXIO },
	{ "INVALID_RESOURCE_ID", ERR(INVALID_RESOURCE_ID), HDR, HDR, .error = -ENOENT },
	{ "INVALID_CONTEXT_ID", ERR(INVALID_CONTEXT_ID), HDR, HDR, .error = -ENOENT },
	{ "INVALID_PARAMETER", ERR(INVALID_PARAMETER), HDR, HDR, .error = -EINVAL },
	{ "unknown error", ERR(INVALID_PARAMETER) + 1, HDR, HDR, .error = -EIO },
	{ "type of all ones", 0xffffffff, HDR, HDR, .error = -EIO },
	{ "type in the wrong byte order", swab32(OK(NODATA)), HDR, HDR, .error = -EIO },

	/* Malformed lengths. */
	{ "nothing", OK(NODATA), 0, HDR, .error = -EPROTO },
	{ "one byte", OK(NODATA), 1, HDR, .error = -EPROTO },
	{ "header less a byte", OK(NODATA), HDR - 1, HDR, .error = -EPROTO },
	{ "error, but short", ERR(OUT_OF_MEMORY), HDR - 1, HDR, .error = -EPROTO },
	{ "one byte too many", OK(NODATA), HDR + 1, HDR, .error = -EPROTO },
	{ "error, but long", ERR(OUT_OF_MEMORY), HDR + 1, HDR, .error = -EPROTO },
	{ "length of all ones", OK(NODATA), 0xffffffff, HDR, .error = -EPROTO },

	/* Responses with data. */
	{ "data", OK_UUID, UUID, UUID, OK_UUID, UUID },
	{ "data, short", OK_UUID, UUID - 1, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "data, header only", OK_UUID, HDR, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "data, long", OK_UUID, UUID + 1, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "data of another type", OK(EDID), UUID, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "success without data", OK(NODATA), UUID, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "private code, no data", OK_PRIVATE, UUID, UUID, OK_UUID, UUID, .error = -EPROTO },
	{ "error, no data", ERR(INVALID_RESOURCE_ID), HDR, UUID, OK_UUID, UUID, .error = -ENOENT },
	{ "long error", ERR(INVALID_RESOURCE_ID), UUID, UUID, OK_UUID, UUID, .error = -ENOENT },
	{ "large, minimum", OK(EDID), EDID_MIN, EDID, OK(EDID), EDID_MIN },
	{ "large, complete", OK(EDID), EDID, EDID, OK(EDID), EDID_MIN },
	{ "large, short", OK(EDID), EDID_MIN - 1, EDID, OK(EDID), EDID_MIN, .error = -EPROTO },
	{ "large, long", OK(EDID), EDID + 1, EDID, OK(EDID), EDID_MIN, .error = -EPROTO },

	/* The cursor queue has no responses. */
	{ "cursor, nothing", 0, 0, 0, .cursor = true },
	{ "cursor, length only", 0, 4096, 0, .cursor = true },
};

KUNIT_ARRAY_PARAM_DESC(resp, resp_cases, name);

/* KASAN reports accesses beyond the response buffer. */
static void response_check(struct kunit *test)
{
	const struct resp_case *c = test->param_value;
	struct virtgpu_cmd_info cmd = {
		.resp_type = c->resp_type ?: OK(NODATA),
		.resp_min_size = c->min_size,
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

/* The type is the first little-endian word of the response. */
static void response_byte_order(struct kunit *test)
{
	static const u8 no_memory[HDR] = { 0x01, 0x12 };
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	memcpy(msg->resp, no_memory, sizeof(no_memory));
	msg->resp_len = sizeof(no_memory);
	KUNIT_EXPECT_EQ(test, virtgpu_msg_check_response(msg), -ENOMEM);
	virtgpu_msg_put(msg);
}

/* Responses to commands, as the virtio specification describes them. */
struct response_case {
	const char *name;
	void (*fill)(struct virtgpu_msg *msg);
	u32 size;
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

static const struct response_case response_cases[] = {
	{ "display info", fill_info, INFO, OK(DISPLAY_INFO), INFO },
	{ "display info, 15 outputs", fill_info, INFO, OK(DISPLAY_INFO), INFO - HDR, -EPROTO },
	{ "display info without outputs", fill_info, INFO, OK(NODATA), HDR, -EPROTO },
	{ "EDID", fill_edid, EDID, OK(EDID), EDID },
	{ "EDID, only what there is", fill_edid, EDID, OK(EDID), EDID_MIN + EDID_LENGTH },
	{ "EDID without its length", fill_edid, EDID, OK(EDID), EDID_MIN - 4, -EPROTO },
	{ "EDID of no such output", fill_edid, EDID, ERR(INVALID_SCANOUT_ID), HDR, -ENXIO },
	{ "UUID", fill_uuid, UUID, OK_UUID, UUID },
	{ "half a UUID", fill_uuid, UUID, OK_UUID, UUID - 8, -EPROTO },
	{ "UUID of no such resource", fill_uuid, UUID, ERR(INVALID_RESOURCE_ID), HDR, -ENOENT },
	{ "UNREF", fill_unref, HDR, OK(NODATA), HDR },
	{ "UNREF of no such resource", fill_unref, HDR, ERR(INVALID_RESOURCE_ID), HDR, -ENOENT },
};

KUNIT_ARRAY_PARAM_DESC(response, response_cases, name);

static void response_of_command(struct kunit *test)
{
	const struct response_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(c->size);
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(c->type) };

	KUNIT_ASSERT_NOT_NULL(test, msg);
	c->fill(msg);
	memset(msg->resp, 0, c->size);
	memcpy(msg->resp, &hdr, sizeof(hdr));
	msg->resp_len = c->used;
	KUNIT_EXPECT_EQ(test, virtgpu_msg_check_response(msg), c->error);
	virtgpu_msg_put(msg);
}

/* Around the size of the inline response, 64 bytes, and far beyond. */
static const u32 resp_sizes[] = { HDR, UUID, 63, 64, 65, INFO, EDID, SZ_64K };

static void size_desc(const u32 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "response of %u bytes", *size);
}

KUNIT_ARRAY_PARAM(size, resp_sizes, size_desc);

/* The response buffer does not overlap the request. */
static void msg_resp_buffer(struct kunit *test)
{
	const u32 *size = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(*size);
	u8 *request, *resp;

	KUNIT_ASSERT_NOT_NULL(test, msg);
	request = (u8 *)&msg->request;
	resp = msg->resp;
	KUNIT_EXPECT_EQ(test, msg->resp_size, *size);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_RESERVED);
	KUNIT_EXPECT_NULL(test, memchr_inv(request, 0, sizeof(msg->request)));
	KUNIT_EXPECT_TRUE(test, resp >= request + sizeof(msg->request) ||
			  resp + *size <= request);
	memset(resp, 0xff, *size);
	KUNIT_EXPECT_NULL(test, memchr_inv(request, 0, sizeof(msg->request)));
	virtgpu_msg_put(msg);
}

/* The inline response shares no cache line with other members. */
static void cache_lines(struct kunit *test)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)msg->inline_resp, ARCH_DMA_MINALIGN));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(sizeof(*msg), ARCH_DMA_MINALIGN));
	KUNIT_EXPECT_PTR_EQ(test, msg->resp, (void *)msg->inline_resp);
	virtgpu_msg_put(msg);
}

static void msg_refs(struct kunit *test)
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
	/* The first client counts. */
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

#define STALE_ORDER 4
#define STALE_PAGES 256
#define STALE_BYTE 0x5a

/* Leave stale data in free memory, for blocks of pages and for slabs. */
static void leave_stale_data(struct kunit *test)
{
	struct page **pages = kunit_kcalloc(test, STALE_PAGES, sizeof(*pages), GFP_KERNEL);
	unsigned int i, order;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (order = 0; order <= STALE_ORDER; order++) {
		for (i = 0; i < STALE_PAGES >> order; i++) {
			pages[i] = alloc_pages(GFP_KERNEL, order);
			if (pages[i])
				memset(page_address(pages[i]), STALE_BYTE, PAGE_SIZE << order);
		}
		while (i--)
			if (pages[i])
				__free_pages(pages[i], order);
	}
}

struct stale_case {
	const char *name;
	size_t size;
};

static const struct stale_case stale_cases[] = {
	{ "header", HDR },
	{ "inline", 64 },
	{ "EDID", EDID },
	{ "large", PAGE_SIZE << STALE_ORDER },
};

KUNIT_ARRAY_PARAM_DESC(stale, stale_cases, name);

/* With bounce buffers the host can read response buffers. */
static void resp_zeroed(struct kunit *test)
{
	const struct stale_case *c = test->param_value;
	struct virtgpu_msg *msgs[64];
	unsigned int i;

	leave_stale_data(test);
	for (i = 0; i < ARRAY_SIZE(msgs); i++) {
		msgs[i] = virtgpu_msg_alloc_resp(c->size);
		KUNIT_ASSERT_NOT_NULL(test, msgs[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(msgs[i]->resp, 0, c->size));
	}
	while (i--)
		virtgpu_msg_put(msgs[i]);
}

static struct kunit_case msg_tests[] = {
	KUNIT_CASE_PARAM(response_check, resp_gen_params),
	KUNIT_CASE(response_byte_order),
	KUNIT_CASE_PARAM(response_of_command, response_gen_params),
	KUNIT_CASE_PARAM(msg_resp_buffer, size_gen_params),
	KUNIT_CASE(cache_lines),
	KUNIT_CASE(msg_refs),
	KUNIT_CASE(msg_client),
	KUNIT_CASE_PARAM(resp_zeroed, stale_gen_params),
	{}
};

static struct kunit_suite msg_suite = {
	.name = "virtio_gpu_msg",
	.test_cases = msg_tests,
};

kunit_test_suite(msg_suite);
