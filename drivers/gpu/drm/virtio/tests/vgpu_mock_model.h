/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MOCK_MODEL_H
#define VGPU_MOCK_MODEL_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/linux/virtio_gpu.h>

struct vgpu_mock;
struct vgpu_mock_request;

/* Room for every answer. */
#define VGPU_MOCK_REPLY_MAX 2048

#define VGPU_MOCK_CURSOR 64

/**
 * enum vgpu_mock_life - what has become of a resource
 * @VGPU_MOCK_LIVE: it is there
 * @VGPU_MOCK_DYING: it is not, but the driver has no answer to UNREF yet, so it may
 *	not use the number again
 * @VGPU_MOCK_REFUSED: the host would not make it.  The driver need not know that
 *	yet, so what it says about it is answered with an error.
 */
enum vgpu_mock_life {
	VGPU_MOCK_LIVE,
	VGPU_MOCK_DYING,
	VGPU_MOCK_REFUSED,
};

/**
 * struct vgpu_mock_resource - a resource as the host knows it
 * @id: its number
 * @life: see enum vgpu_mock_life
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
struct vgpu_mock_resource {
	u32 id;
	enum vgpu_mock_life life;
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
struct vgpu_mock_rect {
	u32 x, y, w, h;
};

/**
 * struct vgpu_mock_scanout - an output as the host knows it
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
struct vgpu_mock_scanout {
	u32 resource;
	struct vgpu_mock_rect r;
	u32 format;
	u32 width;
	u32 height;
	u32 stride;
	u32 offset;
	u32 *screen;
	unsigned int flushes;
};

/**
 * struct vgpu_mock_pointer - a cursor as the host knows it
 * @resource: its image, 0 for none
 * @x: position
 * @y: position
 * @hot_x: hot spot
 * @hot_y: hot spot
 * @image: its pixels
 */
struct vgpu_mock_pointer {
	u32 resource;
	s32 x, y;
	u32 hot_x, hot_y;
	u32 image[VGPU_MOCK_CURSOR * VGPU_MOCK_CURSOR];
};

/* What the host wants of an output. */
struct vgpu_mock_wish {
	bool enabled;
	u32 x, y;
	u32 width, height;
};

/* Where the memory of the guest's other devices is, which is no RAM. */
#define VGPU_MOCK_PEER 0x4000000000ull

/* Memory of another device, as the host reaches it. */
struct vgpu_mock_peer {
	u64 addr;
	void *memory;
	size_t size;
};

/**
 * enum vgpu_mock_verb - what a renderer of this host's can be told to do
 * @VGPU_MOCK_NOTHING_MUCH: it does not
 * @VGPU_MOCK_MAKE: make memory that a blob can be made of: its number, its size
 * @VGPU_MOCK_FILL: write a word all over a resource: its number, the word
 * @VGPU_MOCK_FAIL: answer with an error
 */
enum vgpu_mock_verb {
	VGPU_MOCK_NOTHING_MUCH,
	VGPU_MOCK_MAKE,
	VGPU_MOCK_FILL,
	VGPU_MOCK_FAIL,
};

/* Command streams are made of these. */
struct vgpu_mock_op {
	u32 verb;
	u32 object;
	u32 value;
};

/**
 * struct vgpu_mock_context - a program as the host knows it
 * @id: its number
 * @life: see enum vgpu_mock_life
 * @capset: which renderer it talks to, 0 for the one there always was
 * @name: what it is called
 * @uses: the resources that it may use, by number
 * @memory: the sizes of what it has made blobs can be made of, by number
 * @submits: command streams that it was given
 */
struct vgpu_mock_context {
	u32 id;
	enum vgpu_mock_life life;
	u32 capset;
	char name[64];
	struct xarray uses;
	struct xarray memory;
	unsigned int submits;
};

/* A blob in the window; @ended: only until the driver knows that it has left. */
struct vgpu_mock_mapping {
	struct list_head link;
	u32 resource;
	u64 offset;
	u64 size;
	bool ended;
};

/**
 * struct vgpu_mock_window - what the guest sees of the host's memory
 * @start: physical address
 * @size: in bytes, 0 if there is none
 * @memory: what is there; NULL on machines that list all of their memory, where the
 *	window is a hole
 * @mappings: blobs that it shows
 * @caching: VIRTIO_GPU_MAP_CACHE_*, what the driver is told of them
 */
struct vgpu_mock_window {
	phys_addr_t start;
	u64 size;
	void *memory;
	struct list_head mappings;
	u32 caching;
};

/**
 * struct vgpu_mock_model - what the host knows
 * @resources: by number
 * @scanouts: outputs
 * @pointers: their cursors
 * @wishes: what it wants of them
 * @peers: memory that is no RAM
 * @contexts: by number
 * @window: where host memory is seen
 * @lost: outputs that went dark as their resource was ended
 */
