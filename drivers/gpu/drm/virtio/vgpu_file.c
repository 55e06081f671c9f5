// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/slab.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <uapi/linux/virtio_gpu.h>

#include "vgpu_context.h"
#include "vgpu_device.h"
#include "vgpu_file.h"
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
 * struct vgpu_use - a buffer that a file has handles of
 * @node: in the file's table
 * @obj: the buffer, which its handles keep
 * @handles: how many
 * @res: the resource that is attached to the file's context, or NULL
 * @detach: reserved while there is a @res
 */
struct vgpu_use {
	struct hlist_node node;
	struct drm_gem_object *obj;
	unsigned int handles;
	struct virtgpu_resource *res;
	struct virtgpu_msg *detach;
};

static struct vgpu_use *find_use(struct vgpu_file *vf, struct drm_gem_object *obj)
{
	struct vgpu_use *use;

	lockdep_assert_held(&vf->lock);

	hash_for_each_possible(vf->uses, use, node, (unsigned long)obj)
		if (use->obj == obj)
			return use;

	return NULL;
}

static void forget(struct vgpu_use *use)
{
	virtgpu_msg_put(use->detach);
	use->detach = NULL;
	virtgpu_resource_put(use->res);
	use->res = NULL;
}

/* Published, not kicked.  Under the buffer's reservation lock. */
static void detach(struct vgpu_file *vf, struct vgpu_use *use)
{
	struct virtgpu_msg *msg = use->detach;

	/* What has ended has left its contexts. */
	if (use->res && virtgpu_resource_is_active(use->res) &&
	    !READ_ONCE(vf->ctx->lost)) {
		use->detach = NULL;
		virtgpu_cmd_ctx_detach(msg, vf->ctx->id, use->res->id);
		vgpu_context_track(vf->ctx, msg);
		virtgpu_vq_queue_msg(&vf->vgpu->ctrl, msg);
	}
	forget(use);
}

/* Published, not kicked.  Under the buffer's reservation lock. */
static int attach(struct vgpu_file *vf, struct vgpu_use *use, struct virtgpu_resource *res)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	use->detach = virtgpu_msg_alloc();
	if (!msg || !use->detach) {
		virtgpu_msg_put(msg);
		virtgpu_msg_put(use->detach);
		use->detach = NULL;
		return -ENOMEM;
	}

	virtgpu_resource_get(res);
	use->res = res;
	virtgpu_cmd_ctx_attach(msg, vf->ctx->id, res->id);
	vgpu_context_track(vf->ctx, msg);
	virtgpu_vq_queue_msg(&vf->vgpu->ctrl, msg);

	return 0;
}

/* Let the context use what the host knows of the buffer by now. */
static int update_use(struct vgpu_file *vf, struct vgpu_use *use)
{
	struct virtgpu_gem *gem = to_virtgpu_gem(use->obj);
	struct virtgpu_resource *res;
	int ret = 0;

	if (!vf->ctx)
		return 0;

	dma_resv_lock(gem->base.resv, NULL);
	res = virtgpu_gem_lookup_resource(gem);
	if (res && use->res != res && virtgpu_resource_is_active(res)) {
		detach(vf, use);
		ret = attach(vf, use, res);
	}
	dma_resv_unlock(gem->base.resv);

	return ret;
}

static void end_use(struct vgpu_file *vf, struct vgpu_use *use)
{
	dma_resv_lock(use->obj->resv, NULL);
	detach(vf, use);
	dma_resv_unlock(use->obj->resv);
	kfree(use);
}

/**
 * vgpu_file_open - &drm_driver.open
 * @dev: the device
 * @file: the new file
 *
 * Return: 0 or -ENOMEM.
 */
int vgpu_file_open(struct drm_device *dev, struct drm_file *file)
{
	struct vgpu_file *vf;

	if (!to_vgpu(dev)->features.virgl)
		return 0;

	vf = kzalloc_obj(*vf);
	if (!vf)
		return -ENOMEM;

	vf->vgpu = to_vgpu(dev);
	mutex_init(&vf->lock);
	hash_init(vf->uses);
	file->driver_priv = vf;

	return 0;
}

/**
 * vgpu_file_close - &drm_driver.postclose
 * @dev: the device
 * @file: the file, its handles gone
 */
void vgpu_file_close(struct drm_device *dev, struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;

	if (!vf)
		return;

	vgpu_context_close(vf->ctx);
	mutex_destroy(&vf->lock);
	kfree(vf);
}

static int make_context(struct vgpu_file *vf, const struct vgpu_context_params *params)
{
	struct vgpu_context *ctx;
	struct vgpu_use *use;
	int bucket, ret = 0;

	ctx = vgpu_context_create(&vf->vgpu->contexts, params);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);

	vf->ctx = ctx;
	hash_for_each(vf->uses, bucket, use, node) {
		ret = update_use(vf, use);
		if (ret)
			break;
	}
	virtgpu_vq_kick(&vf->vgpu->ctrl);
	if (!ret)
		return 0;

	/* All or nothing: the host takes what was attached from a context that ends. */
	hash_for_each(vf->uses, bucket, use, node)
		forget(use);
	vf->ctx = NULL;
	vgpu_context_close(ctx);

	return ret;
}

