// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/dma-mapping.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"

/*
 * A mock virtio-gpu device on the virtio bus: configuration space, features,
 * virtqueues and lifecycle.  The driver binds to it as to any other device.
 */

#define RELEASE_TIMEOUT (15 * HZ)

static struct virtgpu_mock *to_mock(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtgpu_mock, vdev);
}

/**
 * virtgpu_mock_spec_violation() - Report a violation of the specification
 * @m: the device
 * @format: description of the violation
 *
 * Context: May sleep.
 */
void virtgpu_mock_spec_violation(struct virtgpu_mock *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->last_violation, sizeof(m->last_violation), format, args);
	va_end(args);

	m->spec_violations++;
	if (!m->expect_violations)
		KUNIT_FAIL(m->test, "specification violation: %s\n", m->last_violation);
}

bool virtgpu_mock_has(const struct virtgpu_mock *m, unsigned int feature)
{
	return m->vdev.features & BIT_ULL(feature);
}

/*
 * Configuration operations
 */

static void mock_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		     unsigned int len)
{
	struct virtgpu_mock *m = to_mock(vdev);
	unsigned long flags;

	memset(buf, 0, len);
	if (offset >= sizeof(m->space))
		return;

	spin_lock_irqsave(&m->space_lock, flags);
	memcpy(buf, (u8 *)&m->space + offset, min_t(size_t, len, sizeof(m->space) - offset));
	spin_unlock_irqrestore(&m->space_lock, flags);
}

static void mock_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len)
{
	struct virtgpu_mock *m = to_mock(vdev);
	unsigned long flags;
	__le32 value;

	if (offset != offsetof(struct virtio_gpu_config, events_clear) || len != sizeof(value)) {
		virtgpu_mock_spec_violation(m, "%u bytes written at %u of the configuration", len,
					    offset);
		return;
	}

	memcpy(&value, buf, sizeof(value));
	spin_lock_irqsave(&m->space_lock, flags);
	m->space.events_read &= ~value;
	spin_unlock_irqrestore(&m->space_lock, flags);
}

static u8 mock_get_status(struct virtio_device *vdev)
{
	return READ_ONCE(to_mock(vdev)->status);
}

static void mock_set_status(struct virtio_device *vdev, u8 status)
{
	struct virtgpu_mock *m = to_mock(vdev);

	if (m->config.status_error)
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	WRITE_ONCE(m->status, status);
}

static void mock_reset(struct virtio_device *vdev)
{
	struct virtgpu_mock *m = to_mock(vdev);

	virtgpu_mock_host_reset(m);
	WRITE_ONCE(m->status, 0);
	m->resets++;
	virtgpu_mock_device_reset(m);
}

static u64 mock_get_features(struct virtio_device *vdev)
{
	return to_mock(vdev)->config.features;
}

static int mock_finalize_features(struct virtio_device *vdev)
{
	struct virtgpu_mock *m = to_mock(vdev);

	vring_transport_features(vdev);
	if (vdev->features & ~m->config.features)
		virtgpu_mock_spec_violation(m, "features 0x%llx were never offered",
					    vdev->features & ~m->config.features);

	return 0;
}

static bool mock_notify(struct virtqueue *vq)
{
	virtgpu_mock_host_notify(vq->priv);

	return true;
}

static void mock_del_vqs(struct virtio_device *vdev)
{
	struct virtgpu_mock *m = to_mock(vdev);
	struct virtqueue *vq, *next;

	if (m->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtgpu_mock_spec_violation(m, "queues deleted before the device was reset");
	virtgpu_mock_host_stop(m);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list)
		vring_del_virtqueue(vq);
}

static int mock_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			 struct virtqueue *vqs[], struct virtqueue_info info[],
			 struct irq_affinity *desc)
{
	struct virtgpu_mock *m = to_mock(vdev);
	unsigned int sizes[] = { m->config.ctrl_size, m->config.cursor_size };
	unsigned int i;

	if (m->on_find)
		m->on_find(m->on_find_data);
	if (m->config.find_error)
		return m->config.find_error;
	if (nvqs != ARRAY_SIZE(sizes)) {
		virtgpu_mock_spec_violation(m, "%u queues instead of two", nvqs);
		return -EINVAL;
	}

	for (i = 0; i < nvqs; i++) {
		vqs[i] = vring_create_virtqueue(i, sizes[i], SMP_CACHE_BYTES, vdev, true, false,
						false, mock_notify, info[i].callback,
						info[i].name);
		if (!vqs[i] || virtgpu_mock_host_start(m, i, vqs[i])) {
			mock_del_vqs(vdev);
			return -ENOMEM;
		}
	}

	return 0;
}

static bool mock_get_shm_region(struct virtio_device *vdev, struct virtio_shm_region *region,
				u8 id)
{
	const struct virtgpu_mock_host_visible *hv = &to_mock(vdev)->state.host_visible;

	if (id != VIRTIO_GPU_SHM_ID_HOST_VISIBLE || !hv->size)
		return false;
	region->addr = hv->start;
	region->len = hv->size;

	return true;
}

