/** Commands about keys that live on, as data: they stand beside those that make keys. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { flag, timeLimit } from "../shared/option.ts";

/** Of `minime mesh rotate`. */
export const rotateOptions = {
  overlap: timeLimit("How long the PSK before is still accepted: 10s to 90d", { default: "7d" }),
  finish: flag("Change no PSK, but refuse the one before from now on"),
  ...JSON_OUTPUT,
};
/** Of `minime mesh renew`. */
export const renewOptions = { ...NODES, ...JSON_OUTPUT };
/** Of `minime mesh certificates`. */
export const certificatesOptions = { ...NODES, ...JSON_OUTPUT };

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
      ["minime mesh renew -w n[1-4]", "these alone"],
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
