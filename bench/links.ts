/**
 * Links against bare sockets of the same runtime: round trip of 64 bytes, bulk one way, both ends in
 * processes of their own; and a call between two modules of one daemon.
 */

import { createRealEnvironment } from "../core/environment/real.ts";
import { Calls, InternalFront } from "../core/mod.ts";
import { benchFronts } from "./fronts.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { type Measure, takeTurns } from "./turns.ts";

const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
const ROUND_TRIPS = 2_000;
const BULK_BYTES = 120 * 1024 * 1024;
const CHUNK_BYTES = 60 * 1024;
/** bench/peer.ts answers a byte whenever it has swallowed so much. */
const ACK_BYTES = 8 * 1024 * 1024;
const KINDS = ["bare-tcp", "tcp", "bare-unix", "unix"] as const;
type Kind = (typeof KINDS)[number];

const ROUND_TRIP_RATIO_MAX = 1.6;
const TCP_BULK_GB_PER_S_MIN = 0.8;
const UNIX_BULK_GB_PER_S_MIN = 3;
const INTERNAL_US_MAX = 3;

const env = createRealEnvironment();

export async function links(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const fronts = await benchFronts(env);
  const peers = new Map<Kind, string>();
  for (const kind of KINDS) peers.set(kind, await startPeer(kind, folder, stack));

  const callers = new Map<Kind, Calls>();
  for (const kind of ["tcp", "unix"] as const) {
    const front = kind === "tcp" ? fronts.tcp("a") : fronts.unix;
    const conduit = await front.dial(peers.get(kind) as string);
    const caller = new Calls({ conduit, clock: env.clock, dialled: true });
    callers.set(kind, caller);
    stack.defer(() => caller.close("done"));
  }
  const caller = (kind: Kind) => callers.get(kind) as Calls;
  const where = (kind: Kind) => peers.get(kind) as string;

  const trips = await takeTurns({
    "bare-tcp": await bareRoundTrips(where("bare-tcp"), stack),
    tcp: roundTripsOf(caller("tcp")),
    "bare-unix": await bareRoundTrips(where("bare-unix"), stack),
    unix: roundTripsOf(caller("unix")),
    internal: await internalCalls(stack),
  }, { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS });
  const bulk = await takeTurns({
    "bare-tcp": () => bareBulk(where("bare-tcp")),
    tcp: () => bulkOver(caller("tcp")),
    "bare-unix": () => bareBulk(where("bare-unix")),
    unix: () => bulkOver(caller("unix")),
  }, { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS });

  const row = (what: string, ours: number, bare: number, digits: number): string[] => [
    what,
    number(bare, digits),
    number(ours, digits),
    number(ours / bare, 2),
  ];
  const rows: Row[] = [
    [
      ...row("round trip 64 B, tcp (ours encrypted), us", trips.tcp, trips["bare-tcp"], 0),
      ...budgetCell(trips.tcp / trips["bare-tcp"], { most: ROUND_TRIP_RATIO_MAX, unit: "x" }),
    ],
    [...row("round trip 64 B, unix, us", trips.unix, trips["bare-unix"], 0), "", ""],
    [
      ...row("bulk, tcp (ours encrypted), GB/s", bulk.tcp, bulk["bare-tcp"], 2),
      ...budgetCell(bulk.tcp, { least: TCP_BULK_GB_PER_S_MIN, unit: "GB/s" }),
    ],
    [
      ...row("bulk, unix, GB/s", bulk.unix, bulk["bare-unix"], 2),
      ...budgetCell(bulk.unix, { least: UNIX_BULK_GB_PER_S_MIN, unit: "GB/s" }),
    ],
    [
      "internal call, us",
      "",
      number(trips.internal, 2),
      "",
      ...budgetCell(trips.internal, { most: INTERNAL_US_MAX, unit: "us" }),
    ],
  ];
  printTable(["links", "bare Deno", "minime", "ratio", "budget", ""], rows);
}

/** Starts bench/peer.ts and returns what to dial. */
async function startPeer(
  kind: Kind,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", new URL("peer.ts", import.meta.url).pathname, kind, folder],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  stack.defer(async () => {
    await reader.cancel();
    await child.stdin.close();
    await child.status;
  });
  const { value } = await reader.read();
  return new TextDecoder().decode(value).trim();
}

/** Microseconds a round trip. */
async function timeTrips(once: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < ROUND_TRIPS; i++) await once();
  return (performance.now() - start) * 1_000 / ROUND_TRIPS;
}

function roundTripsOf(caller: Calls): Measure {
  const bytes = new Uint8Array(64);
  return () => timeTrips(() => caller.request("bench.echo", bytes));
}

async function connectBare(where: string): Promise<Deno.Conn> {
  if (where.startsWith("/")) return await Deno.connect({ transport: "unix", path: where });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(where) });
  conn.setNoDelay(true);
  return conn;
}

async function bareRoundTrips(where: string, stack: AsyncDisposableStack): Promise<Measure> {
  const conn = stack.use(await connectBare(where));
  const bytes = new Uint8Array(64);
  await conn.write(new Uint8Array([0]));
  return () =>
    timeTrips(async () => {
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
  let sent = 0;
  while (sent < BULK_BYTES) sent += await conn.write(chunk);
  const acks = new Uint8Array(64);
  for (let got = 0; got < Math.floor(sent / ACK_BYTES);) got += await conn.read(acks) ?? 0;
  return sent / (performance.now() - start) / 1e6;
}

async function bulkOver(caller: Calls): Promise<number> {
  const call = caller.stream("bench.swallow", {}, { deadlineMs: 0 });
  const chunk = new Uint8Array(CHUNK_BYTES);
  const start = performance.now();
  for (let sent = 0; sent < BULK_BYTES; sent += CHUNK_BYTES) await call.send(chunk);
  await call.end();
  await call.reply;
  return BULK_BYTES / (performance.now() - start) / 1e6;
}

async function internalCalls(stack: AsyncDisposableStack): Promise<Measure> {
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
  stack.defer(() => caller.close("done"));
  return () => timeTrips(() => caller.request("bench.echo", 1));
}
