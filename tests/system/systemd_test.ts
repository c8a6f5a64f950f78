/**
 * Nodes as services of machines that systemd really runs, from the first boot to the last stop. One
 * pair of machines for all of it, since booting them and copying the program is what costs.
 */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { Programs } from "../support/programs.ts";
import { Rig, SystemdMachine, systemdRequirements, systemTest, until } from "./rig/mod.ts";

const NAME = "systemd: nodes come up with their machines, and stay up through all that happens";
const NODES = ["n1", "n2"] as const;
const UNIT = "minime-lab";
const PROGRAM = "/usr/local/bin/minime";
const FOLDER = "/root/keys";
const INSTALLED = "/etc/minime/lab";
/** CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYSLOG, as the manual does it. */
const TAKEN_AWAY = [12n, 16n, 21n, 22n, 34n];
/** For what the mesh does by itself, on a machine that does much else. */
const PATIENCE = { timeoutMs: 120_000 };

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runSystemd, systemdRequirements);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, runSystemd);

async function runSystemd(test: Deno.TestContext): Promise<void> {
  assert.ok(built.kind === "compiled");
  await using rig = await Rig.start({ hosts: NODES });
  await using programs = await Programs.make(built);
  await makeKeys(rig);
  await using machines = new AsyncDisposableStack();
  const start = async (name: string) => machines.use(await SystemdMachine.boot(rig.host(name)));
  const booting = [start("n1"), start("n2")] as const;
  await Promise.allSettled(booting);
  const [one, two] = await Promise.all(booting);
  const minime = (...words: readonly string[]) => one.run(["minime", ...words]);
  const unit = (verb: string, ...more: readonly string[]) =>
    one.run(["systemctl", verb, ...more, UNIT]);
  const states = async () => {
    const { code, stdout } = await rig.minime(["nodes", "--json"]);
    if (code !== 0) return {};
    const { nodes } = JSON.parse(stdout) as { nodes: { name: string; state: string }[] };
    return Object.fromEntries(nodes.map(({ name, state }) => [name, state]));
  };
  const settled = (n1: string) =>
    until(`n1 is ${n1} and n2 is up`, async () => {
      const now = await states();
      return now["n1"] === n1 && now["n2"] === "up";
    }, PATIENCE);
  const jobIs = async (how: RegExp) => {
    const holds = async () => how.test((await rig.minime(["jobs"])).stdout);
    await until(`the job is ${how}`, holds, PATIENCE);
  };
  const journalHas = (what: RegExp, ...more: readonly string[]) =>
    until(`the journal has ${what}`, async () => what.test(await journal(one, ...more)));

  const step = async (name: string, run: () => Promise<void>) => {
    if (!await test.step(name, run)) throw new Error("The steps after it stand on it");
  };

  const boot = async (...words: readonly string[]) =>
    await rig.minime(["boot", "--hosts", "mesh.toml", "--install", "--timeout", "2m", ...words], {
      timeoutMs: 180_000,
    });
  await step("install: it runs, says how it is, and starts with the machine", async () => {
    await Deno.copyFile(built.path, one.path(PROGRAM));
    const keys = `${rig.origin.folder}/root/nodes/n1`;
    const copy = new Deno.Command("cp", { args: ["-a", keys, one.path(FOLDER)] });
    assert.ok((await copy.output()).success);
    const { code, stdout, stderr } = await minime(
      ...["init", "install", "--config", `${FOLDER}/mesh.toml`],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^minime-lab runs, and starts with the machine$/m);
    // The other one by ssh, and again without a change.
    for (const machine of [one, two]) {
      await machine.takeLogins();
      // As if somebody had copied it there by scp.
      await Deno.copyFile(built.path, machine.path("/root/minime"));
    }
    const first = await boot("-w", "n2");
    assert.equal(first.code, 0, first.stdout + first.stderr);
    assert.match(first.stdout, /^n2 {2}up in .*: minime-lab runs, and starts with the machine$/m);
    const life = await property(two, "MainPID");
    const again = await boot("-w", "n2");
    assert.match(again.stdout, /^n2 {2}up in .*: nothing to change, minime-lab runs, and starts/m);
    assert.equal(await property(two, "MainPID"), life);
    await settled("up");
    const status = await minime("init", "status");
    assert.equal(status.code, 0, status.stdout);
    assert.match(
      status.stdout,
      /service\): active \(running\): "n1" in mesh "lab", \d links?, starts with the machine$/m,
    );
    await journalHas(/"message":"Running"/);
  });

  await step("programs: see and change the machine as those of a login do", async () => {
    const exec = async (...words: readonly string[]) => {
      // A machine that does much else may take longer than the usual five seconds to start anything.
      const patience = ["--connect-timeout", "1m"];
      const { code, stdout, stderr } = await rig.minime([
        "exec",
        ...patience,
        "-w",
        "n1",
        ...words,
      ]);
      assert.equal(code, 0, `${words.join(" ")}: ${code} ${stdout}${stderr}`);
      return stdout;
    };
    await exec("mount", "-t", "tmpfs", "tmpfs", "/mnt");
    assert.match(await one.must(["cat", "/proc/self/mountinfo"]), / \/mnt rw/);
    await exec("-s", "hostname other && hostname n1");
    const own = async (path: string) =>
      (await one.must(["cat", path])).split("\n").filter((line) => /CapBnd|NoNew|Secc/.test(line));
    const theirs = await exec("-N", "grep", "-E", "CapBnd|NoNew|Secc", "/proc/self/status");
    assert.deepEqual(theirs.trim().split("\n"), await own("/proc/1/status"));
    assert.equal(await exec("-N", "-l", "nobody", "id", "-un"), "nobody\n");
    await exec("--bg", "--name", "job", "sleep", "1000");
  });

  await step("killed: started anew, back in the mesh, and its job has not noticed", async () => {
    assert.equal((await unit("kill", "--kill-who=main", "--signal=KILL")).code, 0);
    await until("it was started anew", async () => await property(one, "NRestarts") === "1");
    await settled("up");
    await jobIs(/^job +n1 +runs/m);
  });

  await step("hung: the watchdog ends it, and it is started anew", async () => {
    const impatient = `/etc/systemd/system/${UNIT}.service.d/impatient.conf`;
    await one.must(["mkdir", "-p", impatient.slice(0, impatient.lastIndexOf("/"))]);
    await Deno.writeTextFile(one.path(impatient), "[Service]\nWatchdogSec=2\nRestartSec=0\n");
    await one.must(["systemctl", "daemon-reload"]);
    await unit("restart");
    await until("the watchdog has ended it", async () => {
      // Without a result if it is ended already: this machine may be slower than that patience.
      await unit("kill", "--kill-who=main", "--signal=STOP");
      return /Watchdog timeout/.test(await journal(one));
    });
    await Deno.remove(one.path(impatient));
  });

  await step(
    "hardened: what the manual takes away is taken from programs, and all works",
    async () => {
      const lines = await documentedDropIn();
      await Deno.writeTextFile(
        one.path(`/etc/systemd/system/${UNIT}.service.d/override.conf`),
        lines,
      );
      const verified = await one.run(["systemd-analyze", "verify", `${UNIT}.service`]);
      assert.deepEqual([verified.code, verified.stdout, verified.stderr], [0, "", ""]);
      await one.must(["systemctl", "daemon-reload"]);
      await unit("restart");
      await settled("up");
      const exec = (...words: readonly string[]) =>
        rig.minime(["exec", "-w", "n1", "-N", ...words]);
      const { stdout } = await exec("grep", "CapBnd", "/proc/self/status");
      const bounding = BigInt(`0x${stdout.trim().split(/\s+/)[1]}`);
      for (const capability of TAKEN_AWAY) assert.equal((bounding >> capability) & 1n, 0n, stdout);
      assert.notEqual((await exec("mount", "-t", "tmpfs", "tmpfs", "/mnt")).code, 0);
      assert.equal((await exec("-l", "nobody", "id", "-un")).stdout, "nobody\n");
    },
  );

  await step(
    "mesh file: what is wrong in it is told, and a running node keeps the old one",
    async () => {
      const file = one.path(`${INSTALLED}/mesh.toml`);
      const good = await Deno.readTextFile(file);
      await Deno.writeTextFile(file, `${good}[[hosts]]\nnames = "n4"\naddress = "10.77.0.99"\n`);
      assert.equal((await unit("reload")).code, 0);
      await journalHas(/n4 added/);
      await Deno.writeTextFile(file, `${good}nonsense =\n`);
      assert.equal((await unit("reload")).code, 1);
      assert.equal((await unit("is-active")).stdout, "active\n");
      await journalHas(/The mesh file stays as it was/, "-p", "err");

      const pid = await property(one, "MainPID");
      assert.equal((await unit("restart")).code, 1);
      const { stdout } = await unit("status", "--no-pager");
      assert.match(stdout, /Active: failed \(Result: exit-code\)/);
      assert.match(
        stdout,
        /Status: "Cannot use \/etc\/minime\/lab\/mesh\.toml: 1 problem; .*toml:\d+/,
      );
      const status = await minime("init", "status");
      assert.equal(status.code, 1);
      assert.match(status.stdout, /service\): failed \(failed\): Cannot use \/etc\/minime\/lab/);
      await Deno.writeTextFile(file, good);
      assert.equal((await unit("start")).code, 0);
      assert.notEqual(await property(one, "MainPID"), pid);
      await settled("up");
    },
  );

  await step(
    "upgrade: goes on as another program under the same pid, watched and with its job",
    async () => {
      const watched = async () => Number(await property(one, "WatchdogTimestampMonotonic"));
      const told = await watched();
      const lasting = ["MainPID", "NRestarts", "ActiveState", "ExecMainStartTimestampMonotonic"];
      const before = await Promise.all(lasting.map((name) => property(one, name)));
      const newer = `${rig.origin.folder}/root/newer`;
      await Deno.copyFile(await programs.other("0.1.1"), newer);
      const { code, stdout, stderr } = await rig.minime(
        ["upgrade", "--binary", "newer", "-w", "n1"],
        {
          timeoutMs: 180_000,
        },
      );
      assert.equal(code, 0, stdout + stderr);
      await settled("up");
      assert.deepEqual(await Promise.all(lasting.map((name) => property(one, name))), before);
      assert.match((await minime("version")).stdout, /^minime 0\.1\.1$/m);
      // Only so: an installation leaves what runs as it is.
      const older = await boot("-w", "n1");
      assert.equal(older.code, 3, older.stdout);
      assert.match(older.stdout, /^n1 {2}not installed: minime 0\.1\.1 runs on this machine, and/m);
      assert.equal(await property(one, "MainPID"), before[0]);
      await jobIs(/^job +n1 +runs/m);
      await until("the new program says that it lives", async () => await watched() > told);
    },
  );

  await step("stop: says goodbye, leaves the job alone, and is no failure", async () => {
    assert.equal((await unit("stop")).code, 0);
    assert.equal(await property(one, "ActiveState"), "inactive");
    assert.equal((await minime("init", "status")).code, 1);
    await settled("left");
    assert.equal((await unit("start")).code, 0);
    await settled("up");
    await jobIs(/^job +n1 +runs/m);
  });

  await step("reboot: the node says goodbye, and is back without anybody's help", async () => {
    const life = Number(await Deno.readTextFile(one.path("/var/lib/minime/lab/n1/incarnation")));
    await one.run(["systemctl", "reboot"]);
    await one.booted(2);
    await settled("up");
    assert.equal(
      await Deno.readTextFile(one.path("/var/lib/minime/lab/n1/incarnation")),
      `${life + 1}\n`,
    );
    assert.match(
      await journal(one, "-b", "-1"),
      /"message":"Stopped"(?![^]*"message":"Life)[^]*: Deactivated successfully\.$/m,
    );
    await jobIs(/^job +n1 +ended: killed by SIGTERM/m);
  });

  await step("uninstall: nothing runs, and nothing starts again", async () => {
    const { code, stdout, stderr } = await minime("init", "uninstall");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^minime-lab is stopped and disabled$/m);
    await settled("left");
    assert.equal((await minime("init", "status")).stdout, "No node is installed here (systemd)\n");
  });

  await step("expired: waits for its registrar as a service that runs, and comes up", async () => {
    const short = `${rig.origin.folder}/root/short/n1`;
    const copy = new Deno.Command("cp", { args: ["-a", short, one.path("/root/short")] });
    assert.ok((await copy.output()).success);
    await one.must(["rm", "-r", INSTALLED, "/var/lib/minime/lab/n1"]);
    await two.must(["systemctl", "stop", UNIT]);
    await minime("init", "install", "--config", "/root/short/mesh.toml");
    const waits = /service\): active \(running\): Waiting for a new certificate from "n2": No cert/;
    await until("it waits", async () => waits.test((await minime("init", "status")).stdout));
    await two.must(["systemctl", "start", UNIT]);
    // Or it would wait for some seconds before it asks again.
    assert.equal((await unit("reload")).code, 0);
    await settled("up");
    assert.equal(await property(one, "NRestarts"), "0");
    assert.equal((await minime("init", "uninstall")).code, 0);
  });

  await step("token: the machine is a node again, another one, by one command", async () => {
    await one.must(["rm", "-r", INSTALLED]);
    const { stdout: token } = await rig.minime(["token", "create", "--name", "n3"]);
    await Deno.writeTextFile(one.path("/root/token"), token, { mode: 0o600 });
    const config = one.path("/root/mesh.toml");
    await Deno.copyFile(`${rig.origin.folder}/root/mesh.toml`, config);
    const { code, stdout, stderr } = await minime(
      ...["init", "install", "--config", "/root/mesh.toml", "--token-file", "/root/token"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^"n3" has joined mesh "lab"; its keys were made in \/etc\/minime\/lab$/m);
    assert.match(stdout, /^minime-lab runs, and starts with the machine$/m);
    await until("n3 is up", async () => (await states())["n3"] === "up", PATIENCE);
    // And taken out for good: why is said by whoever is asked.
    assert.equal((await rig.minime(["revoke", "n3"])).code, 0);
    const saysWhy = async () =>
      /: failed \(failed\): Key .* of "n3" is revoked/.test(
        (await minime("init", "status")).stdout,
      );
    await until("systemd says why it has stopped", saysWhy, PATIENCE);
    const again = await minime(
      ...["init", "install", "--config", "/root/mesh.toml", "--token-file", "/root/token"],
    );
    assert.equal(again.code, 1);
    assert.match(
      again.stderr,
      /minime-lab is installed and does not start: Key .* is revoked; more/,
    );
  });
}

