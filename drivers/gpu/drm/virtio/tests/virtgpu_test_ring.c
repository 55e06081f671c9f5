// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "virtgpu_cmd.h"
#include "virtgpu_mem_entries.h"
#include "virtgpu_fence.h"
#include "virtgpu_msg.h"
#include "virtgpu_test_ring.h"

static unsigned int chain_length(struct scatterlist *sg, u32 *bytes)
{
	unsigned int n = 0;

	for (*bytes = 0; sg; sg = sg_next(sg), n++)
		*bytes += sg->length;

	return n;
}

static void read_request(struct test_slot *slot, struct scatterlist *sg)
{
	const struct virtio_gpu_ctrl_hdr *hdr = sg_virt(sg);

	slot->type = le32_to_cpu(hdr->type);
	slot->flags = le32_to_cpu(hdr->flags);
	slot->fence_id = le64_to_cpu(hdr->fence_id);
	slot->request_size = sg->length;
	memcpy(slot->request, hdr, min_t(size_t, sg->length, sizeof(slot->request)));
}

static int ring_add(struct virtgpu_vq *q, struct scatterlist *sgs[],
		    unsigned int out, unsigned int in, struct virtgpu_msg *msg)
{
	struct test_ring *r = q->ring;
	struct test_slot *slot = &r->slots[r->count];
	unsigned int i, descs = 0;
	u32 bytes;

	lockdep_assert_held(&q->lock);

	if (r->dead)
		return -EIO;
	if (r->add_errors) {
		r->add_errors--;
		return r->add_error;
	}
	for (i = 0; i < out + in; i++)
		descs += chain_length(sgs[i], &bytes);
	if (descs > r->free || r->count == TEST_RING_MAX)
		return -ENOSPC;

	memset(slot, 0, sizeof(*slot));
	slot->msg = msg;
	slot->descs = descs;
	read_request(slot, sgs[0]);
	if (out > 1)
		slot->segs = chain_length(sgs[1], &slot->payload_size);
	if (in) {
		slot->resp = sg_virt(sgs[out]);
		slot->resp_size = sgs[out]->length;
	}
	r->free -= descs;
	r->count++;

	return 0;
}

static bool ring_prepare_kick(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;

	lockdep_assert_held(&q->lock);
	r->asked++;

	return !r->quiet;
}

static void ring_kick(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;

	lockdep_assert_not_held(&q->lock);
	r->kicks++;
	if (r->on_kick)
		r->on_kick(r);
}

static struct virtgpu_msg *ring_get(struct virtgpu_vq *q, u32 *used)
{
	struct test_ring *r = q->ring;
	struct test_slot *slot;

	lockdep_assert_held(&q->lock);

	if (r->taken == r->used_count || (r->per_round && r->round == r->per_round))
		return NULL;

	slot = &r->slots[r->used[r->taken++]];
	slot->state = TEST_SLOT_TAKEN;
	r->free += slot->descs;
	r->round++;
	if (current == r->thread)
		r->taken_here++;
	*used = slot->used;

	return slot->msg;
}

static bool ring_enable_last(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;
	unsigned int most;

	lockdep_assert_held(&q->lock);
	/* What virtqueue_enable_cb_delayed() does. */
	most = (r->count - r->taken) * 3 / 4;
	r->interrupts_on = true;
	r->interrupt_at = r->taken + most + 1;

	return r->used_count - r->taken <= most;
}

static bool ring_enable(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;

	lockdep_assert_held(&q->lock);
	r->interrupts_on = true;
	r->enabled++;
	r->interrupt_at = r->taken + 1;

	return r->taken == r->used_count;
}

static void ring_disable(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;

	lockdep_assert_held(&q->lock);
	r->interrupts_on = false;
	r->round = 0;
}

static struct virtgpu_msg *ring_detach(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;
	unsigned int i;

	lockdep_assert_held(&q->lock);

	for (i = 0; i < r->count; i++) {
		if (r->slots[i].state == TEST_SLOT_TAKEN)
			continue;
		r->slots[i].state = TEST_SLOT_TAKEN;
		r->free += r->slots[i].descs;
		r->detached++;
		return r->slots[i].msg;
	}

	return NULL;
}

static bool ring_dead(struct virtgpu_vq *q)
{
	struct test_ring *r = q->ring;

	lockdep_assert_held(&q->lock);

	return r->dead;
}

static void ring_info(const struct virtgpu_vq *q, struct virtgpu_vq_ring_info *info)
{
	const struct test_ring *r = q->ring;

	lockdep_assert_held(&q->lock);
	info->num_free = r->free;
}

const struct virtgpu_vq_ops test_ring_ops = {
	.add = ring_add,
	.prepare_kick = ring_prepare_kick,
	.kick = ring_kick,
	.get = ring_get,
	.enable = ring_enable,
	.enable_last = ring_enable_last,
	.disable = ring_disable,
	.detach = ring_detach,
	.dead = ring_dead,
	.info = ring_info,
};

/* Completes messages that a failed test has left in the queue. */
static void stop_queue(void *data)
{
	struct test_ring *r = data;

	virtgpu_vq_stop(&r->q);
}

/* A size of 0 leaves the queue stopped. */
struct test_ring *test_ring_create(struct kunit *test, unsigned int size)
{
	struct test_ring *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	static unsigned int number;
	struct device *dev;
	char name[24];

