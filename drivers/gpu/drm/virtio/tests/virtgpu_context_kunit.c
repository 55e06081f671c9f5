// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "virtgpu_device.h"
#include "virtgpu_file.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_test_render.h"
#include "virtgpu_test_client.h"

/* Capability sets, contexts, attached resources and 3D transfers. */

#define SIZE 8192
#define W 64
#define H 48

/*
 * Capability sets
 */

#define SETS_MAX 5

#define VIRGL VIRTIO_GPU_CAPSET_VIRGL
#define VIRGL2 VIRTIO_GPU_CAPSET_VIRGL2
#define VENUS VIRTIO_GPU_CAPSET_VENUS
#define CROSS_DOMAIN VIRTIO_GPU_CAPSET_CROSS_DOMAIN
#define NATIVE VIRTIO_GPU_CAPSET_DRM
/* The mock device does not have GFXSTREAM_VULKAN. */
#define MISSING 3

struct capset_case {
	const char *name;
	struct virtgpu_mock_capset list[SETS_MAX];
	u32 count;
	u64 ids;
};

static const struct capset_case capset_cases[] = {
	{ "none", { }, 0, 0 },
	{ "virgl", { { VIRGL, 1, 308 } }, 1, BIT_ULL(VIRGL) },
	{ "native contexts", { { NATIVE, 0, 72 } }, 1, BIT_ULL(NATIVE) },
	{ "all", { { VIRGL, 1, 308 }, { VIRGL2, 2, 1384 }, { VENUS, 0, 160 },
	  { CROSS_DOMAIN, 0, 16 }, { NATIVE, 0, 72 } }, 5,
	  BIT_ULL(VIRGL) | BIT_ULL(VIRGL2) | BIT_ULL(VENUS) | BIT_ULL(CROSS_DOMAIN) |
	  BIT_ULL(NATIVE) },
	{ "highest ID", { { VIRTGPU_CAPSET_MAX, 0, 16 } }, 1, BIT_ULL(VIRTGPU_CAPSET_MAX) },
	{ "ID beyond the mask", { { VIRTGPU_CAPSET_MAX + 1, 0, 16 }, { VIRGL, 1, 308 } }, 2,
	  BIT_ULL(VIRGL) },
	{ "huge IDs", { { 0x80000001, 0, 16 }, { U32_MAX, 0, 16 } }, 2, 0 },
	{ "padded with zeroes", { { }, { VENUS, 0, 160 }, { } }, 3, BIT_ULL(VENUS) },
	{ "repeated ID", { { VIRGL2, 1, 16 }, { VIRGL2, 2, 16 } }, 2, BIT_ULL(VIRGL2) },
};

KUNIT_ARRAY_PARAM_DESC(capset_case, capset_cases, name);

/* The sets of virtgpu_mock_capsets. */
#define ALL_SETS (BIT(VIRGL) | BIT(VIRGL2) | BIT(VENUS) | BIT(NATIVE))

static u32 supported(struct virtgpu_test_client *u)
{
	struct drm_virtgpu_getparam args = {
		.param = VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs,
		.value = test_client_memory(u->test, NULL, sizeof(u32)),
	};

	KUNIT_EXPECT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_GETPARAM, &args), 0);

	return virtgpu_render_peek(u->test, args.value);
}

static void capset_ids(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	const struct capset_case *s = test->param_value;
	struct virtgpu_test_client *u;
	u64 ids;

	config.capsets = s->list;
	config.capset_count = s->count;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	KUNIT_EXPECT_EQ(test, virtgpu_capsets_ids(&to_virtgpu(u->drm)->capsets, &ids), 0);
	KUNIT_EXPECT_EQ(test, ids, s->ids);
	KUNIT_EXPECT_EQ(test, supported(u), (u32)s->ids);
	/* Valid sets are not queried again. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(GET_CAPSET_INFO)), s->count);
}

/* A rejected query affects one set only, and is repeated by the next caller. */
static void capset_query_rejected(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(GET_CAPSET_INFO), .skip = 2, .error = VIRTIO_GPU_RESP_ERR_UNSPEC,
		.times = 2,
	};
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct virtgpu_mock *m = virtgpu_mock_create(test, &config);
	struct virtgpu_test_client *u;

	virtgpu_mock_rule(m, &rule);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	u = test_client_open(test, m);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(u, VIRTIO_GPU_CAPSET_VIRGL2, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, supported(u), ALL_SETS);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_CAPSET_INFO)), 6);
}

