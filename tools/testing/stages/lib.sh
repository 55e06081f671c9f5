# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# For stages written in bash: source it, they run in the repository's folder.

. tools/testing/help.sh

set -uo pipefail

driver=drivers/gpu/drm/virtio
ko_lts=build/modules/lts/$driver/virtio_gpu.ko
jobs=$(nproc)

ok() { printf 'ok - %s%s\n' "$1" "${2:+ # $2}"; }
not_ok() { printf 'not ok - %s # %s\n' "$1" "${2:-}"; }
skip() { printf 'ok - %s # SKIP %s\n' "$1" "${2:-}"; }

# try NAME COMMAND...: passes if the command does; its output is the stage's,
# indented
try() {
	local name=$1 began=$SECONDS status last
	shift
	last=$(mktemp)
	"$@" 2>&1 | tee "$last" | sed 's/^/  /'
	status=${PIPESTATUS[0]}
	if [ "$status" = 0 ]; then
		ok "$name" "$((SECONDS - began)) s"
	else
		not_ok "$name" "status $status: $(grep -v '^$' "$last" | tail -n 1 | tr '#' ' ')"
	fi
	rm -f "$last"
	return "$status"
}

# For CF=, words that sparse 0.6.4, the one in Debian 12 and 13, does not know; 7.3
# would not run it for them.
sparse_flags="-D__typeof_unqual__=__typeof__ '-D__builtin_strlen(x)=(sizeof(x)-1)'"

# quiet NAME PATTERN COMMAND...: passes if the command does and prints no line
# that matches
quiet() {
	local name=$1 pattern=$2 log status lines
	shift 2
	log=$(mktemp)
	"$@" 2>&1 | tee "$log" | sed 's/^/  /'
	status=${PIPESTATUS[0]}
	lines=$(grep -cE "$pattern" "$log")
	if [ "$status" != 0 ]; then
		not_ok "$name" "status $status: $(grep -v '^$' "$log" | tail -n 1 | tr '#' ' ')"
	elif [ "$lines" != 0 ]; then
		not_ok "$name" "$lines lines: $(grep -E "$pattern" "$log" | head -n 1 | tr '#' ' ')"
	else
		ok "$name"
	fi
	rm -f "$log"
}

# with_tests TREE [ARG...]: build the KUnit tests too; ARG for make
with_tests() {
	local tree=$1
	shift
	(cd "$tree" && scripts/config --module KUNIT --module DRM_VIRTIO_GPU_KUNIT_TEST && make -s "$@" olddefconfig) ||
		{ not_ok "configure $tree"; exit 1; }
}
