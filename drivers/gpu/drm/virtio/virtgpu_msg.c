// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>

#include "virtgpu_mem_entries.h"
#include "virtgpu_fence.h"
#include "virtgpu_msg.h"

/**
 * DOC: messages
 *
 * A message is one command and the buffer for its response.  All its memory is
 * allocated in advance, so that queueing cannot fail.  Each message completes
 * exactly once, in virtgpu_msg_complete(): with the response, with an error of
 * the device, with -EPROTO if the response is malformed, with the error of a
 * ring that rejects the message, or with -ENODEV when the queue stops.  The
 * queue holds a reference until completion.  Each waiter holds its own
 * reference, so a waiter can return early while the device still owns the
 * response buffer.
 *
 * Response buffers are zeroed: if the DMA API bounces, it copies their contents
 * to memory that the host can read, before the device writes the response.
 */

static struct kmem_cache *msg_cache;

/**
 * virtgpu_msg_cache_init() - Create the slab cache of messages
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM otherwise.
 */
int virtgpu_msg_cache_init(void)
{
	msg_cache = KMEM_CACHE(virtgpu_msg, SLAB_HWCACHE_ALIGN);

	return msg_cache ? 0 : -ENOMEM;
}

/**
 * virtgpu_msg_cache_exit() - Destroy the slab cache of messages
 *
 * Context: May sleep.
 */
void virtgpu_msg_cache_exit(void)
{
	kmem_cache_destroy(msg_cache);
}

/**
 * virtgpu_msg_alloc_resp() - Allocate a message
 * @resp_size: size of the response buffer in bytes, at least that of its header
 *
 * Context: May sleep.
 * Return: a message with one reference, or NULL if out of memory.
 */
struct virtgpu_msg *virtgpu_msg_alloc_resp(size_t resp_size)
{
	struct virtgpu_msg *msg = kmem_cache_alloc(msg_cache, GFP_KERNEL);
	const size_t hdr_size = sizeof(struct virtio_gpu_ctrl_hdr);

	if (!msg)
		return NULL;

	/* Zero what the device may write, which mostly is a header. */
	memset(msg, 0, offsetof(struct virtgpu_msg, inline_resp) + hdr_size);
	INIT_LIST_HEAD(&msg->link);
	refcount_set(&msg->ref, 1);
	init_completion(&msg->completed);

	msg->resp = msg->inline_resp;
	if (resp_size > sizeof(msg->inline_resp)) {
		msg->resp = kzalloc(resp_size, GFP_KERNEL);
		if (!msg->resp) {
			kmem_cache_free(msg_cache, msg);
			return NULL;
		}
	} else if (resp_size > hdr_size) {
		memset(msg->inline_resp + hdr_size, 0, resp_size - hdr_size);
	}
	msg->resp_size = resp_size;

	return msg;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_alloc_resp);

/**
 * virtgpu_msg_alloc() - Allocate a message with a header as its response
 *
 * Context: May sleep.
 * Return: a message with one reference, or NULL if out of memory.
 */
struct virtgpu_msg *virtgpu_msg_alloc(void)
{
	return virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_ctrl_hdr));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_alloc);

/**
 * virtgpu_msg_reinit() - Prepare a completed message for reuse
 * @msg: a message without waiters; keeps its payload
 *
 * Avoids an allocation for repeated commands, such as cursor moves.
 *
 * Context: Any.
 */
void virtgpu_msg_reinit(struct virtgpu_msg *msg)
{
	msg->state = VIRTGPU_MSG_RESERVED;
	msg->error = 0;
	msg->timed_out = false;
	msg->seen = false;
	msg->serial = 0;
	msg->ticks = 0;
	msg->closed_ticks = 0;
	msg->resp_len = 0;
	reinit_completion(&msg->completed);
	memset(&msg->request, 0, sizeof(msg->request));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_reinit);

/**
 * virtgpu_msg_get() - Take a reference
 * @msg: the message
 */
void virtgpu_msg_get(struct virtgpu_msg *msg)
{
	refcount_inc(&msg->ref);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_get);

/**
 * virtgpu_msg_put() - Drop a reference
 * @msg: the message or NULL
 *
 * Context: Any.
 */
