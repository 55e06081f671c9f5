// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <drm/drm_drv.h>
#include <drm/drm_vma_manager.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cmd.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_host_visible.h"

/**
 * DOC: host3d buffers
 *
 * A buffer that a 3D context creates is either a 3D resource with guest pages,
 * which transfers copy from and to, or a blob in host memory, with or without
 * guest pages.
 *
 * User space maps a blob in host memory through the host-visible region.
 * The blob is usually mapped into the region along with its creation.
 * Otherwise DRM_IOCTL_VIRTGPU_MAP maps it.  The ioctl waits for the host
 * without holding a lock, so mmap() finds the blob there and maps all of it at
 * once.  If another blob has evicted it between the two calls, the first page
 * fault waits without the mmap lock, which mmap() would hold, and then maps all
 * of it.
 */

static int virtgpu_gem_host3d_create_res(struct virtgpu_gem *gem,
					 struct virtgpu_cmd_create_3d *cmd)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_resource *res;
	struct dma_fence *fence;
	int ret;

	ret = dma_resv_reserve_fences(gem->base.resv, 1);
	if (ret)
		return ret;

	res = virtgpu_resource_create_3d(&vgdev->resources, gem->pages, cmd, &fence);
	if (IS_ERR(res))
		return PTR_ERR(res);

	gem->host3d_res = res;
	dma_resv_add_fence(gem->base.resv, fence, DMA_RESV_USAGE_WRITE);
	dma_fence_put(fence);

	return 0;
}

/**
 * virtgpu_gem_create_3d() - Create a GEM object with a 3D resource
 * @vgdev: the device
 * @size: size of the guest pages, in bytes
 * @cmd: parameters; the resource ID is filled in
 *
 * Queues the commands; the caller must kick.  The reservation object gets a
 * fence of the creation, because Mesa writes to a staging buffer as soon as the
 * buffer is idle.
 *
 * Context: May sleep.
 * Return: the object, -EINVAL if @size is 0 or too large, -ENOMEM, or -ENOSPC
 * if no mmap offset is left.
 */
struct virtgpu_gem *virtgpu_gem_create_3d(struct virtgpu_device *vgdev, u64 size,
					  struct virtgpu_cmd_create_3d *cmd)
{
	struct virtgpu_gem *gem = virtgpu_gem_create(vgdev, size);
	int ret;

	if (IS_ERR(gem))
		return gem;

	dma_resv_lock(gem->base.resv, NULL);
	ret = virtgpu_gem_host3d_create_res(gem, cmd);
	dma_resv_unlock(gem->base.resv);
	if (ret) {
		drm_gem_object_put(&gem->base);
		return ERR_PTR(ret);
	}

	return gem;
}

/**
 * virtgpu_gem_host3d_map() - Map a blob into the host-visible region
 * @gem: any GEM object
 *
 * Context: May sleep; waits for the device.
 * Return: 0 on success or if @gem has guest pages or is imported, -EINVAL if
 * the blob was not created mappable, or the error of virtgpu_gem_host_error()
 * or virtgpu_host_mapping_map().
 */
int virtgpu_gem_host3d_map(struct virtgpu_gem *gem)
{
	int ret;

	if (virtgpu_gem_region(gem) != VIRTGPU_GEM_HOST3D)
		return 0;
	if (!gem->map)
		return -EINVAL;

	ret = virtgpu_gem_host_error(gem);

	return ret ?: virtgpu_host_mapping_map(gem->map);
}

/**
 * virtgpu_gem_host3d_pin() - Keep a blob mapped in the host-visible region
 * @gem: a GEM object in host memory
 *
 * Context: May sleep; waits for the device.
 * Return: 0 on success, or the error of virtgpu_gem_host3d_map().
 */
int virtgpu_gem_host3d_pin(struct virtgpu_gem *gem)
{
	int ret;

	if (!gem->map)
		return -EINVAL;

	virtgpu_host_mapping_pin(gem->map);
	ret = virtgpu_gem_host3d_map(gem);
	if (ret)
		virtgpu_host_mapping_unpin(gem->map);

	return ret;
}

/**
 * virtgpu_gem_host3d_unpin() - Undo virtgpu_gem_host3d_pin()
 * @gem: the GEM object
 *
 * Context: Any.
 */
void virtgpu_gem_host3d_unpin(struct virtgpu_gem *gem)
{
	virtgpu_host_mapping_unpin(gem->map);
}

