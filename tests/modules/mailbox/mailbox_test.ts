import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  CallError,
  Calls,
  defaultPolicy,
  type Policy,
  type Self,
  UnixFront,
} from "../../../core/mod.ts";
import { LETTER_BYTES_MAX } from "../../../modules/mailbox/limits.ts";
import { createMailbox } from "../../../modules/mailbox/mod.ts";
import { runRecv } from "../../../modules/mailbox/recv_command.ts";
import { runSend } from "../../../modules/mailbox/send_command.ts";
import { callGroup } from "../../../modules/shared/group_client.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";
import { runCommand } from "../group/command_line.ts";
import { line, startMesh, type TestMesh, until } from "../group/daemons.ts";

type SendOptions = Parameters<typeof runSend>[1];
type RecvOptions = Parameters<typeof runRecv>[1];
type Place = Omit<NonNullable<Parameters<typeof runCommand>[2]>, "input">;

const NAMES = ["n1", "n2", "n3"];

function start(policy?: Policy): Promise<TestMesh> {
  return startMesh(NAMES, line(NAMES), {
    modules: () => [createMailbox()],
    sockets: true,
    ...(policy === undefined ? {} : { policy }),
  });
}

/** As booted, and node n1 may put into mailboxes. */
function nodesMaySend(): Policy {
  const { rules, limits } = defaultPolicy("ops");
  const rule = { ...rules[0]!, who: ["node:n1"], verbs: ["mailbox.put"], as: [] };
  return { rules: [...rules, rule], limits };
}

function send(
  mesh: TestMesh,
  to: string,
  input: string,
  options: Partial<SendOptions> & Place = {},
) {
  const { class: way = "low", wait = false, timeout = 60_000, ...place } = options;
  const given: SendOptions = { class: way, wait, timeout };
  return runCommand(mesh, (context) => runSend(context, given, to.split(" ")), {
    ...place,
    input,
  });
}

function recv(mesh: TestMesh, tag: string, options: Partial<RecvOptions> & Place = {}) {
  // A message that was not sent must fail its test and not hang it.
  const { node, count, from, timeout = 60_000, follow = false, json = false, ...place } = options;
  const given: RecvOptions = { node, count, from, timeout, follow, json };
  return runCommand(mesh, (context) => runRecv(context, given, [tag]), place);
}

const OK = { code: 0, stdout: "", stderr: "" };

async function owner(mesh: TestMesh, name: string): Promise<Calls> {
  const { clock, network } = createRealEnvironment();
  const front = new UnixFront({ clock, network, log: () => {} });
  const conduit = await front.dial(`unix:${mesh.get(name).socket}`);
  return new Calls({ conduit, clock, dialled: true });
}

Deno.test("mailbox: what is sent two hops away, in either class, is received there, in order", async () => {
  await using mesh = await start();
  assert.deepEqual(await send(mesh, "n3 jobs", "first\n"), OK);
  assert.deepEqual(await send(mesh, "n3 jobs", "second\n", { class: "high" }), OK);
  assert.deepEqual(await send(mesh, "n3 other", "other\n"), OK);
  const both = await recv(mesh, "jobs", { node: "n3", count: 2 });
  assert.deepEqual(both, { ...OK, stdout: "first\nsecond\n" });
  assert.equal((await recv(mesh, "other", { node: "n3" })).stdout, "other\n");
});

Deno.test("mailbox: a large message travels in parts and arrives as one", async () => {
  await using mesh = await start();
  const large = Array.from({ length: 400_000 }, (_, i) => `${i}\n`).join("");
  assert.deepEqual(await send(mesh, "n3 t", large), OK);
  assert.deepEqual(await send(mesh, "n3 t", large, { class: "high" }), OK);
  const { stdout } = await recv(mesh, "t", { node: "n3", count: 2 });
  assert.ok(stdout === large + large);
});

Deno.test("mailbox: one byte more than a message may have is refused before anything is sent", async () => {
  await using mesh = await start();
  const { code, stderr } = await send(mesh, "n2 t", "x".repeat(LETTER_BYTES_MAX + 1));
  assert.equal(code, 1);
  assert.match(stderr, /^Stdin has more than 16777216 bytes, the most that one message holds: /);
  assert.equal((await recv(mesh, "t", { node: "n2", timeout: 0 })).code, 124);
});

Deno.test("mailbox: the owner of the socket receives here without a signature, nobody else does", async () => {
  await using mesh = await start();
  await send(mesh, "n1 t", "for the owner");
  assert.deepEqual(await recv(mesh, "t", { local: true }), { ...OK, stdout: "for the owner" });
  const remote = await runCommand(mesh, async (context) => {
    await using client = await context.connect();
    await client.request("mailbox.receive", { tag: "t" });
  });
  assert.equal(remote.code, 5);
  assert.match(remote.stderr, /"mailbox.receive" is of class local; user "alice" may not/);
  const link = mesh.get("n1").host.links.list()[0]!;
  await assert.rejects(
    link.request("mailbox.send", { node: "n2", tag: "t", data: new Uint8Array(1) }),
    { class: "refused", message: '"mailbox.send" is of class local; node "n1" may not' },
  );
});

