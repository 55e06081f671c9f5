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

#include "virtgpu_exporter.h"

#define VIRTGPU_EXP_BAR	2

/**
 * struct virtgpu_exp_vram - the BAR
 * @kref: the PCI device holds one, each backing carved from it another
 * @base: bus address
 * @io: where the CPU sees it
 * @pages: number of pages
 * @lock: protects @used
 * @used: one bit for each page
 */
struct virtgpu_exp_vram {
	struct kref kref;
	phys_addr_t base;
	void __iomem *io;
	unsigned long pages;
	struct mutex lock; /* protects used */
	unsigned long *used;
};

static DEFINE_MUTEX(virtgpu_exp_vram_lock);
static struct virtgpu_exp_vram *virtgpu_exp_the_vram;

static void virtgpu_exp_vram_release(struct kref *kref)
{
	struct virtgpu_exp_vram *vram =
		container_of(kref, struct virtgpu_exp_vram, kref);

	iounmap(vram->io);
	bitmap_free(vram->used);
	mutex_destroy(&vram->lock);
	kfree(vram);
}

static struct virtgpu_exp_vram *virtgpu_exp_vram_get(void)
{
	struct virtgpu_exp_vram *vram;

	mutex_lock(&virtgpu_exp_vram_lock);
	vram = virtgpu_exp_the_vram;
	if (vram)
		kref_get(&vram->kref);
	mutex_unlock(&virtgpu_exp_vram_lock);
	return vram;
}

/**
 * virtgpu_exp_vram_alloc - carve memory for a backing
 * @backing: @size is set; the rest is filled in
 *
 * Context: may sleep.
 * Return: 0; -ENODEV without a BAR; -ENOSPC when it is full.
 */
int virtgpu_exp_vram_alloc(struct virtgpu_exp_backing *backing)
{
	struct virtgpu_exp_vram *vram = virtgpu_exp_vram_get();
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
		kref_put(&vram->kref, virtgpu_exp_vram_release);
		return -ENOSPC;
	}

	backing->vram = vram;
	backing->phys = vram->base + (start << PAGE_SHIFT);
	iosys_map_set_vaddr_iomem(&backing->map,
				  vram->io + (start << PAGE_SHIFT));
	return 0;
}

/**
 * virtgpu_exp_vram_free - give a backing's memory back
 * @backing: from virtgpu_exp_vram_alloc()
 *
 * Context: may sleep.
 */
void virtgpu_exp_vram_free(struct virtgpu_exp_backing *backing)
{
	struct virtgpu_exp_vram *vram = backing->vram;

	mutex_lock(&vram->lock);
	bitmap_clear(vram->used, (backing->phys - vram->base) >> PAGE_SHIFT,
		     backing->size >> PAGE_SHIFT);
	mutex_unlock(&vram->lock);
	kref_put(&vram->kref, virtgpu_exp_vram_release);
}

/**
 * virtgpu_exp_vram_info - tell user space about the BAR
 * @info: what to fill in
 *
 * Context: may sleep.
 */
void virtgpu_exp_vram_info(struct virtgpu_exporter_info *info)
{
	struct virtgpu_exp_vram *vram = virtgpu_exp_vram_get();

	if (!vram)
		return;
	info->flags |= VIRTGPU_EXPORTER_INFO_VRAM;
	info->vram_base = vram->base;
	info->vram_size = (u64)vram->pages << PAGE_SHIFT;
	kref_put(&vram->kref, virtgpu_exp_vram_release);
}

static int virtgpu_exp_pci_probe(struct pci_dev *pdev,
				 const struct pci_device_id *id)
{
	struct virtgpu_exp_vram *vram;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_region(pdev, VIRTGPU_EXP_BAR, "virtgpu_exporter");
	if (ret)
		goto err_disable;

	vram = kzalloc_obj(*vram);
	if (!vram) {
		ret = -ENOMEM;
		goto err_region;
	}
	kref_init(&vram->kref);
	mutex_init(&vram->lock);
	vram->base = pci_resource_start(pdev, VIRTGPU_EXP_BAR);
	vram->pages = pci_resource_len(pdev, VIRTGPU_EXP_BAR) >> PAGE_SHIFT;
	vram->used = bitmap_zalloc(vram->pages, GFP_KERNEL);
	vram->io = ioremap_wc(vram->base, vram->pages << PAGE_SHIFT);
	if (!vram->used || !vram->io) {
		ret = -ENOMEM;
		goto err_vram;
	}

	mutex_lock(&virtgpu_exp_vram_lock);
	if (!virtgpu_exp_the_vram)
		virtgpu_exp_the_vram = vram;
	else
		ret = -EBUSY;
	mutex_unlock(&virtgpu_exp_vram_lock);
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
	pci_release_region(pdev, VIRTGPU_EXP_BAR);
err_disable:
	pci_disable_device(pdev);
	return ret;
}

/* The device goes away under its users, as an unplugged GPU does. */
static void virtgpu_exp_pci_remove(struct pci_dev *pdev)
{
	struct virtgpu_exp_vram *vram;

	mutex_lock(&virtgpu_exp_vram_lock);
	vram = virtgpu_exp_the_vram;
	virtgpu_exp_the_vram = NULL;
	mutex_unlock(&virtgpu_exp_vram_lock);

	virtgpu_exp_revoke_vram();
	kref_put(&vram->kref, virtgpu_exp_vram_release);
	pci_release_region(pdev, VIRTGPU_EXP_BAR);
	pci_disable_device(pdev);
}

static const struct pci_device_id virtgpu_exp_pci_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, virtgpu_exp_pci_ids);

static struct pci_driver virtgpu_exp_pci_driver = {
	.name = "virtgpu_exporter",
	.id_table = virtgpu_exp_pci_ids,
	.probe = virtgpu_exp_pci_probe,
	.remove = virtgpu_exp_pci_remove,
};

/**
 * virtgpu_exp_vram_init - look for the BAR
 *
 * That there is none is no error: VRAM buffers then cannot be made.
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int virtgpu_exp_vram_init(void)
{
	return pci_register_driver(&virtgpu_exp_pci_driver);
}

/**
 * virtgpu_exp_vram_exit - let go of the BAR
 *
 * Context: may sleep; no buffer is left.
 */
void virtgpu_exp_vram_exit(void)
{
	pci_unregister_driver(&virtgpu_exp_pci_driver);
}
