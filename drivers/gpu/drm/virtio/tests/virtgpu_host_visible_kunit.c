// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/* Blobs in host memory, and a host-visible region of 16 pages. */

#define PAGES 16

struct blob {
	u32 handle;
	u32 resource;
	u64 addr;
	u64 size;
};

static struct blob new_blob_hints(struct virtgpu_test_client *u, unsigned int pages, u32 hints)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = pages * PAGE_SIZE,
		.blob_hints = hints,
	};
	struct blob b = { .size = args.size };

	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	b.handle = args.bo_handle;
	b.resource = args.res_handle;

	return b;
}

/* Create a blob that is mapped on access. */
static struct blob new_blob(struct virtgpu_test_client *u, unsigned int pages)
{
	return new_blob_hints(u, pages, DRM_VIRTGPU_BLOB_FLAG_HINT_DEFER_MAPPING);
}

static int map(struct virtgpu_test_client *u, struct blob *b)
{
	return virtgpu_render_map(u, b->handle, b->size, &b->addr);
}

static void unmap(struct virtgpu_test_client *u, struct blob *b)
{
	KUNIT_EXPECT_EQ(u->test, vm_munmap(b->addr, b->size), 0);
}

static bool is_mapped(struct virtgpu_test_client *u, const struct blob *b)
{
	u64 offset;

	virtgpu_mock_wait_idle(u->mock);

	return virtgpu_mock_mapped(u->mock, b->resource, &offset);
}

static void need_memory(struct virtgpu_test_client *u)
{
	if (!virtgpu_mock_host_visible_has_memory(u->mock))
		kunit_skip(u->test, "no memory behind the host-visible region");
}

static void poke(struct kunit *test, u64 addr, u32 value)
{
	KUNIT_EXPECT_EQ(test, put_user(value, (u32 __user *)u64_to_user_ptr(addr)), 0);
}

static void fill(struct virtgpu_test_client *u, const struct blob *b, u32 value)
{
	struct virtgpu_mock_op op = { VIRTGPU_MOCK_FILL, b->resource, value };
	struct drm_virtgpu_execbuffer args = { };

	KUNIT_ASSERT_EQ(u->test, virtgpu_render_submit(u, &args, &op, 1), 0);
	virtgpu_mock_wait_idle(u->mock);
}

/*
 * Contents
 */

/*
 * Host and user space share the content, also after unmapping from the region.
 */
static void contents(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 4), big;

	need_memory(u);
	fill(u, &b, 0x11111111);
	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr), 0x11111111);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr + b.size - 4), 0x11111111);
	fill(u, &b, 0x22222222);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr + PAGE_SIZE), 0x22222222);
	poke(test, b.addr + 3 * PAGE_SIZE, 0x33333333);
	unmap(u, &b);

	/* This blob needs the whole region. */
	big = new_blob(u, PAGES);
	KUNIT_ASSERT_EQ(test, map(u, &big), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &b));
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, big.addr), 0);
	unmap(u, &big);
	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr), 0x22222222);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr + 3 * PAGE_SIZE), 0x33333333);
}

/*
 * User mappings of a part: the start of the blob, and the end of its dma-buf.
 */
static void host_visible_part(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 4);
	struct drm_virtgpu_map args = { .handle = b.handle };
	unsigned long first, last;
	struct dma_buf *dma_buf;

	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &args), 0);
	first = kunit_vm_mmap(test, u->filp, 0, 2 * PAGE_SIZE, PROT_READ, MAP_SHARED, args.offset);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(first));
	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, b.handle, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	last = kunit_vm_mmap(test, dma_buf->file, 0, 2 * PAGE_SIZE, PROT_READ, MAP_SHARED,
			     2 * PAGE_SIZE);
	dma_buf_put(dma_buf);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(last));
	/* No mapping beyond the blob, and no private writable one. */
	KUNIT_EXPECT_TRUE(test, IS_ERR_VALUE(vm_mmap(u->filp, 0, 5 * PAGE_SIZE, PROT_READ,
						     MAP_SHARED, args.offset)));
	KUNIT_EXPECT_EQ(test, (long)vm_mmap(u->filp, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE, args.offset), -EINVAL);
	need_memory(u);
	poke(test, b.addr + PAGE_SIZE, 76);
	poke(test, b.addr + 3 * PAGE_SIZE, 77);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, first + PAGE_SIZE), 76);
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, last + PAGE_SIZE), 77);
}

