import assert from "node:assert/strict";
import { systemdUnit } from "../../../modules/init_boot/systemd_unit.ts";

const COMMAND = ["/bin/true", "daemon", "--config", "/etc/minime/lab/mesh.toml"];
const RELOAD = ["/bin/true", "reload", "--mesh", "lab"];
const UNIT = { mesh: "lab", command: COMMAND, reload: RELOAD, systemdVersion: undefined };

async function hasAnalyze(): Promise<boolean> {
  try {
    await new Deno.Command("systemd-analyze", { args: ["--version"] }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * What systemd-analyze says of a unit: nothing, if it is in order. It looks at what systemd brings
 * along, and at nothing else that this machine has at the moment.
 */
async function verify(text: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/minime-lab.service`;
    await Deno.writeTextFile(path, text);
    // systemd has a word to say about files that all may write, whatever is in them.
    await Deno.chmod(path, 0o644);
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", path],
      env: { SYSTEMD_UNIT_PATH: `${folder}:/lib/systemd/system` },
    }).output();
    const decoder = new TextDecoder();
    return `${code} ${decoder.decode(stdout)}${decoder.decode(stderr)}`.trim();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "systemd unit: systemd finds nothing wrong with it, whatever is in its paths",
  ignore: !await hasAnalyze(),
  async fn() {
    assert.equal(await verify(systemdUnit(UNIT)), "0");
    const odd = [...COMMAND, 'with "quotes"', "100%", "$HOME", "back\\slash"];
    assert.equal(await verify(systemdUnit({ ...UNIT, command: odd, reload: odd })), "0");
    // A unit with a mistake is found out, or this test would prove nothing.
    const wrong = systemdUnit(UNIT).replace("Type=notify", "Type=x");
    assert.match(await verify(wrong), /Failed to parse service type/);
  },
});

Deno.test("systemd unit: words that mean something to systemd are quoted", () => {
  const words = ["/opt/my program", "100%", "$HOME", 'a"b', "plain"];
  const text = systemdUnit({ ...UNIT, command: words, reload: words });
  assert.match(text, /^ExecStart="\/opt\/my program" 100%% \$\$HOME "a\\"b" plain$/m);
  assert.match(text, /^ExecReload="\/opt\/my program" 100%% \$\$HOME "a\\"b" plain$/m);
});

Deno.test("systemd unit: pauses between restarts grow where systemd can do that", () => {
  const unit = (systemdVersion: number) => systemdUnit({ ...UNIT, systemdVersion });
  assert.match(unit(252), /^RestartSec=5$/m);
  assert.doesNotMatch(unit(252), /RestartSteps/);
  assert.match(unit(254), /^RestartSec=1\nRestartSteps=8\nRestartMaxDelaySec=60$/m);
});

Deno.test("systemd unit: nothing in it reaches the programs of users", () => {
  const text = systemdUnit({ ...UNIT, systemdVersion: 254 });
  // Each of these would hold for the daemon's children too.
  const reaching = [
    "NoNewPrivileges",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateUsers",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "MemoryDenyWriteExecute",
    "RestrictNamespaces",
    "SystemCallFilter",
    "User",
    "UMask",
  ];
  for (const directive of reaching) {
    assert.doesNotMatch(text, new RegExp(`^${directive}=`, "m"), directive);
  }
  assert.match(text, /^KillMode=process$/m);
  assert.match(text, /^OOMPolicy=continue$/m);
  assert.match(text, /^Type=notify$/m);
  assert.match(text, /^WatchdogSec=60$/m);
});
