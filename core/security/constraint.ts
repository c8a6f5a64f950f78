/**
 * Whether a leaf lies inside what its issuer may sign: type, name, unix user, groups, longest
 * validity. An empty list allows none. The unix user is held to the name patterns too: otherwise an
 * issuer for "student-*" could make somebody whose `$user` is any account of the hosts.
 */
import { AuthenticationError } from "../errors.ts";
import type { Certificate } from "./certificate.ts";
import { matchesPattern, quote, quoteList } from "./name.ts";

/** AuthenticationError "chain" when the issuer was not allowed to sign this leaf. */
export function checkConstraint(leaf: Certificate, issuer: Certificate): void {
  const why = violation(leaf, issuer);
  if (why === undefined) return;
  throw new AuthenticationError(
    "chain",
    `Issuer ${quote(issuer.name)} may not sign the certificate of ${quote(leaf.name)}: ${why}`,
  );
}

function violation(leaf: Certificate, issuer: Certificate): string | undefined {
  const { constraint } = issuer;
  if (constraint === undefined) return "it is no issuer";
  const { types, namePatterns, groups, longestValidityMs } = constraint;
  if (!types.some((type) => type === leaf.type)) {
    return `type ${leaf.type} is not among ${quoteList(types)}`;
  }
  if (!fits(leaf.name, namePatterns)) {
    return `the name fits none of its patterns ${quoteList(namePatterns)}`;
  }
  if (leaf.unixUser !== undefined && !fits(leaf.unixUser, namePatterns)) {
    return `unix user ${quote(leaf.unixUser)} fits none of its patterns ${quoteList(namePatterns)}`;
  }
  const foreign = leaf.groups.find((group) => !groups.includes(group));
  if (foreign !== undefined) {
    return `group ${quote(foreign)} is not among ${quoteList(groups)}`;
  }
  const validity = leaf.notAfter - leaf.notBefore;
  if (validity > longestValidityMs) {
    return `it is valid for ${validity} ms, ${longestValidityMs} ms is the longest`;
  }
  return undefined;
}

function fits(text: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, text));
}
