/** For a page of a browser: `answers` takes and gives JSON. */

import { answerSpoken } from "./spoken";

Object.assign(globalThis, { answers: (asked: string) => JSON.stringify(answerSpoken(JSON.parse(asked))) });
