/** What halt and shrink say of nodes. */

import assert from "node:assert/strict";
import { formatFates, wipeHint } from "../../../modules/halt/fate_report.ts";
import type { Fate } from "../../../modules/halt/take_down.ts";
import { MeshHomes } from "../../../modules/shared/mesh_home.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";

function fate(name: string, result: Fate["result"], more: { since?: number; why?: string } = {}) {
  const { since, why } = more;
  const node = { name, keyId: name, endpoints: [], groups: [], state: "up" as const };
  return {
    node: since === undefined ? node : { ...node, since },
    result,
    ...(why === undefined ? {} : { why }),
  };
}

Deno.test("halt: nodes with one fate stand together, who is still there stands last", () => {
  const fates = [
    fate("n5", "up", { why: "it said\x1b[2J no" }),
    fate("n1", "down"),
    fate("n2", "down"),
    fate("n3", "was-down", { since: 0 }),
    fate("n4", "was-down"),
    fate("n6", "up"),
  ];
  assert.equal(
    formatFates(fates, { now: 65_000, paint: (_style, text) => text }),
    "n[1-2]: down\n" +
      "n3: was down already, for 1 min 5 s\n" +
      "n4: was down already\n" +
      "n5: still up: it said\uFFFD[2J no\n" +
      "n6: still up",
  );
});

Deno.test("halt: the hint names the file of the last boot, or the home's", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const env = createRealEnvironment();
    const home = await new MeshHomes({
      files: env.files,
      processes: { ...env.processes, uid: Deno.uid() as number, variable: () => folder },
    }).create("lab");
    const text = "What still runs can be ended by force: minime wipe --hosts";
    assert.equal(
      await wipeHint(home, ["n2", "n1"]),
      `${text} ${home.folder}/mesh.toml -w 'n[1-2]'`,
    );
    await home.storeLastBoot({ at: 1, file: "/a b/hosts.toml", up: [], failed: [] });
    assert.equal(await wipeHint(home, ["n1"]), `${text} '/a b/hosts.toml' -w n1`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
