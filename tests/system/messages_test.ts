/**
 * Messages, forwarded connections and programs through gateways: two segments, of which the origin
 * reaches only the gateways, two each; real daemons, real sockets, and a gateway that dies under way.
 */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { type Host, type Rig, segmentsFile, startSegments, systemTest, until } from "./rig/mod.ts";

const PLAN = { segments: ["a", "b"], gateways: 2, hosts: 1 };
const FILE = "/root/hosts.toml";
const BOOT_MS_MAX = 240_000;
const PATIENCE = { timeoutMs: 90_000 };
/** On a machine that does much else, what is slow says nothing. */
const PATIENT = ["--slow", "1m"];
const EXEC = ["exec", "--connect-timeout", "1m"];
const NAME = "messages: mailboxes, connections and programs through gateways, one of which dies";
const PORT = 9_000;
const BYTES = 3_000_000;

/** Sends back what it reads, as it comes, and ends when the other end has; what breaks is closed. */
const ECHO = `
  const listener = Deno.listen({ hostname: "127.0.0.1", port: ${PORT} });
  console.log("ready");
  for await (const connection of listener) {
    (async () => {
      const buffer = new Uint8Array(65536);
      for (let n; (n = await connection.read(buffer)) !== null;) {
        for (let at = 0; at < n;) at += await connection.write(buffer.subarray(at, n));
      }
      await connection.closeWrite();
    })().catch(() => connection.close());
  }
`;

/** Sends half, waits for a line, sends the other half, ends, and says what came back. */
const CLIENT = `
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  const bytes = new Uint8Array(${BYTES}).map((_, i) => i * 7 + (i >> 8));
  let count = 0, right = true;
  const reading = (async () => {
    const into = new Uint8Array(65536);
    for (let n; (n = await connection.read(into)) !== null;) {
      for (let i = 0; i < n; i++) right &&= into[i] === bytes[count + i];
      count += n;
      if (count === bytes.length / 2) console.log("half");
    }
  })();
  const send = async (from, to) => {
    for (let at = from; at < to;) at += await connection.write(bytes.subarray(at, to));
  };
  await send(0, bytes.length / 2);
  await Deno.stdin.read(new Uint8Array(1));
  await send(bytes.length / 2, bytes.length);
  await connection.closeWrite();
  await reading;
  console.log(right ? "right" : "wrong", count);
`;

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, runMessages);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, runMessages);

