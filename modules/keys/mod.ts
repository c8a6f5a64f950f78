/**
 * The keys module: certificates that do not end while their nodes live. Every node renews its own
 * at a registrar; a node that was given an issuer's key is one, and renews those of others. All others
 * carry requests of nodes there whose certificates have expired.
 */

import * as v from "valibot";
import {
  AuthenticationError,
  CallError,
  clockText,
  errorText,
  type Link,
  MinimeError,
  type Module,
  type ModuleHost,
  type Primitives,
  verb,
} from "../../core/mod.ts";
import {
  EnrolAnsweredSchema,
  EnrolAnswerRequestSchema,
  EnrolRequestsSchema,
} from "../shared/enrol_verbs.ts";
import { LOGIN_GROUP } from "../shared/roles.ts";
import { EnrolSpool } from "./enrol_spool.ts";
import { renewalAt } from "../shared/renewal.ts";
import {
  IssuerInstallSchema,
  IssuerRequestSchema,
  KeysStatusSchema,
  type Renewal,
  RenewalSchema,
  RenewedSchema,
  RenewedUntilSchema,
} from "../shared/renewal_verbs.ts";
import type { RegistrarIssuer } from "./registrar_issuer.ts";
import { type KeepChain, RenewalWatch, type ReviveChain } from "./renewal.ts";
import { RenewalCourier } from "./renewal_courier.ts";
import type { RenewalOffice } from "./renewal_office.ts";

export { RegistrarIssuer } from "./registrar_issuer.ts";
export { issueAgain, type OfficeOptions, RenewalOffice } from "./renewal_office.ts";

/** What the daemon's own files say. */
export interface KeysOptions {
  /** Renews certificates of others. @default none: this node is no registrar */
  readonly office?: RenewalOffice;
  /** Where its issuer is exchanged. @default as for `office` */
  readonly issuer?: RegistrarIssuer;
  /**
   * Asks a registrar that lets in nobody whose certificate has expired, as ours has.
   * @default none: there is no file that names one
   */
  readonly revive?: ReviveChain;
  /** On a node of group login: where people ask to become users. @default nowhere */
  readonly enrolment?: { readonly primitives: Primitives; readonly mesh: string };
  /** Keeps our renewed chain for the next start; may reject. @default nowhere */
  readonly keep?: KeepChain;
}

const NOTHING = v.optional(v.strictObject({}));

