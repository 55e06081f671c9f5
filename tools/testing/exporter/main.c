// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A dma-buf exporter for tests: buffers that move under their importers, and
 * keep book of what the importers do.  See virtgpu_exporter_uapi.h.
 */

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "virtgpu_exporter.h"

/* A dma-buf of ours with its reservation locked. */
static struct virtgpu_exp_buf *virtgpu_exp_lock_buf(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct virtgpu_exp_buf *buf;
	int ret;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	buf = virtgpu_exp_buf_from(dmabuf);
	if (!buf) {
		ret = -EINVAL;
		goto err_put;
	}
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto err_put;
	return buf;

err_put:
	dma_buf_put(dmabuf);
	return ERR_PTR(ret);
}

static void virtgpu_exp_unlock_buf(struct virtgpu_exp_buf *buf)
{
	struct dma_buf *dmabuf = buf->dmabuf;

	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
}

static long virtgpu_exp_create(struct virtgpu_exporter_create __user *uargs)
{
	struct virtgpu_exporter_create args;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	dmabuf = virtgpu_exp_export(&args);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	if (put_user(fd, &uargs->fd)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(fd, dmabuf->file);
	return 0;
}

static long virtgpu_exp_ioctl_move(void __user *uargs)
{
	struct virtgpu_exporter_move args;
	struct virtgpu_exp_buf *buf;
	int ret;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	buf = virtgpu_exp_lock_buf(args.fd);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	ret = virtgpu_exp_move(buf, args.placement);
	virtgpu_exp_unlock_buf(buf);
	return ret;
}

static long virtgpu_exp_ioctl_fill(void __user *uargs)
{
	struct virtgpu_exporter_fill args;
	struct virtgpu_exp_buf *buf;
	int ret;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	buf = virtgpu_exp_lock_buf(args.fd);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	ret = virtgpu_exp_fill(buf, &args);
	virtgpu_exp_sync_for_device(buf);
	virtgpu_exp_unlock_buf(buf);
	return ret;
}

static long virtgpu_exp_ioctl_stats(void __user *uargs)
{
	struct virtgpu_exporter_stats args;
	struct virtgpu_exp_buf *buf;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	if (args.fd == -1) {
		args.placement = VIRTGPU_EXPORTER_GONE;
		args.generation = 0;
		virtgpu_exp_read_counters(&virtgpu_exp_totals, &args);
	} else {
		buf = virtgpu_exp_lock_buf(args.fd);
		if (IS_ERR(buf))
			return PTR_ERR(buf);
		args.placement = buf->gone ? VIRTGPU_EXPORTER_GONE :
					     buf->backing->placement;
		args.generation = buf->generation;
		virtgpu_exp_read_counters(&buf->counters, &args);
		virtgpu_exp_unlock_buf(buf);
	}
	return copy_to_user(uargs, &args, sizeof(args)) ? -EFAULT : 0;
}

static long virtgpu_exp_ioctl_fault(void __user *uargs)
{
	struct virtgpu_exporter_fault args;
	struct virtgpu_exp_buf *buf;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	if (args.point >= VIRTGPU_EXPORTER_NR_FAULT_POINTS || !args.error ||
	    args.error > MAX_ERRNO)
		return -EINVAL;
	buf = virtgpu_exp_lock_buf(args.fd);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	buf->fault[args.point].error = args.error;
	buf->fault[args.point].count = args.count;
	virtgpu_exp_unlock_buf(buf);
	return 0;
}

static long virtgpu_exp_ioctl_revoke(void __user *uargs)
{
	struct virtgpu_exporter_revoke args;
	struct virtgpu_exp_buf *buf;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	if (args.pad)
		return -EINVAL;
	if (args.fd == -1) {
		virtgpu_exp_revoke_vram();
		return 0;
	}
	buf = virtgpu_exp_lock_buf(args.fd);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	virtgpu_exp_revoke(buf);
	virtgpu_exp_unlock_buf(buf);
	return 0;
}

static long virtgpu_exp_ioctl_add_fence(struct virtgpu_exp_fences *fences,
					void __user *uargs)
{
	struct virtgpu_exporter_add_fence args;
	struct virtgpu_exp_buf *buf;
	int ret;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	buf = virtgpu_exp_lock_buf(args.fd);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	ret = virtgpu_exp_fences_add(fences, buf, &args);
	virtgpu_exp_unlock_buf(buf);
	return ret;
}

static long virtgpu_exp_ioctl_info(void __user *uargs)
{
	struct virtgpu_exporter_info info = { };

#ifdef VIRTGPU_EXP_MAPPED_CAN_MOVE
	info.flags |= VIRTGPU_EXPORTER_INFO_MOVE_MAPPED;
#endif
	virtgpu_exp_vram_info(&info);
	return copy_to_user(uargs, &info, sizeof(info)) ? -EFAULT : 0;
}

static long virtgpu_exp_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	void __user *uargs = (void __user *)arg;

	switch (cmd) {
	case VIRTGPU_EXPORTER_CREATE:
		return virtgpu_exp_create(uargs);
	case VIRTGPU_EXPORTER_MOVE:
		return virtgpu_exp_ioctl_move(uargs);
	case VIRTGPU_EXPORTER_FILL:
		return virtgpu_exp_ioctl_fill(uargs);
	case VIRTGPU_EXPORTER_STATS:
		return virtgpu_exp_ioctl_stats(uargs);
	case VIRTGPU_EXPORTER_FAULT:
		return virtgpu_exp_ioctl_fault(uargs);
	case VIRTGPU_EXPORTER_REVOKE:
		return virtgpu_exp_ioctl_revoke(uargs);
	case VIRTGPU_EXPORTER_ADD_FENCE:
		return virtgpu_exp_ioctl_add_fence(file->private_data, uargs);
	case VIRTGPU_EXPORTER_SIGNAL:
		virtgpu_exp_fences_signal(file->private_data);
		return 0;
	case VIRTGPU_EXPORTER_INFO:
		return virtgpu_exp_ioctl_info(uargs);
	default:
		return -ENOTTY;
	}
}

