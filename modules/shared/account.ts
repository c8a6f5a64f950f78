/**
 * Users of this host, by name: from /etc/passwd, or by getent where they come from a directory. What
 * was found is believed for a few seconds, so that a thousand commands read the file once.
 */

import { CallError, type Environment, NotFoundError, withTimeLimit } from "../../core/mod.ts";
import { ACCOUNT_MS_MAX, ACCOUNTS_MAX, GETENT_MS_MAX } from "./limits.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

type Needs = Pick<Environment, "clock" | "files" | "processes">;

const PASSWD = "/etc/passwd";
const SHELL_DEFAULT = "/bin/sh";

/** A line of passwd(5); undefined when it is none. */
export function parseAccount(line: string): Account | undefined {
  const fields = line.split(":");
  const [name = "", , uid = "", gid = "", , home = "", shell = ""] = fields;
  const isNumber = (text: string) => /^\d{1,10}$/.test(text);
  if (fields.length !== 7 || name === "" || !isNumber(uid) || !isNumber(gid)) return undefined;
  return {
    name,
    uid: Number(uid),
    gid: Number(gid),
    home: home.startsWith("/") ? home : "/",
    shell: shell.startsWith("/") ? shell : SHELL_DEFAULT,
  };
}

/** Looks users up. */
export class Accounts {
  readonly #env: Needs;
  readonly #known = new Map<string, { readonly account: Account; readonly until: number }>();

  constructor(env: Needs) {
    this.#env = env;
  }

  /** Rejects with CallError "failed" when this host has no such user. */
  async find(name: string): Promise<Account> {
    const now = this.#env.clock.monotonic();
    const known = this.#known.get(name);
    if (known !== undefined && known.until > now) return known.account;
    const account = await this.#inFile(name) ?? await this.#inDirectory(name);
    if (account === undefined) throw new CallError("failed", `This host has no user "${name}"`);
    if (this.#known.size >= ACCOUNTS_MAX) this.#known.clear();
    this.#known.set(name, { account, until: now + ACCOUNT_MS_MAX });
    return account;
  }

  async #inFile(name: string): Promise<Account | undefined> {
    try {
      return accountNamed(name, await this.#env.files.readText(PASSWD));
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  async #inDirectory(name: string): Promise<Account | undefined> {
    const { clock, processes } = this.#env;
    try {
      const child = await processes.spawn("/usr/bin/getent", {
        args: ["passwd", "--", name],
        stdout: "piped",
        clearEnvironment: true,
      });
      const late = () => new CallError("failed", `Looking up the user "${name}" takes too long`);
      const text = await withTimeLimit(async (over) => {
        over.addEventListener("abort", () => child.kill("SIGKILL"));
        const found = await readText(child.stdout as ReadableStream<Uint8Array>);
        await child.status;
        over.throwIfAborted();
        return found;
      }, { clock, ms: GETENT_MS_MAX, late });
      return accountNamed(name, text);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }
}

async function readText(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

function accountNamed(name: string, text: string): Account | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name}:`));
  return line === undefined ? undefined : parseAccount(line);
}
