/** `minime boot --install`: nodes that ssh has installed, and that are back after their machines were. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { endedIssuer } from "../support/ended_issuer.ts";
import { type Host, ownFiles, Rig, systemTest, until } from "./rig/mod.ts";

const built = await ensureBinary();
const BOOT_MS_MAX = 240_000;
const KEYS = "/etc/minime/lab";

/** The pid file of a daemon of boot, which names somebody who lives. */
const LIVING = `
folder=$HOME/.local/state/minime/lab/n2
mkdir -p "$folder"
read -r pid </run/sshd.pid
set -- $(sed 's/.*) //' "/proc/$pid/stat")
echo "$pid \${20}" >"$folder/pid"
`;

/** Sources cannot be copied to hosts. */
function copyTest(
  name: string,
  run: (test: Deno.TestContext, path: string) => Promise<void>,
): void {
  if (built.kind === "compiled") {
    const { path } = built;
    return systemTest(name, (test) => run(test, path));
  }
  Deno.test.ignore(`${name} (the sources cannot be copied: ${built.why})`, () => {});
}

function hostsFile(more = ""): string {
  return `name = "lab"
port = 7117
[[hosts]]
names = "n1"
groups = ["registrar"]
[[hosts]]
names = "n2"
${more}[boot]
timeout = "2m"
`;
}

