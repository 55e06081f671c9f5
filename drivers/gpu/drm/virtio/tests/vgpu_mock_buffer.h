/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MOCK_BUFFER_H
#define VGPU_MOCK_BUFFER_H

#include <linux/types.h>

struct completion;
struct dma_buf;
struct kunit;
struct vgpu_mock;

/**
 * enum vgpu_mock_exporter - how another device shares its buffers
 * @VGPU_MOCK_STATIC: they stay where they are
 * @VGPU_MOCK_DYNAMIC: they move unless they are pinned
 * @VGPU_MOCK_VRAM: likewise, and are no pages, but memory of the device's own
 */
enum vgpu_mock_exporter {
	VGPU_MOCK_STATIC,
	VGPU_MOCK_DYNAMIC,
	VGPU_MOCK_VRAM,
};

#define VGPU_MOCK_PLACES 2

/**
 * struct vgpu_mock_buffer - another device's buffer
 * @test: the running test
 * @mock: who may know its addresses
 * @kind: see enum vgpu_mock_exporter
 * @dma_buf: the buffer, referenced until vgpu_mock_buffer_put()
 * @size: in bytes
 * @memory: the places where it can be; the host is told of no more than one
 * @place: where it is
 * @attach_error: what the next attachments get
 * @pin_error: what the next pins get
 * @map_error: what the next mappings get
 * @read_error: what who wants to read it gets
 * @gate: what he has to wait for first, or NULL
 * @reading: somebody reads it, or waits for @gate
 * @reads: how often it was read
 * @attachments: that there are
 * @pins: that there are
 * @mappings: that there are, those from before a move included
 * @maps: how often it was mapped
 * @released: nobody has it any more
 *
 * All but @released, @attachments and what is about reading is protected by the
 * reservation lock.
 */
struct vgpu_mock_buffer {
	struct kunit *test;
	struct vgpu_mock *mock;
	enum vgpu_mock_exporter kind;
	struct dma_buf *dma_buf;
	size_t size;
	void *memory[VGPU_MOCK_PLACES];
	unsigned int place;
	int attach_error;
	int pin_error;
	int map_error;
	int read_error;
	struct completion *gate;
	bool reading;
	unsigned int reads;
	unsigned int attachments;
	unsigned int pins;
	unsigned int mappings;
	unsigned int maps;
	bool released;
};

struct vgpu_mock_buffer *vgpu_mock_buffer_create(struct kunit *test, struct vgpu_mock *m,
						 enum vgpu_mock_exporter kind, size_t size);
void vgpu_mock_buffer_put(struct vgpu_mock_buffer *b);
int vgpu_mock_buffer_move(struct vgpu_mock_buffer *b);
int vgpu_mock_buffer_reuse(struct vgpu_mock_buffer *b);
bool vgpu_mock_buffer_is_idle(struct vgpu_mock_buffer *b);

#endif
