// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/aperture.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/virtio_gpu.h>
#include <drm/clients/drm_client_setup.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_fbdev_ttm.h>
#include <drm/drm_file.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_module.h>
#include <drm/drm_print.h>

#include "virtgpu_cmd.h"
#include "virtgpu_atomic.h"
#include "vgpu_debugfs.h"
#include "vgpu_device.h"
#include "virtgpu_fdinfo.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_import.h"
#include "virtgpu_ioctl.h"
#include "virtgpu_msg.h"

static int virtgpu_modeset = -1;
module_param_named(modeset, virtgpu_modeset, int, 0400);
MODULE_PARM_DESC(modeset, "1: drive the display, 0: leave it alone, -1: unless the kernel was told nomodeset (default)");

static const struct file_operations vgpu_fops = {
	.owner = THIS_MODULE,
	.show_fdinfo = drm_show_fdinfo,
	DRM_GEM_FOPS,
};

static const struct drm_driver vgpu_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_MODESET |
			   DRIVER_ATOMIC | DRIVER_CURSOR_HOTSPOT | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = virtgpu_file_open,
	.postclose = virtgpu_file_close,
	.dumb_create = virtgpu_gem_dumb_create,
	.gem_prime_import = virtgpu_prime_import,
	DRM_FBDEV_TTM_DRIVER_OPS,
	.ioctls = virtgpu_ioctls,
	.num_ioctls = VIRTGPU_NUM_IOCTLS,
	.fops = &vgpu_fops,
	.debugfs_init = vgpu_debugfs_init,
	.show_fdinfo = virtgpu_fdinfo_show,
	.name = "virtio_gpu",
	.desc = "virtio GPU",
	.major = 0,
	.minor = 1,
	.patchlevel = 0,
};

/*
 * The virtio device
 */

static void ctrl_callback(struct virtqueue *vq)
{
	struct drm_device *dev = vq->vdev->priv;

	virtgpu_vq_callback(&to_vgpu(dev)->ctrl);
}

static void cursor_callback(struct virtqueue *vq)
{
	struct drm_device *dev = vq->vdev->priv;

	virtgpu_vq_callback(&to_vgpu(dev)->cursor);
}

static int start_queues(struct vgpu_device *vgpu)
{
	struct virtqueue_info info[] = {
		{ "control", ctrl_callback },
		{ "cursor", cursor_callback },
	};
	struct virtqueue *vqs[2];
	int ret;

	ret = virtio_find_vqs(vgpu->vdev, ARRAY_SIZE(vqs), vqs, info, NULL);
	if (ret)
		return ret;

	vgpu->ctrl.indirect = vgpu->features.indirect;
	vgpu->ctrl.renders = vgpu->features.virgl;
	virtgpu_vq_start(&vgpu->ctrl, &virtgpu_virtqueue_ops, vqs[0],
			 virtqueue_get_vring_size(vqs[0]));
	virtgpu_vq_start(&vgpu->cursor, &virtgpu_virtqueue_ops, vqs[1],
			 virtqueue_get_vring_size(vqs[1]));

	return 0;
}

static void stop_queues(struct vgpu_device *vgpu)
{
	virtio_reset_device(vgpu->vdev);
	/* A program that sees an error on a fence finds its context lost. */
	virtgpu_contexts_lose(&vgpu->contexts);
	virtgpu_resources_invalidate(&vgpu->resources);
	virtgpu_vq_stop(&vgpu->ctrl);
	virtgpu_vq_stop(&vgpu->cursor);
	vgpu->vdev->config->del_vqs(vgpu->vdev);
}

/* A VGA device has shown the firmware's picture until now. */
static int take_over_aperture(struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;

	if (!parent || !dev_is_pci(parent) || !pci_is_vga(to_pci_dev(parent)))
		return 0;

	return aperture_remove_conflicting_pci_devices(to_pci_dev(parent),
						       vgpu_driver.name);
}

static void release_layers(struct drm_device *dev, void *data)
{
	struct vgpu_device *vgpu = to_vgpu(dev);

	virtgpu_backing_mgr_fini(&vgpu->memory);
	virtgpu_host_visible_fini(&vgpu->hostmem);
	virtgpu_context_mgr_fini(&vgpu->contexts);
	virtgpu_capsets_fini(&vgpu->capsets);
	virtgpu_resource_mgr_fini(&vgpu->resources);
	put_device(vgpu->memory.dev);
}

