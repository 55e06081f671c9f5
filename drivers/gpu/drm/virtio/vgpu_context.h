/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_CONTEXT_H
#define VGPU_CONTEXT_H

#include <linux/idr.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "virtgpu_cmd_3d.h"
#include "virtgpu_fence.h"

struct device;
struct drm_printer;
struct virtgpu_client;
struct virtgpu_msg;
struct virtgpu_vq;

/* Timelines that a context may have: their numbers fit a mask of 64 bits. */
#define VGPU_CONTEXT_RINGS 64

/**
 * struct vgpu_contexts - all contexts of a device
 * @dev: for log messages
 * @queue: the control queue
 * @client: what the creation and the end of contexts have outstanding
 * @global: the timeline of what names no timeline of its context; the host carries
 *	such commands of all contexts out in order
 * @ids: the numbers in use; given back when CTX_DESTROY was answered
 * @lock: protects @list, taken in interrupts
 * @list: every context that the host may know
 */
struct vgpu_contexts {
	struct device *dev;
	struct virtgpu_vq *queue;
	struct virtgpu_client *client;
	struct virtgpu_timeline global;
	struct ida ids;
	spinlock_t lock; /* @list */
	struct list_head list;
};

/**
 * struct vgpu_context_params - what a context is to be
 * @capset: the capability set that it speaks, 0 for the device's default
 * @rings: number of its own timelines
 * @polled: those of them whose fences send events, a bit for each
 * @name: for people who debug the host
 */
struct vgpu_context_params {
	u32 capset;
	u32 rings;
	u64 polled;
	char name[VIRTGPU_CONTEXT_NAME];
};

/**
 * struct vgpu_context - a program's state on the host
 * @ref: the reference of its file, and one for each message that names it
 * @rcu: the fences of @ring may be looked at when it has ended
 * @pool: where it belongs
 * @link: in @pool's list
 * @id: the number, 0 once the host has confirmed CTX_DESTROY
 * @params: what was asked for
 * @error: latched: the host would not make it, an errno
 * @lost: the device was reset and has forgotten it
 * @destroy: reserved at creation; NULL once CTX_DESTROY is queued
 * @client: what the context has outstanding
 * @ring: its timelines
 */
struct vgpu_context {
	refcount_t ref;
	struct rcu_head rcu;
	struct vgpu_contexts *pool;
	struct list_head link;
	u32 id;
	struct vgpu_context_params params;
	int error;
	bool lost;
	struct virtgpu_msg *destroy;
	struct virtgpu_client *client;
	struct virtgpu_timeline ring[];
};

int vgpu_contexts_init(struct vgpu_contexts *pool, struct device *dev,
		       struct virtgpu_vq *queue);
void vgpu_contexts_fini(struct vgpu_contexts *pool);
void vgpu_contexts_lose(struct vgpu_contexts *pool);
int vgpu_contexts_throttle(struct vgpu_contexts *pool);
void vgpu_contexts_print(struct vgpu_contexts *pool, struct drm_printer *p);

void vgpu_context_params_init(struct vgpu_context_params *params);
struct vgpu_context *vgpu_context_create(struct vgpu_contexts *pool,
					 const struct vgpu_context_params *params);
void vgpu_context_get(struct vgpu_context *ctx);
void vgpu_context_put(struct vgpu_context *ctx);
void vgpu_context_close(struct vgpu_context *ctx);
int vgpu_context_error(const struct vgpu_context *ctx);
void vgpu_context_track(struct vgpu_context *ctx, struct virtgpu_msg *msg);

#endif
