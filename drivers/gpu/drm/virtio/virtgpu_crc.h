/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_CRC_H
#define VIRTGPU_CRC_H

#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <drm/drm_vblank_work.h>

struct drm_crtc;
struct virtgpu_crc_frame;
struct virtgpu_frames;

/**
 * struct virtgpu_crc - checksums of what an output shows
 * @crtc: the CRTC of the output
 * @frames: the frames of the output
 * @lock: protects all below, and the cursor's state against updates out of turn
 * @on: somebody listens
 * @queued: the picture of the frame that the host has not acknowledged yet, or NULL
 * @shown: the picture that the host shows, or NULL
 * @computed: what @work computes or is going to, or NULL; may be replaced meanwhile
 * @held: a flip waits until @work is through with what it replaces
 * @unused: pictures to be freed by @work
 * @tick: runs at each vblank
 * @work: computes
 */
struct virtgpu_crc {
	struct drm_crtc *crtc;
	struct virtgpu_frames *frames;
	spinlock_t lock; /* all below */
	bool on;
	struct virtgpu_crc_frame *queued;
	struct virtgpu_crc_frame *shown;
	struct virtgpu_crc_frame *computed;
	bool held;
	struct virtgpu_crc_frame *unused;
	struct drm_vblank_work tick;
	struct work_struct work;
};

void virtgpu_crc_init(struct virtgpu_crc *crc, struct drm_crtc *crtc,
		      struct virtgpu_frames *frames);
void virtgpu_crc_fini(struct virtgpu_crc *crc);

void virtgpu_crc_enable(struct virtgpu_crc *crc);
void virtgpu_crc_disable(struct virtgpu_crc *crc);
void virtgpu_crc_queue(struct virtgpu_crc *crc);
void virtgpu_crc_cursor(struct virtgpu_crc *crc);
bool virtgpu_crc_show(struct virtgpu_crc *crc);

const char *const *virtgpu_crc_get_sources(struct drm_crtc *crtc, size_t *count);
int virtgpu_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values);
int virtgpu_crc_set_source(struct virtgpu_crc *crc, const char *source);

#endif
