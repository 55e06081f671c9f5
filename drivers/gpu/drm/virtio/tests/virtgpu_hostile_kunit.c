// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/fdtable.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/virtio_dma_buf.h>
#include <drm/drm_connector.h>
#include <drm/drm_debugfs_crc.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <uapi/drm/virtgpu_drm.h>

#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_hostile.h"
#include "virtgpu_mock.h"
#include "virtgpu_mock_buffer.h"
#include "virtgpu_mock_hostile.h"
#include "virtgpu_output.h"
#include "virtgpu_test_client.h"

/*
 * A hostile host.  An input is a string of bytes that describes the device, the
 * operations of two clients, and how the host tampers with its responses
 * meanwhile.  Whatever the host does, no operation may harm memory, and the
 * removal of the device must end all of them.  All strings are valid inputs, so
 * that a fuzzer can change them freely, see tools/testing/hostile.
 */

/*
 * A client may wait as long as the host withholds a rendering fence, but not
 * longer than the device is there.
 */
#define UNPLUG_AFTER (600 * HZ)

#define SLOTS 8
#define EXPORTS 4
#define USER_MEMORY (16 * SZ_4K)

/* The device, see virtgpu_hostile_kunit.c:create_device(). */
struct device_bytes {
	u8 armed;
	u8 features[2];
	u8 ctrl_size;
	u8 cursor_size;
	u8 scanouts;
	u8 connected;
	u8 alignment;
	u8 capsets;
	u8 region;
	u8 failure;
	u8 teardown;
};

/* One operation with its arguments, and how the host tampers with it. */
struct operation_bytes {
	u8 op;
	u8 a, b, c;
	struct virtgpu_mock_tamper tamper;
};

/* The state of one input. */
struct hostile {
	struct kunit *test;
	struct virtgpu_mock *m;
	struct virtgpu_mock_hostile host;
	struct virtgpu_test_client *clients[2];
	u32 handles[2][SLOTS];
	struct drm_framebuffer *fbs[SLOTS];
	struct dma_buf *exports[EXPORTS];
	struct virtgpu_mock_buffer *buffer;
	struct drm_crtc *crc;
	u64 memory;
	struct delayed_work watchdog;
};

/*
 * Access to the state
 */

static struct virtgpu_test_client *client(struct hostile *h, u8 n)
{
	return h->clients[n & 1];
}

static u32 handle(struct hostile *h, u8 client, u8 slot)
{
	return h->handles[client & 1][slot % SLOTS];
}

static void put_handle(struct hostile *h, u8 n, u8 slot)
{
	u32 *handle = &h->handles[n & 1][slot % SLOTS];

	if (*handle)
		drm_gem_handle_delete(client(h, n)->file, *handle);
	*handle = 0;
}

static void set_handle(struct hostile *h, u8 n, u8 slot, u32 handle)
{
	put_handle(h, n, slot);
	h->handles[n & 1][slot % SLOTS] = handle;
}

/* An output of the device, or NULL. */
static struct virtgpu_output *output(struct hostile *h, u8 n)
{
	struct virtgpu_kms *kms = &virtgpu_mock_vgdev(h->m)->kms;

	return kms->count ? &kms->outputs[n % kms->count] : NULL;
}

static unsigned int output_index(struct hostile *h, u8 n)
{
	return n % virtgpu_mock_vgdev(h->m)->kms.count;
}

static u64 user_memory(struct hostile *h, const void *data, size_t size)
{
	if (copy_to_user(u64_to_user_ptr(h->memory), data, size))
		KUNIT_FAIL(h->test, "user memory cannot be written\n");

	return h->memory;
}

static u32 dimension(u8 n)
{
	return n < 128 ? n + 1 : (n - 127) * 64;
}

/*
 * Buffers
 */

static void op_sleep(struct hostile *h, const struct operation_bytes *o)
{
	msleep(virtgpu_mock_hostile_delay(o->a));
}

static void op_dumb(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_mode_create_dumb args = {
		.width = dimension(o->a), .height = dimension(o->b % 144), .bpp = 32,
	};
	struct virtgpu_test_client *u = client(h, 0);

	if (!u->drm->driver->dumb_create(u->file, u->drm, &args))
		set_handle(h, 0, o->c, args.handle);
}

