/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_IMPORT_CACHE_H
#define VIRTGPU_IMPORT_CACHE_H

#include <linux/list.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct dma_buf;
struct drm_gem_object;
struct shrinker;

#define VIRTGPU_IMPORT_CACHE_SIZE 16

/**
 * struct virtgpu_cached_import - A GEM object's place in the import cache
 * @link: in &virtgpu_import_cache.list, or empty
 * @dma_buf: the dma-buf
 * @obj: the GEM object, referenced while @link is in the list
 * @expires: time to drop the reference, in jiffies
 *
 * &virtgpu_import_cache.lock protects all members but @dma_buf.
 */
struct virtgpu_cached_import {
	struct list_head link;
	struct dma_buf *dma_buf;
	struct drm_gem_object *obj;
	unsigned long expires;
};

/**
 * struct virtgpu_import_cache - Imports that user space may repeat
 * @lock: protects the members below; taken last, in process context only
 * @list: the cached imports, in the order in which they expire
 * @count: number of imports in @list
 * @seen: inode numbers of the dma-bufs of the last imports
 * @next_seen: index in @seen of the oldest one
 * @work: drops what has expired; idle while @list is empty
 * @shrinker: drops all imports under memory pressure
 */
struct virtgpu_import_cache {
	spinlock_t lock; /* the members below */
	struct list_head list;
	unsigned int count;
	u64 seen[VIRTGPU_IMPORT_CACHE_SIZE];
	unsigned int next_seen;
	struct delayed_work work;
	struct shrinker *shrinker;
};

static inline void virtgpu_cached_import_init(struct virtgpu_cached_import *import,
					      struct dma_buf *dma_buf)
{
	INIT_LIST_HEAD(&import->link);
	import->dma_buf = dma_buf;
}

int virtgpu_import_cache_init(struct virtgpu_import_cache *cache, const char *name);
void virtgpu_import_cache_fini(struct virtgpu_import_cache *cache);
void virtgpu_import_cache_flush(struct virtgpu_import_cache *cache);

void virtgpu_import_cache_add(struct virtgpu_import_cache *cache,
			      struct virtgpu_cached_import *import, struct drm_gem_object *obj);
void virtgpu_import_cache_drop(struct virtgpu_import_cache *cache,
			       struct virtgpu_cached_import *import);
struct drm_gem_object *virtgpu_import_cache_get(struct virtgpu_import_cache *cache,
						struct dma_buf *dma_buf);

#endif
