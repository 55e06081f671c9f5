// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/slab.h>

#include "virtgpu_mock.h"

/*
 * The host-visible region.  Mapping a blob copies its memory into the region,
 * and unmapping copies the memory back, so that stale mappings access neither
 * this blob nor another one.
 */

/* Fills unmapped ranges. */
#define UNMAPPED_BYTE 0xee

/* Use RAM where iomem_resource does not cover RAM. */
static bool init_ram(struct virtgpu_mock_host_visible *hv, size_t size)
{
	hv->memory = alloc_pages_exact(size, GFP_KERNEL);
	if (!hv->memory)
		return false;
	hv->start = virt_to_phys(hv->memory);
	if (request_mem_region(hv->start, size, "virtgpu_mock")) {
		release_mem_region(hv->start, size);
		memset(hv->memory, UNMAPPED_BYTE, size);
		return true;
	}
	free_pages_exact(hv->memory, size);
	hv->memory = NULL;

	return false;
}

/* Use an unused range of addresses. */
static bool init_hole(struct virtgpu_mock_host_visible *hv, size_t size)
{
	struct resource hole = { .name = "virtgpu_mock", .flags = IORESOURCE_MEM };
	resource_size_t min = sizeof(min) > sizeof(u32) ? SZ_4G : SZ_2G;

	if (allocate_resource(&iomem_resource, &hole, size, min, PHYS_ADDR_MAX, PAGE_SIZE, NULL,
			      NULL))
		return false;
	hv->start = hole.start;
	release_resource(&hole);

	return true;
}

int virtgpu_mock_host_visible_init(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;
	size_t size = m->config.host_visible_size;

	INIT_LIST_HEAD(&hv->mappings);
	hv->caching = VIRTIO_GPU_MAP_CACHE_CACHED;
	if (!size)
		return 0;
	if (!init_ram(hv, size) && !init_hole(hv, size))
		return -ENOMEM;
	hv->size = size;

	return 0;
}

void virtgpu_mock_host_visible_fini(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;

	if (hv->memory)
		free_pages_exact(hv->memory, hv->size);
}

static struct virtgpu_mock_mapping *find_mapping(struct virtgpu_mock *m, u32 resource,
						 bool unmapped)
{
	struct virtgpu_mock_mapping *map;

	list_for_each_entry(map, &m->state.host_visible.mappings, link)
		if (map->resource == resource && map->unmapped == unmapped)
			return map;

	return NULL;
}

bool virtgpu_mock_host_visible_is_mapped(struct virtgpu_mock *m, u32 resource)
{
	return find_mapping(m, resource, false);
}

/**
 * virtgpu_mock_host_memory() - Get the host memory of a resource
 * @m: the device
 * @res: a resource with host memory
 *
 * Return: the memory, or NULL.
 */
void *virtgpu_mock_host_memory(struct virtgpu_mock *m, struct virtgpu_mock_resource *res)
{
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;
	struct virtgpu_mock_mapping *map = find_mapping(m, res->id, false);

	return map && hv->memory ? hv->memory + map->offset : res->pixels;
}

static bool range_is_free(struct virtgpu_mock *m, u32 id, u64 offset, u64 size)
{
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;
	struct virtgpu_mock_mapping *map;

	if (!PAGE_ALIGNED(offset) || offset > hv->size || size > hv->size - offset) {
		virtgpu_mock_spec_violation(m,
					    "resource %u of %llu bytes mapped at 0x%llx of 0x%llx",
					    id, size, offset, hv->size);
		return false;
	}
	list_for_each_entry(map, &hv->mappings, link) {
		if (map->resource == id && !map->unmapped) {
			virtgpu_mock_spec_violation(m, "resource %u is mapped twice", id);
			return false;
		}
		if (offset < map->offset + map->size && map->offset < offset + size) {
			virtgpu_mock_spec_violation(m,
						    "resource %u overlaps resource %u, which %s mapped",
						    id, map->resource,
						    map->unmapped ? "may still be" : "is");
			return false;
		}
	}

	return true;
}