static void op_blob(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = 1 + o->a % 3,
		.blob_flags = o->a / 4 % 8,
		.size = (o->b % 32 + 1) * PAGE_SIZE,
		.blob_id = o->b / 32,
		.blob_hints = o->a >> 7,
		.cmd_size = o->b & 0x80 && o->a % 3 ? 16 : 0,
		.cmd = h->memory,
	};

	if (!args.cmd_size && args.blob_mem == VIRTGPU_BLOB_MEM_GUEST)
		args.blob_id = 0;
	if (!test_client_ioctl(client(h, o->c), DRM_VIRTGPU_RESOURCE_CREATE_BLOB, &args))
		set_handle(h, o->c, o->c / 2, args.bo_handle);
}

static void op_resource(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_resource_create args = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = dimension(o->a), .height = dimension(o->b % 144), .depth = 1,
		.array_size = 1, .size = dimension(o->a) * dimension(o->b % 144) * 4,
	};

	if (!test_client_ioctl(client(h, o->c), DRM_VIRTGPU_RESOURCE_CREATE, &args))
		set_handle(h, o->c, o->c / 2, args.bo_handle);
}

static void op_drop(struct hostile *h, const struct operation_bytes *o)
{
	put_handle(h, o->a, o->b);
}

static void op_map(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_map args = { .handle = handle(h, o->a, o->b) };
	struct drm_gem_object *obj;
	struct iosys_map map;

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_MAP, &args);
	obj = drm_gem_object_lookup(client(h, o->a)->file, args.handle);
	if (!obj)
		return;
	if (!drm_gem_vmap(obj, &map)) {
		iosys_map_wr(&map, 0, u32, o->c);
		drm_gem_vunmap(obj, &map);
	}
	drm_gem_object_put(obj);
}

static void op_transfer(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = handle(h, o->a, o->b),
		.box = { .w = o->c + 1, .h = 1 + o->b / SLOTS, .d = 1 },
		.offset = (o->a & 0x40) * 4,
	};

	test_client_ioctl(client(h, o->a), o->a & 0x80 ? DRM_VIRTGPU_TRANSFER_FROM_HOST :
			  DRM_VIRTGPU_TRANSFER_TO_HOST, &args);
}

static void op_info(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_resource_info args = { .bo_handle = handle(h, o->a, o->b) };

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_RESOURCE_INFO, &args);
}

static void op_wait(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_3d_wait args = {
		.handle = handle(h, o->a, o->b),
		.flags = o->c & 1 ? 0 : VIRTGPU_WAIT_NOWAIT,
	};

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_WAIT, &args);
}

static void put_export(struct hostile *h, u8 n)
{
	if (h->exports[n % EXPORTS])
		dma_buf_put(h->exports[n % EXPORTS]);
	h->exports[n % EXPORTS] = NULL;
	flush_delayed_fput();
}

static void op_export(struct hostile *h, const struct operation_bytes *o)
{
	struct virtgpu_test_client *u = client(h, o->a);
	struct dma_buf *dma_buf;
	uuid_t uuid;

	put_export(h, o->c);
	dma_buf = drm_gem_prime_handle_to_dmabuf(u->drm, u->file, handle(h, o->a, o->b), 0);
	if (IS_ERR(dma_buf))
		return;
	h->exports[o->c % EXPORTS] = dma_buf;
	virtio_dma_buf_get_uuid(dma_buf, &uuid);
}

static void op_import(struct hostile *h, const struct operation_bytes *o)
{
	u32 handle;

	if (!h->buffer)
		h->buffer = virtgpu_mock_buffer_create(h->test, h->m, o->c % 2 ?
						       VIRTGPU_MOCK_DYNAMIC :
						       VIRTGPU_MOCK_STATIC, 64 * PAGE_SIZE);
	if (!test_client_import(client(h, o->a), h->buffer->dma_buf, &handle))
		set_handle(h, o->a, o->b, handle);
}

static void op_move(struct hostile *h, const struct operation_bytes *o)
{
	if (!h->buffer)
		return;
	virtgpu_mock_buffer_move(h->buffer);
	if (o->a & 1)
		virtgpu_mock_buffer_reuse(h->buffer);
}

/*
 * Display
 */

