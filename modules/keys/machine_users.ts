/** The names of this machine's users, for as long as somebody looks at what they left. */

import {
  CallError,
  type Environment,
  isName,
  NotFoundError,
  withTimeLimit,
} from "../../core/mod.ts";
import { ENROL_LOOKUP_MS_MAX } from "./limits.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

/** What getent says by its exit code when there is no such user. */
const NO_SUCH_KEY = 2;

/** Each user is looked up once, also one for whom that failed. */
export class MachineUsers {
  readonly #env: Needs;
  readonly #passwd: string;
  readonly #names = new Map<number, Promise<string | undefined>>();

  private constructor(env: Needs, passwd: string) {
    this.#env = env;
    this.#passwd = passwd;
  }

  /** Rejects with FileError. */
  static async open(env: Needs): Promise<MachineUsers> {
    try {
      return new MachineUsers(env, await env.files.readText("/etc/passwd"));
    } catch (error) {
      if (error instanceof NotFoundError) return new MachineUsers(env, "");
      throw error;
    }
  }

  /**
   * Undefined when there is no such user, and for one whose name no certificate can have. Rejects with
   * MinimeError when the system does not say.
   */
  nameOf(uid: number): Promise<string | undefined> {
    let name = this.#names.get(uid);
    if (name === undefined) {
      name = this.#find(uid);
      this.#names.set(uid, name);
    }
    return name;
  }

  async #find(uid: number): Promise<string | undefined> {
    const name = nameIn(this.#passwd, uid) ?? nameIn(await this.#directory(uid), uid);
    return name !== undefined && isName(name) ? name : undefined;
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
        const { code } = await child.status;
        over.throwIfAborted();
        if (code === 0 || code === NO_SUCH_KEY) return text;
        throw new CallError("failed", `Looking up user ${uid} failed with code ${code}`);
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
