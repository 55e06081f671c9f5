// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_gem.h"
#include "virtgpu_mock.h"
#include "virtgpu_resource.h"
#include "virtgpu_test_client.h"

/*
 * GEM objects through the whole driver: creation, resource IDs, UUIDs, export.
 */

#define NO_UUID (VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID))

static struct virtgpu_test_client *start(struct kunit *test, u64 features)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };

	config.features = features;

	return test_client_open(test, virtgpu_mock_start(test, &config));
}

/* All resources and backings are gone on the host. */
static void expect_nothing_left(struct virtgpu_test_client *u)
{
	KUNIT_EXPECT_TRUE(u->test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_backings(u->mock), 0);
}

/*
 * Dumb buffers
 */

struct size {
	const char *name;
	u32 width, height, bpp;
	int ret;
	u64 min_size;
};

static const struct size sizes[] = {
	{ "one pixel", 1, 1, 32, 0, PAGE_SIZE },
	{ "one page", 32, 32, 32, 0, PAGE_SIZE },
	{ "one pixel more", 1025, 1, 32, 0, 2 * PAGE_SIZE },
	{ "640x480", 640, 480, 32, 0, 640 * 480 * 4 },
	{ "odd", 1366, 767, 32, 0, 1366 * 767 * 4 },
	{ "8 bits", 64, 64, 8, -EINVAL },
	{ "16 bits", 64, 64, 16, -EINVAL },
	{ "24 bits", 64, 64, 24, -EINVAL },
	{ "nothing", 64, 0, 32, -EINVAL },
	{ "more than there is", 0x20000, 0x20000, 32, -ENOMEM },
	{ "more than there are offsets for", 0x100000, 0x100000, 32, -ENOSPC },
	{ "more than can be counted", 0x3fffffff, 0xffffffff, 32, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(size, sizes, name);

static void gem_dumb(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	const struct size *s = test->param_value;
	struct drm_mode_create_dumb args = {
		.width = s->width, .height = s->height, .bpp = s->bpp,
	};
	struct drm_gem_object *obj;

	KUNIT_EXPECT_EQ(test, u->drm->driver->dumb_create(u->file, u->drm, &args), s->ret);
	if (s->ret)
		return;

	KUNIT_EXPECT_EQ(test, args.pitch, s->width * 4);
	KUNIT_EXPECT_EQ(test, args.size, PAGE_ALIGN(s->min_size));
	obj = test_client_object(u, args.handle);
	KUNIT_EXPECT_EQ(test, obj->size, args.size);

	/* A resource is created only on first use. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), 0);
	test_client_drop(u, args.handle);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_UNREF)), 0);
}

static void vmap_is_memory(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	struct drm_gem_object *obj = test_client_object(u, test_client_dumb(u, 100, 100));
	struct iosys_map first, second;
	u32 i, sum = 0;

	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &first), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &second), 0);
	KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&first, &second));
	for (i = 0; i < obj->size; i += 4)
		sum |= iosys_map_rd(&first, i, u32);
	KUNIT_EXPECT_EQ(test, sum, 0);
	iosys_map_wr(&first, obj->size - 4, u32, 0x12345678);
	drm_gem_vunmap(obj, &first);
	KUNIT_EXPECT_EQ(test, iosys_map_rd(&second, obj->size - 4, u32), 0x12345678);
	drm_gem_vunmap(obj, &second);

	/* The content stays between mappings. */
	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &first), 0);
	KUNIT_EXPECT_EQ(test, iosys_map_rd(&first, obj->size - 4, u32), 0x12345678);
	drm_gem_vunmap(obj, &first);
}

/*
 * Resources
 */

struct blob_case {
	const char *name;
	u64 features;
	struct drm_virtgpu_resource_create_blob args;
	int ret;
};

#define GUEST VIRTGPU_BLOB_MEM_GUEST

