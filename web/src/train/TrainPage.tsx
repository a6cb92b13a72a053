import { Button } from "@mantine/core";
import { Link } from "react-router";

import { code } from "../code";
import { useSpeech } from "../i18n/language";
import type { Key } from "../i18n/en";
import { Command } from "../parts/Command";
import { Page } from "../parts/Page";

const WAYS: readonly { title: Key; about: Key; command: string }[] = [
  {
    title: "train.gallery",
    about: "train.gallery.about",
    command: code.train,
  },
  { title: "train.script", about: "train.script.about", command: code.runScript },
  { title: "train.pipeline", about: "train.pipeline.about", command: code.runPipeline },
];

export function TrainPage() {
  const { say } = useSpeech();
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
      {WAYS.map((way) => (
        <section key={way.title} className="way">
          <h2>{say(way.title)}</h2>
          <p>{say(way.about)}</p>
          <Command text={way.command} />
        </section>
      ))}
    </Page>
  );
}