/**
 * virtgpu_gem_host3d_get_addr() - Get the address of a pinned blob
 * @gem: the GEM object, pinned
 * @addr: filled in with the physical address
 *
 * Context: Any.
 * Return: false if the blob was lost in a reset.
 */
bool virtgpu_gem_host3d_get_addr(struct virtgpu_gem *gem, phys_addr_t *addr)
{
	u32 map_info;

	return virtgpu_host_mapping_get_addr(gem->map, addr, &map_info);
}

static pgprot_t virtgpu_gem_host3d_pgprot(pgprot_t prot, u32 map_info)
{
	switch (map_info) {
	case VIRTIO_GPU_MAP_CACHE_WC:
		return pgprot_writecombine(prot);
	case VIRTIO_GPU_MAP_CACHE_UNCACHED:
		return pgprot_noncached(prot);
	default:
		return prot;
	}
}

/* Map the blob into the region first, if the fault may wait for that. */
static vm_fault_t virtgpu_gem_host3d_map_for_fault(struct virtgpu_gem *gem, struct vm_fault *vmf)
{
	struct drm_gem_object *obj = &gem->base;
	int ret;

	ret = virtgpu_host_mapping_queue(gem->map);
	if ((ret && ret != -EAGAIN) || !fault_flag_allow_retry_first(vmf->flags))
		return VM_FAULT_SIGBUS;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	drm_gem_object_get(obj);
	mmap_read_unlock(vmf->vma->vm_mm);
	/* The retried fault finds an error, if any. */
	virtgpu_host_mapping_map(gem->map);
	drm_gem_object_put(obj);

	return VM_FAULT_RETRY;
}

/* Only the page that was accessed must be mapped; the others avoid faults. */
static vm_fault_t virtgpu_gem_host3d_insert_all(struct vm_area_struct *vma, unsigned long address,
						unsigned long pfn, pgprot_t prot)
{
	unsigned long addr;
	vm_fault_t ret;

	/* @pfn is the first page of @vma. */
	ret = vmf_insert_pfn_prot(vma, address,
				  pfn + ((address - vma->vm_start) >> PAGE_SHIFT), prot);
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE, pfn++) {
		if (fatal_signal_pending(current) ||
		    vmf_insert_pfn_prot(vma, addr, pfn, prot) != VM_FAULT_NOPAGE)
			break;
		cond_resched();
	}

	return VM_FAULT_NOPAGE;
}

static vm_fault_t virtgpu_gem_host3d_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long pgoff;
	phys_addr_t addr;
	u32 map_info;
	int idx;

	/*
	 * virtgpu_remove() zaps mappings after all such sections have ended.
	 */
	if (!drm_dev_enter(obj->dev, &idx))
		return VM_FAULT_SIGBUS;
	if (!virtgpu_host_mapping_get_addr(gem->map, &addr, &map_info)) {
		drm_dev_exit(idx);
		return virtgpu_gem_host3d_map_for_fault(gem, vmf);
	}
	pgoff = vma->vm_pgoff - drm_vma_node_start(&obj->vma_node);
	ret = virtgpu_gem_host3d_insert_all(vma, vmf->address, PHYS_PFN(addr) + pgoff,
					    virtgpu_gem_host3d_pgprot(vma->vm_page_prot,
								      map_info));
	drm_dev_exit(idx);

	return ret;
}

static void virtgpu_gem_host3d_vm_open(struct vm_area_struct *vma)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	virtgpu_host_mapping_pin(to_virtgpu_gem(obj)->map);
	drm_gem_vm_open(vma);
}

static void virtgpu_gem_host3d_vm_close(struct vm_area_struct *vma)
{
	struct drm_gem_object *obj = vma->vm_private_data;

	virtgpu_host_mapping_unpin(to_virtgpu_gem(obj)->map);
	drm_gem_vm_close(vma);
}

static const struct vm_operations_struct virtgpu_gem_host3d_vm_ops = {
	.open = virtgpu_gem_host3d_vm_open,
	.close = virtgpu_gem_host3d_vm_close,
	.fault = virtgpu_gem_host3d_fault,
};

