/** What every spec is given: a page that is watched, and the person in front of it, who is logged in. */
import { expect, test as base, type Locator, type Page, type TestInfo } from "@playwright/test";
import axe from "axe-core";
import { join } from "node:path";
import { dictionaries, type Language, type Words } from "../src/i18n";
import { CONSOLE_URL, FOLDER, STORE } from "./stack";

export { expect };

export interface Options {
  language: Language;
  /** What the browser may log as an error; anything else that it logs fails the test. */
  loggedErrors: RegExp | undefined;
}

/** A browser logs this of a page that comes without TLS from another machine. */
const WITHOUT_TLS = /Cross-Origin-Opener-Policy header has been ignored, because the URL's origin was untrustworthy/;

export const sessionFile = (language: Language) => join(FOLDER, `session-${language}.json`);

export const test = base.extend<Options & { person: Person }>({
  language: ["zh", { option: true }],
  loggedErrors: [undefined, { option: true }],
  storageState: async ({ language }, use) => {
    await use(sessionFile(language));
  },
  page: async ({ page, loggedErrors }, use) => {
    const faults: string[] = [];
    const hosts = ["127.0.0.1", new URL(CONSOLE_URL).hostname, STORE?.split(":")[0]];
    page.on("pageerror", ({ message }) => faults.push(`${page.url()} throws: ${message}`));
    page.on("console", (line) => {
      if (line.type() === "error" && !loggedErrors?.test(line.text()) && !WITHOUT_TLS.test(line.text()))
        faults.push(`${page.url()} logs: ${line.text()} ${line.location().url}`);
    });
    page.on("request", (request) => {
      const { hostname, protocol } = new URL(request.url());
      if (protocol.startsWith("http") && !hosts.includes(hostname))
        faults.push(`${page.url()} asks another machine: ${request.url()}`);
    });
    await use(page);
    expect(faults, "what the page does wrong").toEqual([]);
  },
  person: async ({ page, language }, use, info) => {
    await use(new Person(page, language, info));
  },
});

/** Changes something behind the page's back; refused, it fails the test. */
export async function send(page: Page, method: string, path: string, data?: object): Promise<void> {
  const answer = await page.request.fetch(path, { method, headers: { "X-Loupe-Client": "console" }, data });
  expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
}

/** A button's name: its icon's stands before it, and two Chinese characters are set apart. */
export const named = (text: string) => {
  const parts = text.length === 2 ? Array.from(text) : [text];
  const literal = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`(^|\\s)${literal.join("\\s?")}$`);
};

/** Who reads a language, and does things on a page. */
export class Person {
  readonly t: Words;

  constructor(
    readonly page: Page,
    readonly language: Language,
    private readonly info: TestInfo,
  ) {
    this.t = dictionaries[language];
  }

  button(name: string): Locator {
    return this.page.getByRole("button", { name: named(name) });
  }

  /** The wizard's button, as soon as a step is checked: while it loads it takes no click. */
  get next(): Locator {
    return this.button(this.t.common.next).and(this.page.locator(":not(.ant-btn-loading)"));
  }

  menu(name: string): Locator {
    return this.page.getByRole("navigation").getByRole("link", { name, exact: true });
  }

  /** What the gateway answers; its types are those of `Schemas`. */
  async get(path: string): Promise<unknown> {
    return (await this.page.request.get(path)).json();
  }

  /** A picture of what is there, once it has settled; it must fit the window and be accessible. */
  async shoot(name: string, { fullPage = false } = {}): Promise<void> {
    for (const end of fullPage ? [true, false] : []) {
      await this.page.evaluate((down) => { window.scrollTo(0, down ? document.body.scrollHeight : 0); }, end);
      await this.settle();
    }
    await this.settle();
    await this.info.attach(name, { body: await this.page.screenshot({ fullPage }), contentType: "image/png" });
    const excess = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect.soft(excess, `${name}: pixels by which the page is wider than the window`).toBeLessThanOrEqual(0);
    await this.page.evaluate(axe.source);
    // The list of a select is scrolled by the arrow keys of its combobox, which axe does not see.
    const { violations } = await this.page.evaluate(() =>
      (window as unknown as { axe: typeof axe }).axe.run(
        { exclude: [".ant-select-dropdown-list-holder"] },
        { resultTypes: ["violations"] },
      ),
    );
    const serious = violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 2).map(({ html }) => html.slice(0, 140)).join(" | ")}`);
    expect.soft(serious, `${name}: what axe calls serious`).toEqual([]);
  }

  /** Until nothing loads, and nothing moves that will come to rest. */
  private async settle(): Promise<void> {
    await this.page
      .waitForFunction(
        () =>
          !document.querySelector(".ant-skeleton, .ant-spin-spinning, .ant-btn-loading") &&
          [...document.images].every(
            (image) =>
              // Tiles in the window get their pictures a moment after they are drawn.
              (image.complete && (image.src || !image.matches(".tile-picture"))) ||
              image.loading === "lazy" ||
              image.getBoundingClientRect().top > window.innerHeight,
          ) &&
          document
            .getAnimations()
            .every((one) => one.playState !== "running" || one.effect?.getComputedTiming().iterations === Infinity),
        undefined,
        { timeout: 15_000 },
      )
      .catch(() => undefined);
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  /** Picks what has a text from a list that opens; again if the list moved away under the pointer. */
  async choose(label: string, option: string, within: Page | Locator = this.page): Promise<void> {
    const box = within.getByRole("combobox", { name: label, exact: true });
    const list = this.page.locator(".ant-select-dropdown:visible");
    const isOpen = async () => (await box.getAttribute("aria-expanded")) === "true";
    const isChosen = async () =>
      !(await isOpen()) || (await list.locator(".ant-select-item-option-selected", { hasText: option }).count()) > 0;
    await expect(async () => {
      if (!(await isOpen())) await box.click();
      await list.locator(".ant-select-item-option", { hasText: option }).first().click({ timeout: 10_000 });
      await expect.poll(isChosen, { timeout: 2000 }).toBe(true);
    }, `${option} is chosen as ${label}`).toPass();
  }

  /** Chooses a folder to be imported as the data path `line-1`; returns the dialog. */
  async chooseFolder(folder: string, dataset: string): Promise<Locator> {
    const { page, t } = this;
    await page.goto("/datasets");
    await this.button(t.datasets.import).first().click();
    const form = page.getByRole("dialog");
    await form.getByRole("combobox", { name: t.datasets.dataset }).fill(dataset);
    await form.getByRole("combobox", { name: t.wizard.path }).fill("line-1");
    const asked = page.waitForEvent("filechooser");
    await form.getByRole("button", { name: named(t.datasets.chooseFolder) }).click();
    await (await asked).setFiles(folder);
    return form;
  }

  /** Imports a folder as the data path `line-1`; returns the link to the report once that is kept. */
  async importFolder(folder: string, dataset: string): Promise<Locator> {
    const form = await this.chooseFolder(folder, dataset);
    await form.locator(".ant-modal-footer .ant-btn-primary").click();
    const report = form.getByRole("link", { name: this.t.datasets.reportSaved });
    await expect(report).toBeVisible();
    return report;
  }

  /** Puts a text in the place of an editor's, as who pastes one does. */
  async write(editor: Locator, text: string): Promise<void> {
    await editor.focus();
    await this.page.keyboard.press("Control+A");
    await editor.evaluate((element, pasted) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", pasted);
      element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, text);
  }

  async seePicture(selector: string): Promise<void> {
    const picture = this.page.locator(selector).first();
    await expect
      .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth), `${selector} is loaded`)
      .toBeGreaterThan(0);
  }
}
