/**
 * What users stream into what they have ordered: the stdin of programs, and files. Over a session of
 * the user's own it comes as it is. Through the tree of a group operation each piece is signed by the
 * user, in its place and for its run, the end too: a relay can read it, but whatever it adds, drops or
 * cuts off is noticed at the target before a program (which may be a shell) or a disk gets to see it.
 *
 *   piece       bytes | signature 64
 *   signature   Ed25519 over "minime-input-v2\0" | run 16 | u64 place | SHA-256 of bytes; no bytes: the end
 */

import {
  ByteWriter,
  CallError,
  concatBytes,
  type Context,
  fromHex,
  type SignedBytes,
} from "../../core/mod.ts";

/** For ModuleHost.verify and MeshClient.signBytes. */
export const INPUT_DOMAIN = "minime-input-v2";

const RUN_BYTES = 16;
const PLACE_BYTES = 8;

const SIGNATURE_BYTES = 64;

/** What is signed, or to be verified, of a piece. */
type Signed = Omit<SignedBytes, "publicKey" | "signature">;

/** What is signed of one input, piece by piece. */
export class InputBytes {
  readonly #run: Uint8Array;
  #place = 0;

  constructor(run: string) {
    this.#run = fromHex(run);
  }

  next(content: Uint8Array): Signed {
    const bytes = new ByteWriter("Input", RUN_BYTES + PLACE_BYTES)
      .fixed(this.#run, RUN_BYTES, "run").u64(this.#place++, "place").finish();
    return { bytes, content };
  }
}

/** Signs each, and last the piece without bytes that says that it is the end. */
export async function* signPieces(
  pieces: AsyncIterable<Uint8Array>,
  options: {
    readonly run: string;
    readonly sign: (domain: string, signed: Signed) => Promise<Uint8Array>;
  },
): AsyncGenerator<Uint8Array, void, void> {
  const { run, sign } = options;
  const input = new InputBytes(run);
  // Bytes alone pass from node to node as they are, and need not be encoded anew for each.
  const signed = async (bytes: Uint8Array) =>
    concatBytes(bytes, await sign(INPUT_DOMAIN, input.next(bytes)));
  for await (const bytes of pieces) if (bytes.length > 0) yield await signed(bytes);
  yield await signed(new Uint8Array(0));
}

/** Throws CallError when somebody on the way has touched it. */
export async function* signedInput(
  input: AsyncIterable<unknown>,
  options: {
    readonly run: string;
    readonly verify: (domain: string, signed: Omit<SignedBytes, "publicKey">) => boolean;
  },
): AsyncGenerator<Uint8Array, void, void> {
  const signedBytes = new InputBytes(options.run);
  for await (const item of input) {
    if (!(item instanceof Uint8Array) || item.length < SIGNATURE_BYTES) {
      throw new CallError("invalid", "A piece of input is bytes and their signature");
    }
    const bytes = item.subarray(0, -SIGNATURE_BYTES);
    const signature = item.subarray(-SIGNATURE_BYTES);
    if (!options.verify(INPUT_DOMAIN, { ...signedBytes.next(bytes), signature })) {
      throw new CallError("refused", "The input is not what the user has signed");
    }
    if (bytes.length === 0) return;
    yield bytes;
  }
  throw new CallError("cancelled", "The input broke off");
}

/** Throws CallError unless the request is bound to the session that brings the input. */
export async function* plainInput(
  context: Pick<Context, "bound" | "input">,
  onOther: (item: unknown) => void = noOther,
): AsyncGenerator<Uint8Array, void, void> {
  if (!context.bound) {
    throw new CallError("refused", "Input that is not signed needs a session of the user's own");
  }
  for await (const item of context.input) {
    if (item instanceof Uint8Array) yield item;
    else onOther(item);
  }
}

function noOther(): never {
  throw new CallError("invalid", "Input is no bytes");
}
