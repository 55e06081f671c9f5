// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/string.h>
#include <drm/drm_rect.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"

/**
 * DOC: commands
 *
 * One function for each command of the device: it fills a reserved message and
 * does nothing else.  Section numbers are those of the virtio specification 1.3.
 */

/* The wire, as the specification draws it. */
static_assert(sizeof(struct virtio_gpu_ctrl_hdr) == 24);
static_assert(sizeof(struct virtio_gpu_mem_entry) == 16);
static_assert(sizeof(struct virtio_gpu_resource_create_2d) == 40);
static_assert(sizeof(struct virtio_gpu_resource_create_blob) == 56);
static_assert(sizeof(struct virtio_gpu_resource_attach_backing) == 32);
static_assert(sizeof(struct virtio_gpu_resource_detach_backing) == 32);
static_assert(sizeof(struct virtio_gpu_resource_unref) == 32);
static_assert(sizeof(struct virtio_gpu_resource_assign_uuid) == 32);
static_assert(sizeof(struct virtio_gpu_set_scanout) == 48);
static_assert(sizeof(struct virtio_gpu_set_scanout_blob) == 96);
static_assert(sizeof(struct virtio_gpu_transfer_to_host_2d) == 56);
static_assert(sizeof(struct virtio_gpu_resource_flush) == 48);
static_assert(sizeof(struct virtio_gpu_update_cursor) == 56);
static_assert(sizeof(struct virtio_gpu_cmd_get_edid) == 32);
static_assert(sizeof(struct virtio_gpu_resp_display_info) == 24 + 16 * 24);
static_assert(sizeof(struct virtio_gpu_resp_edid) == 24 + 8 + 1024);
static_assert(sizeof(struct virtio_gpu_resp_resource_uuid) == 40);
static_assert(sizeof(struct virtio_gpu_get_capset_info) == 32);
static_assert(sizeof(struct virtio_gpu_resp_capset_info) == 40);
static_assert(sizeof(struct virtio_gpu_get_capset) == 32);
static_assert(sizeof(struct virtio_gpu_resp_capset) == 24);
static_assert(sizeof(struct virtio_gpu_ctx_create) == 96);
static_assert(sizeof(struct virtio_gpu_ctx_destroy) == 24);
static_assert(sizeof(struct virtio_gpu_ctx_resource) == 32);
static_assert(sizeof(struct virtio_gpu_resource_create_3d) == 72);
static_assert(sizeof(struct virtio_gpu_transfer_host_3d) == 72);
static_assert(sizeof(struct virtio_gpu_cmd_submit) == 32);
static_assert(sizeof(struct virtio_gpu_resource_map_blob) == 40);
static_assert(sizeof(struct virtio_gpu_resource_unmap_blob) == 32);
static_assert(sizeof(struct virtio_gpu_resp_map_info) == 32);
static_assert(sizeof_field(struct virtio_gpu_ctx_create, debug_name) == VIRTGPU_CONTEXT_NAME);

static void virtgpu_cmd_set_rect(struct virtio_gpu_rect *wire, u32 x, u32 y, u32 w, u32 h)
{
	wire->x = cpu_to_le32(x);
	wire->y = cpu_to_le32(y);
	wire->width = cpu_to_le32(w);
	wire->height = cpu_to_le32(h);
}

/**
 * virtgpu_cmd_get_display_info - ask for the outputs
 * @msg: a message with room for struct virtio_gpu_resp_display_info
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_DISPLAY_INFO.
 */
void virtgpu_cmd_get_display_info(struct virtgpu_msg *msg)
{
	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(msg->request.hdr));
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_DISPLAY_INFO,
			     sizeof(struct virtio_gpu_resp_display_info));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_display_info);

/**
 * virtgpu_cmd_get_edid - ask for an output's EDID
 * @msg: a message with room for struct virtio_gpu_resp_edid
 * @scanout: index of the output
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_EDID.
 */
void virtgpu_cmd_get_edid(struct virtgpu_msg *msg, u32 scanout)
{
	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_GET_EDID, sizeof(msg->request.get_edid));
	msg->request.get_edid.scanout = cpu_to_le32(scanout);
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_EDID,
			     offsetofend(struct virtio_gpu_resp_edid, padding));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_edid);

/**
 * virtgpu_cmd_create_2d - make a resource that the host keeps a copy of
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D.
 */