static int virtgpu_gem_host3d_insert_pages(struct virtgpu_gem *gem, struct vm_area_struct *vma,
					   unsigned long pgoff)
{
	phys_addr_t addr;
	int idx, ret;
	u32 map_info;

	if (!drm_dev_enter(gem->base.dev, &idx))
		return -ENODEV;

	ret = 0;
	if (virtgpu_host_mapping_get_addr(gem->map, &addr, &map_info)) {
		vma->vm_page_prot = virtgpu_gem_host3d_pgprot(vma->vm_page_prot, map_info);
		ret = io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(addr) + pgoff,
					 vma->vm_end - vma->vm_start, vma->vm_page_prot);
	}
	drm_dev_exit(idx);

	return ret;
}

/* Called with the mmap lock held, so it does not wait for the device. */
static int virtgpu_gem_host3d_mmap(struct virtgpu_gem *gem, struct vm_area_struct *vma,
				   unsigned long pgoff)
{
	int ret;

	if (!gem->map || (u64)pgoff + vma_pages(vma) > gem->base.size >> PAGE_SHIFT)
		return -EINVAL;
	ret = virtgpu_gem_host_error(gem);
	if (ret)
		return ret;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_decrypted(vm_get_page_prot(vma->vm_flags));
	vma->vm_ops = &virtgpu_gem_host3d_vm_ops;

	if (virtgpu_host_mapping_pin(gem->map))
		ret = virtgpu_gem_host3d_insert_pages(gem, vma, pgoff);
	else
		ret = virtgpu_host_mapping_queue(gem->map);
	if (!ret || ret == -EAGAIN)
		return 0;

	virtgpu_host_mapping_unpin(gem->map);
	return ret;
}

static bool virtgpu_gem_host3d_is_resident(const struct virtgpu_gem *gem)
{
	return !virtgpu_gem_host_error(gem);
}

static const struct virtgpu_gem_ops virtgpu_gem_host3d_ops = {
	.region = VIRTGPU_GEM_HOST3D,
	.is_resident = virtgpu_gem_host3d_is_resident,
	.mmap = virtgpu_gem_host3d_mmap,
};

static bool virtgpu_gem_host3d_is_mappable(const struct virtgpu_cmd_create_blob *cmd)
{
	return cmd->mem == VIRTIO_GPU_BLOB_MEM_HOST3D &&
	       cmd->flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE;
}

/**
 * virtgpu_gem_create_host3d_blob() - Create a GEM object in host memory
 * @vgdev: the device
 * @cmd: parameters, with a size that is a multiple of PAGE_SIZE; the resource
 *	ID is filled in
 * @cmdbuf_msg: message to queue before the creation, consumed on success, or
 *	NULL
 * @defer_mapping: map the blob into the host-visible region on access
 *
 * Queues the commands; the caller must kick.
 *
 * Context: May sleep.
 * Return: the object, -EINVAL if the size is 0 or too large, -ENOMEM, or
 * -ENOSPC if no mmap offset is left.
 */
struct virtgpu_gem *virtgpu_gem_create_host3d_blob(struct virtgpu_device *vgdev,
						   struct virtgpu_cmd_create_blob *cmd,
						   struct virtgpu_msg *cmdbuf_msg,
						   bool defer_mapping)
{
	bool guest = cmd->mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
	struct virtgpu_resource *res;
	struct virtgpu_host_mapping *map;
	struct virtgpu_gem *gem;

	if (!cmd->size || cmd->size > LONG_MAX)
		return ERR_PTR(-EINVAL);

	gem = guest ? virtgpu_gem_create(vgdev, cmd->size) :
		      virtgpu_gem_alloc(vgdev, cmd->size, NULL, &virtgpu_gem_host3d_ops);
	if (IS_ERR(gem))
		return gem;
	gem->blob_mem = cmd->mem;

	/*
	 * The mapping gets its resource ID below, after the last step that can
	 * fail.
	 */
	if (virtgpu_gem_host3d_is_mappable(cmd)) {
		map = virtgpu_host_mapping_alloc(&vgdev->host_visible, 0, cmd->size,
						 &gem->base.vma_node);
		if (!map) {
			drm_gem_object_put(&gem->base);
			return ERR_PTR(-ENOMEM);
		}
		gem->map = map;
	}

	res = virtgpu_resource_create_host3d_blob(&vgdev->resources, gem->pages, cmd,
						  cmdbuf_msg);
	if (IS_ERR(res)) {
		drm_gem_object_put(&gem->base);
		return ERR_CAST(res);
	}
	gem->host3d_res = res;
	if (gem->map) {
		gem->map->resource = res->id;
		if (!defer_mapping)
			virtgpu_host_mapping_queue_early(gem->map);
	}

	return gem;
}
