// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_prime.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_cross_domain.h"
#include "virtgpu_test_client.h"
#include "virtgpu_test_render.h"

/*
 * The calls of programs that use a cross-domain context to reach a Wayland or
 * X11 server of the host: sommelier, wayland-proxy-virtwl and muvm.
 */

#define CROSS_DOMAIN VIRTIO_GPU_CAPSET_CROSS_DOMAIN
#define QUERY_RING VIRTGPU_CROSS_DOMAIN_QUERY_RING
#define CHANNEL_RING VIRTGPU_CROSS_DOMAIN_CHANNEL_RING
#define NO_RING -1

/* Watchdog periods in an hour. */
#define HOUR (6 * VIRTGPU_MOCK_TEN_MINUTES)

static const struct virtgpu_mock_capset all_sets[] = {
	{ VIRTIO_GPU_CAPSET_VIRGL2, 2, 1384 }, { VIRTIO_GPU_CAPSET_VENUS, 0, 160 },
	{ CROSS_DOMAIN, 0, 16 }, { VIRTIO_GPU_CAPSET_DRM, 0, 72 },
};

/* A host without virglrenderer. */
static const struct virtgpu_mock_capset one_set[] = { { CROSS_DOMAIN, 0, 16 } };

/**
 * struct program - What differs between the programs
 * @name: name of the test parameter
 * @capsets: capability sets of the host
 * @capset_count: number of @capsets
 * @names_rings: submissions to a timeline name the blob that the host writes
 * @version: INIT has a protocol version
 */
struct program {
	const char *name;
	const struct virtgpu_mock_capset *capsets;
	u32 capset_count;
	bool names_rings;
	bool version;
};

static const struct program programs[] = {
	{ "sommelier, wayland-proxy-virtwl", all_sets, ARRAY_SIZE(all_sets), true, false },
	{ "sommelier, wayland-proxy-virtwl, no virgl", one_set, 1, true, false },
	{ "muvm", all_sets, ARRAY_SIZE(all_sets), false, true },
	{ "muvm, no virgl", one_set, 1, false, true },
};

KUNIT_ARRAY_PARAM_DESC(program, programs, name);

struct ring {
	u32 handle;
	u32 resource;
	u64 addr;
};

struct channel {
	const struct program *program;
	struct virtgpu_test_client *u;
	struct ring query, events;
};

/*
 * Setup
 */

static u32 getparam(struct virtgpu_test_client *u, u64 param)
{
	struct drm_virtgpu_getparam args = {
		.param = param, .value = test_client_memory(u->test, NULL, sizeof(u32)),
	};

	KUNIT_EXPECT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_GETPARAM, &args), 0);

	return virtgpu_render_peek(u->test, args.value);
}

static void check_support(struct virtgpu_test_client *u)
{
	static const u64 params[] = {
		VIRTGPU_PARAM_3D_FEATURES, VIRTGPU_PARAM_CAPSET_QUERY_FIX,
		VIRTGPU_PARAM_RESOURCE_BLOB, VIRTGPU_PARAM_HOST_VISIBLE,
		VIRTGPU_PARAM_CONTEXT_INIT,
	};
	struct drm_virtgpu_get_caps args = {
		.cap_set_id = CROSS_DOMAIN,
		.size = 16,
		.addr = test_client_memory(u->test, NULL, 16),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(params); i++)
		KUNIT_EXPECT_EQ(u->test, getparam(u, params[i]), 1);
	KUNIT_EXPECT_TRUE(u->test, getparam(u, VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs) &
				   BIT(CROSS_DOMAIN));
	KUNIT_EXPECT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_GET_CAPS, &args), 0);
	KUNIT_EXPECT_EQ(u->test, virtgpu_render_peek(u->test, args.addr), 0x08070605);
}

static struct ring new_ring(struct virtgpu_test_client *u)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = PAGE_SIZE,
	};
	struct ring ring;

	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	ring.handle = args.bo_handle;
	ring.resource = args.res_handle;
	KUNIT_ASSERT_EQ(u->test, virtgpu_render_map(u, ring.handle, PAGE_SIZE, &ring.addr), 0);

	return ring;
}

