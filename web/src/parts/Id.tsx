import { useSpeech } from "../i18n/language";
import { short } from "../i18n/format";
import { CopyButton } from "./Copy";

/** An id or a digest: short, monospaced, whole on hover, copied on click. */
export function Id({ id, what }: { id: string; what?: string }) {
  const { say } = useSpeech();
  return (
    <span className="id">
      <code title={id}>{short(id)}</code>
      <CopyButton text={id} what={what ?? say("common.id")} />
    </span>
  );
}
