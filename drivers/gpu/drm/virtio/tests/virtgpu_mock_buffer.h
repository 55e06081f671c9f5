/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_BUFFER_H
#define VIRTGPU_MOCK_BUFFER_H

#include <linux/types.h>

struct completion;
struct dma_buf;
struct kunit;
struct virtgpu_mock;

/**
 * enum virtgpu_mock_exporter - Type of a mock exporter
 * @VIRTGPU_MOCK_STATIC: buffers do not move
 * @VIRTGPU_MOCK_DYNAMIC: buffers move unless they are pinned
 * @VIRTGPU_MOCK_VRAM: like @VIRTGPU_MOCK_DYNAMIC, in memory of a PCI device
 * @VIRTGPU_MOCK_MIGRATING: in memory of a PCI device, until an importer without
 *	peer-to-peer pins the buffer, which moves to guest RAM
 */
enum virtgpu_mock_exporter {
	VIRTGPU_MOCK_STATIC,
	VIRTGPU_MOCK_DYNAMIC,
	VIRTGPU_MOCK_VRAM,
	VIRTGPU_MOCK_MIGRATING,
};

#define VIRTGPU_MOCK_PLACES 2

/**
 * struct virtgpu_mock_buffer - A buffer of another device
 * @test: the running test
 * @mock: the importing device
 * @type: type of the exporter
 * @dma_buf: the dma-buf, referenced until virtgpu_mock_buffer_put()
 * @size: in bytes
 * @memory: possible locations; the host may use one at a time
 * @place: index of the current location
 * @attach_error: error of further attachments, or 0
 * @pin_error: error of further pins, or 0
 * @map_error: error of further mappings, or 0
 * @read_error: error of begin_cpu_access(), or 0
 * @gate: begin_cpu_access() waits for this completion, or NULL
 * @reading: between begin_cpu_access() and end_cpu_access()
 * @reads: number of begin_cpu_access() calls
 * @attachments: number of attachments
 * @pins: number of pins
 * @mappings: number of mappings, including those of the old location
 * @own_mappings: number of mappings for @mock, of each location
 * @maps: number of map_dma_buf() calls
 * @released: the last reference was dropped
 *
 * The reservation lock protects all members but @released, @attachments and
 * those of CPU access.
 */
struct virtgpu_mock_buffer {
	struct kunit *test;
	struct virtgpu_mock *mock;
	enum virtgpu_mock_exporter type;
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
	unsigned int own_mappings[VIRTGPU_MOCK_PLACES];
	unsigned int maps;
	bool released;
};

struct virtgpu_mock_buffer *virtgpu_mock_buffer_create(struct kunit *test, struct virtgpu_mock *m,
						       enum virtgpu_mock_exporter type,
							       size_t size);
void virtgpu_mock_buffer_destroy(struct virtgpu_mock_buffer *b);
void virtgpu_mock_buffer_put(struct virtgpu_mock_buffer *b);
int virtgpu_mock_buffer_move(struct virtgpu_mock_buffer *b);
int virtgpu_mock_buffer_reuse(struct virtgpu_mock_buffer *b);
bool virtgpu_mock_buffer_is_idle(struct virtgpu_mock_buffer *b);

#endif
