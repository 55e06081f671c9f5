# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=sh
# The results of a script: source it, then "begin NAME" and, for each name,
# either "pass [FIGURE]" or "fail REASON", which ends the script.

echo "KTAP version 1"
begin() { result=$*; }
pass() { echo "ok - $result${1:+ # $*}"; }
fail() { echo "not ok - $result # $*"; exit 1; }
