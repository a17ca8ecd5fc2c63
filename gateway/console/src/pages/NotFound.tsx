import { Result } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { useSpeech } from "../i18n";

export default function NotFound(): ReactNode {
  const { t } = useSpeech();
  return (
    <Result
      status="404"
      title={t.states.notFound}
      subTitle={t.states.notFoundHint}
      extra={<Link to="/models">{t.nav.models}</Link>}
    />
  );
}
