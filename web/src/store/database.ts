/** The store in IndexedDB. Each call is one transaction, so that tabs that work at once leave nothing half done. */

import { MemoryStore } from "./memory";
import { type DeviceRecord, type Store, type Trust, fold, newer } from "./records";

const NAME = "watchword";
const VERSION = 1;
const ACCOUNTS = "accounts";
const BY_IDENTIFIER = "identifiers";
const ORIGIN = "origin";
const TRUST = "trust";
const OPENING = 5_000; // milliseconds: some private windows never answer

/** The browser's database; memory where it gives none, as some private windows: then a login enrols anew each time. */
export async function openStore(): Promise<Store> {
  if (typeof indexedDB === "undefined") return new MemoryStore();
  try {
    const store = new DatabaseStore();
    await store.trust();
    return store;
  } catch {
    return new MemoryStore();
  }
}

class DatabaseStore implements Store {
  private database: Promise<IDBDatabase> | undefined;

  trust(): Promise<Trust | undefined> {
    return this.within("readonly", ORIGIN, async (store) => (await done(store.get(TRUST))) as Trust | undefined);
  }

  keepTrust(trust: Trust): Promise<Trust> {
    return this.within("readwrite", ORIGIN, async (store) => {
      const kept = newer((await done(store.get(TRUST))) as Trust | undefined, trust);
      await done(store.put(kept, TRUST));
      return kept;
    });
  }

  find(identifier: string): Promise<DeviceRecord | undefined> {
    return this.within("readonly", ACCOUNTS, async (store) => {
      const found: unknown = await done(store.index(BY_IDENTIFIER).get(fold(identifier)));
      return isWhole(found) ? found : undefined;
    });
  }

  async keep(record: DeviceRecord): Promise<void> {
    await this.within("readwrite", ACCOUNTS, async (store) => {
      for (const identifier of record.identifiers) {
        const held = await done(store.index(BY_IDENTIFIER).getAllKeys(identifier));
        await Promise.all(held.map((account) => done(store.delete(account))));
      }
      await done(store.put(record));
    });
  }

  async drop(account: string, device: string): Promise<void> {
    await this.within("readwrite", ACCOUNTS, async (store) => {
      const kept = (await done(store.get(account))) as DeviceRecord | undefined;
      if (kept?.device === device) await done(store.delete(account));
    });
  }

  /** Run `work` in one transaction; resolves once what it wrote is kept. */
  private async within<T>(
    mode: IDBTransactionMode,
    name: string,
    work: (store: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    const transaction = (await this.opened()).transaction(name, mode, { durability: "strict" });
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
    });
    const [result] = await Promise.all([work(transaction.objectStore(name)), ended]);
    return result;
  }

  /** Closed by the browser, as when its data are cleared, or not to be had: the next call opens it again. */
  private opened(): Promise<IDBDatabase> {
    if (this.database !== undefined) return this.database;
    const database = opened(() => forget());
    const forget = () => {
      if (this.database === database) this.database = undefined;
    };
    this.database = database;
    database.catch(forget);
    return database;
  }
}

/** A record that another version left, or that lost a part, is as good as none: this browser is enrolled anew. */
function isWhole(found: unknown): found is DeviceRecord {
  const { device, signing, messageSigning, wrapping } = (found ?? {}) as Partial<DeviceRecord>;
  return typeof device === "string" && [signing, messageSigning, wrapping].every((key) => key instanceof CryptoKey);
}

function opened(onClose: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error("no answer"));
    }, OPENING);
    request.onupgradeneeded = () => {
      const accounts = request.result.createObjectStore(ACCOUNTS, { keyPath: "account" });
      accounts.createIndex(BY_IDENTIFIER, "identifiers", { multiEntry: true });
      request.result.createObjectStore(ORIGIN);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error ?? new Error("refused"));
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      const database = request.result;
      if (late) return database.close(); // nobody waits for it: open, it would hold up a later version
      database.onclose = onClose;
      // A page of a later version may want to change the form: it must not wait for this one.
      database.onversionchange = () => {
        database.close();
        onClose();
      };
      resolve(database);
    };
  });
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("refused"));
  });
}
