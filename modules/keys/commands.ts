/** Commands about keys that live on, as data: they stand beside those that make keys. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { flag, list, text, timeLimit } from "../shared/option.ts";

/** Of `minime mesh rotate`. */
export const rotateOptions = {
  overlap: timeLimit("How long the PSK before is still accepted: 10s to 90d; default: 7d"),
  finish: flag("Change no PSK, but refuse the one before from now on"),
  ...JSON_OUTPUT,
};
/** Of `minime mesh renew`. */
export const renewOptions = { ...NODES, ...JSON_OUTPUT };
/** Of `minime mesh certificates`. */
export const certificatesOptions = { ...NODES, ...JSON_OUTPUT };

/** Of `minime user enroll`. */
export const enrollOptions = { ...JSON_OUTPUT };
/** Of `minime user renew`. */
export const userRenewOptions = {
  out: text("Write somebody else's certificate into this folder, which is made", {
    placeholder: "FOLDER",
    completion: "files",
  }),
  ...JSON_OUTPUT,
};
/** Of `minime user requests`. */
export const requestsOptions = { ...JSON_OUTPUT };
const FINGERPRINT = text(
  "The one that they read out, as enroll shows it; needed where several ask",
  {
    placeholder: "FINGERPRINT",
  },
);
/** Of `minime user approve`. */
export const approveOptions = {
  fingerprint: FINGERPRINT,
  groups: list(
    "Groups in the certificate; repeatable, commas separate several; default: as before",
    {
      placeholder: "GROUP",
    },
  ),
  valid: timeLimit("Life of the certificate, 30 days at most", { default: "30d" }),
  ...JSON_OUTPUT,
};
/** Of `minime user deny`. */
export const denyOptions = {
  fingerprint: FINGERPRINT,
  reason: text("What they are told", { default: "An operator said no" }),
  ...JSON_OUTPUT,
};
const NAME = { placeholder: "NAME", brief: "Who asks, by unix user name", minimum: 1, maximum: 1 };

/** Behind `minime user`. */
export const keysOfUsers = [
  command({
    name: "enroll",
    brief: "Ask on a login node to become a user of the mesh, and wait for an operator",
    description: "Makes a key in your home, which stays there. The node knows by the owner of a " +
      "folder who you are, so the certificate gets your unix user name. Given up by ^C, it goes on " +
      "when it is run again. A request is good for a day. Somebody whose certificate is past two " +
      "thirds of its life, or has expired, asks for another one for the same key.",
    examples: [["minime user enroll", "shows a fingerprint to read out to the operator"]],
    options: enrollOptions,
    load: () => import("./enroll_command.ts").then((m) => m.runEnroll),
  }),
  command({
    name: "renew",
    brief: "Make another certificate for the same key, name and groups",
    description:
      "It takes the root key or an issuer of the mesh, in its home. Where the root key " +
      "is, commands renew their own user's certificate by themselves at two thirds of its life. " +
      'Others ask on a login node, by "minime user enroll", or get theirs by this command.',
    examples: [
      ["minime user renew", "your own, now"],
      ["minime user renew alice --out alice", "hers, to be copied over the files that she has"],
    ],
    options: userRenewOptions,
    args: { placeholder: "NAME", brief: "Whose; left out: your own", maximum: 1 },
    load: () => import("./user_renew_command.ts").then((m) => m.runUserRenew),
  }),
  command({
    name: "requests",
    brief: "Show who has asked on the login nodes to become a user",
    examples: [["minime user requests", "with fingerprints"]],
    options: requestsOptions,
    load: () => import("./requests_command.ts").then((m) => m.runRequests),
  }),
  command({
    name: "approve",
    brief: "Give somebody who asked a certificate of the mesh",
    description:
      "It is made here, with the root key or the issuer of the mesh's home, and sealed " +
      "for their key: nobody else on the login node can read it.",
    examples: [
      ["minime user approve alice --groups users", "she can use the mesh at once"],
      [
        "minime user approve alice --fingerprint 8f03-51d2-0c9e-77ab",
        "only this request, which she has read out",
      ],
    ],
    options: approveOptions,
    args: NAME,
    load: () => import("./answer_command.ts").then((m) => m.runApprove),
  }),
  command({
    name: "deny",
    brief: "Refuse somebody who asked",
    examples: [["minime user deny alice --reason 'Ask your supervisor'", "she is told so"]],
    options: denyOptions,
    args: NAME,
    load: () => import("./answer_command.ts").then((m) => m.runDeny),
  }),
];

/** Behind `minime mesh`. */
export const keysOfMesh = [
  command({
    name: "rotate",
    brief: "Exchange the mesh's PSK or its issuers, with the mesh up",
    description: "psk: nodes accept the new and the old one until the overlap ends, then the new " +
      "one alone. Nodes that were away all that time need secrets.signed from the mesh's home in " +
      "their folder of keys. issuer: new issuers for this home and for each registrar that is up, " +
      'whose keys never leave it; afterwards "minime mesh renew" makes nodes use them, and ' +
      '"minime revoke KEY" ends the old ones. Both take the root key.',
    examples: [
      ["minime mesh rotate psk", "the old one counts for another 7 days"],
      ["minime mesh rotate psk --overlap 1h", "somebody may know it who should not"],
      ["minime mesh rotate issuer", "before it expires, or when it may have leaked"],
    ],
    options: rotateOptions,
    args: { placeholder: "psk|issuer", brief: "What is exchanged", minimum: 1, maximum: 1 },
    load: () => import("./rotate_command.ts").then((m) => m.runRotate),
  }),
  command({
    name: "renew",
    brief: "Make nodes renew their certificates now, and not at two thirds of their life",
    examples: [
      ["minime mesh renew", "all of them, after the issuers were rotated"],
      ["minime mesh renew -w 'n[1-4]'", "these alone"],
    ],
    options: renewOptions,
    load: () => import("./renew_command.ts").then((m) => m.runRenew),
  }),
  command({
    name: "certificates",
    brief: "Show until when certificates of nodes are valid, and who signed them",
    description: "Exit code 1 when one could not be renewed in time, or an issuer ends soon.",
    examples: [["minime mesh certificates", "all nodes that are up"]],
    options: certificatesOptions,
    load: () => import("./certificates_command.ts").then((m) => m.runCertificates),
  }),
];