static int virtgpu_exp_open(struct inode *inode, struct file *file)
{
	file->private_data = virtgpu_exp_fences_new();
	return file->private_data ? 0 : -ENOMEM;
}

static int virtgpu_exp_close(struct inode *inode, struct file *file)
{
	virtgpu_exp_fences_free(file->private_data);
	return 0;
}

static const struct file_operations virtgpu_exp_fops = {
	.owner = THIS_MODULE,
	.open = virtgpu_exp_open,
	.release = virtgpu_exp_close,
	.unlocked_ioctl = virtgpu_exp_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice virtgpu_exp_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "virtgpu-exporter",
	.fops = &virtgpu_exp_fops,
	.mode = 0600,
};

static int __init virtgpu_exp_init(void)
{
	int ret;

	ret = virtgpu_exp_fence_init();
	if (ret)
		return ret;
	ret = virtgpu_exp_vram_init();
	if (ret)
		goto err_fence;
	ret = misc_register(&virtgpu_exp_misc);
	if (ret)
		goto err_vram;
	return 0;

err_vram:
	virtgpu_exp_vram_exit();
err_fence:
	virtgpu_exp_fence_exit();
	return ret;
}

static void __exit virtgpu_exp_exit(void)
{
	misc_deregister(&virtgpu_exp_misc);
	virtgpu_exp_vram_exit();
	virtgpu_exp_fence_exit();
}

module_init(virtgpu_exp_init);
module_exit(virtgpu_exp_exit);

MODULE_DESCRIPTION("Test exporter of dma-bufs that move");
MODULE_LICENSE("Dual MIT/GPL");
/* MODULE_IMPORT_NS() takes a token before 6.13 and a string since. */
MODULE_INFO(import_ns, "DMA_BUF");