/* Hosts respond to this at once, on any device. */
static struct virtgpu_msg *ctrl_alloc_probe(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_display_info));
	if (msg)
		virtgpu_cmd_get_display_info(msg);

	return msg;
}

static void ctrl_tick(struct virtgpu_vq *q)
{
	virtgpu_kms_tick(container_of(q, struct vgpu_device, ctrl));
}

/* Taking the driver off the device and back resets it; that is for the user to decide. */
static void ctrl_wedged(struct virtgpu_vq *q)
{
	struct vgpu_device *vgpu = container_of(q, struct vgpu_device, ctrl);

	/* Before the device has its nodes nobody could hear of it. */
	if (vgpu->drm.registered)
		drm_dev_wedged_event(&vgpu->drm, DRM_WEDGE_RECOVERY_REBIND, NULL);
}

static int init_layers(struct vgpu_device *vgpu, struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;
	int ret;

	vgpu->vdev = vdev;
	virtgpu_features_read(vdev, &vgpu->features);
	virtgpu_vq_init(&vgpu->ctrl, &vdev->dev, "control");
	virtgpu_vq_init(&vgpu->cursor, &vdev->dev, "cursor");
	vgpu->ctrl.on_wedged = ctrl_wedged;
	vgpu->ctrl.on_tick = ctrl_tick;
	vgpu->ctrl.alloc_probe = ctrl_alloc_probe;
	virtgpu_backing_mgr_init(&vgpu->memory, parent, vgpu->features.dma ?
				 VIRTGPU_ADDR_DMA : VIRTGPU_ADDR_GPA);
	/* A renderer writes, a display only reads. */
	if (vgpu->features.virgl)
		vgpu->memory.dir = DMA_BIDIRECTIONAL;
	ret = virtgpu_resource_mgr_init(&vgpu->resources, &vdev->dev, &vgpu->ctrl);
	if (ret)
		return ret;
	ret = virtgpu_context_mgr_init(&vgpu->contexts, &vdev->dev, &vgpu->ctrl);
	if (ret)
		goto put_resources;
	virtgpu_host_visible_init(&vgpu->hostmem, &vgpu->ctrl, vgpu->drm.anon_inode->i_mapping);

	/* Buffers may outlive the virtio device; put in release_layers(). */
	get_device(parent);

	/* Entries have no limit of their own that exporters would have to heed. */
	dma_set_max_seg_size(parent, UINT_MAX);

	return drmm_add_action_or_reset(&vgpu->drm, release_layers, NULL);

put_resources:
	virtgpu_resource_mgr_fini(&vgpu->resources);
	return ret;
}

/* A window that cannot be used is no reason to do without 3D. */
static void find_window(struct vgpu_device *vgpu)
{
	struct virtio_device *vdev = vgpu->vdev;
	struct virtio_shm_region r;

	if (!vgpu->features.virgl || !vgpu->features.blob ||
	    !virtio_get_shm_region(vdev, &r, VIRTIO_GPU_SHM_ID_HOST_VISIBLE) || !r.len)
		return;

	if (!devm_request_mem_region(&vdev->dev, r.addr, r.len, dev_name(&vdev->dev))) {
		drm_warn(&vgpu->drm, "the window to the host's memory is taken: it cannot be mapped\n");
		return;
	}
	virtgpu_host_visible_start(&vgpu->hostmem, r.addr, r.len, vgpu->features.blob_align);
}

static int init_3d(struct vgpu_device *vgpu)
{
	find_window(vgpu);

	return virtgpu_capsets_init(&vgpu->capsets, &vgpu->ctrl,
				    vgpu->features.virgl ? vgpu->features.capsets : 0);
}

static int init_display(struct vgpu_device *vgpu)
{
	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS) || !vgpu->features.scanouts) {
		vgpu->drm.driver_features &= ~(DRIVER_MODESET | DRIVER_ATOMIC);
		drm_info(&vgpu->drm, "no display: %s\n", vgpu->features.scanouts ?
			 "the driver was built without" : "the device has no outputs");
		return 0;
	}

	return virtgpu_kms_init(vgpu);
}

