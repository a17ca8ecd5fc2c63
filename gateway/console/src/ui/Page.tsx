import { useEffect, type ReactNode } from "react";
import { useSpeech } from "../i18n";

/** A page: title, actions on the whole page, and content. */
export function Page({
  title,
  actions,
  children,
}: {
  title: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}): ReactNode {
  const { t } = useSpeech();
  useEffect(() => {
    document.title = typeof title === "string" ? `${title} · Loupe` : t.product;
  }, [title, t]);
  return (
    <main className="page" tabIndex={-1}>
      <header className="page-head">
        <h1 className="page-title">{title}</h1>
        <div className="page-actions">{actions}</div>
      </header>
      {children}
    </main>
  );
}
