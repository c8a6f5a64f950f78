/** What a reload of the mesh file changed, as the daemon tells it. */

import * as v from "valibot";

const Names = v.array(v.string());

export const ReloadedSchema = v.object({
  added: Names,
  removed: Names,
  /** Others listen elsewhere now. */
  moved: Names,
  /** What else counts from now on, in a few words each. */
  changed: Names,
  /** What counts only from the next start on: whole sentences. */
  later: Names,
});
