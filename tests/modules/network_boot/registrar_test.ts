import assert from "node:assert/strict";
import {
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  signCertificate,
  verifyChain,
} from "../../../core/mod.ts";
import { PEERS_MAX } from "../../../modules/network_boot/limits.ts";
import { Registrar } from "../../../modules/network_boot/registrar.ts";
import { GATEWAY_GROUP } from "../../../modules/shared/mesh_view.ts";
import type { Csr } from "../../../modules/shared/enrolment.ts";
import { type MeshHost, parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { Simulation } from "../../simulation/environment.ts";

const env = new Simulation({ seed: 1 }).host("origin");
const now = Math.floor(env.clock.now());

function hostsOf(more: string): readonly MeshHost[] {
  return parseMeshFile(`name = "lab"\n${more}`, { file: "hosts.toml" }).hosts;
}

function makeRegistrar(
  primitives: Primitives,
  hosts: readonly MeshHost[] = [],
): { registrar: Registrar; keys: MeshKeys } {
  const keys = new MeshKeys(primitives, { random: env.random, now: () => now });
  const registrar = new Registrar({
    env,
    primitives,
    authority: keys,
    mesh: "lab",
    policy: new Uint8Array([1, 2, 3]),
    living: [],
    hosts,
  });
  return { registrar, keys };
}

/** What a daemon asks for: by default honest, and greedy about its name and groups. */
function makeCsr(
  primitives: Primitives,
  options: { endpoints?: string[]; type?: "request" | "node"; foreign?: boolean } = {},
): Csr & { signPublicKey: Uint8Array } {
  const seed = env.random.bytes(32);
  const signPublicKey = primitives.signPublicKey(seed);
  const { bytes } = signCertificate(primitives, {
    issuerSeed: options.foreign === true ? env.random.bytes(32) : seed,
    fields: {
      type: options.type ?? "request",
      serial: 0n,
      meshId: new Uint8Array(16),
      name: "root",
      signPublicKey,
      dhPublicKey: primitives.dhPublicKey(env.random.bytes(32)),
      notBefore: 0,
      notAfter: 4_000_000_000_000,
      groups: ["ops"],
    },
  });
  const { endpoints = ["tcp:[::]:7117"] } = options;
  return { request: bytes.toBase64(), endpoints, pid: 1, signPublicKey };
}

Deno.test("registrar: name, groups and life come from the file, keys from the request", async () => {
  const primitives = await testPrimitives();
  const { registrar, keys } = makeRegistrar(primitives);
  const [host] = hostsOf(
    `[[hosts]]\nnames = "n1"\naddress = "10.0.0.7"\ngateway = true\ngroups = ["io"]\nsegment = "b"\n`,
  ) as [MeshHost];
  registrar.open(host);
  const csr = makeCsr(primitives);
  const { admit, node } = registrar.admit(host, csr);
  const certificate = parseCertificate(primitives, Uint8Array.fromBase64(admit.certificate));
  assert.equal(certificate.name, "n1");
  assert.deepEqual([...certificate.groups], ["io", GATEWAY_GROUP]);
  assert.equal(certificate.type, "node");
  assert.deepEqual(certificate.signPublicKey, csr.signPublicKey);
  assert.equal((certificate.notAfter - certificate.notBefore) / 86_400_000, 30);
  verifyChain(primitives, {
    chain: [certificate.bytes],
    rootPublicKey: keys.rootPublicKey,
    meshId: keys.meshId,
    now,
    revocations: NO_REVOCATIONS,
    types: ["node"],
  });
  assert.deepEqual(admit.endpoints, ["tcp:10.0.0.7:7117"]);
  assert.equal(admit.segment, "b");
  assert.deepEqual(node, {
    name: "n1",
    keyId: certificate.keyId,
    endpoints: ["tcp:10.0.0.7:7117"],
    groups: ["io", GATEWAY_GROUP],
    seen: now,
    segment: "b",
    direct: true,
  });
});

Deno.test("registrar: who is installed gets a longer life, a mesh file, and an issuer if it is to be one", async () => {
  const primitives = await testPrimitives();
  const hosts = hostsOf(
    `[[hosts]]\nnames = "n1"\nport = 7117\n[[hosts]]\nnames = "n2"\nport = 7117\n` +
      `groups = ["registrar"]\n`,
  );
  const keys = new MeshKeys(primitives, { random: env.random, now: () => now });
  const authority = { ...keys, rootSeed: keys.rootSeed };
  const registrar = new Registrar({
    env,
    primitives,
    authority,
    mesh: "lab",
    policy: new Uint8Array(),
    living: [],
    hosts,
    lasting: { file: "text", registrarGroups: ["io"], secrets: new Uint8Array([7]) },
  });
  const admit = (host: MeshHost, change: Partial<Csr> = {}) => {
    registrar.open(host);
    return registrar.admit(host, { ...makeCsr(primitives, { endpoints: [] }), ...change });
  };
  const [n1, n2] = hosts as [MeshHost, MeshHost];
  const { request } = makeCsr(primitives);
  const plain = admit(n1, { registrar: request });
  const certificate = parseCertificate(primitives, Uint8Array.fromBase64(plain.admit.certificate));
  assert.equal((certificate.notAfter - certificate.notBefore) / 86_400_000, 90);
  assert.deepEqual(plain.admit.lasting, { file: "text", secrets: "Bw==" });
  assert.deepEqual(plain.admit.endpoints, ["tcp:n1:7117"]);
  assert.equal(plain.node.lasting, true);
  const issuer = admit(n2, { registrar: request }).admit.lasting?.registrar ?? "";
  const { type, name, constraint, keyId } = parseCertificate(
    primitives,
    Uint8Array.fromBase64(issuer),
  );
  assert.deepEqual([type, name, constraint?.types, constraint?.groups], [
    "issuer",
    "n2",
    ["node"],
    ["io"],
  ]);
  assert.equal(keyId, parseCertificate(primitives, Uint8Array.fromBase64(request)).keyId);
  const foreign = makeCsr(primitives, { foreign: true }).request;
  assert.throws(() => admit(n2, { registrar: foreign }), /not signed by its own key/);
});

Deno.test("registrar: peers are those that a node can dial, where its segment finds them", async () => {
  const primitives = await testPrimitives();
  const hosts = hostsOf(`
[[hosts]]
names = "ga,gb"
address = "192.0.2.[1-2]"
inner_address = "10.0.[1-2].1"
gateway = true
[[hosts]]
names = "a1,b1"
address = "10.0.[1-2].7"
`);
  const segmentOf = (name: string) => name.includes("a") ? "a" : "b";
  const { registrar } = makeRegistrar(primitives, hosts);
  const admitted = new Map(
    ["ga", "a1", "gb", "b1"].map((name) => {
      const host = hosts.find((each) => each.name === name) as MeshHost;
      registrar.open(host);
      const place = { ...host, segment: segmentOf(name), ...host.gateway ? {} : { via: ["ga"] } };
      return [name, registrar.admit(place, makeCsr(primitives))] as const;
    }),
  );
  const peersOf = (name: string) =>
    admitted.get(name)?.admit.peers.map((peer) => [peer.name, ...peer.endpoints]);
  const inside = (i: number) => `tcp:10.0.${i}.1:7117`;
  const outside = (i: number) => `tcp:192.0.2.${i}:7117`;
  assert.deepEqual(admitted.get("ga")?.admit.endpoints, [outside(1), inside(1)]);
  assert.deepEqual(peersOf("a1"), [["ga", inside(1), outside(1)]]);
  assert.deepEqual(peersOf("gb"), [["ga", outside(1), inside(1)]]);
  assert.deepEqual(peersOf("b1"), [["gb", inside(2), outside(2)]]);
  assert.deepEqual([...admitted.values()].map(({ node }) => node.direct), [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("registrar: a ticket is used up by the first request, good or bad", async () => {
  const primitives = await testPrimitives();
  const { registrar } = makeRegistrar(primitives);
  const [a, b, c] = hostsOf(`[[hosts]]\nnames = "a,b,c"\n`) as [MeshHost, MeshHost, MeshHost];
  const nobody = {
    reason: "daemon",
    message: "daemon failed: it asked for a certificate that nobody promised it",
  };
  assert.throws(() => registrar.admit(a, makeCsr(primitives)), nobody);
  registrar.open(a);
  registrar.admit(a, makeCsr(primitives));
  assert.throws(() => registrar.admit(a, makeCsr(primitives)), nobody);
  const unsigned = { message: /request for a certificate is not signed by its own key$/ };
  registrar.open(b);
  assert.throws(() => registrar.admit(b, makeCsr(primitives, { foreign: true })), unsigned);
  assert.throws(() => registrar.admit(b, makeCsr(primitives)), nobody);
  registrar.open(c);
  assert.throws(() => registrar.admit(c, makeCsr(primitives, { type: "node" })), unsigned);
});

Deno.test("registrar: everywhere means the file's address, other endpoints are what they are", async () => {
  const primitives = await testPrimitives();
  const { registrar } = makeRegistrar(primitives);
  const endpointsOf = (address: string, bound: string[]) => {
    const [host] = hostsOf(`[[hosts]]\nnames = "n1"\naddress = "${address}"\n`) as [MeshHost];
    registrar.open(host);
    return registrar.admit(host, makeCsr(primitives, { endpoints: bound })).admit.endpoints;
  };
  assert.deepEqual(endpointsOf("n1.example", ["tcp:0.0.0.0:80"]), ["tcp:n1.example:80"]);
  assert.deepEqual(endpointsOf("fd77::11", ["tcp:[::]:80"]), ["tcp:[fd77::11]:80"]);
  assert.deepEqual(
    endpointsOf("n1", ["unix:/run/sock", "tcp:10.1.1.1:80", "tcp:[::]:81"]),
    ["tcp:10.1.1.1:80", "tcp:n1:81"],
  );
  assert.throws(() => endpointsOf("n1", ["unix:/run/sock"]), {
    message: "daemon failed: it listens on no TCP port",
  });
});

Deno.test("registrar: everybody is told of somebody, so that all find each other", async () => {
  const primitives = await testPrimitives();
  const { registrar } = makeRegistrar(primitives);
  const hosts = hostsOf(`[[hosts]]\nnames = "n[1-100]"\n`);
  const peersOf = new Map<string, string[]>();
  for (const host of hosts) {
    registrar.open(host);
    const { peers } = registrar.admit(host, makeCsr(primitives)).admit;
    assert.ok(peers.length <= PEERS_MAX);
    peersOf.set(host.name, peers.map(({ name }) => name));
    if (host.name === "n50") registrar.forget("n50");
  }
  assert.deepEqual(peersOf.get("n1"), []);
  for (const [name, peers] of peersOf) {
    if (name !== "n1") assert.ok(peers.includes("n1"), name);
    assert.ok(!peers.includes(name));
    if (name !== "n50") assert.ok(!peers.includes("n50"));
  }
});

Deno.test("registrar: a host that says it listens on a command of boot's dialogue is refused", async () => {
  // It went into the dialogue with the next host, which then installed and ran the first one's program.
  const primitives = await testPrimitives();
  const [host] = hostsOf('[[hosts]]\nnames = "n1"') as [MeshHost];
  for (
    const endpoint of [
      "tcp:h 1 5 1\n00\nUSE evil 9 x86_64\nRUN 0\n:7117",
      "tcp:h$(id):1",
      "tcp:-h:1",
      "tcp:h\u001b[2J:1",
      "tcp:h h:1",
    ]
  ) {
    const { registrar } = makeRegistrar(primitives);
    registrar.open(host);
    assert.throws(() => registrar.admit(host, makeCsr(primitives, { endpoints: [endpoint] })), {
      name: "UsageError",
      message: /^Endpoint "[ -~]+" is not usable: its host is neither a name nor an address$/,
    });
  }
});
