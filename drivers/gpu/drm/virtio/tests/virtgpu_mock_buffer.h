/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_BUFFER_H
#define VIRTGPU_MOCK_BUFFER_H

#include <linux/types.h>

struct completion;
struct dma_buf;
struct kunit;
struct virtgpu_mock;

/**
 * enum virtgpu_mock_exporter - how another device shares its buffers
 * @VIRTGPU_MOCK_STATIC: they stay where they are
 * @VIRTGPU_MOCK_DYNAMIC: they move unless they are pinned
 * @VIRTGPU_MOCK_VRAM: likewise, and are no pages, but memory of the device's own
 */
enum virtgpu_mock_exporter {
	VIRTGPU_MOCK_STATIC,
	VIRTGPU_MOCK_DYNAMIC,
	VIRTGPU_MOCK_VRAM,
};

#define VIRTGPU_MOCK_PLACES 2

/**
 * struct virtgpu_mock_buffer - another device's buffer
 * @test: the running test
 * @mock: who may know its addresses
 * @kind: see enum virtgpu_mock_exporter
 * @dma_buf: the buffer, referenced until virtgpu_mock_buffer_put()
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
struct virtgpu_mock_buffer {
	struct kunit *test;
	struct virtgpu_mock *mock;
	enum virtgpu_mock_exporter kind;
	struct dma_buf *dma_buf;
	size_t size;
	void *memory[VIRTGPU_MOCK_PLACES];
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

struct virtgpu_mock_buffer *virtgpu_mock_buffer_create(struct kunit *test, struct virtgpu_mock *m,
						       enum virtgpu_mock_exporter kind,
							       size_t size);
void virtgpu_mock_buffer_put(struct virtgpu_mock_buffer *b);
int virtgpu_mock_buffer_move(struct virtgpu_mock_buffer *b);
int virtgpu_mock_buffer_reuse(struct virtgpu_mock_buffer *b);
bool virtgpu_mock_buffer_is_idle(struct virtgpu_mock_buffer *b);

#endif
