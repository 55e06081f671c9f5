// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/virtio_config.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_atomic_uapi.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_edid.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_print.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>

#include "virtgpu_cmd.h"
#include "virtgpu_atomic.h"
#include "virtgpu_device.h"
#include "virtgpu_fb.h"
#include "virtgpu_gem.h"
#include "virtgpu_msg.h"
#include "virtgpu_output.h"
#include "virtgpu_plane.h"

/*
 * Minimum time between the display info of two uevents, in jiffies. Compositors
 * need long for each uevent, and resizing a window of the host causes many.
 */
#define VIRTGPU_HOTPLUG_INTERVAL (HZ / 10)

/**
 * DOC: display
 *
 * The host determines which outputs are connected, and their preferred sizes.
 * On a change it sets an event bit in the configuration space. The driver
 * clears the bit before it queries the display info, so no concurrent change is
 * lost. Callbacks of connectors use the result of the last query.
 */

/*
 * Display info
 */

/**
 * struct virtgpu_display_query - A query of the display info and the EDIDs
 * @vgdev: the device
 * @msgs: GET_DISPLAY_INFO, and GET_EDID for each output if the device has EDIDs
 * @n: number of @msgs
 * @left: number of messages in flight, plus one for the owner
 */
struct virtgpu_display_query {
	struct virtgpu_device *vgdev;
	struct virtgpu_msg *msgs[1 + VIRTIO_GPU_MAX_SCANOUTS];
	unsigned int n;
	atomic_t left;
};

static void virtgpu_display_query_free(struct virtgpu_display_query *q)
{
	unsigned int i;

	for (i = 0; i < q->n; i++)
		virtgpu_msg_put(q->msgs[i]);
	kfree(q);
}

static struct virtgpu_msg *virtgpu_display_query_add(struct virtgpu_display_query *q,
						     size_t resp_size)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc_resp(resp_size);

	if (msg)
		q->msgs[q->n++] = msg;

	return msg;
}

static struct virtgpu_display_query *virtgpu_display_query_alloc(struct virtgpu_device *vgdev)
{
	struct virtgpu_display_query *q = kzalloc_obj(*q);
	struct virtgpu_msg *msg;
	unsigned int i;

	if (!q)
		return NULL;

	q->vgdev = vgdev;
	msg = virtgpu_display_query_add(q, sizeof(struct virtio_gpu_resp_display_info));
	if (!msg)
		goto free;
	virtgpu_cmd_get_display_info(msg);

	for (i = 0; i < vgdev->kms.count && vgdev->features.edid; i++) {
		msg = virtgpu_display_query_add(q, sizeof(struct virtio_gpu_resp_edid));
		if (!msg)
			goto free;
		virtgpu_cmd_get_edid(msg, i);
	}

	return q;
free:
	virtgpu_display_query_free(q);
	return NULL;
}

/* Put the reference of the owner. */
static void virtgpu_display_query_put(struct virtgpu_display_query *q)
{
	if (q && atomic_dec_and_test(&q->left))
		virtgpu_display_query_free(q);
}

static void virtgpu_display_query_complete(struct virtgpu_msg *msg)
{
	struct virtgpu_display_query *q = msg->priv;
	struct virtgpu_device *vgdev = q->vgdev;
	int left = atomic_dec_return(&q->left);

	if (left == 1)
		schedule_delayed_work(&vgdev->kms.config_work, 0);
	else if (!left)
		virtgpu_display_query_free(q);
}

/*
 * Returns true if a command timed out although the host responded to later
 * commands.
 */
static bool virtgpu_display_query_timed_out(const struct virtgpu_display_query *q)
{
	unsigned int i;

	for (i = 0; i < q->n; i++)
		if (READ_ONCE(q->msgs[i]->timed_out))
			return true;

	return false;
}

