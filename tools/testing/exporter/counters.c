// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The exporter's books: for each buffer, and in all since the module's start.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/printk.h>

#include "virtgpu_exporter.h"

/* Sums over all buffers, those that are gone included. */
struct virtgpu_exp_counters virtgpu_exp_totals;

static const char * const virtgpu_exp_violation_names[] = {
	[VIRTGPU_EXPORTER_UNLOCKED] = "called without the reservation lock",
	[VIRTGPU_EXPORTER_UNKNOWN_UNMAP] = "unmapped what was not mapped",
	[VIRTGPU_EXPORTER_EARLY_UNMAP] = "unmapped before its fence signalled",
	[VIRTGPU_EXPORTER_STALE_AT_MAP] = "still has the mapping from before the move",
	[VIRTGPU_EXPORTER_MAPPED_AT_DETACH] = "detached with a mapping left",
	[VIRTGPU_EXPORTER_PINNED_AT_DETACH] = "detached with a pin left",
	[VIRTGPU_EXPORTER_UNPIN_UNDERFLOW] = "more unpins than pins",
};

/**
 * virtgpu_exp_count - add to a counter of a buffer and to the total
 * @buf: the buffer
 * @what: the counter
 * @n: how much
 *
 * Context: any.
 */
void virtgpu_exp_count(struct virtgpu_exp_buf *buf, enum virtgpu_exporter_counter what,
		       s64 n)
{
	atomic64_add(n, &buf->counters.value[what]);
	atomic64_add(n, &virtgpu_exp_totals.value[what]);
}

static void virtgpu_exp_max(atomic64_t *value, s64 n)
{
	s64 old = atomic64_read(value);

	while (old < n && !atomic64_try_cmpxchg(value, &old, n))
		;
}

/**
 * virtgpu_exp_count_max - raise a counter of a buffer and the total to a value
 * @buf: the buffer
 * @what: the counter
 * @n: the value
 *
 * Context: any.
 */
void virtgpu_exp_count_max(struct virtgpu_exp_buf *buf,
			   enum virtgpu_exporter_counter what, s64 n)
{
	virtgpu_exp_max(&buf->counters.value[what], n);
	virtgpu_exp_max(&virtgpu_exp_totals.value[what], n);
}

/**
 * virtgpu_exp_violation - an importer broke a rule
 * @buf: the buffer
 * @what: the rule
 *
 * Each kind is reported in the log once, and counted every time.
 *
 * Context: any.
 */
void virtgpu_exp_violation(struct virtgpu_exp_buf *buf,
			   enum virtgpu_exporter_violation what)
{
	virtgpu_exp_count(buf, VIRTGPU_EXPORTER_VIOLATIONS, 1);
	set_bit(what, &buf->counters.violations);
	if (!test_and_set_bit(what, &virtgpu_exp_totals.violations))
		pr_err("violation: importer %s\n",
		       virtgpu_exp_violation_names[what]);
}

/**
 * virtgpu_exp_read_counters - fill in the answer to VIRTGPU_EXPORTER_STATS
 * @counters: the books
 * @stats: where to
 *
 * Context: any.
 */
void virtgpu_exp_read_counters(struct virtgpu_exp_counters *counters,
			       struct virtgpu_exporter_stats *stats)
{
	unsigned int i;

	stats->violations = READ_ONCE(counters->violations);
	for (i = 0; i < VIRTGPU_EXPORTER_NR_COUNTERS; i++)
		stats->counter[i] = atomic64_read(&counters->value[i]);
}
