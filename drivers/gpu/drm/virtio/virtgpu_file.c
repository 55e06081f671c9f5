// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_context.h"
#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"

/**
 * DOC: files
 *
 * A file has at most one context, which is created by CONTEXT_INIT or by the
 * first ioctl that needs a context. Clients that only use KMS therefore have no
 * context. The context may use all resources that the file has handles of. A
 * resource that exists when the handle or the context is created is attached
 * then. A resource that is created later, for example by prepare_fb, is
 * attached by RESOURCE_INFO.
 *
 * Virgl contexts cannot use the memory of other devices, so a file of the
 * render node, which cannot display either, gets no handle of an import. A file
 * of the primary node imports for display, also with a virgl context:
 * RESOURCE_INFO rejects the handle then.
 */

/**
 * struct virtgpu_ctx_attachment - A buffer that a file has handles of
 * @node: entry in virtgpu_file.attachments
 * @obj: the buffer, kept alive by its handles
 * @handles: number of handles
 * @res: the resource attached to the file's context, or NULL
 * @detach: message reserved for CTX_DETACH_RESOURCE while @res is set
 */
struct virtgpu_ctx_attachment {
	struct hlist_node node;
	struct drm_gem_object *obj;
	unsigned int handles;
	struct virtgpu_resource *res;
	struct virtgpu_msg *detach;
};

static bool virtgpu_file_ctx_is_virgl(const struct virtgpu_context *ctx)
{
	u32 capset = ctx->params.capset;

	return !capset || capset == VIRTIO_GPU_CAPSET_VIRGL || capset == VIRTIO_GPU_CAPSET_VIRGL2;
}

static struct virtgpu_ctx_attachment *virtgpu_file_find_attachment(struct virtgpu_file *vf,
								   struct drm_gem_object *obj)
{
	struct virtgpu_ctx_attachment *att;

	lockdep_assert_held(&vf->lock);

	hash_for_each_possible(vf->attachments, att, node, (unsigned long)obj)
		if (att->obj == obj)
			return att;

	return NULL;
}

static void virtgpu_file_drop_attachment(struct virtgpu_ctx_attachment *att)
{
	virtgpu_msg_put(att->detach);
	att->detach = NULL;
	virtgpu_resource_put(att->res);
	att->res = NULL;
}

/* Caller must hold the reservation lock of @att->obj, and must kick. */
static void virtgpu_file_detach(struct virtgpu_context *ctx, struct virtgpu_ctx_attachment *att)
{
	struct virtgpu_msg *msg = att->detach;

	/* The host detaches destroyed resources from all contexts. */
	if (att->res && virtgpu_resource_is_active(att->res) && !READ_ONCE(ctx->lost)) {
		att->detach = NULL;
		virtgpu_cmd_ctx_detach(msg, ctx->id, att->res->id);
		virtgpu_context_track(ctx, msg);
		virtgpu_vq_queue_msg(ctx->mgr->queue, msg);
	}
	virtgpu_file_drop_attachment(att);
}

/* Caller must hold the reservation lock of @att->obj, and must kick. */
static int virtgpu_file_attach(struct virtgpu_context *ctx, struct virtgpu_ctx_attachment *att,
			       struct virtgpu_resource *res)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	att->detach = virtgpu_msg_alloc();
	if (!msg || !att->detach) {
		virtgpu_msg_put(msg);
		virtgpu_msg_put(att->detach);
		att->detach = NULL;
		return -ENOMEM;
	}

	virtgpu_resource_get(res);
	att->res = res;
	virtgpu_cmd_ctx_attach(msg, ctx->id, res->id);
	virtgpu_context_track(ctx, msg);
	virtgpu_vq_queue_msg(ctx->mgr->queue, msg);

	return 0;
}

/*
 * Attach the current resource of the buffer to @ctx, which may be NULL. Caller
 * must kick.
 */
static int virtgpu_file_update_attachment(struct virtgpu_context *ctx,
					  struct virtgpu_ctx_attachment *att)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(att->obj);
	struct virtgpu_resource *res;
	int ret = 0;

	if (!ctx)
		return 0;

	dma_resv_lock(gem->base.resv, NULL);
	res = virtgpu_gem_lookup_resource(gem);
	if (res && att->res != res && virtgpu_resource_is_active(res)) {
		virtgpu_file_detach(ctx, att);
		ret = virtgpu_file_attach(ctx, att, res);
	}
	dma_resv_unlock(gem->base.resv);

	return ret;
}

