/** An error as a runtime throws it, so that the mapping and the texts of the real environment serve. */
export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
