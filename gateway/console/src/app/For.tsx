import { Alert } from "antd";
import type { ReactNode } from "react";
import { useSession, type Role } from "../api/session";
import { useSpeech } from "../i18n";
import { Page } from "../ui/Page";

/** What is only for some: to all others, whom to ask. */
export function For({ least, children }: { least: Role; children: ReactNode }): ReactNode {
  const { t } = useSpeech();
  const { may, principal } = useSession();
  if (may(least)) return children;
  return (
    <Page title={t.states.forbidden}>
      <Alert type="info" showIcon title={t.states.needsRole(t.roles[least], t.roles[principal.role])} />
    </Page>
  );
}
