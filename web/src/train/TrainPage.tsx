import { Button } from "@mantine/core";
import { Link } from "react-router";

import { code } from "../code";
import { useSpeech } from "../i18n/language";
import type { Key } from "../i18n/en";
import { Command } from "../parts/Command";
import { Page } from "../parts/Page";
import { useTrainCommand } from "./command";

export function TrainPage() {
  const { say } = useSpeech();
  const ways: readonly { title: Key; about: Key; command: string }[] = [
    { title: "train.gallery", about: "train.gallery.about", command: useTrainCommand() },
    { title: "train.script", about: "train.script.about", command: code.runScript },
    { title: "train.pipeline", about: "train.pipeline.about", command: code.runPipeline },
  ];
  return (
    <Page
      title={say("train.title")}
      about={say("train.about")}
      action={
        <Button component={Link} to="/runs">
          {say("train.watch")}
        </Button>
      }
    >
      {ways.map((way) => (
        <section key={way.title} className="way">
          <h2>{say(way.title)}</h2>
          <p>{say(way.about)}</p>
          <Command text={way.command} />
        </section>
      ))}
    </Page>
  );
}
