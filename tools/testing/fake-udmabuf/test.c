// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What users of udmabuf do; passes with the real device and with the fake one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL

static int number;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	if (!good)
		exit(1);
}

static int list(int device, int memfd, unsigned int count, size_t size)
{
	struct udmabuf_create_list *l = calloc(1, sizeof(*l) + count * sizeof(l->list[0]));
	int fd, error;

	l->count = count;
	for (unsigned int i = 0; i < count; i++) {
		l->list[i].memfd = memfd;
		/* last page first, so that order shows */
		l->list[i].offset = (count - 1 - i) * size;
		l->list[i].size = size;
	}
	fd = ioctl(device, UDMABUF_CREATE_LIST, l);
	error = errno;
	free(l);
	errno = error;
	return fd;
}

int main(void)
{
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memfd, fd;
	unsigned char *source, *map;

	ok(device >= 0, "the device opens");
	memfd = memfd_create("test", MFD_ALLOW_SEALING);
	ok(!ftruncate(memfd, 128UL << 20), "a memfd");
	ok(list(device, memfd, 4, PAGE) < 0 && errno == EINVAL, "unsealed memory is refused");
	ok(!fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), "sealed");
	fd = list(device, memfd, 4, PAGE);
	ok(fd >= 0, "four pages make a buffer");
	source = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ok(map != MAP_FAILED && source != MAP_FAILED, "mapped");
	for (int i = 0; i < 4; i++)
		memset(source + i * PAGE, 'a' + i, PAGE);
	ok(map[0] == 'd' && map[PAGE] == 'c' && map[4 * PAGE - 1] == 'a',
	   "the pages appear in the order of the list");
	ok(!munmap(map, 4 * PAGE) && !close(fd), "unmapped, closed");
	fd = list(device, memfd, 1024, PAGE);
	ok(fd >= 0 && !close(fd), "1024 entries");
	ok(list(device, memfd, 1025, PAGE) < 0, "1025 are too many");
	fd = list(device, memfd, 1, 64UL << 20);
	ok(fd >= 0 && !close(fd), "64 MiB");
	ok(list(device, memfd, 1, (64UL << 20) + PAGE) < 0, "more is too much");
	ok(list(device, memfd, 1, 100) < 0 && errno == EINVAL, "half pages are refused");
	return 0;
}