static void virtgpu_file_end_attachment(struct virtgpu_file *vf, struct virtgpu_ctx_attachment *att)
{
	dma_resv_lock(att->obj->resv, NULL);
	virtgpu_file_detach(vf->ctx, att);
	dma_resv_unlock(att->obj->resv);
	kfree(att);
}

/**
 * virtgpu_file_open() - Implement &drm_driver.open
 * @dev: the DRM device
 * @file: the new file
 *
 * Context: May sleep.
 * Return: 0 on success, or -ENOMEM.
 */
int virtgpu_file_open(struct drm_device *dev, struct drm_file *file)
{
	struct virtgpu_file *vf;

	if (!to_virtgpu(dev)->features.virgl)
		return 0;

	vf = kzalloc_obj(*vf);
	if (!vf)
		return -ENOMEM;

	vf->vgdev = to_virtgpu(dev);
	mutex_init(&vf->lock);
	hash_init(vf->attachments);
	file->driver_priv = vf;

	return 0;
}

/**
 * virtgpu_file_close() - Implement &drm_driver.postclose
 * @dev: the DRM device
 * @file: the file, without handles
 *
 * Context: May sleep.
 */
void virtgpu_file_close(struct drm_device *dev, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;

	/* The client may have ended, so that its imports are not repeated. */
	virtgpu_import_cache_flush(&to_virtgpu(dev)->imports);
	if (!vf)
		return;

	virtgpu_context_close(vf->ctx);
	mutex_destroy(&vf->lock);
	kfree(vf);
}

static int virtgpu_file_create_context(struct virtgpu_file *vf,
				       const struct virtgpu_context_params *params)
{
	struct virtgpu_context *ctx;
	struct virtgpu_ctx_attachment *att;
	int bucket, ret = 0;

	ctx = virtgpu_context_create(&vf->vgdev->contexts, params);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	hash_for_each(vf->attachments, bucket, att, node) {
		ret = virtgpu_file_update_attachment(ctx, att);
		if (ret)
			break;
	}
	virtgpu_vq_kick(&vf->vgdev->ctrl);
	if (!ret) {
		/* Pairs with the load in virtgpu_file_peek_context(). */
		smp_store_release(&vf->ctx, ctx);
		return 0;
	}

	/* CTX_DESTROY detaches all resources from the context. */
	hash_for_each(vf->attachments, bucket, att, node)
		virtgpu_file_drop_attachment(att);
	virtgpu_context_close(ctx);

	return ret;
}

/**
 * virtgpu_file_init_context() - Create the context of a file
 * @file: the open file
 * @params: parameters of the context
 *
 * Context: May sleep.
 * Return: 0 on success, -EEXIST if the file has a context, or -ENOMEM.
 */
int virtgpu_file_init_context(struct drm_file *file,
			      const struct virtgpu_context_params *params)
{
	struct virtgpu_file *vf = file->driver_priv;
	int ret;

	mutex_lock(&vf->lock);
	ret = vf->ctx ? -EEXIST : virtgpu_file_create_context(vf, params);
	mutex_unlock(&vf->lock);

	return ret;
}

/*
 * Returns the context, valid while the file is open, or NULL. A file keeps its
 * first context, so a caller that only uses the context needs no lock.
 */
static struct virtgpu_context *virtgpu_file_peek_context(struct virtgpu_file *vf)
{
	/* Pairs with the store in virtgpu_file_create_context(). */
	return smp_load_acquire(&vf->ctx);
}

static struct virtgpu_context *virtgpu_file_create_default_context(struct virtgpu_file *vf)
{
	struct virtgpu_context_params params;
	int ret;

	ret = virtgpu_contexts_throttle(&vf->vgdev->contexts);
	if (ret)
		return ERR_PTR(ret);

	mutex_lock(&vf->lock);
	if (!vf->ctx) {
		virtgpu_context_params_init(&params);
		ret = virtgpu_file_create_context(vf, &params);
	}
	mutex_unlock(&vf->lock);

	return ret ? ERR_PTR(ret) : vf->ctx;
}

/**
 * virtgpu_file_context() - Get the context of a file, creating it if needed
 * @file: the open file
 *
 * Context: May sleep; waits for the host if too many contexts are being
 * created.
 * Return: the context, valid while @file is open, ERR_PTR(-EIO) if a reset
 * destroyed the context, ERR_PTR(-ENOMEM), the host's error for CTX_CREATE, or
 * an error of virtgpu_vq_throttle().
 */
