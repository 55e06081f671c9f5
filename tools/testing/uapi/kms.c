// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The display side of the device under test, through libdrm. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "kms.h"

#define MAX_CARDS	16
#define MAX_FILES	256
#define FLIP_TIMEOUT	5000

static int minus_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

int open_card(const char *driver, int nth, int *card)
{
	drmVersionPtr version;
	char path[32];
	bool match;
	int fd, i;

	for (i = 0; i < MAX_CARDS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		match = version && !strcmp(version->name, driver);
		drmFreeVersion(version);
		if (match && nth-- == 0) {
			if (card)
				*card = i;
			return fd;
		}
		close(fd);
	}
	return -1;
}

static void find_planes(struct kms *kms, struct output *out)
{
	drmModePlaneResPtr planes = drmModeGetPlaneResources(kms->fd);
	drmModePlanePtr plane;
	uint64_t type;
	uint32_t i;

	check(planes);
	out->primary = 0;
	out->cursor = 0;
	for (i = 0; i < planes->count_planes; i++) {
		plane = drmModeGetPlane(kms->fd, planes->planes[i]);
		check(plane);
		if (plane->possible_crtcs & 1u << out->pipe &&
		    kms_get_prop(kms, plane->plane_id, DRM_MODE_OBJECT_PLANE,
				 "type", &type)) {
			if (type == DRM_PLANE_TYPE_PRIMARY && !out->primary)
				out->primary = plane->plane_id;
			if (type == DRM_PLANE_TYPE_CURSOR && !out->cursor)
				out->cursor = plane->plane_id;
		}
		drmModeFreePlane(plane);
	}
	drmModeFreePlaneResources(planes);
	check(out->primary);
}

static void pick_mode(struct kms *kms, struct output *out,
		      drmModeConnectorPtr connector, uint32_t width,
		      uint32_t height)
{
	int i;

	out->mode = connector->modes[0];
	for (i = 0; i < connector->count_modes; i++) {
		if (connector->modes[i].hdisplay != width ||
		    connector->modes[i].vdisplay != height)
			continue;
		out->mode = connector->modes[i];
		break;
	}
	check_ok(drmModeCreatePropertyBlob(kms->fd, &out->mode,
					   sizeof(out->mode),
					   &out->mode_blob));
}

void kms_probe(struct kms *kms, uint32_t width, uint32_t height, bool all)
{
	drmModeResPtr res = drmModeGetResources(kms->fd);
	drmModeConnectorPtr connector;
	drmModeEncoderPtr encoder;
	struct output *out;
	int i;

	if (!res)
		skip("the card has no display");
	kms->n_outputs = 0;
	for (i = 0; i < res->count_connectors && i < MAX_OUTPUTS; i++) {
		connector = drmModeGetConnector(kms->fd, res->connectors[i]);
		check(connector);
		if (all || (connector->connection == DRM_MODE_CONNECTED &&
			    connector->count_modes)) {
			out = &kms->out[kms->n_outputs++];
			memset(out, 0, sizeof(*out));
			out->index = i;
			out->connector = connector->connector_id;
			out->type_id = connector->connector_type_id;
			check(connector->count_encoders > 0);
			encoder = drmModeGetEncoder(kms->fd,
						    connector->encoders[0]);
			check(encoder);
			out->pipe = ffs(encoder->possible_crtcs) - 1;
			check_cmp(out->pipe, >=, 0);
			check_cmp(out->pipe, <, res->count_crtcs);
			out->crtc = res->crtcs[out->pipe];
			drmModeFreeEncoder(encoder);
			find_planes(kms, out);
			if (connector->count_modes)
				pick_mode(kms, out, connector, width, height);
		}
		drmModeFreeConnector(connector);
	}
	drmModeFreeResources(res);
}

