/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CMD_H
#define VIRTGPU_CMD_H

#include <linux/types.h>

struct drm_rect;
struct virtgpu_mem_entries;
struct virtgpu_msg;

/**
 * struct virtgpu_cmd_create_2d - Parameters of RESOURCE_CREATE_2D
 * @resource: ID of the new resource
 * @format: enum virtio_gpu_formats
 * @width: in pixels
 * @height: in pixels
 */
struct virtgpu_cmd_create_2d {
	u32 resource;
	u32 format;
	u32 width;
	u32 height;
};

/**
 * struct virtgpu_cmd_create_blob - Parameters of RESOURCE_CREATE_BLOB
 * @resource: ID of the new resource
 * @mem: VIRTIO_GPU_BLOB_MEM_*
 * @flags: VIRTIO_GPU_BLOB_FLAG_*
 * @size: in bytes
 * @context: ID of the context that allocated the host memory, or 0
 * @id: blob_id of the host memory in @context, or 0
 */
struct virtgpu_cmd_create_blob {
	u32 resource;
	u32 mem;
	u32 flags;
	u64 size;
	u32 context;
	u64 id;
};

/**
 * struct virtgpu_cmd_scanout - Parameters of SET_SCANOUT and SET_SCANOUT_BLOB
 * @scanout: index of the output
 * @resource: ID of the resource to scan out, 0 to disable the output
 * @x: left edge of the scanout rectangle, in pixels of the framebuffer
 * @y: upper edge
 * @w: width in pixels
 * @h: height in pixels
 * @format: enum virtio_gpu_formats; only for blobs, as all members below
 * @fb_width: width of the framebuffer in pixels
 * @fb_height: height of the framebuffer in pixels
 * @stride: bytes from one line to the next
 * @offset: bytes from the start of the blob to the first pixel
 */
struct virtgpu_cmd_scanout {
	u32 scanout;
	u32 resource;
	u32 x, y, w, h;
	u32 format;
	u32 fb_width, fb_height;
	u32 stride;
	u32 offset;
};

/**
 * struct virtgpu_cmd_cursor - Parameters of UPDATE_CURSOR and MOVE_CURSOR
 * @scanout: index of the output
 * @resource: ID of the resource with the image, 0 to hide the cursor
 * @x: position on the output in pixels, may be negative
 * @y: position on the output in pixels, may be negative
 * @hot_x: hotspot in the image, in pixels
 * @hot_y: hotspot in the image, in pixels
 */
struct virtgpu_cmd_cursor {
	u32 scanout;
	u32 resource;
	s32 x, y;
	u32 hot_x, hot_y;
};

/**
 * struct virtgpu_cmd_create_3d - Parameters of RESOURCE_CREATE_3D
 * @resource: ID of the new resource
 * @target: resource target, in the encoding of virglrenderer
 * @format: pixel format, in the encoding of virglrenderer
 * @bind: bind flags, in the encoding of virglrenderer
 * @width: in pixels, or bytes of a buffer
 * @height: in pixels
 * @depth: in pixels
 * @array_size: number of layers
 * @last_level: index of the last mipmap level
 * @nr_samples: samples per pixel
 * @flags: VIRTIO_GPU_RESOURCE_FLAG_*
 */
struct virtgpu_cmd_create_3d {
	u32 resource;
	u32 target;
	u32 format;
	u32 bind;
	u32 width, height, depth;
	u32 array_size;
	u32 last_level;
	u32 nr_samples;
	u32 flags;
};

/**
 * struct virtgpu_cmd_transfer_3d - Parameters of TRANSFER_{TO,FROM}_HOST_3D
 * @context: ID of the context that executes the transfer
 * @resource: ID of the resource
 * @x: left edge of the box, in pixels
 * @y: upper edge of the box, in pixels
 * @z: first layer of the box
 * @w: width of the box, in pixels
 * @h: height of the box, in pixels
 * @d: depth of the box, in layers
 * @offset: offset of the first byte in the backing
 * @level: mipmap level
 * @stride: bytes from one line to the next in the backing, 0 for the
 *	stride of the resource
 * @layer_stride: bytes from one layer to the next in the backing, 0 for the
 *	layer stride of the resource
 */
struct virtgpu_cmd_transfer_3d {
	u32 context;
	u32 resource;
	u32 x, y, z;
	u32 w, h, d;
	u64 offset;
	u32 level;
	u32 stride;
	u32 layer_stride;
};

/* Size of the debug name in CTX_CREATE, in bytes. */
#define VIRTGPU_CONTEXT_NAME 64

void virtgpu_cmd_get_display_info(struct virtgpu_msg *msg);
void virtgpu_cmd_get_edid(struct virtgpu_msg *msg, u32 scanout);
void virtgpu_cmd_create_2d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_2d *p);
void virtgpu_cmd_create_blob(struct virtgpu_msg *msg,
			     const struct virtgpu_cmd_create_blob *p,
			     struct virtgpu_mem_entries *backing);
void virtgpu_cmd_attach_backing(struct virtgpu_msg *msg, u32 resource,
				struct virtgpu_mem_entries *backing);
void virtgpu_cmd_detach_backing(struct virtgpu_msg *msg, u32 resource);
void virtgpu_cmd_unref(struct virtgpu_msg *msg, u32 resource);
void virtgpu_cmd_assign_uuid(struct virtgpu_msg *msg, u32 resource);
void virtgpu_cmd_set_scanout(struct virtgpu_msg *msg, const struct virtgpu_cmd_scanout *p);
void virtgpu_cmd_set_scanout_blob(struct virtgpu_msg *msg,
				  const struct virtgpu_cmd_scanout *p);
void virtgpu_cmd_transfer_to_host_2d(struct virtgpu_msg *msg, u32 resource,
				     const struct drm_rect *r, u64 offset);
void virtgpu_cmd_flush(struct virtgpu_msg *msg, u32 resource, const struct drm_rect *r);
void virtgpu_cmd_get_capset_info(struct virtgpu_msg *msg, u32 index);
void virtgpu_cmd_get_capset(struct virtgpu_msg *msg, u32 id, u32 version);
void virtgpu_cmd_ctx_create(struct virtgpu_msg *msg, u32 context, u32 capset,
			    const char *name);
void virtgpu_cmd_ctx_destroy(struct virtgpu_msg *msg, u32 context);
void virtgpu_cmd_ctx_attach(struct virtgpu_msg *msg, u32 context, u32 resource);
void virtgpu_cmd_ctx_detach(struct virtgpu_msg *msg, u32 context, u32 resource);
void virtgpu_cmd_create_3d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_3d *p);
void virtgpu_cmd_transfer_to_host_3d(struct virtgpu_msg *msg,
				     const struct virtgpu_cmd_transfer_3d *p);
void virtgpu_cmd_transfer_from_host_3d(struct virtgpu_msg *msg,
				       const struct virtgpu_cmd_transfer_3d *p);
void virtgpu_cmd_submit_3d(struct virtgpu_msg *msg, u32 context,
			   struct virtgpu_mem_entries *cmdbuf);
void virtgpu_cmd_set_ring_idx(struct virtgpu_msg *msg, u8 ring);
void virtgpu_cmd_map_blob(struct virtgpu_msg *msg, u32 resource, u64 offset);
void virtgpu_cmd_unmap_blob(struct virtgpu_msg *msg, u32 resource);
void virtgpu_cmd_update_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p);
void virtgpu_cmd_move_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p);

#endif
