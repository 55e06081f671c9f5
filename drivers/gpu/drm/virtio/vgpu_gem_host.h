/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_GEM_HOST_H
#define VGPU_GEM_HOST_H

#include <linux/types.h>

struct virtgpu_cmd_create_3d;
struct virtgpu_cmd_create_blob;
struct vgpu_device;
struct vgpu_gem;
struct virtgpu_msg;
struct vm_area_struct;

struct vgpu_gem *vgpu_gem_create_texture(struct vgpu_device *vgpu, u64 size,
					 struct virtgpu_cmd_create_3d *cmd);
struct vgpu_gem *vgpu_gem_create_host_blob(struct vgpu_device *vgpu,
					   struct virtgpu_cmd_create_blob *cmd,
					   struct virtgpu_msg *before);
int vgpu_gem_host_map(struct vgpu_gem *gem);
int vgpu_gem_host_hold(struct vgpu_gem *gem);
void vgpu_gem_host_release(struct vgpu_gem *gem);
bool vgpu_gem_host_place(struct vgpu_gem *gem, phys_addr_t *where);
int vgpu_gem_host_mmap(struct vgpu_gem *gem, struct vm_area_struct *vma);

#endif
