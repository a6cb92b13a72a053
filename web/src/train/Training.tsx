import type { Dataset } from "@athanor/client";
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";

import { queries, train } from "../api/queries";
import { useSpeech } from "../i18n/language";
import { Failure } from "../parts/Failure";

/** Which dataset, which column of it: the gallery's pipeline does the rest. */
export function Training({ datasets }: { datasets: readonly Dataset[] }) {
  const { say } = useSpeech();
  const [address, setAddress] = useSearchParams();
  const asked = address.get("dataset");
  const chosen =
    datasets.find((one) => one.name === asked) ??
    datasets.find((one) => one.roles.target !== "") ??
    datasets[0];
  if (chosen === undefined) return null;
  return (
    <div className="editor">
      <NativeSelect
        label={say("train.dataset")}
        data={datasets.map((one) => one.name)}
        value={chosen.name}
        onChange={(event) => setAddress({ dataset: event.currentTarget.value })}
      />
      <Order key={chosen.name} dataset={chosen} />
    </div>
  );
}

function Order({ dataset }: { dataset: Dataset }) {
  const { say } = useSpeech();
  const navigate = useNavigate();
  const versions = useQuery(queries.datasetVersions(dataset.name)).data ?? [];
  const models = useQuery(queries.models()).data ?? [];
  const columns = versions.find((one) => one.number === dataset.latest)?.columns ?? [];
  const [target, setTarget] = useState(dataset.roles.target);
  const [name, setName] = useState(dataset.name);
  // A champion stays where the new version is no better.
  const champion = models.some((one) => one.name === name && one.aliases?.["champion"] !== undefined);
  const order = useMutation({
    mutationFn: () => train(dataset, target, name, champion),
    onSuccess: (run) => navigate(`/pipelines/${run.id}`),
  });
  return (
    <form
      className="editor"
      onSubmit={(event) => {
        event.preventDefault();
        order.mutate();
      }}
    >
      <NativeSelect
        label={say("train.target")}
        description={say("train.target.about")}
        data={[{ value: "", label: say("train.choose") }, ...columns.map((column) => column.name)]}
        value={target}
        onChange={(event) => setTarget(event.currentTarget.value)}
      />
      <TextInput
        label={say("train.model")}
        description={champion ? say("train.model.champion") : say("train.model.new")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {order.error !== null && <Failure what={say("train.title")} error={order.error} />}
      <div className="choices">
        <Button type="submit" loading={order.isPending} disabled={target === "" || name.trim() === ""}>
          {say("train.go")}
        </Button>
      </div>
    </form>
  );
}
