// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffers to show, from wherever dma-bufs come from, and what is drawn in them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>

#include "buffer.h"
#include "harness.h"

const struct picture picture_a = {
	{ 0x204080, 0x40c020, 0xc06020, 0xe0e0e0 }, false
};

const struct picture picture_b = {
	{ 0x802040, 0x2040c0, 0x20c0c0, 0x606060 }, false
};

static int exporter_fd = -1;

int exporter_file(void)
{
	if (exporter_fd < 0)
		exporter_fd = open("/dev/virtgpu-exporter", O_RDWR | O_CLOEXEC);
	if (exporter_fd < 0)
		skip("the test exporter is not loaded");
	return exporter_fd;
}

static int exporter_ioctl(unsigned long cmd, void *args)
{
	return ioctl(exporter_file(), cmd, args) < 0 ? -errno : 0;
}

int exporter_move(struct buffer *buf, uint32_t placement)
{
	struct virtgpu_exporter_move args = {
		.fd = buf->fd,
		.placement = placement,
	};

	return exporter_ioctl(VIRTGPU_EXPORTER_MOVE, &args);
}

int exporter_fault(struct buffer *buf, uint32_t point, uint32_t error,
		   uint32_t count)
{
	struct virtgpu_exporter_fault args = {
		.fd = buf->fd,
		.point = point,
		.error = error,
		.count = count,
	};

	return exporter_ioctl(VIRTGPU_EXPORTER_FAULT, &args);
}

int exporter_revoke(int fd)
{
	struct virtgpu_exporter_revoke args = { .fd = fd };

	return exporter_ioctl(VIRTGPU_EXPORTER_REVOKE, &args);
}

int exporter_add_fence(struct buffer *buf, uint32_t flags, uint32_t ms,
		       uint32_t error)
{
	struct virtgpu_exporter_add_fence args = {
		.fd = buf->fd,
		.flags = flags,
		.ms = ms,
		.error = error,
	};

	return exporter_ioctl(VIRTGPU_EXPORTER_ADD_FENCE, &args);
}

int exporter_signal(void)
{
	return exporter_ioctl(VIRTGPU_EXPORTER_SIGNAL, NULL);
}

void exporter_stats(struct buffer *buf, struct virtgpu_exporter_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->fd = buf ? buf->fd : -1;
	check_ok(exporter_ioctl(VIRTGPU_EXPORTER_STATS, stats));
}

void exporter_info(struct virtgpu_exporter_info *info)
{
	memset(info, 0, sizeof(*info));
	check_ok(exporter_ioctl(VIRTGPU_EXPORTER_INFO, info));
}

/* What importers hold: taken and not given back. */
static int64_t held(const struct virtgpu_exporter_stats *s,
		    enum virtgpu_exporter_counter taken,
		    enum virtgpu_exporter_counter given)
{
	return stat_of(s, taken) - stat_of(s, given);
}

void exporter_check_balance(const struct virtgpu_exporter_stats *before)
{
	static const struct {
		const char *what;
		enum virtgpu_exporter_counter taken, given;
	} pairs[] = {
		{ "maps", VIRTGPU_EXPORTER_MAPS, VIRTGPU_EXPORTER_UNMAPS },
		{ "pins", VIRTGPU_EXPORTER_PINS, VIRTGPU_EXPORTER_UNPINS },
		{ "attachments", VIRTGPU_EXPORTER_ATTACHES,
		  VIRTGPU_EXPORTER_DETACHES },
	};
	struct virtgpu_exporter_stats now;
	int64_t end = now_ms() + 2000;
	int64_t more, buffers;
	unsigned int i;

	/*
	 * What the device still has in hand is given back a little later, that
	 * of the case before this one perhaps only now.
	 */
	for (i = 0; i < 3; i++) {
		for (;;) {
			exporter_stats(NULL, &now);
			more = held(&now, pairs[i].taken, pairs[i].given) -
			       held(before, pairs[i].taken, pairs[i].given);
			if (more <= 0 || now_ms() > end)
				break;
			sleep_ms(10);
		}
		if (more > 0)
			fail("%lld %s more than before", (long long)more,
			     pairs[i].what);
	}
	for (;;) {
		exporter_stats(NULL, &now);
		buffers = stat_of(&now, VIRTGPU_EXPORTER_BUFFERS) -
			  stat_of(before, VIRTGPU_EXPORTER_BUFFERS);
		if (buffers <= 0 || now_ms() > end)
			break;
		sleep_ms(10);
	}
	check_cmp(buffers, <=, 0);
	if (stat_of(&now, VIRTGPU_EXPORTER_VIOLATIONS) !=
	    stat_of(before, VIRTGPU_EXPORTER_VIOLATIONS))
		fail("the exporter saw violations, mask %#x", now.violations);
}

