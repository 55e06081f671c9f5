/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Marks, by which the guest controls insn-plugin.c: a NOP whose displacement is
 * a number that no compiler makes, nopl NUMBER(%rax). Without the plugin a mark
 * has no effect; other machines than x86-64 have no marks.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define MARK		0x76700000u
#define MARK_MASK	0xfff00000u

/* Three bits of what, seventeen of how much. */
#define MARK_WHAT(number)	((number) >> 17 & 7)
#define MARK_VALUE(number)	((number) & 0x1ffff)

/**
 * enum mark - what the number asks for
 * @MARK_START: count instructions from here
 * @MARK_END: count to here; the log gets "bench_insns COUNT"
 * @MARK_DELAY: the display holds each frame for VALUE ms (0: no frame)
 * @MARK_HOLD: the display holds the next frame for VALUE ms, and no other
 * @MARK_PHASE: for the next MARK_PERIOD, in us
 * @MARK_PERIOD: the display shows frames at multiples of VALUE us plus the
 *	phase
 */
enum mark {
	MARK_START,
	MARK_END,
	MARK_DELAY,
	MARK_HOLD,
	MARK_PHASE,
	MARK_PERIOD,
};

#define MARK_NUMBER(what, value)	(MARK | (uint32_t)(what) << 17 | MARK_VALUE(value))

#ifdef __x86_64__

static inline bool have_marks(void)
{
	return true;
}

/* Costs the guest a single instruction. */
#define MARK_NOW(what) \
	({ asm volatile("nopl %c0(%%rax)" : : "i"(MARK_NUMBER(what, 0)) : "memory"); })

/* With a value of run time: the NOP is written before it is executed. */
static inline int mark_value(enum mark what, uint32_t value)
{
	unsigned char code[] = { 0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0xc3 };
	uint32_t number = MARK_NUMBER(what, value);
	void *page;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -1;
	memcpy(code + 3, &number, sizeof(number));
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC))
		return -1;
	((void (*)(void))page)();
	return munmap(page, 4096);
}

#else

static inline bool have_marks(void)
{
	return false;
}

#define MARK_NOW(what)	((void)(what))

static inline int mark_value(enum mark what, uint32_t value)
{
	(void)what;
	(void)value;
	errno = EOPNOTSUPP;
	return -1;
}

#endif

#endif /* BENCH_MARK_H */
