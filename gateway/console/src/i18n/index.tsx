import { createContext, use } from "react";
import { en } from "./en";
import { zh } from "./zh";

export type Language = "zh" | "en";
export type Words = typeof zh;

export const dictionaries: Record<Language, Words> = { zh, en };

/** The language that was chosen, else the browser's, Chinese unless that is another. */
export function firstLanguage(): Language {
  const chosen = localStorage.getItem("loupe.language");
  if (chosen === "zh" || chosen === "en") return chosen;
  return navigator.language.toLowerCase().startsWith("en") ? "en" : "zh";
}

export interface Speech {
  language: Language;
  t: Words;
  /** Of two sentences from a server the one to show. */
  pick: (english: string, chinese: string) => string;
}

export const SpeechContext = createContext<Speech>({ language: "zh", t: zh, pick: (_, chinese) => chinese });

export function speech(language: Language): Speech {
  return {
    language,
    t: dictionaries[language],
    pick: (english, chinese) => (language === "zh" && chinese ? chinese : english),
  };
}

export function useSpeech(): Speech {
  return use(SpeechContext);
}
