/** The learning rate that the training parameters make (W8). */

export const LR_POLICIES = ["fixed", "exp", "inv", "poly"] as const;

export interface Schedule {
  base_lr: number;
  max_iter: number;
  lr_policy: string;
  power: number;
  gamma: number;
}

/** The schedule in one network's parameters, or undefined where they are not complete. */
export function scheduleOf(params: unknown): Schedule | undefined {
  if (typeof params !== "object" || params === null) return undefined;
  const given = params as Record<string, unknown>;
  const number = (name: string, otherwise: number) => (typeof given[name] === "number" ? given[name] : otherwise);
  // Where `power` or `gamma` is absent, the wizard takes these (services/scheduler/domain/wizard/training_params.py).
  const schedule = {
    base_lr: number("base_lr", Number.NaN),
    max_iter: number("max_iter", Number.NaN),
    lr_policy: typeof given["lr_policy"] === "string" ? given["lr_policy"] : "",
    power: number("power", 0.9),
    gamma: number("gamma", 0.1),
  };
  const known = LR_POLICIES.some((policy) => policy === schedule.lr_policy);
  return known && schedule.base_lr > 0 && schedule.max_iter >= 1 ? schedule : undefined;
}

/**
 * The learning rate at iteration `i` from 0, for the preview. `services/learning_rate.py` defines it; both are tested
 * with the cases of `learning_rates.json`.
 */
export function learningRate({ base_lr, max_iter, lr_policy, power, gamma }: Schedule, i: number): number {
  switch (lr_policy) {
    case "exp":
      return base_lr * gamma ** i;
    case "inv":
      return base_lr * (1 + gamma * i) ** -power;
    case "poly":
      return base_lr * (1 - i / max_iter) ** power;
    default:
      return base_lr;
  }
}