copyTest("boot --install: nodes that come back with their machines", async (test, path) => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"], users: ["worker"] });
  const [n1, n2] = rig.hosts as [Host, Host];
  await Promise.all(rig.hosts.map(async (host) => {
    await ownFiles(host);
    // As if somebody had copied it there by scp: boot copies it only where it is missing.
    await Deno.copyFile(path, host.path("/root/minime"));
  }));
  const minime = async (...args: readonly string[]) =>
    await rig.minime(args, { timeoutMs: BOOT_MS_MAX });
  const must = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await minime(...args);
    assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout + stderr;
  };
  const install = ["boot", "--hosts", "hosts.toml", "--install"];
  const settled = (...names: readonly string[]) =>
    until(`${names.join()} are up`, async () => {
      const { code, stdout } = await minime("nodes", "--json");
      if (code !== 0) return false;
      const { nodes } = JSON.parse(stdout) as { nodes: { name: string; state: string }[] };
      const up = nodes.filter(({ state }) => state === "up").map(({ name }) => name);
      return up.sort().join() === names.join();
    });

  await test.step("a host on which nothing can be installed is told, and nothing is copied", async () => {
    await rig.origin.writeFile("/root/hosts.toml", hostsFile().replace("port = 7117\n", ""));
    const portless = await minime(...install);
    assert.equal(portless.code, 2);
    assert.match(portless.stderr, /n\[1-2\] would listen on any free port, .*\nWrite a port into/);
    await rig.origin.writeFile(
      "/root/hosts.toml",
      hostsFile().replace('names = "n1"', 'names = "n1"\nuser = "worker"'),
    );
    await n2.must(["mv", "/etc/init.d", "/etc/init.off"]);
    const none = await minime(...install);
    assert.equal(none.code, 3);
    assert.match(none.stdout, /^n1 {2}permission denied: installing takes root, and ssh logs in/m);
    assert.match(none.stdout, /^n2 {2}no service manager: neither systemd runs there nor is/m);
    await n2.must(["mv", "/etc/init.off", "/etc/init.d"]);
    assert.equal(await n2.exists("/usr/local/bin/minime"), false);
    await rig.origin.writeFile("/root/hosts.toml", hostsFile());
  });

  const pids = () => Promise.all(rig.hosts.map((host) => host.readText("/run/minime-lab.pid")));
  await test.step("a node that boot has started must end first", async () => {
    await n2.must(["sh", "-c", LIVING]);
    const some = await minime(...install);
    assert.equal(some.code, 1, some.stdout + some.stderr);
    assert.match(
      some.stdout,
      /^n1 {2}up in .*: minime-lab [^,]*, minime-lab runs, as process \d+$/m,
    );
    assert.match(
      some.stdout,
      /^n2 {2}not installed: A daemon that boot has started .*: minime shrink -w n2$/m,
    );
    await n2.must(["rm", "-r", "/root/.local/state/minime"]);
    const before = await n1.readText("/run/minime-lab.pid");
    const all = await must(...install);
    assert.match(all, /^n2 {2}up in .*: minime-lab [^,]*, minime-lab runs, as process \d+$/m);
    // Again, nothing changes.
    assert.match(all, /^n1 {2}up in .*: nothing to change, .*runs already, as process \d+$/m);
    assert.equal(await n1.readText("/run/minime-lab.pid"), before);
    await settled("n1", "n2");
  });

  await test.step("keys are made there, and only the program lies where everybody finds it", async () => {
    for (const host of rig.hosts) {
      const list = await host.must(["sh", "-c", `stat -c '%a %n' ${KEYS} ${KEYS}/*`]);
      assert.match(list, /^700 \/etc\/minime\/lab$/m);
      for (const file of ["node.key", "node.cert", "psk", "mesh.toml"]) {
        assert.match(list, new RegExp(`^600 ${KEYS}/${file.replace(".", "\\.")}$`, "m"));
      }
      assert.equal(/registrar\.key/.test(list), host === n1);
      assert.equal((await host.must(["stat", "-c", "%a", "/usr/local/bin/minime"])).trim(), "755");
    }
    assert.equal(await n1.exists("/root/.cache"), false);
    const { nodes } = JSON.parse(await must("mesh", "certificates", "--json")) as {
      nodes: { name: string; notAfter: number }[];
    };
    const days = nodes.map(({ notAfter }) => Math.round((notAfter - Date.now()) / 86_400_000));
    assert.deepEqual(days, [90, 90]);
  });

  await test.step("another program that runs there stays, unless it is to be replaced", async () => {
    const program = "/usr/local/bin/minime";
    const before = await pids();
    await n2.must(["mv", program, "/root/running"]);
    await n2.writeFile(program, `#!/bin/sh\necho '{"version":"9.0.0"}'\n`, { mode: 0o755 });
    const running = await minime(...install, "-w", "n2");
    assert.equal(running.code, 3, running.stdout);
    assert.match(
      running.stdout,
      /^n2 {2}not installed: minime 9\.0\.0 runs on this machine, and this is 0\.1\.0: "minime upgrade"/m,
    );
    assert.deepEqual(await pids(), before);
    assert.equal((await minime("boot", "--hosts", "hosts.toml", "--replace")).code, 2);
    await must(...install, "-w", "n2", "--replace");
    assert.equal((await n2.must([program, "version"])).split("\n")[0], "minime 0.1.0");
    await settled("n1", "n2");
  });

  await test.step("a changed file is read again by daemons that go on, an edited one stays", async () => {
    const before = await pids();
    await rig.origin.writeFile("/root/hosts.toml", hostsFile('log_level = "debug"\n'));
    const file = await n1.readText(`${KEYS}/mesh.toml`);
    await n1.must(["sed", "-i", "1s/.*/# mine/", `${KEYS}/mesh.toml`]);
    const changed = await must(...install);
    assert.match(
      changed,
      /^n1 {2}up in .*: .*the mesh file there was not written by boot and stays/m,
    );
    assert.equal(await n1.readText(`${KEYS}/mesh.toml`), file.replace(/^.*/, "# mine"));
    assert.match(await n2.readText(`${KEYS}/mesh.toml`), /log_level = "debug"/);
    assert.deepEqual(await pids(), before);
  });

  await test.step("a registrar whose issuer has ended gets another one, and the other node stays", async () => {
    const read = (path: string) => Deno.readFile(n1.path(path));
    const rootSeed = await Deno.readFile(`${rig.origin.folder}/root/.config/minime/lab/root.key`);
    const key = await read(`${KEYS}/registrar.key`);
    const ended = await endedIssuer({ name: "n1", key, rootSeed });
    await Deno.writeFile(n1.path(`${KEYS}/registrar.cert`), ended);
    const before = await n2.readText("/run/minime-lab.pid");
    assert.match(await must(...install), /^n1 {2}up in .*minime-lab runs, as process \d+$/m);
    assert.notDeepEqual(await read(`${KEYS}/registrar.cert`), ended);
    assert.notDeepEqual(await read(`${KEYS}/registrar.key`), key);
    assert.equal(await n2.readText("/run/minime-lab.pid"), before);
    await settled("n1", "n2");
  });

  await test.step("the machines start anew: the mesh is back, and its registrar admits", async () => {
    for (const host of rig.hosts) {
      await host.signal("KILL", ...host.pids());
      await host.must(["sh", "-c", "rm -rf /run/minime*"]);
    }
    assert.equal((await minime("nodes")).code, 4);
    for (const host of rig.hosts) await host.must(["/etc/init.d/minime-lab", "start"]);
    await settled("n1", "n2");
    assert.match(await must("token", "create", "--name", "n3"), /^minime/m);
    await must("halt");
    const wiped = await minime("wipe", "--hosts", "hosts.toml", "-w", "n2");
    assert.equal(wiped.code, 3, wiped.stdout);
    assert.match(wiped.stdout, /^n2: an installed node is there, which "minime init uninstall"/m);
    assert.deepEqual(n1.processes().filter(({ argv }) => argv.includes("daemon")), []);
  });
});
