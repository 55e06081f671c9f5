/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_WIRE_H
#define VIRTGPU_WIRE_H

#include <linux/types.h>
#include <uapi/linux/virtio_gpu.h>

/*
 * All commands that the driver sends, in the order of their type:
 *
 *	X(name, request, size, response, body, body_size, min_size)
 *
 * name:	VIRTIO_GPU_CMD_<name>
 * request:	struct virtio_gpu_<request>
 * size:	bytes of the request, by the virtio specification
 * response:	VIRTIO_GPU_RESP_OK_<response>; NODATA for the cursor queue
 * body:	struct virtio_gpu_<body>, the response
 * body_size:	bytes of the response, by the virtio specification
 * min_size:	bytes that a valid response has at least
 *
 * To add a command: one line here, one function in virtgpu_cmd.c, and its bytes
 * in tests/virtgpu_cmd_kunit.c.
 */
#define VIRTGPU_COMMANDS(X)						     \
	X(GET_DISPLAY_INFO, ctrl_hdr, 24, DISPLAY_INFO, resp_display_info, 408, 408) \
	X(RESOURCE_CREATE_2D, resource_create_2d, 40, NODATA, ctrl_hdr, 24, 24)	     \
	X(RESOURCE_UNREF, resource_unref, 32, NODATA, ctrl_hdr, 24, 24)	     \
	X(SET_SCANOUT, set_scanout, 48, NODATA, ctrl_hdr, 24, 24)	     \
	X(RESOURCE_FLUSH, resource_flush, 48, NODATA, ctrl_hdr, 24, 24)	     \
	X(TRANSFER_TO_HOST_2D, transfer_to_host_2d, 56, NODATA, ctrl_hdr, 24, 24)    \
	X(RESOURCE_ATTACH_BACKING, resource_attach_backing, 32, NODATA, ctrl_hdr, 24, 24) \
	X(RESOURCE_DETACH_BACKING, resource_detach_backing, 32, NODATA, ctrl_hdr, 24, 24) \
	X(GET_CAPSET_INFO, get_capset_info, 32, CAPSET_INFO, resp_capset_info, 40, 40) \
	X(GET_CAPSET, get_capset, 32, CAPSET, resp_capset, 24, 24)	     \
	X(GET_EDID, cmd_get_edid, 32, EDID, resp_edid, 1056, 32)	     \
	X(RESOURCE_ASSIGN_UUID, resource_assign_uuid, 32,		     \
	  RESOURCE_UUID, resp_resource_uuid, 40, 40)			     \
	X(RESOURCE_CREATE_BLOB, resource_create_blob, 56, NODATA, ctrl_hdr, 24, 24)  \
	X(SET_SCANOUT_BLOB, set_scanout_blob, 96, NODATA, ctrl_hdr, 24, 24)  \
	X(CTX_CREATE, ctx_create, 96, NODATA, ctrl_hdr, 24, 24)		     \
	X(CTX_DESTROY, ctx_destroy, 24, NODATA, ctrl_hdr, 24, 24)	     \
	X(CTX_ATTACH_RESOURCE, ctx_resource, 32, NODATA, ctrl_hdr, 24, 24)   \
	X(CTX_DETACH_RESOURCE, ctx_resource, 32, NODATA, ctrl_hdr, 24, 24)   \
	X(RESOURCE_CREATE_3D, resource_create_3d, 72, NODATA, ctrl_hdr, 24, 24)	     \
	X(TRANSFER_TO_HOST_3D, transfer_host_3d, 72, NODATA, ctrl_hdr, 24, 24)	     \
	X(TRANSFER_FROM_HOST_3D, transfer_host_3d, 72, NODATA, ctrl_hdr, 24, 24)     \
	X(SUBMIT_3D, cmd_submit, 32, NODATA, ctrl_hdr, 24, 24)		     \
	X(RESOURCE_MAP_BLOB, resource_map_blob, 40, MAP_INFO, resp_map_info, 32, 32) \
	X(RESOURCE_UNMAP_BLOB, resource_unmap_blob, 32, NODATA, ctrl_hdr, 24, 24)    \
	X(UPDATE_CURSOR, update_cursor, 56, NODATA, ctrl_hdr, 24, 24)	     \
	X(MOVE_CURSOR, update_cursor, 56, NODATA, ctrl_hdr, 24, 24)

/*
 * Index of each command: of virtgpu_cmd_table and of the counters of a queue.
 */
enum virtgpu_cmd_id {
#define VIRTGPU_CMD_ID(name, ...) VIRTGPU_CMD_##name,
	VIRTGPU_COMMANDS(VIRTGPU_CMD_ID)
#undef VIRTGPU_CMD_ID
	VIRTGPU_NUM_CMDS
};

/* The request of any command, with one member for each. */
union virtgpu_request {
	struct virtio_gpu_ctrl_hdr hdr;
#define VIRTGPU_REQUEST(name, request, ...) struct virtio_gpu_##request name;
	VIRTGPU_COMMANDS(VIRTGPU_REQUEST)
#undef VIRTGPU_REQUEST
};

/**
 * struct virtgpu_cmd_info - Entry of virtgpu_cmd_table
 * @id: index of the entry
 * @type: VIRTIO_GPU_CMD_*
 * @name: for tracing and debugfs
 * @request_size: bytes of the request
 * @resp_type: VIRTIO_GPU_RESP_OK_*
 * @resp_min_size: bytes that a valid response has at least
 */
struct virtgpu_cmd_info {
	enum virtgpu_cmd_id id;
	u32 type;
	const char *name;
	u32 request_size;
	u32 resp_type;
	u32 resp_min_size;
};

extern const struct virtgpu_cmd_info virtgpu_cmd_table[VIRTGPU_NUM_CMDS];

#endif
