/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The ioctls of <virtgpu_drm.h>.  What returns an int returns 0 or a negative
 * errno.
 */
#ifndef UAPI_RENDER_H
#define UAPI_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtgpu_drm.h>

/* How long any host may take for nothing at all. */
#define SOON_MS		20000

int call(int fd, unsigned long request, void *arg);
/* The value of a parameter, or a negative errno. */
int64_t getparam(int fd, uint64_t param);
/* A file of its own, as each program has; skips the case without 3D. */
int open_render(void);
int init_context(int fd, const struct drm_virtgpu_context_set_param *params, int n);
/* A buffer of bytes for virgl; its number too, unless @number is NULL. */
uint32_t new_buffer(int fd, uint32_t *number);
int submit(int fd, struct drm_virtgpu_execbuffer *args);
int new_blob(int fd, struct drm_virtgpu_resource_create_blob *args);
int map_offset(int fd, uint32_t handle, uint64_t *offset);
/* Map all of a buffer, which must succeed. */
void *map_buffer(int fd, uint32_t handle, size_t size);
/* Whether the fence signals in that time. */
bool signals(int fd, int ms);
/*
 * A file with a context of Venus; skips the case where there is none, or no
 * window.
 */
int open_venus(void);
/* A blob of the host's memory that can be mapped, of Venus. */
uint32_t new_window_blob(int fd, uint64_t size);

#endif /* UAPI_RENDER_H */