/**
 * vgpu_file_init_context - DRM_IOCTL_VIRTGPU_CONTEXT_INIT
 * @file: the caller
 * @params: what the context is to be
 *
 * Context: may sleep.
 * Return: 0; -EEXIST if the file has a context; -ENOMEM.
 */
int vgpu_file_init_context(struct drm_file *file,
			   const struct vgpu_context_params *params)
{
	struct vgpu_file *vf = file->driver_priv;
	int ret;

	mutex_lock(&vf->lock);
	ret = vf->ctx ? -EEXIST : make_context(vf, params);
	mutex_unlock(&vf->lock);

	return ret;
}

/**
 * vgpu_file_context - the context of a file, made if need be
 * @file: the caller
 *
 * Context: may sleep; waits for the host if too many contexts are being created.
 * Return: a reference; -EIO if it was lost; the host's error if that would not make
 * it; -ENOMEM; what virtgpu_vq_throttle() returns.
 */
struct vgpu_context *vgpu_file_context(struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	struct vgpu_context_params params;
	struct vgpu_context *ctx;
	int ret = 0;

	if (!READ_ONCE(vf->ctx))
		ret = vgpu_contexts_throttle(&vf->vgpu->contexts);
	if (ret)
		return ERR_PTR(ret);

	mutex_lock(&vf->lock);
	if (!vf->ctx) {
		vgpu_context_params_init(&params);
		ret = make_context(vf, &params);
	}
	ctx = vf->ctx;
	if (!ret)
		ret = vgpu_context_error(ctx);
	if (!ret)
		vgpu_context_get(ctx);
	mutex_unlock(&vf->lock);

	return ret ? ERR_PTR(ret) : ctx;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_file_context);

/**
 * vgpu_file_client - what a file's messages are counted for
 * @file: the caller
 *
 * Return: the client of the file's context, valid while @file is open, or NULL if the
 * file has no context.
 */
struct virtgpu_client *vgpu_file_client(struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	struct virtgpu_client *client;

	if (!vf)
		return NULL;

	mutex_lock(&vf->lock);
	client = vf->ctx ? vf->ctx->client : NULL;
	mutex_unlock(&vf->lock);

	return client;
}
EXPORT_SYMBOL_IF_KUNIT(vgpu_file_client);

/**
 * vgpu_file_speaks_virgl - is the context of a file one for OpenGL?
 * @file: the caller
 *
 * Context: may sleep.
 * Return: true also if it has none yet, as that is what it would get; false without 3D.
 */
bool vgpu_file_speaks_virgl(struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	u32 capset;

	if (!vf)
		return false;

	mutex_lock(&vf->lock);
	capset = vf->ctx ? vf->ctx->params.capset : 0;
	mutex_unlock(&vf->lock);

	return !capset || capset == VIRTIO_GPU_CAPSET_VIRGL || capset == VIRTIO_GPU_CAPSET_VIRGL2;
}

/**
 * vgpu_file_use_object - a program has learned by which number the host knows a buffer
 * @obj: the buffer
 * @file: the program's file, which has a handle of it
 *
 * It is attached to the file's context, if there is one.  Published, not kicked.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vgpu_file_use_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	struct vgpu_use *use;
	int ret = 0;

	if (!vf)
		return 0;

	mutex_lock(&vf->lock);
	use = find_use(vf, obj);
	if (use)
		ret = update_use(vf, use);
	mutex_unlock(&vf->lock);

	return ret;
}

/**
 * vgpu_file_open_object - &drm_gem_object_funcs.open
 * @obj: the buffer that gets a handle
 * @file: in this file
 *
 * Published, and kicked: not all handles are made by calls of ours.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; what virtgpu_vq_throttle() says.
 */
int vgpu_file_open_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	struct vgpu_use *use;
	int ret = 0;

	if (!vf)
		return 0;
	/* Handles can be made and closed for ever. */
	if (READ_ONCE(vf->ctx))
		ret = virtgpu_vq_throttle(&vf->vgpu->ctrl, vgpu_file_client(file));
	if (ret)
		return ret;

	mutex_lock(&vf->lock);
	use = find_use(vf, obj);
	if (use) {
		use->handles++;
		goto unlock;
	}

	use = kzalloc_obj(*use);
	if (!use) {
		ret = -ENOMEM;
		goto unlock;
	}
	use->obj = obj;
	use->handles = 1;
	ret = update_use(vf, use);
	if (ret)
		kfree(use);
	else
		hash_add(vf->uses, &use->node, (unsigned long)obj);
unlock:
	mutex_unlock(&vf->lock);
	virtgpu_vq_kick(&vf->vgpu->ctrl);

	return ret;
}

/**
 * vgpu_file_close_object - &drm_gem_object_funcs.close
 * @obj: the buffer that loses a handle
 * @file: in this file
 *
 * Published, not kicked: the end of the buffer does that, and if it lives on there is
 * no hurry.
 *
 * Context: may sleep.
 */
void vgpu_file_close_object(struct drm_gem_object *obj, struct drm_file *file)
{
	struct vgpu_file *vf = file->driver_priv;
	struct vgpu_use *use;

	if (!vf)
		return;

	mutex_lock(&vf->lock);
	use = find_use(vf, obj);
	if (use && !--use->handles) {
		hash_del(&use->node);
		end_use(vf, use);
	}
	mutex_unlock(&vf->lock);
}
