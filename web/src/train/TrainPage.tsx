import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { queries } from "../api/queries";
import { code } from "../code";
import { useSpeech } from "../i18n/language";
import type { Key } from "../i18n/en";
import { Command } from "../parts/Command";
import { Page } from "../parts/Page";
import { useTrainCommand } from "./command";
import { Training } from "./Training";

export function TrainPage() {
  const { say } = useSpeech();
  const datasets = (useQuery(queries.datasets()).data ?? []).filter((one) => one.latest != null);
  const ways: readonly { title: Key; about: Key; command: string; form?: ReactNode }[] = [
    {
      title: "train.gallery",
      about: "train.gallery.about",
      command: useTrainCommand(),
      form: <Training datasets={datasets} />,
    },
    { title: "train.script", about: "train.script.about", command: code.runScript },
    { title: "train.pipeline", about: "train.pipeline.about", command: code.runPipeline },
  ];
  return (
    <Page
      title={say("train.title")}
      about={say("train.about")}
      action={
        <Button component={Link} to="/runs" variant="default">
          {say("train.watch")}
        </Button>
      }
    >
      {ways.map((way) => (
        <section key={way.title} className="way">
          <h2>{say(way.title)}</h2>
          <p>{say(way.about)}</p>
          {way.form}
          <Command text={way.command} />
        </section>
      ))}
    </Page>
  );
}