static int submit(struct channel *c, const void *cmd, size_t size, int ring)
{
	struct virtgpu_test_client *u = c->u;
	struct drm_virtgpu_execbuffer args = {
		.command = test_client_memory(u->test, cmd, size), .size = size,
	};

	if (ring >= 0) {
		args.flags = VIRTGPU_EXECBUF_RING_IDX;
		args.ring_idx = ring;
	}
	if (ring >= 0 && c->program->names_rings) {
		args.num_bo_handles = 1;
		args.bo_handles = test_client_memory(u->test, ring == QUERY_RING ?
						     &c->query.handle : &c->events.handle,
						     sizeof(u32));
	}

	return test_client_ioctl(u, DRM_VIRTGPU_EXECBUFFER, &args);
}

static struct virtgpu_cross_domain_header header(u8 cmd, size_t size)
{
	return (struct virtgpu_cross_domain_header) { .cmd = cmd, .cmd_size = cpu_to_le16(size) };
}

static void poll_channel(struct channel *c)
{
	struct virtgpu_cross_domain_poll cmd = {
		.hdr = header(VIRTGPU_CROSS_DOMAIN_POLL, sizeof(cmd)),
	};

	KUNIT_EXPECT_EQ(c->u->test, submit(c, &cmd, sizeof(cmd), CHANNEL_RING), 0);
	virtgpu_mock_wait_idle(c->u->mock);
}

static u32 context_of(struct channel *c)
{
	return virtgpu_render_context(c->u);
}

/* Open a channel, which has a pending poll. */
static struct channel open_channel(struct kunit *test, const struct program *program)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct channel c = { .program = program };
	size_t size = program->version ? sizeof(struct virtgpu_cross_domain_init) :
		      offsetof(struct virtgpu_cross_domain_init, protocol_version);
	struct virtgpu_cross_domain_init init = {
		.hdr = header(VIRTGPU_CROSS_DOMAIN_INIT, size),
		.channel_type = cpu_to_le32(1),
		.protocol_version = cpu_to_le32(1),
	};

	config.capsets = program->capsets;
	config.capset_count = program->capset_count;
	c.u = test_client_open_render(test, virtgpu_mock_start(test, &config));
	check_support(c.u);
	KUNIT_ASSERT_EQ(test, virtgpu_render_init(c.u, CROSS_DOMAIN, 2, BIT(CHANNEL_RING)), 0);
	c.query = new_ring(c.u);
	c.events = new_ring(c.u);
	init.query_ring_id = cpu_to_le32(c.query.resource);
	init.channel_ring_id = cpu_to_le32(c.events.resource);
	KUNIT_ASSERT_EQ(test, submit(&c, &init, size, NO_RING), 0);
	poll_channel(&c);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(c.u->mock, CMD(SUBMIT_3D)), 1);

	return c;
}

/*
 * Messages
 */

static bool is_readable(struct virtgpu_test_client *u)
{
	return vfs_poll(u->filp, NULL) & EPOLLIN;
}

/* Read the event with a buffer of the size of its header, like the programs. */
static void read_event(struct virtgpu_test_client *u)
{
	u64 addr = test_client_memory(u->test, NULL, sizeof(struct drm_event));
	loff_t pos = 0;

	KUNIT_ASSERT_TRUE(u->test, is_readable(u));
	KUNIT_EXPECT_EQ(u->test, u->filp->f_op->read(u->filp, u64_to_user_ptr(addr),
						     sizeof(struct drm_event), &pos),
			sizeof(struct drm_event));
	KUNIT_EXPECT_EQ(u->test, virtgpu_render_peek(u->test, addr), VIRTGPU_EVENT_FENCE_SIGNALED);
	KUNIT_EXPECT_EQ(u->test, virtgpu_render_peek(u->test, addr + sizeof(u32)),
			sizeof(struct drm_event));
	KUNIT_EXPECT_FALSE(u->test, is_readable(u));
}

