import { GlobalOutlined, MoonOutlined, SunOutlined } from "@ant-design/icons";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../i18n";
import { useAppearance } from "../ui/appearance";

/** Buttons for language and appearance; also shown before the log-in. */
export function Preferences(): ReactNode {
  const { t, language } = useSpeech();
  const { dark, setDark, setLanguage } = useAppearance();
  return (
    <>
      <Button
        type="text"
        icon={<GlobalOutlined />}
        onClick={() => {
          setLanguage(language === "zh" ? "en" : "zh");
        }}
      >
        {t.header.language}
      </Button>
      <Button
        type="text"
        icon={dark ? <SunOutlined /> : <MoonOutlined />}
        aria-label={dark ? t.header.light : t.header.dark}
        title={dark ? t.header.light : t.header.dark}
        onClick={() => {
          setDark(!dark);
        }}
      />
    </>
  );
}
