/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CONTEXT_H
#define VIRTGPU_CONTEXT_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_cmd.h"
#include "virtgpu_fence.h"
#include "virtgpu_ids.h"

struct drm_device;
struct drm_printer;
struct virtgpu_client;
struct virtgpu_msg;
struct virtgpu_vq;

/* Maximum of num_rings: poll_rings_mask has 64 bits. */
#define VIRTGPU_CONTEXT_MAX_RINGS 64

/**
 * struct virtgpu_context_mgr - The contexts of a device
 * @drm: for log messages
 * @queue: the control queue
 * @client: accounts pending CTX_CREATE and CTX_DESTROY commands
 * @default_timeline: timeline of commands without a ring index, which the host
 *	completes in order for all contexts together
 * @ids: context IDs in use; an ID is freed when CTX_DESTROY has completed
 * @lock: protects @list and virtgpu_context.id; taken in interrupts
 * @list: all contexts that may exist on the host
 */
struct virtgpu_context_mgr {
	struct drm_device *drm;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline default_timeline;
	struct virtgpu_ids ids;
	spinlock_t lock; /* protects @list */
	struct list_head list;
};

/**
 * struct virtgpu_context_params - Parameters of CONTEXT_INIT
 * @capset: ID of the capability set, 0 for the device's default
 * @num_rings: number of timelines
 * @poll_rings_mask: mask of the timelines that send a DRM event for each
 *	fence
 * @name: debug name, zero-terminated
 */
struct virtgpu_context_params {
	u32 capset;
	u32 num_rings;
	u64 poll_rings_mask;
	char name[VIRTGPU_CONTEXT_NAME];
};

/**
 * struct virtgpu_context - A rendering context
 * @ref: one reference for the file, and one for each pending message
 * @rcu: delays freeing @ring, which fences may access under RCU
 * @mgr: the context manager
 * @link: entry in @mgr->list
 * @id: context ID, 0 once the host has confirmed CTX_DESTROY
 * @params: parameters of the creation
 * @error: sticky error of CTX_CREATE, an errno
 * @lost: the device was reset and the context does not exist any more
 * @destroy: message reserved for CTX_DESTROY, NULL once queued
 * @client: accounts the pending messages of the context
 * @ring: timelines, @params.num_rings of them
 */
struct virtgpu_context {
	refcount_t ref;
	struct rcu_head rcu;
	struct virtgpu_context_mgr *mgr;
	struct list_head link;
	u32 id;
	struct virtgpu_context_params params;
	int error;
	bool lost;
	struct virtgpu_msg *destroy;
	struct virtgpu_client *client;
	struct virtgpu_timeline ring[];
};

int virtgpu_context_mgr_init(struct virtgpu_context_mgr *mgr, struct drm_device *drm,
			     struct virtgpu_vq *queue);
void virtgpu_context_mgr_fini(struct virtgpu_context_mgr *mgr);
void virtgpu_contexts_mark_lost(struct virtgpu_context_mgr *mgr);
int virtgpu_contexts_throttle(struct virtgpu_context_mgr *mgr);
void virtgpu_contexts_print(struct virtgpu_context_mgr *mgr, struct drm_printer *p);

void virtgpu_context_params_init(struct virtgpu_context_params *params);
struct virtgpu_context *virtgpu_context_create(struct virtgpu_context_mgr *mgr,
					       const struct virtgpu_context_params *params);
void virtgpu_context_put(struct virtgpu_context *ctx);
void virtgpu_context_close(struct virtgpu_context *ctx);
int virtgpu_context_error(const struct virtgpu_context *ctx);
void virtgpu_context_track(struct virtgpu_context *ctx, struct virtgpu_msg *msg);

#endif