static const struct blob_case blob_cases[] = {
	{ "a page", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST, .size = 4096 }, 0 },
	{ "a byte", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST, .size = 1 }, 0 },
	{ "a megabyte, shared", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 1 << 20,
	    .blob_flags = VIRTGPU_BLOB_FLAG_USE_SHAREABLE }, 0 },
	{ "across devices", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 4096,
	    .blob_flags = VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE }, 0 },
	{ "unknown hint", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 4096, .blob_hints = 0x80 }, 0 },
	{ "across devices, no names", NO_UUID,
	  { .blob_mem = GUEST, .size = 4096,
	    .blob_flags = VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE }, -EINVAL },
	{ "no blobs", VIRTGPU_MOCK_NO_BLOB, { .blob_mem = GUEST, .size = 4096 }, -EINVAL },
	{ "no size", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST }, -EINVAL },
	{ "huge", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST, .size = U64_MAX }, -EINVAL },
	{ "large", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST, .size = 1ull << 36 }, -ENOMEM },
	{ "larger", VIRTGPU_MOCK_FEATURES, { .blob_mem = GUEST, .size = 1ull << 50 }, -ENOSPC },
	{ "host memory", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = VIRTGPU_BLOB_MEM_HOST3D, .size = 4096 }, -EINVAL },
	{ "no memory", VIRTGPU_MOCK_FEATURES, { .blob_mem = 0, .size = 4096 }, -EINVAL },
	{ "with an id", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 4096, .blob_id = 1 }, -EINVAL },
	{ "with commands", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 4096, .cmd_size = 4 }, -EINVAL },
	{ "unknown flag", VIRTGPU_MOCK_FEATURES,
	  { .blob_mem = GUEST, .size = 4096, .blob_flags = 0x10 }, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(blob_case, blob_cases, name);

static void create_blob(struct kunit *test)
{
	const struct blob_case *c = test->param_value;
	struct virtgpu_test_client *u = start(test, c->features);
	struct drm_virtgpu_resource_create_blob args = c->args;
	struct drm_virtgpu_resource_info info = { };

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
			c->ret);
	virtgpu_mock_wait_idle(u->mock);
	if (c->ret) {
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 0);
		return;
	}

	KUNIT_ASSERT_TRUE(test, virtgpu_mock_resource_is_blob(u->mock, args.res_handle));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_lookup(u->mock, args.res_handle)->blob_flags,
			c->args.blob_flags);
	info.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, args.res_handle);
	KUNIT_EXPECT_EQ(test, info.blob_mem, GUEST);
	KUNIT_EXPECT_EQ(test, info.size, PAGE_ALIGN(c->args.size));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 1);

	test_client_drop(u, args.bo_handle);
	expect_nothing_left(u);
}

static void gem_blob_alignment(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct drm_virtgpu_resource_create_blob args = { .blob_mem = GUEST, .size = 70000 };
	struct virtgpu_test_client *u;

	config.features |= BIT_ULL(VIRTIO_GPU_F_BLOB_ALIGNMENT);
	config.blob_alignment = 65536;
	u = test_client_open(test, virtgpu_mock_start(test, &config));

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	KUNIT_EXPECT_EQ(test, test_client_object(u, args.bo_handle)->size, 131072);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), 1);
}

/* enum pipe_texture_target of virglrenderer */
#define TEXTURE_1D 1
#define TEXTURE_2D 2

#define FORMAT VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

struct create_2d_case {
	const char *name;
	struct drm_virtgpu_resource_create args;
	int ret;
};

static const struct create_2d_case create_2d_cases[] = {
	{ "plain", { .target = TEXTURE_2D, .format = FORMAT, .width = 64, .height = 64,
	  .size = 16384 }, 0 },
	{ "depth and array of one", { .target = TEXTURE_2D,
	  .format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .width = 8, .height = 8,
	  .depth = 1, .array_size = 1, .size = 4096 }, 0 },
	{ "no size", { .target = TEXTURE_2D, .format = FORMAT, .width = 16, .height = 16 }, 0 },
	{ "no width", { .target = TEXTURE_2D, .format = FORMAT, .height = 16, .size = 4096 },
	  -EINVAL },
	{ "no height", { .target = TEXTURE_2D, .format = FORMAT, .width = 16, .size = 4096 },
	  -EINVAL },
	{ "one dimension", { .target = TEXTURE_1D, .format = FORMAT, .width = 16, .height = 1,
	  .size = 4096 }, -EINVAL },
	{ "levels", { .target = TEXTURE_2D, .format = FORMAT, .width = 16, .height = 16,
	  .last_level = 2, .size = 4096 }, -EINVAL },
	{ "samples", { .target = TEXTURE_2D, .format = FORMAT, .width = 16, .height = 16,
	  .nr_samples = 4, .size = 4096 }, -EINVAL },
	{ "depth", { .target = TEXTURE_2D, .format = FORMAT, .width = 16, .height = 16,
	  .depth = 2, .size = 4096 }, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(create_2d_case, create_2d_cases, name);

static void create_2d(struct kunit *test)
{
	const struct create_2d_case *c = test->param_value;
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_NO_BLOB);
	struct drm_virtgpu_resource_create args = c->args;
	struct drm_virtgpu_resource_info info = { };

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), c->ret);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_2D)), c->ret ? 0 : 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_backings(u->mock), c->ret ? 0 : 1);
	if (c->ret)
		return;

	info.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, args.res_handle);
	KUNIT_EXPECT_EQ(test, info.blob_mem, 0);
	test_client_drop(u, args.bo_handle);
	expect_nothing_left(u);
}