static int vgpu_probe(struct virtio_device *vdev)
{
	struct vgpu_device *vgpu;
	int ret;

	if (drm_firmware_drivers_only() && virtgpu_modeset == -1)
		return -ENODEV;
	if (virtgpu_modeset == 0)
		return -ENODEV;

	ret = take_over_aperture(vdev);
	if (ret)
		return ret;

	vgpu = devm_drm_dev_alloc(&vdev->dev, &vgpu_driver, struct vgpu_device, drm);
	if (IS_ERR(vgpu))
		return PTR_ERR(vgpu);
	vdev->priv = &vgpu->drm;

	ret = init_layers(vgpu, vdev);
	if (ret)
		return ret;
	ret = init_3d(vgpu);
	if (ret)
		return ret;
	ret = init_display(vgpu);
	if (ret)
		return ret;

	ret = start_queues(vgpu);
	if (ret) {
		drm_err(&vgpu->drm, "cannot set up the queues: %d\n", ret);
		return ret;
	}
	virtio_device_ready(vdev);

	virtgpu_capsets_query(&vgpu->capsets);
	ret = virtgpu_kms_start(vgpu);
	if (ret) {
		drm_err(&vgpu->drm, "the host does not name its outputs: %d\n", ret);
		goto stop;
	}
	ret = drm_dev_register(&vgpu->drm, 0);
	if (ret)
		goto stop;

	if (vgpu->display.count)
		drm_client_setup(&vgpu->drm, drm_format_info(DRM_FORMAT_XRGB8888));

	return 0;
stop:
	stop_queues(vgpu);
	virtgpu_kms_stop(vgpu);
	return ret;
}

static void vgpu_remove(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct vgpu_device *vgpu = to_vgpu(dev);

	/*
	 * Users and console go first, while the device still answers.  What is left
	 * after it was reset only turns DRM's own state off.
	 */
	drm_dev_unplug(dev);
	stop_queues(vgpu);
	virtgpu_host_visible_invalidate(&vgpu->hostmem, -ENODEV);
	if (vgpu->display.count)
		drm_atomic_helper_shutdown(dev);
	virtgpu_kms_stop(vgpu);
	virtgpu_backing_mgr_unmap_all(&vgpu->memory);
}

static void vgpu_config_changed(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;

	virtgpu_kms_config_changed(to_vgpu(dev));
}

#ifdef CONFIG_PM_SLEEP
/*
 * The device forgets everything when it is reset, and it is reset on the way back.  So
 * the outputs go off and all resources are given up; they are made anew when they are
 * shown again.
 */
static int vgpu_freeze(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct vgpu_device *vgpu = to_vgpu(dev);
	int ret;

	ret = virtgpu_kms_suspend(vgpu);
	if (ret)
		return ret;

	stop_queues(vgpu);
	virtgpu_host_visible_invalidate(&vgpu->hostmem, -EIO);

	return 0;
}

static int vgpu_restore(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct vgpu_device *vgpu = to_vgpu(dev);
	int ret;

	ret = start_queues(vgpu);
	if (ret) {
		drm_err(dev, "cannot set up the queues again: %d\n", ret);
		return ret;
	}
	virtio_device_ready(vdev);
	/* A screen that stays dark is no reason to give the device up. */
	virtgpu_kms_resume(vgpu);

	return 0;
}
#endif

static const struct virtio_device_id vgpu_ids[] = {
	{ VIRTIO_ID_GPU, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, vgpu_ids);

static struct virtio_driver vgpu_virtio_driver = {
	.feature_table = virtgpu_feature_table,
	.driver.name = KBUILD_MODNAME,
	.id_table = vgpu_ids,
	.probe = vgpu_probe,
	.remove = vgpu_remove,
	.config_changed = vgpu_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = vgpu_freeze,
	.restore = vgpu_restore,
#endif
};

static int __init vgpu_init(void)
{
	int ret;

	ret = virtgpu_msg_cache_init();
	if (ret)
		return ret;
	ret = virtgpu_atomic_init();
	if (ret)
		goto exit_messages;

	vgpu_virtio_driver.feature_table_size = virtgpu_feature_table_size;
	ret = register_virtio_driver(&vgpu_virtio_driver);
	if (ret)
		goto exit_commits;

	return 0;

exit_commits:
	virtgpu_atomic_exit();
exit_messages:
	virtgpu_msg_cache_exit();
	return ret;
}
module_init(vgpu_init);

static void __exit vgpu_exit(void)
{
	unregister_virtio_driver(&vgpu_virtio_driver);
	virtgpu_atomic_exit();
	virtgpu_msg_cache_exit();
}
module_exit(vgpu_exit);

MODULE_DESCRIPTION("Display driver for virtio GPUs");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("DMA_BUF");
