// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/slab.h>

#include "virtgpu_mock.h"

/*
 * The window to the host's memory.  A blob that comes in brings what it holds, and one
 * that leaves takes it along, so whoever still looks sees neither his data nor
 * another's.
 */

/* What is where nothing is. */
#define NOTHING 0xee

/* On machines that do not list their memory as taken, some of it can be the window. */
static bool use_memory(struct virtgpu_mock_host_visible *w, size_t size)
{
	w->memory = alloc_pages_exact(size, GFP_KERNEL);
	if (!w->memory)
		return false;
	w->start = virt_to_phys(w->memory);
	if (request_mem_region(w->start, size, "virtgpu_mock")) {
		release_mem_region(w->start, size);
		memset(w->memory, NOTHING, size);
		return true;
	}
	free_pages_exact(w->memory, size);
	w->memory = NULL;

	return false;
}

/* Elsewhere it is a place where nothing is. */
static bool use_hole(struct virtgpu_mock_host_visible *w, size_t size)
{
	struct resource hole = { .name = "virtgpu_mock", .flags = IORESOURCE_MEM };

	if (allocate_resource(&iomem_resource, &hole, size, SZ_4G, PHYS_ADDR_MAX, PAGE_SIZE, NULL,
			      NULL))
		return false;
	w->start = hole.start;
	release_resource(&hole);

	return true;
}

int virtgpu_mock_host_visible_init(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *w = &m->model.window;
	size_t size = m->config.window;

	INIT_LIST_HEAD(&w->mappings);
	w->caching = VIRTIO_GPU_MAP_CACHE_CACHED;
	if (!size)
		return 0;
	if (!use_memory(w, size) && !use_hole(w, size))
		return -ENOMEM;
	w->size = size;

	return 0;
}

void virtgpu_mock_host_visible_fini(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *w = &m->model.window;

	if (w->memory)
		free_pages_exact(w->memory, w->size);
}

static struct virtgpu_mock_mapping *find_mapping(struct virtgpu_mock *m, u32 resource, bool ended)
{
	struct virtgpu_mock_mapping *map;

	list_for_each_entry(map, &m->model.window.mappings, link)
		if (map->resource == resource && map->ended == ended)
			return map;

	return NULL;
}

bool virtgpu_mock_host_visible_shows(struct virtgpu_mock *m, u32 resource)
{
	return find_mapping(m, resource, false);
}

/**
 * virtgpu_mock_host_memory - where the host has a resource
 * @m: the device
 * @res: what has memory of the host's
 *
 * Return: its bytes, or NULL.
 */
void *virtgpu_mock_host_memory(struct virtgpu_mock *m, struct virtgpu_mock_resource *res)
{
	struct virtgpu_mock_mapping *map = find_mapping(m, res->id, false);

	return map && m->model.window.memory ? m->model.window.memory + map->offset : res->pixels;
}

static bool place_is_free(struct virtgpu_mock *m, u32 id, u64 offset, u64 size)
{
	struct virtgpu_mock_host_visible *w = &m->model.window;
	struct virtgpu_mock_mapping *map;

	if (!PAGE_ALIGNED(offset) || offset > w->size || size > w->size - offset) {
		virtgpu_mock_spec_violation(m, "resource %u of %llu bytes is to be at 0x%llx of 0x%llx", id,
					    size, offset, w->size);
		return false;
	}
	list_for_each_entry(map, &w->mappings, link) {
		if (map->resource == id && !map->ended) {
			virtgpu_mock_spec_violation(m, "resource %u is mapped twice", id);
			return false;
		}
		if (offset < map->offset + map->size && map->offset < offset + size) {
			virtgpu_mock_spec_violation(m, "resource %u is to be where resource %u %s", id,
						    map->resource, map->ended ? "may still be" : "is");
			return false;
		}
	}

	return true;
}

