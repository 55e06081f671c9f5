/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * 6.16: virtio_driver.shutdown was added.  Before, the driver core calls the
 * method of the device driver, unless the virtio bus has one, which then stops
 * the device.
 */
#ifndef VIRTGPU_COMPAT_VIRTIO_SHUTDOWN_H
#define VIRTGPU_COMPAT_VIRTIO_SHUTDOWN_H

#include <linux/virtio.h>

/* What the driver initialises; @base is what it registers. */
struct virtgpu_compat_virtio_driver {
	struct device_driver driver;
	const struct virtio_device_id *id_table;
	const unsigned int *feature_table;
	unsigned int feature_table_size;
	int (*probe)(struct virtio_device *vdev);
	void (*remove)(struct virtio_device *vdev);
	void (*config_changed)(struct virtio_device *vdev);
	int (*freeze)(struct virtio_device *vdev);
	int (*restore)(struct virtio_device *vdev);
	void (*shutdown)(struct virtio_device *vdev);
	struct virtio_driver base;
};

static inline void virtgpu_compat_shutdown(struct device *dev)
{
	struct virtgpu_compat_virtio_driver *drv =
		container_of(dev->driver, struct virtgpu_compat_virtio_driver, base.driver);

	drv->shutdown(dev_to_virtio(dev));
}

static inline int virtgpu_compat_register(struct virtgpu_compat_virtio_driver *drv)
{
	int ret;

	drv->base.driver = drv->driver;
	drv->base.id_table = drv->id_table;
	drv->base.feature_table = drv->feature_table;
	drv->base.feature_table_size = drv->feature_table_size;
	drv->base.probe = drv->probe;
	drv->base.remove = drv->remove;
	drv->base.config_changed = drv->config_changed;
#ifdef CONFIG_PM_SLEEP
	drv->base.freeze = drv->freeze;
	drv->base.restore = drv->restore;
#endif

	ret = register_virtio_driver(&drv->base);
	/* The core warns about a method that it will not call. */
	if (!ret && !drv->base.driver.bus->shutdown)
		drv->base.driver.shutdown = virtgpu_compat_shutdown;

	return ret;
}

static inline void virtgpu_compat_unregister(struct virtgpu_compat_virtio_driver *drv)
{
	unregister_virtio_driver(&drv->base);
}

#define virtio_driver virtgpu_compat_virtio_driver
#undef register_virtio_driver
#define register_virtio_driver virtgpu_compat_register
#define unregister_virtio_driver virtgpu_compat_unregister

#endif
