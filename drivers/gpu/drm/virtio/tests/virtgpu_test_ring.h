/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef VIRTGPU_TEST_RING_H
#define VIRTGPU_TEST_RING_H

#include <linux/types.h>
#include <drm/drm_device.h>

#include "virtgpu_vq.h"

struct kunit;
struct task_struct;
struct virtgpu_mem_entries;
struct virtgpu_timeline;

/* All that a test may put into one ring in its life. */
#define TEST_RING_MAX 1100

/**
 * enum test_slot_state - where a request is, as the host sees it
 * @TEST_SLOT_HELD: the host has not answered
 * @TEST_SLOT_USED: answered, the driver has not looked yet
 * @TEST_SLOT_TAKEN: the driver has the answer, or took the request back
 */
enum test_slot_state {
	TEST_SLOT_HELD,
	TEST_SLOT_USED,
	TEST_SLOT_TAKEN,
};

/**
 * struct test_slot - what the host was given in one descriptor chain
 * @msg: the message, which may be freed once the slot is taken
 * @state: see enum test_slot_state
 * @type: the command
 * @flags: of the header
 * @fence_id: of the header
 * @request: a copy of the request's first part
 * @request_size: its length
 * @payload_size: bytes in the second part
 * @pieces: descriptors of the second part
 * @reply: where the answer goes
 * @reply_size: its length
 * @descs: length of the chain
 * @used: bytes of the answer, as told to the driver
 */
struct test_slot {
	struct virtgpu_msg *msg;
	enum test_slot_state state;
	u32 type;
	u32 flags;
	u64 fence_id;
	u8 request[128];
	u32 request_size;
	u32 payload_size;
	u32 pieces;
	void *reply;
	u32 reply_size;
	u32 descs;
	u32 used;
};

/**
 * struct test_ring - a host that does what the test says, and a queue to it
 * @test: the running test
 * @drm: for log messages of @q
 * @q: the queue
 * @slots: all that was put into the ring, in order
 * @count: number of @slots
 * @free: descriptors that are free
 * @used: indices of answered slots, in the order of the answers
 * @used_count: number of answers
 * @taken: how many of them the driver has taken
 * @add_error: what add returns for the next @add_errors messages
 * @add_errors: see there
 * @dead: the device is broken and takes nothing any more
 * @quiet: the host wants no notifications
 * @asked: how often the driver asked whether the host wants one
 * @kicks: notifications
 * @interrupts_on: the driver wants interrupts
 * @interrupt_at: answers until the interrupt that the driver wants comes
 * @per_round: answers that the driver sees before it has to look again, 0: all
 * @round: answers that it has seen in this round
 * @taken_here: how many answers the test's own thread has taken
 * @thread: the test's own
 * @detached: requests that were taken back after the reset
 * @on_kick: the host at work, or NULL
 * @wedged: how often the queue has found the host silent
 */
struct test_ring {
	struct kunit *test;
	struct drm_device drm;
	struct virtgpu_vq q;
	struct test_slot *slots;
	unsigned int count;
	unsigned int free;
	u16 used[TEST_RING_MAX];
	unsigned int used_count;
	unsigned int taken;
	int add_error;
	unsigned int add_errors;
	bool dead;
	bool quiet;
	unsigned int asked;
	unsigned int kicks;
	bool interrupts_on;
	unsigned int interrupt_at;
	unsigned int per_round;
	unsigned int round;
	unsigned int taken_here;
	struct task_struct *thread;
	unsigned int detached;
	void (*on_kick)(struct test_ring *r);
	unsigned int wedged;
};

/**
 * struct test_completion - how a message ended
 * @ends: how often its callback ran
 * @error: its error then
 * @order: when, among all messages of the test that share @clock
 * @clock: counts ends
 */
struct test_completion {
	unsigned int ends;
	int error;
	unsigned int order;
	unsigned int *clock;
};

extern const struct virtgpu_vq_ops test_ring_ops;

struct test_ring *test_ring_create(struct kunit *test, unsigned int size);
void test_ring_start(struct test_ring *r, unsigned int size);

void test_answer_raw(struct test_ring *r, unsigned int i, const void *bytes,
		     u32 size, u32 used);
void test_answer(struct test_ring *r, unsigned int i, u32 type);
void test_answer_all(struct test_ring *r, u32 type);
void test_interrupt(struct test_ring *r);
void test_reply(struct test_ring *r, unsigned int i, u32 type);
void test_reply_all(struct test_ring *r);

struct virtgpu_msg *test_msg(struct kunit *test, struct test_completion *end);
struct virtgpu_msg *test_msg_fenced(struct kunit *test, struct test_completion *end,
				    struct virtgpu_timeline *tl);
struct virtgpu_mem_entries *test_entries(struct kunit *test, unsigned int count,
					 unsigned int max_pieces);

#endif
