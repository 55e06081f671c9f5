// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/workqueue.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_crtc.h>
#include <drm/drm_plane.h>
#include <drm/drm_vblank.h>

#include "virtgpu_atomic.h"
#include "virtgpu_cursor.h"
#include "virtgpu_device.h"

/**
 * DOC: commits
 *
 * A commit queues the commands of all its planes and kicks the control queue
 * once. A nonblocking commit does not wait for the host. A blocking commit
 * waits until its flip is done (see virtgpu_frame.c).
 *
 * drm_atomic_helper_commit() is not used, because it queues every nonblocking
 * commit to a worker. Here a nonblocking commit runs in the context of its
 * caller, unless it must wait for a rendering fence, or user space has set
 * DRM_MODE_ATOMIC_ALLOW_MODESET.
 *
 * Buffers that are no longer shown are released at the end of the commit,
 * because a worker would cost further task switches. The commands that detach
 * or destroy their resources follow the new frame in the ring, and their memory
 * is reused only after the host has responded to these commands. While the next
 * frame waits, the buffer that the host still shows is kept: see
 * virtgpu_frames_keep().
 */

/*
 * Shared by all devices of the module, because the end of a commit may drop the
 * last reference to its device.
 */
static struct workqueue_struct *virtgpu_commit_wq;

/**
 * virtgpu_atomic_init() - Allocate the workqueue of commits
 *
 * Context: May sleep.
 * Return: 0 on success, -ENOMEM if out of memory.
 */
int virtgpu_atomic_init(void)
{
	virtgpu_commit_wq = alloc_workqueue("virtio_gpu_commits", WQ_UNBOUND | WQ_HIGHPRI, 0);

	return virtgpu_commit_wq ? 0 : -ENOMEM;
}

/**
 * virtgpu_atomic_exit() - Destroy the workqueue of commits
 *
 * Context: May sleep.
 */
void virtgpu_atomic_exit(void)
{
	destroy_workqueue(virtgpu_commit_wq);
}

/**
 * virtgpu_atomic_flush_works() - Wait for all works on the commit workqueue
 *
 * Context: May sleep. Caller must not hold modeset locks.
 */
void virtgpu_atomic_flush_works(void)
{
	flush_workqueue(virtgpu_commit_wq);
}

/**
 * virtgpu_atomic_workqueue() - Get the workqueue of commits
 *
 * Context: Any.
 * Return: the workqueue, which lives as long as the module.
 */
struct workqueue_struct *virtgpu_atomic_workqueue(void)
{
	return virtgpu_commit_wq;
}

/* Must not fail, and does not wait for the host. */
static void virtgpu_atomic_commit_tail(struct drm_atomic_commit *state)
{
	struct drm_device *dev = state->dev;

	drm_atomic_helper_commit_modeset_disables(dev, state);
	/* Enable vblanks before RESOURCE_FLUSH is queued. */
	drm_atomic_helper_commit_modeset_enables(dev, state);
	drm_atomic_helper_commit_planes(dev, state, DRM_PLANE_COMMIT_ACTIVE_ONLY);
	virtgpu_vq_kick(&to_virtgpu(dev)->ctrl);

	drm_atomic_helper_commit_hw_done(state);
	drm_atomic_helper_cleanup_planes(dev, state);
	drm_atomic_helper_commit_cleanup_done(state);
	drm_atomic_commit_put(state);
}

/* A GPU may raise its clock to finish before the next vblank. */
static void virtgpu_atomic_set_deadlines(struct drm_atomic_commit *state)
{
	struct drm_crtc_state *crtc_state;
	struct drm_plane_state *new;
	struct drm_plane *plane;
	ktime_t vblank;
	int i;

	for_each_new_plane_in_state(state, plane, new, i) {
		if (!new->fence || !new->crtc)
			continue;
		crtc_state = drm_atomic_get_new_crtc_state(state, new->crtc);
		if (crtc_state->active && !drm_atomic_crtc_needs_modeset(crtc_state) &&
		    !drm_crtc_next_vblank_start(new->crtc, &vblank))
			dma_fence_set_deadline(new->fence, vblank);
	}
}

/*
 * Later commits of the output wait for this one: those that close a file, or
 * suspend the device.  So the wait ends if the host is unresponsive, because
 * rendering may then never finish, and no frame is shown.  It also ends on
 * suspend: rendering does not finish while the display holds a frame.
 */
static void virtgpu_atomic_wait_for_fences(struct drm_atomic_commit *state)
{
	struct virtgpu_device *vgdev = to_virtgpu(state->dev);
	struct drm_plane_state *new;
	struct drm_plane *plane;
	int i;

	virtgpu_atomic_set_deadlines(state);
	for_each_new_plane_in_state(state, plane, new, i) {
		if (!new->fence)
			continue;
		while (!dma_fence_wait_timeout(new->fence, false, HZ) &&
		       !virtgpu_vq_is_wedged(&vgdev->ctrl) &&
		       !READ_ONCE(vgdev->kms.suspending))
			;
		dma_fence_put(new->fence);
		new->fence = NULL;
	}
}

