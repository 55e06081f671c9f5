// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <uapi/linux/virtio_gpu.h>

#include "virtgpu_cursor.h"
#include "virtgpu_msg.h"
#include "virtgpu_test_ring.h"

#define UPDATE VIRTIO_GPU_CMD_UPDATE_CURSOR
#define MOVE VIRTIO_GPU_CMD_MOVE_CURSOR

#define OUTPUT 3

struct cursor_test {
	struct virtgpu_cursor c;
	struct test_ring *r;
	struct test_ring *ctrl;
};

static void cursor_fini(void *data)
{
	virtgpu_cursor_fini(data);
}

/* Create a cursor with a ring of two descriptors. */
static struct cursor_test *cursor_create(struct kunit *test)
{
	struct cursor_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	/* Runs after the queues were stopped. */
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, cursor_fini, &t->c), 0);
	t->r = test_ring_create(test, 2);
	t->ctrl = test_ring_create(test, 16);
	KUNIT_ASSERT_EQ(test, virtgpu_cursor_init(&t->c, &t->r->q, &t->ctrl->q, OUTPUT), 0);

	return t;
}

static void set_cursor(struct cursor_test *t, u32 resource, s32 x, s32 y, bool image_changed)
{
	struct virtgpu_cmd_cursor cursor = {
		.scanout = OUTPUT,
		.resource = resource,
		.x = x,
		.y = y,
		.hot_x = resource ? 1 : 0,
		.hot_y = resource ? 2 : 0,
	};

	virtgpu_cursor_set(&t->c, &cursor, image_changed);
}

static void expect_command(struct kunit *test, struct cursor_test *t, unsigned int i,
			   u32 type, u32 resource, s32 x, s32 y)
{
	const struct test_slot *slot = &t->r->slots[i];
	const struct virtio_gpu_update_cursor *cmd = (const void *)slot->request;

	KUNIT_ASSERT_LT(test, i, t->r->count);
	KUNIT_EXPECT_EQ(test, slot->type, type);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(cmd->pos.scanout_id), OUTPUT);
	KUNIT_EXPECT_EQ(test, (s32)le32_to_cpu(cmd->pos.x), x);
	KUNIT_EXPECT_EQ(test, (s32)le32_to_cpu(cmd->pos.y), y);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(cmd->resource_id), resource);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(cmd->hot_x), resource ? 1 : 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(cmd->hot_y), resource ? 2 : 0);
}

static void upload(struct kunit *test, struct cursor_test *t)
{
	virtgpu_cursor_upload(&t->c, test_msg(test, NULL));
}

/* Create a cursor that is shown, with no command in flight. */
static struct cursor_test *cursor_shown(struct kunit *test)
{
	struct cursor_test *t = cursor_create(test);

	set_cursor(t, 5, 10, 20, true);
	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 1);

	return t;
}

/*
 * Single changes
 */

struct change_case {
	const char *name;
	u32 resource;
	s32 x, y;
	bool image_changed;
	u32 type;
};

/* Changes of a cursor with resource 5 at 10, 20. */
static const struct change_case change_cases[] = {
	{ "nothing", 5, 10, 20, false, 0 },
	{ "to the right", 5, 11, 20, false, MOVE },
	{ "down", 5, 10, 21, false, MOVE },
	{ "off the upper left corner", 5, -63, -63, false, MOVE },
	{ "another image", 6, 10, 20, true, UPDATE },
	{ "another resource with the same image", 6, 10, 20, false, UPDATE },
	{ "the same resource, drawn anew", 5, 10, 20, true, UPDATE },
	{ "drawn anew and moved", 5, 30, 40, true, UPDATE },
	{ "hidden", 0, 0, 0, false, UPDATE },
};

KUNIT_ARRAY_PARAM_DESC(change, change_cases, name);

static void cursor_change(struct kunit *test)
{
	const struct change_case *c = test->param_value;
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, c->resource, c->x, c->y, c->image_changed);
	KUNIT_ASSERT_EQ(test, t->r->count, c->type ? 2 : 1);
	KUNIT_EXPECT_EQ(test, t->r->kicks, c->type ? 2 : 1);
	if (c->type)
		expect_command(test, t, 1, c->type, c->resource, c->x, c->y);

	/* Setting the same state again queues no command. */
	test_complete_all(t->r);
	set_cursor(t, c->resource, c->x, c->y, false);
	KUNIT_EXPECT_EQ(test, t->r->count, c->type ? 2 : 1);
}

