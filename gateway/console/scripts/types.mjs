// Makes src/api/schema.ts of the gateway's own OpenAPI document; with --check says whether it is fresh.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const target = new URL("../src/api/schema.ts", import.meta.url);
const root = new URL("../../../", import.meta.url);
const venv = new URL(".venv/bin/python", root);
const python = process.env.PYTHON ?? (existsSync(venv) ? venv.pathname : "python3");
const document = JSON.parse(
  execFileSync(python, ["-m", "gateway", "--openapi"], { cwd: root, maxBuffer: 64 * 2 ** 20, encoding: "utf8" }),
);
// The gateway writes every field that has no presence of its own into every answer.
for (const schema of Object.values(document.components.schemas)) {
  if (!schema.properties || schema.required) continue;
  schema.required = Object.entries(schema.properties)
    .filter(([, property]) => !property["x-loupe-may-be-absent"])
    .map(([name]) => name);
  for (const property of Object.values(schema.properties)) delete property.readOnly;
}
const made =
  "// Generated from the gateway's OpenAPI document by `scripts/npm run types`; not edited by hand.\n" +
  astToString(await openapiTS(document));
if (!process.argv.includes("--check")) {
  writeFileSync(target, made);
} else if (!existsSync(target) || readFileSync(target, "utf8") !== made) {
  console.error("src/api/schema.ts is not what the contracts say; run `scripts/npm run types` in gateway/console");
  process.exit(1);
}
