/**
 * Users, their homes and their ssh keys: the same accounts on all hosts of a rig. Root's key on the
 * origin opens every account; another user's key opens his own. Keys lie outside the homes, so that
 * a fault which covers a home does not lock anybody out.
 */

import { runTool } from "./process.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  /** The home folder as seen inside a host. */
  readonly home: string;
}

const ROOT: Account = { name: "root", uid: 0, home: "/root" };
const FIRST_UID = 3001;

export function accountsOf(users: readonly string[]): Account[] {
  for (const name of users) {
    if (!/^[a-z][a-z0-9]{0,15}$/.test(name)) throw new TypeError(`Bad user name '${name}'`);
    if (users.filter((one) => one === name).length > 1 || name === ROOT.name) {
      throw new TypeError(`User '${name}' is given twice`);
    }
  }
  const others = users.map((name, index) => ({
    name,
    uid: FIRST_UID + index,
    home: `/home/${name}`,
  }));
  return [ROOT, ...others];
}

/** Makes `FOLDER/keys/USER{,.pub}` and `FOLDER/authorized/USER`. */
export async function makeKeys(folder: string, accounts: readonly Account[]): Promise<void> {
  await Deno.mkdir(`${folder}/keys`, { mode: 0o700 });
  await Deno.mkdir(`${folder}/authorized`);
  await Promise.all(accounts.map(({ name }) => makeKey(`${folder}/keys/${name}`, name)));
  const root = await Deno.readTextFile(`${folder}/keys/root.pub`);
  for (const { name } of accounts) {
    const own = name === "root" ? "" : await Deno.readTextFile(`${folder}/keys/${name}.pub`);
    await Deno.writeTextFile(`${folder}/authorized/${name}`, root + own);
  }
}

export async function makeKey(path: string, comment: string): Promise<void> {
  await runTool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]);
}

/** Fills a host's `etc` with the machine's system accounts and ours, and makes the homes. */
export async function makeHomes(folder: string, accounts: readonly Account[]): Promise<void> {
  const ours = new Set(accounts.map((account) => account.name));
  const machine = (await Deno.readTextFile("/etc/passwd")).split("\n")
    .filter((line) => line !== "" && (line.startsWith("root:") || !ours.has(nameOf(line))));
  const groups = (await Deno.readTextFile("/etc/group")).split("\n")
    .filter((line) => line !== "" && (line.startsWith("root:") || !ours.has(nameOf(line))));
  const users = accounts.filter((account) => account.uid !== 0);
  const passwd = [
    ...machine,
    ...users.map(({ name, uid, home }) => `${name}:x:${uid}:${uid}::${home}:/bin/sh`),
  ];
  await writeLines(`${folder}/etc/passwd`, passwd);
  await writeLines(`${folder}/etc/group`, [
    ...groups,
    ...users.map(({ name, uid }) => `${name}:x:${uid}:`),
  ]);
  // "*" is no password but not locked, so that sshd lets keys in.
  await writeLines(`${folder}/etc/shadow`, passwd.map((line) => `${nameOf(line)}:*:19000:0:::::`));
  await Deno.chmod(`${folder}/etc/shadow`, 0o600);
  await Deno.mkdir(`${folder}/root`, { mode: 0o700 });
  await Deno.mkdir(`${folder}/home`);
  for (const { uid, home } of users) {
    await Deno.mkdir(folder + home, { mode: 0o700 });
    await Deno.chown(folder + home, uid, uid);
  }
}

/** Gives every account of the origin its key, its ssh configuration and the hosts' keys. */
export async function makeClients(
  origin: string,
  options: { keys: string; accounts: readonly Account[]; knownHosts: string },
): Promise<void> {
  for (const { name, uid, home } of options.accounts) {
    const folder = `${origin}${home}/.ssh`;
    await Deno.mkdir(folder, { mode: 0o700 });
    await Deno.copyFile(`${options.keys}/${name}`, `${folder}/id_ed25519`);
    await Deno.writeTextFile(`${folder}/known_hosts`, options.knownHosts);
    await Deno.writeTextFile(
      `${folder}/config`,
      "Host *\n  BatchMode yes\n  StrictHostKeyChecking yes\n  GSSAPIAuthentication no\n",
    );
    for (const file of ["id_ed25519", "known_hosts", "config"]) {
      await Deno.chmod(`${folder}/${file}`, 0o600);
      await Deno.chown(`${folder}/${file}`, uid, uid);
    }
    await Deno.chown(folder, uid, uid);
  }
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(":"));
}

async function writeLines(path: string, lines: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
}
