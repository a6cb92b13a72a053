import { useQuery } from "@tanstack/react-query";

import { queries } from "../api/queries";
import { code } from "../code";

/** The line that trains on a dataset of this project: one with a target, else an example. */
export function useTrainCommand(): string {
  const datasets = useQuery(queries.datasets()).data ?? [];
  const ready = datasets.filter((dataset) => dataset.latest != null);
  const chosen = ready.find((dataset) => dataset.roles.target !== "") ?? ready[0];
  if (chosen === undefined) return code.train("churn", "churned");
  return code.train(chosen.name, chosen.roles.target === "" ? "COLUMN" : "");
}