/*
 * Mapping along with the creation
 */

static void map_early(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b[4], deferred;
	unsigned int kicks, i;

	virtgpu_mock_wait_idle(u->mock);
	kicks = virtgpu_mock_kicks(u->mock, 0);
	virtgpu_mock_freeze(u->mock);
	b[0] = new_blob_hints(u, PAGES / 4, 0);
	KUNIT_EXPECT_LE(test, virtgpu_mock_kicks(u->mock, 0), kicks + 1);
	virtgpu_mock_thaw(u->mock);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[0]));
	KUNIT_EXPECT_EQ(test, map(u, &b[0]), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 1);

	deferred = new_blob(u, 1);
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &deferred));

	/* A quarter of the region is left to blobs that are accessed. */
	for (i = 1; i < 4; i++) {
		b[i] = new_blob_hints(u, PAGES / 4, 0);
		KUNIT_EXPECT_EQ(test, is_mapped(u, &b[i]), i < 3);
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_UNMAP_BLOB)), 0);
}

/* An unused blob makes room when its pending MAP has completed. */
static void map_pending(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob early, big = new_blob(u, PAGES);

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_MAP_BLOB));
	early = new_blob_hints(u, 1, 0);
	KUNIT_EXPECT_EQ(test, map(u, &big), -ETIMEDOUT);
	virtgpu_mock_clear_rules(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, map(u, &big), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &early));
}

/* The first access to an evicted blob maps all of its pages. */
static void map_all_pages(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);
	struct drm_virtgpu_map args = { .handle = b.handle };
	u32 value, i;

	need_memory(u);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &args), 0);
	KUNIT_ASSERT_EQ(test, map(u, &other), 0);
	unmap(u, &other);
	b.addr = kunit_vm_mmap(test, u->filp, 0, b.size, PROT_READ, MAP_SHARED, args.offset);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE((unsigned long)b.addr));
	virtgpu_render_peek(test, b.addr + 3 * PAGE_SIZE);

	pagefault_disable();
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, copy_from_user(&value,
						     u64_to_user_ptr(b.addr + i * PAGE_SIZE),
						     sizeof(value)), 0);
	pagefault_enable();
}

/*
 * Eviction
 */

/* A blob stays in the region between user mappings. */
static void host_visible_kept(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 1);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_EQ(test, map(u, &b), 0);
		unmap(u, &b);
	}
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_UNMAP_BLOB)), 0);
	test_client_drop(u, b.handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_UNMAP_BLOB)), 1);
}

/* The least recently used blob is unmapped first. */
static void evicts_lru(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b[5];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		b[i] = new_blob(u, PAGES / 4);
		KUNIT_ASSERT_EQ(test, map(u, &b[i]), 0);
		unmap(u, &b[i]);
	}
	KUNIT_ASSERT_EQ(test, map(u, &b[0]), 0);
	unmap(u, &b[0]);
	b[4] = new_blob(u, PAGES / 4);
	KUNIT_ASSERT_EQ(test, map(u, &b[4]), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[0]));
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &b[1]));
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[2]));
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[3]));
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[4]));
}

/* Blobs keep their content when they replace each other in the region. */
static void turns(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b[2 * PAGES];
	unsigned int round, i;

	need_memory(u);
	for (i = 0; i < ARRAY_SIZE(b); i++)
		b[i] = new_blob(u, 1);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(b); i++) {
			KUNIT_ASSERT_EQ(test, map(u, &b[i]), 0);
			KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b[i].addr),
					round ? i + round - 1 : 0);
			poke(test, b[i].addr, i + round);
			unmap(u, &b[i]);
		}
	}
	KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), PAGES);
}

/*
 * No free range
 */

static void host_visible_full(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b[5];
	unsigned int i;

	for (i = 0; i < 5; i++)
		b[i] = new_blob(u, PAGES / 4);
	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_EQ(test, map(u, &b[i]), 0);
	KUNIT_EXPECT_EQ(test, map(u, &b[4]), -ENOSPC);
	unmap(u, &b[2]);
	KUNIT_EXPECT_EQ(test, map(u, &b[4]), 0);
	KUNIT_EXPECT_EQ(test, map(u, &b[2]), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[0]));
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[1]));
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b[3]));
}

