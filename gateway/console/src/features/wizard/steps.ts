import type { Schemas } from "../../api/client";
import type { ApiQuery } from "../../api/useApiQuery";
import type { Finding, Spec } from "./wizard";

/** What every step of the wizard is given. */
export interface StepProps {
  spec: Spec;
  change: (part: Spec) => void;
  findings: readonly Finding[];
  version: ApiQuery<Schemas["AlgorithmImageVersion"]>;
  /** As they are on screen. */
  params: { model: string; training: string };
}
