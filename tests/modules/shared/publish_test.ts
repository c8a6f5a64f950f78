import assert from "node:assert/strict";
import { CallError, type CallErrorClass } from "../../../core/mod.ts";
import type { CommandContext } from "../../../modules/shared/command.ts";
import { publish } from "../../../modules/shared/publish.ts";

/** A mesh whose entry fails with that when it is told. */
function meshThat(fails: CallErrorClass): { context: CommandContext; warnings: string[] } {
  const warnings: string[] = [];
  const client = {
    request: () => Promise.reject(new CallError(fails, `It is ${fails}`)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  let now = 0;
  const clock = {
    monotonic: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
  };
  const context = {
    env: { clock },
    out: { warn: (text: string) => warnings.push(text), detail() {} },
    connect: () => Promise.resolve(client),
  };
  return { context: context as unknown as CommandContext, warnings };
}

const OPTIONS = {
  mesh: "lab",
  publications: [{ kind: "revocations", version: 2, bytes: new Uint8Array(1) }],
} as const;

Deno.test("publish: who is lost on the way is noted with the remedy, a refusal is an error", async () => {
  for (const fails of ["timeout", "unreachable"] as const) {
    const { context, warnings } = meshThat(fails);
    assert.equal(await publish(context, OPTIONS), undefined);
    assert.deepEqual(warnings, [
      `Where it counts is not known: It is ${fails}; "minime mesh publish" tells the mesh again, ` +
      "and says it",
    ]);
  }
  const { context, warnings } = meshThat("refused");
  await assert.rejects(publish(context, OPTIONS), /It is refused/);
  assert.deepEqual(warnings, []);
});
