// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <drm/drm_print.h>

#include "virtgpu_context.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

/**
 * DOC: contexts
 *
 * A context is what the host keeps for one program: the objects of its renderer,
 * and timelines on which the host ends its work in order.  CTX_DESTROY is queued when
 * the file is closed, with a message that was reserved when the context was created.
 * It does not wait for what was submitted before: a fence of a cross-domain poll may
 * stay open until the context ends.  The ID is free again once the host has confirmed
 * CTX_DESTROY.
 *
 * A device that was reset, as over a suspend, knows no contexts.  What a program had
 * in its own is gone, and nobody but the program can make it again.  So a context
 * from before is lost: whatever is asked of it fails with -EIO, which renderers take
 * for a lost device.
 */

/* Commands outstanding that create and end contexts, of all programs. */
#define MAX_CHANGES 64

/**
 * virtgpu_context_mgr_init - start with no contexts
 * @mgr: what to initialise
 * @drm: for log messages
 * @queue: the control queue
 *
 * Return: 0 or -ENOMEM.
 */
int virtgpu_context_mgr_init(struct virtgpu_context_mgr *mgr, struct drm_device *drm,
			     struct virtgpu_vq *queue)
{
	mgr->drm = drm;
	mgr->queue = queue;
	virtgpu_timeline_init_ordered(&mgr->default_timeline, "global");
	ida_init(&mgr->ids);
	spin_lock_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->list);
	mgr->client = virtgpu_client_alloc(MAX_CHANGES);

	return mgr->client ? 0 : -ENOMEM;
}

/**
 * virtgpu_contexts_throttle - wait until another context may be created
 * @mgr: the mgr
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int virtgpu_contexts_throttle(struct virtgpu_context_mgr *mgr)
{
	return virtgpu_vq_throttle(mgr->queue, mgr->client);
}

/**
 * virtgpu_context_mgr_fini - check that none is left
 * @mgr: a mgr whose queue was stopped
 */
void virtgpu_context_mgr_fini(struct virtgpu_context_mgr *mgr)
{
	virtgpu_client_put(mgr->client);
	mgr->client = NULL;
	if (WARN_ON(!list_empty(&mgr->list)))
		return;
	ida_destroy(&mgr->ids);
}

/**
 * virtgpu_contexts_mark_lost - mark all contexts as lost after a reset
 * @mgr: a mgr whose device was reset
 *
 * Before the queue is stopped, so that contexts are lost when their fences signal.
 *
 * Context: any.
 */
void virtgpu_contexts_mark_lost(struct virtgpu_context_mgr *mgr)
{
	struct virtgpu_context *ctx;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(ctx, &mgr->list, link)
		WRITE_ONCE(ctx->lost, true);
	spin_unlock_irqrestore(&mgr->lock, flags);
}

/**
 * virtgpu_contexts_print - list them for debugfs
 * @mgr: the mgr
 * @p: where to print
 *
 * Context: may not sleep in @p.
 */
void virtgpu_contexts_print(struct virtgpu_context_mgr *mgr, struct drm_printer *p)
{
	struct virtgpu_context *ctx;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_for_each_entry(ctx, &mgr->list, link) {
		drm_printf(p, "context: id=%u capset=%u num_rings=%u poll_rings_mask=0x%llx",
			   ctx->id, ctx->params.capset, ctx->params.num_rings,
			   ctx->params.poll_rings_mask);
		drm_printf(p, " state=%s error=%d name=%s\n",
			   READ_ONCE(ctx->lost) ? "lost" : ctx->destroy ? "active" : "destroying",
			   ctx->error, ctx->params.name);
	}
	spin_unlock_irqrestore(&mgr->lock, flags);
}

static void virtgpu_context_free(struct virtgpu_context *ctx)
{
	struct virtgpu_context_mgr *mgr = ctx->mgr;
	unsigned long flags;

	spin_lock_irqsave(&mgr->lock, flags);
	list_del(&ctx->link);
	spin_unlock_irqrestore(&mgr->lock, flags);

	virtgpu_msg_put(ctx->destroy);
	if (ctx->id)
		ida_free(&mgr->ids, ctx->id);
	virtgpu_client_put(ctx->client);
	kfree_rcu(ctx, rcu);
}

/*
 * The host has ended the context, or has never had one.  An ID that the host refuses
 * to give up is not used again.
 */
static void virtgpu_context_destroy_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_context *ctx = msg->priv;
	unsigned int id = ctx->id;
	unsigned long flags;

	spin_lock_irqsave(&ctx->mgr->lock, flags);
	ctx->id = 0;
	spin_unlock_irqrestore(&ctx->mgr->lock, flags);

	if (!msg->error || msg->error == -ENODEV || ctx->error) {
		ida_free(&ctx->mgr->ids, id);
		virtgpu_vq_close_client(ctx->mgr->queue, ctx->client);
	} else {
		drm_err_ratelimited(ctx->mgr->drm, "context %u: CTX_DESTROY failed: %d\n",
				    id, msg->error);
	}
	virtgpu_context_put(ctx);
}

/**
 * virtgpu_context_get - take a reference
 * @ctx: the context
 */
void virtgpu_context_get(struct virtgpu_context *ctx)
{
	refcount_inc(&ctx->ref);
}

/**
 * virtgpu_context_put - drop a reference
 * @ctx: the context or NULL
 *
 * Context: any.
 */
void virtgpu_context_put(struct virtgpu_context *ctx)
{
	if (ctx && refcount_dec_and_test(&ctx->ref))
		virtgpu_context_free(ctx);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_context_put);

