/**
 * The only door of the core. Modules and main.ts import from here and from nowhere else inside it;
 * what is not here is the core's own business. `createRealEnvironment` is loaded apart from it
 * (core/environment/real.ts), since a command line must start before it needs any of this.
 */

export * from "./errors.ts";
export {
  BODY_DEPTH_MAX,
  CERTIFICATE_BYTES_MAX,
  CLOCK_SKEW_MS_MAX,
  KEY_ID_BYTES,
  STEPS_MAX,
} from "./limits.ts";
export { limitedLog } from "./limited_log.ts";
export type { Log, LogLevel } from "./log.ts";
export { FirstSignal } from "./first_signal.ts";
export { withTimeLimit } from "./time_limit.ts";
export { PROTOCOL_NEWEST, PROTOCOL_OLDEST, REVISION, REVISION_NEWEST, VERSION } from "./version.ts";
export type * from "./environment/environment.ts";
export { raiseFileLimit } from "./environment/real_host.ts";
export { KIND, PRIORITY, type Priority } from "./wire/message.ts";
export {
  ByteReader,
  ByteWriter,
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  Scratch,
  toHex,
} from "./wire/bytes.ts";
export { decodeValue, encodeCanonical } from "./wire/codec.ts";
export type { CloseReason, Conduit, ConduitListener, Front, Peer } from "./conduit/conduit.ts";
export { formatEndpoint, hostInUrl, parseEndpoint } from "./conduit/endpoint.ts";
export { clockText } from "./conduit/clock_offset.ts";
export { InternalFront } from "./conduit/internal.ts";
export { TcpFront } from "./conduit/tcp.ts";
export { UnixFront } from "./conduit/unix.ts";
export type { HandshakeContext } from "./conduit/handshake.ts";
export { FramedConduit } from "./conduit/framed.ts";
export * from "./conduit/end_to_end.ts";
export { EndToEndCipher, nextEpoch, SEALED_OVERHEAD_BYTES } from "./conduit/end_to_end_cipher.ts";
export { PACKET, packetId, packetNumber, packetType } from "./conduit/end_to_end_packet.ts";
export type { Call, Caller, CallOptions } from "./daemon/call.ts";
export { Calls } from "./daemon/calls.ts";
export { decodeCallError, encodeCallError, toCallError } from "./daemon/call_error.ts";
export type { Step, StepResult } from "./daemon/step.ts";
export { type SignedBytes, signForModule, verifyForModule } from "./daemon/module_signature.ts";
export type { NodeRequest } from "./daemon/node_request.ts";
export { RateLimit } from "./daemon/rate_limit.ts";
export {
  DOCUMENT_KINDS,
  DOCUMENT_PLACES,
  type DocumentKind,
  type Documents,
  type SignedDocument,
} from "./daemon/documents.ts";
export type { BulkHalf, Link, LinkChange, Links, NodePeer, Teller } from "./daemon/links.ts";
export { Minimed, type MinimedOptions } from "./daemon/minimed.ts";
export {
  type ActionClass,
  type Context,
  type Handler,
  type Module,
  type ModuleHost,
  type Principal,
  type StopHow,
  type Verb,
  verb,
} from "./daemon/module.ts";
export * from "./security/certificate.ts";
export { signCertificateRequest } from "./security/certificate_request.ts";
export * from "./security/chain.ts";
export * from "./security/mesh_secrets.ts";
export { checkName, isName, isUnixUser } from "./security/name.ts";
export {
  choosePrimitives,
  chooseSigning,
  type SigningPrimitives,
} from "./crypto/choose_primitives.ts";
export type { Primitives, Sha256 } from "./crypto/primitives.ts";
export { dialRegistrar, type JoinKeys } from "./daemon/join.ts";
export * from "./security/join_token.ts";
export type { KeptJournal } from "./security/journal.ts";
export { JournalFile } from "./security/journal_file.ts";
export { JournalMemory } from "./security/journal_memory.ts";
export * from "./security/policy.ts";
export * from "./security/policy_document.ts";
export * from "./security/policy_file.ts";
export * from "./security/request.ts";
export * from "./security/revocation.ts";
export type { MeshSecret, Self, Trust } from "./security/trust.ts";
export { VerifiedCertificates } from "./security/verified_certificates.ts";
