/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_OUTPUT_H
#define VIRTGPU_OUTPUT_H

#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_encoder.h>

#include "virtgpu_backing.h"
#include "virtgpu_cmd.h"
#include "virtgpu_crc.h"
#include "virtgpu_cursor.h"
#include "virtgpu_frame.h"

struct drm_edid;
struct virtgpu_device;
struct virtgpu_msg;

/**
 * struct virtgpu_output_info - Configuration of an output requested by the host
 * @enabled: the output is connected
 * @x: suggested horizontal position in pixels
 * @y: suggested vertical position in pixels
 * @width: preferred width in pixels
 * @height: preferred height in pixels
 * @edid: the EDID, or NULL
 */
struct virtgpu_output_info {
	bool enabled;
	u32 x, y;
	u32 width, height;
	const struct drm_edid *edid;
};

/**
 * struct virtgpu_output - A scanout with its CRTC, planes and connector
 * @vgdev: the device
 * @index: index of the scanout
 * @crtc: the CRTC
 * @encoder: the encoder
 * @connector: the connector
 * @primary: the primary plane
 * @info: configuration requested by the host, protected by &virtgpu_kms.lock
 * @frames: frames on their way to the host's display
 * @cursor: cursor on the host
 * @crc: CRCs of the frames
 * @panic_msgs: messages reserved for the panic screen
 * @panic_pos: block of the last pixel of the panic screen
 */
struct virtgpu_output {
	struct virtgpu_device *vgdev;
	unsigned int index;
	struct drm_crtc crtc;
	struct drm_encoder encoder;
	struct drm_connector connector;
	struct drm_plane *primary;
	struct virtgpu_output_info info;
	struct virtgpu_frames frames;
	struct virtgpu_cursor cursor;
	struct virtgpu_crc crc;
	struct virtgpu_msg *panic_msgs[3];
	struct virtgpu_pages_pos panic_pos;
};

static inline struct virtgpu_output *crtc_to_output(struct drm_crtc *crtc)
{
	return container_of(crtc, struct virtgpu_output, crtc);
}

static inline struct virtgpu_output *connector_to_output(struct drm_connector *c)
{
	return container_of(c, struct virtgpu_output, connector);
}

int virtgpu_output_init(struct virtgpu_output *out, struct virtgpu_device *vgdev,
			unsigned int index);
void virtgpu_output_fini(struct virtgpu_output *out);

#endif
