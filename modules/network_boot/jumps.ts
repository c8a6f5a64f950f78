/**
 * The way to hosts that are reached through others: one ssh connection to each gateway, opened when
 * the first host needs it, in which all connections to hosts behind it travel. So a gateway sees one
 * login, not one for each host, and what fails is told apart: the gateway, the way on from it, or
 * the host. A gateway that failed is not tried again; the next one of the host's list takes over.
 *
 *   ssh -M -S SOCKET gw1                                     kept while this object lives
 *   ssh -o ProxyCommand="ssh -S SOCKET -W '[%h]:%p' gw1" n1
 */

import { type Environment, errorText, MinimeError, toHex } from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { socketFolder } from "../shared/state_folder.ts";
import { HostError, type HostReason } from "./host_error.ts";
import { LINE_END_MS_MAX, NOISE_LINES_MAX, TRIES_AT_ONCE } from "./limits.ts";
import { LineProcess } from "./line_process.ts";
import { Places } from "./places.ts";
import { failureOf, type SshOptions, sshTryArguments, type SshWay, startScript } from "./ssh.ts";
import { SshError } from "./ssh_failure.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes" | "random">;

export interface JumpOptions extends SshOptions {
  /** All hosts of the file. */
  readonly hosts: readonly MeshHost[];
  /** How long a gateway may take to give us a line, once we are logged in. */
  readonly timeoutMs: number;
}

const READY = "MINIME-JUMP";
const SCRIPT = `{ echo ${READY}; cat >/dev/null; exit 0; }\n`;
/** Of hosts behind a gateway: another gateway may do better. */
const WORTH_ANOTHER: readonly HostReason[] = [
  "gateway",
  "no-route",
  "ssh",
  "timeout",
  "unknown-name",
];

/** An open connection to a gateway. */
interface Line {
  readonly gateway: MeshHost;
  /** To the gateway itself. */
  readonly way: SshWay;
  readonly control: string;
  readonly process: LineProcess;
  isLost: boolean;
}

/** No gateway gave us a way. */
class GatewayError extends HostError {
  constructor(words: string) {
    super("gateway", words);
  }
}

export class Jumps implements AsyncDisposable {
  readonly #env: Needs;
  readonly #options: JumpOptions;
  readonly #hosts: ReadonlyMap<string, MeshHost>;
  /** By the name of the gateway; also those that failed. */
  readonly #lines = new Map<string, Promise<Line>>();
  readonly #opened: Line[] = [];
  readonly #tries = new Places(TRIES_AT_ONCE);

  constructor(env: Needs, options: JumpOptions) {
    this.#env = env;
    this.#options = options;
    this.#hosts = new Map(options.hosts.map((host) => [host.name, host]));
  }