static void remove_fb(struct hostile *h, u8 slot)
{
	struct drm_framebuffer **fb = &h->fbs[slot % SLOTS];

	if (*fb)
		test_client_rmfb(client(h, 0), *fb);
	*fb = NULL;
}

static void op_fb(struct hostile *h, const struct operation_bytes *o)
{
	bool cursor = o->c & 0x80;
	struct drm_mode_fb_cmd2 cmd = {
		.width = dimension(o->a), .height = dimension(o->b % 144),
		.pixel_format = cursor ? DRM_FORMAT_ARGB8888 : DRM_FORMAT_XRGB8888,
		.handles[0] = handle(h, 0, o->c / 8),
		.pitches[0] = dimension(o->a) * 4,
	};
	struct virtgpu_test_client *u = client(h, 0);
	struct drm_framebuffer *fb;

	if (!output(h, 0))
		return;
	remove_fb(h, o->c);
	fb = virtgpu_fb_create(u->drm, u->file, drm_format_info(cmd.pixel_format), &cmd);
	if (IS_ERR(fb))
		return;
	h->fbs[o->c % SLOTS] = fb;
	u->fbs[u->fb_count++] = fb;
}

static void op_remove_fb(struct hostile *h, const struct operation_bytes *o)
{
	remove_fb(h, o->a);
}

static void show(struct hostile *h, const struct operation_bytes *o, enum virtgpu_how how)
{
	struct drm_framebuffer *fb = h->fbs[o->b % SLOTS];
	struct drm_mode_rect clip = { 0, 0, o->c, o->c };
	struct virtgpu_show shows[2] = { };
	unsigned int i;

	if (!output(h, 0) || (how == VIRTGPU_FLIP && !fb))
		return;
	for (i = 0; i < ARRAY_SIZE(shows); i++) {
		shows[i].output = output_index(h, o->a + i);
		shows[i].fb = fb;
		if (o->c)
			shows[i].clip = &clip;
	}
	/* Events must be read, or no further ones can be reserved. */
	test_client_flips(client(h, 0), 0);
	test_client_commit(client(h, 0), shows, o->a & 0x80 &&
			   shows[0].output != shows[1].output ? 2 : 1, how);
}

static void op_flip(struct hostile *h, const struct operation_bytes *o)
{
	show(h, o, VIRTGPU_FLIP);
}

static void op_show(struct hostile *h, const struct operation_bytes *o)
{
	show(h, o, VIRTGPU_WAIT);
}

static void op_disable(struct hostile *h, const struct operation_bytes *o)
{
	if (output(h, 0))
		test_client_show(client(h, 0), output_index(h, o->a), NULL);
}

static void op_cursor(struct hostile *h, const struct operation_bytes *o)
{
	if (output(h, 0))
		test_client_cursor(client(h, 0), output_index(h, o->a), h->fbs[o->b % SLOTS],
				   o->c - 64, o->c * 4 - 64);
}

static void op_dirty(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_framebuffer *fb = h->fbs[o->a % SLOTS];
	struct drm_clip_rect clip = { 0, 0, o->b, o->c };

	if (fb)
		fb->funcs->dirty(fb, client(h, 0)->file, 0, 0, &clip, o->b && o->c);
}

static void op_display(struct hostile *h, const struct operation_bytes *o)
{
	virtgpu_mock_set_output(h->m, o->a % VIRTIO_GPU_MAX_SCANOUTS, o->a & 0x80,
				dimension(o->b), dimension(o->c));
	virtgpu_mock_raise_display(h->m);
}

static void op_modes(struct hostile *h, const struct operation_bytes *o)
{
	struct virtgpu_output *out = output(h, o->a);
	struct drm_device *drm = client(h, 0)->drm;

	if (!out)
		return;
	mutex_lock(&drm->mode_config.mutex);
	out->connector.funcs->fill_modes(&out->connector, 8192, 8192);
	mutex_unlock(&drm->mode_config.mutex);
}

static void stop_crc(struct hostile *h)
{
	if (h->crc)
		h->crc->funcs->set_crc_source(h->crc, NULL);
	h->crc = NULL;
}

/* Toggles the CRCs of an output, without a reader of their entries. */
static void op_crc(struct hostile *h, const struct operation_bytes *o)
{
	struct virtgpu_output *out = output(h, o->a);

	if (h->crc)
		stop_crc(h);
	else if (out && !out->crtc.funcs->set_crc_source(&out->crtc, "auto"))
		h->crc = &out->crtc;
}