/* Sets with responses are usable while another query is pending. */
static void capset_late(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(GET_CAPSET_INFO), .skip = 3, .hold = true,
	};
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct virtgpu_mock *m = virtgpu_mock_create(test, &config);
	struct virtgpu_test_client *u;

	virtgpu_mock_rule(m, &rule);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	u = test_client_open(test, m);
	KUNIT_EXPECT_EQ(test, supported(u), ALL_SETS & ~BIT(NATIVE));
	/* A query that the host skipped is repeated. */
	virtgpu_mock_clear_rules(m);
	KUNIT_EXPECT_EQ(test, supported(u), ALL_SETS);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_CAPSET_INFO)), 5);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, 0), 1);
	KUNIT_EXPECT_EQ(test, supported(u), ALL_SETS);
}

static int get_caps(struct virtgpu_test_client *u, u32 id, u32 version, u64 addr, u32 size)
{
	struct drm_virtgpu_get_caps args = {
		.cap_set_id = id, .cap_set_ver = version, .addr = addr, .size = size,
	};

	return test_client_ioctl(u, DRM_VIRTGPU_GET_CAPS, &args);
}

static void expect_set(struct kunit *test, u64 addr, u32 id, u32 size, u32 filler)
{
	u32 i;

	for (i = 0; i < size; i += 4)
		KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, addr + i),
				0x03020100 + 0x01010101 * ((id + i) & 0xff));
	KUNIT_EXPECT_EQ(test, virtgpu_render_peek(test, addr + size), filler);
}

/* GET_CAPS copies at most the size of the set, and caches one version. */
static void capset_contents(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));
	u64 addr = test_client_memory(test, NULL, PAGE_SIZE);

	KUNIT_EXPECT_EQ(test, get_caps(u, NATIVE, 0, addr, PAGE_SIZE), 0);
	expect_set(test, addr, NATIVE, 72, 0);
	KUNIT_EXPECT_EQ(test, get_caps(u, VENUS, 0, addr, 32), 0);
	expect_set(test, addr, VENUS, 32, 0x29282726);
	KUNIT_EXPECT_EQ(test, get_caps(u, VENUS, 0, addr, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(GET_CAPSET)), 2);
	KUNIT_EXPECT_EQ(test, get_caps(u, VIRGL2, 1, addr, 8), 0);
	KUNIT_EXPECT_EQ(test, get_caps(u, VIRGL2, 2, addr, 8), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(GET_CAPSET)), 4);

	KUNIT_EXPECT_EQ(test, get_caps(u, VIRGL2, 3, addr, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_caps(u, MISSING, 0, addr, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_caps(u, 0, 0, addr, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_caps(u, 64 + NATIVE, 0, addr, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_caps(u, NATIVE, 0, addr, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_caps(u, NATIVE, 0, 0, 8), -EFAULT);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(GET_CAPSET)), 4);
}

/* An error of GET_CAPSET is returned once and not cached. */
static void capset_contents_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));
	u64 addr = test_client_memory(test, NULL, PAGE_SIZE);

	virtgpu_mock_reject(u->mock, CMD(GET_CAPSET), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	KUNIT_EXPECT_EQ(test, get_caps(u, NATIVE, 0, addr, 72), -ENOMEM);
	virtgpu_mock_clear_rules(u->mock);
	KUNIT_EXPECT_EQ(test, get_caps(u, NATIVE, 0, addr, 72), 0);
	expect_set(test, addr, NATIVE, 72, 0);
}

/*
 * Contexts
 */

#define CAPSET VIRTGPU_CONTEXT_PARAM_CAPSET_ID
#define RINGS VIRTGPU_CONTEXT_PARAM_NUM_RINGS
#define POLLED VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK
#define NAME VIRTGPU_CONTEXT_PARAM_DEBUG_NAME

struct init_case {
	const char *name;
	struct drm_virtgpu_context_set_param params[5];
	u32 count;
	int ret;
};

