/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MSG_H
#define VIRTGPU_MSG_H

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#include "virtgpu_wire.h"

struct virtgpu_mem_entries;
struct virtgpu_fence;
struct virtgpu_vq;

/**
 * enum virtgpu_msg_state - State of a message
 * @VIRTGPU_MSG_RESERVED: owned by the caller, not queued
 * @VIRTGPU_MSG_BACKLOG: queued, waiting for room in the ring
 * @VIRTGPU_MSG_IN_FLIGHT: owned by the device
 * @VIRTGPU_MSG_COMPLETED: completed by a response, or failed without one
 */
enum virtgpu_msg_state {
	VIRTGPU_MSG_RESERVED,
	VIRTGPU_MSG_BACKLOG,
	VIRTGPU_MSG_IN_FLIGHT,
	VIRTGPU_MSG_COMPLETED,
};

/**
 * enum virtgpu_msg_class - What the response to a command depends on
 * @VIRTGPU_MSG_PROMPT: nothing; hosts respond at once
 * @VIRTGPU_MSG_DISPLAY: the display, which may hold a frame indefinitely
 * @VIRTGPU_MSG_RENDER: rendering, which may take hours
 * @VIRTGPU_MSG_CURSOR: the cursor queue, which some hosts never process
 */
enum virtgpu_msg_class {
	VIRTGPU_MSG_PROMPT,
	VIRTGPU_MSG_DISPLAY,
	VIRTGPU_MSG_RENDER,
	VIRTGPU_MSG_CURSOR,
};

/**
 * struct virtgpu_client - Accounting of the pending messages of a context, or
 * of a manager for all contexts
 * @ref: one reference of the context or manager, and one per message
 * @bound: maximum number of pending messages, including the backlog; 0 for a
 *	client with long-running messages, which has a share of the ring
 * @slots: pending messages if @bound is set, otherwise descriptors of pending
 *	messages; protected by &virtgpu_vq.lock
 * @bytes: payload of pending messages; protected by &virtgpu_vq.lock
 * @closed: the host has destroyed the context; protected by &virtgpu_vq.lock
 */
struct virtgpu_client {
	refcount_t ref;
	unsigned int bound;
	unsigned int slots;
	size_t bytes;
	bool closed;
};

/**
 * struct virtgpu_msg - One command and its response
 * @link: entry in &virtgpu_vq.backlog or &virtgpu_vq.in_ring
 * @ref: references of the queue while the message is queued, of the owner, and
 *	of waiters
 * @state: protected by &virtgpu_vq.lock while the message is queued
 * @error: 0 or negative error code, final in VIRTGPU_MSG_COMPLETED
 * @timed_out: the device has skipped the message, or its client was closed;
 *	waiters have returned, but the message may still complete
 * @cursor: command of the cursor queue; the response has no content
 * @fenced: the request has VIRTIO_GPU_FLAG_FENCE, with or without @fence
 * @prompt_fence: @fence signals when the command is executed, without
 *	VIRTIO_GPU_FLAG_FENCE, so that the response does not wait for rendering
 * @deferrable: the response may be read late, because neither a fence nor a
 *	caller depends on it
 * @seen: the watchdog has found the message in the ring
 * @class: what the response depends on; set when the message is queued
 * @serial: number of messages added to the ring, up to and including this one
 * @ticks: watchdog periods since the device has responded to a later message
 * @closed_ticks: watchdog periods since @client was closed
 * @slots: descriptors or messages accounted to @client
 * @client: client that the message is accounted to, or NULL
 * @fence: signalled when the message completes, or NULL
 * @pre_complete: called before @fence is signalled, in interrupt context; may
 *	be NULL
 * @complete: called once after @fence is signalled, in interrupt context; may
 *	be NULL
 * @priv: private data of @pre_complete and @complete
 * @completed: for virtgpu_vq_wait_msg()
 * @payload: memory entries or command buffer behind the request, or NULL
 * @cmd: entry of the command in virtgpu_cmd_table
 * @resp_size: bytes that the device may write to @resp
 * @resp_len: bytes that the device claims to have written
 * @resp: inline_resp or a separate allocation
 * @request: the command
 */
struct virtgpu_msg {
	struct list_head link;
	refcount_t ref;
	enum virtgpu_msg_state state;
	int error;
	bool timed_out;
	bool cursor;
	bool fenced;
	bool prompt_fence;
	bool deferrable;
	bool seen;
	enum virtgpu_msg_class class;
	u64 serial;
	unsigned int ticks;
	unsigned int closed_ticks;
	unsigned int slots;
	struct virtgpu_client *client;
	struct virtgpu_fence *fence;
	void (*pre_complete)(struct virtgpu_msg *msg);
	void (*complete)(struct virtgpu_msg *msg);
	void *priv;
	struct completion completed;
	struct virtgpu_mem_entries *payload;
	const struct virtgpu_cmd_info *cmd;
	u32 resp_size;
	u32 resp_len;
	void *resp;

	union virtgpu_request request;

	/* private: written by the device, so it must not share cache lines */
	__dma_from_device_group_begin();
	u8 inline_resp[64] __aligned(8);
	__dma_from_device_group_end();
};

int virtgpu_msg_cache_init(void);
void virtgpu_msg_cache_exit(void);

struct virtgpu_msg *virtgpu_msg_alloc(void);
struct virtgpu_msg *virtgpu_msg_alloc_resp(size_t resp_size);
void virtgpu_msg_reinit(struct virtgpu_msg *msg);
void virtgpu_msg_get(struct virtgpu_msg *msg);
void virtgpu_msg_put(struct virtgpu_msg *msg);

/**
 * virtgpu_msg_set_command() - Set the command of a message
 * @msg: reserved message with a zeroed request
 * @cmd: entry of virtgpu_cmd_table
 */
static inline void virtgpu_msg_set_command(struct virtgpu_msg *msg,
					   const struct virtgpu_cmd_info *cmd)
{
	msg->cmd = cmd;
	msg->request.hdr.type = cpu_to_le32(cmd->type);
}

/**
 * virtgpu_msg_type() - Get the command of a message
 * @msg: the message
 *
 * Return: VIRTIO_GPU_CMD_*.
 */
static inline u32 virtgpu_msg_type(const struct virtgpu_msg *msg)
{
	return le32_to_cpu(msg->request.hdr.type);
}

/**
 * virtgpu_msg_resp_hdr() - Get the header of the response
 * @msg: a completed message
 *
 * Return: the header, or NULL if the device has not written all of it.
 */
static inline const struct virtio_gpu_ctrl_hdr *
virtgpu_msg_resp_hdr(const struct virtgpu_msg *msg)
{
	if (min(msg->resp_len, msg->resp_size) < sizeof(struct virtio_gpu_ctrl_hdr))
		return NULL;

	return msg->resp;
}

int virtgpu_msg_check_response(const struct virtgpu_msg *msg);
void virtgpu_msg_complete(struct virtgpu_msg *msg);

struct virtgpu_client *virtgpu_client_alloc(unsigned int bound);
void virtgpu_client_put(struct virtgpu_client *client);
void virtgpu_msg_set_client(struct virtgpu_msg *msg, struct virtgpu_client *client);

#endif
