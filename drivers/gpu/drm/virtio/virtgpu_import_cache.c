// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <drm/drm_gem.h>

#include "virtgpu_import_cache.h"

/**
 * DOC: import cache
 *
 * Some compositors (Mutter) import each frame anew: PRIME_FD_TO_HANDLE, ADDFB2,
 * the flip, RMFB and GEM_CLOSE.  For these, the cache holds a reference to the
 * GEM object of an import for a second after the last import of its dma-buf.
 * The next import returns that object, with its attachment, its mapping and its
 * resource, and costs no command.
 *
 * The first import of a dma-buf is not cached.  Other clients import a buffer
 * once, and when they close it, the memory must return to the exporter and to
 * the client's control group.  The cache recognises a dma-buf by its inode
 * number, because it must not hold a reference to the dma-buf for that.
 *
 * The cache does not pin what it holds; only an import that 3D contexts use
 * stays pinned.  When an exporter moves a cached buffer, the resource is
 * destroyed as for any import, and the reference is dropped.  All references
 * are dropped when a client closes a file, on suspend and removal, and under
 * memory pressure.
 *
 * Freeing a GEM object takes its reservation lock and calls the exporter.  So
 * only the work and virtgpu_import_cache_flush() drop references.  The other
 * functions schedule the work, because their callers hold locks or reclaim
 * memory.
 */

#define CACHE_TIME HZ

static bool virtgpu_import_cache_was_seen(struct virtgpu_import_cache *cache, u64 ino)
{
	unsigned int i;

	lockdep_assert_held(&cache->lock);

	for (i = 0; i < VIRTGPU_IMPORT_CACHE_SIZE; i++)
		if (cache->seen[i] == ino)
			return true;
	cache->seen[cache->next_seen] = ino;
	cache->next_seen = (cache->next_seen + 1) % VIRTGPU_IMPORT_CACHE_SIZE;

	return false;
}

static void virtgpu_import_cache_expire(struct virtgpu_import_cache *cache,
					struct virtgpu_cached_import *import)
{
	lockdep_assert_held(&cache->lock);

	import->expires = jiffies;
	list_move(&import->link, &cache->list);
	mod_delayed_work(system_dfl_wq, &cache->work, 0);
}

/*
 * Take the oldest import out of the cache, if it has expired or @all is true.
 * Otherwise schedule the work for it.
 *
 * Return: the reference of the cache, or NULL.
 */
static struct drm_gem_object *virtgpu_import_cache_pop(struct virtgpu_import_cache *cache,
						       bool all)
{
	struct virtgpu_cached_import *import;
	struct drm_gem_object *obj = NULL;
	unsigned long now = jiffies;

	spin_lock(&cache->lock);
	import = list_first_entry_or_null(&cache->list, struct virtgpu_cached_import, link);
	if (import && (all || time_after_eq(now, import->expires))) {
		list_del_init(&import->link);
		cache->count--;
		obj = import->obj;
	} else if (import) {
		queue_delayed_work(system_dfl_wq, &cache->work, import->expires - now);
	}
	spin_unlock(&cache->lock);

	return obj;
}

static void virtgpu_import_cache_work(struct work_struct *work)
{
	struct virtgpu_import_cache *cache = container_of(to_delayed_work(work),
							  struct virtgpu_import_cache, work);
	struct drm_gem_object *obj;

	while ((obj = virtgpu_import_cache_pop(cache, false)))
		drm_gem_object_put(obj);
}

/*
 * Memory pressure
 */

/* Return: the memory of all cached imports, in pages. */
static unsigned long virtgpu_import_cache_count_objects(struct shrinker *shrinker,
							struct shrink_control *sc)
{
	struct virtgpu_import_cache *cache = shrinker->private_data;
	struct virtgpu_cached_import *import;
	unsigned long pages = 0;

	spin_lock(&cache->lock);
	list_for_each_entry(import, &cache->list, link)
		pages += import->obj->size >> PAGE_SHIFT;
	spin_unlock(&cache->lock);

	return pages ?: SHRINK_EMPTY;
}

/* The caller may hold any reservation lock, so the work frees the memory. */
static unsigned long virtgpu_import_cache_scan_objects(struct shrinker *shrinker,
						       struct shrink_control *sc)
{
	struct virtgpu_import_cache *cache = shrinker->private_data;
	struct virtgpu_cached_import *import;

	spin_lock(&cache->lock);
	list_for_each_entry(import, &cache->list, link)
		import->expires = jiffies;
	if (cache->count)
		mod_delayed_work(system_dfl_wq, &cache->work, 0);
	spin_unlock(&cache->lock);

	return SHRINK_STOP;
}

/*
 * Setup and teardown
 */

