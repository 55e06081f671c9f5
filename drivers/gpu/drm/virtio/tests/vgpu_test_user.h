/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_TEST_USER_H
#define VGPU_TEST_USER_H

#include <linux/types.h>
#include <uapi/linux/virtio_gpu.h>

struct dma_buf;
struct dma_fence;
struct dma_resv;
struct drm_device;
struct drm_file;
struct drm_framebuffer;
struct drm_gem_object;
struct drm_mode_fb_cmd2;
struct drm_mode_rect;
struct file;
struct kunit;
struct vgpu_mock;

#define VGPU_USER_FBS 32

/**
 * struct vgpu_host - a kind of host
 * @name: for people
 * @features: what it offers
 * @ring: entries of the control queue's ring
 */
struct vgpu_host {
	const char *name;
	u64 features;
	unsigned int ring;
};

/* With blobs and without, with large rings and with small ones, and behind an IOMMU. */
extern const struct vgpu_host vgpu_hosts[5];

/**
 * struct vgpu_user - a program that has the device open
 * @test: the running test
 * @mock: the device
 * @drm: likewise; a reference is held
 * @filp: the open file
 * @file: DRM's part of it
 * @fbs: framebuffers, removed when the file is closed
 * @fb_count: how many
 * @flips: events that have come, for each output
 * @signals: events of rendering timelines that have come
 */
struct vgpu_user {
	struct kunit *test;
	struct vgpu_mock *mock;
	struct drm_device *drm;
	struct file *filp;
	struct drm_file *file;
	struct drm_framebuffer *fbs[VGPU_USER_FBS];
	unsigned int fb_count;
	unsigned int flips[VIRTIO_GPU_MAX_SCANOUTS];
	unsigned int signals;
};

/**
 * struct vgpu_show - what an output is to show
 * @output: which
 * @fb: the framebuffer, NULL to turn the output off
 * @x: left edge of what is shown of it
 * @y: upper edge
 * @w: width shown, 0 for all of @fb
 * @h: height shown
 * @clip: what has changed, or NULL
 * @out_fence: signalled with the flip event, as programs ask for by OUT_FENCE_PTR, or NULL
 */
struct vgpu_show {
	unsigned int output;
	struct drm_framebuffer *fb;
	u32 x, y, w, h;
	const struct drm_mode_rect *clip;
	struct dma_fence *out_fence;
};

/**
 * enum vgpu_how - how to carry a commit out
 * @VGPU_WAIT: return when it is shown
 * @VGPU_FLIP: return at once; an event comes when it is shown
 */
enum vgpu_how {
	VGPU_WAIT,
	VGPU_FLIP,
};

const void *vgpu_host_gen_params(struct kunit *test, const void *prev, char *desc);

struct vgpu_user *vgpu_user_start(struct kunit *test, const struct vgpu_host *h, u32 scanouts);
struct vgpu_user *vgpu_user_open(struct kunit *test, struct vgpu_mock *m);
void vgpu_user_close(struct vgpu_user *u);

u32 vgpu_user_dumb(struct vgpu_user *u, u32 width, u32 height);
struct drm_gem_object *vgpu_user_object(struct vgpu_user *u, u32 handle);
void vgpu_user_drop(struct vgpu_user *u, u32 handle);
int vgpu_user_import(struct vgpu_user *u, struct dma_buf *dma_buf, u32 *handle);
struct drm_framebuffer *vgpu_user_add_fb(struct vgpu_user *u, const struct drm_mode_fb_cmd2 *cmd);
struct drm_framebuffer *vgpu_user_fb(struct vgpu_user *u, u32 handle, u32 width, u32 height,
				     u32 pitch, u32 offset);
struct drm_framebuffer *vgpu_user_new_fb(struct vgpu_user *u, u32 width, u32 height);
struct drm_framebuffer *vgpu_user_cursor_fb(struct vgpu_user *u, u32 handle, u32 width,
					    u32 height);
struct drm_framebuffer *vgpu_user_new_cursor(struct vgpu_user *u, u32 width, u32 height);
void vgpu_user_rmfb(struct vgpu_user *u, struct drm_framebuffer *fb);
void vgpu_user_fill(struct vgpu_user *u, struct drm_framebuffer *fb, u32 seed,
		    u32 (*color)(u32 seed, u32 x, u32 y));
void vgpu_user_paint(struct vgpu_user *u, struct drm_framebuffer *fb, u32 seed);
u32 vgpu_user_color(u32 seed, u32 x, u32 y);
bool vgpu_user_sees(struct vgpu_user *u, unsigned int output, u32 seed, u32 x, u32 y, u32 w, u32 h);

struct dma_fence *vgpu_user_painter(struct vgpu_user *u, struct dma_resv *resv);

int vgpu_user_commit(struct vgpu_user *u, const struct vgpu_show *shows, unsigned int n,
		     enum vgpu_how how);
int vgpu_user_show(struct vgpu_user *u, unsigned int output, struct drm_framebuffer *fb);
int vgpu_user_flip(struct vgpu_user *u, unsigned int output, struct drm_framebuffer *fb);
int vgpu_user_cursor(struct vgpu_user *u, unsigned int output, struct drm_framebuffer *fb,
		     int x, int y);
unsigned int vgpu_user_flips(struct vgpu_user *u, unsigned int output);
unsigned int vgpu_user_signals(struct vgpu_user *u);
int vgpu_user_ioctl(struct vgpu_user *u, unsigned int nr, void *data);
u64 vgpu_user_memory(struct kunit *test, const void *data, size_t size);

#endif
