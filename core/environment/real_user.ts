/**
 * Becomes another user, once and for good: group, supplementary groups, user, and no new privileges.
 * The runtime has no calls for that, so libc makes them, which does it for all threads at once.
 */

import { FileError } from "../errors.ts";
import type { UnixUser } from "./environment.ts";

const PR_SET_NO_NEW_PRIVS = 38;

/** Throws FileError when anything of it failed: then nothing may be done any more. */
export function becomeUser({ name, uid, gid }: UnixUser): void {
  const libc = Deno.dlopen("libc.so.6", {
    initgroups: { parameters: ["buffer", "u32"], result: "i32" },
    setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
    setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
    prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  });
  try {
    const { initgroups, setresgid, setresuid, prctl } = libc.symbols;
    const text = new TextEncoder().encode(`${name}\0`);
    const done = initgroups(text, gid) === 0 && setresgid(gid, gid, gid) === 0 &&
      setresuid(uid, uid, uid) === 0 && prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) === 0;
    // Who could go back has not become anybody else.
    const back = uid !== 0 && setresuid(0, 0, 0) === 0;
    if (done && !back && Deno.uid() === uid && Deno.gid() === gid) return;
    throw new FileError("denied", `Could not become user "${name}"`);
  } finally {
    libc.close();
  }
}
