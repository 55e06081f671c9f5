// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/string_choices.h>
#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "virtgpu_debugfs.h"
#include "virtgpu_device.h"
#include "virtgpu_output.h"
#include "virtgpu_wire.h"

/**
 * DOC: debugfs
 *
 * The driver adds files to ``/sys/kernel/debug/dri/N``.  Their format is not
 * stable; tools in this tree are changed together with the files.
 *
 * ``virtio-gpu-features``
 *     Negotiated features and the device's limits.
 * ``virtio-gpu-irq-fence``
 *     ``fence COMPLETED QUEUED``: all commands up to fence ID COMPLETED have
 *     completed; QUEUED is the fence ID of the last fenced command.
 * ``virtio-gpu-host-visible-mm``
 *     Allocated ranges of the host-visible region, as drm_mm_print() has them.
 * ``virtio-gpu-host-visible``
 *     Blob resources that may be mapped into the host-visible region.
 * ``virtio-gpu-outputs``
 *     Display info from the host, the current scanout, and for how long the
 *     host's display has held the current frame.
 * ``virtio-gpu-frames``
 *     Queued, missed, replaced and held frames, and a histogram of each step.
 * ``virtio-gpu-resources``
 *     Resources of the device.
 * ``virtio-gpu-contexts``
 *     Rendering contexts of the device.
 * ``virtio-gpu-counters``
 *     Commands, notifications, errors and timeouts of each virtqueue.
 *
 * The first three files have the names and lines of the in-tree driver.  The
 * others consist of lines ``name: value`` or ``object: name=value ...``.
 */

static struct virtgpu_device *debugfs_to_virtgpu(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_virtgpu(entry->dev);
}

static void virtgpu_debugfs_print_bool(struct drm_printer *p, const char *name, bool value)
{
	drm_printf(p, "%-16s : %s\n", name, str_yes_no(value));
}

static void virtgpu_debugfs_print_uint(struct drm_printer *p, const char *name, u32 value)
{
	drm_printf(p, "%-16s : %u\n", name, value);
}

static int virtgpu_debugfs_features(struct seq_file *m, void *data)
{
	struct virtgpu_device *vgdev = debugfs_to_virtgpu(m);
	const struct virtgpu_host_visible *hv = &vgdev->host_visible;
	const struct virtgpu_features *f = &vgdev->features;
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_debugfs_print_bool(&p, "virgl", f->virgl);
	virtgpu_debugfs_print_bool(&p, "edid", f->edid);
	virtgpu_debugfs_print_bool(&p, "indirect", f->indirect);
	virtgpu_debugfs_print_bool(&p, "resource uuid", f->uuid);
	virtgpu_debugfs_print_bool(&p, "blob resources", f->blob);
	virtgpu_debugfs_print_bool(&p, "context init", f->context_init);
	virtgpu_debugfs_print_uint(&p, "cap sets", f->capsets);
	virtgpu_debugfs_print_uint(&p, "scanouts", f->scanouts);
	if (hv->size)
		drm_printf(&p, "%-16s : 0x%llx +0x%llx\n", "host visible region",
			   hv->start, hv->size);

	virtgpu_debugfs_print_uint(&p, "blob alignment", f->blob_align);
	virtgpu_debugfs_print_bool(&p, "access platform", f->dma);
	virtgpu_debugfs_print_bool(&p, "bounce buffers", vgdev->backings.bounces);
	virtgpu_debugfs_print_bool(&p, "event index", f->event_idx);
	virtgpu_debugfs_print_bool(&p, "packed ring", f->packed);
	virtgpu_debugfs_print_uint(&p, "control ring", vgdev->ctrl.ring_size);
	virtgpu_debugfs_print_uint(&p, "cursor ring", vgdev->cursor.ring_size);

	return 0;
}

static int virtgpu_debugfs_irq_fence(struct seq_file *m, void *data)
{
	struct drm_printer p = drm_seq_file_printer(m);
	u64 completed, queued;

	virtgpu_vq_fence_ids(&debugfs_to_virtgpu(m)->ctrl, &completed, &queued);
	drm_printf(&p, "fence %llu %llu\n", completed, queued);

	return 0;
}

