/**
 * The router over a line of daemons, each in a process of its own: what a relay costs a call and a
 * stream, end to end encrypted, against the link without a router; and a ping of high priority while
 * a stream saturates the way, against the idle one. All in one run, in turns.
 */

import { createRealEnvironment } from "../core/environment/real.ts";
import { type Caller, Calls } from "../core/mod.ts";
import { LINE_NODES, type LineNode, nameOf, startLineNode } from "./router_line.ts";
import { budgetCell, number, printTable, type Row } from "./table.ts";
import { median, takeTurns } from "./turns.ts";

const ROUNDS = 5;
const WARM_UP_ROUNDS = 2;
const ROUND_TRIPS = 300;
const BULK_BYTES = 30 * 1024 * 1024;
const CHUNK_BYTES = 60 * 1024;
/** Idle and saturated take turns; of a round the median counts, of the rounds the median ratio. */
const PING_ROUNDS = 5;
const PINGS = 80;
/** Number of relays -> place of the target. */
const TARGETS = { 0: 1, 1: 2, 3: 4 } as const;
type Relays = keyof typeof TARGETS;
const RELAYS = Object.keys(TARGETS).map(Number) as Relays[];
/** A ping through nodes that a stream saturates, against an idle one. */
const SATURATED_RATIO_MAX = 5;

const env = createRealEnvironment();

export async function router(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const first = await startLine(stack);
  const link = first.host.links.list()[0];
  if (link === undefined) throw new Error("The line has no first link");
  const routed = new Map<Relays, Calls>();
  for (const relays of RELAYS) {
    const conduit = await first.router.front.dial(`mesh:${nameOf(TARGETS[relays])}`);
    const calls = new Calls({ conduit, clock: env.clock, dialled: true });
    stack.defer(() => calls.close("done"));
    routed.set(relays, calls);
  }
  const by = (relays: Relays) => routed.get(relays) as Calls;
  const bulkHalf = await link.bulk();

  const trips = await takeTurns({
    link: () => roundTrips(link),
    0: () => roundTrips(by(0)),
    1: () => roundTrips(by(1)),
    3: () => roundTrips(by(3)),
  }, { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS });
  const bulk = await takeTurns({
    link: () => swallowed(bulkHalf),
    0: () => swallowed(by(0)),
    1: () => swallowed(by(1)),
    3: () => swallowed(by(3)),
  }, { rounds: ROUNDS, warmUp: WARM_UP_ROUNDS });

  const row = (what: string, values: Readonly<Record<string, number>>, digits: number): Row => [
    what,
    number(values.link ?? NaN, digits),
    ...RELAYS.map((relays) => number(values[relays] ?? NaN, digits)),
    ...RELAYS.map((relays) => number((values[relays] ?? NaN) / (values.link ?? NaN), 2)),
  ];
  printTable(
    ["router", "link", "0 relays", "1 relay", "3 relays", "ratio 0", "ratio 1", "ratio 3"],
    [row("round trip 64 B, us", trips, 0), row("bulk, GB/s", bulk, 2)],
  );
  await pingTable(first, by);
}

async function pingTable(first: LineNode, by: (relays: Relays) => Calls): Promise<void> {
  const rows: Row[] = [];
  for (const relays of RELAYS) {
    const target = nameOf(TARGETS[relays]);
    const rounds: { idle: number; busy: number; bulk: number; bytesPerMs: number }[] = [];
    for (let round = 0; round < PING_ROUNDS; round++) {
      const idle = await pings(first, target);
      const over = new AbortController();
      const saturating = saturate(by(relays), over.signal);
      const busy = await pings(first, target);
      over.abort();
      const bytesPerMs = await saturating;
      rounds.push({ idle: idle.us, busy: busy.us, bulk: busy.bulk, bytesPerMs });
    }
    const ratio = median(rounds.map(({ idle, busy }) => busy / idle));
    rows.push([
      `ping over ${relays} relays, us`,
      number(median(rounds.map(({ idle }) => idle)), 0),
      number(median(rounds.map(({ busy }) => busy)), 0),
      number(ratio, 2),
      ...budgetCell(ratio, { most: SATURATED_RATIO_MAX, unit: "x" }),
      String(median(rounds.map(({ bulk }) => bulk))),
      number(median(rounds.map(({ bytesPerMs }) => bytesPerMs)) / 1e6, 2),
    ]);
  }
  printTable([
    "ping",
    "idle",
    "saturated",
    "ratio",
    "budget",
    "",
    "bulk sent meanwhile",
    "stream, GB/s",
  ], rows);
}

