/**
 * `deno task demo`: a mesh of four daemons on this machine, from boot to halt, by the commands that a
 * user would type. Everything lies in one temporary folder; afterwards nothing is left of it, and the
 * demo looks whether that is true. ^C in the middle leaves nothing either.
 */

import { commandOf, ensureBinary } from "./binary.ts";

const VICTIM = "n3";
const DOWN_MS_MAX = 10_000;
const KILL_INTERVAL_MS = 10;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const encoder = new TextEncoder();

function say(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

class Demo implements AsyncDisposable {
  readonly #program: readonly string[];
  readonly #folder: string;
  readonly #signal: AbortSignal;

  constructor(program: readonly string[], folder: string, signal: AbortSignal) {
    this.#program = program;
    this.#folder = folder;
    this.#signal = signal;
  }

  get meshFile(): string {
    return `${this.#folder}/hosts.toml`;
  }

  /** Runs one command in view of the reader; throws when it fails. */
  async show(...args: string[]): Promise<void> {
    say(`\n$ minime ${args.map((arg) => /[[\]* ]/.test(arg) ? `'${arg}'` : arg).join(" ")}\n`);
    const { code } = await this.#command(args, "inherit").spawn().status;
    this.#signal.throwIfAborted();
    if (code !== 0) throw new Error(`minime ${args.join(" ")} ended with exit code ${code}`);
  }

  async json(...args: string[]): Promise<unknown> {
    const { code, stdout } = await this.#command([...args, "--json"], "piped").output();
    this.#signal.throwIfAborted();
    if (code !== 0) throw new Error(`minime ${args.join(" ")} ended with exit code ${code}`);
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  /** The process that the daemon's pid file names. */
  async pidOf(node: string): Promise<number> {
    const path = `${this.#folder}/state/minime/demo/${node}/pid`;
    return Number((await Deno.readTextFile(path)).split(" ")[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever went wrong before: nothing that the demo started outlives it, half a daemon neither.
    for (let pids; (pids = await processesOf(this.#folder)).length > 0;) {
      for (const pid of pids) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, KILL_INTERVAL_MS));
    }
    await Deno.remove(this.#folder, { recursive: true });
  }

  #command(args: readonly string[], stdout: "inherit" | "piped"): Deno.Command {
    const [program = "", ...first] = this.#program;
    return new Deno.Command(program, {
      args: [...first, ...args],
      stdin: "null",
      stdout,
      stderr: "inherit",
      signal: this.#signal,
      env: {
        MINIME_MESH: "demo",
        XDG_CONFIG_HOME: `${this.#folder}/config`,
        XDG_STATE_HOME: `${this.#folder}/state`,
        XDG_CACHE_HOME: `${this.#folder}/cache`,
      },
    });
  }
}

/** Processes whose environment mentions the folder: all that was started with it, in any generation. */
async function processesOf(folder: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const environment = await Deno.readTextFile(`/proc/${name}/environ`);
      if (environment.includes(folder)) found.push(Number(name));
    } catch (error) {
      // Gone meanwhile, or somebody else's.
      const ignored = error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied ||
        (error instanceof Error && error.message.includes("os error 3"));
      if (!ignored) throw error;
    }
  }
  return found;
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // Gone meanwhile.
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DOWN_MS_MAX;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`Waited ${DOWN_MS_MAX} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function stateOf(demo: Demo, node: string): Promise<string | undefined> {
  const nodes = await demo.json("nodes") as { nodes: { name: string; state: string }[] };
  return nodes.nodes.find(({ name }) => name === node)?.state;
}

async function runDemo(demo: Demo): Promise<void> {
  await Deno.writeTextFile(
    demo.meshFile,
    `name = "demo"\n\n[[hosts]]\nnames = "n[1-4]"\nlauncher = "local"\n`,
  );
  say(`\n$ cat hosts.toml\n${await Deno.readTextFile(demo.meshFile)}`);
  await demo.show("boot", "--hosts", demo.meshFile);
  await demo.show("nodes");
  await demo.show("uptime");
  say("\nEqual answers fold:\n");
  await demo.show("uptime", "-b");
  const pid = await demo.pidOf(VICTIM);
  say(`\n$ kill -9 ${pid}        # the daemon of ${VICTIM}\n`);
  Deno.kill(pid, "SIGKILL");
  await until(`${VICTIM} is noticed as down`, async () => await stateOf(demo, VICTIM) === "down");
  await demo.show("nodes");
  say(`\nIt grows back:\n`);
  await demo.show("grow", "-w", VICTIM);
  await demo.show("uptime");
  await demo.show("halt");
}

const binary = await ensureBinary();
if (binary.kind === "source") {
  say(`Running from source, because there is no compiled file: ${binary.why}\n`);
} else say(`Using ${binary.path} (${binary.runtime})\n`);
const stop = new AbortController();
let interrupt: typeof SIGNALS[number] | undefined;
const listeners = SIGNALS.map((signal) => {
  const listener = () => {
    interrupt ??= signal;
    stop.abort();
  };
  Deno.addSignalListener(signal, listener);
  return () => Deno.removeSignalListener(signal, listener);
});
const folder = await Deno.makeTempDir({ prefix: "minime-demo-" });
try {
  await using demo = new Demo(commandOf(binary), folder, stop.signal);
  await runDemo(demo);
  const left = await processesOf(folder);
  if (left.length > 0) throw new Error(`Processes are left: ${left.join(" ")}`);
} catch (error) {
  if (error !== stop.signal.reason) throw error;
}
for (const remove of listeners) remove();
if (interrupt !== undefined) {
  Deno.kill(Deno.pid, interrupt);
  await new Promise((resolve) => setTimeout(resolve, DOWN_MS_MAX)); // It takes a moment to arrive.
}
say("\nNothing is left: no process, no socket, no folder.\n");
