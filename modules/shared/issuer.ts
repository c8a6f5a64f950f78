/**
 * Issuers: keys that sign certificates in the root's place, within bounds that the root set. The
 * home's own one may make users and nodes, a registrar's only nodes; neither can mint the group that
 * may do everything.
 */

import {
  CERTIFICATE_BYTES_MAX,
  type IssuerConstraint,
  parsePolicy,
  type Primitives,
  ProtocolError,
  UsageError,
} from "../../core/mod.ts";
import {
  type Authority,
  issue,
  KEY_BYTES,
  type Needs,
  type PublicKeys,
  publicKeysOf,
} from "./authority.ts";
import { OPS_GROUP } from "./credentials.ts";
import { INSTALLED_NODE_MS, ISSUER_MS } from "./limits.ts";
import type { MeshFile } from "./mesh_file.ts";
import { GATEWAY_GROUP } from "./mesh_view.ts";
import { REGISTRAR_GROUP } from "./roles.ts";

/** A new issuer: the content of its two files. */
export interface NewIssuer {
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
}

/** What an issuer is called, and what it may sign. */
export interface IssuerBounds {
  readonly name: string;
  readonly types: IssuerConstraint["types"];
  /** Groups that it may give; that which may do everything is left out. */
  readonly groups: Iterable<string>;
}

/** @throws UsageError when there are more groups than fit into a certificate */
export function makeIssuer(
  authority: Authority,
  needs: Needs & { readonly primitives: Primitives },
  bounds: IssuerBounds,
): NewIssuer {
  const key = needs.random.bytes(2 * KEY_BYTES);
  const keys = publicKeysOf(needs.primitives, key);
  return { key, certificate: certifyIssuer(authority, needs, { ...bounds, ...keys }) };
}

/**
 * The certificate of an issuer whose key was made elsewhere.
 * @throws UsageError as makeIssuer does
 */
export function certifyIssuer(
  authority: Authority,
  needs: Needs,
  options: IssuerBounds & PublicKeys,
): Uint8Array {
  const { name, types, signPublicKey, dhPublicKey } = options;
  const groups = [...new Set(options.groups)].filter((group) => group !== OPS_GROUP).sort();
  try {
    const [certificate] = issue(authority, needs, {
      type: "issuer",
      name,
      groups: [],
      validityMs: ISSUER_MS,
      constraint: { types, namePatterns: ["*"], groups, longestValidityMs: INSTALLED_NODE_MS },
      signPublicKey,
      dhPublicKey,
    });
    return certificate;
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new UsageError(
      `The mesh has ${groups.length} groups, more than fit into an issuer's certificate of ` +
        `${CERTIFICATE_BYTES_MAX} bytes`,
      { cause, hint: "Take groups of single machines out of the mesh file" },
    );
  }
}

/** What a registrar may give: groups that nodes have. */
export function registrarGroups(mesh: MeshFile | undefined): string[] {
  return [...(mesh?.groups ?? []).map(({ name }) => name), GATEWAY_GROUP];
}

/** What the home's issuer may give: groups that nodes have, and those that the policy knows, for people. */
export function homeGroups(mesh: MeshFile | undefined): string[] {
  const people = mesh === undefined
    ? []
    : parsePolicy(mesh.policy).rules.flatMap(({ who }) =>
      who.filter((each) => each.startsWith("group:")).map((each) => each.slice("group:".length))
    );
  return [...registrarGroups(mesh), ...people, REGISTRAR_GROUP];
}
