// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>

#include "virtgpu_mock.h"

/*
 * Contexts, and the renderer that they talk to: it makes memory and fills it, which is
 * enough to see that streams arrive whole, in order, and after what they are about.
 */

/* The sets of virglrenderer, which serves all of them at once. */
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
	xa_destroy(&ctx->uses);
	xa_destroy(&ctx->memory);
	kfree(ctx);
}

/**
 * virtgpu_mock_context_lookup - the context that a command names
 * @m: the device
 * @rq: the command
 *
 * One that is not there is a breach, unless the host itself would not make it.
 *
 * Return: the context, or NULL.
 */
struct virtgpu_mock_context *virtgpu_mock_context_lookup(struct virtgpu_mock *m,
							 const struct virtgpu_mock_request *rq)
{
	u32 id = context_id(rq);
	struct virtgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx)
		virtgpu_mock_spec_violation(m, "command 0x%04x of context %u, which is not known", rq->type,
					    id);
	else if (ctx->life == VIRTGPU_MOCK_DYING)
		virtgpu_mock_spec_violation(m, "command 0x%04x of context %u, which has ended", rq->type, id);
	else if (ctx->life == VIRTGPU_MOCK_LIVE)
		return ctx;

	return NULL;
}

bool virtgpu_mock_context_uses(struct virtgpu_mock_context *ctx, u32 resource)
{
	void *use = xa_load(&ctx->uses, resource);

	return use && xa_to_value(use);
}

static struct virtgpu_mock_context *new_context(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx;

	if (!id || xa_load(&m->model.contexts, id)) {
		virtgpu_mock_spec_violation(m, id ? "the context's number %u is used again" :
					    "no context has the number %u", id);
		return NULL;
	}

	ctx = kzalloc_obj(*ctx);
	if (!ctx)
		return NULL;
	ctx->id = id;
	xa_init(&ctx->uses);
	xa_init(&ctx->memory);
	if (xa_is_err(xa_store(&m->model.contexts, id, ctx, GFP_KERNEL))) {
		kfree(ctx);
		return NULL;
	}

	return ctx;
}

/* The number is not free before the driver has the answer. */
static void end_context(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx)
		return;
	xa_destroy(&ctx->uses);
	ctx->life = VIRTGPU_MOCK_DYING;
}

/* A command of a context was answered with an error and not carried out. */
void virtgpu_mock_context_refuse(struct virtgpu_mock *m, u32 id, u32 resource, u32 type)
{
	struct virtgpu_mock_context *ctx;

	switch (type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		ctx = new_context(m, id);
		if (ctx)
			ctx->life = VIRTGPU_MOCK_REFUSED;
		break;
	case VIRTIO_GPU_CMD_CTX_DESTROY:
		end_context(m, id);
		break;
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
		/* The driver need not know yet that there is nothing to detach. */
		ctx = xa_load(&m->model.contexts, id);
		if (ctx)
			xa_store(&ctx->uses, resource, xa_mk_value(0), GFP_KERNEL);
	}
}

void virtgpu_mock_context_forget(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx || ctx->life != VIRTGPU_MOCK_DYING)
		return;
	xa_erase(&m->model.contexts, id);
	context_free(ctx);
}

/* A resource ends, and with it every context's use of it. */
void virtgpu_mock_contexts_unref(struct virtgpu_mock *m, u32 resource)
{
	struct virtgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->model.contexts, id, ctx)
		xa_erase(&ctx->uses, resource);
}

void virtgpu_mock_contexts_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->model.contexts, id, ctx) {
		xa_erase(&m->model.contexts, id);
		context_free(ctx);
	}
}

/*
 * Capability sets
 */