void kms_open(struct kms *kms, uint32_t width, uint32_t height)
{
	memset(kms, 0, sizeof(*kms));
	kms->fd = open_card("virtio_gpu", 0, &kms->card);
	if (kms->fd < 0)
		skip("no virtio_gpu card");
	check_ok(drmSetClientCap(kms->fd, DRM_CLIENT_CAP_ATOMIC, 1));
	check_ok(drmSetClientCap(kms->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1));
	/* Without it a virtual device's cursor plane is hidden. */
	drmSetClientCap(kms->fd, DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT, 1);
	kms_probe(kms, width, height, false);
	if (!kms->n_outputs)
		skip("no output is connected");
}

void kms_borrow(struct kms *kms, pid_t compositor, uint32_t width, uint32_t height)
{
	int process = syscall(SYS_pidfd_open, compositor, 0), number, fd;
	struct stat card, file;

	check_cmp(process, >=, 0);
	kms_open(kms, width, height);
	check_eq(fstat(kms->fd, &card), 0);
	close(kms->fd);
	kms->fd = -1;
	for (number = 0; number < MAX_FILES && kms->fd < 0; number++) {
		fd = syscall(SYS_pidfd_getfd, process, number, 0);
		if (fd < 0)
			continue;
		if (!fstat(fd, &file) && file.st_rdev == card.st_rdev && drmIsMaster(fd))
			kms->fd = fd;
		else
			close(fd);
	}
	close(process);
	if (kms->fd < 0)
		fail("process %d does not set modes", compositor);
}

uint32_t kms_shown(struct kms *kms, const struct output *out)
{
	drmModePlanePtr plane = drmModeGetPlane(kms->fd, out->primary);
	uint32_t fb;

	check(plane);
	fb = plane->fb_id;
	drmModeFreePlane(plane);
	return fb;
}

void kms_close(struct kms *kms)
{
	close(kms->fd);
	kms->fd = -1;
}

static void force_output(struct kms *kms, const struct output *out)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/class/drm/card%d-Virtual-%u/status", kms->card,
		 out->type_id);
	f = fopen(path, "w");
	if (!f)
		fail("no %s", path);
	fputs("on", f);
	check(!fclose(f));
}

void kms_want_outputs(struct kms *kms, int n, uint32_t width, uint32_t height)
{
	int i;

	kms_probe(kms, width, height, true);
	if (kms->n_outputs < n)
		skip("the device has %d outputs, not %d", kms->n_outputs, n);
	for (i = 0; i < n; i++)
		force_output(kms, &kms->out[i]);
	kms_probe(kms, width, height, false);
	check_cmp(kms->n_outputs, >=, n);
	kms->n_outputs = n;
}

