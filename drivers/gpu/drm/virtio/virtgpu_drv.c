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

#include "virtgpu_atomic.h"
#include "virtgpu_cmd.h"
#include "virtgpu_debugfs.h"
#include "virtgpu_device.h"
#include "virtgpu_fdinfo.h"
#include "virtgpu_file.h"
#include "virtgpu_gem.h"
#include "virtgpu_ioctl.h"
#include "virtgpu_msg.h"
#include "virtgpu_prime.h"

/**
 * DOC: overview
 *
 * virtgpu_probe() reads the features and the configuration of the device, and
 * sets up the layers from the queues to DRM. Then it starts the virtqueues,
 * queries the capability sets and the display info, and registers the DRM
 * device.
 *
 * Removal, suspend and shutdown reset the device in virtgpu_stop_vqs(). After
 * the reset, contexts are marked as lost and resources as stale, and only then
 * all pending messages fail with -ENODEV. So user space that finds an error on
 * a fence also finds the context lost.
 */

static int virtgpu_modeset = -1;
module_param_named(modeset, virtgpu_modeset, int, 0400);
MODULE_PARM_DESC(modeset, "Disable/Enable modesetting (0 = off, 1 = on, -1 = auto [default])");

static bool virtgpu_hotspot = true;
module_param_named(hotspot, virtgpu_hotspot, bool, 0400);
MODULE_PARM_DESC(hotspot, "Expose cursor planes only to atomic clients that support hotspots (default Y)");

static bool virtgpu_remove_firmware_fb;
module_param_named(remove_firmware_fb, virtgpu_remove_firmware_fb, bool, 0400);
MODULE_PARM_DESC(remove_firmware_fb, "Remove the firmware's framebuffers, also if the device is no VGA device (default N)");

static const struct file_operations virtgpu_fops = {
	.owner = THIS_MODULE,
	.show_fdinfo = drm_show_fdinfo,
	DRM_GEM_FOPS,
};

static const struct drm_gem_object_funcs virtgpu_gem_funcs = {
	.free = virtgpu_gem_free,
	.open = virtgpu_file_open_object,
	.close = virtgpu_file_close_object,
	.print_info = virtgpu_gem_print_info,
	.export = virtgpu_prime_export,
	.get_sg_table = virtgpu_gem_get_sg_table,
	.vmap = virtgpu_gem_vmap,
	.vunmap = virtgpu_gem_vunmap,
	.mmap = virtgpu_gem_mmap,
	.status = virtgpu_gem_status,
};

static const struct drm_driver virtgpu_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_MODESET |
			   DRIVER_ATOMIC | DRIVER_CURSOR_HOTSPOT | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = virtgpu_file_open,
	.postclose = virtgpu_file_close,
	.dumb_create = virtgpu_gem_dumb_create,
	.dumb_map_offset = virtgpu_gem_dumb_map_offset,
	.gem_prime_import = virtgpu_prime_import,
	/*
	 * Despite its name, this fbdev emulation only needs dumb buffers and
	 * vmap.  The shmem variant requires struct drm_gem_shmem_object.
	 */
	DRM_FBDEV_TTM_DRIVER_OPS,
	.ioctls = virtgpu_ioctls,
	.num_ioctls = VIRTGPU_NUM_IOCTLS,
	.fops = &virtgpu_fops,
	.debugfs_init = virtgpu_debugfs_init,
	.show_fdinfo = virtgpu_fdinfo_show,
	.name = "virtio_gpu",
	.desc = "virtio GPU",
	.major = 0,
	.minor = 1,
	.patchlevel = 0,
};

/*
 * Virtqueues
 */

static void virtgpu_ctrl_callback(struct virtqueue *vq)
{
	struct drm_device *dev = vq->vdev->priv;

	virtgpu_vq_callback(&to_virtgpu(dev)->ctrl);
}

static void virtgpu_cursor_callback(struct virtqueue *vq)
{
	struct drm_device *dev = vq->vdev->priv;

	virtgpu_vq_callback(&to_virtgpu(dev)->cursor);
}

