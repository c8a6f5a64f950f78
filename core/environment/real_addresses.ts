/** Which addresses of this host are of use to others. */

/** Smaller is better; undefined is of no use to others. */
export function addressRank(device: string, address: string): number | undefined {
  if (device === "lo" || address === "::1" || /^(127|169\.254)\./.test(address)) return undefined;
  if (/^fe[89ab]/i.test(address)) return undefined;
  const family = !address.includes(":") ? 0 : /^f[cd]/i.test(address) ? 1 : 2;
  // Bridges of container engines carry addresses that only this host can reach.
  return /^(docker|br-|virbr|veth|cni|podman)/.test(device) ? family + 3 : family;
}
