// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/device.h>
#include <linux/rcupdate.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_edid.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>
#include <drm/drm_vblank_helper.h>

#include "vgpu_device.h"
#include "vgpu_fb.h"
#include "vgpu_msg.h"
#include "vgpu_output.h"
#include "vgpu_plane.h"

/**
 * DOC: outputs
 *
 * The device has no vblanks; a timer at the mode's rate stands in for them.  A
 * frame is on the screen when the host has answered to its flush, so that is what
 * the flip event waits for first, and then, unless the flip is asynchronous, for the
 * next tick of the timer.  A host that does not answer is bounded by the patience of
 * the flush message: its fence is then signalled with an error, and the event goes
 * out.
 */

/*
 * Flips
 */

/* Once the event is on its way the next flip may be set up. */
static void end_flip(struct drm_crtc *crtc, struct drm_pending_vblank_event *event,
		     enum vgpu_flip_end end)
{
	struct drm_device *dev = crtc->dev;
	unsigned long flags;

	spin_lock_irqsave(&dev->event_lock, flags);
	if (end == VGPU_FLIP_VBLANK)
		drm_crtc_arm_vblank_event(crtc, event);
	else
		drm_crtc_send_vblank_event(crtc, event);
	spin_unlock_irqrestore(&dev->event_lock, flags);

	if (end == VGPU_FLIP_ASYNC)
		drm_crtc_vblank_put(crtc);
}

/**
 * vgpu_output_flipped - a frame has replaced the one before
 * @out: the output, with a flip that was set up
 *
 * Context: any.
 */
void vgpu_output_flipped(struct vgpu_output *out)
{
	end_flip(&out->crtc, out->flip.event, out->flip.end);
}

static void show_frame(struct vgpu_output *out)
{
	if (!vgpu_crc_show(out))
		vgpu_output_flipped(out);
}

/* The frame is shown, or given up.  In an interrupt, under the fence's lock. */
static void frame_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct vgpu_output *out = container_of(cb, struct vgpu_output, flip.cb);
	struct drm_pending_vblank_event *event = out->flip.event;

	if (fence->error == -ETIMEDOUT) {
		atomic_inc(&out->vgpu->counters.frame_timeouts);
		dev_warn_ratelimited(out->crtc.dev->dev, "%s: the host did not acknowledge a frame\n",
				     out->connector.name);
	}

	if (fence->error && event->base.fence)
		dma_fence_set_error(event->base.fence, fence->error);

	show_frame(out);
}

static struct drm_pending_vblank_event *take_event(struct drm_crtc *crtc)
{
	struct drm_pending_vblank_event *event = crtc->state->event;

	crtc->state->event = NULL;

	return event;
}

/* The event waits for @fence, whose reference is taken over, if there is one. */
static void start_flip(struct vgpu_output *out, struct drm_pending_vblank_event *event,
		       enum vgpu_flip_end end, struct dma_fence *fence)
{
	out->flip.event = event;
	out->flip.end = end;
	if (!fence)
		show_frame(out);
	else if (dma_fence_add_callback(fence, &out->flip.cb, frame_done))
		frame_done(fence, &out->flip.cb);
	dma_fence_put(fence);
}

static void crtc_atomic_flush(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	struct vgpu_output *out = crtc_to_output(crtc);
	struct drm_pending_vblank_event *event = take_event(crtc);
	enum vgpu_flip_end end = VGPU_FLIP_VBLANK;
	struct dma_fence *fence = out->frame;

	out->frame = NULL;
	/* Updates of the cursor by its own ioctl have none. */
	if (!event) {
		vgpu_crc_cursor(out);
		dma_fence_put(fence);
		return;
	}

	if (drm_crtc_vblank_get(crtc))
		end = VGPU_FLIP_OFF;
	else if (crtc->state->async_flip)
		end = VGPU_FLIP_ASYNC;
	vgpu_crc_queue(out);
	start_flip(out, event, end, fence);
}

static void crtc_atomic_enable(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	drm_crtc_vblank_on(crtc);
	vgpu_crc_enable(crtc_to_output(crtc));
}

