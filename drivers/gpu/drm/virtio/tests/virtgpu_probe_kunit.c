// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <drm/drm_connector.h>
#include <drm/drm_drv.h>
#include <drm/drm_edid.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"

/* Probe of devices with different features, and of devices that fail. */

/* Sizes of responses: header, display info, and EDID without data. */
#define HDR sizeof(struct virtio_gpu_ctrl_hdr)
#define DISPLAY_INFO sizeof(struct virtio_gpu_resp_display_info)
#define EDID_DATA offsetof(struct virtio_gpu_resp_edid, edid)

#define RINGS (BIT_ULL(VIRTIO_F_VERSION_1))
#define PLATFORM BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
#define INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define EDID BIT_ULL(VIRTIO_GPU_F_EDID)
#define UUID BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID)
#define BLOB BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB)
#define ALIGNMENT BIT_ULL(VIRTIO_GPU_F_BLOB_ALIGNMENT)
#define VIRGL BIT_ULL(VIRTIO_GPU_F_VIRGL)
#define CONTEXT_INIT BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT)

static const struct virtgpu_mock_config plain = { VIRTGPU_MOCK_CONFIG };

/*
 * Features
 */

struct device_case {
	const char *name;
	u64 features;
	unsigned int size;
	u32 scanouts;
	u32 alignment;
	u32 expect_align;
};

static const struct device_case device_cases[] = {
	{ "no features", RINGS, 64, 1 },
	{ "indirect", RINGS | INDIRECT, 64, 1 },
	{ "event_idx", RINGS | EVENT_IDX, 64, 1 },
	{ "indirect, event_idx", RINGS | INDIRECT | EVENT_IDX, 64, 1 },
	{ "edid", RINGS | EDID, 64, 1 },
	{ "blob", RINGS | BLOB, 64, 1 },
	{ "uuid", RINGS | UUID, 64, 1 },
	{ "all features", VIRTGPU_MOCK_FEATURES, 64, 1 },
	{ "3D", VIRTGPU_MOCK_FEATURES | VIRGL | CONTEXT_INIT, 256, 1 },
	{ "unknown features", VIRTGPU_MOCK_FEATURES | BIT_ULL(20) | BIT_ULL(11), 64, 1 },
	{ "DMA addresses", VIRTGPU_MOCK_FEATURES | PLATFORM, 64, 1 },
	{ "ring of 16", VIRTGPU_MOCK_FEATURES, 16, 1 },
	{ "ring of 16, direct", RINGS | EDID | BLOB, 16, 1 },
	{ "ring of 16, 16 outputs", VIRTGPU_MOCK_FEATURES, 16, 16 },
	{ "ring of 16, direct, 16 outputs", RINGS | EDID | BLOB, 16, 16 },
	{ "ring of 32, event_idx, 16 outputs", RINGS | EVENT_IDX | EDID, 32, 16 },
	{ "ring of 512", VIRTGPU_MOCK_FEATURES, 512, 2 },
	{ "ring of 1024", VIRTGPU_MOCK_FEATURES, 1024, 4 },
	{ "more outputs than the maximum", VIRTGPU_MOCK_FEATURES, 64, 40 },
	{ "no output", VIRTGPU_MOCK_FEATURES, 64, 0 },
	{ "alignment 64 KiB", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 65536, 65536 },
	{ "alignment 0", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 0, PAGE_SIZE },
	{ "alignment 3 pages", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 12288, PAGE_SIZE },
	{ "alignment 16", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 16, PAGE_SIZE },
	{ "alignment not offered", VIRTGPU_MOCK_FEATURES, 64, 1, 65536, PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(device, device_cases, name);

static void probe_device(struct kunit *test)
{
	const struct device_case *c = test->param_value;
	struct virtgpu_mock_config config = {
		.features = c->features,
		.ctrl_size = c->size,
		.cursor_size = 16,
		.scanouts = c->scanouts,
		.connected = 0x5555,
		.blob_alignment = c->alignment,
	};
	u32 outputs = min_t(u32, c->scanouts, VIRTIO_GPU_MAX_SCANOUTS);
	const struct virtgpu_features *f;
	struct virtgpu_device *vgdev;
	struct virtgpu_mock *m;
	unsigned int i;

	m = virtgpu_mock_start(test, &config);
	vgdev = virtgpu_mock_vgdev(m);
	f = &vgdev->features;

	KUNIT_EXPECT_EQ(test, f->edid, !!(c->features & EDID));
	KUNIT_EXPECT_EQ(test, f->blob, !!(c->features & BLOB));
	KUNIT_EXPECT_EQ(test, f->uuid, !!(c->features & UUID));
	KUNIT_EXPECT_EQ(test, f->indirect, !!(c->features & INDIRECT));
	KUNIT_EXPECT_EQ(test, f->event_idx, !!(c->features & EVENT_IDX));
	KUNIT_EXPECT_EQ(test, f->virgl, !!(c->features & VIRGL));
	KUNIT_EXPECT_EQ(test, f->context_init, !!(c->features & CONTEXT_INIT));
	KUNIT_EXPECT_FALSE(test, f->packed);
	KUNIT_EXPECT_EQ(test, f->dma, !!(c->features & PLATFORM));
	KUNIT_EXPECT_EQ(test, f->blob_align, c->expect_align ?: PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vgdev->ctrl.ring_size, c->size);
	KUNIT_EXPECT_EQ(test, vgdev->cursor.ring_size, 16);
	KUNIT_EXPECT_TRUE(test, m->vdev.features & RINGS);

	/* GET_EDID is queued only with the feature. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_DISPLAY_INFO)), outputs ? 1 : 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_EDID)), f->edid ? outputs : 0);

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		return;
	KUNIT_EXPECT_EQ(test, vgdev->kms.count, outputs);
	for (i = 0; i < outputs; i++)
		KUNIT_EXPECT_EQ(test, vgdev->kms.outputs[i].info.enabled, i % 2 == 0);
}

static void probe_again(struct kunit *test)
{
	struct virtgpu_mock *first = virtgpu_mock_start(test, &plain);
	struct virtgpu_mock *second = virtgpu_mock_start(test, &plain);

	/* Test two devices at a time, then one after the other. */
	KUNIT_EXPECT_PTR_NE(test, virtgpu_mock_drm(first), virtgpu_mock_drm(second));
	virtgpu_mock_unplug(first);
	KUNIT_EXPECT_NOT_NULL(test, virtgpu_mock_drm(second));
	virtgpu_mock_unplug(second);

	virtgpu_mock_start(test, &plain);
}

static void queries_in_one_batch(struct kunit *test)
{
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	config.scanouts = 4;
	m = virtgpu_mock_start(test, &config);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 5);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_kicks(m, 0), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_kicks(m, 1), 0);
}

