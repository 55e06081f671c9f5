// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_cross_domain.h"

/*
 * Contexts and a mock renderer.  The renderer allocates and fills memory, so
 * that tests can check whether command buffers arrive complete and in order.
 */

/* Capability sets of virglrenderer. */
const struct virtgpu_mock_capset virtgpu_mock_capsets[] = {
	{ VIRTIO_GPU_CAPSET_VIRGL, 1, 308 },
	{ VIRTIO_GPU_CAPSET_VIRGL2, 2, 1384 },
	{ VIRTIO_GPU_CAPSET_VENUS, 0, 160 },
	{ VIRTIO_GPU_CAPSET_DRM, 0, 72 },
};

static u32 context_id(const struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;

	return le32_to_cpu(hdr->ctx_id);
}

static void context_free(struct virtgpu_mock_context *ctx)
{
	xa_destroy(&ctx->attachments);
	xa_destroy(&ctx->allocations);
	kfree(ctx);
}

/**
 * virtgpu_mock_context_lookup() - Look up the context of a command
 * @m: the device
 * @rq: the request
 *
 * An invalid ID is a violation of the specification, unless the host has
 * rejected the creation of the context.
 *
 * Return: the context, or NULL.
 */
struct virtgpu_mock_context *virtgpu_mock_context_lookup(struct virtgpu_mock *m,
							 const struct virtgpu_mock_request *rq)
{
	u32 id = context_id(rq);
	struct virtgpu_mock_context *ctx = xa_load(&m->state.contexts, id);

	if (!ctx)
		virtgpu_mock_spec_violation(m, "command 0x%04x of context %u, which does not exist",
					    rq->type, id);
	else if (ctx->state == VIRTGPU_MOCK_DESTROYING)
		virtgpu_mock_spec_violation(m, "command 0x%04x of context %u after CTX_DESTROY",
					    rq->type, id);
	else if (ctx->state == VIRTGPU_MOCK_ACTIVE)
		return ctx;

	return NULL;
}

bool virtgpu_mock_context_has_resource(struct virtgpu_mock_context *ctx, u32 resource)
{
	void *attachment = xa_load(&ctx->attachments, resource);

	return attachment && xa_to_value(attachment);
}

static struct virtgpu_mock_context *add_context(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx;

	if (!id || xa_load(&m->state.contexts, id)) {
		virtgpu_mock_spec_violation(m, id ? "context ID %u is in use" :
					    "context ID %u is not valid", id);
		return NULL;
	}

	ctx = kzalloc_obj(*ctx);
	if (!ctx)
		return NULL;
	ctx->id = id;
	xa_init(&ctx->attachments);
	xa_init(&ctx->allocations);
	if (xa_is_err(xa_store(&m->state.contexts, id, ctx, GFP_KERNEL))) {
		kfree(ctx);
		return NULL;
	}

	return ctx;
}

/* The ID stays allocated until the driver has the response. */
static void start_destroy(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx = xa_load(&m->state.contexts, id);

	if (!ctx)
		return;
	xa_destroy(&ctx->attachments);
	ctx->state = VIRTGPU_MOCK_DESTROYING;
}

/* Track a context command that was not executed. */
void virtgpu_mock_context_reject(struct virtgpu_mock *m, u32 id, u32 resource, u32 type)
{
	struct virtgpu_mock_context *ctx;

	switch (type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		ctx = add_context(m, id);
		if (ctx)
			ctx->state = VIRTGPU_MOCK_REJECTED;
		break;
	case VIRTIO_GPU_CMD_CTX_DESTROY:
		start_destroy(m, id);
		break;
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
		/* The driver may detach it before it has the response. */
		ctx = xa_load(&m->state.contexts, id);
		if (ctx)
			xa_store(&ctx->attachments, resource, xa_mk_value(0), GFP_KERNEL);
	}
}