static void virtgpu_display_query_send(struct virtgpu_display_query *q)
{
	struct virtgpu_vq *ctrl = &q->vgdev->ctrl;
	unsigned int i;

	/* The first response may come before the last message is queued. */
	atomic_set(&q->left, q->n + 1);
	for (i = 0; i < q->n; i++) {
		q->msgs[i]->priv = q;
		q->msgs[i]->complete = virtgpu_display_query_complete;
		virtgpu_msg_get(q->msgs[i]);
		virtgpu_vq_queue_msg(ctrl, q->msgs[i]);
	}
	virtgpu_vq_kick(ctrl);
}

/* The response may be longer than the EDID. */
static int virtgpu_kms_edid_block(void *data, u8 *buf, unsigned int block, size_t len)
{
	const struct virtgpu_msg *msg = data;
	const struct virtio_gpu_resp_edid *resp = msg->resp;
	size_t start = block * EDID_LENGTH;
	size_t size = min_t(size_t, le32_to_cpu(resp->size), sizeof(resp->edid));

	size = min(size, msg->resp_len - offsetof(struct virtio_gpu_resp_edid, edid));
	if (start + len > size)
		return -EINVAL;
	memcpy(buf, resp->edid + start, len);

	return 0;
}

static bool virtgpu_kms_edid_equal(const struct drm_edid *a, const struct drm_edid *b)
{
	const struct edid *raw_a = drm_edid_raw(a), *raw_b = drm_edid_raw(b);
	size_t size;

	if (!raw_a || !raw_b)
		return raw_a == raw_b;

	size = (1 + raw_a->extensions) * EDID_LENGTH;

	return raw_a->extensions == raw_b->extensions && !memcmp(raw_a, raw_b, size);
}

/* Returns true if the configuration of the output has changed. */
static bool virtgpu_kms_set_info(struct virtgpu_output *out,
				 const struct virtio_gpu_display_one *one,
				 const struct drm_edid *edid)
{
	struct virtgpu_output_info *info = &out->info;
	struct virtgpu_output_info new = {
		.enabled = le32_to_cpu(one->enabled),
		.x = le32_to_cpu(one->r.x),
		.y = le32_to_cpu(one->r.y),
		.width = le32_to_cpu(one->r.width),
		.height = le32_to_cpu(one->r.height),
		.edid = edid,
	};
	bool changed = new.enabled != info->enabled || new.x != info->x ||
		       new.y != info->y || new.width != info->width ||
		       new.height != info->height || !virtgpu_kms_edid_equal(edid, info->edid);

	lockdep_assert_held(&out->vgdev->kms.lock);

	drm_edid_free(info->edid);
	*info = new;

	return changed;
}

static void virtgpu_kms_set_positions(struct virtgpu_output *out)
{
	struct drm_mode_config *config = &out->vgdev->drm.mode_config;
	struct drm_mode_object *obj = &out->connector.base;

	drm_object_property_set_value(obj, config->suggested_x_property, out->info.x);
	drm_object_property_set_value(obj, config->suggested_y_property, out->info.y);
}

/* Returns 1 if an output has changed, 0 if none has, or an errno. */
static int virtgpu_display_query_read(struct virtgpu_display_query *q)
{
	const struct virtio_gpu_resp_display_info *resp = q->msgs[0]->resp;
	struct virtgpu_kms *kms = &q->vgdev->kms;
	const struct drm_edid *edid;
	struct virtgpu_msg *msg;
	bool changed = false;
	unsigned int i;

	if (q->msgs[0]->error)
		return q->msgs[0]->error;

	for (i = 0; i < kms->count; i++) {
		edid = NULL;
		msg = 1 + i < q->n ? q->msgs[1 + i] : NULL;
		if (msg && msg->state == VIRTGPU_MSG_COMPLETED && !msg->error)
			edid = drm_edid_read_custom(&kms->outputs[i].connector,
						    virtgpu_kms_edid_block, msg);
		mutex_lock(&kms->lock);
		changed |= virtgpu_kms_set_info(&kms->outputs[i], &resp->pmodes[i], edid);
		mutex_unlock(&kms->lock);
		virtgpu_kms_set_positions(&kms->outputs[i]);
	}

	return changed;
}

