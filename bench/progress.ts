/** What a part is at: one line on a terminal, which the next one replaces. Elsewhere nothing. */

/** Without text the line is cleared. */
export function progress(text = ""): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

/** Waits, and says for what and how long still. */
export async function pause(ms: number, what: string): Promise<void> {
  const until = performance.now() + ms;
  for (let left = ms; left > 0; left = until - performance.now()) {
    progress(`${what}: ${Math.ceil(left / 1_000)} s`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 1_000)));
  }
}
