/**
 * Listening on a unix path. The socket is bound under a temporary name in the same folder, gets its
 * mode, and is then linked to its real name: so nobody meets it with a wider mode, an existing path
 * is never replaced, and the runtime's own unlink at close hits the temporary name, not a path that
 * another process may have taken since. A stale path (its process died) is removed under a lock on
 * the folder, so that two processes that start together cannot remove each other's fresh socket.
 */
import { ConnectionError, NotFoundError } from "../errors.ts";
import { marksOf } from "./real_errors.ts";

const SOCKET_MODE = 0o600;
/** sockaddr_un.sun_path is 108 bytes with its final zero. */
const PATH_BYTES_MAX = 107;

let temporaries = 0;

export interface UnixBinding {
  readonly listener: Deno.UnixListener;
  /** Removes the path if it is still ours. Call it before closing the listener. */
  readonly release: () => void;
}

export async function bindUnix(path: string): Promise<UnixBinding> {
  const temporary = `${folderOf(path)}.${Deno.pid.toString(36)}${(++temporaries).toString(36)}`;
  for (const name of [path, temporary]) {
    const bytes = new TextEncoder().encode(name).length;
    if (bytes <= PATH_BYTES_MAX) continue;
    throw new ConnectionError(
      "other",
      `Could not listen on "unix:${path}": it needs ${bytes} bytes, the system allows ${PATH_BYTES_MAX}`,
    );
  }
  const listener = listenIn(temporary, path);
  try {
    Deno.chmodSync(temporary, SOCKET_MODE);
    await linkExclusively(temporary, path);
    const { dev, ino } = Deno.lstatSync(path);
    Deno.removeSync(temporary);
    return {
      listener,
      release: () => removeIf(path, (found) => found.dev === dev && found.ino === ino),
    };
  } catch (error) {
    listener.close();
    throw error;
  }
}

function listenIn(temporary: string, path: string): Deno.UnixListener {
  try {
    return Deno.listen({ transport: "unix", path: temporary });
  } catch (error) {
    if (!marksOf(error).includes("NotFound")) throw error;
    const text = `Could not listen on "unix:${path}": its folder does not exist`;
    throw new NotFoundError(text, { cause: error });
  }
}

async function linkExclusively(temporary: string, path: string): Promise<void> {
  if (linked(temporary, path)) return;
  using folder = await Deno.open(folderOf(path) || ".");
  await folder.lock(true);
  try {
    if (linked(temporary, path)) return;
    await refuseIfUsed(path);
    removeIf(path, () => true);
    if (linked(temporary, path)) return;
    throw taken(path, "another process took it just now");
  } finally {
    // Closing is not enough: the runtime may still hold a second descriptor of the same lock.
    folder.unlockSync();
  }
}

function linked(temporary: string, path: string): boolean {
  try {
    Deno.linkSync(temporary, path);
    return true;
  } catch (error) {
    if (marksOf(error).includes("AlreadyExists")) return false;
    throw error;
  }
}

async function refuseIfUsed(path: string): Promise<void> {
  try {
    if (!Deno.lstatSync(path).isSocket) throw taken(path, "there is something that is no socket");
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    // Nobody answers, or its owner has removed it since.
    if (["ConnectionRefused", "NotFound"].some((name) => marksOf(error).includes(name))) return;
    throw error;
  }
  throw taken(path, "another process listens there");
}

function removeIf(path: string, isIt: (found: Deno.FileInfo) => boolean): void {
  try {
    if (isIt(Deno.lstatSync(path))) Deno.removeSync(path);
  } catch (error) {
    if (!marksOf(error).includes("NotFound")) throw error;
  }
}

function taken(path: string, why: string): ConnectionError {
  return new ConnectionError("address-taken", `Could not listen on "unix:${path}": ${why}`);
}

/** With its final slash; empty for a bare name. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
