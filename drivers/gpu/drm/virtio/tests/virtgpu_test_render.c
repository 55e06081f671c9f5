// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/fdtable.h>
#include <linux/mman.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>

#include "virtgpu_context.h"
#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_ioctl.h"
#include "virtgpu_mock.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/* Helpers for tests that use 3D. */

/**
 * virtgpu_render_host() - Create a mock device with all 3D features and bind it
 * @test: the running test
 *
 * Return: the device, which is removed at the end of the test.
 */
struct virtgpu_mock *virtgpu_render_host(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };

	return virtgpu_mock_start(test, &config);
}

/* Create a mock device and a client with a context. */
struct virtgpu_test_client *virtgpu_render_start(struct kunit *test, u32 capset, u32 rings,
						 u64 polled)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));

	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, capset, rings, polled), 0);

	return u;
}

int virtgpu_render_init(struct virtgpu_test_client *u, u32 capset, u32 rings, u64 polled)
{
	const struct drm_virtgpu_context_set_param params[] = {
		{ VIRTGPU_CONTEXT_PARAM_CAPSET_ID, capset },
		{ VIRTGPU_CONTEXT_PARAM_NUM_RINGS, rings },
		{ VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK, polled },
	};
	struct drm_virtgpu_context_init args = {
		.num_params = ARRAY_SIZE(params),
		.ctx_set_params = test_client_memory(u->test, params, sizeof(params)),
	};

	return test_client_ioctl(u, DRM_VIRTGPU_CONTEXT_INIT, &args);
}

/* Get the context ID of a client, or 0 without a context. */
u32 virtgpu_render_context(struct virtgpu_test_client *u)
{
	const struct virtgpu_file *vf = u->file->driver_priv;

	return vf->ctx ? vf->ctx->id : 0;
}

/**
 * virtgpu_render_submit() - Call DRM_IOCTL_VIRTGPU_EXECBUFFER
 * @u: the client
 * @args: the arguments; the command buffer is filled in
 * @ops: commands for the mock renderer
 * @count: number of @ops
 *
 * Return: the ioctl's result.
 */
int virtgpu_render_submit(struct virtgpu_test_client *u, struct drm_virtgpu_execbuffer *args,
			  const struct virtgpu_mock_op *ops, unsigned int count)
{
	args->size = count * sizeof(*ops);
	args->command = count ? test_client_memory(u->test, ops, args->size) : 0;

	return test_client_ioctl(u, DRM_VIRTGPU_EXECBUFFER, args);
}

/**
 * virtgpu_render_fence() - Submit an empty command buffer with an out-fence
 * @u: the client
 * @ring: ring index, or -1
 *
 * Return: the fence, with a reference.
 */
struct dma_fence *virtgpu_render_fence(struct virtgpu_test_client *u, int ring)
{
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT };

	if (ring >= 0) {
		args.flags |= VIRTGPU_EXECBUF_RING_IDX;
		args.ring_idx = ring;
	}
	KUNIT_ASSERT_EQ(u->test, virtgpu_render_submit(u, &args, NULL, 0), 0);

	return virtgpu_render_take_fd(u->test, args.fence_fd);
}

/* PIPE_BUFFER of Gallium with this format is a resource of plain bytes. */
#define VIRGL_FORMAT_R8_UNORM 64

/* Create a 3D resource of plain bytes and return its handle. */
u32 virtgpu_render_buffer(struct virtgpu_test_client *u, u32 size, u32 *resource)
{
	struct drm_virtgpu_resource_create args = {
		.format = VIRGL_FORMAT_R8_UNORM,
		.width = size,
		.height = 1,
		.depth = 1,
		.array_size = 1,
		.size = size,
	};

	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	*resource = args.res_handle;

	return args.bo_handle;
}

/* Create a mappable blob of host memory. */
/* Create a 3D resource that a plane can show and return its handle. */
u32 virtgpu_render_texture(struct virtgpu_test_client *u, u32 format, u32 width, u32 height)
{
	struct drm_virtgpu_resource_create args = {
		.target = VIRTGPU_PIPE_TEXTURE_2D,
		.format = format,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
		.size = width * height * 4,
	};

	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);

	return args.bo_handle;
}

int virtgpu_render_blob(struct virtgpu_test_client *u, u64 size, u32 *handle, u32 *resource)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = size,
	};
	int ret = test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args);

	*handle = args.bo_handle;
	*resource = args.res_handle;

	return ret;
}

/* Map all of a buffer. The mapping may be removed with vm_munmap(). */
int virtgpu_render_map(struct virtgpu_test_client *u, u32 handle, u64 size, u64 *addr)
{
	struct drm_virtgpu_map args = { .handle = handle };
	int ret = test_client_ioctl(u, DRM_VIRTGPU_MAP, &args);

	if (ret)
		return ret;
	*addr = kunit_vm_mmap(u->test, u->filp, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      args.offset);

	return IS_ERR_VALUE((unsigned long)*addr) ? (long)*addr : 0;
}

/* Read 32 bits of user memory. */
u32 virtgpu_render_peek(struct kunit *test, u64 addr)
{
	u32 value = 0;

	KUNIT_EXPECT_EQ(test, copy_from_user(&value, u64_to_user_ptr(addr), sizeof(value)), 0);

	return value;
}

/**
 * virtgpu_render_syncobj() - Create a syncobj
 * @u: the client
 * @fence: initial fence, or NULL
 *
 * Return: the handle.
 */
u32 virtgpu_render_syncobj(struct virtgpu_test_client *u, struct dma_fence *fence)
{
	struct drm_syncobj *syncobj;
	u32 handle;

	KUNIT_ASSERT_EQ(u->test, drm_syncobj_create(&syncobj, 0, fence), 0);
	KUNIT_ASSERT_EQ(u->test, drm_syncobj_get_handle(u->file, syncobj, &handle), 0);
	drm_syncobj_put(syncobj);

	return handle;
}

/* Get the fence of a syncobj with a reference, or NULL. */
struct dma_fence *virtgpu_render_syncobj_fence(struct virtgpu_test_client *u, u32 handle)
{
	struct drm_syncobj *syncobj = drm_syncobj_find(u->file, handle);
	struct dma_fence *fence;

	KUNIT_ASSERT_NOT_NULL(u->test, syncobj);
	fence = drm_syncobj_fence_get(syncobj);
	drm_syncobj_put(syncobj);

	return fence;
}

/* Get the fence of a sync file with a reference, and close the file. */
struct dma_fence *virtgpu_render_take_fd(struct kunit *test, int fd)
{
	struct dma_fence *fence = sync_file_get_fence(fd);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);

	return fence;
}
