// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/kernel.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_print.h>
#include <drm/drm_rect.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_fb.h"
#include "virtgpu_resource.h"

/**
 * DOC: framebuffers
 *
 * A framebuffer is an image in one buffer: linear, with 32 bits per pixel. The
 * host gets the pitch and the offset of a blob with SET_SCANOUT_BLOB. A 2D
 * resource has no pitch, so its width is the pitch of the framebuffer in
 * pixels, and transfers to it begin at the offset. A framebuffer with a pitch
 * or an offset that is not a multiple of the pixel size is therefore rejected.
 *
 * Formats with an explicit fourcc have the same bytes on each machine. Depths
 * 24 and 32 of the ADDFB ioctl and of fbdev emulation are in the byte order of
 * the CPU, so big-endian machines offer BGRX8888 and BGRA8888 in addition.
 */

const u32 virtgpu_primary_formats[VIRTGPU_NUM_PRIMARY_FORMATS] = {
	DRM_FORMAT_HOST_XRGB8888,
	DRM_FORMAT_HOST_ARGB8888,
#ifdef __BIG_ENDIAN
	DRM_FORMAT_XRGB8888,
	DRM_FORMAT_ARGB8888,
#endif
	DRM_FORMAT_XBGR8888,
	DRM_FORMAT_ABGR8888,
};
EXPORT_SYMBOL_IF_KUNIT(virtgpu_primary_formats);

/*
 * The cursor ioctls make ARGB8888 of images that user space draws in the byte
 * order of the CPU. Big-endian machines reject these, so that user space draws
 * the cursor itself, with the right colors.
 */
const u32 virtgpu_cursor_formats[1] = {
	DRM_FORMAT_HOST_ARGB8888,
};
EXPORT_SYMBOL_IF_KUNIT(virtgpu_cursor_formats);

const u64 virtgpu_modifiers[] = {
	DRM_FORMAT_MOD_LINEAR,
	DRM_FORMAT_MOD_INVALID
};
EXPORT_SYMBOL_IF_KUNIT(virtgpu_modifiers);

/**
 * virtgpu_fb_host_format() - Convert a pixel format
 * @fourcc: DRM_FORMAT_*, which names components from the most significant byte
 *
 * The device names components in memory order: virtio specification, section
 * 5.7.6.8, enum virtio_gpu_formats.
 *
 * Context: Any.
 * Return: enum virtio_gpu_formats, or 0 if @fourcc is not supported.
 */
u32 virtgpu_fb_host_format(u32 fourcc)
{
	switch (fourcc) {
	case DRM_FORMAT_XRGB8888:
		return VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
	case DRM_FORMAT_ARGB8888:
		return VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
	case DRM_FORMAT_XBGR8888:
		return VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM;
	case DRM_FORMAT_ABGR8888:
		return VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM;
	case DRM_FORMAT_BGRX8888:
		return VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM;
	case DRM_FORMAT_BGRA8888:
		return VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM;
	default:
		return 0;
	}
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fb_host_format);

/**
 * virtgpu_fb_offset() - Get the offset of a rectangle in a buffer
 * @base: offset of the framebuffer in bytes
 * @pitch: pitch of the framebuffer in bytes
 * @r: the rectangle in pixels
 *
 * Context: Any.
 * Return: the offset of the first pixel of @r in bytes.
 */
u64 virtgpu_fb_offset(u32 base, u32 pitch, const struct drm_rect *r)
{
	return (u64)base + (u64)r->y1 * pitch + (u64)r->x1 * 4;
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fb_offset);

/**
 * virtgpu_fb_get_layout() - Get the layout of the 2D resource of a framebuffer
 * @fb: the framebuffer
 * @layout: filled with the layout
 *
 * A 2D resource has no stride, so its width is the pitch of the framebuffer.
 *
 * Context: Any.
 */
void virtgpu_fb_get_layout(const struct drm_framebuffer *fb,
			   struct virtgpu_2d_layout *layout)
{
	layout->format = virtgpu_fb_host_format(fb->format->format);
	layout->width = fb->pitches[0] / 4;
	layout->height = fb->height;
	layout->offset = fb->offsets[0];
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fb_get_layout);

static int virtgpu_fb_dirty(struct drm_framebuffer *fb, struct drm_file *file, unsigned int flags,
			    unsigned int color, struct drm_clip_rect *clips, unsigned int num_clips)
{
	int ret = drm_atomic_helper_dirtyfb(fb, file, flags, color, clips, num_clips);

	/*
	 * Without a @file the caller is in the kernel. fbcon WARNs on errors,
	 * and an unresponsive device has been reported already.
	 */
	return ret == -EIO && !file ? 0 : ret;
}

static const struct drm_framebuffer_funcs virtgpu_fb_funcs = {
	.destroy = drm_gem_fb_destroy,
	.create_handle = drm_gem_fb_create_handle,
	.dirty = virtgpu_fb_dirty,
};

/**
 * virtgpu_fb_create() - Implement &drm_mode_config_funcs.fb_create
 * @dev: the device
 * @file: the DRM file of the caller
 * @info: the pixel format
 * @cmd: parameters of DRM_IOCTL_MODE_ADDFB2
 *
 * Layouts that the device cannot show are rejected here, where user space can
 * still choose another layout.
 *
 * Context: May sleep.
 * Return: the framebuffer, or an error pointer: -EINVAL if the format is not
 * supported, if the pitch or the offset is not a multiple of the pixel size, or
 * if the buffer is too small; -ENOENT if there is no such handle; -ENOMEM if
 * out of memory.
 */
struct drm_framebuffer *virtgpu_fb_create(struct drm_device *dev,
					  struct drm_file *file,
					  const struct drm_format_info *info,
					  const struct drm_mode_fb_cmd2 *cmd)
{
	u64 end;

	if (!virtgpu_fb_host_format(cmd->pixel_format)) {
		drm_dbg_kms(dev, "unsupported format %p4cc\n", &cmd->pixel_format);
		return ERR_PTR(-EINVAL);
	}
	if (cmd->pitches[0] % 4 || cmd->offsets[0] % 4) {
		drm_dbg_kms(dev, "pitch %u and offset %u must be multiples of the pixel size\n",
			    cmd->pitches[0], cmd->offsets[0]);
		return ERR_PTR(-EINVAL);
	}

	/* drm_gem_fb_init_with_funcs() computes the size in 32 bits. */
	end = (u64)cmd->pitches[0] * (cmd->height - 1) + cmd->offsets[0] +
	      (u64)cmd->width * 4;
	if (end > U32_MAX) {
		drm_dbg_kms(dev, "framebuffer exceeds 4 GiB (%llu bytes)\n", end);
		return ERR_PTR(-EINVAL);
	}

	return drm_gem_fb_create_with_funcs(dev, file, info, cmd, &virtgpu_fb_funcs);
}
EXPORT_SYMBOL_IF_KUNIT(virtgpu_fb_create);
