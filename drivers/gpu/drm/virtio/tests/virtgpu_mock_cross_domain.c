// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/align.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_cross_domain.h"

/*
 * The host's side of a cross-domain context: a channel to a server, and buffers
 * that the host allocates.  Messages to the guest are written to a guest blob
 * before the pending poll completes.
 */

/* Linear images of 32 bits per pixel. */
#define STRIDE_ALIGN 256

static struct virtgpu_mock_resource *ring_lookup(struct virtgpu_mock *m,
						 struct virtgpu_mock_context *ctx, u32 id)
{
	struct virtgpu_mock_resource *ring = xa_load(&m->state.resources, id);

	return ring && ring->state == VIRTGPU_MOCK_ACTIVE &&
	       ring->blob_mem == VIRTIO_GPU_BLOB_MEM_GUEST &&
	       virtgpu_mock_context_has_resource(ctx, id) ? ring : NULL;
}

static bool ring_write(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx, u32 id,
		       const void *message, size_t size)
{
	struct virtgpu_mock_resource *ring = ring_lookup(m, ctx, id);

	return ring && virtgpu_mock_write_backing(m, ring, 0, message, size);
}

static bool channel_init(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
			 const struct virtgpu_cross_domain_init *cmd)
{
	ctx->query_ring = le32_to_cpu(cmd->query_ring_id);
	ctx->channel_ring = le32_to_cpu(cmd->channel_ring_id);

	return ring_lookup(m, ctx, ctx->query_ring) && ring_lookup(m, ctx, ctx->channel_ring);
}

static bool get_image_requirements(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
				   const struct virtgpu_cross_domain_image *cmd)
{
	u32 stride = ALIGN(le32_to_cpu(cmd->width) * 4, STRIDE_ALIGN);
	u64 size = PAGE_ALIGN((u64)stride * le32_to_cpu(cmd->height));
	struct virtgpu_cross_domain_requirements reply = {
		.strides[0] = cpu_to_le32(stride),
		.size = cpu_to_le64(size),
		.blob_id = cpu_to_le32(++ctx->last_blob),
	};

	return !xa_is_err(xa_store(&ctx->allocations, ctx->last_blob, xa_mk_value(size),
				   GFP_KERNEL)) &&
	       ring_write(m, ctx, ctx->query_ring, &reply, sizeof(reply));
}

/* The server gets the buffers that the guest names by their resource IDs. */
static bool channel_send(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
			 const struct virtgpu_cross_domain_transfer *cmd, u32 size)
{
	u32 i, count = le32_to_cpu(cmd->num_identifiers);

	if (size - sizeof(*cmd) < le32_to_cpu(cmd->opaque_data_size) ||
	    count > VIRTGPU_CROSS_DOMAIN_MAX_IDS)
		return false;
	for (i = 0; i < count; i++) {
		u32 id = le32_to_cpu(cmd->identifiers[i]);

		if (le32_to_cpu(cmd->identifier_types[i]) != VIRTGPU_CROSS_DOMAIN_ID_BLOB ||
		    !virtgpu_mock_context_has_resource(ctx, id))
			return false;
		ctx->received = id;
	}

	return true;
}

static struct virtgpu_mock_request *find_poll(struct virtgpu_mock *m, u32 context)
{
	struct virtgpu_mock_request *rq;

	list_for_each_entry(rq, &m->host.held, link) {
		const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;

		if (rq->held && le32_to_cpu(hdr->ctx_id) == context)
			return rq;
	}

	return NULL;
}

/**
 * virtgpu_mock_cross_domain_execute() - Execute a command of a context
 * @m: the device
 * @ctx: the context
 * @rq: the SUBMIT_3D; the response to a poll is held
 * @cmd: the command
 * @size: its size in bytes
 *
 * Context: Caller must hold @m->host.lock.
 * Return: type of the response.
 */
u32 virtgpu_mock_cross_domain_execute(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
				      struct virtgpu_mock_request *rq, const void *cmd, u32 size)
{
	const struct virtgpu_cross_domain_header *hdr = cmd;
	bool ok = false;

	if (size < sizeof(*hdr) || le16_to_cpu(hdr->cmd_size) != size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	switch (hdr->cmd) {
	case VIRTGPU_CROSS_DOMAIN_INIT:
		if (size >= offsetof(struct virtgpu_cross_domain_init, protocol_version))
			ok = channel_init(m, ctx, cmd);
		break;
	case VIRTGPU_CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS:
		if (size == sizeof(struct virtgpu_cross_domain_image))
			ok = get_image_requirements(m, ctx, cmd);
		break;
	case VIRTGPU_CROSS_DOMAIN_POLL:
		ok = size == sizeof(struct virtgpu_cross_domain_poll) && !find_poll(m, ctx->id);
		rq->held = ok;
		break;
	case VIRTGPU_CROSS_DOMAIN_SEND:
		if (size >= sizeof(struct virtgpu_cross_domain_transfer))
			ok = channel_send(m, ctx, cmd, size);
		break;
	}

	return ok ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

/**
 * virtgpu_mock_cross_domain_receive() - Send a message of the server
 * @m: the device
 * @context: ID of a context with a pending poll
 * @message: what the guest finds in its channel ring
 * @size: size of @message in bytes
 *
 * Return: true, or false if no poll is pending or the ring cannot be written.
 */
bool virtgpu_mock_cross_domain_receive(struct virtgpu_mock *m, u32 context, const void *message,
				       size_t size)
{
	struct virtgpu_mock_request *poll;
	struct virtgpu_mock_context *ctx;
	bool ok;

	mutex_lock(&m->host.lock);
	ctx = xa_load(&m->state.contexts, context);
	poll = find_poll(m, context);
	ok = ctx && poll && ring_write(m, ctx, ctx->channel_ring, message, size);
	if (ok)
		virtgpu_mock_host_release(poll);
	mutex_unlock(&m->host.lock);

	return ok;
}

/* Get the resource ID of the last buffer that the server was sent, or 0. */
u32 virtgpu_mock_cross_domain_received(struct virtgpu_mock *m, u32 context)
{
	struct virtgpu_mock_context *ctx;
	u32 id;

	mutex_lock(&m->host.lock);
	ctx = xa_load(&m->state.contexts, context);
	id = ctx ? ctx->received : 0;
	mutex_unlock(&m->host.lock);

	return id;
}
