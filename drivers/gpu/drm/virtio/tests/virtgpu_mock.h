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
struct virtgpu_device;

/* What most hosts offer. */
#define VIRTGPU_MOCK_FEATURES					\
	(BIT_ULL(VIRTIO_F_VERSION_1) |				\
	 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |			\
	 BIT_ULL(VIRTIO_GPU_F_EDID) |				\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID) |			\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* What those do whose host has no udmabuf. */
#define VIRTGPU_MOCK_NO_BLOB	(VIRTGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* And those whose host renders, too. */
#define VIRTGPU_MOCK_3D							\
	(VIRTGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_GPU_F_VIRGL) |		\
	 BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT))

/* What a renderer of the host's can do: its bytes are the set's number, and count up. */
struct virtgpu_mock_capset {
	u32 id;
	u32 version;
	u32 size;
};

/**
 * struct virtgpu_mock_config - what a device is like
 * @features: what it offers
 * @ctrl_size: entries of the control queue's ring, a power of two
 * @cursor_size: entries of the cursor queue's
 * @scanouts: outputs, as the configuration space says
 * @connected: the outputs that are enabled when it is probed, a mask.  None, where
 *	it does not matter: so a kernel with a console leaves the device alone.
 * @blob_alignment: as the configuration space says
 * @capsets: what its renderers can do
 * @capset_count: how many these are
 * @window: bytes of the window to the host's memory, 0 for none
 * @find_error: setting up the queues fails with it
 * @status_error: the device does not accept the features
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
	size_t window;
	int find_error;
	bool status_error;
};

#define VIRTGPU_MOCK_CONFIG			\
	.features = VIRTGPU_MOCK_FEATURES,		\
	.ctrl_size = 64,			\
	.cursor_size = 16,			\
	.scanouts = 1

extern const struct virtgpu_mock_capset virtgpu_mock_capsets[4];

/* A host that renders in each way that there is. */
#define VIRTGPU_MOCK_CONFIG_3D				\
	.features = VIRTGPU_MOCK_3D,			\
	.ctrl_size = 256,				\
	.cursor_size = 16,				\
	.scanouts = 1,					\
	.capsets = virtgpu_mock_capsets,			\
	.capset_count = ARRAY_SIZE(virtgpu_mock_capsets),	\
	.window = 16 * PAGE_SIZE

/**
 * struct virtgpu_mock - a virtio-gpu device
 * @test: the running test
 * @config: what it is like
 * @parent: what does DMA
 * @vdev: what the driver is bound to
 * @released: nobody holds @vdev any more
 * @registered: @vdev is on the bus
 * @status: the device's status byte
 * @space: the configuration space, under @space_lock
 * @space_lock: protects @space
 * @resets: how often it was reset
 * @on_find: called when the driver sets its queues up, in its context; may be NULL
 * @on_find_data: for that
 * @host: takes requests and answers them
 * @model: what it knows of its resources and outputs, under the host's lock
 * @breaches: violations of the specification
 * @expect_violations: they do not fail the test, which looks at @breaches itself
 * @breach: the last one
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
	struct virtgpu_mock_device model;
	unsigned int breaches;
	bool expect_violations;
	char breach[128];
};

struct virtgpu_mock *virtgpu_mock_create(struct kunit *test,
					 const struct virtgpu_mock_config *config);
bool virtgpu_mock_plug(struct virtgpu_mock *m);
void virtgpu_mock_unplug(struct virtgpu_mock *m);
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
 * virtgpu_mock_wait - wait until something has happened
 * @condition: what
 *
 * Time passes in milliseconds, as the vblank timer's does.
 *
 * Return: true, or false if it has not happened after half a minute, which is longer
 * than any time-out of the driver's, on however slow a machine.
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
