// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/debugfs.h>
#include <linux/sched.h>

#include "virtgpu_test_fault.h"

/* Allocation failures on request of a test. */

#ifdef CONFIG_FAULT_INJECTION

/* A debugfs file of the fault injection, see fault-injection.rst. */
static void *fault_attribute(struct kunit *test, const char *folder, const char *file)
{
	struct dentry *dir = debugfs_lookup(folder, NULL), *entry;
	void *data;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dir);
	entry = debugfs_lookup(file, dir);
	dput(dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, entry);
	data = d_inode(entry)->i_private;
	dput(entry);

	return data;
}

/**
 * virtgpu_fault_init() - Implement &kunit_suite.init with fault injection
 * @test: the test, which is skipped without CONFIG_FAULT_INJECTION
 *
 * Allocations that may sleep fail too, and failures are not logged.
 *
 * Context: May sleep.
 * Return: 0.
 */
int virtgpu_fault_init(struct kunit *test)
{
	static const char * const folders[] = { "failslab", "fail_page_alloc" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		*(bool *)fault_attribute(test, folders[i], "ignore-gfp-wait") = false;
		*(unsigned long *)fault_attribute(test, folders[i], "verbose") = 0;
	}
	*(bool *)fault_attribute(test, "fail_page_alloc", "ignore-gfp-highmem") = false;
	*(u32 *)fault_attribute(test, "fail_page_alloc", "min-order") = 0;

	return 0;
}

/**
 * virtgpu_fault_next() - Let an allocation of the current thread fail
 * @nth: number of allocations until the failure, 0 to disable it
 *
 * Context: Any.
 */
void virtgpu_fault_next(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/**
 * virtgpu_fault_happened() - Check for the failure, and disable it
 *
 * Context: Any.
 * Return: true if the allocation has failed.
 */
bool virtgpu_fault_happened(void)
{
	bool failed = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);

	return failed;
}

#else

int virtgpu_fault_init(struct kunit *test)
{
	kunit_skip(test, "the kernel has no fault injection");
}

void virtgpu_fault_next(unsigned int nth)
{
}

bool virtgpu_fault_happened(void)
{
	return false;
}

#endif
