/** Hosts of a rig share the machine's files, but for homes and what lies in /run and /tmp. */

import type { Host } from "./host.ts";

const SCRIPT = `
set -eu
mount -t tmpfs tmpfs /mnt
for folder in etc usr/local; do
  mkdir -p "/mnt/upper/$folder" "/mnt/spare/$folder"
done
for file in hosts hostname resolv.conf passwd group shadow; do
  [ ! -e "/etc/$file" ] || cp -p "/etc/$file" /mnt/upper/etc/
done
for folder in etc usr/local; do
  mount -t overlay overlay "/$folder" -o \\
    "lowerdir=/$folder,upperdir=/mnt/upper/$folder,workdir=/mnt/spare/$folder"
done
for folder in /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir -p /etc/init.d
`;

/** From now on what is changed in its /etc and /usr/local, and all of /var/lib and /var/log, is the host's own. */
export async function ownFiles(host: Host): Promise<void> {
  await host.must(["sh", "-c", SCRIPT]);
}
