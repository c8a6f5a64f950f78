/** Child processes, signals and the environment variables of the host. */
import type {
  Child,
  ChildStatus,
  HandedOver,
  Processes,
  SpawnOptions,
  UnixUser,
} from "./environment.ts";
import { NotFoundError } from "../errors.ts";
import { fileError, marksOf } from "./real_errors.ts";
import { receivedSignals } from "./real_exit.ts";
import { closeInherited } from "./real_inherited.ts";
import { notifyManager } from "./real_notify.ts";
import { widenPipes } from "./real_pipes.ts";
import { fileHandedOver, handedOver, handOver, replaceProcess } from "./real_replace.ts";
import { becomeUser } from "./real_user.ts";

const EQUALS = 0x3d;

export class RealProcesses implements Processes {
  readonly pid = Deno.pid;
  /** The real user id is the effective one: this program is never installed setuid. See `become`. */
  uid = Deno.uid() ?? 0;
  readonly executable: string | undefined;
  readonly self: readonly string[];
  readonly arguments: readonly string[] = [...Deno.args];

  constructor() {
    // Read once: after an upgrade replaced the file, execPath() would end in " (deleted)".
    const program = Deno.execPath();
    this.executable = Deno.build.standalone ? program : undefined;
    this.self = Deno.build.standalone ? [program] : [program, "run", "-A", mainFile()];
  }

  // deno-lint-ignore require-await -- the contract lets other environments take their time
  async spawn(program: string, options: SpawnOptions = {}): Promise<Child> {
    const { stdin = "null", stdout = "null", stderr = "null" } = options;
    try {
      const child = new Deno.Command(program, {
        args: [...(options.args ?? [])],
        stdin,
        stdout,
        stderr,
        clearEnv: options.clearEnvironment ?? false,
        detached: options.detached ?? false,
        ...(options.environment === undefined ? {} : { env: { ...options.environment } }),
        ...(options.folder === undefined ? {} : { cwd: options.folder }),
      }).spawn();
      return new RealChild(child, { stdin, stdout, stderr });
    } catch (error) {
      throw spawnError(program, options.folder, error);
    }
  }

  signal(pid: number, signal: string): boolean {
    try {
      if (signal !== "0") Deno.kill(pid, signal as Deno.Signal);
      else if (isZombie(pid)) return false;
      // Both runtimes take the number 0, which their types do not know.
      else Deno.kill(pid, 0 as unknown as Deno.Signal);
      return true;
    } catch (error) {
      const marks = marksOf(error);
      if (marks.includes("NotFound") || marks.includes("PermissionDenied")) return false;
      throw error;
    }
  }

  onSignal(
    signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT" | "SIGWINCH",
    run: () => void,
  ): Disposable {
    // Not the caller's function itself: registered twice it must also run twice.
    const listener = () => {
      receivedSignals.add(signal);
      run();
    };
    Deno.addSignalListener(signal, listener);
    return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, listener) };
  }

  notify(text: string): boolean {
    return notifyManager(text);
  }

  become(user: UnixUser): void {
    becomeUser(user);
    this.uid = user.uid;
  }

  closeInherited(): void {
    closeInherited(fileHandedOver());
  }

  widenPipes(): void {
    widenPipes();
  }

  handOver(bytes: Uint8Array): Readonly<Record<string, string>> {
    return handOver(bytes);
  }

  handedOver(): HandedOver | undefined {
    return handedOver();
  }

  replace(program: string, more: Readonly<Record<string, string>>): never {
    return replaceProcess(program, this.arguments, { ...this.variables(), ...more });
  }

  variable(name: string): string | undefined {
    return Deno.env.get(name);
  }

  variables(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      environmentPairs().flatMap((bytes) => {
        const pair = pairOf(bytes);
        return pair === undefined ? [] : [pair];
      }),
    );
  }

  oddVariables(): readonly string[] {
    const odd = environmentPairs().filter((bytes) =>
      bytes.indexOf(EQUALS) > 0 && pairOf(bytes) === undefined
    );
    return odd.map((bytes) => new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(EQUALS))));
  }
}

class RealChild implements Child {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  readonly status: Promise<ChildStatus>;
  readonly #child: Deno.ChildProcess;
  #ended = false;

  constructor(
    child: Deno.ChildProcess,
    kinds: { stdin: string; stdout: string; stderr: string },
  ) {
    this.#child = child;
    this.pid = child.pid;
    this.stdin = kinds.stdin === "piped" ? child.stdin : undefined;
    this.stdout = kinds.stdout === "piped" ? child.stdout : undefined;
    this.stderr = kinds.stderr === "piped" ? child.stderr : undefined;
    this.status = child.status.then(
      ({ code, signal }) => ({ code, signal: signal ?? undefined }),
      realTimeStatus,
    ).finally(() => this.#ended = true);
  }

  kill(signal: string): void {
    if (this.#ended) return;
    try {
      this.#child.kill(signal as Deno.Signal);
    } catch (error) {
      // It may have ended before its status reached us; an unknown signal is our caller's mistake.
      if (error instanceof TypeError && /Invalid signal/.test(error.message)) throw error;
      if (!(error instanceof TypeError) && !marksOf(error).includes("NotFound")) throw error;
    }
  }

  release(): void {
    this.#child.unref();
  }
}

/** Not the runtime's own list, which fails as a whole when one of them is not UTF-8. */
function environmentPairs(): Uint8Array[] {
  const pairs: Uint8Array[] = [];
  const bytes = Deno.readFileSync("/proc/self/environ");
  for (let at = 0; at < bytes.length;) {
    const next = bytes.indexOf(0, at);
    const end = next < 0 ? bytes.length : next;
    pairs.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return pairs;
}

/** NAME=VALUE; undefined when it is none, or no text. */
function pairOf(bytes: Uint8Array): [name: string, value: string] | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const equals = text.indexOf("=");
    return equals > 0 ? [text.slice(0, equals), text.slice(equals + 1)] : undefined;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The runtime has no names for real-time signals and fails with their number in the text. */
function realTimeStatus(error: unknown): ChildStatus {
  const number = error instanceof TypeError ? /Invalid signal: (\d+)/.exec(error.message) : null;
  if (number === null) throw error;
  return { code: 128 + Number(number[1]), signal: `SIG${number[1]}` };
}

function spawnError(program: string, folder: string | undefined, error: unknown): Error {
  const action = `start "${program}"`;
  const marks = marksOf(error);
  if (folder !== undefined && error instanceof Error && error.message.includes("No such cwd")) {
    return new NotFoundError(`Could not ${action}: there is no folder "${folder}"`, {
      cause: error,
    });
  }
  if (marks.includes("NotFound")) {
    return new NotFoundError(`Could not ${action}: there is no such program`, { cause: error });
  }
  return fileError(action, error);
}

/** Ended but not yet reaped by its parent: gone for everybody who asks. */
function isZombie(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch (error) {
    if (marksOf(error).some((mark) => mark === "NotFound" || mark === "ESRCH")) return true;
    throw error;
  }
}

/** main.ts, also for somebody who runs only a part of the program from source, as tests do. */
function mainFile(): string {
  const here = new URL(import.meta.url);
  const main = here.pathname.endsWith("/core/environment/real_processes.ts")
    ? new URL("../../main.ts", here)
    : new URL(Deno.mainModule);
  return decodeURIComponent(main.pathname);
}