/** On the origin: keys of n1 in /root/nodes, and a policy for another user's programs. */
async function makeKeys(rig: Rig): Promise<void> {
  const host = (name: string, on: string, more: string) =>
    `[[hosts]]\nnames = "${name}"\naddress = "${rig.host(on).address}"\n${more}\n`;
  const hosts = [
    host("n1", "n1", "port = 7117"),
    host("n2", "n2", 'port = 7117\ngroups = ["registrar"]'),
    host("n3", "n1", "port = 7118"),
  ];
  await rig.origin.writeFile(
    "/root/mesh.toml",
    `name = "lab"\n${hosts.join("")}[[policy.allow]]\nwho = ["group:ops"]\nverbs = ["*"]\n` +
      `on = ["*"]\nas = ["root", "nobody"]\n`,
  );
  for (
    const words of [
      ["mesh", "init", "--config", "mesh.toml"],
      ["mesh", "provision", "n1", "--out", "nodes"],
      // Expired long before it is used.
      ["mesh", "provision", "n1", "--out", "short", "--valid", "1s"],
    ]
  ) {
    const { code, stderr } = await rig.minime(words);
    assert.equal(code, 0, stderr);
  }
}

async function property(machine: SystemdMachine, name: string): Promise<string> {
  const { stdout } = await machine.run(["systemctl", "show", "--value", "-p", name, UNIT]);
  return stdout.trim();
}

/** All that the journal has of the unit. */
function journal(machine: SystemdMachine, ...more: readonly string[]): Promise<string> {
  return machine.must(["journalctl", "--no-pager", "-o", "cat", "-u", UNIT, ...more]);
}

/** What docs/admin.md says to put into "systemctl edit". */
async function documentedDropIn(): Promise<string> {
  const manual = await Deno.readTextFile(new URL("../../docs/admin.md", import.meta.url));
  const found = /^# systemctl edit minime-lab\n([^`]+)^```$/m.exec(manual)?.[1];
  assert.ok(found !== undefined);
  return found;
}
