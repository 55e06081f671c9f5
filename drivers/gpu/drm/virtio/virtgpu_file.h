/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_FILE_H
#define VIRTGPU_FILE_H

#include <linux/hashtable.h>
#include <linux/mutex.h>

struct drm_device;
struct drm_file;
struct drm_gem_object;
struct virtgpu_client;
struct virtgpu_context;
struct virtgpu_context_params;
struct virtgpu_device;

/**
 * struct virtgpu_file - Driver data of an open file
 * @vgdev: the device
 * @lock: protects @attachments and the creation of @ctx; taken before
 *	reservation locks
 * @ctx: the context, or NULL until an ioctl needs a context; does not change
 *	again while the file is open
 * @attachments: the buffers that the file has handles of
 */
struct virtgpu_file {
	struct virtgpu_device *vgdev;
	struct mutex lock; /* protects @attachments and the creation of @ctx */
	struct virtgpu_context *ctx;
	DECLARE_HASHTABLE(attachments, 7);
};

int virtgpu_file_open(struct drm_device *dev, struct drm_file *file);
void virtgpu_file_close(struct drm_device *dev, struct drm_file *file);
int virtgpu_file_init_context(struct drm_file *file,
			      const struct virtgpu_context_params *params);
struct virtgpu_context *virtgpu_file_context(struct drm_file *file);
struct virtgpu_client *virtgpu_file_client(struct drm_file *file);
bool virtgpu_file_uses_virgl(struct drm_file *file);
int virtgpu_file_attach_object(struct drm_gem_object *obj, struct drm_file *file);
int virtgpu_file_open_object(struct drm_gem_object *obj, struct drm_file *file);
void virtgpu_file_close_object(struct drm_gem_object *obj, struct drm_file *file);

#endif
