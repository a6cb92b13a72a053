import { useEffect, type ReactNode } from "react";

import { useSpeech } from "../i18n/language";
import { StateBadge } from "./StateBadge";

export interface Figure {
  label: string;
  value: ReactNode;
  /** The full value, on hover. */
  full?: string;
}

/** A page's anatomy: title, state, one line in plain words, action, figures, content. */
export function Page({
  title,
  state,
  about,
  action,
  figures = [],
  children,
}: {
  title: string;
  state?: string;
  about: ReactNode;
  action?: ReactNode;
  figures?: readonly Figure[];
  children?: ReactNode;
}) {
  const { say } = useSpeech();
  useEffect(() => {
    document.title = `${title} · ${say("app.name")}`;
  }, [title, say]);
  return (
    <article className="page">
      <header className="page-head">
        <div className="page-title">
          <h1>{title}</h1>
          {state !== undefined && <StateBadge state={state} />}
          {action !== undefined && <div className="page-action">{action}</div>}
        </div>
        <p className="page-about">{about}</p>
      </header>
      {figures.length > 0 && (
        <dl className="figures">
          {figures.map((figure) => (
            <div key={figure.label}>
              <dt>{figure.label}</dt>
              <dd title={figure.full}>{figure.value}</dd>
            </div>
          ))}
        </dl>
      )}
      {children}
    </article>
  );
}