/*
 * Rendering
 */

static void op_context(struct hostile *h, const struct operation_bytes *o)
{
	const struct drm_virtgpu_context_set_param params[] = {
		{ VIRTGPU_CONTEXT_PARAM_CAPSET_ID, o->b % 8 },
		{ VIRTGPU_CONTEXT_PARAM_NUM_RINGS, o->c % 8 },
		{ VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK, o->c / 8 & 3 },
	};
	struct drm_virtgpu_context_init args = {
		.num_params = ARRAY_SIZE(params),
		.ctx_set_params = user_memory(h, params, sizeof(params)),
	};

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_CONTEXT_INIT, &args);
}

static void op_submit(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_execbuffer args = {
		.flags = o->b % 2 ? VIRTGPU_EXECBUF_FENCE_FD_OUT : 0,
		.size = (o->c % 64) * 4,
		.num_bo_handles = o->b / 4 % 4,
		.ring_idx = o->b >> 6,
	};

	args.command = h->memory + SZ_4K;
	args.bo_handles = user_memory(h, h->handles[o->a & 1], sizeof(h->handles[0]));
	if (o->b & 2)
		args.flags |= VIRTGPU_EXECBUF_RING_IDX;
	test_client_flips(client(h, o->a), 0);
	if (!test_client_ioctl(client(h, o->a), DRM_VIRTGPU_EXECBUFFER, &args) &&
	    args.flags & VIRTGPU_EXECBUF_FENCE_FD_OUT)
		close_fd(args.fence_fd);
}

static void op_caps(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_get_caps args = {
		.cap_set_id = o->b % 8, .cap_set_ver = o->c % 4, .addr = h->memory,
		.size = min_t(u32, virtgpu_mock_hostile_word(o->c / 4), USER_MEMORY),
	};

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_GET_CAPS, &args);
}

static void op_param(struct hostile *h, const struct operation_bytes *o)
{
	struct drm_virtgpu_getparam args = { .param = o->b % 12, .value = h->memory };

	test_client_ioctl(client(h, o->a), DRM_VIRTGPU_GETPARAM, &args);
}

/*
 * The device and its clients
 */

static void op_config(struct hostile *h, const struct operation_bytes *o)
{
	virtgpu_mock_hostile_config(&h->host, o->a, o->b);
}

static void op_release(struct hostile *h, const struct operation_bytes *o)
{
	virtgpu_mock_hostile_release(&h->host);
}

/* No client runs meanwhile. */
static void op_suspend(struct hostile *h, const struct operation_bytes *o)
{
#ifdef CONFIG_PM_SLEEP
	struct device *dev = &h->m->vdev.dev;

	device_lock(dev);
	if (!dev->driver || virtgpu_mock_suspend(h->m)) {
		device_unlock(dev);
		return;
	}
	virtgpu_mock_hostile_restart(&h->host);
	if (o->a & 1)
		op_move(h, o);
	if (o->a & 2)
		virtgpu_mock_hostile_config(&h->host, o->b, o->c);
	virtgpu_mock_resume(h->m);
	device_unlock(dev);
#endif
}

static void close_client(struct hostile *h, u8 n)
{
	struct virtgpu_test_client *u = client(h, n);
	unsigned int i;

	if (!u)
		return;
	for (i = 0; i < SLOTS; i++) {
		h->handles[n & 1][i] = 0;
		if (!(n & 1))
			h->fbs[i] = NULL;
	}
	test_client_close(u);
	kunit_kfree(h->test, u);
	h->clients[n & 1] = NULL;
}

static void open_client(struct hostile *h, u8 n)
{
	h->clients[n & 1] = n & 1 ? test_client_open_render(h->test, h->m) :
			    test_client_open(h->test, h->m);
}

static void op_reopen(struct hostile *h, const struct operation_bytes *o)
{
	close_client(h, o->a);
	open_client(h, o->a);
}

static void op_fdinfo(struct hostile *h, const struct operation_bytes *o)
{
	struct virtgpu_test_client *u = client(h, o->a);
	struct seq_file m = { .size = PAGE_SIZE };

	m.buf = kzalloc(m.size, GFP_KERNEL);
	if (m.buf)
		u->filp->f_op->show_fdinfo(&m, u->filp);
	kfree(m.buf);
}

