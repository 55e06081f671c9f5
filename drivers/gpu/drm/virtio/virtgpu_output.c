// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_edid.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>

#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_msg.h"
#include "virtgpu_output.h"
#include "virtgpu_plane.h"

/**
 * DOC: outputs
 *
 * An output is a scanout of the device with its CRTC, planes and connector.
 * Its &struct virtgpu_frames queues the commands of the primary plane, sends
 * the flip events and contains the vblank clock: see virtgpu_frame.c.
 */

/*
 * CRTCs
 */

static struct virtgpu_output *frames_to_virtgpu_output(struct virtgpu_frames *f)
{
	return container_of(f, struct virtgpu_output, frames);
}

static bool virtgpu_output_before_event(struct virtgpu_frames *f)
{
	return virtgpu_crc_show(&frames_to_virtgpu_output(f)->crc);
}

static void virtgpu_output_queue_release(struct virtgpu_frames *f)
{
	queue_work(frames_to_virtgpu_output(f)->vgdev->kms.commit_wq, &f->release_work);
}

static const struct virtgpu_frames_ops virtgpu_output_frames_ops = {
	.before_event = virtgpu_output_before_event,
	.queue_release = virtgpu_output_queue_release,
	.put_buffer = virtgpu_plane_put_buffer,
};

static struct drm_pending_vblank_event *virtgpu_output_take_event(struct drm_crtc *crtc)
{
	struct drm_pending_vblank_event *event = crtc->state->event;

	crtc->state->event = NULL;

	return event;
}

static void virtgpu_crtc_atomic_flush(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	struct virtgpu_output *out = crtc_to_output(crtc);
	struct drm_pending_vblank_event *event = virtgpu_output_take_event(crtc);

	/* Legacy cursor updates have no event. */
	if (!event) {
		virtgpu_crc_cursor(&out->crc);
		return;
	}

	virtgpu_crc_queue(&out->crc);
	virtgpu_frames_arm(&out->frames, event, crtc->state->async_flip ?
			  VIRTGPU_FLIP_EVENT_NOW : VIRTGPU_FLIP_EVENT_VBLANK);
}

static void virtgpu_crtc_atomic_enable(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	struct virtgpu_output *out = crtc_to_output(crtc);

	drm_calc_timestamping_constants(crtc, &crtc->state->adjusted_mode);
	virtgpu_vblank_start(&out->frames.clock, drm_crtc_vblank_crtc(crtc)->framedur_ns);
	drm_crtc_vblank_on(crtc);
	virtgpu_crc_enable(&out->crc);
}

static void virtgpu_crtc_atomic_disable(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	struct virtgpu_output *out = crtc_to_output(crtc);
	struct drm_pending_vblank_event *event;

	virtgpu_crc_disable(&out->crc);
	drm_crtc_vblank_off(crtc);

	/*
	 * On a mode change keep showing the old frame until the CRTC is enabled
	 * again.
	 */
	if (crtc->state->active)
		return;

	/* DRM does not disable the planes of an inactive CRTC. */
	virtgpu_cursor_hide(&out->cursor);
	virtgpu_plane_disable_scanout(out, drm_atomic_get_new_plane_state(state, out->primary));

	/* There is no frame that the event could wait for. */
	event = virtgpu_output_take_event(crtc);
	if (!event)
		return;
	spin_lock_irq(&crtc->dev->event_lock);
	drm_crtc_send_vblank_event(crtc, event);
	spin_unlock_irq(&crtc->dev->event_lock);
}

static int virtgpu_crtc_enable_vblank(struct drm_crtc *crtc)
{
	return virtgpu_vblank_enable(&crtc_to_output(crtc)->frames.clock);
}

static void virtgpu_crtc_disable_vblank(struct drm_crtc *crtc)
{
	virtgpu_vblank_disable(&crtc_to_output(crtc)->frames.clock);
}

static u32 virtgpu_crtc_get_vblank_counter(struct drm_crtc *crtc)
{
	return virtgpu_vblank_count(&crtc_to_output(crtc)->frames.clock);
}

