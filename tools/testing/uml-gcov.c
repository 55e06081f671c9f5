// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Linked into a user mode Linux whose coverage is measured, see test_kunit.py.
 *
 * gcc's own destructor is not called, as the kernel's linker script has no
 * .fini_array.00100; and it must not be in the processes that the kernel starts
 * to find out what ptrace can do, as their stacks are small.
 */

#include <gcov.h>
#include <unistd.h>

static pid_t kernel;

static __attribute__((constructor)) void note_kernel(void)
{
	kernel = getpid();
}

static __attribute__((destructor)) void write_counts(void)
{
	if (getpid() == kernel)
		__gcov_dump();
}