/* The server sends a message with the blob @blob, or none. */
static void receive(struct channel *c, u32 blob, u32 size)
{
	struct virtgpu_cross_domain_transfer message = {
		.hdr = header(VIRTGPU_CROSS_DOMAIN_RECEIVE, sizeof(message)),
		.num_identifiers = cpu_to_le32(blob ? 1 : 0),
		.identifiers[0] = cpu_to_le32(blob),
		.identifier_types[0] = cpu_to_le32(VIRTGPU_CROSS_DOMAIN_ID_BLOB),
		.identifier_sizes[0] = cpu_to_le32(size),
	}, found;
	struct kunit *test = c->u->test;

	KUNIT_EXPECT_FALSE(test, is_readable(c->u));
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_cross_domain_receive(c->u->mock, context_of(c),
								  &message, sizeof(message)));
	read_event(c->u);
	KUNIT_ASSERT_EQ(test, copy_from_user(&found, u64_to_user_ptr(c->events.addr),
					     sizeof(found)), 0);
	KUNIT_EXPECT_MEMEQ(test, &found, &message, sizeof(message));
}

static int send_buffer(struct channel *c, u32 resource)
{
	struct virtgpu_cross_domain_transfer cmd = {
		.hdr = header(VIRTGPU_CROSS_DOMAIN_SEND, sizeof(cmd)),
		.num_identifiers = cpu_to_le32(1),
		.identifiers[0] = cpu_to_le32(resource),
		.identifier_types[0] = cpu_to_le32(VIRTGPU_CROSS_DOMAIN_ID_BLOB),
	};

	return submit(c, &cmd, sizeof(cmd), NO_RING);
}

/*
 * Buffers
 */

/* Ask for a buffer while the poll is pending, and wait for the response. */
static void query_image(struct channel *c, u32 width, u32 height, u32 *blob, u64 *size)
{
	struct virtgpu_cross_domain_image cmd = {
		.hdr = header(VIRTGPU_CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS, sizeof(cmd)),
		.width = cpu_to_le32(width),
		.height = cpu_to_le32(height),
		.drm_format = cpu_to_le32(DRM_FORMAT_XRGB8888),
	};
	struct drm_virtgpu_3d_wait wait = { .handle = c->query.handle };
	struct virtgpu_cross_domain_requirements reply;
	struct kunit *test = c->u->test;

	KUNIT_ASSERT_EQ(test, submit(c, &cmd, sizeof(cmd), QUERY_RING), 0);
	if (c->program->names_rings)
		KUNIT_ASSERT_EQ(test, test_client_ioctl(c->u, DRM_VIRTGPU_WAIT, &wait), 0);
	else
		virtgpu_mock_wait_idle(c->u->mock);
	KUNIT_ASSERT_EQ(test, copy_from_user(&reply, u64_to_user_ptr(c->query.addr),
					     sizeof(reply)), 0);
	*blob = le32_to_cpu(reply.blob_id);
	*size = le64_to_cpu(reply.size);
	KUNIT_EXPECT_NE(test, *blob, 0);
	KUNIT_EXPECT_GE(test, *size, (u64)width * height * 4);
}

/* Create a host blob, export it and close its handle. */
static int create_exported(struct channel *c, u32 blob, u64 size, u32 *resource)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE,
		.size = size,
		.blob_id = blob,
	};
	struct virtgpu_test_client *u = c->u;
	int fd;

	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args), 0);
	KUNIT_ASSERT_EQ(u->test, drm_gem_prime_handle_to_fd(u->drm, u->file, args.bo_handle,
							    DRM_CLOEXEC | DRM_RDWR, &fd), 0);
	test_client_drop(u, args.bo_handle);
	*resource = args.res_handle;

	return fd;
}

static unsigned long map_exported(struct kunit *test, int fd, u64 size)
{
	struct dma_buf *dma_buf = dma_buf_get(fd);
	unsigned long addr;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dma_buf);
	addr = kunit_vm_mmap(test, dma_buf->file, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	dma_buf_put(dma_buf);

	return addr;
}

