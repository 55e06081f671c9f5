// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/mm.h>
#include <drm/drm_drv.h>
#include <drm/drm_vma_manager.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cmd.h"
#include "virtgpu_cmd_3d.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"
#include "virtgpu_gem_host3d.h"
#include "virtgpu_host_visible.h"

/**
 * DOC: buffers of the host
 *
 * A buffer that a 3D context has made is a texture, with pages of the guest that
 * transfers copy from and to, or a blob: of the host's memory, with or without pages
 * of the guest behind it.
 *
 * A blob of the host's memory is mapped to user space through the window.  It is
 * brought there, and waited for, when a program asks for the offset to map, where
 * nobody holds a lock; so mmap() finds it there and maps it at once.  Otherwise the
 * first access waits, without the lock of the address space.
 */

/**
 * virtgpu_gem_create_3d - make a buffer of the host's renderer
 * @vgdev: the device
 * @size: of the pages of the guest, in bytes
 * @cmd: what it is to be; its number is filled in
 *
 * Published, not kicked.
 *
 * Context: may sleep.
 * Return: the object, -EINVAL for no size or too much, -ENOMEM.
 */
struct virtgpu_gem *virtgpu_gem_create_3d(struct virtgpu_device *vgdev, u64 size,
					  struct virtgpu_cmd_create_3d *cmd)
{
	struct virtgpu_gem *gem = virtgpu_gem_create(vgdev, size);
	struct virtgpu_resource *res;

	if (IS_ERR(gem))
		return gem;

	res = virtgpu_resource_create_3d(&vgdev->resources, gem->pages, cmd);
	if (IS_ERR(res)) {
		drm_gem_object_put(&gem->base);
		return ERR_CAST(res);
	}
	gem->host3d_res = res;

	return gem;
}

static bool virtgpu_gem_host3d_is_mappable(const struct virtgpu_cmd_create_blob *cmd)
{
	return cmd->mem == VIRTIO_GPU_BLOB_MEM_HOST3D &&
	       cmd->flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE;
}

/**
 * virtgpu_gem_create_host3d_blob - make a buffer of the host's memory
 * @vgdev: the device
 * @cmd: what it is to be, its size a multiple of PAGE_SIZE; its number is filled in
 * @before: a filled message to be published before; on success the queue's; or NULL
 *
 * Published, not kicked.
 *
 * Context: may sleep.
 * Return: the object, -EINVAL for no size or too much, -ENOMEM.
 */
struct virtgpu_gem *virtgpu_gem_create_host3d_blob(struct virtgpu_device *vgdev,
						   struct virtgpu_cmd_create_blob *cmd,
						   struct virtgpu_msg *before)
{
	bool guest = cmd->mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
	struct virtgpu_resource *res;
	struct virtgpu_host_mapping *map;
	struct virtgpu_gem *gem;

	if (!cmd->size || cmd->size > LONG_MAX)
		return ERR_PTR(-EINVAL);

	gem = guest ? virtgpu_gem_create(vgdev, cmd->size) :
		      virtgpu_gem_create_empty(vgdev, cmd->size);
	if (IS_ERR(gem))
		return gem;
	gem->blob_mem = cmd->mem;

	/* Its number comes with the resource, which is the last step that can fail. */
	if (virtgpu_gem_host3d_is_mappable(cmd)) {
		map = virtgpu_host_mapping_alloc(&vgdev->host_visible, 0, cmd->size,
						 &gem->base.vma_node);
		if (!map) {
			drm_gem_object_put(&gem->base);
			return ERR_PTR(-ENOMEM);
		}
		gem->map = map;
	}

	res = virtgpu_resource_create_host3d_blob(&vgdev->resources, gem->pages, cmd, before);
	if (IS_ERR(res)) {
		drm_gem_object_put(&gem->base);
		return ERR_CAST(res);
	}
	gem->host3d_res = res;
	if (gem->map)
		gem->map->resource = res->id;

	return gem;
}

/**
 * virtgpu_gem_host3d_map - a program is going to map a buffer
 * @gem: any buffer
 *
 * Context: may sleep; waits for the host.
 * Return: 0, also for what needs no place in the window; -EINVAL for a blob that was
 * not made to be mapped; what virtgpu_host_mapping_map() says.
 */
int virtgpu_gem_host3d_map(struct virtgpu_gem *gem)
{
	int ret;

	if (!gem->host3d_res || gem->pages)
		return 0;
	if (!gem->map)
		return -EINVAL;

	ret = virtgpu_gem_host_error(gem);

	return ret ?: virtgpu_host_mapping_map(gem->map);
}

/**
 * virtgpu_gem_host3d_pin - keep a blob of the host's memory in the window
 * @gem: a buffer without pages
 *
 * Context: may sleep; waits for the host.
 * Return: 0; -EINVAL for a blob that was not made to be mapped; what
 * virtgpu_host_mapping_map() says.
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
 * virtgpu_gem_host3d_release - undo virtgpu_gem_host3d_pin()
 * @gem: the buffer
 *
 * Context: any.
 */
