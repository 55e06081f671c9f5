/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_TEST_FAULT_H
#define VGPU_TEST_FAULT_H

#include <linux/types.h>

struct kunit;

int vgpu_fault_init(struct kunit *test);
void vgpu_fault_next(unsigned int nth);
bool vgpu_fault_happened(void);

#endif