static bool virtgpu_crtc_get_vblank_timestamp(struct drm_crtc *crtc, int *max_error,
					      ktime_t *vblank_time, bool in_vblank_irq)
{
	*vblank_time = virtgpu_vblank_time(&crtc_to_output(crtc)->frames.clock);

	return true;
}

static int virtgpu_crtc_set_crc_source(struct drm_crtc *crtc, const char *source)
{
	return virtgpu_crc_set_source(&crtc_to_output(crtc)->crc, source);
}

static enum drm_mode_status virtgpu_crtc_mode_valid(struct drm_crtc *crtc,
						    const struct drm_display_mode *mode)
{
	int hz = drm_mode_vrefresh(mode);

	if (mode->hdisplay < VIRTGPU_SCANOUT_MIN || mode->vdisplay < VIRTGPU_SCANOUT_MIN)
		return MODE_BAD;
	/* Bound the load of the vblank timer. */
	if (hz < 1 || hz > 1000)
		return MODE_BAD;
	if (mode->flags & (DRM_MODE_FLAG_INTERLACE | DRM_MODE_FLAG_DBLSCAN))
		return MODE_BAD;

	return MODE_OK;
}

static const struct drm_crtc_helper_funcs virtgpu_crtc_helper_funcs = {
	.mode_valid = virtgpu_crtc_mode_valid,
	.atomic_flush = virtgpu_crtc_atomic_flush,
	.atomic_enable = virtgpu_crtc_atomic_enable,
	.atomic_disable = virtgpu_crtc_atomic_disable,
};

static const struct drm_crtc_funcs virtgpu_crtc_funcs = {
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.reset = drm_atomic_helper_crtc_reset,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.get_crc_sources = virtgpu_crc_get_sources,
	.verify_crc_source = virtgpu_crc_verify_source,
	.set_crc_source = virtgpu_crtc_set_crc_source,
	.enable_vblank = virtgpu_crtc_enable_vblank,
	.disable_vblank = virtgpu_crtc_disable_vblank,
	.get_vblank_counter = virtgpu_crtc_get_vblank_counter,
	.get_vblank_timestamp = virtgpu_crtc_get_vblank_timestamp,
};

/*
 * Connectors
 */

static enum drm_connector_status virtgpu_connector_detect(struct drm_connector *connector,
							  bool force)
{
	struct virtgpu_output *out = connector_to_output(connector);
	bool enabled;

	mutex_lock(&out->vgdev->kms.lock);
	enabled = out->info.enabled;
	mutex_unlock(&out->vgdev->kms.lock);

	return enabled ? connector_status_connected : connector_status_disconnected;
}

/*
 * An EDID may have no timing for the size that the host requests: one has at
 * most 4095 pixels and lines, and DRM ignores timings of fewer than 64, or
 * without a sync pulse.
 */
static int virtgpu_connector_add_preferred_mode(struct drm_connector *connector,
						const struct virtgpu_output_info *info)
{
	struct drm_display_mode *mode;

	if (info->width < VIRTGPU_SCANOUT_MIN || info->height < VIRTGPU_SCANOUT_MIN ||
	    info->width > VIRTGPU_FB_MAX || info->height > VIRTGPU_FB_MAX)
		return 0;

	list_for_each_entry(mode, &connector->probed_modes, head)
		if (mode->type & DRM_MODE_TYPE_PREFERRED)
			return 0;

	/* Only reduced blanking has valid timings for a few pixels or lines. */
	mode = drm_cvt_mode(connector->dev, info->width, info->height, 60,
			    true, false, false);
	if (!mode)
		return 0;

	/* CVT rounds the width down to a multiple of eight, and the rate. */
	mode->hdisplay = info->width;
	mode->clock = DIV_ROUND_UP(mode->htotal * mode->vtotal * 3, 50);
	drm_mode_set_name(mode);
	mode->type |= DRM_MODE_TYPE_PREFERRED;
	drm_mode_probed_add(connector, mode);

	return 1;
}

