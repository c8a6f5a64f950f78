/** Output into one file for each node, bit for bit; what has no folder goes to another sink. */

import type { Environment } from "../../core/mod.ts";
import { type Chunk, STDERR, STDOUT } from "./program.ts";
import type { OutputSink } from "./sink.ts";

/** As a shell's redirection makes them. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

type Folders = Readonly<Partial<Record<typeof STDOUT | typeof STDERR, string>>>;

export class FolderOutput implements OutputSink {
  readonly #files: Environment["files"];
  readonly #folders: Folders;
  readonly #other: OutputSink;

  private constructor(files: Environment["files"], folders: Folders, other: OutputSink) {
    this.#files = files;
    this.#folders = folders;
    this.#other = other;
  }

  /** Makes the folders, and an empty file for each node: no output is told from no file. */
  static async open(
    files: Environment["files"],
    options: {
      readonly nodes: readonly string[];
      readonly outdir: string | undefined;
      readonly errdir: string | undefined;
      readonly other: OutputSink;
    },
  ): Promise<FolderOutput> {
    const { nodes, outdir, errdir, other } = options;
    for (const folder of new Set([outdir, errdir])) {
      if (folder === undefined) continue;
      await files.makeFolder(folder, { mode: FOLDER_MODE });
      for (const node of nodes) await files.write(`${folder}/${node}`, "", { mode: FILE_MODE });
    }
    const folders = {
      ...(outdir === undefined ? {} : { [STDOUT]: outdir }),
      ...(errdir === undefined ? {} : { [STDERR]: errdir }),
    };
    return new FolderOutput(files, folders, other);
  }

  async take(node: string, chunk: Chunk): Promise<void> {
    const [stream, bytes] = chunk;
    const folder = this.#folders[stream];
    if (folder === undefined) await this.#other.take(node, chunk);
    else await this.#files.append(`${folder}/${node}`, bytes);
  }

  lost(node: string): void {
    this.#other.lost(node);
  }

  end(): void {}

  fail(): void {}

  async finish(): Promise<void> {
    await this.#other.finish();
  }
}
