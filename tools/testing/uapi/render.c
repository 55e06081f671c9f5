// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The ioctls of 3D, with what is right and with what is wrong. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <virtgpu_drm.h>

#include "cases.h"
#include "kms.h"
#include "render.h"

#define NOWHERE		((uintptr_t)16)
#define NO_HANDLE	0xfffff
#define TURNS		8
#define BUFFER_SIZE	8192

/* virglrenderer's words for a buffer of bytes. */
#define PIPE_BUFFER		0
#define PIPE_FORMAT_R8_UNORM	64
#define PIPE_BIND_VERTEX_BUFFER	0x10

#define FENCE_FDS	(VIRTGPU_EXECBUF_FENCE_FD_IN | VIRTGPU_EXECBUF_FENCE_FD_OUT)

int call(int fd, unsigned long request, void *arg)
{
	return drmIoctl(fd, request, arg) ? -errno : 0;
}

int64_t getparam(int fd, uint64_t param)
{
	int value = -1;
	struct drm_virtgpu_getparam args = { .param = param, .value = (uintptr_t)&value };
	int ret = call(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &args);

	return ret ? ret : (int64_t)(uint32_t)value;
}

int open_render(void)
{
	int card, fd = open_card("virtio_gpu", 0, &card);

	if (fd < 0)
		skip("no virtio-gpu");
	if (getparam(fd, VIRTGPU_PARAM_3D_FEATURES) != 1)
		skip("no 3D");
	return fd;
}

/* The lowest set that the host has. */
static uint32_t any_capset(int fd)
{
	int64_t ids = getparam(fd, VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs);

	check_cmp(ids, >, 0);
	return __builtin_ctzll(ids);
}

int init_context(int fd, const struct drm_virtgpu_context_set_param *params, int n)
{
	struct drm_virtgpu_context_init args = {
		.num_params = n,
		.ctx_set_params = (uintptr_t)params,
	};

	return call(fd, DRM_IOCTL_VIRTGPU_CONTEXT_INIT, &args);
}

/* A context with timelines, all of them polled. */
static int open_rings(unsigned int rings)
{
	int fd = open_render();
	struct drm_virtgpu_context_set_param params[] = {
		{ VIRTGPU_CONTEXT_PARAM_CAPSET_ID, any_capset(fd) },
		{ VIRTGPU_CONTEXT_PARAM_NUM_RINGS, rings },
		{ VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK, (1ull << rings) - 1 },
	};

	if (getparam(fd, VIRTGPU_PARAM_CONTEXT_INIT) != 1)
		skip("contexts have no timelines");
	check_ok(init_context(fd, params, 3));
	return fd;
}

int submit(int fd, struct drm_virtgpu_execbuffer *args)
{
	return call(fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, args);
}

static int wait_for(int fd, uint32_t handle, uint32_t flags)
{
	struct drm_virtgpu_3d_wait args = { .handle = handle, .flags = flags };

	return call(fd, DRM_IOCTL_VIRTGPU_WAIT, &args);
}

uint32_t new_buffer(int fd, uint32_t *number)
{
	struct drm_virtgpu_resource_create args = {
		.target = PIPE_BUFFER,
		.format = PIPE_FORMAT_R8_UNORM,
		.bind = PIPE_BIND_VERTEX_BUFFER,
		.width = BUFFER_SIZE,
		.height = 1,
		.depth = 1,
		.array_size = 1,
		.size = BUFFER_SIZE,
	};

	check_ok(call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &args));
	check_cmp(args.res_handle, !=, 0);
	if (number)
		*number = args.res_handle;
	return args.bo_handle;
}

int map_offset(int fd, uint32_t handle, uint64_t *offset)
{
	struct drm_virtgpu_map args = { .handle = handle };
	int ret = call(fd, DRM_IOCTL_VIRTGPU_MAP, &args);

	*offset = args.offset;
	return ret;
}

void *map_buffer(int fd, uint32_t handle, size_t size)
{
	uint64_t offset;
	void *at;

	check_ok(map_offset(fd, handle, &offset));
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	check(at != MAP_FAILED);
	return at;
}

static int to_host(int fd, uint32_t handle, uint32_t stride)
{
	struct drm_virtgpu_3d_transfer_to_host args = {
		.bo_handle = handle,
		.box = { .w = BUFFER_SIZE, .h = 1, .d = 1 },
		.stride = stride,
	};

	return call(fd, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &args);
}

