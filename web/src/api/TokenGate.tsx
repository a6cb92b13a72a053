import { ApiError } from "@athanor/client";
import { Button, PasswordInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";

import { useSpeech } from "../i18n/language";
import { Command } from "../parts/Command";
import { queries } from "./queries";
import { storedToken, storeToken } from "./token";

/** Shows the page, or, where the server wants a token, the field for it. */
export function TokenGate({ children }: { children: ReactNode }) {
  const status = useQuery(queries.status());
  const refused = status.error instanceof ApiError && status.error.status === 401;
  return refused ? <TokenForm /> : children;
}

function TokenForm() {
  const { say } = useSpeech();
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState("");
  const [refused, setRefused] = useState(storedToken() !== null);
  const enter = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    storeToken(typed.trim());
    await queryClient.invalidateQueries();
    setRefused(true);
  };
  return (
    <main className="login">
      <h1>{say("login.title")}</h1>
      <p>{say("login.about")}</p>
      <form onSubmit={(event) => void enter(event)}>
        <PasswordInput
          label={say("login.token")}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          error={refused ? say("login.refused") : null}
          autoComplete="off"
          autoFocus
          required
        />
        <Button type="submit">{say("login.enter")}</Button>
      </form>
      <p>{say("login.command")}</p>
      <Command text="cat .athanor/server.json" />
    </main>
  );
}