static void too_small(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES + 1);

	KUNIT_EXPECT_EQ(test, map(u, &b), -ENOSPC);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 0);
}

/* The free pages suffice, but are not contiguous. */
static void fragmented(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b[PAGES], two = new_blob(u, 2);
	unsigned int i, n = 0;
	u64 offset;

	for (i = 0; i < PAGES; i++) {
		b[i] = new_blob(u, 1);
		KUNIT_ASSERT_EQ(test, map(u, &b[i]), 0);
	}
	for (i = 0; i < PAGES; i++) {
		virtgpu_mock_mapped(u->mock, b[i].resource, &offset);
		if (offset / PAGE_SIZE % 2 == 0) {
			unmap(u, &b[i]);
			n++;
		}
	}
	KUNIT_EXPECT_EQ(test, n, PAGES / 2);
	KUNIT_EXPECT_EQ(test, map(u, &two), -ENOSPC);
	/* One adjacent page more is enough. */
	for (i = 0; i < PAGES; i++) {
		virtgpu_mock_mapped(u->mock, b[i].resource, &offset);
		if (offset == 5 * PAGE_SIZE)
			unmap(u, &b[i]);
	}
	KUNIT_EXPECT_EQ(test, map(u, &two), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_mapped(u->mock, two.resource, &offset));
	KUNIT_EXPECT_TRUE(test, offset == 4 * PAGE_SIZE || offset == 5 * PAGE_SIZE);
}

/*
 * Late and failed responses
 */

/* A range is reused only when UNMAP has completed. */
static void unmap_late(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob old = new_blob(u, PAGES), next = new_blob(u, PAGES);

	KUNIT_ASSERT_EQ(test, map(u, &old), 0);
	unmap(u, &old);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_UNMAP_BLOB));
	KUNIT_EXPECT_EQ(test, map(u, &next), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_UNMAP_BLOB)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, map(u, &next), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &next));
}

/* A blob can be mapped again while UNMAP is pending. */
static void remap(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob old = new_blob(u, PAGES), next = new_blob(u, PAGES);
	struct drm_virtgpu_map args = { .handle = next.handle };

	KUNIT_ASSERT_EQ(test, map(u, &old), 0);
	unmap(u, &old);
	virtgpu_mock_hold(u->mock, CMD(RESOURCE_UNMAP_BLOB));
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_MAP, &args), -ETIMEDOUT);
	virtgpu_mock_release(u->mock, 0);
	KUNIT_EXPECT_EQ(test, map(u, &old), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &old));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 2);
}

/* A caller that times out can try again. */
static void map_late(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 1);

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_MAP_BLOB));
	KUNIT_EXPECT_EQ(test, map(u, &b), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, map(u, &b), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 1);
}

/* The blob is freed while MAP is pending. */
static void freed_early(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES), next = new_blob(u, PAGES);

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_MAP_BLOB));
	KUNIT_EXPECT_EQ(test, map(u, &b), -ETIMEDOUT);
	test_client_drop(u, b.handle);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, map(u, &next), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &next));
}

/* The caller gets the host's error, and a later attempt may succeed. */
static void map_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);

	virtgpu_mock_reject(u->mock, CMD(RESOURCE_MAP_BLOB), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	KUNIT_EXPECT_EQ(test, map(u, &b), -ENOMEM);
	KUNIT_EXPECT_EQ(test, map(u, &b), -ENOMEM);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 2);
	virtgpu_mock_clear_rules(u->mock);
	/* The range is free for other blobs. */
	KUNIT_EXPECT_EQ(test, map(u, &other), 0);
	unmap(u, &other);
	KUNIT_EXPECT_EQ(test, map(u, &b), 0);
	test_client_drop(u, other.handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_resources(u->mock) == 1));
}

/*
 * After an error of UNMAP the blob may still be mapped, so no other blob gets
 * the range before the device is reset.
 */
