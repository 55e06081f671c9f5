// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Which memory an open card uses, by what /proc and control groups say. */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "harness.h"
#include "render.h"

#define MIB		(1024 * 1024ll)
#define COMMANDS	(8 * MIB)
#define BLOB_SIZE	(2 * MIB)
#define GROUPS		"/tmp/vgpu-groups"
#define GROUP		GROUPS "/test"

/*
 * fdinfo
 */

static bool read_key(int fd, const char *key, char *value, size_t size)
{
	char path[64], text[8192], *found;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	check(read_file(path, text, sizeof(text)));
	found = find_key(text, key);
	if (!found)
		return false;
	snprintf(value, size, "%.*s", (int)strcspn(found, "\n"), found);
	return true;
}

/* In bytes. */
static long long stat_value(int fd, const char *stat, const char *region)
{
	char key[64], value[64], *unit;
	long long n;

	snprintf(key, sizeof(key), "drm-%s-%s", stat, region);
	if (!read_key(fd, key, value, sizeof(value)))
		fail("no %s", key);
	n = strtoll(value, &unit, 10);
	if (!strcmp(unit, " KiB"))
		return n * 1024;
	if (!strcmp(unit, " MiB"))
		return n * MIB;
	if (*unit)
		fail("%s: %s", key, value);
	return n;
}

static void check_usage(int fd, const char *region, long long total, long long shared,
			long long resident)
{
	long long has[] = {
		stat_value(fd, "total", region),
		stat_value(fd, "shared", region),
		stat_value(fd, "resident", region),
	};

	if (has[0] != total || has[1] != shared || has[2] != resident)
		fail("%s: total %lld, shared %lld, resident %lld, not %lld, %lld, %lld", region,
		     has[0], has[1], has[2], total, shared, resident);
}

