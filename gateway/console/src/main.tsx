import { QueryClientProvider } from "@tanstack/react-query";
import { App as AntApp, ConfigProvider, theme } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { StrictMode, useMemo, useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import { queryClient } from "./api/queryClient";
import { router } from "./app/routes";
import { SpeechContext, firstLanguage, speech, type Language } from "./i18n";
import "./style.css";
import { AppearanceContext } from "./ui/appearance";

// The security policy of the page allows only styles with this nonce; the component library writes its styles with it.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

// Contrast of at least 4.5 to 1 (WCAG AA), which the library's own greys and blues do not reach.
const LIGHT = {
  colorPrimary: "#0958d9",
  colorPrimaryHover: "#1565e0",
  colorLink: "#0958d9",
  colorLinkHover: "#1565e0",
  colorTextPlaceholder: "#6b6b6b",
  colorTextTertiary: "#666",
  colorTextDescription: "#666",
  colorSuccess: "#237804",
  colorSuccessBg: "#f6ffed",
  colorSuccessText: "#237804",
  colorError: "#cf1322",
  colorErrorText: "#cf1322",
  colorWarning: "#ad6800",
  colorWarningText: "#ad6800",
  cyan: "#08979c",
};
const DARK = {
  colorLink: "#69b1ff",
  colorTextPlaceholder: "#9a9a9a",
  colorTextTertiary: "#a0a0a0",
  colorTextDescription: "#a0a0a0",
  colorError: "#ff7875",
};

/** Whether the person has asked the system for less motion. */
const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function firstDark(): boolean {
  const chosen = localStorage.getItem("loupe.dark");
  return chosen === null ? window.matchMedia("(prefers-color-scheme: dark)").matches : chosen === "1";
}

function Console(): ReactNode {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [dark, setDark] = useState(firstDark);
  const words = useMemo(() => speech(language), [language]);
  const appearance = useMemo(
    () => ({
      dark,
      setDark: (value: boolean) => {
        localStorage.setItem("loupe.dark", value ? "1" : "0");
        setDark(value);
      },
      setLanguage: (value: Language) => {
        localStorage.setItem("loupe.language", value);
        setLanguage(value);
      },
    }),
    [dark],
  );
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  return (
    <SpeechContext value={words}>
      <AppearanceContext value={appearance}>
        <ConfigProvider
          csp={{ nonce }}
          locale={language === "zh" ? zhCN : enUS}
          theme={{
            algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
            token: { borderRadius: 6, fontFamily: "inherit", motion: !still, ...(dark ? DARK : LIGHT) },
            components: dark
              ? { Menu: { itemSelectedColor: DARK.colorLink }, Tabs: { itemSelectedColor: DARK.colorLink } }
              : {},
          }}
        >
          <QueryClientProvider client={queryClient}>
            <AntApp className="shell">
              <RouterProvider router={router} />
            </AntApp>
          </QueryClientProvider>
        </ConfigProvider>
      </AppearanceContext>
    </SpeechContext>
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Console />
    </StrictMode>,
  );
}
