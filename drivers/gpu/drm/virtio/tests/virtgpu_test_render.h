/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_TEST_RENDER_H
#define VIRTGPU_TEST_RENDER_H

#include <linux/types.h>
#include <uapi/drm/virtgpu_drm.h>

struct dma_fence;
struct kunit;
struct virtgpu_mock;
struct virtgpu_mock_op;
struct virtgpu_test_client;

struct virtgpu_mock *virtgpu_render_host(struct kunit *test);
struct virtgpu_test_client *virtgpu_render_start(struct kunit *test, u32 capset, u32 rings,
						 u64 polled);
int virtgpu_render_init(struct virtgpu_test_client *u, u32 capset, u32 rings, u64 polled);
u32 virtgpu_render_context(struct virtgpu_test_client *u);

int virtgpu_render_submit(struct virtgpu_test_client *u, struct drm_virtgpu_execbuffer *args,
			  const struct virtgpu_mock_op *ops, unsigned int count);
struct dma_fence *virtgpu_render_fence(struct virtgpu_test_client *u, int ring);

u32 virtgpu_render_buffer(struct virtgpu_test_client *u, u32 size, u32 *resource);
u32 virtgpu_render_texture(struct virtgpu_test_client *u, u32 format, u32 width, u32 height);
int virtgpu_render_blob(struct virtgpu_test_client *u, u64 size, u32 *handle, u32 *resource);
int virtgpu_render_map(struct virtgpu_test_client *u, u32 handle, u64 size, u64 *addr);
u32 virtgpu_render_peek(struct kunit *test, u64 addr);

u32 virtgpu_render_syncobj(struct virtgpu_test_client *u, struct dma_fence *fence);
struct dma_fence *virtgpu_render_syncobj_fence(struct virtgpu_test_client *u, u32 handle);
struct dma_fence *virtgpu_render_take_fd(struct kunit *test, int fd);

#endif
