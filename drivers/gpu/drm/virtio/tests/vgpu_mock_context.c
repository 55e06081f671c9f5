// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>

#include "vgpu_mock.h"

/*
 * Contexts, and the renderer that they talk to: it makes memory and fills it, which is
 * enough to see that streams arrive whole, in order, and after what they are about.
 */

/* The sets of virglrenderer, which serves all of them at once. */
const struct vgpu_mock_capset vgpu_mock_capsets[] = {
	{ VIRTIO_GPU_CAPSET_VIRGL, 1, 308 },
	{ VIRTIO_GPU_CAPSET_VIRGL2, 2, 1384 },
	{ VIRTIO_GPU_CAPSET_VENUS, 0, 160 },
	{ VIRTIO_GPU_CAPSET_DRM, 0, 72 },
};

static u32 context_id(const struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;

	return le32_to_cpu(hdr->ctx_id);
}

static void context_free(struct vgpu_mock_context *ctx)
{
	xa_destroy(&ctx->uses);
	xa_destroy(&ctx->memory);
	kfree(ctx);
}

/**
 * vgpu_mock_context_lookup - the context that a command names
 * @m: the device
 * @rq: the command
 *
 * One that is not there is a breach, unless the host itself would not make it.
 *
 * Return: the context, or NULL.
 */
struct vgpu_mock_context *vgpu_mock_context_lookup(struct vgpu_mock *m,
						   const struct vgpu_mock_request *rq)
{
	u32 id = context_id(rq);
	struct vgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx)
		vgpu_mock_breach(m, "command 0x%04x of context %u, which is not known", rq->type,
				 id);
	else if (ctx->life == VGPU_MOCK_DYING)
		vgpu_mock_breach(m, "command 0x%04x of context %u, which has ended", rq->type, id);
	else if (ctx->life == VGPU_MOCK_LIVE)
		return ctx;

	return NULL;
}

bool vgpu_mock_context_uses(struct vgpu_mock_context *ctx, u32 resource)
{
	void *use = xa_load(&ctx->uses, resource);

	return use && xa_to_value(use);
}

static struct vgpu_mock_context *new_context(struct vgpu_mock *m, u32 id)
{
	struct vgpu_mock_context *ctx;

