// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <drm/drm_connector.h>
#include <drm/drm_drv.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"

/* How the driver takes a device, whatever it is like, and leaves it again. */

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
 * Devices of all kinds
 */

struct kind {
	const char *name;
	u64 features;
	unsigned int size;
	u32 scanouts;
	u32 alignment;
	u32 expect_align;
};

static const struct kind kinds[] = {
	{ "nothing at all", RINGS, 64, 1 },
	{ "indirect", RINGS | INDIRECT, 64, 1 },
	{ "event_idx", RINGS | EVENT_IDX, 64, 1 },
	{ "indirect, event_idx", RINGS | INDIRECT | EVENT_IDX, 64, 1 },
	{ "edid", RINGS | EDID, 64, 1 },
	{ "blob", RINGS | BLOB, 64, 1 },
	{ "uuid", RINGS | UUID, 64, 1 },
	{ "all of them", VIRTGPU_MOCK_FEATURES, 64, 1 },
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
	{ "more outputs than there can be", VIRTGPU_MOCK_FEATURES, 64, 40 },
	{ "no output", VIRTGPU_MOCK_FEATURES, 64, 0 },
	{ "alignment 64 KiB", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 65536, 65536 },
	{ "alignment 0", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 0, PAGE_SIZE },
	{ "alignment 3 pages", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 12288, PAGE_SIZE },
	{ "alignment 16", VIRTGPU_MOCK_FEATURES | ALIGNMENT, 64, 1, 16, PAGE_SIZE },
	{ "alignment not offered", VIRTGPU_MOCK_FEATURES, 64, 1, 65536, PAGE_SIZE },
};

KUNIT_ARRAY_PARAM_DESC(kind, kinds, name);

static void probe_kind(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct virtgpu_mock_config config = {
		.features = k->features,
		.ctrl_size = k->size,
		.cursor_size = 16,
		.scanouts = k->scanouts,
		.connected = 0x5555,
		.blob_alignment = k->alignment,
	};
	u32 outputs = min_t(u32, k->scanouts, VIRTIO_GPU_MAX_SCANOUTS);
	const struct virtgpu_features *f;
	struct virtgpu_device *vgdev;
	struct virtgpu_mock *m;
	unsigned int i;

	m = virtgpu_mock_start(test, &config);
	vgdev = virtgpu_mock_vgdev(m);
	f = &vgdev->features;

	KUNIT_EXPECT_EQ(test, f->edid, !!(k->features & EDID));
	KUNIT_EXPECT_EQ(test, f->blob, !!(k->features & BLOB));
	KUNIT_EXPECT_EQ(test, f->uuid, !!(k->features & UUID));
	KUNIT_EXPECT_EQ(test, f->indirect, !!(k->features & INDIRECT));
	KUNIT_EXPECT_EQ(test, f->event_idx, !!(k->features & EVENT_IDX));
	KUNIT_EXPECT_EQ(test, f->virgl, !!(k->features & VIRGL));
	KUNIT_EXPECT_EQ(test, f->context_init, !!(k->features & CONTEXT_INIT));
	KUNIT_EXPECT_FALSE(test, f->packed);
	KUNIT_EXPECT_EQ(test, f->dma, !!(k->features & PLATFORM));
	KUNIT_EXPECT_EQ(test, f->blob_align, k->expect_align ?: PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vgdev->ctrl.ring_size, k->size);
	KUNIT_EXPECT_EQ(test, vgdev->cursor.ring_size, 16);
	KUNIT_EXPECT_TRUE(test, m->vdev.features & RINGS);

	/* All is asked in one go. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_DISPLAY_INFO)), outputs ? 1 : 0);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_count(m, CMD(GET_EDID)), f->edid ? outputs : 0);

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		return;
	KUNIT_EXPECT_EQ(test, vgdev->kms.count, outputs);
	for (i = 0; i < outputs; i++)
		KUNIT_EXPECT_EQ(test, vgdev->kms.outputs[i].info.enabled, i % 2 == 0);
}

static void again(struct kunit *test)
{
	struct virtgpu_mock *first = virtgpu_mock_start(test, &plain);
	struct virtgpu_mock *second = virtgpu_mock_start(test, &plain);

	/* Two at a time, then one after the other. */
	KUNIT_EXPECT_PTR_NE(test, virtgpu_mock_drm(first), virtgpu_mock_drm(second));
	virtgpu_mock_unplug(first);
	KUNIT_EXPECT_NOT_NULL(test, virtgpu_mock_drm(second));
	virtgpu_mock_unplug(second);

	virtgpu_mock_start(test, &plain);
}

static void asks_in_one_go(struct kunit *test)
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
 * Hosts that do not behave.  What comes with an EDID is not vital, what the outputs
 * are is.
 */

struct trouble {
	const char *name;
	struct virtgpu_mock_rule rule;
	bool bound;
	bool edid;
};

