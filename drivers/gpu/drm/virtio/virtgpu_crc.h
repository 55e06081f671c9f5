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
 * struct virtgpu_crc - CRCs of the frames of an output
 * @crtc: the CRTC of the output
 * @frames: the frames of the output
 * @lock: protects the members below, and the state of the cursor plane against
 *	asynchronous updates
 * @capturing: user space captures CRCs
 * @queued: frame without a response, or NULL
 * @shown: frame that the host shows, or NULL
 * @computing: frame that @work processes, or NULL; may be replaced meanwhile
 * @flip_deferred: a flip event waits until @work has computed the CRC of the
 *	frame that the flip replaces
 * @free_list: frames to be freed by @work
 * @vblank_work: reports the CRC at each vblank
 * @work: computes a CRC
 */
struct virtgpu_crc {
	struct drm_crtc *crtc;
	struct virtgpu_frames *frames;
	spinlock_t lock; /* members below */
	bool capturing;
	struct virtgpu_crc_frame *queued;
	struct virtgpu_crc_frame *shown;
	struct virtgpu_crc_frame *computing;
	bool flip_deferred;
	struct virtgpu_crc_frame *free_list;
	struct drm_vblank_work vblank_work;
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
