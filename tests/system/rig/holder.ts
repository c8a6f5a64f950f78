/**
 * A set of namespaces (network, host name, mounts, processes) and the process that holds it, see
 * holder.sh. Nothing here has a name on the machine: when the holder dies, the kernel ends every
 * process inside and drops the mounts and interfaces, so releasing cannot leave anything behind.
 */

import { ignoreClosedStream, killPid, TOOLS_PATH } from "./process.ts";

const SCRIPT = `${import.meta.dirname}/holder.sh`;

export class Holder implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBufferLike>>;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #status: Promise<void>;
  #pid: number | undefined;
  #text = "";
  #ended = false;

  private constructor(folder: string, kind: "host" | "switch") {
    this.#folder = folder;
    this.#child = new Deno.Command("unshare", {
      args: [
        ...["--net", "--uts", "--mount", "--pid", "--fork", "--kill-child"],
        ...["bash", SCRIPT, folder, kind],
      ],
      clearEnv: true,
      env: { PATH: TOOLS_PATH },
      cwd: "/",
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#status = this.#child.status.then(() => {
      this.#ended = true;
    });
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Makes the namespaces of `folder` (which the script mounts from), still without a network. */
  static async start(folder: string, kind: "host" | "switch"): Promise<Holder> {
    const holder = new Holder(folder, kind);
    try {
      holder.#pid = Number(await holder.#line());
      return holder;
    } catch (error) {
      await holder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The machine's pid of the process that is number 1 inside. */
  get pid(): number {
    if (this.#pid === undefined) throw new Error(`Holder of '${this.#folder}' has not started`);
    return this.#pid;
  }

  /** Brings up what `ip.batch` (and `sshd_start`) in the folder say. */
  async connect(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("go\n"));
    const line = await this.#line();
    if (line !== "ready") throw new Error(`Holder of '${this.#folder}' said '${line}'`);
  }

  async #line(): Promise<string> {
    while (!this.#text.includes("\n")) {
      const { done, value } = await this.#output.read();
      if (done) {
        const log = await Deno.readTextFile(`${this.#folder}/holder.log`).catch(String);
        throw new Error(`Cannot start '${this.#folder}': ${log.trim()}`);
      }
      this.#text += value;
    }
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Process 1 inside first: `unshare` ends only after the kernel has ended everything inside.
    // An ended one's pid may belong to somebody else by now.
    if (!this.#ended && (this.#pid === undefined || !killPid(this.#pid))) killPid(this.#child.pid);
    await this.#status;
    await this.#input.abort().catch(ignoreClosedStream);
    await this.#output.cancel().catch(ignoreClosedStream);
  }
}