static const struct trouble troubles[] = {
	{ "display info: out of memory",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY } },
	{ "display info: unspecific error",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_ERR_UNSPEC } },
	{ "display info: error that nobody knows",
	  { .type = CMD(GET_DISPLAY_INFO), .error = 0x1277 } },
	{ "display info: answer of another kind",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_OK_EDID } },
	{ "display info: bare success",
	  { .type = CMD(GET_DISPLAY_INFO), .error = VIRTIO_GPU_RESP_OK_NODATA } },
	{ "display info: nothing written",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = VIRTGPU_MOCK_NOTHING } },
	{ "display info: one byte",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = 1 } },
	{ "display info: half a header",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = 23 } },
	{ "display info: a header",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = 24 } },
	{ "display info: one byte is missing",
	  { .type = CMD(GET_DISPLAY_INFO), .cut = 24 + 16 * 24 - 1 } },
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
	{ "EDID: answer of another kind",
	  { .type = CMD(GET_EDID), .error = VIRTIO_GPU_RESP_OK_DISPLAY_INFO }, .bound = true },
	{ "EDID: nothing written",
	  { .type = CMD(GET_EDID), .cut = VIRTGPU_MOCK_NOTHING }, .bound = true },
	{ "EDID: a header",
	  { .type = CMD(GET_EDID), .cut = 24 }, .bound = true },
	{ "EDID: no data",
	  { .type = CMD(GET_EDID), .cut = 32 }, .bound = true },
	{ "EDID: half a block",
	  { .type = CMD(GET_EDID), .cut = 32 + 64 }, .bound = true },
	{ "EDID: one byte is missing",
	  { .type = CMD(GET_EDID), .cut = 32 + 127 }, .bound = true },
	{ "EDID: as long as it says",
	  { .type = CMD(GET_EDID), .cut = 32 + 128 }, .bound = true, .edid = true },
	{ "EDID: one byte too many",
	  { .type = CMD(GET_EDID), .excess = 1 }, .bound = true },
	{ "EDID: noise",
	  { .type = CMD(GET_EDID), .garble = true }, .bound = true },
	{ "EDID: an odd success",
	  { .type = CMD(GET_EDID), .error = 0x11ff }, .bound = true },
};

KUNIT_ARRAY_PARAM_DESC(trouble, troubles, name);

static void probe_trouble(struct kunit *test)
{
	const struct trouble *t = test->param_value;
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);
	bool bound;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_rule(m, &t->rule);
	bound = virtgpu_mock_plug(m);
	KUNIT_EXPECT_EQ(test, bound, t->bound);
	if (bound) {
		const struct virtgpu_output *out = &virtgpu_mock_vgdev(m)->kms.outputs[0];

		KUNIT_EXPECT_EQ(test, !!out->info.edid, t->edid);
		KUNIT_EXPECT_EQ(test, out->info.width, 640);
	} else {
		/* It has left nothing behind, so the device is free for another try. */
		KUNIT_EXPECT_EQ(test, m->status & VIRTIO_CONFIG_S_DRIVER_OK, 0);
	}

	/* A better host finds the driver as it was. */
	virtgpu_mock_start(test, &plain);
}

/* The sixteenth output's answer is as important as the first's: not at all. */
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

static void features_refused(struct kunit *test)
{
	struct virtgpu_mock_config config = plain;
	struct virtgpu_mock *m;

	config.status_error = true;
	m = virtgpu_mock_create(test, &config);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

/* Ten seconds are what a host gets. */
static void silent_host(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);
	unsigned long began = jiffies;

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_freeze(m);
	KUNIT_EXPECT_FALSE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, began + 9 * HZ));

	/* Too late: there are no rings any more, so nothing may be touched. */
	virtgpu_mock_thaw(m);
	virtgpu_mock_wait_idle(m);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_log_pos(m), 0);
}

static void silent_edid(struct kunit *test)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, &plain);

	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS))
		kunit_skip(test, "no display");

	virtgpu_mock_hold(m, CMD(GET_EDID));
	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));
	KUNIT_EXPECT_NULL(test, virtgpu_mock_vgdev(m)->kms.outputs[0].info.edid);

	/* The late answer finds its message. */
	KUNIT_EXPECT_EQ(test, virtgpu_mock_release(m, CMD(GET_EDID)), 1);
	KUNIT_EXPECT_EQ(test, virtgpu_mock_vgdev(m)->ctrl.num_pending, 0);
}

/* The outputs are answered after their EDIDs. */
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
	KUNIT_CASE_PARAM(probe_kind, kind_gen_params),
	KUNIT_CASE(again),
	KUNIT_CASE(asks_in_one_go),
	KUNIT_CASE_PARAM(probe_trouble, trouble_gen_params),
	KUNIT_CASE(one_edid_missing),
	KUNIT_CASE(no_queues),
	KUNIT_CASE(features_refused),
	KUNIT_CASE_SLOW(silent_host),
	KUNIT_CASE_SLOW(silent_edid),
	KUNIT_CASE(out_of_order),
	{}
};

static struct kunit_suite probe_suite = {
	.name = "virtio_gpu_probe",
	.test_cases = probe_tests,
};

kunit_test_suite(probe_suite);