u32 virtgpu_mock_capset_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset_info *c = rq->bytes;
	struct virtio_gpu_resp_capset_info *reply = (void *)rq->reply;
	u32 index = le32_to_cpu(c->capset_index);

	if (index >= m->config.capset_count) {
		virtgpu_mock_spec_violation(m, "there is no capability set %u", index);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	reply->capset_id = cpu_to_le32(m->config.capsets[index].id);
	reply->capset_max_version = cpu_to_le32(m->config.capsets[index].version);
	reply->capset_max_size = cpu_to_le32(m->config.capsets[index].size);

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
	struct virtio_gpu_resp_capset *reply = (void *)rq->reply;
	const struct virtgpu_mock_capset *set = find_capset(m, le32_to_cpu(c->capset_id));
	u32 i;

	if (!set || le32_to_cpu(c->capset_version) > set->version ||
	    rq->room < sizeof(*reply) + set->size) {
		virtgpu_mock_spec_violation(m, "version %u of capability set %u, %u bytes",
					    le32_to_cpu(c->capset_version),
						    le32_to_cpu(c->capset_id),
					    rq->room);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	for (i = 0; i < set->size; i++)
		reply->capset_data[i] = set->id + i;
	rq->reply_size = sizeof(*reply) + set->size;

	return VIRTIO_GPU_RESP_OK_CAPSET;
}

/*
 * Contexts
 */

u32 virtgpu_mock_ctx_create(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_create *c = rq->bytes;
	u32 capset = le32_to_cpu(c->context_init), len = le32_to_cpu(c->nlen);
	struct virtgpu_mock_context *ctx;

	if (len > sizeof(c->debug_name) ||
	    (capset && (!virtgpu_mock_has(m, VIRTIO_GPU_F_CONTEXT_INIT) || !find_capset(m,
											capset)))) {
		virtgpu_mock_spec_violation(m, "context of capability set %u, its name has %u bytes", capset,
					    len);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	ctx = new_context(m, context_id(rq));
	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	ctx->capset = capset;
	memcpy(ctx->name, c->debug_name, min_t(size_t, len, sizeof(ctx->name) - 1));

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_ctx_destroy(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);

	/* Of one that was refused this is the last one hears. */
	end_context(m, context_id(rq));

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
		/* Nor does the driver know of what the host would not make. */
		virtgpu_mock_context_refuse(m, ctx->id, le32_to_cpu(c->resource_id), rq->type);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (virtgpu_mock_context_uses(ctx, res->id))
		virtgpu_mock_spec_violation(m, "context %u is given resource %u twice", ctx->id, res->id);

	return xa_is_err(xa_store(&ctx->uses, res->id, xa_mk_value(1), GFP_KERNEL)) ?
	       VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_ctx_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_resource *c = rq->bytes;
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	u32 id = le32_to_cpu(c->resource_id);
	void *use;

	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	use = xa_erase(&ctx->uses, id);
	if (!use)
		virtgpu_mock_spec_violation(m, "resource %u is taken from context %u, which does not have it",
					    id, ctx->id);

	return use && xa_to_value(use) ? VIRTIO_GPU_RESP_OK_NODATA :
	       VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

/*
 * The renderer
 */

static bool fill(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx, u32 id, u32 value)
{
	struct virtgpu_mock_resource *res = xa_load(&m->model.resources, id);
	u32 *words;
	u64 size;

	if (!virtgpu_mock_context_uses(ctx, id) || !res || res->life != VIRTGPU_MOCK_LIVE)
		return false;
	words = virtgpu_mock_host_memory(m, res);
	if (!words)
		return false;
	size = res->blob ? res->size : (u64)res->width * res->height * res->unit;
	memset32(words, value, size / sizeof(value));

	return true;
}

static bool carry_out(struct virtgpu_mock *m, struct virtgpu_mock_context *ctx,
		      const struct virtgpu_mock_op *op)
{
	switch (op->verb) {
	case VIRTGPU_MOCK_NOTHING_MUCH:
		return true;
	case VIRTGPU_MOCK_MAKE:
		return !xa_is_err(xa_store(&ctx->memory, op->object, xa_mk_value(op->value),
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
		virtgpu_mock_spec_violation(m, "a stream of %u bytes in %zu", size, rq->size - sizeof(*c));
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;

	ctx->submits++;
	for (; size >= sizeof(*op); size -= sizeof(*op), op++)
		if (!carry_out(m, ctx, op))
			return VIRTIO_GPU_RESP_ERR_UNSPEC;

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/*
 * What a test may ask
 */

/* Contexts that the host has. */
unsigned int virtgpu_mock_contexts(struct virtgpu_mock *m)
{
	struct virtgpu_mock_context *ctx;
	unsigned int n = 0;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->model.contexts, id, ctx)
		n += ctx->life == VIRTGPU_MOCK_LIVE;
	mutex_unlock(&m->host.lock);

	return n;
}

/* One of them, but for what it uses and has made. */
bool virtgpu_mock_context(struct virtgpu_mock *m, u32 id, struct virtgpu_mock_context *ctx)
{
	const struct virtgpu_mock_context *there;
	bool ret;

	mutex_lock(&m->host.lock);
	there = xa_load(&m->model.contexts, id);
	ret = there && there->life == VIRTGPU_MOCK_LIVE;
	if (ret) {
		ctx->id = there->id;
		ctx->capset = there->capset;
		ctx->submits = there->submits;
		memcpy(ctx->name, there->name, sizeof(ctx->name));
	}
	mutex_unlock(&m->host.lock);

	return ret;
}

/* May it use that resource? */
bool virtgpu_mock_attached(struct virtgpu_mock *m, u32 context, u32 resource)
{
	struct virtgpu_mock_context *ctx;
	bool ret;

	mutex_lock(&m->host.lock);
	ctx = xa_load(&m->model.contexts, context);
	ret = ctx && ctx->life == VIRTGPU_MOCK_LIVE && virtgpu_mock_context_uses(ctx, resource);
	mutex_unlock(&m->host.lock);

	return ret;
}
