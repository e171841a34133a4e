/**
 * Everything that the modules are held against, in one run:
 *
 *     node modules.mjs FOLDER_OF_VECTORS ASKED
 *
 * ASKED is a file with what Python made. Prints JSON: what held, what failed, and what was made for Python to open.
 */

import { readFileSync } from "node:fs";

import { Checks } from "./checks";
import { checkJson } from "./json";
import { type Asked, checkSealing, make, openMade } from "./made";
import { type AskedOfRules, answerRules, checkList } from "./rules";
import { checkTexts } from "./texts";
import { checkVectors } from "./vectors";

const [folder = "", question = ""] = process.argv.slice(2);
const asked: Asked & { rules: AskedOfRules } = JSON.parse(readFileSync(question, "utf8"));
const checks = new Checks();
await checkTexts(checks);
await checkJson(checks);
await checkVectors(checks, folder);
await openMade(checks, asked);
await checkSealing(checks, asked);
await checkList(checks, asked.rules);
const [made, rules] = [await make(asked), await answerRules(asked.rules)];
console.log(JSON.stringify({ held: checks.held, failed: checks.failed, made, rules }));
