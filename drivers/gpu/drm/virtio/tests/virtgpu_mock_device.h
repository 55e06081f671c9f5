/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_DEVICE_H
#define VIRTGPU_MOCK_DEVICE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/virtio_gpu.h>

struct virtgpu_mock;
struct virtgpu_mock_request;

/* Size of the largest response, in bytes. */
#define VIRTGPU_MOCK_RESP_MAX 2048

#define VIRTGPU_MOCK_CURSOR 64

/**
 * enum virtgpu_mock_state - State of a resource or context
 * @VIRTGPU_MOCK_ACTIVE: exists
 * @VIRTGPU_MOCK_DESTROYING: destroyed, but the driver has no response yet
 *	and must not reuse the ID
 * @VIRTGPU_MOCK_REJECTED: creation failed.  The driver may not have the
 *	response yet, so that further commands are errors, not violations.
 */
enum virtgpu_mock_state {
	VIRTGPU_MOCK_ACTIVE,
	VIRTGPU_MOCK_DESTROYING,
	VIRTGPU_MOCK_REJECTED,
};

/**
 * struct virtgpu_mock_resource - A resource
 * @id: resource ID
 * @state: state
 * @blob: blob resource
 * @format: enum virtio_gpu_formats
 * @width: in pixels
 * @height: in pixels
 * @size: size of a blob in bytes
 * @attached: backing is attached
 * @attach_rejected: ATTACH_BACKING failed
 * @transfer_rejected: TRANSFER_TO_HOST_2D failed
 * @count: number of @entries
 * @entries: backing
 * @bytes: size of the backing
 * @pixels: memory of the host
 * @transfers: number of transfers to @pixels
 * @blob_mem: VIRTIO_GPU_BLOB_MEM_* of a blob
 * @blob_flags: VIRTIO_GPU_BLOB_FLAG_* of a blob
 * @mappable: created with VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE
 * @map_rejected: RESOURCE_MAP_BLOB failed
 * @unit: bytes per pixel, or 1 for buffers
 */
struct virtgpu_mock_resource {
	u32 id;
	enum virtgpu_mock_state state;
	bool blob;
	u32 format;
	u32 width;
	u32 height;
	u64 size;
	bool attached;
	bool attach_rejected;
	bool transfer_rejected;
	u32 count;
	struct virtio_gpu_mem_entry *entries;
	u64 bytes;
	u32 *pixels;
	unsigned int transfers;
	u32 blob_mem;
	u32 blob_flags;
	bool mappable;
	bool map_rejected;
	u32 unit;
};

/* A rectangle in CPU byte order. */
struct virtgpu_mock_rect {
	u32 x, y, w, h;
};

/**
 * struct virtgpu_mock_scanout - A scanout
 * @resource: resource ID, 0 if disabled
 * @r: source rectangle
 * @format: format of a blob
 * @width: framebuffer width of a blob in pixels
 * @height: framebuffer height of a blob in pixels
 * @stride: framebuffer stride of a blob in bytes
 * @offset: offset of the first pixel of a blob in bytes
 * @screen: displayed pixels, @r.w times @r.h; only flushes update it
 * @flushes: number of flushes
 */
struct virtgpu_mock_scanout {
	u32 resource;
	struct virtgpu_mock_rect r;
	u32 format;
	u32 width;
	u32 height;
	u32 stride;
	u32 offset;
	u32 *screen;
	unsigned int flushes;
};

/**
 * struct virtgpu_mock_pointer - A cursor
 * @resource: resource ID, 0 if hidden
 * @x: position
 * @y: position
 * @hot_x: hotspot
 * @hot_y: hotspot
 * @image: pixels
 */
struct virtgpu_mock_pointer {
	u32 resource;
	s32 x, y;
	u32 hot_x, hot_y;
	u32 image[VIRTGPU_MOCK_CURSOR * VIRTGPU_MOCK_CURSOR];
};

/* Display info of an output. */
struct virtgpu_mock_display_mode {
	bool enabled;
	u32 x, y;
	u32 width, height;
};

