import { createContext, use } from "react";
import { en } from "./en";
import { zh } from "./zh";

export type Language = "zh" | "en";
export type Words = typeof zh;

export const dictionaries: Record<Language, Words> = { zh, en };

/** The chosen language, else the browser's: English if that is English, else Chinese. */
export function firstLanguage(): Language {
  const chosen = localStorage.getItem("loupe.language");
  if (chosen === "zh" || chosen === "en") return chosen;
  return navigator.language.toLowerCase().startsWith("en") ? "en" : "zh";
}

export interface Speech {
  language: Language;
  t: Words;
  /** The one of a server's two sentences that is in the person's language. */
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
