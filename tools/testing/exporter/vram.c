// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * "VRAM": BAR 2 of QEMU's ivshmem device, memory in the guest-physical address
 * space that is no RAM of the guest.
 */

#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "vgpu_exporter.h"

#define VGPU_EXP_BAR	2

/**
 * struct vgpu_exp_vram - the BAR
 * @kref: the PCI device holds one, each backing carved from it another
 * @base: bus address
 * @io: where the CPU sees it
 * @pages: number of pages
 * @lock: protects @used
 * @used: one bit for each page
 */
struct vgpu_exp_vram {
	struct kref kref;
	phys_addr_t base;
	void __iomem *io;
	unsigned long pages;
	struct mutex lock; /* protects used */
	unsigned long *used;
};

static DEFINE_MUTEX(vgpu_exp_vram_lock);
static struct vgpu_exp_vram *vgpu_exp_the_vram;

static void vgpu_exp_vram_release(struct kref *kref)
{
	struct vgpu_exp_vram *vram =
		container_of(kref, struct vgpu_exp_vram, kref);

	iounmap(vram->io);
	bitmap_free(vram->used);
	mutex_destroy(&vram->lock);
	kfree(vram);
}

static struct vgpu_exp_vram *vgpu_exp_vram_get(void)
{
	struct vgpu_exp_vram *vram;

	mutex_lock(&vgpu_exp_vram_lock);
	vram = vgpu_exp_the_vram;
	if (vram)
		kref_get(&vram->kref);
	mutex_unlock(&vgpu_exp_vram_lock);
	return vram;
}

/**
 * vgpu_exp_vram_alloc - carve memory for a backing
 * @backing: @size is set; the rest is filled in
 *
 * Context: may sleep.
 * Return: 0; -ENODEV without a BAR; -ENOSPC when it is full.
 */
int vgpu_exp_vram_alloc(struct vgpu_exp_backing *backing)
{
	struct vgpu_exp_vram *vram = vgpu_exp_vram_get();
	unsigned long pages = backing->size >> PAGE_SHIFT;
	unsigned long start;

	if (!vram)
		return -ENODEV;

	mutex_lock(&vram->lock);
	start = bitmap_find_next_zero_area(vram->used, vram->pages, 0, pages,
					   0);
	if (start < vram->pages)
		bitmap_set(vram->used, start, pages);
	mutex_unlock(&vram->lock);
	if (start >= vram->pages) {
		kref_put(&vram->kref, vgpu_exp_vram_release);
		return -ENOSPC;
	}

	backing->vram = vram;
	backing->phys = vram->base + (start << PAGE_SHIFT);
	iosys_map_set_vaddr_iomem(&backing->map,
				  vram->io + (start << PAGE_SHIFT));
	return 0;
}

/**
 * vgpu_exp_vram_free - give a backing's memory back
 * @backing: from vgpu_exp_vram_alloc()
 *
 * Context: may sleep.
 */
void vgpu_exp_vram_free(struct vgpu_exp_backing *backing)
{
	struct vgpu_exp_vram *vram = backing->vram;

	mutex_lock(&vram->lock);
	bitmap_clear(vram->used, (backing->phys - vram->base) >> PAGE_SHIFT,
		     backing->size >> PAGE_SHIFT);
	mutex_unlock(&vram->lock);
	kref_put(&vram->kref, vgpu_exp_vram_release);
}

/**
 * vgpu_exp_vram_info - tell user space about the BAR
 * @info: what to fill in
 *
 * Context: may sleep.
 */
void vgpu_exp_vram_info(struct vgpu_exporter_info *info)
{
	struct vgpu_exp_vram *vram = vgpu_exp_vram_get();

	if (!vram)
		return;
	info->flags |= VGPU_EXPORTER_INFO_VRAM;
	info->vram_base = vram->base;
	info->vram_size = (u64)vram->pages << PAGE_SHIFT;
	kref_put(&vram->kref, vgpu_exp_vram_release);
}

static int vgpu_exp_pci_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct vgpu_exp_vram *vram;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_region(pdev, VGPU_EXP_BAR, "vgpu_exporter");
	if (ret)
		goto err_disable;

	vram = kzalloc_obj(*vram);
	if (!vram) {
		ret = -ENOMEM;
		goto err_region;
	}
	kref_init(&vram->kref);
	mutex_init(&vram->lock);
	vram->base = pci_resource_start(pdev, VGPU_EXP_BAR);
	vram->pages = pci_resource_len(pdev, VGPU_EXP_BAR) >> PAGE_SHIFT;
	vram->used = bitmap_zalloc(vram->pages, GFP_KERNEL);
	vram->io = ioremap_wc(vram->base, vram->pages << PAGE_SHIFT);
	if (!vram->used || !vram->io) {
		ret = -ENOMEM;
		goto err_vram;
	}

	mutex_lock(&vgpu_exp_vram_lock);
	if (!vgpu_exp_the_vram)
		vgpu_exp_the_vram = vram;
	else
		ret = -EBUSY;
	mutex_unlock(&vgpu_exp_vram_lock);
	if (ret)
		goto err_vram;

	pci_info(pdev, "%lu MiB of VRAM at %pa\n",
		 vram->pages >> (20 - PAGE_SHIFT), &vram->base);
	return 0;

err_vram:
	if (vram->io)
		iounmap(vram->io);
	bitmap_free(vram->used);
	kfree(vram);
err_region:
	pci_release_region(pdev, VGPU_EXP_BAR);
err_disable:
	pci_disable_device(pdev);
	return ret;
}

/* The device goes away under its users, as an unplugged GPU does. */
static void vgpu_exp_pci_remove(struct pci_dev *pdev)
{
	struct vgpu_exp_vram *vram;

	mutex_lock(&vgpu_exp_vram_lock);
	vram = vgpu_exp_the_vram;
	vgpu_exp_the_vram = NULL;
	mutex_unlock(&vgpu_exp_vram_lock);

	vgpu_exp_revoke_vram();
	kref_put(&vram->kref, vgpu_exp_vram_release);
	pci_release_region(pdev, VGPU_EXP_BAR);
	pci_disable_device(pdev);
}

static const struct pci_device_id vgpu_exp_pci_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vgpu_exp_pci_ids);

static struct pci_driver vgpu_exp_pci_driver = {
	.name = "vgpu_exporter",
	.id_table = vgpu_exp_pci_ids,
	.probe = vgpu_exp_pci_probe,
	.remove = vgpu_exp_pci_remove,
};

/**
 * vgpu_exp_vram_init - look for the BAR
 *
 * That there is none is no error: VRAM buffers then cannot be made.
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vgpu_exp_vram_init(void)
{
	return pci_register_driver(&vgpu_exp_pci_driver);
}

/**
 * vgpu_exp_vram_exit - let go of the BAR
 *
 * Context: may sleep; no buffer is left.
 */
void vgpu_exp_vram_exit(void)
{
	pci_unregister_driver(&vgpu_exp_pci_driver);
}
