// Whatever bytes come in, each parser gives a document or one of our errors, and nothing else.

import assert from "node:assert/strict";
import { AuthenticationError, ProtocolError } from "../../../core/errors.ts";
import { isSignedBy, parseCertificate } from "../../../core/security/certificate.ts";
import { decodeHello, decodePreamble, encodeHello } from "../../../core/security/hello.ts";
import { parseRequest } from "../../../core/security/request.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { preambleOf } from "../../support/raw_peer.ts";

async function samples() {
  const clock = new ManualClock();
  const primitives = await testPrimitives();
  const dice = new Dice(SEED);
  const keys = new MeshKeys(primitives, { random: dice, now: () => clock.now() });
  const registrar = keys.person({ name: "registrar", type: "issuer" });
  const user = keys.person({ name: "alice", type: "user", issuer: registrar, unixUser: "alice" });
  const [leaf, issuer] = user.identity.chain as [Uint8Array, Uint8Array];
  const hello = encodeHello({
    chain: [leaf, issuer],
    instance: user.instance,
    unixMs: clock.now(),
    revocationVersion: 3,
    policyVersion: 4,
    oldest: 1,
    newest: 2,
    bulk: true,
  });
  const targets = { kind: "names", names: ["n1", "n2"] } as const;
  const request = keys.sign(user, { verb: "exec.run", args: { argv: ["id"] }, targets });
  return { dice, keys, primitives, leaf, issuer, hello, request, preamble: preambleOf(keys) };
}

/** A sample that was cut, lengthened, or changed in a few bits or lengths. */
function mutant(dice: Dice, sample: Uint8Array): Uint8Array {
  const changed = sample.slice();
  switch (dice.below(6)) {
    case 0:
      return dice.bytes(dice.below(sample.length + 20));
    case 1:
      return changed.subarray(0, dice.below(sample.length));
    case 2:
      return Uint8Array.of(...sample, ...dice.bytes(1 + dice.below(5)));
    case 3: {
      // A length or count that lies.
      const at = dice.below(sample.length - 1);
      changed[at] = dice.pick([0, 1, 0x7f, 0xff]);
      changed[at + 1] = dice.pick([0, 1, 0x80, 0xff]);
      return changed;
    }
    case 4: {
      const from = dice.below(sample.length);
      changed.copyWithin(dice.below(sample.length), from, from + dice.below(60));
      return changed;
    }
    default:
      for (let i = dice.below(3); i >= 0; i--) {
        changed[dice.below(sample.length)]! ^= 1 << dice.below(8);
      }
      return changed;
  }
}

function isOurs(error: unknown, input: Uint8Array): void {
  const ours = error instanceof ProtocolError || error instanceof AuthenticationError;
  assert.ok(ours, `${error} of [${input}]`);
  assert.ok(error.message.length < 2_000, `${error.message.length} characters`);
}

Deno.test("parsers: any bytes give a document or one of our errors, which is not long", async () => {
  const { dice, hello, issuer, leaf, preamble, primitives, request } = await samples();
  const parsers: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
    [hello, decodeHello],
    [preamble, decodePreamble],
    [leaf, (bytes) => parseCertificate(primitives, bytes)],
    [issuer, (bytes) => parseCertificate(primitives, bytes)],
    [request, parseRequest],
  ];
  for (const [sample, parse] of parsers) {
    parse(sample);
    let refused = 0;
    const { numRuns } = runs(4_000);
    for (let run = 0; run < numRuns; run++) {
      const input = mutant(dice, sample);
      try {
        parse(input);
      } catch (error) {
        isOurs(error, input);
        refused++;
      }
    }
    assert.ok(refused > numRuns / 4, `${refused} of ${numRuns} were refused`);
  }
});

Deno.test("certificate: no mutant that still parses carries the issuer's signature", async () => {
  const { dice, keys, leaf, primitives } = await samples();
  const registrar = keys.person({ name: "r" });
  const { numRuns } = runs(200);
  let parsed = 0;
  for (let run = 0; run < 20 * numRuns && parsed < numRuns; run++) {
    const at = dice.below(leaf.length);
    const input = leaf.slice();
    input[at]! ^= 1 << dice.below(8);
    try {
      const certificate = parseCertificate(primitives, input);
      parsed++;
      for (const publicKey of [keys.rootPublicKey, registrar.identity.signPublicKey]) {
        assert.equal(isSignedBy(primitives, { certificate, publicKey }), false, `byte ${at}`);
      }
    } catch (error) {
      isOurs(error, input);
    }
  }
  assert.equal(parsed, numRuns);
});
