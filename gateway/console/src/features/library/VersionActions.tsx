import { Button, Input, Modal } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { ids, shortVersion } from "../../api/names";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { useAction } from "../../ui/useAction";
import { useConfirmed } from "../../ui/useConfirmed";

type Version = Schemas["ModelVersion"];

export function VersionActions({ version }: { version: Version }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const act = useAction();
  const confirmed = useConfirmed();
  const [naming, setNaming] = useState(false);
  const [alias, setAlias] = useState("production");
  if (!may("ROLE_RELEASER")) return null;
  const [model = "", number = ""] = ids(version.name);
  const path = { model, version: number };
  const archive = (restore: boolean) =>
    api.post("/v1/models/{model}/versions/{version}:archive", {
      path,
      // Who confirms has read which aliases it carries.
      body: { restore, keepAliases: !restore },
      etag: version.etag,
    });
  return (
    <>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          setNaming(true);
        }}
      >
        {t.models.setAlias}
      </Button>
      <Button
        type="link"
        size="small"
        className="inline-button"
        onClick={() => {
          if (version.archived) void act(() => archive(true), t.common.done);
          else
            confirmed(() => archive(false), {
              label: t.models.archive,
              subject: shortVersion(version.name),
              content: version.aliases.length
                ? t.models.archiveAliased(version.aliases.join(", "))
                : t.models.archiveConfirm,
              success: t.common.done,
              harmless: true,
            });
        }}
      >
        {version.archived ? t.models.restore : t.models.archive}
      </Button>
      <Modal
        open={naming}
        title={`${t.models.setAlias}: ${shortVersion(version.name)}`}
        okButtonProps={{ disabled: !alias }}
        onCancel={() => {
          setNaming(false);
        }}
        onOk={async () => {
          const done = await act(
            () =>
              api.post("/v1/models/{model}/versions/{version}:setAlias", { path, body: { alias }, etag: version.etag }),
            t.models.aliasSet(alias, shortVersion(version.name)),
          );
          if (done) setNaming(false);
        }}
      >
        <Input
          value={alias}
          placeholder={t.models.aliasHint}
          aria-label={t.models.aliases}
          onChange={(event) => {
            setAlias(event.target.value);
          }}
        />
      </Modal>
    </>
  );
}
