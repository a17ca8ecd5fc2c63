import { createContext, use } from "react";
import type { Language } from "../i18n";

export interface Appearance {
  dark: boolean;
  setDark: (dark: boolean) => void;
  setLanguage: (language: Language) => void;
}

export const AppearanceContext = createContext<Appearance>({
  dark: false,
  setDark: () => undefined,
  setLanguage: () => undefined,
});

export function useAppearance(): Appearance {
  return use(AppearanceContext);
}
