/** Answers of a server that says something else than it should: whatever is taken here, Python takes too. */

import {
  readBeginAnswer,
  readEnrolAnswer,
  readLoginAnswer,
  readPasswordAnswer,
  readRegisterAnswer,
} from "../src/protocol/messages";
import type { Purpose } from "../src/protocol/envelope";
import type { Read } from "../src/protocol/reading";
import type { Json, JsonObject } from "../src/strict_json";
import type { Checks } from "./checks";

export const READERS: Readonly<Record<Purpose, Read<unknown>>> = {
  begin: readBeginAnswer,
  login: readLoginAnswer,
  register: readRegisterAnswer,
  enrol: readEnrolAnswer,
  password: readPasswordAnswer,
};

/** An answer to an envelope of this purpose. */
export interface Answered {
  readonly purpose: Purpose;
  readonly answer: JsonObject;
}

/** In place of any value: nothing, and values of every other type. */
const INSTEAD: readonly (Json | undefined)[] = [undefined, null, true, 0, -1, 2 ** 53 - 1, "", "x", {}, [], [{}]];

/** The changed answers that the readers take; the others are counted as refused. */
export async function acceptedChanges(checks: Checks, answers: readonly Answered[]): Promise<Answered[]> {
  const accepted: Answered[] = [];
  for (const { purpose, answer } of answers) {
    for (const changed of changes(answer)) {
      if (isTaken(purpose, changed)) accepted.push({ purpose, answer: changed as JsonObject });
      else await checks.refused("answers", purpose, "message", () => READERS[purpose](changed));
    }
  }
  return accepted;
}

function isTaken(purpose: Purpose, answer: Json): boolean {
  try {
    READERS[purpose](answer);
    return true;
  } catch {
    return false;
  }
}

/** `value` with one thing inside it changed, or one member more, at every depth. */
function* changes(value: Json): Generator<Json> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const members = value as JsonObject;
  yield { ...members, more: 1 };
  for (const [name, member] of Object.entries(members)) {
    for (const other of INSTEAD) yield withMember(members, name, other);
    for (const changed of changes(member ?? null)) yield withMember(members, name, changed);
  }
}

function withMember(members: JsonObject, name: string, value: Json | undefined): JsonObject {
  const { [name]: _, ...others } = members;
  return value === undefined ? others : { ...others, [name]: value };
}
