/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_PANIC_H
#define VIRTGPU_PANIC_H

#include <linux/iosys-map.h>

struct drm_plane;
struct drm_scanout_buffer;
struct virtgpu_backing;
struct virtgpu_device;
struct virtgpu_msg;

/*
 * Size of the spare resource in pixels: the smallest standard mode in which the
 * largest QR code has more than one pixel for each module.
 */
#define VIRTGPU_PANIC_WIDTH 800
#define VIRTGPU_PANIC_HEIGHT 600

/* ID of the 2D resource; virtgpu_ids_alloc() returns lower ones. */
#define VIRTGPU_PANIC_RESOURCE 0x80000000

/**
 * struct virtgpu_panic - Spare resource of a device, shared by its outputs
 * @pages: guest pages, or NULL
 * @map: kernel mapping of @pages
 * @create: message reserved for RESOURCE_CREATE_2D
 * @attach: message reserved for RESOURCE_ATTACH_BACKING, with the entries of
 *	@pages
 */
struct virtgpu_panic {
	struct virtgpu_backing *pages;
	struct iosys_map map;
	struct virtgpu_msg *create;
	struct virtgpu_msg *attach;
};

#ifdef CONFIG_DRM_PANIC
int virtgpu_panic_init(struct virtgpu_panic *panic, struct virtgpu_device *vgdev);
void virtgpu_panic_reset(struct virtgpu_panic *panic);
void virtgpu_panic_fini(struct virtgpu_panic *panic);
int virtgpu_panic_get_buffer(struct drm_plane *plane, struct drm_scanout_buffer *sb);
void virtgpu_panic_flush(struct drm_plane *plane);
#else
static inline int virtgpu_panic_init(struct virtgpu_panic *panic, struct virtgpu_device *vgdev)
{
	return 0;
}

static inline void virtgpu_panic_reset(struct virtgpu_panic *panic)
{
}

static inline void virtgpu_panic_fini(struct virtgpu_panic *panic)
{
}
#endif

#endif
