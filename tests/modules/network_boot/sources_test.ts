import assert from "node:assert/strict";
import fc from "fast-check";
import { type Source, type SourcePlace, Sources } from "../../../modules/network_boot/sources.ts";

const NEVER = new AbortController().signal;

/** Lets promises that are settled reach whoever waits for them. */
async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

class Host implements SourcePlace {
  source: Source | undefined;
  readonly name: string;
  readonly segment: string;
  readonly gateway: boolean;
  readonly jumps: number;

  constructor(name: string, place: Partial<SourcePlace> = {}) {
    this.name = name;
    this.segment = place.segment ?? "lan";
    this.gateway = place.gateway ?? false;
    this.jumps = place.jumps ?? 0;
  }

  wait(sources: Sources, { signal = NEVER, canFetch = true } = {}): void {
    void sources.acquire(this.name, { canFetch, signal }).then((source) => this.source = source);
  }
}

/** All of them are booted now. */
function booting(hosts: readonly Host[]): Sources {
  return new Sources(hosts, hosts.map(({ name }) => name));
}

function kindOf(host: Host | undefined): string | undefined {
  return host?.source?.kind;
}

function hosts(count: number): Host[] {
  return Array.from({ length: count }, (_, i) => new Host(`n${i + 1}`));
}

Deno.test("sources: the origin sends two at once and three in all, nodes that are up the rest", async () => {
  const all = hosts(16);
  const sources = booting(all);
  for (const host of all) host.wait(sources);
  const served = new Map<string, string>();
  for (let round = 0; served.size < 16; round++) {
    assert.ok(round < 10, "it goes on");
    await turn();
    const busy = all.filter((host) => host.source !== undefined && !served.has(host.name));
    assert.ok(busy.filter(({ source }) => source?.kind === "origin").length <= 2);
    for (const host of busy) {
      const source = host.source as Source;
      served.set(host.name, source.kind === "node" ? source.name : "origin");
      source.finish(true);
      sources.up(host.name);
    }
  }
  const from = (name: string) => [...served.values()].filter((each) => each === name).length;
  assert.equal(from("origin"), 3);
  assert.ok(from("n1") >= 2, "the first node serves again and again");
});

Deno.test("sources: when nobody came up, the origin goes on", async () => {
  const all = hosts(5);
  const sources = booting(all);
  for (const host of all) host.wait(sources);
  for (const host of all) {
    await turn();
    assert.equal(host.source?.kind, "origin", host.name);
    host.source?.finish(true);
    sources.lost(host.name);
  }
});

Deno.test("sources: who waits while others may come up gets its turn when those are lost", async () => {
  const all = hosts(4);
  const sources = booting(all);
  for (const host of all) host.wait(sources);
  for (const host of all.slice(0, 3)) {
    await turn();
    host.source?.finish(true);
  }
  await turn();
  assert.equal(kindOf(all[3]), undefined, "three copies are sent and three hosts may come up");
  for (const host of all.slice(0, 3)) sources.lost(host.name);
  await turn();
  assert.equal(kindOf(all[3]), "origin");
});

Deno.test("sources: a node that fails twice is not asked again", async () => {
  const host = new Host("n1");
  const sources = new Sources([host, new Host("up")], ["n1"]);
  sources.up("up");
  const kinds: string[] = [];
  for (let i = 0; i < 3; i++) {
    host.source = undefined;
    host.wait(sources);
    await turn();
    kinds.push((host.source as Source | undefined)?.kind ?? "none");
    (host.source as Source | undefined)?.finish(false);
  }
  assert.deepEqual(kinds, ["node", "node", "origin"]);
});

Deno.test("sources: nodes serve their own segment, and who cannot fetch is served by the origin", async () => {
  const all = [new Host("a"), new Host("b", { segment: "dmz" }), new Host("c"), new Host("up")];
  const sources = new Sources(all, ["a", "b", "c"]);
  sources.up("up");
  for (const host of all.slice(0, 3)) host.wait(sources, { canFetch: host.name !== "c" });
  await turn();
  assert.deepEqual(all.map(kindOf), ["node", "origin", "origin", undefined]);
});

