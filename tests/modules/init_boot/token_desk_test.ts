import assert from "node:assert/strict";
import {
  type Certificate,
  joinSecretOf,
  parseCertificate,
  parseJoinToken,
  signCertificate,
} from "../../../core/mod.ts";
import type { Environment } from "../../../core/environment/environment.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { TokenDesk } from "../../../modules/init_boot/token_desk.ts";
import { makeIssuer } from "../../../modules/shared/issuer.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

class Office implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
  readonly keys: MeshKeys;
  full = false;
  readonly #env: Environment;

  constructor(keys: MeshKeys, env: Environment) {
    this.keys = keys;
    this.#env = env;
  }

  static async open(): Promise<Office> {
    const real = createRealEnvironment();
    const clock = new ManualClock();
    const primitives = await testPrimitives();
    return new Office(
      new MeshKeys(primitives, { random: real.random, now: () => clock.now() }),
      real,
    );
  }

  async desk(): Promise<TokenDesk> {
    const { keys, clock } = this;
    const { primitives } = keys;
    const env = this.#env;
    const needs = { primitives, random: env.random, now: clock.now() };
    const issuer = makeIssuer(keys, needs, { name: "reg", types: ["node"], groups: ["compute"] });
    const { meshId, rootPublicKey, psk } = keys;
    const files = Object.create(env.files, {
      write: {
        value: (...args: Parameters<Environment["files"]["write"]>) =>
          this.full ? Promise.reject(new Error("No space")) : env.files.write(...args),
      },
    });
    return await TokenDesk.open({
      env: { ...env, clock, files },
      primitives,
      authority: () => ({
        meshId,
        rootPublicKey,
        psk,
        issuer: { seed: issuer.key.slice(0, 32), certificate: issuer.certificate },
      }),
      mesh: "lab",
      keyId: "ab".repeat(32),
      endpoints: () => ["tcp:10.0.0.7:7117"],
      path: `${this.folder}/tokens.json`,
    });
  }

  request(seed: number): Certificate {
    const { primitives } = this.keys;
    const issuerSeed = new Uint8Array(32).fill(seed);
    return signCertificate(primitives, {
      issuerSeed,
      fields: {
        type: "request",
        serial: 0n,
        meshId: this.keys.meshId,
        name: "whatever",
        signPublicKey: primitives.signPublicKey(issuerSeed),
        dhPublicKey: primitives.dhPublicKey(issuerSeed),
        notBefore: 0,
        notAfter: 1,
        groups: ["ops"],
      },
    });
  }

  id(text: string): string {
    return joinSecretOf(this.keys.primitives, parseJoinToken(text).secret).id.toHex();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

const WANTED = { name: "n9", groups: ["compute"], ttlMs: 60_000 };

Deno.test("token desk: name and groups come from the token, keys from the request", async () => {
  await using office = await Office.open();
  const desk = await office.desk();
  const text = await desk.create(WANTED);
  const [leaf] = await desk.redeem(office.id(text), office.request(1));
  const certificate = parseCertificate(office.keys.primitives, leaf as Uint8Array);
  assert.deepEqual([certificate.name, [...certificate.groups]], ["n9", ["compute"]]);
  assert.equal(certificate.keyId, office.request(1).keyId);
});

Deno.test("token desk: one key may ask again, another one is refused, also after a restart", async () => {
  await using office = await Office.open();
  const id = office.id(await (await office.desk()).create(WANTED));
  await (await office.desk()).redeem(id, office.request(1));
  const desk = await office.desk();
  await desk.redeem(id, office.request(1));
  await assert.rejects(desk.redeem(id, office.request(2)), {
    class: "refused",
    message: 'Token for "n9" was used already, by another key',
  });
  assert.equal((Deno.statSync(`${office.folder}/tokens.json`).mode ?? 0) & 0o777, 0o600);
});

Deno.test("token desk: of two at once one gets it", async () => {
  await using office = await Office.open();
  const desk = await office.desk();
  const id = office.id(await desk.create(WANTED));
  const results = await Promise.allSettled(
    [1, 2].map((seed) => desk.redeem(id, office.request(seed))),
  );
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
});

Deno.test("token desk: what cannot be written was not used, and nobody gets a certificate", async () => {
  await using office = await Office.open();
  const desk = await office.desk();
  const id = office.id(await desk.create(WANTED));
  office.full = true;
  await assert.rejects(desk.redeem(id, office.request(1)), {
    class: "failed",
    message: "The registrar cannot write its file of tokens",
  });
  await assert.rejects(desk.create(WANTED), { class: "failed" });
  office.full = false;
  await desk.redeem(id, office.request(2));
});

Deno.test("token desk: an expired token opens nothing, and one that could not be redeemed is not made", async () => {
  await using office = await Office.open();
  const desk = await office.desk();
  const id = office.id(await desk.create(WANTED));
  assert.notEqual(desk.find(Uint8Array.fromHex(id)), undefined);
  await office.clock.advance(60_001);
  assert.equal(desk.find(Uint8Array.fromHex(id)), undefined);
  await assert.rejects(desk.redeem(id, office.request(1)), {
    class: "refused",
    message: "This token has expired",
  });
  await assert.rejects(desk.create({ ...WANTED, groups: ["ops"] }), {
    name: "AuthenticationError",
    message: /group "ops" is not among "compute"/,
  });
});