void virtgpu_mock_context_finish_destroy(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx = xa_load(&m->state.contexts, id);

	if (!ctx || ctx->state != VIRTGPU_MOCK_DESTROYING)
		return;
	xa_erase(&m->state.contexts, id);
	context_free(ctx);
}

/* Detach a destroyed resource from all contexts. */
void virtgpu_mock_contexts_unref(struct virtgpu_mock *m, u32 resource)
{
	struct virtgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->state.contexts, id, ctx)
		xa_erase(&ctx->attachments, resource);
}

void virtgpu_mock_contexts_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->state.contexts, id, ctx) {
		xa_erase(&m->state.contexts, id);
		context_free(ctx);
	}
}

/*
 * Commands
 */

u32 virtgpu_mock_capset_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset_info *c = rq->bytes;
	struct virtio_gpu_resp_capset_info *resp = (void *)rq->resp;
	u32 index = le32_to_cpu(c->capset_index);

	if (index >= m->config.capset_count) {
		virtgpu_mock_spec_violation(m, "invalid capability set index %u", index);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	resp->capset_id = cpu_to_le32(m->config.capsets[index].id);
	resp->capset_max_version = cpu_to_le32(m->config.capsets[index].version);
	resp->capset_max_size = cpu_to_le32(m->config.capsets[index].size);

	return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

static const struct virtgpu_mock_capset *find_capset(struct virtgpu_mock *m, u32 id)
{
	u32 i;

	for (i = 0; i < m->config.capset_count; i++)
		if (m->config.capsets[i].id == id)
			return &m->config.capsets[i];

	return NULL;
}

u32 virtgpu_mock_get_capset(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset *c = rq->bytes;
	struct virtio_gpu_resp_capset *resp = (void *)rq->resp;
	const struct virtgpu_mock_capset *set = find_capset(m, le32_to_cpu(c->capset_id));
	u32 i;

	if (!set || le32_to_cpu(c->capset_version) > set->version ||
	    rq->room < sizeof(*resp) + set->size) {
		virtgpu_mock_spec_violation(m, "version %u of capability set %u, %u bytes",
					    le32_to_cpu(c->capset_version),
					    le32_to_cpu(c->capset_id), rq->room);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	for (i = 0; i < set->size; i++)
		resp->capset_data[i] = set->id + i;
	rq->resp_size = sizeof(*resp) + set->size;

	return VIRTIO_GPU_RESP_OK_CAPSET;
}

u32 virtgpu_mock_ctx_create(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_create *c = rq->bytes;
	u32 capset = le32_to_cpu(c->context_init), len = le32_to_cpu(c->nlen);
	struct virtgpu_mock_context *ctx;

	if (len > sizeof(c->debug_name) ||
	    (capset && (!virtgpu_mock_has(m, VIRTIO_GPU_F_CONTEXT_INIT) ||
			!find_capset(m, capset)))) {
		virtgpu_mock_spec_violation(m, "context with capset %u and a name of %u bytes",
					    capset, len);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	ctx = add_context(m, context_id(rq));
	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	ctx->capset = capset;
	memcpy(ctx->name, c->debug_name, min_t(size_t, len, sizeof(ctx->name) - 1));

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_ctx_destroy(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);

	/* The driver also destroys contexts that were rejected. */
	start_destroy(m, context_id(rq));

	return ctx ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
}

u32 virtgpu_mock_ctx_attach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_resource *c = rq->bytes;
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));

	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (!res) {
		/* The driver may not have the error response yet. */
		virtgpu_mock_context_reject(m, ctx->id, le32_to_cpu(c->resource_id), rq->type);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (virtgpu_mock_context_has_resource(ctx, res->id))
		virtgpu_mock_spec_violation(m, "resource %u is already attached to context %u",
					    res->id, ctx->id);

	return xa_is_err(xa_store(&ctx->attachments, res->id, xa_mk_value(1), GFP_KERNEL)) ?
	       VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_ctx_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_resource *c = rq->bytes;
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	u32 id = le32_to_cpu(c->resource_id);
	void *attachment;

	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	attachment = xa_erase(&ctx->attachments, id);
	if (!attachment)
		virtgpu_mock_spec_violation(m, "resource %u is not attached to context %u",
					    id, ctx->id);

	return attachment && xa_to_value(attachment) ? VIRTIO_GPU_RESP_OK_NODATA :
	       VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

/*
 * Renderer
 */

static bool fill(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx, u32 id, u32 value)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, id);
	u32 *words;
	u64 size;

	if (!res || res->state != VIRTGPU_MOCK_ACTIVE ||
	    !virtgpu_mock_context_has_resource(ctx, id))
		return false;
	words = virtgpu_mock_host_memory(m, res);
	if (!words)
		return false;
	size = res->blob ? res->size : (u64)res->width * res->height * res->unit;
	memset32(words, value, size / sizeof(value));

	return true;
}

