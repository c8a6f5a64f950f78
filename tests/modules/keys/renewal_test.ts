/** Certificates that end in minutes of virtual time, and are renewed before anybody notices. */

import assert from "node:assert/strict";
import {
  dialRegistrar,
  type MeshSecret,
  type Minimed,
  type Self,
  signForModule,
  verifyChain,
} from "../../../core/mod.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import { createKeys, RenewalOffice } from "../../../modules/keys/mod.ts";
import { makeIssuer } from "../../../modules/shared/issuer.ts";
import {
  type KeysStatus,
  RENEWAL_DOMAIN,
  renewalBytes,
} from "../../../modules/shared/renewal_verbs.ts";
import { EPOCH_MS } from "../../simulation/clock.ts";
import { SimulatedMesh } from "../mesh/simulated_mesh.ts";

/** Short, for a mesh says something every second, but longer than daemons look at validity. */
const LIFE_MS = 6 * 60_000;
/** Parts of the life. */
const TENTH_MS = LIFE_MS / 10;

/** Of n2, each with its begin. */
async function linksOf(mesh: SimulatedMesh): Promise<string[]> {
  type Link = { readonly name: string; readonly since: number };
  const links = await ask<Link[]>(mesh, mesh.get("n2"), "mesh.links");
  return links.map(({ name, since }) => `${name} ${since}`);
}

/**
 * All nodes live as long; n1 can renew, itself too, and so can others say that they could. What nodes
 * keep of it is in `kept`, who was deceived in `deceived`.
 */
function meshOfOneLife(
  nodes: number,
  liars: readonly string[] = [],
  issuerLife?: { readonly notBefore: number; readonly notAfter: number },
) {
  const kept: string[] = [];
  const deceived: string[] = [];
  const made: { mesh?: SimulatedMesh } = {};
  const mesh = SimulatedMesh.create({
    seed: "renewal",
    nodes,
    modules: (name) => {
      const { keys: { primitives, psk, rootSeed, rootPublicKey, meshId }, simulation } = made
        .mesh as SimulatedMesh;
      const env = simulation.host(name);
      const root = { meshId, rootPublicKey, psk, rootSeed };
      const needs = { primitives, random: env.random, now: EPOCH_MS };
      const keep = () => Promise.resolve(void kept.push(name));
      const isLiar = liars.includes(name);
      if (name !== "n1" && !isLiar) return [createGroup(), createKeys({ keep })];
      const { key, certificate } = makeIssuer(root, needs, {
        name,
        types: ["node"],
        groups: ["registrar"],
      });
      const issuer = { seed: key.slice(0, 32), certificate };
      const authority = { meshId, rootPublicKey, psk, issuer };
      const office = new RenewalOffice({ env, primitives, authority: () => authority });
      if (issuerLife !== undefined) {
        Object.defineProperty(office, "issuer", { value: { keyId: "", ...issuerLife } });
      }
      if (isLiar) {
        const renew: RenewalOffice["renew"] = ({ chain }, judges) => {
          const identity = judges.verifyChain(chain);
          deceived.push(identity.name);
          return { chain, identity };
        };
        Object.defineProperty(office, "renew", { value: renew });
      }
      return [createGroup(), createKeys({ keep, office })];
    },
  });
  made.mesh = mesh;
  for (const name of mesh.names) {
    mesh.people.set(name, mesh.keys.person(ofOneLife(name, liars.includes(name))));
  }
  return { mesh, kept, deceived };
}

function ofOneLife(
  name: string,
  isLiar: boolean,
): Parameters<SimulatedMesh["keys"]["person"]>[0] {
  const groups = name === "n1" || isLiar ? ["registrar"] : [];
  return { name, groups, notBefore: EPOCH_MS, notAfter: EPOCH_MS + LIFE_MS };
}

async function ask<T>(mesh: SimulatedMesh, daemon: Minimed, verb: string): Promise<T> {
  const [module = ""] = verb.split(".");
  return await mesh.simulation.finish(daemon.caller(module).request(verb, {})) as T;
}

function status(mesh: SimulatedMesh, name: string): Promise<KeysStatus> {
  return ask(mesh, mesh.get(name), "keys.status");
}

Deno.test("renewal: happens at two thirds of the life, and no link notices", async () => {
  const { mesh, kept } = meshOfOneLife(4);
  await using _mesh = mesh;
  const { simulation } = mesh;
  for (const name of ["n1", "n2", "n3"]) await simulation.finish(mesh.start(name));
  await simulation.run({ forMs: 6.5 * TENTH_MS });
  const before = await linksOf(mesh);
  assert.equal(before.length, 2);
  assert.deepEqual(kept, []);
  assert.equal((await status(mesh, "n2")).notAfter, EPOCH_MS + LIFE_MS);
  await simulation.run({ forMs: 0.7 * TENTH_MS });
  assert.deepEqual(kept.sort(), ["n1", "n2", "n3"]);
  const { notAfter, issuer, trouble } = await status(mesh, "n2");
  assert.ok(notAfter > EPOCH_MS + 1.6 * LIFE_MS, `${notAfter - EPOCH_MS}`);
  assert.deepEqual([issuer?.name, trouble], ["n1", null]);
  // Past the end of the first certificates, and of the second ones.
  await simulation.run({ forMs: 2 * LIFE_MS });
  assert.deepEqual(await linksOf(mesh), before);
  // Who comes now is shown certificates that count.
  mesh.people.set("n4", mesh.keys.person({ name: "n4" }));
  await simulation.finish(mesh.start("n4"));
  await simulation.run({ forMs: TENTH_MS });
  assert.equal(await mesh.states(), "4 up");
});

