/** The names of this machine's users, for as long as somebody looks at what they left. */

import { type Environment, isName, NotFoundError } from "../../core/mod.ts";
import { getent } from "../shared/account.ts";
import { ENROL_LOOKUP_MS_MAX } from "./limits.ts";

type Needs = Pick<Environment, "clock" | "files" | "processes">;

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
    const name = nameIn(this.#passwd, uid) ??
      nameIn(await getent(this.#env, String(uid), ENROL_LOOKUP_MS_MAX), uid);
    return name !== undefined && isName(name) ? name : undefined;
  }
}

function nameIn(passwd: string, uid: number): string | undefined {
  const rows = passwd.split("\n").map((line) => line.split(":"));
  return rows.find((row) => row[2] === String(uid))?.[0];
}