static bool execute_op(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
		       const struct virtgpu_mock_op *op)
{
	switch (op->opcode) {
	case VIRTGPU_MOCK_NOP:
		return true;
	case VIRTGPU_MOCK_ALLOC:
		return !xa_is_err(xa_store(&ctx->allocations, op->object, xa_mk_value(op->value),
					   GFP_KERNEL));
	case VIRTGPU_MOCK_FILL:
		return fill(m, ctx, op->object, op->value);
	default:
		return false;
	}
}

u32 virtgpu_mock_submit(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_cmd_submit *c = rq->bytes;
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	const struct virtgpu_mock_op *op = rq->bytes + sizeof(*c);
	u32 size = le32_to_cpu(c->size);

	if (size != rq->size - sizeof(*c)) {
		virtgpu_mock_spec_violation(m, "a command buffer of %u bytes in %zu", size,
					    rq->size - sizeof(*c));
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;

	ctx->submits++;
	if (ctx->capset == VIRTIO_GPU_CAPSET_CROSS_DOMAIN)
		return virtgpu_mock_cross_domain_execute(m, ctx, rq, op, size);
	for (; size >= sizeof(*op); size -= sizeof(*op), op++)
		if (!execute_op(m, ctx, op))
			return VIRTIO_GPU_RESP_ERR_UNSPEC;

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/*
 * Queries by tests
 */

/* Get the number of contexts. */
unsigned int virtgpu_mock_contexts(struct virtgpu_mock *m)
{
	struct virtgpu_mock_context *ctx;
	unsigned int n = 0;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->state.contexts, id, ctx)
		n += ctx->state == VIRTGPU_MOCK_ACTIVE;
	mutex_unlock(&m->host.lock);

	return n;
}

/* Get a context, without its attachments and allocations. */
bool virtgpu_mock_context(struct virtgpu_mock *m, u32 id, struct virtgpu_mock_context *ctx)
{
	const struct virtgpu_mock_context *found;
	bool ret;

	mutex_lock(&m->host.lock);
	found = xa_load(&m->state.contexts, id);
	ret = found && found->state == VIRTGPU_MOCK_ACTIVE;
	if (ret) {
		ctx->id = found->id;
		ctx->capset = found->capset;
		ctx->submits = found->submits;
		memcpy(ctx->name, found->name, sizeof(ctx->name));
	}
	mutex_unlock(&m->host.lock);

	return ret;
}

/* Check whether a resource is attached to a context. */
bool virtgpu_mock_attached(struct virtgpu_mock *m, u32 context, u32 resource)
{
	struct virtgpu_mock_context *ctx;
	bool ret;

	mutex_lock(&m->host.lock);
	ctx = xa_load(&m->state.contexts, context);
	ret = ctx && ctx->state == VIRTGPU_MOCK_ACTIVE &&
	      virtgpu_mock_context_has_resource(ctx, resource);
	mutex_unlock(&m->host.lock);

	return ret;
}