static void unmap_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0), *next;
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);

	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	unmap(u, &b);
	virtgpu_mock_reject(u->mock, CMD(RESOURCE_UNMAP_BLOB), VIRTIO_GPU_RESP_ERR_UNSPEC);
	KUNIT_EXPECT_EQ(test, map(u, &other), -ENOSPC);
	KUNIT_EXPECT_EQ(test, map(u, &b), -EIO);
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &other));
	test_client_drop(u, b.handle);
	KUNIT_EXPECT_EQ(test, map(u, &other), -ENOSPC);
	virtgpu_mock_clear_rules(u->mock);

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	next = test_client_open(test, u->mock);
	other = new_blob(next, PAGES);
	KUNIT_EXPECT_EQ(test, map(next, &other), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(next, &other));
}

/* The range of a blob that was freed before its MAP failed is free. */
static void unmap_unmapped(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(RESOURCE_MAP_BLOB), .times = 1, .hold = true,
		.error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
	};
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);

	virtgpu_mock_rule(u->mock, &rule);
	KUNIT_EXPECT_EQ(test, map(u, &b), -ETIMEDOUT);
	virtgpu_mock_reject(u->mock, CMD(RESOURCE_UNMAP_BLOB), VIRTIO_GPU_RESP_ERR_UNSPEC);
	test_client_drop(u, b.handle);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, CMD(RESOURCE_MAP_BLOB)), 1);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_clear_rules(u->mock);
	KUNIT_EXPECT_EQ(test, map(u, &other), 0);
}

/* After a malformed response the range is free when the blob was unmapped. */
static void malformed(struct kunit *test)
{
	static const struct virtgpu_mock_rule rules[] = {
		{ .type = CMD(RESOURCE_MAP_BLOB), .times = 1,
		  .error = VIRTIO_GPU_RESP_OK_NODATA + 0xff },
		{ .type = CMD(RESOURCE_MAP_BLOB), .times = 1, .cut = VIRTGPU_MOCK_NOTHING },
	};
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		virtgpu_mock_rule(u->mock, &rules[i]);
		KUNIT_EXPECT_EQ(test, map(u, &b), -EPROTO);
		KUNIT_EXPECT_FALSE(test, is_mapped(u, &b));
		KUNIT_EXPECT_EQ(test, map(u, &other), 0);
		KUNIT_EXPECT_TRUE(test, is_mapped(u, &other));
		unmap(u, &other);
		KUNIT_EXPECT_EQ(test, map(u, &b), 0);
		KUNIT_EXPECT_TRUE(test, is_mapped(u, &b));
		unmap(u, &b);
		virtgpu_mock_clear_rules(u->mock);
		KUNIT_EXPECT_EQ(test, map(u, &other), 0);
		unmap(u, &other);
	}
}

/* A blob is not mapped if its creation failed. */
static void creation_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b;

	virtgpu_mock_reject(u->mock, CMD(RESOURCE_CREATE_BLOB), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	b = new_blob(u, 1);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, map(u, &b), -ENOMEM);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)), 0);
	virtgpu_mock_clear_rules(u->mock);
	test_client_drop(u, b.handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_vgdev(u->mock)->ctrl.num_pending));
}

/*
 * Types of blobs and devices
 */

struct blob_case {
	const char *name;
	u32 mem, flags;
	u64 size;
	int create, map;
};

#define HOST VIRTGPU_BLOB_MEM_HOST3D
#define BOTH VIRTGPU_BLOB_MEM_HOST3D_GUEST
#define GUEST VIRTGPU_BLOB_MEM_GUEST
#define MAPPABLE VIRTGPU_BLOB_FLAG_USE_MAPPABLE
#define CROSS VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE

