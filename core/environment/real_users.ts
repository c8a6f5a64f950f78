/** Counts logged-in sessions as `who` does: records of utmp whose process still lives. */
import { marksOf } from "./real_errors.ts";

const UTMP_PATH = "/var/run/utmp";
const USER_PROCESS = 7;
/** sizeof(struct utmp): glibc keeps 32-bit times on x86_64 (for i386's sake) but not on aarch64. */
const RECORD_BYTES: Readonly<Record<string, number>> = { x86_64: 384, aarch64: 400 };

/** Undefined where the host keeps no utmp. */
export function loggedInUsers(): number | undefined {
  const recordBytes = RECORD_BYTES[Deno.build.arch];
  if (recordBytes === undefined) return undefined;
  try {
    return sessionProcesses(Deno.readFileSync(UTMP_PATH), recordBytes).filter(isAlive).length;
  } catch (error) {
    if (["NotFound", "PermissionDenied"].some((name) => marksOf(error).includes(name))) {
      return undefined;
    }
    throw error;
  }
}

/** Process ids of the user sessions in the bytes of a utmp file (utmp(5)). */
export function sessionProcesses(utmp: Uint8Array, recordBytes: number): number[] {
  const view = new DataView(utmp.buffer, utmp.byteOffset, utmp.byteLength);
  const pids: number[] = [];
  for (let at = 0; at + recordBytes <= utmp.length; at += recordBytes) {
    if (view.getInt16(at, true) === USER_PROCESS) pids.push(view.getInt32(at + 4, true));
  }
  return pids;
}

function isAlive(pid: number): boolean {
  try {
    Deno.lstatSync(`/proc/${pid}`);
    return true;
  } catch (error) {
    if (marksOf(error).includes("NotFound")) return false;
    throw error;
  }
}
