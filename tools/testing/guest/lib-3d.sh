# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# For scripts in the guest that render: source it.

. ktap.sh

# card_of DRIVER: its first device
card_of() {
	name=$(grep -l "^$1 " /sys/kernel/debug/dri/[0-9]/name | head -n 1)
	echo "card$(basename "${name%/name}")"
}

card=$(card_of virtio_gpu)
debugfs=/sys/kernel/debug/dri/${card#card}

# off_screen FOLDER CARD: eight frames, each as a file; the first two that
# kmscube writes are empty
off_screen() {
	mkdir -p "screenshots/$1"
	(cd "screenshots/$1" && kmscube -D "/dev/dri/$2" --offscreen --vmode=640x480 --write --count=10 >kmscube.log 2>&1) ||
		fail "kmscube failed off screen: $(tail -n 1 "screenshots/$1/kmscube.log")"
	rm "screenshots/$1"/kmscube-00[01].png
}

# The same frames by the guest's own processor, on a device that cannot render.
reference() {
	modprobe vgem
	off_screen reference "$(card_of vgem)"
	grep -q 'renderer: "llvmpipe' screenshots/reference/kmscube.log || fail "the reference is not the processor's"
}

# desktop FOLDER RENDERER: start Weston with one of the reference's frames, side by side, as its
# background; $weston is its process
desktop() {
	cat >weston.ini <<-INI
		[core]
		idle-time=0
		[shell]
		panel-position=none
		startup-animation=none
		background-type=tile
		background-image=$PWD/$(ls screenshots/reference/*.png | head -n 1)
	INI
	weston --config="$PWD/weston.ini" --backend=drm --drm-device="$card" --renderer="$2" --continue-without-input \
		--log="weston-$1.log" >/dev/null 2>&1 &
	weston=$!
	# A screen without a picture is a small file.
	for _ in $(seq 60); do
		sleep 1
		host screenshot weston
		[ "$(stat -c %s weston.png)" -lt 10000 ] || break
	done
	mkdir -p "screenshots/$1"
	mv weston.png "screenshots/$1/weston.png"
}

# nothing_is_left [ERRORS]: the host reported no more errors, and the driver
# holds nothing of programs that have ended
nothing_is_left() {
	begin nothing-is-left
	grep -q "^control_errors: ${1:-0}$" "$debugfs/virtio-gpu-counters" || fail "$(grep errors "$debugfs/virtio-gpu-counters")"
	[ ! -s "$debugfs/virtio-gpu-contexts" ] || fail "contexts are left: $(cat "$debugfs/virtio-gpu-contexts")"
	! grep '^map:' "$debugfs/virtio-gpu-host-visible" || fail "blobs are left in the window"
	pass
}
