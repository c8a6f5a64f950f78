/**
 * Which background jobs there are, in a file of the node's state folder. A job is in it before it runs,
 * so that after a crash of its holder, or of the machine, its user is told that it is lost, and nobody
 * starts it a second time. Output is not in it.
 */

import * as v from "valibot";
import { type Environment, errorText, type Log } from "../../core/mod.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { RunEndSchema } from "./order.ts";

/** Later versions may add fields, which this one leaves out. */
const RecordSchema = v.object({
  name: v.string(),
  keyId: v.string(),
  run: v.string(),
  /** All nodes that were to run it, folded. */
  nodeset: v.optional(v.string()),
  argv: v.array(v.string()),
  /** Unix ms. */
  startedMs: v.number(),
  endedMs: v.optional(v.number()),
  end: v.optional(v.omit(RunEndSchema, ["stdout", "stderr"])),
  /** Of output. */
  bytes: v.number(),
});
const FileSchema = v.object({ jobs: v.array(RecordSchema) });

/** One job. */
export interface JobRecord extends Omit<v.InferOutput<typeof RecordSchema>, "argv"> {
  readonly argv: readonly string[];
}

export class JobRecords {
  readonly #env: Pick<Environment, "files" | "processes">;
  readonly #path: string;
  readonly #log: Log;
  #take: () => readonly JobRecord[] = () => [];
  #isStale = false;
  #writing: Promise<void> | undefined;

  constructor(
    env: Pick<Environment, "files" | "processes">,
    options: { readonly path: string; readonly log: Log },
  ) {
    this.#env = env;
    this.#path = options.path;
    this.#log = options.log;
  }

  /** None when there is no file, or one that nobody can read. */
  async read(): Promise<JobRecord[]> {
    const bytes = await readPrivateFile(this.#env, this.#path);
    if (bytes === undefined) return [];
    try {
      return v.parse(FileSchema, JSON.parse(new TextDecoder().decode(bytes))).jobs;
    } catch (error) {
      this.#log("warning", `"${this.#path}" is no record of jobs: ${errorText(error)}`);
      return [];
    }
  }

  /** Resolves when a state is on the disk that is not older than now; `take` may be called later. */
  async save(take: () => readonly JobRecord[]): Promise<void> {
    this.#take = take;
    this.#isStale = true;
    this.#writing ??= this.#write().finally(() => this.#writing = undefined);
    await this.#writing;
  }

  /** Waits for what is being written. */
  async remove(): Promise<void> {
    await this.#writing?.catch(() => {
      // Who wanted it written knows.
    });
    await this.#env.files.remove(this.#path);
  }

  async #write(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const jobs = this.#take();
      await this.#env.files.write(this.#path, `${JSON.stringify({ jobs })}\n`, { mode: 0o600 });
    }
  }
}
