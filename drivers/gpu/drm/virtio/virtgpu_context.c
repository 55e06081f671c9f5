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
 * A context is the host's state for one open file: the objects of a renderer,
 * and timelines on which the host completes commands in order. CTX_DESTROY is
 * queued when the file is closed, with a message that was reserved when the
 * context was created. CTX_DESTROY does not wait for earlier submissions,
 * because a fence may stay unsignalled until the context is destroyed. An
 * example is the poll for messages in a cross-domain context, which is a
 * channel to a server on the host, such as a Wayland compositor. The context ID
 * is reused after the host has responded to CTX_DESTROY.
 *
 * A device reset, for example for suspend, destroys all contexts. Their
 * contents cannot be restored by the driver. Contexts from before the reset are
 * therefore marked as lost: their ioctls fail with -EIO, which user space
 * reports as VK_ERROR_DEVICE_LOST or its equivalent.
 */

/*
 * Limit of pending CTX_CREATE and CTX_DESTROY commands, for all files together.
 */
#define MAX_PENDING_CHANGES 64

/**
 * virtgpu_context_mgr_init() - Initialise the context manager of a device
 * @mgr: the context manager
 * @drm: for log messages
 * @queue: the control queue
 *
 * Context: May sleep.
 * Return: 0 on success, or -ENOMEM.
 */
int virtgpu_context_mgr_init(struct virtgpu_context_mgr *mgr, struct drm_device *drm,
			     struct virtgpu_vq *queue)
{
	mgr->drm = drm;
	mgr->queue = queue;
	virtgpu_timeline_init_ordered(&mgr->default_timeline, "global");
	virtgpu_ids_init(&mgr->ids);
	spin_lock_init(&mgr->lock);
	INIT_LIST_HEAD(&mgr->list);
	mgr->client = virtgpu_client_alloc(MAX_PENDING_CHANGES);

	return mgr->client ? 0 : -ENOMEM;
}

/**
 * virtgpu_contexts_throttle() - Wait until another context may be created
 * @mgr: the context manager
 *
 * Context: May sleep; the caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int virtgpu_contexts_throttle(struct virtgpu_context_mgr *mgr)
{
	return virtgpu_vq_throttle(mgr->queue, mgr->client);
}

/**
 * virtgpu_context_mgr_fini() - Release the context manager of a device
 * @mgr: the context manager; its queue must be stopped
 *
 * Context: May sleep.
 */
void virtgpu_context_mgr_fini(struct virtgpu_context_mgr *mgr)
{
	virtgpu_client_put(mgr->client);
	mgr->client = NULL;
	if (WARN_ON(!list_empty(&mgr->list)))
		return;
	ida_destroy(&mgr->ids.ida);
}

/**
 * virtgpu_contexts_mark_lost() - Mark all contexts as lost after a device reset
 * @mgr: the context manager
 *
 * Must be called before the queue is stopped: user space that sees an error on
 * a fence must find the context lost.
 *
 * Context: Any.
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
 * virtgpu_contexts_print() - Print all contexts for debugfs
 * @mgr: the context manager
 * @p: the printer, called with @mgr->lock held
 *
 * Context: Any.
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
		virtgpu_ids_free(&mgr->ids, ctx->id);
	virtgpu_client_put(ctx->client);
	kfree_rcu(ctx, rcu);
}

/*
 * CTX_DESTROY completed. Do not reuse the ID if the host rejected the command
 * for an existing context.
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
		virtgpu_ids_free(&ctx->mgr->ids, id);
		virtgpu_vq_close_client(ctx->mgr->queue, ctx->client);
	} else {
		drm_err_ratelimited(ctx->mgr->drm, "context %u: CTX_DESTROY failed: %d\n",
				    id, msg->error);
	}
	virtgpu_context_put(ctx);
}

static void virtgpu_context_get(struct virtgpu_context *ctx)
{
	refcount_inc(&ctx->ref);
}

/**
 * virtgpu_context_put() - Drop a reference
 * @ctx: the context, or NULL
 *
 * Context: Any.
 */
void virtgpu_context_put(struct virtgpu_context *ctx)
{
	if (ctx && refcount_dec_and_test(&ctx->ref))
		virtgpu_context_free(ctx);
}

/**
 * virtgpu_context_close() - Destroy the context of a file
 * @ctx: the context, or NULL; the file's reference is dropped
 *
 * Queues CTX_DESTROY and kicks the queue, unless the context is lost.
 *
 * Context: Any.
 */
void virtgpu_context_close(struct virtgpu_context *ctx)
{
	struct virtgpu_msg *destroy;

	if (!ctx)
		return;

	if (!READ_ONCE(ctx->lost)) {
		destroy = ctx->destroy;
		ctx->destroy = NULL;
		virtgpu_context_get(ctx);
		destroy->priv = ctx;
		destroy->complete = virtgpu_context_destroy_complete;
		virtgpu_msg_set_client(destroy, ctx->mgr->client);
		virtgpu_vq_send_msg(ctx->mgr->queue, destroy);
	}
	virtgpu_context_put(ctx);
}

static void virtgpu_context_create_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_context *ctx = msg->priv;

	if (msg->error) {
		WRITE_ONCE(ctx->error, msg->error);
		if (msg->error != -ENODEV)
			dev_warn_ratelimited(ctx->mgr->drm->dev,
					     "context %u (capset %u, %s): creation failed: %d\n",
					     ctx->id, ctx->params.capset,
					     ctx->params.name, msg->error);
	}
	virtgpu_context_put(ctx);
}

/**
 * virtgpu_context_params_init() - Fill in the default parameters
 * @params: the parameters; the name is set to that of the current thread
 *
 * Context: Any.
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
 * virtgpu_context_create() - Create a context
 * @mgr: the context manager
 * @params: parameters of the context
 *
 * Queues CTX_CREATE; the caller must kick. An error of the host is returned
 * later by virtgpu_context_error().
 *
 * Context: May sleep.
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
	id = virtgpu_ids_alloc(&mgr->ids);
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
 * virtgpu_context_error() - Get the sticky error of a context
 * @ctx: the context
 *
 * Context: Any.
 * Return: 0 if the context is usable, -EIO if a reset destroyed the context, or
 * the host's error for CTX_CREATE.
 */
int virtgpu_context_error(const struct virtgpu_context *ctx)
{
	return READ_ONCE(ctx->lost) ? -EIO : READ_ONCE(ctx->error);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_context_error);

/*
 * Errors of submissions are not sticky; the host's renderer decides what still
 * works.
 */
static void virtgpu_context_track_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_context *ctx = msg->priv;

	if (msg->error && msg->error != -ENODEV)
		dev_warn_ratelimited(ctx->mgr->drm->dev,
				     "context %u (%s): command 0x%04x failed: %d\n",
				     ctx->id, ctx->params.name, virtgpu_msg_type(msg),
				     msg->error);
	virtgpu_context_put(ctx);
}

/**
 * virtgpu_context_track() - Bind a message to a context until its completion
 * @ctx: the context
 * @msg: a message that is not queued yet
 *
 * @msg holds a reference to @ctx, is charged to the context's client, and its
 * error is logged.
 *
 * Context: Any.
 */
void virtgpu_context_track(struct virtgpu_context *ctx, struct virtgpu_msg *msg)
{
	virtgpu_context_get(ctx);
	virtgpu_msg_set_client(msg, ctx->client);
	msg->priv = ctx;
	msg->complete = virtgpu_context_track_complete;
}
