#!/bin/sh
# Brings files of an npm package, byte for byte as published, into page/static/vendor:
#
#   scripts/vendor-page.sh htmx.org 4.0.1
#
# Those that VENDOR.json lists of the package are taken in the version that is named; the
# registry's integrity is compared before anything is unpacked, and the list written anew.
# The name of a file has its version, so mend the templates then, and have the tests run.
set -eu
[ $# -eq 2 ] || { sed -n 2,8p "$0" >&2; exit 2; }
package=$1 version=$2
vendor=$(cd "$(dirname "$0")/.." && pwd)/page/static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# The version is always named: a bare name may give an older one.
npm pack --silent --json "$package@$version" >pack.json
PACKAGE=$package VERSION=$version VENDOR=$vendor node <<'SCRIPT'
const fs = require("fs"), path = require("path"), crypto = require("crypto"), { execFileSync } = require("child_process");
const { PACKAGE, VERSION, VENDOR } = process.env;
const [pack] = Object.values(JSON.parse(fs.readFileSync("pack.json")));
const stated = execFileSync("npm", ["view", `${PACKAGE}@${VERSION}`, "dist.integrity"]).toString().trim();
const sum = "sha512-" + crypto.createHash("sha512").update(fs.readFileSync(pack.filename)).digest("base64");
if (pack.version !== VERSION || sum !== stated) throw new Error(`the package is ${pack.version} with ${sum}, the registry states ${stated}`);
execFileSync("tar", ["xzf", pack.filename]);
const file = path.join(VENDOR, "VENDOR.json"), list = JSON.parse(fs.readFileSync(file)), mine = list.filter((v) => v.package === PACKAGE);
if (!mine.length) throw new Error(`VENDOR.json lists no file of ${PACKAGE}: add its rows first, with package, path, licence, why`);
const licence = fs.readdirSync("package").find((n) => /^licen[cs]e/i.test(n));
if (!licence) throw new Error("the package has no licence");
for (const v of mine) {
  const body = fs.readFileSync(path.join("package", v.path)), was = path.join(VENDOR, v.file), old = fs.existsSync(was) ? fs.statSync(was).size : 0;
  for (const gone of [v.file, v.licence_file]) fs.rmSync(path.join(VENDOR, gone), { force: true });
  v.file = path.basename(v.path).replace(/\.min\.js$/, `-${VERSION}.min.js`);
  v.licence_file = `${PACKAGE.replace(/\.org$/, "")}-${VERSION}.LICENSE`;
  Object.assign(v, { version: VERSION, sha256: crypto.createHash("sha256").update(body).digest("hex"), integrity: stated });
  fs.writeFileSync(path.join(VENDOR, v.file), body);
  fs.copyFileSync(path.join("package", licence), path.join(VENDOR, v.licence_file));
  console.log(`${v.file}: ${body.length} bytes, was ${old}`);
}
fs.writeFileSync(file, JSON.stringify(list, null, 2) + "\n");
SCRIPT