static void (* const operations[])(struct hostile *h, const struct operation_bytes *o) = {
	op_sleep, op_dumb, op_blob, op_resource, op_drop, op_map, op_transfer, op_info, op_wait,
	op_export, op_import, op_move, op_fb, op_remove_fb, op_flip, op_show, op_disable,
	op_cursor, op_dirty, op_display, op_modes, op_crc, op_context, op_submit, op_caps,
	op_param, op_config, op_release, op_suspend, op_reopen, op_fdinfo,
};

static void operate(struct hostile *h, const struct operation_bytes *o)
{
	virtgpu_mock_hostile_arm(&h->host, &o->tamper);
	operations[o->op % ARRAY_SIZE(operations)](h, o);
}

static void watchdog_work(struct work_struct *work)
{
	struct hostile *h = container_of(to_delayed_work(work), struct hostile, watchdog);

	virtgpu_mock_unplug(h->m);
}

static void stop_watchdog(struct hostile *h)
{
	cancel_delayed_work_sync(&h->watchdog);
}

static void start_watchdog(struct hostile *h)
{
	mod_delayed_work(system_dfl_wq, &h->watchdog, UNPLUG_AFTER);
}

/*
 * Setup and teardown
 */

static u64 choose_features(const u8 bits[2])
{
	static const u8 choices[] = {
		VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX, VIRTIO_GPU_F_EDID,
		VIRTIO_GPU_F_RESOURCE_UUID, VIRTIO_GPU_F_RESOURCE_BLOB, VIRTIO_GPU_F_VIRGL,
		VIRTIO_GPU_F_CONTEXT_INIT, VIRTIO_GPU_F_BLOB_ALIGNMENT,
	};
	u64 features = BIT_ULL(VIRTIO_F_VERSION_1);
	unsigned int i;

	/* A set bit removes the feature, so that zeros are a full device. */
	for (i = 0; i < ARRAY_SIZE(choices); i++)
		if (!(bits[0] & BIT(i)))
			features |= BIT_ULL(choices[i]);
	if (bits[1] & 1)
		features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);

	return features;
}

static void create_device(struct hostile *h, const struct device_bytes *d)
{
	static const unsigned int ctrl_sizes[] = { 64, 256, 16, 8, 4, 2, 1024, 1 };
	static const unsigned int cursor_sizes[] = { 16, 4, 2, 1, 64 };
	static const u32 scanouts[] = { 1, 2, 4, 16, 0, 17, 40, U32_MAX };
	static const u32 capsets[] = { 4, 1, 0, 64, 65, 1000, S32_MAX, U32_MAX };
	static const size_t regions[] = { 16 * PAGE_SIZE, 0, PAGE_SIZE, 100, 3 * PAGE_SIZE + 5 };
	struct virtgpu_mock_config config = {
		.features = choose_features(d->features),
		.ctrl_size = ctrl_sizes[d->ctrl_size % ARRAY_SIZE(ctrl_sizes)],
		.cursor_size = cursor_sizes[d->cursor_size % ARRAY_SIZE(cursor_sizes)],
		.scanouts = scanouts[d->scanouts % ARRAY_SIZE(scanouts)],
		.connected = d->connected,
		.blob_alignment = virtgpu_mock_hostile_word(d->alignment),
		.capset_count = capsets[d->capsets % ARRAY_SIZE(capsets)],
		.host_visible_size = regions[d->region % ARRAY_SIZE(regions)],
		.find_error = d->failure == 1 ? -ENOENT : 0,
		.status_error = d->failure == 2,
	};

	h->m = virtgpu_mock_create(h->test, &config);
	virtgpu_mock_hostile_init(&h->host, h->m);
	/* Misaligned, as the host chooses the offset in a PCI BAR. */
	if (d->region & 0x80 && h->m->state.host_visible.memory)
		h->m->state.host_visible.start += 16;
}