/* MOVE_CURSOR would not change the hotspot. */
static void hotspot_change(struct kunit *test)
{
	struct virtgpu_cmd_cursor cursor = {
		.scanout = OUTPUT, .resource = 5, .x = 10, .y = 20, .hot_x = 1, .hot_y = 2,
	};
	struct cursor_test *t = cursor_shown(test);

	cursor.hot_x = 7;
	virtgpu_cursor_set(&t->c, &cursor, false);
	test_complete_all(t->r);
	cursor.hot_y = 9;
	virtgpu_cursor_set(&t->c, &cursor, false);
	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	KUNIT_EXPECT_EQ(test, t->r->slots[1].type, UPDATE);
	KUNIT_EXPECT_EQ(test, t->r->slots[2].type, UPDATE);
}

static void first_image(struct kunit *test)
{
	struct cursor_test *t = cursor_create(test);

	set_cursor(t, 5, 10, 20, true);
	KUNIT_ASSERT_EQ(test, t->r->count, 1);
	expect_command(test, t, 0, UPDATE, 5, 10, 20);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 1);
}

/* Hiding a hidden cursor queues nothing. */
static void hidden_from_start(struct kunit *test)
{
	struct cursor_test *t = cursor_create(test);

	set_cursor(t, 0, 0, 0, false);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);
}

/*
 * Changes while a command is in flight
 */

static const unsigned int move_counts[] = { 1, 2, 3, 64, 1000 };

static void move_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u moves", *n);
}

KUNIT_ARRAY_PARAM(move, move_counts, move_desc);

/* Of all moves behind the one in flight, only the last is queued. */
static void last_move_wins(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct cursor_test *t = cursor_shown(test);
	unsigned int i;

	for (i = 1; i <= *n; i++)
		set_cursor(t, 5, 10 + i, 20, false);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_command(test, t, 1, MOVE, 5, 11, 20);
	KUNIT_EXPECT_EQ(test, t->r->q.num_pending, 1);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 2);

	test_complete(t->r, 1, 0);
	if (*n > 1) {
		KUNIT_ASSERT_EQ(test, t->r->count, 3);
		expect_command(test, t, 2, MOVE, 5, 10 + *n, 20);
		KUNIT_EXPECT_EQ(test, t->r->kicks, 3);
	}
	test_complete_all(t->r);
	KUNIT_EXPECT_EQ(test, t->r->count, *n > 1 ? 3 : 2);
	KUNIT_EXPECT_EQ(test, t->r->q.num_pending, 0);
}

/* A host that never reads the queue has one command pending. */
static void host_never_drains(struct kunit *test)
{
	struct cursor_test *t = cursor_create(test);
	unsigned int i;

	for (i = 0; i < 1000; i++)
		set_cursor(t, 1 + i % 7, i, -i, i % 3 == 0);
	KUNIT_EXPECT_EQ(test, t->r->count, 1);
	KUNIT_EXPECT_EQ(test, t->r->q.num_pending, 1);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 1);
	KUNIT_EXPECT_EQ(test, t->r->q.stats.backlogged, 0);
	virtgpu_vq_stop(&t->r->q);
	KUNIT_EXPECT_EQ(test, t->r->count, 1);
	KUNIT_EXPECT_EQ(test, t->r->q.num_pending, 0);
}

/* Changes that cancel out queue nothing. */
static void there_and_back(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 50, 60, false);
	set_cursor(t, 5, 70, 80, false);
	set_cursor(t, 5, 50, 60, false);
	test_complete_all(t->r);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
}

/* Later moves do not drop a new image. */
static void image_survives_moves(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 11, 20, false);
	set_cursor(t, 5, 11, 20, true);
	set_cursor(t, 5, 12, 20, false);
	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 1, MOVE, 5, 11, 20);
	expect_command(test, t, 2, UPDATE, 5, 12, 20);
}

/* Hiding and showing while a command is in flight queues one update. */
static void hide_and_show(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 11, 20, false);
	set_cursor(t, 0, 0, 0, false);
	set_cursor(t, 6, 12, 20, true);
	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 2, UPDATE, 6, 12, 20);
}

