/**
 * The other end of the benchmarks of links: a process of its own that echoes or swallows. Started by
 * bench/links.ts with one word for what to be; prints its endpoint and serves until its stdin ends.
 */

import { createRealEnvironment } from "../core/environment/real.ts";
import { Calls } from "../core/mod.ts";
import { benchFronts } from "./fronts.ts";

const ACK_BYTES = 8 * 1024 * 1024;

const [kind = "", folder = ""] = Deno.args;
const env = createRealEnvironment();
void endWithParent();

if (kind === "bare-tcp" || kind === "bare-unix") {
  const listener = kind === "bare-tcp"
    ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
    : Deno.listen({ transport: "unix", path: `${folder}/bare.sock` });
  const { addr } = listener;
  say(addr.transport === "tcp" ? `${(addr as Deno.NetAddr).port}` : (addr as Deno.UnixAddr).path);
  for await (const conn of listener) void serveBare(conn);
} else {
  const fronts = await benchFronts(env);
  const front = kind === "tcp" ? fronts.tcp("b") : fronts.unix;
  const endpoint = kind === "tcp" ? "tcp:127.0.0.1:0" : `unix:${folder}/minime.sock`;
  const listener = await front.listen(endpoint, (conduit) => {
    new Calls({
      conduit,
      clock: env.clock,
      dialled: false,
      serve: (incoming) => {
        if (incoming.verb === "bench.echo") return incoming.body;
        return swallow(incoming.input);
      },
    });
  });
  say(listener.endpoint);
}

async function swallow(input: AsyncIterable<unknown>): Promise<number> {
  let bytes = 0;
  for await (const item of input) bytes += (item as Uint8Array).length;
  return bytes;
}

/** The first byte says whether to echo (0) or to swallow and answer a byte at each ACK_BYTES (1). */
async function serveBare(conn: Deno.Conn): Promise<void> {
  if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
  const buffer = new Uint8Array(256 * 1024);
  let got = await conn.read(buffer.subarray(0, 1));
  const echo = buffer[0] === 0;
  let swallowed = 0;
  while ((got = await conn.read(buffer)) !== null) {
    if (echo) await conn.write(buffer.subarray(0, got));
    else {
      swallowed += got;
      for (; swallowed >= ACK_BYTES; swallowed -= ACK_BYTES) {
        await conn.write(buffer.subarray(0, 1));
      }
    }
  }
}

/** However the bench ends, its end of our stdin closes. */
async function endWithParent(): Promise<void> {
  while (await Deno.stdin.read(new Uint8Array(16)) !== null);
  Deno.exit(0);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