Deno.test("renewal: is tried until a registrar is there, with warnings in the log", async () => {
  const { mesh, kept } = meshOfOneLife(2);
  await using _mesh = mesh;
  const { simulation } = mesh;
  await simulation.finish(mesh.start("n2"));
  await simulation.run({ forMs: 9.5 * TENTH_MS });
  const none = 'no node that is up is in group "registrar"';
  assert.equal((await status(mesh, "n2")).trouble, none);
  const texts = mesh.logs.filter((line) => line.includes("keys warning"))
    .map((line) => line.replace(/^.*?: /, "").replace(/in .*/, "in …"));
  assert.deepEqual(texts, [
    `Certificate is not renewed yet: ${none.replace(/in .*/, "in …")}`,
    'Certificate of "n2" ends in …',
  ]);
  const registrar: Self = mesh.keys.person({ name: "n1", groups: ["registrar"] });
  mesh.people.set("n1", registrar);
  await simulation.finish(mesh.start("n1"));
  await simulation.run({ forMs: 0.4 * TENTH_MS });
  assert.deepEqual(kept, ["n2"]);
  assert.equal((await status(mesh, "n2")).trouble, null);
  await simulation.run({ forMs: 4 * TENTH_MS });
  assert.equal(await mesh.states(), "2 up");
});

Deno.test("renewal: a registrar warns in its log before its issuer ends, and when it has", async () => {
  const notAfter = EPOCH_MS + LIFE_MS;
  const { mesh } = meshOfOneLife(1, [], { notBefore: notAfter - 11 * LIFE_MS, notAfter });
  await using _mesh = mesh;
  const { simulation } = mesh;
  await simulation.finish(mesh.start("n1"));
  const warnings = () => mesh.logs.filter((line) => line.includes("The issuer of this registrar"));
  const how = 'and what it has signed ends with it: "minime mesh rotate issuer" makes another one';
  assert.match(warnings().join(), new RegExp(`keys warning: .* ends in 6 min, ${how}$`));
  await simulation.run({ forMs: 8 * TENTH_MS });
  assert.equal(warnings().length, 2);
  await simulation.run({ forMs: 8 * TENTH_MS });
  assert.match(
    warnings().slice(2).join(),
    /keys error: .* has expired: this registrar renews and admits nobody: /,
  );
});

// One that answered with the old chain ended the attempt.
Deno.test("renewal: a registrar whose answer is of no use is passed over", async () => {
  // So many that some of them ask a liar first, whatever the seed.
  const { mesh, kept, deceived } = meshOfOneLife(10, ["n3", "n4", "n5"]);
  await using _mesh = mesh;
  await mesh.startAll();
  await mesh.simulation.run({ forMs: 7.3 * TENTH_MS });
  assert.notDeepEqual(deceived, []);
  assert.deepEqual(kept.sort(), [...mesh.names].sort());
  assert.deepEqual(mesh.logs.filter((line) => line.includes("is not renewed yet")), []);
});

// In a segment without a registrar it would never come back.
Deno.test("renewal: who is let in by nobody reaches a registrar through any node", async () => {
  const { mesh } = meshOfOneLife(3);
  await using _mesh = mesh;
  const { simulation, keys } = mesh;
  const { primitives, rootPublicKey, meshId } = keys;
  for (const name of ["n1", "n2"]) await simulation.finish(mesh.start(name));
  await simulation.run({ forMs: LIFE_MS + TENTH_MS });
  const { identity, signSeed, dh } = mesh.people.get("n3") as Self;
  const env = simulation.host("n3");
  const now = env.clock.now();
  const chainFor = async (seed: Uint8Array) => {
    const calls = await dialRegistrar(env, primitives, {
      rootPublicKey,
      name: "n3",
      secret: keys.trust({}).secrets[0] as MeshSecret,
      keys: { signSeed, dhSecret: dh.secret },
      endpoint: mesh.get("n2").endpoints().find((each) => each.startsWith("tcp:")) as string,
      expect: { name: "n2" },
      signal: new AbortController().signal,
    });
    const bytes = renewalBytes(now, identity.certificate.bytes);
    const signature = signForModule(primitives, { domain: RENEWAL_DOMAIN, bytes, seed });
    try {
      const { chain } = await calls.request("keys.revive", {
        chain: [...identity.chain],
        unixMs: now,
        signature,
      }) as { readonly chain: Uint8Array[] };
      return chain;
    } finally {
      await calls.close("done");
    }
  };
  const chain = await simulation.finish(chainFor(signSeed));
  const given = verifyChain(primitives, {
    chain,
    rootPublicKey,
    meshId,
    now: env.clock.now(),
    revocations: keys.trust({}).revocations,
    types: ["node"],
  });
  assert.deepEqual([given.keyId, given.issuer?.name], [identity.keyId, "n1"]);
  assert.ok(given.notAfter > now);
  const stolen = mesh.people.get("n1") as Self;
  await assert.rejects(
    simulation.finish(chainFor(stolen.signSeed)),
    /The request is not signed by the key of "n3"/,
  );
  assert.equal(mesh.logs.filter((line) => line.includes("through us")).length, 1);
});
