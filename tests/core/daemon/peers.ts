/** Fields of a node's peer that most tests do not look at. */
export const NO_PEER_FIELDS = {
  instance: "00".repeat(16),
  bulk: false,
  onDemand: false,
  secretsVersion: 0,
  version: 1,
  revision: 0,
  clockOffsetMs: 0,
  session: "00".repeat(32),
} as const;
