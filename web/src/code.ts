/**
 * The lines that do in a shell and in Python what the pages do: one catalogue, so that a test can
 * hold each command and each method against the real ones (tests/studio/test_code.py).
 */
export interface Code {
  cli: string;
  python: string;
}

const CONNECT = "import athanor\n\nclient = athanor.connect()\n";

function python(line: string, imports = ""): string {
  return `${imports}${CONNECT}${line}`;
}

export const code = {
  demo: "athanor demo",
  sql: 'athanor sql "select count(*) from churn"',
  addData: "athanor data add churn customers.csv --target churned",
  train: (dataset: string, target: string): string =>
    `athanor train ${dataset}` + (target === "" ? "" : ` --target ${target}`),
  runScript: "athanor run train.py",
  runPipeline: "athanor pipeline run pipeline.py",
  deploy: "athanor deploy churn@champion --endpoint churn",
  monitor: "athanor monitor run churn",
  ask: (endpoint: string): string => `athanor endpoint snippet ${endpoint}`,
  predictionsSql: (endpoint: string): string =>
    `athanor sql "select * from labelled_predictions where endpoint = '${endpoint}'"`,
  applyFeatures: "athanor feature apply features.yaml",

  filter: "metrics.accuracy > 0.9 and params.model = 'tree'",
  protectAlias: "athanor model protect-alias champion --approvals 1",

  experiments: (): Code => ({
    cli: "athanor run list --experiment Default",
    python: python(
      "client.experiments.search(ExperimentQuery())",
      "from athanor.tracking import ExperimentQuery\n",
    ),
  }),
  experiment: (name: string, id: string, filter: string): Code => ({
    cli: `athanor run list --experiment '${name}'` + (filter === "" ? "" : ` --filter "${filter}"`),
    python: python(
      `client.tracking.search(RunQuery(experiments=["${id}"], filter=${JSON.stringify(filter)}))`,
      "from athanor.tracking import RunQuery\n",
    ),
  }),
  compare: (runs: readonly string[]): Code => ({
    cli: `athanor run compare ${runs.join(" ")}`,
    python: python(`[client.tracking.run(run) for run in ${JSON.stringify(runs)}]`),
  }),
  approvals: (): Code => ({
    cli: 'athanor model requests\nathanor model approve REQUEST --reason "as agreed"',
    python: python('client.promotions.requests()\nclient.promotions.approve("REQUEST", reason="as agreed")'),
  }),
  features: (): Code => ({
    cli: "athanor feature list\nathanor feature freshness",
    python: python("client.features.views()\nclient.features.freshness()"),
  }),
  featureView: (name: string): Code => ({
    cli: `athanor feature show ${name}\nathanor feature build ${name}`,
    python: python(`client.features.view("${name}")\nclient.features.build("${name}")`),
  }),
  sqlOf: (text: string): Code => ({
    cli: `athanor sql "${text.replaceAll('"', '\\"')}"`,
    python: python(`client.sql(${JSON.stringify(text)})`),
  }),
  datasets: (): Code => ({
    cli: code.addData,
    python: python(
      'client.data.add(\n    "churn", NewVersion(path=Path("customers.csv"), roles=Roles(target="churned"))\n)',
      "from pathlib import Path\n\nfrom athanor.data import NewVersion, Roles\n",
    ),
  }),
  dataset: (name: string): Code => ({
    cli: `athanor data show ${name}\nathanor data profile ${name}`,
    python: python(`client.data.dataset("${name}")\nclient.data.profile("${name}")`),
  }),
  runs: (state: string | null): Code => ({
    cli: state === null ? "athanor run list" : `athanor run list --state ${state}`,
    python: python("client.runs.runs()"),
  }),
  run: (id: string): Code => ({
    cli: `athanor run show ${id}`,
    python: python(`client.runs.run("${id}")`),
  }),
  pipelines: (): Code => ({
    cli: "athanor pipeline run classification --artifact data=dataset:churn@latest --param target=churned --param name=churn",
    python: python(
      'client.pipelines.submit(\n    Submission(\n        pipeline="classification",\n        parameters={"target": "churned", "name": "churn"},\n        artifacts={"data": "dataset:churn@latest"},\n    )\n)',
      "from athanor.pipelines import Submission\n",
    ),
  }),
  pipeline: (id: string): Code => ({
    cli: `athanor pipeline show ${id}`,
    python: python(`client.pipelines.run("${id}")`),
  }),
  models: (): Code => ({
    cli: "athanor model list",
    python: python("client.models.models()"),
  }),
  model: (name: string, version: number): Code => ({
    cli: [
      `athanor model show ${name}`,
      `athanor model card ${name}@${version}`,
      `athanor model promote ${name}@${version}`,
      `athanor deploy ${name}@${version} --endpoint ${name}`,
    ].join("\n"),
    python: python(
      [
        `client.models.versions("${name}")`,
        `client.cards.card("${name}@${version}")`,
        `client.models.promote("${name}@${version}")`,
        `client.endpoints.deploy("${name}", Deploy(model="${name}@${version}"))`,
      ].join("\n"),
      "from athanor.serving import Deploy\n",
    ),
  }),
  endpoints: (): Code => ({
    cli: code.deploy,
    python: python(
      'client.endpoints.deploy("churn", Deploy(model="churn@champion"))',
      "from athanor.serving import Deploy\n",
    ),
  }),
  endpoint: (name: string): Code => ({
    cli: [
      `athanor endpoint show ${name}`,
      `athanor endpoint split ${name}`,
      `athanor endpoint status ${name}`,
      `athanor endpoint logs ${name}`,
      `athanor endpoint rollback ${name}`,
    ].join("\n"),
    python: python(
      [
        `client.endpoints.get("${name}")`,
        `client.deployments.traffic("${name}")`,
        `client.deployments.status("${name}")`,
        `client.endpoints.predictions("${name}")`,
        `client.endpoints.rollback("${name}")`,
      ].join("\n"),
    ),
  }),
  monitoring: (): Code => ({
    cli: "athanor alert list\nathanor monitor list",
    python: python("client.alerts.alerts()\nclient.monitors.monitors()"),
  }),
  alert: (id: string): Code => ({
    cli: `athanor alert show ${id}`,
    python: python(`client.alerts.alert("${id}")`),
  }),
};