static void gem_transfer(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_NO_BLOB);
	struct drm_virtgpu_resource_create args = {
		.target = TEXTURE_2D, .format = FORMAT, .width = 64, .height = 64, .size = 16384,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = {
		.box = { .x = 4, .y = 8, .w = 16, .h = 4, .d = 1 },
		.offset = (8 * 64 + 4) * 4,
	};
	struct virtgpu_mock_log_entry e;

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	transfer.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_find(u->mock, 0, CMD(TRANSFER_TO_HOST_2D), &e));
	KUNIT_EXPECT_EQ(test, e.resource, args.res_handle);

	/* A blob has no copy on the host, so there is nothing to transfer. */
	transfer.bo_handle = test_client_dumb(u, 64, 64);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(TRANSFER_TO_HOST_2D)), 1);

	transfer.bo_handle = 4711;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer),
			-ENOENT);
}

/* A rejected rectangle of one program must not fail the frames of others. */
static void transfer_error(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_NO_BLOB);
	const struct virtgpu_mock_rule rule = {
		.type = CMD(TRANSFER_TO_HOST_2D), .times = 1,
		.error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
	};
	struct drm_virtgpu_resource_create args = {
		.target = TEXTURE_2D, .format = FORMAT, .width = 64, .height = 64, .size = 16384,
	};
	struct drm_virtgpu_3d_transfer_to_host transfer = { .box = { .w = 64, .h = 64, .d = 1 } };
	const struct virtgpu_resource *res;

	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE, &args), 0);
	transfer.bo_handle = args.bo_handle;
	virtgpu_mock_rule(u->mock, &rule);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_TRANSFER_TO_HOST, &transfer), 0);
	virtgpu_mock_wait_idle(u->mock);
	res = list_first_entry(&to_virtgpu_gem(test_client_object(u, args.bo_handle))->copies_2d,
			       struct virtgpu_resource, gem_link);
	KUNIT_EXPECT_EQ(test, res->error, 0);
}

/* ioctls with invalid handles fail. */
static void bad_handles(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	struct drm_virtgpu_resource_info info = { .bo_handle = 99 };
	struct drm_virtgpu_3d_wait wait = { .handle = 99, .flags = VIRTGPU_WAIT_NOWAIT };
	struct drm_virtgpu_map map = { .handle = 99 };

	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), -ENOENT);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -ENOENT);
	wait.flags = 0;
	KUNIT_EXPECT_LT(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &map), -ENOENT);

	wait.handle = test_client_dumb(u, 16, 16);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
	wait.flags = VIRTGPU_WAIT_NOWAIT;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
	map.handle = wait.handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &map), 0);
	KUNIT_EXPECT_NE(test, map.offset, 0);
}

/*
 * UUIDs
 */

struct uuid_case {
	const char *name;
	u64 features;
	struct virtgpu_mock_rule rule;
	int ret;
};

