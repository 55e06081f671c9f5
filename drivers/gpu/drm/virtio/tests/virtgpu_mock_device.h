/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_DEVICE_H
#define VIRTGPU_MOCK_DEVICE_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/virtio_gpu.h>

struct virtgpu_mock;
struct virtgpu_mock_request;

/* Room for every answer. */
#define VIRTGPU_MOCK_REPLY_MAX 2048

#define VIRTGPU_MOCK_CURSOR 64

/**
 * enum virtgpu_mock_life - what has become of a resource
 * @VIRTGPU_MOCK_LIVE: it is there
 * @VIRTGPU_MOCK_DYING: it is not, but the driver has no answer to UNREF yet, so it may
 *	not use the number again
 * @VIRTGPU_MOCK_REFUSED: the host would not make it.  The driver need not know that
 *	yet, so what it says about it is answered with an error.
 */
enum virtgpu_mock_life {
	VIRTGPU_MOCK_LIVE,
	VIRTGPU_MOCK_DYING,
	VIRTGPU_MOCK_REFUSED,
};

/**
 * struct virtgpu_mock_resource - a resource as the host knows it
 * @id: its number
 * @life: see enum virtgpu_mock_life
 * @blob: it is memory, not a copy
 * @format: enum virtio_gpu_formats
 * @width: in pixels
 * @height: in pixels
 * @size: bytes of a blob
 * @attached: it has a backing
 * @attach_refused: the host would not take a backing
 * @transfer_refused: the host would not take a picture
 * @count: entries of the backing
 * @entries: the backing
 * @bytes: its length
 * @pixels: the host's copy
 * @transfers: how often it was brought up to date
 * @blob_mem: VIRTIO_GPU_BLOB_MEM_*, of a blob
 * @mappable: it was made to be seen in the window
 * @map_refused: the host would not show it there
 * @unit: bytes of a pixel, or of what else it consists of
 */
struct virtgpu_mock_resource {
	u32 id;
	enum virtgpu_mock_life life;
	bool blob;
	u32 format;
	u32 width;
	u32 height;
	u64 size;
	bool attached;
	bool attach_refused;
	bool transfer_refused;
	u32 count;
	struct virtio_gpu_mem_entry *entries;
	u64 bytes;
	u32 *pixels;
	unsigned int transfers;
	u32 blob_mem;
	bool mappable;
	bool map_refused;
	u32 unit;
};

/* A rectangle in the processor's byte order. */
struct virtgpu_mock_rect {
	u32 x, y, w, h;
};

/**
 * struct virtgpu_mock_scanout - an output as the host knows it
 * @resource: what it shows, 0 for nothing
 * @r: which part of it
 * @format: of a blob
 * @width: of the framebuffer in a blob
 * @height: likewise
 * @stride: bytes from a line to the next
 * @offset: of the first pixel
 * @screen: what one sees, @r.w times @r.h, changed by flushes only
 * @flushes: how often that was
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
 * struct virtgpu_mock_pointer - a cursor as the host knows it
 * @resource: its image, 0 for none
 * @x: position
 * @y: position
 * @hot_x: hot spot
 * @hot_y: hot spot
 * @image: its pixels
 */
struct virtgpu_mock_pointer {
	u32 resource;
	s32 x, y;
	u32 hot_x, hot_y;
	u32 image[VIRTGPU_MOCK_CURSOR * VIRTGPU_MOCK_CURSOR];
};

/* What the host wants of an output. */
struct virtgpu_mock_wish {
	bool enabled;
	u32 x, y;
	u32 width, height;
};

/* Where the memory of the guest's other devices is, which is no RAM. */
#define VIRTGPU_MOCK_PEER 0x4000000000ull

/* Memory of another device, as the host reaches it. */
struct virtgpu_mock_peer {
	u64 addr;
	void *memory;
	size_t size;
};

/**
 * enum virtgpu_mock_verb - what a renderer of this host's can be told to do
 * @VIRTGPU_MOCK_NOTHING_MUCH: it does not
 * @VIRTGPU_MOCK_MAKE: make memory that a blob can be made of: its number, its size
 * @VIRTGPU_MOCK_FILL: write a word all over a resource: its number, the word
 * @VIRTGPU_MOCK_FAIL: answer with an error
 */
enum virtgpu_mock_verb {
	VIRTGPU_MOCK_NOTHING_MUCH,
	VIRTGPU_MOCK_MAKE,
	VIRTGPU_MOCK_FILL,
	VIRTGPU_MOCK_FAIL,
};

/* Command streams are made of these. */
struct virtgpu_mock_op {
	u32 verb;
	u32 object;
	u32 value;
};

/**
 * struct virtgpu_mock_context - a program as the host knows it
 * @id: its number
 * @life: see enum virtgpu_mock_life
 * @capset: which renderer it talks to, 0 for the one there always was
 * @name: what it is called
 * @uses: the resources that it may use, by number
 * @memory: the sizes of what it has made blobs can be made of, by number
 * @submits: command streams that it was given
 */
struct virtgpu_mock_context {
	u32 id;
	enum virtgpu_mock_life life;
	u32 capset;
	char name[64];
	struct xarray uses;
	struct xarray memory;
	unsigned int submits;
};

