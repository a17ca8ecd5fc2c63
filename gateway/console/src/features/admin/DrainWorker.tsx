import { App, Button, Tooltip } from "antd";
import type { ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { useAction } from "../../ui/useAction";
import { time } from "../../ui/format";

type Worker = Schemas["Worker"];

/** Whether a worker gives back what it holds, has nothing more, or gets jobs (T9). */
export function drainOf(worker: Worker): "draining" | "drained" | undefined {
  if (!worker.drainTime) return undefined;
  return worker.leases.length > 0 ? "draining" : "drained";
}

/** Since when and by whom a worker is drained. */
export function Drained({ worker }: { worker: Worker }): ReactNode {
  const { t, language } = useSpeech();
  const drain = drainOf(worker);
  if (!drain) return null;
  return (
    <Tooltip title={`${time(worker.drainTime, language)} · ${lastPart(worker.drainer)}`}>
      {t.system.drain[drain]}
    </Tooltip>
  );
}

/** 停止接单 / 恢复接单, each with a confirmation; administrators only. */
export function DrainWorker({ worker }: { worker: Worker }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAction();
  if (!may("ROLE_ADMIN")) return null;
  const id = lastPart(worker.name);
  const verb = worker.drainTime ? "undrain" : "drain";
  const words = t.system.drain[`${verb}Words`];
  return (
    <Button
      size="small"
      type="link"
      danger={verb === "drain"}
      onClick={() => {
        modal.confirm({
          title: `${words.label} · ${id}`,
          content: words.ask,
          okButtonProps: { danger: verb === "drain" },
          onOk: async () => {
            const path = { path: { worker: id }, body: {} };
            await act(
              () =>
                verb === "drain"
                  ? api.post("/v1/workers/{worker}:drain", path)
                  : api.post("/v1/workers/{worker}:undrain", path),
              t.common.done,
            );
          },
        });
      }}
    >
      {words.label}
    </Button>
  );
}