/* The device's address on the PCI bus, if it is on one. */
static bool pci_address(int card, char *address, size_t size)
{
	char path[64], real[PATH_MAX], bus[PATH_MAX + 16], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/class/drm/card%d/device/..", card);
	check(realpath(path, real));
	snprintf(bus, sizeof(bus), "%s/subsystem", real);
	len = readlink(bus, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	if (strcmp(basename(target), "pci"))
		return false;
	snprintf(address, size, "%s", basename(real));
	return true;
}

static void keys(int arg)
{
	static const char * const regions[] = { "memory", "imported", "host" };
	char value[64], other[64], address[64], path[64], text[8192];
	struct kms kms, second;
	unsigned int i;

	(void)arg;
	kms_open(&kms, 0, 0);
	kms_open(&second, 0, 0);
	check(read_key(kms.fd, "drm-driver", value, sizeof(value)));
	check(!strcmp(value, "virtio_gpu"));
	check(read_key(kms.fd, "drm-client-id", value, sizeof(value)));
	check(read_key(second.fd, "drm-client-id", other, sizeof(other)));
	check(strcmp(value, other));

	if (pci_address(kms.card, address, sizeof(address))) {
		check(read_key(kms.fd, "drm-pdev", value, sizeof(value)));
		check(!strcmp(value, address));
	} else {
		check(!read_key(kms.fd, "drm-pdev", value, sizeof(value)));
	}

	for (i = 0; i < sizeof(regions) / sizeof(*regions); i++) {
		check_usage(kms.fd, regions[i], 0, 0, 0);
		check_eq(stat_value(kms.fd, "active", regions[i]), 0);
	}
	/* Each key once, and no engine time, which the host does not report. */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", kms.fd);
	check(read_file(path, text, sizeof(text)));
	check(!strstr(text, "drm-engine"));
	check(!strstr(strstr(text, "drm-driver") + 1, "drm-driver"));
	check(!strstr(text, "drm-pdev") ||
	      !strstr(strstr(text, "drm-pdev") + 1, "drm-pdev"));
}

static void dumb(int arg)
{
	struct kms kms, second;
	struct buffer small, large;
	int dmabuf;

	(void)arg;
	kms_open(&kms, 640, 480);
	kms_open(&second, 640, 480);
	buffer_new(&small, &kms, SOURCE_DUMB, 640, 480);
	check_usage(kms.fd, "memory", small.size, 0, small.size);
	buffer_new(&large, &kms, SOURCE_DUMB, 1920, 1080);
	check_usage(kms.fd, "memory", small.size + large.size, 0, small.size + large.size);
	check_usage(kms.fd, "imported", 0, 0, 0);
	check_usage(kms.fd, "host", 0, 0, 0);
	check_usage(second.fd, "memory", 0, 0, 0);

	check_ok(kms_prime_export(kms.fd, large.owner_handle, &dmabuf));
	check_usage(kms.fd, "memory", small.size + large.size, large.size,
		    small.size + large.size);
	check_ok(close(dmabuf));
	check_ok(kms_gem_close(kms.fd, large.owner_handle));
	check_usage(kms.fd, "memory", small.size, 0, small.size);

	/*
	 * Being shown adds nothing; but DRM has a handle of its own for a
	 * framebuffer.
	 */
	buffer_import(&small, &kms);
	check_ok(kms_modeset(&kms, &kms.out[0], small.fb));
	check_usage(kms.fd, "memory", small.size, small.size, small.size);
	check_ok(kms_off(&kms, &kms.out[0]));
	buffer_free(&small, &kms);
	check_usage(kms.fd, "memory", 0, 0, 0);
}

static void imported(int arg)
{
	struct buffer buf;
	struct kms kms;

	kms_open(&kms, 640, 480);
	buffer_new(&buf, &kms, arg, 640, 480);
	buffer_import(&buf, &kms);
	check_eq(stat_value(kms.fd, "total", "imported"), buf.size);
	check_eq(stat_value(kms.fd, "shared", "imported"), buf.size);

	check_ok(kms_modeset(&kms, &kms.out[0], buf.fb));
	check_usage(kms.fd, "imported", buf.size, buf.size, buf.size);
	check_usage(kms.fd, "memory", 0, 0, 0);
	check_usage(kms.fd, "host", 0, 0, 0);
	check_ok(kms_off(&kms, &kms.out[0]));
	buffer_free(&buf, &kms);
	check_usage(kms.fd, "imported", 0, 0, 0);
}

/* The backing of a 3D resource is the guest's. */
static void texture(int arg)
{
	int fd = open_render();
	uint32_t handle;
	long long size;

	(void)arg;
	check_usage(fd, "memory", 0, 0, 0);
	handle = new_buffer(fd, NULL);
	size = stat_value(fd, "total", "memory");
	check_cmp(size, >=, 8192);
	check_usage(fd, "memory", size, 0, size);
	check_usage(fd, "host", 0, 0, 0);
	check_ok(kms_gem_close(fd, handle));
	check_usage(fd, "memory", 0, 0, 0);
}

static void host(int arg)
{
	int fd = open_venus();
	uint32_t handle = new_window_blob(fd, BLOB_SIZE);

	(void)arg;
	check_usage(fd, "host", BLOB_SIZE, 0, BLOB_SIZE);
	check_usage(fd, "memory", 0, 0, 0);
	check_ok(kms_gem_close(fd, handle));
	check_usage(fd, "host", 0, 0, 0);
}

/*
 * The whole system
 */

/* In bytes, or -1 where the kernel has no such count. */
static long long gpu_active(void)
{
	char text[16384], *value;

	check(read_file("/proc/meminfo", text, sizeof(text)));
	value = find_key(text, "GPUActive");
	return value ? strtoll(value, NULL, 10) * 1024 : -1;
}

/* Processors add up what they count by themselves now and then. */
static void check_near(long long value, long long expected)
{
	check_cmp(value, >=, expected - 4 * MIB);
	check_cmp(value, <=, expected + 4 * MIB);
}

static void meminfo(int arg)
{
	long long before = gpu_active();
	struct buffer buf;
	struct kms kms;

	(void)arg;
	if (before < 0)
		skip("the kernel does not count GPU memory");
	kms_open(&kms, 0, 0);
	buffer_new(&buf, &kms, SOURCE_DUMB, 3840, 2160);
	check_near(gpu_active(), before + buf.size);
	check_ok(kms_gem_close(kms.fd, buf.owner_handle));
	check_near(gpu_active(), before);
}

/*
 * Control groups
 */

static long long group_value(const char *name)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), GROUP "/%s", name);
	if (!read_file(path, text, sizeof(text)))
		skip("control groups have no %s", name);
	return strtoll(text, NULL, 10);
}

