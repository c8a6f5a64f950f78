/** What recon reads, judges and prints; the script itself runs in the system tests. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type HostFacts, parseHostFacts } from "../../../modules/network_boot/recon_facts.ts";
import {
  type Finding,
  judgeHost,
  type ReconNeeds,
} from "../../../modules/network_boot/recon_judge.ts";
import {
  formatRecon,
  reconJson,
  type ReconReport,
} from "../../../modules/network_boot/recon_report.ts";
import { reconScript } from "../../../modules/network_boot/recon_script.ts";
import { clockOffsetMs } from "../../../modules/network_boot/script_facts.ts";
import { printable } from "../../../modules/shared/text.ts";

const ANSWER = [
  "Welcome to host n1, MINIME-RECON is no word of ours here",
  "MINIME-RECON begin 1",
  "MINIME-RECON time 1700000000",
  "MINIME-RECON name n1",
  "MINIME-RECON user root",
  "MINIME-RECON address 10.0.0.1",
  "MINIME-RECON system Linux",
  "MINIME-RECON cpu x86_64",
  "MINIME-RECON libc glibc 2.36",
  "MINIME-RECON home /root",
  "MINIME-RECON cache /root/.cache/minime/bin",
  "MINIME-RECON cache-free 1000000",
  "MINIME-RECON state /root/.local/state/minime",
  "MINIME-RECON state-free 1000000",
  "MINIME-RECON uid 0",
  "MINIME-RECON done 1",
];

const NEEDS: ReconNeeds = {
  binaryBytes: 90_000_000,
  cpus: ["x86_64"],
  isLocal: false,
  asked: { from: 1_700_000_000_000, to: 1_700_000_000_500 },
};

function facts(...more: string[]): HostFacts {
  const words = new Set(more.map((line) => line.split(" ")[0]));
  const kept = ANSWER.filter((line) => !words.has(line.split(" ")[1]));
  const found = parseHostFacts([...kept, ...more.map((line) => `MINIME-RECON ${line}`)]);
  assert.ok(found !== undefined);
  return found;
}

function judged(lines: string[], needs: Partial<ReconNeeds> = {}): string[] {
  return judgeHost(facts(...lines), { ...NEEDS, ...needs })
    .map(({ reason, text, isWarning }) => `${isWarning ? "warning " : ""}${reason}: ${text}`);
}

Deno.test("recon facts: greetings are skipped, an answer that was cut off is none", () => {
  const found = parseHostFacts(ANSWER);
  assert.equal(found?.hostName, "n1");
  assert.equal(found?.cache.freeBytes, 1_024_000_000);
  assert.equal(found?.daemonPid, undefined);
  assert.equal(parseHostFacts(ANSWER.slice(0, -1)), undefined);
  assert.equal(parseHostFacts([]), undefined);
});

Deno.test("recon facts: whatever a host says is read without harm", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(
        fc.constantFrom("time", "libc", "uid", "cache-free", "missing", "taken", "done", "daemon"),
        fc.string({ unit: "binary" }),
      )),
      (words) => {
        const lines = words.map(([word, value]) => `MINIME-RECON ${word} ${value}`);
        const found = parseHostFacts([...lines, "MINIME-RECON done 1"]);
        assert.ok(found !== undefined);
        for (const { text } of judgeHost(found, NEEDS)) assert.equal(printable(text), text);
      },
    ),
    { seed: 7, numRuns: 500 },
  );
});

Deno.test("recon: a host as it should be has no findings", () => {
  assert.deepEqual(judged([]), []);
  assert.deepEqual(judged(["libc ldd (Debian GLIBC 2.36-9+deb12u10) 2.36"]), []);
  assert.deepEqual(judged(["libc ldd (GNU libc) 2.27"]), []);
  assert.deepEqual(judged(["cpu aarch64"], { cpus: undefined }), []);
});

Deno.test("recon: CPU, system and C library", () => {
  assert.deepEqual(judged(["cpu riscv64", "system FreeBSD", "libc glibc 2.26"]), [
    'wrong-cpu: system is "FreeBSD", minime runs on Linux',
    'wrong-cpu: CPU is "riscv64", minime runs on x86_64 and aarch64',
    "wrong-libc: glibc 2.26, minime needs glibc 2.27 or newer",
  ]);
  assert.deepEqual(judged(["cpu aarch64"]), [
    'wrong-cpu: CPU is aarch64, there is no "minime-aarch64" beside the program',
  ]);
  assert.deepEqual(judged(["libc musl libc (x86_64)"]), [
    "wrong-libc: C library is musl, minime needs glibc 2.27 or newer",
  ]);
  assert.deepEqual(judged(["libc "]), [
    'warning wrong-libc: C library is unknown (""), minime needs glibc 2.27 or newer',
  ]);
});

Deno.test("recon: space, and none is needed for a binary that is there", () => {
  assert.deepEqual(judged(["cache-free 10000"]), [
    'no-space: 10.2 MB free, 94.2 MB needed for "/root/.cache/minime/bin"',
  ]);
  assert.deepEqual(judged(["cache-free 10000", "have /root/.cache/minime/bin/minime-00"]), []);
  assert.deepEqual(judged(["cache-free 1000", "state-free 1000", "have /x"]), [
    'no-space: 1.0 MB free, 4.2 MB needed for "/root/.cache/minime/bin"',
  ]);
  assert.deepEqual(judged(["state-free 1000"]), [
    'no-space: 1.0 MB free, 4.2 MB needed for "/root/.local/state/minime"',
  ]);
});

Deno.test("recon: mounts, permissions and the home", () => {
  assert.deepEqual(
    judged(["homeless /nowhere", "home /nowhere", "cache-denied /", "state-denied /"]),
    [
      'denied: nothing may be made in "/", it is to hold "/root/.cache/minime/bin"',
      'home: home folder "/nowhere" does not exist',
    ],
  );
  assert.deepEqual(judged(["cache-noexec /root", "state-readonly /var"]), [
    'noexec: "/root" is mounted noexec, it is to hold the binary',
    'denied: "/var" is mounted read-only, it is to hold "/root/.local/state/minime"',
  ]);
});

Deno.test("recon: a state folder that the daemon would refuse", () => {
  const where = 'denied: state folder in "/root/.local/state/minime"';
  assert.deepEqual(judged(["folder drwx------ 2 0 0 40 Nov 23 01:00 /f"]), []);
  assert.deepEqual(judged(["folder drwxr-x--- 2 0 0 40 Nov 23 01:00 /f"]), [
    `${where} is open to others (drwxr-x---), it must be drwx------`,
  ]);
  assert.deepEqual(judged(["folder drwx------ 2 12 0 40 Nov 23 01:00 /f"]), [
    `${where} belongs to user 12, not to user 0`,
  ]);
  assert.deepEqual(judged(["folder lrwxrwxrwx 1 0 0 4 Nov 23 01:00 /f -> /tmp"]), [
    `${where} is no folder (lrwxrwxrwx)`,
  ]);
});

Deno.test("recon: a port of our own daemon is not taken by somebody else", () => {
  assert.deepEqual(judged(["taken 7117"]), ["port-taken: somebody listens on port 7117"]);
  assert.deepEqual(judged(["taken 7117", "daemon 12"]), [
    "running: a daemon of this mesh and name runs there",
  ]);
});

Deno.test("recon: the clock counts only when it was off for the whole time of asking", () => {
  const asked = { from: 10_000, to: 15_000 };
  const at = (seconds: number) => clockOffsetMs(seconds, asked);
  assert.deepEqual([at(9), at(10), at(15), at(16), at(8), at(100)], [
    -1,
    0,
    0,
    1_000,
    -1_001,
    85_000,
  ]);
  assert.deepEqual(judged(["time 1700000040"]), [
    "clock: 39 s ahead of ours, at most 30 s is allowed",
  ]);
  assert.deepEqual(judged(["time 1699999960"]), [
    "clock: 39 s behind ours, at most 30 s is allowed",
  ]);
  assert.deepEqual(judged(["time "]), ["warning clock: the host does not tell its time"]);
});

Deno.test("recon: on this machine nothing is copied, so the binary's needs do not count", () => {
  const lines = ["cpu riscv64", "libc musl", "cache-noexec /root", "missing gzip"];
  assert.deepEqual(judged(lines, { isLocal: true }), []);
  assert.deepEqual(judged(["cache-denied /root", "state-denied /root"], { isLocal: true }), [
    'denied: nothing may be made in "/root", it is to hold "/root/.local/state/minime"',
  ]);
});

Deno.test("recon: equal findings fold, the good news come first", () => {
  const plain = (_style: string, text: string) => text;
  const bad: Finding = { reason: "port-taken", text: "somebody listens", isWarning: false };
  const warned: Finding = { reason: "firewall", text: "silent", isWarning: true };
  const report = (name: string, ...findings: Finding[]): ReconReport => ({
    name,
    address: name,
    facts: undefined,
    findings,
    isReady: findings.every(({ isWarning }) => isWarning),
  });
  const reports = [
    report("n1", bad),
    report("n2", bad),
    report("n3", bad, { reason: "no-route", text: "", isWarning: false }),
    report("n4"),
    report("n5", warned),
  ];
  assert.equal(
    formatRecon(reports, plain),
    "n4: ok\n" +
      "n5:\n  ok\n  warning: firewall: silent\n" +
      "n[1-2]: port taken: somebody listens\n" +
      "n3:\n  port taken: somebody listens\n  no route\n" +
      "2 of 5 hosts are ready to boot, not ready: n[1-3]",
  );
  assert.match(formatRecon(reports.slice(3, 4), plain), /\n1 host is ready to boot$/);
  assert.deepEqual(reconJson("lab", reports.slice(0, 1)), {
    mesh: "lab",
    hosts: [{
      name: "n1",
      address: "n1",
      ready: false,
      problems: [{ reason: "port-taken", text: "somebody listens" }],
      warnings: [],
    }],
  });
});

Deno.test("recon script: what comes from the file stays one word of the shell", async () => {
  const home = "/a'b $(touch /tmp/never) `x`\n\"; exit 1; '";
  const script = reconScript({ mesh: "lab", node: "n1", home, ports: [], binaryBytes: 1 });
  const start = script.slice(0, script.indexOf("\n{\n")) + '\nprintf %s "$home"\n';
  const child = new Deno.Command("/bin/sh", { args: ["-c", start] });
  const { stdout } = await child.output();
  assert.equal(new TextDecoder().decode(stdout), home);
});
