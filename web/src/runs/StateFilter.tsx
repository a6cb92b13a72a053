import { useSearchParams } from "react-router";

import { useSpeech } from "../i18n/language";
import type { Key } from "../i18n/en";

const STATES = ["running", "waiting", "done", "failed", "cached", "skipped", "stopped"] as const;

/** The state asked for in the address, if it is one. */
export function useStateAsked(): string | null {
  const asked = useSearchParams()[0].get("state");
  return STATES.find((state) => state === asked) ?? null;
}

/** A choice of one state or all, kept in the address. */
export function StateFilter() {
  const { say } = useSpeech();
  const [, setAddress] = useSearchParams();
  const asked = useStateAsked();
  const choose = (state: string | null): void => {
    setAddress((before) => {
      const after = new URLSearchParams(before);
      if (state === null) after.delete("state");
      else after.set("state", state);
      return after;
    });
  };
  return (
    <div className="choices" role="group" aria-label={say("common.state")}>
      {[null, ...STATES].map((state) => (
        <button
          key={state ?? "all"}
          type="button"
          className="choice"
          aria-pressed={state === asked}
          onClick={() => choose(state)}
        >
          {state === null ? say("common.all") : say(`state.${state}` satisfies Key)}
        </button>
      ))}
    </div>
  );
}
