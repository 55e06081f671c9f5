// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Preloaded into QEMU: notes in its trace what the host does with guest memory.
 *   bench_copied BYTES    copied into the picture of a 2D resource
 *   bench_entries COUNT   a udmabuf was made of that many entries
 * It also calls slow-host.c for each frame that QEMU's SDL display draws with
 * OpenGL.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES 256

#define REAL(name) ((__typeof__(name) *)real(#name))

struct picture {
	void *image;
	char *start;
	size_t size;
};

/* QEMU's; whatever else is preloaded into has none. */
extern void qemu_log(const char *fmt, ...) __attribute__((weak));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct picture pictures[PICTURES];
static int n_pictures;

static void *real(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

/* The functions of pixman and libc that are looked at on their way. */
void *pixman_image_create_bits(int format, int width, int height, uint32_t *bits, int stride);
int pixman_image_unref(void *image);
int ioctl(int fd, unsigned long request, ...);

void *pixman_image_create_bits(int format, int width, int height, uint32_t *bits, int stride)
{
	void *image = REAL(pixman_image_create_bits)(format, width, height, bits, stride);

	pthread_mutex_lock(&lock);
	if (image && bits && stride > 0) {
		if (n_pictures == PICTURES)
			abort();
		pictures[n_pictures++] = (struct picture){
			.image = image, .start = (char *)bits, .size = (size_t)stride * height,
		};
	}
	pthread_mutex_unlock(&lock);
	return image;
}

int pixman_image_unref(void *image)
{
	int gone = REAL(pixman_image_unref)(image);
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; gone && i < n_pictures; i++)
		if (pictures[i].image == image)
			pictures[i--] = pictures[--n_pictures];
	pthread_mutex_unlock(&lock);
	return gone;
}

static bool in_picture(const char *p)
{
	int i;

	for (i = 0; i < n_pictures; i++)
		if (p >= pictures[i].start && p < pictures[i].start + pictures[i].size)
			return true;
	return false;
}

void *memcpy(void *to, const void *from, size_t size)
{
	if (n_pictures && in_picture(to))
		qemu_log("bench_copied %zu\n", size);
	return memmove(to, from, size);
}

int ioctl(int fd, unsigned long request, ...)
{
	void *arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == UDMABUF_CREATE_LIST && qemu_log)
		qemu_log("bench_entries %u\n", ((struct udmabuf_create_list *)arg)->count);
	return REAL(ioctl)(fd, request, arg);
}

typedef void swap_window(void *window);
swap_window SDL_GL_SwapWindow;

/* Called when a frame was drawn. */
void (*host_gl_drawn)(void);

void SDL_GL_SwapWindow(void *window)
{
	static swap_window *swap;

	/* QEMU keeps the library to its module for SDL. */
	if (!swap)
		swap = (swap_window *)dlsym(dlopen("libSDL2-2.0.so.0", RTLD_LAZY), "SDL_GL_SwapWindow");
	if (!swap)
		abort();
	swap(window);
	if (host_gl_drawn)
		host_gl_drawn();
}
