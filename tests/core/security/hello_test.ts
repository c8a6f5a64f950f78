import assert from "node:assert/strict";
import { ProtocolError } from "../../../core/errors.ts";
import {
  CONDUIT_KIND,
  decodeHello,
  decodePreamble,
  encodeHello,
  encodePreamble,
  type Hello,
} from "../../../core/security/hello.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

const HELLO: Hello = {
  chain: [new Uint8Array(300).fill(1), new Uint8Array(200).fill(2)],
  instance: new Uint8Array(16).fill(3),
  unixMs: 1_893_456_000_000,
  revocationVersion: 7,
  policyVersion: 9,
  oldest: 1,
  newest: 3,
  bulk: false,
  onDemand: false,
  secretsVersion: 0,
  revision: 0,
};
/** Where the extensions of HELLO are counted: its last byte. */
const EXTENSIONS_AT = encodeHello(HELLO).length - 1;

function refuses(run: () => unknown, text: string): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.ok(error.message.includes(text), error.message);
    return true;
  });
}

Deno.test("hello: comes back as it was, with and without extensions", () => {
  assert.deepEqual(decodeHello(encodeHello(HELLO)), HELLO);
  const bulk = { ...HELLO, chain: HELLO.chain.slice(0, 1), bulk: true };
  assert.deepEqual(decodeHello(encodeHello(bulk)), bulk);
  const both = { ...bulk, onDemand: true };
  assert.deepEqual(decodeHello(encodeHello(both)), both);
  const all = { ...both, secretsVersion: 3, revision: 2 };
  assert.deepEqual(decodeHello(encodeHello(all)), all);
});

Deno.test("hello: unknown extensions are ignored, too many and too long ones are not", () => {
  const hello = (count: number, ...extensions: number[][]) => {
    const bytes = encodeHello(HELLO).slice(0, EXTENSIONS_AT);
    return Uint8Array.of(...bytes, count, ...extensions.flat());
  };
  const unknown = [0x12, 0x34, 0, 2, 5, 6];
  const bulk = [0, 1, 0, 0];
  assert.equal(decodeHello(hello(2, unknown, bulk)).bulk, true);
  assert.equal(decodeHello(hello(1, unknown)).bulk, false);
  refuses(() => decodeHello(hello(17, ...Array(17).fill(bulk))), "(extensions): are 17");
  refuses(() => decodeHello(hello(1, [9, 9, 1, 1, ...Array(257).fill(0)])), "(extension): is long");
  refuses(() => decodeHello(hello(1, bulk, [0])), "1 bytes too many");
});

Deno.test("hello: another form, no certificate and too many are refused", () => {
  const change = (at: number, value: number) => {
    const bytes = encodeHello(HELLO);
    bytes[at] = value;
    return bytes;
  };
  refuses(() => decodeHello(change(0, 2)), "(version): is 2");
  refuses(() => decodeHello(change(1, 0)), "has 0 certificates, wanted are 1 or 2");
  refuses(() => decodeHello(change(1, 3)), "has 3 certificates, wanted are 1 or 2");
  const long = { ...HELLO, chain: [new Uint8Array(2_049)] };
  refuses(() => decodeHello(encodeHello(long)), "(certificate): has 2049 bytes");
});

Deno.test("preamble: comes back, and nothing else is taken for one", () => {
  const pskId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  for (const kind of Object.values(CONDUIT_KIND)) {
    assert.deepEqual(decodePreamble(encodePreamble({ kind, pskId })), { kind, pskId });
  }
  const good = encodePreamble({ kind: CONDUIT_KIND.link, pskId });
  for (const at of [0, 1, 2, 3, 5, 6, 7]) {
    const bytes = good.slice();
    bytes[at]! ^= 1;
    refuses(() => decodePreamble(bytes), "other bytes than expected");
  }
  for (const kind of [0, 5, 255]) {
    const bytes = good.slice();
    bytes[4] = kind;
    refuses(() => decodePreamble(bytes), `unknown kind ${kind}`);
  }
  refuses(() => decodePreamble(good.subarray(0, 15)), "Preamble is malformed");
  refuses(() => decodePreamble(Uint8Array.of(...good, 0)), "1 bytes too many");
});

Deno.test("hello and preamble: any bytes give one or a ProtocolError that is not long", () => {
  const dice = new Dice(SEED);
  const hello = encodeHello({ ...HELLO, bulk: true });
  const preamble = encodePreamble({ kind: CONDUIT_KIND.link, pskId: new Uint8Array(8) });
  const { numRuns } = runs(10_000);
  let refused = 0;
  for (let run = 0; run < numRuns; run++) {
    const [sample, decode] = run % 4 === 0
      ? [preamble, decodePreamble] as const
      : [hello, decodeHello] as const;
    const input = mutant(dice, sample);
    try {
      decode(input);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `${error} of [${input}]`);
      assert.ok(error.message.length < 200, error.message);
      refused++;
    }
  }
  assert.ok(refused > numRuns / 3 && refused < numRuns, `${refused} of ${numRuns} were refused`);
});

function mutant(dice: Dice, sample: Uint8Array): Uint8Array {
  const changed = sample.slice();
  switch (dice.below(4)) {
    case 0:
      return dice.bytes(dice.below(sample.length + 20));
    case 1:
      return changed.subarray(0, dice.below(sample.length));
    case 2: {
      // A length or count that lies.
      const at = dice.below(sample.length - 1);
      changed[at] = dice.pick([0, 1, 0x7f, 0xff]);
      changed[at + 1] = dice.pick([0, 1, 0x80, 0xff]);
      return changed;
    }
    default:
      changed[dice.below(sample.length)]! ^= 1 << dice.below(8);
      return changed;
  }
}