/*
 * Waits for the responses, unlike virtgpu_kms_config_work(): during probe no
 * frame is in flight that the display could hold.
 */
static int virtgpu_kms_query_outputs(struct virtgpu_device *vgdev)
{
	struct virtgpu_display_query *q = virtgpu_display_query_alloc(vgdev);
	unsigned int i;
	int ret;

	if (!q)
		return -ENOMEM;

	virtgpu_display_query_send(q);
	ret = virtgpu_vq_wait_msg(&vgdev->ctrl, q->msgs[0]);
	/* A missing response to GET_EDID means no EDID. */
	for (i = 1; i < q->n && !ret; i++)
		if (virtgpu_vq_wait_msg(&vgdev->ctrl, q->msgs[i]) == -EINTR)
			ret = -EINTR;
	if (!ret)
		ret = virtgpu_display_query_read(q);
	virtgpu_display_query_put(q);

	return ret < 0 ? ret : 0;
}

/* Test and clear the event. */
static bool virtgpu_kms_test_clear_event(struct virtgpu_device *vgdev)
{
	u32 events;

	virtio_cread_le(vgdev->vdev, struct virtio_gpu_config, events_read, &events);
	if (!(events & VIRTIO_GPU_EVENT_DISPLAY))
		return false;

	events = VIRTIO_GPU_EVENT_DISPLAY;
	virtio_cwrite_le(vgdev->vdev, struct virtio_gpu_config, events_clear, &events);

	return true;
}

/* Returns 1 if an output has changed, 0 if none has, or an errno. */
static int virtgpu_kms_finish_query(struct virtgpu_device *vgdev)
{
	struct virtgpu_kms *kms = &vgdev->kms;
	int ret = -ETIMEDOUT;

	if (!virtgpu_display_query_timed_out(kms->query))
		ret = virtgpu_display_query_read(kms->query);
	virtgpu_display_query_put(kms->query);
	WRITE_ONCE(kms->query, NULL);
	if (ret >= 0)
		kms->info_dirty = false;

	return ret;
}

/*
 * The host may not respond for as long as its display holds a frame. So the
 * work never waits for responses; the last response of a query schedules it
 * again.
 */
static void virtgpu_kms_config_work(struct work_struct *work)
{
	struct virtgpu_device *vgdev = container_of(to_delayed_work(work),
						    struct virtgpu_device, kms.config_work);
	struct virtgpu_kms *kms = &vgdev->kms;
	int ret = 0;

	if (kms->query) {
		if (atomic_read(&kms->query->left) > 1 &&
		    !virtgpu_display_query_timed_out(kms->query))
			return;
		ret = virtgpu_kms_finish_query(vgdev);
	}
	if (READ_ONCE(vgdev->ctrl.stopped))
		return;
	/* Suspend cancels queries, and on a broken device all fail at once. */
	if (ret < 0 && ret != -ENODEV)
		drm_err_ratelimited(&vgdev->drm, "failed to refresh display info: %d\n", ret);
	if (ret > 0) {
		drm_kms_helper_hotplug_event(&vgdev->drm);
		/* An event that came meanwhile must wait as well. */
		cancel_delayed_work(&kms->config_work);
		schedule_delayed_work(&kms->config_work, VIRTGPU_HOTPLUG_INTERVAL);
		return;
	}
	if (virtgpu_kms_test_clear_event(vgdev))
		kms->info_dirty = true;
	if (!kms->info_dirty)
		return;

	/* After an error the next query comes a second later. */
	if (ret >= 0)
		WRITE_ONCE(kms->query, virtgpu_display_query_alloc(vgdev));
	if (kms->query)
		virtgpu_display_query_send(kms->query);
	else
		schedule_delayed_work(&kms->config_work, HZ);
}

