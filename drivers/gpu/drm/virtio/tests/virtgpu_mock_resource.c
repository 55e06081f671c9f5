// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-direction.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "virtgpu_device.h"
#include "virtgpu_mock.h"
#include "virtgpu_output.h"

/*
 * Resources and their backing, which is accessed by guest-physical addresses.
 */

/* Size limit of host memory in bytes; larger resources have no pixels. */
#define PIXELS_MAX (16ull << 20)

static const u32 formats[] = {
	VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
	VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
	VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
	VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
};

static bool format_is_valid(u32 format)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i] == format)
			return true;

	return false;
}

static void drop_backing(struct virtgpu_mock_resource *res)
{
	kvfree(res->entries);
	res->entries = NULL;
	res->attached = false;
	res->count = 0;
	res->bytes = 0;
}

static void resource_free(struct virtgpu_mock_resource *res)
{
	drop_backing(res);
	kvfree(res->pixels);
	kfree(res);
}

/**
 * virtgpu_mock_lookup() - Look up the resource of a command
 * @m: the device
 * @id: resource ID
 *
 * An invalid ID is a violation of the specification, unless the host has
 * rejected the creation of the resource.
 *
 * Return: the resource, or NULL.
 */
struct virtgpu_mock_resource *virtgpu_mock_lookup(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, id);

	if (!res)
		virtgpu_mock_spec_violation(m, "resource %u does not exist", id);
	else if (res->state == VIRTGPU_MOCK_DESTROYING)
		virtgpu_mock_spec_violation(m, "resource %u is used after UNREF", id);
	else if (res->state == VIRTGPU_MOCK_ACTIVE)
		return res;

	return NULL;
}

static struct virtgpu_mock_resource *add_resource(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, id);

	if (!id) {
		virtgpu_mock_spec_violation(m, "resource ID 0 is not valid");
		return NULL;
	}
	/* The driver has the error response, so that it may reuse the ID. */
	if (res && res->state == VIRTGPU_MOCK_REJECTED) {
		xa_erase(&m->state.resources, id);
		resource_free(res);
		res = NULL;
	}
	if (res) {
		virtgpu_mock_spec_violation(m, "resource ID %u is in use", id);
		return NULL;
	}

	res = kzalloc_obj(*res);
	if (!res)
		return NULL;
	res->id = id;
	if (xa_is_err(xa_store(&m->state.resources, id, res, GFP_KERNEL))) {
		kfree(res);
		return NULL;
	}

	return res;
}

/* The ID stays allocated until the driver has the response. */
static void start_unref(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, id);

	if (!res)
		return;
	if (virtgpu_mock_host_visible_is_mapped(m, id))
		virtgpu_mock_spec_violation(m, "resource %u is destroyed while mapped", id);
	virtgpu_mock_outputs_unref(m, id);
	virtgpu_mock_contexts_unref(m, id);
	drop_backing(res);
	res->state = VIRTGPU_MOCK_DESTROYING;
}

/* Track a resource command that was not executed. */
void virtgpu_mock_resource_reject(struct virtgpu_mock *m, u32 id, u32 type)
{
	struct virtgpu_mock_resource *res;

	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
		res = add_resource(m, id);
		if (res)
			res->state = VIRTGPU_MOCK_REJECTED;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		res = xa_load(&m->state.resources, id);
		if (res)
			res->attach_rejected = true;
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		res = xa_load(&m->state.resources, id);
		if (res)
			res->transfer_rejected = true;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		/* Hosts respond with an error to invalid IDs. */
		start_unref(m, id);
	}
}

/* The driver has the response to RESOURCE_UNREF: free the ID. */
void virtgpu_mock_resource_finish_unref(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res = xa_load(&m->state.resources, id);

	if (!res || res->state != VIRTGPU_MOCK_DESTROYING)
		return;
	xa_erase(&m->state.resources, id);
	resource_free(res);
}

void virtgpu_mock_resources_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_resource *res;
	unsigned long id;

	xa_for_each(&m->state.resources, id, res) {
		xa_erase(&m->state.resources, id);
		resource_free(res);
	}
}

/*
 * Backing
 */