static int from_host(int fd, uint32_t handle)
{
	struct drm_virtgpu_3d_transfer_from_host args = {
		.bo_handle = handle,
		.box = { .w = BUFFER_SIZE, .h = 1, .d = 1 },
	};

	return call(fd, DRM_IOCTL_VIRTGPU_TRANSFER_FROM_HOST, &args);
}

static int info(int fd, uint32_t handle, struct drm_virtgpu_resource_info *args)
{
	memset(args, 0, sizeof(*args));
	args->bo_handle = handle;
	return call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_INFO, args);
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	check(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

bool signals(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void params(int arg)
{
	struct drm_virtgpu_getparam args = {
		.param = VIRTGPU_PARAM_3D_FEATURES,
		.value = NOWHERE,
	};
	int fd = open_render();

	(void)arg;
	check_eq(getparam(fd, VIRTGPU_PARAM_CAPSET_QUERY_FIX), 1);
	check_cmp(getparam(fd, VIRTGPU_PARAM_RESOURCE_BLOB), >=, 0);
	check_cmp(getparam(fd, VIRTGPU_PARAM_HOST_VISIBLE), >=, 0);
	check_cmp(getparam(fd, VIRTGPU_PARAM_CROSS_DEVICE), >=, 0);
	check_eq(getparam(fd, VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME),
		 getparam(fd, VIRTGPU_PARAM_CONTEXT_INIT));
	any_capset(fd);
	check_err(getparam(fd, 0), EINVAL);
	check_err(getparam(fd, 1000), EINVAL);
	check_err(call(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &args), EFAULT);
}

static int get_caps(int fd, uint32_t id, uint32_t version, void *to, uint32_t size)
{
	struct drm_virtgpu_get_caps args = {
		.cap_set_id = id,
		.cap_set_ver = version,
		.addr = (uintptr_t)to,
		.size = size,
	};

	return call(fd, DRM_IOCTL_VIRTGPU_GET_CAPS, &args);
}

static void caps(int arg)
{
	int fd = open_render();
	uint32_t id = any_capset(fd);
	uint8_t set[4096], again[4096];

	(void)arg;
	memset(set, 0xa5, sizeof(set));
	check_ok(get_caps(fd, id, 0, set, 16));
	check_eq(set[16], 0xa5);
	check_ok(get_caps(fd, id, 0, again, sizeof(again)));
	check(!memcmp(set, again, 16));
	check_err(get_caps(fd, id, 0, set, 0), EINVAL);
	check_err(get_caps(fd, id, 0, (void *)NOWHERE, 16), EFAULT);
	check_err(get_caps(fd, id, 0xffffffff, set, 16), EINVAL);
	check_err(get_caps(fd, 0, 0, set, 16), EINVAL);
	check_err(get_caps(fd, 64, 0, set, 16), EINVAL);
	check_err(get_caps(fd, 9999, 0, set, 16), EINVAL);
}

static void context_bad(int arg)
{
	int fd = open_render();
	uint32_t id = any_capset(fd);
	struct drm_virtgpu_context_set_param p[5] = {
		{ VIRTGPU_CONTEXT_PARAM_CAPSET_ID, id },
		{ VIRTGPU_CONTEXT_PARAM_CAPSET_ID, id },
	};
	/* Longer than what the wire has room for. */
	char name[100] = "";

	(void)arg;
	if (getparam(fd, VIRTGPU_PARAM_CONTEXT_INIT) != 1)
		skip("no CONTEXT_INIT");
	check_err(init_context(fd, p, 2), EINVAL);
	check_err(init_context(fd, p, 5), EINVAL);
	check_err(init_context(fd, (void *)NOWHERE, 1), EFAULT);
	p[0].value = 63;
	check_err(init_context(fd, p, 1), EINVAL);
	p[0].value = 64 + id;
	check_err(init_context(fd, p, 1), EINVAL);
	p[0].value = (1ull << 32) + id;
	check_err(init_context(fd, p, 1), EINVAL);
	p[0].param = 1000;
	check_err(init_context(fd, p, 1), EINVAL);
	p[0].param = VIRTGPU_CONTEXT_PARAM_NUM_RINGS;
	p[0].value = 65;
	check_err(init_context(fd, p, 1), EINVAL);
	p[0].value = 2;
	p[1].param = VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK;
	p[1].value = 4;
	check_err(init_context(fd, p, 2), EINVAL);
	p[0].param = VIRTGPU_CONTEXT_PARAM_DEBUG_NAME;
	p[0].value = NOWHERE;
	check_err(init_context(fd, p, 1), EFAULT);

	/* None of that has made a context. */
	memset(name, 'n', sizeof(name) - 1);
	p[0].value = (uintptr_t)name;
	check_ok(init_context(fd, p, 1));
	check_err(init_context(fd, p, 1), EEXIST);
}

/* What is submitted without a context makes one. */
static void context_late(int arg)
{
	struct drm_virtgpu_execbuffer args = {};
	struct drm_virtgpu_context_set_param p = { VIRTGPU_CONTEXT_PARAM_NUM_RINGS, 1 };
	int fd = open_render();
	bool has_init = getparam(fd, VIRTGPU_PARAM_CONTEXT_INIT) == 1;

	(void)arg;
	check_ok(submit(fd, &args));
	check_err(init_context(fd, &p, 1), has_init ? EEXIST : EINVAL);
}

static void submit_fences(int arg)
{
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT };
	struct sync_file_info si = {};
	int fd = open_render();
	int first;

	(void)arg;
	check_ok(submit(fd, &args));
	first = args.fence_fd;
	args.flags = FENCE_FDS;
	check_ok(submit(fd, &args));
	check_cmp(args.fence_fd, !=, first);
	check(signals(args.fence_fd, SOON_MS));
	/* The first of a timeline is not later than the second. */
	check(signals(first, 0));
	check_ok(call(first, SYNC_IOC_FILE_INFO, &si));
	check_eq(si.status, 1);
	check(fcntl(first, F_GETFD) & FD_CLOEXEC);
}

/* Every call fails, and has changed nothing. */
static void submit_bad(int arg)
{
	struct drm_virtgpu_execbuffer_syncobj in = { .flags = VIRTGPU_EXECBUF_SYNCOBJ_RESET };
	struct drm_virtgpu_execbuffer_syncobj out = {};
	struct drm_virtgpu_execbuffer good = {
		.flags = VIRTGPU_EXECBUF_FENCE_FD_OUT,
		.fence_fd = -7,
		.syncobj_stride = sizeof(in),
		.num_in_syncobjs = 1,
		.num_out_syncobjs = 1,
		.in_syncobjs = (uintptr_t)&in,
		.out_syncobjs = (uintptr_t)&out,
	};
	struct drm_virtgpu_execbuffer args;
	uint32_t no_handle = NO_HANDLE;
	int fd = open_render();
	int files;

	(void)arg;
	check_ok(drmSyncobjCreate(fd, DRM_SYNCOBJ_CREATE_SIGNALED, &in.handle));
	check_ok(drmSyncobjCreate(fd, 0, &out.handle));
	files = open_files();

#define refused(error, ...)						\
	do {								\
		args = good;						\
		__VA_ARGS__;						\
		check_err(submit(fd, &args), error);			\
		check_eq(args.fence_fd, good.fence_fd);			\
		check_eq(open_files(), files);				\
		check_ok(drmSyncobjWait(fd, &in.handle, 1, 0, 0, NULL)); \
		check_err(drmSyncobjWait(fd, &out.handle, 1, 0, 0, NULL), EINVAL); \
	} while (0)

	refused(EINVAL, args.flags |= 0x80);
	refused(EINVAL, args.flags |= VIRTGPU_EXECBUF_RING_IDX);
	refused(EINVAL, args.flags |= VIRTGPU_EXECBUF_FENCE_FD_IN);
	refused(EFAULT, args.size = 64, args.command = NOWHERE);
	refused(E2BIG, args.size = 0xfffffffc, args.command = NOWHERE);
	refused(EFAULT, args.num_bo_handles = 1, args.bo_handles = NOWHERE);
	refused(ENOENT, args.num_bo_handles = 1, args.bo_handles = (uintptr_t)&no_handle);
	refused(E2BIG, args.num_bo_handles = 0xffffffff, args.bo_handles = NOWHERE);
	refused(EFAULT, args.in_syncobjs = NOWHERE);
	refused(EFAULT, args.out_syncobjs = NOWHERE);
	refused(E2BIG, args.num_in_syncobjs = 0xffffffff);
	refused(EINVAL, args.syncobj_stride = 0);
	refused(EINVAL, in.flags = 0x80);
	in.flags = VIRTGPU_EXECBUF_SYNCOBJ_RESET;
	refused(EINVAL, out.flags = 1);
	out.flags = 0;
	/* A timeline has no such point yet. */
	refused(EINVAL, in.point = 1000);
	in.point = 0;
#undef refused

	/* And what is right does all of it. */
	args = good;
	check_ok(submit(fd, &args));
	check_eq(open_files(), files + 1);
	check_err(drmSyncobjWait(fd, &in.handle, 1, 0, 0, NULL), EINVAL);
	check_ok(drmSyncobjWait(fd, &out.handle, 1, INT64_MAX, 0, NULL));
}

/* Buffers that are named several times are as good as those that are not. */
static void submit_twice(int arg)
{
	int fd = open_render();
	uint32_t one = new_buffer(fd, NULL), two = new_buffer(fd, NULL);
	uint32_t handles[] = { one, two, one, one, two };
	struct drm_virtgpu_execbuffer args = {
		.num_bo_handles = 5,
		.bo_handles = (uintptr_t)handles,
	};
	int i;

	(void)arg;
	for (i = 0; i < 10; i++)
		check_ok(submit(fd, &args));
	check_ok(wait_for(fd, one, 0));
	check_ok(wait_for(fd, two, 0));
	check_ok(kms_gem_close(fd, one));
	check_ok(kms_gem_close(fd, two));
	args.num_bo_handles = 1;
	check_err(submit(fd, &args), ENOENT);
}

static void submit_points(int arg)
{
	struct drm_virtgpu_execbuffer_syncobj in = {}, out = {};
	struct drm_virtgpu_execbuffer args = {
		.syncobj_stride = sizeof(in),
		.num_out_syncobjs = 1,
		.in_syncobjs = (uintptr_t)&in,
		.out_syncobjs = (uintptr_t)&out,
	};
	int fd = open_render();
	uint64_t point, value;

	(void)arg;
	check_ok(drmSyncobjCreate(fd, 0, &out.handle));
	in.handle = out.handle;
	for (point = 1; point <= 5; point++) {
		in.point = point - 1;
		out.point = point;
		args.num_in_syncobjs = point > 1;
		check_ok(submit(fd, &args));
	}
	point = 5;
	check_ok(drmSyncobjTimelineWait(fd, &out.handle, &point, 1, INT64_MAX, 0, NULL));
	check_ok(drmSyncobjQuery(fd, &out.handle, &value, 1));
	check_eq(value, 5);
}

/*
 * Each fence of a polled ring has its event.  virglrenderer's contexts for
 * OpenGL have no ring but the first, and their host does not answer to what
 * names another one; those of others are tried in KUnit.
 */
static void submit_rings(int rings)
{
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_RING_IDX };
	struct drm_event event;
	int fd = open_rings(rings);
	int i;

	for (i = 0; i < TURNS; i++)
		check_ok(submit(fd, &args));
	args.ring_idx = rings;
	check_err(submit(fd, &args), EINVAL);
	for (i = 0; i < TURNS; i++) {
		check(signals(fd, SOON_MS));
		check_eq(read(fd, &event, sizeof(event)), sizeof(event));
		check_eq(event.type, VIRTGPU_EVENT_FENCE_SIGNALED);
	}
	check(!signals(fd, 100));
}

