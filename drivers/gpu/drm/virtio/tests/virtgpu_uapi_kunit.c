// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mman.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_debugfs.h>
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_test_client.h"

/* GETPARAM, WAIT, mmap and debugfs. */

#define W 64
#define H 48

/*
 * Parameters
 */

#define ALIGNED (VIRTGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_GPU_F_BLOB_ALIGNMENT))
#define THREE_D (VIRTGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_GPU_F_VIRGL) |	\
		 BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT))
#define NO_UUID (VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID))

struct param {
	const char *name;
	u64 features;
	u64 param;
	int ret;
	int value;
};

static const struct param params[] = {
	{ "no 3D", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_3D_FEATURES, 0, 0 },
	{ "3D", THREE_D, VIRTGPU_PARAM_3D_FEATURES, 0, 1 },
	{ "capset query", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_CAPSET_QUERY_FIX, 0, 1 },
	{ "blobs", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_RESOURCE_BLOB, 0, 1 },
	{ "no blobs", VIRTGPU_MOCK_NO_BLOB, VIRTGPU_PARAM_RESOURCE_BLOB, 0, 0 },
	{ "host visible", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_HOST_VISIBLE, 0, 0 },
	{ "cross device", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_CROSS_DEVICE, 0, 1 },
	{ "no cross device", NO_UUID, VIRTGPU_PARAM_CROSS_DEVICE, 0, 0 },
	{ "no context init", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_CONTEXT_INIT, 0, 0 },
	{ "context init", THREE_D, VIRTGPU_PARAM_CONTEXT_INIT, 0, 1 },
	{ "capsets", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs, 0, 0 },
	{ "debug name", THREE_D, VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME, 0, 1 },
	{ "no alignment", VIRTGPU_MOCK_FEATURES, VIRTGPU_PARAM_BLOB_ALIGNMENT, -ENOENT },
	{ "alignment", ALIGNED, VIRTGPU_PARAM_BLOB_ALIGNMENT, 0, SZ_64K },
	{ "unknown parameter", VIRTGPU_MOCK_FEATURES, 4711, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(param, params, name);

static void getparam(struct kunit *test)
{
	const struct param *p = test->param_value;
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct drm_virtgpu_getparam args = { .param = p->param };
	int value = -1, __user *user;
	struct virtgpu_test_client *u;

	config.features = p->features;
	config.blob_alignment = SZ_64K;
	u = test_client_open(test, virtgpu_mock_start(test, &config));

	args.value = test_client_memory(test, &value, sizeof(value));
	user = u64_to_user_ptr(args.value);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_GETPARAM, &args), p->ret);
	KUNIT_ASSERT_EQ(test, copy_from_user(&value, user, sizeof(value)), 0);
	KUNIT_EXPECT_EQ(test, value, p->ret ? -1 : p->value);

	/* Bad address of the value. */
	args.value = 0;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_GETPARAM, &args), p->ret ?: -EFAULT);
}

/* Without 3D, its ioctls fail with the errors of the in-tree driver. */
static void no_3d(struct kunit *test)
{
	static const struct {
		unsigned int cmd;
		int ret;
	} calls[] = {
		{ DRM_VIRTGPU_EXECBUFFER, -ENOSYS },
		{ DRM_VIRTGPU_TRANSFER_FROM_HOST, -ENOSYS },
		{ DRM_VIRTGPU_GET_CAPS, -ENOSYS },
		{ DRM_VIRTGPU_CONTEXT_INIT, -EINVAL },
	};
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	unsigned int i;
	u8 args[128];

	memset(args, 0, sizeof(args));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		KUNIT_EXPECT_EQ(test, test_client_ioctl(u, calls[i].cmd, args), calls[i].ret);
}

/* WAIT fails with -EBUSY while a buffer has an unsignalled fence. */
static void uapi_wait(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_virtgpu_3d_wait wait = { .flags = VIRTGPU_WAIT_NOWAIT };
	struct dma_fence *fence;

	wait.handle = test_client_dumb(u, W, H);
	fence = test_client_add_write_fence(u, test_client_object(u, wait.handle)->resv);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	wait.flags = 0;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
	wait.flags = VIRTGPU_WAIT_NOWAIT;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
}

/*
 * Mappings
 */

struct mapping {
	const char *name;
	u64 offset;
	unsigned long size;
	unsigned long flags;
	bool ok;
};

/* Mappings of a buffer of 20 pages, which is larger than one block. */
static const struct mapping mappings[] = {
	{ "whole buffer", 0, 20 * PAGE_SIZE, MAP_SHARED, true },
	{ "first page", 0, PAGE_SIZE, MAP_SHARED, true },
	{ "beyond the end", 0, 21 * PAGE_SIZE, MAP_SHARED, false },
	{ "private", 0, 20 * PAGE_SIZE, MAP_PRIVATE, false },
	{ "after the end", 20 * PAGE_SIZE, PAGE_SIZE, MAP_SHARED, false },
};

