import assert from "node:assert/strict";
import fc from "fast-check";
import { type Source, Sources } from "../../../modules/network_boot/sources.ts";

const NEVER = new AbortController().signal;

/** Lets promises that are settled reach whoever waits for them. */
async function turn(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

class Host {
  source: Source | undefined;
  constructor(
    readonly name: string,
    readonly segment: string | undefined,
    readonly isBehind = false,
    readonly gateway = false,
  ) {}
  wait(sources: Sources, signal = NEVER): void {
    void sources.acquire(this, signal).then((source) => this.source = source);
  }
}

function kindOf(host: Host | undefined): string | undefined {
  return host?.source?.kind;
}

function hosts(count: number): Host[] {
  return Array.from({ length: count }, (_, i) => new Host(`n${i + 1}`, "lan"));
}

Deno.test("sources: the origin sends two at once and three in all, nodes that are up the rest", async () => {
  const sources = new Sources();
  const all = hosts(16);
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
      sources.add({ name: host.name, segment: "lan", gateway: false });
    }
  }
  const from = (name: string) => [...served.values()].filter((each) => each === name).length;
  assert.equal(from("origin"), 3);
  assert.ok(from("n1") >= 2, "the first node serves again and again");
});

Deno.test("sources: when nobody came up, the origin goes on", async () => {
  const sources = new Sources();
  const all = hosts(5);
  for (const host of all) host.wait(sources);
  for (const host of all) {
    await turn();
    assert.equal(host.source?.kind, "origin", host.name);
    host.source?.finish(true);
    sources.lost(host.name);
  }
});

Deno.test("sources: who waits while others may come up gets its turn when those are lost", async () => {
  const sources = new Sources();
  const all = hosts(4);
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
  const sources = new Sources();
  sources.add({ name: "up", segment: "lan", gateway: false });
  const host = new Host("n1", "lan");
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

Deno.test("sources: nodes serve their own segment; without a segment only the origin does", async () => {
  const sources = new Sources();
  sources.add({ name: "up", segment: "lan", gateway: false });
  const [same, other, alone] = [
    new Host("a", "lan"),
    new Host("b", "dmz"),
    new Host("c", undefined),
  ];
  for (const host of [same, other, alone]) host.wait(sources);
  await turn();
  assert.deepEqual(
    [same, other, alone].map((host) => host.source?.kind),
    ["node", "origin", "origin"],
  );
});

Deno.test("sources: behind others one copy comes from the origin, while nobody there can serve", async () => {
  const sources = new Sources();
  const behind = [1, 2, 3].map((i) => new Host(`a${i}`, "a", true)) as [Host, Host, Host];
  const gateway = new Host("gw", "a", false, true);
  const kinds = () => [...behind, gateway].map(kindOf);
  for (const host of behind) host.wait(sources);
  await turn();
  // Nobody else is in sight.
  assert.deepEqual(kinds(), ["origin", undefined, undefined, undefined]);
  gateway.wait(sources);
  await turn();
  assert.deepEqual(kinds(), ["origin", undefined, undefined, "origin"]);
  behind[0].source?.finish(false);
  sources.lost("a1");
  await turn();
  assert.deepEqual(kinds().slice(1), [undefined, undefined, "origin"]);
  gateway.source?.finish(true);
  sources.add(gateway);
  await turn();
  assert.deepEqual(kinds().slice(1), ["node", "node", "origin"]);
});

Deno.test("sources: gateways serve each other, and other nodes only their own segment", async () => {
  const sources = new Sources();
  sources.add({ name: "ga", segment: "a", gateway: true });
  const [gateway, other] = [new Host("gb", "b", false, true), new Host("b1", "b", true)];
  const servers = () =>
    [gateway, other].map(({ source }) => source?.kind === "node" ? source.name : source?.kind);
  for (const host of [gateway, other]) host.wait(sources);
  await turn();
  assert.deepEqual(servers(), ["ga", undefined]);
  gateway.source?.finish(true);
  sources.add(gateway);
  await turn();
  assert.deepEqual(servers(), ["ga", "gb"]);
});

Deno.test("sources: who gives up leaves its place to the next", async () => {
  const sources = new Sources();
  const [first, second] = hosts(2) as [Host, Host];
  first.wait(sources);
  second.wait(sources);
  const over = new AbortController();
  const left = sources.acquire({ name: "n3", segment: "lan", gateway: false }, over.signal);
  const fourth = new Host("n4", "lan");
  fourth.wait(sources);
  over.abort(new Error("gave up"));
  await assert.rejects(left, /gave up/);
  first.source?.finish(true);
  await turn();
  assert.equal(fourth.source?.kind, "origin");
});

Deno.test("sources: every host gets the file in the end, whatever fails", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 24 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
      async (count, fates) => {
        const sources = new Sources();
        const open = new Set(hosts(count));
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
          else sources.add({ name: host.name, segment: "lan", gateway: false });
        }
      },
    ),
    { seed: 7, numRuns: 300 },
  );
});