static const struct init_case init_cases[] = {
	{ "no parameters", { }, 0, 0 },
	{ "capset", { { CAPSET, NATIVE } }, 1, 0 },
	{ "missing capset", { { CAPSET, MISSING } }, 1, -EINVAL },
	{ "highest capset", { { CAPSET, VIRTGPU_CAPSET_MAX } }, 1, -EINVAL },
	{ "capset beyond the mask", { { CAPSET, VIRTGPU_CAPSET_MAX + 1 } }, 1, -EINVAL },
	{ "capset wraps at 64", { { CAPSET, 64 + NATIVE } }, 1, -EINVAL },
	{ "capset wraps at 2^32", { { CAPSET, BIT_ULL(32) + NATIVE } }, 1, -EINVAL },
	{ "capset repeated", { { CAPSET, NATIVE }, { CAPSET, NATIVE } }, 2, -EINVAL },
	{ "no rings", { { RINGS, 0 } }, 1, 0 },
	{ "64 rings", { { RINGS, 64 }, { POLLED, ~0ull } }, 2, 0 },
	{ "65 rings", { { RINGS, 65 } }, 1, -EINVAL },
	{ "2^32 rings", { { RINGS, BIT_ULL(32) } }, 1, -EINVAL },
	{ "all rings polled", { { POLLED, 3 }, { RINGS, 2 } }, 2, 0 },
	{ "missing ring polled", { { RINGS, 2 }, { POLLED, 4 } }, 2, -EINVAL },
	{ "ring 63 of 63 polled", { { RINGS, 63 }, { POLLED, BIT_ULL(63) } }, 2, -EINVAL },
	{ "polled without rings", { { POLLED, 1 } }, 1, -EINVAL },
	{ "name at a bad address", { { NAME, 16 } }, 1, -EFAULT },
	{ "parameter 0", { { 0, 0 } }, 1, -EINVAL },
	{ "parameter 5", { { 5, 0 } }, 1, -EINVAL },
	{ "five parameters", { { RINGS, 1 } }, 5, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(init_case, init_cases, name);

static void context_params(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));
	const struct init_case *i = test->param_value;
	struct drm_virtgpu_context_init args = {
		.num_params = i->count,
		.ctx_set_params = test_client_memory(test, i->params, sizeof(i->params)),
	};

	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_CONTEXT_INIT, &args), i->ret);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(u->mock), i->ret ? 0 : 1);
	/* A failed call does not prevent the next; a second context does. */
	args.num_params = 0;
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_CONTEXT_INIT, &args),
			i->ret ? 0 : -EEXIST);
}

/* Capability set and truncated name in CTX_CREATE. */
static void context_wire(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));
	char name[100] = "";
	struct drm_virtgpu_context_set_param params[] = { { CAPSET, VENUS }, { NAME } };
	struct drm_virtgpu_context_init args = { .num_params = ARRAY_SIZE(params) };
	struct virtgpu_mock_context ctx;

	memset(name, 'n', sizeof(name) - 1);
	params[1].value = test_client_memory(test, name, sizeof(name));
	args.ctx_set_params = test_client_memory(test, params, sizeof(params));
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_CONTEXT_INIT, &args), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_context(u->mock, virtgpu_render_context(u), &ctx));
	KUNIT_EXPECT_EQ(test, ctx.capset, VENUS);
	/*
	 * The wire format is_attached 64 bytes; the last is the terminating
	 * zero.
	 */
	name[63] = 0;
	KUNIT_EXPECT_STREQ(test, ctx.name, name);
}

/* The first submission creates a default context named after the thread. */
static void context_default(struct kunit *test)
{
	struct virtgpu_test_client *u = test_client_open(test, virtgpu_render_host(test));
	struct drm_virtgpu_execbuffer args = { };
	struct virtgpu_mock_context ctx;

	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(u->mock), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_context(u->mock, virtgpu_render_context(u), &ctx));
	KUNIT_EXPECT_EQ(test, ctx.capset, 0);
	KUNIT_EXPECT_STREQ(test, ctx.name, current->comm);
	KUNIT_EXPECT_EQ(test, ctx.submits, 1);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(u, NATIVE, 1, 0), -EEXIST);
}

