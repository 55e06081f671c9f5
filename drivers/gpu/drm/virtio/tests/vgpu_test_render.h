/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_TEST_RENDER_H
#define VGPU_TEST_RENDER_H

#include <linux/types.h>
#include <uapi/drm/virtgpu_drm.h>

struct dma_fence;
struct kunit;
struct vgpu_mock;
struct vgpu_mock_op;
struct vgpu_user;

struct vgpu_mock *vgpu_render_host(struct kunit *test);
struct vgpu_user *vgpu_render_start(struct kunit *test, u32 capset, u32 rings, u64 polled);
int vgpu_render_init(struct vgpu_user *u, u32 capset, u32 rings, u64 polled);
u32 vgpu_render_context(struct vgpu_user *u);

int vgpu_render_submit(struct vgpu_user *u, struct drm_virtgpu_execbuffer *args,
		       const struct vgpu_mock_op *ops, unsigned int count);
struct dma_fence *vgpu_render_fence(struct vgpu_user *u, int ring);

u32 vgpu_render_buffer(struct vgpu_user *u, u32 size, u32 *resource);
int vgpu_render_blob(struct vgpu_user *u, u64 size, u32 *handle, u32 *resource);
int vgpu_render_map(struct vgpu_user *u, u32 handle, u64 size, u64 *addr);
u32 vgpu_render_peek(struct kunit *test, u64 addr);

u32 vgpu_render_syncobj(struct vgpu_user *u, struct dma_fence *fence);
struct dma_fence *vgpu_render_syncobj_fence(struct vgpu_user *u, u32 handle);
struct dma_fence *vgpu_render_take_fd(struct kunit *test, int fd);

#endif
