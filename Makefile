# SPDX-License-Identifier: GPL-2.0-only OR MIT

ifneq ($(KERNELRELEASE),)

# ---- kbuild's entry, reached through "make modules" below --------------------

obj-m := drivers/gpu/drm/virtio/

# What an older kernel lacks comes from outside; the driver's text has none of it.
subdir-ccflags-y += -I$(VGPU_TOP)/include/compat/include -I$(VGPU_TOP)/include/uapi -I$(VGPU_COMPAT)
subdir-ccflags-y += -include $(VGPU_TOP)/include/compat/compat.h
subdir-ccflags-y += -DCONFIG_DRM_VIRTIO_GPU_KMS=1 -DVGPU_VERSION=$(VGPU_VERSION)

else

# ---- the user's commands ------------------------------------------------------

running := /lib/modules/$(shell uname -r)/build
KDIR ?= $(if $(wildcard $(running)/Makefile),$(running),build/lts/kdir)
MODULES ?= build/modules/$(if $(filter build/lts/kdir,$(KDIR)),lts,$(shell cat $(KDIR)/include/config/kernel.release))
compat := $(MODULES)/compat
# The version is the Debian package's; what DKMS builds has no changelog, and is told.
VGPU_VERSION ?= $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
kbuild = tools/kmod . $(KDIR) $(MODULES) VGPU_TOP=$(CURDIR) VGPU_COMPAT=$(abspath $(compat)) \
	 VGPU_VERSION=$(VGPU_VERSION) CONFIG_DRM_VIRTIO_GPU=m CONFIG_DRM_VIRTIO_GPU_KMS=y
STAGES ?=

help:
	@echo 'On this machine'
	@echo '  modules [KDIR=...]   build virtio_gpu.ko for a kernel >= 6.12, out of tree'
	@echo '                       (default: the running kernel; without headers Debian'\''s LTS)'
	@echo '  modules_install      install it below /lib/modules (root)'
	@echo '  graft TREE=...       put the driver into a kernel tree, in place of the in-tree one'
	@echo '  patchset TREE=...    mails of the driver for a kernel tree: build/patchset'
	@echo '  dist                 source tarball: build/dist/virtio-gpu-VERSION.tar.gz'
	@echo '  deb                  Debian package virtio-gpu-dkms, in build/dist'
	@echo '  doc                  the guide as HTML: build/doc'
	@echo 'In virtual machines (tools/setup fetches what they need)'
	@echo '  setup                fetch and build all of it now'
	@echo '  demo                 Weston across two GPUs: build/demo/virtio-gpu.png'
	@echo '  vm                   a shell in a guest with the driver loaded'
	@echo '  kunit                unit tests'
	@echo '  igt [PEER=1]         all IGT tests, against the expectation lists (30 minutes);'
	@echo '                       PEER: the in-tree driver'\''s results made anew, beside them'
	@echo '  sparse               static checks'
	@echo '  bench                counts and costs'
	@echo '  check [STAGES=...]   every test (tools/check --list names the stages); with FULL=1'
	@echo '                       also what takes longer than an hour altogether'
	@echo '  clean                remove build/; the cache stays (tools/setup --help)'

build/lts/kdir:
	tools/setup packages lts

modules: $(compat)/vgpu_compat_config.h
	$(kbuild) modules
	@echo 'built $(MODULES)/drivers/gpu/drm/virtio/virtio_gpu.ko'

modules_install:
	$(kbuild) INSTALL_MOD_DIR=updates modules_install

$(compat)/vgpu_compat_config.h: include/compat/probe $(KDIR)/include/config/auto.conf
	@mkdir -p $(compat)
	include/compat/probe $(KDIR) $(compat)

$(KDIR)/include/config/auto.conf: | $(KDIR) ;

graft:
	@[ -n '$(TREE)' ] || { echo 'make graft TREE=<kernel tree>'; exit 2; }
	tools/graft $(TREE)

patchset:
	@[ -n '$(TREE)' ] || { echo 'make patchset TREE=<kernel tree>'; exit 2; }
	tools/patchset $(TREE)

dist:
	tools/package dist

deb:
	tools/setup packaging
	tools/package deb

doc:
	tools/setup doc source
	sphinx-build -q -W --keep-going -c tools/doc Documentation/gpu build/doc
	@echo 'built build/doc/virtio-gpu.html'

setup:
	tools/setup all

vm:
	tools/setup packages qmp lts image
	$(MAKE) modules KDIR=build/lts/kdir
	tools/vm/vm run --kernel lts --module build/modules/lts/drivers/gpu/drm/virtio/virtio_gpu.ko \
		--vga bochs --gpu virtio-gpu-pci,blob=true,max_outputs=2 --interactive

igt: export FULL = 1
kunit igt sparse bench demo:
	tools/setup packages
	tools/check --only $@

check:
	tools/setup packages
	tools/check $(if $(STAGES),--only $(STAGES))

clean:
	rm -rf build

.PHONY: help modules modules_install graft patchset dist deb doc setup vm kunit igt sparse bench demo check clean

endif