void virtgpu_cmd_create_2d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_2d *p)
{
	struct virtio_gpu_resource_create_2d *c = &msg->request.create_2d;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(*c));
	c->resource_id = cpu_to_le32(p->resource);
	c->format = cpu_to_le32(p->format);
	c->width = cpu_to_le32(p->width);
	c->height = cpu_to_le32(p->height);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_create_2d);

/**
 * virtgpu_cmd_create_blob - make a resource out of memory
 * @msg: filled
 * @p: parameters
 * @backing: the guest's memory, the message's from here on; NULL for a blob that is
 *	only the host's
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB.
 */
void virtgpu_cmd_create_blob(struct virtgpu_msg *msg,
			     const struct virtgpu_cmd_create_blob *p,
			     struct virtgpu_mem_entries *backing)
{
	struct virtio_gpu_resource_create_blob *c = &msg->request.create_blob;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, sizeof(*c));
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
 * virtgpu_cmd_attach_backing - tell where a resource's memory is
 * @msg: filled
 * @resource: a resource without backing
 * @backing: the memory; the message's from here on
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING.
 */
void virtgpu_cmd_attach_backing(struct virtgpu_msg *msg, u32 resource,
				struct virtgpu_mem_entries *backing)
{
	struct virtio_gpu_resource_attach_backing *c = &msg->request.attach;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, sizeof(*c));
	c->resource_id = cpu_to_le32(resource);
	c->nr_entries = cpu_to_le32(backing->count);
	msg->payload = backing;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_attach_backing);

/**
 * virtgpu_cmd_detach_backing - take a resource's memory away
 * @msg: filled
 * @resource: a resource with backing
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING.
 */
void virtgpu_cmd_detach_backing(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_detach_backing *c = &msg->request.detach;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, sizeof(*c));
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_detach_backing);

/**
 * virtgpu_cmd_unref - end a resource, and its backing with it
 * @msg: filled
 * @resource: the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_UNREF.
 */
void virtgpu_cmd_unref(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_unref *c = &msg->request.unref;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(*c));
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_unref);

/**
 * virtgpu_cmd_assign_uuid - ask for a name that other virtio devices know
 * @msg: filled; its small reply takes the answer
 * @resource: the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID.
 */
void virtgpu_cmd_assign_uuid(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_assign_uuid *c = &msg->request.assign_uuid;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, sizeof(*c));
	c->resource_id = cpu_to_le32(resource);
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_RESOURCE_UUID,
			     sizeof(struct virtio_gpu_resp_resource_uuid));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_assign_uuid);

/**
 * virtgpu_cmd_set_scanout - show a 2D resource on an output, or nothing
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_SET_SCANOUT.
 */
void virtgpu_cmd_set_scanout(struct virtgpu_msg *msg, const struct virtgpu_cmd_scanout *p)
{
	struct virtio_gpu_set_scanout *c = &msg->request.set_scanout;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(*c));
	virtgpu_cmd_set_rect(&c->r, p->x, p->y, p->w, p->h);
	c->scanout_id = cpu_to_le32(p->scanout);
	c->resource_id = cpu_to_le32(p->resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_set_scanout);

/**
 * virtgpu_cmd_set_scanout_blob - show a blob on an output
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB.
 */
void virtgpu_cmd_set_scanout_blob(struct virtgpu_msg *msg,
				  const struct virtgpu_cmd_scanout *p)
{
	struct virtio_gpu_set_scanout_blob *c = &msg->request.set_scanout_blob;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, sizeof(*c));
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
 * virtgpu_cmd_transfer_to_host_2d - bring the host's copy up to date
 * @msg: filled
 * @resource: the resource
 * @r: what to copy, in pixels of the resource
 * @offset: where in the backing the first of these pixels is, in bytes
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D.
 */
void virtgpu_cmd_transfer_to_host_2d(struct virtgpu_msg *msg, u32 resource,
				     const struct drm_rect *r, u64 offset)
{
	struct virtio_gpu_transfer_to_host_2d *c = &msg->request.transfer_2d;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(*c));
	virtgpu_cmd_set_rect(&c->r, r->x1, r->y1, drm_rect_width(r), drm_rect_height(r));
	c->offset = cpu_to_le64(offset);
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_to_host_2d);

/**
 * virtgpu_cmd_flush - have a change shown
 * @msg: filled
 * @resource: a resource on a scanout
 * @r: what changed, in pixels of the resource
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_FLUSH.
 */
void virtgpu_cmd_flush(struct virtgpu_msg *msg, u32 resource, const struct drm_rect *r)
{
	struct virtio_gpu_resource_flush *c = &msg->request.flush;

	virtgpu_msg_set_request(msg, VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(*c));
	virtgpu_cmd_set_rect(&c->r, r->x1, r->y1, drm_rect_width(r), drm_rect_height(r));
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_flush);

