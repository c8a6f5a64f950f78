import assert from "node:assert/strict";
import { ProtocolError } from "../../../core/errors.ts";
import { REASSEMBLY_BYTES_MAX, UNFINISHED_MESSAGE_BYTES } from "../../../core/limits.ts";
import { Joiner } from "../../../core/wire/joiner.ts";
import { KIND, PRIORITY, type Priority } from "../../../core/wire/message.ts";
import { type Part, type PartKind } from "../../../core/wire/part.ts";
import { Dice, runs, SEED } from "../../support/fuzz.ts";

interface PartOptions {
  readonly stream?: number;
  readonly kind?: PartKind;
  readonly priority?: Priority;
  readonly more?: boolean;
  readonly next?: boolean;
  readonly total?: number;
  readonly body?: Uint8Array;
}

function part(options: PartOptions): Part {
  const { body = new Uint8Array(10), more = false, next = false } = options;
  return {
    kind: options.kind ?? KIND.item,
    priority: options.priority ?? PRIORITY.normal,
    stream: options.stream ?? 1,
    signed: false,
    raw: true,
    more,
    next,
    total: options.total ?? body.length,
    verb: "",
    deadlineMs: 0,
    body,
  };
}

const first = (options: PartOptions) => part({ more: true, ...options });
const refuses = (run: () => unknown, text: string) =>
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ProtocolError, String(error));
    assert.equal(error.message, text);
    return true;
  });

Deno.test("joiner: a message in one part is handed on as it lies", () => {
  const joiner = new Joiner();
  const one = part({});
  assert.equal(joiner.take(one)?.body, one.body);
  assert.equal(joiner.reserved, 0);
});

Deno.test("joiner: parts of several streams and priorities may mix", () => {
  const joiner = new Joiner();
  const body = (fill: number) => new Uint8Array(10).fill(fill);
  assert.equal(joiner.take(first({ stream: 1, total: 20, body: body(1) })), undefined);
  assert.equal(joiner.take(first({ stream: 3, total: 20, body: body(3) })), undefined);
  const urgent = { stream: 1, priority: PRIORITY.control };
  assert.equal(joiner.take(first({ ...urgent, total: 15, body: body(9) })), undefined);
  assert.equal(joiner.reserved, 20 + 20 + 15 + 3 * UNFINISHED_MESSAGE_BYTES);
  const three = joiner.take(part({ stream: 3, next: true, body: body(4) }));
  assert.deepEqual([...three?.body ?? []], [...body(3), ...body(4)]);
  const control = joiner.take(part({ ...urgent, next: true, body: new Uint8Array(5).fill(8) }));
  assert.deepEqual([...control?.body ?? []], [...body(9), 8, 8, 8, 8, 8]);
  const one = joiner.take(part({ stream: 1, next: true, body: body(2) }));
  assert.deepEqual([...one?.body ?? []], [...body(1), ...body(2)]);
  assert.equal(joiner.reserved, 0);
});

Deno.test("joiner: what was promised must come, no less and no more", () => {
  const joiner = new Joiner();
  joiner.take(first({ total: 25 }));
  refuses(
    () => joiner.take(part({ next: true })),
    "Stream 1 promised 25 bytes and sent 20",
  );
  const other = new Joiner();
  other.take(first({ total: 15 }));
  refuses(() => other.take(part({ next: true })), "Stream 1 promised 15 bytes and sends more");
});

Deno.test("joiner: messages of one stream do not mix, and parts of nothing are refused", () => {
  const joiner = new Joiner();
  const text = "Stream 1 continues a message that it did not start";
  refuses(() => joiner.take(part({ next: true })), text);
  joiner.take(first({ total: 30 }));
  refuses(() => joiner.take(part({})), "Stream 1 starts a message inside another one");
  refuses(() => joiner.take(first({ total: 9 })), "Stream 1 starts a message inside another one");
  refuses(() => joiner.take(part({ next: true, kind: KIND.end })), text);
});

Deno.test("joiner: memory is reserved before the first part is taken, and bounded", () => {
  const joiner = new Joiner();
  const total = 4 * 1024 * 1024;
  for (let stream = 1; stream <= 3; stream++) joiner.take(first({ stream, total }));
  const wanted = 4 * (total + UNFINISHED_MESSAGE_BYTES);
  refuses(
    () => joiner.take(first({ stream: 4, total })),
    `Unfinished messages need ${wanted} bytes, over the limit of ${REASSEMBLY_BYTES_MAX}`,
  );
  assert.equal(joiner.reserved, 3 * (total + UNFINISHED_MESSAGE_BYTES));
});

Deno.test("joiner: messages that are begun and never go on cannot fill memory, however small", () => {
  const joiner = new Joiner();
  let stream = 0;
  assert.throws(() => {
    for (;; stream++) joiner.take(first({ stream, total: 2, body: new Uint8Array(1) }));
  }, ProtocolError);
  assert.equal(stream, Math.floor(REASSEMBLY_BYTES_MAX / (UNFINISHED_MESSAGE_BYTES + 2)));
});

Deno.test("joiner: parts in any order give whole messages or a ProtocolError, and no debt", () => {
  const dice = new Dice(SEED);
  const { numRuns } = runs(20_000);
  let joiner = new Joiner();
  const promised = new Map<string, number>();
  let whole = 0;
  for (let run = 0; run < numRuns; run++) {
    const next = dice.below(3) > 0;
    const taken = part({
      stream: dice.below(4),
      priority: dice.pick([PRIORITY.bulk, PRIORITY.normal, PRIORITY.control]),
      kind: dice.pick([KIND.item, KIND.item, KIND.end]),
      next,
      more: dice.below(2) === 0,
      total: 1 + dice.below(50),
      body: dice.bytes(dice.below(30)),
    });
    const key = `${taken.stream} ${taken.priority}`;
    try {
      if (joiner.take(taken) === undefined) {
        if (!next) promised.set(key, taken.total);
      } else {
        promised.delete(key);
        whole++;
      }
      const sum = [...promised.values()].reduce((a, b) => a + b + UNFINISHED_MESSAGE_BYTES, 0);
      assert.equal(joiner.reserved, sum);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      joiner = new Joiner();
      promised.clear();
    }
  }
  assert.ok(whole > numRuns / 20, `${whole} whole messages`);
});
