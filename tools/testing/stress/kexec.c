// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * virtgpu-kexec load|panic KERNEL INITRAMFS COMMAND-LINE, virtgpu-kexec boot:
 * load a kernel, for when this one panics or to be booted, and boot it.
 */

#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return fd;
}

/* The kernel that is booted next, or when this one panics. */
static int load(char **args, unsigned long flags)
{
	if (!syscall(SYS_kexec_file_load, open_file(args[0]), open_file(args[1]),
		     strlen(args[2]) + 1, args[2], flags))
		return EXIT_SUCCESS;
	perror("kexec_file_load");
	return EXIT_FAILURE;
}

static int boot(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	perror("reboot");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "boot"))
		return boot();
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(argv + 2, 0);
	if (argc == 5 && !strcmp(argv[1], "panic"))
		return load(argv + 2, KEXEC_FILE_ON_CRASH);
	fprintf(stderr, "usage: virtgpu-kexec load|panic KERNEL INITRAMFS COMMAND-LINE\n"
			"       virtgpu-kexec boot\n");
	return EXIT_FAILURE;
}
