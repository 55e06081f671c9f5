// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include "virtgpu_fence.h"
#include "virtgpu_frame.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_msg.h"
#include "virtgpu_vq.h"

#define CREATE_TRACE_POINTS
#include "virtgpu_trace.h"
