import { ApiError } from "@athanor/client";
import { Button } from "@mantine/core";

import { useSpeech } from "../i18n/language";

/** What could not be loaded, why, what to do, and another try. */
export function Failure({ what, error, retry }: { what: string; error: unknown; retry?: () => void }) {
  const { say } = useSpeech();
  const api = error instanceof ApiError ? error : null;
  const unreachable = api?.code === "unreachable";
  const message = unreachable ? say("error.unreachable") : error instanceof Error ? error.message : String(error);
  const hint = unreachable ? say("error.unreachable.hint") : (api?.hint ?? "");
  return (
    <div className="failure" role="alert">
      <h2>{say("error.title", { what })}</h2>
      <p>{message}</p>
      {hint !== "" && <p className="hint">{hint}</p>}
      {retry !== undefined && (
        <Button variant="default" size="xs" onClick={retry}>
          {say("common.retry")}
        </Button>
      )}
    </div>
  );
}
