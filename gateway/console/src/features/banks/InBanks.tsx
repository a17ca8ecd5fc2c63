import { Tag } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { bankLink } from "./bank";

/** The question banks of a data path, for which it is not trained with (P7); `apart` opens them beside the page. */
export function InBanks({ path, apart }: { path: Schemas["DataPath"]; apart?: boolean }): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  return path.questionBanks.map((name) => (
    <Link
      key={name}
      to={bankLink(name)}
      title={words.trainable(lastPart(name))}
      {...(apart ? { target: "_blank" } : {})}
    >
      <Tag color="warning">
        {words.ofBank} {lastPart(name)}
      </Tag>
    </Link>
  ));
}
