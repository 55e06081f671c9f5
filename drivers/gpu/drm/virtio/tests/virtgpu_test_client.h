/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_TEST_CLIENT_H
#define VIRTGPU_TEST_CLIENT_H

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
 * struct virtgpu_test_config - A configuration of the mock device
 * @name: name of the test parameter
 * @features: features offered by the device
 * @ring: number of descriptors of the control queue
 */
struct virtgpu_test_config {
	const char *name;
	u64 features;
	unsigned int ring;
};

/*
 * With and without blobs, with large and small rings, and with DMA addresses.
 */
extern const struct virtgpu_test_config virtgpu_test_configs[5];

/**
 * struct virtgpu_test_client - A user space client with an open device
 * @test: the running test
 * @mock: the mock device
 * @drm: the DRM device, with a reference
 * @filp: the open file
 * @file: DRM's data of @filp
 * @fbs: framebuffers, removed when the file is closed
 * @fb_count: number of @fbs
 * @flips: number of flip events for each output
 * @signals: number of events of polled rings
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
 * struct virtgpu_show - The state to commit on an output
 * @output: index of the output
 * @fb: the framebuffer, or NULL to disable the output
 * @x: left edge of the source rectangle
 * @y: upper edge of the source rectangle
 * @w: width of the source rectangle, 0 for all of @fb
 * @h: height of the source rectangle
 * @crtc_x: left edge of the plane on the output
 * @clip: damage, or NULL
 * @num_clips: number of rectangles of @clip, 0 for one
 * @out_fence: fence to signal with the flip event (OUT_FENCE_PTR), or NULL
 */
struct virtgpu_show {
	unsigned int output;
	struct drm_framebuffer *fb;
	u32 x, y, w, h;
	s32 crtc_x;
	const struct drm_mode_rect *clip;
	unsigned int num_clips;
	struct dma_fence *out_fence;
};

/**
 * enum virtgpu_how - Mode of a commit
 * @VIRTGPU_WAIT: blocking
 * @VIRTGPU_FLIP: nonblocking, with a flip event
 */
enum virtgpu_how {
	VIRTGPU_WAIT,
	VIRTGPU_FLIP,
};

const void *virtgpu_test_config_gen_params(struct kunit *test, const void *prev, char *desc);

struct virtgpu_test_client *test_client_start(struct kunit *test,
					      const struct virtgpu_test_config *h, u32 scanouts);
struct virtgpu_test_client *test_client_open(struct kunit *test, struct virtgpu_mock *m);
struct virtgpu_test_client *test_client_open_render(struct kunit *test, struct virtgpu_mock *m);
void test_client_close(struct virtgpu_test_client *u);

u32 test_client_dumb(struct virtgpu_test_client *u, u32 width, u32 height);
struct drm_gem_object *test_client_object(struct virtgpu_test_client *u, u32 handle);
void test_client_drop(struct virtgpu_test_client *u, u32 handle);
int test_client_import(struct virtgpu_test_client *u, struct dma_buf *dma_buf, u32 *handle);
struct drm_framebuffer *test_client_add_fb(struct virtgpu_test_client *u,
					   const struct drm_mode_fb_cmd2 *cmd);
struct drm_framebuffer *test_client_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
				       u32 height, u32 pitch, u32 offset);
struct drm_framebuffer *test_client_new_fb(struct virtgpu_test_client *u, u32 width, u32 height);
struct drm_framebuffer *test_client_cursor_fb(struct virtgpu_test_client *u, u32 handle, u32 width,
					      u32 height);
struct drm_framebuffer *test_client_new_cursor(struct virtgpu_test_client *u, u32 width,
					       u32 height);
void test_client_rmfb(struct virtgpu_test_client *u, struct drm_framebuffer *fb);
void test_client_fill(struct virtgpu_test_client *u, struct drm_framebuffer *fb, u32 pattern_id,
		      u32 (*color)(u32 pattern_id, u32 x, u32 y));
void test_client_fill_clip(struct virtgpu_test_client *u, struct drm_framebuffer *fb,
			   const struct drm_mode_rect *clip, u32 pattern_id);
void test_client_fill_pattern(struct virtgpu_test_client *u, struct drm_framebuffer *fb,
			      u32 pattern_id);
u32 test_client_color(u32 pattern_id, u32 x, u32 y);
bool test_client_scanout_matches(struct virtgpu_test_client *u, unsigned int output, u32 pattern_id,
				 u32 x, u32 y, u32 w, u32 h);

/* As test_client_scanout_matches(), from the pattern's first pixel on. */
static inline bool test_client_scanout_is(struct virtgpu_test_client *u, unsigned int output,
					  u32 pattern_id, u32 w, u32 h)
{
	return test_client_scanout_matches(u, output, pattern_id, 0, 0, w, h);
}

bool test_client_has_deadline(const struct dma_fence *fence);
struct dma_fence *test_client_add_write_fence(struct virtgpu_test_client *u, struct dma_resv *resv);

int test_client_commit(struct virtgpu_test_client *u, const struct virtgpu_show *shows,
		       unsigned int n, enum virtgpu_how how);
int test_client_show(struct virtgpu_test_client *u, unsigned int output,
		     struct drm_framebuffer *fb);
int test_client_flip(struct virtgpu_test_client *u, unsigned int output,
		     struct drm_framebuffer *fb);
int test_client_cursor(struct virtgpu_test_client *u, unsigned int output,
		       struct drm_framebuffer *fb, int x, int y);
int test_client_set_active(struct virtgpu_test_client *u, unsigned int output, bool active);
unsigned int test_client_flips(struct virtgpu_test_client *u, unsigned int output);
unsigned int test_client_signals(struct virtgpu_test_client *u);
int test_client_ioctl(struct virtgpu_test_client *u, unsigned int nr, void *data);
u64 test_client_memory(struct kunit *test, const void *data, size_t size);

#endif
