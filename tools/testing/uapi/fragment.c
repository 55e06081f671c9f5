// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * virtgpu-fragment COMMAND...: run a command on a machine whose free memory is
 * in pieces: nearly all of it is taken page by page, then every other page
 * given back, and the rest held until the command ends.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Left alone at the peak; the DMA zone has 16 MiB of it, the kernel needs some.
 */
#define SPARE	(44ull << 20)
#define STEP	0x100000ul

static unsigned long long free_memory(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

static void tune(const char *name, const char *value)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	f = fopen(path, "w");
	if (!f)
		return;
	fputs(value, f);
	fclose(f);
}

static void show(const char *when)
{
	char line[256];
	FILE *f = fopen("/proc/buddyinfo", "r");

	printf("# free blocks by order, %s\n", when);
	while (f && fgets(line, sizeof(line), f))
		printf("# %s", line);
	if (f)
		fclose(f);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size, taken, at;
	char *memory;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND...\n", argv[0]);
		return EXIT_FAILURE;
	}
	/* No mending of its own accord, and no big reserve. */
	tune("compaction_proactiveness", "0");
	tune("min_free_kbytes", "8192");
	show("before");
	size = free_memory();
	if (size < 2 * SPARE) {
		fprintf(stderr, "%s: too little memory\n", argv[0]);
		return EXIT_FAILURE;
	}
	size -= size % STEP;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE) ||
	    madvise(memory, size, MADV_DONTFORK)) {
		perror(argv[0]);
		return EXIT_FAILURE;
	}
	/* Page tables take their share too, so look how much is left. */
	for (taken = 0; taken < size && free_memory() > SPARE; taken += STEP)
		for (at = taken; at < taken + STEP; at += page)
			memory[at] = 1;
	for (at = 0; at < taken; at += 2 * page)
		madvise(memory + at, page, MADV_DONTNEED);
	show("after");

	pid = fork();
	if (pid < 0) {
		perror(argv[0]);
		return EXIT_FAILURE;
	}
	if (!pid) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	munmap(memory, size);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
