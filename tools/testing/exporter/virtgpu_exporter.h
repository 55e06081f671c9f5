/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Internals of the test exporter: buffers, their memory, and the book-keeping.
 */
#ifndef VIRTGPU_EXPORTER_H
#define VIRTGPU_EXPORTER_H

#include <linux/atomic.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "virtgpu_exporter_uapi.h"

/* Kernels before 7.0 have no typed allocation. */
#ifndef kzalloc_obj
#define kzalloc_obj(obj)	kzalloc(sizeof(obj), GFP_KERNEL)
#endif

struct dma_buf;
struct page;
struct virtgpu_exp_vram;

/**
 * struct virtgpu_exp_backing - memory of a buffer
 * @kref: the buffer, its quarantine and each mapping hold one
 * @placement: which kind of memory
 * @size: bytes, whole pages
 * @map: where the CPU sees it
 * @pages: its pages; NULL for VRAM
 * @vram: where it was carved from; NULL for RAM
 * @phys: bus address (VRAM)
 */
struct virtgpu_exp_backing {
	struct kref kref;
	enum virtgpu_exporter_placement placement;
	size_t size;
	struct iosys_map map;
	struct page **pages;
	struct virtgpu_exp_vram *vram;
	phys_addr_t phys;
};

/**
 * struct virtgpu_exp_counters - one set of books
 * @value: indexed by enum virtgpu_exporter_counter
 * @violations: bits of enum virtgpu_exporter_violation
 */
struct virtgpu_exp_counters {
	atomic64_t value[VIRTGPU_EXPORTER_NR_COUNTERS];
	unsigned long violations;
};

/**
 * struct virtgpu_exp_buf - a buffer
 * @link: in the list of all buffers
 * @dmabuf: its dma-buf, which owns it
 * @flags: VIRTGPU_EXPORTER_CREATE_*
 * @gone: revoked
 * @dynamic: has pin operations and can move
 * @generation: moves done
 * @backing: where it is
 * @quarantine: where it was before the last move, poisoned
 * @picture: the last fill, to stamp it anew after a move
 * @fault: what to fail, how often, with what
 * @counters: its own books
 *
 * All but @link and @counters are protected by the reservation lock.
 */
struct virtgpu_exp_buf {
	struct list_head link;
	struct dma_buf *dmabuf;
	u32 flags;
	bool gone;
	bool dynamic;
	u32 generation;
	struct virtgpu_exp_backing *backing;
	struct virtgpu_exp_backing *quarantine;
	struct virtgpu_exporter_fill picture;
	struct {
		int error;
		u32 count;
	} fault[VIRTGPU_EXPORTER_NR_FAULT_POINTS];
	struct virtgpu_exp_counters counters;
};

/* counters.c */
extern struct virtgpu_exp_counters virtgpu_exp_totals;
void virtgpu_exp_count(struct virtgpu_exp_buf *buf, enum virtgpu_exporter_counter what,
		       s64 n);
void virtgpu_exp_count_max(struct virtgpu_exp_buf *buf,
			   enum virtgpu_exporter_counter what, s64 n);
void virtgpu_exp_violation(struct virtgpu_exp_buf *buf,
			   enum virtgpu_exporter_violation what);
void virtgpu_exp_read_counters(struct virtgpu_exp_counters *counters,
			       struct virtgpu_exporter_stats *stats);

/* memory.c */
struct virtgpu_exp_backing *
virtgpu_exp_backing_new(enum virtgpu_exporter_placement placement, size_t size,
			bool scatter);
void virtgpu_exp_backing_put(struct virtgpu_exp_backing *backing);
int virtgpu_exp_backing_copy(struct virtgpu_exp_backing *to,
			     struct virtgpu_exp_backing *from);

/* vram.c */
int virtgpu_exp_vram_init(void);
void virtgpu_exp_vram_exit(void);
void virtgpu_exp_vram_info(struct virtgpu_exporter_info *info);
int virtgpu_exp_vram_alloc(struct virtgpu_exp_backing *backing);
void virtgpu_exp_vram_free(struct virtgpu_exp_backing *backing);

/* dmabuf.c */
struct virtgpu_exp_buf *virtgpu_exp_buf_from(struct dma_buf *dmabuf);
struct dma_buf *virtgpu_exp_export(const struct virtgpu_exporter_create *args);
unsigned int virtgpu_exp_pins(struct virtgpu_exp_buf *buf);
bool virtgpu_exp_all_peer2peer(struct virtgpu_exp_buf *buf);
unsigned int virtgpu_exp_mark_stale(struct virtgpu_exp_buf *buf);
void virtgpu_exp_sync_for_device(struct virtgpu_exp_buf *buf);
void virtgpu_exp_revoke_vram(void);

/* move.c */
int virtgpu_exp_move(struct virtgpu_exp_buf *buf,
		     enum virtgpu_exporter_placement placement);
void virtgpu_exp_revoke(struct virtgpu_exp_buf *buf);

/* picture.c */
int virtgpu_exp_fill(struct virtgpu_exp_buf *buf,
		     const struct virtgpu_exporter_fill *args);
void virtgpu_exp_stamp(struct virtgpu_exp_buf *buf);
void virtgpu_exp_poison(struct virtgpu_exp_backing *backing);

/* fence.c */
struct dma_fence;
struct virtgpu_exp_fences;
int virtgpu_exp_fence_init(void);
void virtgpu_exp_fence_exit(void);
bool virtgpu_exp_fence_is_ours(struct dma_fence *fence);
struct virtgpu_exp_fences *virtgpu_exp_fences_new(void);
void virtgpu_exp_fences_free(struct virtgpu_exp_fences *fences);
int virtgpu_exp_fences_add(struct virtgpu_exp_fences *fences,
			   struct virtgpu_exp_buf *buf,
			   const struct virtgpu_exporter_add_fence *args);
void virtgpu_exp_fences_signal(struct virtgpu_exp_fences *fences);

#endif /* VIRTGPU_EXPORTER_H */
