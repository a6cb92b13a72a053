import { useSpeech } from "../i18n/language";
import { en, type Key } from "../i18n/en";

interface Look {
  tone: "live" | "good" | "bad" | "quiet";
  shape: "circle" | "dot" | "check" | "cross" | "double" | "square" | "bang";
}

/** Told apart by word and shape as well as by colour. */
const LOOKS: Readonly<Record<string, Look>> = {
  waiting: { tone: "quiet", shape: "circle" },
  running: { tone: "live", shape: "dot" },
  done: { tone: "good", shape: "check" },
  failed: { tone: "bad", shape: "cross" },
  cached: { tone: "good", shape: "double" },
  skipped: { tone: "quiet", shape: "double" },
  stopped: { tone: "quiet", shape: "square" },
  ready: { tone: "good", shape: "check" },
  quarantined: { tone: "bad", shape: "bang" },
  open: { tone: "live", shape: "bang" },
  acknowledged: { tone: "quiet", shape: "bang" },
  closed: { tone: "quiet", shape: "check" },
  starting: { tone: "quiet", shape: "circle" },
  canary: { tone: "live", shape: "circle" },
  wait: { tone: "quiet", shape: "circle" },
  advance: { tone: "good", shape: "check" },
  refuse: { tone: "bad", shape: "cross" },
  live: { tone: "live", shape: "dot" },
  staged: { tone: "quiet", shape: "circle" },
  shadow: { tone: "live", shape: "circle" },
  member: { tone: "good", shape: "dot" },
  standby: { tone: "quiet", shape: "square" },
  retired: { tone: "quiet", shape: "check" },
  refused: { tone: "bad", shape: "cross" },
  warned: { tone: "live", shape: "bang" },
  passed: { tone: "good", shape: "check" },
  approved: { tone: "good", shape: "check" },
  rejected: { tone: "bad", shape: "cross" },
  withdrawn: { tone: "quiet", shape: "square" },
  used: { tone: "good", shape: "double" },
  watching: { tone: "live", shape: "dot" },
  paused: { tone: "quiet", shape: "square" },
  "no reference": { tone: "bad", shape: "bang" },
  healthy: { tone: "good", shape: "check" },
  drifted: { tone: "bad", shape: "bang" },
  damaged: { tone: "bad", shape: "cross" },
  degraded: { tone: "bad", shape: "bang" },
  fresh: { tone: "good", shape: "check" },
  stale: { tone: "bad", shape: "bang" },
  empty: { tone: "quiet", shape: "circle" },
  "too small": { tone: "quiet", shape: "circle" },
};
const UNKNOWN: Look = { tone: "quiet", shape: "circle" };

export function StateBadge({ state }: { state: string }) {
  const { say } = useSpeech();
  const look = LOOKS[state] ?? UNKNOWN;
  const key = `state.${state}`;
  return (
    <span className={`badge badge-${look.tone}`} data-state={state}>
      <Shape shape={look.shape} />
      {key in en ? say(key as Key) : state}
    </span>
  );
}

function Shape({ shape }: { shape: Look["shape"] }) {
  const line = { fill: "none", stroke: "currentColor", strokeWidth: 1.8, strokeLinecap: "round" } as const;
  return (
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false">
      {shape === "circle" && <circle cx="6" cy="6" r="4" {...line} strokeDasharray="2.4 2.4" />}
      {shape === "dot" && <circle className="pulse" cx="6" cy="6" r="4" fill="currentColor" />}
      {shape === "check" && <path d="M2 6.5L5 9.5L10 3" {...line} />}
      {shape === "cross" && <path d="M3 3l6 6M9 3l-6 6" {...line} />}
      {shape === "double" && <path d="M1 6.5L3.5 9L8 3M6 9l5-6" {...line} />}
      {shape === "square" && <rect x="2.5" y="2.5" width="7" height="7" fill="currentColor" />}
      {shape === "bang" && <path d="M6 2v4.5M6 9.8v.1" {...line} />}
    </svg>
  );
}
