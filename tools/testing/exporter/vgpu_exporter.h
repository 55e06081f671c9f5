/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Internals of the test exporter: buffers, their memory, and the book-keeping. */
#ifndef VGPU_EXPORTER_H
#define VGPU_EXPORTER_H

#include <linux/atomic.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "vgpu_exporter_uapi.h"

/* Kernels before 7.0 have no typed allocation. */
#ifndef kzalloc_obj
#define kzalloc_obj(obj)	kzalloc(sizeof(obj), GFP_KERNEL)
#endif

struct dma_buf;
struct page;
struct vgpu_exp_vram;

/**
 * struct vgpu_exp_backing - memory of a buffer
 * @kref: the buffer, its quarantine and each mapping hold one
 * @placement: which kind of memory
 * @size: bytes, whole pages
 * @map: where the CPU sees it
 * @pages: its pages; NULL for VRAM
 * @vram: where it was carved from; NULL for RAM
 * @phys: bus address (VRAM)
 */
struct vgpu_exp_backing {
	struct kref kref;
	enum vgpu_exporter_placement placement;
	size_t size;
	struct iosys_map map;
	struct page **pages;
	struct vgpu_exp_vram *vram;
	phys_addr_t phys;
};

/**
 * struct vgpu_exp_counters - one set of books
 * @value: indexed by enum vgpu_exporter_counter
 * @violations: bits of enum vgpu_exporter_violation
 */
struct vgpu_exp_counters {
	atomic64_t value[VGPU_EXPORTER_NR_COUNTERS];
	unsigned long violations;
};

/**
 * struct vgpu_exp_buf - a buffer
 * @link: in the list of all buffers
 * @dmabuf: its dma-buf, which owns it
 * @flags: VGPU_EXPORTER_CREATE_*
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
struct vgpu_exp_buf {
	struct list_head link;
	struct dma_buf *dmabuf;
	u32 flags;
	bool gone;
	bool dynamic;
	u32 generation;
	struct vgpu_exp_backing *backing;
	struct vgpu_exp_backing *quarantine;
	struct vgpu_exporter_fill picture;
	struct {
		int error;
		u32 count;
	} fault[VGPU_EXPORTER_NR_FAULT_POINTS];
	struct vgpu_exp_counters counters;
};

/* counters.c */
extern struct vgpu_exp_counters vgpu_exp_totals;
void vgpu_exp_count(struct vgpu_exp_buf *buf, enum vgpu_exporter_counter what,
		    s64 n);
void vgpu_exp_count_max(struct vgpu_exp_buf *buf,
			enum vgpu_exporter_counter what, s64 n);
void vgpu_exp_violation(struct vgpu_exp_buf *buf,
			enum vgpu_exporter_violation what);
void vgpu_exp_read_counters(struct vgpu_exp_counters *counters,
			    struct vgpu_exporter_stats *stats);

/* memory.c */
struct vgpu_exp_backing *
vgpu_exp_backing_new(enum vgpu_exporter_placement placement, size_t size,
		     bool scatter);
void vgpu_exp_backing_put(struct vgpu_exp_backing *backing);
int vgpu_exp_backing_copy(struct vgpu_exp_backing *to,
			  struct vgpu_exp_backing *from);

/* vram.c */
int vgpu_exp_vram_init(void);
void vgpu_exp_vram_exit(void);
void vgpu_exp_vram_info(struct vgpu_exporter_info *info);
int vgpu_exp_vram_alloc(struct vgpu_exp_backing *backing);
void vgpu_exp_vram_free(struct vgpu_exp_backing *backing);

/* dmabuf.c */
struct vgpu_exp_buf *vgpu_exp_buf_from(struct dma_buf *dmabuf);
struct dma_buf *vgpu_exp_export(const struct vgpu_exporter_create *args);
unsigned int vgpu_exp_pins(struct vgpu_exp_buf *buf);
bool vgpu_exp_all_peer2peer(struct vgpu_exp_buf *buf);
unsigned int vgpu_exp_mark_stale(struct vgpu_exp_buf *buf);
void vgpu_exp_sync_for_device(struct vgpu_exp_buf *buf);
void vgpu_exp_revoke_vram(void);

/* move.c */
int vgpu_exp_move(struct vgpu_exp_buf *buf,
		  enum vgpu_exporter_placement placement);
void vgpu_exp_revoke(struct vgpu_exp_buf *buf);

/* picture.c */
int vgpu_exp_fill(struct vgpu_exp_buf *buf,
		  const struct vgpu_exporter_fill *args);
void vgpu_exp_stamp(struct vgpu_exp_buf *buf);
void vgpu_exp_poison(struct vgpu_exp_backing *backing);

/* fence.c */
struct dma_fence;
struct vgpu_exp_fences;
int vgpu_exp_fence_init(void);
void vgpu_exp_fence_exit(void);
bool vgpu_exp_fence_is_ours(struct dma_fence *fence);
struct vgpu_exp_fences *vgpu_exp_fences_new(void);
void vgpu_exp_fences_free(struct vgpu_exp_fences *fences);
int vgpu_exp_fences_add(struct vgpu_exp_fences *fences,
			struct vgpu_exp_buf *buf,
			const struct vgpu_exporter_add_fence *args);
void vgpu_exp_fences_signal(struct vgpu_exp_fences *fences);

#endif /* VGPU_EXPORTER_H */