/**
 * virtgpu_import_cache_init() - Initialise an import cache
 * @cache: the import cache
 * @name: name of the device
 *
 * Context: May sleep.
 * Return: 0 on success, or -ENOMEM.
 */
int virtgpu_import_cache_init(struct virtgpu_import_cache *cache, const char *name)
{
	cache->shrinker = shrinker_alloc(0, "drm-virtio_gpu:%s", name);
	if (!cache->shrinker)
		return -ENOMEM;

	spin_lock_init(&cache->lock);
	INIT_LIST_HEAD(&cache->list);
	INIT_DELAYED_WORK(&cache->work, virtgpu_import_cache_work);
	cache->shrinker->private_data = cache;
	cache->shrinker->count_objects = virtgpu_import_cache_count_objects;
	cache->shrinker->scan_objects = virtgpu_import_cache_scan_objects;
	shrinker_register(cache->shrinker);

	return 0;
}

/**
 * virtgpu_import_cache_fini() - Release an import cache
 * @cache: the import cache, which no caller uses any more
 *
 * Closing the last file has emptied the cache.
 *
 * Context: May sleep.
 */
void virtgpu_import_cache_fini(struct virtgpu_import_cache *cache)
{
	shrinker_free(cache->shrinker);
	WARN_ON(!list_empty(&cache->list));
	cancel_delayed_work_sync(&cache->work);
}

/**
 * virtgpu_import_cache_flush() - Drop all imports of the cache
 * @cache: the import cache
 *
 * Waits for a concurrent drop, so that the memory of all imports that were
 * cached before and have no other user is free on return, but for what the host
 * has to detach.
 *
 * Context: May sleep.  Caller must not hold reservation locks.
 */
void virtgpu_import_cache_flush(struct virtgpu_import_cache *cache)
{
	struct drm_gem_object *obj;

	/* An import that is added meanwhile is dropped, too. */
	cancel_delayed_work_sync(&cache->work);
	while ((obj = virtgpu_import_cache_pop(cache, true)))
		drm_gem_object_put(obj);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_import_cache_flush);

/*
 * Imports
 */

/**
 * virtgpu_import_cache_add() - Cache an import if its dma-buf was seen before
 * @cache: the import cache
 * @import: a new import, initialised
 * @obj: its GEM object
 *
 * If the cache is full, the oldest import is dropped, and @import is not
 * cached.
 *
 * Context: Process context.
 */
void virtgpu_import_cache_add(struct virtgpu_import_cache *cache,
			      struct virtgpu_cached_import *import, struct drm_gem_object *obj)
{
	u64 ino = file_inode(import->dma_buf->file)->i_ino;

	spin_lock(&cache->lock);
	if (!virtgpu_import_cache_was_seen(cache, ino))
		goto unlock;
	if (cache->count == VIRTGPU_IMPORT_CACHE_SIZE) {
		virtgpu_import_cache_expire(cache, list_first_entry(&cache->list,
								    struct virtgpu_cached_import,
								    link));
		goto unlock;
	}
	drm_gem_object_get(obj);
	import->obj = obj;
	import->expires = jiffies + CACHE_TIME;
	list_add_tail(&import->link, &cache->list);
	cache->count++;
	queue_delayed_work(system_dfl_wq, &cache->work, CACHE_TIME);
unlock:
	spin_unlock(&cache->lock);
}

/**
 * virtgpu_import_cache_drop() - Drop an import soon
 * @cache: the import cache
 * @import: the import, which may not be in @cache
 *
 * Context: Process context.  Caller may hold a reservation lock.
 */
void virtgpu_import_cache_drop(struct virtgpu_import_cache *cache,
			       struct virtgpu_cached_import *import)
{
	spin_lock(&cache->lock);
	if (!list_empty(&import->link))
		virtgpu_import_cache_expire(cache, import);
	spin_unlock(&cache->lock);
}

/**
 * virtgpu_import_cache_get() - Look up the import of a dma-buf
 * @cache: the import cache
 * @dma_buf: the dma-buf
 *
 * Context: Process context.
 * Return: the GEM object with a reference, or NULL.
 */
struct drm_gem_object *virtgpu_import_cache_get(struct virtgpu_import_cache *cache,
						struct dma_buf *dma_buf)
{
	struct virtgpu_cached_import *import;
	struct drm_gem_object *obj = NULL;

	spin_lock(&cache->lock);
	list_for_each_entry(import, &cache->list, link) {
		if (import->dma_buf != dma_buf)
			continue;
		obj = import->obj;
		drm_gem_object_get(obj);
		import->expires = jiffies + CACHE_TIME;
		list_move_tail(&import->link, &cache->list);
		break;
	}
	spin_unlock(&cache->lock);

	return obj;
}
