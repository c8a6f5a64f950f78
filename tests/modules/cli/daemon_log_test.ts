/** The daemon's own log: what is asked of it while it runs. */

import assert from "node:assert/strict";
import { ManualClock } from "../../support/manual_clock.ts";
import { startLog } from "../../../modules/cli/daemon_log.ts";

Deno.test("daemon log: the level can be changed while it runs, braces stay as they are", async () => {
  let text = "";
  const logging = await startLog({ clock: new ManualClock() }, {
    json: true,
    write: (line) => {
      text += line;
      return Promise.resolve();
    },
  });
  const log = logging.log("core");
  log("debug", "one");
  log("info", "two {three}", { four: 4 });
  logging.level = "debug";
  log("debug", "five");
  logging.level = "info";
  log("debug", "six");
  log("warning", "seven");
  await logging.close();
  const lines = text.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(lines.map(({ level, message }) => [level, message]), [
    ["INFO", "two {three}"],
    ["DEBUG", "five"],
    ["WARN", "seven"],
  ]);
  assert.deepEqual(lines[0]?.["properties"], { four: 4 });
  const signal = new AbortController().signal;
  const kept = [];
  const read = { level: "debug", since: 0, lines: 10, follow: false, signal } as const;
  for await (const item of logging.ring.read(read)) kept.push(...item.lines);
  assert.deepEqual(kept.map(({ level, text }) => [level, text]), [
    ["info", "two {three}"],
    ["debug", "five"],
    ["warning", "seven"],
  ]);
  assert.equal(kept[0]?.fields, '{"four":4}');
});