static const char *mock_bus_name(struct virtio_device *vdev)
{
	return "mock";
}

static const struct virtio_config_ops mock_ops = {
	.get = mock_get,
	.set = mock_set,
	.get_status = mock_get_status,
	.set_status = mock_set_status,
	.reset = mock_reset,
	.find_vqs = mock_find_vqs,
	.del_vqs = mock_del_vqs,
	.get_features = mock_get_features,
	.finalize_features = mock_finalize_features,
	.bus_name = mock_bus_name,
	.get_shm_region = mock_get_shm_region,
};

/*
 * Outputs
 */

/**
 * virtgpu_mock_set_output() - Change the display info of an output
 * @m: the device
 * @scanout: scanout ID
 * @enabled: the output is enabled
 * @width: preferred width in pixels
 * @height: preferred height in pixels
 *
 * virtgpu_mock_raise_display() notifies the driver.
 */
void virtgpu_mock_set_output(struct virtgpu_mock *m, unsigned int scanout, bool enabled,
			     u32 width, u32 height)
{
	mutex_lock(&m->host.lock);
	m->state.modes[scanout].enabled = enabled;
	m->state.modes[scanout].width = width;
	m->state.modes[scanout].height = height;
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_raise_display() - Raise VIRTIO_GPU_EVENT_DISPLAY
 * @m: the device
 */
void virtgpu_mock_raise_display(struct virtgpu_mock *m)
{
	unsigned long flags;

	spin_lock_irqsave(&m->space_lock, flags);
	m->space.events_read |= cpu_to_le32(VIRTIO_GPU_EVENT_DISPLAY);
	spin_unlock_irqrestore(&m->space_lock, flags);

	virtio_config_changed(&m->vdev);
}

/*
 * Setup and teardown
 */

static void mock_release(struct device *dev)
{
	complete(&to_mock(dev_to_virtio(dev))->released);
}

/**
 * virtgpu_mock_drm() - Get the DRM device
 * @m: the device
 *
 * Return: the DRM device, or NULL if no driver is bound.
 */
struct drm_device *virtgpu_mock_drm(struct virtgpu_mock *m)
{
	return m->registered && m->vdev.dev.driver ? m->vdev.priv : NULL;
}

/**
 * virtgpu_mock_vgdev() - Get the driver's device struct
 * @m: a device to which the driver is bound
 *
 * Return: the device struct.
 */
struct virtgpu_device *virtgpu_mock_vgdev(struct virtgpu_mock *m)
{
	return to_virtgpu(virtgpu_mock_drm(m));
}

/**
 * virtgpu_mock_plug() - Register the device on the virtio bus
 * @m: the device
 *
 * Context: May sleep while the driver probes the device.
 * Return: true if the driver has bound to the device.
 */
bool virtgpu_mock_plug(struct virtgpu_mock *m)
{
	int ret = register_virtio_device(&m->vdev);

	KUNIT_ASSERT_EQ(m->test, ret, 0);
	m->registered = true;

	return virtgpu_mock_drm(m);
}

/**
 * virtgpu_mock_unplug() - Unregister the device from the virtio bus
 * @m: the device
 */
void virtgpu_mock_unplug(struct virtgpu_mock *m)
{
	if (!m->registered)
		return;

	m->registered = false;
	unregister_virtio_device(&m->vdev);
	if (m->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtgpu_mock_spec_violation(m, "the device was not reset on removal");
}

/**
 * virtgpu_mock_require_suspend() - Skip a test if the kernel cannot suspend
 * @test: the test, which has not changed the device yet
 *
 * For tests that virtgpu_mock_suspend() must not end halfway.
 */
void virtgpu_mock_require_suspend(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_PM_SLEEP))
		kunit_skip(test, "no CONFIG_PM_SLEEP");
}

/**
 * virtgpu_mock_suspend() - Suspend the device, as its transport does
 * @m: the device
 *
 * Skips the test if the kernel cannot suspend devices.
 *
 * Return: 0 on success, negative error code otherwise.
 */
int virtgpu_mock_suspend(struct virtgpu_mock *m)
{
#ifdef CONFIG_PM_SLEEP
	return virtio_device_freeze(&m->vdev);
#else
	virtgpu_mock_require_suspend(m->test);
	return -EOPNOTSUPP;
#endif
}

/**
 * virtgpu_mock_resume() - Resume a suspended device
 * @m: the device
 *
 * Return: 0 on success, negative error code otherwise.
 */
int virtgpu_mock_resume(struct virtgpu_mock *m)
{
#ifdef CONFIG_PM_SLEEP
	return virtio_device_restore(&m->vdev);
#else
	return -EOPNOTSUPP;
#endif
}

