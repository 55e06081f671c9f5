// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/string.h>

#include "virtgpu_cmd_3d.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"

/**
 * DOC: 3D commands
 *
 * The commands of contexts and of memory on the host, in the manner of those in
 * virtgpu_cmd.c.  Section numbers are those of the virtio specification 1.3.
 */

/* The wire, as the specification draws it. */
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
