import assert from "node:assert/strict";
import * as v from "valibot";
import { type Module, type ModuleHost, type Verb, verb } from "../../../core/mod.ts";
import { MODULE_STOP_MS_MAX, SHUTDOWN_DRAIN_MS_MAX } from "../../../core/limits.ts";
import { inWorld, type World, type WorldNode } from "./world.ts";

interface ModuleHooks {
  readonly start?: (host: ModuleHost) => Promise<void>;
  readonly stop?: () => Promise<void>;
  readonly verbs?: Readonly<Record<string, Verb>>;
}

/** A module that notes its life in `log`. */
function module(name: string, log: string[], hooks: ModuleHooks = {}): Module {
  return {
    name,
    verbs: hooks.verbs ?? {},
    start: async (host) => {
      log.push(`start ${name}`);
      await hooks.start?.(host);
    },
    stop: async () => {
      log.push(`stop ${name}`);
      await hooks.stop?.();
    },
  };
}

const never = () => new Promise<never>(() => {});

/** A read verb that answers when `answer` resolves. */
const waiting = (answer: Promise<unknown>) =>
  verb({ action: "read", args: v.undefined(), reply: v.unknown(), handle: () => answer });

async function portIsFree(world: World, node: WorldNode): Promise<boolean> {
  const { network } = world.simulation.host("desk");
  const [host = "", port = ""] = node.endpoint.slice(4).split(":");
  try {
    (await network.dial({ transport: "tcp", host, port: Number(port) })).close();
    return false;
  } catch {
    return true;
  }
}