static const struct blob_case blob_cases[] = {
	{ "host", HOST, MAPPABLE, PAGE_SIZE, 0, 0 },
	{ "host, not mappable", HOST, 0, PAGE_SIZE, 0, -EINVAL },
	{ "host, all flags", HOST, 7, PAGE_SIZE, 0, 0 },
	{ "host, half a page", HOST, MAPPABLE, PAGE_SIZE / 2, 0, 0 },
	{ "host and guest", BOTH, MAPPABLE, PAGE_SIZE, 0, 0 },
	{ "guest", GUEST, MAPPABLE, PAGE_SIZE, 0, 0 },
	{ "no size", HOST, MAPPABLE, 0, -EINVAL },
	{ "all sizes", HOST, MAPPABLE, U64_MAX, -EINVAL },
	{ "half of all sizes", HOST, MAPPABLE, BIT_ULL(63), -EINVAL },
	{ "no memory", 0, MAPPABLE, PAGE_SIZE, -EINVAL },
	{ "another memory", 4, MAPPABLE, PAGE_SIZE, -EINVAL },
	{ "unknown flag", HOST, 8, PAGE_SIZE, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(blob_case, blob_cases, name);

static void host_visible_blob(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	const struct blob_case *c = test->param_value;
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = c->mem, .blob_flags = c->flags, .size = c->size,
	};
	struct drm_virtgpu_resource_info info = { };
	u64 addr;

	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args),
			c->create);
	if (c->create) {
		KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_CREATE_BLOB)), 0);
		return;
	}
	info.bo_handle = args.bo_handle;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(test, info.blob_mem, c->mem);
	KUNIT_EXPECT_EQ(test, info.size, PAGE_ALIGN(c->size));
	KUNIT_EXPECT_EQ(test, virtgpu_render_map(u, args.bo_handle, PAGE_SIZE, &addr), c->map);
	/* Blobs with guest pages are not mapped into the region. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_MAP_BLOB)),
			c->mem == HOST && !c->map ? 1 : 0);
}

/* Without a region, blobs can be created but not mapped. */
static void host_visible_none(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct virtgpu_test_client *u;
	struct blob b;

	config.host_visible_size = 0;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	b = new_blob(u, 1);
	KUNIT_EXPECT_EQ(test, map(u, &b), -EOPNOTSUPP);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(u->mock), 1);
}

/* Ranges in the region have the device's blob alignment. */
static void aligned(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	u32 align = 4 * PAGE_SIZE, handle, resource, i;
	struct virtgpu_test_client *u;
	struct blob b;
	u64 offset;

	config.features |= BIT_ULL(VIRTIO_GPU_F_BLOB_ALIGNMENT);
	config.blob_alignment = align;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	KUNIT_EXPECT_EQ(test, virtgpu_render_blob(u, PAGE_SIZE, &handle, &resource), -EINVAL);
	for (i = 0; i < PAGES / 4; i++) {
		b = new_blob(u, 4);
		KUNIT_ASSERT_EQ(test, map(u, &b), 0);
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_mapped(u->mock, b.resource, &offset));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(offset, align));
	}
}

/*
 * Lifetime
 */

/* A user mapping keeps the blob after its handle is closed. */
static void outlives_handle(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 1);

	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	test_client_drop(u, b.handle);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b));
	if (virtgpu_mock_host_visible_has_memory(u->mock)) {
		poke(test, b.addr, 5);
		KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, b.addr), 5);
	}
	unmap(u, &b);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), 0);
}

static int touch(u64 addr)
{
	u32 value;

	return copy_from_user(&value, u64_to_user_ptr(addr), sizeof(value)) ? -EFAULT : 0;
}

/* Removal zaps the user mappings. */
static void unplugged(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 1);

	need_memory(u);
	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	KUNIT_EXPECT_EQ(test, touch(b.addr), 0);
	virtgpu_mock_unplug(u->mock);
	KUNIT_EXPECT_EQ(test, touch(b.addr), -EFAULT);
}

/* A suspend destroys the blobs on the host. */
static void host_visible_stale(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0), *other;
	struct blob b = new_blob(u, PAGES), next;

	KUNIT_ASSERT_EQ(test, map(u, &b), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	KUNIT_EXPECT_EQ(test, touch(b.addr), -EFAULT);
	KUNIT_EXPECT_EQ(test, map(u, &b), -EIO);
	/* The region is free for other blobs. */
	other = test_client_open(test, u->mock);
	next = new_blob(other, PAGES);
	KUNIT_EXPECT_EQ(test, map(other, &next), 0);
}

/* The UUID of a blob that a reset has destroyed is not handed out any more. */
static void uuid_stale(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct blob b = new_blob(u, 1);
	struct dma_buf *dma_buf;
	uuid_t uuid;

	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, b.handle, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), 0);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_ASSIGN_UUID)), 1);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), -EIO);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), -EIO);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(RESOURCE_ASSIGN_UUID)), 1);
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

