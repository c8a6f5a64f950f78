/** Lines of a stream of bytes, bounded; the last one may lack its line feed. */

import { ProtocolError } from "../../core/mod.ts";
import { ENROLMENT_LINE_BYTES_MAX } from "./limits.ts";

/** Yields lines without their line feeds. Throws ProtocolError for one that is too long. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  options: {
    /** @default ENROLMENT_LINE_BYTES_MAX */
    readonly bytesMax?: number;
  } = {},
): AsyncGenerator<string, void, void> {
  const bytesMax = options.bytesMax ?? ENROLMENT_LINE_BYTES_MAX;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    for (;;) {
      const end = rest.indexOf("\n");
      if (end < 0) break;
      yield rest.slice(0, end);
      rest = rest.slice(end + 1);
    }
    if (rest.length > bytesMax) throw new ProtocolError(`Line is longer than ${bytesMax} bytes`);
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
