// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/string.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"

/*
 * The bytes of each command, in little endian, by the virtio specification,
 * 5.7.6.8 to 5.7.6.10.  The numbers are literals so that an error in a shared
 * header or in VIRTGPU_COMMANDS() fails a case.
 */

#define REQUEST_MAX sizeof_field(struct virtgpu_msg, request)

struct cmd_case {
	const char *name;
	void (*fill)(struct virtgpu_msg *msg);
	u32 size;
	u32 resp_type;
	u32 resp_min_size;
	u32 resp_size;
	bool cursor;
	u8 bytes[REQUEST_MAX];
};

/* The requests hold only the number of entries or bytes. */
static struct virtgpu_mem_entries backing = { .count = 0x00031205 };
static struct virtgpu_mem_entries cmdbuf = { .bytes = 0x00a1b2c4 };

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

static void fill_capset_info(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_capset_info(msg, 0x01020304);
}

static void fill_capset(struct virtgpu_msg *msg)
{
	virtgpu_cmd_get_capset(msg, 0x05, 0x01020002);
}

static void fill_ctx_create(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_create(msg, 0x00c0ffee, 0x04, "glxgears");
}

/* 65 characters, of which 64 are sent. */
static void fill_ctx_create_long(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_create(msg, 1, 0x1ff,
			       "abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghi");
}

static void fill_ctx_destroy(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_destroy(msg, 0x11121314);
}

static void fill_ctx_attach(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_attach(msg, 0x21222324, 0x31323334);
}

static void fill_ctx_detach(struct virtgpu_msg *msg)
{
	virtgpu_cmd_ctx_detach(msg, 0x41424344, 0x51525354);
}

static void fill_create_3d(struct virtgpu_msg *msg)
{
	struct virtgpu_cmd_create_3d p = {
		.resource = 0x01020304,
		.target = 0x11,
		.format = 0x22,
		.bind = 0x00330033,
		.width = 0x1e00,
		.height = 0x10e0,
		.depth = 0x44,
		.array_size = 0x0655,
		.last_level = 0x0d,
		.nr_samples = 0x08,
		.flags = 0x01,
	};

	virtgpu_cmd_create_3d(msg, &p);
}

static const struct virtgpu_cmd_transfer_3d transfer_3d = {
	.context = 0x0a0b0c0d,
	.resource = 0x61626364,
	.x = 0x101,
	.y = 0x202,
	.z = 0x303,
	.w = 0x404,
	.h = 0x505,
	.d = 0x606,
	.offset = 0x0000000f12345678,
	.level = 0x07,
	.stride = 0x00010800,
	.layer_stride = 0x09000000,
};

static void fill_transfer_to_3d(struct virtgpu_msg *msg)
{
	virtgpu_cmd_transfer_to_host_3d(msg, &transfer_3d);
}

static void fill_transfer_from_3d(struct virtgpu_msg *msg)
{
	virtgpu_cmd_transfer_from_host_3d(msg, &transfer_3d);
}

static void fill_submit(struct virtgpu_msg *msg)
{
	virtgpu_cmd_submit_3d(msg, 0x71727374, &cmdbuf);
}

static void fill_submit_ring(struct virtgpu_msg *msg)
{
	virtgpu_cmd_submit_3d(msg, 0x71727374, NULL);
	virtgpu_cmd_set_ring_idx(msg, 0x3f);
}

static void fill_map_blob(struct virtgpu_msg *msg)
{
	virtgpu_cmd_map_blob(msg, 0x81828384, 0x00000012f4567000);
}

