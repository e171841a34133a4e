/** How JSON of ours is read: exactly the members of a table, each of its type. Refuses (`message`) all else. */

import { type Bytes, fromB64uSized } from "../bytes";
import { ProtocolError } from "../errors";
import type { Json, JsonObject } from "../strict_json";

/** Turns a value into its type, or refuses it. */
export type Read<T> = (value: Json | undefined) => T;

type Readers = Readonly<Record<string, Read<unknown>>>;
/** What a table of readers gives. */
export type Shape<R extends Readers> = { readonly [Name in keyof R]: ReturnType<R[Name]> };

const MAX_LIST = 1000;

/** Whether `value` is an object; with `names`, one of exactly these members. */
export function isObject(value: Json | undefined, names?: readonly string[]): value is JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const held = Object.keys(value);
  return names === undefined || (held.length === names.length && names.every((name) => held.includes(name)));
}

/** A text of at most `longest` code points. */
export function text(longest = 131_072): Read<string> {
  return (value) => {
    if (typeof value !== "string" || value.length > 2 * longest || [...value].length > longest) refuse();
    return value;
  };
}

/** One of these texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Read<T> {
  return (value) => texts.find((known) => known === value) ?? refuse();
}

export function count(least = 0, most = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value) => (typeof value === "number" && value >= least && value <= most ? value : refuse());
}

export const flag: Read<boolean> = (value) => (typeof value === "boolean" ? value : refuse());

/** Bytes as base64url, of exactly this size. */
export function bytes(size: number): Read<Bytes> {
  return (value) => {
    if (typeof value !== "string") refuse();
    try {
      return fromB64uSized(value, size);
    } catch {
      return refuse();
    }
  };
}

/** What may be left out, and is never null. */
export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value) => (value === undefined ? undefined : read(value));
}

export function list<T>(read: Read<T>, least = 0, most = MAX_LIST): Read<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < least || value.length > most) refuse();
    return value.map((entry: Json) => read(entry));
  };
}

/** Exactly these members; `optional` ones may be left out. */
export function object<R extends Readers>(readers: R): Read<Shape<R>> {
  return (value) => {
    if (!isObject(value) || Object.keys(value).some((name) => !Object.hasOwn(readers, name))) refuse();
    const read = Object.entries(readers).map(([name, reader]) => [name, reader(value[name])] as const);
    return Object.fromEntries(read) as Shape<R>;
  };
}

function refuse(): never {
  throw new ProtocolError("message");
}