async function runMessages(test: Deno.TestContext): Promise<void> {
  await using rig = await startSegments(PLAN);
  await rig.origin.writeFile(
    FILE,
    segmentsFile(rig, { ...PLAN, more: '[boot]\ntimeout = "2m"\n' }),
  );
  const booted = await rig.minime(["boot", "--hosts", FILE], { timeoutMs: BOOT_MS_MAX });
  assert.equal(booted.code, 0, booted.stdout + booted.stderr);
  await healthy(rig);

  await test.step("status: the segments, with their gateways", async () => {
    const { stdout } = await rig.minime(["status", ...PATIENT]);
    assert.match(stdout, /^a +ga\[1-2\] +up .* gateway /m);
    assert.match(stdout, /^b +b1 +up .* - /m);
    assert.match(stdout, /^healthy: 6 up, /m);
  });

  const large = "x".repeat(BYTES);
  for (const way of ["low", "high"]) {
    await test.step(`send --class ${way}, recv: to and from a host behind gateways`, async () => {
      for (const stdin of ["first\n", large, "last\n"]) {
        const sent = await rig.minime(["send", "--class", way, "b1", "jobs"], { stdin });
        assert.deepEqual([sent.code, sent.stderr], [0, ""]);
      }
      const got = await rig.minime(["recv", "-w", "b1", "--count", "3", "jobs"]);
      assert.deepEqual([got.code, got.stderr], [0, ""]);
      assert.ok(got.stdout === `first\n${large}last\n`);
    });
  }

  await test.step("forward: a closed port is told, and the forward goes on", async () => {
    await using forward = rig.spawnMinime(["forward", "0", "b1:127.0.0.1:1"]);
    const port = await portOf(forward.stdout);
    for (let i = 0; i < 2; i++) {
      const { stdout } = await inNetwork(rig.origin, CLIENT, port).finish({ stdin: "\n" });
      assert.doesNotMatch(stdout, /right|wrong/);
    }
    await forward.signal("SIGINT");
    const errors = await new Response(forward.stderr).text();
    assert.equal((await forward.status).code, 0);
    assert.match(
      errors,
      /^(Warning: .* -> b1:127\.0\.0\.1:1: Could not dial .*: connection refused\n){2}$/,
    );
  });

  await test.step("exec, shell: on all nodes, and on one behind gateways", async () => {
    const all = await rig.minime([...EXEC, "-nab", "-s", "echo $MINIME_SIZE"]);
    assert.deepEqual([all.code, all.stderr], [0, ""]);
    assert.match(all.stdout, /^-+\n\S+ \(6\)\n-+\n6\n$/);
    for (const way of [[], ["--private"]]) {
      const read = [...EXEC, ...way, "-N", "-w", "b1", "wc", "-c"];
      const { stdout, stderr } = await rig.minime(read, { stdin: large });
      assert.deepEqual([stdout, stderr], [`${BYTES}\n`, ""]);
    }
    const { argv, env } = rig.minimeCommand();
    const words = [...argv, "shell", "--connect-timeout", "1m", "b1", "hostname"].map((word) =>
      `'${word}'`
    ).join(" ");
    const line = `stty -a > before; ${words}; stty -a | cmp - before`;
    const { code, stdout } = await rig.origin.spawn(
      ["/usr/bin/script", "-qefc", line, "/dev/null"],
      { env: { ...env, SHELL: "/bin/sh", TERM: "xterm" } },
    ).finish();
    // That its own stdin has ended script tells the terminal by a character, which may be echoed.
    assert.deepEqual([code, stdout.replace("^@", "")], [0, "b1\r\n"]);
  });

  await test.step("forward, exec: all outlive a gateway, each way ends by itself", async () => {
    const run = ["-N", "-w", "b1", "-s", 'echo half; read x; echo "$x" end'];
    const programs = [rig.spawnMinime([...EXEC, ...run])];
    const halves = [await lineOf(programs[0]!.stdout, /half/)];
    // A program ends with the daemon that its command talks to.
    const gateway = rig.host(await entryOf(rig) === "gb1" ? "gb2" : "gb1");
    programs.push(rig.spawnMinime([...EXEC, "--private", ...run]));
    halves.push(await lineOf(programs[1]!.stdout, /half/));
    await using echo = inNetwork(rig.host("b1"), ECHO);
    await lineOf(echo.stdout, /ready/);
    await using forward = rig.spawnMinime(["forward", "0", `b1:localhost:${PORT}`]);
    const port = await portOf(forward.stdout);
    const clients = Array.from({ length: 3 }, () => inNetwork(rig.origin, CLIENT, port));
    const outputs = await Promise.all(clients.map(({ stdout }) => lineOf(stdout, /half/)));
    await gateway.signal("KILL", ...gateway.pids());
    for (const { stdin } of [...clients, ...programs]) {
      const writer = stdin.getWriter();
      await writer.write(new TextEncoder().encode("\n"));
      await writer.close();
    }
    for (const [i, client] of clients.entries()) {
      const rest = await readAll(outputs[i] as Output);
      assert.equal(rest, `right ${BYTES}\n`);
      await client[Symbol.asyncDispose]();
    }
    for (const [i, program] of programs.entries()) {
      const rest = await readAll(halves[i] as Output);
      const errors = await new Response(program.stderr).text();
      assert.deepEqual([rest, errors, (await program.status).code], [" end\n", "", 0]);
    }
    await forward.signal("SIGINT");
    assert.equal((await forward.status).code, 0);
    assert.equal(await new Response(forward.stderr).text(), "");
  });

  await test.step("status: a segment with one gateway left is degraded, and messages go on", async () => {
    await until("its gateway is lost", async () => {
      const { stdout } = await rig.minime(["status"]);
      return /^! segment [ab]: only one gateway is left, g[ab][12]$/m.test(stdout);
    }, PATIENCE);
    for (const way of ["low", "high"]) {
      const sent = await rig.minime(["send", "--class", way, "b1", "t"], { stdin: way });
      assert.deepEqual([sent.code, sent.stderr], [0, ""]);
      assert.equal((await rig.minime(["recv", "-w", "b1", "t"])).stdout, way);
    }
  });
}

async function healthy(rig: Rig): Promise<void> {
  const args = ["status", "--wait", "healthy", "--timeout", "90s", ...PATIENT];
  const { code, stdout, stderr } = await rig.minime(args, { timeoutMs: 100_000 });
  assert.equal(code, 0, stdout + stderr);
}

/** The gateway to which the only connection of the origin leads. */
async function entryOf(rig: Rig): Promise<string> {
  let entry: Host | undefined;
  await until("the origin has one connection", async () => {
    const ss = ["ss", "-Htn", "state", "established", "dport", "=", ":7117"];
    const { stdout } = await rig.origin.spawn(ss).finish();
    const [line = "", ...more] = stdout.trim().split("\n");
    entry = rig.hosts.find(({ address }) => line.includes(` ${address}:7117`));
    return more.length === 0 && entry !== undefined;
  }, PATIENCE);
  return (entry as Host).name;
}

/** A program of this runtime in nothing but a host's network. */
function inNetwork(host: Host, program: string, ...args: readonly string[]) {
  return host.spawnInNetwork([Deno.execPath(), "eval", program, ...args], {
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`,
    NO_COLOR: "1",
  });
}

interface Output {
  readonly reader: ReadableStreamDefaultReader<string>;
  text: string;
}

/** Reads until a line fits; what comes behind it can be read on. */
async function lineOf(stdout: ReadableStream<Uint8Array>, wanted: RegExp): Promise<Output> {
  const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
  const output: Output = { reader, text: "" };
  for (;;) {
    const end = output.text.indexOf("\n");
    if (end >= 0) {
      const line = output.text.slice(0, end);
      output.text = output.text.slice(end + 1);
      if (wanted.test(line)) return output;
      continue;
    }
    const { done, value } = await reader.read();
    if (done) throw new Error(`Output ended before a line fitted ${wanted}`);
    output.text += value;
  }
}

async function readAll(output: Output): Promise<string> {
  for (;;) {
    const { done, value } = await output.reader.read();
    if (done) return output.text;
    output.text += value;
  }
}

async function portOf(stdout: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const port = /^127\.0\.0\.1:(\d+) -> /.exec(text)?.[1];
    if (port !== undefined) return port;
    const { done, value } = await reader.read();
    if (done) throw new Error(`forward ended: ${text}`);
    text += value;
  }
}
