import { Progress } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../api/client";
import { useSpeech } from "../i18n";
import { bytes } from "./format";

/** `1.2 GiB / 10 GiB`, with a bar where there is a limit. */
export function StorageUse({ quota }: { quota: Schemas["StorageQuota"] | undefined }): ReactNode {
  const { t } = useSpeech();
  if (!quota) return "—";
  const used = Number(quota.usedBytes);
  if (quota.limitBytes === undefined) return bytes(used);
  const limit = Number(quota.limitBytes);
  const share = limit > 0 ? Math.min(100, Math.round((used / limit) * 100)) : 100;
  return (
    <span style={{ display: "inline-block", minWidth: 140 }}>
      {bytes(used)} / {bytes(limit)}
      <Progress
        size="small"
        percent={share}
        showInfo={false}
        status={share >= 90 ? "exception" : "normal"}
        aria-label={t.system.quota.used}
      />
    </span>
  );
}