/** Starts the others, last one first, and links them all. */
async function startLine(stack: AsyncDisposableStack): Promise<LineNode> {
  const processes: { say: (line: string) => Promise<void>; hear: () => Promise<string> }[] = [];
  const endpoints: string[] = [];
  for (let place = 1; place < LINE_NODES; place++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        new URL("router_line.ts", import.meta.url).pathname,
        String(place),
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const writer = child.stdin.getWriter();
    stack.defer(async () => {
      await reader.cancel();
      await writer.close();
      await child.status;
    });
    const hear = async () => new TextDecoder().decode((await reader.read()).value).trim();
    const say = (line: string) => writer.write(new TextEncoder().encode(`${line}\n`));
    processes.push({ say, hear });
    endpoints.push(await hear());
  }
  for (const [i, { say, hear }] of processes.entries()) {
    await say(endpoints[i + 1] ?? "");
    await hear();
  }
  const first = await startLineNode(0, env);
  stack.defer(() => first.daemon.stop("bench is over"));
  await first.host.links.dial(endpoints[0] as string);
  return first;
}

/** Microseconds a round trip. */
async function roundTrips(caller: Caller): Promise<number> {
  const bytes = new Uint8Array(64);
  const start = performance.now();
  for (let i = 0; i < ROUND_TRIPS; i++) await caller.request("bench.echo", bytes);
  return (performance.now() - start) * 1_000 / ROUND_TRIPS;
}

/** GB/s. */
async function swallowed(caller: Caller): Promise<number> {
  const call = caller.stream("bench.swallow", {}, { deadlineMs: 0 });
  const chunk = new Uint8Array(CHUNK_BYTES);
  const start = performance.now();
  for (let sent = 0; sent < BULK_BYTES; sent += CHUNK_BYTES) await call.send(chunk);
  await call.end();
  await call.reply;
  return BULK_BYTES / (performance.now() - start) / 1e6;
}

/** Bytes a millisecond, until it is told to stop. */
async function saturate(caller: Caller, signal: AbortSignal): Promise<number> {
  const call = caller.stream("bench.swallow", {}, { deadlineMs: 0 });
  const chunk = new Uint8Array(CHUNK_BYTES);
  const start = performance.now();
  let sent = 0;
  for (; !signal.aborted; sent += CHUNK_BYTES) await call.send(chunk);
  await call.end();
  await call.reply;
  return sent / (performance.now() - start);
}

/**
 * Medians: microseconds, and packets that the stream sent between ping and answer, which does not
 * depend on how busy the machine is.
 */
async function pings(first: LineNode, target: string): Promise<{ us: number; bulk: number }> {
  const times: number[] = [];
  const packets: number[] = [];
  const { signal } = new AbortController();
  for (let i = 0; i < PINGS; i++) {
    const { sent: before = 0 } = first.router.stats();
    const { ms, why } = await first.router.trace(target, {
      class: "low",
      timeoutMs: 5_000,
      signal,
    });
    if (ms === null) throw new Error(`Ping of "${target}" was lost: ${why}`);
    const { sent: after = 0 } = first.router.stats();
    times.push(ms * 1_000);
    packets.push(after - before - 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { us: median(times), bulk: median(packets) };
}
