/** The report of an import: kept after its dialog is closed, filtered, downloaded (D7); what is asked first (D6). */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync, crc32 } from "node:zlib";
import { importWords } from "../src/i18n/imports";
import { expect, test } from "./fixtures";
import { FOLDER } from "./stack";

/** A grey PNG of 64 by 48 pixels, other ones for each seed. */
function png(seed: number, bits: 8 | 16 = 8): Buffer {
  const chunk = (kind: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, sum]);
  };
  const header = Buffer.from([0, 0, 0, 64, 0, 0, 0, 48, bits, 0, 0, 0, 0]);
  const rowBytes = 1 + (64 * bits) / 8;
  const rows = Buffer.alloc(48 * rowBytes);
  for (let at = 0; at < rows.length; at += 1) rows[at] = at % rowBytes ? (at * seed + (at >> 3)) & 255 : 0;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const end = chunk("IEND", Buffer.alloc(0));
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), end]);
}

function writeFolder(language: string): string {
  const folder = join(FOLDER, language, "odd");
  const seed = language === "zh" ? 3 : 5;
  for (const code of ["TPFIP", "TTFBS", ".cache"]) mkdirSync(join(folder, code), { recursive: true });
  const files: Record<string, Buffer | string> = {
    "TPFIP/a.png": png(seed),
    "TPFIP/b.png": png(seed + 20),
    "TTFBS/again.png": png(seed),
    "TTFBS/empty.png": "",
    "TTFBS/words.png": "these are words",
    "TTFBS/moving.gif": "GIF89a",
    "TPFIP/lost.mask.png": png(9),
    ".cache/a.png": png(seed),
    "notes.txt": "taken on line 1\n",
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

test("a person looks at the report of an import", async ({ page, person, language }) => {
  const { t } = person;
  const words = importWords[language];
  const dataset = `odd-${language}`;
  const report = await person.importFolder(writeFolder(language), dataset);
  await person.shoot(`import-with-report-${language}`);
  await report.click();
  const row = (file: string) => page.getByRole("row").filter({ has: page.getByText(file, { exact: true }) });

  await test.step("every file that was not taken has its reason", async () => {
    await expect(row("TTFBS/empty.png")).toContainText("EMPTY");
    await expect(row("TTFBS/words.png")).toContainText("NOT_AN_IMAGE");
    await expect(row("TTFBS/moving.gif")).toContainText(words.reasons["OTHER_FORMAT"] ?? "");
    await expect(row("notes.txt")).toContainText(words.kinds.KIND_LEFT_OUT);
    await expect(row(".cache/a.png")).toContainText("HIDDEN");
    await expect(row("TPFIP/lost.mask.png")).toContainText("AMBIGUOUS_MASK");
    await expect(row("TTFBS/again.png").getByRole("img")).toBeVisible();
    await expect(page.getByText(words.filesText("9", "5", "4"))).toBeVisible();
    await expect(page.getByText(words.samplesText("5", "3", "0", "0", "2"))).toBeVisible();
    await person.shoot(`import-report-${person.language}`, { fullPage: true });
  });

  await test.step("it is filtered", async () => {
    await person.choose(words.reasonCode, "HIDDEN (1)");
    await expect(row("TTFBS/empty.png")).toBeHidden();
    await expect(row(".cache/a.png")).toBeVisible();
    await page.getByRole("searchbox", { name: words.fileContains }).fill("nothing");
    await expect(page.getByText(words.noMatch)).toBeVisible();
    await person.shoot(`import-report-empty-${person.language}`);
  });

  await test.step("it is downloaded, whatever the filter is", async () => {
    const coming = page.waitForEvent("download");
    await person.button(words.download("CSV")).click();
    const lines = readFileSync(await (await coming).path(), "utf8").split("\n");
    expect(lines[0]).toBe("\ufeffkind,file,reason,message,message_zh,sample_file");
    expect(lines.length).toBeGreaterThan(8);
  });

  await test.step("it is found again from the data path", async () => {
    await page.goto(`/datasets/${dataset}/line-1`);
    await page.locator(".tile").first().click();
    await person.seePicture(".stage-canvas img");
    await page.keyboard.press("Escape");
    await person.button(t.datasets.importReports).click();
    await expect(page.getByRole("row")).toHaveCount(2);
    await person.shoot(`import-reports-${person.language}`);
    await page.getByRole("table").getByRole("link").first().click();
    await expect(row("TTFBS/empty.png")).toBeVisible();
  });
});

test("a person is asked how many of 16 bits are significant, and shown the command that scales", async ({
  person,
  language,
}) => {
  const words = importWords[language];
  const folder = join(FOLDER, language, "deep");
  mkdirSync(join(folder, "TPFIP"), { recursive: true });
  writeFileSync(join(folder, "TPFIP/a.png"), png(7, 16));
  const form = await person.chooseFolder(folder, `deep-${language}`);
  const start = form.locator(".ant-modal-footer .ant-btn-primary");
  await expect(form.getByText(words.deepQuestion("TPFIP/a.png"))).toBeVisible();
  await expect(start).toBeEnabled();
  await form.getByRole("radio", { name: words.fewBits(12), exact: true }).check();
  const command = `loupe data import deep --dataset deep-${language} --path line-1 --bits 12`;
  await expect(form.getByText(command)).toBeVisible();
  await expect(start).toBeDisabled();
  await person.shoot(`import-bits-${language}`);
});
