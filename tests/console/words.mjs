// The console's own sentences: a test that spelled them again would fail on every better word.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../gateway/console/package.json", import.meta.url));
const ts = require("typescript");

/** All sentences of a language, by the keys of `gateway/console/src/i18n/{zh,en}.ts`. */
export async function words(language) {
  const source = readFileSync(new URL(`../../gateway/console/src/i18n/${language}.ts`, import.meta.url), "utf8");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return (await import(`data:text/javascript,${encodeURIComponent(outputText)}`))[language];
}
