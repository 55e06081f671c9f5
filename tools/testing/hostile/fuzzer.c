// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Linked into a user mode Linux whose driver is compiled with
 * -fsanitize-coverage=trace-pc: chooses the inputs of the unit test
 * virtio_gpu_hostile by the coverage that they reach, see test_hostile.py.
 *
 * Everything is kept in a file that is mapped, so that it outlives a kernel
 * that crashes. Kernel threads run this code: it must not call into the C
 * library, but for the clock.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 508
#define CORPUS_MAX 8192
/* The driver's text is smaller: no two of its addresses share a counter. */
#define COUNTERS 0x100000

/* Of virtgpu_hostile_kunit.c: the device, and one operation. */
#define HEAD 12
#define RECORD 8

struct input {
	uint32_t size;
	uint8_t bytes[INPUT_MAX];
};

/* Known to test_hostile.py. */
struct state {
	uint64_t seed;
	uint64_t seconds;
	uint64_t fixed;		/* inputs that are run before all others */
	uint64_t count;		/* inputs of the corpus */
	uint64_t executions;
	uint64_t started;	/* in seconds */
	struct input current;
	struct input corpus[CORPUS_MAX];
	uint8_t is_kept[CORPUS_MAX];	/* reached a block that none before did */
	uint8_t seen[COUNTERS];
	uint8_t counters[COUNTERS];
};

static struct state *state;

static __attribute__((constructor)) void map_state(void)
{
	const char *name = getenv("VIRTGPU_HOSTILE");
	int fd = name ? open(name, O_RDWR) : -1;
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped != MAP_FAILED)
		state = mapped;
}

/* Called by the driver at the start of each basic block. */
void __sanitizer_cov_trace_pc(void)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);
	uint8_t *counter;

	if (!state)
		return;
	counter = &state->counters[pc % COUNTERS];
	if (*counter < 255)
		++*counter;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);

	return time.tv_sec;
}

/* xorshift64* */
static uint32_t choose(uint32_t below)
{
	state->seed ^= state->seed >> 12;
	state->seed ^= state->seed << 25;
	state->seed ^= state->seed >> 27;

	return (uint32_t)(state->seed * 0x2545f4914f6cdd1dull >> 32) % below;
}

/*
 * Coverage: how often a block was executed, as a bit for a range of numbers.
 */

static uint8_t range(uint8_t count)
{
	static const uint8_t limits[] = { 1, 2, 3, 7, 15, 31, 127 };
	unsigned int i;

	for (i = 0; i < sizeof(limits) && count > limits[i]; i++)
		;

	return 1 << i;
}

enum found {
	NOTHING,
	NEW_COUNT,
	NEW_BLOCK,
};

/* What of that which the last input has reached is new. */
static enum found look(void)
{
	uint64_t *words = (uint64_t *)state->counters;
	unsigned int i, j;
	enum found found = NOTHING;

	for (i = 0; i < COUNTERS / sizeof(*words); i++) {
		if (!words[i])
			continue;
		for (j = i * sizeof(*words); j < (i + 1) * sizeof(*words); j++) {
			uint8_t bit = state->counters[j] ? range(state->counters[j]) : 0;

			if (bit && !state->seen[j])
				found = NEW_BLOCK;
			else if (bit & ~state->seen[j] && !found)
				found = NEW_COUNT;
			state->seen[j] |= bit;
		}
		words[i] = 0;
	}

	return found;
}

/*
 * Mutation
 */

static uint32_t records(const struct input *in)
{
	return in->size <= HEAD ? 0 : (in->size - HEAD) / RECORD;
}

static uint8_t *record(struct input *in, uint32_t n)
{
	return in->bytes + HEAD + n * RECORD;
}

static void fill(uint8_t *bytes, uint32_t size)
{
	while (size--)
		bytes[size] = choose(256);
}

/* The tampering of most operations is none: they must get somewhere. */
static void fill_record(uint8_t *bytes)
{
	fill(bytes, RECORD);
	bytes[4] = choose(4);
	bytes[5] = choose(3) ? 0 : choose(16);
	if (choose(2))
		memset(bytes + 1, choose(4), 3);
}

