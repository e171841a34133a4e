/** A store for as long as the page lives: for windows in which the browser keeps nothing. */

import { type DeviceRecord, type Store, type Trust, fold, newer } from "./records";

export class MemoryStore implements Store {
  private known: Trust | undefined;
  private readonly records = new Map<string, DeviceRecord>();

  async trust(): Promise<Trust | undefined> {
    return this.known;
  }

  async keepTrust(trust: Trust): Promise<Trust> {
    this.known = newer(this.known, trust);
    return this.known;
  }

  async find(identifier: string): Promise<DeviceRecord | undefined> {
    const wanted = fold(identifier);
    return [...this.records.values()].find(({ identifiers }) => identifiers.includes(wanted));
  }

  async keep(record: DeviceRecord): Promise<void> {
    for (const [account, { identifiers }] of this.records) {
      if (identifiers.some((each) => record.identifiers.includes(each))) this.records.delete(account);
    }
    this.records.set(record.account, record);
  }

  async drop(account: string, device: string): Promise<void> {
    if (this.records.get(account)?.device === device) this.records.delete(account);
  }
}