static int virtgpu_start_vqs(struct virtgpu_device *vgdev)
{
	struct virtqueue_info info[] = {
		{ "control", virtgpu_ctrl_callback },
		{ "cursor", virtgpu_cursor_callback },
	};
	struct virtqueue *vqs[2];
	unsigned int i, size;
	int ret;

	ret = virtio_find_vqs(vgdev->vdev, ARRAY_SIZE(vqs), vqs, info, NULL);
	if (ret)
		return ret;

	for (i = 0; i < ARRAY_SIZE(vqs); i++) {
		size = virtqueue_get_vring_size(vqs[i]);
		if (size >= VIRTGPU_VQ_MIN_SIZE)
			continue;
		drm_err(&vgdev->drm, "%s queue has %u entries; at least %u are needed\n",
			info[i].name, size, VIRTGPU_VQ_MIN_SIZE);
		vgdev->vdev->config->del_vqs(vgdev->vdev);
		return -EINVAL;
	}

	vgdev->ctrl.indirect = vgdev->features.indirect;
	vgdev->ctrl.renders = vgdev->features.virgl;
	virtgpu_vq_start(&vgdev->ctrl, &virtgpu_virtqueue_ops, vqs[0],
			 virtqueue_get_vring_size(vqs[0]));
	virtgpu_vq_start(&vgdev->cursor, &virtgpu_virtqueue_ops, vqs[1],
			 virtqueue_get_vring_size(vqs[1]));

	return 0;
}

static void virtgpu_stop_vqs(struct virtgpu_device *vgdev)
{
	virtgpu_vq_begin_reset(&vgdev->ctrl);
	virtgpu_vq_begin_reset(&vgdev->cursor);
	virtio_reset_device(vgdev->vdev);
	/* Contexts must be lost before their fences signal an error. */
	virtgpu_contexts_mark_lost(&vgdev->contexts);
	virtgpu_resources_invalidate(&vgdev->resources);
	virtgpu_vq_stop(&vgdev->ctrl);
	virtgpu_vq_stop(&vgdev->cursor);
	vgdev->vdev->config->del_vqs(vgdev->vdev);
}

/*
 * Firmware framebuffers use the memory of VGA devices, or system RAM (ramfb).
 * The latter may have a window of its own, or share the window of the device,
 * which the guest cannot find out: only a module parameter removes them.
 */
static int virtgpu_remove_conflicting_fb(struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;

	if (virtgpu_remove_firmware_fb)
		return aperture_remove_all_conflicting_devices(virtgpu_driver.name);
	if (!parent || !dev_is_pci(parent) || !pci_is_vga(to_pci_dev(parent)))
		return 0;

	return aperture_remove_conflicting_pci_devices(to_pci_dev(parent),
						       virtgpu_driver.name);
}

/*
 * Setup and teardown
 */

/*
 * Called when the last reference to the DRM device is dropped, after
 * virtgpu_kms_release(), so no GEM object is left. The last works that release
 * backings use the DMA device, so its reference is dropped last.
 */
static void virtgpu_device_release(struct drm_device *dev, void *data)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);

	virtgpu_backing_mgr_flush(&vgdev->backings);
	virtgpu_import_cache_fini(&vgdev->imports);
	virtgpu_host_visible_fini(&vgdev->host_visible);
	virtgpu_context_mgr_fini(&vgdev->contexts);
	virtgpu_capsets_fini(&vgdev->capsets);
	virtgpu_resource_mgr_fini(&vgdev->resources);
	put_device(vgdev->backings.dev);
}

/* GET_DISPLAY_INFO is mandatory, and hosts respond to it immediately. */
static struct virtgpu_msg *virtgpu_ctrl_alloc_probe(struct virtgpu_vq *q)
{
	struct virtgpu_msg *msg;

	msg = virtgpu_msg_alloc_resp(sizeof(struct virtio_gpu_resp_display_info));
	if (msg)
		virtgpu_cmd_get_display_info(msg);

	return msg;
}

static void virtgpu_ctrl_tick(struct virtgpu_vq *q)
{
	virtgpu_kms_tick(container_of(q, struct virtgpu_device, ctrl));
}

/* Recovery is up to user space, by rebinding the driver. */
static void virtgpu_ctrl_wedged(struct virtgpu_vq *q)
{
	struct virtgpu_device *vgdev = container_of(q, struct virtgpu_device, ctrl);

	/* The uevent needs the device nodes. */
	if (vgdev->drm.registered)
		drm_dev_wedged_event(&vgdev->drm, DRM_WEDGE_RECOVERY_REBIND, NULL);
}