struct virtgpu_context *virtgpu_file_context(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_context *ctx = virtgpu_file_peek_context(vf);
	int ret;

	if (!ctx)
		ctx = virtgpu_file_create_default_context(vf);
	if (IS_ERR(ctx))
		return ctx;
	ret = virtgpu_context_error(ctx);

	return ret ? ERR_PTR(ret) : ctx;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_file_context);

/**
 * virtgpu_file_client() - Get the client that accounts the messages of a file
 * @file: the open file
 *
 * Context: Any.
 * Return: the client of the file's context, valid while @file is open, or NULL
 * if the file has no context.
 */
struct virtgpu_client *virtgpu_file_client(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_context *ctx = vf ? virtgpu_file_peek_context(vf) : NULL;

	return ctx ? ctx->client : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_file_client);

/**
 * virtgpu_file_uses_virgl() - Check whether the context of a file uses virgl
 * @file: the open file
 *
 * Context: Any.
 * Return: true for a virgl context, and for a file without a context, because
 * virgl is the default; false without 3D.
 */
bool virtgpu_file_uses_virgl(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_context *ctx;

	if (!vf)
		return false;
	ctx = virtgpu_file_peek_context(vf);

	return !ctx || virtgpu_file_ctx_is_virgl(ctx);
}

static bool virtgpu_file_may_import(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;

	lockdep_assert_held(&vf->lock);

	return !drm_is_render_client(file) || (vf->ctx && !virtgpu_file_ctx_is_virgl(vf->ctx));
}

/**
 * virtgpu_file_attach_object() - Attach a buffer to the context of a file
 * @obj: the buffer
 * @file: the open file, which has a handle of @obj
 *
 * Called when user space gets the resource ID of @obj. Queues
 * CTX_ATTACH_RESOURCE if the file has a context; the caller must kick.
 *
 * Context: May sleep.
 * Return: 0 on success, or -ENOMEM.
 */
int virtgpu_file_attach_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_ctx_attachment *att;
	int ret = 0;

	if (!vf)
		return 0;

	mutex_lock(&vf->lock);
	att = virtgpu_file_find_attachment(vf, obj);
	if (att)
		ret = virtgpu_file_update_attachment(vf->ctx, att);
	mutex_unlock(&vf->lock);

	return ret;
}

/**
 * virtgpu_file_open_object() - Implement &drm_gem_object_funcs.open
 * @obj: the buffer that gets a handle
 * @file: the open file
 *
 * Queues CTX_ATTACH_RESOURCE and kicks the queue, because DRM core also creates
 * handles, for example for a PRIME import.
 *
 * Context: May sleep.
 * Return: 0 on success, -ENODEV if @obj is imported and @file renders by virgl,
 * -ENOMEM, or an error of virtgpu_vq_throttle().
 */
int virtgpu_file_open_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_ctx_attachment *att;
	int ret = 0;

	if (!vf)
		return 0;
	/* User space can create and close handles in a loop. */
	if (READ_ONCE(vf->ctx))
		ret = virtgpu_vq_throttle(&vf->vgdev->ctrl, virtgpu_file_client(file));
	if (ret)
		return ret;

	mutex_lock(&vf->lock);
	if (to_virtgpu_gem(obj)->import && !virtgpu_file_may_import(file)) {
		ret = -ENODEV;
		goto unlock;
	}
	att = virtgpu_file_find_attachment(vf, obj);
	if (att) {
		att->handles++;
		goto unlock;
	}

	att = kzalloc_obj(*att);
	if (!att) {
		ret = -ENOMEM;
		goto unlock;
	}
	att->obj = obj;
	att->handles = 1;
	ret = virtgpu_file_update_attachment(vf->ctx, att);
	if (ret)
		kfree(att);
	else
		hash_add(vf->attachments, &att->node, (unsigned long)obj);
unlock:
	mutex_unlock(&vf->lock);
	virtgpu_vq_kick(&vf->vgdev->ctrl);

	return ret;
}

/**
 * virtgpu_file_close_object() - Implement &drm_gem_object_funcs.close
 * @obj: the buffer that loses a handle
 * @file: the open file
 *
 * Queues CTX_DETACH_RESOURCE without a kick: destroying the buffer kicks, and a
 * buffer that stays in use can be detached later.
 *
 * Context: May sleep.
 */
void virtgpu_file_close_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_ctx_attachment *att;

	if (!vf)
		return;

	mutex_lock(&vf->lock);
	att = virtgpu_file_find_attachment(vf, obj);
	if (att && !--att->handles) {
		hash_del(&att->node);
		virtgpu_file_end_attachment(vf, att);
	}
	mutex_unlock(&vf->lock);
}