static void virtgpu_atomic_commit_work(struct work_struct *work)
{
	struct drm_atomic_commit *state = container_of(work, struct drm_atomic_commit,
						       commit_work);

	virtgpu_atomic_wait_for_fences(state);
	virtgpu_atomic_commit_tail(state);
}

/*
 * DRM checks the pending flips of a CRTC only among the commits that were not
 * cleaned up, but commits are cleaned up before their flip is done.
 */
static bool virtgpu_atomic_flip_pending(struct drm_atomic_commit *state)
{
	struct drm_crtc_state *old_crtc;
	struct drm_crtc *crtc;
	int i;

	for_each_old_crtc_in_state(state, crtc, old_crtc, i)
		if (old_crtc->commit && !completion_done(&old_crtc->commit->flip_done))
			return true;

	return false;
}

static bool virtgpu_atomic_fence_pending(struct drm_atomic_commit *state)
{
	struct drm_plane_state *new_plane;
	struct drm_plane *plane;
	int i;

	for_each_new_plane_in_state(state, plane, new_plane, i)
		if (new_plane->fence && !dma_fence_is_signaled(new_plane->fence))
			return true;

	return false;
}

static int virtgpu_atomic_commit_async(struct drm_device *dev, struct drm_atomic_commit *state)
{
	int ret = drm_atomic_helper_prepare_planes(dev, state);

	if (ret)
		return ret;

	drm_atomic_helper_async_commit(dev, state);
	virtgpu_vq_kick(&to_virtgpu(dev)->ctrl);
	/* The update has swapped the old framebuffer into the new state. */
	drm_atomic_helper_unprepare_planes(dev, state);

	return 0;
}

/* Moving or hiding a cursor takes no room on the control queue. */
static bool virtgpu_atomic_uploads_cursor(struct drm_atomic_commit *state)
{
	struct drm_plane_state *old, *new;
	struct drm_plane *plane;
	int i;

	for_each_oldnew_plane_in_state(state, plane, old, new, i)
		if (plane->type == DRM_PLANE_TYPE_CURSOR && new->fb &&
		    virtgpu_cursor_needs_upload(old, new))
			return true;

	return false;
}

/**
 * virtgpu_atomic_commit() - Implement &drm_mode_config_funcs.atomic_commit
 * @dev: the device
 * @state: a checked state
 * @nonblock: do not wait for fences or for the flip
 *
 * Context: May sleep. Caller holds the modeset locks of @state.
 * Return: 0 on success, -EBUSY if an earlier flip is pending or if the control
 * queue is too congested for the image of a legacy cursor update, -ERESTARTSYS
 * if waiting was interrupted, -ENOMEM if out of memory, negative error code
 * from prepare_fb otherwise.
 */
int virtgpu_atomic_commit(struct drm_device *dev, struct drm_atomic_commit *state,
			  bool nonblock)
{
	int ret;

	/* Nothing else throttles legacy cursor updates. */
	if (state->legacy_cursor_update && virtgpu_atomic_uploads_cursor(state) &&
	    virtgpu_vq_is_congested(&to_virtgpu(dev)->ctrl))
		return -EBUSY;
	if (state->async_update)
		return virtgpu_atomic_commit_async(dev, state);

	if (nonblock && virtgpu_atomic_flip_pending(state))
		return -EBUSY;

	ret = drm_atomic_helper_setup_commit(state, nonblock);
	if (ret)
		return ret;

	ret = drm_atomic_helper_prepare_planes(dev, state);
	if (ret)
		return ret;

	if (!nonblock) {
		ret = drm_atomic_helper_wait_for_fences(dev, state, true);
		if (ret)
			goto unprepare;
	}

	ret = drm_atomic_helper_swap_state(state, true);
	if (ret)
		goto unprepare;

	drm_atomic_commit_get(state);
	if (nonblock && (state->allow_modeset || virtgpu_atomic_fence_pending(state))) {
		INIT_WORK(&state->commit_work, virtgpu_atomic_commit_work);
		queue_work(virtgpu_commit_wq, &state->commit_work);
		return 0;
	}

	/*
	 * A nonblocking commit has failed with -EBUSY if it had dependencies.
	 */
	if (!nonblock)
		drm_atomic_helper_wait_for_dependencies(state);
	virtgpu_atomic_commit_tail(state);
	if (!nonblock)
		drm_atomic_helper_wait_for_flip_done(dev, state);

	return 0;

unprepare:
	drm_atomic_helper_unprepare_planes(dev, state);
	return ret;
}