static void crtc_atomic_disable(struct drm_crtc *crtc, struct drm_atomic_commit *state)
{
	struct vgpu_output *out = crtc_to_output(crtc);
	struct drm_pending_vblank_event *event;
	struct dma_fence *fence;

	vgpu_crc_disable(out);
	drm_crtc_vblank_off(crtc);
	/*
	 * The timer may be in its interrupt yet, on its way to locks that DRM holds while
	 * it starts the timer again, and waits for it.  Let that interrupt end first.
	 */
	synchronize_rcu_expedited();

	/* One that is only set to another mode goes on showing until then. */
	if (crtc->state->active)
		return;

	/* The planes of a CRTC that goes off are not told. */
	vgpu_cursor_hide(&out->cursor);

	fence = vgpu_plane_hide(out, drm_atomic_get_new_plane_state(state, out->primary));
	event = take_event(crtc);
	if (event)
		start_flip(out, event, VGPU_FLIP_OFF, fence);
	else
		dma_fence_put(fence);
}

static enum drm_mode_status crtc_mode_valid(struct drm_crtc *crtc,
					    const struct drm_display_mode *mode)
{
	int hz = drm_mode_vrefresh(mode);

	if (mode->hdisplay < VGPU_SCANOUT_MIN || mode->vdisplay < VGPU_SCANOUT_MIN)
		return MODE_BAD;
	/* The timer has to have a period, and the guest time for other things. */
	if (hz < 1 || hz > 1000)
		return MODE_BAD;
	if (mode->flags & (DRM_MODE_FLAG_INTERLACE | DRM_MODE_FLAG_DBLSCAN))
		return MODE_BAD;

	return MODE_OK;
}

static const struct drm_crtc_helper_funcs crtc_helper_funcs = {
	.mode_valid = crtc_mode_valid,
	.atomic_flush = crtc_atomic_flush,
	.atomic_enable = crtc_atomic_enable,
	.atomic_disable = crtc_atomic_disable,
};

static const struct drm_crtc_funcs crtc_funcs = {
	.set_config = drm_atomic_helper_set_config,
	.page_flip = drm_atomic_helper_page_flip,
	.reset = drm_atomic_helper_crtc_reset,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.get_crc_sources = vgpu_crc_sources,
	.verify_crc_source = vgpu_crc_verify_source,
	.set_crc_source = vgpu_crc_set_source,
	DRM_CRTC_VBLANK_TIMER_FUNCS,
};

/**
 * vgpu_output_show - queue what an output shows from now on
 * @out: the output
 * @msg: reserved for it; the device's from here on
 * @scanout: what to show
 * @blob: it is a blob
 *
 * Context: the commit of @out.
 */
void vgpu_output_show(struct vgpu_output *out, struct vgpu_msg *msg,
		      const struct vgpu_cmd_scanout *scanout, bool blob)
{
	if (blob)
		vgpu_cmd_set_scanout_blob(msg, scanout);
	else
		vgpu_cmd_set_scanout(msg, scanout);
	vgpu_queue_publish(&out->vgpu->ctrl, msg);
	out->shown = *scanout;
}

/*
 * Connectors
 */

static enum drm_connector_status connector_detect(struct drm_connector *connector,
						  bool force)
{
	struct vgpu_output *out = connector_to_output(connector);
	bool enabled;

	mutex_lock(&out->vgpu->display.lock);
	enabled = out->info.enabled;
	mutex_unlock(&out->vgpu->display.lock);

	return enabled ? connector_status_connected : connector_status_disconnected;
}

/* The size of the host's window, which need not be one that monitors have. */
static int add_host_size(struct drm_connector *connector,
			 const struct vgpu_output_info *info)
{
	struct drm_display_mode *mode;

	if (info->width < VGPU_SCANOUT_MIN || info->height < VGPU_SCANOUT_MIN ||
	    info->width > VGPU_FB_MAX || info->height > VGPU_FB_MAX)
		return 0;

	mode = drm_cvt_mode(connector->dev, info->width, info->height, 60,
			    false, false, false);
	if (!mode)
		return 0;

	/* CVT rounds the width down to a multiple of eight. */
	mode->hdisplay = info->width;
	drm_mode_set_name(mode);
	mode->type |= DRM_MODE_TYPE_PREFERRED;
	drm_mode_probed_add(connector, mode);

	return 1;
}

