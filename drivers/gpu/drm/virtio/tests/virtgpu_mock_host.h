/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_MOCK_HOST_H
#define VIRTGPU_MOCK_HOST_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vhost_iotlb.h>
#include <linux/vringh.h>
#include <linux/workqueue.h>

struct virtqueue;
struct virtgpu_mock;

/**
 * struct virtgpu_mock_rule - A rule for errors and malformed responses
 * @type: VIRTIO_GPU_CMD_* that the rule applies to
 * @skip: number of requests before the first affected one
 * @times: number of affected requests, 0 for all
 * @error: type of the response; the request is not executed if this is
 *	VIRTIO_GPU_RESP_ERR_UNSPEC or more
 * @hold: execute, but do not respond until virtgpu_mock_release()
 * @cut: length of the response in bytes, VIRTGPU_MOCK_NOTHING for 0
 * @excess: number of bytes by which the used length exceeds the buffer
 * @garble: fill the response with noise
 * @link: in &virtgpu_mock_host.rules
 */
struct virtgpu_mock_rule {
	u32 type;
	unsigned int skip;
	unsigned int times;
	u32 error;
	bool hold;
	u32 cut;
	u32 excess;
	bool garble;
	struct list_head link;
};

#define VIRTGPU_MOCK_NOTHING U32_MAX

#define CMD(name) VIRTIO_GPU_CMD_##name

/**
 * struct virtgpu_mock_ring - Device side of a virtqueue
 * @mock: the device
 * @index: index of the virtqueue
 * @vq: driver side, or NULL
 * @vrh: device side
 * @kicks: number of notifications
 * @last_fence: last fence ID
 * @stalled: requests are not processed
 */
struct virtgpu_mock_ring {
	struct virtgpu_mock *mock;
	unsigned int index;
	struct virtqueue *vq;
	struct vringh vrh;
	atomic_t kicks;
	u64 last_fence;
	bool stalled;
};

/* A request that was removed from its ring. */
struct virtgpu_mock_request {
	struct list_head link;
	struct virtgpu_mock_ring *ring;
	u16 head;
	struct vringh_kiov out;
	struct vringh_kiov in;
	u32 type;
	u32 size;
	void *bytes;
	u32 room;
	u8 *resp;
	u32 resp_size;
	bool held; /* the response is, by the device itself */
	unsigned long due; /* for virtgpu_mock_hostile.c */
};

/* A log entry of a request; @timeline is -1 for the default timeline. */
struct virtgpu_mock_log_entry {
	u32 type;
	u32 resource;
	u32 scanout;
	u32 context;
	int timeline;
	unsigned int kick;
};

#define VIRTGPU_MOCK_LOG 512
#define VIRTGPU_MOCK_TYPES (3 * 32)

/**
 * struct virtgpu_mock_host - Processing of requests
 * @lock: protects the following members and &virtgpu_mock.state
 * @rings: control queue and cursor queue
 * @iotlb: identity mapping of guest-physical addresses
 * @iotlb_lock: protects @iotlb, for vringh
 * @wq: workqueue of @work
 * @work: processes requests unless @stopped
 * @thaw_work: work of virtgpu_mock_thaw_later()
 * @stopped: requests are processed by virtgpu_mock_step() only
 * @rules: rules for errors and malformed responses
 * @held: executed requests without a response
 * @log: last requests
 * @logged: number of requests in all
 * @counts: number of requests of each type
 */
struct virtgpu_mock_host {
	struct mutex lock; /* following members, &virtgpu_mock.state */
	struct virtgpu_mock_ring rings[2];
	struct vhost_iotlb iotlb;
	spinlock_t iotlb_lock; /* @iotlb */
	struct workqueue_struct *wq;
	struct work_struct work;
	struct delayed_work thaw_work;
	bool stopped;
	struct list_head rules;
	struct list_head held;
	struct virtgpu_mock_log_entry log[VIRTGPU_MOCK_LOG];
	unsigned int logged;
	unsigned int counts[VIRTGPU_MOCK_TYPES];
};

int virtgpu_mock_host_init(struct virtgpu_mock *m);
void virtgpu_mock_host_fini(struct virtgpu_mock *m);
int virtgpu_mock_host_start(struct virtgpu_mock *m, unsigned int index, struct virtqueue *vq);
void virtgpu_mock_host_stop(struct virtgpu_mock *m);
void virtgpu_mock_host_reset(struct virtgpu_mock *m);
void virtgpu_mock_host_notify(struct virtgpu_mock_ring *ring);
void virtgpu_mock_host_fill_header(struct virtgpu_mock_request *rq, u32 type);
void virtgpu_mock_host_complete(struct virtgpu_mock_request *rq, u32 size, u32 used);
void virtgpu_mock_host_drop(struct virtgpu_mock_request *rq);
void virtgpu_mock_host_release(struct virtgpu_mock_request *rq);
void virtgpu_mock_host_interrupt(struct virtgpu_mock_ring *ring);

/* Control by tests. */
void virtgpu_mock_freeze(struct virtgpu_mock *m);
void virtgpu_mock_thaw(struct virtgpu_mock *m);
void virtgpu_mock_thaw_later(struct virtgpu_mock *m);
bool virtgpu_mock_step(struct virtgpu_mock *m);
unsigned int virtgpu_mock_run(struct virtgpu_mock *m);
void virtgpu_mock_rule(struct virtgpu_mock *m, const struct virtgpu_mock_rule *rule);
void virtgpu_mock_clear_rules(struct virtgpu_mock *m);
void virtgpu_mock_reject(struct virtgpu_mock *m, u32 type, u32 error);
void virtgpu_mock_hold(struct virtgpu_mock *m, u32 type);
unsigned int virtgpu_mock_release(struct virtgpu_mock *m, u32 type);
bool virtgpu_mock_release_one(struct virtgpu_mock *m, u32 type, unsigned int skip);
unsigned int virtgpu_mock_held(struct virtgpu_mock *m, u32 type);
void virtgpu_mock_stalled_cursor(struct virtgpu_mock *m, bool stalled);

/* Queries by tests. */
unsigned int virtgpu_mock_count(struct virtgpu_mock *m, u32 type);
unsigned int virtgpu_mock_log_pos(struct virtgpu_mock *m);
bool virtgpu_mock_log_entry(struct virtgpu_mock *m, unsigned int i,
			    struct virtgpu_mock_log_entry *e);
bool virtgpu_mock_find(struct virtgpu_mock *m, unsigned int from, u32 type,
		       struct virtgpu_mock_log_entry *e);
unsigned int virtgpu_mock_kicks(struct virtgpu_mock *m, unsigned int ring);
void virtgpu_mock_wait_idle(struct virtgpu_mock *m);

#endif
