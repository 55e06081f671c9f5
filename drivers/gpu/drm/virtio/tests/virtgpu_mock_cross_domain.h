/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_CROSS_DOMAIN_H
#define VIRTGPU_MOCK_CROSS_DOMAIN_H

#include <linux/types.h>

struct virtgpu_mock;
struct virtgpu_mock_context;
struct virtgpu_mock_request;

/*
 * Messages of the capability set VIRTIO_GPU_CAPSET_CROSS_DOMAIN, which
 * rutabaga_gfx defines.  All are little-endian.
 */

enum virtgpu_cross_domain_cmd {
	VIRTGPU_CROSS_DOMAIN_INIT = 1,
	VIRTGPU_CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS,
	VIRTGPU_CROSS_DOMAIN_POLL,
	VIRTGPU_CROSS_DOMAIN_SEND,
	VIRTGPU_CROSS_DOMAIN_RECEIVE,
};

/* Timelines: queries that are answered at once, and the pending poll. */
#define VIRTGPU_CROSS_DOMAIN_QUERY_RING		0
#define VIRTGPU_CROSS_DOMAIN_CHANNEL_RING	1

#define VIRTGPU_CROSS_DOMAIN_ID_BLOB		1
#define VIRTGPU_CROSS_DOMAIN_MAX_IDS		28

struct virtgpu_cross_domain_header {
	u8 cmd;
	u8 fence_ctx_idx;
	__le16 cmd_size;
	__le32 padding;
};

/* Older programs leave out @protocol_version. */
struct virtgpu_cross_domain_init {
	struct virtgpu_cross_domain_header hdr;
	__le32 query_ring_id;
	__le32 channel_ring_id;
	__le32 channel_type;
	__le32 protocol_version;
};

struct virtgpu_cross_domain_image {
	struct virtgpu_cross_domain_header hdr;
	__le32 width;
	__le32 height;
	__le32 drm_format;
	__le32 flags;
};

/* In the query ring when a GET_IMAGE_REQUIREMENTS has completed. */
struct virtgpu_cross_domain_requirements {
	__le32 strides[4];
	__le32 offsets[4];
	__le64 modifier;
	__le64 size;
	__le32 blob_id;
	__le32 map_info;
	__le32 memory_idx;
	__le32 physical_device_idx;
};

struct virtgpu_cross_domain_poll {
	struct virtgpu_cross_domain_header hdr;
	__le64 padding;
};

/* SEND, and what RECEIVE writes to the channel ring; data follow. */
struct virtgpu_cross_domain_transfer {
	struct virtgpu_cross_domain_header hdr;
	__le32 num_identifiers;
	__le32 opaque_data_size;
	__le32 identifiers[VIRTGPU_CROSS_DOMAIN_MAX_IDS];
	__le32 identifier_types[VIRTGPU_CROSS_DOMAIN_MAX_IDS];
	__le32 identifier_sizes[VIRTGPU_CROSS_DOMAIN_MAX_IDS];
};

u32 virtgpu_mock_cross_domain_execute(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
				      struct virtgpu_mock_request *rq, const void *cmd, u32 size);

/* Control by tests. */
bool virtgpu_mock_cross_domain_receive(struct virtgpu_mock *m, u32 context, const void *message,
				       size_t size);
u32 virtgpu_mock_cross_domain_received(struct virtgpu_mock *m, u32 context);

#endif
