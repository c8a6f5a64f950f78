/**
 * Boots a host over ssh: one connection, in which the script says what is there, the binary goes
 * over if it must, the daemon starts, and its enrolment follows. Each phase has its own time; what
 * takes longer is cut by ending ssh, and the far side ends with its stdin.
 */

import { type Environment, hostInUrl } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { enrolArguments } from "../shared/enrolment.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import type { Binaries, Binary } from "./binary.ts";
import { bootScript } from "./boot_script.ts";
import { HostError } from "./host_error.ts";
import type { Jumps } from "./jumps.ts";
import { checkInstallable } from "./lasting.ts";
import { checkClock, checkLibc, checkSpace, ScriptFacts } from "./script_facts.ts";
import type { LaunchedProcess, Launcher, LaunchOptions } from "./launcher.ts";
import { COPY_CHUNK_BYTES, COPY_MS_MAX, COPY_STALL_MS_MAX, GET_CONNECT_SECONDS } from "./limits.ts";
import type { Source, Sources } from "./sources.ts";
import { type SshOptions, type SshWay, startScript } from "./ssh.ts";
import { SshDialogue } from "./ssh_dialogue.ts";

/** A port on a node that gives the file to whoever shows the ticket. */
export interface OpenedSource {
  /** Addresses of the node, best first. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** 32 hex digits. */
  readonly ticket: string;
}

export interface SshLauncherOptions extends SshOptions {
  readonly env: Pick<Environment, "clock" | "processes">;
  /** For each phase that is no copy. */
  readonly timeoutMs: number;
  readonly binaries: Binaries;
  readonly sources: Sources;
  readonly jumps: Jumps;
  /** The node is to be installed. */
  readonly install: boolean;
  /** Whatever program is installed there. */
  readonly replace: boolean;
  /** Asks a node to serve the file of this hash once more, where `to` can dial it. */
  readonly open: (node: string, hash: string, to: MeshHost) => Promise<OpenedSource>;
}

export class SshLauncher implements Launcher {
  readonly #options: SshLauncherOptions;

  constructor(options: SshLauncherOptions) {
    this.#options = options;
  }

