import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { type BytePipe, defaultPolicy, type Policy, type Self } from "../../../core/mod.ts";
import { runForward } from "../../../modules/forward/forward_command.ts";
import { CONNECTIONS_MAX } from "../../../modules/forward/limits.ts";
import { createForward } from "../../../modules/forward/mod.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";
import { runCommand } from "../group/command_line.ts";
import { line, startMesh, type TestMesh, until } from "../group/daemons.ts";
import { answerAtEnd, LOOPBACK, portOf, readAll, serve, write } from "./server.ts";

const { network } = createRealEnvironment();
/** More than all buffers on the way take. */
const TOO_MUCH_BYTES = 64 * 1024 * 1024;

function start(policy?: Policy): Promise<TestMesh> {
  return startMesh(["n1", "n2"], line(["n1", "n2"]), {
    modules: () => [createForward()],
    ...(policy === undefined ? {} : { policy }),
  });
}

/** `minime forward` under way; disposed of by ^C. */
class Forwarding implements AsyncDisposable {
  readonly terminal = new MemoryTerminal();
  readonly #stop = new AbortController();
  readonly #running: ReturnType<typeof runCommand>;

  constructor(mesh: TestMesh, args: readonly string[], options: {
    readonly json?: boolean;
    readonly user?: Self;
  } = {}) {
    const { json = false, ...place } = options;
    const { terminal } = this;
    this.#running = runCommand(mesh, (context) => runForward(context, { json }, args), {
      ...place,
      terminal,
      signal: this.#stop.signal,
    });
  }

  /** What it is to that point, or how it ended before. */
  async ports(count = 1): Promise<number[]> {
    let ended: unknown;
    this.#running.then((ran) => ended = ran);
    const lines = () => this.terminal.stdout.match(/^127\.0\.0\.1:\d+ -> /gm) ?? [];
    await until(() => lines().length === count || ended !== undefined);
    assert.equal(ended, undefined);
    return lines().map((line) => Number(/:(\d+)/.exec(line)?.[1]));
  }

  async end(): ReturnType<typeof runCommand> {
    this.#stop.abort(new Error("^C"));
    return await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

function dial(port: number): Promise<BytePipe> {
  return network.dial({ ...LOOPBACK, port });
}

async function readText(pipe: BytePipe): Promise<string> {
  return new TextDecoder().decode(await readAll(pipe));
}

Deno.test("forward: each way of a connection ends by itself", async () => {
  await using mesh = await start();
  await using server = await serve(answerAtEnd);
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  await write(pipe, "hello");
  await pipe.closeWrite();
  assert.equal(await readText(pipe), "got 5: hello");
  pipe.close();
});

Deno.test("forward: a server that has finished still reads what the client sends", async () => {
  await using mesh = await start();
  const got = Promise.withResolvers<string>();
  await using server = await serve(async (pipe) => {
    await write(pipe, "bye");
    await pipe.closeWrite();
    got.resolve(await readText(pipe));
  });
  await using forwarding = new Forwarding(mesh, ["0", `n2:127.0.0.1:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  assert.equal(await readText(pipe), "bye");
  await write(pipe, "still here");
  await pipe.closeWrite();
  assert.equal(await got.promise, "still here");
  pipe.close();
});

Deno.test("forward: many connections at once over one session, bytes as they are", async () => {
  await using mesh = await start();
  await using server = await serve(answerAtEnd);
  const target = `n2:localhost:${server.port}`;
  await using forwarding = new Forwarding(mesh, ["0", target, "0", target]);
  const ports = await forwarding.ports(2);
  await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const bytes = new Uint8Array(50_000 + i).map((_, at) => at * i + (at >> 8));
    const pipe = await dial(ports[i % 2] as number);
    const reading = readAll(pipe);
    await pipe.write(bytes);
    await pipe.closeWrite();
    const answer = await reading;
    assert.deepEqual(answer.subarray(-bytes.length), bytes);
    pipe.close();
  }));
  const sessions = mesh.get("n2").host.links.list().length;
  assert.equal(sessions, 1, "what is forwarded is no link");
});

Deno.test("forward: more than may be at once wait, and all are served", async () => {
  await using mesh = await start();
  const open = Promise.withResolvers<void>();
  await using server = await serve(async (pipe) => {
    await open.promise;
    await answerAtEnd(pipe);
  });
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const asking = Array.from({ length: CONNECTIONS_MAX + 5 }, async () => {
    const pipe = await dial(port);
    await pipe.closeWrite();
    const text = await readText(pipe);
    pipe.close();
    return text;
  });
  await until(() => server.accepted() === CONNECTIONS_MAX);
  await until(() => forwarding.terminal.stderr.includes("at once: the next one waits"));
  open.resolve();
  assert.deepEqual(new Set(await Promise.all(asking)), new Set(["got 0: "]));
  assert.equal(server.accepted(), CONNECTIONS_MAX + 5);
});

Deno.test("forward: a closed port is told, its client is reset, and the forward goes on", async () => {
  await using mesh = await start();
  // One that the kernel gives to nobody else.
  const nobody = 1;
  await using server = await serve(answerAtEnd);
  await using forwarding = new Forwarding(mesh, [
    ...["0", `n2:127.0.0.1:${nobody}`],
    ...["0", `n2:127.0.0.1:${server.port}`],
  ]);
  const [bad = 0, good = 0] = await forwarding.ports(2);
  const refused = await dial(bad);
  await assert.rejects(readAll(refused), { name: "ConnectionError", reason: "reset" });
  refused.close();
  await until(() => forwarding.terminal.stderr !== "");
  assert.match(
    forwarding.terminal.stderr,
    new RegExp(
      `^Warning: 127\\.0\\.0\\.1:\\d+ -> n2:127\\.0\\.0\\.1:${nobody}: Could not dial ` +
        `"127\\.0\\.0\\.1:${nobody}": .*refused.*\n$`,
    ),
  );
  for (let i = 0; i < 2; i++) {
    const pipe = await dial(good);
    await pipe.closeWrite();
    assert.equal(await readText(pipe), "got 0: ");
    pipe.close();
  }
});

Deno.test("forward: a slow reader holds the writer at the far end, in both directions", async () => {
  await using mesh = await start();
  const piece = new Uint8Array(65_536);
  const sent = { server: 0, client: 0 };
  const pour = async (pipe: BytePipe, who: keyof typeof sent) => {
    for (; sent[who] < TOO_MUCH_BYTES; sent[who] += piece.length) await pipe.write(piece);
    await pipe.closeWrite();
  };
  const received = Promise.withResolvers<number>();
  const go = Promise.withResolvers<void>();
  await using server = await serve(async (pipe) => {
    const pouring = pour(pipe, "server");
    await go.promise;
    received.resolve((await readAll(pipe)).length);
    await pouring;
  });
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  const pouring = pour(pipe, "client");
  await until(() => sent.server > 0 && sent.client > 0);
  // Both writers come to a halt, far from what they have to say.
  for (let before = -1; before !== sent.server + sent.client;) {
    before = sent.server + sent.client;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(sent.server < TOO_MUCH_BYTES, `${sent.server}`);
  assert.ok(sent.client < TOO_MUCH_BYTES, `${sent.client}`);
  go.resolve();
  const all = await readAll(pipe);
  await pouring;
  assert.equal(all.length, TOO_MUCH_BYTES);
  assert.equal(await received.promise, TOO_MUCH_BYTES);
  pipe.close();
});

Deno.test("forward: a client that breaks its connection breaks it at the far end", async () => {
  await using mesh = await start();
  const over = Promise.withResolvers<unknown>();
  await using server = await serve(async (pipe) => {
    await write(pipe, "x");
    await pipe.read(new Uint8Array(1)).then(over.resolve, over.resolve);
  });
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  await pipe.read(new Uint8Array(1));
  pipe.reset();
  assert.match(String(await over.promise), /the other end closed the connection/);
  assert.equal(forwarding.terminal.stderr, "");
});

Deno.test("forward: a server that breaks its connection breaks the client's, and it is told", async () => {
  await using mesh = await start();
  await using server = await serve(async (pipe) => {
    await pipe.read(new Uint8Array(1));
    pipe.reset();
  });
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  await write(pipe, "request");
  await assert.rejects(readAll(pipe), { name: "ConnectionError", reason: "reset" });
  pipe.close();
  await until(() => forwarding.terminal.stderr !== "");
  assert.match(
    forwarding.terminal.stderr,
    /: Could not read from .*127\.0\.0\.1:\d+: the other end closed the connection\n$/,
  );
});

Deno.test("forward: policy decides who connects where", async () => {
  await using server = await serve(answerAtEnd);
  const { rules: [rule], limits } = defaultPolicy("ops");
  const destinations = [`localhost:${server.port}`];
  await using mesh = await start({ limits, rules: [{ ...rule!, destinations }] });
  await using forwarding = new Forwarding(mesh, [
    ...["0", `n2:127.0.0.1:${server.port}`],
    ...["0", `n2:localhost:${server.port}`],
  ]);
  const [byAddress = 0, byName = 0] = await forwarding.ports(2);
  const refused = await dial(byAddress);
  await assert.rejects(readAll(refused), { reason: "reset" });
  refused.close();
  await until(() => forwarding.terminal.stderr !== "");
  assert.match(
    forwarding.terminal.stderr,
    /: Policy has no rule for user "alice" .* which allows "forward.connect" on "n2" .* to "127\.0\.0\.1:\d+"\n$/,
  );
  assert.equal(server.accepted(), 0);
  const pipe = await dial(byName);
  await pipe.closeWrite();
  assert.equal(await readText(pipe), "got 0: ");
  pipe.close();
});

Deno.test("forward: without a session nothing is connected to", async () => {
  await using mesh = await start();
  await using server = await serve(answerAtEnd);
  const { keys, user } = mesh;
  const args = { host: "localhost", port: server.port };
  const verb = "forward.connect";
  const link = mesh.get("n1").host.links.list()[0]!;
  await assert.rejects(link.request(verb, keys.sign(user, { verb, args }), { signed: true }), {
    class: "invalid",
    message: "A connection is forwarded in a session, item by item",
  });
  assert.equal(server.accepted(), 0);
});

Deno.test("forward: a session that broke is made again for the next connection", async () => {
  await using mesh = await start();
  await using server = await serve(answerAtEnd);
  await using forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const before = await dial(port);
  await write(before, "x");
  await until(() => server.accepted() === 1);
  mesh.get("n2").breakConnections();
  assert.equal(await readText(before).catch(() => ""), "");
  before.close();
  const after = await dial(port);
  await write(after, "again");
  await after.closeWrite();
  assert.equal(await readText(after), "got 5: again");
  after.close();
});

Deno.test("forward: ^C closes what is open and is no failure", async () => {
  await using mesh = await start();
  await using server = await serve(async (pipe) => void await pipe.read(new Uint8Array(1)));
  const forwarding = new Forwarding(mesh, ["0", `n2:localhost:${server.port}`]);
  const [port = 0] = await forwarding.ports();
  const pipe = await dial(port);
  await until(() => server.accepted() === 1);
  const { code, stderr } = await forwarding.end();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(await readText(pipe).catch(() => ""), "");
  pipe.close();
  await assert.rejects(dial(port), { reason: "refused" });
});

Deno.test("forward: what cannot be begun is refused before anything listens", async () => {
  await using mesh = await start();
  const taken = await network.listen(LOOPBACK);
  const inUse = new Forwarding(mesh, [`${portOf(taken)}`, "n2:localhost:1"]);
  await until(() => inUse.terminal.stderr !== "");
  const { code, stdout, stderr } = await inUse.end();
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^Could not listen on "127\.0\.0\.1:\d+": the address is taken\n$/);
  taken.close();
});
