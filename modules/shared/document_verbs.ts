/** What the documents module and those who bring it documents say to each other. */

import * as v from "valibot";
import { DOCUMENT_KINDS } from "../../core/mod.ts";

const Bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "Expected bytes");
const Kind = v.picklist(DOCUMENT_KINDS);

/** The order of one document: the higher version counts, then the higher hash. */
export const OrderSchema = v.object({
  version: v.pipe(v.number(), v.integer(), v.minValue(0)),
  hash: v.pipe(Bytes, v.check((hash) => hash.length === 32, "Expected 32 bytes")),
});
export type Order = v.InferOutput<typeof OrderSchema>;

/** Reply of `documents.versions`; what is not there has no version. */
export const VersionsSchema = v.object({
  policy: v.optional(OrderSchema),
  revocations: v.optional(OrderSchema),
  secrets: v.optional(OrderSchema),
});
export type Versions = v.InferOutput<typeof VersionsSchema>;

/** Arguments of `documents.get`. */
export const GetSchema = v.strictObject({ kind: Kind });
/** Its reply, and arguments of `documents.offer`. */
export const DocumentSchema = v.strictObject({ kind: Kind, bytes: Bytes });
/** Reply of `documents.offer`. */
export const OfferedSchema = v.object({ adopted: v.boolean() });
