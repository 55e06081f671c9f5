/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * User interface of the test exporter (/dev/virtgpu-exporter).
 *
 * The exporter makes dma-bufs that can be moved between guest RAM and a "VRAM"
 * (BAR 2 of QEMU's ivshmem device) while importers are attached, and keeps book
 * of what the importers do.  Buffers are named by their dma-buf file
 * descriptor.  A descriptor that is no dma-buf of this exporter gives -EINVAL.
 */
#ifndef VIRTGPU_EXPORTER_UAPI_H
#define VIRTGPU_EXPORTER_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * enum virtgpu_exporter_placement - where a buffer's memory is
 * @VIRTGPU_EXPORTER_STATIC: RAM of a buffer that never moves; its dma-buf has
 *	no pin operation, as those of exporters without dynamic mappings
 * @VIRTGPU_EXPORTER_RAM: single pages of RAM; each move takes new ones
 * @VIRTGPU_EXPORTER_VRAM: one stretch of the PCI BAR
 * @VIRTGPU_EXPORTER_GONE: nowhere: the buffer was revoked (only an answer)
 */
enum virtgpu_exporter_placement {
	VIRTGPU_EXPORTER_STATIC,
	VIRTGPU_EXPORTER_RAM,
	VIRTGPU_EXPORTER_VRAM,
	VIRTGPU_EXPORTER_GONE,
};

/* No neighbouring pages: one scatter list entry for each page (RAM only). */
#define VIRTGPU_EXPORTER_CREATE_SCATTER		0x1u
/*
 * Without CONFIG_DMABUF_MOVE_NOTIFY the dma-buf core pins a buffer for as long
 * as a dynamic importer has it mapped.  This flag makes the exporter disregard
 * those pins, so that moves of mapped buffers can be tested on such a kernel.
 * Pins that the importer asked for count as ever.
 */
#define VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED	0x2u

/**
 * struct virtgpu_exporter_create - VIRTGPU_EXPORTER_CREATE
 * @size: bytes, rounded up to whole pages
 * @placement: enum virtgpu_exporter_placement
 * @flags: VIRTGPU_EXPORTER_CREATE_*
 * @fd: (answer) the dma-buf, close-on-exec, readable and writable
 * @pad: zero
 */
struct virtgpu_exporter_create {
	__u64 size;
	__u32 placement;
	__u32 flags;
	__s32 fd;
	__u32 pad;
};

/**
 * struct virtgpu_exporter_move - VIRTGPU_EXPORTER_MOVE
 * @fd: the buffer
 * @placement: VIRTGPU_EXPORTER_RAM or VIRTGPU_EXPORTER_VRAM; the present one is
 *	fine and means other memory of that kind
 *
 * Tells the importers, waits for every fence of the reservation (at most ten
 * seconds, then -ETIMEDOUT and the buffer stays), copies the content and fills
 * the old memory with VIRTGPU_EXPORTER_POISON.  The old memory is kept until
 * the next move, so that a host that still reads it shows poison and nothing
 * else. -EBUSY while the buffer is pinned, -ENODEV when it was revoked.
 */
struct virtgpu_exporter_move {
	__s32 fd;
	__u32 placement;
};

#define VIRTGPU_EXPORTER_POISON	0xffff00ffu

/**
 * enum virtgpu_exporter_pattern - what VIRTGPU_EXPORTER_FILL draws
 * @VIRTGPU_EXPORTER_SOLID: colour 0 everywhere
 * @VIRTGPU_EXPORTER_QUADRANTS: colours 0 to 3: top left, top right, bottom
 *	left, bottom right
 * @VIRTGPU_EXPORTER_GRADIENT: red grows to the right, green downwards, blue is
 *	the low byte of colour 0 and tells buffers apart
 */
enum virtgpu_exporter_pattern {
	VIRTGPU_EXPORTER_SOLID,
	VIRTGPU_EXPORTER_QUADRANTS,
	VIRTGPU_EXPORTER_GRADIENT,
};

/*
 * Stamp the picture with the memory it is in, now and after each move: at
 * (16, 16) a square of 64 pixels, green for RAM, blue for VRAM, white for
 * static memory; below it, from (16, 96), the number of moves in 16 boxes of 16
 * pixels, lowest bit first, white for one and black for zero.
 */
#define VIRTGPU_EXPORTER_FILL_STAMP	0x1u

/**
 * struct virtgpu_exporter_fill - VIRTGPU_EXPORTER_FILL
 * @fd: the buffer
 * @pattern: enum virtgpu_exporter_pattern
 * @flags: VIRTGPU_EXPORTER_FILL_*
 * @width: pixels of four bytes (XRGB8888) in a row
 * @height: rows
 * @stride: bytes from a row to the next
 * @offset: bytes before the first row
 * @color: see enum virtgpu_exporter_pattern
 * @pad: zero
 */
struct virtgpu_exporter_fill {
	__s32 fd;
	__u32 pattern;
	__u32 flags;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 offset;
	__u32 color[4];
	__u32 pad;
};

/**
 * enum virtgpu_exporter_counter - what has happened, for a buffer or in all
 * @VIRTGPU_EXPORTER_ATTACHES: dma_buf_attach() calls that succeeded
 * @VIRTGPU_EXPORTER_DETACHES: attachments undone
 * @VIRTGPU_EXPORTER_MAPS: mappings made
 * @VIRTGPU_EXPORTER_UNMAPS: mappings undone
 * @VIRTGPU_EXPORTER_PINS: pins taken
 * @VIRTGPU_EXPORTER_UNPINS: pins given back
 * @VIRTGPU_EXPORTER_MOVES: moves done
 * @VIRTGPU_EXPORTER_NOTIFIES: attachments told of a move or revocation
 * @VIRTGPU_EXPORTER_NOTIFY_MAX_NS: longest time spent telling them
 * @VIRTGPU_EXPORTER_NOTIFY_SLEEPS: times the caller went to sleep inside the
 *	importers' callbacks (voluntary context switches)
 * @VIRTGPU_EXPORTER_NOTIFY_FENCES: fences that appeared on the reservation
 *	during the callbacks and had not signalled when they were over
 * @VIRTGPU_EXPORTER_FENCE_TIMEOUTS: moves given up because a fence stayed
 *	silent
 * @VIRTGPU_EXPORTER_VIOLATIONS: violations of the rules, see enum
 *	virtgpu_exporter_violation
 * @VIRTGPU_EXPORTER_BUFFERS: buffers alive (only in the totals)
 * @VIRTGPU_EXPORTER_NR_COUNTERS: number of counters
 */
enum virtgpu_exporter_counter {
	VIRTGPU_EXPORTER_ATTACHES,
	VIRTGPU_EXPORTER_DETACHES,
	VIRTGPU_EXPORTER_MAPS,
	VIRTGPU_EXPORTER_UNMAPS,
	VIRTGPU_EXPORTER_PINS,
	VIRTGPU_EXPORTER_UNPINS,
	VIRTGPU_EXPORTER_MOVES,
	VIRTGPU_EXPORTER_NOTIFIES,
	VIRTGPU_EXPORTER_NOTIFY_MAX_NS,
	VIRTGPU_EXPORTER_NOTIFY_SLEEPS,
	VIRTGPU_EXPORTER_NOTIFY_FENCES,
	VIRTGPU_EXPORTER_FENCE_TIMEOUTS,
	VIRTGPU_EXPORTER_VIOLATIONS,
	VIRTGPU_EXPORTER_BUFFERS,
	VIRTGPU_EXPORTER_NR_COUNTERS,
};

/**
 * enum virtgpu_exporter_violation - bits of the violation mask
 * @VIRTGPU_EXPORTER_UNLOCKED: called without the reservation lock
 * @VIRTGPU_EXPORTER_UNKNOWN_UNMAP: unmapped what was not mapped (twice,
 *	perhaps)
 * @VIRTGPU_EXPORTER_EARLY_UNMAP: unmapped while a fence that the importer put
 *	on the reservation for this mapping had not signalled
 * @VIRTGPU_EXPORTER_STALE_AT_MAP: mapped again with the mapping from before a
 *	move still there, a second after that move
 * @VIRTGPU_EXPORTER_MAPPED_AT_DETACH: detached with a mapping left
 * @VIRTGPU_EXPORTER_PINNED_AT_DETACH: detached with a pin left
 * @VIRTGPU_EXPORTER_UNPIN_UNDERFLOW: more unpins than pins
 */
enum virtgpu_exporter_violation {
	VIRTGPU_EXPORTER_UNLOCKED,
	VIRTGPU_EXPORTER_UNKNOWN_UNMAP,
	VIRTGPU_EXPORTER_EARLY_UNMAP,
	VIRTGPU_EXPORTER_STALE_AT_MAP,
	VIRTGPU_EXPORTER_MAPPED_AT_DETACH,
	VIRTGPU_EXPORTER_PINNED_AT_DETACH,
	VIRTGPU_EXPORTER_UNPIN_UNDERFLOW,
};

/**
 * struct virtgpu_exporter_stats - VIRTGPU_EXPORTER_STATS
 * @fd: the buffer, or -1 for the totals since the module was loaded
 * @placement: (answer) enum virtgpu_exporter_placement
 * @generation: (answer) moves done
 * @violations: (answer) bit mask of enum virtgpu_exporter_violation
 * @counter: (answer) indexed by enum virtgpu_exporter_counter
 */
struct virtgpu_exporter_stats {
	__s32 fd;
	__u32 placement;
	__u32 generation;
	__u32 violations;
	__u64 counter[VIRTGPU_EXPORTER_NR_COUNTERS];
};

/**
 * enum virtgpu_exporter_fault_point - where to fail on demand
 * @VIRTGPU_EXPORTER_FAULT_ATTACH: dma_buf_attach()
 * @VIRTGPU_EXPORTER_FAULT_PIN: dma_buf_pin()
 * @VIRTGPU_EXPORTER_FAULT_MAP: dma_buf_map_attachment()
 * @VIRTGPU_EXPORTER_NR_FAULT_POINTS: number of points
 */
enum virtgpu_exporter_fault_point {
	VIRTGPU_EXPORTER_FAULT_ATTACH,
	VIRTGPU_EXPORTER_FAULT_PIN,
	VIRTGPU_EXPORTER_FAULT_MAP,
	VIRTGPU_EXPORTER_NR_FAULT_POINTS,
};

/**
 * struct virtgpu_exporter_fault - VIRTGPU_EXPORTER_FAULT
 * @fd: the buffer
 * @point: enum virtgpu_exporter_fault_point
 * @error: the positive errno to fail with
 * @count: how many times; 0 ends it
 */
struct virtgpu_exporter_fault {
	__s32 fd;
	__u32 point;
	__u32 error;
	__u32 count;
};

/**
 * struct virtgpu_exporter_revoke - VIRTGPU_EXPORTER_REVOKE
 * @fd: the buffer, or -1 for every buffer in VRAM: the device has gone
 * @pad: zero
 *
 * Importers are told, pinned or not, and every later map and pin gives -ENODEV.
 * The memory is poisoned.
 */
struct virtgpu_exporter_revoke {
	__s32 fd;
	__u32 pad;
};

#define VIRTGPU_EXPORTER_NEVER		0xffffffffu
#define VIRTGPU_EXPORTER_FENCE_WRITE	0x1u

/**
 * struct virtgpu_exporter_add_fence - VIRTGPU_EXPORTER_ADD_FENCE
 * @fd: the buffer
 * @flags: VIRTGPU_EXPORTER_FENCE_WRITE: the fence of a writer, not of a reader
 * @ms: milliseconds until it signals; VIRTGPU_EXPORTER_NEVER: not before
 *	VIRTGPU_EXPORTER_SIGNAL or the close of this /dev/virtgpu-exporter
 * @error: positive errno to signal with, 0 for success
 */
struct virtgpu_exporter_add_fence {
	__s32 fd;
	__u32 flags;
	__u32 ms;
	__u32 error;
};

/* The BAR was found. */
#define VIRTGPU_EXPORTER_INFO_VRAM		0x1u
/*
 * The kernel lets mapped buffers move (see
 * VIRTGPU_EXPORTER_CREATE_MOVE_MAPPED).
 */
#define VIRTGPU_EXPORTER_INFO_MOVE_MAPPED	0x2u

/**
 * struct virtgpu_exporter_info - VIRTGPU_EXPORTER_INFO
 * @flags: (answer) VIRTGPU_EXPORTER_INFO_*
 * @pad: zero
 * @vram_base: (answer) bus address of the BAR
 * @vram_size: (answer) bytes of it
 */
struct virtgpu_exporter_info {
	__u32 flags;
	__u32 pad;
	__u64 vram_base;
	__u64 vram_size;
};

#define VIRTGPU_EXPORTER_CREATE	_IOWR('x', 0x40, struct virtgpu_exporter_create)
#define VIRTGPU_EXPORTER_MOVE	_IOW('x', 0x41, struct virtgpu_exporter_move)
#define VIRTGPU_EXPORTER_FILL	_IOW('x', 0x42, struct virtgpu_exporter_fill)
#define VIRTGPU_EXPORTER_STATS	_IOWR('x', 0x43, struct virtgpu_exporter_stats)
#define VIRTGPU_EXPORTER_FAULT	_IOW('x', 0x44, struct virtgpu_exporter_fault)
#define VIRTGPU_EXPORTER_REVOKE	_IOW('x', 0x45, struct virtgpu_exporter_revoke)
#define VIRTGPU_EXPORTER_ADD_FENCE	_IOW('x', 0x46, struct virtgpu_exporter_add_fence)
/* Signals the fences that were added through this open file. */
#define VIRTGPU_EXPORTER_SIGNAL	_IO('x', 0x47)
#define VIRTGPU_EXPORTER_INFO	_IOR('x', 0x48, struct virtgpu_exporter_info)

#endif /* VIRTGPU_EXPORTER_UAPI_H */