/**
 * virtgpu_mock_ticks() - Run the watchdog of the control queue
 * @m: a device to which the driver is bound
 * @n: number of watchdog periods
 *
 * A running host becomes idle after each period.
 */
void virtgpu_mock_ticks(struct virtgpu_mock *m, unsigned int n)
{
	struct virtgpu_vq *ctrl = &virtgpu_mock_vgdev(m)->ctrl;

	while (n--) {
		flush_delayed_work(&ctrl->watchdog);
		if (!m->host.stopped)
			virtgpu_mock_wait_idle(m);
	}
}

/* Closed files must not leave contexts and mappings on the host. */
static void check_leaks(struct virtgpu_mock *m)
{
	struct drm_device *drm = virtgpu_mock_drm(m);

	if (!drm || m->hostile || atomic_read(&drm->open_count) ||
	    virtqueue_is_broken(m->host.rings[0].vq))
		return;

	virtgpu_mock_clear_rules(m);
	virtgpu_mock_thaw(m);
	virtgpu_mock_release(m, 0);
	if (!virtgpu_mock_wait(!virtgpu_mock_contexts(m)))
		virtgpu_mock_spec_violation(m, "%u contexts were left behind",
					    virtgpu_mock_contexts(m));
	if (!virtgpu_mock_wait(!virtgpu_mock_mappings(m)))
		virtgpu_mock_spec_violation(m, "%u blobs were left mapped",
					    virtgpu_mock_mappings(m));
}

static void mock_destroy(void *data)
{
	struct virtgpu_mock *m = data;

	check_leaks(m);
	/* release() is only called for devices that were registered. */
	if (!m->registered && !m->resets)
		complete(&m->released);
	virtgpu_mock_unplug(m);
	if (!wait_for_completion_timeout(&m->released, RELEASE_TIMEOUT)) {
		/* Leak the device rather than risk a use after free. */
		KUNIT_FAIL(m->test, "the device is still referenced\n");
		return;
	}
	virtgpu_mock_host_fini(m);
	virtgpu_mock_device_fini(m);
	kfree(m);
}

static void unregister_parent(void *data)
{
	platform_device_unregister(data);
}

static bool mock_bounces(struct device *dev)
{
	return true;
}

/**
 * virtgpu_mock_create() - Create a device, without registering it
 * @test: the running test
 * @config: configuration of the device
 *
 * Skips the test if the machine cannot have a feature of @config.
 *
 * Return: the device, which is destroyed when the test ends.
 */
struct virtgpu_mock *virtgpu_mock_create(struct kunit *test,
					 const struct virtgpu_mock_config *config)
{
	struct platform_device *parent;
	struct virtgpu_mock *m;

	if (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) &&
	    config->features & BIT_ULL(VIRTIO_GPU_F_VIRGL))
		kunit_skip(test, "3D needs a little-endian machine");

	m = kzalloc_obj(*m);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->config = *config;
	spin_lock_init(&m->space_lock);
	init_completion(&m->released);
	m->space.num_scanouts = cpu_to_le32(config->scanouts);
	m->space.blob_alignment = cpu_to_le32(config->blob_alignment);
	m->space.num_capsets = cpu_to_le32(config->capset_count);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_host_init(m), 0);
	KUNIT_ASSERT_EQ(test, virtgpu_mock_device_init(m), 0);

	parent = platform_device_register_simple("vgdev-mock", PLATFORM_DEVID_AUTO, NULL, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	m->parent = parent;
	m->vdev.dev.parent = &parent->dev;
	m->vdev.dev.release = mock_release;
	m->vdev.id.device = VIRTIO_ID_GPU;
	m->vdev.config = &mock_ops;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_parent, parent), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, mock_destroy, m), 0);
	if (IS_ENABLED(CONFIG_HAS_DMA))
		KUNIT_ASSERT_EQ(test, dma_coerce_mask_and_coherent(&parent->dev,
								   DMA_BIT_MASK(64)), 0);
	if (config->bounces)
		kunit_activate_static_stub(test, virtgpu_backing_bounces, mock_bounces);

	return m;
}

/**
 * virtgpu_mock_destroy() - Destroy a device before the test ends
 * @m: the device
 */
void virtgpu_mock_destroy(struct virtgpu_mock *m)
{
	struct platform_device *parent = m->parent;
	struct kunit *test = m->test;

	kunit_release_action(test, mock_destroy, m);
	kunit_release_action(test, unregister_parent, parent);
}

/**
 * virtgpu_mock_start() - Create a device and bind the driver to it
 * @test: the running test, which is aborted if probing fails
 * @config: configuration of the device
 *
 * Return: the device, which is destroyed when the test ends.
 */
struct virtgpu_mock *virtgpu_mock_start(struct kunit *test,
					const struct virtgpu_mock_config *config)
{
	struct virtgpu_mock *m = virtgpu_mock_create(test, config);

	KUNIT_ASSERT_TRUE(test, virtgpu_mock_plug(m));

	return m;
}
