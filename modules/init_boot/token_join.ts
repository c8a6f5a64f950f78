/**
 * Becoming a node by a token: keys are made here and stay here, the registrar that made the token
 * gives the certificate for them. The certificate is written last, so a join that was cut short is
 * simply done again, with the same key.
 */

import * as v from "valibot";
import {
  dialRegistrar,
  type Environment,
  errorText,
  joinSecretOf,
  type JoinToken,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  parseJoinToken,
  type Primitives,
  UsageError,
  verifyChain,
} from "../../core/mod.ts";
import { KEY_BYTES } from "../shared/authority.ts";
import type { CommandContext } from "../shared/command.ts";
import { JoinedSchema } from "../shared/join_verbs.ts";
import { type NodeFile, ownNodeKey } from "../shared/node_folder.ts";
import { makePrivateFolder, readPrivateFile } from "../shared/private_folder.ts";

/** How long a registrar may take to answer, at each of its endpoints. */
const JOIN_MS_MAX = 20_000;

/** What joining takes. */
export interface JoinOptions {
  readonly token: JoinToken;
  /** Where keys and certificate go. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Whether the folder holds a certificate, so that no token is needed any more. */
export async function hasJoined(
  { files }: Pick<Environment, "files">,
  folder: string,
): Promise<boolean> {
  return await files.facts(`${folder}/node.cert`) !== undefined;
}

/** @throws UsageError when it is for another node, or another mesh than the one that is meant */
export function requireTokenFor(
  token: JoinToken,
  { mesh, name }: {
    readonly mesh: string;
    /** @default any: it is the token that says so */
    readonly name?: string | undefined;
  },
): void {
  if (token.mesh === mesh && (name === undefined || token.name === name)) return;
  const what = name === undefined ? `mesh "${mesh}"` : `"${name}" of mesh "${mesh}"`;
  throw new UsageError(
    `The token is for "${token.name}" of mesh "${token.mesh}", and this is ${what}`,
  );
}

/** Resolves when the folder holds all that the node needs whose token it is. */
export async function joinByToken(
  env: Environment,
  primitives: Primitives,
  options: JoinOptions,
): Promise<void> {
  const { folder, token } = options;
  if (token.expiresMs < env.clock.now()) {
    throw new UsageError("The token has expired", {
      hint: "Make another one: minime token create",
    });
  }
  await makePrivateFolder(env, folder);
  // Who used a token must be able to ask again.
  const key = await ownNodeKey(env, folder);
  const joined = await ask(env, primitives, { token, key, signal: options.signal });
  const meshId = meshIdOf(primitives, token.rootPublicKey);
  verifyChain(primitives, {
    chain: joined.chain,
    rootPublicKey: token.rootPublicKey,
    meshId,
    now: env.clock.now(),
    revocations: NO_REVOCATIONS,
    types: ["node"],
  });
  const [certificate, issuer] = joined.chain;
  const files: readonly (readonly [NodeFile, Uint8Array | undefined])[] = [
    ["root.pub", token.rootPublicKey],
    ["psk", joined.psk],
    ["policy.signed", joined.policy],
    ["revocations.signed", joined.revocations],
    ["secrets.signed", joined.secrets],
    ["issuer.cert", issuer],
    ["node.cert", certificate],
  ];
  for (const [file, data] of files) {
    if (data !== undefined) await env.files.write(`${folder}/${file}`, data, { mode: 0o600 });
  }
}

/** From a file that others cannot read, or from stdin: `-`. */
export async function readToken(
  { env, stdin }: Pick<CommandContext, "env" | "stdin">,
  path: string,
): Promise<JoinToken> {
  if (path === "-") return parseJoinToken(await stdin.text());
  const bytes = await readPrivateFile(env, path);
  if (bytes === undefined) throw new UsageError(`There is no token file "${path}"`);
  return parseJoinToken(new TextDecoder().decode(bytes));
}

async function ask(
  env: Environment,
  primitives: Primitives,
  { token, key, signal }: {
    readonly token: JoinToken;
    readonly key: Uint8Array;
    readonly signal: AbortSignal;
  },
): Promise<v.InferOutput<typeof JoinedSchema>> {
  const keys = { signSeed: key.slice(0, KEY_BYTES), dhSecret: key.slice(KEY_BYTES) };
  let failure = new MinimeError("The token names no endpoint of its registrar");
  for (const endpoint of token.endpoints) {
    try {
      const calls = await dialRegistrar(env, primitives, {
        rootPublicKey: token.rootPublicKey,
        name: token.name,
        secret: joinSecretOf(primitives, token.secret),
        expect: { keyId: token.registrarKeyId },
        keys,
        endpoint,
        signal,
      });
      try {
        const reply = await calls.request("init_boot.join", {}, {
          deadlineMs: JOIN_MS_MAX,
          signal,
        });
        return v.parse(JoinedSchema, reply);
      } finally {
        await calls.close("joined");
      }
    } catch (cause) {
      signal.throwIfAborted();
      if (!(cause instanceof MinimeError)) throw cause;
      failure = new MinimeError(`Cannot join at ${endpoint}: ${errorText(cause)}`, { cause });
    }
  }
  throw failure;
}
