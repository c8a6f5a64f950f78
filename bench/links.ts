/**
 * Links against bare sockets of the same runtime, in one run: round trip of 64 bytes, bulk one way.
 * The other end is a process of its own. Prints a table; ratios are what counts.
 */

import { createRealEnvironment } from "../core/environment/real.ts";
import { Calls, InternalFront } from "../core/mod.ts";
import { benchFronts } from "./fronts.ts";
import { printTable } from "./table.ts";

const ROUND_TRIPS = 20_000;
const ROUNDS = 5;
const BULK_BYTES = 480 * 1024 * 1024;
const CHUNK_BYTES = 60 * 1024;

const env = createRealEnvironment();
const folder = await Deno.makeTempDir();
const fronts = await benchFronts(env, folder);

async function peer<T>(kind: string, use: (where: string) => Promise<T>): Promise<T> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", new URL("peer.ts", import.meta.url).pathname, kind, folder],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  try {
    return await use(new TextDecoder().decode(value).trim());
  } finally {
    await reader.cancel();
    child.kill("SIGKILL");
    await child.status;
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** Microseconds a round trip. */
async function roundTrips(once: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 2_000; i++) await once();
  const results: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < ROUND_TRIPS / ROUNDS; i++) await once();
    results.push((performance.now() - start) * 1_000 * ROUNDS / ROUND_TRIPS);
  }
  return median(results);
}

async function connectBare(where: string): Promise<Deno.Conn> {
  if (where.startsWith("/")) return await Deno.connect({ transport: "unix", path: where });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(where) });
  conn.setNoDelay(true);
  return conn;
}

async function bareRoundTrip(where: string): Promise<number> {
  using conn = await connectBare(where);
  const bytes = new Uint8Array(64);
  await conn.write(new Uint8Array(1));
  return await roundTrips(async () => {
    await conn.write(bytes);
    await conn.read(bytes);
  });
}

/** GB/s. */
async function bareBulk(where: string): Promise<number> {
  using conn = await connectBare(where);
  const chunk = new Uint8Array(CHUNK_BYTES);
  await conn.write(new Uint8Array([1]));
  const start = performance.now();
  for (let sent = 0; sent < BULK_BYTES;) sent += await conn.write(chunk);
  for (let acks = 0; acks < Math.floor(BULK_BYTES / (64 * 1024 * 1024));) {
    acks += await conn.read(new Uint8Array(64)) ?? 0;
  }
  return BULK_BYTES / (performance.now() - start) / 1e6;
}

async function calls(scheme: "tcp" | "unix", where: string): Promise<Calls> {
  const front = scheme === "tcp" ? fronts.tcp("a") : fronts.unix;
  return new Calls({ conduit: await front.dial(where), clock: env.clock, dialled: true });
}

async function echo(caller: Calls): Promise<number> {
  const bytes = new Uint8Array(64);
  return await roundTrips(() => caller.request("bench.echo", bytes));
}

async function bulk(caller: Calls): Promise<number> {
  const call = caller.stream("bench.swallow", {}, { deadlineMs: 0 });
  const chunk = new Uint8Array(CHUNK_BYTES);
  const start = performance.now();
  for (let sent = 0; sent < BULK_BYTES; sent += CHUNK_BYTES) await call.send(chunk);
  await call.end();
  await call.reply;
  return BULK_BYTES / (performance.now() - start) / 1e6;
}

async function internal(): Promise<number> {
  const front = new InternalFront();
  await front.listen("internal:bench", (conduit) => {
    new Calls({ conduit, clock: env.clock, dialled: false, serve: (incoming) => incoming.body });
  });
  const caller = new Calls({
    conduit: await front.dial("internal:bench"),
    clock: env.clock,
    dialled: true,
    deadlineMsDefault: 0,
  });
  const result = await roundTrips(() => caller.request("bench.echo", 1));
  await caller.close("done");
  return result;
}

const bareTcp = await peer("bare-tcp", async (at) => [await bareRoundTrip(at), await bareBulk(at)]);
const bareUnix = await peer(
  "bare-unix",
  async (at) => [await bareRoundTrip(at), await bareBulk(at)],
);
const ours = await peer("tcp", async (at) => {
  const caller = await calls("tcp", at);
  const result = [await echo(caller), await bulk(caller)];
  await caller.close("done");
  return result;
});
const oursUnix = await peer("unix", async (at) => {
  const caller = await calls("unix", at);
  const result = [await echo(caller), await bulk(caller)];
  await caller.close("done");
  return result;
});
const within = await internal();
const [a = 0, b = 0] = bareTcp;
const [c = 0, d = 0] = bareUnix;
const [e = 0, f = 0] = ours;
const [g = 0, h = 0] = oursUnix;
printTable(["", "bare Deno", "minime", "ratio", "budget"], [
  ["round trip 64 B, tcp (encrypted), us", a.toFixed(0), e.toFixed(0), (e / a).toFixed(2), "1.60"],
  ["round trip 64 B, unix, us", c.toFixed(0), g.toFixed(0), (g / c).toFixed(2), ""],
  ["bulk, tcp (encrypted), GB/s", b.toFixed(2), f.toFixed(2), (f / b).toFixed(2), "0.8 GB/s"],
  ["bulk, unix, GB/s", d.toFixed(2), h.toFixed(2), (h / d).toFixed(2), "3 GB/s"],
  ["internal call, us", "", within.toFixed(2), "", "3 us"],
]);
await Deno.remove(folder, { recursive: true });
Deno.exit(0);
