import assert from "node:assert/strict";
import { checkInstallable, requireInstallable } from "../../../modules/network_boot/lasting.ts";
import { ScriptFacts } from "../../../modules/network_boot/script_facts.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";

function hostsOf(text: string) {
  return parseMeshFile(`name = "lab"\n${text}`, { file: "hosts.toml" }).hosts;
}

Deno.test("lasting: a host needs a port that others find, and a way to it that installs", () => {
  const require = (text: string, options = { install: true, replace: false }) =>
    requireInstallable(hostsOf(text), options);
  require('[[hosts]]\nnames = "n[1-2]"\nport = 7117\n');
  require('[[hosts]]\nnames = "n1"\nlisten = ["tcp:10.0.0.1:7117"]\n');
  require('[[hosts]]\nnames = "n1"\n', { install: false, replace: false });
  assert.throws(() => require('[[hosts]]\nnames = "n1"\n', { install: false, replace: true }), {
    name: "UsageError",
    message: "Option --replace goes with --install only",
  });
  assert.throws(() => require('[[hosts]]\nnames = "n[1-2]"\n'), {
    name: "UsageError",
    message: "n[1-2] would listen on any free port, where no command finds it after a start",
    hint: "Write a port into the mesh file: port = 7117",
  });
  assert.throws(
    () => require('[[hosts]]\nnames = "n1"\nlauncher = "local"\nport = 1\n'),
    /Nothing can be installed by launcher "local", which n1 would take/,
  );
});

Deno.test("lasting: root and a service manager must be there, unless the host does not say", () => {
  const check = (given: Record<string, string>) => {
    const facts = new ScriptFacts();
    for (const [name, value] of Object.entries(given)) facts.note(name, value);
    checkInstallable(facts);
  };
  check({ uid: "0", init: "sysv" });
  check({ init: "systemd" });
  assert.throws(() => check({ uid: "1000", init: "systemd" }), {
    reason: "denied",
    message: /^permission denied: installing takes root, and ssh logs in as user 1000; write user/,
  });
  assert.throws(() => check({ uid: "0" }), {
    reason: "no-init",
    message: /^no service manager: neither systemd runs there nor .*boot it without --install$/,
  });
});