/** One for each daemon. */
export function createKeys(options: KeysOptions): Module {
  const { office } = options;
  let host: ModuleHost | undefined;
  let watch: RenewalWatch | undefined;
  let courier: RenewalCourier | undefined;
  let spool: EnrolSpool | undefined;
  let clocks: Disposable | undefined;

  function running(): { readonly host: ModuleHost; readonly watch: RenewalWatch } {
    if (host !== undefined && watch !== undefined) return { host, watch };
    throw new CallError("unreachable", "The keys module is not running");
  }

  function waiting(): EnrolSpool {
    if (spool !== undefined) return spool;
    throw new CallError("refused", `Nobody can enrol on "${running().host.self.name}"`);
  }

  function exchange(): RegistrarIssuer {
    if (options.issuer !== undefined) return options.issuer;
    throw new CallError("refused", `"${running().host.self.name}" has no issuer's key`);
  }

  function renew(renewal: Renewal): v.InferOutput<typeof RenewedSchema> {
    const { host } = running();
    if (office === undefined) {
      throw new CallError("refused", `"${host.self.name}" is no registrar: it has no issuer's key`);
    }
    const { chain, identity } = office.renew(renewal, host);
    host.log("info", `Certificate of "${identity.name}" was renewed here`);
    return { chain };
  }

  return {
    name: "keys",
    verbs: {
      // Class read, for the request proves by itself whose it is: any node may carry it.
      renew: verb({ action: "read", args: RenewalSchema, reply: RenewedSchema, handle: renew }),
      // Of who is let in by nobody, and reaches perhaps no registrar.
      revive: verb({
        action: "join",
        args: RenewalSchema,
        reply: RenewedSchema,
        handle: (renewal, { signal }) => courier?.carry(renewal, signal) ?? renew(renewal),
      }),
      status: verb({
        action: "read",
        args: NOTHING,
        reply: KeysStatusSchema,
        handle: () => {
          const { host: { self }, watch } = running();
          const { keyId, notAfter, issuer, certificate: { notBefore } } = self;
          const signer = office?.issuer;
          return {
            keyId,
            notBefore,
            notAfter,
            issuer: issuer === undefined
              ? null
              : { name: issuer.name, keyId: issuer.keyId, notAfter: issuer.notAfter },
            renewalAt: renewalAt(self),
            trouble: watch.trouble ?? null,
            registrar: signer === undefined
              ? null
              : { keyId: signer.keyId, notAfter: signer.notAfter },
          };
        },
      }),
      renew_now: verb({
        action: "guarded",
        args: NOTHING,
        reply: RenewedUntilSchema,
        handle: async () => {
          try {
            return { notAfter: (await running().watch.renew()).notAfter };
          } catch (error) {
            if (!(error instanceof AuthenticationError)) throw error;
            throw new CallError("failed", errorText(error), { cause: error });
          }
        },
      }),
      requests: verb({
        action: "guarded",
        args: NOTHING,
        reply: EnrolRequestsSchema,
        handle: async () => ({
          requests: (await waiting().pending()).map((each) => ({
            user: each.user,
            file: each.file,
            askedMs: each.askedMs,
          })),
        }),
      }),
      answer: verb({
        action: "guarded",
        args: EnrolAnswerRequestSchema,
        reply: EnrolAnsweredSchema,
        handle: async ({ keyId, answer }) => {
          const user = await waiting().answer(keyId, JSON.stringify(answer));
          const what = "denied" in answer ? "denied" : "approved";
          running().host.log("info", `Enrolment of "${user}" was ${what}`);
          return { user };
        },
      }),
      issuer_request: verb({
        action: "guarded",
        args: NOTHING,
        reply: IssuerRequestSchema,
        handle: () => {
          const present = exchange().authority.issuer?.certificate as Uint8Array;
          return { request: exchange().begin(running().host.self.name), present };
        },
      }),
      issuer_install: verb({
        action: "guarded",
        args: IssuerInstallSchema,
        reply: v.strictObject({}),
        handle: async ({ certificate }) => {
          try {
            await exchange().install(certificate);
          } catch (error) {
            if (!(error instanceof MinimeError) || error instanceof CallError) throw error;
            throw new CallError("failed", errorText(error), { cause: error });
          }
          running().host.log("info", "A new issuer signs here from now on");
          return {};
        },
      }),
    },
    async start(given) {
      host = given;
      watch = new RenewalWatch(given, options);
      clocks = given.links.watch((change) => {
        if (change.kind === "up") warnOfClock(given, change.link);
      });
      if (office === undefined) courier = new RenewalCourier(given);
      given.reviving();
      const { enrolment } = options;
      if (enrolment === undefined || !given.self.groups.includes(LOGIN_GROUP)) return;
      try {
        const { primitives, mesh } = enrolment;
        spool = await EnrolSpool.open(given.env, primitives, { mesh, log: given.log });
      } catch (error) {
        if (!(error instanceof MinimeError)) throw error;
        given.log("warning", `Nobody can enrol on this node: ${errorText(error)}`);
      }
    },
    async stop() {
      clocks?.[Symbol.dispose]();
      await watch?.stop();
    },
  };
}

/** What is signed on one side counts on the other only for so long. */
function warnOfClock({ log }: ModuleHost, { peer }: Link): void {
  const text = clockText(peer.clockOffsetMs);
  if (text === undefined) return;
  log("warning", `The clock of "${peer.identity.name}" is ${text} ours: its requests are refused`);
}