static int virtgpu_device_init(struct virtgpu_device *vgdev, struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;
	int ret;

	vgdev->vdev = vdev;
	vgdev->gem_funcs = &virtgpu_gem_funcs;
	virtgpu_features_read(vdev, &vgdev->features);
	/* DRM hides the cursor planes of such a device from some clients. */
	if (!virtgpu_hotspot)
		vgdev->drm.driver_features &= ~DRIVER_CURSOR_HOTSPOT;
	virtgpu_vq_init(&vgdev->ctrl, &vgdev->drm, "control");
	virtgpu_vq_init(&vgdev->cursor, &vgdev->drm, "cursor");
	vgdev->ctrl.on_wedged = virtgpu_ctrl_wedged;
	vgdev->ctrl.on_tick = virtgpu_ctrl_tick;
	vgdev->ctrl.alloc_probe = virtgpu_ctrl_alloc_probe;
	virtgpu_backing_mgr_init(&vgdev->backings, parent, vgdev->features.dma ?
				 VIRTGPU_ADDR_DMA : VIRTGPU_ADDR_GPA);
	/* Only rendering on the host writes to buffers. */
	if (vgdev->features.virgl)
		vgdev->backings.dir = DMA_BIDIRECTIONAL;
	ret = virtgpu_resource_mgr_init(&vgdev->resources, &vgdev->drm, &vgdev->ctrl);
	if (ret)
		return ret;
	ret = virtgpu_context_mgr_init(&vgdev->contexts, &vgdev->drm, &vgdev->ctrl);
	if (ret)
		goto put_resources;
	ret = virtgpu_import_cache_init(&vgdev->imports, dev_name(&vdev->dev));
	if (ret)
		goto put_contexts;
	virtgpu_host_visible_init(&vgdev->host_visible, &vgdev->ctrl,
				  vgdev->drm.anon_inode->i_mapping);

	/* Buffers may outlive the virtio device; put on release. */
	get_device(parent);

	/*
	 * Entries have 32-bit sizes and no lower limit, so exporters need not
	 * split segments.
	 */
	dma_set_max_seg_size(parent, UINT_MAX);

	return drmm_add_action_or_reset(&vgdev->drm, virtgpu_device_release, NULL);

put_contexts:
	virtgpu_context_mgr_fini(&vgdev->contexts);
put_resources:
	virtgpu_resource_mgr_fini(&vgdev->resources);
	return ret;
}

/* 3D works without the host-visible region; only blob mapping is lost. */
static void virtgpu_init_host_visible(struct virtgpu_device *vgdev)
{
	struct virtio_device *vdev = vgdev->vdev;
	struct virtio_shm_region r;

	if (!vgdev->features.virgl || !vgdev->features.blob ||
	    !virtio_get_shm_region(vdev, &r, VIRTIO_GPU_SHM_ID_HOST_VISIBLE) || !r.len)
		return;

	if (!devm_request_mem_region(&vdev->dev, r.addr, r.len, dev_name(&vdev->dev))) {
		drm_warn(&vgdev->drm, "host-visible region is busy; blob mapping disabled\n");
		return;
	}
	virtgpu_host_visible_start(&vgdev->host_visible, r.addr, r.len, vgdev->features.blob_align);
}

static int virtgpu_init_3d(struct virtgpu_device *vgdev)
{
	virtgpu_init_host_visible(vgdev);

	return virtgpu_capsets_init(&vgdev->capsets, &vgdev->ctrl,
				    vgdev->features.virgl ? vgdev->features.capsets : 0);
}

static int virtgpu_init_kms(struct virtgpu_device *vgdev)
{
	if (!IS_ENABLED(CONFIG_DRM_VIRTIO_GPU_KMS) || !vgdev->features.scanouts) {
		vgdev->drm.driver_features &= ~(DRIVER_MODESET | DRIVER_ATOMIC);
		drm_info(&vgdev->drm, "modesetting disabled: %s\n", vgdev->features.scanouts ?
			 "not built into the driver" : "the device has no scanouts");
		return 0;
	}

	return virtgpu_kms_init(vgdev);
}

static int virtgpu_probe(struct virtio_device *vdev)
{
	struct virtgpu_device *vgdev;
	int ret;

	if (drm_firmware_drivers_only() && virtgpu_modeset == -1)
		return -ENODEV;
	if (virtgpu_modeset == 0)
		return -ENODEV;

	ret = virtgpu_remove_conflicting_fb(vdev);
	if (ret)
		return ret;

	vgdev = devm_drm_dev_alloc(&vdev->dev, &virtgpu_driver, struct virtgpu_device, drm);
	if (IS_ERR(vgdev))
		return PTR_ERR(vgdev);
	vdev->priv = &vgdev->drm;

	ret = virtgpu_device_init(vgdev, vdev);
	if (ret)
		return ret;
	ret = virtgpu_init_3d(vgdev);
	if (ret)
		return ret;
	ret = virtgpu_init_kms(vgdev);
	if (ret)
		return ret;

	ret = virtgpu_start_vqs(vgdev);
	if (ret) {
		drm_err(&vgdev->drm, "failed to find virtqueues: %d\n", ret);
		return ret;
	}
	virtio_device_ready(vdev);

	virtgpu_capsets_query(&vgdev->capsets);
	ret = virtgpu_kms_start(vgdev);
	if (ret) {
		drm_err(&vgdev->drm, "failed to get display info: %d\n", ret);
		goto stop;
	}
	ret = drm_dev_register(&vgdev->drm, 0);
	if (ret)
		goto stop;

	if (vgdev->kms.count)
		drm_client_setup(&vgdev->drm, drm_format_info(DRM_FORMAT_HOST_XRGB8888));

	return 0;
stop:
	virtgpu_stop_vqs(vgdev);
	virtgpu_kms_stop(vgdev);
	return ret;
}

