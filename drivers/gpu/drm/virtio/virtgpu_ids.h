/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_IDS_H
#define VIRTGPU_IDS_H

#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/limits.h>
#include <linux/minmax.h>

/**
 * struct virtgpu_ids - IDs of objects of the host
 * @ida: IDs in use
 * @last: the search for the next ID starts behind this one
 *
 * A freed ID is reused after all others, so that a command with a stale ID
 * finds no object, rather than that of another program.
 */
struct virtgpu_ids {
	struct ida ida;
	atomic_t last;
};

static inline void virtgpu_ids_init(struct virtgpu_ids *ids)
{
	ida_init(&ids->ida);
	atomic_set(&ids->last, 0);
}

/**
 * virtgpu_ids_alloc() - Allocate an ID
 * @ids: the IDs
 *
 * Context: May sleep.
 * Return: an ID from 1 to INT_MAX, -ENOMEM, or -ENOSPC if all are in use.
 */
static inline int virtgpu_ids_alloc(struct virtgpu_ids *ids)
{
	int first = (unsigned int)atomic_inc_return(&ids->last) & INT_MAX;
	int id = ida_alloc_min(&ids->ida, max(first, 1), GFP_KERNEL);

	return id == -ENOSPC ? ida_alloc_min(&ids->ida, 1, GFP_KERNEL) : id;
}

/**
 * virtgpu_ids_free() - Free an ID
 * @ids: the IDs
 * @id: from virtgpu_ids_alloc()
 *
 * Context: Any.
 */
static inline void virtgpu_ids_free(struct virtgpu_ids *ids, unsigned int id)
{
	ida_free(&ids->ida, id);
}

#endif
