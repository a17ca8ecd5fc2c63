import { Alert } from "antd";
import type { ReactNode } from "react";
import { useSession, type Role } from "../api/session";
import { useSpeech } from "../i18n";
import { Page } from "../ui/Page";

/** Shows its content to people of at least a role, and to others which role they need. */
export function RequireRole({ least, children }: { least: Role; children: ReactNode }): ReactNode {
  const { t } = useSpeech();
  const { may, principal } = useSession();
  if (may(least)) return children;
  return (
    <Page title={t.states.forbidden}>
      <Alert type="info" showIcon title={t.states.needsRole(t.roles[least], t.roles[principal.role])} />
    </Page>
  );
}