/* The server gets a buffer by its dma-buf, in a call without other buffers. */
static void send_exported(struct channel *c, int fd, u32 resource)
{
	struct drm_virtgpu_resource_info info = { };
	struct virtgpu_test_client *u = c->u;

	KUNIT_ASSERT_EQ(u->test, drm_gem_prime_fd_to_handle(u->drm, u->file, fd,
							    &info.bo_handle), 0);
	KUNIT_ASSERT_EQ(u->test, test_client_ioctl(u, DRM_VIRTGPU_RESOURCE_INFO, &info), 0);
	KUNIT_EXPECT_EQ(u->test, info.res_handle, resource);
	KUNIT_EXPECT_EQ(u->test, info.blob_mem, VIRTGPU_BLOB_MEM_HOST3D);
	KUNIT_EXPECT_EQ(u->test, send_buffer(c, info.res_handle), 0);
	test_client_drop(u, info.bo_handle);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_cross_domain_received(u->mock, context_of(c)),
			resource);
}

/* Write to the mapping as a client of the guest does; the host reads it. */
static void draw(struct channel *c, u64 addr, u32 resource, u32 value)
{
	struct virtgpu_test_client *u = c->u;

	if (!virtgpu_mock_host_visible_has_memory(u->mock))
		return;
	KUNIT_EXPECT_EQ(u->test, put_user(value, (u32 __user *)u64_to_user_ptr(addr)), 0);
	KUNIT_EXPECT_EQ(u->test, virtgpu_mock_peek(u->mock, resource), value);
}

static void close_exported(struct channel *c, int fd, unsigned long addr, u64 size)
{
	KUNIT_EXPECT_EQ(c->u->test, vm_munmap(addr, size), 0);
	KUNIT_EXPECT_EQ(c->u->test, close_fd(fd), 0);
	flush_delayed_fput();
}

/*
 * Tests
 */

/* Buffers of both directions and messages, all with a poll pending. */
static void cross_domain_session(struct kunit *test)
{
	struct channel c = open_channel(test, test->param_value);
	struct virtgpu_mock *m = c.u->mock;
	unsigned long addr[2];
	u32 blob, resource[2];
	unsigned int i;
	int fd[2];
	u64 size;

	query_image(&c, 48, 32, &blob, &size);
	/* Programs create several buffers of the blob ID in a response. */
	for (i = 0; i < 2; i++) {
		fd[i] = create_exported(&c, blob, size, &resource[i]);
		addr[i] = map_exported(test, fd[i], size);
		KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr[i]));
		draw(&c, addr[i], resource[i], 0x11111111 * (i + 1));
		send_exported(&c, fd[i], resource[i]);
	}
	for (i = 0; i < 2; i++)
		draw(&c, addr[i], resource[i], 0x44444444 * (i + 1));

	receive(&c, 0, 0);
	poll_channel(&c);
	/* The server sends a buffer, such as a keymap. */
	for (i = 0; i < 2; i++)
		close_exported(&c, fd[i], addr[i], size);
	receive(&c, blob, size);
	fd[0] = create_exported(&c, blob, size, &resource[0]);
	addr[0] = map_exported(test, fd[0], size);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr[0]));
	draw(&c, addr[0], resource[0], 3);
	close_exported(&c, fd[0], addr[0], size);
	poll_channel(&c);

	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_mappings(m)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_resources(m) == 2));
	KUNIT_EXPECT_FALSE(test, is_readable(c.u));
	KUNIT_EXPECT_EQ(test, to_virtgpu(c.u->drm)->ctrl.stats.errors, 0);

	/* The program ends while the poll is pending. */
	KUNIT_EXPECT_EQ(test, vm_munmap(c.query.addr, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vm_munmap(c.events.addr, PAGE_SIZE), 0);
	flush_delayed_fput();
	test_client_close(c.u);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_contexts(m)));
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(!virtgpu_mock_resources(m)));
}

