/** A reporter that leaves all pictures in a folder, with an index.html to look through them in their order. */
import type { FullConfig, Reporter, TestCase, TestResult } from "@playwright/test/reporter";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const figure = (file: string) =>
  `<figure><figcaption id="${file}">${file}</figcaption>` +
  `<a href="${file}"><img src="${file}" alt="${file}"></a></figure>`;

const STYLE = `
body{font:15px sans-serif;margin:24px auto;max-width:1400px}
img{max-width:100%;border:1px solid #ccc}
figure{margin:0 0 36px}
figcaption{font-weight:600;margin-bottom:6px}
`;

export default class Pictures implements Reporter {
  readonly #pictures: string[] = [];
  readonly #faults: string[] = [];
  #folder: string;

  constructor({ folder }: { folder: string }) {
    this.#folder = folder;
  }

  printsToStdio() {
    return false;
  }

  onBegin({ configFile = "" }: FullConfig) {
    this.#folder = resolve(dirname(configFile), this.#folder);
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { recursive: true });
  }

  onTestEnd(test: TestCase, { attachments, errors }: TestResult) {
    const place = test.titlePath().filter(Boolean).join(" › ");
    for (const { message = "" } of errors) this.#faults.push(`${place}: ${stripVTControlCharacters(message)}`);
    for (const { name, contentType, path, body } of attachments) {
      if (contentType !== "image/png") continue;
      // Pictures with a path are Playwright's own, of the moment of a failure.
      const file = path
        ? `fault-${String(this.#faults.length)}-${test.title.replaceAll(/\W+/g, "-")}.png`
        : `${name}.png`;
      if (path) copyFileSync(path, join(this.#folder, file));
      else if (body) writeFileSync(join(this.#folder, file), body);
      this.#pictures.push(file);
    }
  }

  onEnd() {
    const shown = this.#pictures.map(figure);
    const counted = `${String(this.#pictures.length)} pictures, ${String(this.#faults.length)} faults`;
    const faults = this.#faults.map((text) => `<li><pre>${escaped(text)}</pre></li>`);
    writeFileSync(
      join(this.#folder, "index.html"),
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Loupe's console</title>
<style>${STYLE}</style>
<h1>Loupe's console</h1>
<p>${counted}; <a href="report/index.html">report</a></p>
<ul>${faults.join("")}</ul>
${shown.join("\n")}</html>\n`,
    );
  }
}