/* Without VIRTIO_GPU_F_CONTEXT_INIT there are only default contexts. */
static void no_context_init(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct drm_virtgpu_execbuffer args = { };
	struct virtgpu_test_client *u;

	config.features &= ~BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT);
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(u, VIRGL, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(u->mock), 1);
}

/* A context that the host rejected fails submissions; other contexts work. */
static void create_rejected(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(CTX_CREATE), .times = 1, .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
	};
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct virtgpu_test_client *other = test_client_open(test, m);
	struct drm_virtgpu_execbuffer args = { };

	virtgpu_mock_rule(m, &rule);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(u, NATIVE, 1, 0), 0);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(SUBMIT_3D)), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(other, NATIVE, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(other, &args, NULL, 0), 0);
	test_client_close(u);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(CTX_DESTROY)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(m), 1);
}

/* A context ID is not reused before CTX_DESTROY completes, nor soon after. */
static void context_id_reuse(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_test_client *u[3];
	unsigned int i;
	u32 first;

	for (i = 0; i < 2; i++) {
		u[i] = test_client_open(test, m);
		KUNIT_ASSERT_EQ(test, virtgpu_render_init(u[i], NATIVE, 1, 0), 0);
	}
	first = virtgpu_render_context(u[0]);
	KUNIT_EXPECT_NE(test, virtgpu_render_context(u[1]), first);

	virtgpu_mock_hold(m, CMD(CTX_DESTROY));
	test_client_close(u[0]);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(m, 0)));
	u[2] = test_client_open(test, m);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u[2], NATIVE, 1, 0), 0);
	KUNIT_EXPECT_NE(test, virtgpu_render_context(u[2]), first);

	virtgpu_mock_release(m, 0);
	u[0] = test_client_open(test, m);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u[0], NATIVE, 1, 0), 0);
	KUNIT_EXPECT_GT(test, virtgpu_render_context(u[0]), virtgpu_render_context(u[2]));

	/* All other IDs were used. */
	atomic_set(&virtgpu_mock_vgdev(m)->contexts.ids.last, 0);
	test_client_close(u[0]);
	u[0] = test_client_open(test, m);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u[0], NATIVE, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_context(u[0]), first);
}

/* Closing the file destroys the context; pending submissions still complete. */
static void close_while_pending(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, NATIVE, 1, 0);
	struct virtgpu_mock *m = u->mock;
	struct dma_fence *fence;

	virtgpu_mock_hold(m, CMD(SUBMIT_3D));
	fence = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(m);
	test_client_close(u);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(m), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(CTX_DESTROY)), 1);
	virtgpu_mock_ticks(m, 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, 0), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

/* The fence of a poll is cancelled if its context was destroyed. */
static void poll_abandoned(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, NATIVE, 1, 1), *other;
	struct virtgpu_mock_rule rule = { .type = CMD(SUBMIT_3D), .hold = true, .times = 1 };
	struct virtgpu_mock *m = u->mock;
	struct dma_fence *fence;

	virtgpu_mock_rule(m, &rule);
	fence = virtgpu_render_fence(u, 0);
	virtgpu_mock_wait_idle(m);
	test_client_close(u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_contexts(m)));
	virtgpu_mock_ticks(m, VIRTGPU_MOCK_TEN_MINUTES);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	dma_fence_put(fence);
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(&virtgpu_mock_vgdev(m)->ctrl));

	/* The abandoned poll does not block other contexts. */
	other = test_client_open(test, m);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(other, NATIVE, 1, 0), 0);
	fence = virtgpu_render_fence(other, 0);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, HZ), 0);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, 0), 1);
}

/* Error of the context as seen from a fence callback. */
struct lost_cb {
	struct dma_fence_cb cb;
	struct virtgpu_context *ctx;
	int error;
};

static void lost_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct lost_cb *seen = container_of(cb, struct lost_cb, cb);

	seen->error = virtgpu_context_error(seen->ctx);
}

