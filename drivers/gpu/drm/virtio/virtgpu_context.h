/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CONTEXT_H
#define VIRTGPU_CONTEXT_H

#include <linux/idr.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_cmd.h"
#include "virtgpu_fence.h"

struct drm_device;
struct drm_printer;
struct virtgpu_client;
struct virtgpu_msg;
struct virtgpu_vq;

/* Timelines that a context may have: their numbers fit a mask of 64 bits. */
#define VIRTGPU_CONTEXT_MAX_RINGS 64

/**
 * struct virtgpu_context_mgr - all contexts of a device
 * @drm: for log messages
 * @queue: the control queue
 * @client: what the creation and the end of contexts have outstanding
 * @default_timeline: the timeline of what names no timeline of its context; the host carries
 *	such commands of all contexts out in order
 * @ids: the numbers in use; given back when CTX_DESTROY was answered
 * @lock: protects @list, taken in interrupts
 * @list: every context that the host may know
 */
struct virtgpu_context_mgr {
	struct drm_device *drm;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline default_timeline;
	struct ida ids;
	spinlock_t lock; /* @list */
	struct list_head list;
};

/**
 * struct virtgpu_context_params - what a context is to be
 * @capset: the capability set that it speaks, 0 for the device's default
 * @num_rings: number of its own timelines
 * @poll_rings_mask: those of them whose fences send events, a bit for each
 * @name: for people who debug the host
 */
struct virtgpu_context_params {
	u32 capset;
	u32 num_rings;
	u64 poll_rings_mask;
	char name[VIRTGPU_CONTEXT_NAME];
};

/**
 * struct virtgpu_context - a program's state on the host
 * @ref: the reference of its file, and one for each message that names it
 * @rcu: the fences of @ring may be looked at when it has ended
 * @mgr: where it belongs
 * @link: in @mgr's list
 * @id: the number, 0 once the host has confirmed CTX_DESTROY
 * @params: what was asked for
 * @error: latched: the host would not make it, an errno
 * @lost: the device was reset and has forgotten it
 * @destroy: reserved at creation; NULL once CTX_DESTROY is queued
 * @client: what the context has outstanding
 * @ring: its timelines
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
void virtgpu_context_get(struct virtgpu_context *ctx);
void virtgpu_context_put(struct virtgpu_context *ctx);
void virtgpu_context_close(struct virtgpu_context *ctx);
int virtgpu_context_error(const struct virtgpu_context *ctx);
void virtgpu_context_track(struct virtgpu_context *ctx, struct virtgpu_msg *msg);

#endif
