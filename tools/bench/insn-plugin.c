// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A TCG plugin that counts the guest's instructions between two marks, all of
 * them: kernel, user space, interrupts. A repeated string instruction is one.
 *
 * A mark is a NOP with a number, see mark.h. Some marks set the pace of the
 * display instead (slow-host.c).
 *
 * Argument profile=FILE: also where they were executed, a line for each block
 * that was, "address executions instructions", added to the file at the second
 * mark.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

#include "mark.h"
#include "slow-host.h"

/* A translation block, for the profile. */
struct block {
	struct block *next;
	uint64_t address;
	uint64_t instructions;
	uint64_t count;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct qemu_plugin_scoreboard *board;
static qemu_plugin_u64 executed;
static uint64_t before;
static const char *profile;
static struct block *blocks;

static void start_profile(void)
{
	struct block *b;

	for (b = blocks; b; b = b->next)
		b->count = 0;
}

static void write_profile(void)
{
	FILE *out = fopen(profile, "a");
	struct block *b;

	if (!out)
		return;
	for (b = blocks; b; b = b->next)
		if (b->count)
			fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address,
				b->count, b->instructions);
	fclose(out);
}

static void on_mark(unsigned int cpu, void *number)
{
	uint64_t now = qemu_plugin_u64_sum(executed);
	static unsigned int phase;
	unsigned int value = MARK_VALUE((uintptr_t)number);
	char line[64];

	(void)cpu;
	switch (MARK_WHAT((uintptr_t)number)) {
	case MARK_START:
		before = now;
		if (profile)
			start_profile();
		break;
	case MARK_END:
		snprintf(line, sizeof(line), "bench_insns %" PRIu64 "\n", now - before);
		qemu_plugin_outs(line);
		if (profile)
			write_profile();
		break;
	case MARK_DELAY:
		slow_display_delay(value);
		break;
	case MARK_HOLD:
		slow_display_hold(value);
		break;
	case MARK_PHASE:
		phase = value;
		break;
	case MARK_PERIOD:
		slow_display_vsync(value, phase);
		break;
	}
}

static void on_block(unsigned int cpu, void *block)
{
	(void)cpu;
	((struct block *)block)->count++;
}

static void look_for_mark(struct qemu_plugin_insn *insn)
{
	unsigned char code[8];
	uint32_t number;

	/* 0f 1f 80 and four bytes */
	if (qemu_plugin_insn_size(insn) != 7 ||
	    qemu_plugin_insn_data(insn, code, sizeof(code)) != 7 ||
	    memcmp(code, "\x0f\x1f\x80", 3))
		return;
	memcpy(&number, code + 3, sizeof(number));
	if ((number & MARK_MASK) == MARK)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
						       (void *)(uintptr_t)number);
}

/*
 * QEMU goes round in a block of its own for a string instruction that is
 * repeated. It was counted when it began.
 */
static bool is_repetition(struct qemu_plugin_tb *tb)
{
	unsigned char code[16];
	size_t n, i;

	if (qemu_plugin_tb_n_insns(tb) != 1)
		return false;
	n = qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, 0), code, sizeof(code));
	if (!n || (code[0] != 0xf2 && code[0] != 0xf3))
		return false;
	/* Perhaps a REX prefix, then movs, cmps, stos, lods, scas. */
	i = n > 2 && (code[1] & 0xf0) == 0x40 ? 2 : 1;
	return i < n && code[i] >= 0xa4 && code[i] <= 0xaf && (code[i] & 0xfe) != 0xa8;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;
	struct block *b;

	(void)id;
	if (is_repetition(tb))
		return;
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
							  executed, n);
	for (i = 0; i < n; i++)
		look_for_mark(qemu_plugin_tb_get_insn(tb, i));
	if (!profile)
		return;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = n;
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

QEMU_PLUGIN_EXPORT
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], "profile=", 8)) {
			fprintf(stderr, "insn-plugin: no argument %s\n", argv[i]);
			return -1;
		}
		profile = strdup(argv[i] + 8);
	}
	board = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	executed = qemu_plugin_scoreboard_u64(board);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