bool kms_get_prop(struct kms *kms, uint32_t object, uint32_t type,
		  const char *name, uint64_t *value)
{
	drmModeObjectPropertiesPtr props;
	drmModePropertyPtr prop;
	bool found = false;
	uint32_t i;

	props = drmModeObjectGetProperties(kms->fd, object, type);
	if (!props)
		return false;
	for (i = 0; i < props->count_props && !found; i++) {
		prop = drmModeGetProperty(kms->fd, props->props[i]);
		if (!prop)
			continue;
		found = !strcmp(prop->name, name);
		if (found)
			*value = props->prop_values[i];
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
	return found;
}

uint32_t kms_prop(struct kms *kms, uint32_t object, uint32_t type,
		  const char *name)
{
	/* The properties that commits use have one id for all objects. */
	static struct {
		char name[DRM_PROP_NAME_LEN];
		uint32_t type;
		uint32_t id;
	} cache[64];
	drmModeObjectPropertiesPtr props;
	drmModePropertyPtr prop;
	uint32_t id = 0;
	uint32_t i;

	for (i = 0; i < 64 && cache[i].id; i++)
		if (cache[i].type == type && !strcmp(cache[i].name, name))
			return cache[i].id;

	props = drmModeObjectGetProperties(kms->fd, object, type);
	if (!props)
		fail("object %u has no properties", object);
	for (i = 0; i < props->count_props && !id; i++) {
		prop = drmModeGetProperty(kms->fd, props->props[i]);
		if (prop && !strcmp(prop->name, name))
			id = prop->prop_id;
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
	if (!id)
		fail("object %u has no property %s", object, name);
	for (i = 0; i < 64; i++) {
		if (cache[i].id)
			continue;
		snprintf(cache[i].name, sizeof(cache[i].name), "%s", name);
		cache[i].type = type;
		cache[i].id = id;
		break;
	}
	return id;
}

void kms_add(struct kms *kms, drmModeAtomicReq *req, uint32_t object,
	     uint32_t type, const char *name, uint64_t value)
{
	uint32_t id = kms_prop(kms, object, type, name);

	check_ok(drmModeAtomicAddProperty(req, object, id, value));
}

int64_t kms_addfb_offset(struct kms *kms, uint32_t handle, uint32_t width,
			 uint32_t height, uint32_t stride, uint32_t offset,
			 uint32_t format, uint64_t modifier)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = width,
		.height = height,
		.pixel_format = format,
		.handles = { handle },
		.pitches = { stride },
		.offsets = { offset },
	};

	if (modifier != NO_MODIFIER) {
		cmd.flags = DRM_MODE_FB_MODIFIERS;
		cmd.modifier[0] = modifier;
	}
	if (drmIoctl(kms->fd, DRM_IOCTL_MODE_ADDFB2, &cmd))
		return -errno;
	return cmd.fb_id;
}

int64_t kms_addfb(struct kms *kms, uint32_t handle, uint32_t width,
		  uint32_t height, uint32_t stride)
{
	return kms_addfb_offset(kms, handle, width, height, stride, 0,
				HOST_XRGB8888, NO_MODIFIER);
}

void kms_need_cursor_ioctls(void)
{
	if (HOST_ARGB8888 != DRM_FORMAT_ARGB8888)
		skip("the cursor ioctls take little-endian images only");
}

static void add_plane(struct kms *kms, drmModeAtomicReq *req, uint32_t plane,
		      const char *name, uint64_t value)
{
	kms_add(kms, req, plane, DRM_MODE_OBJECT_PLANE, name, value);
}

void kms_show(struct kms *kms, drmModeAtomicReq *req, struct output *out,
	      uint32_t fb, const struct rect *src)
{
	struct rect whole = { 0, 0, out->mode.hdisplay, out->mode.vdisplay };

	if (!src)
		src = &whole;
	add_plane(kms, req, out->primary, "FB_ID", fb);
	add_plane(kms, req, out->primary, "CRTC_ID", out->crtc);
	add_plane(kms, req, out->primary, "SRC_X", (uint64_t)src->x << 16);
	add_plane(kms, req, out->primary, "SRC_Y", (uint64_t)src->y << 16);
	add_plane(kms, req, out->primary, "SRC_W", (uint64_t)src->w << 16);
	add_plane(kms, req, out->primary, "SRC_H", (uint64_t)src->h << 16);
	add_plane(kms, req, out->primary, "CRTC_X", 0);
	add_plane(kms, req, out->primary, "CRTC_Y", 0);
	add_plane(kms, req, out->primary, "CRTC_W", out->mode.hdisplay);
	add_plane(kms, req, out->primary, "CRTC_H", out->mode.vdisplay);
}

