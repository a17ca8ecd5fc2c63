import { Button, Input, Modal } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart, shortPath } from "../../api/names";
import { useSession, type Session } from "../../api/session";
import { useSpeech } from "../../i18n";
import { useAction } from "../../ui/useAction";
import { useConfirmed } from "../../ui/useConfirmed";

/** Whether the path is the caller's to change (A4). The server decides; this only hides what it would refuse. */
export function mayChange({ principal, may }: Session, path: Schemas["DataPath"]): boolean {
  return may("ROLE_ADMIN") || (may("ROLE_ENGINEER") && (!path.owner || path.owner === principal.name));
}

/** Deleting a data path (D8) and giving it away (A4). */
export function PathActions({ path }: { path: Schemas["DataPath"] }): ReactNode {
  const { t } = useSpeech();
  const session = useSession();
  const act = useAction();
  const confirmed = useConfirmed();
  const [owner, setOwner] = useState<string>();
  if (!mayChange(session, path)) return null;
  const [dataset = "", id = ""] = ids(path.name);
  const name = { dataset, path: id };
  return (
    <>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          setOwner(lastPart(path.owner));
        }}
      >
        {t.datasets.setOwner}
      </Button>
      <Button
        type="link"
        size="small"
        danger
        className="inline-button"
        onClick={() => {
          confirmed(() => api.delete("/v1/datasets/{dataset}/paths/{path}", { path: name }), {
            label: t.common.delete,
            subject: shortPath(path.name),
            content: t.datasets.deleteConfirm,
            success: t.datasets.inBin(shortPath(path.name)),
          });
        }}
      >
        {t.common.delete}
      </Button>
      <Modal
        open={owner !== undefined}
        title={`${t.datasets.setOwner} · ${shortPath(path.name)}`}
        onCancel={() => {
          setOwner(undefined);
        }}
        onOk={async () => {
          const user = owner?.trim();
          const body = { owner: user ? `users/${user}` : "" };
          const done = await act(
            () => api.post("/v1/datasets/{dataset}/paths/{path}:setOwner", { path: name, body }),
            t.common.done,
          );
          if (done) setOwner(undefined);
        }}
      >
        <p>{t.datasets.ownerExplained}</p>
        <Input
          value={owner ?? ""}
          placeholder={t.datasets.ownerHint}
          aria-label={t.datasets.owner}
          onChange={(event) => {
            setOwner(event.target.value);
          }}
        />
      </Modal>
    </>
  );
}