/*
 * Events that nobody reads are no reason to keep a file open, nor the other way
 * round.
 */
static void close_early(int arg)
{
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_RING_IDX };
	int fd = open_rings(1);
	int i;

	(void)arg;
	for (i = 0; i < 8; i++)
		check_ok(submit(fd, &args));
	close(fd);
	context_late(0);
}

static void transfer(int arg)
{
	int fd = open_render();
	uint32_t handle = new_buffer(fd, NULL);
	uint8_t *bytes = map_buffer(fd, handle, BUFFER_SIZE);
	int i;

	(void)arg;
	for (i = 0; i < BUFFER_SIZE; i++)
		bytes[i] = i * 7;
	check_ok(to_host(fd, handle, 0));
	check_ok(wait_for(fd, handle, 0));
	memset(bytes, 0, BUFFER_SIZE);
	check_ok(from_host(fd, handle));
	check_ok(wait_for(fd, handle, 0));
	check_ok(wait_for(fd, handle, VIRTGPU_WAIT_NOWAIT));
	for (i = 0; i < BUFFER_SIZE; i++)
		check_eq(bytes[i], (uint8_t)(i * 7));

	check_err(to_host(fd, handle, 4), EINVAL);
	check_err(to_host(fd, NO_HANDLE, 0), ENOENT);
	check_err(from_host(fd, NO_HANDLE), ENOENT);
	check_err(wait_for(fd, NO_HANDLE, 0), ENOENT);
	check_err(wait_for(fd, NO_HANDLE, VIRTGPU_WAIT_NOWAIT), ENOENT);
}

