/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Compatibility with older kernels, for out-of-tree builds only.
 *
 * The driver uses the API of the newest kernel.  The build includes this header
 * first, from the command line.  include/compat/probe compiles a test for each
 * feature and defines HAVE_*; each shim names the kernel release of the change.
 */
#ifndef VIRTGPU_COMPAT_H
#define VIRTGPU_COMPAT_H

#include <linux/kconfig.h>
#include <virtgpu_compat_config.h>

/*
 * 7.1: struct drm_atomic_state and its functions were renamed to
 * drm_atomic_commit.  The driver does not use the older drm_atomic_commit().
 */
#ifndef HAVE_DRM_ATOMIC_COMMIT_STRUCT
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#define drm_atomic_commit drm_atomic_state
#define drm_atomic_commit_get drm_atomic_state_get
#define drm_atomic_commit_put drm_atomic_state_put
#endif

/* 6.17: fb_create() and its helpers gained a drm_format_info parameter. */
#ifndef HAVE_FB_CREATE_INFO
#include <drm/drm_gem_framebuffer_helper.h>
#define virtgpu_fb_create(dev, file, info, cmd) virtgpu_fb_create(dev, file, cmd)
#define drm_gem_fb_create_with_funcs(dev, file, info, cmd, funcs) \
	drm_gem_fb_create_with_funcs(dev, file, cmd, funcs)
#endif

/* 6.15: atomic_async_check() gained the parameter "flip". */
#ifndef HAVE_ASYNC_CHECK_FLIP
#define virtgpu_cursor_plane_async_check(plane, state, flip) \
	virtgpu_cursor_plane_async_check(plane, state)
#endif

/*
 * 6.16: drm_plane_funcs.format_mod_supported_async was added.  The driver
 * supports the same formats for synchronous flips.
 */
#ifndef HAVE_ASYNC_FORMATS
#define format_mod_supported_async format_mod_supported
#endif

/* 7.0: dma_buf_attach_ops.move_notify was renamed to invalidate_mappings. */
#ifndef HAVE_DMA_BUF_INVALIDATE_MAPPINGS
#include <linux/dma-buf.h>
#define invalidate_mappings move_notify
#endif

/* 6.13: MODULE_IMPORT_NS() takes a string. */
#include <linux/module.h>
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns) MODULE_INFO(import_ns, ns)

/* Out-of-tree modules have a version of their own. */
#undef MODULE_DESCRIPTION
#define MODULE_DESCRIPTION(text) \
	MODULE_INFO(description, text); MODULE_VERSION(__stringify(VIRTGPU_VERSION))

/* 6.14: drm_driver.date was removed.  DRM_IOCTL_VERSION needs it before. */
#ifdef HAVE_DRM_DRIVER_DATE
#include <drm/drm_fbdev_ttm.h>
#undef DRM_FBDEV_TTM_DRIVER_OPS
#ifdef CONFIG_DRM_FBDEV_EMULATION
#define DRM_FBDEV_TTM_DRIVER_OPS \
	.fbdev_probe = drm_fbdev_ttm_driver_fbdev_probe, .date = "0"
#else
#define DRM_FBDEV_TTM_DRIVER_OPS .date = "0"
#endif
#endif

/* 6.14: DRM_GEM_OBJECT_ACTIVE was added; fdinfo always had drm-active-. */
#ifndef HAVE_DRM_GEM_OBJECT_ACTIVE
#define DRM_GEM_OBJECT_ACTIVE 0
#endif

/* 6.16: drm_scanout_buffer.private was added, for set_pixel(). */
#ifndef HAVE_PANIC_PRIVATE
#undef CONFIG_DRM_PANIC
#endif

/* 6.15: drm_dev_wedged_event() was added; 6.17: it gained a task parameter. */
#ifndef HAVE_DRM_WEDGED_EVENT_TASK
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#ifndef DRM_WEDGE_RECOVERY_REBIND
#define DRM_WEDGE_RECOVERY_REBIND 0
#endif
#define drm_dev_wedged_event(dev, method, task) ((void)(dev))
#endif