void kms_enable(struct kms *kms, drmModeAtomicReq *req, struct output *out)
{
	kms_add(kms, req, out->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID",
		out->crtc);
	kms_add(kms, req, out->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID",
		out->mode_blob);
	kms_add(kms, req, out->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", 1);
}

int kms_commit(struct kms *kms, drmModeAtomicReq *req, uint32_t flags)
{
	return minus_errno(drmModeAtomicCommit(kms->fd, req, flags, kms));
}

static void on_flip(int fd, unsigned int sequence, unsigned int sec,
		    unsigned int usec, unsigned int crtc, void *data)
{
	struct kms *kms = data;
	int i;

	(void)fd;
	for (i = 0; i < kms->n_outputs; i++) {
		if (kms->out[i].crtc != crtc)
			continue;
		kms->out[i].flips++;
		kms->out[i].sequence = sequence;
		kms->out[i].stamp = sec * 1000000000ll + usec * 1000ll;
	}
}

static int count_flips(struct kms *kms)
{
	int n = 0;
	int i;

	for (i = 0; i < kms->n_outputs; i++)
		n += kms->out[i].flips;
	return n;
}

int kms_wait_flips(struct kms *kms, int n, int ms)
{
	drmEventContext context = {
		.version = 3,
		.page_flip_handler2 = on_flip,
	};
	struct pollfd pfd = { .fd = kms->fd, .events = POLLIN };
	int start = count_flips(kms);
	int64_t end = now_ms() + ms;
	int64_t left;

	while (count_flips(kms) - start < n) {
		left = end - now_ms();
		if (left < 0 || poll(&pfd, 1, left) <= 0)
			break;
		check_ok(drmHandleEvent(kms->fd, &context));
	}
	return count_flips(kms) - start;
}

int kms_modeset(struct kms *kms, struct output *out, uint32_t fb)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int ret;

	kms_show(kms, req, out, fb, NULL);
	kms_enable(kms, req, out);
	ret = kms_commit(kms, req, DRM_MODE_ATOMIC_ALLOW_MODESET);
	drmModeAtomicFree(req);
	return ret;
}

int kms_flip_nonblock(struct kms *kms, struct output *out, uint32_t fb)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int ret;

	kms_show(kms, req, out, fb, NULL);
	ret = kms_commit(kms, req, DRM_MODE_ATOMIC_NONBLOCK |
				   DRM_MODE_PAGE_FLIP_EVENT);
	drmModeAtomicFree(req);
	return ret;
}

int kms_flip(struct kms *kms, struct output *out, uint32_t fb)
{
	int ret = kms_flip_nonblock(kms, out, fb);

	if (ret)
		return ret;
	if (kms_wait_flips(kms, 1, FLIP_TIMEOUT) != 1)
		fail("no flip event within %d ms", FLIP_TIMEOUT);
	return 0;
}

int kms_off(struct kms *kms, struct output *out)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	int ret;

	add_plane(kms, req, out->primary, "FB_ID", 0);
	add_plane(kms, req, out->primary, "CRTC_ID", 0);
	kms_add(kms, req, out->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID",
		0);
	kms_add(kms, req, out->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", 0);
	kms_add(kms, req, out->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", 0);
	ret = kms_commit(kms, req, DRM_MODE_ATOMIC_ALLOW_MODESET);
	drmModeAtomicFree(req);
	return ret;
}

int kms_rmfb(struct kms *kms, uint32_t fb)
{
	return minus_errno(drmIoctl(kms->fd, DRM_IOCTL_MODE_RMFB, &fb));
}

int kms_gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	return minus_errno(drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &args));
}

int kms_prime_import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int ret = minus_errno(drmIoctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE,
				       &args));

	*handle = args.handle;
	return ret;
}

int kms_prime_export(int fd, uint32_t handle, int *dmabuf)
{
	struct drm_prime_handle args = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int ret = minus_errno(drmIoctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD,
				       &args));

	*dmabuf = args.fd;
	return ret;
}

bool kms_debugfs(struct kms *kms, const char *file, char *text, int size)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%d/%s", kms->card,
		 file);
	return read_file(path, text, size);
}

int64_t kms_counter(struct kms *kms, const char *name)
{
	char text[16384], *value;

	if (!kms_debugfs(kms, "virtio-gpu-counters", text, sizeof(text)))
		return -1;
	value = find_key(text, name);
	return value ? strtoll(value, NULL, 0) : -1;
}
