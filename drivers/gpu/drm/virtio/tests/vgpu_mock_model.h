/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MOCK_MODEL_H
#define VGPU_MOCK_MODEL_H

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
 * struct vgpu_mock_model - what the host knows
 * @resources: by number
 * @scanouts: outputs
 * @pointers: their cursors
 * @wishes: what it wants of them
 * @peers: memory that is no RAM
 * @lost: outputs that went dark as their resource was ended
 */
struct vgpu_mock_model {
	struct xarray resources;
	struct vgpu_mock_scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct vgpu_mock_pointer *pointers;
	struct vgpu_mock_wish wishes[VIRTIO_GPU_MAX_SCANOUTS];
	struct vgpu_mock_peer peers[2];
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
void vgpu_mock_resource_refuse(struct vgpu_mock *m, u32 id, u32 type);
void vgpu_mock_resource_forget(struct vgpu_mock *m, u32 id);
bool vgpu_mock_read_backing(struct vgpu_mock *m, const struct vgpu_mock_resource *res,
			    u64 offset, void *to, size_t size);
void vgpu_mock_resources_reset(struct vgpu_mock *m);

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
bool vgpu_mock_resource_is_blob(struct vgpu_mock *m, u32 id);
u32 vgpu_mock_shown(struct vgpu_mock *m, unsigned int scanout);
u32 vgpu_mock_pixel(struct vgpu_mock *m, unsigned int scanout, u32 x, u32 y);
unsigned int vgpu_mock_flushes(struct vgpu_mock *m, unsigned int scanout);
void vgpu_mock_pointer(struct vgpu_mock *m, unsigned int scanout, struct vgpu_mock_pointer *p);

#endif