static const struct virtgpu_mock_peer *find_peer(const struct virtgpu_mock *m, u64 addr)
{
	const struct virtgpu_mock_peer *peer;

	for (peer = m->state.peers; peer < m->state.peers + ARRAY_SIZE(m->state.peers); peer++)
		if (addr - peer->addr < peer->size)
			return peer;

	return NULL;
}

/* Like QEMU, which maps guest RAM only. */
static bool is_inaccessible(const struct virtgpu_mock *m, u64 addr)
{
	return m->config.no_peer && find_peer(m, addr);
}

static bool is_memory(const struct virtgpu_mock *m, u64 addr)
{
	return pfn_valid(PHYS_PFN(addr)) || find_peer(m, addr);
}

static bool set_backing(struct virtgpu_mock *m, struct virtgpu_mock_resource *res,
			const struct virtgpu_mock_request *rq, u32 count, size_t fixed)
{
	const struct virtio_gpu_mem_entry *entries = rq->bytes + fixed;
	size_t size = array_size(count, sizeof(*entries));
	u32 i;

	if (!count || rq->size - fixed != size) {
		virtgpu_mock_spec_violation(m, "%u entries in %zu bytes", count, rq->size - fixed);
		return false;
	}

	res->bytes = 0;
	for (i = 0; i < count; i++) {
		u64 addr = le64_to_cpu(entries[i].addr);
		u32 length = le32_to_cpu(entries[i].length);

		if (!length || entries[i].padding || !is_memory(m, addr) ||
		    !is_memory(m, addr + length - 1)) {
			virtgpu_mock_spec_violation(m, "entry %u is 0x%llx+0x%x", i, addr, length);
			return false;
		}
		if (is_inaccessible(m, addr))
			return false;
		res->bytes += length;
	}

	res->entries = kvmemdup(entries, size, GFP_KERNEL);
	res->count = count;
	res->attached = res->entries;

	return res->attached;
}

static void copy(void *guest, void *host, size_t size, enum dma_data_direction dir)
{
	if (dir == DMA_TO_DEVICE)
		memcpy(host, guest, size);
	else
		memcpy(guest, host, size);
}

static void copy_physical(struct virtgpu_mock *m, u64 addr, void *host, size_t size,
			  enum dma_data_direction dir)
{
	while (size) {
		size_t part = min_t(size_t, size, PAGE_SIZE - offset_in_page(addr));
		const struct virtgpu_mock_peer *peer = find_peer(m, addr);

		if (peer) {
			copy(peer->memory + (addr - peer->addr), host, part, dir);
		} else {
			void *guest = kmap_local_pfn(PHYS_PFN(addr));

			copy(guest + offset_in_page(addr), host, part, dir);
			kunmap_local(guest);
		}
		addr += part;
		host += part;
		size -= part;
	}
}

static bool copy_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
			 u64 offset, void *host, size_t size, enum dma_data_direction dir)
{
	u32 i;

	for (i = 0; i < res->count && size; i++) {
		u32 length = le32_to_cpu(res->entries[i].length);
		size_t part;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		part = min_t(size_t, size, length - offset);
		copy_physical(m, le64_to_cpu(res->entries[i].addr) + offset, host, part, dir);
		host += part;
		size -= part;
		offset = 0;
	}

	return !size;
}

/**
 * virtgpu_mock_read_backing() - Read the backing of a resource
 * @m: the device
 * @res: the resource
 * @offset: offset in bytes
 * @to: filled
 * @size: number of bytes
 *
 * Return: true, or false if the backing is too small.
 */
bool virtgpu_mock_read_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
			       u64 offset, void *to, size_t size)
{
	return copy_backing(m, res, offset, to, size, DMA_TO_DEVICE);
}

/* As virtgpu_mock_read_backing(), but writes. */
bool virtgpu_mock_write_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
				u64 offset, const void *from, size_t size)
{
	return copy_backing(m, res, offset, (void *)from, size, DMA_FROM_DEVICE);
}

/*
 * Commands
 */

/* Like max_hostmem of QEMU. */
static bool has_host_memory(struct virtgpu_mock *m, u64 size)
{
	struct virtgpu_mock_resource *res;
	unsigned long id;

	if (!m->config.host_memory)
		return true;
	xa_for_each(&m->state.resources, id, res)
		if (res->state == VIRTGPU_MOCK_ACTIVE && !res->blob)
			size += (u64)res->width * res->height * 4;

	return size <= m->config.host_memory;
}

