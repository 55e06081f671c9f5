/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_PRIME_H
#define VIRTGPU_PRIME_H

#include <linux/types.h>

struct dma_buf;
struct dma_fence;
struct drm_device;
struct drm_gem_object;
struct virtgpu_backing;
struct virtgpu_gem;
struct virtgpu_import;

struct dma_buf *virtgpu_prime_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *virtgpu_prime_import(struct drm_device *dev,
					    struct dma_buf *dma_buf);
void virtgpu_import_add_detach_fence(struct virtgpu_import *imp, struct dma_fence *fence);
void virtgpu_import_release(struct virtgpu_import *imp);
int virtgpu_import_pin(struct virtgpu_import *imp);
void virtgpu_import_unpin(struct virtgpu_import *imp);
struct dma_buf *virtgpu_import_dma_buf(struct virtgpu_import *imp);
bool virtgpu_import_is_mapped(const struct virtgpu_import *imp);
struct virtgpu_backing *virtgpu_import_backing(struct virtgpu_import *imp);

#endif
