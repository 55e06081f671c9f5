/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_H
#define VIRTGPU_MOCK_H

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_gpu.h>
#include <uapi/linux/virtio_ring.h>

#include "virtgpu_mock_host.h"
#include "virtgpu_mock_device.h"

struct drm_device;
struct kunit;
struct platform_device;
struct virtgpu_mock_hostile;
struct virtgpu_device;

/* Features that most hosts offer. */
#define VIRTGPU_MOCK_FEATURES					\
	(BIT_ULL(VIRTIO_F_VERSION_1) |				\
	 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |			\
	 BIT_ULL(VIRTIO_GPU_F_EDID) |				\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID) |			\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* Features of hosts without udmabuf. */
#define VIRTGPU_MOCK_NO_BLOB	(VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* Features of hosts with 3D acceleration. */
#define VIRTGPU_MOCK_3D							\
	(VIRTGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_GPU_F_VIRGL) |		\
	 BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT))

/* A capability set; its data are bytes that count up from @id. */
struct virtgpu_mock_capset {
	u32 id;
	u32 version;
	u32 size;
};

/**
 * struct virtgpu_mock_config - Configuration of a mock device
 * @features: offered features
 * @ctrl_size: size of the control queue in descriptors, a power of two
 * @cursor_size: size of the cursor queue in descriptors, a power of two
 * @scanouts: num_scanouts of the configuration space
 * @connected: mask of outputs that are enabled on probe.  Tests that need no
 *	enabled output leave it empty, so that fbdev emulation stays idle.
 * @blob_alignment: blob_alignment of the configuration space
 * @capsets: capability sets
 * @capset_count: number of elements of @capsets
 * @host_visible_size: size of the host-visible region in bytes, 0 for none
 * @host_memory: memory for 2D resources in bytes, 0 for no limit
 * @no_peer: the host cannot access memory of PCI peer devices
 * @bounces: the DMA API uses bounce buffers for the device
 * @find_error: error of find_vqs(), or 0
 * @status_error: the device does not accept FEATURES_OK
 */
struct virtgpu_mock_config {
	u64 features;
	unsigned int ctrl_size;
	unsigned int cursor_size;
	u32 scanouts;
	u32 connected;
	u32 blob_alignment;
	const struct virtgpu_mock_capset *capsets;
	u32 capset_count;
	size_t host_visible_size;
	u64 host_memory;
	bool no_peer;
	bool bounces;
	int find_error;
	bool status_error;
};

#define VIRTGPU_MOCK_CONFIG			\
	.features = VIRTGPU_MOCK_FEATURES,		\
	.ctrl_size = 64,			\
	.cursor_size = 16,			\
	.scanouts = 1

extern const struct virtgpu_mock_capset virtgpu_mock_capsets[4];

/* A host with all capability sets. */
#define VIRTGPU_MOCK_CONFIG_3D				\
	.features = VIRTGPU_MOCK_3D,			\
	.ctrl_size = 256,				\
	.cursor_size = 16,				\
	.scanouts = 1,					\
	.capsets = virtgpu_mock_capsets,			\
	.capset_count = ARRAY_SIZE(virtgpu_mock_capsets),	\
	.host_visible_size = 16 * PAGE_SIZE

/**
 * struct virtgpu_mock - A mock virtio-gpu device
 * @test: the running test
 * @config: configuration
 * @parent: parent device, which does DMA
 * @vdev: the virtio device that the driver binds to
 * @released: completed when the last reference to @vdev is dropped
 * @registered: @vdev is on the virtio bus
 * @status: device status field
 * @space: configuration space, protected by @space_lock
 * @space_lock: protects @space
 * @resets: number of resets
 * @on_find: called by find_vqs() of the driver; may be NULL
 * @on_find_data: argument of @on_find
 * @host: processes and responds to requests
 * @hostile: replaces the processing of requests if set, see
 *	virtgpu_mock_hostile_create()
 * @state: device state, protected by @host.lock
 * @spec_violations: number of violations of the specification by the driver
 * @expect_violations: violations do not fail the test, which checks
 *	@spec_violations
 * @last_violation: description of the last violation
 */
struct virtgpu_mock {
	struct kunit *test;
	struct virtgpu_mock_config config;
	struct platform_device *parent;
	struct virtio_device vdev;
	struct completion released;
	bool registered;
	u8 status;
	struct virtio_gpu_config space;
	spinlock_t space_lock; /* @space */
	unsigned int resets;
	void (*on_find)(void *data);
	void *on_find_data;
	struct virtgpu_mock_host host;
	struct virtgpu_mock_hostile *hostile;
	struct virtgpu_mock_device state;
	unsigned int spec_violations;
	bool expect_violations;
	char last_violation[128];
};

struct virtgpu_mock *virtgpu_mock_create(struct kunit *test,
					 const struct virtgpu_mock_config *config);
bool virtgpu_mock_plug(struct virtgpu_mock *m);
void virtgpu_mock_unplug(struct virtgpu_mock *m);
void virtgpu_mock_destroy(struct virtgpu_mock *m);
void virtgpu_mock_require_suspend(struct kunit *test);
int virtgpu_mock_suspend(struct virtgpu_mock *m);
int virtgpu_mock_resume(struct virtgpu_mock *m);
struct virtgpu_mock *virtgpu_mock_start(struct kunit *test,
					const struct virtgpu_mock_config *config);

struct drm_device *virtgpu_mock_drm(struct virtgpu_mock *m);
struct virtgpu_device *virtgpu_mock_vgdev(struct virtgpu_mock *m);
bool virtgpu_mock_has(const struct virtgpu_mock *m, unsigned int feature);

void virtgpu_mock_set_output(struct virtgpu_mock *m, unsigned int scanout, bool enabled,
			     u32 width, u32 height);
void virtgpu_mock_raise_display(struct virtgpu_mock *m);

void virtgpu_mock_ticks(struct virtgpu_mock *m, unsigned int n);

__printf(2, 3) void virtgpu_mock_spec_violation(struct virtgpu_mock *m, const char *format, ...);

/* Watchdog periods in ten minutes. */
#define VIRTGPU_MOCK_TEN_MINUTES (600 * HZ / VIRTGPU_WATCHDOG_PERIOD)

/**
 * virtgpu_mock_wait() - Wait until a condition is true
 * @condition: evaluated each millisecond
 *
 * The limit of 30 seconds exceeds each timeout of the driver, also on slow
 * machines.
 *
 * Return: true, or false if @condition is not true after 30 seconds.
 */
#define virtgpu_mock_wait(condition)					\
({									\
	unsigned long __end = jiffies + 30 * HZ;			\
	bool __true;							\
									\
	while (!(__true = !!(condition)) && time_before(jiffies, __end))	\
		usleep_range(1000, 2000);				\
	__true;								\
})

#endif