/* Two programs have one buffer: whoever comes first, both contexts know it. */
static void share(int context_first)
{
	struct drm_virtgpu_execbuffer args = {};
	int a = open_render(), b = open_render(), dmabuf;
	struct drm_virtgpu_resource_info i;
	uint32_t number, handle, theirs;
	uint8_t *bytes;

	if (context_first)
		check_ok(submit(b, &args));
	handle = new_buffer(a, &number);
	check_ok(kms_prime_export(a, handle, &dmabuf));
	check_ok(kms_prime_import(b, dmabuf, &theirs));
	check_ok(info(b, theirs, &i));
	check_eq(i.res_handle, number);
	check_eq(i.size, BUFFER_SIZE);

	bytes = map_buffer(a, handle, BUFFER_SIZE);
	memset(bytes, 0x3c, BUFFER_SIZE);
	check_ok(to_host(a, handle, 0));
	check_ok(wait_for(a, handle, 0));
	memset(bytes, 0, BUFFER_SIZE);
	check_ok(from_host(b, theirs));
	check_ok(wait_for(b, theirs, 0));
	check_eq(bytes[0], 0x3c);
	check_eq(bytes[BUFFER_SIZE - 1], 0x3c);

	/* The one who made it goes, and it stays. */
	close(a);
	check_ok(from_host(b, theirs));
	check_ok(wait_for(b, theirs, 0));
}

