/** What operators and login nodes say to each other about people who want to become users. */

import * as v from "valibot";
import { isName } from "../../core/mod.ts";

const KeyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "Expected 64 hex digits"));

/** The longest name that a folder can hold. */
const FILE_CHARACTERS_MAX = 255;
/** Reply of `keys.requests`. */
export const EnrolRequestsSchema = v.object({
  requests: v.array(v.object({
    /** The unix user who owns the request. */
    user: v.pipe(v.string(), v.check(isName, "Expected a name")),
    /** The request's name in the node's folder, which proves by itself whose keys they are. */
    file: v.pipe(v.string(), v.maxLength(FILE_CHARACTERS_MAX)),
    /** Unix ms. */
    askedMs: v.number(),
  })),
});

/** The longest reason of a refusal. */
const REASON_CHARACTERS_MAX = 200;
/** Base64 of a sealed answer, which holds a mesh file. */
const SEALED_CHARACTERS_MAX = 2 * 1024 * 1024;
/** What lies in the file of an answer, as JSON. */
export const EnrolAnswerSchema = v.union([
  v.strictObject({ sealed: v.pipe(v.string(), v.base64(), v.maxLength(SEALED_CHARACTERS_MAX)) }),
  v.strictObject({ denied: v.pipe(v.string(), v.maxLength(REASON_CHARACTERS_MAX)) }),
]);
export type EnrolAnswer = v.InferOutput<typeof EnrolAnswerSchema>;
/** Arguments of `keys.answer`. */
export const EnrolAnswerRequestSchema = v.strictObject({ keyId: KeyId, answer: EnrolAnswerSchema });
/** Its reply. */
export const EnrolAnsweredSchema = v.object({ user: v.string() });

const Base64 = v.pipe(v.string(), v.base64());
/** What is sealed: a home of the mesh but for its key, as JSON. Files by name, in base64. */
export const EnrolHomeSchema = v.object({
  mesh: v.pipe(v.string(), v.check(isName, "Expected a name")),
  files: v.object({
    "root.pub": Base64,
    psk: Base64,
    "secrets.signed": v.optional(Base64),
    "revocations.signed": v.optional(Base64),
    "mesh.toml": v.optional(Base64),
    "issuer.cert": v.optional(Base64),
    "user.cert": Base64,
  }),
  nodes: v.unknown(),
});