static void virtgpu_cmd_init_3d(struct virtgpu_msg *msg, u32 type, u32 size, u32 context)
{
	virtgpu_msg_set_request(msg, type, size);
	msg->request.hdr.ctx_id = cpu_to_le32(context);
}

/**
 * virtgpu_cmd_get_capset_info - ask which capability set has an index
 * @msg: a message with room for struct virtio_gpu_resp_capset_info
 * @index: below the number of sets in the configuration
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_CAPSET_INFO.
 */
void virtgpu_cmd_get_capset_info(struct virtgpu_msg *msg, u32 index)
{
	struct virtio_gpu_get_capset_info *c = &msg->request.get_capset_info;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_GET_CAPSET_INFO, sizeof(*c), 0);
	c->capset_index = cpu_to_le32(index);
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_CAPSET_INFO,
			     sizeof(struct virtio_gpu_resp_capset_info));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_capset_info);

/**
 * virtgpu_cmd_get_capset - ask for a capability set
 * @msg: a message with room for struct virtio_gpu_resp_capset and the set
 * @id: the set
 * @version: which version of it
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_GET_CAPSET.
 */
void virtgpu_cmd_get_capset(struct virtgpu_msg *msg, u32 id, u32 version)
{
	struct virtio_gpu_get_capset *c = &msg->request.get_capset;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_GET_CAPSET, sizeof(*c), 0);
	c->capset_id = cpu_to_le32(id);
	c->capset_version = cpu_to_le32(version);
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_CAPSET,
			     sizeof(struct virtio_gpu_resp_capset));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_get_capset);

/**
 * virtgpu_cmd_ctx_create - make a context
 * @msg: filled
 * @context: its number
 * @capset: the capability set that it speaks, 0 for the device's default
 * @name: for people who debug the host; cut where the wire's room ends
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_CREATE.
 */
void virtgpu_cmd_ctx_create(struct virtgpu_msg *msg, u32 context, u32 capset,
			    const char *name)
{
	struct virtio_gpu_ctx_create *c = &msg->request.ctx_create;
	size_t len = strnlen(name, sizeof(c->debug_name));

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_CTX_CREATE, sizeof(*c), context);
	c->context_init = cpu_to_le32(capset & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK);
	c->nlen = cpu_to_le32(len);
	memcpy(c->debug_name, name, len);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_create);

/**
 * virtgpu_cmd_ctx_destroy - end a context
 * @msg: filled
 * @context: the context
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_DESTROY.
 */
void virtgpu_cmd_ctx_destroy(struct virtgpu_msg *msg, u32 context)
{
	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_CTX_DESTROY, sizeof(struct virtio_gpu_ctx_destroy),
			    context);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_destroy);

static void virtgpu_cmd_fill_ctx_resource(struct virtgpu_msg *msg, u32 type, u32 context,
					  u32 resource)
{
	struct virtio_gpu_ctx_resource *c = &msg->request.ctx_resource;

	virtgpu_cmd_init_3d(msg, type, sizeof(*c), context);
	c->resource_id = cpu_to_le32(resource);
}

/**
 * virtgpu_cmd_ctx_attach - let a context use a resource
 * @msg: filled
 * @context: the context
 * @resource: the resource
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE.
 */