/**
 * virtgpu_kms_config_changed() - Handle a change of the configuration space
 * @vgdev: the device
 *
 * Context: Any.
 */
void virtgpu_kms_config_changed(struct virtgpu_device *vgdev)
{
	if (vgdev->kms.count)
		schedule_delayed_work(&vgdev->kms.config_work, 0);
}

/*
 * 2D fallback for rejected blobs
 */

/* Returns a referenced framebuffer, or NULL if the host has not rejected it. */
static struct drm_framebuffer *virtgpu_kms_get_rejected_fb(struct virtgpu_output *out)
{
	struct drm_framebuffer *fb = NULL;
	struct virtgpu_plane_state *vs;

	drm_modeset_lock(&out->primary->mutex, NULL);
	vs = to_virtgpu_plane_state(out->primary->state);
	if (vs->res && READ_ONCE(vs->res->rejected) && vs->base.fb) {
		fb = vs->base.fb;
		drm_framebuffer_get(fb);
	}
	drm_modeset_unlock(&out->primary->mutex);

	return fb;
}

static void virtgpu_kms_fallback_work(struct work_struct *work)
{
	struct virtgpu_device *vgdev = container_of(work, struct virtgpu_device,
						    kms.fallback_work);
	struct drm_framebuffer *fb;
	unsigned int i;
	int ret;

	for (i = 0; i < vgdev->kms.count; i++) {
		fb = virtgpu_kms_get_rejected_fb(&vgdev->kms.outputs[i]);
		if (!fb)
			continue;
		ret = drm_atomic_helper_dirtyfb(fb, NULL, 0, 0, NULL, 0);
		if (ret)
			drm_err(&vgdev->drm, "output %u: failed to fall back to a 2D resource: %d\n",
				i, ret);
		drm_framebuffer_put(fb);
	}
}

static void virtgpu_kms_blob_rejected(struct virtgpu_resource_mgr *mgr)
{
	struct virtgpu_device *vgdev = container_of(mgr, struct virtgpu_device, resources);

	schedule_work(&vgdev->kms.fallback_work);
}

/*
 * Setup, suspend and teardown
 */

static const struct drm_mode_config_funcs virtgpu_mode_config_funcs = {
	.fb_create = virtgpu_fb_create,
	.atomic_check = drm_atomic_helper_check,
	.atomic_commit = virtgpu_atomic_commit,
};

static int virtgpu_kms_init_mode_config(struct virtgpu_device *vgdev)
{
	struct drm_device *dev = &vgdev->drm;
	struct drm_mode_config *config = &dev->mode_config;
	int ret;

	ret = drmm_mode_config_init(dev);
	if (ret)
		return ret;

	config->funcs = &virtgpu_mode_config_funcs;
	config->max_width = VIRTGPU_FB_MAX;
	config->max_height = VIRTGPU_FB_MAX;
	config->cursor_width = VIRTGPU_CURSOR_SIZE;
	config->cursor_height = VIRTGPU_CURSOR_SIZE;
	config->preferred_depth = 24;
	config->quirk_addfb_prefer_host_byte_order = true;
	config->async_page_flip = true;

	ret = drm_mode_create_suggested_offset_properties(dev);
	if (ret)
		return ret;

	vgdev->kms.mode_update =
		drm_property_create_range(dev, DRM_MODE_PROP_IMMUTABLE,
					  "hotplug_mode_update", 0, 1);

	return vgdev->kms.mode_update ? 0 : -ENOMEM;
}

static int virtgpu_kms_init_outputs(struct virtgpu_device *vgdev)
{
	struct virtgpu_kms *kms = &vgdev->kms;
	unsigned int i;
	int ret;

	for (i = 0; i < vgdev->features.scanouts; i++) {
		/*
		 * virtgpu_kms_release() also releases a partially initialised
		 * output.
		 */
		kms->count++;
		ret = virtgpu_output_init(&kms->outputs[i], vgdev, i);
		if (ret)
			return ret;
	}

	return 0;
}

