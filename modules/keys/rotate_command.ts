/** `minime mesh rotate`: the mesh's PSK, or its issuers, are exchanged for new ones. */

import { choosePrimitives, UsageError } from "../../core/mod.ts";
import { loadAuthority, rootSeedOf } from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { rotateOptions } from "./commands.ts";
import { OVERLAP_MS_DEFAULT } from "./limits.ts";
import { rotateIssuer } from "./rotate_issuer.ts";
import { rotatePsk } from "./rotate_psk.ts";

/** Exit code 4 when no node can be told, 1 when some that is up has not got it. */
export async function runRotate(
  context: CommandContext,
  options: OptionsOf<typeof rotateOptions>,
  [what = ""]: readonly string[],
): Promise<number> {
  if (what !== "psk" && what !== "issuer") {
    throw new UsageError(`"${what}" cannot be rotated`, { hint: "Name psk or issuer" });
  }
  if (options.overlap !== undefined && (what === "issuer" || options.finish)) {
    const both = what === "issuer" ? "Issuers" : "With --finish PSKs";
    throw new UsageError(`${both} have no overlap: option --overlap means nothing here`, {
      hint: what === "issuer"
        ? 'The old issuers count until "minime revoke KEY" ends them'
        : "Leave one of the two away",
    });
  }
  if (what === "issuer" && options.finish) {
    throw new UsageError("Option --finish is for the PSK", {
      hint: 'An old issuer is ended by "minime revoke KEY"',
    });
  }
  const home = await context.home();
  using _lock = await lockHome(context, home);
  using primitives = await choosePrimitives();
  const authority = await loadAuthority(home, primitives);
  const rootSeed = rootSeedOf(authority, what === "psk" ? "a new PSK" : "a new issuer");
  const parts = { home, primitives, authority, rootSeed };
  return what === "psk"
    ? await rotatePsk(context, parts, {
      ...options,
      overlap: options.overlap ?? OVERLAP_MS_DEFAULT,
    })
    : await rotateIssuer(context, parts, options);
}