/* 6.13: hrtimer_setup() replaced hrtimer_init(). */
#ifndef HAVE_HRTIMER_SETUP
#include <linux/hrtimer.h>
static inline void virtgpu_compat_hrtimer_setup(struct hrtimer *timer,
						enum hrtimer_restart (*function)(struct hrtimer *),
						clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#define hrtimer_setup virtgpu_compat_hrtimer_setup
#endif

/* 6.17: system_unbound_wq was renamed to system_dfl_wq. */
#ifndef HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq system_unbound_wq
#endif

/* 7.0: __dma_from_device_group_begin() and _end() were added. */
#include <linux/dma-mapping.h>
#ifndef __dma_from_device_group_begin
#include <linux/cache.h>
#define __dma_from_device_group_begin(group) \
	__cacheline_group_begin(group) __aligned(ARCH_DMA_MINALIGN)
#define __dma_from_device_group_end(group) \
	__cacheline_group_end(group) __aligned(ARCH_DMA_MINALIGN)
#endif

/*
 * 7.1: signalled fences were detached from their operations.  Before, the
 * operations are called until the fence is freed, so that a fence that is
 * visible outside of the driver holds a reference to the module.  The first
 * driver flag marks such fences.
 */
#ifndef HAVE_DMA_FENCE_OPS_DETACHED
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/sync_file.h>
#include <drm/drm_syncobj.h>

#define VIRTGPU_COMPAT_FENCE_PINS_MODULE DMA_FENCE_FLAG_USER_BITS

static inline struct dma_fence *virtgpu_compat_fence_pin(struct dma_fence *fence)
{
	if (fence && within_module((unsigned long)fence->ops, THIS_MODULE) &&
	    !test_and_set_bit(VIRTGPU_COMPAT_FENCE_PINS_MODULE, &fence->flags))
		__module_get(THIS_MODULE);

	return fence;
}

static inline void virtgpu_compat_fence_release(struct dma_fence *fence)
{
	bool pins_module = test_bit(VIRTGPU_COMPAT_FENCE_PINS_MODULE, &fence->flags);

	dma_fence_free(fence);
	if (pins_module)
		module_put(THIS_MODULE);
}

/* Adds release() to the initialiser of the operations. */
#define get_driver_name release = virtgpu_compat_fence_release, .get_driver_name

#define dma_resv_add_fence(resv, fence, usage) \
	dma_resv_add_fence(resv, virtgpu_compat_fence_pin(fence), usage)
#define drm_syncobj_add_point(syncobj, chain, fence, point) \
	drm_syncobj_add_point(syncobj, chain, virtgpu_compat_fence_pin(fence), point)
#define drm_syncobj_replace_fence(syncobj, fence) \
	drm_syncobj_replace_fence(syncobj, virtgpu_compat_fence_pin(fence))
#define sync_file_create(fence) \
	sync_file_create(virtgpu_compat_fence_pin(fence))
#endif

/* 7.0: kmalloc_obj() and kzalloc_obj() were added. */
#ifndef HAVE_KZALLOC_OBJ
#include <linux/slab.h>
#define kmalloc_obj(obj) kmalloc(sizeof(obj), GFP_KERNEL)
#define kzalloc_obj(obj) kzalloc(sizeof(obj), GFP_KERNEL)
#endif

/*
 * 6.13: bochs moved to shmem helpers, and its dma-bufs have scatter lists.  The
 * shim needs kzalloc_obj().
 */
#ifndef HAVE_BOCHS_SHMEM
#include "vram_dma_buf.h"
#endif

#ifndef HAVE_VIRTIO_DRIVER_SHUTDOWN
#include "virtio_shutdown.h"
#endif

/* 7.1: the node statistics NR_GPU_ACTIVE were added. */
#ifndef HAVE_NR_GPU_ACTIVE
#include <linux/vmstat.h>
#define NR_GPU_ACTIVE NR_VM_NODE_STAT_ITEMS

static inline void virtgpu_compat_mod_node_page_state(struct pglist_data *node,
						      enum node_stat_item item, long n)
{
	if (item != NR_GPU_ACTIVE)
		mod_node_page_state(node, item, n);
}

#undef mod_node_page_state
#define mod_node_page_state virtgpu_compat_mod_node_page_state
#endif

/* 7.0: VIRTIO_GPU_F_BLOB_ALIGNMENT and its configuration field were added. */
#ifndef HAVE_VIRTIO_GPU_BLOB_ALIGNMENT
#include <uapi/linux/virtio_gpu.h>
#define VIRTIO_GPU_F_BLOB_ALIGNMENT 5

struct virtgpu_compat_config {
	__le32 events_read;
	__le32 events_clear;
	__le32 num_scanouts;
	__le32 num_capsets;
	__le32 blob_alignment;
};

#define virtio_gpu_config virtgpu_compat_config
#define VIRTGPU_PARAM_BLOB_ALIGNMENT 9
#endif

/* 6.16: drm_virtgpu_resource_create_blob.blob_hints was added. */
#ifndef HAVE_VIRTGPU_BLOB_HINTS
#include <uapi/drm/virtgpu_drm.h>
#define DRM_VIRTGPU_BLOB_FLAG_HINT_DEFER_MAPPING 0x0001

struct virtgpu_compat_resource_create_blob {
	__u32 blob_mem;
	__u32 blob_flags;
	__u32 bo_handle;
	__u32 res_handle;
	__u64 size;
	__u32 pad;
	__u32 cmd_size;
	__u64 cmd;
	__u64 blob_id;
	__u32 blob_hints;
	__u32 pad2;
};

#define drm_virtgpu_resource_create_blob virtgpu_compat_resource_create_blob
#endif

#endif
