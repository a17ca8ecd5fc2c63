import type { ReactNode } from "react";
import { Link } from "react-router";
import { ids } from "../../api/names";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";

/** The revision of a bank that something was made over, `questionBanks/{bank}/revisions/{number}`. */
export function BankRevision({ name }: { name: string }): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  const [bank = "", number = ""] = ids(name);
  return (
    <Link to={`/banks/${bank}?revision=${number}`}>
      {words.ofBank} {bank} · {words.revisionOf(Number(number))}
    </Link>
  );
}
