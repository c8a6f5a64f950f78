/**
 * The public keys for which anybody can make signatures or guess shared secrets. Native verifiers
 * accept some of them, so every parser of a certificate or request asks here first (SECURITY.md R12).
 */

/**
 * Ed25519: the y coordinates of the eight points whose order divides 8, little-endian, and the two
 * among them that also have an encoding above the prime. The sign of x (the top bit) does not matter.
 */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Uint8Array.fromHex(hex));

/** True for every encoding of an Ed25519 point whose order divides 8, the identity included. */
export function isSmallOrderPoint(publicKey: Uint8Array): boolean {
  return SMALL_ORDER_Y.some((y) =>
    publicKey.length === y.length &&
    y.every((byte, index) => byte === (index === 31 ? publicKey[31]! & 0x7f : publicKey[index]))
  );
}

/** True when an encoded Ed25519 point has y below 2^255 - 19, as RFC 8032 section 5.1.3 demands. */
export function isCanonicalPoint(encoded: Uint8Array): boolean {
  if ((encoded[31]! & 0x7f) !== 0x7f || encoded[0]! < 0xed) return true;
  for (let index = 1; index < 31; index++) if (encoded[index] !== 0xff) return true;
  return false;
}

/** X25519: the same points, and those on the twist, as u coordinates (RFC 7748 section 5). */
const SMALL_ORDER_U: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Uint8Array.fromHex(hex));

/** True for every X25519 key with which each secret agrees on zeros. The top bit does not matter. */
export function isSmallOrderDhKey(publicKey: Uint8Array): boolean {
  return SMALL_ORDER_U.some((u) =>
    publicKey.length === u.length &&
    u.every((byte, index) => byte === (index === 31 ? publicKey[31]! & 0x7f : publicKey[index]))
  );
}
