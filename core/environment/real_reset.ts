/**
 * Breaks a TCP connection so that its other end learns of it. The runtime always sends an orderly end
 * first, so the kernel is asked directly: to connect a socket to "unspecified" disconnects it, and
 * sends a reset. The runtime keeps the socket's number to itself; it is found by its two addresses.
 */

/** Room for any socket address. */
const ADDRESS_BYTES_MAX = 128;
/** sa_family of an address that is none (AF_UNSPEC is 0). */
const UNSPECIFIED = new Uint8Array(16);
const AF_INET = 2;
const AF_INET6 = 10;

/** False where the system offers no such thing: then the connection is as it was. */
export function resetConnection({ localAddr, remoteAddr }: Deno.Conn): boolean {
  if (localAddr.transport !== "tcp" || remoteAddr.transport !== "tcp") return false;
  let libc: ReturnType<typeof openLibc>;
  try {
    libc = openLibc();
  } catch {
    // Another C library: who needs a reset gets an end.
    return false;
  }
  try {
    const wanted = `${addressText(localAddr)} ${addressText(remoteAddr)}`;
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      const number = Number(name);
      const local = addressOf((bytes, length) => libc.symbols.getsockname(number, bytes, length));
      if (local === undefined || !wanted.startsWith(`${local} `)) continue;
      const remote = addressOf((bytes, length) => libc.symbols.getpeername(number, bytes, length));
      if (wanted !== `${local} ${remote}`) continue;
      return libc.symbols.connect(number, UNSPECIFIED, UNSPECIFIED.length) === 0;
    }
    return false;
  } finally {
    libc.close();
  }
}

function openLibc() {
  const address = { parameters: ["i32", "buffer", "buffer"], result: "i32" } as const;
  return Deno.dlopen("libc.so.6", {
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    getsockname: address,
    getpeername: address,
  });
}

function addressOf(
  ask: (bytes: Uint8Array<ArrayBuffer>, length: Uint32Array<ArrayBuffer>) => number,
): string | undefined {
  const bytes = new Uint8Array(ADDRESS_BYTES_MAX);
  if (ask(bytes, new Uint32Array([ADDRESS_BYTES_MAX])) !== 0) return undefined;
  const view = new DataView(bytes.buffer);
  // sa_family in the machine's own order, which is little-endian wherever we run.
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return `${bytes.subarray(4, 8).join(".")} ${port}`;
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(8 + 2 * i).toString(16));
  return `${canonical(groups.join(":"))} ${port}`;
}

function addressText({ hostname, port }: Deno.NetAddr): string {
  return `${hostname.includes(":") ? canonical(hostname) : hostname} ${port}`;
}

/** IPv6 can be written in many ways; a zone is no part of the address. */
function canonical(address: string): string {
  return new URL(`http://[${address.replace(/%.*/, "")}]`).hostname;
}