/* Contexts are marked as lost before their fences signal. */
static void lost_before_fences(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, NATIVE, 1, 0);
	struct drm_virtgpu_execbuffer args = { };
	struct lost_cb seen = { };
	struct virtgpu_mock *m = u->mock;
	struct dma_fence *fence;

	virtgpu_mock_hold(m, CMD(SUBMIT_3D));
	fence = virtgpu_render_fence(u, 0);
	seen.ctx = virtgpu_file_context(u->file);
	KUNIT_ASSERT_FALSE(test, IS_ERR(seen.ctx));
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &seen.cb, lost_cb_func), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(m), 0);
	KUNIT_EXPECT_EQ(test, seen.error, -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(m), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), -EIO);
	dma_fence_put(fence);
}

/* A suspend loses contexts: their ioctls fail, and new contexts work. */
static void context_lost(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, NATIVE, 1, 0), *other;
	struct drm_virtgpu_execbuffer args = { };
	struct virtgpu_mock *m = u->mock;

	virtgpu_mock_wait_idle(m);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(m), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(m), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), -EIO);
	other = test_client_open(test, m);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(other, NATIVE, 1, 0), 0);
	/* The lost context keeps its ID. */
	KUNIT_EXPECT_NE(test, virtgpu_render_context(other), virtgpu_render_context(u));
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(other, &args, NULL, 0), 0);
	test_client_close(u);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(m), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(CTX_DESTROY)), 0);
}

/* A lost 3D framebuffer disables its scanout; other outputs are restored. */
static void lost_shown(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct drm_framebuffer *drawn, *plain;
	struct virtgpu_test_client *u;
	u32 handle;

	config.scanouts = 2;
	u = test_client_open(test, virtgpu_mock_start(test, &config));
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, VIRTIO_GPU_CAPSET_VIRGL2, 0, 0), 0);
	handle = virtgpu_render_texture(u, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, W, H);
	drawn = test_client_fb(u, handle, W, H, W * 4, 0);
	plain = test_client_new_fb(u, W, H);
	test_client_fill_pattern(u, plain, 7);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, drawn), 0);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 1, plain), 0);
	KUNIT_EXPECT_NE(test, u->mock->state.scanouts[0].resource, 0);

	KUNIT_ASSERT_EQ(test, virtgpu_mock_suspend(u->mock), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_resume(u->mock), 0);
	KUNIT_EXPECT_EQ(test, u->mock->state.scanouts[0].resource, 0);
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 1, 7, W, H));

	/* The CRTC is still enabled: a flip to another framebuffer works. */
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, drawn), -EIO);
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, plain), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 7, W, H));
}

/*
 * A commit that keeps a buffer does not fail because the host has rejected the
 * buffer meanwhile; a commit that sets it does.
 */
static void rejected_shown(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(RESOURCE_CREATE_3D), .error = VIRTIO_GPU_RESP_ERR_UNSPEC,
	};
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRTIO_GPU_CAPSET_VIRGL2, 0, 0);
	struct drm_framebuffer *plain = test_client_new_fb(u, W, H), *drawn, *cursor;
	u32 handle;

	test_client_fill_pattern(u, plain, 7);
	KUNIT_ASSERT_EQ(test, test_client_show(u, 0, plain), 0);
	virtgpu_mock_rule(u->mock, &rule);
	virtgpu_mock_freeze(u->mock);
	handle = virtgpu_render_texture(u, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, W, H);
	drawn = test_client_fb(u, handle, W, H, W * 4, 0);
	handle = virtgpu_render_texture(u, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64);
	cursor = test_client_cursor_fb(u, handle, 64, 64);
	KUNIT_ASSERT_EQ(test, test_client_flip(u, 0, drawn), 0);
	/* This commit waits for the creation, and for the flip. */
	virtgpu_mock_thaw_later(u->mock);
	KUNIT_ASSERT_EQ(test, test_client_cursor(u, 0, cursor, 1, 1), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 1));
	virtgpu_mock_wait_idle(u->mock);

	/* A modeset includes the cursor plane and the primary plane. */
	KUNIT_EXPECT_EQ(test, test_client_set_active(u, 0, false), 0);
	KUNIT_EXPECT_EQ(test, test_client_set_active(u, 0, true), 0);
	KUNIT_EXPECT_EQ(test, u->mock->state.scanouts[0].resource, 0);
	KUNIT_EXPECT_EQ(test, test_client_cursor(u, 0, cursor, 2, 2), 0);
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, drawn), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 2));

	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, plain), 0);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(test_client_flips(u, 0) == 3));
	KUNIT_EXPECT_TRUE(test, test_client_scanout_is(u, 0, 7, W, H));
	KUNIT_EXPECT_EQ(test, test_client_flip(u, 0, drawn), -EIO);
	KUNIT_EXPECT_EQ(test, test_client_show(u, 0, NULL), 0);
}

