/** The files module without its daemon, with the real process that copies: who may write what, where. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  CallError,
  type Child,
  type Context,
  decodeValue,
  type Environment,
  type Principal,
  signForModule,
  verifyForModule,
} from "../../../core/mod.ts";
import { Copies } from "../../../modules/files/copies.ts";
import {
  AGENTS_OF_ONE_MAX,
  SAME_PLACE_MS_MAX,
  STALLED_MS_MIN,
} from "../../../modules/files/limits.ts";
import { Ground } from "../../../modules/files/ground.ts";
import { nameOf } from "../../../modules/files/location.ts";
import { Problems } from "../../../modules/files/problems.ts";
import { type NeedRecord, readNeed } from "../../../modules/files/records.ts";
import { sendFiles } from "../../../modules/files/sender.ts";
import type { Summary } from "../../../modules/files/summary.ts";
import { signPieces } from "../../../modules/shared/signed_input.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { until } from "../../support/wait.ts";
import { userName } from "../exec/scene.ts";
import { Mail, temporaryFolder } from "./scene.ts";

type Signed = Extract<Principal, { kind: "signed" }>;

interface WriteOptions {
  readonly from: string;
  readonly to: string;
  readonly principal?: Partial<Signed>;
  readonly signal?: AbortSignal;
  readonly stalledMs?: number;
  /** What a relay does. @default nothing */
  readonly way?: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

interface Scene extends AsyncDisposable {
  readonly copies: Copies;
  context(options: Partial<Context>, principal?: Partial<Signed>): Context;
  write(options: WriteOptions): Promise<Summary>;
}

const RUN = "5a".repeat(16);

async function makeScene(given: Partial<Environment> = {}): Promise<Scene> {
  const env = { ...createRealEnvironment(), ...given };
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: env.random, now: () => env.clock.now() });
  const user = keys.person({ name: "alice", type: "user" });
  const copies = new Copies({
    env,
    self: keys.person({ name: "n2" }).identity,
    stopping: new AbortController().signal,
    verify: (domain, signed) => verifyForModule(primitives, { domain, ...signed }),
  });
  const context: Scene["context"] = (options, principal = {}) => ({
    principal: {
      kind: "signed",
      identity: user.identity,
      requestId: "00".repeat(16),
      as: userName(),
      rule: "allow[0]",
      maxProcesses: undefined,
      commandsOnly: false,
      ...principal,
    },
    peer: { kind: "internal", module: "group" },
    signal: new AbortController().signal,
    deadlineMs: 0,
    bound: false,
    input: (async function* () {})(),
    ...options,
  });
  return {
    copies,
    context,
    async write({ from, to, principal, signal, stalledMs, way = (pieces) => pieces }) {
      const needs = new Mail<NeedRecord>();
      const pieces = sendFiles({
        ground: new Ground(env.disk, { stands: false }),
        roots: [{ path: from, name: nameOf(from) }],
        problems: new Problems(),
        startSha256: () => primitives.startSha256(),
        needs: async () => [await needs.next()],
      });
      const seed = user.signSeed;
      const input = way(signPieces(pieces, {
        run: RUN,
        sign: (domain, signed) =>
          Promise.resolve(signForModule(primitives, { domain, ...signed, seed })),
      }));
      const order = { run: RUN, path: to, single: true, input: "hashed", stalledMs } as const;
      const given = context({ input, ...(signal === undefined ? {} : { signal }) }, principal);
      const writing = copies.write(order, given);
      for (;;) {
        const { done, value } = await writing.next();
        if (done) return value as Summary;
        needs.put(readNeed(decodeValue(value as Uint8Array)));
      }
    },
    [Symbol.asyncDispose]: () => copies.stop(),
  };
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("files: a process of its own writes what the user has signed", async () => {
  await using scene = await makeScene();
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.writeTextFileSync(from, "content");
  const { files, bytes, problems } = await scene.write({ from, to });
  assert.deepEqual([files, bytes, problems], [1, 7, 0]);
  assert.equal(Deno.readTextFileSync(to), "content");
  await assert.rejects(scene.write({ from, to: `${folder.path}/no/to` }), {
    class: "failed",
    message: `There is no folder "${folder.path}/no"`,
  });
});

Deno.test("files: what a relay changes or drops is refused, and nothing of it is left", async () => {
  await using scene = await makeScene();
  using folder = temporaryFolder();
  const from = `${folder.path}/from`;
  const to = `${folder.path}/to`;
  Deno.mkdirSync(to);
  Deno.writeFileSync(from, new Uint8Array(900_000).fill(65));
  const alter = async function* (pieces: AsyncIterable<Uint8Array>) {
    let count = 0;
    for await (const piece of pieces) {
      const other = piece.slice();
      if (++count === 4) other[50_000] = 66;
      yield other;
    }
  };
  const drop = async function* (pieces: AsyncIterable<Uint8Array>) {
    let count = 0;
    for await (const piece of pieces) if (++count !== 4) yield piece;
  };
  for (const way of [alter, drop]) {
    await assert.rejects(scene.write({ from, to, way }), {
      class: "refused",
      message: "The input is not what the user has signed",
    });
    assert.deepEqual(names(to), []);
  }
});

