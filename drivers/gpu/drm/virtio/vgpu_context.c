// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <drm/drm_print.h>

#include "vgpu_context.h"
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
 * vgpu_contexts_init - start with no contexts
 * @pool: what to initialise
 * @dev: for log messages
 * @queue: the control queue
 *
 * Return: 0 or -ENOMEM.
 */
int vgpu_contexts_init(struct vgpu_contexts *pool, struct device *dev,
		       struct virtgpu_vq *queue)
{
	pool->dev = dev;
	pool->queue = queue;
	virtgpu_timeline_init_ordered(&pool->global, "global");
	ida_init(&pool->ids);
	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->list);
	pool->client = virtgpu_client_alloc(MAX_CHANGES);

	return pool->client ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_contexts_init);

/**
 * vgpu_contexts_throttle - wait until another context may be created
 * @pool: the pool
 *
 * Context: may sleep; the caller must not hold a lock that a response needs.
 * Return: see virtgpu_vq_throttle().
 */
int vgpu_contexts_throttle(struct vgpu_contexts *pool)
{
	return virtgpu_vq_throttle(pool->queue, pool->client);
}

/**
 * vgpu_contexts_fini - check that none is left
 * @pool: a pool whose queue was stopped
 */
void vgpu_contexts_fini(struct vgpu_contexts *pool)
{
	virtgpu_client_put(pool->client);
	pool->client = NULL;
	if (WARN_ON(!list_empty(&pool->list)))
		return;
	ida_destroy(&pool->ids);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_contexts_fini);

/**
 * vgpu_contexts_lose - mark all contexts as lost after a reset
 * @pool: a pool whose device was reset
 *
 * Before the queue is stopped, so that contexts are lost when their fences signal.
 *
 * Context: any.
 */
