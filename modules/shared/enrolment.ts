/**
 * What a daemon that is being booted and its origin say to each other over the daemon's stdin and
 * stdout: lines, a word and base64 of JSON. Private keys are made in the daemon and never in it.
 *
 *   daemon -> origin   MINIME-CSR  {request, endpoints, pid}     certificate request, where it listens
 *   origin -> daemon   MINIME-ADMIT {certificate, issuer, root, psk, policy, peers, ...}
 *   daemon -> origin   MINIME-UP   {endpoints}                   or MINIME-FAIL {reason, message}
 *
 * The name in the certificate comes from the origin's ticket, never from the request.
 */

import * as v from "valibot";
import { ProtocolError } from "../../core/mod.ts";

/** The arguments of `minime daemon` that make it enrol; boot's script brings the word itself. */
export function enrolArguments(
  options: {
    readonly mesh: string;
    readonly name: string;
    readonly listen: readonly string[];
    /** Run in the background once it is up. */
    readonly detach: boolean;
  },
): string[] {
  return [
    "--enrol",
    ...(options.detach ? ["--detach"] : []),
    "--mesh",
    options.mesh,
    "--name",
    options.name,
    ...options.listen.flatMap((endpoint) => ["--listen", endpoint]),
  ];
}

const Base64 = v.pipe(v.string(), v.base64());
const Endpoints = v.array(v.string());

const CsrSchema = v.object({
  /** A certificate of type request, signed by its own key. */
  request: Base64,
  /** Endpoints really bound: port 0 is resolved. None of a node that is being installed. */
  endpoints: Endpoints,
  pid: v.number(),
  /** Of a node that is being installed: the same for the key of an issuer, should it be a registrar. */
  registrar: v.optional(Base64),
});
export type Csr = v.InferOutput<typeof CsrSchema>;

/** What a node that starts with its machine keeps beside its keys. */
const LastingSchema = v.object({
  /** The text of the mesh file. */
  file: v.string(),
  /** Signed documents. */
  revocations: v.optional(Base64),
  secrets: v.optional(Base64),
  /** The certificate of its issuer. */
  registrar: v.optional(Base64),
});

const AdmitSchema = v.object({
  mesh: v.string(),
  certificate: Base64,
  issuer: v.optional(Base64),
  /** The root's public key. */
  root: Base64,
  psk: Base64,
  /** A signed policy document. */
  policy: Base64,
  /** Endpoints under which others reach this node, best first. */
  endpoints: Endpoints,
  segment: v.string(),
  /** Nodes that are up already. */
  peers: v.array(
    v.object({
      name: v.string(),
      keyId: v.string(),
      endpoints: Endpoints,
      segment: v.string(),
    }),
  ),
  /** For a node that is being installed. */
  lasting: v.optional(LastingSchema),
});
export type Admit = v.InferOutput<typeof AdmitSchema>;

const UpSchema = v.object({
  endpoints: Endpoints,
  pid: v.number(),
  /** What was done, for people. */
  text: v.optional(v.string()),
});
export type Up = v.InferOutput<typeof UpSchema>;

/** Grows only at the end. */
const ENROLMENT_FAILURES = [
  "port-taken",
  "no-space",
  "state-folder",
  "refused",
  "self-test",
  "running",
  "other",
  "not-installed",
] as const;
const FailSchema = v.object({
  reason: v.picklist(ENROLMENT_FAILURES),
  message: v.string(),
});
export type Fail = v.InferOutput<typeof FailSchema>;

const WORDS = {
  csr: "MINIME-CSR",
  admit: "MINIME-ADMIT",
  up: "MINIME-UP",
  fail: "MINIME-FAIL",
} as const;
export type EnrolmentWord = keyof typeof WORDS;

const SCHEMAS = { csr: CsrSchema, admit: AdmitSchema, up: UpSchema, fail: FailSchema } as const;

export type EnrolmentMessage =
  | { readonly word: "csr"; readonly value: Csr }
  | { readonly word: "admit"; readonly value: Admit }
  | { readonly word: "up"; readonly value: Up }
  | { readonly word: "fail"; readonly value: Fail };

/** One line with its line feed. */
export function formatEnrolment(message: EnrolmentMessage): string {
  const json = new TextEncoder().encode(JSON.stringify(message.value));
  return `${WORDS[message.word]} ${json.toBase64()}\n`;
}

/** Undefined for lines that are not ours (banners). Throws ProtocolError for ours that are wrong. */
export function parseEnrolment(line: string): EnrolmentMessage | undefined {
  const space = line.indexOf(" ");
  const found = (Object.keys(WORDS) as EnrolmentWord[]).find((word) =>
    WORDS[word] === line.slice(0, space)
  );
  if (found === undefined) return undefined;
  try {
    const json = new TextDecoder().decode(Uint8Array.fromBase64(line.slice(space + 1).trim()));
    const value = v.parse(SCHEMAS[found], JSON.parse(json));
    return { word: found, value } as EnrolmentMessage;
  } catch (cause) {
    throw new ProtocolError(`Line ${WORDS[found]} of the enrolment is malformed`, { cause });
  }
}
