/**
 * Tells the service manager that started us how we are (sd_notify(3)): one datagram to the socket in
 * NOTIFY_SOCKET. The runtime has no unix datagrams, so libc sends it; it is loaded only where there
 * is a manager, and closed again.
 */

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un: u16 family, then the path. */
const PATH_AT = 2;
const PATH_BYTES_MAX = 107;

/** False where nobody wants to know, or it cannot be told: a daemon does not depend on it. */
export function notifyManager(text: string): boolean {
  const path = Deno.env.get("NOTIFY_SOCKET") ?? "";
  if (!/^[/@]/.test(path)) return false;
  const bytes = new TextEncoder().encode(path);
  if (bytes.length > PATH_BYTES_MAX) return false;
  const address = new Uint8Array(PATH_AT + bytes.length + (path.startsWith("@") ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, PATH_AT);
  // An abstract socket's name begins with a NUL, which is written as @.
  if (path.startsWith("@")) address[PATH_AT] = 0;
  return send(address, new TextEncoder().encode(text));
}

function send(address: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): boolean {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  try {
    const fd = libc.symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const sent = libc.symbols.sendto(
      fd,
      message,
      BigInt(message.length),
      MSG_NOSIGNAL,
      address,
      address.length,
    );
    libc.symbols.close(fd);
    return sent === BigInt(message.length) || Number(sent) === message.length;
  } finally {
    libc.close();
  }
}
