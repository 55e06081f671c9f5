/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_TEST_FAULT_H
#define VIRTGPU_TEST_FAULT_H

#include <linux/types.h>

struct kunit;

int virtgpu_fault_init(struct kunit *test);
void virtgpu_fault_next(unsigned int nth);
bool virtgpu_fault_happened(void);

#endif
