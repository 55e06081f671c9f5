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
 * A file has at most one context, made by CONTEXT_INIT or by the first call that
 * needs one, so a program that only shows pictures has none.  The context may use
 * what the file has handles of: each such resource is attached to it when it gets
 * its handle, or its number, or when the context is made, whichever comes last.
 */

/**
 * struct virtgpu_ctx_attachment - a buffer that a file has handles of
 * @node: in the file's table
 * @obj: the buffer, which its handles keep
 * @handles: how many
 * @res: the resource that is attached to the file's context, or NULL
 * @detach: reserved while there is a @res
 */
struct virtgpu_ctx_attachment {
	struct hlist_node node;
	struct drm_gem_object *obj;
	unsigned int handles;
	struct virtgpu_resource *res;
	struct virtgpu_msg *detach;
};

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

/* Published, not kicked.  Under the buffer's reservation lock. */
static void virtgpu_file_detach(struct virtgpu_file *vf, struct virtgpu_ctx_attachment *att)
{
	struct virtgpu_msg *msg = att->detach;

	/* What has ended has left its contexts. */
	if (att->res && virtgpu_resource_is_active(att->res) &&
	    !READ_ONCE(vf->ctx->lost)) {
		att->detach = NULL;
		virtgpu_cmd_ctx_detach(msg, vf->ctx->id, att->res->id);
		virtgpu_context_track(vf->ctx, msg);
		virtgpu_vq_queue_msg(&vf->vgdev->ctrl, msg);
	}
	virtgpu_file_drop_attachment(att);
}

/* Published, not kicked.  Under the buffer's reservation lock. */
static int virtgpu_file_attach(struct virtgpu_file *vf, struct virtgpu_ctx_attachment *att,
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
	virtgpu_cmd_ctx_attach(msg, vf->ctx->id, res->id);
	virtgpu_context_track(vf->ctx, msg);
	virtgpu_vq_queue_msg(&vf->vgdev->ctrl, msg);

	return 0;
}

/* Let the context use what the host knows of the buffer by now. */
static int virtgpu_file_update_attachment(struct virtgpu_file *vf,
					  struct virtgpu_ctx_attachment *att)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(att->obj);
	struct virtgpu_resource *res;
	int ret = 0;

	if (!vf->ctx)
		return 0;

	dma_resv_lock(gem->base.resv, NULL);
	res = virtgpu_gem_lookup_resource(gem);
	if (res && att->res != res && virtgpu_resource_is_active(res)) {
		virtgpu_file_detach(vf, att);
		ret = virtgpu_file_attach(vf, att, res);
	}
	dma_resv_unlock(gem->base.resv);

	return ret;
}

static void virtgpu_file_end_attachment(struct virtgpu_file *vf, struct virtgpu_ctx_attachment *att)
{
	dma_resv_lock(att->obj->resv, NULL);
	virtgpu_file_detach(vf, att);
	dma_resv_unlock(att->obj->resv);
	kfree(att);
}

/**
 * virtgpu_file_open - &drm_driver.open
 * @dev: the device
 * @file: the new file
 *
 * Return: 0 or -ENOMEM.
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
 * virtgpu_file_close - &drm_driver.postclose
 * @dev: the device
 * @file: the file, its handles gone
 */
void virtgpu_file_close(struct drm_device *dev, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;

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

	vf->ctx = ctx;
	hash_for_each(vf->attachments, bucket, att, node) {
		ret = virtgpu_file_update_attachment(vf, att);
		if (ret)
			break;
	}
	virtgpu_vq_kick(&vf->vgdev->ctrl);
	if (!ret)
		return 0;

	/* All or nothing: the host takes what was attached from a context that ends. */
	hash_for_each(vf->attachments, bucket, att, node)
		virtgpu_file_drop_attachment(att);
	vf->ctx = NULL;
	virtgpu_context_close(ctx);

	return ret;
}