void virtgpu_msg_put(struct virtgpu_msg *msg)
{
	if (!msg || !refcount_dec_and_test(&msg->ref))
		return;

	virtgpu_mem_entries_free(msg->payload);
	if (msg->fence)
		dma_fence_put(&msg->fence->base);
	virtgpu_client_put(msg->client);
	if (msg->resp != msg->inline_resp)
		kfree(msg->resp);
	kmem_cache_free(msg_cache, msg);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_put);

static int virtgpu_msg_errno(u32 type)
{
	switch (type) {
	case VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY:
		return -ENOMEM;
	case VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID:
		return -ENXIO;
	case VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID:
	case VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID:
		return -ENOENT;
	case VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/**
 * virtgpu_msg_check_response() - Validate the response of a message
 * @msg: a used message
 *
 * For a command with a response without data, any type below
 * VIRTIO_GPU_RESP_ERR_UNSPEC is success, because a host exists that uses a
 * private code there.  A response with data must have the expected type and
 * length.  Virtio specification, 5.7.6.7 "Device Operation: Request header".
 *
 * Context: Any.
 * Return: 0 on success, -EPROTO if the response is malformed, otherwise the
 * error of the device: -ENOMEM, -ENXIO (scanout), -ENOENT (resource or
 * context), -EINVAL, -EIO.
 */
int virtgpu_msg_check_response(const struct virtgpu_msg *msg)
{
	const struct virtio_gpu_ctrl_hdr *hdr = msg->resp;
	u32 type;

	/* Responses of the cursor queue have no content. */
	if (msg->cursor)
		return 0;
	if (msg->resp_len < sizeof(*hdr) || msg->resp_len > msg->resp_size)
		return -EPROTO;

	type = le32_to_cpu(hdr->type);
	if (type >= VIRTIO_GPU_RESP_ERR_UNSPEC)
		return virtgpu_msg_errno(type);
	if (msg->cmd->resp_type != VIRTIO_GPU_RESP_OK_NODATA &&
	    (type != msg->cmd->resp_type || msg->resp_len < msg->cmd->resp_min_size))
		return -EPROTO;

	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_check_response);

/**
 * virtgpu_msg_complete() - Complete a message
 * @msg: the message with its final &virtgpu_msg.error; the reference of the
 *	queue is dropped
 *
 * Context: Any, in a section of dma_fence_begin_signalling(). Caller must not
 * hold &virtgpu_vq.lock.
 */
void virtgpu_msg_complete(struct virtgpu_msg *msg)
{
	if (msg->pre_complete)
		msg->pre_complete(msg);
	if (msg->fence)
		virtgpu_fence_signal(msg->fence, msg->error);
	/* Each waiter holds its own reference. */
	if (refcount_read(&msg->ref) > 1)
		complete_all(&msg->completed);
	if (msg->complete)
		msg->complete(msg);
	virtgpu_msg_put(msg);
}

/**
 * virtgpu_client_alloc() - Allocate a client
 * @bound: maximum number of pending messages, 0 for a share of the ring
 *
 * Context: May sleep.
 * Return: a client with one reference, or NULL if out of memory.
 */
struct virtgpu_client *virtgpu_client_alloc(unsigned int bound)
{
	struct virtgpu_client *client = kzalloc_obj(*client);

	if (!client)
		return NULL;

	refcount_set(&client->ref, 1);
	client->bound = bound;

	return client;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_client_alloc);

/**
 * virtgpu_client_put() - Drop a reference
 * @client: the client or NULL
 *
 * Context: Any.
 */
void virtgpu_client_put(struct virtgpu_client *client)
{
	if (client && refcount_dec_and_test(&client->ref))
		kfree(client);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_client_put);

/**
 * virtgpu_msg_set_client() - Account a message to a client
 * @msg: reserved message; holds a reference to @client until it is freed
 * @client: the client or NULL; ignored if @msg already has one
 *
 * Context: Any.
 */
void virtgpu_msg_set_client(struct virtgpu_msg *msg, struct virtgpu_client *client)
{
	if (!client || msg->client)
		return;

	refcount_inc(&client->ref);
	msg->client = client;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_set_client);
