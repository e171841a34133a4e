/** DER (X.690) as far as a certificate of ours has it: lengths in their one spelling, tags of one byte. */

import type { Bytes } from "../bytes";
import { ProtocolError } from "../errors";

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** One value: its tag, what is inside, and all of it as it stands. */
export interface Value {
  readonly tag: number;
  readonly content: Bytes;
  readonly whole: Bytes;
}

/** Reads the values of a sequence, one after the other. Refuses (`certificate`) what is not DER. */
export class DerReader {
  private place = 0;

  constructor(private readonly data: Bytes) {}

  /** Inside the one value of this tag that `data` is. */
  static inside(data: Bytes, tag: number = TAG.sequence): DerReader {
    const reader = new DerReader(data);
    const inner = new DerReader(reader.take(tag).content);
    reader.end();
    return inner;
  }

  get isDone(): boolean {
    return this.place === this.data.length;
  }

  /** The tag of the next value; -1 where there is none. */
  get next(): number {
    return this.data[this.place] ?? -1;
  }

  /** Whether the next value has this tag. */
  sees(tag: number): boolean {
    return this.next === tag;
  }

  /** The next value, which must have this tag. */
  take(tag: number): Value {
    if (!this.sees(tag)) refuse();
    const start = this.place++;
    const size = this.length();
    const end = this.place + size;
    if (end > this.data.length) refuse();
    const content = this.data.slice(this.place, end);
    this.place = end;
    return { tag, content, whole: this.data.slice(start, end) };
  }

  /** Inside the next value, which must have this tag. */
  enter(tag: number = TAG.sequence): DerReader {
    return new DerReader(this.take(tag).content);
  }

  end(): void {
    if (!this.isDone) refuse();
  }

  private byte(): number {
    return this.data[this.place++] ?? refuse();
  }

  /** Short up to 127, else one or two bytes with nothing to spare: nothing of ours is longer than 2,048. */
  private length(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    if (first !== 0x81 && first !== 0x82) refuse();
    const size = first === 0x81 ? this.byte() : this.byte() * 256 + this.byte();
    if (size < (first === 0x81 ? 0x80 : 0x100)) refuse();
    return size;
  }
}

function refuse(): never {
  throw new ProtocolError("certificate");
}
