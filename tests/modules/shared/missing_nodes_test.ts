import assert from "node:assert/strict";
import { CallError, REVISION_NEWEST } from "../../../core/mod.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import type { KnownNode, MeshHome } from "../../../modules/shared/mesh_home.ts";
import type { NodeView } from "../../../modules/shared/mesh_view.ts";
import { groupTargetsOf, type Targets, targetsOf } from "../../../modules/shared/missing_nodes.ts";
import { readSelection } from "../../../modules/shared/node_selection.ts";

const KEY = "0123456789abcdef".repeat(4);

function known(name: string, groups: string[] = []): KnownNode {
  return { name, keyId: KEY, endpoints: [], groups, seen: 0 };
}

function shown(name: string, state: NodeView["state"] = "up"): NodeView {
  const about = { keyId: KEY, groups: [], segment: "default", endpoints: [], links: [] };
  const life = { since: 0, version: "1.0.0", instance: "0".repeat(32), incarnation: 1 };
  return { name, state, ...about, ...life };
}

interface World {
  /** What the home names. */
  readonly home: readonly KnownNode[];
  readonly mesh: readonly NodeView[];
  readonly forgotten?: readonly string[];
  /** The daemon knows no such question. */
  readonly old?: boolean;
  /** What the daemon says that it knows. @default all */
  readonly revision?: number;
}

/** What `-w`, `-g`, `-a` and `-x` mean there: who is asked, and who is missing. */
async function targets(
  { home, mesh, forgotten = [], old = false, revision = REVISION_NEWEST }: World,
  options: { nodes?: string[]; group?: string[]; exclude?: string[]; all?: boolean },
  find: (...args: Parameters<typeof groupTargetsOf>) => Promise<Targets> = targetsOf,
): Promise<
  & { names: readonly string[]; missing: string[]; asked: string[]; text: string }
  & Required<Pick<Targets, "expected">>
> {
  const asked: string[] = [];
  const client = {
    via: { name: "n1", endpoint: "", groups: [], revision },
    request(verb: string, args: { names: string[] }) {
      asked.push(verb);
      if (verb !== "mesh.unheard") return Promise.resolve({});
      if (old) return Promise.reject(new CallError("unknown-verb", "No such verb"));
      const heard = new Set([...mesh.map(({ name }) => name), ...forgotten]);
      return Promise.resolve({ names: args.names.filter((name) => !heard.has(name)), since: 7 });
    },
    stream(verb: string) {
      asked.push(verb);
      return {
        reply: Promise.resolve({ self: KEY, nodes: mesh }),
        async *[Symbol.asyncIterator]() {},
      };
    },
  } as unknown as MeshClient;
  const context = {
    home: () => Promise.resolve({ nodes: () => Promise.resolve(home) } as Partial<MeshHome>),
    signal: new AbortController().signal,
  } as CommandContext;
  const given = { nodes: [], group: [], exclude: [], all: false, ...options };
  const selection = await readSelection({ env: {}, stdin: {} } as CommandContext, given);
  const { names, missing, expected = [] } = await find(context, client, selection);
  const [{ reason = "", ran, since } = {}] = missing;
  const text = missing.length === 0 ? "" : `${reason} ${ran} ${since}`;
  return { names, missing: missing.map(({ name }) => name), expected, asked, text };
}

Deno.test("missing nodes: all nodes are those that the home names, too", async () => {
  const world = {
    home: [known("n10"), known("n9"), known("n1"), known("n2")],
    mesh: [shown("n1"), shown("n2", "down"), shown("n3", "left")],
  };
  const { names, missing, text } = await targets(world, { all: true });
  assert.deepEqual([names, missing], [["n1", "n2"], ["n9", "n10"]]);
  assert.equal(text, 'Not seen since "n1" started never 7');
  assert.deepEqual((await targets(world, { nodes: ["*"], exclude: ["n9"] })).missing, ["n10"]);
});

Deno.test("missing nodes: those of a group are known by the home", async () => {
  const world = { home: [known("n9", ["io"]), known("n8")], mesh: [shown("n1")] };
  const { names, missing } = await targets(world, { group: ["io"] });
  assert.deepEqual([names, missing], [[], ["n9"]]);
});

Deno.test("missing nodes: named ones are asked for without a view of the mesh, if the home has them", async () => {
  const world = { home: [known("n1"), known("n9")], mesh: [shown("n1")] };
  const some = await targets(world, { nodes: ["n[1,9]"] });
  assert.deepEqual([some.names, some.missing, some.asked], [["n1"], ["n9"], ["mesh.unheard"]]);
  // It was tried to reach, and others were reached and made to work, before anybody said so.
  await assert.rejects(targets(world, { nodes: ["n[1,7]"] }), {
    message: 'The mesh has no node "n7", did you mean "n1"?',
  });
});

// Each command with -w cost a round trip before its own.
Deno.test("missing nodes: a group operation asks nobody before it, and is told who the home names", async () => {
  const world = { home: [known("n1"), known("n9")], mesh: [shown("n1")] };
  const named = await targets(world, { nodes: ["n[1,7,9]"] }, groupTargetsOf);
  assert.deepEqual([named.names, named.expected], [["n1", "n7", "n9"], ["n1", "n9"]]);
  assert.deepEqual([named.missing, named.asked], [[], []]);
  const all = await targets(world, { all: true }, groupTargetsOf);
  assert.deepEqual([all.names, all.missing, all.expected], [["n1"], ["n9"], []]);
});

// Programs ran before anybody said that a node does not exist; older daemons refused what they do not know.
Deno.test("missing nodes: the mesh is asked before, where nodes take turns and where the daemon is older", async () => {
  const world = { home: [known("n1"), known("n9")], mesh: [shown("n1")] };
  const inTurns = (atOnce: number): typeof groupTargetsOf => (context, client, selection) =>
    groupTargetsOf(context, client, selection, { atOnce });
  for (
    const [about, find] of [
      [world, inTurns(1)],
      [{ ...world, revision: 0 }, groupTargetsOf],
    ] as const
  ) {
    const { names, missing, expected } = await targets(about, { nodes: ["n[1,9]"] }, find);
    assert.deepEqual([names, missing, expected], [["n1"], ["n9"], []]);
    await assert.rejects(targets(about, { nodes: ["n[1,7]"] }, find), {
      message: 'The mesh has no node "n7", did you mean "n1"?',
    });
  }
  assert.deepEqual((await targets(world, { nodes: ["n[1,9]"] }, inTurns(2))).asked, []);
});

Deno.test("missing nodes: whom the mesh has forgotten nobody misses, and an older daemon misses nobody", async () => {
  const world = { home: [known("n9")], mesh: [shown("n1")] };
  const forgotten = await targets({ ...world, forgotten: ["n9"] }, { all: true });
  assert.deepEqual([forgotten.names, forgotten.missing], [["n1"], []]);
  const old = await targets({ ...world, old: true }, { all: true });
  assert.deepEqual([old.names, old.missing], [["n1"], []]);
});

Deno.test("missing nodes: a set of nobody is no set, and a name that nobody has is named", async () => {
  const world = { home: [known("n9")], mesh: [shown("n1")] };
  await assert.rejects(targets(world, { all: true, exclude: ["n1", "n9"] }), {
    message: "No node is selected",
  });
  await assert.rejects(
    targets(world, { all: true, nodes: ["n7"], exclude: [] }).then(() =>
      targets(world, { nodes: ["n7", "*"] })
    ),
    { message: 'The mesh has no node "n7", did you mean "n1"?' },
  );
});
