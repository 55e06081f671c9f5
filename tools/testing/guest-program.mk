# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# How C programs of the guest that use libdrm are built, see uapi/Makefile.

override CFLAGS += -O2 -g -Wall -Wextra -Werror
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
		     -I$(SYSROOT)/usr/include/libdrm
# As the kernel spells it.
override CPPFLAGS += '-D__printf(a, b)=__attribute__((__format__(printf, a, b)))'
ifdef SYSROOT
override CPPFLAGS += -idirafter $(SYSROOT)/usr/include
libdrm := -Wl,--allow-shlib-undefined \
	  $(firstword $(wildcard $(SYSROOT)/usr/lib/*/libdrm.so.2))
else
libdrm := -ldrm
endif