  /**
   * Runs something that connects to the host, by one way after the other until ssh gets there.
   * Rejects with HostError, or with the signal's reason.
   */
  async reach<T>(
    host: MeshHost,
    signal: AbortSignal,
    run: (way: SshWay) => Promise<T>,
  ): Promise<T> {
    if (host.via === undefined) return await run({});
    const dead: string[] = [];
    let failure: HostError | undefined;
    for (const name of host.via) {
      const line = await this.#open(name, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!(error instanceof GatewayError)) throw error;
        dead.push(error.words);
      });
      if (line === undefined) continue;
      try {
        return await run({ proxy: proxyOf(line) });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SshError)) throw error;
        failure = await this.#explained(error, line, host);
        if (!WORTH_ANOTHER.includes(failure.reason)) throw failure;
      }
    }
    throw failure ?? new GatewayError(dead.join("; "));
  }

  /** Ends all lines; what still travels in them is cut. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#lines.values()); // Whoever needed one that failed was told.
    await Promise.all(this.#opened.map(async ({ process, control }) => {
      // ssh itself removes its socket, when it may end by itself.
      const timer = this.#env.clock.after(LINE_END_MS_MAX, () => process.kill());
      await process.closeInput();
      await process.ended;
      timer.cancel();
      await process[Symbol.asyncDispose]();
      await this.#env.files.remove(control);
    }));
  }

  #open(name: string, signal: AbortSignal): Promise<Line> {
    const known = this.#lines.get(name);
    if (known !== undefined) return known;
    const opening = this.#connect(this.#hosts.get(name) as MeshHost, signal);
    this.#lines.set(name, opening);
    const lose = async () => {
      const line = await opening;
      await line.process.ended;
      line.isLost = true;
      // It was there: whoever comes next may try once more.
      this.#lines.delete(name);
    };
    lose().catch(() => {
      // It never was there: whoever needs it is told.
    });
    return opening;
  }

  async #connect(gateway: MeshHost, signal: AbortSignal): Promise<Line> {
    const env = this.#env;
    try {
      const control = `${await socketFolder(env)}/j${toHex(env.random.bytes(3))}`;
      return await this.reach(gateway, signal, async (way) => {
        const opening = { ...this.#options, script: SCRIPT, way: { ...way, control } };
        const process = await startScript(env, gateway, opening);
        try {
          await this.#ready(process, signal);
          const line = { gateway, way, control, process, isLost: false };
          this.#opened.push(line);
          return line;
        } catch (error) {
          await process[Symbol.asyncDispose]();
          throw error;
        }
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof MinimeError)) throw error;
      const why = error instanceof GatewayError
        ? `behind ${error.words}`
        : error instanceof HostError
        ? error.text
        : errorText(error);
      throw new GatewayError(`${gateway.name}: ${why}`);
    }
  }

  /** Login shells greet before they run anything. */
  async #ready(process: LineProcess, signal: AbortSignal): Promise<void> {
    const { timeoutMs } = this.#options;
    let late = false;
    const stop = () => process.kill();
    signal.addEventListener("abort", stop);
    const timer = this.#env.clock.after(timeoutMs, () => {
      late = true;
      stop();
    });
    try {
      for (let lines = 0; lines < NOISE_LINES_MAX; lines++) {
        const line = await process.next();
        if (line === READY) return;
        if (line === undefined) break;
      }
      if (late) throw new HostError("timeout", `no answer within ${formatDuration(timeoutMs)}`);
      throw await failureOf(process);
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", stop);
    }
  }

  /** In the line ssh does not say why the gateway did not get to the host; alone it does. */
  async #explained(error: SshError, line: Line, host: MeshHost): Promise<HostError> {
    const { gateway, way } = line;
    if (line.isLost) return new HostError("gateway", `${gateway.name}: the connection was lost`);
    let cause: HostError = error;
    if (error.reason === "gateway") {
      cause = await this.#tries.run(async () => {
        const args = sshTryArguments(gateway, host, { ...this.#options, way });
        await using process = await LineProcess.start(this.#env, { program: "ssh", args });
        await process.closeInput();
        const greeting = await process.next();
        return greeting === undefined ? await failureOf(process) : error;
      });
    }
    const { detail } = cause;
    if (cause.reason === "gateway") {
      return new HostError("gateway", `${gateway.name}: ${cause.words}`, { detail });
    }
    const words = cause.words === "" ? "" : `${cause.words}, `;
    return new HostError(cause.reason, `${words}asked from ${gateway.name}`, { detail });
  }
}

/** For the user's shell, and before that for ssh, to which % is special. */
function proxyOf({ gateway, control }: Line): string {
  const words = ["ssh", "-T", "-a", "-x"];
  // With the line gone, ssh would dial the gateway by itself, as the user's own settings say.
  for (
    const setting of [
      "LogLevel=ERROR",
      "ProxyCommand=false",
      "ControlMaster=no",
      // Twice: ssh reads it here and there.
      `ControlPath=${control.replaceAll("%", "%%")}`,
    ]
  ) words.push("-o", setting);
  const quoted = words.map((word) => shellQuoted(word.replaceAll("%", "%%")));
  return [...quoted, "-W", "'[%h]:%p'", "--", shellQuoted(gateway.address)].join(" ");
}