Deno.test("mailbox: without a place given, one receives where one is connected", async () => {
  await using mesh = await start();
  await send(mesh, "n2 t", "x");
  assert.deepEqual(await recv(mesh, "t", { via: "n2" }), {
    code: 0,
    stdout: "x",
    stderr: 'Receiving from the mailbox of "n2"; another one: -w NODE\n',
  });
});

Deno.test("mailbox: who has no rule may neither send nor receive", async () => {
  await using mesh = await start();
  const user = mesh.keys.person({ name: "eve", type: "user", groups: ["users"] });
  for (const way of ["low", "high"] as const) {
    const { code, stderr } = await send(mesh, "n2 t", "x", { user, class: way });
    assert.equal(code, 5);
    assert.match(stderr, /Policy has no rule for user "eve"/);
  }
  assert.equal((await recv(mesh, "t", { node: "n2", user })).code, 5);
});

Deno.test("mailbox: programs on a node send on its authority where the policy names it, in order", async () => {
  await using mesh = await start(nodesMaySend());
  const program = await owner(mesh, "n1");
  const sending = Array.from({ length: 30 }, (_, i) =>
    program.request("mailbox.send", {
      node: "n3",
      tag: "t",
      data: new TextEncoder().encode(`${i} `),
    }));
  assert.deepEqual(await Promise.all(sending), sending.map(() => ({ kept: true, full: null })));
  const call = program.stream("mailbox.send", { node: "n3", tag: "t" });
  await call.send(new TextEncoder().encode("in "));
  await call.send(new TextEncoder().encode("pieces"));
  await call.end();
  assert.deepEqual(await call.reply, { kept: true, full: null });
  const { stdout } = await recv(mesh, "t", { node: "n3", count: 31, from: "node:n1" });
  assert.equal(stdout, Array.from({ length: 30 }, (_, i) => `${i} `).join("") + "in pieces");
  await program.close("done");
});

Deno.test("mailbox: a node that no rule names sends nothing, not even to itself", async () => {
  await using mesh = await start(nodesMaySend());
  const program = await owner(mesh, "n2");
  for (const node of ["n1", "n2"]) {
    await assert.rejects(
      program.request("mailbox.send", { node, tag: "t", data: new Uint8Array(1) }),
      {
        class: "refused",
        message: `Node "${node}" refused: Policy has no rule for node "n2" (groups none)`,
      },
    );
  }
  await assert.rejects(
    program.request("mailbox.send", { node: "n9", tag: "t", data: new Uint8Array(1) }),
    {
      message: /n9/,
    },
  );
  await program.close("done");
});

Deno.test("mailbox: --json says from whom a message is, --from picks", async () => {
  await using mesh = await start(nodesMaySend());
  const program = await owner(mesh, "n1");
  await program.request("mailbox.send", { node: "n2", tag: "t", data: new Uint8Array([255]) });
  await program.close("done");
  await send(mesh, "n2 t", "hello");
  const user = JSON.parse(
    (await recv(mesh, "t", { node: "n2", json: true, from: "alice" })).stdout,
  );
  assert.deepEqual({ ...user, at: 0 }, {
    tag: "t",
    node: "n2",
    from: { kind: "user", name: "alice", keyId: mesh.user.identity.keyId },
    bytes: 5,
    at: 0,
    data: "aGVsbG8",
  });
  const node = JSON.parse((await recv(mesh, "t", { node: "n2", json: true })).stdout);
  assert.deepEqual([node.from.kind, node.from.name, node.data], ["node", "n1", "_w"]);
});

Deno.test("mailbox: a mailbox that nobody reads is full some day, and its senders are told", async () => {
  await using mesh = await start(nodesMaySend());
  const large = "x".repeat(LETTER_BYTES_MAX);
  assert.equal((await send(mesh, "n2 t", large)).code, 0);
  const refused = await send(mesh, "n2 t", large);
  assert.deepEqual(refused, {
    code: 1,
    stdout: "",
    stderr: 'Message was not sent: Mailbox "t" of "n2" is full for you: 16.8 MB of 33.6 MB, ' +
      "1 of 1024 messages are unread; 16.8 MB and 1 of them are yours, the rest is for others\n",
  });
  // For the node n1 there is as much room again, and then for nobody.
  const program = mesh.get("n1").daemon.caller("mailbox");
  const data = new Uint8Array(LETTER_BYTES_MAX);
  const kept = await program.request("mailbox.send", { node: "n2", tag: "t", data });
  assert.deepEqual(kept, { kept: true, full: null });
  assert.match(
    (await send(mesh, "n2 t", "y")).stderr,
    /^Message was not sent: Mailbox "t" of "n2" is full: 33.6 MB of 33.6 MB, 2 of 1024 messages/,
  );
  const late = await send(mesh, "n2 t", "y", { wait: true, timeout: 50, class: "high" });
  assert.equal(late.code, 124);
  const waiting = send(mesh, "n2 t", "z", { wait: true });
  await recv(mesh, "t", { node: "n2" });
  assert.deepEqual(await waiting, OK);
  const rest = (await recv(mesh, "t", { node: "n2", count: 2 })).stdout;
  assert.deepEqual([rest.length, rest.at(-1)], [LETTER_BYTES_MAX + 1, "z"]);
});

