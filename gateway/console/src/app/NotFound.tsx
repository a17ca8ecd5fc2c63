import type { ReactNode } from "react";
import { Link } from "react-router";
import { useSpeech } from "../i18n";

export default function NotFound(): ReactNode {
  const { t } = useSpeech();
  return (
    <main className="big">
      <h1 className="page-title">{t.states.notFound}</h1>
      <p>{t.states.notFoundHint}</p>
      <Link to="/models">{t.nav.models}</Link>
    </main>
  );
}
