/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_CRC_H
#define VGPU_CRC_H

#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <drm/drm_vblank_work.h>

struct drm_crtc;
struct vgpu_output;
struct vgpu_picture;

/**
 * struct vgpu_crc - checksums of what an output shows
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
struct vgpu_crc {
	spinlock_t lock; /* all below */
	bool on;
	struct vgpu_picture *queued;
	struct vgpu_picture *shown;
	struct vgpu_picture *computed;
	bool held;
	struct vgpu_picture *unused;
	struct drm_vblank_work tick;
	struct work_struct work;
};

void vgpu_crc_init(struct vgpu_output *out);
void vgpu_crc_fini(struct vgpu_output *out);

void vgpu_crc_enable(struct vgpu_output *out);
void vgpu_crc_disable(struct vgpu_output *out);
void vgpu_crc_queue(struct vgpu_output *out);
void vgpu_crc_cursor(struct vgpu_output *out);
bool vgpu_crc_show(struct vgpu_output *out);

const char *const *vgpu_crc_sources(struct drm_crtc *crtc, size_t *count);
int vgpu_crc_verify_source(struct drm_crtc *crtc, const char *source, size_t *values);
int vgpu_crc_set_source(struct drm_crtc *crtc, const char *source);

#endif
