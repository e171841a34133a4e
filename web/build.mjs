// Bundles the pages' scripts and styles into one folder, each file named by its content.
//
//     node build.mjs [folder]
//
// Writes beside them `manifest.json` (what each is called, and its integrity) and the licences of what is inside. The
// same sources and lock file give the same bytes, on any machine: a test builds again and compares.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const STATIC = join(HERE, "../src/watchword/server/pages/static");
const OUTPUT = resolve(process.argv[2] ?? STATIC);
const PLACE = "/assets/";
const PAGES = ["login", "register", "password", "dashboard"];
const LICENCE = /^(licen[cs]e|notice|copying)/i;

/** The packages whose code can be in a bundle: what the lock file names, less what only builds and tests. */
function shipped() {
  const { packages } = JSON.parse(readFileSync(join(HERE, "package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path, about]) => path !== "" && !about.dev && !about.optional)
    .map(([path, about]) => ({ path, name: path.replace(/^.*node_modules\//, ""), ...about }));
}

function licences() {
  const parts = shipped().map(({ path, name, version, license }) => {
    const folder = join(HERE, path);
    const texts = readdirSync(folder).filter((file) => LICENCE.test(file)).sort();
    if (texts.length === 0) throw new Error(`${name} comes without the text of its licence`);
    const said = texts.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
    return `${name} ${version} (${license})\n\n${said}\n`;
  });
  return `The scripts of these pages contain:\n\n${parts.join("\n----\n\n")}`;
}

const files = new Map(); // file name -> bytes
const manifest = {}; // name -> {file, integrity}

function keep(name, file, bytes) {
  const integrity = `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
  if (name in manifest) throw new Error(`${name} is built twice`);
  manifest[name] = { file, integrity };
  files.set(file, bytes);
}

/** Keep `bytes` as `name`, called by its content: `login.js` is `login-2f9c...js`. */
function keepHashed(name, bytes) {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const ending = extname(name);
  const file = `${basename(name, ending)}-${hash}${ending}`;
  keep(name, file, bytes);
  return file;
}

/** What the Python package holds anyway is served from there: one copy cannot differ from itself. */
function pointAt(file, source) {
  manifest[file].source = relative(STATIC, source);
  files.delete(file);
}

const shared = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  write: false,
  charset: "utf8",
  target: ["chrome113", "firefox130", "safari17"],
  legalComments: "none",
  logLevel: "warning",
};

const notice = keepHashed("licences.txt", Buffer.from(licences()));
const banner = { js: `/* Licences of what is inside: ${PLACE}${notice} */` };

for (const page of PAGES) {
  const made = await build({ ...shared, banner, entryPoints: [`src/pages/${page}.ts`], format: "esm", outdir: "out" });
  keepHashed(`${page}.js`, Buffer.from(made.outputFiles[0].contents));
}

// The worker is in pieces: what only a registration needs is loaded by a registration. The pieces name each other, so
// esbuild gives the names.
const worker = await build({
  ...shared,
  banner,
  entryPoints: { worker: "src/worker/worker.ts" },
  format: "esm",
  splitting: true,
  metafile: true,
  outdir: "out",
  publicPath: PLACE,
  entryNames: "[name]-[hash]",
  chunkNames: "worker-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".bin": "file" },
});
for (const { path, contents } of worker.outputFiles) {
  const file = basename(path);
  const { entryPoint, inputs } = worker.metafile.outputs[`out/${file}`];
  keep(entryPoint === "src/worker/worker.ts" ? "worker.js" : file, file, Buffer.from(contents));
  if (extname(file) === ".bin") pointAt(file, resolve(HERE, Object.keys(inputs)[0]));
}

const styles = await build({ ...shared, entryPoints: ["styles/site.css"], outdir: "out" });
keepHashed("site.css", Buffer.from(styles.outputFiles[0].contents));
for (const image of readdirSync(join(HERE, "images")).sort()) {
  keepHashed(image, readFileSync(join(HERE, "images", image)));
}

const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
files.set("manifest.json", Buffer.from(`${JSON.stringify(sorted, null, 2)}\n`));
rmSync(OUTPUT, { recursive: true, force: true });
mkdirSync(OUTPUT, { recursive: true });
for (const [file, bytes] of files) writeFileSync(join(OUTPUT, file), bytes);
