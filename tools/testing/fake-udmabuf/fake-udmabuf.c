// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A fake /dev/udmabuf for hosts without the device, so that QEMU offers blob
 * resources. Preloaded; a "dma-buf" that it makes can be mapped in this process
 * only, which is what QEMU does with it.
 *
 * The device's default limits hold, so that guests meet what they meet
 * elsewhere. Environment:
 *   VIRTGPU_UDMABUF_LIST_LIMIT     entries in a list (1024)
 *   VIRTGPU_UDMABUF_SIZE_LIMIT_MB  bytes in a buffer (64)
 *   VIRTGPU_UDMABUF_REFUSE=1       the device is there but makes nothing
 *   VIRTGPU_UDMABUF_MEMFD_MIN_MB   no memory of smaller memfds, like a PCI BAR
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE "/dev/udmabuf"

struct buffer {
	struct buffer *next;
	int fd;			/* what the process holds */
	dev_t dev;
	ino_t ino;
	size_t size;
	unsigned int count;
	struct udmabuf_create_item item[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer *buffers;
static struct stat device;	/* identity of the open "devices": all share one memfd */
static int device_fd = -1;

#define REAL(name) ((__typeof__(name) *)real(#name))

static void *real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

static int open_device(int flags)
{
	int fd;

	pthread_mutex_lock(&lock);
	if (device_fd < 0) {
		device_fd = memfd_create("fake udmabuf", MFD_CLOEXEC);
		if (device_fd >= 0)
			fstat(device_fd, &device);
	}
	fd = device_fd;
	if (fd >= 0)
		fd = fcntl(fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	pthread_mutex_unlock(&lock);
	return fd;
}

static bool is_device(int fd)
{
	struct stat st;

	return device_fd >= 0 && !fstat(fd, &st) &&
	       st.st_dev == device.st_dev && st.st_ino == device.st_ino;
}

/* The checks of the kernel's udmabuf_create(): 0 or a negative errno. */
static int check(const struct udmabuf_create_item *item, unsigned int count, size_t *size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct stat st;
	int seals;

	*size = 0;
	if (setting("VIRTGPU_UDMABUF_REFUSE", 0))
		return -ENOMEM;
	if (!count || count > setting("VIRTGPU_UDMABUF_LIST_LIMIT", 1024))
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++) {
		if (!item[i].size || item[i].offset % page || item[i].size % page)
			return -EINVAL;
		seals = fcntl(item[i].memfd, F_GET_SEALS);
		if (seals < 0)
			return -EBADFD;
		if (!(seals & F_SEAL_SHRINK) || seals & F_SEAL_WRITE)
			return -EINVAL;
		if (fstat(item[i].memfd, &st) ||
		    item[i].offset + item[i].size > (unsigned long long)st.st_size)
			return -EINVAL;
		if (st.st_size >> 20 < (off_t)setting("VIRTGPU_UDMABUF_MEMFD_MIN_MB", 0))
			return -EINVAL;
		*size += item[i].size;
		if (*size > setting("VIRTGPU_UDMABUF_SIZE_LIMIT_MB", 64) << 20)
			return -EINVAL;
	}
	return 0;
}

static void release(struct buffer *buffer)
{
	for (unsigned int i = 0; i < buffer->count; i++)
		if (!i || buffer->item[i].memfd != buffer->item[i - 1].memfd)
			REAL(close)(buffer->item[i].memfd);
	free(buffer);
}

static int create(const struct udmabuf_create_item *item, unsigned int count, unsigned int flags)
{
	struct buffer *buffer;
	struct stat st;
	size_t size;
	int error = check(item, count, &size);

	if (error) {
		errno = -error;
		return -1;
	}
	buffer = calloc(1, sizeof(*buffer) + count * sizeof(*item));
	if (!buffer)
		return -1;
	buffer->size = size;
	for (; buffer->count < count; buffer->count++) {
		struct udmabuf_create_item *own = &buffer->item[buffer->count];

		*own = item[buffer->count];
		/*
		 * A process can have fewer descriptors than lists have entries.
		 */
		if (buffer->count && own->memfd == item[buffer->count - 1].memfd) {
			own->memfd = own[-1].memfd;
			continue;
		}
		own->memfd = fcntl(own->memfd, F_DUPFD_CLOEXEC, 0);
		if ((int)own->memfd < 0)
			goto fail;
	}
	buffer->fd = memfd_create("fake dma-buf",
				  flags & UDMABUF_FLAGS_CLOEXEC ? MFD_CLOEXEC : 0);
	if (buffer->fd < 0)
		goto fail;
	if (ftruncate(buffer->fd, size) || fstat(buffer->fd, &st)) {
		REAL(close)(buffer->fd);
		goto fail;
	}
	buffer->dev = st.st_dev;
	buffer->ino = st.st_ino;
	pthread_mutex_lock(&lock);
	buffer->next = buffers;
	buffers = buffer;
	pthread_mutex_unlock(&lock);
	return buffer->fd;

fail:
	error = errno;
	release(buffer);
	errno = error;
	return -1;
}

/* With the lock held. Duplicates of a descriptor are the same file. */
static struct buffer *find(int fd)
{
	struct stat st;

	if (!buffers || fstat(fd, &st))
		return NULL;
	for (struct buffer *b = buffers; b; b = b->next)
		if (b->dev == st.st_dev && b->ino == st.st_ino)
			return b;
	return NULL;
}

/* The listed ranges side by side. */
static void *map(const struct buffer *buffer, size_t length, int prot, int flags, off_t offset)
{
	char *base = REAL(mmap)(NULL, length, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t end = offset + length, at = 0;

	if (base == MAP_FAILED)
		return base;
	for (unsigned int i = 0; i < buffer->count; i++) {
		const struct udmabuf_create_item *item = &buffer->item[i];
		size_t from = at > (size_t)offset ? at : (size_t)offset;
		size_t to = at + item->size < end ? at + item->size : end;

		if (from < to &&
		    REAL(mmap)(base + (from - offset), to - from, prot, flags | MAP_FIXED,
			       item->memfd, item->offset + (from - at)) == MAP_FAILED) {
			int error = errno;

			munmap(base, length);
			errno = error;
			return MAP_FAILED;
		}
		at += item->size;
	}
	return base;
}

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct buffer *buffer = NULL;
	void *result;

	if (fd < 0 || flags & (MAP_ANONYMOUS | MAP_FIXED))
		return REAL(mmap)(addr, length, prot, flags, fd, offset);
	pthread_mutex_lock(&lock);
	buffer = find(fd);
	if (buffer && (offset < 0 || offset + length > buffer->size)) {
		errno = EINVAL;
		result = MAP_FAILED;
	} else {
		result = buffer ? map(buffer, length, prot, flags, offset) :
				  REAL(mmap)(addr, length, prot, flags, fd, offset);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, length, prot, flags, fd, offset);
}

int ioctl(int fd, unsigned long request, ...)
{
	void *arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == UDMABUF_CREATE_LIST && is_device(fd)) {
		const struct udmabuf_create_list *list = arg;

		return create(list->list, list->count, list->flags);
	}
	if (request == UDMABUF_CREATE && is_device(fd)) {
		const struct udmabuf_create *one = arg;
		struct udmabuf_create_item item = {
			.memfd = one->memfd, .offset = one->offset, .size = one->size,
		};

		return create(&item, 1, one->flags);
	}
	return REAL(ioctl)(fd, request, arg);
}

int close(int fd)
{
	struct buffer **link, *gone = NULL;

	pthread_mutex_lock(&lock);
	for (link = &buffers; *link; link = &(*link)->next) {
		if ((*link)->fd == fd) {
			gone = *link;
			*link = gone->next;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	if (gone)
		release(gone);
	return REAL(close)(fd);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)								\
int name(const char *path, int flags, ...)					\
{										\
	va_list args;								\
	mode_t mode;								\
										\
	va_start(args, flags);							\
	mode = mode_of(flags, args);						\
	va_end(args);								\
	if (!strcmp(path, DEVICE))						\
		return open_device(flags);					\
	return REAL(name)(path, flags, mode);					\
}

#define OPENAT(name)								\
int name(int dir, const char *path, int flags, ...)				\
{										\
	va_list args;								\
	mode_t mode;								\
										\
	va_start(args, flags);							\
	mode = mode_of(flags, args);						\
	va_end(args);								\
	if (!strcmp(path, DEVICE))						\
		return open_device(flags);					\
	return REAL(name)(dir, path, flags, mode);				\
}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