/* Nothing happens for an hour; then the message of the server arrives. */
static void cross_domain_idle(struct kunit *test)
{
	struct channel c = open_channel(test, test->param_value);
	struct virtgpu_vq *ctrl = &to_virtgpu(c.u->drm)->ctrl;
	unsigned int runs = 0, ticks, logged, kicks;

	logged = virtgpu_mock_log_pos(c.u->mock);
	kicks = virtgpu_mock_kicks(c.u->mock, 0);
	for (ticks = 0; ticks < HOUR; ticks += ctrl->ticks) {
		virtgpu_mock_ticks(c.u->mock, 1);
		runs++;
	}
	logged = virtgpu_mock_log_pos(c.u->mock) - logged;
	kicks = virtgpu_mock_kicks(c.u->mock, 0) - kicks;
	/* At most one probe in ten seconds, and one timer in two. */
	KUNIT_EXPECT_EQ(test, logged, ctrl->stats.probes);
	KUNIT_EXPECT_EQ(test, kicks, ctrl->stats.probes);
	KUNIT_EXPECT_LE(test, ctrl->stats.probes, HOUR / VIRTGPU_UNRESPONSIVE_TICKS);
	KUNIT_EXPECT_LE(test, runs, HOUR / 8);
	KUNIT_EXPECT_FALSE(test, is_readable(c.u));
	KUNIT_EXPECT_FALSE(test, virtgpu_vq_is_wedged(ctrl));
	KUNIT_EXPECT_EQ(test, ctrl->stats.timeouts, 0);

	receive(&c, 0, 0);
	poll_channel(&c);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_held(c.u->mock, CMD(SUBMIT_3D)), 1);
}

/* If the host has rejected the buffer, mmap() or the first access fails. */
static void cross_domain_rejected(struct kunit *test)
{
	struct channel c = open_channel(test, &programs[0]);
	unsigned long addr;
	u32 blob, resource;
	u64 size;
	int fd;

	query_image(&c, 48, 32, &blob, &size);
	virtgpu_mock_freeze(c.u->mock);
	fd = create_exported(&c, blob + 1, size, &resource);
	addr = map_exported(test, fd, size);
	KUNIT_EXPECT_FALSE(test, IS_ERR_VALUE(addr));
	virtgpu_mock_thaw(c.u->mock);
	virtgpu_mock_wait_idle(c.u->mock);
	KUNIT_EXPECT_EQ(test, clear_user((void __user *)addr, sizeof(u32)), sizeof(u32));
	KUNIT_EXPECT_EQ(test, (long)map_exported(test, fd, size), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_munmap(addr, size), 0);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();

	/* The channel goes on. */
	receive(&c, 0, 0);
}

/*
 * VIRTIO_GPU_F_CONTEXT_INIT requires VIRTIO_GPU_F_VIRGL (5.7.3).  A device that
 * lacks the latter has no contexts, as GETPARAM shows; guest blobs work.
 */
static void cross_domain_no_virgl_feature(struct kunit *test)
{
	struct virtgpu_mock_config config = { VIRTGPU_MOCK_CONFIG_3D };
	struct virtgpu_test_client *u;

	config.features &= ~BIT_ULL(VIRTIO_GPU_F_VIRGL);
	config.capsets = one_set;
	config.capset_count = ARRAY_SIZE(one_set);
	u = test_client_open_render(test, virtgpu_mock_start(test, &config));
	KUNIT_EXPECT_EQ(test, getparam(u, VIRTGPU_PARAM_3D_FEATURES), 0);
	KUNIT_EXPECT_EQ(test, getparam(u, VIRTGPU_PARAM_CONTEXT_INIT), 0);
	KUNIT_EXPECT_EQ(test, getparam(u, VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs), 0);
	KUNIT_EXPECT_EQ(test, virtgpu_render_init(u, CROSS_DOMAIN, 2, 2), -EINVAL);
	new_ring(u);
	virtgpu_mock_wait_idle(u->mock);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_contexts(u->mock), 0);
}

static struct kunit_case cross_domain_tests[] = {
	KUNIT_CASE_PARAM(cross_domain_session, program_gen_params),
	KUNIT_CASE_PARAM(cross_domain_idle, program_gen_params),
	KUNIT_CASE(cross_domain_rejected),
	KUNIT_CASE(cross_domain_no_virgl_feature),
	{}
};

static struct kunit_suite cross_domain_suite = {
	.name = "virtio_gpu_cross_domain",
	.test_cases = cross_domain_tests,
};

kunit_test_suite(cross_domain_suite);