/* A blob in the window; @ended: only until the driver knows that it has left. */
struct virtgpu_mock_mapping {
	struct list_head link;
	u32 resource;
	u64 offset;
	u64 size;
	bool ended;
};

/**
 * struct virtgpu_mock_host_visible - what the guest sees of the host's memory
 * @start: physical address
 * @size: in bytes, 0 if there is none
 * @memory: what is there; NULL on machines that list all of their memory, where the
 *	window is a hole
 * @mappings: blobs that it shows
 * @caching: VIRTIO_GPU_MAP_CACHE_*, what the driver is told of them
 */
struct virtgpu_mock_host_visible {
	phys_addr_t start;
	u64 size;
	void *memory;
	struct list_head mappings;
	u32 caching;
};

/**
 * struct virtgpu_mock_device - what the host knows
 * @resources: by number
 * @scanouts: outputs
 * @pointers: their cursors
 * @wishes: what it wants of them
 * @peers: memory that is no RAM
 * @contexts: by number
 * @window: where host memory is seen
 * @lost: outputs that went dark as their resource was ended
 */
struct virtgpu_mock_device {
	struct xarray resources;
	struct virtgpu_mock_scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_pointer *pointers;
	struct virtgpu_mock_wish wishes[VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_peer peers[2];
	struct xarray contexts;
	struct virtgpu_mock_host_visible window;
	unsigned int lost;
};

int virtgpu_mock_device_init(struct virtgpu_mock *m);
void virtgpu_mock_device_fini(struct virtgpu_mock *m);
void virtgpu_mock_device_reset(struct virtgpu_mock *m);

u32 virtgpu_mock_device_execute(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_refuse(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_answered(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_device_name(struct virtgpu_mock_request *rq, u32 *resource, u32 *scanout);

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
void virtgpu_mock_resource_refuse(struct virtgpu_mock *m, u32 id, u32 type);
void virtgpu_mock_resource_forget(struct virtgpu_mock *m, u32 id);
bool virtgpu_mock_read_backing(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
			       u64 offset, void *to, size_t size);
void virtgpu_mock_resources_reset(struct virtgpu_mock *m);

/* Contexts, see virtgpu_mock_context.c. */
struct virtgpu_mock_context *virtgpu_mock_context_lookup(struct virtgpu_mock *m,
							 const struct virtgpu_mock_request *rq);
bool virtgpu_mock_context_uses(struct virtgpu_mock_context *ctx, u32 resource);
u32 virtgpu_mock_capset_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_get_capset(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_create(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_destroy(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_attach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_ctx_detach(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_submit(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_context_refuse(struct virtgpu_mock *m, u32 id, u32 resource, u32 type);
void virtgpu_mock_context_forget(struct virtgpu_mock *m, u32 id);
void virtgpu_mock_contexts_unref(struct virtgpu_mock *m, u32 resource);
void virtgpu_mock_contexts_reset(struct virtgpu_mock *m);

/* The window, see virtgpu_mock_host_visible.c. */
int virtgpu_mock_host_visible_init(struct virtgpu_mock *m);
void virtgpu_mock_host_visible_fini(struct virtgpu_mock *m);
void *virtgpu_mock_host_memory(struct virtgpu_mock *m, struct virtgpu_mock_resource *res);
u32 virtgpu_mock_map(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
u32 virtgpu_mock_unmap(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
void virtgpu_mock_host_visible_reject(struct virtgpu_mock *m, u32 resource, u32 type);
void virtgpu_mock_host_visible_forget(struct virtgpu_mock *m, u32 resource);
bool virtgpu_mock_host_visible_shows(struct virtgpu_mock *m, u32 resource);
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

/* What a test may ask. */
unsigned int virtgpu_mock_resources(struct virtgpu_mock *m);
unsigned int virtgpu_mock_backings(struct virtgpu_mock *m);
bool virtgpu_mock_knows(struct virtgpu_mock *m, u64 addr);
void virtgpu_mock_set_peer(struct virtgpu_mock *m, unsigned int index, void *memory, size_t size);
unsigned int virtgpu_mock_contexts(struct virtgpu_mock *m);
bool virtgpu_mock_context(struct virtgpu_mock *m, u32 id, struct virtgpu_mock_context *ctx);
bool virtgpu_mock_attached(struct virtgpu_mock *m, u32 context, u32 resource);
unsigned int virtgpu_mock_mappings(struct virtgpu_mock *m);
bool virtgpu_mock_mapped(struct virtgpu_mock *m, u32 resource, u64 *offset);
bool virtgpu_mock_host_visible_has_memory(struct virtgpu_mock *m);
bool virtgpu_mock_resource_is_blob(struct virtgpu_mock *m, u32 id);
u32 virtgpu_mock_shown(struct virtgpu_mock *m, unsigned int scanout);
u32 virtgpu_mock_pixel(struct virtgpu_mock *m, unsigned int scanout, u32 x, u32 y);
unsigned int virtgpu_mock_flushes(struct virtgpu_mock *m, unsigned int scanout);
void virtgpu_mock_pointer(struct virtgpu_mock *m, unsigned int scanout,
			  struct virtgpu_mock_pointer *p);

#endif
