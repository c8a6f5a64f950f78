import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { LineProcess } from "../../../modules/network_boot/line_process.ts";
import { failureOf, sshArguments } from "../../../modules/network_boot/ssh.ts";

const OPTIONS = { connectTimeoutMs: 2_500, strictHostKey: "yes" } as const;

function settingsOf(args: readonly string[]): string[] {
  return args.filter((_, i) => args[i - 1] === "-o");
}

Deno.test("ssh arguments: never asks, forwards nothing, checks the host key", () => {
  const args = sshArguments({ address: "n1" }, OPTIONS);
  for (
    const wanted of [
      "BatchMode=yes",
      "StrictHostKeyChecking=yes",
      "ConnectTimeout=3",
      "ClearAllForwardings=yes",
      "ControlPath=none",
    ]
  ) assert.ok(settingsOf(args).includes(wanted), wanted);
  for (const wanted of ["-T", "-a", "-x"]) assert.ok(args.includes(wanted), wanted);
  assert.deepEqual(args.slice(-3), ["--", "n1", "exec /bin/sh"]);
});

Deno.test("ssh arguments: user, port and key of the file are taken, others left to ssh", () => {
  const host = { address: "fd77::11", user: "alice", sshPort: 2222, identityFile: "/k/id" };
  const args = sshArguments(host, { ...OPTIONS, strictHostKey: "accept-new" });
  assert.deepEqual(args.slice(-9), [
    ...["-p", "2222", "-l", "alice", "-i", "/k/id"],
    ...["--", "fd77::11", "exec /bin/sh"],
  ]);
  assert.ok(settingsOf(args).includes("StrictHostKeyChecking=accept-new"));
  const plain = sshArguments({ address: "n1" }, OPTIONS);
  for (const option of ["-p", "-l", "-i"]) assert.ok(!plain.includes(option), option);
});

Deno.test("ssh: a script that ends early is told apart from a connection that failed", async () => {
  const env = createRealEnvironment();
  const ended = async (script: string) => {
    await using process = await LineProcess.start(env, { program: "sh", args: ["-c", script] });
    return await failureOf(process);
  };
  assert.equal(
    (await ended("echo broken >&2; exit 3")).text,
    "script failed: it ended early with exit code 3 (broken)",
  );
  assert.equal((await ended("echo 'x: Connection refused' >&2; exit 255")).reason, "refused");
});

Deno.test("line process: a child that ignores everything is gone after dispose", async () => {
  const env = createRealEnvironment();
  const script = 'trap "" TERM HUP INT; echo here; while :; do read -r x || sleep 60; done';
  const process = await LineProcess.start(env, { program: "sh", args: ["-c", script] });
  assert.equal(await process.next(), "here");
  await process[Symbol.asyncDispose]();
  assert.equal((await process.ended).signal, "SIGKILL");
  assert.equal(await process.write("nobody reads this\n"), false);
  assert.equal(await process.next(), undefined);
});

Deno.test("line process: a grandchild that keeps the pipes does not keep us", async () => {
  const env = createRealEnvironment();
  await using process = await LineProcess.start(env, {
    program: "sh",
    args: ["-c", "sleep 30 & echo $!; echo words >&2; exit 7"],
  });
  const grandchild = Number(await process.next());
  assert.deepEqual(await process.ended, { code: 7, signal: undefined, stderr: "words\n" });
  assert.equal(await process.next(), undefined);
  Deno.kill(grandchild, "SIGKILL");
});