void virtgpu_gem_host3d_release(struct virtgpu_gem *gem)
{
	virtgpu_host_mapping_unpin(gem->map);
}

/**
 * virtgpu_gem_host3d_get_addr - where a blob is that is kept in the window
 * @gem: the buffer
 * @where: filled: its physical address
 *
 * Context: any.
 * Return: false if it was lost.
 */
bool virtgpu_gem_host3d_get_addr(struct virtgpu_gem *gem, phys_addr_t *where)
{
	u32 info;

	return virtgpu_host_mapping_get_addr(gem->map, where, &info);
}

static pgprot_t virtgpu_gem_host3d_pgprot(pgprot_t prot, u32 info)
{
	switch (info) {
	case VIRTIO_GPU_MAP_CACHE_WC:
		return pgprot_writecombine(prot);
	case VIRTIO_GPU_MAP_CACHE_UNCACHED:
		return pgprot_noncached(prot);
	default:
		return prot;
	}
}

static unsigned long virtgpu_gem_host3d_first_page(const struct virtgpu_gem *gem,
						   unsigned long pgoff)
{
	return pgoff - drm_vma_node_start(&gem->base.vma_node);
}

/* The blob may not be there: then bring it, if that can be waited for. */
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
	/* Without success the next try finds that out. */
	virtgpu_host_mapping_map(gem->map);
	drm_gem_object_put(obj);

	return VM_FAULT_RETRY;
}

static vm_fault_t virtgpu_gem_host3d_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct virtgpu_gem *gem = to_virtgpu_gem(obj);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	phys_addr_t where;
	int idx;
	u32 info;

	/* What is mapped while this is held is undone after the device is unplugged. */
	if (!drm_dev_enter(obj->dev, &idx))
		return VM_FAULT_SIGBUS;
	if (!virtgpu_host_mapping_get_addr(gem->map, &where, &info)) {
		drm_dev_exit(idx);
		return virtgpu_gem_host3d_map_for_fault(gem, vmf);
	}
	ret = vmf_insert_pfn_prot(vma, vmf->address,
				  PHYS_PFN(where) + virtgpu_gem_host3d_first_page(gem, vmf->pgoff),
				  virtgpu_gem_host3d_pgprot(vma->vm_page_prot, info));
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

static const struct vm_operations_struct host_vm_ops = {
	.open = virtgpu_gem_host3d_vm_open,
	.close = virtgpu_gem_host3d_vm_close,
	.fault = virtgpu_gem_host3d_fault,
};

static int virtgpu_gem_host3d_insert_pages(struct virtgpu_gem *gem, struct vm_area_struct *vma)
{
	unsigned long first = virtgpu_gem_host3d_first_page(gem, vma->vm_pgoff);
	phys_addr_t where;
	int idx, ret;
	u32 info;

	if (!drm_dev_enter(gem->base.dev, &idx))
		return -ENODEV;

	ret = 0;
	if (virtgpu_host_mapping_get_addr(gem->map, &where, &info)) {
		vma->vm_page_prot = virtgpu_gem_host3d_pgprot(vma->vm_page_prot, info);
		ret = io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(where) + first,
					 vma->vm_end - vma->vm_start,
					 vma->vm_page_prot);
	}
	drm_dev_exit(idx);

	return ret;
}

/**
 * virtgpu_gem_host3d_mmap - map a blob of the host's memory for a user
 * @gem: a buffer without pages
 * @vma: where; it may be a part of the buffer
 *
 * Context: under the mmap lock; does not wait for the host.
 * Return: 0; -EINVAL for a blob that cannot be mapped, or a range outside; -EIO if it
 * is lost; what virtgpu_host_mapping_queue() says.
 */
int virtgpu_gem_host3d_mmap(struct virtgpu_gem *gem, struct vm_area_struct *vma)
{
	u64 first = virtgpu_gem_host3d_first_page(gem, vma->vm_pgoff);
	int ret;

	if (!gem->map || first + vma_pages(vma) > gem->base.size >> PAGE_SHIFT)
		return -EINVAL;
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
	ret = virtgpu_gem_host_error(gem);
	if (ret)
		return ret;

	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_decrypted(vm_get_page_prot(vma->vm_flags));
	vma->vm_ops = &host_vm_ops;

	if (virtgpu_host_mapping_pin(gem->map))
		ret = virtgpu_gem_host3d_insert_pages(gem, vma);
	else
		ret = virtgpu_host_mapping_queue(gem->map);
	if (!ret || ret == -EAGAIN)
		return 0;

	virtgpu_host_mapping_unpin(gem->map);
	return ret;
}
