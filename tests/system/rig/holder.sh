#!/bin/bash
# The first process of a host (or of the switch) of a rig: holds its namespaces and reaps its orphans.
# Usage: holder.sh FOLDER host|switch, under `unshare --net --uts --mount --pid --fork`.
# Prints its pid as the machine sees it, waits for a line, makes the network up, prints "ready", and
# then lives until its stdin ends: a rig that was killed takes its hosts along.
set -eu
folder=$1
kind=$2
exec 2>"$folder/holder.log"

read -r pid _ </proc/self/stat # The machine's /proc is still mounted: this is the outer pid.
mount -t proc proc /proc
mount -t sysfs sysfs /sys

# Lets programs vanish from a folder of the PATH, by an overlay with whiteouts.
hide() {
  local directory=$1 layer=$folder/hidden/${1//\//_} program
  shift
  mkdir "$layer" "$layer/upper" "$layer/work"
  for program in "$@"; do
    mknod "$layer/upper/$program" c 0 0
  done
  mount -t overlay -o "lowerdir=$directory,upperdir=$layer/upper,workdir=$layer/work" overlay "$directory"
}

if [ "$kind" = host ]; then
  # The machine's folders that the origin may need, before /root, /home and /tmp are covered.
  if [ -e "$folder/borrowed" ]; then
    while IFS=$'\t' read -r source target; do
      mount --bind "$source" "$target"
    done <"$folder/borrowed"
  fi
  mount -t tmpfs tmpfs "$folder/hidden"
  for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do
    found=()
    for program in deno node nodejs npm npx; do
      if [ -e "$directory/$program" ] || [ -L "$directory/$program" ]; then found+=("$program"); fi
    done
    if [ ${#found[@]} -gt 0 ]; then hide "$directory" "${found[@]}"; fi
  done
  mount --bind "$folder/root" /root
  mount --bind "$folder/home" /home
  for directory in /tmp /dev/shm; do
    mount -t tmpfs -o mode=1777 tmpfs "$directory"
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -m 755 /run/sshd
  for file in hosts hostname resolv.conf passwd group shadow; do
    if [ -e "/etc/$file" ]; then mount --bind "$folder/etc/$file" "/etc/$file"; fi
  done
  hostname "${folder##*/}"
fi
echo "$pid"

read -r _
# As with IPv4, addresses outlive a link that goes down.
if [ -d /proc/sys/net/ipv6 ]; then echo 1 >/proc/sys/net/ipv6/conf/all/keep_addr_on_down; fi
ip -batch "$folder/ip.batch" >&2
if [ -e "$folder/sshd_config" ]; then
  sh "$folder/sshd_start" </dev/null >&2
fi
echo ready
exec 1>/dev/null
read -r _
