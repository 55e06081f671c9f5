/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The ioctls of <virtgpu_drm.h>.  What returns an int returns 0 or a negative errno. */
#ifndef UAPI_RENDER_H
#define UAPI_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include <virtgpu_drm.h>

int call(int fd, unsigned long request, void *arg);
/* The value of a parameter, or a negative errno. */
int64_t getparam(int fd, uint64_t param);
/* A file of its own, as each program has; skips the case without 3D. */
int open_render(void);
int init_context(int fd, const struct drm_virtgpu_context_set_param *params, int n);
int submit(int fd, struct drm_virtgpu_execbuffer *args);
int new_blob(int fd, struct drm_virtgpu_resource_create_blob *args);
int map_offset(int fd, uint32_t handle, uint64_t *offset);
/* Map all of a buffer, which must succeed. */
void *map_buffer(int fd, uint32_t handle, size_t size);

#endif /* UAPI_RENDER_H */
