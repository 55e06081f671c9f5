// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * mark WHAT MS: count instructions, or have a frame held (tools/bench/mark.h).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../bench/mark.h"

static int count(unsigned int ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	MARK_NOW(MARK_START);
	nanosleep(&ts, NULL);
	MARK_NOW(MARK_END);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "count"))
		return count(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return -mark_value(MARK_HOLD, atoi(argv[2]));
	fprintf(stderr, "usage: mark count|hold MS\n");
	return EXIT_FAILURE;
}
