/** What the pages of question banks share. */
import type { Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import type { Language } from "../../i18n";
import { bankWords } from "../../i18n/banks";

export type Bank = Schemas["QuestionBank"];

type Runs = Pick<Bank, "runAfterTraining" | "runAfterRelease">;

/** What people call a bank. */
export function bankTitle({ name, displayName }: Pick<Bank, "name" | "displayName">): string {
  return displayName || lastPart(name);
}

/** Where a bank is shown. */
export function bankLink(name: string): string {
  return `/banks/${lastPart(name)}`;
}

/** Whether the bank tests by itself (P8). */
export function runsItself({ runAfterTraining, runAfterRelease }: Runs): boolean {
  return runAfterTraining || runAfterRelease;
}

/** When a bank tests by itself: after trainings, after releases, or both. */
export function when({ runAfterTraining, runAfterRelease }: Runs, language: Language): string {
  const { afterTrainings, afterReleases } = bankWords[language];
  return [runAfterTraining && afterTrainings, runAfterRelease && afterReleases].filter(Boolean).join(", ");
}

/** A data path as a choice for training: one of a bank is shown as such, and cannot be chosen (P7). */
export function trainingOption({ name, questionBanks }: Schemas["DataPath"], language: Language) {
  const disabled = questionBanks.length > 0;
  const why = disabled ? ` · ${bankWords[language].trainable(questionBanks.map(lastPart).join(", "))}` : "";
  return { value: name, label: shortPath(name) + why, disabled };
}
