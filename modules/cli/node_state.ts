/**
 * What an installed node keeps from one life to the next, in its state folder: how often it was
 * started, which requests it ran, and the newest documents of its mesh that it has seen.
 *
 *   incarnation  a number            policy.signed       as it came
 *   journal      see JournalFile     revocations.signed, secrets.signed  the same
 *   node.chain   the renewed certificate, with its issuer's
 */

import { type Environment, JournalFile, MinimeError, NotFoundError } from "../../core/mod.ts";
import { readPrivateFile, shellQuoted } from "../shared/private_folder.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** Documents that outlive a daemon. */
export type KeptDocument =
  | "policy.signed"
  | "revocations.signed"
  | "secrets.signed"
  | "node.chain";

/** Opened once for each life. */
export class NodeState {
  /** Which life this is; the first is 1. */
  readonly incarnation: number;
  readonly journal: JournalFile;
  readonly #env: Needs;
  readonly #folder: string;

  private constructor(
    env: Needs,
    folder: string,
    parts: { readonly incarnation: number; readonly journal: JournalFile },
  ) {
    this.#env = env;
    this.#folder = folder;
    this.incarnation = parts.incarnation;
    this.journal = parts.journal;
  }

  /** Begins another life. Rejects when the folder cannot be written, or holds what nobody wrote. */
  static async open(env: Needs, folder: string): Promise<NodeState> {
    const { files, clock } = env;
    const path = `${folder}/incarnation`;
    const incarnation = await readIncarnation(env, path) + 1;
    await files.write(path, `${incarnation}\n`, { mode: 0o600 });
    const journal = await JournalFile.open({
      files,
      path: `${folder}/journal`,
      now: () => clock.now(),
    });
    return new NodeState(env, folder, { incarnation, journal });
  }

  /** Undefined when none was kept. */
  async document(name: KeptDocument): Promise<Uint8Array | undefined> {
    return await readPrivateFile(this.#env, `${this.#folder}/${name}`);
  }

  async keep(name: KeptDocument, bytes: Uint8Array): Promise<void> {
    await this.#env.files.write(`${this.#folder}/${name}`, bytes, { mode: 0o600 });
  }
}

async function readIncarnation(env: Pick<Needs, "files">, path: string): Promise<number> {
  let text: string;
  try {
    text = await env.files.readText(path);
  } catch (error) {
    if (error instanceof NotFoundError) return 0;
    throw error;
  }
  const number = /^\d{1,15}\n?$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new MinimeError(
    `"${path}" holds no number: the mesh corrects a wrong one, so run: rm ${shellQuoted(path)}`,
  );
}
