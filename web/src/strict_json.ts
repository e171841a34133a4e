/**
 * JSON as docs/protocol/README.md reads it: UTF-8 without byte order mark, no member twice, whole numbers, depth at
 * most 32, no lone surrogates. `JSON.parse` would take the last of two members, and fractions.
 */

import { type Bytes, fromUtf8, isWellFormed, utf8 } from "./bytes";
import { ProtocolError } from "./errors";

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

const MAX_DEPTH = 32;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y;
const ESCAPE = /\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))/y;
const WORD = /true|false|null/y;
const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const WORDS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/**
 * The value that `data` spells. Numbers beyond 2^53 - 1 are refused too: no form of ours has any, and this language
 * would round them. Objects have no prototype, so that a member may have any name.
 */
export function parseJson(data: Uint8Array): Json {
  return parseJsonText(textOf(data));
}

/** `parseJson` of text that was decoded before. */
export function parseJsonText(text: string): Json {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/**
 * Compact JSON in UTF-8, members in the order given; members that are `undefined` are left out. Refuses (`text`) lone
 * surrogates: as escapes they would be JSON that nobody of ours reads.
 */
export function encodeJson(value: Json): Bytes {
  return utf8(JSON.stringify(value, wellFormed));
}

function wellFormed(_name: string, value: unknown): unknown {
  if (typeof value === "string" && !isWellFormed(value)) throw new ProtocolError("text");
  return value;
}

function textOf(data: Uint8Array): string {
  try {
    return fromUtf8(data);
  } catch {
    throw new ProtocolError("json");
  }
}

class Reader {
  private place = 0;

  constructor(private readonly text: string) {}

  value(depth: number): Json {
    this.skip();
    const sign = this.text[this.place];
    if (sign === "{") return this.object(depth + 1);
    if (sign === "[") return this.list(depth + 1);
    if (sign === '"') return this.string();
    const word = this.match(WORD)?.[0];
    if (word !== undefined) return WORDS[word] ?? null;
    return this.number();
  }

  end(): void {
    this.skip();
    if (this.place !== this.text.length) throw new ProtocolError("json");
  }

  private object(depth: number): JsonObject {
    this.open(depth);
    const members: Record<string, Json> = Object.create(null);
    if (this.takes("}")) return members;
    do {
      this.skip();
      const name = this.string();
      this.demand(":");
      if (name in members) throw new ProtocolError("json");
      members[name] = this.value(depth);
    } while (this.takes(","));
    this.demand("}");
    return members;
  }

  private list(depth: number): Json[] {
    this.open(depth);
    const values: Json[] = [];
    if (this.takes("]")) return values;
    do values.push(this.value(depth));
    while (this.takes(","));
    this.demand("]");
    return values;
  }

  private open(depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtocolError("json");
    this.place++;
  }

  private string(): string {
    if (this.text[this.place++] !== '"') throw new ProtocolError("json");
    let read = "";
    for (;;) {
      read += this.match(PLAIN)?.[0] ?? "";
      if (this.text[this.place] === '"') break;
      read += this.escape();
    }
    this.place++;
    if (!isWellFormed(read)) throw new ProtocolError("json");
    return read;
  }

  private escape(): string {
    const found = this.match(ESCAPE);
    if (found === null) throw new ProtocolError("json");
    const [, sign, point] = found;
    return sign === undefined ? String.fromCharCode(Number.parseInt(point ?? "", 16)) : (ESCAPED[sign] ?? "");
  }

  private number(): number {
    const digits = this.match(NUMBER)?.[0];
    const value = Number(digits);
    if (digits === undefined || digits === "-0" || !Number.isSafeInteger(value)) throw new ProtocolError("json");
    return value;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.place;
    const found = pattern.exec(this.text);
    if (found !== null) this.place = pattern.lastIndex;
    return found;
  }

  private skip(): void {
    this.match(SPACE);
  }

  private takes(sign: string): boolean {
    this.skip();
    if (this.text[this.place] !== sign) return false;
    this.place++;
    return true;
  }

  private demand(sign: string): void {
    if (!this.takes(sign)) throw new ProtocolError("json");
  }
}
