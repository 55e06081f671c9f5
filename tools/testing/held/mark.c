// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* mark WHAT [MS]: count instructions, or set the display's pace (tools/bench/mark.h). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bench/mark.h"

int main(int argc, char **argv)
{
	static const char * const names[] = {
		[MARK_START] = "start",
		[MARK_END] = "end",
		[MARK_DELAY] = "delay",
		[MARK_HOLD] = "hold",
	};
	unsigned int i;

	for (i = 0; argc > 1 && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(argv[1], names[i]))
			return -mark_value(i, argc > 2 ? atoi(argv[2]) : 0);
	fprintf(stderr, "usage: mark start|end|delay MS|hold MS\n");
	return EXIT_FAILURE;
}
