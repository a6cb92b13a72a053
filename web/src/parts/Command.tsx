import { useSpeech } from "../i18n/language";
import { CopyButton } from "./Copy";

/** A line to type, with its copy button. */
export function Command({ text }: { text: string }) {
  const { say } = useSpeech();
  return (
    <div className="command">
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} what={say("common.command")} />
    </div>
  );
}

/** "Show code": the lines that do in a shell and in Python what the page does. */
export function ShowCode({ cli, python }: { cli: string; python: string }) {
  const { say } = useSpeech();
  return (
    <details className="show-code">
      <summary>{say("common.showCode")}</summary>
      <h3>{say("common.cli")}</h3>
      <Command text={cli} />
      <h3>{say("common.python")}</h3>
      <Command text={python} />
    </details>
  );
}