/* A dumb buffer gets a number when it is asked for, and keeps it. */
static void number(int arg)
{
	struct drm_virtgpu_resource_info first, again;
	uint32_t handle, pitch;
	int fd = open_render();
	uint64_t size;

	(void)arg;
	check_ok(drmModeCreateDumbBuffer(fd, 320, 200, 32, 0, &handle, &pitch, &size));
	check_ok(info(fd, handle, &first));
	check_cmp(first.res_handle, !=, 0);
	check_eq(first.size, size);
	check_ok(info(fd, handle, &again));
	check_eq(again.res_handle, first.res_handle);
	check_err(info(fd, NO_HANDLE, &again), ENOENT);
}

/*
 * The host cannot render by OpenGL with another device's memory. The primary
 * node imports it for display, and the render node rejects it.
 */
static void foreign(int arg)
{
	int fd = open_render(), vgem = open_card("vgem", 0, NULL), dmabuf, node;
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT };
	struct drm_virtgpu_resource_info i;
	uint32_t handle, pitch;
	uint64_t size;
	char *path;

	(void)arg;
	if (vgem < 0)
		skip("no vgem card");
	check_ok(drmModeCreateDumbBuffer(vgem, 320, 200, 32, 0, &handle, &pitch, &size));
	check_ok(kms_prime_export(vgem, handle, &dmabuf));
	check_ok(kms_prime_import(fd, dmabuf, &handle));
	check_err(info(fd, handle, &i), EOPNOTSUPP);
	check_ok(submit(fd, &args));
	check(signals(args.fence_fd, 10000));
	check_err(info(fd, handle, &i), EOPNOTSUPP);

	path = drmGetRenderDeviceNameFromFd(fd);
	check(path);
	node = open(path, O_RDWR | O_CLOEXEC);
	check(node >= 0);
	check_err(kms_prime_import(node, dmabuf, &handle), ENODEV);
}

int new_blob(int fd, struct drm_virtgpu_resource_create_blob *args)
{
	return call(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, args);
}

static void blob_bad(int arg)
{
	struct drm_virtgpu_resource_create_blob good = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = 4096,
	};
	struct drm_virtgpu_resource_create_blob args;
	int fd = open_render();

	(void)arg;
	if (getparam(fd, VIRTGPU_PARAM_RESOURCE_BLOB) != 1)
		skip("no blobs");