static int connector_get_modes(struct drm_connector *connector)
{
	struct vgpu_output *out = connector_to_output(connector);
	int n;

	mutex_lock(&out->vgpu->display.lock);
	drm_edid_connector_update(connector, out->info.edid);
	n = drm_edid_connector_add_modes(connector);
	/* An EDID prefers the size that the host wants already. */
	if (!n)
		n = drm_add_modes_noedid(connector, 2560, 1600) +
		    add_host_size(connector, &out->info);
	mutex_unlock(&out->vgpu->display.lock);

	return n;
}

static const struct drm_connector_helper_funcs connector_helper_funcs = {
	.get_modes = connector_get_modes,
};

static const struct drm_connector_funcs connector_funcs = {
	.detect = connector_detect,
	.fill_modes = drm_helper_probe_single_connector_modes,
	.reset = drm_atomic_helper_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

static int connector_init(struct vgpu_output *out)
{
	struct drm_connector *connector = &out->connector;
	struct drm_mode_config *config = &connector->dev->mode_config;
	int ret;

	ret = drmm_connector_init(connector->dev, connector, &connector_funcs,
				  DRM_MODE_CONNECTOR_VIRTUAL, NULL);
	if (ret)
		return ret;

	drm_connector_helper_add(connector, &connector_helper_funcs);
	connector->polled = DRM_CONNECTOR_POLL_HPD;
	if (out->vgpu->features.edid)
		drm_connector_attach_edid_property(connector);
	drm_object_attach_property(&connector->base, config->suggested_x_property, 0);
	drm_object_attach_property(&connector->base, config->suggested_y_property, 0);
	drm_object_attach_property(&connector->base, out->vgpu->display.mode_update, 1);

	return drm_connector_attach_encoder(connector, &out->encoder);
}

/**
 * vgpu_output_init - make the KMS objects of a scanout
 * @out: zeroed memory that lives as long as the DRM device
 * @vgpu: the device
 * @index: number of the scanout
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vgpu_output_init(struct vgpu_output *out, struct vgpu_device *vgpu,
		     unsigned int index)
{
	struct drm_device *dev = &vgpu->drm;
	struct drm_plane *cursor;
	unsigned int i;
	int ret;

	out->vgpu = vgpu;
	out->index = index;
	out->shown.scanout = index;
	out->connector.dev = dev;
	vgpu_timeline_init(&out->frames, "frames");

	ret = vgpu_cursor_init(&out->cursor, &vgpu->cursor, &vgpu->ctrl, index);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(out->panic); i++) {
		out->panic[i] = vgpu_msg_alloc();
		if (!out->panic[i])
			return -ENOMEM;
	}

	out->primary = vgpu_plane_create(out, DRM_PLANE_TYPE_PRIMARY);
	if (IS_ERR(out->primary))
		return PTR_ERR(out->primary);
	cursor = vgpu_plane_create(out, DRM_PLANE_TYPE_CURSOR);
	if (IS_ERR(cursor))
		return PTR_ERR(cursor);

	ret = drmm_crtc_init_with_planes(dev, &out->crtc, out->primary, cursor,
					 &crtc_funcs, NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&out->crtc, &crtc_helper_funcs);

	ret = drmm_encoder_init(dev, &out->encoder, NULL,
				DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (ret)
		return ret;
	out->encoder.possible_crtcs = drm_crtc_mask(&out->crtc);

	return connector_init(out);
}

/**
 * vgpu_output_fini - release what DRM does not manage
 * @out: an output, perhaps half set up, whose queues are stopped
 */
void vgpu_output_fini(struct vgpu_output *out)
{
	unsigned int i;

	vgpu_cursor_fini(&out->cursor);
	drm_edid_free(out->info.edid);
	for (i = 0; i < ARRAY_SIZE(out->panic); i++)
		vgpu_msg_put(out->panic[i]);
}
