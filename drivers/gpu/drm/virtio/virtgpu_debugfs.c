// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>
#include <drm/drm_print.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_debugfs.h"
#include "virtgpu_device.h"
#include "virtgpu_output.h"

/**
 * DOC: debugfs
 *
 * Beside DRM's own files there are in ``/sys/kernel/debug/dri/N``: ``features``
 * (what was negotiated), ``outputs`` (what the host wants, what it is asked to show,
 * and for how long its display holds a frame), ``frames`` (frames that were queued,
 * missed, replaced and held, and a histogram of each step), ``resources`` (what the host
 * knows by a number), ``contexts`` (what programs have there), ``window`` (what is mapped
 * of the host's memory) and ``counters``.  All are lines of ``name: value``.
 */

static struct virtgpu_device *debugfs_to_virtgpu(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_virtgpu(entry->dev);
}

static int virtgpu_debugfs_features(struct seq_file *m, void *data)
{
	const struct virtgpu_features *f = &debugfs_to_virtgpu(m)->features;
	struct drm_printer p = drm_seq_file_printer(m);

	drm_printf(&p, "edid: %u\n", f->edid);
	drm_printf(&p, "resource_blob: %u\n", f->blob);
	drm_printf(&p, "resource_uuid: %u\n", f->uuid);
	drm_printf(&p, "context_init: %u\n", f->context_init);
	drm_printf(&p, "virgl: %u\n", f->virgl);
	drm_printf(&p, "access_platform: %u\n", f->dma);
	drm_printf(&p, "ring_indirect: %u\n", f->indirect);
	drm_printf(&p, "ring_event_idx: %u\n", f->event_idx);
	drm_printf(&p, "ring_packed: %u\n", f->packed);
	drm_printf(&p, "blob_alignment: %u\n", f->blob_align);
	drm_printf(&p, "scanouts: %u\n", f->scanouts);
	drm_printf(&p, "capsets: %u\n", f->capsets);
	drm_printf(&p, "ctrl_ring: %u\n", debugfs_to_virtgpu(m)->ctrl.ring_size);
	drm_printf(&p, "cursor_ring: %u\n", debugfs_to_virtgpu(m)->cursor.ring_size);

	return 0;
}

static int virtgpu_debugfs_resources(struct seq_file *m, void *data)
{
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_resources_print(&debugfs_to_virtgpu(m)->resources, &p);

	return 0;
}

static int virtgpu_debugfs_contexts(struct seq_file *m, void *data)
{
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_contexts_print(&debugfs_to_virtgpu(m)->contexts, &p);

	return 0;
}

static int virtgpu_debugfs_host_visible(struct seq_file *m, void *data)
{
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_host_visible_print(&debugfs_to_virtgpu(m)->host_visible, &p);

	return 0;
}