static void virtgpu_remove(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct virtgpu_device *vgdev = to_virtgpu(dev);

	/*
	 * Unplug while the device still responds, so that no new call reaches
	 * the queues.  After the reset, the atomic shutdown only updates the
	 * state of DRM.
	 */
	drm_dev_unplug(dev);
	virtgpu_stop_vqs(vgdev);
	virtgpu_host_visible_invalidate(&vgdev->host_visible, -ENODEV);
	virtgpu_import_cache_flush(&vgdev->imports);
	if (vgdev->kms.count)
		drm_atomic_helper_shutdown(dev);
	virtgpu_kms_stop(vgdev);
	virtgpu_backing_mgr_unmap_all(&vgdev->backings);
}

/*
 * For reboot, power-off and kexec, while user space may still run.  The reset
 * disables the outputs on the host and ends DMA.  It comes first: after it no
 * caller waits for the host any more, so nothing delays the unplug.  Modeset
 * locks are not taken here, because a commit may hold them while it waits for
 * another device.
 */
static void virtgpu_shutdown(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct virtgpu_device *vgdev = to_virtgpu(dev);

	virtgpu_stop_vqs(vgdev);
	virtgpu_host_visible_invalidate(&vgdev->host_visible, -ENODEV);
	drm_dev_unplug(dev);
}

static void virtgpu_config_changed(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;

	virtgpu_kms_config_changed(to_virtgpu(dev));
}

#ifdef CONFIG_PM_SLEEP
/*
 * The reset in virtgpu_stop_vqs() destroys the state of the device.  Disable
 * the outputs before it.  The resources become stale; a buffer gets a new
 * resource on its next use.
 */
static int virtgpu_freeze(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	int ret;

	ret = virtgpu_kms_suspend(vgdev);
	if (ret)
		return ret;

	virtgpu_stop_vqs(vgdev);
	virtgpu_host_visible_invalidate(&vgdev->host_visible, -EIO);
	virtgpu_import_cache_flush(&vgdev->imports);

	return 0;
}

static int virtgpu_restore(struct virtio_device *vdev)
{
	struct drm_device *dev = vdev->priv;
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	int ret;

	ret = virtgpu_start_vqs(vgdev);
	if (ret) {
		drm_err(dev, "failed to restore virtqueues: %d\n", ret);
		return ret;
	}
	virtio_device_ready(vdev);
	/* Outputs that stay disabled must not fail the resume. */
	virtgpu_kms_resume(vgdev);

	return 0;
}
#endif

static const struct virtio_device_id virtgpu_ids[] = {
	{ VIRTIO_ID_GPU, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, virtgpu_ids);

static struct virtio_driver virtgpu_virtio_driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = virtgpu_ids,
	.probe = virtgpu_probe,
	.remove = virtgpu_remove,
	.shutdown = virtgpu_shutdown,
	.config_changed = virtgpu_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = virtgpu_freeze,
	.restore = virtgpu_restore,
#endif
};

static int __init virtgpu_init(void)
{
	int ret;

	ret = virtgpu_msg_cache_init();
	if (ret)
		return ret;
	ret = virtgpu_atomic_init();
	if (ret)
		goto exit_msg_cache;

	virtgpu_features_init_driver(&virtgpu_virtio_driver);
	ret = register_virtio_driver(&virtgpu_virtio_driver);
	if (ret)
		goto exit_atomic;

	return 0;

exit_atomic:
	virtgpu_atomic_exit();
exit_msg_cache:
	virtgpu_msg_cache_exit();
	return ret;
}
module_init(virtgpu_init);

static void __exit virtgpu_exit(void)
{
	unregister_virtio_driver(&virtgpu_virtio_driver);
	virtgpu_atomic_exit();
	virtgpu_msg_cache_exit();
}
module_exit(virtgpu_exit);

MODULE_DESCRIPTION("Virtio GPU driver");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("DMA_BUF");