Deno.test("shutdown: modules stop in reverse order, once, however often it is asked for", async () => {
  await inWorld(async (world) => {
    const log: string[] = [];
    const modules = ["a", "b", "c"].map((name) => module(name, log));
    const n1 = await world.start("n1", { modules });
    assert.equal(n1.state, "running");
    const first = n1.daemon.stop("first");
    assert.equal(n1.daemon.stop("second"), first);
    await first;
    assert.equal(await n1.daemon.stopped, "first");
    await n1.daemon.stop("third");
    assert.deepEqual(log, ["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
    assert.equal(n1.state, "stopped");
    assert.equal(await portIsFree(world, n1), true);
    await assert.rejects(n1.daemon.start(), {
      message: "Daemon cannot go from stopped to starting",
    });
  });
});

Deno.test("shutdown: of a daemon that never started does nothing and is final", async () => {
  await inWorld(async (world) => {
    const log: string[] = [];
    const n1 = world.make("n1", { modules: [module("a", log)] });
    await n1.daemon.stop("not needed");
    assert.equal(await n1.daemon.stopped, "not needed");
    await assert.rejects(n1.daemon.start(), {
      message: "Daemon cannot go from stopped to starting",
    });
    assert.deepEqual(log, []);
  });
});

Deno.test("start: a module that fails stops those before it, and itself, and says why", async () => {
  await inWorld(async (world) => {
    const log: string[] = [];
    const broken = new Error("no such device");
    const n1 = world.make("n1", {
      modules: [
        module("a", log),
        module("b", log, { start: () => Promise.reject(broken) }),
        module("c", log),
      ],
    });
    await assert.rejects(n1.daemon.start(), broken);
    assert.deepEqual(log, ["start a", "start b", "stop b", "stop a"]);
    assert.equal(n1.state, "stopped");
    assert.equal(await n1.daemon.stopped, "start failed: no such device");
    assert.equal(await portIsFree(world, n1), true);
  });
});

Deno.test("start: a taken port fails it, and the other ports are free again", async () => {
  await inWorld(async (world) => {
    const n1 = await world.start("n1");
    const log: string[] = [];
    const twin = world.make("twin", {
      machine: "n1",
      listen: ["tcp:0.0.0.0:9000", "tcp:0.0.0.0:7117"],
      env: world.simulation.process("n1"),
      modules: [module("a", log)],
    });
    await assert.rejects(twin.daemon.start(), { reason: "address-taken" });
    assert.deepEqual([log, twin.daemon.endpoints().length], [[], 1]);
    const third = await world.start("third", {
      listen: ["tcp:0.0.0.0:9000"],
      env: world.simulation.process("n1"),
    });
    assert.deepEqual([n1.state, twin.state, third.state], ["running", "stopped", "running"]);
  });
});

Deno.test("start: an endpoint that is none fails it with what is wrong", async () => {
  await inWorld(async (world) => {
    const n1 = world.make("n1", { listen: ["tcp:somewhere"] });
    await assert.rejects(n1.daemon.start(), {
      message: 'Endpoint "tcp:somewhere" is not usable: it has no port',
    });
    assert.equal(n1.state, "stopped");
  });
});

Deno.test("start: a stop meanwhile ends it, and nothing more is started", async () => {
  // The rest was started behind the shutdown's back and never stopped.
  await inWorld(async (world) => {
    const log: string[] = [];
    const going = Promise.withResolvers<void>();
    const n1 = world.make("n1", {
      modules: [
        module("a", log),
        module("b", log, { start: () => going.promise }),
        module("c", log),
      ],
    });
    const starting = assert.rejects(n1.daemon.start(), { message: "Daemon was stopped meanwhile" });
    await world.pass(10);
    assert.deepEqual(log, ["start a", "start b"]);
    const stopping = n1.daemon.stop("changed my mind");
    await world.pass(10);
    going.resolve();
    await Promise.all([starting, stopping]);
    assert.deepEqual(log, ["start a", "start b", "stop b", "stop a"]);
    assert.deepEqual([n1.state, await portIsFree(world, n1)], ["stopped", true]);
  });
});

Deno.test("start: a stop at any moment leaves nothing behind", async () => {
  for (let ms = 0; ms < 1; ms += 0.05) {
    await inWorld(async (world) => {
      const log: string[] = [];
      const slow = () => world.pass(0.2);
      const modules = ["a", "b"].map((name) => module(name, log, { start: slow, stop: slow }));
      const n1 = world.make("n1", { modules, listen: ["tcp:0.0.0.0:7117", "tcp:0.0.0.0:7118"] });
      const starting = n1.daemon.start().catch(() => {});
      await world.pass(ms);
      await n1.daemon.stop("now");
      await starting;
      await world.pass(10);
      const started = log.filter((line) => line.startsWith("start")).length;
      const stopped = log.filter((line) => line.startsWith("stop")).length;
      assert.deepEqual([stopped, n1.state], [started, "stopped"], `after ${ms} ms`);
      assert.equal(await portIsFree(world, n1), true);
    });
  }
});

Deno.test("shutdown: who is being answered gets the answer, who comes later a refusal", async () => {
  await inWorld(async (world) => {
    const answer = Promise.withResolvers<string>();
    const stopping = Promise.withResolvers<void>();
    const log: string[] = [];
    const modules = [module("a", log, {
      verbs: { wait: waiting(answer.promise), ask: waiting(Promise.resolve("yes")) },
      stop: () => stopping.promise,
    })];
    const n1 = await world.start("n1", { modules });
    const client = await world.client(n1, world.keys.person({ name: "alice", type: "user" }));
    const running = client.request("a.wait");
    await world.pass(1);
    const stopped = n1.daemon.stop("maintenance");
    await world.pass(1);
    assert.equal(await client.request("a.ask"), "yes");
    assert.deepEqual(log, ["start a"]);
    answer.resolve("at last");
    assert.equal(await running, "at last");
    await world.pass(1);
    assert.deepEqual(log, ["start a", "stop a"]);
    await assert.rejects(client.request("a.ask"), {
      class: "unreachable",
      message: "This daemon is shutting down",
    });
    stopping.resolve();
    await stopped;
    const { by, text } = await client.done;
    assert.deepEqual([by, text], ["peer", "maintenance"]);
  });
});

Deno.test("shutdown: long handlers are told by the daemon's signal, and need not be waited for", async () => {
  await inWorld(async (world) => {
    let stopping: AbortSignal | undefined;
    const watch = verb({
      action: "read",
      args: v.undefined(),
      reply: v.string(),
      handle: async function* () {
        yield "watching";
        await new Promise((resolve) => stopping?.addEventListener("abort", resolve));
        return String(stopping?.reason);
      },
    });
    const modules = [module("a", [], {
      verbs: { watch },
      start: (host) => {
        stopping = host.stopping;
        return Promise.resolve();
      },
    })];
    const n1 = await world.start("n1", { modules });
    const client = await world.client(n1, world.keys.person({ name: "alice", type: "user" }));
    const call = client.stream("a.watch", undefined, { deadlineMs: 0 });
    await world.pass(1);
    const before = world.simulation.now;
    await n1.daemon.stop("maintenance");
    assert.ok(world.simulation.now - before < SHUTDOWN_DRAIN_MS_MAX);
    assert.deepEqual(await Array.fromAsync(call), ["watching"]);
    assert.equal(await call.reply, "Error: Daemon stops: maintenance");
  });
});

Deno.test("shutdown: modules stop while their links still stand, and listeners close last", async () => {
  await inWorld(async (world) => {
    const n2 = await world.start("n2");
    const told: string[] = [];
    let host: ModuleHost | undefined;
    const modules = [module("a", [], {
      start: (given) => {
        host = given;
        return Promise.resolve();
      },
      stop: async () => {
        const [link] = host!.links.list();
        told.push((await link!.request("core.ping") as { name: string }).name);
        told.push(`port is free: ${await portIsFree(world, n1)}`);
      },
    })];
    const n1: WorldNode = await world.start("n1", { modules });
    await world.dial(n1, n2);
    await n1.daemon.stop("maintenance");
    assert.deepEqual(told, ["n2", "port is free: false"]);
    await world.pass(1);
    assert.deepEqual(n2.changes, ["up n1", "down n1: maintenance"]);
    assert.equal(await portIsFree(world, n1), true);
  });
});

Deno.test("shutdown: nothing that hangs keeps the daemon, and each is named in the log", async () => {
  await inWorld(async (world) => {
    const log: string[] = [];
    const n1 = await world.start("n1", {
      modules: [
        module("a", log),
        module("b", log, { verbs: { wait: waiting(never()) }, stop: never }),
        module("c", log, { stop: () => Promise.reject(new Error("broken")) }),
      ],
    });
    const client = await world.client(n1, world.keys.person({ name: "alice", type: "user" }));
    const call = assert.rejects(client.request("b.wait"), { class: "unreachable" });
    await world.pass(1);
    const before = world.simulation.now;
    await n1.daemon.stop("maintenance");
    await call;
    const took = world.simulation.now - before;
    assert.ok(took >= SHUTDOWN_DRAIN_MS_MAX + MODULE_STOP_MS_MAX, `${took} ms`);
    assert.ok(took < SHUTDOWN_DRAIN_MS_MAX + MODULE_STOP_MS_MAX + 100, `${took} ms`);
    assert.deepEqual(log.slice(-3), ["stop c", "stop b", "stop a"]);
    const lines = n1.logged.filter((line) => line.includes("did not stop"));
    assert.deepEqual(lines, [
      `warning core: Running requests did not stop within ${SHUTDOWN_DRAIN_MS_MAX} ms`,
      'error core: Module "c" did not stop well: broken',
      `warning core: Module "b" did not stop within ${MODULE_STOP_MS_MAX} ms`,
    ]);
  });
});

Deno.test("shutdown: peers that vanished do not keep the daemon", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [await world.start("n1"), await world.start("n2")];
    await world.dial(n1, n2);
    world.simulation.powerOff("n2");
    world.nodes.splice(world.nodes.indexOf(n2), 1);
    const before = world.simulation.now;
    await n1.daemon.stop("maintenance");
    assert.ok(world.simulation.now - before < 10_000);
    assert.equal(n1.state, "stopped");
  });
});

