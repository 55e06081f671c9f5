/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_IMPORT_H
#define VGPU_IMPORT_H

#include <linux/types.h>

struct dma_buf;
struct dma_fence;
struct drm_device;
struct drm_gem_object;
struct virtgpu_backing;
struct vgpu_gem;
struct vgpu_import;

struct drm_gem_object *vgpu_prime_import(struct drm_device *dev,
					 struct dma_buf *dma_buf);
void vgpu_import_hand_over(struct vgpu_import *imp, struct dma_fence *fence);
void vgpu_import_release(struct vgpu_import *imp);
int vgpu_import_pin(struct vgpu_import *imp);
void vgpu_import_unpin(struct vgpu_import *imp);
struct dma_buf *vgpu_import_dma_buf(struct vgpu_import *imp);
bool vgpu_import_is_mapped(const struct vgpu_import *imp);
struct virtgpu_backing *vgpu_import_backing(struct vgpu_import *imp);

#endif
