/** Files from nodes that are not what they seem: each stays in the folder of its name. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { type Call, ConnectionError } from "../../../core/mod.ts";
import { Packer, type SentRecord } from "../../../modules/files/records.ts";
import { pullFiles } from "../../../modules/files/pull.ts";
import type { Summary } from "../../../modules/files/summary.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";
import { keptUmask, listing, temporaryFolder } from "./scene.ts";

const NOTHING: Summary = { files: 0, bytes: 0, same: 0, problems: 0, shown: [] };
const CONTENT = new TextEncoder().encode("content");

/** Nodes that send what they are made to send, whatever is asked of them. */
function contextOf(
  nodes: Readonly<Record<string, readonly unknown[] | undefined>>,
  said: Summary = NOTHING,
) {
  const session = (node: string): Promise<MeshClient> => {
    const items = nodes[node];
    if (items === undefined) {
      return Promise.reject(new ConnectionError("refused", `Cannot reach "${node}"`));
    }
    const call: Call = {
      reply: Promise.resolve(said),
      send: () => Promise.resolve(),
      end: () => Promise.resolve(),
      cancel() {},
      async *[Symbol.asyncIterator]() {
        yield* await Promise.resolve(items);
      },
    };
    const client: Partial<MeshClient> = {
      sign: () => Promise.resolve(new Uint8Array(1)),
      stream: () => call,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return Promise.resolve(client as MeshClient);
  };
  const { signal } = new AbortController();
  return { env: createRealEnvironment(), signal, session } satisfies Pick<
    CommandContext,
    "env" | "signal" | "session"
  >;
}

function piece(...records: readonly SentRecord[]): Uint8Array {
  const packer = new Packer();
  for (const record of records) packer.add(record);
  return packer.flush() as Uint8Array;
}

async function file(name: string, mode = 0o644): Promise<SentRecord[]> {
  const sum = (await testPrimitives()).sha256(CONTENT);
  return [["f", name, CONTENT.length, mode, 1_600_000_000_000], ["ask", 0], ["go", 0, 0], CONTENT, [
    "sum",
    sum,
  ], ["end"]];
}

Deno.test("pull: a folder of each node's name, and an account of all", async () => {
  using folder = temporaryFolder();
  using _umask = keptUmask();
  const primitives = await testPrimitives();
  const good = piece(["in", ""], ...await file("log"));
  const outside = `${folder.path}/outside`;
  Deno.mkdirSync(outside);
  const nodes: Record<string, readonly unknown[] | undefined> = {
    n1: [good],
    n2: [good],
    n3: undefined,
    // Whose words are no files, or lead out of their folder.
    n4: ["what?"],
    n5: [new Uint8Array([0xc1])],
    n6: [piece(["in", "../n1"], ...await file("log"))],
    n7: [piece(...await file("../outside/evil"))],
    n8: [piece(["l", "out", outside], ["in", "out"], ...await file("evil"))],
    n9: [piece(...await file("suid", 0o4755))],
    n10: [piece(...(await file("log")).slice(0, -2))],
  };
  const account = await pullFiles(contextOf(nodes), {
    paths: new Map(Object.keys(nodes).map((node) => [node, ["/var/log/log"]])),
    folder: folder.path,
    as: "$user",
    connectMs: 1_000,
    checksum: false,
    startSha256: () => primitives.startSha256(),
    onBytes: () => {},
  });
  assert.deepEqual(
    [...account.summaries].map(([name, { files, problems }]) => [name, files, problems]).sort(),
    [
      ["n1", 1, 0],
      ["n2", 1, 0],
      ["n8", 0, 1],
    ],
  );
  assert.deepEqual([...account.failures.keys()].sort(), [
    "n10",
    "n3",
    "n4",
    "n5",
    "n6",
    "n7",
    "n9",
  ]);
  assert.equal(account.failures.get("n3")?.set, "unreachable");
  assert.equal(account.failures.get("n7")?.reason, "What was sent is no files");
  assert.equal(account.exitCode, 1);
  assert.deepEqual([...Deno.readDirSync(outside)], []);
  const left = listing(folder.path).map((line) => line.replace(/ \d+ \d+( |$)/, "$1"));
  assert.deepEqual(left.filter((line) => !/^n\d+\/$/.test(line)), [
    "n1/log content",
    "n2/log content",
    `n8/out -> ${outside}`,
    "outside/",
  ]);
});

Deno.test("pull: what a node could not read is said once, by the node, and never by nobody", async () => {
  using folder = temporaryFolder();
  using _umask = keptUmask();
  const primitives = await testPrimitives();
  const [listed, ask] = await file("gone");
  const nodes = {
    n1: [piece(["in", ""], listed as SentRecord, ask as SentRecord, ["skip"], ["end"])],
  };
  const note = '"/x/log" has grown while it was read';
  const gone = { ...NOTHING, problems: 1, shown: ['Could not read "/x/gone"'], notes: [note] };
  const missed = [`"${folder.path}/n1/gone" did not come`];
  for (const [said, shown, notes] of [[gone, gone.shown, [note]], [NOTHING, missed, []]] as const) {
    const account = await pullFiles(contextOf(nodes, said), {
      paths: new Map([["n1", ["/x/gone"]]]),
      folder: folder.path,
      as: "$user",
      connectMs: 1_000,
      checksum: false,
      startSha256: () => primitives.startSha256(),
      onBytes: () => {},
    });
    assert.deepEqual(account.lines({ now: 0 }), [...shown, ...notes].map((text) => `n1: ${text}`));
    assert.equal(account.summaries.get("n1")?.problems, 1);
  }
});
