/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MOCK_H
#define VGPU_MOCK_H

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_gpu.h>
#include <uapi/linux/virtio_ring.h>

#include "vgpu_mock_host.h"
#include "vgpu_mock_model.h"

struct drm_device;
struct kunit;
struct platform_device;
struct virtgpu_device;

/* What most hosts offer. */
#define VGPU_MOCK_FEATURES					\
	(BIT_ULL(VIRTIO_F_VERSION_1) |				\
	 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |			\
	 BIT_ULL(VIRTIO_GPU_F_EDID) |				\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID) |			\
	 BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* What those do whose host has no udmabuf. */
#define VGPU_MOCK_NO_BLOB	(VGPU_MOCK_FEATURES & ~BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

/* And those whose host renders, too. */
#define VGPU_MOCK_3D							\
	(VGPU_MOCK_FEATURES | BIT_ULL(VIRTIO_GPU_F_VIRGL) |		\
	 BIT_ULL(VIRTIO_GPU_F_CONTEXT_INIT))

/* What a renderer of the host's can do: its bytes are the set's number, and count up. */
struct vgpu_mock_capset {
	u32 id;
	u32 version;
	u32 size;
};

/**
 * struct vgpu_mock_config - what a device is like
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
struct vgpu_mock_config {
	u64 features;
	unsigned int ctrl_size;
	unsigned int cursor_size;
	u32 scanouts;
	u32 connected;
	u32 blob_alignment;
	const struct vgpu_mock_capset *capsets;
	u32 capset_count;
	size_t window;
	int find_error;
	bool status_error;
};

#define VGPU_MOCK_CONFIG			\
	.features = VGPU_MOCK_FEATURES,		\
	.ctrl_size = 64,			\
	.cursor_size = 16,			\
	.scanouts = 1

extern const struct vgpu_mock_capset vgpu_mock_capsets[4];

/* A host that renders in each way that there is. */
#define VGPU_MOCK_CONFIG_3D				\
	.features = VGPU_MOCK_3D,			\
	.ctrl_size = 256,				\
	.cursor_size = 16,				\
	.scanouts = 1,					\
	.capsets = vgpu_mock_capsets,			\
	.capset_count = ARRAY_SIZE(vgpu_mock_capsets),	\
	.window = 16 * PAGE_SIZE

/**
 * struct vgpu_mock - a virtio-gpu device
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
 * @tolerant: they do not fail the test, which looks at @breaches itself
 * @breach: the last one
 */
struct vgpu_mock {
	struct kunit *test;
	struct vgpu_mock_config config;
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
	struct vgpu_mock_host host;
	struct vgpu_mock_model model;
	unsigned int breaches;
	bool tolerant;
	char breach[128];
};

struct vgpu_mock *vgpu_mock_create(struct kunit *test, const struct vgpu_mock_config *config);
bool vgpu_mock_plug(struct vgpu_mock *m);
void vgpu_mock_unplug(struct vgpu_mock *m);
struct vgpu_mock *vgpu_mock_start(struct kunit *test, const struct vgpu_mock_config *config);

struct drm_device *vgpu_mock_drm(struct vgpu_mock *m);
struct virtgpu_device *vgpu_mock_vgpu(struct vgpu_mock *m);
bool vgpu_mock_has(const struct vgpu_mock *m, unsigned int feature);

void vgpu_mock_set_output(struct vgpu_mock *m, unsigned int scanout, bool enabled,
			  u32 width, u32 height);
void vgpu_mock_raise_display(struct vgpu_mock *m);

void vgpu_mock_ticks(struct vgpu_mock *m, unsigned int n);

__printf(2, 3) void vgpu_mock_breach(struct vgpu_mock *m, const char *format, ...);

/* Watchdog periods in ten minutes. */
#define VGPU_MOCK_TEN_MINUTES (600 * HZ / VIRTGPU_WATCHDOG_PERIOD)

/**
 * vgpu_mock_wait - wait until something has happened
 * @condition: what
 *
 * Time passes in milliseconds, as the vblank timer's does.
 *
 * Return: true, or false if it has not happened after half a minute, which is longer
 * than any time-out of the driver's, on however slow a machine.
 */
#define vgpu_mock_wait(condition)					\
({									\
	unsigned long __end = jiffies + 30 * HZ;			\
	bool __true;							\
									\
	while (!(__true = !!(condition)) && time_before(jiffies, __end))	\
		usleep_range(1000, 2000);				\
	__true;								\
})

#endif
