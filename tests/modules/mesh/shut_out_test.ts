import assert from "node:assert/strict";
import { AuthenticationError, ConnectionError } from "../../../core/mod.ts";
import { shutOut } from "../../../modules/mesh/shut_out.ts";
import type { MeshClient } from "../../../modules/shared/command.ts";
import type { KnownNode } from "../../../modules/shared/mesh_home.ts";
import type { NodeView } from "../../../modules/shared/mesh_view.ts";

const known = (name: string, change: Partial<KnownNode> = {}): KnownNode => (
  { name, keyId: name, endpoints: [], groups: [], seen: 0, ...change }
);

Deno.test("shut out: of nodes that are away those are named that speak no protocol of ours", async () => {
  const asked: string[] = [];
  let closed = 0;
  const refusals: Record<string, unknown> = {
    old: new AuthenticationError("version", 'Peer "old" speaks protocol 0 to 0, we speak 1 to 1'),
    thief: new AuthenticationError("revoked", "Key is revoked"),
    off: undefined,
  };
  const connect = ({ node = "" }: { readonly node?: string } = {}) => {
    asked.push(node);
    if (!(node in refusals)) {
      return Promise.resolve({ close: () => Promise.resolve(void closed++) } as MeshClient);
    }
    const cause = refusals[node];
    return Promise.reject(new ConnectionError("other", "Cannot reach it", { cause }));
  };
  const nodes = ["up", "old", "thief", "off", "late"].map((name) => known(name));
  const home = {
    name: "lab",
    nodes: () => Promise.resolve([...nodes, known("behind", { direct: false })]),
  };
  const up = { keyId: "up", state: "up" } as NodeView;
  const { signal } = new AbortController();
  const found = await shutOut({ connect, signal }, home, { nodes: [up] });
  assert.deepEqual([...found], [["old", 'Peer "old" speaks protocol 0 to 0, we speak 1 to 1']]);
  assert.deepEqual(asked, ["old", "thief", "off", "late"]);
  assert.equal(closed, 1);
});
