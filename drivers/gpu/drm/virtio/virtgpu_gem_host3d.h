/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_GEM_HOST3D_H
#define VIRTGPU_GEM_HOST3D_H

#include <linux/types.h>

struct virtgpu_cmd_create_3d;
struct virtgpu_cmd_create_blob;
struct virtgpu_device;
struct virtgpu_gem;
struct virtgpu_msg;

struct virtgpu_gem *virtgpu_gem_create_3d(struct virtgpu_device *vgdev, u64 size,
					  struct virtgpu_cmd_create_3d *cmd);
struct virtgpu_gem *virtgpu_gem_create_host3d_blob(struct virtgpu_device *vgdev,
						   struct virtgpu_cmd_create_blob *cmd,
						   struct virtgpu_msg *cmdbuf_msg,
						   bool defer_mapping);
int virtgpu_gem_host3d_map(struct virtgpu_gem *gem);
int virtgpu_gem_host3d_pin(struct virtgpu_gem *gem);
void virtgpu_gem_host3d_unpin(struct virtgpu_gem *gem);
bool virtgpu_gem_host3d_get_addr(struct virtgpu_gem *gem, phys_addr_t *addr);

#endif
