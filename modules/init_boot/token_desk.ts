/**
 * The registrar's desk: makes tokens, and gives out a certificate for each, once. That a token was
 * used, and by which key, is on disk before the certificate leaves; the same key may ask again, as
 * long as the token is valid, for its answer may have been lost.
 *
 * The file holds keys that let somebody in: it is private, as the folder is.
 */

import * as v from "valibot";
import {
  CallError,
  type Certificate,
  type Environment,
  formatJoinToken,
  isName,
  joinSecretOf,
  type MeshSecret,
  type Primitives,
  TOKEN_SECRET_BYTES,
} from "../../core/mod.ts";
import { type Authority, issueNode } from "../shared/authority.ts";
import { INSTALLED_NODE_MS } from "../shared/limits.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { TOKENS_MAX } from "./limits.ts";

/** What a node needs to be a registrar. */
export interface DeskOptions {
  readonly env: Pick<Environment, "clock" | "files" | "processes" | "random">;
  readonly primitives: Primitives;
  /** Its issuer, which may be exchanged, and what it hands to newcomers. */
  readonly authority: () => Authority;
  readonly mesh: string;
  /** Of this node. */
  readonly keyId: string;
  /** Where newcomers find this node now. */
  readonly endpoints: () => readonly string[];
  /** The file of tokens. */
  readonly path: string;
}

const Hex = v.pipe(v.string(), v.regex(/^[0-9a-f]+$/));
const EntrySchema = v.object({
  id: Hex,
  psk: Hex,
  name: v.pipe(v.string(), v.check(isName)),
  groups: v.array(v.pipe(v.string(), v.check(isName))),
  expiresMs: v.number(),
  /** Of the key that used it. */
  usedBy: v.optional(Hex),
});
type Entry = v.InferOutput<typeof EntrySchema>;

/** One for each daemon that is a registrar. */
export class TokenDesk {
  readonly #options: DeskOptions;
  #entries: Entry[];
  /** Never rejects. */
  #last: Promise<void> = Promise.resolve();

  private constructor(options: DeskOptions, entries: Entry[]) {
    this.#options = options;
    this.#entries = entries;
  }

  static async open(options: DeskOptions): Promise<TokenDesk> {
    const bytes = await readPrivateFile(options.env, options.path);
    const entries = bytes === undefined
      ? []
      : v.parse(v.array(EntrySchema), JSON.parse(new TextDecoder().decode(bytes)));
    return new TokenDesk(options, entries);
  }

  /** What newcomers are given besides their certificate. */
  get psk(): Uint8Array {
    return this.#options.authority().psk;
  }

  /** The text of a new token. Throws CallError when it could not be redeemed, or there are too many. */
  async create(
    wanted: { readonly name: string; readonly groups: readonly string[]; readonly ttlMs: number },
  ): Promise<string> {
    const { env, primitives, authority, mesh, keyId, endpoints } = this.#options;
    const now = Math.floor(env.clock.now());
    this.#entries = this.#entries.filter(({ expiresMs }) => expiresMs >= now);
    if (this.#entries.length >= TOKENS_MAX) {
      throw new CallError("busy", `There are ${TOKENS_MAX} tokens already; wait until some expire`);
    }
    // Whether our issuer may make such a node shows here, and not on the machine that joins.
    const trial = env.random.bytes(32);
    this.#issue(wanted, {
      signPublicKey: primitives.signPublicKey(trial),
      dhPublicKey: primitives.dhPublicKey(trial),
    });
    const secret = env.random.bytes(TOKEN_SECRET_BYTES);
    const { id, psk } = joinSecretOf(primitives, secret);
    const expiresMs = now + wanted.ttlMs;
    const { name, groups } = wanted;
    const entry = { id: id.toHex(), psk: psk.toHex(), name, groups: [...groups], expiresMs };
    await this.#change(() => this.#entries.push(entry), () => this.#drop(entry));
    const { rootPublicKey } = authority();
    return formatJoinToken({
      secret,
      rootPublicKey,
      registrarKeyId: keyId,
      expiresMs,
      mesh,
      name,
      endpoints: endpoints(),
    });
  }

  /** The key of the handshake with who shows this token; undefined when there is none that counts. */
  find(tokenId: Uint8Array): MeshSecret | undefined {
    const entry = this.#living(tokenId.toHex());
    return entry && { id: tokenId, psk: Uint8Array.fromHex(entry.psk) };
  }

  /** The chain for who has shown a token, leaf first. Throws CallError when another key has used it. */
  async redeem(token: string, request: Certificate): Promise<readonly Uint8Array[]> {
    const entry = this.#living(token);
    if (entry === undefined) throw new CallError("refused", "This token has expired");
    if (entry.usedBy !== undefined && entry.usedBy !== request.keyId) {
      throw new CallError("refused", `Token for "${entry.name}" was used already, by another key`);
    }
    const chain = this.#issue(entry, request);
    if (entry.usedBy === undefined) {
      await this.#change(() => entry.usedBy = request.keyId, () => delete entry.usedBy);
    } else await this.#last;
    return chain;
  }

  #living(id: string): Entry | undefined {
    const now = this.#options.env.clock.now();
    return this.#entries.find((entry) => entry.id === id && entry.expiresMs >= now);
  }

  #drop(entry: Entry): void {
    this.#entries = this.#entries.filter((each) => each !== entry);
  }

  #issue(
    wanted: { readonly name: string; readonly groups: readonly string[] },
    keys: { readonly signPublicKey: Uint8Array; readonly dhPublicKey: Uint8Array },
  ): readonly Uint8Array[] {
    const { env, primitives, authority } = this.#options;
    const now = Math.floor(env.clock.now());
    const { signPublicKey, dhPublicKey } = keys;
    return issueNode(authority(), {
      primitives,
      random: env.random,
      now,
      name: wanted.name,
      groups: wanted.groups,
      signPublicKey,
      dhPublicKey,
      validityMs: INSTALLED_NODE_MS,
    });
  }

  /** Done at once, so that nobody comes in between; undone when it cannot be stored. */
  async #change(apply: () => void, undo: () => void): Promise<void> {
    const { files } = this.#options.env;
    apply();
    const stored = this.#last.then(() =>
      files.write(this.#options.path, `${JSON.stringify(this.#entries)}\n`, { mode: 0o600 })
    );
    this.#last = stored.catch(() => {
      // Told to whoever asked for the change.
    });
    try {
      await stored;
    } catch (cause) {
      undo();
      throw new CallError("failed", "The registrar cannot write its file of tokens", { cause });
    }
  }
}
