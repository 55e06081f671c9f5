// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/debugfs.h>
#include <linux/sched.h>

#include "virtgpu_test_fault.h"

/* Memory that is short when a test says so. */

#ifdef CONFIG_FAULT_INJECTION

/* What the kernel's fault injection is told by debugfs, see fault-injection.rst. */
static void *knob(struct kunit *test, const char *folder, const char *file)
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
 * virtgpu_fault_init - &kunit_suite.init of suites in which memory is short
 * @test: the test, which is skipped where the kernel cannot do that
 *
 * Allocations that may sleep fail too, and without a word.
 *
 * Return: 0.
 */
int virtgpu_fault_init(struct kunit *test)
{
	static const char * const folders[] = { "failslab", "fail_page_alloc" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		*(bool *)knob(test, folders[i], "ignore-gfp-wait") = false;
		*(unsigned long *)knob(test, folders[i], "verbose") = 0;
	}
	*(bool *)knob(test, "fail_page_alloc", "ignore-gfp-highmem") = false;
	*(u32 *)knob(test, "fail_page_alloc", "min-order") = 0;

	return 0;
}

/**
 * virtgpu_fault_next - have an allocation of this thread fail
 * @nth: which, from now on; 0 for none
 */
void virtgpu_fault_next(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/**
 * virtgpu_fault_happened - has it failed? From now on none does
 *
 * Return: false if it did not come to that.
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
