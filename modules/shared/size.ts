/** Amounts of bytes for people, in decimal units (1 MB = 1,000,000 bytes) as disks and networks are. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** "0 B", "999 B", "1.0 kB", "38.1 MB", "120 GB": three figures, rounded. */
export function formatSize(bytes: number): string {
  if (!Number.isFinite(bytes)) return "-";
  const sign = bytes < 0 ? "-" : "";
  let value = Math.abs(bytes);
  if (value < 999.5) return `${sign}${Math.round(value)} B`;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit++;
  }
  const figures = value < 99.95 ? value.toFixed(1) : String(Math.round(value));
  return `${sign}${figures} ${UNITS[unit]}`;
}