void vgpu_contexts_lose(struct vgpu_contexts *pool)
{
	struct vgpu_context *ctx;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_for_each_entry(ctx, &pool->list, link)
		WRITE_ONCE(ctx->lost, true);
	spin_unlock_irqrestore(&pool->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_contexts_lose);

/**
 * vgpu_contexts_print - list them for debugfs
 * @pool: the pool
 * @p: where to print
 *
 * Context: may not sleep in @p.
 */
void vgpu_contexts_print(struct vgpu_contexts *pool, struct drm_printer *p)
{
	struct vgpu_context *ctx;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_for_each_entry(ctx, &pool->list, link) {
		drm_printf(p, "context: id=%u capset=%u rings=%u polled=0x%llx", ctx->id,
			   ctx->params.capset, ctx->params.rings, ctx->params.polled);
		drm_printf(p, " state=%s error=%d name=%s\n",
			   READ_ONCE(ctx->lost) ? "lost" : ctx->destroy ? "live" : "dying",
			   ctx->error, ctx->params.name);
	}
	spin_unlock_irqrestore(&pool->lock, flags);
}

static void context_free(struct vgpu_context *ctx)
{
	struct vgpu_contexts *pool = ctx->pool;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	list_del(&ctx->link);
	spin_unlock_irqrestore(&pool->lock, flags);

	virtgpu_msg_put(ctx->destroy);
	if (ctx->id)
		ida_free(&pool->ids, ctx->id);
	virtgpu_client_put(ctx->client);
	kfree_rcu(ctx, rcu);
}

/*
 * The host has ended the context, or has never had one.  An ID that the host refuses
 * to give up is not used again.
 */
static void destroy_done(struct virtgpu_msg *msg)
{
	struct vgpu_context *ctx = msg->priv;
	unsigned int id = ctx->id;
	unsigned long flags;

	spin_lock_irqsave(&ctx->pool->lock, flags);
	ctx->id = 0;
	spin_unlock_irqrestore(&ctx->pool->lock, flags);

	if (!msg->error || msg->error == -ENODEV || ctx->error) {
		ida_free(&ctx->pool->ids, id);
		virtgpu_vq_close_client(ctx->pool->queue, ctx->client);
	} else {
		dev_err_ratelimited(ctx->pool->dev, "context %u: CTX_DESTROY failed: %d\n",
				    id, msg->error);
	}
	vgpu_context_put(ctx);
}

/**
 * vgpu_context_get - take a reference
 * @ctx: the context
 */
void vgpu_context_get(struct vgpu_context *ctx)
{
	refcount_inc(&ctx->ref);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_get);

/**
 * vgpu_context_put - drop a reference
 * @ctx: the context or NULL
 *
 * Context: any.
 */
void vgpu_context_put(struct vgpu_context *ctx)
{
	if (ctx && refcount_dec_and_test(&ctx->ref))
		context_free(ctx);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_put);

/**
 * vgpu_context_close - end a context
 * @ctx: the context or NULL; the reference of its file is dropped
 *
 * CTX_DESTROY is queued and the device notified.
 *
 * Context: any.
 */
void vgpu_context_close(struct vgpu_context *ctx)
{
	struct virtgpu_msg *destroy;
	struct virtgpu_vq *q;

	if (!ctx)
		return;

	if (!READ_ONCE(ctx->lost)) {
		/* Once CTX_DESTROY is confirmed the context may be freed. */
		q = ctx->pool->queue;
		destroy = ctx->destroy;
		ctx->destroy = NULL;
		vgpu_context_get(ctx);
		destroy->priv = ctx;
		destroy->complete = destroy_done;
		virtgpu_msg_set_client(destroy, ctx->pool->client);
		virtgpu_vq_queue_msg(q, destroy);
		virtgpu_vq_kick(q);
	}
	vgpu_context_put(ctx);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_close);

static void create_done(struct virtgpu_msg *msg)
{
	struct vgpu_context *ctx = msg->priv;

	if (msg->error) {
		WRITE_ONCE(ctx->error, msg->error);
		if (msg->error != -ENODEV)
			dev_err_ratelimited(ctx->pool->dev,
					    "context %u (capset %u, %s): the host has made none: %d\n",
					    ctx->id, ctx->params.capset,
					    ctx->params.name, msg->error);
	}
	vgpu_context_put(ctx);
}

/**
 * vgpu_context_params_init - what a context is unless its program says otherwise
 * @params: filled; the name is that of the calling thread
 */
void vgpu_context_params_init(struct vgpu_context_params *params)
{
	char comm[TASK_COMM_LEN];

	memset(params, 0, sizeof(*params));
	get_task_comm(comm, current);
	strscpy(params->name, comm);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_params_init);

static struct vgpu_context *context_alloc(struct vgpu_contexts *pool,
					  const struct vgpu_context_params *params)
{
	struct vgpu_context *ctx;
	u32 i;

	ctx = kzalloc(struct_size(ctx, ring, params->rings), GFP_KERNEL);
	if (!ctx)
		return NULL;

	refcount_set(&ctx->ref, 1);
	ctx->pool = pool;
	ctx->params = *params;
	for (i = 0; i < params->rings; i++)
		virtgpu_timeline_init_ordered(&ctx->ring[i], "ring");

	spin_lock_irq(&pool->lock);
	list_add_tail(&ctx->link, &pool->list);
	spin_unlock_irq(&pool->lock);

	return ctx;
}

/**
 * vgpu_context_create - make a context
 * @pool: where
 * @params: what it is to be
 *
 * The command is published, not kicked; what the host says to it is latched.
 *
 * Context: may sleep.
 * Return: the context with one reference, or ERR_PTR(-ENOMEM).
 */
struct vgpu_context *vgpu_context_create(struct vgpu_contexts *pool,
					 const struct vgpu_context_params *params)
{
	struct vgpu_context *ctx = context_alloc(pool, params);
	struct virtgpu_msg *create;
	int id;

	if (!ctx)
		return ERR_PTR(-ENOMEM);

	create = virtgpu_msg_alloc();
	ctx->destroy = virtgpu_msg_alloc();
	ctx->client = virtgpu_client_alloc(0);
	id = ida_alloc_min(&pool->ids, 1, GFP_KERNEL);
	if (id > 0)
		ctx->id = id;
	if (!create || !ctx->destroy || !ctx->client || id < 0) {
		virtgpu_msg_put(create);
		context_free(ctx);
		return ERR_PTR(-ENOMEM);
	}

	virtgpu_cmd_ctx_destroy(ctx->destroy, ctx->id);
	virtgpu_cmd_ctx_create(create, ctx->id, params->capset, params->name);
	vgpu_context_get(ctx);
	create->priv = ctx;
	create->complete = create_done;
	virtgpu_msg_set_client(create, pool->client);
	virtgpu_vq_queue_msg(pool->queue, create);

	return ctx;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_create);

/**
 * vgpu_context_error - can a context be used?
 * @ctx: the context
 *
 * Return: 0; -EIO if it is lost; the host's error if that did not make it.
 */
int vgpu_context_error(const struct vgpu_context *ctx)
{
	return READ_ONCE(ctx->lost) ? -EIO : READ_ONCE(ctx->error);
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_error);

/* One failed command is no reason to refuse the next: renderers judge that themselves. */
static void tracked_done(struct virtgpu_msg *msg)
{
	struct vgpu_context *ctx = msg->priv;

	if (msg->error && msg->error != -ENODEV)
		dev_err_ratelimited(ctx->pool->dev,
				    "context %u (%s): command 0x%04x failed: %d\n",
				    ctx->id, ctx->params.name, virtgpu_msg_type(msg),
				    msg->error);
	vgpu_context_put(ctx);
}

/**
 * vgpu_context_track - let a message hold its context until it ends
 * @ctx: the context
 * @msg: a message that is not published yet
 */
void vgpu_context_track(struct vgpu_context *ctx, struct virtgpu_msg *msg)
{
	vgpu_context_get(ctx);
	virtgpu_msg_set_client(msg, ctx->client);
	msg->priv = ctx;
	msg->complete = tracked_done;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_context_track);
