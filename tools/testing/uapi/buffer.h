/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Buffers to show, from wherever dma-bufs come from, and what is drawn in them.
 */
#ifndef UAPI_BUFFER_H
#define UAPI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../exporter/virtgpu_exporter_uapi.h"
#include "kms.h"

/**
 * enum source - where a buffer comes from
 * @SOURCE_DUMB: the device under test, as a dumb buffer
 * @SOURCE_VGEM: vgem, a dumb buffer
 * @SOURCE_BOCHS: QEMU's standard VGA, a dumb buffer
 * @SOURCE_VIRTIO: a second virtio-gpu, a dumb buffer
 * @SOURCE_UDMABUF: udmabuf, over a memfd
 * @SOURCE_HEAP: the system dma-heap
 * @SOURCE_STATIC: the test exporter, static
 * @SOURCE_RAM: the test exporter, dynamic in RAM
 * @SOURCE_VRAM: the test exporter, dynamic in VRAM
 */
enum source {
	SOURCE_DUMB,
	SOURCE_VGEM,
	SOURCE_BOCHS,
	SOURCE_VIRTIO,
	SOURCE_UDMABUF,
	SOURCE_HEAP,
	SOURCE_STATIC,
	SOURCE_RAM,
	SOURCE_VRAM,
};

/**
 * struct buffer - a picture's memory and its ways into the device under test
 * @source: where it comes from
 * @owner: file of the device that made it, or -1
 * @owner_handle: its handle there
 * @fd: its dma-buf, or -1
 * @width: pixels
 * @height: pixels
 * @stride: bytes
 * @size: bytes
 * @handle: its handle in the device under test, or 0
 * @fb: its framebuffer there, or 0
 */
struct buffer {
	enum source source;
	int owner;
	uint32_t owner_handle;
	int fd;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint64_t size;
	uint32_t handle;
	uint32_t fb;
};

/**
 * struct picture - four quadrants in colours, the way a screenshot is checked
 * @color: XRGB of top left, top right, bottom left, bottom right
 * @stamped: with the exporter's stamp (see VIRTGPU_EXPORTER_FILL_STAMP)
 */
struct picture {
	uint32_t color[4];
	bool stamped;
};

extern const struct picture picture_a;
extern const struct picture picture_b;

/* Make a buffer; skips the case if its source is not there. */
void buffer_new(struct buffer *buf, struct kms *kms, enum source source,
		uint32_t width, uint32_t height);
/* The same from the test exporter, with VIRTGPU_EXPORTER_CREATE_* flags. */
void buffer_new_flags(struct buffer *buf, enum source source, uint32_t width,
		      uint32_t height, uint32_t flags);
/* Import (unless it is the device's own) and make a framebuffer. */
void buffer_import(struct buffer *buf, struct kms *kms);
/* Undo buffer_import(), or what is left of it. */
void buffer_close(struct buffer *buf, struct kms *kms);
/* Undo all that is left of it. */
void buffer_free(struct buffer *buf, struct kms *kms);
void buffer_draw(struct buffer *buf, struct kms *kms,
		 const struct picture *picture);
/* A gradient with a number instead (the test exporter's buffers). */
void buffer_gradient(struct buffer *buf, uint8_t id);
/* Map for the CPU; the whole of it, readable and writable. */
void *buffer_map(struct buffer *buf, struct kms *kms);
/* Map a dumb buffer of any card; NULL if it cannot. */
void *map_dumb(int fd, uint32_t handle, size_t size);
/* Draw into memory. */
void paint(void *pixels, uint32_t width, uint32_t height, uint32_t stride,
	   const struct picture *picture);

/*
 * Take a screenshot and note what must be in it, for vgputest/screenshots.py on
 * the host.
 * @stamp_of: the exporter's buffer whose stamp must be in it, or NULL.
 */
void take_screenshot(struct output *out, const char *name,
		     const struct picture *picture, struct buffer *stamp_of);
void take_gradient_screenshot(struct output *out, const char *name, uint8_t id);

/* The test exporter.  They return 0 or a negative errno. */
int exporter_file(void);
int exporter_move(struct buffer *buf, uint32_t placement);
int exporter_fault(struct buffer *buf, uint32_t point, uint32_t error,
		   uint32_t count);
int exporter_revoke(int fd);
int exporter_add_fence(struct buffer *buf, uint32_t flags, uint32_t ms,
		       uint32_t error);
int exporter_signal(void);
/* Of a buffer, or (NULL) the totals. */
void exporter_stats(struct buffer *buf, struct virtgpu_exporter_stats *stats);
void exporter_info(struct virtgpu_exporter_info *info);
/*
 * All that importers took must be given back within a second or two, and no
 * rule may have been broken since @before.
 */
void exporter_check_balance(const struct virtgpu_exporter_stats *before);

static inline uint64_t stat_of(const struct virtgpu_exporter_stats *stats,
			       enum virtgpu_exporter_counter what)
{
	return stats->counter[what];
}

#endif /* UAPI_BUFFER_H */
