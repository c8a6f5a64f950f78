/** The pure parts of nodes and ping. */

import assert from "node:assert/strict";
import { hopsOf, missingRowOf, rowOf, summaryOf } from "../../../modules/mesh/nodes_command.ts";
import { combineMesh } from "../../../modules/mesh/nodes_file.ts";
import { PingStatistics } from "../../../modules/mesh/ping_statistics.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { formatMeshFile } from "../../../modules/shared/mesh_file_format.ts";
import { selectNodes } from "../../../modules/shared/mesh_query.ts";
import { GATEWAY_GROUP, MeshPicture, type NodeView } from "../../../modules/shared/mesh_view.ts";

function node(name: string, change: Partial<NodeView> = {}): NodeView {
  return {
    name,
    keyId: `key of ${name}`,
    groups: [],
    segment: "default",
    endpoints: ["tcp:10.0.0.1:7117"],
    state: "up",
    since: 1_000,
    version: "0.1.0",
    instance: "",
    incarnation: 1,
    links: ["a", "b"],
    ...change,
  };
}

/** Seen from n1, which is linked with n2, which is linked with n3. */
const CHAIN = new MeshPicture({
  self: "key of n1",
  nodes: [["n1", "n2"], ["n2", "n1 n3"], ["n3", "n2"]].map(([name = "", links = ""]) =>
    node(name, { links: links.split(" ").map((link) => `key of ${link}`) })
  ),
});

Deno.test("nodes: a row says the state, for how long, how far, and where a node was lost", () => {
  const n1 = node("n1", { groups: ["io", "x"] });
  assert.deepEqual(rowOf(n1, { now: 62_000, picture: CHAIN }), [
    ...["n1", "up", "1 min 1 s", "0", "-", "10.0.0.1:7117", "io,x", "default", "2", "0.1.0"],
  ]);
  const lost = node("n4", {
    state: "down",
    lostAt: "n3",
    endpoints: ["tcp:[fd77::1]:1", "tcp:b:2"],
  });
  assert.deepEqual(rowOf(lost, { now: 0, picture: CHAIN }), [
    ...["n4", "down", "0 ms", "-", "n3 (hop 2)", "[fd77::1]:1 +1", "-", "default", "-", "0.1.0"],
  ]);
  assert.equal(rowOf(node("n3", { endpoints: [] }), { now: 0, picture: CHAIN })[5], "-");
  const known = { name: "n5", keyId: "", endpoints: ["tcp:b:2"], groups: ["io"], seen: 0 };
  assert.deepEqual(missingRowOf(known, { now: 9_000, since: 2_000 }), [
    ...["n5", "missing", "7 s", "-", "-", "b:2", "io", "-", "-", "-"],
  ]);
});

Deno.test("nodes: hops are those of the way, and of the way to where a node was lost", () => {
  assert.deepEqual(hopsOf(node("n3"), CHAIN), { hops: 2, lostAtHops: null });
  const down = { state: "down" } as const;
  assert.deepEqual(hopsOf(node("n9", { ...down, lostAt: "n1" }), CHAIN), {
    hops: null,
    lostAtHops: 0,
  });
  // Nobody knows where, or that one is gone as well by now.
  for (const change of [down, { ...down, lostAt: "n8" }]) {
    assert.deepEqual(hopsOf(node("n9", change), CHAIN), { hops: null, lostAtHops: null });
  }
});

Deno.test("nodes: the summary counts what there is", () => {
  assert.equal(summaryOf([node("n1")]), "1 up");
  assert.equal(
    summaryOf([node("n1", { state: "down" }), node("n2", { state: "left" })], ["n3"]),
    "0 up, 1 down, 1 missing, 1 left",
  );
});

Deno.test("nodes: a set takes all nodes of a name, and a wrong one is explained", () => {
  const nodes = [node("n1"), node("n1", { state: "down" }), node("n22")];
  assert.equal(selectNodes(nodes, { names: () => ["n1"] }).length, 2);
  assert.throws(() => selectNodes(nodes, { names: () => ["n2"] }), {
    name: "UsageError",
    message: 'The mesh has no node "n2", did you mean "n1" or "n22"?',
  });
});

