// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The memory behind a buffer: pages of RAM, or a piece of the BAR. */

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "virtgpu_exporter.h"

static int virtgpu_exp_cmp_descending(const void *a, const void *b)
{
	unsigned long pa = page_to_pfn(*(struct page **)a);
	unsigned long pb = page_to_pfn(*(struct page **)b);

	return pa < pb ? 1 : pa > pb ? -1 : 0;
}

static void virtgpu_exp_free_pages(struct page **pages, unsigned long n)
{
	while (n)
		__free_page(pages[--n]);
	kvfree(pages);
}

static int virtgpu_exp_ram_alloc(struct virtgpu_exp_backing *backing, bool scatter)
{
	unsigned long n = backing->size >> PAGE_SHIFT;
	struct page **pages;
	unsigned long i;
	void *vaddr;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
		if (!pages[i])
			goto err_free;
	}
	/* In descending order no page is followed by its neighbour. */
	if (scatter)
		sort(pages, n, sizeof(*pages), virtgpu_exp_cmp_descending, NULL);

	vaddr = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	if (!vaddr)
		goto err_free;
	backing->pages = pages;
	iosys_map_set_vaddr(&backing->map, vaddr);
	return 0;

err_free:
	virtgpu_exp_free_pages(pages, i);
	return -ENOMEM;
}

/**
 * virtgpu_exp_backing_new - allocate memory
 * @placement: where
 * @size: bytes, a multiple of PAGE_SIZE
 * @scatter: no two pages shall be neighbours (RAM)
 *
 * The memory is zeroed if it is RAM.
 *
 * Context: may sleep; the caller may hold a reservation lock.
 * Return: the memory with one reference, or an error pointer.
 */
struct virtgpu_exp_backing *
virtgpu_exp_backing_new(enum virtgpu_exporter_placement placement, size_t size,
			bool scatter)
{
	struct virtgpu_exp_backing *backing;
	int ret;

	backing = kzalloc_obj(*backing);
	if (!backing)
		return ERR_PTR(-ENOMEM);
	kref_init(&backing->kref);
	backing->placement = placement;
	backing->size = size;

	if (placement == VIRTGPU_EXPORTER_VRAM)
		ret = virtgpu_exp_vram_alloc(backing);
	else
		ret = virtgpu_exp_ram_alloc(backing, scatter);
	if (ret) {
		kfree(backing);
		return ERR_PTR(ret);
	}
	return backing;
}

static void virtgpu_exp_backing_release(struct kref *kref)
{
	struct virtgpu_exp_backing *backing =
		container_of(kref, struct virtgpu_exp_backing, kref);

	if (backing->vram) {
		virtgpu_exp_vram_free(backing);
	} else {
		vunmap(backing->map.vaddr);
		virtgpu_exp_free_pages(backing->pages,
				       backing->size >> PAGE_SHIFT);
	}
	kfree(backing);
}

/**
 * virtgpu_exp_backing_put - drop a reference
 * @backing: may be NULL
 *
 * Context: may sleep.
 */
void virtgpu_exp_backing_put(struct virtgpu_exp_backing *backing)
{
	if (backing)
		kref_put(&backing->kref, virtgpu_exp_backing_release);
}

/**
 * virtgpu_exp_backing_copy - copy contents
 * @to: where to
 * @from: where from, of the same size
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtgpu_exp_backing_copy(struct virtgpu_exp_backing *to,
			     struct virtgpu_exp_backing *from)
{
	void *bounce;
	size_t at;

	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;
	for (at = 0; at < to->size; at += PAGE_SIZE) {
		iosys_map_memcpy_from(bounce, &from->map, at, PAGE_SIZE);
		iosys_map_memcpy_to(&to->map, at, bounce, PAGE_SIZE);
	}
	kfree(bounce);
	return 0;
}