static int virtgpu_connector_get_modes(struct drm_connector *connector)
{
	struct virtgpu_output *out = connector_to_output(connector);
	int n;

	mutex_lock(&out->vgdev->kms.lock);
	drm_edid_connector_update(connector, out->info.edid);
	n = drm_edid_connector_add_modes(connector);
	if (!n)
		n = drm_add_modes_noedid(connector, 2560, 1600);
	n += virtgpu_connector_add_preferred_mode(connector, &out->info);
	mutex_unlock(&out->vgdev->kms.lock);

	return n;
}

static const struct drm_connector_helper_funcs virtgpu_connector_helper_funcs = {
	.get_modes = virtgpu_connector_get_modes,
};

static const struct drm_connector_funcs virtgpu_connector_funcs = {
	.detect = virtgpu_connector_detect,
	.fill_modes = drm_helper_probe_single_connector_modes,
	.reset = drm_atomic_helper_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

static int virtgpu_connector_init(struct virtgpu_output *out)
{
	struct drm_connector *connector = &out->connector;
	struct drm_mode_config *config = &connector->dev->mode_config;
	int ret;

	ret = drmm_connector_init(connector->dev, connector, &virtgpu_connector_funcs,
				  DRM_MODE_CONNECTOR_VIRTUAL, NULL);
	if (ret)
		return ret;

	drm_connector_helper_add(connector, &virtgpu_connector_helper_funcs);
	connector->polled = DRM_CONNECTOR_POLL_HPD;
	if (out->vgdev->features.edid)
		drm_connector_attach_edid_property(connector);
	drm_object_attach_property(&connector->base, config->suggested_x_property, 0);
	drm_object_attach_property(&connector->base, config->suggested_y_property, 0);
	drm_object_attach_property(&connector->base, out->vgdev->kms.mode_update, 1);

	return drm_connector_attach_encoder(connector, &out->encoder);
}

/**
 * virtgpu_output_init() - Initialise the KMS objects of a scanout
 * @out: zeroed memory that lives as long as the DRM device
 * @vgdev: the device
 * @index: index of the scanout
 *
 * On error the caller must call virtgpu_output_fini().
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory, negative error code from DRM
 * otherwise.
 */
int virtgpu_output_init(struct virtgpu_output *out, struct virtgpu_device *vgdev,
			unsigned int index)
{
	struct drm_device *dev = &vgdev->drm;
	struct drm_plane *cursor;
	unsigned int i;
	int ret;

	out->vgdev = vgdev;
	out->index = index;
	out->connector.dev = dev;
	virtgpu_frames_init(&out->frames, &vgdev->ctrl, &out->crtc, index,
			    &virtgpu_output_frames_ops);

	ret = virtgpu_cursor_init(&out->cursor, &vgdev->cursor, &vgdev->ctrl, index);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(out->panic_msgs); i++) {
		out->panic_msgs[i] = virtgpu_msg_alloc();
		if (!out->panic_msgs[i])
			return -ENOMEM;
	}

	out->primary = virtgpu_plane_create(out, DRM_PLANE_TYPE_PRIMARY);
	if (IS_ERR(out->primary))
		return PTR_ERR(out->primary);
	cursor = virtgpu_plane_create(out, DRM_PLANE_TYPE_CURSOR);
	if (IS_ERR(cursor))
		return PTR_ERR(cursor);

	ret = drmm_crtc_init_with_planes(dev, &out->crtc, out->primary, cursor,
					 &virtgpu_crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&out->crtc, &virtgpu_crtc_helper_funcs);

	ret = drmm_encoder_init(dev, &out->encoder, NULL,
				DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (ret)
		return ret;
	out->encoder.possible_crtcs = drm_crtc_mask(&out->crtc);

	return virtgpu_connector_init(out);
}

/**
 * virtgpu_output_fini() - Release what DRM does not manage
 * @out: output of stopped queues, may be partially initialised
 *
 * Context: May sleep.
 */
void virtgpu_output_fini(struct virtgpu_output *out)
{
	unsigned int i;

	virtgpu_frames_fini(&out->frames);
	virtgpu_cursor_fini(&out->cursor);
	drm_edid_free(out->info.edid);
	for (i = 0; i < ARRAY_SIZE(out->panic_msgs); i++)
		virtgpu_msg_put(out->panic_msgs[i]);
}
