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
 * struct virtgpu_mock_rule - a request that is not treated as it should be
 * @type: VIRTIO_GPU_CMD_*
 * @skip: so many of them are treated well before
 * @times: so many are not, 0 for all
 * @error: answered with this type; from VIRTIO_GPU_RESP_ERR_UNSPEC on it is not
 *	carried out either
 * @hold: carried out, but not answered until virtgpu_mock_release()
 * @cut: the answer ends after so many bytes, VIRTGPU_MOCK_NOTHING for none
 * @excess: the device claims to have written so many bytes more than there is room
 * @garble: the answer is noise
 * @link: in the host's list
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

/* Tests are full of these. */
#define CMD(name) VIRTIO_GPU_CMD_##name

/**
 * struct virtgpu_mock_ring - the host's side of a queue
 * @mock: the device
 * @index: its number
 * @vq: the driver's side, or NULL
 * @vrh: this side
 * @kicks: notifications
 * @last_fence: the last fence id
 * @stalled: nothing is taken out of it
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

/* A request that was taken out of its ring. */
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
	u8 *reply;
	u32 reply_size;
};

/* A line of the log: what was taken, in order.  @timeline is negative for that of all. */
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
 * struct virtgpu_mock_host - takes requests and answers them
 * @lock: protects all below, and the model
 * @rings: control and cursor
 * @iotlb: guest-physical addresses are what they are
 * @iotlb_lock: what vringh wants
 * @wq: where it runs on its own
 * @work: does so
 * @stopped: it does not, the test steps
 * @rules: what is not treated as it should be
 * @held: carried out, not answered
 * @log: the last requests
 * @logged: how many there were
 * @counts: by virtgpu_mock_count()'s index
 */
struct virtgpu_mock_host {
	struct mutex lock; /* all below, and the model */
	struct virtgpu_mock_ring rings[2];
	struct vhost_iotlb iotlb;
	spinlock_t iotlb_lock; /* @iotlb */
	struct workqueue_struct *wq;
	struct work_struct work;
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

/* What a test says to the host. */
void virtgpu_mock_freeze(struct virtgpu_mock *m);
void virtgpu_mock_thaw(struct virtgpu_mock *m);
bool virtgpu_mock_step(struct virtgpu_mock *m);
unsigned int virtgpu_mock_run(struct virtgpu_mock *m);
void virtgpu_mock_rule(struct virtgpu_mock *m, const struct virtgpu_mock_rule *rule);
void virtgpu_mock_obey(struct virtgpu_mock *m);
void virtgpu_mock_reject(struct virtgpu_mock *m, u32 type, u32 error);
void virtgpu_mock_hold(struct virtgpu_mock *m, u32 type);
unsigned int virtgpu_mock_release(struct virtgpu_mock *m, u32 type);
bool virtgpu_mock_release_one(struct virtgpu_mock *m, u32 type, unsigned int skip);
unsigned int virtgpu_mock_held(struct virtgpu_mock *m, u32 type);
void virtgpu_mock_stalled_cursor(struct virtgpu_mock *m, bool stalled);

/* What it has seen. */
unsigned int virtgpu_mock_count(struct virtgpu_mock *m, u32 type);
unsigned int virtgpu_mock_log_pos(struct virtgpu_mock *m);
bool virtgpu_mock_log_entry(struct virtgpu_mock *m, unsigned int i,
			    struct virtgpu_mock_log_entry *e);
bool virtgpu_mock_find(struct virtgpu_mock *m, unsigned int from, u32 type,
		       struct virtgpu_mock_log_entry *e);
unsigned int virtgpu_mock_kicks(struct virtgpu_mock *m, unsigned int ring);
void virtgpu_mock_wait_idle(struct virtgpu_mock *m);

#endif