/* Pending fences signal with -ENODEV when the device is unplugged. */
static void unplug(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, NATIVE, 2, 3);
	struct drm_virtgpu_execbuffer args = { };
	struct dma_fence *fence[2];
	unsigned int i;

	virtgpu_mock_hold(u->mock, CMD(SUBMIT_3D));
	for (i = 0; i < 2; i++)
		fence[i] = virtgpu_render_fence(u, i);
	virtgpu_mock_wait_idle(u->mock);
	virtgpu_mock_unplug(u->mock);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), -ENODEV);
		dma_fence_put(fence[i]);
	}
	KUNIT_EXPECT_EQ(test, test_client_signals(u), 2);
	KUNIT_EXPECT_LT(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
}

/*
 * Attached resources and transfers
 */

static bool is_attached(struct virtgpu_test_client *u, u32 resource)
{
	virtgpu_mock_wait_idle(u->mock);

	return virtgpu_mock_attached(u->mock, virtgpu_render_context(u), resource);
}

/* A resource is attached from its first handle to its last. */
static void attach_handles(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	u32 resource, handle = virtgpu_render_buffer(u, SIZE, &resource), second;

	KUNIT_EXPECT_TRUE(test, is_attached(u, resource));
	KUNIT_ASSERT_EQ(test, drm_gem_handle_create(u->file, test_client_object(u, handle),
						    &second),
			0);
	test_client_drop(u, handle);
	KUNIT_EXPECT_TRUE(test, is_attached(u, resource));
	test_client_drop(u, second);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(CTX_ATTACH_RESOURCE)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(CTX_DETACH_RESOURCE)), 1);
}

/* A shared buffer is attached to both contexts, whichever is created first. */
static void attach_shared(struct kunit *test, bool context_first)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	struct virtgpu_test_client *other = test_client_open(test, u->mock);
	u32 resource, handle = virtgpu_render_buffer(u, SIZE, &resource), theirs;

	if (context_first)
		KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, VIRGL2, 0, 0), 0);
	KUNIT_ASSERT_EQ(test, drm_gem_handle_create(other->file, test_client_object(u, handle),
						    &theirs), 0);
	if (!context_first)
		KUNIT_ASSERT_EQ(test, virtgpu_render_init(other, VIRGL2, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, is_attached(u, resource));
	KUNIT_EXPECT_TRUE(test, is_attached(other, resource));

	/* The creator closes its file; the other file keeps the buffer. */
	test_client_drop(u, handle);
	KUNIT_EXPECT_TRUE(test, is_attached(other, resource));
	test_client_close(u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_contexts(other->mock) == 1));
	KUNIT_EXPECT_TRUE(test, is_attached(other, resource));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_resources(other->mock), 1);
}

static void attach_shared_first(struct kunit *test)
{
	attach_shared(test, false);
}

static void attach_shared_last(struct kunit *test)
{
	attach_shared(test, true);
}

/* RESOURCE_INFO creates the resource of a dumb buffer and attaches it. */
static void attach_dumb(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	struct drm_virtgpu_resource_info info = { };

	info.bo_handle = test_client_dumb(u, 64, 48);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(CTX_ATTACH_RESOURCE)), 0);
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_NE(test, info.res_handle, 0);
	KUNIT_EXPECT_TRUE(test, is_attached(u, info.res_handle));
	KUNIT_ASSERT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	test_client_drop(u, info.bo_handle);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(CTX_ATTACH_RESOURCE)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(CTX_DETACH_RESOURCE)), 1);
}

/*
 * A new buffer is busy until the host has its memory, without
 * VIRTIO_GPU_FLAG_FENCE, which would wait for the rendering before.
 */