/* From here on all memory is the group's. */
static void enter_group(void)
{
	mkdir(GROUPS, 0755);
	if (mount("cgroup2", GROUPS, "cgroup2", 0, NULL) && errno != EBUSY)
		skip("no control groups");
	if (write_file(GROUPS "/cgroup.subtree_control", "+memory"))
		skip("control groups have no memory");
	check(!mkdir(GROUP, 0755) || errno == EEXIST);
	check_ok(write_file(GROUP "/cgroup.procs", "0"));
}

static void leave_group(void)
{
	check_ok(write_file(GROUP "/memory.max", "max"));
	check_ok(write_file(GROUPS "/cgroup.procs", "0"));
	check_ok(rmdir(GROUP));
	check_ok(umount(GROUPS));
}

static int create_dumb(int fd, uint32_t width, uint32_t height, uint32_t *handle)
{
	struct drm_mode_create_dumb args = { .width = width, .height = height, .bpp = 32 };
	int ret = call(fd, DRM_IOCTL_MODE_CREATE_DUMB, &args);

	*handle = args.handle;
	return ret;
}

/*
 * A buffer is charged to who makes it, and bounded by its limit; no one is
 * killed.
 */
static void charged(int arg)
{
	const long long size = 3840ll * 2160 * 4;
	uint32_t handle, other;
	long long before;
	char limit[32];
	struct kms kms;

	(void)arg;
	kms_open(&kms, 0, 0);
	enter_group();
	before = group_value("memory.current");
	check_ok(create_dumb(kms.fd, 3840, 2160, &handle));
	check_cmp(group_value("memory.current"), >=, before + size - MIB);

	snprintf(limit, sizeof(limit), "%lld", group_value("memory.current") + size / 2);
	check_ok(write_file(GROUP "/memory.max", limit));
	check_err(create_dumb(kms.fd, 3840, 2160, &other), ENOMEM);
	check_cmp(group_value("memory.current"), <, before + size + MIB);

	check_ok(kms_gem_close(kms.fd, handle));
	check_cmp(group_value("memory.current"), <, before + 4 * MIB);
	check_ok(create_dumb(kms.fd, 3840, 2160, &handle));
	check_ok(kms_gem_close(kms.fd, handle));
	leave_group();
}

/* So is what it has the host do: here nothing, at length. */
static void charged_submit(int arg)
{
	struct drm_virtgpu_execbuffer args = { .size = COMMANDS };
	void *commands = malloc(COMMANDS);
	int fd = open_render();
	long long before;

	(void)arg;
	check(commands);
	memset(commands, 0, COMMANDS);
	args.command = (uintptr_t)commands;
	/* The context is there, and so is all that only the first one needs. */
	check_ok(submit(fd, &args));
	enter_group();
	group_value("memory.peak");
	before = group_value("memory.current");
	check_ok(submit(fd, &args));
	check_cmp(group_value("memory.peak"), >=, before + COMMANDS - MIB);
	leave_group();
	free(commands);
}

const struct test_case fdinfo_cases[] = {
	{ "fdinfo/keys", keys, 0, 0 },
	{ "fdinfo/dumb", dumb, 0, 0 },
	{ "fdinfo/imported-static", imported, SOURCE_STATIC, 0 },
	{ "fdinfo/imported-ram", imported, SOURCE_RAM, 0 },
	{ "fdinfo/texture", texture, 0, 0 },
	{ "fdinfo/host", host, 0, 0 },
	{ "fdinfo/meminfo", meminfo, 0, 0 },
	{ "fdinfo/charged", charged, 0, 0 },
	{ "fdinfo/charged-submit", charged_submit, 0, 0 },
	{ 0 }
};