static void virtgpu_kms_release(struct drm_device *dev, void *data)
{
	struct virtgpu_device *vgdev = to_virtgpu(dev);
	struct virtgpu_kms *kms = &vgdev->kms;
	unsigned int i;

	for (i = 0; i < kms->count; i++)
		virtgpu_output_fini(&kms->outputs[i]);
	virtgpu_panic_fini(&kms->panic);
}

/**
 * virtgpu_kms_init() - Initialise modesetting
 * @vgdev: a device with initialised features and queues
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory, negative error code from DRM
 * otherwise.
 */
int virtgpu_kms_init(struct virtgpu_device *vgdev)
{
	struct virtgpu_kms *kms = &vgdev->kms;
	unsigned int i;
	int ret;

	ret = drmm_mutex_init(&vgdev->drm, &kms->lock);
	if (ret)
		return ret;
	INIT_DELAYED_WORK(&kms->config_work, virtgpu_kms_config_work);
	kms->commit_wq = virtgpu_atomic_workqueue();
	INIT_WORK(&kms->fallback_work, virtgpu_kms_fallback_work);
	vgdev->resources.on_rejected = virtgpu_kms_blob_rejected;

	/*
	 * Allocate before the action is added: DRM releases in reverse order.
	 */
	kms->outputs = drmm_kcalloc(&vgdev->drm, vgdev->features.scanouts,
				    sizeof(*kms->outputs), GFP_KERNEL);
	if (!kms->outputs)
		return -ENOMEM;

	ret = drmm_add_action_or_reset(&vgdev->drm, virtgpu_kms_release, NULL);
	if (ret)
		return ret;

	ret = virtgpu_kms_init_mode_config(vgdev);
	if (ret)
		return ret;
	ret = virtgpu_kms_init_outputs(vgdev);
	if (ret)
		return ret;
	/* The vblank clock needs no timer while there are no waiters. */
	vgdev->drm.max_vblank_count = U32_MAX;
	vgdev->drm.vblank_disable_immediate = true;
	ret = drm_vblank_init(&vgdev->drm, kms->count);
	if (ret)
		return ret;
	for (i = 0; i < kms->count; i++)
		virtgpu_crc_init(&kms->outputs[i].crc, &kms->outputs[i].crtc,
				 &kms->outputs[i].frames);
	drm_mode_config_reset(&vgdev->drm);

	return 0;
}

/**
 * virtgpu_kms_start() - Query the display info for the first time
 * @vgdev: a device with started queues
 *
 * Context: May sleep. Waits for the host.
 * Return: 0 on success, -ENOMEM if out of memory, -ETIMEDOUT if the host does
 * not respond, -EINTR for a fatal signal, the error of GET_DISPLAY_INFO or
 * virtgpu_panic_init() otherwise.
 */
int virtgpu_kms_start(struct virtgpu_device *vgdev)
{
	int ret;

	if (!vgdev->kms.count)
		return 0;

	ret = virtgpu_panic_init(&vgdev->kms.panic, vgdev);
	if (ret)
		return ret;
	virtgpu_kms_test_clear_event(vgdev);
	return virtgpu_kms_query_outputs(vgdev);
}

static void virtgpu_kms_cancel_works(struct virtgpu_kms *kms)
{
	cancel_delayed_work_sync(&kms->config_work);
	cancel_work_sync(&kms->fallback_work);
	virtgpu_atomic_flush_works();
}

/**
 * virtgpu_kms_tick() - Check frames and queries without a response
 * @vgdev: the device
 *
 * Context: Process context. Called once per watchdog period of the control
 * queue.
 */
