// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/module.h>

MODULE_DESCRIPTION("KUnit tests for the virtio GPU driver");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
