import { Descriptions } from "antd";
import type { ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";

export function ModelFacts({ model }: { model: Schemas["Model"] }): ReactNode {
  const { t, language } = useSpeech();
  const id = lastPart(model.productionEnvironment);
  const environment = useApiQuery(["productionEnvironments", id], (signal) =>
    api.get("/v1/productionEnvironments/{productionEnvironment}", { path: { productionEnvironment: id }, signal }),
  );
  const place = environment.data;
  return (
    <Descriptions
      size="small"
      column={{ xs: 1, md: 2, xl: 4 }}
      items={[
        { key: "latest", label: t.models.latest, children: lastPart(model.latestVersion) },
        { key: "type", label: t.common.type, children: t.taskTypes[model.taskType] },
        { key: "modifier", label: t.models.modifier, children: lastPart(model.lastModifier) },
        { key: "time", label: t.common.updateTime, children: time(model.updateTime, language) },
        { key: "environment", label: t.common.environment, children: id },
        { key: "site", label: t.masterData.site, children: place?.site ?? "—" },
        { key: "product", label: t.masterData.product, children: place?.product ?? "—" },
        {
          key: "step",
          label: t.masterData.step,
          children: place ? `${place.processStep} · ${place.equipment}` : "—",
        },
      ]}
    />
  );
}
