/**
 * Where users of a login node leave their requests: a folder in which everybody may make files and
 * nobody but its owner may list or remove others' (mode 1733). Who made a file the kernel says, and so
 * whose name a certificate may get. It is looked at when an operator asks; what is wrong, old or too
 * much is removed then.
 */

import {
  CallError,
  type Environment,
  isName,
  type Log,
  NotFoundError,
  type Primitives,
  withTimeLimit,
} from "../../core/mod.ts";
import { answerFileName, type EnrolRequest, readRequestFileName } from "./enrol_request.ts";
import {
  ENROL_ANSWER_MS_MAX,
  ENROL_FILES_MAX,
  ENROL_LOOKUP_MS_MAX,
  ENROL_REQUEST_MS_MAX,
} from "./limits.ts";

/** Others may come in and make files; the sticky bit keeps everybody from the files of others. */
const SPOOL_MODE = 0o1733;
/** The folders of all meshes can be listed: who enrols has to find the mesh. */
const ROOT_MODE = 0o755;

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** Somebody who waits. */
export interface PendingUser extends EnrolRequest {
  /** Of this machine. */
  readonly user: string;
  readonly file: string;
  /** Unix ms. */
  readonly askedMs: number;
}

/** Where the folders of all meshes lie. */
export function spoolRoot({ processes }: Pick<Environment, "processes">): string {
  return processes.variable("MINIME_SPOOL") ?? "/var/spool/minime";
}

/** One for each daemon of a login node. */
export class EnrolSpool {
  readonly #env: Needs;
  readonly #primitives: Primitives;
  readonly #folder: string;
  readonly #log: Log;

  private constructor(env: Needs, primitives: Primitives, folder: string, log: Log) {
    this.#env = env;
    this.#primitives = primitives;
    this.#folder = folder;
    this.#log = log;
  }

  /** Makes the folder. Rejects with FileError. */
  static async open(
    env: Needs,
    primitives: Primitives,
    { mesh, log }: { readonly mesh: string; readonly log: Log },
  ): Promise<EnrolSpool> {
    const root = spoolRoot(env);
    const folder = `${root}/${mesh}`;
    await env.files.makeFolder(root, { mode: ROOT_MODE });
    await env.files.makeFolder(folder);
    await env.files.setMode(folder, SPOOL_MODE);
    return new EnrolSpool(env, primitives, folder, log);
  }

  /** One for each user, the newest. */
  async pending(): Promise<PendingUser[]> {
    const { files, clock } = this.#env;
    const names = new Map<number, string | undefined>();
    const newest = new Map<string, PendingUser>();
    for (const file of (await files.list(this.#folder)).slice(0, ENROL_FILES_MAX)) {
      const facts = await files.facts(`${this.#folder}/${file}`);
      if (facts === undefined) continue;
      const { kind, uid, modified } = facts;
      const ageMs = clock.now() - modified;
      if (file.endsWith(".answer") && uid === this.#env.processes.uid) {
        if (ageMs > ENROL_ANSWER_MS_MAX) await this.#remove(file);
        continue;
      }
      if (!names.has(uid)) names.set(uid, await this.#userOf(uid));
      const user = names.get(uid);
      const request = user === undefined || kind !== "file" || ageMs > ENROL_REQUEST_MS_MAX
        ? undefined
        : readRequestFileName(this.#primitives, { file, user });
      if (request === undefined || user === undefined) {
        await this.#remove(file);
        continue;
      }
      const found = { ...request, user, file, askedMs: modified };
      const other = newest.get(user);
      const isNewer = other === undefined || other.askedMs < modified;
      const loser = isNewer ? other : found;
      if (loser !== undefined) await this.#remove(loser.file);
      if (isNewer) newest.set(user, found);
    }
    return [...newest.values()].sort((a, b) => a.askedMs - b.askedMs);
  }

  /** The request is done with; its user is told. Throws CallError when there is none of that key. */
  async answer(keyId: string, answer: string): Promise<string> {
    const request = (await this.pending()).find((each) => each.keyId === keyId);
    if (request === undefined) throw new CallError("failed", "This request is there no more");
    const path = `${this.#folder}/${answerFileName(keyId)}`;
    await this.#env.files.write(path, answer, { mode: 0o644 });
    await this.#remove(request.file);
    return request.user;
  }

  async #remove(file: string): Promise<void> {
    this.#log("debug", "Removing a file of the enrolment that is done with", { file });
    await this.#env.files.remove(`${this.#folder}/${file}`);
  }

  /** Undefined for one whose name no certificate can have. */
  async #userOf(uid: number): Promise<string | undefined> {
    const inFile = nameIn(await this.#passwd(), uid);
    const name = inFile ?? nameIn(await this.#directory(uid), uid);
    return name !== undefined && isName(name) ? name : undefined;
  }

  async #passwd(): Promise<string> {
    try {
      return await this.#env.files.readText("/etc/passwd");
    } catch (error) {
      if (error instanceof NotFoundError) return "";
      throw error;
    }
  }

  /** Users that come from elsewhere. */
  async #directory(uid: number): Promise<string> {
    const { clock, processes } = this.#env;
    try {
      const child = await processes.spawn("/usr/bin/getent", {
        args: ["passwd", "--", String(uid)],
        stdout: "piped",
        clearEnvironment: true,
      });
      const late = () => new CallError("failed", `Looking up user ${uid} takes too long`);
      return await withTimeLimit(async (over) => {
        over.addEventListener("abort", () => child.kill("SIGKILL"));
        const decoder = new TextDecoder();
        let text = "";
        for await (const chunk of child.stdout ?? []) {
          text += decoder.decode(chunk, { stream: true });
        }
        await child.status;
        over.throwIfAborted();
        return text;
      }, { clock, ms: ENROL_LOOKUP_MS_MAX, late });
    } catch (error) {
      if (error instanceof NotFoundError) return "";
      throw error;
    }
  }
}

function nameIn(passwd: string, uid: number): string | undefined {
  const rows = passwd.split("\n").map((line) => line.split(":"));
  return rows.find((row) => row[2] === String(uid))?.[0];
}