u32 virtgpu_mock_map(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_map_blob *c = rq->bytes;
	struct virtio_gpu_resp_map_info *resp = (void *)rq->resp;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;
	struct virtgpu_mock_mapping *map;

	/* The driver may map a rejected resource before it has the response. */
	if (!res) {
		virtgpu_mock_host_visible_reject(m, le32_to_cpu(c->resource_id), rq->type);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (!res->blob || res->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D || !res->mappable) {
		virtgpu_mock_spec_violation(m, "resource %u is not mappable", res->id);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (!range_is_free(m, res->id, le64_to_cpu(c->offset), res->size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	map = kzalloc_obj(*map);
	if (!map)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	map->resource = res->id;
	map->offset = le64_to_cpu(c->offset);
	map->size = res->size;
	list_add_tail(&map->link, &hv->mappings);
	if (hv->memory)
		memcpy(hv->memory + map->offset, res->pixels, map->size);
	resp->map_info = (__force __u32)cpu_to_le32(hv->caching);

	return VIRTIO_GPU_RESP_OK_MAP_INFO;
}

/* The range stays allocated until the driver has the response. */
static void start_unmap(struct virtgpu_mock *m, struct virtgpu_mock_mapping *map)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, map->resource);
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;

	map->unmapped = true;
	if (!hv->memory || !res)
		return;
	memcpy(res->pixels, hv->memory + map->offset, map->size);
	memset(hv->memory + map->offset, UNMAPPED_BYTE, map->size);
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
		if (!res->map_rejected)
			virtgpu_mock_spec_violation(m, "resource %u is not mapped", res->id);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	start_unmap(m, map);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Track a mapping command that was not executed. */
void virtgpu_mock_host_visible_reject(struct virtgpu_mock *m, u32 resource, u32 type)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, resource);
	struct virtgpu_mock_mapping *map;

	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
		if (res)
			res->map_rejected = true;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
		/* Hosts respond with an error if the blob is not mapped. */
		map = find_mapping(m, resource, false);
		if (map)
			start_unmap(m, map);
	}
}

void virtgpu_mock_host_visible_finish_unmap(struct virtgpu_mock *m, u32 resource)
{
	struct virtgpu_mock_mapping *map = find_mapping(m, resource, true);

	if (!map)
		return;
	list_del(&map->link);
	kfree(map);
}

void virtgpu_mock_host_visible_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host_visible *hv = &m->state.host_visible;
	struct virtgpu_mock_mapping *map, *next;

	list_for_each_entry_safe(map, next, &hv->mappings, link) {
		list_del(&map->link);
		kfree(map);
	}
	if (hv->memory)
		memset(hv->memory, UNMAPPED_BYTE, hv->size);
}

/*
 * Queries by tests
 */

/* Get the number of mapped blobs. */
unsigned int virtgpu_mock_mappings(struct virtgpu_mock *m)
{
	struct virtgpu_mock_mapping *map;
	unsigned int n = 0;

	mutex_lock(&m->host.lock);
	list_for_each_entry(map, &m->state.host_visible.mappings, link)
		n += !map->unmapped;
	mutex_unlock(&m->host.lock);

	return n;
}

/* Get the offset of a mapped blob. */
bool virtgpu_mock_mapped(struct virtgpu_mock *m, u32 resource, u64 *offset)
{
	struct virtgpu_mock_mapping *map;

	mutex_lock(&m->host.lock);
	map = find_mapping(m, resource, false);
	*offset = map ? map->offset : 0;
	mutex_unlock(&m->host.lock);

	return map;
}

/* Check whether tests can access the region. */
bool virtgpu_mock_host_visible_has_memory(struct virtgpu_mock *m)
{
	return m->state.host_visible.memory;
}
