/**
 * `minime init install --enrol`: what `minime boot --install` runs on a host. The node's key is made
 * here and stays here; certificate, mesh file and all else that a node keeps come over stdin from
 * whoever boots us, in the dialogue of shared/enrolment.ts. Done again it keeps the key, and changes
 * what is not as it should be; certificates that are good for long stay.
 */

import {
  type Certificate,
  checkName,
  choosePrimitives,
  type Environment,
  equalBytes,
  errorText,
  keyIdOf,
  meshIdOf,
  MinimeError,
  NO_REVOCATIONS,
  parseCertificate,
  type Primitives,
  signCertificateRequest,
  UsageError,
  verifyChain,
} from "../../core/mod.ts";
import { requestAdmission } from "../shared/admission.ts";
import { KEY_BYTES, publicKeysOf } from "../shared/authority.ts";
import type { CommandContext } from "../shared/command.ts";
import { type Admit, formatEnrolment } from "../shared/enrolment.ts";
import { EXIT } from "../shared/exit_code.ts";
import { parseMeshFile } from "../shared/mesh_file.ts";
import { isWrittenByBoot, type NodeFile, ownNodeKey } from "../shared/node_folder.ts";
import { makePrivateFolder, readPrivateFile } from "../shared/private_folder.ts";
import { renewalAt } from "../shared/renewal.ts";
import { statePaths, SYSTEM_STATE_ROOT } from "../shared/state_folder.ts";
import { refuseBooted } from "./booted_node.ts";
import { type PlannedFile, writeFiles } from "./install_files.ts";
import { planInstall } from "./install_plan.ts";
import { planProgram, requireReplaceable } from "./installed_program.ts";
import { wantedIssuerKey } from "./present_issuer.ts";
import { ServiceControl } from "./service_control.ts";
import type { ServiceKind } from "./service_kind.ts";

/** What a daemon that runs need not be started anew for: it reads these again when it is told to. */
const READ_AGAIN: ReadonlySet<string> = new Set(
  ["mesh.toml", "policy.signed", "revocations.signed", "secrets.signed"] satisfies NodeFile[],
);

interface Wanted {
  readonly mesh: string;
  readonly name: string;
  readonly kind: ServiceKind;
  /** Whatever program is there. */
  readonly replace: boolean;
}

/** What the folder of keys holds before. */
interface Present {
  readonly folder: string;
  readonly key: Uint8Array;
  /** For which an issuer's certificate is wanted; undefined: it has one that is good. */
  readonly issuerKey: Uint8Array | undefined;
  /** Undefined where there was none. */
  readonly certificate: Certificate | undefined;
  readonly file: string | undefined;
}

/** Returns the exit code. */
export async function runEnrolledInstall(
  context: CommandContext,
  { name, kind, replace }: {
    readonly name?: string | undefined;
    readonly kind: ServiceKind;
    readonly replace: boolean;
  },
): Promise<number> {
  const { meshName: mesh, out, env } = context;
  if (mesh === undefined || name === undefined) {
    throw new UsageError("Installing with --enrol needs --mesh NAME and --name NAME", {
      hint: '"minime boot --install" does it all',
    });
  }
  try {
    const text = await enrolAndInstall(context, {
      mesh: checkName(mesh, "Mesh"),
      name: checkName(name, "Node"),
      kind,
      replace,
    });
    const value = { endpoints: [], pid: env.processes.pid, text };
    out.write(formatEnrolment({ word: "up", value }));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof MinimeError)) throw error;
    const value = { reason: "not-installed", message: errorText(error) } as const;
    out.write(formatEnrolment({ word: "fail", value }));
    return EXIT.allFailed;
  }
}

/** Returns what was done, in a few words. */
async function enrolAndInstall(context: CommandContext, wanted: Wanted): Promise<string> {
  const { env } = context;
  const { mesh, name, kind, replace } = wanted;
  const control = new ServiceControl(env, { kind, mesh, root: "" });
  await control.requireRights();
  await refuseBooted(env, wanted);
  const program = await planProgram(env, "");
  await requireReplaceable(env, { program, kind, isRemote: true, replace });
  using primitives = await choosePrimitives();
  const present = await open(env, primitives, wanted);
  const now = Math.floor(env.clock.now());
  const request = (key: Uint8Array) =>
    signCertificateRequest(primitives, {
      signSeed: key.slice(0, KEY_BYTES),
      dhPublicKey: publicKeysOf(primitives, key).dhPublicKey,
      name,
      meshId: new Uint8Array(16),
      now,
    }).bytes.toBase64();
  const admit = await requestAdmission(context, {
    request: request(present.key),
    endpoints: [],
    pid: env.processes.pid,
    ...(present.issuerKey === undefined ? {} : { registrar: request(present.issuerKey) }),
  });
  const keys = await keyFiles(env, primitives, { admit, present, wanted });
  const written = await writeFiles(env, keys);
  const { folder } = present;
  const config = `${folder}/mesh.toml`;
  const plan = await planInstall(env, primitives, { kind, config, program, name, root: "" });
  const service = await writeFiles(env, plan.files);
  const isAnew = service.length > 0 ||
    written.some(({ path }) => !READ_AGAIN.has(path.slice(folder.length + 1)));
  const how = isAnew ? "restart" : written.length > 0 ? "reload" : "start";
  const lines = await control.enable(how);
  const isKept = present.file !== undefined && !isWrittenByBoot(present.file);
  return [
    ...(how === "start" ? ["nothing to change"] : []),
    ...(isKept ? ["the mesh file there was not written by boot and stays"] : []),
    // A restart says first that it stopped what did not run.
    ...lines.map((line) => line.split("\n").at(-1)),
  ].join(", ");
}

