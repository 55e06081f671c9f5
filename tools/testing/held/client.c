// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A Wayland client that fills each output with a colour, and moves a bar across
 * it with every frame that the compositor asks for. The colour is the second of
 * CLOCK_MONOTONIC (see run). Writes how many frames there were into a file.
 *
 *   SIGUSR1  draw one more frame, all white, and stand still
 *   SIGUSR2  go on
 *
 * It speaks the protocol itself, so that the guest needs no headers of
 * Wayland's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define MAX_WINDOWS	4
#define WIDTH		640
#define HEIGHT		480
#define BAR		32
#define WHITE		0xffffff
#define NO_COLOUR	1

/* Requests and events by their numbers in the protocol. */
enum { DISPLAY_SYNC, DISPLAY_GET_REGISTRY };
enum { REGISTRY_BIND };
enum { COMPOSITOR_CREATE_SURFACE };
enum { SHM_CREATE_POOL };
enum { POOL_CREATE_BUFFER, POOL_DESTROY };
enum { BUFFER_DESTROY };
enum { SURFACE_ATTACH = 1, SURFACE_FRAME = 3, SURFACE_COMMIT = 6, SURFACE_DAMAGE_BUFFER = 9 };
enum { BASE_GET_XDG_SURFACE = 2, BASE_PONG };
enum { XDG_GET_TOPLEVEL = 1, XDG_ACK_CONFIGURE = 4 };
enum { TOPLEVEL_SET_FULLSCREEN = 11 };

struct buffer {
	uint32_t id;
	uint32_t *pixels;
	uint32_t colour;
	bool busy;
};

/**
 * struct window - one for each output
 * @output: its id
 * @surface: the window's id
 * @xdg: its id as an xdg_surface
 * @toplevel: its id as an xdg_toplevel
 * @callback: the next frame, or 0
 * @width: pixels, 0 until it is configured
 * @height: pixels
 * @shown: the colour of the last frame
 * @buffer: at most one of them is the compositor's
 */
struct window {
	uint32_t output;
	uint32_t surface;
	uint32_t xdg;
	uint32_t toplevel;
	uint32_t callback;
	int width;
	int height;
	uint32_t shown;
	struct buffer buffer[3];
};

static struct window windows[MAX_WINDOWS];
static int n_windows;
static uint32_t registry, globals_done, compositor, shm, base, last_id = 1;
static int server, count_file;
static long frames;
static volatile sig_atomic_t still;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint32_t new_id(void)
{
	return ++last_id;
}

/* A request with @n words as its arguments, perhaps with a file. */
static void send_words(uint32_t object, int opcode, int fd, const uint32_t *words, int n)
{
	uint32_t message[64] = { object, (uint32_t)(8 + 4 * n) << 16 | opcode };
	struct iovec iov = { message, 8 + 4 * n };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(message + 2, words, 4 * n);
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	if (sendmsg(server, &msg, MSG_NOSIGNAL) != (ssize_t)iov.iov_len)
		die("sendmsg");
}

#define request(object, opcode, ...) do {					\
	const uint32_t words_[] = { __VA_ARGS__ };				\
	send_words(object, opcode, -1, words_, sizeof(words_) / 4);		\
} while (0)

static uint32_t bind_global(uint32_t name, const char *interface, uint32_t version)
{
	uint32_t words[32] = { name, strlen(interface) + 1 };
	int n = 2 + (words[1] + 3) / 4;

	memcpy(words + 2, interface, words[1]);
	words[n++] = version;
	words[n++] = new_id();
	send_words(registry, REGISTRY_BIND, -1, words, n);
	return last_id;
}

static uint32_t wanted_colour(void)
{
	struct timespec ts;
	uint32_t n;

	if (still)
		return WHITE;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	n = ts.tv_sec % 64;
	return (n & 3) * 0x50 << 16 | (n >> 2 & 3) * 0x50 << 8 | (n >> 4 & 3) * 0x50;
}

static void resize(struct window *w, int width, int height)
{
	size_t size = (size_t)width * height * 4;
	uint32_t pool = new_id();
	int fd, i;
	char *map;

	if (w->width) {
		munmap(w->buffer[0].pixels, (size_t)w->width * w->height * 4 * 3);
		for (i = 0; i < 3; i++)
			request(w->buffer[i].id, BUFFER_DESTROY);
	}
	w->width = width;
	w->height = height;
	w->shown = NO_COLOUR;
	fd = memfd_create("frames", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size * 3))
		die("memfd");
	map = mmap(NULL, size * 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	send_words(shm, SHM_CREATE_POOL, fd, (uint32_t[]){ pool, size * 3 }, 2);
	close(fd);
	for (i = 0; i < 3; i++) {
		w->buffer[i].id = new_id();
		w->buffer[i].pixels = (uint32_t *)(map + size * i);
		w->buffer[i].colour = NO_COLOUR;
		w->buffer[i].busy = false;
		/* XRGB8888 */
		request(pool, POOL_CREATE_BUFFER, w->buffer[i].id, (uint32_t)(size * i), width,
			height, width * 4, 1);
	}
	request(pool, POOL_DESTROY);
}

/*
 * In few instructions, which are counted: it is the display that they should be
 * spent on.
 */
static void fill(uint32_t *pixels, size_t n, uint32_t colour)
{
	wmemset((wchar_t *)pixels, colour, n);
}

