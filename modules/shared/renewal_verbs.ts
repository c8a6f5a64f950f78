/** What is said about certificates of nodes: by those who want theirs renewed, and by who looks. */

import * as v from "valibot";

const Bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "Expected bytes");
const UnixMs = v.pipe(v.number(), v.finite());
/** Leaf first. */
export const ChainSchema = v.pipe(v.array(Bytes), v.minLength(1), v.maxLength(2));

/** Module domain of what a node signs when it asks. */
export const RENEWAL_DOMAIN = "minime-renew-v1";

/** Arguments of `keys.renew` and `keys.revive`. */
export const RenewalSchema = v.strictObject({
  chain: ChainSchema,
  unixMs: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** By the certificate's key, in RENEWAL_DOMAIN, over {@link renewalBytes}. */
  signature: Bytes,
});
export type Renewal = v.InferOutput<typeof RenewalSchema>;
/** Reply: the new chain. */
export const RenewedSchema = v.object({ chain: ChainSchema });

/** Reply of `keys.status`. */
export const KeysStatusSchema = v.object({
  keyId: v.string(),
  notBefore: UnixMs,
  /** Of the whole chain. */
  notAfter: UnixMs,
  /** Who signed the certificate: the name of an issuer; null: the root. */
  issuer: v.nullable(v.object({ name: v.string(), keyId: v.string(), notAfter: UnixMs })),
  /** When it is to be renewed. */
  renewalAt: UnixMs,
  /** Why it could not be renewed so far; null while it is not due, or went well. */
  trouble: v.nullable(v.string()),
  /** The issuer with which this node renews others; null: it is no registrar. */
  registrar: v.nullable(v.object({ keyId: v.string(), notAfter: UnixMs })),
});
export type KeysStatus = v.InferOutput<typeof KeysStatusSchema>;

/** Reply of `keys.renew_now`: until when, in unix ms. */
export const RenewedUntilSchema = v.object({ notAfter: UnixMs });

/** Reply of `keys.issuer_request`: what a registrar wants a new issuer's certificate for. */
export const IssuerRequestSchema = v.object({
  /** A certificate of type request, signed by the new issuer's key. */
  request: Bytes,
  /** The certificate of the issuer that signs there so far. */
  present: Bytes,
});
/** Arguments of `keys.issuer_install`. */
export const IssuerInstallSchema = v.strictObject({ certificate: Bytes });

/** What is signed: the time, then the certificate. */
export function renewalBytes(unixMs: number, certificate: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + certificate.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(unixMs));
  bytes.set(certificate, 8);
  return bytes;
}