Deno.test("nodes --toml: users and ports come from the booted file, presence from the mesh", () => {
  const booted = parseMeshFile(
    `name = "lab"
[[hosts]]
names = "n[1-2]"
address = "10.0.0.[1-2]"
user = "root"
port = 7117
[[hosts]]
names = "n3"
[groups]
io = "n[1-3]"
[boot]
window = 4
[policy]
allow = [{ who = ["group:ops"], verbs = ["*"], on = ["*"], as = ["root"] }]
`,
    { file: "booted" },
  );
  const nodes = [
    node("n2", { groups: ["io"] }),
    node("n1", { groups: ["io", "big"], state: "down" }),
    node("n3", { state: "left" }),
    node("n9", { segment: "far", endpoints: ["tcp:[fd77::9]:9"] }),
    node("n9", { state: "down" }),
  ];
  const text = formatMeshFile(combineMesh("lab", nodes, booted));
  const mesh = parseMeshFile(text, { file: "printed" });
  assert.deepEqual(
    mesh.hosts.map((
      { name, address, port, user, segment },
    ) => [name, address, port, user, segment]),
    [
      ["n1", "10.0.0.1", 7117, "root", "default"],
      ["n2", "10.0.0.2", 7117, "root", "default"],
      ["n9", "fd77::9", 9, undefined, "far"],
    ],
  );
  assert.deepEqual(mesh.groups, [
    { name: "big", members: ["n1"] },
    { name: "io", members: ["n1", "n2"] },
  ]);
  assert.deepEqual([mesh.boot, mesh.policy], [booted.boot, booted.policy]);
});

Deno.test("nodes --toml: gateways are written as such, and nobody jumps through who is gone", () => {
  const booted = parseMeshFile(
    `name = "lab"
[[hosts]]
names = "gw[1-2]"
port = 7117
address = "192.0.2.[1-2]"
inner_address = "10.0.0.[1-2]"
gateway = true
[[hosts]]
names = "n[1-2]"
port = 7117
via = "gw2,gw1"
`,
    { file: "booted" },
  );
  const gateway = { groups: [GATEWAY_GROUP] };
  const printed = (...nodes: NodeView[]) =>
    parseMeshFile(formatMeshFile(combineMesh("lab", nodes, booted)), { file: "printed" });
  assert.deepEqual(
    printed(node("n2"), node("n1"), node("gw1", gateway), node("gw2", gateway)),
    booted,
  );
  const left = printed(node("n1"), node("gw1", gateway), node("gw2", { state: "left" }));
  assert.deepEqual(left.hosts.map(({ name, via }) => [name, via]), [
    ["gw1", undefined],
    ["n1", ["gw1"]],
  ]);
  assert.equal(printed(node("n1")).hosts[0]?.via, undefined);
});

Deno.test("nodes --toml: any free port is by now a certain one, and nobody has that of another", () => {
  const booted = parseMeshFile(
    `name = "lab"\n[[hosts]]\nnames = "n[1-4]"\nlauncher = "local"\n`,
    { file: "booted" },
  );
  const at = (port: number) => ({ endpoints: [`tcp:127.0.0.1:${port}`] });
  const nodes = [
    // It died, and the kernel gave its port to n2.
    node("n1", { state: "down", ...at(7001) }),
    node("n2", at(7001)),
    node("n3", { state: "down", ...at(7002) }),
    node("n3", at(7003)),
    node("n4", { state: "down", ...at(7004) }),
  ];
  const text = formatMeshFile(combineMesh("lab", nodes, booted));
  const { hosts } = parseMeshFile(text, { file: "printed" });
  assert.deepEqual(hosts.map(({ name, port }) => [name, port]), [
    ["n1", 0],
    ["n2", 7001],
    ["n3", 7003],
    ["n4", 7004],
  ]);
});

Deno.test("ping: the statistics are those of ping(8)", () => {
  const statistics = new PingStatistics();
  assert.equal(statistics.text(0), "0 sent, 0 answered, 0% lost, time 0 ms");
  statistics.add({ why: "Down" });
  assert.equal(statistics.text(10.4), "1 sent, 0 answered, 100% lost, time 10 ms");
  assert.deepEqual(statistics.json(), {
    sent: 1,
    answered: 0,
    lossPercent: 100,
    lastError: "Down",
  });
  statistics.add({ ms: 1, hops: 2 });
  statistics.add({ ms: 3, hops: 1 });
  assert.equal(
    statistics.text(20),
    "3 sent, 2 answered, 33.3% lost, time 20 ms\n" +
      "round trip min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms",
  );
  assert.deepEqual(statistics.json(), {
    sent: 3,
    answered: 2,
    lossPercent: 33.3,
    minMs: 1,
    avgMs: 2,
    maxMs: 3,
    mdevMs: 1,
    hops: 1,
    lastError: "Down",
  });
});
