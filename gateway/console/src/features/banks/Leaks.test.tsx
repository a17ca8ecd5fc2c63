import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot, type Root } from "react-dom/client";
import { MemoryRouter } from "react-router";
import { afterEach, expect, it, vi } from "vitest";
import { api, type Schemas } from "../../api/client";
import { queryClient } from "../../api/queryClient";
import { SpeechContext, speech, type Language } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { Leaks } from "./Leaks";

const BANK = { name: "questionBanks/june", trainedVersions: [] };
const WAITING = { name: "tasks/01jx4k", training: { modelName: "panel-next" } } as Schemas["Task"];

let root: Root | undefined;
vi.setConfig({ testTimeout: 60_000 });
afterEach(() => {
  root?.unmount();
  queryClient.clear();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

function shown(language: Language, trainedVersions: string[], tasks: Schemas["Task"][]) {
  const asked = vi.spyOn(api, "get").mockResolvedValue({ tasks, nextPageToken: "" });
  root = createRoot(document.body.appendChild(document.createElement("div")));
  root.render(
    <QueryClientProvider client={queryClient}>
      <SpeechContext value={speech(language)}>
        <MemoryRouter>
          <Leaks bank={{ ...BANK, trainedVersions }} />
        </MemoryRouter>
      </SpeechContext>
    </QueryClientProvider>,
  );
  return asked;
}

const links = () => [...document.querySelectorAll("a")].map((link) => [link.getAttribute("href"), link.textContent]);
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 20_000 });

it.each(["zh", "en"] as const)("names trainings that wait or run with data of a bank (P7), in %s", async (language) => {
  const asked = shown(language, [], [WAITING]);
  await until(() => {
    expect(links()).toEqual([["/tasks/01jx4k", "panel-next · 01jx4k"]]);
  });
  expect(document.body.textContent).toContain(bankWords[language].training);
  expect(document.body.textContent).not.toContain(bankWords[language].leak);
  expect(asked.mock.calls[0]?.[1]).toMatchObject({ query: { trainingWithBank: BANK.name } });
});

it("names versions that were trained with it, beside them", async () => {
  shown("en", ["models/panel/versions/v3.01"], [WAITING]);
  await until(() => {
    expect(links()).toEqual([
      ["/models/panel", "panel@v3.01"],
      ["/tasks/01jx4k", "panel-next · 01jx4k"],
    ]);
  });
  expect(document.body.textContent).toContain(bankWords.en.leak);
});

it("says nothing where there is nothing to say", async () => {
  const asked = shown("en", [], []);
  await until(() => {
    expect(asked).toHaveBeenCalled();
  });
  expect(document.body.textContent).toBe("");
});
