import { Button } from "antd";
import type { ReactNode } from "react";
import type { PagedQuery } from "../api/usePagedQuery";
import { useSpeech } from "../i18n";

/** The button that loads the next page of a list. */
export function More({ pages }: { pages: PagedQuery<unknown> }): ReactNode {
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