/**
 * virtgpu_file_init_context - DRM_IOCTL_VIRTGPU_CONTEXT_INIT
 * @file: the caller
 * @params: what the context is to be
 *
 * Context: may sleep.
 * Return: 0; -EEXIST if the file has a context; -ENOMEM.
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

/**
 * virtgpu_file_context - the context of a file, made if need be
 * @file: the caller
 *
 * Context: may sleep; waits for the host if too many contexts are being created.
 * Return: a reference; -EIO if it was lost; the host's error if that would not make
 * it; -ENOMEM; what virtgpu_vq_throttle() returns.
 */
struct virtgpu_context *virtgpu_file_context(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_context_params params;
	struct virtgpu_context *ctx;
	int ret = 0;

	if (!READ_ONCE(vf->ctx))
		ret = virtgpu_contexts_throttle(&vf->vgdev->contexts);
	if (ret)
		return ERR_PTR(ret);

	mutex_lock(&vf->lock);
	if (!vf->ctx) {
		virtgpu_context_params_init(&params);
		ret = virtgpu_file_create_context(vf, &params);
	}
	ctx = vf->ctx;
	if (!ret)
		ret = virtgpu_context_error(ctx);
	if (!ret)
		virtgpu_context_get(ctx);
	mutex_unlock(&vf->lock);

	return ret ? ERR_PTR(ret) : ctx;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_file_context);

/**
 * virtgpu_file_client - what a file's messages are counted for
 * @file: the caller
 *
 * Return: the client of the file's context, valid while @file is open, or NULL if the
 * file has no context.
 */
struct virtgpu_client *virtgpu_file_client(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_client *client;

	if (!vf)
		return NULL;

	mutex_lock(&vf->lock);
	client = vf->ctx ? vf->ctx->client : NULL;
	mutex_unlock(&vf->lock);

	return client;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_file_client);

/**
 * virtgpu_file_uses_virgl - is the context of a file one for OpenGL?
 * @file: the caller
 *
 * Context: may sleep.
 * Return: true also if it has none yet, as that is what it would get; false without 3D.
 */
bool virtgpu_file_uses_virgl(struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	u32 capset;

	if (!vf)
		return false;

	mutex_lock(&vf->lock);
	capset = vf->ctx ? vf->ctx->params.capset : 0;
	mutex_unlock(&vf->lock);

	return !capset || capset == VIRTIO_GPU_CAPSET_VIRGL || capset == VIRTIO_GPU_CAPSET_VIRGL2;
}

/**
 * virtgpu_file_attach_object - a program has learned by which number the host knows a buffer
 * @obj: the buffer
 * @file: the program's file, which has a handle of it
 *
 * It is attached to the file's context, if there is one.  Published, not kicked.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
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
		ret = virtgpu_file_update_attachment(vf, att);
	mutex_unlock(&vf->lock);

	return ret;
}

/**
 * virtgpu_file_open_object - &drm_gem_object_funcs.open
 * @obj: the buffer that gets a handle
 * @file: in this file
 *
 * Published, and kicked: not all handles are made by calls of ours.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; what virtgpu_vq_throttle() says.
 */
int virtgpu_file_open_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct virtgpu_file *vf = file->driver_priv;
	struct virtgpu_ctx_attachment *att;
	int ret = 0;

	if (!vf)
		return 0;
	/* Handles can be made and closed for ever. */
	if (READ_ONCE(vf->ctx))
		ret = virtgpu_vq_throttle(&vf->vgdev->ctrl, virtgpu_file_client(file));
	if (ret)
		return ret;

	mutex_lock(&vf->lock);
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
	ret = virtgpu_file_update_attachment(vf, att);
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
 * virtgpu_file_close_object - &drm_gem_object_funcs.close
 * @obj: the buffer that loses a handle
 * @file: in this file
 *
 * Published, not kicked: the end of the buffer does that, and if it lives on there is
 * no hurry.
 *
 * Context: may sleep.
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