Deno.test("sources: behind gateways nothing comes from the origin while a gateway is to come", async () => {
  const behind = [1, 2, 3].map((i) => new Host(`a${i}`, { segment: "a", jumps: 1 }));
  const gateway = new Host("gw", { segment: "a", gateway: true });
  const sources = booting([...behind, gateway]);
  for (const host of [...behind, gateway]) host.wait(sources);
  await turn();
  assert.deepEqual([...behind, gateway].map(kindOf), [undefined, undefined, undefined, "origin"]);
  gateway.source?.finish(true);
  sources.up("gw");
  await turn();
  assert.deepEqual(behind.map(kindOf), ["node", "node", undefined]);
});

Deno.test("sources: behind gateways that are lost one copy comes from the origin", async () => {
  const behind = [1, 2].map((i) => new Host(`a${i}`, { segment: "a", jumps: 1 }));
  const sources = booting([...behind, new Host("gw", { segment: "a", gateway: true })]);
  for (const host of behind) host.wait(sources);
  await turn();
  assert.deepEqual(behind.map(kindOf), [undefined, undefined]);
  sources.lost("gw");
  await turn();
  assert.deepEqual(behind.map(kindOf), ["origin", undefined]);
  behind[0]?.source?.finish(true);
  // Nobody could ask it to serve: no gateway links its segment with us.
  sources.up("a1");
  await turn();
  assert.deepEqual(behind.map(kindOf), ["origin", "origin"]);
});

Deno.test("sources: gateways serve each other, and other nodes only their own segment", async () => {
  const all = [
    new Host("ga", { segment: "a", gateway: true }),
    new Host("gb", { segment: "b", gateway: true, jumps: 1 }),
    new Host("b1", { segment: "b", jumps: 2 }),
  ];
  const sources = new Sources(all, ["gb", "b1"]);
  sources.up("ga");
  const servers = () =>
    all.map(({ source }) => source?.kind === "node" ? source.name : source?.kind);
  for (const host of all.slice(1)) host.wait(sources);
  await turn();
  assert.deepEqual(servers(), [undefined, "ga", undefined]);
  all[1]?.source?.finish(true);
  sources.up("gb");
  await turn();
  assert.deepEqual(servers(), [undefined, "ga", "gb"]);
});

Deno.test("sources: who gives up leaves its place to the next", async () => {
  const [first, second, third, fourth] = hosts(4) as [Host, Host, Host, Host];
  const sources = booting([first, second, third, fourth]);
  first.wait(sources);
  second.wait(sources);
  const over = new AbortController();
  const left = sources.acquire(third.name, { canFetch: true, signal: over.signal });
  fourth.wait(sources);
  over.abort(new Error("gave up"));
  await assert.rejects(left, /gave up/);
  first.source?.finish(true);
  await turn();
  assert.equal(fourth.source?.kind, "origin");
});

const place = fc.record({
  segment: fc.constantFrom("a", "b"),
  gateway: fc.boolean(),
  jumps: fc.nat(2),
});

Deno.test("sources: every host gets the file in the end, whatever fails", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(place, { minLength: 1, maxLength: 24 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
      async (places, fates) => {
        const count = places.length;
        const open = new Set(places.map((each, i) => new Host(`n${i}`, each)));
        const sources = booting([...open]);
        for (const host of open) host.wait(sources);
        for (let step = 0; open.size > 0; step++) {
          assert.ok(step < 10 * count + 50, "nobody waits for ever");
          await turn();
          const host = [...open].find((each) => each.source !== undefined);
          assert.ok(host?.source !== undefined, "somebody can go on");
          const { source } = host;
          host.source = undefined;
          const fate = fates[step % fates.length];
          if (fate === 0 && source.kind === "node") { // the node fails, ask again
            source.finish(false);
            host.wait(sources);
            continue;
          }
          open.delete(host);
          source.finish(fate !== 1);
          if (fate === 1 || fate === 2) sources.lost(host.name);
          else sources.up(host.name);
        }
      },
    ),
    { seed: 7, numRuns: 300 },
  );
});