KUNIT_ARRAY_PARAM_DESC(mapping, mappings, name);

static void uapi_mmap(struct kunit *test)
{
	const struct mapping *m = test->param_value;
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_virtgpu_map map = { };
	struct drm_gem_object *obj;
	struct iosys_map kernel;
	unsigned long addr, i;
	u32 value;

	map.handle = test_client_dumb(u, 128, 160);
	obj = test_client_object(u, map.handle);
	KUNIT_ASSERT_EQ(test, obj->size, 20 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &map), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &kernel), 0);
	for (i = 0; i < obj->size; i += PAGE_SIZE)
		iosys_map_wr(&kernel, i, u32, i + 1);

	addr = kunit_vm_mmap(test, u->filp, 0, m->size, PROT_READ | PROT_WRITE, m->flags,
			     map.offset + m->offset);
	KUNIT_EXPECT_EQ(test, !IS_ERR_VALUE(addr) && addr, m->ok);
	for (i = 0; m->ok && i < m->size; i += PAGE_SIZE) {
		KUNIT_EXPECT_EQ(test, copy_from_user(&value, (void __user *)(addr + i),
						     sizeof(value)), 0);
		KUNIT_EXPECT_EQ(test, value, i + 1);
		KUNIT_EXPECT_EQ(test, put_user(7, (u32 __user *)(addr + i)), 0);
		KUNIT_EXPECT_EQ(test, iosys_map_rd(&kernel, i, u32), 7);
	}
	drm_gem_vunmap(obj, &kernel);
}

/* mmap of an export respects the offset. */
static void mmap_export(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	u32 handle = test_client_dumb(u, 128, 160), value;
	struct drm_gem_object *obj = test_client_object(u, handle);
	struct iosys_map kernel;
	struct dma_buf *dma_buf;
	unsigned long addr;

	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, handle, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &kernel), 0);
	iosys_map_wr(&kernel, 18 * PAGE_SIZE, u32, 55);
	drm_gem_vunmap(obj, &kernel);

	addr = kunit_vm_mmap(test, dma_buf->file, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, 18 * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, IS_ERR_VALUE(addr));
	if (!IS_ERR_VALUE(addr) && addr) {
		KUNIT_EXPECT_EQ(test, copy_from_user(&value, (void __user *)addr,
						     sizeof(value)), 0);
		KUNIT_EXPECT_EQ(test, value, 55);
	}
	dma_buf_put(dma_buf);
}

/* The exporter maps its buffer, by either ioctl. */
static void mmap_import(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG };
	struct virtgpu_mock *m = virtgpu_mock_start(test, &config);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   2 * PAGE_SIZE);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_map map = { };
	unsigned long addr;
	u64 offset;
	u32 value;

	((u32 *)b->memory[0])[PAGE_SIZE / sizeof(u32)] = 0x12345678;
	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &map.handle), 0);
	KUNIT_ASSERT_NOT_NULL(test, u->drm->driver->dumb_map_offset);
	KUNIT_ASSERT_EQ(test, u->drm->driver->dumb_map_offset(u->file, u->drm, map.handle,
							      &offset), 0);
	KUNIT_EXPECT_EQ(test, u->drm->driver->dumb_map_offset(u->file, u->drm, map.handle + 1,
							      &offset), -ENOENT);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &map), 0);
	KUNIT_EXPECT_EQ(test, map.offset, offset);

	addr = kunit_vm_mmap(test, u->filp, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			     offset);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	/* The mapping belongs to the dma-buf. */
	test_client_drop(u, map.handle);
	KUNIT_EXPECT_EQ(test, copy_from_user(&value, (void __user *)(addr + PAGE_SIZE),
					     sizeof(value)), 0);
	KUNIT_EXPECT_EQ(test, value, 0x12345678);
	KUNIT_EXPECT_EQ(test, put_user(0x87654321, (u32 __user *)(addr + PAGE_SIZE)), 0);
	KUNIT_EXPECT_EQ(test, ((u32 *)b->memory[0])[PAGE_SIZE / sizeof(u32)], 0x87654321);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, 2 * PAGE_SIZE), 0);
}

/*
 * debugfs
 */

#define TEXT_SIZE 8192

/* Read a debugfs file of the device. */
static const char *read_file(struct virtgpu_test_client *u, const char *name)
{
	struct seq_file m = { .buf = kunit_kzalloc(u->test, TEXT_SIZE, GFP_KERNEL) };
	struct dentry *file = debugfs_lookup(name, u->drm->debugfs_root);
	struct drm_debugfs_entry *entry;

	KUNIT_ASSERT_NOT_NULL(u->test, m.buf);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(u->test, file);
	entry = d_inode(file)->i_private;
	dput(file);
	m.private = entry;
	m.size = TEXT_SIZE - 1;
	mutex_init(&m.lock);
	KUNIT_EXPECT_EQ(u->test, entry->file.show(&m, NULL), 0);
	KUNIT_EXPECT_FALSE(u->test, seq_has_overflowed(&m));

	return m.buf;
}