static const struct uuid_case uuid_cases[] = {
	{ "assigned", VIRTGPU_MOCK_FEATURES, { }, 0 },
	{ "no feature", NO_UUID, { }, -EOPNOTSUPP },
	{ "no blob", VIRTGPU_MOCK_NO_BLOB, { }, -EOPNOTSUPP },
	{ "rejected", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .error = VIRTIO_GPU_RESP_ERR_UNSPEC }, -EIO },
	{ "out of memory", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY },
	  -ENOMEM },
	{ "unknown", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .error = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID },
	  -ENOENT },
	{ "bare success", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .error = VIRTIO_GPU_RESP_OK_NODATA }, -EPROTO },
	{ "cut short", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID),
	    .cut = sizeof(struct virtio_gpu_resp_resource_uuid) - 1 }, -EPROTO },
	{ "nothing", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .cut = VIRTGPU_MOCK_NOTHING }, -EPROTO },
	{ "too long", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .excess = 1 }, -EPROTO },
	{ "noise", VIRTGPU_MOCK_FEATURES,
	  { .type = CMD(RESOURCE_ASSIGN_UUID), .garble = true }, -EIO },
};

KUNIT_ARRAY_PARAM_DESC(uuid_case, uuid_cases, name);

static void gem_uuid(struct kunit *test)
{
	const struct uuid_case *c = test->param_value;
	struct virtgpu_test_client *u = start(test, c->features);
	u32 handle = test_client_dumb(u, 64, 64);
	struct dma_buf *dma_buf;
	uuid_t uuid = { }, again = { };

	if (c->rule.type)
		virtgpu_mock_rule(u->mock, &c->rule);
	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, handle, DRM_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_EXPECT_TRUE(test, is_virtio_dma_buf(dma_buf));
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), c->ret);

	/* An error is not sticky; a UUID is kept. */
	virtgpu_mock_clear_rules(u->mock);
	if (c->features == VIRTGPU_MOCK_FEATURES) {
		KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &again), 0);
		KUNIT_EXPECT_EQ(test, again.b[15], 0x1f);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_ASSIGN_UUID)),
				c->ret ? 2 : 1);
	} else {
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_ASSIGN_UUID)), 0);
	}
	if (!c->ret)
		KUNIT_EXPECT_TRUE(test, uuid_equal(&uuid, &again));

	dma_buf_put(dma_buf);
	test_client_drop(u, handle);
	flush_delayed_fput();
	expect_nothing_left(u);
}

