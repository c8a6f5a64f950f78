/** Who is given a new certificate by a registrar, and who is not. */

import assert from "node:assert/strict";
import {
  NO_REVOCATIONS,
  type Revocations,
  type Self,
  signForModule,
  verifyChain,
} from "../../../core/mod.ts";
import { RENEWALS_PER_SECOND_MAX } from "../../../modules/keys/limits.ts";
import { RenewalOffice } from "../../../modules/keys/mod.ts";
import { makeIssuer } from "../../../modules/shared/issuer.ts";
import {
  type Renewal,
  RENEWAL_DOMAIN,
  renewalBytes,
} from "../../../modules/shared/renewal_verbs.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { verifyForModule } from "../../../core/daemon/module_signature.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { DAY_MS, MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

async function office() {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const { random } = createRealEnvironment();
  const keys = new MeshKeys(primitives, { random, now: () => clock.now() });
  const { meshId, rootPublicKey, rootSeed, psk } = keys;
  const root = { meshId, rootPublicKey, rootSeed, psk };
  const { key, certificate } = makeIssuer(root, { primitives, random, now: clock.now() }, {
    name: "reg",
    types: ["node"],
    groups: ["compute"],
  });
  const issuer = { seed: key.slice(0, 32), certificate };
  const authority = { meshId, rootPublicKey, psk, issuer };
  const office = new RenewalOffice({
    env: { clock, random },
    primitives,
    authority: () => authority,
  });
  const ask = (
    self: Self,
    change: Partial<Renewal> & { readonly revocations?: Revocations } = {},
  ) => {
    const { revocations = NO_REVOCATIONS, ...changed } = change;
    const unixMs = change.unixMs ?? clock.now();
    const { chain, certificate } = self.identity;
    const bytes = renewalBytes(unixMs, certificate.bytes);
    const seed = self.signSeed;
    const signature = signForModule(primitives, { domain: RENEWAL_DOMAIN, bytes, seed });
    return office.renew({ chain: [...chain], unixMs, signature, ...changed }, {
      verifyChain: (chain, more) =>
        verifyChain(primitives, {
          chain,
          rootPublicKey,
          meshId,
          now: clock.now(),
          revocations,
          ...more,
        }),
      verify: (domain, signed) => verifyForModule(primitives, { domain, ...signed }),
    });
  };
  return { clock, keys, primitives, ask };
}

Deno.test("renewal office: the same key, name and groups, for as long, even when it has expired", async () => {
  const { clock, keys, primitives, ask } = await office();
  const notBefore = clock.now();
  const notAfter = notBefore + 10 * DAY_MS;
  const self = keys.person({ name: "n1", groups: ["compute"], notBefore, notAfter });
  await clock.advance(12 * DAY_MS);
  const { chain } = ask(self);
  const { meshId, rootPublicKey } = keys;
  const now = clock.now();
  const renewed = verifyChain(primitives, {
    chain,
    meshId,
    rootPublicKey,
    now,
    revocations: NO_REVOCATIONS,
  });
  const { keyId, name, groups, type } = renewed;
  assert.deepEqual([keyId, name, groups, type], [
    self.identity.keyId,
    "n1",
    ["compute"],
    "node",
  ]);
  assert.equal(renewed.notAfter - now, 10 * DAY_MS);
});

// One user who sent nonsense took all the renewals that a registrar makes in a second.
Deno.test("renewal office: neither nonsense nor copies keep others out", async () => {
  const { clock, keys, ask } = await office();
  const [n1, n2] = ["n1", "n2"].map((name) => keys.person({ name, groups: ["compute"] }));
  const alice = keys.person({ name: "alice", type: "user" });
  for (let count = 0; count < 100; count++) {
    assert.throws(() => ask(alice), { class: "refused" });
    assert.throws(() => ask({ ...n1 as Self, signSeed: alice.signSeed }), { class: "refused" });
  }
  const renewals = (self: Self | undefined) => {
    for (let count = 0;; count++) {
      try {
        ask(self as Self);
      } catch (error) {
        assert.match(String(error), /More renewals of "n\d" per second than allowed/);
        return count;
      }
    }
  };
  assert.equal(renewals(n1), RENEWALS_PER_SECOND_MAX);
  assert.equal(renewals(n2), RENEWALS_PER_SECOND_MAX);
  await clock.advance(1_000);
  assert.equal(renewals(n1), RENEWALS_PER_SECOND_MAX);
});

Deno.test("renewal office: refuses strangers, the revoked, users, thieves and old requests", async () => {
  const { clock, keys, ask } = await office();
  const self = keys.person({ name: "n1", groups: ["compute"] });
  const { keyId } = self.identity;
  const foreign = new MeshKeys(keys.primitives, {
    random: createRealEnvironment().random,
    now: () => clock.now(),
  });
  const thief = keys.person({ name: "n1", groups: ["compute"] });
  const cases: [run: () => unknown, text: RegExp][] = [
    [() => ask(foreign.person({ name: "n1" })), /is of mesh [0-9a-f]{32}, not of/],
    [
      () => ask(self, { revocations: { isRevoked: (id) => id === keyId } }),
      /Key [0-9a-f]{64} of "n1" is revoked/,
    ],
    [() => ask(keys.person({ name: "alice", type: "user" })), /"alice" is no node/],
    [() => ask({ ...self, signSeed: thief.signSeed }), /not signed by the key of "n1"/],
    [() => ask(self, { unixMs: clock.now() - 3_600_000 }), /The clock of "n1" is 1 h behind ours/],
    [
      () => ask(self, { unixMs: clock.now() + 3_600_000 }),
      /The clock of "n1" is 1 h ahead of ours/,
    ],
    [() => ask(keys.person({ name: "n1", groups: ["ops"] })), /group "ops" is not among "compute"/],
  ];
  for (const [run, text] of cases) assert.throws(run, { class: "refused", message: text });
});
