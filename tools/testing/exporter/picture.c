// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is drawn into buffers, so that a screenshot tells which memory it shows.
 */

#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "virtgpu_exporter.h"

#define VIRTGPU_EXP_WHITE	0xffffffffu
#define VIRTGPU_EXP_BLACK	0xff000000u
#define VIRTGPU_EXP_GREEN	0xff00ff00u
#define VIRTGPU_EXP_BLUE	0xff0000ffu

static u32 virtgpu_exp_pixel(const struct virtgpu_exporter_fill *p, u32 x, u32 y)
{
	switch (p->pattern) {
	case VIRTGPU_EXPORTER_QUADRANTS:
		return p->color[(y >= p->height / 2) * 2 +
				(x >= p->width / 2)];
	case VIRTGPU_EXPORTER_GRADIENT:
		return VIRTGPU_EXP_BLACK | (x * 255 / p->width) << 16 |
		       (y * 255 / p->height) << 8 | (p->color[0] & 0xff);
	default:
		return p->color[0];
	}
}

static void virtgpu_exp_box(struct virtgpu_exp_buf *buf, u32 left, u32 top, u32 size,
			    u32 color)
{
	const struct virtgpu_exporter_fill *p = &buf->picture;
	u32 row[64];
	u32 y;

	if (left + size > p->width || top + size > p->height)
		return;
	memset32(row, color, ARRAY_SIZE(row));
	for (y = top; y < top + size; y++)
		iosys_map_memcpy_to(&buf->backing->map,
				    p->offset + (size_t)y * p->stride +
				    left * sizeof(u32),
				    row, size * sizeof(u32));
}

/**
 * virtgpu_exp_stamp - mark a picture with the memory it is in
 * @buf: a buffer; nothing is done unless VIRTGPU_EXPORTER_FILL_STAMP was asked
 *	for
 *
 * Context: may sleep; the reservation lock is held.
 */
void virtgpu_exp_stamp(struct virtgpu_exp_buf *buf)
{
	u32 color = VIRTGPU_EXP_WHITE;
	unsigned int i;

	if (!(buf->picture.flags & VIRTGPU_EXPORTER_FILL_STAMP))
		return;
	if (buf->backing->placement == VIRTGPU_EXPORTER_VRAM)
		color = VIRTGPU_EXP_BLUE;
	else if (buf->backing->placement == VIRTGPU_EXPORTER_RAM)
		color = VIRTGPU_EXP_GREEN;
	virtgpu_exp_box(buf, 16, 16, 64, color);
	for (i = 0; i < 16; i++)
		virtgpu_exp_box(buf, 16 + 16 * i, 96, 16,
				buf->generation >> i & 1 ? VIRTGPU_EXP_WHITE :
							VIRTGPU_EXP_BLACK);
}

/**
 * virtgpu_exp_fill - draw a picture
 * @buf: the buffer
 * @args: the picture
 *
 * Context: may sleep; the reservation lock is held.
 * Return: 0; -EINVAL if the picture does not fit the buffer; -ENODEV if the
 * buffer was revoked; -ENOMEM.
 */
int virtgpu_exp_fill(struct virtgpu_exp_buf *buf,
		     const struct virtgpu_exporter_fill *args)
{
	size_t line = array_size(args->width, sizeof(u32));
	size_t last;
	u32 x, y;
	u32 *row;

	if (args->pattern > VIRTGPU_EXPORTER_GRADIENT ||
	    args->flags & ~VIRTGPU_EXPORTER_FILL_STAMP || args->pad)
		return -EINVAL;
	if (!args->width || !args->height || args->width > 16384 ||
	    args->height > 16384 || args->stride < line)
		return -EINVAL;
	last = size_add(args->offset,
			size_mul(args->height - 1, args->stride));
	if (size_add(last, line) > buf->backing->size)
		return -EINVAL;
	if (buf->gone)
		return -ENODEV;

	row = kvmalloc(line, GFP_KERNEL);
	if (!row)
		return -ENOMEM;
	for (y = 0; y < args->height; y++) {
		for (x = 0; x < args->width; x++)
			row[x] = virtgpu_exp_pixel(args, x, y);
		iosys_map_memcpy_to(&buf->backing->map, args->offset +
				    (size_t)y * args->stride, row, line);
	}
	kvfree(row);

	buf->picture = *args;
	virtgpu_exp_stamp(buf);
	return 0;
}

/**
 * virtgpu_exp_poison - fill memory with VIRTGPU_EXPORTER_POISON
 * @backing: memory that nobody may read any more
 *
 * Context: may sleep.
 */
void virtgpu_exp_poison(struct virtgpu_exp_backing *backing)
{
	u32 block[64];
	size_t at;

	memset32(block, VIRTGPU_EXPORTER_POISON, ARRAY_SIZE(block));
	for (at = 0; at < backing->size; at += sizeof(block))
		iosys_map_memcpy_to(&backing->map, at, block, sizeof(block));
}