  async launch(host: MeshHost, options: LaunchOptions): Promise<LaunchedProcess> {
    options.signal.throwIfAborted();
    options.onStep("connecting");
    const { jumps } = this.#options;
    return await jumps.reach(host, options.signal, (way) => this.#launch(host, way, options));
  }

  async #launch(host: MeshHost, way: SshWay, options: LaunchOptions): Promise<LaunchedProcess> {
    const { env, binaries } = this.#options;
    const begun = env.clock.now();
    const script = bootScript(binaries.main.facts, host);
    const process = await startScript(env, host, { ...this.#options, script, way });
    const dialogue = new SshDialogue(process, { clock: env.clock, signal: options.signal });
    try {
      const facts = new ScriptFacts();
      await this.#install(host, { ...options, dialogue, facts, begun });
      options.onStep("starting");
      const { mesh } = options;
      const { name } = host;
      const { install, replace } = this.#options;
      if (install) {
        const more = replace ? ["--replace"] : [];
        await dialogue.install(["--mesh", mesh, "--name", name, ...more]);
      } else {
        const listen = listenEndpoints(host, facts);
        await dialogue.run(enrolArguments({ mesh, name, listen, detach: false }));
      }
      return dialogue;
    } catch (error) {
      await dialogue[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Returns when the file is there. */
  async #install(host: MeshHost, parts: InstallParts): Promise<void> {
    const { timeoutMs, binaries } = this.#options;
    const { dialogue, facts } = parts;
    const within = { ms: timeoutMs, what: `no answer within ${formatDuration(timeoutMs)}` };
    let binary = binaries.main;
    let answer = await dialogue.answer(facts, within);
    checkClock(facts, { from: parts.begun, to: this.#options.env.clock.now() });
    if (this.#options.install) checkInstallable(facts);
    if (answer.word === "CPU") {
      const cpu = facts.get("arch") ?? "";
      const other = await binaries.forArchitecture(cpu);
      if (other === undefined) throw wrongCpu(cpu, binaries.main);
      binary = other;
      const { hash, bytes, architecture } = binary.facts;
      await dialogue.say(`USE ${hash} ${bytes} ${architecture}`);
      answer = await dialogue.answer(facts, within);
    }
    if (answer.word === "HAVE") return;
    checkLibc(facts);
    await this.#copy(host, binary, parts);
  }

  async #copy(host: MeshHost, binary: Binary, parts: InstallParts): Promise<void> {
    const { dialogue, facts, signal } = parts;
    const { sources, install } = this.#options;
    const keeps = checkSpace(facts, binary.facts.bytes) && !install;
    if (keeps) await dialogue.say("KEEP");
    // Somebody without bash cannot fetch from a node.
    const canFetch = facts.get("get") === "yes";
    for (;;) {
      parts.onStep("waiting");
      const over = new AbortController();
      const stop = () => over.abort(signal.reason);
      signal.addEventListener("abort", stop);
      // ssh may end while we wait for our turn.
      void dialogue.ended.then(() => over.abort());
      let source: Source;
      try {
        source = await sources.acquire(host.name, { canFetch, signal: over.signal });
      } catch (error) {
        signal.throwIfAborted();
        if (over.signal.aborted) throw await dialogue.failure();
        throw error;
      } finally {
        signal.removeEventListener("abort", stop);
      }
      let copied = false;
      try {
        parts.onStep("copying");
        copied = source.kind === "origin"
          ? await this.#put(binary, parts)
          : await this.#get(host, source.name, binary, parts);
      } finally {
        source.finish(copied);
      }
      if (copied) return;
    }
  }

  async #put(binary: Binary, { dialogue, facts }: InstallParts): Promise<boolean> {
    const packed = await binary.packed();
    await dialogue.say(`PUT ${packed.length}`);
    for (let at = 0; at < packed.length; at += COPY_CHUNK_BYTES) {
      const chunk = packed.subarray(at, at + COPY_CHUNK_BYTES);
      const stalled = {
        ms: COPY_STALL_MS_MAX,
        what: `copying stood still for ${formatDuration(COPY_STALL_MS_MAX)}`,
      };
      if (!await dialogue.send(chunk, stalled)) break; // Its answer says why.
    }
    const what = `the copy was not done within ${formatDuration(COPY_MS_MAX)}`;
    const { word } = await dialogue.answer(facts, { ms: COPY_MS_MAX, what });
    if (word === "HAVE") return true;
    throw new HostError("script", `it answered a copy with ${word}`);
  }

  async #get(
    to: MeshHost,
    node: string,
    { facts: { hash } }: Binary,
    parts: InstallParts,
  ): Promise<boolean> {
    const { dialogue, facts } = parts;
    let opened: OpenedSource;
    try {
      opened = await this.#options.open(node, hash, to);
    } catch {
      return false; // Somebody else will serve; the node itself is judged elsewhere.
    }
    const { hosts, port, ticket } = opened;
    const seconds = Math.ceil(COPY_MS_MAX / 1_000);
    const what = `the copy from "${node}" was not done within ${formatDuration(COPY_MS_MAX)}`;
    const ms = COPY_MS_MAX + 2 * GET_CONNECT_SECONDS * 1_000;
    for (const host of hosts) {
      await dialogue.say(`GET ${host} ${port} ${seconds} ${GET_CONNECT_SECONDS}\n${ticket}`);
      const { word } = await dialogue.answer(facts, { ms, what });
      if (word === "HAVE") return true;
    }
    return false;
  }
}

interface InstallParts extends LaunchOptions {
  readonly dialogue: SshDialogue;
  readonly facts: ScriptFacts;
  /** Wall clock when ssh was started. */
  readonly begun: number;
}

/** What the daemon listens on: the file's own words, or TCP on all addresses that the host has. */
function listenEndpoints(host: MeshHost, facts: ScriptFacts): readonly string[] {
  if (host.listen.length > 0) return host.listen;
  const everywhere = facts.get("ipv6") === "yes" ? "::" : "0.0.0.0";
  return [`tcp:${hostInUrl(everywhere)}:${host.port}`];
}

function wrongCpu(cpu: string, main: Binary): HostError {
  const { architecture } = main.facts;
  return new HostError(
    "wrong-cpu",
    `it is ${cpu}, the program is for ${architecture}; ` +
      `"deno task build --target ${cpu}-unknown-linux-gnu" makes one for it, put it beside ` +
      `"${main.path}" as "minime-${cpu}"`,
  );
}
