# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# For programs in bash without options of their own: source this file. -h and
# --help print the comment at the top of the program, any other option is an
# error. A test of tools/check has no line "usage:" in its comment; it is added.

comment() { sed -n '3,/^[^#]\|^$/s/^# \{0,1\}//p' "$0"; }

case ${1:-} in
-h | --help)
	if comment | grep -q '^usage:'; then
		comment
	else
		stage=${0##*/}
		printf 'usage: %s\n\n' "$0"
		comment
		printf '\noptions\n  -h, --help    print this\n\nexample: tools/check --only %s\n' "${stage#*-}"
	fi
	exit
	;;
-*)
	echo "${0##*/}: unknown option $1" >&2
	exit 2
	;;
esac
