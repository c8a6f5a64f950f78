/**
 * Issuers: keys that sign certificates in the root's place, within bounds that the root set. The
 * home's own one may make users and nodes, a registrar's only nodes; neither can mint the group that
 * may do everything.
 */

import {
  CERTIFICATE_BYTES_MAX,
  type IssuerConstraint,
  ProtocolError,
  UsageError,
} from "../../core/mod.ts";
import { type Authority, issue, KEY_BYTES, type Needs, publicKeysOf } from "./authority.ts";
import { OPS_GROUP } from "./credentials.ts";
import { INSTALLED_NODE_MS, ISSUER_MS } from "./limits.ts";

/** A new issuer: the content of its two files. */
export interface NewIssuer {
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
}

/** @throws UsageError when there are more groups than fit into a certificate */
export function makeIssuer(
  authority: Authority,
  needs: Needs,
  options: {
    readonly name: string;
    readonly types: IssuerConstraint["types"];
    /** Groups that it may give. */
    readonly groups: Iterable<string>;
  },
): NewIssuer {
  const { name, types } = options;
  const key = needs.random.bytes(2 * KEY_BYTES);
  const groups = [...new Set(options.groups)].filter((group) => group !== OPS_GROUP).sort();
  try {
    const [certificate] = issue(authority, needs, {
      type: "issuer",
      name,
      groups: [],
      validityMs: ISSUER_MS,
      constraint: { types, namePatterns: ["*"], groups, longestValidityMs: INSTALLED_NODE_MS },
      ...publicKeysOf(needs.primitives, key),
    });
    return { key, certificate };
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new UsageError(
      `The mesh has ${groups.length} groups, more than fit into an issuer's certificate of ` +
        `${CERTIFICATE_BYTES_MAX} bytes`,
      { cause, hint: "Take groups of single machines out of the mesh file" },
    );
  }
}
