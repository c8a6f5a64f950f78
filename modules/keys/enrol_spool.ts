/**
 * Where users of a login node leave their requests: a folder in which everybody may make something and
 * nobody but its owner may list or remove others' (mode 1733). It is looked at when an operator asks;
 * what is wrong, old or too much is removed then.
 *
 * Who made a request the kernel says, and so whose name a certificate may get. That holds because it is
 * a folder that its owner alone may write: a file of somebody's anybody may bring here who may write
 * where it lies, under a name of their choice, but a folder can be moved elsewhere only by who may
 * write in it. One that lies on another file system was mounted here, and its owner is whom whoever
 * did that names.
 */

import {
  CallError,
  type Environment,
  errorText,
  type FileFacts,
  type Log,
  MinimeError,
  type Primitives,
} from "../../core/mod.ts";
import { answerFileName, type EnrolRequest, readRequestFileName } from "./enrol_request.ts";
import {
  ENROL_ANSWER_MS_MAX,
  ENROL_FILE_MS_MAX,
  ENROL_FILES_MAX,
  ENROL_LOOK_MS_MAX,
  ENROL_REQUEST_MS_MAX,
} from "./limits.ts";
import { MachineUsers } from "./machine_users.ts";

/** Others may come in and make files; the sticky bit keeps everybody from the files of others. */
const SPOOL_MODE = 0o1733;
/** The folders of all meshes can be listed: who enrols has to find the mesh. */
const ROOT_MODE = 0o755;
/** Permissions with which others could have brought a folder here. */
const OTHERS_WRITE = 0o022;

type Needs = Pick<Environment, "clock" | "files" | "processes" | "random">;

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
  /** What did not answer in time and still does not: each look costs the runtime a thread. */
  readonly #stuck = new Set<string>();

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

  /** One for each user, the newest. What cannot be looked at hides nothing else. */
  async pending(): Promise<PendingUser[]> {
    const { clock, files } = this.#env;
    const until = clock.monotonic() + ENROL_LOOK_MS_MAX;
    const device = (await files.facts(this.#folder))?.device;
    const users = await MachineUsers.open(this.#env);
    const newest = new Map<string, PendingUser>();
    const all = await this.#files();
    for (const [at, file] of all.entries()) {
      if (clock.monotonic() > until) {
        const unseen = all.length - at;
        this.#log("warning", "Not all of the enrolment's folder was looked at", { unseen });
        break;
      }
      let found: PendingUser | undefined;
      try {
        found = await this.#read(file, { device, users });
      } catch (error) {
        this.#skip(file, error);
      }
      if (found === undefined) continue;
      const other = newest.get(found.user);
      const isNewer = other === undefined || other.askedMs < found.askedMs;
      const loser = isNewer ? other : found;
      if (loser !== undefined) await this.#remove(loser.file);
      if (isNewer) newest.set(found.user, found);
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

  /** From anywhere in their order on: where there are too many, each look sees others. */
  async #files(): Promise<string[]> {
    const { files, random } = this.#env;
    const all = await files.list(this.#folder, { max: ENROL_FILES_MAX });
    const from = new DataView(random.bytes(4).buffer).getUint32(0) % Math.max(1, all.length);
    return [...all.slice(from), ...all.slice(0, from)];
  }

  /** Undefined for what is no request; it is removed, unless it is an answer. */
  async #read(
    file: string,
    { device, users }: { readonly device: number | undefined; readonly users: MachineUsers },
  ): Promise<PendingUser | undefined> {
    const { files, clock, processes } = this.#env;
    if (this.#stuck.has(file)) return undefined;
    const facts = await this.#soon(file, files.facts(`${this.#folder}/${file}`));
    if (facts === undefined) return undefined;
    const { uid, modified } = facts;
    const ageMs = Math.abs(clock.now() - modified);
    if (file.endsWith(".answer") && uid === processes.uid) {
      if (ageMs > ENROL_ANSWER_MS_MAX) await this.#remove(file);
      return undefined;
    }
    const isRequest = isTheirOwn(facts) && facts.device === device && ageMs <= ENROL_REQUEST_MS_MAX;
    const user = isRequest ? await users.nameOf(uid) : undefined;
    const request = user === undefined
      ? undefined
      : readRequestFileName(this.#primitives, { file, user });
    if (request === undefined || user === undefined) {
      await this.#remove(file);
      return undefined;
    }
    return { ...request, user, file, askedMs: modified };
  }

  /** What its owner has filled stays. */
  async #remove(file: string): Promise<void> {
    this.#log("debug", "Removing a file of the enrolment that is done with", { file });
    const removing = this.#env.files.remove(`${this.#folder}/${file}`, { alone: true });
    try {
      await this.#soon(file, removing);
    } catch (error) {
      this.#skip(file, error);
    }
  }

  /** Users can mount file systems of their own here, which answer when they like. */
  async #soon<T>(file: string, doing: Promise<T>): Promise<T> {
    const { promise: over, reject } = Promise.withResolvers<never>();
    const timer = this.#env.clock.after(ENROL_FILE_MS_MAX, () => {
      this.#stuck.add(file);
      const free = () => void this.#stuck.delete(file);
      doing.then(free, free);
      reject(new CallError("failed", "Its file system does not answer"));
    });
    try {
      return await Promise.race([doing, over]);
    } finally {
      timer.cancel();
    }
  }

  #skip(file: string, error: unknown): void {
    if (!(error instanceof MinimeError)) throw error;
    this.#log("debug", "Passing over a file of the enrolment", { file, why: errorText(error) });
  }
}

/** Nobody but its owner can have brought it here. */
function isTheirOwn({ kind, mode }: FileFacts): boolean {
  return kind === "folder" && (mode & OTHERS_WRITE) === 0;
}
