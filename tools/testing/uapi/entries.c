// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How many scatter list entries a big dumb buffer has. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "harness.h"

#define BUFFERS	8

/* The most entries that any resource has, from the driver's own report. */
static int64_t most_entries(struct kms *kms)
{
	static char text[262144];
	int64_t most = -1;
	char *at;

	if (!kms_debugfs(kms, "virtio-gpu-resources", text, sizeof(text)))
		skip("no debugfs file \"virtio-gpu-resources\"");
	for (at = text; (at = strstr(at, "entries=")); at++) {
		int64_t n = strtoll(at + 8, NULL, 10);

		if (n > most)
			most = n;
	}
	return most;
}

/* Free pages, and those of them in blocks of at least 64 KiB. */
static void free_pages(uint64_t *all, uint64_t *big)
{
	FILE *f = fopen("/proc/buddyinfo", "r");
	char line[256];
	char *at;
	int order;

	check(f);
	*all = 0;
	*big = 0;
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "zone");
		if (!at || strstr(line, "DMA "))
			continue;
		/* "zone", its name, then a number for each order */
		strtok(at, " ");
		strtok(NULL, " ");
		for (order = 0; (at = strtok(NULL, " ")); order++) {
			uint64_t n = strtoull(at, NULL, 10) << order;

			*all += n;
			if (order >= 4)
				*big += n;
		}
	}
	fclose(f);
}

/* Several at a time, so that the best pieces are soon used up. */
static void measure(int64_t limit)
{
	struct buffer buf[BUFFERS];
	int64_t most = 0;
	struct kms kms;
	int i;

	kms_open(&kms, 0, 0);
	for (i = 0; i < BUFFERS; i++) {
		buffer_new(&buf[i], &kms, SOURCE_DUMB, 3840, 2160);
		buffer_draw(&buf[i], &kms, &picture_a);
		buffer_import(&buf[i], &kms);
		/* The driver may make the resource when it is first shown. */
		check_ok(kms_modeset(&kms, &kms.out[0], buf[i].fb));
		most = most_entries(&kms);
		check_cmp(most, >, 0);
	}
	note("most entries of %d buffers of 3840x2160: %lld", BUFFERS,
	     (long long)most);
	check_cmp(most, <=, limit);
	check_ok(kms_off(&kms, &kms.out[0]));
	for (i = 0; i < BUFFERS; i++)
		buffer_free(&buf[i], &kms);
}

static void fresh(int arg)
{
	uint64_t all, big;

	(void)arg;
	free_pages(&all, &big);
	if (big < all / 2)
		skip("memory is fragmented");
	measure(32);
}

static void in_pieces(int arg)
{
	uint64_t all, big;

	(void)arg;
	free_pages(&all, &big);
	note("%llu of %llu free pages are in blocks of 64 KiB or more",
	     (unsigned long long)big, (unsigned long long)all);
	if (big > all / 10)
		skip("memory is not fragmented (run under virtgpu-fragment)");
	measure(1024);
}

const struct test_case entries_cases[] = {
	{ "entries/fresh", fresh, 0, 0 },
	{ "entries/fragmented", in_pieces, 0, 120 },
	{ 0 }
};