#define COMMAND(group, name) \
	{ VIRTGPU_STAT_##group + ((VIRTIO_GPU_CMD_##name) & 0xff), #name }

static const struct {
	unsigned int index;
	const char *name;
} commands[] = {
	COMMAND(2D, GET_DISPLAY_INFO),
	COMMAND(2D, RESOURCE_CREATE_2D),
	COMMAND(2D, RESOURCE_UNREF),
	COMMAND(2D, SET_SCANOUT),
	COMMAND(2D, RESOURCE_FLUSH),
	COMMAND(2D, TRANSFER_TO_HOST_2D),
	COMMAND(2D, RESOURCE_ATTACH_BACKING),
	COMMAND(2D, RESOURCE_DETACH_BACKING),
	COMMAND(2D, GET_EDID),
	COMMAND(2D, GET_CAPSET_INFO),
	COMMAND(2D, GET_CAPSET),
	COMMAND(2D, RESOURCE_ASSIGN_UUID),
	COMMAND(2D, RESOURCE_CREATE_BLOB),
	COMMAND(2D, SET_SCANOUT_BLOB),
	COMMAND(3D, CTX_CREATE),
	COMMAND(3D, CTX_DESTROY),
	COMMAND(3D, CTX_ATTACH_RESOURCE),
	COMMAND(3D, CTX_DETACH_RESOURCE),
	COMMAND(3D, RESOURCE_CREATE_3D),
	COMMAND(3D, TRANSFER_TO_HOST_3D),
	COMMAND(3D, TRANSFER_FROM_HOST_3D),
	COMMAND(3D, SUBMIT_3D),
	COMMAND(3D, RESOURCE_MAP_BLOB),
	COMMAND(3D, RESOURCE_UNMAP_BLOB),
	COMMAND(CURSOR, UPDATE_CURSOR),
	COMMAND(CURSOR, MOVE_CURSOR),
};

#undef COMMAND

static void virtgpu_debugfs_vq(struct virtgpu_vq *q, struct drm_printer *p)
{
	struct virtgpu_vq_stats s;
	unsigned int outstanding, i;

	spin_lock_irq(&q->lock);
	s = q->stats;
	outstanding = q->num_pending;
	spin_unlock_irq(&q->lock);

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (s.commands[commands[i].index])
			drm_printf(p, "%s_%s: %llu\n", q->name, commands[i].name,
				   s.commands[commands[i].index]);
	drm_printf(p, "%s_kicks: %llu\n", q->name, s.kicks);
	drm_printf(p, "%s_interrupts: %llu\n", q->name, s.interrupts);
	drm_printf(p, "%s_full: %llu\n", q->name, s.backlogged);
	drm_printf(p, "%s_errors: %llu\n", q->name, s.errors);
	drm_printf(p, "%s_timeouts: %llu\n", q->name, s.timeouts);
	drm_printf(p, "%s_probes: %llu\n", q->name, s.probes);
	drm_printf(p, "%s_outstanding: %u\n", q->name, outstanding);
	drm_printf(p, "%s_wedged: %u\n", q->name, virtgpu_vq_is_wedged(q));
}

static int virtgpu_debugfs_counters(struct seq_file *m, void *data)
{
	struct virtgpu_device *vgdev = debugfs_to_virtgpu(m);
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_debugfs_vq(&vgdev->ctrl, &p);
	virtgpu_debugfs_vq(&vgdev->cursor, &p);
	drm_printf(&p, "fallbacks: %d\n", atomic_read(&vgdev->counters.fallbacks));
	drm_printf(&p, "move_waits: %d\n", atomic_read(&vgdev->counters.move_waits));

	return 0;
}

static int virtgpu_debugfs_outputs(struct seq_file *m, void *data)
{
	struct virtgpu_kms *d = &debugfs_to_virtgpu(m)->kms;
	struct drm_printer p = drm_seq_file_printer(m);
	unsigned int i;

	if (!d->count)
		return 0;

	mutex_lock(&d->lock);
	for (i = 0; i < d->count; i++) {
		struct virtgpu_output *out = &d->outputs[i];
		const struct virtgpu_cmd_scanout *s = &out->frames.scanout;

		drm_printf(&p, "output: id=%u connector=%s enabled=%u edid=%u", i,
			   out->connector.name, out->info.enabled, !!out->info.edid);
		drm_printf(&p, " position=%u,%u size=%ux%u", out->info.x,
			   out->info.y, out->info.width, out->info.height);
		drm_printf(&p, " resource=%u rect=%u,%u+%ux%u held_ms=%u\n", s->resource,
			   s->x, s->y, s->w, s->h, virtgpu_frames_held_ms(&out->frames));
	}
	mutex_unlock(&d->lock);

	return 0;
}

static int virtgpu_debugfs_frames(struct seq_file *m, void *data)
{
	struct virtgpu_kms *d = &debugfs_to_virtgpu(m)->kms;
	struct drm_printer p = drm_seq_file_printer(m);
	unsigned int i;

	for (i = 0; i < d->count; i++)
		virtgpu_frames_print(&d->outputs[i].frames, i, &p);

	return 0;
}

static const struct drm_debugfs_info files[] = {
	{ "features", virtgpu_debugfs_features, 0 },
	{ "resources", virtgpu_debugfs_resources, 0 },
	{ "contexts", virtgpu_debugfs_contexts, 0 },
	{ "window", virtgpu_debugfs_host_visible, 0 },
	{ "counters", virtgpu_debugfs_counters, 0 },
	{ "outputs", virtgpu_debugfs_outputs, 0 },
	{ "frames", virtgpu_debugfs_frames, 0 },
};

/**
 * virtgpu_debugfs_init - add the files of a device
 * @minor: the device's primary minor
 */
void virtgpu_debugfs_init(struct drm_minor *minor)
{
	drm_debugfs_add_files(minor->dev, files, ARRAY_SIZE(files));
}