void buffer_new_flags(struct buffer *buf, enum source source, uint32_t width,
		      uint32_t height, uint32_t flags)
{
	struct virtgpu_exporter_create args = {
		.placement = source == SOURCE_VRAM ? VIRTGPU_EXPORTER_VRAM :
			     source == SOURCE_RAM ? VIRTGPU_EXPORTER_RAM :
						    VIRTGPU_EXPORTER_STATIC,
		.flags = flags,
	};
	struct virtgpu_exporter_info info;

	if (source == SOURCE_VRAM) {
		exporter_info(&info);
		if (!(info.flags & VIRTGPU_EXPORTER_INFO_VRAM))
			skip("no ivshmem device");
	}
	memset(buf, 0, sizeof(*buf));
	buf->source = source;
	buf->owner = -1;
	buf->width = width;
	buf->height = height;
	buf->stride = width * 4;
	buf->size = (uint64_t)buf->stride * height;
	args.size = buf->size;
	check_ok(exporter_ioctl(VIRTGPU_EXPORTER_CREATE, &args));
	buf->fd = args.fd;
}

static void new_dumb(struct buffer *buf, int fd, bool export)
{
	struct drm_mode_create_dumb args = {
		.width = buf->width,
		.height = buf->height,
		.bpp = 32,
	};

	buf->owner = fd;
	if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args))
		fail("dumb buffer of %ux%u: %s", buf->width, buf->height,
		     strerror(errno));
	buf->owner_handle = args.handle;
	buf->stride = args.pitch;
	buf->size = args.size;
	if (export)
		check_ok(kms_prime_export(fd, args.handle, &buf->fd));
}

static void new_udmabuf(struct buffer *buf)
{
	struct udmabuf_create args = { .flags = UDMABUF_FLAGS_CLOEXEC };
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	if (device < 0)
		skip("no udmabuf");
	buf->size = (buf->size + 4095) & ~4095ull;
	buf->owner = memfd_create("picture", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	check_cmp(buf->owner, >=, 0);
	check_eq(ftruncate(buf->owner, buf->size), 0);
	check_eq(fcntl(buf->owner, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	args.memfd = buf->owner;
	args.size = buf->size;
	buf->fd = ioctl(device, UDMABUF_CREATE, &args);
	check_cmp(buf->fd, >=, 0);
	close(device);
}

static void new_heap(struct buffer *buf)
{
	struct dma_heap_allocation_data args = {
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (heap < 0)
		skip("no system dma-heap");
	args.len = (buf->size + 4095) & ~4095ull;
	check_eq(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &args), 0);
	buf->fd = args.fd;
	close(heap);
}

static int other_card(const char *driver, int nth)
{
	int fd = open_card(driver, nth, NULL);

	if (fd < 0)
		skip("no %s%s card", nth ? "second " : "", driver);
	return fd;
}

void buffer_new(struct buffer *buf, struct kms *kms, enum source source,
		uint32_t width, uint32_t height)
{
	if (source >= SOURCE_STATIC) {
		buffer_new_flags(buf, source, width, height, 0);
		return;
	}

	memset(buf, 0, sizeof(*buf));
	buf->source = source;
	buf->owner = -1;
	buf->fd = -1;
	buf->width = width;
	buf->height = height;
	buf->stride = width * 4;
	buf->size = (uint64_t)buf->stride * height;
	switch (source) {
	case SOURCE_DUMB:
		new_dumb(buf, kms->fd, false);
		break;
	case SOURCE_VGEM:
		new_dumb(buf, other_card("vgem", 0), true);
		break;
	case SOURCE_BOCHS:
		new_dumb(buf, other_card("bochs-drm", 0), true);
		break;
	case SOURCE_VIRTIO:
		new_dumb(buf, other_card("virtio_gpu", 1), true);
		break;
	case SOURCE_UDMABUF:
		new_udmabuf(buf);
		break;
	default:
		new_heap(buf);
		break;
	}
}

void buffer_import(struct buffer *buf, struct kms *kms)
{
	int64_t fb;

	if (buf->source == SOURCE_DUMB)
		buf->handle = buf->owner_handle;
	else
		check_ok(kms_prime_import(kms->fd, buf->fd, &buf->handle));
	fb = kms_addfb(kms, buf->handle, buf->width, buf->height, buf->stride);
	check_ok(fb);
	buf->fb = fb;
}

void buffer_close(struct buffer *buf, struct kms *kms)
{
	if (buf->fb)
		check_ok(kms_rmfb(kms, buf->fb));
	if (buf->handle)
		check_ok(kms_gem_close(kms->fd, buf->handle));
	buf->fb = 0;
	buf->handle = 0;
}

void buffer_free(struct buffer *buf, struct kms *kms)
{
	buffer_close(buf, kms);
	if (buf->fd >= 0)
		close(buf->fd);
	if (buf->owner >= 0 && buf->owner != kms->fd)
		close(buf->owner);
	memset(buf, 0, sizeof(*buf));
	buf->fd = -1;
	buf->owner = -1;
}

void *map_dumb(int fd, uint32_t handle, size_t size)
{
	struct drm_mode_map_dumb args = { .handle = handle };
	void *map;

	if (drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &args))
		return NULL;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   args.offset);
	return map == MAP_FAILED ? NULL : map;
}

void *buffer_map(struct buffer *buf, struct kms *kms)
{
	void *map;

	(void)kms;
	if (buf->owner_handle) {
		map = map_dumb(buf->owner, buf->owner_handle, buf->size);
		check(map);
		return map;
	}
	map = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   buf->source == SOURCE_UDMABUF ? buf->owner : buf->fd, 0);
	check(map != MAP_FAILED);
	return map;
}

