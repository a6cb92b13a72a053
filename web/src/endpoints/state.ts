import type { Endpoint } from "@athanor/client";

/** An endpoint is as well as its deployments: taking over, live, starting, or failed. */
export function stateOf(endpoint: Endpoint): string {
  const states = new Set((endpoint.deployments ?? []).map((one) => one.state));
  for (const state of ["canary", "live", "starting", "failed"] as const) {
    if (states.has(state)) return state;
  }
  return "waiting";
}
