// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/build_bug.h>
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