static void fill_unmap_blob(struct virtgpu_msg *msg)
{
	virtgpu_cmd_unmap_blob(msg, 0x91929394);
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
		.resp_type = 0x1101,
		.resp_min_size = 408,
		.resp_size = 24,
		.bytes = { [0] = 0x00, 0x01 },
	}, {
		.name = "GET_EDID",
		.fill = fill_edid,
		.size = 32,
		.resp_type = 0x1104,
		.resp_min_size = 32,
		.resp_size = 24,
		.bytes = { [0] = 0x0a, 0x01, [24] = 0x0f },
	}, {
		.name = "RESOURCE_CREATE_2D",
		.fill = fill_create_2d,
		.size = 40,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x06, 0x01,
			[24] = 0x01, 0x00, 0x00, 0x80,
			[28] = 0x05, 0x12, 0x03, 0x00,
		},
	}, {
		.name = "RESOURCE_DETACH_BACKING",
		.fill = fill_detach,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = { [0] = 0x07, 0x01, [24] = 0x03, 0x02, 0x01, 0x00 },
	}, {
		.name = "RESOURCE_UNREF",
		.fill = fill_unref,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = { [0] = 0x02, 0x01, [24] = 0xfc, 0xfd, 0xfe, 0xff },
	}, {
		.name = "RESOURCE_ASSIGN_UUID",
		.fill = fill_uuid,
		.size = 32,
		.resp_type = 0x1105,
		.resp_min_size = 40,
		.resp_size = 24,
		.bytes = { [0] = 0x0b, 0x01, [24] = 0xfe, 0x00, 0xff, 0x00 },
	}, {
		.name = "SET_SCANOUT",
		.fill = fill_scanout,
		.size = 48,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
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
		.name = "SET_SCANOUT, disable",
		.fill = fill_scanout_off,
		.size = 48,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = { [0] = 0x03, 0x01, [40] = 0x03 },
	}, {
		.name = "SET_SCANOUT_BLOB",
		.fill = fill_scanout_blob,
		.size = 96,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x04, 0x01,
			[24] = 0x11, 0x00, 0x00, 0x00,
			[28] = 0x22, 0x22, 0x00, 0x00,
			[32] = 0x00, 0x33, 0x00, 0x00,
			[36] = 0x44, 0x04, 0x00, 0x00,
			[40] = 0x66, 0x77, 0x88, 0x99,		/* resource_id */
		},
	}, {
		.name = "GET_CAPSET_INFO",
		.fill = fill_capset_info,
		.size = 32,
		.resp_type = 0x1102,
		.resp_min_size = 40,
		.resp_size = 24,
		.bytes = {
			[0] = 0x08, 0x01,
			[24] = 0x04, 0x03, 0x02, 0x01,		/* capset_index */
		},
	}, {
		.name = "GET_CAPSET",
		.fill = fill_capset,
		.size = 32,
		.resp_type = 0x1103,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x09, 0x01,
			[24] = 0x05, 0x00, 0x00, 0x00,		/* capset_id */
			[28] = 0x02, 0x00, 0x02, 0x01,		/* capset_version */
		},
	}, {
		.name = "CTX_CREATE",
		.fill = fill_ctx_create,
		.size = 96,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x00, 0x02,
			[16] = 0xee, 0xff, 0xc0, 0x00,		/* hdr.ctx_id */
			[24] = 0x08, 0x00, 0x00, 0x00,		/* nlen */
			[28] = 0x04, 0x00, 0x00, 0x00,		/* context_init */
			[32] = 'g', 'l', 'x', 'g', 'e', 'a', 'r', 's',
		},
	}, {
		.name = "CTX_CREATE, long name",
		.fill = fill_ctx_create_long,
		.size = 96,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x00, 0x02,
			[16] = 0x01, 0x00, 0x00, 0x00,		/* hdr.ctx_id */
			[24] = 0x40, 0x00, 0x00, 0x00,		/* nlen */
			[28] = 0xff, 0x00, 0x00, 0x00,		/* context_init */
			[32] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[40] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[48] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[56] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[64] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[72] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[80] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
			[88] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
		},
	}, {
		.name = "CTX_DESTROY",
		.fill = fill_ctx_destroy,
		.size = 24,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x01, 0x02,
			[16] = 0x14, 0x13, 0x12, 0x11,		/* hdr.ctx_id */
		},
	}, {
		.name = "CTX_ATTACH_RESOURCE",
		.fill = fill_ctx_attach,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x02, 0x02,
			[16] = 0x24, 0x23, 0x22, 0x21,		/* hdr.ctx_id */
			[24] = 0x34, 0x33, 0x32, 0x31,		/* resource_id */
		},
	}, {
		.name = "CTX_DETACH_RESOURCE",
		.fill = fill_ctx_detach,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x03, 0x02,
			[16] = 0x44, 0x43, 0x42, 0x41,		/* hdr.ctx_id */
			[24] = 0x54, 0x53, 0x52, 0x51,		/* resource_id */
		},
	}, {
		.name = "RESOURCE_CREATE_3D",
		.fill = fill_create_3d,
		.size = 72,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x04, 0x02,
			[24] = 0x04, 0x03, 0x02, 0x01,		/* resource_id */
			[28] = 0x11, 0x00, 0x00, 0x00,		/* target */
			[32] = 0x22, 0x00, 0x00, 0x00,		/* format */
			[36] = 0x33, 0x00, 0x33, 0x00,		/* bind */
			[40] = 0x00, 0x1e, 0x00, 0x00,		/* width */
			[44] = 0xe0, 0x10, 0x00, 0x00,		/* height */
			[48] = 0x44, 0x00, 0x00, 0x00,		/* depth */
			[52] = 0x55, 0x06, 0x00, 0x00,		/* array_size */
			[56] = 0x0d, 0x00, 0x00, 0x00,		/* last_level */
			[60] = 0x08, 0x00, 0x00, 0x00,		/* nr_samples */
			[64] = 0x01, 0x00, 0x00, 0x00,		/* flags */
		},
	}, {
		.name = "TRANSFER_TO_HOST_3D",
		.fill = fill_transfer_to_3d,
		.size = 72,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x05, 0x02,
			[16] = 0x0d, 0x0c, 0x0b, 0x0a,		/* hdr.ctx_id */
			[24] = 0x01, 0x01, 0x00, 0x00,		/* box.x */
			[28] = 0x02, 0x02, 0x00, 0x00,
			[32] = 0x03, 0x03, 0x00, 0x00,
			[36] = 0x04, 0x04, 0x00, 0x00,		/* box.w */
			[40] = 0x05, 0x05, 0x00, 0x00,
			[44] = 0x06, 0x06, 0x00, 0x00,
			[48] = 0x78, 0x56, 0x34, 0x12,		/* offset */
			[52] = 0x0f, 0x00, 0x00, 0x00,
			[56] = 0x64, 0x63, 0x62, 0x61,		/* resource_id */
			[60] = 0x07, 0x00, 0x00, 0x00,		/* level */
			[64] = 0x00, 0x08, 0x01, 0x00,		/* stride */
			[68] = 0x00, 0x00, 0x00, 0x09,		/* layer_stride */
		},
	}, {
		.name = "TRANSFER_FROM_HOST_3D",
		.fill = fill_transfer_from_3d,
		.size = 72,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x06, 0x02,
			[16] = 0x0d, 0x0c, 0x0b, 0x0a,		/* hdr.ctx_id */
			[24] = 0x01, 0x01, 0x00, 0x00,		/* box.x */
			[28] = 0x02, 0x02, 0x00, 0x00,
			[32] = 0x03, 0x03, 0x00, 0x00,
			[36] = 0x04, 0x04, 0x00, 0x00,		/* box.w */
			[40] = 0x05, 0x05, 0x00, 0x00,
			[44] = 0x06, 0x06, 0x00, 0x00,
			[48] = 0x78, 0x56, 0x34, 0x12,		/* offset */
			[52] = 0x0f, 0x00, 0x00, 0x00,
			[56] = 0x64, 0x63, 0x62, 0x61,		/* resource_id */
			[60] = 0x07, 0x00, 0x00, 0x00,		/* level */
			[64] = 0x00, 0x08, 0x01, 0x00,		/* stride */
			[68] = 0x00, 0x00, 0x00, 0x09,		/* layer_stride */
		},
	}, {
		.name = "SUBMIT_3D",
		.fill = fill_submit,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x07, 0x02,
			[16] = 0x74, 0x73, 0x72, 0x71,		/* hdr.ctx_id */
			[24] = 0xc4, 0xb2, 0xa1, 0x00,		/* size */
		},
	}, {
		.name = "SUBMIT_3D, empty, on a timeline",
		.fill = fill_submit_ring,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x07, 0x02,
			[4] = 0x02,				/* hdr.flags */
			[16] = 0x74, 0x73, 0x72, 0x71,		/* hdr.ctx_id */
			[20] = 0x3f,				/* hdr.ring_idx */
		},
	}, {
		.name = "RESOURCE_MAP_BLOB",
		.fill = fill_map_blob,
		.size = 40,
		.resp_type = 0x1106,
		.resp_min_size = 32,
		.resp_size = 24,
		.bytes = {
			[0] = 0x08, 0x02,
			[24] = 0x84, 0x83, 0x82, 0x81,		/* resource_id */
			[32] = 0x00, 0x70, 0x56, 0xf4,		/* offset */
			[36] = 0x12, 0x00, 0x00, 0x00,
		},
	}, {
		.name = "RESOURCE_UNMAP_BLOB",
		.fill = fill_unmap_blob,
		.size = 32,
		.resp_type = 0x1100,
		.resp_min_size = 24,
		.resp_size = 24,
		.bytes = {
			[0] = 0x09, 0x02,
			[24] = 0x94, 0x93, 0x92, 0x91,		/* resource_id */
		},
	}, {
		.name = "UPDATE_CURSOR",
		.fill = fill_update_cursor,
		.size = 56,
		.resp_type = 0x1100,
		.resp_min_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
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
		.resp_type = 0x1100,
		.resp_min_size = 24,
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

static struct virtgpu_msg *alloc_filled(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	c->fill(msg);

	return msg;
}

/* The static payload must not be freed. */
static void free_filled(struct virtgpu_msg *msg)
{
	msg->payload = NULL;
	virtgpu_msg_put(msg);
}

/* Golden bytes of the request, followed by zeroes. */
static void cmd_bytes(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = alloc_filled(test);

	KUNIT_EXPECT_EQ(test, msg->cmd->request_size, c->size);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)&msg->request, c->bytes, REQUEST_MAX);
	free_filled(msg);
}