void paint(void *pixels, uint32_t width, uint32_t height, uint32_t stride,
	   const struct picture *picture)
{
	uint32_t x, y;
	uint32_t *row;

	for (y = 0; y < height; y++) {
		row = (uint32_t *)((char *)pixels + (size_t)y * stride);
		for (x = 0; x < width; x++)
			row[x] = 0xff000000 |
				 picture->color[(y >= height / 2) * 2 +
						(x >= width / 2)];
	}
}

static void cpu_access(int fd, uint64_t flags)
{
	struct dma_buf_sync args = { .flags = DMA_BUF_SYNC_RW | flags };

	if (fd >= 0)
		check_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &args), 0);
}

void buffer_gradient(struct buffer *buf, uint8_t id)
{
	struct virtgpu_exporter_fill args = {
		.fd = buf->fd,
		.pattern = VIRTGPU_EXPORTER_GRADIENT,
		.width = buf->width,
		.height = buf->height,
		.stride = buf->stride,
		.color = { id },
	};

	check_ok(exporter_ioctl(VIRTGPU_EXPORTER_FILL, &args));
}

void buffer_draw(struct buffer *buf, struct kms *kms,
		 const struct picture *picture)
{
	struct virtgpu_exporter_fill args = {
		.fd = buf->fd,
		.pattern = VIRTGPU_EXPORTER_QUADRANTS,
		.flags = picture->stamped ? VIRTGPU_EXPORTER_FILL_STAMP : 0,
		.width = buf->width,
		.height = buf->height,
		.stride = buf->stride,
	};
	void *map;
	int i;

	if (buf->source >= SOURCE_STATIC) {
		for (i = 0; i < 4; i++)
			args.color[i] = 0xff000000 | picture->color[i];
		check_ok(exporter_ioctl(VIRTGPU_EXPORTER_FILL, &args));
		return;
	}
	map = buffer_map(buf, kms);
	/*
	 * udmabuf's is drawn in the memfd.  Its own synchronisation maps the
	 * memory for a device that claims to take 64 KiB at most, which the DMA
	 * API's checks warn about.
	 */
	if (buf->source != SOURCE_UDMABUF)
		cpu_access(buf->fd, DMA_BUF_SYNC_START);
	paint(map, buf->width, buf->height, buf->stride, picture);
	if (buf->source != SOURCE_UDMABUF)
		cpu_access(buf->fd, DMA_BUF_SYNC_END);
	munmap(map, buf->size);
}

/* Take a screenshot; returns its name. */
static const char *named_screenshot(struct output *out, const char *name)
{
	static char label[96];

	snprintf(label, sizeof(label), "%s-%s", case_label(), name);
	ask_host("screenshot %s '' %d", label, out->index);
	return label;
}

void take_screenshot(struct output *out, const char *name,
		     const struct picture *picture, struct buffer *stamp_of)
{
	static const char * const places[] = { "white", "green", "blue" };
	struct virtgpu_exporter_stats stats;
	char stamp[48] = "";

	if (stamp_of) {
		exporter_stats(stamp_of, &stats);
		check_cmp(stats.placement, <, VIRTGPU_EXPORTER_GONE);
		snprintf(stamp, sizeof(stamp), " stamp=%s:%u",
			 places[stats.placement], stats.generation & 0xffff);
	}
	note("screenshot %s size=%ux%u quadrants=%06x,%06x,%06x,%06x%s",
	     named_screenshot(out, name), out->mode.hdisplay, out->mode.vdisplay,
	     picture->color[0], picture->color[1], picture->color[2],
	     picture->color[3], stamp);
}

void take_gradient_screenshot(struct output *out, const char *name, uint8_t id)
{
	note("screenshot %s size=%ux%u gradient=%02x", named_screenshot(out, name),
	     out->mode.hdisplay, out->mode.vdisplay, id);
}
