/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VGPU_MOCK_HOST_H
#define VGPU_MOCK_HOST_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vhost_iotlb.h>
#include <linux/vringh.h>
#include <linux/workqueue.h>

struct virtqueue;
struct vgpu_mock;

/**
 * struct vgpu_mock_rule - a request that is not treated as it should be
 * @type: VIRTIO_GPU_CMD_*
 * @skip: so many of them are treated well before
 * @times: so many are not, 0 for all
 * @error: answered with this type; from VIRTIO_GPU_RESP_ERR_UNSPEC on it is not
 *	carried out either
 * @hold: carried out, but not answered until vgpu_mock_release()
 * @cut: the answer ends after so many bytes, VGPU_MOCK_NOTHING for none
 * @excess: the device claims to have written so many bytes more than there is room
 * @garble: the answer is noise
 * @link: in the host's list
 */
struct vgpu_mock_rule {
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

#define VGPU_MOCK_NOTHING U32_MAX

/* Tests are full of these. */
#define CMD(name) VIRTIO_GPU_CMD_##name

/**
 * struct vgpu_mock_ring - the host's side of a queue
 * @mock: the device
 * @index: its number
 * @vq: the driver's side, or NULL
 * @vrh: this side
 * @kicks: notifications
 * @last_fence: the last fence id
 * @deaf: nothing is taken out of it
 */
struct vgpu_mock_ring {
	struct vgpu_mock *mock;
	unsigned int index;
	struct virtqueue *vq;
	struct vringh vrh;
	atomic_t kicks;
	u64 last_fence;
	bool deaf;
};

/* A request that was taken out of its ring. */
struct vgpu_mock_request {
	struct list_head link;
	struct vgpu_mock_ring *ring;
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
struct vgpu_mock_entry {
	u32 type;
	u32 resource;
	u32 scanout;
	u32 context;
	int timeline;
	unsigned int kick;
};

#define VGPU_MOCK_LOG 512
#define VGPU_MOCK_TYPES (3 * 32)

/**
 * struct vgpu_mock_host - takes requests and answers them
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
 * @counts: by vgpu_mock_count()'s index
 */
struct vgpu_mock_host {
	struct mutex lock; /* all below, and the model */
	struct vgpu_mock_ring rings[2];
	struct vhost_iotlb iotlb;
	spinlock_t iotlb_lock; /* @iotlb */
	struct workqueue_struct *wq;
	struct work_struct work;
	bool stopped;
	struct list_head rules;
	struct list_head held;
	struct vgpu_mock_entry log[VGPU_MOCK_LOG];
	unsigned int logged;
	unsigned int counts[VGPU_MOCK_TYPES];
};

int vgpu_mock_host_init(struct vgpu_mock *m);
void vgpu_mock_host_fini(struct vgpu_mock *m);
int vgpu_mock_host_start(struct vgpu_mock *m, unsigned int index, struct virtqueue *vq);
void vgpu_mock_host_stop(struct vgpu_mock *m);
void vgpu_mock_host_reset(struct vgpu_mock *m);
void vgpu_mock_host_notify(struct vgpu_mock_ring *ring);

/* What a test says to the host. */
void vgpu_mock_freeze(struct vgpu_mock *m);
void vgpu_mock_thaw(struct vgpu_mock *m);
bool vgpu_mock_step(struct vgpu_mock *m);
unsigned int vgpu_mock_run(struct vgpu_mock *m);
void vgpu_mock_rule(struct vgpu_mock *m, const struct vgpu_mock_rule *rule);
void vgpu_mock_obey(struct vgpu_mock *m);
void vgpu_mock_refuse(struct vgpu_mock *m, u32 type, u32 error);
void vgpu_mock_hold(struct vgpu_mock *m, u32 type);
unsigned int vgpu_mock_release(struct vgpu_mock *m, u32 type);
bool vgpu_mock_release_one(struct vgpu_mock *m, u32 type, unsigned int skip);
unsigned int vgpu_mock_held(struct vgpu_mock *m, u32 type);
void vgpu_mock_deaf_cursor(struct vgpu_mock *m, bool deaf);

/* What it has seen. */
unsigned int vgpu_mock_count(struct vgpu_mock *m, u32 type);
unsigned int vgpu_mock_mark(struct vgpu_mock *m);
bool vgpu_mock_entry(struct vgpu_mock *m, unsigned int i, struct vgpu_mock_entry *e);
bool vgpu_mock_find(struct vgpu_mock *m, unsigned int from, u32 type, struct vgpu_mock_entry *e);
unsigned int vgpu_mock_kicks(struct vgpu_mock *m, unsigned int ring);
void vgpu_mock_settle(struct vgpu_mock *m);

#endif