	KUNIT_ASSERT_NOT_NULL(test, r);
	/* Device names must be unique, and a test may have several rings. */
	snprintf(name, sizeof(name), "vgdev-test-%u", number++);
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	r->slots = kunit_kcalloc(test, TEST_RING_MAX, sizeof(*r->slots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r->slots);
	r->test = test;
	r->thread = current;
	r->drm.dev = dev;
	virtgpu_vq_init(&r->q, &r->drm, "test");
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, stop_queue, r), 0);
	if (size)
		test_ring_start(r, size);

	return r;
}

void test_ring_start(struct test_ring *r, unsigned int size)
{
	r->free = size;
	r->taken = r->used_count;
	r->interrupts_on = true;
	virtgpu_vq_start(&r->q, &test_ring_ops, r, size);
}

/* The host writes @size bytes, with a used length of @used. */
void test_respond_raw(struct test_ring *r, unsigned int i, const void *bytes,
		      u32 size, u32 used)
{
	struct test_slot *slot = &r->slots[i];

	KUNIT_ASSERT_LT(r->test, i, r->count);
	KUNIT_ASSERT_EQ(r->test, slot->state, TEST_SLOT_HELD);
	KUNIT_ASSERT_LE(r->test, size, slot->resp_size);

	if (size)
		memcpy(slot->resp, bytes, size);
	slot->used = used;
	slot->state = TEST_SLOT_USED;
	r->used[r->used_count++] = i;
}

/* The host responds with a header, or without one if there is no buffer. */
void test_respond(struct test_ring *r, unsigned int i, u32 type)
{
	struct virtio_gpu_ctrl_hdr hdr = { .type = cpu_to_le32(type) };
	u32 size;

	KUNIT_ASSERT_LT(r->test, i, r->count);
	size = min_t(u32, r->slots[i].resp_size, sizeof(hdr));
	test_respond_raw(r, i, &hdr, size, size);
}

/* The host responds to all held requests. */
void test_respond_all(struct test_ring *r, u32 type)
{
	unsigned int i;

	for (i = 0; i < r->count; i++)
		if (r->slots[i].state == TEST_SLOT_HELD)
			test_respond(r, i, type);
}

/* The transport calls the virtqueue callback with interrupts disabled. */
void test_interrupt(struct test_ring *r)
{
	unsigned long flags;

	local_irq_save(flags);
	virtgpu_vq_callback(&r->q);
	local_irq_restore(flags);
}

/* The device interrupts if it shall. */
void test_interrupt_if_due(struct test_ring *r)
{
	bool due;

	spin_lock_irq(&r->q.lock);
	due = r->interrupts_on && r->used_count >= r->interrupt_at;
	spin_unlock_irq(&r->q.lock);
	if (due)
		test_interrupt(r);
}

/* The watchdog does not run until flush_delayed_work(). */
void test_hold_watchdog(struct virtgpu_vq *q)
{
	spin_lock_irq(&q->lock);
	q->ticks = 1;
	mod_delayed_work(system_highpri_wq, &q->watchdog, 3600 * HZ);
	spin_unlock_irq(&q->lock);
}

void test_complete(struct test_ring *r, unsigned int i, u32 type)
{
	test_respond(r, i, type);
	test_interrupt(r);
}

/* Respond until the backlog is empty too. */
void test_complete_all(struct test_ring *r)
{
	unsigned int seen;

	do {
		seen = r->count;
		test_respond_all(r, VIRTIO_GPU_RESP_OK_NODATA);
		test_interrupt(r);
	} while (r->count != seen);
}

static void record_completion(struct virtgpu_msg *msg)
{
	struct test_completion *completion = msg->priv;

	completion->calls++;
	completion->error = msg->error;
	if (completion->order_counter)
		completion->order = ++*completion->order_counter;
}

/* A RESOURCE_UNREF; @completion may be NULL. */
struct virtgpu_msg *test_msg(struct kunit *test, struct test_completion *completion)
{
	struct virtgpu_msg *msg = virtgpu_msg_alloc();

	KUNIT_ASSERT_NOT_NULL(test, msg);
	virtgpu_cmd_unref(msg, 1);
	if (completion) {
		msg->priv = completion;
		msg->complete = record_completion;
	}

	return msg;
}

struct virtgpu_msg *test_msg_fenced(struct kunit *test, struct test_completion *completion,
				    struct virtgpu_timeline *tl)
{
	struct virtgpu_msg *msg = test_msg(test, completion);

	msg->fence = virtgpu_fence_alloc(tl);
	if (!msg->fence) {
		virtgpu_msg_put(msg);
		KUNIT_FAIL_AND_ABORT(test, "out of memory");
	}

	return msg;
}

/* @count entries that cannot be merged. */
struct virtgpu_mem_entries *test_entries(struct kunit *test, unsigned int count,
					 unsigned int max_segs)
{
	struct virtgpu_mem_entries *e;
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, count, GFP_KERNEL), 0);
	for_each_sgtable_sg(&sgt, sg, i) {
		sg_dma_address(sg) = 0x100000 + i * 0x2000ull;
		sg->length = 0x1000;
		sg_dma_len(sg) = 0x1000;
	}
	e = virtgpu_mem_entries_alloc(&sgt, VIRTGPU_ADDR_DMA, max_segs);
	sg_free_table(&sgt);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, e);

	return e;
}