void virtgpu_kms_tick(struct virtgpu_device *vgdev)
{
	struct virtgpu_kms *kms = &vgdev->kms;
	unsigned int i;

	for (i = 0; i < kms->count; i++)
		virtgpu_frames_tick(&kms->outputs[i].frames);
	if (READ_ONCE(kms->query) && READ_ONCE(vgdev->ctrl.skipped) != kms->skipped) {
		kms->skipped = vgdev->ctrl.skipped;
		schedule_delayed_work(&kms->config_work, 0);
	}
}

/**
 * virtgpu_kms_suspend() - Save the state of the outputs and disable them
 * @vgdev: a device with started queues and frozen user space
 *
 * Context: May sleep. Takes all modeset locks.
 * Return: 0 on success, or a negative error code with the outputs unchanged.
 */
int virtgpu_kms_suspend(struct virtgpu_device *vgdev)
{
	int ret;

	if (!vgdev->kms.count)
		return 0;

	WRITE_ONCE(vgdev->kms.suspending, true);
	ret = drm_mode_config_helper_suspend(&vgdev->drm);
	WRITE_ONCE(vgdev->kms.suspending, false);
	if (ret)
		return ret;
	/* A work may still release old framebuffers. */
	virtgpu_kms_cancel_works(&vgdev->kms);

	return 0;
}

/* Resources of contexts are lost. Planes that showed them are disabled. */
static void virtgpu_kms_drop_stale_planes(struct drm_atomic_commit *state)
{
	struct drm_crtc_state *crtc_state;
	struct drm_plane_state *new;
	struct drm_plane *plane;
	int i;

	for_each_new_plane_in_state(state, plane, new, i) {
		if (!new->fb || !virtgpu_gem_host_error(to_virtgpu_gem(new->fb->obj[0])))
			continue;
		crtc_state = drm_atomic_get_new_crtc_state(state, new->crtc);
		crtc_state->plane_mask &= ~drm_plane_mask(plane);
		new->crtc = NULL;
		drm_atomic_set_fb_for_plane(new, NULL);
	}
}

/**
 * virtgpu_kms_resume() - Restore the state of the outputs
 * @vgdev: a device with restarted queues
 *
 * Outputs that cannot be restored stay disabled until user space sets a mode.
 *
 * Context: May sleep. Takes all modeset locks.
 */
void virtgpu_kms_resume(struct virtgpu_device *vgdev)
{
	struct virtgpu_kms *kms = &vgdev->kms;

	if (!kms->count)
		return;

	virtgpu_panic_reset(&kms->panic);
	/* The display info may have changed during suspend. */
	kms->info_dirty = true;
	virtgpu_kms_config_changed(vgdev);

	if (vgdev->drm.mode_config.suspend_state)
		virtgpu_kms_drop_stale_planes(vgdev->drm.mode_config.suspend_state);
	/* The helper logs errors. */
	if (drm_mode_config_helper_resume(&vgdev->drm))
		drm_kms_helper_hotplug_event(&vgdev->drm);
}

/**
 * virtgpu_kms_stop() - Stop all works
 * @vgdev: a device with stopped queues
 *
 * Context: May sleep.
 */
void virtgpu_kms_stop(struct virtgpu_device *vgdev)
{
	struct drm_mode_config *config = &vgdev->drm.mode_config;
	unsigned int i;

	if (!vgdev->kms.count)
		return;

	vgdev->resources.on_rejected = NULL;
	virtgpu_kms_cancel_works(&vgdev->kms);
	virtgpu_display_query_put(vgdev->kms.query);
	vgdev->kms.query = NULL;
	for (i = 0; i < vgdev->kms.count; i++)
		virtgpu_crc_fini(&vgdev->kms.outputs[i].crc);

	/* A device that is removed while suspended is not resumed. */
	if (config->suspend_state)
		drm_atomic_commit_put(config->suspend_state);
	config->suspend_state = NULL;
}