/* Address of the memory of a PCI peer device, which is not RAM. */
#define VIRTGPU_MOCK_PEER 0x4000000000ull

/* Memory of a PCI peer device. */
struct virtgpu_mock_peer {
	u64 addr;
	void *memory;
	size_t size;
};

/**
 * enum virtgpu_mock_opcode - Operations of the mock renderer
 * @VIRTGPU_MOCK_NOP: do nothing
 * @VIRTGPU_MOCK_ALLOC: allocate memory for a host blob; object is the blob ID,
 *	value the size in bytes
 * @VIRTGPU_MOCK_FILL: fill a resource; object is the resource ID, value the
 *	word
 * @VIRTGPU_MOCK_FAIL: fail the command
 */
enum virtgpu_mock_opcode {
	VIRTGPU_MOCK_NOP,
	VIRTGPU_MOCK_ALLOC,
	VIRTGPU_MOCK_FILL,
	VIRTGPU_MOCK_FAIL,
};

/* Element of a command buffer. */
struct virtgpu_mock_op {
	u32 opcode;
	u32 object;
	u32 value;
};

/**
 * struct virtgpu_mock_context - A context
 * @id: context ID
 * @state: state
 * @capset: capability set ID, 0 for the default
 * @name: debug name
 * @attachments: attached resources, by resource ID
 * @allocations: sizes of memory for host blobs, by blob ID
 * @submits: number of SUBMIT_3D commands
 * @query_ring: resource ID of the blob for responses to cross-domain queries
 * @channel_ring: resource ID of the blob for messages to the guest
 * @last_blob: last blob ID of a cross-domain query
 * @received: resource ID of the last buffer in a cross-domain message
 */
struct virtgpu_mock_context {
	u32 id;
	enum virtgpu_mock_state state;
	u32 capset;
	char name[64];
	struct xarray attachments;
	struct xarray allocations;
	unsigned int submits;
	u32 query_ring;
	u32 channel_ring;
	u32 last_blob;
	u32 received;
};

/* A mapped blob; @unmapped ones wait until the driver has the response. */
struct virtgpu_mock_mapping {
	struct list_head link;
	u32 resource;
	u64 offset;
	u64 size;
	bool unmapped;
};

/**
 * struct virtgpu_mock_host_visible - The host-visible region
 * @start: physical address
 * @size: in bytes, 0 if there is no region
 * @memory: memory of the region; NULL on machines where it is a hole, because
 *	iomem_resource covers all memory
 * @mappings: mapped blobs
 * @caching: VIRTIO_GPU_MAP_CACHE_* of each mapping
 */
struct virtgpu_mock_host_visible {
	phys_addr_t start;
	u64 size;
	void *memory;
	struct list_head mappings;
	u32 caching;
};

/**
 * struct virtgpu_mock_device - State of a mock device
 * @resources: resources, by ID
 * @scanouts: scanouts
 * @pointers: cursors
 * @modes: display info of the outputs
 * @peers: memory of PCI peer devices
 * @contexts: contexts, by ID
 * @host_visible: host-visible region
 * @lost: number of scanouts that were disabled by RESOURCE_UNREF
 */