/* Importing the device's own export returns the same object. */
static void import_native(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	u32 handle = test_client_dumb(u, 64, 64), again;
	struct drm_gem_object *obj = test_client_object(u, handle);
	struct dma_buf *dma_buf;

	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, handle, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_ASSERT_EQ(test, test_client_import(u, dma_buf, &again), 0);
	KUNIT_EXPECT_PTR_EQ(test, test_client_object(u, again), obj);
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

/* A buffer of another virtio GPU is imported like that of any device. */
static void import_of_another(struct kunit *test)
{
	struct virtgpu_test_client *from = start(test, VIRTGPU_MOCK_FEATURES);
	struct virtgpu_test_client *to = start(test, VIRTGPU_MOCK_FEATURES);
	u32 handle = test_client_dumb(from, 64, 64), imported;
	struct drm_gem_object *obj = test_client_object(from, handle);
	struct drm_framebuffer *fb;
	struct dma_buf *dma_buf;

	dma_buf = drm_gem_prime_handle_to_dmabuf(from->drm, from->file, handle, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_ASSERT_EQ(test, test_client_import(to, dma_buf, &imported), 0);
	KUNIT_EXPECT_PTR_NE(test, test_client_object(to, imported), obj);
	KUNIT_EXPECT_NOT_NULL(test, to_virtgpu_gem(test_client_object(to, imported))->import);

	/* The buffer is shown in place. */
	test_client_fill_pattern(from, test_client_fb(from, handle, 64, 48, 64 * 4, 0), 1);
	fb = test_client_fb(to, imported, 64, 48, 64 * 4, 0);
	KUNIT_ASSERT_EQ(test, test_client_show(to, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(to, 0, 1, 64, 48));
	test_client_rmfb(to, fb);
	test_client_drop(to, imported);
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

/*
 * Errors of creations
 */

struct late_error {
	const char *name;
	u64 features;
	u32 type;
	u32 error;
};

static const struct late_error late_errors[] = {
	{ "blob, out of memory", VIRTGPU_MOCK_FEATURES, CMD(RESOURCE_CREATE_BLOB),
	  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY },
	{ "blob, unspecific", VIRTGPU_MOCK_FEATURES, CMD(RESOURCE_CREATE_BLOB),
	  VIRTIO_GPU_RESP_ERR_UNSPEC },
	{ "blob, bad parameter", VIRTGPU_MOCK_FEATURES, CMD(RESOURCE_CREATE_BLOB),
	  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
};

KUNIT_ARRAY_PARAM_DESC(late_error, late_errors, name);

static void rejected_later(struct kunit *test)
{
	const struct late_error *l = test->param_value;
	struct virtgpu_test_client *u = start(test, l->features);
	struct drm_virtgpu_resource_create_blob args = { .blob_mem = GUEST, .size = 65536 };
	struct drm_virtgpu_resource_info info = { };
	struct virtgpu_gem *gem;

	virtgpu_mock_reject(u->mock, l->type, l->error);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	virtgpu_mock_wait_idle(u->mock);
	gem = to_virtgpu_gem(test_client_object(u, args.bo_handle));
	KUNIT_ASSERT_NOT_NULL(test, gem->blob);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(gem->blob->rejected));
	KUNIT_EXPECT_NE(test, READ_ONCE(gem->blob->error), 0);

	/* The buffer has no resource from now on, but stays usable. */
	info.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.res_handle, 0);
	KUNIT_EXPECT_TRUE(test, gem->blob_unsupported);
	test_client_drop(u, args.bo_handle);
	expect_nothing_left(u);
}

/* A resource ID is not reused soon after its UNREF. */
static void res_id_cyclic(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	unsigned int i;
	u32 last = 0;

	for (i = 0; i < 50; i++) {
		struct drm_virtgpu_resource_create_blob args = { .blob_mem = GUEST, .size = 4096 };

		KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
				0);
		KUNIT_EXPECT_GT(test, args.res_handle, last);
		last = args.res_handle;
		test_client_drop(u, args.bo_handle);
		virtgpu_mock_wait_idle(u->mock);
	}
	expect_nothing_left(u);
}

/* A resource ID is reused only when RESOURCE_UNREF has completed. */
static void res_id_waits_for_unref(struct kunit *test)
{
	struct virtgpu_test_client *u = start(test, VIRTGPU_MOCK_FEATURES);
	struct drm_virtgpu_resource_create_blob args = { .blob_mem = GUEST, .size = 4096 };
	u32 first;

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_UNREF));
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	first = args.res_handle;
	test_client_drop(u, args.bo_handle);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(u->mock, CMD(RESOURCE_UNREF)), 1);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	KUNIT_EXPECT_NE(test, args.res_handle, first);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_UNREF)), 1);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), 1);
}

/* More requests than a small ring takes, while the host processes none. */
static void backlog(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct virtgpu_test_client *u;
	unsigned int i;

	config.features &= ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	config.ctrl_size = 16;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	virtgpu_mock_freeze(u->mock);
	for (i = 0; i < 100; i++) {
		struct drm_virtgpu_resource_create_blob args = { .blob_mem = GUEST, .size = 8192 };

		KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
				0);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 0);
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_resources(u->mock) == 100));
	test_client_close(u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
}

static struct kunit_case gem_tests[] = {
	KUNIT_CASE_PARAM(gem_dumb, size_gen_params),
	KUNIT_CASE(vmap_is_memory),
	KUNIT_CASE_PARAM(create_blob, blob_case_gen_params),
	KUNIT_CASE(gem_blob_alignment),
	KUNIT_CASE_PARAM(create_2d, create_2d_case_gen_params),
	KUNIT_CASE(gem_transfer),
	KUNIT_CASE(transfer_error),
	KUNIT_CASE(bad_handles),
	KUNIT_CASE_PARAM(gem_uuid, uuid_case_gen_params),
	KUNIT_CASE(import_native),
	KUNIT_CASE(import_of_another),
	KUNIT_CASE_PARAM(rejected_later, late_error_gen_params),
	KUNIT_CASE(res_id_cyclic),
	KUNIT_CASE(res_id_waits_for_unref),
	KUNIT_CASE(backlog),
	{}
};

static struct kunit_suite gem_suite = {
	.name = "virtio_gpu_gem",
	.test_cases = gem_tests,
};

kunit_test_suite(gem_suite);
