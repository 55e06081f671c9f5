# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# For scripts in the guest that start clients as a user does, in a session of logind's: source it.

vt=7
home=/tmp/home
runtime=/run/user/1000
debugfs=$(dirname "$(grep -l '^virtio_gpu ' /sys/kernel/debug/dri/?/name | head -n 1)")
virtio=/dev/dri/card$(basename "$debugfs")
other=$(find /dev/dri -name 'card*' ! -path "$virtio" | head -n 1)
heads=("/sys/class/drm/${virtio##*/}"-*)
# What a guest may need that has a small part of a processor, in seconds.
patience=300
echo "KTAP version 1"
# logind gives out no device before.
udevadm settle --timeout=600

result() {	# NAME FIGURE REASON: passes without a REASON
	echo "${3:+not }ok - $client/$1 # ${3:-$2}"
}

# soon SECONDS COMMAND...: it succeeds within that time
soon() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}

# is_filled COLOUR [SIZE [HEAD]]: nearly all of what the host shows
is_filled() {
	seen=$(host colour gpu0 "${3:-0}")
	[[ $seen =~ ^$1\ (9[0-9]|100)\ ${2:-} ]]
}

# as_user COMMAND...: in the client's session
as_user() {
	setpriv --reuid=1000 --regid=1000 --clear-groups env XDG_RUNTIME_DIR=$runtime \
		WAYLAND_DISPLAY="$display" DISPLAY=:0 HOME=$home "$@"
}

# session COMMAND...: starts it on the VT
session() {
	local setting
	local settings=()
	for setting in "XDG_SEAT=seat0" "XDG_VTNR=$vt" "XDG_SESSION_TYPE=wayland" "XDG_SESSION_CLASS=user" \
		"HOME=$home" "LIBSEAT_BACKEND=logind" "PATH=$PATH" "${environment[@]}"; do
		settings+=("--setenv=$setting")
	done
	# A server that was killed leaves its socket.
	rm -f $runtime/wayland-*
	busybox chvt $vt
	systemd-run --quiet --collect --unit=client --uid="${account:-user}" "${settings[@]}" --property=PAMName=vm \
		--property=TimeoutStopSec=5 --property=TTYPath=/dev/tty$vt --property=StandardInput=tty \
		--property=TTYReset=yes --property=TTYVHangup=yes \
		--property=StandardOutput="append:$folder/client.log" --property=StandardError="append:$folder/client.log" \
		"$(command -v "$1")" "${@:2}"
}

# Wayland's server is there.
has_display() {
	display=$(cd $runtime 2>/dev/null && ls -d wayland-? 2>/dev/null | head -n 1)
	[ -n "$display" ]
}
has_frames() { [[ $(cat $home/frames 2>/dev/null) -ge $1 ]]; }

# paint: a client of Wayland's fills the screen, and draws all the time
paint() {
	soon $patience has_display || return
	rm -f $home/frames
	as_user held-client $home/frames 2>>"$folder/painter.log" &
	soon $patience has_frames 10 && painter=$(pidof held-client)
}

stop() {
	[ -z "$painter" ] || kill "$painter" 2>/dev/null
	painter=
	systemctl stop client 2>/dev/null
	systemctl reset-failed client 2>/dev/null
}

# What starts each client.

start_weston() {
	local renderer=(--renderer=pixman)
	[ -z "$other" ] || renderer=(--renderer=gl --drm-device="${other##*/}" --additional-devices="${virtio##*/}")
	session weston --backend=drm "${renderer[@]}" --shell=kiosk --continue-without-input --idle-time=0
}

wlroots() {
	environment=(WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman)
	[ -z "$other" ] || environment+=(WLR_RENDERER=gles2 WLR_RENDERER_ALLOW_SOFTWARE=1 WLR_DRM_DEVICES="$other:$virtio")
	session "$@"
}

start_sway() {
	printf 'xwayland disable\ndefault_border none\n' >$home/sway.conf
	wlroots sway -c $home/sway.conf
}
start_labwc() { wlroots labwc; }
start_cage() { wlroots cage -m last -- sleep infinity; }

start_mutter() { session mutter --wayland --no-x11; }

start_kwin() {
	environment=(KWIN_COMPOSE=Q)
	session kwin_wayland --drm --no-lockscreen --no-global-shortcuts
}

start_xorg() { session Xorg :0 vt$vt -noreset; }

# What follows leaves what is wrong in $reason.

# shows COLOUR [SIZE [HEAD]]
shows() {
	reason=
	soon $patience is_filled "$@" || reason="the host shows $seen, not $*"
}

# stands [SIZE [HEAD]]: the painted screen is white
stands() {
	if kill -USR1 "$painter"; then shows ffffff "$@"; else reason="the program that paints has ended"; fi
}
goes_on() { kill -USR2 "$painter"; sleep 1; }

# draw COLOUR: the client has started, and shows that with Xorg, white with others
draw() {
	if [ "$client" != xorg ]; then
		if paint; then stands; else reason="no frame: $(tail -n 1 "$folder/client.log")"; fi
	elif soon $patience as_user xsetroot -solid "#$1" 2>/dev/null; then
		shows "$1"
	else
		reason="no server: $(tail -n 1 "$folder/client.log")"
	fi
}

# What a frame costs.
per_frame() {
	local figure wanted late=
	host mark "$client:begin"
	if [ -n "$painter" ]; then
		wanted=$(($(cat $home/frames) + 20))
		soon $patience has_frames $wanted || late="frame $(cat $home/frames) and not $wanted within $patience s"
	else
		sleep 5
	fi
	host mark "$client:end"
	host counts "$client:begin" "$client:end" >"$folder/counts"
	figure=$(awk '
		$2 ~ /^virtio_gpu_cmd_|_cursor$/ { commands += $1 }
		$2 == "virtio_gpu_cmd_res_flush" { frames = $1 }
		$2 == "virtio_gpu_cmd_res_xfer_toh_2d" { transfers = $1 }
		$2 == "virtio_queue_notify" { notified = $1 }
		END {
			if (frames)
				printf "%d frames, each %.2f commands, %.2f notifications, %.2f transfers", frames,
					commands / frames, notified / frames, transfers / frames
		}' "$folder/counts")
	[ -n "$figure" ] || late="no frame"
	result frames "$figure" "$late"
}

printf 'user:x:1000:1000::%s:/bin/bash\n' $home >>/etc/passwd
printf 'user:*:20000::::::\n' >>/etc/shadow
printf 'user:x:1000:\n' >>/etc/group
printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_systemd.so' >/etc/pam.d/vm
mkdir $home
chown 1000:1000 $home
