import { Button } from "antd";
import { Suspense, useState, type ReactNode } from "react";
import { Link } from "react-router";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { deferred } from "../../ui/deferred";

const ExportVersion = deferred(() => import("./ExportVersion"));

/** What can be done with a version (R4). */
export function ModelActions({ version }: { version: string }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const [exporting, setExporting] = useState(false);
  const encoded = encodeURIComponent(version);
  return (
    <div className="row">
      <Link to={`/reports/latest?version=${encoded}`}>{t.models.report}</Link>
      {may("ROLE_ENGINEER") && (
        <>
          <Link to={`/new?parent=${encoded}`}>{t.models.retrain}</Link>
          <Link to={`/predictions?version=${encoded}`}>{t.models.predict}</Link>
        </>
      )}
      {may("ROLE_RELEASER") && (
        <Button
          type="link"
          size="small"
          className="inline-button"
          onClick={() => {
            setExporting(true);
          }}
        >
          {t.models.export}
        </Button>
      )}
      {exporting && (
        <Suspense fallback={null}>
          <ExportVersion
            version={version}
            onClose={() => {
              setExporting(false);
            }}
          />
        </Suspense>
      )}
    </div>
  );
}
