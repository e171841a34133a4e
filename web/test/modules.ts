/**
 * Everything that the modules are held against, in one run:
 *
 *     node modules.mjs FOLDER_OF_VECTORS ASKED
 *
 * ASKED is a file with what Python made. Prints JSON: what held, what failed, and what was made for Python to open.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { fromHex } from "../src/bytes";
import { acceptedChanges } from "./answers";
import { checkCertificates } from "./certificates";
import { Checks } from "./checks";
import { checkForged } from "./forged";
import { checkJson } from "./json";
import { type Asked, checkSealing, make, openMade } from "./made";
import { type AskedOfRules, answerRules, checkList } from "./rules";
import { type AskedOfReaders, answerReaders, checkFlips } from "./mangled";
import { checkTexts } from "./texts";
import { checkVectors, recordedAnswers } from "./vectors";

const [folder = "", question = ""] = process.argv.slice(2);
const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const asked: Asked & { rules: AskedOfRules; readers: AskedOfReaders; flips: number } = read(question);
const checks = new Checks();
await checkTexts(checks);
await checkJson(checks);
await checkVectors(checks, folder);
await openMade(checks, asked);
await openMade(checks, read(join(folder, "watchword/made_in_browser.json")).asked);
await checkSealing(checks, asked);
const { document, pin, now } = asked.keyDocument;
const known = { pinned: fromHex(pin), now, lastNumber: 0, issuer: asked.issuer };
await checkFlips(checks, document, known, asked.flips);
await checkCertificates(checks, document);
await checkForged(checks);
await checkList(checks, asked.rules);
const [made, rules] = [await make(asked), await answerRules(asked.rules)];
const readers = answerReaders(asked.readers);
const answers = await acceptedChanges(checks, recordedAnswers(read(join(folder, "watchword/exchanges.json"))));
console.log(JSON.stringify({ held: checks.held, failed: checks.failed, made, rules, readers, answers }));