/* The expected response. */
static void cmd_response(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = alloc_filled(test);

	KUNIT_EXPECT_EQ(test, msg->cmd->resp_type, c->resp_type);
	KUNIT_EXPECT_EQ(test, msg->cmd->resp_min_size, c->resp_min_size);
	KUNIT_EXPECT_EQ(test, msg->resp_size, c->resp_size);
	KUNIT_EXPECT_EQ(test, msg->cursor, c->cursor);
	KUNIT_EXPECT_EQ(test, virtgpu_msg_type(msg), c->bytes[0] | c->bytes[1] << 8);
	free_filled(msg);
}

/* A reused message keeps no bytes of its first command. */
static void cmd_reinit(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	memset(&msg->request, 0xa5, sizeof(msg->request));
	virtgpu_msg_reinit(msg);
	c->fill(msg);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)&msg->request, c->bytes, REQUEST_MAX);
	free_filled(msg);
}

/* Only commands with a payload length in the request carry a payload. */
static void cmd_payload(struct kunit *test)
{
	const struct cmd_case *c = test->param_value;
	struct virtgpu_msg *msg = alloc_filled(test);
	struct virtgpu_mem_entries *payload = NULL;

	if (c->fill == fill_create_blob || c->fill == fill_attach)
		payload = &backing;
	else if (c->fill == fill_submit)
		payload = &cmdbuf;
	KUNIT_EXPECT_PTR_EQ(test, msg->payload, payload);
	KUNIT_EXPECT_EQ(test, msg->state, VIRTGPU_MSG_RESERVED);
	KUNIT_EXPECT_NULL(test, msg->fence);
	free_filled(msg);
}

