// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/dma-resv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_plane.h>
#include <drm/drm_print.h>

#include "virtgpu_copy.h"
#include "virtgpu_damage.h"
#include "virtgpu_device.h"
#include "virtgpu_gem.h"

/**
 * DOC: copies of imported buffers
 *
 * An exporter may be unable to move a buffer to guest RAM, and the host unable
 * to access the memory of the exporter's device.  The CPU then copies the
 * buffer to guest pages with the same layout, which are shown instead.  A frame
 * copies what has changed since the last copy of the same buffer, according to
 * the damage of the last frames.
 *
 * prepare_fb maps both buffers, and the update of the primary plane copies.
 */

static struct virtgpu_gem *virtgpu_copy_source(const struct drm_plane_state *state)
{
	return to_virtgpu_gem(state->fb->obj[0]);
}

/* Caller must hold the reservation lock of @gem. */
static struct virtgpu_gem *virtgpu_copy_get(struct virtgpu_gem *gem)
{
	struct virtgpu_device *vgdev = to_virtgpu(gem->base.dev);
	struct virtgpu_gem *copy;

	if (!gem->copy) {
		copy = virtgpu_gem_create_nowait(vgdev, gem->base.size);
		if (IS_ERR(copy))
			return copy;
		drm_info_once(&vgdev->drm,
			      "imported buffers are copied: host cannot access their memory\n");
		atomic_inc(&vgdev->counters.copied_imports);
		gem->copy = copy;
	}
	drm_gem_object_get(&gem->copy->base);

	return gem->copy;
}

static int virtgpu_copy_map(struct virtgpu_copy *copy)
{
	struct dma_resv *resv = copy->gem->base.resv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = virtgpu_gem_vmap(&copy->gem->base, &copy->to);
	dma_resv_unlock(resv);

	return ret;
}

/**
 * virtgpu_copy_prepare() - Allocate and map the copy of a framebuffer
 * @copy: zeroed
 * @state: plane state with an imported framebuffer
 *
 * The caller must call virtgpu_copy_release(), even after an error.
 *
 * Context: May sleep.  Takes the reservation lock of the framebuffer.
 * Return: 0 on success, -ENOMEM, or the exporter's error.
 */
int virtgpu_copy_prepare(struct virtgpu_copy *copy, const struct drm_plane_state *state)
{
	struct virtgpu_gem *to, *gem = virtgpu_copy_source(state);
	int ret;

	dma_resv_lock(gem->base.resv, NULL);
	to = virtgpu_copy_get(gem);
	ret = PTR_ERR_OR_ZERO(to);
	if (!ret) {
		copy->gem = to;
		ret = virtgpu_gem_vmap(&gem->base, &copy->from);
	}
	dma_resv_unlock(gem->base.resv);

	return ret ?: virtgpu_copy_map(copy);
}

static void virtgpu_copy_rect(struct virtgpu_copy *copy, const struct drm_framebuffer *fb,
			      const struct drm_rect *r)
{
	size_t length = (size_t)drm_rect_width(r) * fb->format->cpp[0];
	size_t offset = fb->offsets[0] + (size_t)r->y1 * fb->pitches[0] +
			(size_t)r->x1 * fb->format->cpp[0];
	int y;

	for (y = r->y1; y < r->y2; y++, offset += fb->pitches[0])
		iosys_map_memcpy_from(copy->to.vaddr + offset, &copy->from, offset, length);
}

/**
 * virtgpu_copy_update() - Copy what has changed
 * @copy: a prepared copy, or zeroes
 * @state: the state that @copy was prepared for
 * @rects: rectangles to copy, in pixels
 *
 * Context: May sleep.  The commit, after the fences of the framebuffer.
 */
void virtgpu_copy_update(struct virtgpu_copy *copy, const struct drm_plane_state *state,
			 const struct virtgpu_damage_rects *rects)
{
	struct virtgpu_device *vgdev = to_virtgpu(state->plane->dev);
	unsigned int i;
	int ret;

	if (!copy->gem)
		return;

	ret = drm_gem_fb_begin_cpu_access(state->fb, DMA_FROM_DEVICE);
	if (ret) {
		drm_dbg_kms(&vgdev->drm, "exporter denies access of the CPU: %d\n", ret);
		return;
	}
	for (i = 0; i < rects->count; i++)
		virtgpu_copy_rect(copy, state->fb, &rects->rects[i]);
	drm_gem_fb_end_cpu_access(state->fb, DMA_FROM_DEVICE);
}

/**
 * virtgpu_copy_release() - Unmap and put a copy
 * @copy: the copy; zeroed on return
 * @state: the state that @copy was prepared for
 *
 * Context: May sleep.  Takes the reservation lock of the framebuffer.
 */
void virtgpu_copy_release(struct virtgpu_copy *copy, const struct drm_plane_state *state)
{
	struct virtgpu_gem *gem;

	if (!copy->gem)
		return;

	gem = virtgpu_copy_source(state);
	if (iosys_map_is_set(&copy->from)) {
		dma_resv_lock(gem->base.resv, NULL);
		virtgpu_gem_vunmap(&gem->base, &copy->from);
		dma_resv_unlock(gem->base.resv);
	}
	drm_gem_object_put(&copy->gem->base);
	memset(copy, 0, sizeof(*copy));
}
