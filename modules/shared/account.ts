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
/** What getent says by its exit code when there is no such user. */
const GETENT_NO_SUCH_KEY = 2;
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
    return accountNamed(name, await getent(this.#env, name));
  }
}

/**
 * Lines of passwd(5) for the name or the number of a user; none: there is no such user. Throws
 * MinimeError when the system does not say, or not within `ms`.
 */
export async function getent(
  { clock, processes }: Pick<Environment, "clock" | "processes">,
  key: string,
  ms: number = GETENT_MS_MAX,
): Promise<string> {
  try {
    const child = await processes.spawn("/usr/bin/getent", {
      args: ["passwd", "--", key],
      stdout: "piped",
      clearEnvironment: true,
    });
    const late = () => new CallError("failed", `Looking up the user "${key}" takes too long`);
    return await withTimeLimit(async (over) => {
      over.addEventListener("abort", () => child.kill("SIGKILL"));
      const found = await readText(child.stdout as ReadableStream<Uint8Array>);
      const { code } = await child.status;
      over.throwIfAborted();
      if (code === 0 || code === GETENT_NO_SUCH_KEY) return found;
      throw new CallError("failed", `Looking up the user "${key}" failed with code ${code}`);
    }, { clock, ms, late });
  } catch (error) {
    if (error instanceof NotFoundError) return "";
    throw error;
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
