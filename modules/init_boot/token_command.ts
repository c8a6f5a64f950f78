/** `minime token create`: one machine may become one node, once. */

import * as v from "valibot";
import { ConnectionError, isName, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { TOKEN_MS_MAX, TOKEN_MS_MIN } from "../shared/limits.ts";
import { TokenReplySchema } from "../shared/join_verbs.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { NAME_RULE } from "../shared/mesh_file_schema.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { REGISTRAR_GROUP } from "../shared/roles.ts";
import type { tokenCreateOptions } from "./commands.ts";

/** Asked for in a connection that ends in the registrar: nobody on the way sees the token. */
export async function runTokenCreate(
  context: CommandContext,
  options: OptionsOf<typeof tokenCreateOptions>,
): Promise<void> {
  const { env, out } = context;
  const { name, ttl } = options;
  const groups = [...new Set(options.groups.flatMap((text) => text.split(",")))];
  if (name === undefined) {
    throw new UsageError("Option --name is missing", {
      hint: "It names the node that the token makes: --name n17",
    });
  }
  for (const text of [name, ...groups]) {
    if (!isName(text)) throw new UsageError(`"${text}" is no name (${NAME_RULE})`);
  }
  if (ttl < TOKEN_MS_MIN || ttl > TOKEN_MS_MAX) {
    throw new UsageError(
      `A token lives from ${formatDuration(TOKEN_MS_MIN)} to ${formatDuration(TOKEN_MS_MAX)}, not ${
        formatDuration(ttl)
      }`,
    );
  }
  const registrar = options.registrar ?? await findRegistrar(context);
  await using session = await context.session(registrar);
  const wanted = { name, groups, ttlMs: ttl };
  const request = await session.sign("init_boot.token", wanted, { targets: [registrar] });
  const reply = await session.request("init_boot.token", request, { signed: true });
  const { token } = v.parse(TokenReplySchema, reply);
  if (options.out === undefined) {
    if (options.json) out.json({ name, groups, registrar, token });
    else out.print(token);
  } else {
    await env.files.write(options.out, `${token}\n`, { mode: 0o600 });
    if (options.json) out.json({ name, groups, registrar, file: options.out });
    else out.print(`Token for "${name}" of registrar "${registrar}" is in "${options.out}"`);
  }
  out.note(
    `On its machine, as root, with the program and a mesh file that names "${name}": ` +
      `minime init install --config mesh.toml --token-file ${shellQuoted(options.out ?? "FILE")}`,
  );
}

async function findRegistrar(context: CommandContext): Promise<string> {
  const { client, view } = await reachMesh(context);
  await client.close();
  const node = view.nodes.find(({ state, groups }) =>
    state === "up" && groups.includes(REGISTRAR_GROUP)
  );
  if (node !== undefined) return node.name;
  throw new ConnectionError(
    "other",
    `No node that is up is in group "${REGISTRAR_GROUP}": only those can admit others; ` +
      `give a host groups = ["${REGISTRAR_GROUP}"] and install it`,
  );
}