static void create_fence(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	struct drm_virtgpu_3d_wait wait = { .flags = VIRTGPU_WAIT_NOWAIT };
	u32 resource;

	virtgpu_mock_hold(u->mock, CMD(RESOURCE_ATTACH_BACKING));
	wait.handle = virtgpu_render_buffer(u, SIZE, &resource);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_held(u->mock, 0) == 1));
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), -EBUSY);
	KUNIT_EXPECT_EQ(test, u->mock->host.rings[0].last_fence, 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(u->mock, 0), 1);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait), 0);
}

struct import_case {
	const char *name;
	bool render_node;
	bool context;
	u32 capset;
	int ret;
	bool has_resource;
};

static const struct import_case import_cases[] = {
	{ "no context", false, false, 0, 0, false },
	{ "render node, no context", true, false, 0, -ENODEV },
	{ "virgl", false, true, VIRGL, 0, false },
	{ "virgl2", false, true, VIRGL2, 0, false },
	{ "render node, virgl2", true, true, VIRGL2, -ENODEV },
	{ "native", false, true, NATIVE, 0, true },
	{ "render node, native", true, true, NATIVE, 0, true },
};

KUNIT_ARRAY_PARAM_DESC(import_case, import_cases, name);

/*
 * Virgl contexts cannot use imports, so a render node gets no handle.  The
 * primary node imports for display.  RESOURCE_INFO pins an import for a native
 * context.
 */
static void attach_import(struct kunit *test)
{
	const struct import_case *s = test->param_value;
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct virtgpu_test_client *u = s->render_node ? test_client_open_render(test, m) :
							 test_client_open(test, m);
	struct drm_virtgpu_resource_info info = { };

	if (s->context)
		KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, s->capset, 0, 0), 0);
	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &info.bo_handle), s->ret);
	if (s->ret) {
		KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(b->attachments)));
		return;
	}
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info),
			s->has_resource ? 0 : -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, info.res_handle != 0, s->has_resource);
	KUNIT_EXPECT_EQ(test, READ_ONCE(b->pins), s->has_resource);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(RESOURCE_CREATE_BLOB)), s->has_resource);
	if (s->has_resource) {
		KUNIT_EXPECT_EQ(test, info.blob_mem, VIRTGPU_BLOB_MEM_GUEST);
		KUNIT_EXPECT_TRUE(test, is_attached(u, info.res_handle));
		KUNIT_EXPECT_EQ(test, virtgpu_mock_buffer_move(b), -EBUSY);
	}
	test_client_drop(u, info.bo_handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!READ_ONCE(b->pins)));
}

/* RESOURCE_INFO fails if the virgl context is newer than the import. */
static void attach_import_first(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_render_host(test);
	struct virtgpu_mock_buffer *b = virtgpu_mock_buffer_create(test, m, VIRTGPU_MOCK_DYNAMIC,
								   SIZE);
	struct virtgpu_test_client *u = test_client_open(test, m);
	struct drm_virtgpu_resource_info info = { };

	KUNIT_ASSERT_EQ(test, test_client_import(u, b->dma_buf, &info.bo_handle), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(u, VIRGL2, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, READ_ONCE(b->pins), 0);
}

/* A rejected CTX_ATTACH_RESOURCE is logged, and submissions still work. */
static void attach_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	struct drm_virtgpu_execbuffer args = { };
	u32 resource, handle;

	virtgpu_mock_reject(u->mock, CMD(CTX_ATTACH_RESOURCE), VIRTIO_GPU_RESP_ERR_UNSPEC);
	handle = virtgpu_render_buffer(u, SIZE, &resource);
	KUNIT_EXPECT_FALSE(test, is_attached(u, resource));
	virtgpu_mock_clear_rules(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_render_submit(u, &args, NULL, 0), 0);
	test_client_drop(u, handle);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(u->mock)));
}

static int transfer(struct virtgpu_test_client *u, unsigned int nr, u32 handle, u32 x, u32 w,
		    u32 stride)
{
	/* The arguments of both directions have the same layout. */
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = handle, .box = { .x = x, .w = w, .h = 1, .d = 1 }, .offset = x,
		.stride = stride,
	};
	struct drm_virtgpu_3d_wait wait = { .handle = handle };
	int ret = test_client_ioctl(u, nr, &args);

	return ret ?: test_client_ioctl(u, DRM_VIRTGPU_WAIT, &wait);
}