Deno.test("files: a rule with paths holds the real path to them", async () => {
  await using scene = await makeScene();
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  Deno.mkdirSync(at("allowed/sub"), { recursive: true });
  Deno.mkdirSync(at("secret"));
  Deno.symlinkSync(at("secret"), at("allowed/link"));
  Deno.writeTextFileSync(at("from"), "content");
  const principal = { paths: [at("allowed")], rule: "allow[7]" };
  const from = at("from");
  await scene.write({ from, to: at("allowed/sub"), principal });
  assert.deepEqual(names(at("allowed/sub")), ["from"]);
  for (const [to, real] of [["allowed/link", "secret"], ["allowed/link/x", "secret/x"]]) {
    await assert.rejects(scene.write({ from, to: at(to as string), principal }), {
      class: "refused",
      message: `Rule allow[7] does not allow "${at(real as string)}"`,
    });
  }
  const order = { path: at("allowed/link"), name: "link", checksum: false };
  const reading = scene.copies.read(order, scene.context({ bound: true }, principal));
  await assert.rejects(reading.next(), {
    message: `Rule allow[7] does not allow "${at("secret")}"`,
  });
  // Of a folder that is copied into one.
  Deno.mkdirSync(at("tree/link"), { recursive: true });
  Deno.writeTextFileSync(at("tree/link/evil"), "evil");
  const { shown } = await scene.write({ from: `${at("tree")}/.`, to: at("allowed"), principal });
  assert.deepEqual(shown, [`"${at("allowed/link")}" is no folder`]);
  assert.deepEqual(names(at("secret")), []);
});

Deno.test("files: of several rules that fit each counts as a whole, in whatever order", async () => {
  await using scene = await makeScene();
  using folder = temporaryFolder();
  const at = (path: string) => `${folder.path}/${path}`;
  for (const name of ["a", "b"]) Deno.mkdirSync(at(name));
  Deno.symlinkSync(at("b"), at("a/link"));
  Deno.writeTextFileSync(at("from"), "content");
  const [from, to] = [at("from"), at("a/link")];
  const one = { rule: "allow[0]", maxProcesses: undefined, paths: [at("a")] };
  const two = { rule: "allow[1]", maxProcesses: 1, paths: [at("a/l*"), at("b")] };
  await scene.write({ from, to, principal: { ...one, others: [two] } });
  await scene.write({ from, to, principal: { ...two, others: [one] } });
  const full = { ...one, others: [{ ...two, maxProcesses: 0 }] };
  const message = `Rule allow[0] does not allow "${at("b")}"`;
  await assert.rejects(scene.write({ from, to, principal: full }), { message });
});

Deno.test("files: a rule that names no unix user grants nothing, and reading needs a session", async () => {
  await using scene = await makeScene();
  await assert.rejects(scene.write({ from: "/etc/hosts", to: "/tmp", principal: { as: "" } }), {
    class: "refused",
    message: "Rule allow[0] does not say as which unix user to copy files",
  });
  const order = { path: "/etc/hosts", name: "hosts", checksum: false };
  await assert.rejects(scene.copies.read(order, scene.context({})).next(), {
    class: "refused",
    message: "Files are read in a session of the user's own only",
  });
});

Deno.test("files: a process whose disk hangs is given up, and its place is free", async () => {
  const { processes } = createRealEnvironment();
  const clock = new ManualClock();
  const children: Child[] = [];
  let isStuck = false;
  const spawn = async (...given: Parameters<typeof processes.spawn>) => {
    const child = await processes.spawn(...given);
    children.push(child);
    // Stopped it does nothing, as one that waits for a disk; some do not even end when they are killed.
    child.kill("SIGSTOP");
    return isStuck
      ? Object.create(child, {
        kill: { value: () => {} },
        status: { value: new Promise(() => {}) },
        release: { value: () => {} },
        ...Object.fromEntries(
          (["pid", "stdin", "stdout", "stderr"] as const)
            .map((name) => [name, { value: child[name] }]),
        ),
      }) as Child
      : child;
  };
  await using scene = await makeScene({
    clock,
    processes: Object.create(processes, { spawn: { value: spawn } }),
  });
  using folder = temporaryFolder();
  for (const stuck of [false, true]) {
    isStuck = stuck;
    let ended = false;
    const writing = assert.rejects(
      scene.write({ from: "/etc/hosts", to: folder.path, stalledMs: STALLED_MS_MIN }),
      { class: "timeout", message: "Given up: the disk here has taken and given nothing for 1 s" },
    ).finally(() => ended = true);
    while (!ended) {
      await clock.advance(STALLED_MS_MIN / 8);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writing;
  }
  for (const child of children) {
    child.kill("SIGKILL");
    await child.status;
  }
});

Deno.test("files: as many at once as the rule says", async () => {
  await using scene = await makeScene();
  using folder = temporaryFolder();
  const left = new AbortController();
  const first = scene.write({
    from: "/etc/hosts",
    to: folder.path,
    way: never,
    signal: left.signal,
  });
  const ended = assert.rejects(first, { class: "cancelled" });
  // It enters when its user is known.
  const again = async (to: string, principal: Partial<Signed>) => {
    for (;;) {
      try {
        await scene.write({
          from: "/etc/hosts",
          to,
          principal,
          way: never,
          signal: AbortSignal.abort(new CallError("cancelled", "Test")),
        });
      } catch (error) {
        if (error instanceof CallError && error.class !== "cancelled") return error.message;
      }
    }
  };
  assert.match(await again("/tmp", { maxProcesses: 1 }), /lets user "alice" run 1 at once here$/);
  left.abort(new CallError("cancelled", "Nobody waits"));
  await ended;
});

/** What never brings anything. */
function never(): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
}

