// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/vmalloc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "virtgpu_mock.h"
#include "virtgpu_test_client.h"

/* Buffers of DRM drivers that have no scatter list for others, only a kernel mapping. */

#define W 64
#define H 48
#define SIZE (W * H * 4)

static bool uses_dma(const struct virtgpu_test_client *u)
{
	return virtgpu_mock_has(u->mock, VIRTIO_F_ACCESS_PLATFORM);
}

struct plain {
	struct drm_gem_object base;
	void *memory;
	unsigned int pins;
	unsigned int maps;
	int pin_error;
	bool *freed;
};

static struct plain *to_plain(struct drm_gem_object *obj)
{
	return container_of(obj, struct plain, base);
}

static int plain_pin(struct drm_gem_object *obj)
{
	dma_resv_assert_held(obj->resv);
	if (!to_plain(obj)->pin_error)
		to_plain(obj)->pins++;

	return to_plain(obj)->pin_error;
}

static void plain_unpin(struct drm_gem_object *obj)
{
	dma_resv_assert_held(obj->resv);
	to_plain(obj)->pins--;
}

static int plain_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	iosys_map_set_vaddr(map, to_plain(obj)->memory);
	to_plain(obj)->maps++;

	return 0;
}

static void plain_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	to_plain(obj)->maps--;
}

static void plain_free(struct drm_gem_object *obj)
{
	struct plain *p = to_plain(obj);

	*p->freed = !p->pins && !p->maps;
	drm_gem_object_release(obj);
	vfree(p->memory);
	kfree(p);
}

static const struct drm_gem_object_funcs plain_funcs = {
	.free = plain_free,
	.pin = plain_pin,
	.unpin = plain_unpin,
	.vmap = plain_vmap,
	.vunmap = plain_vunmap,
};

/* A buffer of the DRM device @dev's, exported. */
static struct dma_buf *export_plain(struct kunit *test, struct drm_device *dev, struct plain **p,
				    bool *freed)
{
	struct dma_buf *dma_buf;

	*p = kzalloc_obj(**p);
	KUNIT_ASSERT_NOT_NULL(test, *p);
	(*p)->memory = vzalloc(SIZE);
	(*p)->freed = freed;
	(*p)->base.funcs = &plain_funcs;
	drm_gem_private_object_init(dev, &(*p)->base, SIZE);
	dma_buf = drm_gem_prime_export(&(*p)->base, O_RDWR);
	drm_gem_object_put(&(*p)->base);
	KUNIT_ASSERT_NOT_NULL(test, (*p)->memory);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);

	return dma_buf;
}

static void import(struct kunit *test)
{
	struct virtgpu_test_client *from = test_client_start(test, &virtgpu_test_configs[0], 1);
	struct virtgpu_test_client *u = test_client_start(test, test->param_value, 1);
	struct drm_framebuffer *fb;
	struct dma_buf *dma_buf, *again;
	bool freed = false;
	struct plain *p;
	u32 handle;

	dma_buf = export_plain(test, from->drm, &p, &freed);
	/* Such a mapping says nothing about a device's own addresses. */
	if (uses_dma(u)) {
		KUNIT_EXPECT_LT(test, test_client_import(u, dma_buf, &handle), 0);
		goto put;
	}

	p->pin_error = -EBUSY;
	KUNIT_EXPECT_EQ(test, test_client_import(u, dma_buf, &handle), -EBUSY);
	p->pin_error = 0;
	KUNIT_ASSERT_EQ(test, test_client_import(u, dma_buf, &handle), 0);
	KUNIT_EXPECT_EQ(test, p->pins, 1);
	KUNIT_EXPECT_EQ(test, p->maps, 1);
	fb = test_client_fb(u, handle, W, H, W * 4, 0);
	test_client_fill_pattern(u, fb, 1);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, fb), 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_matches(u, 0, 1, 0, 0, W, H));

	/* It is the other driver's buffer still, for whoever is next. */
	again = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, handle, 0);
	KUNIT_EXPECT_PTR_EQ(test, again, dma_buf);
	dma_buf_put(again);
	test_client_rmfb(u, fb);
	test_client_drop(u, handle);
put:
	dma_buf_put(dma_buf);
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(READ_ONCE(freed)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
}

static struct kunit_case plain_tests[] = {
	KUNIT_CASE_PARAM(import, virtgpu_test_config_gen_params),
	{}
};

static struct kunit_suite plain_suite = {
	.name = "virtio_gpu_uapi_2d",
	.test_cases = plain_tests,
};

kunit_test_suite(plain_suite);
