import { Button } from "@mantine/core";
import type { ReactNode } from "react";

import { useSpeech } from "../i18n/language";
import { Command } from "./Command";
import { useCopy } from "./Copy";

/** Nothing yet: what will stand here, and the next step as one button and one command. */
export function Empty({
  title,
  about,
  command,
  children,
}: {
  title: string;
  about: string;
  command: string;
  children?: ReactNode;
}) {
  const { say } = useSpeech();
  const { copied, copy } = useCopy();
  return (
    <div className="empty">
      <h2>{title}</h2>
      <p>{about}</p>
      <Command text={command} />
      <Button onClick={() => copy(command)}>
        {copied ? say("common.copied") : say("common.copyCommand")}
      </Button>
      {children}
    </div>
  );
}
