/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_FILE_H
#define VGPU_FILE_H

#include <linux/hashtable.h>
#include <linux/mutex.h>

struct drm_device;
struct drm_file;
struct drm_gem_object;
struct virtgpu_client;
struct vgpu_context;
struct vgpu_context_params;
struct vgpu_device;

/**
 * struct vgpu_file - an open file of the device
 * @vgpu: the device
 * @lock: protects all below; inside it reservation locks
 * @ctx: its context, or NULL until one is needed
 * @uses: the buffers that it has handles of
 */
struct vgpu_file {
	struct vgpu_device *vgpu;
	struct mutex lock; /* all below; inside it reservation locks */
	struct vgpu_context *ctx;
	DECLARE_HASHTABLE(uses, 7);
};

int vgpu_file_open(struct drm_device *dev, struct drm_file *file);
void vgpu_file_close(struct drm_device *dev, struct drm_file *file);
int vgpu_file_init_context(struct drm_file *file,
			   const struct vgpu_context_params *params);
struct vgpu_context *vgpu_file_context(struct drm_file *file);
struct virtgpu_client *vgpu_file_client(struct drm_file *file);
bool vgpu_file_speaks_virgl(struct drm_file *file);
int vgpu_file_use_object(struct drm_gem_object *obj, struct drm_file *file);
int vgpu_file_open_object(struct drm_gem_object *obj, struct drm_file *file);
void vgpu_file_close_object(struct drm_gem_object *obj, struct drm_file *file);

#endif
