/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A small test harness: each case runs in a process of its own with a time
 * limit, and gives one TAP line.
 */
#ifndef UAPI_HARNESS_H
#define UAPI_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct test_case - one case
 * @name: group/name
 * @run: returns if the case passed
 * @arg: for cases that differ by a parameter
 * @seconds: time limit, 0 means a minute
 */
struct test_case {
	const char *name;
	void (*run)(int arg);
	int arg;
	int seconds;
};

/*
 * The program's tables, each with an empty entry at its end; NULL after them.
 */
extern const struct test_case * const test_tables[];

/* The case cannot run here; @fmt says what it lacks. */
__printf(1, 2) _Noreturn void skip(const char *fmt, ...);

__printf(3, 4) _Noreturn
void fail_at(const char *file, int line, const char *fmt, ...);

#define fail(...)	fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* A remark in the output. */
__printf(1, 2) void note(const char *fmt, ...);

/* What the case has to tell, in its TAP line. */
__printf(1, 2) void figure(const char *fmt, ...);

#define check(cond)							\
	do {								\
		if (!(cond))						\
			fail("%s", #cond);				\
	} while (0)

#define check_cmp(a, op, b)						\
	do {								\
		long long a_ = (a), b_ = (b);				\
									\
		if (!(a_ op b_))					\
			fail("%s %s %s (%lld, %lld)", #a, #op, #b, a_, b_); \
	} while (0)

#define check_eq(a, b)	check_cmp(a, ==, b)

/* A call that returns 0 or a negative errno must succeed. */
#define check_ok(call)							\
	do {								\
		long long ret_ = (call);				\
									\
		if (ret_ < 0)						\
			fail("%s: %s", #call, strerror(-ret_));		\
	} while (0)

/* A call that returns 0 or a negative errno must fail with this errno. */
#define check_err(call, err)						\
	do {								\
		long long ret_ = (call);				\
									\
		if (ret_ != -(err))					\
			fail("%s: %s, not %s", #call,			\
			     ret_ < 0 ? strerror(-ret_) : "success", #err); \
	} while (0)

/* Milliseconds of a clock that only goes forward. */
int64_t now_ms(void);
void sleep_ms(int ms);

/* Read a file, of /proc for instance, into @text; false if there is none. */
bool read_file(const char *path, char *text, size_t size);
/* Write to a file of sysfs or debugfs; 0 or a negative errno. */
int write_file(const char *path, const char *text);
/* What follows "key:" at the start of a line; NULL without such a line. */
char *find_key(char *text, const char *key);

/*
 * Run the guest's "host" command, which asks the host for something.  Fails
 * the case if the host cannot do it.
 */
__printf(1, 2) void ask_host(const char *fmt, ...);
/* The same, but returns whether the host could. */
__printf(1, 2) bool try_host(const char *fmt, ...);

/* The name of the running case, with '/' replaced. */
const char *case_label(void);

#endif /* UAPI_HARNESS_H */
