/**
 * Who may become a node of the mesh that is being booted: one ticket a host, for one certificate.
 * Name and groups come from the mesh file, keys from the request, which must be signed by the key
 * that it names. Remembers whom it admitted: those are the peers of the next ones.
 */

import {
  type Certificate,
  type Environment,
  isSignedBy,
  parseCertificate,
  type Primitives,
} from "../../core/mod.ts";
import { type Authority, issueNode, needsNow, rootSeedOf } from "../shared/authority.ts";
import type { Admit, Csr } from "../shared/enrolment.ts";
import { dialEndpoints, reachedEndpoints } from "../shared/host_endpoints.ts";
import { certifyIssuer } from "../shared/issuer.ts";
import { INSTALLED_NODE_MS } from "../shared/limits.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { certificateGroups, REGISTRAR_GROUP } from "../shared/roles.ts";
import { HostError } from "./host_error.ts";
import type { LastingParts } from "./lasting.ts";
import { ENDPOINTS_MAX, PEERS_MAX } from "./limits.ts";
import { canDial, endpointsFor, placeOf } from "./dialling.ts";

export interface RegistrarOptions {
  readonly env: Pick<Environment, "clock" | "random">;
  readonly primitives: Primitives;
  readonly authority: Authority;
  readonly mesh: string;
  /** The signed document. */
  readonly policy: Uint8Array;
  /** Nodes that live already. */
  readonly living: readonly KnownNode[];
  /** All of the mesh file. */
  readonly hosts: readonly MeshHost[];
  /** They are installed. @default they last as long as they run */
  readonly lasting?: LastingParts | undefined;
}

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #tickets = new Set<string>();
  /** In the order of their admission. */
  readonly #peers = new Map<string, KnownNode>();
  readonly #hosts: ReadonlyMap<string, MeshHost>;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#hosts = new Map(options.hosts.map((host) => [host.name, host]));
    for (const node of options.living) this.#peers.set(node.name, node);
  }

  /** The host of this name may ask once. */
  open(host: MeshHost): void {
    this.#tickets.add(host.name);
  }

  /** @throws HostError for a request that is not in order; the ticket is used up all the same */
  admit(host: MeshHost, csr: Csr): { readonly admit: Admit; readonly node: KnownNode } {
    const { env, primitives, authority, mesh, policy, lasting } = this.#options;
    if (!this.#tickets.delete(host.name)) {
      throw new HostError("daemon", "it asked for a certificate that nobody promised it");
    }
    const { signPublicKey, dhPublicKey, keyId } = keysOf(primitives, csr.request);
    const now = Math.floor(env.clock.now());
    const groups = certificateGroups(host);
    const [certificate, issuer] = issueNode(authority, {
      primitives,
      random: env.random,
      now,
      name: host.name,
      groups,
      signPublicKey,
      dhPublicKey,
      ...(lasting === undefined ? {} : { validityMs: INSTALLED_NODE_MS }),
    });
    const endpoints = lasting === undefined
      ? reachableEndpoints(host, csr.endpoints)
      : dialEndpoints(host);
    const node = {
      name: host.name,
      keyId,
      endpoints,
      groups: [...groups],
      seen: now,
      segment: host.segment,
      direct: host.via === undefined,
      ...(lasting === undefined ? {} : { lasting: true }),
    };
    const peers = this.#peersOf(node);
    // It listens already, so those who come next can dial it, whoever is up first.
    this.#peers.set(host.name, node);
    return {
      node,
      admit: {
        mesh,
        certificate: certificate.toBase64(),
        ...(issuer === undefined ? {} : { issuer: issuer.toBase64() }),
        root: authority.rootPublicKey.toBase64(),
        psk: authority.psk.toBase64(),
        policy: policy.toBase64(),
        endpoints,
        segment: host.segment,
        peers,
        ...(lasting === undefined ? {} : { lasting: this.#lastingFor(host, csr, lasting) }),
      },
    };
  }

  #lastingFor(host: MeshHost, csr: Csr, parts: LastingParts): NonNullable<Admit["lasting"]> {
    const { file, revocations, secrets } = parts;
    const { primitives, authority, env } = this.#options;
    const isRegistrar = certificateGroups(host).includes(REGISTRAR_GROUP);
    if (isRegistrar && csr.registrar !== undefined) {
      rootSeedOf(authority, `the issuer of registrar "${host.name}"`);
    }
    const registrar = isRegistrar && csr.registrar !== undefined
      ? certifyIssuer(authority, needsNow(env, primitives), {
        name: host.name,
        types: ["node"],
        groups: parts.registrarGroups,
        ...keysOf(primitives, csr.registrar),
      })
      : undefined;
    return {
      file,
      ...(revocations === undefined ? {} : { revocations: revocations.toBase64() }),
      ...(secrets === undefined ? {} : { secrets: secrets.toBase64() }),
      ...(registrar === undefined ? {} : { registrar: registrar.toBase64() }),
    };
  }

  /** It did not come up after all. */
  forget(name: string): void {
    this.#tickets.delete(name);
    this.#peers.delete(name);
  }

  /**
   * Of those that it can dial the first ones and the last ones: every two nodes of a segment, and
   * every two gateways, have some in common, so all find each other.
   */
  #peersOf(node: KnownNode): Admit["peers"] {
    const place = placeOf(node);
    const all = [...this.#peers.values()].filter((peer) =>
      peer.name !== node.name && canDial(place, placeOf(peer))
    );
    const some = all.length <= PEERS_MAX
      ? all
      : [...all.slice(0, PEERS_MAX / 2), ...all.slice(-PEERS_MAX / 2)];
    return some.map((peer) => {
      const inner = this.#hosts.get(peer.name)?.innerAddress;
      return {
        name: peer.name,
        keyId: peer.keyId,
        endpoints: endpointsFor(place, peer, inner),
        segment: placeOf(peer).segment,
      };
    });
  }
}

/** Its keys and nothing else of what it says. @throws HostError unless who asks has the key */
function keysOf(
  primitives: Primitives,
  text: string,
): Pick<Certificate, "signPublicKey" | "dhPublicKey" | "keyId"> {
  const request = parseCertificate(primitives, Uint8Array.fromBase64(text));
  const { signPublicKey, dhPublicKey, keyId } = request;
  const isOwn = isSignedBy(primitives, { certificate: request, publicKey: signPublicKey });
  if (request.type === "request" && isOwn) return { signPublicKey, dhPublicKey, keyId };
  throw new HostError("daemon", "its request for a certificate is not signed by its own key");
}

function reachableEndpoints(host: MeshHost, bound: readonly string[]): string[] {
  const tcp = bound.filter((endpoint) => endpoint.startsWith("tcp:")).slice(0, ENDPOINTS_MAX);
  if (tcp.length > 0) return reachedEndpoints(host, tcp).slice(0, ENDPOINTS_MAX);
  throw new HostError("daemon", "it listens on no TCP port");
}
