import { useEffect, useState } from "react";

import { useSpeech } from "../i18n/language";
import { Icon } from "./Icon";

const SHOWN_MS = 1500;

/** Copies, and says for a moment that it did. */
export function useCopy(): { copied: boolean; copy: (text: string) => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (text: string): void => {
    void navigator.clipboard.writeText(text).then(() => setCopied(true));
  };
  return { copied, copy };
}

/** A small button that copies a text; `what` is its name for those who cannot see it. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const { say } = useSpeech();
  const { copied, copy } = useCopy();
  const label = copied ? say("common.copied") : say("common.copy", { what });
  return (
    <button type="button" className="copy" aria-label={label} title={label} onClick={() => copy(text)}>
      <Icon name={copied ? "check" : "copy"} size={14} />
    </button>
  );
}