Deno.test("mailbox: whose reader cannot be streamed to, keeps its messages", async () => {
  await using mesh = await start();
  await send(mesh, "n3 t", "x");
  const targets = { kind: "names", names: ["n3"] } as const;
  const signed = mesh.keys.sign(mesh.user, { verb: "mailbox.take", args: { tag: "t" }, targets });
  const result = await callGroup(mesh.get("n1").group, { targets: "n3", signed });
  assert.deepEqual(result.folded()[0]?.value, { received: 0 });
  assert.equal((await recv(mesh, "t", { node: "n3" })).stdout, "x");
});

Deno.test("recv: waits for what comes, and no longer than it is told to", async () => {
  await using mesh = await start();
  const waiting = recv(mesh, "t", { node: "n2" });
  await send(mesh, "n2 t", "1");
  assert.equal((await waiting).stdout, "1");
  assert.deepEqual(await recv(mesh, "t", { node: "n2", timeout: 5 }), {
    code: 124,
    stdout: "",
    stderr: 'Warning: No message came to mailbox "t" of "n2" within 5 ms\n',
  });
});

Deno.test("recv: --follow goes on until ^C, which takes nothing away", async () => {
  await using mesh = await start();
  const stop = new AbortController();
  const terminal = new MemoryTerminal();
  const place = { node: "n2", signal: stop.signal, terminal };
  const following = recv(mesh, "t", { ...place, follow: true });
  for (const text of ["a", "b", "c"]) await send(mesh, "n2 t", text);
  await until(() => terminal.stdout === "abc");
  stop.abort(new CallError("cancelled", "^C"));
  assert.equal((await following).stdout, "abc");
  await send(mesh, "n2 t", "d");
  assert.equal((await recv(mesh, "t", { node: "n2" })).stdout, "d");
});

Deno.test("recv: who waits is told when the daemon stops", async () => {
  await using mesh = await start();
  const waiting = recv(mesh, "t", { node: "n3" });
  await send(mesh, "n3 other", "lost");
  await mesh.get("n3").daemon.stop("test says so");
  const { code, stdout } = await waiting;
  assert.deepEqual([code, stdout], [4, ""]);
});

Deno.test("send: a node that is gone, and names that are none, are told as what they are", async () => {
  await using mesh = await start();
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["n9 t", 2, /The mesh has no node "n9", did you mean "n1"/],
    ["n2 T", 2, /"T" is no tag/],
  ];
  for (const [to, code, text] of cases) {
    const ran = await send(mesh, to, "x");
    assert.equal(ran.code, code, to);
    assert.match(ran.stderr, text);
  }
  mesh.get("n3").kill();
  await until(() => mesh.board.view("n1").nodes.some(({ state }) => state === "down"));
  const gone = await send(mesh, "n3 t", "x");
  assert.equal(gone.code, 4);
  assert.match(gone.stderr, /^Node "n3" cannot be reached: /);
});

Deno.test("mailbox: every principal x every verb of the module, signed or not", async () => {
  await using mesh = await start(nodesMaySend());
  const { keys, user } = mesh;
  const target = mesh.get("n2").daemon;
  const signers: Record<string, Self | undefined> = {
    nobody: undefined,
    user,
    "user without a rule": keys.person({ name: "eve", type: "user", groups: ["users"] }),
    "named node": keys.person({ name: "n1" }),
    "node in ops": keys.person({ name: "n7", groups: ["ops"] }),
  };
  const args = {
    put: { tag: "t", id: "0".repeat(32), total: 0, offset: 0, data: new Uint8Array(0) },
    take: { tag: "t" },
    receive: { tag: "t", waitMs: 0 },
    send: { node: "n2", tag: "t", data: new Uint8Array(0) },
  };
  const program = await owner(mesh, "n2");
  const ways = { link: mesh.get("n1").host.links.list()[0]!, owner: program };
  const allowed: string[] = [];
  for (const [way, caller] of Object.entries(ways)) {
    for (const [who, signer] of Object.entries(signers)) {
      for (const [name, given] of Object.entries(args)) {
        const verb = `mailbox.${name}`;
        const body = signer === undefined ? given : keys.sign(signer, { verb, args: given });
        const call = caller.stream(verb, body, { signed: signer !== undefined });
        await call.end();
        try {
          await call.reply;
          allowed.push(`${verb} over ${way} by ${who}`);
        } catch (error) {
          const { class: errorClass } = error as { class: string };
          assert.equal(errorClass, "refused", `${verb} over ${way} by ${who}: ${error}`);
        }
      }
    }
  }
  await program.close("done");
  assert.deepEqual(allowed, [
    "mailbox.put over link by user",
    "mailbox.take over link by user",
    "mailbox.put over link by named node",
    "mailbox.receive over owner by nobody",
    "mailbox.put over owner by user",
    "mailbox.take over owner by user",
    "mailbox.put over owner by named node",
  ]);
  assert.equal(target.state, "running");
});
