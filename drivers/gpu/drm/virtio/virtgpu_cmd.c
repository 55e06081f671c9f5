// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/string.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"
#include "virtgpu_wire.h"

/**
 * DOC: commands
 *
 * Each command of the device has one function, which fills a reserved message
 * and has no other effect.  Only virtgpu_cmd_set_ring_idx() changes a message
 * that is already filled.  VIRTGPU_COMMANDS() in virtgpu_wire.h lists all
 * commands with their wire structs; request sizes, response checks, tracepoints
 * and debugfs counters follow from that list.  Section numbers are those of the
 * virtio specification 1.3.
 */

static_assert(sizeof(struct virtio_gpu_mem_entry) == 16);
static_assert(sizeof_field(struct virtio_gpu_ctx_create, debug_name) == VIRTGPU_CONTEXT_NAME);

/* An entry; fails to build if a size differs from the virtio specification. */
#define VIRTGPU_CMD_INFO(_name, request, size, response, body, body_size, min_size)	\
	[VIRTGPU_CMD_##_name] = {							\
		.id = VIRTGPU_CMD_##_name,						\
		.type = VIRTIO_GPU_CMD_##_name,						\
		.name = #_name,								\
		.request_size = sizeof(struct virtio_gpu_##request) +			\
			BUILD_BUG_ON_ZERO(sizeof(struct virtio_gpu_##request) != (size)), \
		.resp_type = VIRTIO_GPU_RESP_OK_##response,				\
		.resp_min_size = (min_size) +						\
			BUILD_BUG_ON_ZERO(sizeof(struct virtio_gpu_##body) != (body_size)), \
	},

const struct virtgpu_cmd_info virtgpu_cmd_table[VIRTGPU_NUM_CMDS] = {
	VIRTGPU_COMMANDS(VIRTGPU_CMD_INFO)
};
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_table);

#undef VIRTGPU_CMD_INFO

/* Set the command of @msg; evaluates to the request, of the command's type. */
#define virtgpu_cmd_init(msg, name)						\
({										\
	struct virtgpu_msg *__msg = (msg);					\
										\
	virtgpu_msg_set_command(__msg, &virtgpu_cmd_table[VIRTGPU_CMD_##name]);	\
	&__msg->request.name;							\
})

static void virtgpu_cmd_set_rect(struct virtio_gpu_rect *wire, u32 x, u32 y, u32 w, u32 h)
{
	wire->x = cpu_to_le32(x);
	wire->y = cpu_to_le32(y);
	wire->width = cpu_to_le32(w);
	wire->height = cpu_to_le32(h);
}

/**
 * virtgpu_cmd_get_display_info() - Query position and size of all outputs
 * @msg: message with room for struct virtio_gpu_resp_display_info
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_DISPLAY_INFO.
 */
void virtgpu_cmd_get_display_info(struct virtgpu_msg *msg)
{
	(void)virtgpu_cmd_init(msg, GET_DISPLAY_INFO);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_display_info);

/**
 * virtgpu_cmd_get_edid() - Query the EDID of an output
 * @msg: message with room for struct virtio_gpu_resp_edid
 * @scanout: index of the output
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_EDID.
 */
void virtgpu_cmd_get_edid(struct virtgpu_msg *msg, u32 scanout)
{
	struct virtio_gpu_cmd_get_edid *c = virtgpu_cmd_init(msg, GET_EDID);

	c->scanout = cpu_to_le32(scanout);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_edid);

/**
 * virtgpu_cmd_create_2d() - Create a 2D resource
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D.
 */
void virtgpu_cmd_create_2d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_2d *p)
{
	struct virtio_gpu_resource_create_2d *c = virtgpu_cmd_init(msg, RESOURCE_CREATE_2D);

	c->resource_id = cpu_to_le32(p->resource);
	c->format = cpu_to_le32(p->format);
	c->width = cpu_to_le32(p->width);
	c->height = cpu_to_le32(p->height);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_create_2d);

/**
 * virtgpu_cmd_create_blob() - Create a blob resource
 * @msg: message to fill
 * @p: parameters
 * @backing: guest memory of the blob, NULL for VIRTIO_GPU_BLOB_MEM_HOST3D;
 *	ownership passes to @msg
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB.
 */
void virtgpu_cmd_create_blob(struct virtgpu_msg *msg,
			     const struct virtgpu_cmd_create_blob *p,
			     struct virtgpu_mem_entries *backing)
{
	struct virtio_gpu_resource_create_blob *c = virtgpu_cmd_init(msg, RESOURCE_CREATE_BLOB);

	c->resource_id = cpu_to_le32(p->resource);
	c->blob_mem = cpu_to_le32(p->mem);
	c->blob_flags = cpu_to_le32(p->flags);
	c->hdr.ctx_id = cpu_to_le32(p->context);
	c->blob_id = cpu_to_le64(p->id);
	c->size = cpu_to_le64(p->size);
	c->nr_entries = cpu_to_le32(backing ? backing->count : 0);
	msg->payload = backing;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_create_blob);

/**
 * virtgpu_cmd_attach_backing() - Attach guest memory to a resource
 * @msg: message to fill
 * @resource: ID of a resource without backing
 * @backing: the memory; ownership passes to @msg
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING.
 */
void virtgpu_cmd_attach_backing(struct virtgpu_msg *msg, u32 resource,
				struct virtgpu_mem_entries *backing)
{
	struct virtio_gpu_resource_attach_backing *c =
		virtgpu_cmd_init(msg, RESOURCE_ATTACH_BACKING);

	c->resource_id = cpu_to_le32(resource);
	c->nr_entries = cpu_to_le32(backing->count);
	msg->payload = backing;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_attach_backing);

/**
 * virtgpu_cmd_detach_backing() - Detach the guest memory of a resource
 * @msg: message to fill
 * @resource: ID of a resource with backing
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING.
 */
void virtgpu_cmd_detach_backing(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_detach_backing *c =
		virtgpu_cmd_init(msg, RESOURCE_DETACH_BACKING);

	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_detach_backing);

/**
 * virtgpu_cmd_unref() - Destroy a resource, and detach its backing
 * @msg: message to fill
 * @resource: ID of the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_UNREF.
 */
void virtgpu_cmd_unref(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_unref *c = virtgpu_cmd_init(msg, RESOURCE_UNREF);

	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_unref);

/**
 * virtgpu_cmd_assign_uuid() - Query a UUID that other virtio devices accept
 * @msg: message to fill; its inline response buffer holds the UUID
 * @resource: ID of the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID.
 */
void virtgpu_cmd_assign_uuid(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_assign_uuid *c = virtgpu_cmd_init(msg, RESOURCE_ASSIGN_UUID);

	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_assign_uuid);

/**
 * virtgpu_cmd_set_scanout() - Scan out a resource, or disable an output
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_SET_SCANOUT.
 */
void virtgpu_cmd_set_scanout(struct virtgpu_msg *msg, const struct virtgpu_cmd_scanout *p)
{
	struct virtio_gpu_set_scanout *c = virtgpu_cmd_init(msg, SET_SCANOUT);

	virtgpu_cmd_set_rect(&c->r, p->x, p->y, p->w, p->h);
	c->scanout_id = cpu_to_le32(p->scanout);
	c->resource_id = cpu_to_le32(p->resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_set_scanout);

/**
 * virtgpu_cmd_set_scanout_blob() - Scan out a blob resource
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB.
 */
void virtgpu_cmd_set_scanout_blob(struct virtgpu_msg *msg,
				  const struct virtgpu_cmd_scanout *p)
{
	struct virtio_gpu_set_scanout_blob *c = virtgpu_cmd_init(msg, SET_SCANOUT_BLOB);

	virtgpu_cmd_set_rect(&c->r, p->x, p->y, p->w, p->h);
	c->scanout_id = cpu_to_le32(p->scanout);
	c->resource_id = cpu_to_le32(p->resource);
	c->width = cpu_to_le32(p->fb_width);
	c->height = cpu_to_le32(p->fb_height);
	c->format = cpu_to_le32(p->format);
	c->strides[0] = cpu_to_le32(p->stride);
	c->offsets[0] = cpu_to_le32(p->offset);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_set_scanout_blob);

/**
 * virtgpu_cmd_transfer_to_host_2d() - Copy guest memory to a 2D resource
 * @msg: message to fill
 * @resource: ID of the resource
 * @r: rectangle to copy, in pixels of the resource
 * @offset: offset of the first of these pixels in the backing, in bytes
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D.
 */
void virtgpu_cmd_transfer_to_host_2d(struct virtgpu_msg *msg, u32 resource,
				     const struct drm_rect *r, u64 offset)
{
	struct virtio_gpu_transfer_to_host_2d *c = virtgpu_cmd_init(msg, TRANSFER_TO_HOST_2D);

	virtgpu_cmd_set_rect(&c->r, r->x1, r->y1, drm_rect_width(r), drm_rect_height(r));
	c->offset = cpu_to_le64(offset);
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_to_host_2d);

/**
 * virtgpu_cmd_flush() - Update the outputs that scan out a resource
 * @msg: message to fill
 * @resource: ID of the resource
 * @r: damaged rectangle, in pixels of the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_FLUSH.
 */
void virtgpu_cmd_flush(struct virtgpu_msg *msg, u32 resource, const struct drm_rect *r)
{
	struct virtio_gpu_resource_flush *c = virtgpu_cmd_init(msg, RESOURCE_FLUSH);

	virtgpu_cmd_set_rect(&c->r, r->x1, r->y1, drm_rect_width(r), drm_rect_height(r));
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_flush);

/**
 * virtgpu_cmd_get_capset_info() - Query ID and size of a capability set
 * @msg: message with room for struct virtio_gpu_resp_capset_info
 * @index: below &virtgpu_features.capsets
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_CAPSET_INFO.
 */
void virtgpu_cmd_get_capset_info(struct virtgpu_msg *msg, u32 index)
{
	struct virtio_gpu_get_capset_info *c = virtgpu_cmd_init(msg, GET_CAPSET_INFO);

	c->capset_index = cpu_to_le32(index);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_capset_info);

/**
 * virtgpu_cmd_get_capset() - Query a capability set
 * @msg: message with room for struct virtio_gpu_resp_capset and the data
 * @id: ID of the capability set
 * @version: version of the capability set
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_CAPSET.
 */
void virtgpu_cmd_get_capset(struct virtgpu_msg *msg, u32 id, u32 version)
{
	struct virtio_gpu_get_capset *c = virtgpu_cmd_init(msg, GET_CAPSET);

	c->capset_id = cpu_to_le32(id);
	c->capset_version = cpu_to_le32(version);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_capset);

/**
 * virtgpu_cmd_ctx_create() - Create a 3D context
 * @msg: message to fill
 * @context: ID of the new context
 * @capset: ID of the context's capability set, 0 for the default of the device
 * @name: debug name, truncated to VIRTGPU_CONTEXT_NAME bytes
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_CREATE.
 */
void virtgpu_cmd_ctx_create(struct virtgpu_msg *msg, u32 context, u32 capset,
			    const char *name)
{
	struct virtio_gpu_ctx_create *c = virtgpu_cmd_init(msg, CTX_CREATE);
	size_t len = strnlen(name, sizeof(c->debug_name));

	c->hdr.ctx_id = cpu_to_le32(context);
	c->context_init = cpu_to_le32(capset & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK);
	c->nlen = cpu_to_le32(len);
	memcpy(c->debug_name, name, len);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_create);

/**
 * virtgpu_cmd_ctx_destroy() - Destroy a 3D context
 * @msg: message to fill
 * @context: ID of the context
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_DESTROY.
 */
void virtgpu_cmd_ctx_destroy(struct virtgpu_msg *msg, u32 context)
{
	struct virtio_gpu_ctx_destroy *c = virtgpu_cmd_init(msg, CTX_DESTROY);

	c->hdr.ctx_id = cpu_to_le32(context);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_destroy);

static void virtgpu_cmd_fill_ctx_resource(struct virtio_gpu_ctx_resource *c,
					  u32 context, u32 resource)
{
	c->hdr.ctx_id = cpu_to_le32(context);
	c->resource_id = cpu_to_le32(resource);
}

/**
 * virtgpu_cmd_ctx_attach() - Attach a resource to a 3D context
 * @msg: message to fill
 * @context: ID of the context
 * @resource: ID of the resource
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE.
 */
void virtgpu_cmd_ctx_attach(struct virtgpu_msg *msg, u32 context, u32 resource)
{
	virtgpu_cmd_fill_ctx_resource(virtgpu_cmd_init(msg, CTX_ATTACH_RESOURCE),
				      context, resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_attach);

/**
 * virtgpu_cmd_ctx_detach() - Detach a resource from a 3D context
 * @msg: message to fill
 * @context: ID of the context
 * @resource: ID of the resource
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE.
 */
void virtgpu_cmd_ctx_detach(struct virtgpu_msg *msg, u32 context, u32 resource)
{
	virtgpu_cmd_fill_ctx_resource(virtgpu_cmd_init(msg, CTX_DETACH_RESOURCE),
				      context, resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_detach);

/**
 * virtgpu_cmd_create_3d() - Create a 3D resource
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D.
 */
void virtgpu_cmd_create_3d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_3d *p)
{
	struct virtio_gpu_resource_create_3d *c = virtgpu_cmd_init(msg, RESOURCE_CREATE_3D);

	c->resource_id = cpu_to_le32(p->resource);
	c->target = cpu_to_le32(p->target);
	c->format = cpu_to_le32(p->format);
	c->bind = cpu_to_le32(p->bind);
	c->width = cpu_to_le32(p->width);
	c->height = cpu_to_le32(p->height);
	c->depth = cpu_to_le32(p->depth);
	c->array_size = cpu_to_le32(p->array_size);
	c->last_level = cpu_to_le32(p->last_level);
	c->nr_samples = cpu_to_le32(p->nr_samples);
	c->flags = cpu_to_le32(p->flags);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_create_3d);

static void virtgpu_cmd_fill_transfer_3d(struct virtio_gpu_transfer_host_3d *c,
					 const struct virtgpu_cmd_transfer_3d *p)
{
	c->hdr.ctx_id = cpu_to_le32(p->context);
	c->box.x = cpu_to_le32(p->x);
	c->box.y = cpu_to_le32(p->y);
	c->box.z = cpu_to_le32(p->z);
	c->box.w = cpu_to_le32(p->w);
	c->box.h = cpu_to_le32(p->h);
	c->box.d = cpu_to_le32(p->d);
	c->offset = cpu_to_le64(p->offset);
	c->resource_id = cpu_to_le32(p->resource);
	c->level = cpu_to_le32(p->level);
	c->stride = cpu_to_le32(p->stride);
	c->layer_stride = cpu_to_le32(p->layer_stride);
}

/**
 * virtgpu_cmd_transfer_to_host_3d() - Copy guest memory to a 3D resource
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D.
 */
void virtgpu_cmd_transfer_to_host_3d(struct virtgpu_msg *msg,
				     const struct virtgpu_cmd_transfer_3d *p)
{
	virtgpu_cmd_fill_transfer_3d(virtgpu_cmd_init(msg, TRANSFER_TO_HOST_3D), p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_to_host_3d);

/**
 * virtgpu_cmd_transfer_from_host_3d() - Copy a 3D resource to guest memory
 * @msg: message to fill
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D.
 */
void virtgpu_cmd_transfer_from_host_3d(struct virtgpu_msg *msg,
				       const struct virtgpu_cmd_transfer_3d *p)
{
	virtgpu_cmd_fill_transfer_3d(virtgpu_cmd_init(msg, TRANSFER_FROM_HOST_3D), p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_from_host_3d);

/**
 * virtgpu_cmd_submit_3d() - Execute a command buffer in a 3D context
 * @msg: message to fill
 * @context: ID of the context
 * @cmdbuf: the command buffer, NULL for an empty one that only carries a fence;
 *	ownership passes to @msg
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_SUBMIT_3D.
 */
void virtgpu_cmd_submit_3d(struct virtgpu_msg *msg, u32 context,
			   struct virtgpu_mem_entries *cmdbuf)
{
	struct virtio_gpu_cmd_submit *c = virtgpu_cmd_init(msg, SUBMIT_3D);

	c->hdr.ctx_id = cpu_to_le32(context);
	c->size = cpu_to_le32(cmdbuf ? cmdbuf->bytes : 0);
	msg->payload = cmdbuf;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_submit_3d);

/**
 * virtgpu_cmd_set_ring_idx() - Select the timeline of a command's fence
 * @msg: filled message of a 3D context
 * @ring: index of the timeline in the context
 *
 * 5.7.6.7, VIRTIO_GPU_FLAG_INFO_RING_IDX.
 */
void virtgpu_cmd_set_ring_idx(struct virtgpu_msg *msg, u8 ring)
{
	msg->request.hdr.flags |= cpu_to_le32(VIRTIO_GPU_FLAG_INFO_RING_IDX);
	msg->request.hdr.ring_idx = ring;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_set_ring_idx);

/**
 * virtgpu_cmd_map_blob() - Map a host blob into the host-visible region
 * @msg: message to fill; its inline response buffer holds the map info
 * @resource: ID of the blob resource
 * @offset: offset in the region, in bytes
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB.
 */
void virtgpu_cmd_map_blob(struct virtgpu_msg *msg, u32 resource, u64 offset)
{
	struct virtio_gpu_resource_map_blob *c = virtgpu_cmd_init(msg, RESOURCE_MAP_BLOB);

	c->resource_id = cpu_to_le32(resource);
	c->offset = cpu_to_le64(offset);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_map_blob);

/**
 * virtgpu_cmd_unmap_blob() - Unmap a blob from the host-visible region
 * @msg: message to fill
 * @resource: ID of the blob resource
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB.
 */
void virtgpu_cmd_unmap_blob(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_unmap_blob *c = virtgpu_cmd_init(msg, RESOURCE_UNMAP_BLOB);

	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_unmap_blob);

static void virtgpu_cmd_fill_cursor(struct virtgpu_msg *msg, struct virtio_gpu_update_cursor *c,
				    const struct virtgpu_cmd_cursor *p)
{
	msg->cursor = true;
	msg->resp_size = 0;
	c->pos.scanout_id = cpu_to_le32(p->scanout);
	c->pos.x = cpu_to_le32(p->x);
	c->pos.y = cpu_to_le32(p->y);
	c->resource_id = cpu_to_le32(p->resource);
	c->hot_x = cpu_to_le32(p->hot_x);
	c->hot_y = cpu_to_le32(p->hot_y);
}

/**
 * virtgpu_cmd_update_cursor() - Set image and position of a cursor
 * @msg: message to fill, for the cursor queue
 * @p: parameters
 *
 * 5.7.6.10, VIRTIO_GPU_CMD_UPDATE_CURSOR.
 */
void virtgpu_cmd_update_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p)
{
	virtgpu_cmd_fill_cursor(msg, virtgpu_cmd_init(msg, UPDATE_CURSOR), p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_update_cursor);

/**
 * virtgpu_cmd_move_cursor() - Set the position of a cursor
 * @msg: message to fill, for the cursor queue
 * @p: parameters, those of the last UPDATE_CURSOR but for the position
 *
 * 5.7.6.10, VIRTIO_GPU_CMD_MOVE_CURSOR. The specification uses only the scanout
 * and the position, but QEMU hides the cursor if the resource is 0.
 */
void virtgpu_cmd_move_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p)
{
	virtgpu_cmd_fill_cursor(msg, virtgpu_cmd_init(msg, MOVE_CURSOR), p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_move_cursor);