u32 virtgpu_mock_create_2d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_create_2d *c = rq->bytes;
	struct virtgpu_mock_resource *res;

	if (!format_is_valid(le32_to_cpu(c->format)) || !c->width || !c->height) {
		virtgpu_mock_spec_violation(m, "2D resource of format %u, %ux%u",
					    le32_to_cpu(c->format), le32_to_cpu(c->width),
					    le32_to_cpu(c->height));
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	res = add_resource(m, le32_to_cpu(c->resource_id));
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!has_host_memory(m, (u64)le32_to_cpu(c->width) * le32_to_cpu(c->height) * 4)) {
		res->state = VIRTGPU_MOCK_REJECTED;
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}

	res->format = le32_to_cpu(c->format);
	res->width = le32_to_cpu(c->width);
	res->height = le32_to_cpu(c->height);
	if ((u64)res->width * res->height * 4 <= PIXELS_MAX)
		res->pixels = kvcalloc(res->height, res->width * 4, GFP_KERNEL);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

static u64 blob_alignment(const struct virtgpu_mock *m)
{
	return virtgpu_mock_has(m, VIRTIO_GPU_F_BLOB_ALIGNMENT) ? m->config.blob_alignment : 1;
}

/* Allocate a blob from the memory of a context. */
static u32 create_host_blob(struct virtgpu_mock *m, struct virtgpu_mock_request *rq, u64 size,
			    u64 id)
{
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	void *allocation;

	if (!ctx || size > PIXELS_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!id)
		return VIRTIO_GPU_RESP_OK_NODATA;
	/* Several images may have the requirements of one query. */
	if (ctx->capset == VIRTIO_GPU_CAPSET_CROSS_DOMAIN)
		allocation = xa_load(&ctx->allocations, id);
	else
		allocation = xa_erase(&ctx->allocations, id);

	return allocation && xa_to_value(allocation) == size ? VIRTIO_GPU_RESP_OK_NODATA :
	       VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

static bool check_blob(struct virtgpu_mock *m, const struct virtio_gpu_resource_create_blob *c)
{
	u32 mem = le32_to_cpu(c->blob_mem), flags = le32_to_cpu(c->blob_flags);
	u32 allowed = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |
		    VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE;
	bool guest = mem == VIRTIO_GPU_BLOB_MEM_GUEST, host = mem == VIRTIO_GPU_BLOB_MEM_HOST3D;
	u64 size = le64_to_cpu(c->size), align = blob_alignment(m);

	if (!mem || mem > VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST || flags & ~allowed ||
	    (guest && (c->blob_id || c->hdr.ctx_id)) ||
	    (!guest && !virtgpu_mock_has(m, VIRTIO_GPU_F_VIRGL))) {
		virtgpu_mock_spec_violation(m, "blob of memory %u, flags 0x%x, id %llu", mem, flags,
					    le64_to_cpu(c->blob_id));
		return false;
	}
	if (!size || (is_power_of_2(align) && !IS_ALIGNED(size, align))) {
		virtgpu_mock_spec_violation(m, "blob of %llu bytes, the alignment is %llu", size,
					    align);
		return false;
	}
	if (host != !c->nr_entries) {
		virtgpu_mock_spec_violation(m, "blob of memory %u with %u entries", mem,
					    le32_to_cpu(c->nr_entries));
		return false;
	}

	return true;
}

u32 virtgpu_mock_create_blob(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_create_blob *c = rq->bytes;
	u32 id = le32_to_cpu(c->resource_id), type = VIRTIO_GPU_RESP_OK_NODATA;
	struct virtgpu_mock_resource *res;
	u64 size = le64_to_cpu(c->size);

	if (!check_blob(m, c))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	res = add_resource(m, id);
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	res->blob = true;
	res->blob_mem = le32_to_cpu(c->blob_mem);
	res->blob_flags = le32_to_cpu(c->blob_flags);
	res->mappable = res->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE;
	res->unit = 1;
	res->size = size;
	if (c->nr_entries && !set_backing(m, res, rq, le32_to_cpu(c->nr_entries), sizeof(*c))) {
		res->state = VIRTGPU_MOCK_REJECTED;
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (c->nr_entries && res->bytes < size) {
		virtgpu_mock_spec_violation(m, "blob of %llu bytes in %llu", size, res->bytes);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (res->blob_mem == VIRTIO_GPU_BLOB_MEM_GUEST)
		return type;

	type = create_host_blob(m, rq, size, le64_to_cpu(c->blob_id));
	if (type != VIRTIO_GPU_RESP_OK_NODATA) {
		drop_backing(res);
		res->state = VIRTGPU_MOCK_REJECTED;
		return type;
	}
	res->pixels = kvzalloc(size, GFP_KERNEL);

	return res->pixels ? type : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

/* Invalid parameters are errors of user space, not violations. */
u32 virtgpu_mock_create_3d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_create_3d *c = rq->bytes;
	struct virtgpu_mock_resource *res = add_resource(m, le32_to_cpu(c->resource_id));

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	res->format = le32_to_cpu(c->format);
	res->width = le32_to_cpu(c->width);
	res->height = le32_to_cpu(c->height);
	/* PIPE_BUFFER is 0. */
	res->unit = c->target ? 4 : 1;
	if (!res->width || !res->height ||
	    (u64)res->width * res->height * res->unit > PIXELS_MAX) {
		res->state = VIRTGPU_MOCK_REJECTED;
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	res->pixels = kvcalloc(res->height, res->width * res->unit, GFP_KERNEL);

	return res->pixels ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

u32 virtgpu_mock_attach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_attach_backing *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (res->attached) {
		virtgpu_mock_spec_violation(m, "resource %u is attached twice", res->id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}

	if (set_backing(m, res, rq, le32_to_cpu(c->nr_entries), sizeof(*c)))
		return VIRTIO_GPU_RESP_OK_NODATA;
	res->attach_rejected = true;

	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

u32 virtgpu_mock_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_detach_backing *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!res->attached) {
		if (!res->attach_rejected)
			virtgpu_mock_spec_violation(m, "resource %u has no backing to detach",
						    res->id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	drop_backing(res);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_unref(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_unref *c = rq->bytes;
	u32 id = le32_to_cpu(c->resource_id);
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, id);

	/* The driver also destroys resources that were rejected. */
	start_unref(m, id);

	return res ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

u32 virtgpu_mock_transfer(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_transfer_to_host_2d *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	u64 x = le32_to_cpu(c->r.x), y = le32_to_cpu(c->r.y);
	u64 w = le32_to_cpu(c->r.width), h = le32_to_cpu(c->r.height);
	u64 offset = le64_to_cpu(c->offset), row;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	/* Scanouts read guest memory, so that there is no copy to update. */
	if (res->blob)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (!w || !h || x + w > res->width || y + h > res->height) {
		virtgpu_mock_spec_violation(m, "transfer of %llu,%llu+%llux%llu of %ux%u", x, y, w,
					    h, res->width, res->height);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (!res->attached) {
		if (!res->attach_rejected)
			virtgpu_mock_spec_violation(m, "transfer of resource %u without backing",
						    res->id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (offset + (h - 1) * res->width * 4 + w * 4 > res->bytes) {
		virtgpu_mock_spec_violation(m, "transfer from %llu of %llu bytes", offset,
					    res->bytes);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}

	for (row = 0; res->pixels && row < h; row++)
		virtgpu_mock_read_backing(m, res, offset + row * res->width * 4,
					  res->pixels + (y + row) * res->width + x, w * 4);
	res->transfers++;

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Invalid coordinates are errors of user space, not violations. */
u32 virtgpu_mock_transfer_3d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	enum dma_data_direction dir = rq->type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D ?
				      DMA_TO_DEVICE : DMA_FROM_DEVICE;
	const struct virtio_gpu_transfer_host_3d *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	struct virtgpu_mock_context *ctx = virtgpu_mock_context_lookup(m, rq);
	u64 x = le32_to_cpu(c->box.x), y = le32_to_cpu(c->box.y);
	u64 w = le32_to_cpu(c->box.w), h = le32_to_cpu(c->box.h);
	u64 width, height, stride, row, offset = le64_to_cpu(c->offset);

	if (!res || !ctx || !res->pixels)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!virtgpu_mock_context_has_resource(ctx, res->id)) {
		virtgpu_mock_spec_violation(m,
					    "context %u transfers resource %u, which is not attached",
					    ctx->id, res->id);
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}

	width = res->blob ? res->size : res->width;
	height = res->blob ? 1 : res->height;
	stride = le32_to_cpu(c->stride) ?: width * res->unit;
	if (!w || !h || x + w > width || y + h > height || c->box.z || !res->attached ||
	    offset + (h - 1) * stride + w * res->unit > res->bytes)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	for (row = 0; row < h; row++)
		copy_backing(m, res, offset + row * stride,
			     (void *)res->pixels + ((y + row) * width + x) * res->unit,
			     w * res->unit, dir);
	res->transfers++;

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_assign_uuid(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_assign_uuid *c = rq->bytes;
	struct virtio_gpu_resp_resource_uuid *resp = (void *)rq->resp;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	unsigned int i;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;

	for (i = 0; i < sizeof(resp->uuid); i++)
		resp->uuid[i] = 0x10 + i;
	memcpy(resp->uuid, &c->resource_id, sizeof(c->resource_id));

	return VIRTIO_GPU_RESP_OK_RESOURCE_UUID;
}

/*
 * Queries by tests
 */

/* The image of hidden cursors, which the driver keeps. */
static bool is_blank_cursor(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res)
{
	const struct virtgpu_kms *kms = &virtgpu_mock_vgdev(m)->kms;
	unsigned int i;

	for (i = 0; i < kms->count; i++)
		if (kms->outputs[i].cursor.blank_res == res->id)
			return true;

	return false;
}

/* Get the number of resources of clients. */
unsigned int virtgpu_mock_resources(struct virtgpu_mock *m)
{
	struct virtgpu_mock_resource *res;
	unsigned int n = 0;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->state.resources, id, res)
		n += res->state == VIRTGPU_MOCK_ACTIVE && !is_blank_cursor(m, res);
	mutex_unlock(&m->host.lock);

	return n;
}

/* Get the number of resources with a backing. */
unsigned int virtgpu_mock_backings(struct virtgpu_mock *m)
{
	struct virtgpu_mock_resource *res;
	unsigned int n = 0;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->state.resources, id, res)
		n += res->attached;
	mutex_unlock(&m->host.lock);

	return n;
}

static bool backing_has(const struct virtgpu_mock_resource *res, u64 addr)
{
	u32 i;

	for (i = 0; i < res->count; i++)
		if (addr - le64_to_cpu(res->entries[i].addr) < le32_to_cpu(res->entries[i].length))
			return true;

	return false;
}

/* Check whether a backing of any resource contains an address. */
bool virtgpu_mock_has_address(struct virtgpu_mock *m, u64 addr)
{
	struct virtgpu_mock_resource *res;
	bool found = false;
	unsigned long id;

	mutex_lock(&m->host.lock);
	xa_for_each(&m->state.resources, id, res)
		found |= backing_has(res, addr);
	mutex_unlock(&m->host.lock);

	return found;
}

/* Set memory of a PCI peer device, at VIRTGPU_MOCK_PEER + @index * @size. */
void virtgpu_mock_set_peer(struct virtgpu_mock *m, unsigned int index, void *memory, size_t size)
{
	struct virtgpu_mock_peer *peer = &m->state.peers[index];

	mutex_lock(&m->host.lock);
	peer->addr = VIRTGPU_MOCK_PEER + index * size;
	peer->memory = memory;
	peer->size = size;
	mutex_unlock(&m->host.lock);
}

bool virtgpu_mock_resource_is_blob(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res;
	bool blob;

	mutex_lock(&m->host.lock);
	res = xa_load(&m->state.resources, id);
	blob = res && res->state == VIRTGPU_MOCK_ACTIVE && res->blob;
	mutex_unlock(&m->host.lock);

	return blob;
}

/* Get the first 32 bits of the host's memory of a resource, or 0. */
u32 virtgpu_mock_peek(struct virtgpu_mock *m, u32 id)
{
	struct virtgpu_mock_resource *res;
	u32 *words;
	u32 value;

	mutex_lock(&m->host.lock);
	res = xa_load(&m->state.resources, id);
	words = res && res->state == VIRTGPU_MOCK_ACTIVE ? virtgpu_mock_host_memory(m, res) : NULL;
	value = words ? words[0] : 0;
	mutex_unlock(&m->host.lock);

	return value;
}