static bool has_golden_bytes(const struct virtgpu_cmd_info *cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd_cases); i++)
		if ((cmd_cases[i].bytes[0] | cmd_cases[i].bytes[1] << 8) == cmd->type)
			return true;

	return false;
}

/* Every command of the table has golden bytes, and its own index. */
static void cmd_table(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < VIRTGPU_NUM_CMDS; i++) {
		KUNIT_EXPECT_EQ(test, virtgpu_cmd_table[i].id, i);
		KUNIT_EXPECT_TRUE_MSG(test, has_golden_bytes(&virtgpu_cmd_table[i]),
				      "no golden bytes for %s", virtgpu_cmd_table[i].name);
	}
}

static struct kunit_case cmd_tests[] = {
	KUNIT_CASE(cmd_table),
	KUNIT_CASE_PARAM(cmd_bytes, cmd_gen_params),
	KUNIT_CASE_PARAM(cmd_response, cmd_gen_params),
	KUNIT_CASE_PARAM(cmd_reinit, cmd_gen_params),
	KUNIT_CASE_PARAM(cmd_payload, cmd_gen_params),
	{}
};

static struct kunit_suite cmd_suite = {
	.name = "virtio_gpu_cmd",
	.test_cases = cmd_tests,
};

kunit_test_suite(cmd_suite);