// When the daemon that was asked had died, the same command was refused for some ten seconds.
Deno.test("files: a second copy to one place waits for the first one, and not for ever", async () => {
  const { processes } = createRealEnvironment();
  const clock = new ManualClock();
  let begun = 0;
  const spawn = (...given: Parameters<typeof processes.spawn>) => {
    begun++;
    return processes.spawn(...given);
  };
  await using scene = await makeScene({
    clock,
    processes: Object.create(processes, { spawn: { value: spawn } }),
  });
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.writeTextFileSync(from, "content");
  const left = new AbortController();
  const first = scene.write({ from, to, way: never, signal: left.signal });
  const ended = assert.rejects(first, { class: "cancelled" });
  await until(() => clock.timers === 1, "the first one is watched");
  const second = assert.rejects(scene.write({ from, to }), {
    class: "busy",
    message: "Another copy of yours to that place is under way",
  });
  await until(() => clock.timers === 2, "the second one waits");
  await clock.advance(SAME_PLACE_MS_MAX);
  await second;
  const third = scene.write({ from, to });
  await until(() => clock.timers === 2, "the third one waits");
  assert.equal(begun, 1);
  left.abort(new CallError("cancelled", "Nobody carries it"));
  await ended;
  assert.equal((await third).files, 1);
  assert.equal(Deno.readTextFileSync(to), "content");
});

Deno.test("files: nobody's copies keep all others from copying", async () => {
  const { processes } = createRealEnvironment();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let begun = 0;
  const spawn = async () => {
    begun++;
    await released;
    throw new CallError("cancelled", "Test");
  };
  await using scene = await makeScene({
    processes: Object.create(processes, { spawn: { value: spawn } }),
  });
  using _ = { [Symbol.dispose]: release };
  const texts: string[] = [];
  const copyAs = async (principal: Partial<Signed>) => {
    const order = { path: "/etc/hosts", name: "hosts", checksum: false };
    const reading = scene.copies.read(order, scene.context({ bound: true }, principal));
    await assert.rejects(reading.next(), ({ message }: Error) => texts.push(message) > 0);
  };
  const own = Array.from({ length: AGENTS_OF_ONE_MAX + 2 }, () => copyAs({}));
  await until(() => begun + texts.length === own.length, "all of one user have entered or not");
  const busy = `${AGENTS_OF_ONE_MAX} copies of yours are under way here already`;
  assert.deepEqual(texts, [busy, busy]);
  const { identity } = scene.context({}).principal as Signed;
  const other = copyAs({ identity: { ...identity, keyId: "f".repeat(64), name: "bob" } });
  await until(() => begun === AGENTS_OF_ONE_MAX + 1, "another user's has entered");
  release();
  await Promise.all([...own, other]);
});

Deno.test({
  name: "files: another user's files are written by that user",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using scene = await makeScene();
    using folder = temporaryFolder();
    const at = (path: string) => `${folder.path}/${path}`;
    Deno.chmodSync(folder.path, 0o755);
    const { uid, gid } = nobody();
    for (const name of ["own", "other"]) Deno.mkdirSync(at(name), { mode: 0o700 });
    Deno.chownSync(at("own"), uid, gid);
    Deno.writeTextFileSync(at("from"), "content");
    Deno.chmodSync(at("from"), 0o644);
    const principal = { as: "nobody" };
    await scene.write({ from: at("from"), to: at("own"), principal });
    const facts = Deno.statSync(at("own/from"));
    assert.deepEqual([facts.uid, facts.gid, (facts.mode ?? 0) & 0o777], [uid, gid, 0o644]);
    const denied = await scene.write({ from: at("from"), to: at("other"), principal })
      .catch((error) => ({ shown: [error.message] }));
    assert.match(denied.shown.join(), /permission denied/);
    assert.deepEqual(names(at("other")), []);
  },
});

function nobody(): { readonly uid: number; readonly gid: number } {
  const line = Deno.readTextFileSync("/etc/passwd").split("\n")
    .find((each) => each.startsWith("nobody:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