	if (!id || xa_load(&m->model.contexts, id)) {
		vgpu_mock_breach(m, id ? "the context's number %u is used again" :
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
static void end_context(struct vgpu_mock *m, u32 id)
{
	struct vgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx)
		return;
	xa_destroy(&ctx->uses);
	ctx->life = VGPU_MOCK_DYING;
}

/* A command of a context was answered with an error and not carried out. */
void vgpu_mock_context_refuse(struct vgpu_mock *m, u32 id, u32 resource, u32 type)
{
	struct vgpu_mock_context *ctx;

	switch (type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		ctx = new_context(m, id);
		if (ctx)
			ctx->life = VGPU_MOCK_REFUSED;
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

void vgpu_mock_context_forget(struct vgpu_mock *m, u32 id)
{
	struct vgpu_mock_context *ctx = xa_load(&m->model.contexts, id);

	if (!ctx || ctx->life != VGPU_MOCK_DYING)
		return;
	xa_erase(&m->model.contexts, id);
	context_free(ctx);
}

/* A resource ends, and with it every context's use of it. */
void vgpu_mock_contexts_unref(struct vgpu_mock *m, u32 resource)
{
	struct vgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->model.contexts, id, ctx)
		xa_erase(&ctx->uses, resource);
}

void vgpu_mock_contexts_reset(struct vgpu_mock *m)
{
	struct vgpu_mock_context *ctx;
	unsigned long id;

	xa_for_each(&m->model.contexts, id, ctx) {
		xa_erase(&m->model.contexts, id);
		context_free(ctx);
	}
}

/*
 * Capability sets
 */

u32 vgpu_mock_capset_info(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset_info *c = rq->bytes;
	struct virtio_gpu_resp_capset_info *reply = (void *)rq->reply;
	u32 index = le32_to_cpu(c->capset_index);

	if (index >= m->config.capset_count) {
		vgpu_mock_breach(m, "there is no capability set %u", index);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	reply->capset_id = cpu_to_le32(m->config.capsets[index].id);
	reply->capset_max_version = cpu_to_le32(m->config.capsets[index].version);
	reply->capset_max_size = cpu_to_le32(m->config.capsets[index].size);

	return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

static const struct vgpu_mock_capset *find_capset(struct vgpu_mock *m, u32 id)
{
	u32 i;

	for (i = 0; i < m->config.capset_count; i++)
		if (m->config.capsets[i].id == id)
			return &m->config.capsets[i];

	return NULL;
}

u32 vgpu_mock_get_capset(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset *c = rq->bytes;
	struct virtio_gpu_resp_capset *reply = (void *)rq->reply;
	const struct vgpu_mock_capset *set = find_capset(m, le32_to_cpu(c->capset_id));
	u32 i;

	if (!set || le32_to_cpu(c->capset_version) > set->version ||
	    rq->room < sizeof(*reply) + set->size) {
		vgpu_mock_breach(m, "version %u of capability set %u, %u bytes",
				 le32_to_cpu(c->capset_version), le32_to_cpu(c->capset_id),
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

u32 vgpu_mock_ctx_create(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_create *c = rq->bytes;
	u32 capset = le32_to_cpu(c->context_init), len = le32_to_cpu(c->nlen);
	struct vgpu_mock_context *ctx;

	if (len > sizeof(c->debug_name) ||
	    (capset && (!vgpu_mock_has(m, VIRTIO_GPU_F_CONTEXT_INIT) || !find_capset(m, capset)))) {
		vgpu_mock_breach(m, "context of capability set %u, its name has %u bytes", capset,
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

u32 vgpu_mock_ctx_destroy(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	struct vgpu_mock_context *ctx = vgpu_mock_context_lookup(m, rq);

	/* Of one that was refused this is the last one hears. */
	end_context(m, context_id(rq));

	return ctx ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
}

u32 vgpu_mock_ctx_attach(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_resource *c = rq->bytes;
	struct vgpu_mock_context *ctx = vgpu_mock_context_lookup(m, rq);
	struct vgpu_mock_resource *res = vgpu_mock_lookup(m, le32_to_cpu(c->resource_id));

	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (!res) {
		/* Nor does the driver know of what the host would not make. */
		vgpu_mock_context_refuse(m, ctx->id, le32_to_cpu(c->resource_id), rq->type);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (vgpu_mock_context_uses(ctx, res->id))
		vgpu_mock_breach(m, "context %u is given resource %u twice", ctx->id, res->id);

	return xa_is_err(xa_store(&ctx->uses, res->id, xa_mk_value(1), GFP_KERNEL)) ?
	       VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : VIRTIO_GPU_RESP_OK_NODATA;
}

u32 vgpu_mock_ctx_detach(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_ctx_resource *c = rq->bytes;
	struct vgpu_mock_context *ctx = vgpu_mock_context_lookup(m, rq);
	u32 id = le32_to_cpu(c->resource_id);
	void *use;

	if (!ctx)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	use = xa_erase(&ctx->uses, id);
	if (!use)
		vgpu_mock_breach(m, "resource %u is taken from context %u, which does not have it",
				 id, ctx->id);

	return use && xa_to_value(use) ? VIRTIO_GPU_RESP_OK_NODATA :
	       VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

/*
 * The renderer
 */

static bool fill(struct vgpu_mock *m, struct vgpu_mock_context *ctx, u32 id, u32 value)
{
	struct vgpu_mock_resource *res = xa_load(&m->model.resources, id);
	u32 *words;
	u64 size;

	if (!vgpu_mock_context_uses(ctx, id) || !res || res->life != VGPU_MOCK_LIVE)
		return false;
	words = vgpu_mock_host_memory(m, res);
	if (!words)
		return false;
	size = res->blob ? res->size : (u64)res->width * res->height * res->unit;
	memset32(words, value, size / sizeof(value));

	return true;
}

static bool carry_out(struct vgpu_mock *m, struct vgpu_mock_context *ctx,
		      const struct vgpu_mock_op *op)
{
	switch (op->verb) {
	case VGPU_MOCK_NOTHING_MUCH:
		return true;
	case VGPU_MOCK_MAKE:
		return !xa_is_err(xa_store(&ctx->memory, op->object, xa_mk_value(op->value),
					   GFP_KERNEL));
	case VGPU_MOCK_FILL:
		return fill(m, ctx, op->object, op->value);
	default:
		return false;
	}
}

u32 vgpu_mock_submit(struct vgpu_mock *m, struct vgpu_mock_request *rq)
{
	const struct virtio_gpu_cmd_submit *c = rq->bytes;
	struct vgpu_mock_context *ctx = vgpu_mock_context_lookup(m, rq);
	const struct vgpu_mock_op *op = rq->bytes + sizeof(*c);
	u32 size = le32_to_cpu(c->size);

	if (size != rq->size - sizeof(*c)) {
		vgpu_mock_breach(m, "a stream of %u bytes in %zu", size, rq->size - sizeof(*c));
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
unsigned int vgpu_mock_contexts(struct vgpu_mock *m)
{
	struct vgpu_mock_context *ctx;
	unsigned int n = 0;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->model.contexts, id, ctx)
		n += ctx->life == VGPU_MOCK_LIVE;
	mutex_unlock(&m->host.lock);

	return n;
}

/* One of them, but for what it uses and has made. */
bool vgpu_mock_context(struct vgpu_mock *m, u32 id, struct vgpu_mock_context *ctx)
{
	const struct vgpu_mock_context *there;
	bool ret;

	mutex_lock(&m->host.lock);
	there = xa_load(&m->model.contexts, id);
	ret = there && there->life == VGPU_MOCK_LIVE;
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
bool vgpu_mock_attached(struct vgpu_mock *m, u32 context, u32 resource)
{
	struct vgpu_mock_context *ctx;
	bool ret;

	mutex_lock(&m->host.lock);
	ctx = xa_load(&m->model.contexts, context);
	ret = ctx && ctx->life == VGPU_MOCK_LIVE && vgpu_mock_context_uses(ctx, resource);
	mutex_unlock(&m->host.lock);

	return ret;
}