static void expect_line(struct virtgpu_test_client *u, const char *text, const char *line)
{
	KUNIT_EXPECT_NOT_NULL_MSG(u->test, strstr(text, line), "no '%s' in\n%s", line, text);
}

static void uapi_debugfs(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 2);
	bool blobs = virtgpu_mock_has(u->mock, VIRTIO_GPU_F_RESOURCE_BLOB);
	struct drm_framebuffer *fb = test_client_new_fb(u, W, H);
	const char *text;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "no debugfs");
	KUNIT_ASSERT_EQ(test, test_client_show(u, 1, fb), 0);

	text = read_file(u, "virtio-gpu-features");
	expect_line(u, text, blobs ? "blob resources   : yes\n" : "blob resources   : no\n");
	expect_line(u, text, "scanouts         : 2\n");
	expect_line(u, text, "virgl            : no\n");

	text = read_file(u, "virtio-gpu-outputs");
	expect_line(u, text, virtgpu_mock_has(u->mock, VIRTIO_GPU_F_EDID) ?
		    "output: id=0 connector=Virtual-1 enabled=0 edid=1" :
		    "output: id=0 connector=Virtual-1 enabled=0 edid=0");
	expect_line(u, text, "position=640,0 size=640x480 resource=1 rect=0,0+64x48 held_ms=0\n");

	text = read_file(u, "virtio-gpu-resources");
	expect_line(u, text, "attached: 1\n");
	expect_line(u, text, blobs ? "resource: id=1 type=blob size=12288" :
		    "resource: id=1 type=2d size=12288");
	expect_line(u, text, "state=active error=0 rejected=0\n");

	text = read_file(u, "virtio-gpu-counters");
	expect_line(u, text, "control_RESOURCE_FLUSH: 1\n");
	expect_line(u, text, blobs ? "control_SET_SCANOUT_BLOB: 1\n" : "control_SET_SCANOUT: 1\n");
	expect_line(u, text, "control_wedged: 0\n");
	expect_line(u, text, "blob_fallbacks: 0\n");
	expect_line(u, text, "invalidate_waits: 0\n");

	expect_line(u, read_file(u, "virtio-gpu-irq-fence"), "fence 1 1\n");
	expect_line(u, read_file(u, "virtio-gpu-host-visible-mm"), "no host-visible region\n");

	/* After a reset. */
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	expect_line(u, read_file(u, "virtio-gpu-resources"), "state=stale");
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);

	/* While RESOURCE_UNREF is pending. */
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_UNREF));
	test_client_rmfb(u, fb);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0)));
	expect_line(u, read_file(u, "virtio-gpu-resources"), "state=destroying");
}

/* GEM objects in DRM's debugfs file. */
static void uapi_print_info(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct drm_gem_object *obj = test_client_object(u, test_client_dumb(u, W, H));
	struct seq_file m = { .buf = kunit_kzalloc(test, TEXT_SIZE, GFP_KERNEL) };
	struct drm_printer p = drm_seq_file_printer(&m);

	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	m.size = TEXT_SIZE - 1;
	obj->funcs->print_info(&p, 0, obj);
	expect_line(u, m.buf, "memory=guest\n");
	expect_line(u, m.buf, "blob_unsupported=0\n");
}

/* Without outputs the file is empty and no command is queued. */
static void no_outputs(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_start(test, &virtgpu_test_configs[0], 0);

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "no debugfs");
	KUNIT_EXPECT_STREQ(test, read_file(u, "virtio-gpu-outputs"), "");
	virtgpu_mock_raise_display(u->mock);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(u->mock), 0);
}

static struct kunit_case uapi_tests[] = {
	KUNIT_CASE_PARAM(getparam, param_gen_params),
	KUNIT_CASE(no_3d),
	KUNIT_CASE_SLOW(uapi_wait),
	KUNIT_CASE_PARAM(uapi_mmap, mapping_gen_params),
	KUNIT_CASE(mmap_export),
	KUNIT_CASE(mmap_import),
	KUNIT_CASE_PARAM(uapi_debugfs, virtgpu_test_config_gen_params),
	KUNIT_CASE(uapi_print_info),
	KUNIT_CASE(no_outputs),
	{}
};

static struct kunit_suite uapi_suite = {
	.name = "virtio_gpu_uapi",
	.test_cases = uapi_tests,
};

kunit_test_suite(uapi_suite);