void virtgpu_cmd_ctx_attach(struct virtgpu_msg *msg, u32 context, u32 resource)
{
	virtgpu_cmd_fill_ctx_resource(msg, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context, resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_attach);

/**
 * virtgpu_cmd_ctx_detach - end a context's use of a resource
 * @msg: filled
 * @context: the context
 * @resource: the resource
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE.
 */
void virtgpu_cmd_ctx_detach(struct virtgpu_msg *msg, u32 context, u32 resource)
{
	virtgpu_cmd_fill_ctx_resource(msg, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, context, resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_ctx_detach);

/**
 * virtgpu_cmd_create_3d - make a texture or a buffer of the host's renderer
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D.
 */
void virtgpu_cmd_create_3d(struct virtgpu_msg *msg, const struct virtgpu_cmd_create_3d *p)
{
	struct virtio_gpu_resource_create_3d *c = &msg->request.create_3d;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, sizeof(*c), 0);
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

static void virtgpu_cmd_fill_transfer_3d(struct virtgpu_msg *msg, u32 type,
					 const struct virtgpu_cmd_transfer_3d *p)
{
	struct virtio_gpu_transfer_host_3d *c = &msg->request.transfer_3d;

	virtgpu_cmd_init_3d(msg, type, sizeof(*c), p->context);
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
 * virtgpu_cmd_transfer_to_host_3d - copy from the guest's memory to the host's
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D.
 */
void virtgpu_cmd_transfer_to_host_3d(struct virtgpu_msg *msg,
				     const struct virtgpu_cmd_transfer_3d *p)
{
	virtgpu_cmd_fill_transfer_3d(msg, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_to_host_3d);

/**
 * virtgpu_cmd_transfer_from_host_3d - copy from the host's memory to the guest's
 * @msg: filled
 * @p: parameters
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D.
 */
void virtgpu_cmd_transfer_from_host_3d(struct virtgpu_msg *msg,
				       const struct virtgpu_cmd_transfer_3d *p)
{
	virtgpu_cmd_fill_transfer_3d(msg, VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_transfer_from_host_3d);

/**
 * virtgpu_cmd_submit_3d - have a context carry out a command stream
 * @msg: filled
 * @context: the context
 * @stream: the commands, the message's from here on; NULL for none, as for a fence
 *	that only wants to be behind what came before
 *
 * 5.7.6.9, VIRTIO_GPU_CMD_SUBMIT_3D.
 */
void virtgpu_cmd_submit_3d(struct virtgpu_msg *msg, u32 context, struct virtgpu_mem_entries *stream)
{
	struct virtio_gpu_cmd_submit *c = &msg->request.submit;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_SUBMIT_3D, sizeof(*c), context);
	c->size = cpu_to_le32(stream ? stream->bytes : 0);
	msg->payload = stream;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_submit_3d);

/**
 * virtgpu_cmd_set_ring_idx - put a command's fence on a timeline of its context
 * @msg: filled already, with the context's number
 * @ring: the timeline
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
 * virtgpu_cmd_map_blob - make a blob of the host visible in the window
 * @msg: a message with room for struct virtio_gpu_resp_map_info
 * @resource: the blob
 * @offset: where in the window
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB.
 */
void virtgpu_cmd_map_blob(struct virtgpu_msg *msg, u32 resource, u64 offset)
{
	struct virtio_gpu_resource_map_blob *c = &msg->request.map_blob;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, sizeof(*c), 0);
	c->resource_id = cpu_to_le32(resource);
	c->offset = cpu_to_le64(offset);
	virtgpu_msg_set_resp(msg, VIRTIO_GPU_RESP_OK_MAP_INFO,
			     sizeof(struct virtio_gpu_resp_map_info));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_map_blob);

/**
 * virtgpu_cmd_unmap_blob - take a blob out of the window
 * @msg: filled
 * @resource: the blob
 *
 * 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB.
 */
void virtgpu_cmd_unmap_blob(struct virtgpu_msg *msg, u32 resource)
{
	struct virtio_gpu_resource_unmap_blob *c = &msg->request.unmap_blob;

	virtgpu_cmd_init_3d(msg, VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, sizeof(*c), 0);
	c->resource_id = cpu_to_le32(resource);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_unmap_blob);

static void virtgpu_cmd_fill_cursor(struct virtgpu_msg *msg, u32 type,
				    const struct virtgpu_cmd_cursor *p)
{
	struct virtio_gpu_update_cursor *c = &msg->request.cursor_cmd;

	virtgpu_msg_set_request(msg, type, sizeof(*c));
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
 * virtgpu_cmd_update_cursor - set image and position of a cursor
 * @msg: filled, for the cursor queue
 * @p: parameters
 *
 * 5.7.6.10, VIRTIO_GPU_CMD_UPDATE_CURSOR.
 */
void virtgpu_cmd_update_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p)
{
	virtgpu_cmd_fill_cursor(msg, VIRTIO_GPU_CMD_UPDATE_CURSOR, p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_update_cursor);

/**
 * virtgpu_cmd_move_cursor - set the position of a cursor
 * @msg: filled, for the cursor queue
 * @p: parameters; the resource says only whether there is an image
 *
 * 5.7.6.10, VIRTIO_GPU_CMD_MOVE_CURSOR.
 */
void virtgpu_cmd_move_cursor(struct virtgpu_msg *msg, const struct virtgpu_cmd_cursor *p)
{
	virtgpu_cmd_fill_cursor(msg, VIRTIO_GPU_CMD_MOVE_CURSOR, p);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cmd_move_cursor);
