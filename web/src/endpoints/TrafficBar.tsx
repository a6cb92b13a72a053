import type { Deployment } from "@athanor/client";

import { useSpeech } from "../i18n/language";

/** Who takes which share of the traffic, in words beside the bar. */
export function TrafficBar({ deployments }: { deployments: readonly Deployment[] }) {
  const { say, percent } = useSpeech();
  // Oldest first: a share keeps its colour while a newer deployment takes it over.
  const taking = deployments
    .filter((one) => one.share > 0)
    .sort((left, right) => left.number - right.number);
  if (taking.length === 0) return <span className="none">{say("endpoints.none")}</span>;
  return (
    <span className="traffic">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        {taking.map((one, at) => (
          <rect
            key={one.id}
            className={`traffic-${at}`}
            x={taking.slice(0, at).reduce((sum, before) => sum + before.share, 0) * 100}
            width={one.share * 100}
            height="6"
          />
        ))}
      </svg>
      <span>
        {taking.map((one) => `${one.model}@${one.version} ${percent(one.share)}`).join(" · ")}
      </span>
    </span>
  );
}
