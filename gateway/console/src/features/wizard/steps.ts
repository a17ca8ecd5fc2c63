import type { Schemas } from "../../api/client";
import type { Query } from "../../api/useQuery";
import type { Finding, Spec } from "./wizard";

/** What every step of the wizard is given. */
export interface StepProps {
  spec: Spec;
  change: (part: Spec) => void;
  findings: readonly Finding[];
  version: Query<Schemas["AlgorithmImageVersion"] | undefined>;
  /** As they are on screen. */
  params: { model: string; training: string };
}
