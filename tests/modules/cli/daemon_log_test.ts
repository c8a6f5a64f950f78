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

Deno.test("daemon log: for the journal each line has its level before it", async () => {
  let text = "";
  const logging = await startLog({ clock: new ManualClock() }, {
    json: true,
    leveled: true,
    write: (lines) => {
      text += lines;
      return Promise.resolve();
    },
  }, "debug");
  const log = logging.log("core");
  for (const level of ["debug", "info", "warning", "error"] as const) log(level, "two\nlines");
  await logging.close();
  assert.deepEqual(text.trim().split("\n").map((line) => line.slice(0, 4)), [
    "<7>{",
    "<6>{",
    "<4>{",
    "<3>{",
  ]);
});