Deno.test("core.shutdown: who asked gets the reply before the conduit closes", async () => {
  await inWorld(async (world) => {
    const alice = world.keys.person({ name: "alice", type: "user" });
    const sign = () =>
      world.keys.sign(alice, { verb: "core.shutdown", args: { reason: "over for today" } });
    const n1 = await world.start("n1");
    const client = await world.client(n1, alice);
    assert.deepEqual(await client.request("core.shutdown", sign(), { signed: true }), {
      name: "n1",
    });
    assert.equal((await client.done).text, "over for today");
    assert.equal(await n1.daemon.stopped, "over for today");

    const [n2, n3] = [await world.start("n2"), await world.start("n3")];
    const link = await world.dial(n2, n3);
    assert.deepEqual(await link.request("core.shutdown", sign(), { signed: true }), { name: "n3" });
    assert.equal((await link.closed).text, "over for today");
    await n3.daemon.stopped;
  });
});

Deno.test("shutdown: a client that comes in the middle of it is closed too", async () => {
  await inWorld(async (world) => {
    const gate = Promise.withResolvers<void>();
    const modules = [module("a", [], { stop: () => gate.promise })];
    const n1 = await world.start("n1", { modules });
    const alice = world.keys.person({ name: "alice", type: "user" });
    const stopped = n1.daemon.stop("maintenance");
    await world.pass(5);
    const client = await world.client(n1, alice);
    await assert.rejects(client.request("core.ping"), { message: "This daemon is shutting down" });
    gate.resolve();
    await stopped;
    assert.equal((await client.done).text, "maintenance");
  });
});

Deno.test("shutdown: a client that comes when the others are being closed is closed too", async () => {
  await inWorld(async (world) => {
    const [n1, n2] = [await world.start("n1"), await world.start("n2")];
    await world.dial(n1, n2);
    // Its goodbye is waited for.
    world.simulation.powerOff("n2");
    world.nodes.splice(world.nodes.indexOf(n2), 1);
    const stopped = n1.daemon.stop("maintenance");
    await world.pass(1_000);
    const client = await world.client(n1, world.keys.person({ name: "alice", type: "user" }));
    await stopped;
    assert.equal((await client.done).text, "maintenance");
  });
});