u32 virtgpu_mock_map(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_map_blob *c = rq->bytes;
	struct virtio_gpu_resp_map_info *reply = (void *)rq->reply;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	struct virtgpu_mock_host_visible *w = &m->model.window;
	struct virtgpu_mock_mapping *map;

	/* One that was refused may be asked for before the driver knows. */
	if (!res) {
		virtgpu_mock_host_visible_reject(m, le32_to_cpu(c->resource_id), rq->type);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (!res->blob || res->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D || !res->mappable) {
		virtgpu_mock_spec_violation(m, "resource %u was not made to be mapped", res->id);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (!place_is_free(m, res->id, le64_to_cpu(c->offset), res->size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	map = kzalloc_obj(*map);
	if (!map)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	map->resource = res->id;
	map->offset = le64_to_cpu(c->offset);
	map->size = res->size;
	list_add_tail(&map->link, &w->mappings);
	if (w->memory)
		memcpy(w->memory + map->offset, res->pixels, map->size);
	reply->map_info = (__force __u32)cpu_to_le32(w->caching);

	return VIRTIO_GPU_RESP_OK_MAP_INFO;
}

/* The place is not free before the driver has the answer. */
static void leave(struct virtgpu_mock *m, struct virtgpu_mock_mapping *map)
{
	struct virtgpu_mock_resource *res = xa_load(&m->model.resources, map->resource);
	struct virtgpu_mock_host_visible *w = &m->model.window;

	map->ended = true;
	if (!w->memory || !res)
		return;
	memcpy(res->pixels, w->memory + map->offset, map->size);
	memset(w->memory + map->offset, NOTHING, map->size);
}

u32 virtgpu_mock_unmap(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_unmap_blob *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	struct virtgpu_mock_mapping *map;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	map = find_mapping(m, res->id, false);
	if (!map) {
		if (!res->map_refused)
			virtgpu_mock_spec_violation(m, "resource %u is not in the window", res->id);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	leave(m, map);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* A command about the window was answered with an error and not carried out. */
void virtgpu_mock_host_visible_reject(struct virtgpu_mock *m, u32 resource, u32 type)
{
	struct virtgpu_mock_resource *res = xa_load(&m->model.resources, resource);
	struct virtgpu_mock_mapping *map;

	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
		if (res)
			res->map_refused = true;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
		/* That is what hosts say of what is not there. */
		map = find_mapping(m, resource, false);
		if (map)
			leave(m, map);
	}
}

void virtgpu_mock_host_visible_forget(struct virtgpu_mock *m, u32 resource)
{
	struct virtgpu_mock_mapping *map = find_mapping(m, resource, true);

	if (!map)
		return;
	list_del(&map->link);
	kfree(map);
}

void virtgpu_mock_host_visible_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *w = &m->model.window;
	struct virtgpu_mock_mapping *map, *next;

	list_for_each_entry_safe(map, next, &w->mappings, link) {
		list_del(&map->link);
		kfree(map);
	}
	if (w->memory)
		memset(w->memory, NOTHING, w->size);
}

/*
 * What a test may ask
 */

/* Blobs that are in the window. */
unsigned int virtgpu_mock_mappings(struct virtgpu_mock *m)
{
	struct virtgpu_mock_mapping *map;
	unsigned int n = 0;

	mutex_lock(&m->host.lock);
	list_for_each_entry(map, &m->model.window.mappings, link)
		n += !map->ended;
	mutex_unlock(&m->host.lock);

	return n;
}

/* Is that one, and where? */
bool virtgpu_mock_mapped(struct virtgpu_mock *m, u32 resource, u64 *offset)
{
	struct virtgpu_mock_mapping *map;

	mutex_lock(&m->host.lock);
	map = find_mapping(m, resource, false);
	*offset = map ? map->offset : 0;
	mutex_unlock(&m->host.lock);

	return map;
}

/* Can what is in the window be looked at? */
bool virtgpu_mock_host_visible_has_memory(struct virtgpu_mock *m)
{
	return m->model.window.memory;
}
