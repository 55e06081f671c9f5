// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>

#include "virtgpu_mem_entries.h"
#include "virtgpu_fence.h"
#include "virtgpu_msg.h"

/**
 * DOC: messages
 *
 * A message is one command and the room for its answer.  It is allocated with
 * all that it will need, so that publishing it cannot fail, and it ends exactly
 * once, in virtgpu_msg_complete(): with the answer, with the device's error, or with
 * the device's death.  The queue holds a reference from publication to the end.
 * Each waiter holds its own reference, so a waiter can return early while the
 * device still owns the response buffer.
 */

static struct kmem_cache *msg_cache;

/**
 * virtgpu_msg_cache_init - set up the memory for messages
 *
 * Return: 0 or -ENOMEM.
 */
int virtgpu_msg_cache_init(void)
{
	msg_cache = KMEM_CACHE(virtgpu_msg, SLAB_HWCACHE_ALIGN);

	return msg_cache ? 0 : -ENOMEM;
}

/**
 * virtgpu_msg_cache_exit - undo virtgpu_msg_cache_init()
 */
void virtgpu_msg_cache_exit(void)
{
	kmem_cache_destroy(msg_cache);
}

/**
 * virtgpu_msg_alloc_resp - reserve a message
 * @reply_size: bytes of the answer, at least the size of its header
 *
 * Context: may sleep.
 * Return: a message with one reference, or NULL without memory.
 */
struct virtgpu_msg *virtgpu_msg_alloc_resp(size_t reply_size)
{
	struct virtgpu_msg *msg = kmem_cache_alloc(msg_cache, GFP_KERNEL);

	if (!msg)
		return NULL;

	memset(msg, 0, offsetof(struct virtgpu_msg, inline_resp));
	INIT_LIST_HEAD(&msg->link);
	refcount_set(&msg->ref, 1);
	init_completion(&msg->completed);

	msg->resp = msg->inline_resp;
	if (reply_size > sizeof(msg->inline_resp)) {
		msg->resp = kmalloc(reply_size, GFP_KERNEL);
		if (!msg->resp) {
			kmem_cache_free(msg_cache, msg);
			return NULL;
		}
	}
	msg->resp_size = reply_size;

	return msg;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_alloc_resp);

/**
 * virtgpu_msg_alloc - reserve a message whose answer is a bare header
 *
 * Context: may sleep.
 * Return: a message with one reference, or NULL without memory.
 */
struct virtgpu_msg *virtgpu_msg_alloc(void)
{
	return virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_ctrl_hdr));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_alloc);

/**
 * virtgpu_msg_reinit - make an ended message ready for another round
 * @msg: a message that nobody waits for, without a payload
 *
 * For commands that follow each other for ever, such as cursor moves.
 *
 * Context: any.
 */
void virtgpu_msg_reinit(struct virtgpu_msg *msg)
{
	msg->state = VIRTGPU_MSG_RESERVED;
	msg->error = 0;
	msg->timed_out = false;
	msg->seen = false;
	msg->ticks = 0;
	msg->resp_len = 0;
	reinit_completion(&msg->completed);
	memset(&msg->request, 0, sizeof(msg->request));
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_reinit);

/**
 * virtgpu_msg_get - take a reference
 * @msg: the message
 */
void virtgpu_msg_get(struct virtgpu_msg *msg)
{
	refcount_inc(&msg->ref);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_get);

/**
 * virtgpu_msg_put - drop a reference
 * @msg: the message or NULL
 *
 * Context: any.
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

/**
 * virtgpu_msg_type - the command in a message
 * @msg: the message
 *
 * Return: VIRTIO_GPU_CMD_*.
 */
u32 virtgpu_msg_type(const struct virtgpu_msg *msg)
{
	return le32_to_cpu(msg->request.hdr.type);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_type);

/**
 * virtgpu_msg_resp_hdr() - Get the header of the response
 * @msg: a completed message
 *
 * Return: the header, or NULL if the device has not written all of it.
 */
const struct virtio_gpu_ctrl_hdr *virtgpu_msg_resp_hdr(const struct virtgpu_msg *msg)
{
	if (min(msg->resp_len, msg->resp_size) < sizeof(struct virtio_gpu_ctrl_hdr))
		return NULL;

	return msg->resp;
}

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
 * virtgpu_msg_check_response - judge the device's answer
 * @msg: a message that came back, @reply_used bytes long
 *
 * Any type below VIRTIO_GPU_RESP_ERR_UNSPEC is success, as one host uses a code
 * of its own there; but an answer that is to carry data has to be of the right
 * type and length.  See the virtio specification, 5.7.6.7 "Device Operation:
 * Request header".
 *
 * Context: any.
 * Return: 0, -EPROTO for an answer that cannot be trusted, or the device's
 * error: -EIO, -ENOMEM, -ENXIO (scanout), -ENOENT (resource, context), -EINVAL.
 */
int virtgpu_msg_check_response(const struct virtgpu_msg *msg)
{
	const struct virtio_gpu_ctrl_hdr *hdr = msg->resp;
	u32 type;

	/* The cursor queue's answers have no meaning beyond "taken". */
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
 * virtgpu_msg_complete - end a message
 * @msg: the message; its @error is final. The queue's reference is dropped.
 *
 * Context: any, without the queue's lock, inside dma_fence_begin_signalling().
 */
void virtgpu_msg_complete(struct virtgpu_msg *msg)
{
	if (msg->pre_complete)
		msg->pre_complete(msg);
	if (msg->fence)
		virtgpu_fence_signal(msg->fence, msg->error);
	complete_all(&msg->completed);
	if (msg->complete)
		msg->complete(msg);
	virtgpu_msg_put(msg);
}

/**
 * virtgpu_client_alloc - start to count for a program
 * @bound: messages that it may have outstanding, 0 for a share of the ring
 *
 * Context: may sleep.
 * Return: a client with one reference, or NULL without memory.
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
 * virtgpu_client_put - drop a reference
 * @client: the client or NULL
 *
 * Context: any.
 */
void virtgpu_client_put(struct virtgpu_client *client)
{
	if (client && refcount_dec_and_test(&client->ref))
		kfree(client);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_client_put);

/**
 * virtgpu_msg_set_client - count a message for a program
 * @msg: reserved; holds a reference to @client until it is freed
 * @client: the client or NULL
 *
 * Context: any.
 */
void virtgpu_msg_set_client(struct virtgpu_msg *msg, struct virtgpu_client *client)
{
	if (!client || msg->client)
		return;

	refcount_inc(&client->ref);
	msg->client = client;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_msg_set_client);
