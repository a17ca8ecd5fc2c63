import { Button } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../i18n";
import type { Pages } from "./usePages";

/** The button under a list that has more. */
export function More({ pages }: { pages: Pages<unknown> }): ReactNode {
  const { t } = useSpeech();
  if (!pages.hasMore) return null;
  return (
    <div className="more">
      <Button onClick={pages.more} loading={pages.loading}>
        {t.common.loadMore}
      </Button>
    </div>
  );
}