static int virtgpu_debugfs_host_visible_mm(struct seq_file *m, void *data)
{
	struct virtgpu_host_visible *hv = &debugfs_to_virtgpu(m)->host_visible;
	struct drm_printer p = drm_seq_file_printer(m);

	if (!hv->size) {
		drm_puts(&p, "no host-visible region\n");
		return 0;
	}

	spin_lock_irq(&hv->lock);
	drm_mm_print(&hv->space, &p);
	spin_unlock_irq(&hv->lock);

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

static void virtgpu_debugfs_vq(struct virtgpu_vq *q, struct drm_printer *p)
{
	struct virtgpu_vq_stats s;
	unsigned int pending, i;

	spin_lock_irq(&q->lock);
	s = q->stats;
	pending = q->num_pending;
	spin_unlock_irq(&q->lock);

	for (i = 0; i < VIRTGPU_NUM_CMDS; i++)
		if (s.commands[i])
			drm_printf(p, "%s_%s: %llu\n", q->name, virtgpu_cmd_table[i].name,
				   s.commands[i]);
	drm_printf(p, "%s_kicks: %llu\n", q->name, s.kicks);
	drm_printf(p, "%s_interrupts: %llu\n", q->name, s.interrupts);
	drm_printf(p, "%s_backlogged: %llu\n", q->name, s.backlogged);
	drm_printf(p, "%s_errors: %llu\n", q->name, s.errors);
	drm_printf(p, "%s_timeouts: %llu\n", q->name, s.timeouts);
	drm_printf(p, "%s_probes: %llu\n", q->name, s.probes);
	drm_printf(p, "%s_pending: %u\n", q->name, pending);
	drm_printf(p, "%s_wedged: %u\n", q->name, virtgpu_vq_is_wedged(q));
}

static int virtgpu_debugfs_counters(struct seq_file *m, void *data)
{
	struct virtgpu_device *vgdev = debugfs_to_virtgpu(m);
	struct drm_printer p = drm_seq_file_printer(m);

	virtgpu_debugfs_vq(&vgdev->ctrl, &p);
	virtgpu_debugfs_vq(&vgdev->cursor, &p);
	drm_printf(&p, "blob_fallbacks: %d\n", atomic_read(&vgdev->counters.blob_fallbacks));
	drm_printf(&p, "moves_to_ram: %d\n", atomic_read(&vgdev->counters.moves_to_ram));
	drm_printf(&p, "copied_imports: %d\n", atomic_read(&vgdev->counters.copied_imports));
	drm_printf(&p, "invalidate_waits: %d\n", atomic_read(&vgdev->counters.invalidate_waits));
	drm_printf(&p, "reused_imports: %d\n", atomic_read(&vgdev->counters.reused_imports));

	return 0;
}

static int virtgpu_debugfs_outputs(struct seq_file *m, void *data)
{
	struct virtgpu_kms *kms = &debugfs_to_virtgpu(m)->kms;
	struct drm_printer p = drm_seq_file_printer(m);
	unsigned int i;

	if (!kms->count)
		return 0;

	mutex_lock(&kms->lock);
	for (i = 0; i < kms->count; i++) {
		struct virtgpu_output *out = &kms->outputs[i];
		const struct virtgpu_cmd_scanout *s = &out->frames.scanout_state;

		drm_printf(&p, "output: id=%u connector=%s enabled=%u edid=%u", i,
			   out->connector.name, out->info.enabled, !!out->info.edid);
		drm_printf(&p, " position=%u,%u size=%ux%u", out->info.x,
			   out->info.y, out->info.width, out->info.height);
		drm_printf(&p, " resource=%u rect=%u,%u+%ux%u held_ms=%u\n", s->resource,
			   s->x, s->y, s->w, s->h, virtgpu_frames_held_ms(&out->frames));
	}
	mutex_unlock(&kms->lock);

	return 0;
}

static int virtgpu_debugfs_frames(struct seq_file *m, void *data)
{
	struct virtgpu_kms *kms = &debugfs_to_virtgpu(m)->kms;
	struct drm_printer p = drm_seq_file_printer(m);
	unsigned int i;

	for (i = 0; i < kms->count; i++)
		virtgpu_frames_print(&kms->outputs[i].frames, i, &p);

	return 0;
}

static const struct drm_debugfs_info virtgpu_debugfs_files[] = {
	{ "virtio-gpu-features", virtgpu_debugfs_features, 0 },
	{ "virtio-gpu-irq-fence", virtgpu_debugfs_irq_fence, 0 },
	{ "virtio-gpu-host-visible-mm", virtgpu_debugfs_host_visible_mm, 0 },
	{ "virtio-gpu-host-visible", virtgpu_debugfs_host_visible, 0 },
	{ "virtio-gpu-outputs", virtgpu_debugfs_outputs, 0 },
	{ "virtio-gpu-frames", virtgpu_debugfs_frames, 0 },
	{ "virtio-gpu-resources", virtgpu_debugfs_resources, 0 },
	{ "virtio-gpu-contexts", virtgpu_debugfs_contexts, 0 },
	{ "virtio-gpu-counters", virtgpu_debugfs_counters, 0 },
};

/**
 * virtgpu_debugfs_init() - Add the debugfs files of a device
 * @minor: the primary minor of the device
 */
void virtgpu_debugfs_init(struct drm_minor *minor)
{
	drm_debugfs_add_files(minor->dev, virtgpu_debugfs_files,
			      ARRAY_SIZE(virtgpu_debugfs_files));
}
