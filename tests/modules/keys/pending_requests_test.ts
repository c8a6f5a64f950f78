/** What an operator believes of what is said about people who ask to become users. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { keyIdOf } from "../../../core/mod.ts";
import { requestFileName } from "../../../modules/keys/enrol_request.ts";
import { waitingUsers } from "../../../modules/keys/pending_requests.ts";
import { publicKeysOf } from "../../../modules/shared/authority.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import type { MeshView } from "../../../modules/shared/mesh_view.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const HERS = new Uint8Array(64).fill(1);
const THEIRS = new Uint8Array(64).fill(2);

/** Login nodes by what their certificate says, and what they answer; `asked` in sessions. */
function scene(nodes: Readonly<Record<string, readonly [groups: string[], requests: unknown]>>) {
  const asked: string[] = [];
  const session = (node: string): Promise<MeshClient> => {
    const [groups, requests] = nodes[node] ?? [[], []];
    const client: Partial<MeshClient> = {
      via: { name: node, endpoint: "", groups, revision: 0 },
      sign: (verb, _args, { targets }) => {
        asked.push(`${verb} ${targets.join()}`);
        return Promise.resolve(new Uint8Array(1));
      },
      request: () => Promise.resolve({ requests }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return Promise.resolve(client as MeshClient);
  };
  const { signal } = new AbortController();
  const context = { env: createRealEnvironment(), signal, session };
  const view = Object.keys(nodes).map((name) => ({ name, state: "up", groups: ["login"] }));
  return {
    asked,
    context: context as unknown as CommandContext,
    view: { nodes: view } as unknown as MeshView,
  };
}

Deno.test("pending requests: keys are those that signed, whatever a node says besides", async () => {
  const primitives = await testPrimitives();
  const file = requestFileName(primitives, { key: HERS, user: "alice" });
  const { signPublicKey, dhPublicKey } = publicKeysOf(primitives, HERS);
  const keyId = keyIdOf(primitives, signPublicKey);
  const others = publicKeysOf(primitives, THEIRS);
  const { context, view, asked } = scene({
    n1: [["login"], [{ user: "alice", file, askedMs: 5, ...others }]],
  });
  const { waiting, asked: count, failures } = await waitingUsers(context, primitives, view);
  assert.deepEqual(waiting, [
    { node: "n1", user: "alice", askedMs: 5, keyId, signPublicKey, dhPublicKey },
  ]);
  assert.deepEqual([count, failures.size, asked], [1, 0, ["keys.requests n1"]]);
});

Deno.test("pending requests: a node that says what cannot be is not believed", async () => {
  const primitives = await testPrimitives();
  const file = requestFileName(primitives, { key: HERS, user: "alice" });
  const mixed = requestFileName(primitives, { key: THEIRS, user: "alice" });
  const askedMs = 5;
  const { context, view, asked } = scene({
    honest: [["login"], [{ user: "alice", file, askedMs }]],
    renamed: [["login"], [{ user: "bob", file, askedMs }]],
    patched: [["login"], [{ user: "alice", file: file.slice(0, 80) + mixed.slice(80), askedMs }]],
    malformed: [["login"], [{ user: "alice", askedMs }]],
    // Whoever passed the view on says that people log in there.
    worker: [["compute"], [{ user: "alice", file: mixed, askedMs }]],
  });
  const { waiting, failures } = await waitingUsers(context, primitives, view);
  assert.deepEqual(waiting.map(({ node }) => node), ["honest"]);
  assert.deepEqual([...failures.keys()].sort(), ["malformed", "patched", "renamed", "worker"]);
  assert.match(failures.get("worker")?.reason ?? "", /not in group "login"/);
  assert.match(failures.get("renamed")?.reason ?? "", /not made by who has its key/);
  assert.ok(!asked.includes("keys.requests worker"));
});