/*
 * Failures.  Probe fails without a display info, but not without an EDID.
 */

struct failure_case {
	const char *name;
	struct virtgpu_mock_rule rule;
	bool bound;
	bool edid;
};

static const struct failure_case failure_cases[] = {
	{ "display info: out of memory",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "display info: unspecific error",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "display info: unknown error",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_ERR_UNSPEC + 0x77 } },
	{ "display info: response of another type",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_OK_EDID } },
	{ "display info: bare success",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_OK_NODATA } },
	{ "display info: nothing written",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = VIRTGPU_MOCK_NOTHING } },
	{ "display info: one byte",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = 1 } },
	{ "display info: incomplete header",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = HDR - 1 } },
	{ "display info: a header",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = HDR } },
	{ "display info: one byte is missing",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = DISPLAY_INFO - 1 } },
	{ "display info: one byte too many",
	  { .type = CMD(GET_DISPLAY_INFO), .excess = 1 } },
	{ "display info: far too many",
	  { .type = CMD(GET_DISPLAY_INFO), .excess = 0x7fffff00 } },
	{ "display info: noise",
	  { .type = CMD(GET_DISPLAY_INFO), .garble = true } },
	{ "EDID: error",
	  { .type = CMD(GET_EDID), .error = VIRTIO_GPU_RESP_ERR_UNSPEC }, .bound = true },
	{ "EDID: no such output",
	  { .type = CMD(GET_EDID), .error = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID },
	  .bound = true },
	{ "EDID: response of another type",
	  { .type = CMD(GET_EDID), .error = VIRTIO_GPU_RESP_OK_DISPLAY_INFO }, .bound = true },
	{ "EDID: nothing written",
	  { .type = CMD(GET_EDID), .cut = VIRTGPU_MOCK_NOTHING }, .bound = true },
	{ "EDID: a header",
	  { .type = CMD(GET_EDID), .cut = HDR }, .bound = true },
	{ "EDID: no data",
	  { .type = CMD(GET_EDID), .cut = EDID_DATA }, .bound = true },
	{ "EDID: half a block",
	  { .type = CMD(GET_EDID), .cut = EDID_DATA + EDID_LENGTH / 2 }, .bound = true },
	{ "EDID: one byte is missing",
	  { .type = CMD(GET_EDID), .cut = EDID_DATA + EDID_LENGTH - 1 }, .bound = true },
	{ "EDID: exact length",
	  { .type = CMD(GET_EDID), .cut = EDID_DATA + EDID_LENGTH }, .bound = true, .edid = true },
	{ "EDID: one byte too many",
	  { .type = CMD(GET_EDID), .excess = 1 }, .bound = true },
	{ "EDID: noise",
	  { .type = CMD(GET_EDID), .garble = true }, .bound = true },
	{ "EDID: unknown success",
	  { .type = CMD(GET_EDID), .error = VIRTIO_GPU_RESP_OK_NODATA + 0xff }, .bound = true },
};

KUNIT_ARRAY_PARAM_DESC(failure, failure_cases, name);