/** Makes the folder and the key, which is on disk before anybody hears of it. */
async function open(
  env: Environment,
  primitives: Primitives,
  { mesh, name }: Wanted,
): Promise<Present> {
  const folder = `/etc/minime/${mesh}`;
  await makePrivateFolder(env, folder);
  const read = (file: NodeFile) => readPrivateFile(env, `${folder}/${file}`);
  const bytes = await read("node.cert");
  const certificate = bytes && parseCertificate(primitives, bytes);
  if (certificate !== undefined && certificate.name !== name) {
    throw new MinimeError(`The keys in ${folder} are those of "${certificate.name}"`);
  }
  const file = await read("mesh.toml");
  return {
    folder,
    key: await ownNodeKey(env, folder),
    issuerKey: await wantedIssuerKey(env, primitives, {
      folder,
      stateFolder: statePaths(SYSTEM_STATE_ROOT, mesh, name).folder,
    }),
    certificate,
    file: file && new TextDecoder().decode(file),
  };
}

/** What the folder is to hold beside the key, after the same checks that others will make. */
async function keyFiles(
  env: Environment,
  primitives: Primitives,
  parts: { readonly admit: Admit; readonly present: Present; readonly wanted: Wanted },
): Promise<PlannedFile[]> {
  const { admit, present, wanted } = parts;
  const { folder, certificate: before } = present;
  const { lasting } = admit;
  if (lasting === undefined) throw new MinimeError("Whoever boots it sent no mesh file");
  const root = Uint8Array.fromBase64(admit.root);
  const presentRoot = await readPrivateFile(env, `${folder}/root.pub`);
  if (presentRoot !== undefined && !equalBytes(presentRoot, root)) {
    throw new MinimeError(`${folder} holds keys of another mesh that is called "${wanted.mesh}"`);
  }
  const bytes = (text: string | undefined) => text && Uint8Array.fromBase64(text);
  const chain = [admit.certificate, ...(admit.issuer === undefined ? [] : [admit.issuer])]
    .map((text) => Uint8Array.fromBase64(text));
  const { certificate } = verifyChain(primitives, {
    chain,
    rootPublicKey: root,
    meshId: meshIdOf(primitives, root),
    now: env.clock.now(),
    revocations: NO_REVOCATIONS,
    types: ["node"],
  });
  const { signPublicKey } = publicKeysOf(primitives, present.key);
  if (certificate.keyId !== keyIdOf(primitives, signPublicKey)) {
    throw new MinimeError(`The certificate of "${certificate.name}" is not for its key`);
  }
  const keepsCertificate = before !== undefined && isGood(before, certificate, env.clock.now());
  if (!keepsCertificate && admit.issuer === undefined) {
    await env.files.remove(`${folder}/issuer.cert`);
  }
  const { issuerKey } = present;
  const getsIssuer = lasting.registrar !== undefined && issuerKey !== undefined;
  const keepsFile = present.file !== undefined && !isWrittenByBoot(present.file);
  if (!keepsFile) requireHost(lasting.file, wanted);
  const files: readonly (readonly [NodeFile, Uint8Array | string | undefined])[] = [
    ["mesh.toml", keepsFile ? undefined : lasting.file],
    ["root.pub", root],
    ["psk", bytes(admit.psk)],
    ["policy.signed", bytes(admit.policy)],
    ["revocations.signed", bytes(lasting.revocations)],
    ["secrets.signed", bytes(lasting.secrets)],
    ["registrar.key", getsIssuer ? issuerKey : undefined],
    ["registrar.cert", getsIssuer ? bytes(lasting.registrar) : undefined],
    ["issuer.cert", keepsCertificate ? undefined : bytes(admit.issuer)],
    // Last: with it the folder is complete.
    ["node.cert", keepsCertificate ? undefined : certificate.bytes],
  ];
  return files.flatMap(([file, data]) =>
    data === undefined || data === "" ? [] : [{ path: `${folder}/${file}`, mode: 0o600, data }]
  );
}

/** Says the same as the new one, and is not due for renewal. */
function isGood(before: Certificate, fresh: Certificate, now: number): boolean {
  return before.keyId === fresh.keyId && before.issuerKeyId === fresh.issuerKeyId &&
    before.groups.join() === fresh.groups.join() &&
    now < renewalAt({ certificate: before, notAfter: before.notAfter });
}

function requireHost(text: string, { mesh, name }: Wanted): void {
  const file = parseMeshFile(text, { file: "mesh.toml" });
  if (file.name === mesh && file.hosts.some((host) => host.name === name)) return;
  throw new MinimeError(`The mesh file that came is not one of "${name}" in mesh "${mesh}"`);
}
