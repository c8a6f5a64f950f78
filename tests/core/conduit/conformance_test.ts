// One suite on all fronts, over the real environment and the simulated one.

import { conformance } from "./conformance.ts";
import { conformanceOfBytes } from "./conformance_bytes.ts";
import { FRONTS } from "./fronts.ts";

for (const [name, play] of FRONTS) {
  conformance(name, play);
  if (name !== "internal") conformanceOfBytes(name, play);
}
