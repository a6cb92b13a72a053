import type { Card } from "@athanor/client";
import { Button, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { queries, writeSection } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";
import { Loaded } from "../parts/Loaded";
import { Markdown } from "../parts/Markdown";
import { When } from "../parts/When";

interface Draft {
  title: string;
  text: string;
  /** Whether the section is there already: its title stays. */
  written: boolean;
}

/** A version's card: what the platform knows of it, and what people wrote. */
export function CardPart({ model, number }: { model: string; number: number }) {
  const { say } = useSpeech();
  const card = useQuery(queries.card(model, number));
  return (
    <Loaded query={card} what={say("card.title")} lines={10}>
      {(found) => <OneCard card={found} />}
    </Loaded>
  );
}

function OneCard({ card }: { card: Card }) {
  const { say } = useSpeech();
  const [draft, setDraft] = useState<Draft | null>(null);
  const address = `/api/v1/models/${encodeURIComponent(card.model)}/versions/${card.number}/card`;
  const edit = (title: string, text: string, written: boolean) => () => setDraft({ title, text, written });
  return (
    <>
      <section aria-labelledby="sections" className="sections">
        <div className="section-head">
          <h2 id="sections">{say("card.sections")}</h2>
          <a href={address} download>
            {say("card.download")}
          </a>
        </div>
        {(card.sections ?? []).map((section) => (
          <div key={section.title} className="section-line">
            <strong>{section.title}</strong>
            <span className="none">
              {section.written_by}, <When at={section.written_at} />
            </span>
            <Button
              size="xs"
              variant="default"
              aria-label={say("card.edit", { title: section.title })}
              onClick={edit(section.title, section.text, true)}
            >
              {say("card.change")}
            </Button>
          </div>
        ))}
        <div className="choices" role="group" aria-label={say("card.add")}>
          {(card.suggested ?? []).map((title) => (
            <button key={title} type="button" className="choice" onClick={edit(title, "", false)}>
              {`+ ${title}`}
            </button>
          ))}
          <button type="button" className="choice" onClick={edit("", "", false)}>
            {`+ ${say("card.other")}`}
          </button>
        </div>
        {draft !== null && (
          <Editor key={draft.title} card={card} draft={draft} close={() => setDraft(null)} />
        )}
      </section>
      <section aria-label={say("card.title")}>
        <Markdown text={card.text} />
      </section>
    </>
  );
}

function Editor({ card, draft, close }: { card: Card; draft: Draft; close: () => void }) {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const [title, setTitle] = useState(draft.title);
  const [text, setText] = useState(draft.text);
  const write = useMutation({
    mutationFn: (written: string) => writeSection(card.model, card.number, title.trim(), written),
    onSuccess: (changed) => {
      queryClient.setQueryData(queries.card(card.model, card.number).queryKey, changed);
      close();
    },
  });
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        write.mutate(text);
      }}
    >
      {!draft.written && (
        <TextInput
          label={say("card.section")}
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
        />
      )}
      <Textarea
        label={draft.written ? title : say("card.text")}
        description={say("card.markdown")}
        rows={7}
        data-autofocus
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {write.error !== null && <Failure what={say("card.section")} error={write.error} />}
      <div className="choices">
        <Button type="submit" size="sm" loading={write.isPending} disabled={title.trim() === "" || text.trim() === ""}>
          {say("card.save")}
        </Button>
        <Button size="sm" variant="default" onClick={close}>
          {say("common.cancel")}
        </Button>
        {draft.written && (
          <button type="button" className="plain" onClick={() => write.mutate("")}>
            {say("card.remove")}
          </button>
        )}
      </div>
    </form>
  );
}