static void insert_record(struct input *in, uint32_t max)
{
	uint32_t n = records(in), at = choose(n + 1);

	if (HEAD + (n + 1) * RECORD > max)
		return;
	memmove(record(in, at + 1), record(in, at), (n - at) * RECORD);
	in->size = HEAD + (n + 1) * RECORD;
	if (n && choose(3) == 0)
		memcpy(record(in, at), record(in, choose(n)), RECORD);
	else
		fill_record(record(in, at));
}

static void remove_record(struct input *in)
{
	uint32_t n = records(in), at;

	if (n < 2)
		return;
	at = choose(n);
	memmove(record(in, at), record(in, at + 1), (n - at - 1) * RECORD);
	in->size = HEAD + (n - 1) * RECORD;
}

/* Continue with the end of another input. */
static void splice(struct input *in, uint32_t max)
{
	const struct input *other = &state->corpus[choose(state->count)];
	uint32_t n = records(in), more = records(other), from, at;

	if (!n || !more)
		return;
	at = choose(n) + 1;
	from = choose(more);
	more -= from;
	if (HEAD + (at + more) * RECORD > max)
		more = (max - HEAD) / RECORD - at;
	memcpy(record(in, at), other->bytes + HEAD + from * RECORD, more * RECORD);
	in->size = HEAD + (at + more) * RECORD;
}

static void change_byte(uint8_t *byte)
{
	switch (choose(3)) {
	case 0:
		*byte ^= 1 << choose(8);
		break;
	case 1:
		*byte = choose(24);
		break;
	default:
		*byte = choose(256);
	}
}

static void mutate(struct input *in, uint32_t max)
{
	uint32_t n = records(in);
	uint8_t *some = n ? record(in, choose(n)) : in->bytes;

	switch (choose(10)) {
	case 0:
		change_byte(in->bytes + choose(HEAD));
		break;
	case 1:
		remove_record(in);
		break;
	case 2:
		splice(in, max);
		break;
	case 3:
	case 4:
		insert_record(in, max);
		break;
	case 5:
	case 6:
		if (n) {
			some[4] = choose(4);
			some[5] = choose(16);
			change_byte(some + 6 + choose(2));
		}
		break;
	case 7:
		if (n)
			fill_record(some);
		break;
	default:
		change_byte(some + choose(n ? RECORD : HEAD));
	}
}

static void make_input(struct input *in, uint32_t max)
{
	uint32_t i, recent;

	if (!state->count || !choose(50)) {
		memset(in->bytes, 0, HEAD);
		in->size = HEAD + RECORD * (1 + choose((max - HEAD) / RECORD));
		for (i = 0; i < records(in); i++)
			fill_record(record(in, i));
		return;
	}
	/* What was found last is the least explored. */
	recent = state->count < 64 || choose(2) ? state->count : 64;
	*in = state->corpus[state->count - 1 - choose(recent)];
	for (i = 1 + choose(6); i; i--)
		mutate(in, max);
}

/*
 * The loop
 */

static void judge(void)
{
	enum found found = look();

	if (state->executions <= state->fixed) {
		state->is_kept[state->executions - 1] = found == NEW_BLOCK;
	} else if (found && state->count < CORPUS_MAX) {
		state->is_kept[state->count] = found == NEW_BLOCK;
		state->corpus[state->count++] = state->current;
	}
}

/* In place of the function in virtgpu_hostile_kunit.c. */
size_t virtgpu_hostile_next(uint8_t *input, size_t size)
{
	uint32_t max = size < INPUT_MAX ? size : INPUT_MAX;

	if (!state)
		return 0;
	if (state->executions)
		judge();
	else
		memset(state->counters, 0, COUNTERS);
	if (!state->started)
		state->started = now();

	if (state->executions < state->fixed)
		state->current = state->corpus[state->executions];
	else if (now() < state->started + state->seconds)
		make_input(&state->current, max);
	else
		return 0;

	state->executions++;
	memcpy(input, state->current.bytes, state->current.size);

	return state->current.size;
}
