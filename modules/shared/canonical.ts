/**
 * One text for each plain value, equal for equal values however their maps are ordered: the key by
 * which equal answers fold. Plain is what a message body can hold: null, booleans, numbers, bigints,
 * strings, bytes, arrays, maps. A missing property and one that is undefined are the same.
 */
import { BODY_DEPTH_MAX, ProtocolError, toHex } from "../../core/mod.ts";
import { FOLD_KEY_CHARACTERS_MAX } from "./limits.ts";

/** @throws ProtocolError when the value is no plain data, nested too deep or too large */
export function canonicalKey(value: unknown): string {
  const parts: string[] = [];
  let characters = 0;
  const write = (part: string): void => {
    characters += part.length;
    if (characters > FOLD_KEY_CHARACTERS_MAX) {
      throw new ProtocolError(`Value has more than ${FOLD_KEY_CHARACTERS_MAX} characters`);
    }
    parts.push(part);
  };
  writeValue(value, write, 0);
  return parts.join("");
}

function writeValue(value: unknown, write: (part: string) => void, depth: number): void {
  if (depth > BODY_DEPTH_MAX) {
    throw new ProtocolError(`Value is nested deeper than ${BODY_DEPTH_MAX}`);
  }
  if (typeof value === "string") write(JSON.stringify(value));
  else if (typeof value === "number") write(Object.is(value, -0) ? "0" : String(value));
  else if (typeof value === "bigint") write(`${value}n`);
  else if (value === null || value === undefined || typeof value === "boolean") {
    write(String(value));
  } else if (value instanceof Uint8Array) writeBytes(value, write);
  else if (Array.isArray(value)) {
    write("[");
    for (const item of value) {
      writeValue(item, write, depth + 1);
      write(",");
    }
    write("]");
  } else if (isPlainObject(value)) {
    write("{");
    for (const key of Object.keys(value).sort()) {
      const property = value[key];
      if (property === undefined) continue;
      write(`${JSON.stringify(key)}:`);
      writeValue(property, write, depth + 1);
      write(",");
    }
    write("}");
  } else throw new ProtocolError(`Value is no plain data but ${typeof value}`);
}

function writeBytes(bytes: Uint8Array, write: (part: string) => void): void {
  write("<");
  // In pieces, so that the limit is noticed before a large text is made.
  for (let at = 0; at < bytes.length; at += 65_536) write(toHex(bytes.subarray(at, at + 65_536)));
  write(">");
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
