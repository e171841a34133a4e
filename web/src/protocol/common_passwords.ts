/**
 * The offline list of common passwords: sorted prefixes of hashes, in the very file that our other clients read
 * (`watchword/protocol/common_passwords.py`). Nothing of it can be left out: an entry of 8 characters refuses what
 * repeats it. It has 220 kB, so only who sets a password loads it.
 */

import { sha256, utf8 } from "../bytes";
import { ProtocolError } from "../errors";

const MAGIC = [0x57, 0x57, 0x63, 0x70, 1, 5]; // "WWcp", version 1, prefixes of 5 bytes
const PREFIX_SIZE = 5;
const HEADER_SIZE = 10;

export class CommonPasswords {
  private readonly prefixes: DataView;
  readonly count: number;

  /** Refuses (`tables`) what is not the whole file. */
  constructor(data: ArrayBuffer) {
    const header = new Uint8Array(data, 0, Math.min(MAGIC.length, data.byteLength));
    const isOurs = data.byteLength >= HEADER_SIZE && MAGIC.every((byte, place) => header[place] === byte);
    this.count = isOurs ? new DataView(data).getUint32(MAGIC.length) : -1;
    if (data.byteLength !== HEADER_SIZE + this.count * PREFIX_SIZE) throw new ProtocolError("tables");
    this.prefixes = new DataView(data, HEADER_SIZE);
  }

  /** Whether the whole password is on the list; `A` to `Z` count as small. */
  async has(password: string): Promise<boolean> {
    const small = password.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
    const digest = await sha256(utf8(small));
    const wanted = prefixAt(new DataView(digest.buffer), 0);
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (prefixAt(this.prefixes, middle * PREFIX_SIZE) < wanted) low = middle + 1;
      else high = middle;
    }
    return low < this.count && prefixAt(this.prefixes, low * PREFIX_SIZE) === wanted;
  }
}

/** 40 bits, which a number holds exactly. */
function prefixAt(data: DataView, place: number): number {
  return data.getUint32(place) * 256 + data.getUint8(place + 4);
}
