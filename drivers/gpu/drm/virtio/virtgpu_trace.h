/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM virtio_gpu

#if !defined(VIRTGPU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VIRTGPU_TRACE_H

#include <linux/tracepoint.h>

struct virtgpu_fence;
struct virtgpu_frames;
struct virtgpu_msg;
struct virtgpu_vq;
struct virtio_gpu_ctrl_hdr;

/* @hdr is that of the request or of the response, NULL without a response. */
DECLARE_EVENT_CLASS(virtio_gpu_cmd,
	TP_PROTO(const struct virtgpu_vq *q, const struct virtgpu_msg *msg,
		 const struct virtio_gpu_ctrl_hdr *hdr),
	TP_ARGS(q, msg, hdr),
	TP_STRUCT__entry(
		__field(int, dev)
		__field(unsigned int, vq)
		__string(name, q->name)
		__field(u32, type)
		__field(u32, flags)
		__field(u64, fence_id)
		__field(u32, ctx_id)
		__field(u32, num_free)
		__field(u32, seqno)
		__string(command, msg->cmd->name)
		__field(u32, entries)
		__field(int, error)
		__field(bool, late)
	),
	TP_fast_assign(
		struct virtgpu_vq_ring_info ring;

		virtgpu_vq_get_ring_info(q, &ring);
		__entry->dev = ring.dev;
		__entry->vq = ring.index;
		__assign_str(name);
		__entry->type = hdr ? le32_to_cpu(hdr->type) : 0;
		__entry->flags = hdr ? le32_to_cpu(hdr->flags) : 0;
		__entry->fence_id = hdr ? le64_to_cpu(hdr->fence_id) : 0;
		__entry->ctx_id = hdr ? le32_to_cpu(hdr->ctx_id) : 0;
		__entry->num_free = ring.num_free;
		__entry->seqno = msg->serial;
		__assign_str(command);
		__entry->entries = msg->payload ? msg->payload->count : 0;
		__entry->error = msg->error;
		__entry->late = msg->timed_out;
	),
	TP_printk("vdev=%d vq=%u name=%s type=0x%x flags=0x%x fence_id=%llu ctx_id=%u num_free=%u seqno=%u command=%s entries=%u error=%d%s",
		  __entry->dev, __entry->vq, __get_str(name), __entry->type,
		  __entry->flags, __entry->fence_id, __entry->ctx_id,
		  __entry->num_free, __entry->seqno, __get_str(command),
		  __entry->entries, __entry->error, __entry->late ? " late" : "")
);

DEFINE_EVENT(virtio_gpu_cmd, virtio_gpu_cmd_queue,
	TP_PROTO(const struct virtgpu_vq *q, const struct virtgpu_msg *msg,
		 const struct virtio_gpu_ctrl_hdr *hdr),
	TP_ARGS(q, msg, hdr)
);

DEFINE_EVENT(virtio_gpu_cmd, virtio_gpu_cmd_response,
	TP_PROTO(const struct virtgpu_vq *q, const struct virtgpu_msg *msg,
		 const struct virtio_gpu_ctrl_hdr *hdr),
	TP_ARGS(q, msg, hdr)
);

TRACE_EVENT(virtio_gpu_fence_signaled,
	TP_PROTO(const struct virtgpu_fence *f, int error),
	TP_ARGS(f, error),
	TP_STRUCT__entry(
		__string(timeline, f->name)
		__field(u64, context)
		__field(u64, seqno)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(timeline);
		__entry->context = f->base.context;
		__entry->seqno = f->base.seqno;
		__entry->error = error;
	),
	TP_printk("timeline=%s context=%llu seqno=%llu error=%d",
		  __get_str(timeline), __entry->context, __entry->seqno,
		  __entry->error)
);

DECLARE_EVENT_CLASS(virtio_gpu_backing,
	TP_PROTO(u32 resource, u32 entries, u64 bytes),
	TP_ARGS(resource, entries, bytes),
	TP_STRUCT__entry(
		__field(u32, resource)
		__field(u32, entries)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->resource = resource;
		__entry->entries = entries;
		__entry->bytes = bytes;
	),
	TP_printk("resource=%u entries=%u bytes=%llu",
		  __entry->resource, __entry->entries, __entry->bytes)
);

DEFINE_EVENT(virtio_gpu_backing, virtio_gpu_backing_attach,
	TP_PROTO(u32 resource, u32 entries, u64 bytes),
	TP_ARGS(resource, entries, bytes)
);

DEFINE_EVENT(virtio_gpu_backing, virtio_gpu_backing_detach,
	TP_PROTO(u32 resource, u32 entries, u64 bytes),
	TP_ARGS(resource, entries, bytes)
);

DECLARE_EVENT_CLASS(virtio_gpu_frame,
	TP_PROTO(const struct virtgpu_frames *f),
	TP_ARGS(f),
	TP_STRUCT__entry(
		__field(u32, output)
		__field(u64, frame)
		__field(s64, queued_us)
		__field(bool, holding)
	),
	TP_fast_assign(
		__entry->output = f->scanout_state.scanout;
		__entry->frame = f->stats.frames;
		__entry->queued_us = ktime_to_us(f->queued);
		__entry->holding = f->holding;
	),
	TP_printk("output=%u frame=%llu queued_us=%lld holding=%d", __entry->output,
		  __entry->frame, __entry->queued_us, __entry->holding)
);

DEFINE_EVENT(virtio_gpu_frame, virtio_gpu_frame_queued,
	TP_PROTO(const struct virtgpu_frames *f),
	TP_ARGS(f)
);

DEFINE_EVENT(virtio_gpu_frame, virtio_gpu_frame_response,
	TP_PROTO(const struct virtgpu_frames *f),
	TP_ARGS(f)
);

DEFINE_EVENT(virtio_gpu_frame, virtio_gpu_frame_event,
	TP_PROTO(const struct virtgpu_frames *f),
	TP_ARGS(f)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE virtgpu_trace
#include <trace/define_trace.h>
