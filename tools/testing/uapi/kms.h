/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The display side of the device under test, through libdrm. */
#ifndef UAPI_KMS_H
#define UAPI_KMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <drm_fourcc.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define MAX_OUTPUTS	16
#define CURSOR_SIZE	64
#define NO_MODIFIER	(~0ull)

/*
 * Pixels as the CPU stores them: a fourcc code names the components of a
 * little-endian number.
 */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_XRGB8888	DRM_FORMAT_BGRX8888
#define HOST_ARGB8888	DRM_FORMAT_BGRA8888
#else
#define HOST_XRGB8888	DRM_FORMAT_XRGB8888
#define HOST_ARGB8888	DRM_FORMAT_ARGB8888
#endif

/**
 * struct output - a connector with the CRTC and planes to drive it
 * @index: the scanout's number on the host
 * @connector: its id
 * @type_id: the number in its name
 * @crtc: its id
 * @pipe: the CRTC's index
 * @primary: its id
 * @cursor: its id, or 0
 * @mode: the mode that modesets use
 * @mode_blob: the same as a property blob
 * @flips: flip events seen
 * @sequence: vblank number of the last one
 * @stamp: its timestamp, in ns of CLOCK_MONOTONIC
 */
struct output {
	int index;
	uint32_t connector;
	uint32_t type_id;
	uint32_t crtc;
	int pipe;
	uint32_t primary;
	uint32_t cursor;
	drmModeModeInfo mode;
	uint32_t mode_blob;
	int flips;
	unsigned int sequence;
	int64_t stamp;
};

struct kms {
	int fd;
	int card;
	int n_outputs;
	struct output out[MAX_OUTPUTS];
};

/* A rectangle in pixels. */
struct rect {
	uint32_t x, y, w, h;
};

/* The nth card of a driver: its file, or -1. */
int open_card(const char *driver, int nth, int *card);

/*
 * Open the virtio-gpu card and find its connected outputs; the mode of each is
 * one of @width by @height pixels if there is one.  Skips the case without a
 * card.
 */
void kms_open(struct kms *kms, uint32_t width, uint32_t height);
/*
 * The same by the file with which a compositor sets modes.  It has to show
 * @width by @height pixels, and to stand still meanwhile.
 */
void kms_borrow(struct kms *kms, pid_t compositor, uint32_t width, uint32_t height);
/* The framebuffer on an output's primary plane, or 0. */
uint32_t kms_shown(struct kms *kms, const struct output *out);
/* Find the outputs again, disconnected ones included if @all. */
void kms_probe(struct kms *kms, uint32_t width, uint32_t height, bool all);
/* Connect this many outputs, by force where the host has them off. */
void kms_want_outputs(struct kms *kms, int n, uint32_t width, uint32_t height);
void kms_close(struct kms *kms);

/* Skips the case where the cursor ioctls take images in another byte order. */
void kms_need_cursor_ioctls(void);

uint32_t kms_prop(struct kms *kms, uint32_t object, uint32_t type,
		  const char *name);
bool kms_get_prop(struct kms *kms, uint32_t object, uint32_t type,
		  const char *name, uint64_t *value);
void kms_add(struct kms *kms, drmModeAtomicReq *req, uint32_t object,
	     uint32_t type, const char *name, uint64_t value);

/* Returns the framebuffer, or a negative errno. */
int64_t kms_addfb_offset(struct kms *kms, uint32_t handle, uint32_t width,
			 uint32_t height, uint32_t stride, uint32_t offset,
			 uint32_t format, uint64_t modifier);
int64_t kms_addfb(struct kms *kms, uint32_t handle, uint32_t width,
		  uint32_t height, uint32_t stride);

/* Add "the primary plane shows @src of the framebuffer" to a commit. */
void kms_show(struct kms *kms, drmModeAtomicReq *req, struct output *out,
	      uint32_t fb, const struct rect *src);
void kms_enable(struct kms *kms, drmModeAtomicReq *req, struct output *out);
/* Returns 0 or a negative errno. */
int kms_commit(struct kms *kms, drmModeAtomicReq *req, uint32_t flags);
/* Wait for flip events; returns how many of @n came. */
int kms_wait_flips(struct kms *kms, int n, int ms);

/* Whole operations; they return 0 or a negative errno. */
int kms_modeset(struct kms *kms, struct output *out, uint32_t fb);
int kms_flip_nonblock(struct kms *kms, struct output *out, uint32_t fb);
/* Flip and wait for the event, which must come. */
int kms_flip(struct kms *kms, struct output *out, uint32_t fb);
int kms_off(struct kms *kms, struct output *out);
int kms_rmfb(struct kms *kms, uint32_t fb);
int kms_gem_close(int fd, uint32_t handle);
int kms_prime_import(int fd, int dmabuf, uint32_t *handle);
int kms_prime_export(int fd, uint32_t handle, int *dmabuf);

/*
 * Read a file of the card in debugfs into @text; false if there is none.
 */
bool kms_debugfs(struct kms *kms, const char *file, char *text, int size);
/* A "name: value" line of the debugfs file "virtio-gpu-counters", or -1. */
int64_t kms_counter(struct kms *kms, const char *name);

#endif /* UAPI_KMS_H */
