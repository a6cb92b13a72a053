/** Where a link that MLflow's clients print (`#/experiments/1/runs/ID`) leads here. */
export function fromMlflow(hash: string): string | null {
  const run = /^#\/experiments\/[^/]+\/runs\/([0-9a-f]{32})/.exec(hash)?.[1];
  if (run !== undefined) return `/runs/${run}`;
  const experiment = /^#\/experiments\/([^/?]+)/.exec(hash)?.[1];
  if (experiment !== undefined) return `/experiments/${experiment}`;
  if (/^#\/experiments\/?$/.test(hash)) return "/experiments";
  if (hash.startsWith("#/compare-runs?")) {
    const runs = [...decodeURIComponent(hash).matchAll(/[0-9a-f]{32}/g)].map(([id]) => `run=${id}`);
    return `/compare?${runs.join("&")}`;
  }
  const [, model, version] = /^#\/models\/([^/?]+)(?:\/versions\/(\d+))?/.exec(hash) ?? [];
  if (model !== undefined) return `/models/${model}${version === undefined ? "" : `?version=${version}`}`;
  return /^#\/models$/.test(hash) ? "/models" : null;
}
