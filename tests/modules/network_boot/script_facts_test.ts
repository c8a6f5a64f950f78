import assert from "node:assert/strict";
import {
  checkClock,
  checkLibc,
  checkSpace,
  clockOffsetMs,
  ScriptFacts,
} from "../../../modules/network_boot/script_facts.ts";

function facts(given: Record<string, string>): ScriptFacts {
  const all = new ScriptFacts();
  for (const [name, value] of Object.entries(given)) all.note(name, value);
  return all;
}

const NOON = 1_800_000_000_000;

Deno.test("clock offset: nothing as long as the host may have said it within the span", () => {
  const span = { from: NOON, to: NOON + 2_500 };
  assert.deepEqual(
    [-2, -1, 0, 2, 3, 40].map((s) => clockOffsetMs(NOON / 1_000 + s, span)),
    [-1_001, -1, 0, 0, 500, 37_500],
  );
});

Deno.test("clock: 30 s are allowed, more is told with its direction", () => {
  const span = { from: NOON, to: NOON };
  const at = (seconds: number) => () =>
    checkClock(facts({ date: String(NOON / 1_000 + seconds) }), span);
  at(30)();
  at(-30)();
  assert.throws(at(90), { reason: "clock", message: /^clock off: by 90 s \(1 min 30 s ahead of/ });
  assert.throws(at(-3_601), { reason: "clock", message: /\(1 h behind this machine's\)/ });
  checkClock(facts({ date: "soon" }), span);
});

Deno.test("libc: old glibc and musl are refused, what nobody understands is tried", () => {
  for (const good of ["glibc 2.36", "glibc 2.27", "ldd (GNU libc) 2.31", "glibc 3.0", "", "?"]) {
    checkLibc(facts({ libc: good }));
  }
  checkLibc(facts({ libc: "ldd (Ubuntu GLIBC 2.35-0ubuntu3.1) 2.35" }));
  const old = {
    reason: "wrong-libc",
    message: "wrong libc: it has glibc 2.17, glibc 2.27 or newer is needed",
  };
  assert.throws(() => checkLibc(facts({ libc: "ldd (GNU libc) 2.17" })), old);
  assert.throws(() => checkLibc(facts({ libc: "glibc 2.17" })), old);
  assert.throws(() => checkLibc(facts({ libc: "musl libc (x86_64)" })), {
    reason: "wrong-libc",
    message: /it has musl/,
  });
});

Deno.test("space: room for the file alone, for the compressed one too, or for neither", () => {
  const bytes = 90_000_000;
  const free = (megabytes: number) => facts({ free: String(Math.ceil(megabytes * 1e6 / 1_024)) });
  assert.equal(checkSpace(free(200), bytes), true);
  assert.equal(checkSpace(free(100), bytes), false);
  assert.equal(checkSpace(facts({}), bytes), false);
  assert.throws(() => checkSpace(free(1), bytes), {
    reason: "no-space",
    message: "no space: 1.0 MB are free, 94.2 MB are needed",
  });
});
