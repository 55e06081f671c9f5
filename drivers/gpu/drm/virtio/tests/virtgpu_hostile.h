/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_HOSTILE_H
#define VIRTGPU_HOSTILE_H

#include <linux/types.h>

/* Size of the largest input in bytes: the device and 40 operations. */
#define VIRTGPU_HOSTILE_INPUT_MAX (12 + 40 * 8)

size_t virtgpu_hostile_next(u8 *input, size_t size);

#endif