static void probe_failure(struct kunit *test)
{
	const struct failure_case *c = test->param_value;
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);
	bool bound;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_rule(m, &c->rule);
	bound = virtgpu_mock_plug(m);
	KUNIT_EXPECT_EQ(test, bound, c->bound);
	if (bound) {
		const struct virtgpu_output *out = &virtgpu_mock_vgdev(m)->kms.outputs[0];

		KUNIT_EXPECT_EQ(test, !!out->info.edid, c->edid);
		KUNIT_EXPECT_EQ(test, out->info.width, 640);
	} else {
		/* The driver has reset the device. */
		KUNIT_EXPECT_EQ(test, m->status & VIRTIO_CONFIG_S_DRIVER_OK, 0);
	}

	/* Other devices can be probed afterwards. */
	virtgpu_mock_start(test, &plain);
}

/* A missing EDID of one output does not affect the others. */
static void one_edid_missing(struct kunit *test)
{
	struct virtgpu_mock_rule rule = {
		.type = CMD(GET_EDID), .skip = 2, .times = 1,
		.error = VIRTIO_GPU_RESP_ERR_UNSPEC,
	};
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	config.scanouts = 4;
	m = virtgpu_mock_create(test, &config);
	virtgpu_mock_rule(m, &rule);
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, !!virtgpu_mock_vgdev(m)->kms.outputs[i].info.edid, i != 2);
}

static void no_queues(struct kunit *test)
{
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;

	config.find_error = -ENOENT;
	m = virtgpu_mock_create(test, &config);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

struct small_ring_case {
	const char *name;
	unsigned int ctrl;
	unsigned int cursor;
	bool bound;
};

static const struct small_ring_case small_ring_cases[] = {
	{ "control queue of 1", 1, 16 },
	{ "control queue of 2", 2, 16 },
	{ "control queue of 4", 4, 16, true },
	{ "cursor queue of 1", 64, 1 },
	{ "cursor queue of 2", 64, 2 },
	{ "cursor queue of 4", 64, 4, true },
};

KUNIT_ARRAY_PARAM_DESC(small_ring, small_ring_cases, name);

/* A ring that has no room for a request with a payload is rejected. */
static void small_ring(struct kunit *test)
{
	const struct small_ring_case *c = test->param_value;
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;

	config.ctrl_size = c->ctrl;
	config.cursor_size = c->cursor;
	m = virtgpu_mock_create(test, &config);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_plug(m), c->bound);
	if (!c->bound)
		KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

static void features_rejected(struct kunit *test)
{
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;

	config.status_error = true;
	m = virtgpu_mock_create(test, &config);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

/* Probe fails when the host does not respond for ten seconds. */
static void host_timeout(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);
	unsigned long start = jiffies;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_freeze(m);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, start + 9 * HZ));

	/* The rings were deleted, so a late host must not access them. */
	virtgpu_mock_thaw(m);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

static void edid_timeout(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_hold(m, CMD(GET_EDID));
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_NULL(test, virtgpu_mock_vgdev(m)->kms.outputs[0].info.edid);

	/* A late response completes its message. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, CMD(GET_EDID)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_vgdev(m)->ctrl.num_pending, 0);
}

/* The response to GET_DISPLAY_INFO is the last one. */
static void out_of_order(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);
	struct virtgpu_mock_rule rule = { .type = CMD(GET_DISPLAY_INFO), .times = 1, .hold = true };

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	virtgpu_mock_rule(m, &rule);
	virtgpu_mock_set_output(m, 0, true, 800, 600);
	virtgpu_mock_raise_display(m);
	KUNIT_EXPECT_TRUE(test, virtgpu_mock_wait(virtgpu_mock_count(m, CMD(GET_EDID)) == 2));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_vgdev(m)->kms.outputs[0].info.width, 640);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, CMD(GET_DISPLAY_INFO)), 1);
	KUNIT_EXPECT_TRUE(test,
			  virtgpu_mock_wait(virtgpu_mock_vgdev(m)->kms.outputs[0].info.width ==
						  800));
}

static struct kunit_case probe_tests[] = {
	KUNIT_CASE_PARAM(probe_device, device_gen_params),
	KUNIT_CASE(probe_again),
	KUNIT_CASE(queries_in_one_batch),
	KUNIT_CASE_PARAM(probe_failure, failure_gen_params),
	KUNIT_CASE(one_edid_missing),
	KUNIT_CASE(no_queues),
	KUNIT_CASE_PARAM(small_ring, small_ring_gen_params),
	KUNIT_CASE(features_rejected),
	KUNIT_CASE_SLOW(host_timeout),
	KUNIT_CASE_SLOW(edid_timeout),
	KUNIT_CASE(out_of_order),
	{}
};

static struct kunit_suite probe_suite = {
	.name = "virtio_gpu_probe",
	.test_cases = probe_tests,
};

kunit_test_suite(probe_suite);