/* All messages complete when the host behaves again. */
static void settle(struct hostile *h)
{
	struct virtgpu_device *vgdev = virtgpu_mock_vgdev(h->m);

	virtgpu_mock_hostile_be_honest(&h->host);
	if (READ_ONCE(vgdev->ctrl.stopped) || h->host.silent[0] || h->host.silent[1] ||
	    virtqueue_is_broken(h->m->host.rings[0].vq) ||
	    virtqueue_is_broken(h->m->host.rings[1].vq))
		return;
	KUNIT_EXPECT_TRUE_MSG(h->test, virtgpu_mock_wait(!READ_ONCE(vgdev->ctrl.num_pending)),
			      "%u messages are left", vgdev->ctrl.num_pending);
}

static void close_all(struct hostile *h)
{
	unsigned int i;

	stop_crc(h);
	for (i = 0; i < ARRAY_SIZE(h->clients); i++)
		close_client(h, i);
	for (i = 0; i < EXPORTS; i++)
		put_export(h, i);
}

static void stop_device(struct hostile *h, const struct device_bytes *d)
{
	if (d->teardown & 1)
		virtgpu_mock_unplug(h->m);
	start_watchdog(h);
	close_all(h);
	stop_watchdog(h);
	if (!(d->teardown & 1) && d->teardown & 2 && h->m->registered && virtgpu_mock_drm(h->m))
		settle(h);
	virtgpu_mock_unplug(h->m);
	virtgpu_mock_hostile_fini(&h->host);
	if (h->buffer)
		virtgpu_mock_buffer_destroy(h->buffer);
	virtgpu_mock_destroy(h->m);
}

static void run_input(struct kunit *test, u64 memory, const u8 *input, size_t size)
{
	const struct operation_bytes *o = (const void *)(input + sizeof(struct device_bytes));
	const struct device_bytes *d = (const void *)input;
	unsigned int i, count, armed;
	struct hostile *h;

	if (size < sizeof(*d))
		return;
	count = (size - sizeof(*d)) / sizeof(*o);
	armed = min(d->armed % 8u, count);
	h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, h);
	h->test = test;
	h->memory = memory;
	INIT_DELAYED_WORK(&h->watchdog, watchdog_work);

	create_device(h, d);
	/* The host tampers with the probe, too. */
	for (i = 0; i < armed; i++)
		virtgpu_mock_hostile_arm(&h->host, &o[i].tamper);
	if (virtgpu_mock_plug(h->m)) {
		open_client(h, 0);
		open_client(h, 1);
		for (; i < count && virtgpu_mock_drm(h->m); i++) {
			start_watchdog(h);
			operate(h, &o[i]);
			stop_watchdog(h);
		}
	}
	stop_device(h, d);
	kunit_kfree(test, h);
}

/**
 * virtgpu_hostile_next() - Get the next input
 * @input: filled in
 * @size: size of @input in bytes
 *
 * This function makes some random inputs.  A fuzzer that is linked into the
 * kernel replaces it.
 *
 * Return: size of the input in bytes, 0 if there are no more.
 */
size_t __weak virtgpu_hostile_next(u8 *input, size_t size)
{
	static struct rnd_state rnd;
	static unsigned int count;

	if (!count)
		prandom_seed_state(&rnd, 1);
	if (count++ == 16) {
		count = 0;
		return 0;
	}
	prandom_bytes_state(&rnd, input, size);
	/* Most of these devices can be probed. */
	input[offsetof(struct device_bytes, failure)] = 0;
	input[offsetof(struct device_bytes, features)] &= 0x81;
	input[offsetof(struct device_bytes, ctrl_size)] &= 3;

	return size;
}

static void hostile_inputs(struct kunit *test)
{
	u8 *input = kunit_kzalloc(test, VIRTGPU_HOSTILE_INPUT_MAX, GFP_KERNEL);
	u64 memory = test_client_memory(test, NULL, USER_MEMORY);
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, input);
	while (test->status != KUNIT_FAILURE) {
		size = virtgpu_hostile_next(input, VIRTGPU_HOSTILE_INPUT_MAX);
		if (!size)
			break;
		run_input(test, memory, input, size);
	}
}

static struct kunit_case hostile_tests[] = {
	KUNIT_CASE_SLOW(hostile_inputs),
	{}
};

static struct kunit_suite hostile_suite = {
	.name = "virtio_gpu_hostile",
	.test_cases = hostile_tests,
};

kunit_test_suite(hostile_suite);
