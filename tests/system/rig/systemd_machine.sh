#!/bin/bash
# A machine that systemd runs, in a host of a rig: boots it, boots it again when it reboots, and ends
# when it is off. Usage: systemd_machine.sh FOLDER NAME, under `unshare --cgroup --mount` in the host.
# Prints "up PID" at each boot, PID being its process 1 as the host sees it.
# It has the host's network and the programs in /usr; /etc, /var, /root and /usr/local lie in FOLDER and
# outlive a boot. Nothing in it can change the kernel's settings, clock or modules.
set -eu
folder=$1
name=$2

# What is made once, as by the installation of a system.
install_system() {
  mkdir -p "$folder"/{etc/systemd/system,var/{lib,tmp,log/journal},root,local/bin,image,control}
  local part unit
  for part in passwd group shadow gshadow nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d \
    alternatives services protocols hosts; do
    if [ -e "/etc/$part" ]; then cp -a "/etc/$part" "$folder/etc/"; fi
  done
  echo "$name" >"$folder/etc/hostname"
  new_id | tr -d - >"$folder/etc/machine-id"
  # What a machine without consoles, logins and devices of its own does not need.
  for unit in dbus.service dbus.socket systemd-logind.service getty.target \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount; do
    ln -s /dev/null "$folder/etc/systemd/system/$unit"
  done
}

new_id() {
  cat /proc/sys/kernel/random/uuid
}

# In namespaces of its own; becomes process 1.
boot() {
  local part device major minor
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs "$folder/image"
  cd "$folder/image"
  mkdir usr etc var root proc sys dev run tmp mnt old
  for part in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$part" ]; then
      ln -s "$(readlink "/$part")" "$part"
    elif [ -d "/$part" ]; then
      mkdir "$part"
      mount --bind "/$part" "$part"
    fi
  done
  mount --rbind /usr usr
  mount -o remount,bind,ro usr
  mount --bind "$folder/local" usr/local
  for part in etc var root; do mount --bind "$folder/$part" "$part"; done
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mount -t tmpfs -o mode=755 tmpfs dev
  mkdir dev/pts dev/shm
  for device in null zero full random urandom tty; do
    read -r major minor <<<"$(stat -c '%Hr %Lr' "/dev/$device")"
    mknod -m 666 "dev/$device" c "$major" "$minor"
  done
  ln -s /proc/self/fd dev/fd
  ln -s pts/ptmx dev/ptmx
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  mount -t proc proc proc
  # The kernel has been up for longer, but this machine has not.
  new_id >run/boot_id
  mount --bind run/boot_id proc/sys/kernel/random/boot_id
  for part in sys sysrq-trigger irq bus; do
    if [ -e "proc/$part" ]; then
      mount --rbind "proc/$part" "proc/$part"
      mount -o remount,bind,ro "proc/$part"
    fi
  done
  # Read-only also says that there are no devices for udev.
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  pivot_root . old
  umount --lazy old
  rmdir old
  exec setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=minime-rig TERM=dumb \
    /lib/systemd/systemd --system
}

if [ "${3-}" = boot ]; then boot; fi

# A view of control groups from where this process is: one from the root would change settings of all.
install_system
mount --make-rprivate /
mount -t cgroup2 cgroup2 "$folder/control"
group=$folder/control/minime-${folder//\//-}
code=129
while [ "$code" -eq 129 ]; do # SIGHUP is how the kernel tells of a reboot.
  mkdir -p "$group"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --uts --ipc --mount --pid --cgroup --fork --kill-child \
      bash "$0" "$folder" "$name" boot
  ) </dev/null >/dev/null &
  unshare=$!
  init=
  while [ -z "$init" ] && kill -0 "$unshare" 2>/dev/null; do
    read -r init _ <"/proc/$unshare/task/$unshare/children" || sleep 0.01
  done
  echo "up $init"
  code=0
  wait "$unshare" || code=$?
  find "$group" -depth -type d -exec rmdir {} +
done
echo "off $code"