/**
 * virtgpu_context_close - end a context
 * @ctx: the context or NULL; the reference of its file is dropped
 *
 * CTX_DESTROY is queued and the device notified.
 *
 * Context: any.
 */
void virtgpu_context_close(struct virtgpu_context *ctx)
{
	struct virtgpu_msg *destroy;
	struct virtgpu_vq *q;

	if (!ctx)
		return;

	if (!READ_ONCE(ctx->lost)) {
		/* Once CTX_DESTROY is confirmed the context may be freed. */
		q = ctx->mgr->queue;
		destroy = ctx->destroy;
		ctx->destroy = NULL;
		virtgpu_context_get(ctx);
		destroy->priv = ctx;
		destroy->complete = virtgpu_context_destroy_complete;
		virtgpu_msg_set_client(destroy, ctx->mgr->client);
		virtgpu_vq_queue_msg(q, destroy);
		virtgpu_vq_kick(q);
	}
	virtgpu_context_put(ctx);
}

static void virtgpu_context_create_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_context *ctx = msg->priv;

	if (msg->error) {
		WRITE_ONCE(ctx->error, msg->error);
		if (msg->error != -ENODEV)
			drm_err_ratelimited(ctx->mgr->drm,
					    "context %u (capset %u, %s): creation failed: %d\n",
					    ctx->id, ctx->params.capset,
					    ctx->params.name, msg->error);
	}
	virtgpu_context_put(ctx);
}

/**
 * virtgpu_context_params_init - what a context is unless its program says otherwise
 * @params: filled; the name is that of the calling thread
 */
void virtgpu_context_params_init(struct virtgpu_context_params *params)
{
	char comm[TASK_COMM_LEN];

	memset(params, 0, sizeof(*params));
	get_task_comm(comm, current);
	strscpy(params->name, comm);
}

static struct virtgpu_context *virtgpu_context_alloc(struct virtgpu_context_mgr *mgr,
						     const struct virtgpu_context_params *params)
{
	struct virtgpu_context *ctx;
	u32 i;

	ctx = kzalloc(struct_size(ctx, ring, params->num_rings), GFP_KERNEL);
	if (!ctx)
		return NULL;

	refcount_set(&ctx->ref, 1);
	ctx->mgr = mgr;
	ctx->params = *params;
	for (i = 0; i < params->num_rings; i++)
		virtgpu_timeline_init_ordered(&ctx->ring[i], "ring");

	spin_lock_irq(&mgr->lock);
	list_add_tail(&ctx->link, &mgr->list);
	spin_unlock_irq(&mgr->lock);

	return ctx;
}

/**
 * virtgpu_context_create - make a context
 * @mgr: where
 * @params: what it is to be
 *
 * The command is published, not kicked; what the host says to it is latched.
 *
 * Context: may sleep.
 * Return: the context with one reference, or ERR_PTR(-ENOMEM).
 */
struct virtgpu_context *virtgpu_context_create(struct virtgpu_context_mgr *mgr,
					       const struct virtgpu_context_params *params)
{
	struct virtgpu_context *ctx = virtgpu_context_alloc(mgr, params);
	struct virtgpu_msg *create;
	int id;

	if (!ctx)
		return ERR_PTR(-ENOMEM);

	create = virtgpu_msg_alloc();
	ctx->destroy = virtgpu_msg_alloc();
	ctx->client = virtgpu_client_alloc(0);
	id = ida_alloc_min(&mgr->ids, 1, GFP_KERNEL);
	if (id > 0)
		ctx->id = id;
	if (!create || !ctx->destroy || !ctx->client || id < 0) {
		virtgpu_msg_put(create);
		virtgpu_context_free(ctx);
		return ERR_PTR(-ENOMEM);
	}

	virtgpu_cmd_ctx_destroy(ctx->destroy, ctx->id);
	virtgpu_cmd_ctx_create(create, ctx->id, params->capset, params->name);
	virtgpu_context_get(ctx);
	create->priv = ctx;
	create->complete = virtgpu_context_create_complete;
	virtgpu_msg_set_client(create, mgr->client);
	virtgpu_vq_queue_msg(mgr->queue, create);

	return ctx;
}

/**
 * virtgpu_context_error - can a context be used?
 * @ctx: the context
 *
 * Return: 0; -EIO if it is lost; the host's error if that did not make it.
 */
int virtgpu_context_error(const struct virtgpu_context *ctx)
{
	return READ_ONCE(ctx->lost) ? -EIO : READ_ONCE(ctx->error);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_context_error);

/* One failed command is no reason to refuse the next: renderers judge that themselves. */
static void virtgpu_context_track_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_context *ctx = msg->priv;

	if (msg->error && msg->error != -ENODEV)
		drm_err_ratelimited(ctx->mgr->drm,
				    "context %u (%s): command 0x%04x failed: %d\n",
				    ctx->id, ctx->params.name, virtgpu_msg_type(msg),
				    msg->error);
	virtgpu_context_put(ctx);
}

/**
 * virtgpu_context_track - let a message hold its context until it ends
 * @ctx: the context
 * @msg: a message that is not published yet
 */
void virtgpu_context_track(struct virtgpu_context *ctx, struct virtgpu_msg *msg)
{
	virtgpu_context_get(ctx);
	virtgpu_msg_set_client(msg, ctx->client);
	msg->priv = ctx;
	msg->complete = virtgpu_context_track_complete;
}
