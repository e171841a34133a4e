/** Everything that the modules are held against, in one run: `node modules.mjs FOLDER_OF_VECTORS`. Prints JSON. */

import { Checks } from "./checks";
import { checkJson } from "./json";
import { checkTexts } from "./texts";
import { checkVectors } from "./vectors";

const [folder = "."] = process.argv.slice(2);
const checks = new Checks();
await checkTexts(checks);
await checkJson(checks);
await checkVectors(checks, folder);
console.log(JSON.stringify({ held: checks.held, failed: checks.failed }));