/* A transparent image is set before the cursor is hidden. */
static void hide_with_blank(struct kunit *test)
{
	static const u32 blank = 99;
	struct cursor_test *t = cursor_shown(test);
	const struct virtio_gpu_update_cursor *cmd;

	t->c.blank = blank;
	virtgpu_cursor_hide(&t->c);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	cmd = (const void *)t->r->slots[1].request;
	KUNIT_EXPECT_EQ(test, t->r->slots[1].type, UPDATE);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(cmd->resource_id), blank);

	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 2, UPDATE, 0, 0, 0);
	virtgpu_cursor_hide(&t->c);
	KUNIT_EXPECT_EQ(test, t->r->count, 3);

	/* Shown again before the second command was sent. */
	set_cursor(t, 5, 10, 20, true);
	test_complete_all(t->r);
	virtgpu_cursor_hide(&t->c);
	set_cursor(t, 6, 11, 21, true);
	test_complete_all(t->r);
	KUNIT_ASSERT_EQ(test, t->r->count, 6);
	expect_command(test, t, 5, UPDATE, 6, 11, 21);
}

/*
 * Transfers
 */

struct transfer_case {
	const char *name;
	u32 resp_type;
};

/* Each result of a transfer allows the update. */
static const struct transfer_case transfer_cases[] = {
	{ "done", VIRTIO_GPU_RESP_OK_NODATA },
	{ "rejected", VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID },
	{ "the device is gone", 0 },
};

KUNIT_ARRAY_PARAM_DESC(transfer, transfer_cases, name);

static void after_transfer(struct kunit *test)
{
	const struct transfer_case *c = test->param_value;
	struct cursor_test *t = cursor_create(test);

	upload(test, t);
	set_cursor(t, 5, 10, 20, true);
	set_cursor(t, 5, 11, 20, false);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 0);

	if (c->resp_type)
		test_complete(t->ctrl, 0, c->resp_type);
	else
		virtgpu_vq_stop(&t->ctrl->q);
	KUNIT_ASSERT_EQ(test, t->r->count, 1);
	KUNIT_EXPECT_EQ(test, t->r->kicks, 1);
	expect_command(test, t, 0, UPDATE, 5, 11, 20);
}

/* A response on the cursor queue does not end the wait for a transfer. */
static void response_during_transfer(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 11, 20, false);
	upload(test, t);
	set_cursor(t, 6, 11, 20, true);
	test_complete(t->r, 1, 0);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
	test_complete(t->ctrl, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 2, UPDATE, 6, 11, 20);
}

/* The transfer completes while a cursor command is in flight. */
static void transfer_while_busy(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 11, 20, false);
	upload(test, t);
	set_cursor(t, 6, 11, 20, true);
	test_complete(t->ctrl, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
	test_complete(t->r, 1, 0);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 2, UPDATE, 6, 11, 20);
}

/* The cursor moves with its old image while a new one is transferred. */
static void move_while_uploading(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	upload(test, t);
	set_cursor(t, 6, 11, 20, true);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_command(test, t, 1, MOVE, 5, 11, 20);
	set_cursor(t, 6, 12, 21, false);
	test_complete(t->r, 1, 0);
	KUNIT_ASSERT_EQ(test, t->r->count, 3);
	expect_command(test, t, 2, MOVE, 5, 12, 21);
	test_complete(t->r, 2, 0);

	test_complete(t->ctrl, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_ASSERT_EQ(test, t->r->count, 4);
	expect_command(test, t, 3, UPDATE, 6, 12, 21);
}

/* A cursor is hidden without waiting for the image that it would have had. */
static void hide_at_once(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	upload(test, t);
	set_cursor(t, 6, 10, 20, true);
	virtgpu_cursor_hide(&t->c);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_command(test, t, 1, UPDATE, 0, 0, 0);
}

/* Of the images set during a transfer, only the last is transferred. */
static void many_transfers(struct kunit *test)
{
	struct cursor_test *t = cursor_create(test);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		upload(test, t);
		set_cursor(t, 5 + i, 10, 20, true);
	}
	KUNIT_EXPECT_EQ(test, t->ctrl->count, 1);
	test_complete(t->ctrl, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, t->ctrl->count, 2);
	KUNIT_EXPECT_EQ(test, t->r->count, 0);
	test_complete(t->ctrl, 1, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, t->ctrl->count, 2);
	KUNIT_ASSERT_EQ(test, t->r->count, 1);
	expect_command(test, t, 0, UPDATE, 104, 10, 20);
}