/*
 * Other devices
 */

static const struct dma_buf_attach_ops peer_ops = { .allow_peer2peer = true };
static const struct dma_buf_attach_ops ram_ops = { };

/* A blob stays mapped while another device is attached. */
static void shared(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct device *dev = kunit_device_register(test, "virtgpu-test-peer");
	struct blob b = new_blob(u, PAGES), other = new_blob(u, PAGES);
	struct dma_buf_attachment *attach;
	struct dma_buf *dma_buf;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, b.handle, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	/* Attaching needs peer-to-peer DMA. */
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_dynamic_attach(dma_buf, dev, &ram_ops, u)),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), 0);

	attach = dma_buf_dynamic_attach(dma_buf, dev, &peer_ops, u);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_TRUE(test, is_mapped(u, &b));
	KUNIT_EXPECT_EQ(test, map(u, &other), -ENOSPC);
	dma_buf_detach(dma_buf, attach);
	KUNIT_EXPECT_EQ(test, map(u, &other), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped(u, &b));
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

/*
 * A virtio device that attaches without peer-to-peer DMA gets the UUID, and no
 * addresses.
 */
static void shared_uuid(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, 4, 0, 0);
	struct device *peer = kunit_device_register(test, "virtgpu-test-peer");
	struct blob b = new_blob(u, PAGES);
	struct dma_buf_attachment *attach;
	struct dma_buf *dma_buf;
	struct scatterlist *sg;
	struct sg_table *sgt;
	uuid_t uuid;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, peer);
	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, b.handle, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dma_buf_attach(dma_buf, peer)), -EOPNOTSUPP);

	attach = dma_buf_attach(dma_buf, &u->mock->vdev.dev);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(attach), 0);
	if (!IS_ERR(attach)) {
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(sgt), 0);
		if (!IS_ERR(sgt)) {
			for_each_sgtable_dma_sg(sgt, sg, i)
				KUNIT_EXPECT_EQ(test, sg_dma_len(sg), 0);
			dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
		}
		KUNIT_EXPECT_EQ(test, virtio_dma_buf_get_uuid(dma_buf, &uuid), 0);
		KUNIT_EXPECT_EQ(test, virtgpu_mock_mappings(u->mock), 0);
		dma_buf_detach(dma_buf, attach);
	}
	dma_buf_put(dma_buf);
	flush_delayed_fput();
}

static struct kunit_case host_visible_tests[] = {
	KUNIT_CASE(contents),
	KUNIT_CASE(host_visible_part),
	KUNIT_CASE(map_early),
	KUNIT_CASE_SLOW(map_pending),
	KUNIT_CASE(map_all_pages),
	KUNIT_CASE(host_visible_kept),
	KUNIT_CASE(evicts_lru),
	KUNIT_CASE(turns),
	KUNIT_CASE(host_visible_full),
	KUNIT_CASE(too_small),
	KUNIT_CASE(fragmented),
	KUNIT_CASE_SLOW(unmap_late),
	KUNIT_CASE_SLOW(remap),
	KUNIT_CASE_SLOW(map_late),
	KUNIT_CASE_SLOW(freed_early),
	KUNIT_CASE(map_rejected),
	KUNIT_CASE(unmap_rejected),
	KUNIT_CASE_SLOW(unmap_unmapped),
	KUNIT_CASE(malformed),
	KUNIT_CASE(creation_rejected),
	KUNIT_CASE_PARAM(host_visible_blob, blob_case_gen_params),
	KUNIT_CASE(host_visible_none),
	KUNIT_CASE(aligned),
	KUNIT_CASE(outlives_handle),
	KUNIT_CASE(unplugged),
	KUNIT_CASE(host_visible_stale),
	KUNIT_CASE(uuid_stale),
	KUNIT_CASE(shared),
	KUNIT_CASE(shared_uuid),
	{}
};

static struct kunit_suite host_visible_suite = {
	.name = "virtio_gpu_host_visible",
	.test_cases = host_visible_tests,
};

kunit_test_suite(host_visible_suite);
