/**
 * The machines of the chaos: hosts of a rig, each with an installed node, a mesh file and keys made
 * by the program under test. The last one has no keys: it joins by token, late. Whoever asks sits on
 * the rig's origin, or talks to a daemon by its socket.
 */

import { type Binary, ensureBinary } from "../../tools/binary.ts";
import { Client } from "../soak/clients.ts";
import type { LineResult } from "../soak/worker.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { Rig, until } from "../system/rig/mod.ts";
import { Machine, PROGRAM, STATE, TOKEN } from "./machine.ts";

/** On the busiest machine; what is wrong by then stays wrong. */
const WHOLE_MS_MAX = 300_000;
const PORT = 7117;
/** A command that has not ended by then never does. */
const ASK_MS_MAX = 180_000;

export class Machines implements AsyncDisposable {
  readonly all: readonly Machine[];
  readonly rig: Rig;
  readonly local: LocalMesh;
  /** Commands that did not end. */
  readonly hung: string[] = [];
  /** Asks what nodes see, and does the administrator's work. */
  readonly #asking: Client[] = [];
  readonly #stack: AsyncDisposableStack;

  private constructor(rig: Rig, local: LocalMesh, stack: AsyncDisposableStack) {
    this.rig = rig;
    this.local = local;
    this.all = rig.hosts.map((host) => new Machine(host.name, host));
    this.#stack = stack;
  }

  /** So many of the file, and one that joins late. Nothing runs. */
  static async prepare(count: number): Promise<Machines> {
    const binary = await ensureBinary();
    await using stack = new AsyncDisposableStack();
    const names = Array.from({ length: count + 1 }, (_, i) => `n${i + 1}`);
    const local = stack.use(await LocalMesh.start({ boot: false, binary }));
    const rig = stack.use(await Rig.start({ hosts: names }));
    const machines = new Machines(rig, local, stack.move());
    machines.#stack.defer(async () => {
      await Promise.all(machines.all.map((machine) => machine.end("SIGKILL")));
    });
    try {
      await machines.#install(binary);
      return machines;
    } catch (error) {
      await machines[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** That makes tokens. */
  get registrar(): Machine {
    return this.all[0] as Machine;
  }

  /** That joins by token. */
  get joiner(): Machine {
    return this.all.at(-1) as Machine;
  }

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** That should be up. */
  get wanted(): Machine[] {
    return this.all.filter(({ isWanted }) => isWanted);
  }

  named(name: string): Machine {
    return this.all.find((one) => one.name === name) as Machine;
  }

  client(): Client {
    const client = new Client(this.local.environment, { network: this.rig.origin.holderPid });
    this.#stack.defer(() => client.close());
    return client;
  }

  /** Whom a client asks: the daemon of that name by its socket, or without any whoever is nearest. */
  entry(name?: string): Record<string, string> {
    const state = name === undefined
      ? `${this.local.folder}/nowhere`
      : this.named(name).host.path(STATE);
    return { XDG_STATE_HOME: state };
  }

  /** One command of the administrator's, from the origin. Several may run at once. */
  async ask(...words: readonly string[]): Promise<LineResult> {
    return await this.#run(words, this.entry());
  }

  /** Keys of a node, made anew. */
  async provision(machine: Machine): Promise<void> {
    const out = await Deno.makeTempDir({ dir: this.local.folder });
    await this.local.must("mesh", "provision", machine.name, "--out", `${out}/new`);
    for (const { name } of Deno.readDirSync(`${out}/new/${machine.name}`)) {
      await copyPrivate(`${out}/new/${machine.name}/${name}`, machine.keys(name));
    }
  }

  /** The joiner has no keys from now on, and a token. */
  async giveToken(): Promise<void> {
    const { joiner } = this;
    for (const { name } of Deno.readDirSync(joiner.keys(""))) {
      if (name !== "mesh.toml") await Deno.remove(joiner.keys(name));
    }
    let said: LineResult | undefined;
    await until("there is a token", async () => {
      said = await this.ask("token", "create", "--name", joiner.name);
      return said.code === 0;
    }, { timeoutMs: WHOLE_MS_MAX });
    const path = joiner.host.path(TOKEN);
    await Deno.writeTextFile(path, said?.stdout ?? "", { mode: 0o600 });
  }

  /**
   * Resolves when each node that should be up sees exactly these up, to the milliseconds that took;
   * rejects with what they see when that never happens.
   */
  async whole(): Promise<number> {
    const start = performance.now();
    for (;;) {
      const wanted = this.wanted.map(({ name }) => name).sort().join();
      const seen = await Promise.all(this.wanted.map(async ({ name }) => ({
        name,
        up: await this.#seenBy(name),
      })));
      if (seen.every(({ up }) => up === wanted)) return performance.now() - start;
      if (performance.now() - start > WHOLE_MS_MAX) {
        const wrong = seen.filter(({ up }) => up !== wanted);
        const lines = wrong.map(({ name, up }) => `  ${name} sees ${up}`);
        throw new Error(`Not whole, ${wanted} should be up:\n${lines.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #seenBy(name: string): Promise<string> {
    const { code, stdout, stderr } = await this.#run(["nodes", "--json"], this.entry(name));
    if (code !== 0) return `nothing: ${stderr.split("\n")[0]}`;
    const { nodes } = JSON.parse(stdout) as { nodes: { name: string; state: string }[] };
    return nodes.filter(({ state }) => state === "up").map((node) => node.name).sort().join();
  }

  async #run(
    words: readonly string[],
    variables: Record<string, string>,
  ): Promise<LineResult> {
    const client = this.#asking.pop() ?? this.client();
    const overdue = setTimeout(() => {
      this.hung.push(`"minime ${words.join(" ")}" does not end, with ${variables.XDG_STATE_HOME}`);
      void client.kill();
    }, ASK_MS_MAX);
    const result = await client.run({ words, variables });
    clearTimeout(overdue);
    if (result === undefined) return { code: -1, stdout: "", stderr: "The client is gone" };
    this.#asking.push(client);
    return result;
  }

  async #install(binary: Binary): Promise<void> {
    const { local, rig, all, joiner } = this;
    if (binary.kind !== "compiled") throw new Error(`Hosts need the program: ${binary.why}`);
    const rows = all.map(({ name, host }) =>
      `[[hosts]]\nnames = "${name}"\naddress = "${host.address}"\n` +
      (name === this.registrar.name ? 'groups = ["registrar"]\n' : "")
    );
    await Deno.writeTextFile(
      local.file,
      `name = "${local.name}"\nport = ${PORT}\n${rows.join("")}`,
    );
    await local.must("mesh", "init", "--config", local.file);
    const program = `${rig.folder}/minime`;
    await Deno.copyFile(binary.path, program);
    const names = all.filter((one) => one !== joiner).map(({ name }) => name);
    await local.must("mesh", "provision", names.join(), "--out", `${local.folder}/nodes`);
    for (const machine of all) {
      await machine.prepare();
      // One file for all: each a copy of its own would be most of what the rig weighs.
      await Deno.link(program, `${machine.host.folder}${PROGRAM}`);
      const folder = `${local.folder}/nodes/${machine.name}`;
      const files = machine === joiner ? [] : [...Deno.readDirSync(folder)];
      for (const { name } of files) await copyPrivate(`${folder}/${name}`, machine.keys(name));
    }
    await copyPrivate(this.registrar.file, joiner.file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function copyPrivate(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  await Deno.chmod(to, 0o600);
}
