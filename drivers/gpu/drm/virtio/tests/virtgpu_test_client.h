/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_TEST_USER_H
#define VIRTGPU_TEST_USER_H

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
struct virtgpu_mock;

#define TEST_CLIENT_FBS 32

/**
 * struct virtgpu_test_config - a kind of host
 * @name: for people
 * @features: what it offers
 * @ring: entries of the control queue's ring
 */
struct virtgpu_test_config {
	const char *name;
	u64 features;
	unsigned int ring;
};

/* With blobs and without, with large rings and with small ones, and behind an IOMMU. */
extern const struct virtgpu_test_config virtgpu_test_configs[5];

/**
 * struct virtgpu_test_client - a program that has the device open
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
struct virtgpu_test_client {
	struct kunit *test;
	struct virtgpu_mock *mock;
	struct drm_device *drm;
	struct file *filp;
	struct drm_file *file;
	struct drm_framebuffer *fbs[TEST_CLIENT_FBS];
	unsigned int fb_count;
	unsigned int flips[VIRTIO_GPU_MAX_SCANOUTS];
	unsigned int signals;
};

/**
 * struct virtgpu_show - what an output is to show
 * @output: which
 * @fb: the framebuffer, NULL to turn the output off
 * @x: left edge of what is shown of it
 * @y: upper edge
 * @w: width shown, 0 for all of @fb
 * @h: height shown
 * @clip: what has changed, or NULL
 * @out_fence: signalled with the flip event, as programs ask for by OUT_FENCE_PTR, or NULL
 */
struct virtgpu_show {
	unsigned int output;
	struct drm_framebuffer *fb;
	u32 x, y, w, h;
	const struct drm_mode_rect *clip;
	struct dma_fence *out_fence;
};

/**
 * enum virtgpu_how - how to carry a commit out
 * @VIRTGPU_WAIT: return when it is shown
 * @VIRTGPU_FLIP: return at once; an event comes when it is shown
 */
enum virtgpu_how {
	VIRTGPU_WAIT,
	VIRTGPU_FLIP,
};

const void *virtgpu_test_config_gen_params(struct kunit *test, const void *prev, char *desc);

struct virtgpu_test_client *test_client_start(struct kunit *test,
					      const struct virtgpu_test_config *h, u32 scanouts);
struct virtgpu_test_client *test_client_open(struct kunit *test, struct virtgpu_mock *m);
void test_client_close(struct virtgpu_test_client *u);

u32 test_client_dumb(struct virtgpu_test_client *u, u32 width, u32 height);
struct drm_gem_object *test_client_object(struct virtgpu_test_client *u, u32 handle);
void test_client_drop(struct virtgpu_test_client *u, u32 handle);
int test_client_import(struct virtgpu_test_client *u, struct dma_buf *dma_buf, u32 *handle);
struct drm_framebuffer *test_client_add_fb(struct virtgpu_test_client *u,
					   const struct drm_mode_fb_cmd2 *cmd);
struct drm_framebuffer *test_client_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
				       u32 height,
				       u32 pitch, u32 offset);
struct drm_framebuffer *test_client_new_fb(struct virtgpu_test_client *u, u32 width, u32 height);
struct drm_framebuffer *test_client_cursor_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
					      u32 height);
struct drm_framebuffer *test_client_new_cursor(struct virtgpu_test_client *u, u32 width,
					       u32 height);
void test_client_rmfb(struct virtgpu_test_client *u, struct drm_framebuffer *fb);
void test_client_fill(struct virtgpu_test_client *u, struct drm_framebuffer *fb, u32 seed,
		      u32 (*color)(u32 seed, u32 x, u32 y));
void test_client_fill_pattern(struct virtgpu_test_client *u, struct drm_framebuffer *fb, u32 seed);
u32 test_client_color(u32 seed, u32 x, u32 y);
bool test_client_scanout_matches(struct virtgpu_test_client *u, unsigned int output, u32 seed,
				 u32 x, u32 y, u32 w, u32 h);

struct dma_fence *test_client_add_write_fence(struct virtgpu_test_client *u, struct dma_resv *resv);

int test_client_commit(struct virtgpu_test_client *u, const struct virtgpu_show *shows,
		       unsigned int n,
		       enum virtgpu_how how);
int test_client_show(struct virtgpu_test_client *u, unsigned int output,
		     struct drm_framebuffer *fb);
int test_client_flip(struct virtgpu_test_client *u, unsigned int output,
		     struct drm_framebuffer *fb);
int test_client_cursor(struct virtgpu_test_client *u, unsigned int output,
		       struct drm_framebuffer *fb,
		       int x, int y);
unsigned int test_client_flips(struct virtgpu_test_client *u, unsigned int output);
unsigned int test_client_signals(struct virtgpu_test_client *u);
int test_client_ioctl(struct virtgpu_test_client *u, unsigned int nr, void *data);
u64 test_client_memory(struct kunit *test, const void *data, size_t size);

#endif
