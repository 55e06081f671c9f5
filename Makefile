# SPDX-License-Identifier: GPL-2.0-only OR MIT

ifneq ($(KERNELRELEASE),)

# ---- kbuild, called by "make modules" ------------------------------------------

obj-m := drivers/gpu/drm/virtio/

# Compatibility with older kernels, which the source itself does not contain.
subdir-ccflags-y += -I$(VIRTGPU_TOP)/include/compat/include -I$(VIRTGPU_COMPAT)
subdir-ccflags-y += -include $(VIRTGPU_TOP)/include/compat/compat.h
subdir-ccflags-y += -DCONFIG_DRM_VIRTIO_GPU_KMS=1 -DVIRTGPU_VERSION=$(VIRTGPU_VERSION)

else

# ---- targets --------------------------------------------------------------------

running := /lib/modules/$(shell uname -r)/build
KDIR ?= $(if $(wildcard $(running)/Makefile),$(running),build/lts/kdir)
MODULES ?= build/modules/$(if $(filter build/lts/kdir,$(KDIR)),lts,$(shell cat $(KDIR)/include/config/kernel.release))
compat := $(MODULES)/compat
# Version from debian/changelog. DKMS passes VIRTGPU_VERSION, as its source tree has
# no changelog.
VIRTGPU_VERSION ?= $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
# Without drm_scanout_buffer.private, compat.h leaves the panic screen out.
no_panic = $(shell grep -qs HAVE_PANIC_PRIVATE $(compat)/virtgpu_compat_config.h || echo CONFIG_DRM_PANIC=)
kbuild = tools/build-module . $(KDIR) $(MODULES) VIRTGPU_TOP=$(CURDIR) VIRTGPU_COMPAT=$(abspath $(compat)) \
	 VIRTGPU_VERSION=$(VIRTGPU_VERSION) CONFIG_DRM_VIRTIO_GPU=m CONFIG_DRM_VIRTIO_GPU_KMS=y $(no_panic)
pytest = tools/setup packages qmp && cd tools/testing && pytest-3

define HELP
On this machine                                               minutes  disk
  modules [KDIR=...]  virtio_gpu.ko out of tree, for a kernel >= 6.12 1   20 MB
  modules_install     install it below /lib/modules (root)            0    1 MB
  install-to-tree TREE=...  install the driver into a kernel tree     0    1 MB
  patch-series TREE=...     format-patch output, build/patch-series   1    1 MB
  dist                source tarball, build/dist                      0    1 MB
  deb                 Debian package virtio-gpu-dkms, build/dist      1    1 MB
  doc                 the guide as HTML, build/doc                    1    2 MB
In virtual machines; the first target downloads and builds the dependencies
  setup               download and build all dependencies now        30   10 GB
  demo                Weston across two GPUs, build/demo              2   20 MB
  vm                  a shell in a guest with the driver loaded       1   20 MB
  kunit               unit tests                                      1    1 GB
  kunit COVERAGE=1    the same, with code coverage                    1    1 GB
  igt                 all IGT tests, against expectation lists       30    2 GB
  igt BASELINE=1      the same, also with the in-tree driver         60    2 GB
  igt DEVICE=...      the same with a device without blobs (2d) or
                      with 3D (virgl), or with OUTPUTS=2             30    3 GB
  sparse              static checks                                   2    1 GB
  bench               performance, against the in-tree driver         8    2 GB
  check               all tests (tools/testing/README.md)            38    8 GB
  check TESTS=...     some of them: arguments of pytest, such as
                      TESTS="test_igt.py -k flip"
  check FULL=1        including long tests                          210   16 GB
  check-host          on an emulated host with KVM, udmabuf, VFIO     7    3 GB
  conformance         suites for OpenGL, against the in-tree driver 120    4 GB
  clean               remove build/, but not the cache                0    none
Minutes are for two CPUs without KVM, after setup. Modules are built for the running kernel,
or without its headers for Debian's LTS kernel.
endef
export HELP

help:
	@echo "$$HELP"

build/lts/kdir:
	tools/setup packages lts

modules: $(compat)/virtgpu_compat_config.h
	$(kbuild) modules
	@echo 'built $(MODULES)/drivers/gpu/drm/virtio/virtio_gpu.ko'

modules_install:
	$(kbuild) INSTALL_MOD_DIR=updates modules_install

$(compat)/virtgpu_compat_config.h: include/compat/probe $(KDIR)/include/config/auto.conf
	@mkdir -p $(compat)
	include/compat/probe $(KDIR) $(compat)

$(KDIR)/include/config/auto.conf: | $(KDIR) ;

install-to-tree:
	@[ -n '$(TREE)' ] || { echo 'make install-to-tree TREE=<kernel tree>'; exit 2; }
	tools/install-to-tree $(TREE)

patch-series:
	@[ -n '$(TREE)' ] || { echo 'make patch-series TREE=<kernel tree>'; exit 2; }
	tools/patch-series $(TREE)

dist:
	tools/package dist

deb:
	tools/setup packaging
	tools/package deb

doc:
	tools/setup doc source
	PYTHONPATH=$(CURDIR)/build/source/Documentation/sphinx sphinx-build -q -W --keep-going -c tools/doc Documentation/gpu build/doc
	@echo 'built build/doc/virtio-gpu/index.html'

setup:
	tools/setup all

vm:
	tools/setup packages qmp lts image
	$(MAKE) modules KDIR=build/lts/kdir
	tools/vm/vm --kernel lts --module build/modules/lts/drivers/gpu/drm/virtio/virtio_gpu.ko \
		--vga bochs --gpu virtio-gpu-pci,blob=true,max_outputs=2 --interactive

bench: export FULL = 1
kunit bench demo:
	$(pytest) test_$@.py

conformance: export VIRTGPU_CONFORMANCE = all
conformance:
	$(pytest) --full test_conformance.py

check-host:
	$(pytest) --full test_host.py

igt:
	$(pytest) test_igt.py --device $(or $(DEVICE),blob)

sparse:
	$(pytest) test_build.py -k sparse

# Guests wait more than they compute: a file of tests for each processor, up to four.
check:
	$(pytest) -n auto --maxprocesses 4 --dist loadfile $(TESTS)

clean:
	rm -rf build

.PHONY: help modules modules_install install-to-tree patch-series dist deb doc setup vm kunit igt sparse bench demo check check-host conformance clean

endif