#define refused(error, ...)						\
	do {								\
		args = good;						\
		__VA_ARGS__;						\
		check_err(new_blob(fd, &args), error);			\
		check_eq(args.bo_handle, 0);				\
	} while (0)

	refused(EINVAL, args.blob_mem = 0);
	refused(EINVAL, args.blob_mem = 4);
	refused(EINVAL, args.blob_flags = 8);
	refused(EINVAL, args.size = 0);
	refused(EINVAL, args.size = ~0ull);
	refused(EINVAL, args.size = 1ull << 63);
	refused(EINVAL, args.cmd_size = 3, args.cmd = (uintptr_t)&good);
	refused(EFAULT, args.cmd_size = 4, args.cmd = NOWHERE);
	refused(E2BIG, args.cmd_size = 0xfffffffc, args.cmd = NOWHERE);
	refused(EINVAL, args.blob_mem = VIRTGPU_BLOB_MEM_GUEST, args.blob_id = 1);
	refused(EINVAL, args.blob_mem = VIRTGPU_BLOB_MEM_GUEST, args.cmd_size = 4,
		args.cmd = (uintptr_t)&good);
	refused(ENOMEM, args.blob_mem = VIRTGPU_BLOB_MEM_GUEST, args.size = 1ull << 36);
	/* There is no offset to map it at. */
	refused(ENOSPC, args.blob_mem = VIRTGPU_BLOB_MEM_GUEST, args.size = 1ull << 40);
#undef refused
}

/* What is the guest's memory is mapped, shared and has no copy to transfer. */
static void blob_guest(int arg)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = VIRTGPU_BLOB_MEM_GUEST,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE,
		.size = BUFFER_SIZE,
	};
	struct drm_virtgpu_resource_info i;
	int fd = open_render();
	uint8_t *bytes;

	(void)arg;
	if (getparam(fd, VIRTGPU_PARAM_RESOURCE_BLOB) != 1)
		skip("no blobs");
	check_ok(new_blob(fd, &args));
	check_cmp(args.res_handle, !=, 0);
	check_ok(info(fd, args.bo_handle, &i));
	check_eq(i.res_handle, args.res_handle);
	check_eq(i.blob_mem, VIRTGPU_BLOB_MEM_GUEST);
	bytes = map_buffer(fd, args.bo_handle, BUFFER_SIZE);
	check_eq(bytes[BUFFER_SIZE - 1], 0);
	bytes[BUFFER_SIZE - 1] = 1;
	check_err(to_host(fd, args.bo_handle, 0), EINVAL);
	check_err(from_host(fd, args.bo_handle), EINVAL);
}

/* Many programs at once come and go, and leave nothing behind. */
static void storm(int programs)
{
	struct drm_virtgpu_execbuffer args = { .flags = VIRTGPU_EXECBUF_FENCE_FD_OUT };
	int i, k, round, fd[64];
	uint32_t handle;

	for (round = 0; round < 5; round++) {
		for (i = 0; i < programs; i++) {
			fd[i] = open_render();
			handle = new_buffer(fd[i], NULL);
			args.num_bo_handles = 1;
			args.bo_handles = (uintptr_t)&handle;
			for (k = 0; k < 4; k++) {
				check_ok(submit(fd[i], &args));
				close(args.fence_fd);
			}
		}
		for (i = 0; i < programs; i++)
			close(fd[i]);
	}
}

const struct test_case render_cases[] = {
	{ "render/params", params, 0, 0 },
	{ "render/caps", caps, 0, 0 },
	{ "render/context-bad", context_bad, 0, 0 },
	{ "render/context-late", context_late, 0, 0 },
	{ "render/submit-fences", submit_fences, 0, 0 },
	{ "render/submit-bad", submit_bad, 0, 0 },
	{ "render/submit-twice", submit_twice, 0, 0 },
	{ "render/submit-points", submit_points, 0, 0 },
	{ "render/submit-one-ring", submit_rings, 1, 0 },
	{ "render/submit-rings", submit_rings, 63, 0 },
	{ "render/close-early", close_early, 0, 0 },
	{ "render/transfer", transfer, 0, 0 },
	{ "render/share", share, 0, 0 },
	{ "render/share-context-first", share, 1, 0 },
	{ "render/number", number, 0, 0 },
	{ "render/foreign", foreign, 0, 0 },
	{ "render/blob-bad", blob_bad, 0, 0 },
	{ "render/blob-guest", blob_guest, 0, 0 },
	{ "render/storm", storm, 32, 0 },
	{ 0 }
};
