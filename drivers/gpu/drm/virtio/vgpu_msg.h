/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MSG_H
#define VGPU_MSG_H

#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#include <uapi/linux/virtio_gpu.h>

struct vgpu_entries;
struct vgpu_fence;
struct vgpu_queue;

/**
 * enum vgpu_msg_state - where a message is
 * @VGPU_MSG_RESERVED: its owner's, not published
 * @VGPU_MSG_BACKLOG: published, waiting for room in the ring
 * @VGPU_MSG_RING: the device's
 * @VGPU_MSG_ENDED: answered, refused or given up with the device
 */
enum vgpu_msg_state {
	VGPU_MSG_RESERVED,
	VGPU_MSG_BACKLOG,
	VGPU_MSG_RING,
	VGPU_MSG_ENDED,
};

/**
 * enum vgpu_msg_class - what the host's response to a command waits for
 * @VGPU_MSG_PROMPT: nothing; hosts respond at once
 * @VGPU_MSG_DISPLAY: the host's display, which may hold a frame without end
 * @VGPU_MSG_RENDER: rendering, which may take hours
 * @VGPU_MSG_CURSOR: the cursor queue, which some hosts never serve
 */
enum vgpu_msg_class {
	VGPU_MSG_PROMPT,
	VGPU_MSG_DISPLAY,
	VGPU_MSG_RENDER,
	VGPU_MSG_CURSOR,
};

/**
 * struct vgpu_client - what one program has outstanding on a queue
 * @ref: the program's reference, and one for each message
 * @bound: messages that the client may have outstanding, in the backlog too; 0 for a
 *	client whose messages may take long, and that has a share of the ring instead
 * @slots: without @bound, descriptors that its messages take, else messages; under
 *	the lock of the queue
 * @bytes: size of their payloads, likewise
 * @closed: the host has confirmed the end of its context
 */
struct vgpu_client {
	refcount_t ref;
	unsigned int bound;
	unsigned int slots;
	size_t bytes;
	bool closed;
};

/**
 * struct vgpu_msg - one command on its way to the host and back
 * @link: in the queue's backlog or ring list
 * @ref: the queue's reference while published, the owner's, the waiters'
 * @state: under the queue's lock while published
 * @error: the result, final once @state is VGPU_MSG_ENDED
 * @timed_out: the host has responded to later messages for long, but not to this
 *	one; a waiter has returned, the message may still end
 * @cursor: the request is a cursor command: another header, no answer's body
 * @fenced: the request has VIRTIO_GPU_FLAG_FENCE, with or without @fence
 * @seen: the watchdog has seen the message in the ring
 * @class: what the response waits for; set when the message is queued
 * @serial: counts the messages that went into the ring, up to this one
 * @ticks: watchdog periods since the host has responded to a later message
 * @closed_ticks: watchdog periods since the host has confirmed the end of @client
 * @slots: descriptors in the ring, counted for @client
 * @client: the program that the message is counted for, or NULL
 * @fence: signalled when the message ends, or NULL
 * @written: called before @fence is signalled, in interrupt context, may be NULL
 * @done: called once when the message ends, in interrupt context, may be NULL
 * @owner: for @written and @done
 * @finished: for vgpu_queue_wait_msg()
 * @payload: second part of the request, or NULL
 * @request_size: bytes of @request that are sent
 * @expect: type of the answer, if it has a body
 * @reply_size: bytes that the device may write to @reply
 * @reply_min: bytes that a valid answer has
 * @reply_used: bytes that it has written
 * @reply: @small_reply or an allocation of its own
 * @request: the command
 * @small_reply: enough for every answer of a fixed small size
 *
 * The parts that the device reads and those that it writes have cache lines of
 * their own.
 */
struct vgpu_msg {
	struct list_head link;
	refcount_t ref;
	enum vgpu_msg_state state;
	int error;
	bool timed_out;
	bool cursor;
	bool fenced;
	bool seen;
	enum vgpu_msg_class class;
	u64 serial;
	unsigned int ticks;
	unsigned int closed_ticks;
	unsigned int slots;
	struct vgpu_client *client;
	struct vgpu_fence *fence;
	void (*written)(struct vgpu_msg *msg);
	void (*done)(struct vgpu_msg *msg);
	void *owner;
	struct completion finished;
	struct vgpu_entries *payload;
	u32 request_size;
	u32 expect;
	u32 reply_size;
	u32 reply_min;
	u32 reply_used;
	void *reply;

	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_resource_attach_backing attach;
		struct virtio_gpu_resource_detach_backing detach;
		struct virtio_gpu_resource_unref unref;
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_transfer_to_host_2d transfer_2d;
		struct virtio_gpu_resource_flush flush;
		struct virtio_gpu_resource_assign_uuid assign_uuid;
		struct virtio_gpu_update_cursor cursor_cmd;
		struct virtio_gpu_get_capset_info get_capset_info;
		struct virtio_gpu_get_capset get_capset;
		struct virtio_gpu_ctx_create ctx_create;
		struct virtio_gpu_ctx_resource ctx_resource;
		struct virtio_gpu_resource_create_3d create_3d;
		struct virtio_gpu_transfer_host_3d transfer_3d;
		struct virtio_gpu_cmd_submit submit;
		struct virtio_gpu_resource_map_blob map_blob;
		struct virtio_gpu_resource_unmap_blob unmap_blob;
	} request ____cacheline_aligned;

	u8 small_reply[64] ____cacheline_aligned;
};

int vgpu_msg_cache_init(void);
void vgpu_msg_cache_exit(void);

struct vgpu_msg *vgpu_msg_alloc(void);
struct vgpu_msg *vgpu_msg_alloc_reply(size_t reply_size);
void vgpu_msg_recycle(struct vgpu_msg *msg);
void vgpu_msg_get(struct vgpu_msg *msg);
void vgpu_msg_put(struct vgpu_msg *msg);

/**
 * vgpu_msg_set_request - begin to fill a message
 * @msg: reserved, its request zeroed
 * @type: the command
 * @size: bytes of the request that are sent
 */
static inline void vgpu_msg_set_request(struct vgpu_msg *msg, u32 type, u32 size)
{
	msg->request.hdr.type = cpu_to_le32(type);
	msg->request_size = size;
}

/**
 * vgpu_msg_set_reply - say which answer has a body
 * @msg: reserved
 * @type: of that answer
 * @least: bytes that a valid one has
 */
static inline void vgpu_msg_set_reply(struct vgpu_msg *msg, u32 type, u32 least)
{
	msg->expect = type;
	msg->reply_min = least;
}

u32 vgpu_msg_type(const struct vgpu_msg *msg);
int vgpu_reply_check(const struct vgpu_msg *msg);
void vgpu_msg_finish(struct vgpu_msg *msg);

struct vgpu_client *vgpu_client_alloc(unsigned int bound);
void vgpu_client_put(struct vgpu_client *client);
void vgpu_msg_set_client(struct vgpu_msg *msg, struct vgpu_client *client);

#endif
