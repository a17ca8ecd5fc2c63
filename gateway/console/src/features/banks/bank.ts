/** What the pages of question banks share. */
import type { Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import type { Language } from "../../i18n";
import { bankWords } from "../../i18n/banks";

export type Bank = Schemas["QuestionBank"];

/** What people call a bank. */
export function bankTitle({ name, displayName }: Pick<Bank, "name" | "displayName">): string {
  return displayName || lastPart(name);
}

/** Where a bank is shown. */
export function bankLink(name: string): string {
  return `/banks/${lastPart(name)}`;
}

/** A data path as a choice for training: one of a bank is shown as such, and cannot be chosen (P7). */
export function trainingOption({ name, questionBanks }: Schemas["DataPath"], language: Language) {
  const disabled = questionBanks.length > 0;
  const why = disabled ? ` · ${bankWords[language].trainable(questionBanks.map(lastPart).join(", "))}` : "";
  return { value: name, label: shortPath(name) + why, disabled };
}