struct vgpu_mock_model {
	struct xarray resources;
	struct vgpu_mock_scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct vgpu_mock_pointer *pointers;
	struct vgpu_mock_wish wishes[VIRTIO_GPU_MAX_SCANOUTS];
	struct vgpu_mock_peer peers[2];
	struct xarray contexts;
	struct vgpu_mock_window window;
	unsigned int lost;
};

int vgpu_mock_model_init(struct vgpu_mock *m);
void vgpu_mock_model_fini(struct vgpu_mock *m);
void vgpu_mock_model_reset(struct vgpu_mock *m);

u32 vgpu_mock_model_execute(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_model_refuse(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_model_answered(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_model_name(struct vgpu_mock_request *rq, u32 *resource, u32 *scanout);

/* Resources, see vgpu_mock_resource.c. */
struct vgpu_mock_resource *vgpu_mock_lookup(struct vgpu_mock *m, u32 id);
u32 vgpu_mock_create_2d(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_create_blob(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_attach(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_detach(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_unref(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_transfer(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_assign_uuid(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_create_3d(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_transfer_3d(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_resource_refuse(struct vgpu_mock *m, u32 id, u32 type);
void vgpu_mock_resource_forget(struct vgpu_mock *m, u32 id);
bool vgpu_mock_read_backing(struct vgpu_mock *m, const struct vgpu_mock_resource *res,
			    u64 offset, void *to, size_t size);
void vgpu_mock_resources_reset(struct vgpu_mock *m);

/* Contexts, see vgpu_mock_context.c. */
struct vgpu_mock_context *vgpu_mock_context_lookup(struct vgpu_mock *m,
						   const struct vgpu_mock_request *rq);
bool vgpu_mock_context_uses(struct vgpu_mock_context *ctx, u32 resource);
u32 vgpu_mock_capset_info(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_get_capset(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_ctx_create(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_ctx_destroy(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_ctx_attach(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_ctx_detach(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_submit(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_context_refuse(struct vgpu_mock *m, u32 id, u32 resource, u32 type);
void vgpu_mock_context_forget(struct vgpu_mock *m, u32 id);
void vgpu_mock_contexts_unref(struct vgpu_mock *m, u32 resource);
void vgpu_mock_contexts_reset(struct vgpu_mock *m);

/* The window, see vgpu_mock_window.c. */
int vgpu_mock_window_init(struct vgpu_mock *m);
void vgpu_mock_window_fini(struct vgpu_mock *m);
void *vgpu_mock_host_memory(struct vgpu_mock *m, struct vgpu_mock_resource *res);
u32 vgpu_mock_map(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_unmap(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_window_refuse(struct vgpu_mock *m, u32 resource, u32 type);
void vgpu_mock_window_forget(struct vgpu_mock *m, u32 resource);
bool vgpu_mock_window_shows(struct vgpu_mock *m, u32 resource);
void vgpu_mock_window_reset(struct vgpu_mock *m);

/* Outputs, see vgpu_mock_output.c. */
u32 vgpu_mock_display_info(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_edid(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_set_scanout(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_set_scanout_blob(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_flush(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_update_cursor(struct vgpu_mock *m, struct vgpu_mock_request *rq);
u32 vgpu_mock_move_cursor(struct vgpu_mock *m, struct vgpu_mock_request *rq);
void vgpu_mock_outputs_unref(struct vgpu_mock *m, u32 resource);
void vgpu_mock_outputs_reset(struct vgpu_mock *m);

/* What a test may ask. */
unsigned int vgpu_mock_resources(struct vgpu_mock *m);
unsigned int vgpu_mock_backings(struct vgpu_mock *m);
bool vgpu_mock_knows(struct vgpu_mock *m, u64 addr);
void vgpu_mock_set_peer(struct vgpu_mock *m, unsigned int index, void *memory, size_t size);
unsigned int vgpu_mock_contexts(struct vgpu_mock *m);
bool vgpu_mock_context(struct vgpu_mock *m, u32 id, struct vgpu_mock_context *ctx);
bool vgpu_mock_attached(struct vgpu_mock *m, u32 context, u32 resource);
unsigned int vgpu_mock_mappings(struct vgpu_mock *m);
bool vgpu_mock_mapped(struct vgpu_mock *m, u32 resource, u64 *offset);
bool vgpu_mock_window_has_memory(struct vgpu_mock *m);
bool vgpu_mock_resource_is_blob(struct vgpu_mock *m, u32 id);
u32 vgpu_mock_shown(struct vgpu_mock *m, unsigned int scanout);
u32 vgpu_mock_pixel(struct vgpu_mock *m, unsigned int scanout, u32 x, u32 y);
unsigned int vgpu_mock_flushes(struct vgpu_mock *m, unsigned int scanout);
void vgpu_mock_pointer(struct vgpu_mock *m, unsigned int scanout, struct vgpu_mock_pointer *p);

#endif