/* Copy to the host, clear the buffer, and copy half of it back. */
static void transfer_both_ways(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	u32 resource, handle = virtgpu_render_buffer(u, SIZE, &resource), i;
	struct drm_gem_object *obj = test_client_object(u, handle);
	struct iosys_map map;

	KUNIT_ASSERT_EQ(test, drm_gem_vmap(obj, &map), 0);
	for (i = 0; i < SIZE; i += 4)
		iosys_map_wr(&map, i, u32, i + 1);
	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, handle, 0, SIZE, 0), 0);
	iosys_map_memset(&map, 0, 0, SIZE);
	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_FROM_HOST, handle, 4096, 4096, 0),
			0);
	KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, 4092, u32), 0);
	for (i = 4096; i < SIZE; i += 4)
		KUNIT_EXPECT_EQ(test, iosys_map_rd(&map, i, u32), i + 1);
	drm_gem_vunmap(obj, &map);

	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, handle, 0, 4, 4), -EINVAL);
	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_FROM_HOST, handle + 1, 0, 4, 0),
			-ENOENT);
}

/* A rejected transfer does not prevent the next. */
static void transfer_rejected(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	u32 resource, handle = virtgpu_render_buffer(u, SIZE, &resource);

	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, handle, SIZE, 4, 0), 0);
	KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, handle, 0, 4, 0), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(u->mock, CMD(TRANSFER_TO_HOST_3D)), 2);
}

/* The memory of a dumb buffer is all there is of it until it is shown. */
static void transfer_dumb(struct kunit *test)
{
	struct virtgpu_test_client *u = virtgpu_render_start(test, VIRGL, 0, 0);
	struct drm_virtgpu_resource_info info = { .bo_handle = test_client_dumb(u, 64, 64) };
	unsigned int i;

	/* Without a resource, and with one. */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, info.bo_handle, 0,
					       4, 0), 0);
		KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_FROM_HOST, info.bo_handle,
					       0, 4, 0), 0);
		KUNIT_EXPECT_EQ(test, transfer(u, DRM_VIRTGPU_TRANSFER_TO_HOST, info.bo_handle, 0,
					       4, 256), -EINVAL);
		KUNIT_EXPECT_EQ(test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	}
}

static struct kunit_case context_tests[] = {
	KUNIT_CASE_PARAM(capset_ids, capset_case_gen_params),
	KUNIT_CASE(capset_query_rejected),
	KUNIT_CASE_SLOW(capset_late),
	KUNIT_CASE(capset_contents),
	KUNIT_CASE(capset_contents_rejected),
	KUNIT_CASE_PARAM(context_params, init_case_gen_params),
	KUNIT_CASE(context_wire),
	KUNIT_CASE(context_default),
	KUNIT_CASE(no_context_init),
	KUNIT_CASE(create_rejected),
	KUNIT_CASE(context_id_reuse),
	KUNIT_CASE(close_while_pending),
	KUNIT_CASE(poll_abandoned),
	KUNIT_CASE(lost_before_fences),
	KUNIT_CASE(context_lost),
	KUNIT_CASE(lost_shown),
	KUNIT_CASE(rejected_shown),
	KUNIT_CASE(unplug),
	KUNIT_CASE(attach_handles),
	KUNIT_CASE(attach_shared_first),
	KUNIT_CASE(attach_shared_last),
	KUNIT_CASE(attach_dumb),
	KUNIT_CASE(create_fence),
	KUNIT_CASE_PARAM(attach_import, import_case_gen_params),
	KUNIT_CASE(attach_import_first),
	KUNIT_CASE(attach_rejected),
	KUNIT_CASE(transfer_both_ways),
	KUNIT_CASE(transfer_rejected),
	KUNIT_CASE(transfer_dumb),
	{}
};

static struct kunit_suite context_suite = {
	.name = "virtio_gpu_context",
	.test_cases = context_tests,
};

kunit_test_suite(context_suite);
