/** Where a link that MLflow's clients print (`#/experiments/1/runs/ID`) leads here. */
export function fromMlflow(hash: string): string | null {
  const run = /^#\/experiments\/[^/]+\/runs\/([0-9a-f]{32})/.exec(hash)?.[1];
  if (run !== undefined) return `/runs/${run}`;
  if (/^#\/experiments(\/|$)/.test(hash)) return "/runs";
  const model = /^#\/models\/([^/?]+)/.exec(hash)?.[1];
  if (model !== undefined) return `/models/${model}`;
  return /^#\/models$/.test(hash) ? "/models" : null;
}