static void draw(struct window *w)
{
	uint32_t colour = wanted_colour();
	struct buffer *b = NULL;
	int i, x, side;

	if (w->callback || !w->width || (still && w->shown == WHITE))
		return;
	for (i = 0; i < 3; i++)
		if (!w->buffer[i].busy)
			b = &w->buffer[i];
	if (!b)
		return;
	side = w->width < w->height ? w->width : w->height;
	if (side > BAR)
		side = BAR;
	if (b->colour != colour) {
		fill(b->pixels, (size_t)w->width * w->height, colour);
		b->colour = colour;
	} else {
		fill(b->pixels, (size_t)w->width * side, colour);
	}
	x = frames * 4 % (w->width - side + 1);
	for (i = 0; !still && i < side; i++)
		fill(b->pixels + i * w->width + x, side, WHITE);
	request(w->surface, SURFACE_ATTACH, b->id, 0, 0);
	request(w->surface, SURFACE_DAMAGE_BUFFER, 0, 0, w->width,
		w->shown == colour ? side : w->height);
	w->callback = new_id();
	request(w->surface, SURFACE_FRAME, w->callback);
	request(w->surface, SURFACE_COMMIT);
	b->busy = true;
	w->shown = colour;
}

static void on_global(uint32_t name, const char *interface)
{
	if (!strcmp(interface, "wl_compositor"))
		compositor = bind_global(name, interface, 4);
	else if (!strcmp(interface, "wl_shm"))
		shm = bind_global(name, interface, 1);
	else if (!strcmp(interface, "xdg_wm_base"))
		base = bind_global(name, interface, 1);
	else if (!strcmp(interface, "wl_output") && n_windows < MAX_WINDOWS)
		windows[n_windows++].output = bind_global(name, interface, 1);
}

static void open_window(struct window *w)
{
	w->surface = new_id();
	request(compositor, COMPOSITOR_CREATE_SURFACE, w->surface);
	w->xdg = new_id();
	request(base, BASE_GET_XDG_SURFACE, w->xdg, w->surface);
	w->toplevel = new_id();
	request(w->xdg, XDG_GET_TOPLEVEL, w->toplevel);
	request(w->toplevel, TOPLEVEL_SET_FULLSCREEN, w->output);
	request(w->surface, SURFACE_COMMIT);
}

static void on_window_event(struct window *w, uint32_t object, int opcode, const uint32_t *args)
{
	int i, width, height;

	if (object == w->toplevel && opcode == 0) {
		/* Some leave the first size to the client. */
		width = args[0] ? (int)args[0] : w->width ? w->width : WIDTH;
		height = args[1] ? (int)args[1] : w->height ? w->height : HEIGHT;
		if (width != w->width || height != w->height)
			resize(w, width, height);
	} else if (object == w->xdg && opcode == 0) {
		request(w->xdg, XDG_ACK_CONFIGURE, args[0]);
		draw(w);
	} else if (object == w->callback) {
		w->callback = 0;
		frames++;
		draw(w);
	}
	for (i = 0; i < 3; i++)
		if (object == w->buffer[i].id && object) {
			w->buffer[i].busy = false;
			draw(w);
		}
}

static void on_event(uint32_t object, int opcode, const uint32_t *args)
{
	int i;

	if (object == 1 && opcode == 0) {
		fprintf(stderr, "error of object %u: %s\n", args[0], (const char *)(args + 3));
		exit(EXIT_FAILURE);
	}
	if (object == globals_done) {
		globals_done = 0;
	} else if (object == registry && opcode == 0) {
		on_global(args[0], (const char *)(args + 2));
	} else if (object == base && opcode == 0) {
		request(base, BASE_PONG, args[0]);
	} else if (object > 1) {
		for (i = 0; i < n_windows; i++)
			on_window_event(&windows[i], object, opcode, args);
	}
}

/* Whatever has come, or will within @ms. */
static void read_events(int ms)
{
	static char data[65536];
	static size_t used;
	struct pollfd pfd = { .fd = server, .events = POLLIN };
	uint32_t head[2];
	size_t at = 0, size;
	ssize_t len;

	if (poll(&pfd, 1, ms) <= 0)
		return;
	len = recv(server, data + used, sizeof(data) - used, 0);
	if (len <= 0)
		exit(EXIT_SUCCESS);
	used += len;
	while (used - at >= sizeof(head)) {
		uint32_t args[1024];

		memcpy(head, data + at, sizeof(head));
		size = head[1] >> 16;
		if (size < 8 || size - 8 > sizeof(args))
			exit(EXIT_FAILURE);
		if (used - at < size)
			break;
		memcpy(args, data + at + 8, size - 8);
		on_event(head[0], head[1] & 0xffff, args);
		at += size;
	}
	memmove(data, data + at, used - at);
	used -= at;
}

static void on_signal(int number)
{
	still = number == SIGUSR1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct sigaction action = { .sa_handler = on_signal };
	char text[32];
	int i;

	if (argc != 2)
		return EXIT_FAILURE;
	count_file = open(argv[1], O_WRONLY | O_CREAT, 0600);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", getenv("XDG_RUNTIME_DIR"),
		 getenv("WAYLAND_DISPLAY"));
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (count_file < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)))
		die(address.sun_path);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);

	registry = new_id();
	request(1, DISPLAY_GET_REGISTRY, registry);
	globals_done = new_id();
	request(1, DISPLAY_SYNC, globals_done);
	while (globals_done)
		read_events(1000);
	if (!compositor || !shm || !base || !n_windows) {
		fprintf(stderr, "the compositor lacks something\n");
		return EXIT_FAILURE;
	}
	for (i = 0; i < n_windows; i++)
		open_window(&windows[i]);
	for (;;) {
		read_events(1000);
		for (i = 0; i < n_windows; i++)
			draw(&windows[i]);
		i = snprintf(text, sizeof(text), "%ld\n", frames);
		if (pwrite(count_file, text, i, 0) != i)
			die(argv[1]);
	}
}
