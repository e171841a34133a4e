/** Sets and classes of code points, as tools/make_browser_tables.py writes them: numbers in base 36. */

import { ProtocolError } from "../errors";

const RADIX = 36;

/** A set of code points. */
export class CodePoints {
  /** Where membership changes, ascending: out before the first, in from it, out from the second. */
  private readonly edges: readonly number[];

  constructor(table: string) {
    this.edges = running(words(table).map((length) => Number.parseInt(length, RADIX)));
  }

  has(character: string | undefined): boolean {
    return character !== undefined && placeOf(this.edges, character) % 2 === 1;
  }
}

/** A class for each code point. */
export class CodePointClasses {
  /** Where each class begins, ascending. */
  private readonly edges: readonly number[];
  private readonly numbers: readonly number[];
  private readonly names: readonly string[];

  /** `names` are separated by commas. */
  constructor(names: string, table: string) {
    this.names = names.replaceAll("\n", " ").split(",").map((name) => name.trim());
    const begins = words(table).map((begin) => begin.split(":").map((part) => Number.parseInt(part, RADIX)));
    this.edges = running(begins.map(([distance = 0]) => distance));
    this.numbers = begins.map(([, number = 0]) => number);
  }

  /** Of a code point that no table holds, it may be any. */
  of(character: string): string {
    const name = this.names[this.numbers[Math.max(placeOf(this.edges, character) - 1, 0)] ?? -1];
    if (name === undefined) throw new ProtocolError("tables");
    return name;
  }
}

/** The words of a table, whatever the lines that it is broken into. */
export function words(table: string): string[] {
  return table.split(/\s+/).filter(Boolean);
}

/** `point=…` entries: code point to what stands after the sign. */
export function entries(table: string): Map<string, string> {
  return new Map(
    words(table).map((entry) => {
      const [point = "", value = ""] = entry.split("=");
      return [fromBase36(point), value];
    }),
  );
}

/** The character of a code point in base 36. */
export function fromBase36(point: string): string {
  return String.fromCodePoint(Number.parseInt(point, RADIX));
}

function running(lengths: readonly number[]): number[] {
  let sum = 0;
  return lengths.map((length) => (sum += length));
}

/** How many edges are not above the code point. */
function placeOf(edges: readonly number[], character: string): number {
  const point = character.codePointAt(0) ?? 0;
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] ?? 0) <= point) low = middle + 1;
    else high = middle;
  }
  return low;
}
