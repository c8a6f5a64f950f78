import assert from "node:assert/strict";
import type { Environment } from "../../../core/mod.ts";
import { Replacement } from "../../../modules/cli/replacement.ts";

/** How the guard starts the old program again, and in which folder: undefined is our own. */
async function wayBack(groups: string | undefined) {
  const spawned: { args?: readonly string[]; folder?: string }[] = [];
  const replaced: string[] = [];
  const processes = {
    pid: 42,
    arguments: ["daemon", "run", "--config", "mesh.toml"],
    variable: () => groups === undefined ? undefined : "/run/notify",
    spawn(_program: string, options: { args?: readonly string[]; folder?: string }) {
      spawned.push(options);
      return Promise.resolve({ status: Promise.resolve({ code: 0 }) });
    },
    replace: (program: string) => void replaced.push(program),
  };
  const files = { readText: () => Promise.resolve(groups) };
  const env = { files, processes } as unknown as Pick<Environment, "files" | "processes">;
  const replacement = new Replacement(env);
  replacement.goOnAs({
    program: "/bin/minime",
    kept: "/bin/minime.old",
    original: "/bin/minime",
    marker: "/state/upgrade",
    nodes: [],
  });
  await replacement.run();
  assert.deepEqual(replaced, ["/bin/minime"]);
  const [guard] = spawned;
  const args = guard?.args ?? [];
  return { again: args.slice(args.indexOf("/bin/minime.old") + 1), folder: guard?.folder };
}

Deno.test("replacement: who was started by hand comes back in the same folder", async () => {
  assert.deepEqual(await wayBack(undefined), {
    again: ["/bin/minime", "daemon", "run", "--config", "mesh.toml"],
    folder: undefined,
  });
});

Deno.test("replacement: a unit is restarted by the manager that it belongs to", async () => {
  const system = await wayBack("0::/system.slice/minime@lab.service\n");
  assert.deepEqual(system.again, ["systemctl", "restart", "minime@lab.service"]);
  const user = "/user.slice/user-1000.slice/user@1000.service";
  for (const slice of ["", "/app.slice"]) {
    const own = await wayBack(`0::${user}${slice}/minime.service\n`);
    assert.deepEqual(own.again, ["systemctl", "--user", "restart", "minime.service"]);
  }
});