struct virtgpu_mock_device {
	struct xarray resources;
	struct virtgpu_mock_scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_pointer *pointers;
	struct virtgpu_mock_display_mode modes[VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_peer peers[2];
	struct xarray contexts;
	struct virtgpu_mock_host_visible host_visible;
	unsigned int lost;
};

int virtgpu_mock_device_init(struct virtgpu_mock *m);
void virtgpu_mock_device_fini(struct virtgpu_mock *m);
void virtgpu_mock_device_reset(struct virtgpu_mock *m);

bool virtgpu_mock_device_check(struct virtgpu_mock *m, const struct virtgpu_mock_request *rq);
u32 virtgpu_mock_device_execute(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_reject(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_responded(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_get_target(struct virtgpu_mock_request *rq, u32 *resource, u32 *scanout);

/* Resources, see virtgpu_mock_resource.c. */
struct virtgpu_mock_resource *virtgpu_mock_lookup(struct virtgpu_mock *m, u32 id);
u32 virtgpu_mock_create_2d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_create_blob(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_attach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_unref(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_transfer(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_assign_uuid(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_create_3d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_transfer_3d(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_resource_reject(struct virtgpu_mock *m, u32 id, u32 type);
void virtgpu_mock_resource_finish_unref(struct virtgpu_mock *m, u32 id);
bool virtgpu_mock_read_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
			       u64 offset, void *to, size_t size);
bool virtgpu_mock_write_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
				u64 offset, const void *from, size_t size);
void virtgpu_mock_resources_reset(struct virtgpu_mock *m);

/* Contexts, see virtgpu_mock_context.c. */
struct virtgpu_mock_context *virtgpu_mock_context_lookup(struct virtgpu_mock *m,
							 const struct virtgpu_mock_request *rq);
bool virtgpu_mock_context_has_resource(struct virtgpu_mock_context *ctx, u32 resource);
u32 virtgpu_mock_capset_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_get_capset(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_create(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_destroy(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_attach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_submit(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_context_reject(struct virtgpu_mock *m, u32 id, u32 resource, u32 type);
void virtgpu_mock_context_finish_destroy(struct virtgpu_mock *m, u32 id);
void virtgpu_mock_contexts_unref(struct virtgpu_mock *m, u32 resource);
void virtgpu_mock_contexts_reset(struct virtgpu_mock *m);

/* Host-visible region, see virtgpu_mock_host_visible.c. */
int virtgpu_mock_host_visible_init(struct virtgpu_mock *m);
void virtgpu_mock_host_visible_fini(struct virtgpu_mock *m);
void *virtgpu_mock_host_memory(struct virtgpu_mock *m, struct virtgpu_mock_resource *res);
u32 virtgpu_mock_map(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_unmap(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_host_visible_reject(struct virtgpu_mock *m, u32 resource, u32 type);
void virtgpu_mock_host_visible_finish_unmap(struct virtgpu_mock *m, u32 resource);
bool virtgpu_mock_host_visible_is_mapped(struct virtgpu_mock *m, u32 resource);
void virtgpu_mock_host_visible_reset(struct virtgpu_mock *m);

/* Outputs, see virtgpu_mock_output.c. */
u32 virtgpu_mock_display_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_edid(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_set_scanout(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_set_scanout_blob(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_flush(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_update_cursor(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_move_cursor(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_outputs_unref(struct virtgpu_mock *m, u32 resource);
void virtgpu_mock_outputs_reset(struct virtgpu_mock *m);

/* Queries by tests. */
unsigned int virtgpu_mock_resources(struct virtgpu_mock *m);
unsigned int virtgpu_mock_backings(struct virtgpu_mock *m);
bool virtgpu_mock_has_address(struct virtgpu_mock *m, u64 addr);
void virtgpu_mock_set_peer(struct virtgpu_mock *m, unsigned int index, void *memory, size_t size);
unsigned int virtgpu_mock_contexts(struct virtgpu_mock *m);
bool virtgpu_mock_context(struct virtgpu_mock *m, u32 id, struct virtgpu_mock_context *ctx);
bool virtgpu_mock_attached(struct virtgpu_mock *m, u32 context, u32 resource);
unsigned int virtgpu_mock_mappings(struct virtgpu_mock *m);
bool virtgpu_mock_mapped(struct virtgpu_mock *m, u32 resource, u64 *offset);
bool virtgpu_mock_host_visible_has_memory(struct virtgpu_mock *m);
bool virtgpu_mock_resource_is_blob(struct virtgpu_mock *m, u32 id);
u32 virtgpu_mock_peek(struct virtgpu_mock *m, u32 id);
u32 virtgpu_mock_shown(struct virtgpu_mock *m, unsigned int scanout);
u32 virtgpu_mock_pixel(struct virtgpu_mock *m, unsigned int scanout, u32 x, u32 y);
unsigned int virtgpu_mock_flushes(struct virtgpu_mock *m, unsigned int scanout);
void virtgpu_mock_pointer(struct virtgpu_mock *m, unsigned int scanout,
			  struct virtgpu_mock_pointer *p);

#endif
