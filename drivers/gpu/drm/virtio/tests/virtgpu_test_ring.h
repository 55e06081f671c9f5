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

/* Maximum number of requests that a test may add to one ring. */
#define TEST_RING_MAX 1100

/**
 * enum test_slot_state - State of a request in the host
 * @TEST_SLOT_HELD: without a response
 * @TEST_SLOT_USED: with a response that the driver has not read
 * @TEST_SLOT_TAKEN: response read, or request detached after a reset
 */
enum test_slot_state {
	TEST_SLOT_HELD,
	TEST_SLOT_USED,
	TEST_SLOT_TAKEN,
};

/**
 * struct test_slot - Descriptor chain of one request
 * @msg: the message, which may be freed in TEST_SLOT_TAKEN
 * @state: see enum test_slot_state
 * @type: type in the header
 * @flags: flags in the header
 * @fence_id: fence ID in the header
 * @request: copy of the request without payload
 * @request_size: size of the request without payload, in bytes
 * @payload_size: size of the payload, in bytes
 * @segs: descriptors of the payload
 * @resp: response buffer
 * @resp_size: size of the response buffer, in bytes
 * @descs: length of the chain
 * @used: used length in the used ring
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
	u32 segs;
	void *resp;
	u32 resp_size;
	u32 descs;
	u32 used;
};

/**
 * struct test_ring - A scripted host and its queue
 * @test: the running test
 * @drm: for log messages of @q
 * @q: the queue
 * @slots: all requests that were added to the ring, in order
 * @count: number of @slots
 * @free: free descriptors
 * @used: the used ring: indices of slots with a response
 * @used_count: number of entries in @used
 * @taken: number of entries in @used that the driver has read
 * @add_error: error of the next @add_errors calls of add()
 * @add_errors: remaining calls of add() that fail with @add_error
 * @dead: the device is broken
 * @quiet: the host suppresses notifications
 * @asked: calls of prepare_kick()
 * @kicks: notifications
 * @interrupts_on: the interrupt is enabled
 * @enabled: calls of enable()
 * @interrupt_at: number of responses at which the interrupt is due
 * @per_round: responses that get() returns per round, 0 for all
 * @round: responses that get() has returned in this round
 * @taken_here: responses that @thread has read
 * @thread: the test thread
 * @detached: requests that were detached after a reset
 * @on_kick: called at each notification, or NULL
 * @wedged: calls of &virtgpu_vq.on_wedged
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
	unsigned int enabled;
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
 * struct test_completion - Result of a message
 * @calls: calls of the completion callback
 * @error: error of the message
 * @order: position among all completions that share @order_counter
 * @order_counter: counts completions, or NULL
 */
struct test_completion {
	unsigned int calls;
	int error;
	unsigned int order;
	unsigned int *order_counter;
};

extern const struct virtgpu_vq_ops test_ring_ops;

struct test_ring *test_ring_create(struct kunit *test, unsigned int size);
void test_ring_start(struct test_ring *r, unsigned int size);

void test_respond_raw(struct test_ring *r, unsigned int i, const void *bytes,
		      u32 size, u32 used);
void test_respond(struct test_ring *r, unsigned int i, u32 type);
void test_respond_all(struct test_ring *r, u32 type);
void test_interrupt(struct test_ring *r);
void test_interrupt_if_due(struct test_ring *r);
void test_hold_watchdog(struct virtgpu_vq *q);
void test_complete(struct test_ring *r, unsigned int i, u32 type);
void test_complete_all(struct test_ring *r);

struct virtgpu_msg *test_msg(struct kunit *test, struct test_completion *completion);
struct virtgpu_msg *test_msg_fenced(struct kunit *test, struct test_completion *completion,
				    struct virtgpu_timeline *tl);
struct virtgpu_mem_entries *test_entries(struct kunit *test, unsigned int count,
					 unsigned int max_segs);

#endif