/* Hiding the cursor drops the transfer that waits. */
static void hide_while_uploading(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	upload(test, t);
	set_cursor(t, 6, 10, 20, true);
	upload(test, t);
	set_cursor(t, 7, 10, 20, true);
	virtgpu_cursor_hide(&t->c);
	test_complete(t->ctrl, 0, VIRTIO_GPU_RESP_OK_NODATA);
	KUNIT_EXPECT_EQ(test, t->ctrl->count, 1);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_command(test, t, 1, UPDATE, 0, 0, 0);
}

/* The driver is unbound while a cursor is shown. */
static void stopped_queue(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);
	unsigned int kicks = t->r->kicks;

	virtgpu_vq_stop(&t->r->q);
	set_cursor(t, 5, 30, 40, false);
	set_cursor(t, 0, 0, 0, false);
	KUNIT_EXPECT_FALSE(test, t->c.busy);
	KUNIT_EXPECT_EQ(test, t->r->count, 1);
	KUNIT_EXPECT_EQ(test, t->r->kicks, kicks);
}

static void transfer_stopped_queue(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	upload(test, t);
	set_cursor(t, 6, 10, 20, true);
	upload(test, t);
	virtgpu_vq_stop(&t->r->q);
	virtgpu_vq_stop(&t->ctrl->q);
	KUNIT_EXPECT_FALSE(test, t->c.uploading);
	KUNIT_EXPECT_NULL(test, t->c.next_upload);
	KUNIT_EXPECT_FALSE(test, t->c.busy);
	KUNIT_EXPECT_EQ(test, t->r->count, 1);
}

/* Stopping the queue completes the command and drops later changes. */
static void stop_in_flight(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	set_cursor(t, 5, 30, 40, false);
	set_cursor(t, 5, 50, 60, false);
	virtgpu_vq_stop(&t->r->q);
	KUNIT_EXPECT_FALSE(test, t->c.busy);
	KUNIT_EXPECT_EQ(test, t->r->count, 2);
	KUNIT_EXPECT_EQ(test, refcount_read(&t->c.msg->ref), 1);
}

/* After an error of the ring, the next change is queued. */
static void ring_add_fails(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);

	t->r->add_error = -ENOMEM;
	t->r->add_errors = 1;
	set_cursor(t, 5, 30, 40, false);
	KUNIT_EXPECT_FALSE(test, t->c.busy);
	KUNIT_EXPECT_EQ(test, t->r->count, 1);
	set_cursor(t, 5, 50, 60, false);
	KUNIT_ASSERT_EQ(test, t->r->count, 2);
	expect_command(test, t, 1, MOVE, 5, 50, 60);
}

/* All commands use one message, and references do not leak. */
static void one_message(struct kunit *test)
{
	struct cursor_test *t = cursor_shown(test);
	struct virtgpu_msg *msg = t->c.msg;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		set_cursor(t, 5, i, i, i % 5 == 0);
		test_complete_all(t->r);
	}
	KUNIT_EXPECT_EQ(test, t->r->count, 51);
	KUNIT_EXPECT_PTR_EQ(test, t->r->slots[50].msg, msg);
	KUNIT_EXPECT_EQ(test, refcount_read(&msg->ref), 1);
}

static struct kunit_case cursor_tests[] = {
	KUNIT_CASE_PARAM(cursor_change, change_gen_params),
	KUNIT_CASE(hotspot_change),
	KUNIT_CASE(first_image),
	KUNIT_CASE(hidden_from_start),
	KUNIT_CASE_PARAM(last_move_wins, move_gen_params),
	KUNIT_CASE(host_never_drains),
	KUNIT_CASE(there_and_back),
	KUNIT_CASE(image_survives_moves),
	KUNIT_CASE(hide_and_show),
	KUNIT_CASE(hide_with_blank),
	KUNIT_CASE_PARAM(after_transfer, transfer_gen_params),
	KUNIT_CASE(response_during_transfer),
	KUNIT_CASE(transfer_while_busy),
	KUNIT_CASE(move_while_uploading),
	KUNIT_CASE(hide_at_once),
	KUNIT_CASE(many_transfers),
	KUNIT_CASE(hide_while_uploading),
	KUNIT_CASE(stopped_queue),
	KUNIT_CASE(transfer_stopped_queue),
	KUNIT_CASE(stop_in_flight),
	KUNIT_CASE(ring_add_fails),
	KUNIT_CASE(one_message),
	{}
};

static struct kunit_suite cursor_suite = {
	.name = "virtio_gpu_cursor",
	.test_cases = cursor_tests,
};

kunit_test_suite(cursor_suite);
