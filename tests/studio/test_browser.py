"""The studio in a real browser on a real server: live, light, reachable by keyboard."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from athanor.client import Client
from athanor.data import NewVersion
from athanor.registry.errors import AliasProtected
from athanor.registry.protection import NewProtection
from athanor.serving import HeaderRule
from athanor.testing.server import RunningServer, running_server, start_server
from athanor.tracking import Batch, NewExperiment, NewMetric, NewTrackedRun, RunChange

from .conftest import ROOT, Visit, visit

ROOMS = (
    ("Home", "/"),
    ("Data", "/data"),
    ("SQL", "/sql"),
    ("Features", "/features"),
    ("Train", "/train"),
    ("Runs", "/runs"),
    ("Experiments", "/experiments"),
    ("Pipelines", "/pipelines"),
    ("Models", "/models"),
    ("Approvals", "/approvals"),
    ("Endpoints", "/endpoints"),
    ("Monitoring", "/monitoring"),
    ("Admin", "/admin"),
)
DOT = b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><circle r="3"/></svg>'
expect.set_options(timeout=30_000)  # a shared machine is slow at times
names = (f"train-{n}" for n in itertools.count())


def start_run(server: RunningServer, name: str, kind: str = "script") -> str:
    """Open a run over the API, as a client elsewhere would."""
    answer = server.transport().send("POST", "/runs", body={"kind": kind, "name": name})
    return str(answer.json()["id"])


def finish_run(server: RunningServer, run: str, state: str = "done") -> None:
    server.transport().send("POST", f"/runs/{run}/finish", body={"state": state})


def mark(page: Page) -> None:
    """Leave something that a reload would sweep away."""
    page.evaluate("window.untouched = true")


def assert_not_reloaded(page: Page) -> None:
    assert page.evaluate("window.untouched") is True


@pytest.fixture
def alone(browser: Browser, studio: Path, tmp_path: Path) -> Iterator[tuple[RunningServer, Visit]]:
    """A server of the test's own, empty, and a tab on it."""
    with running_server(tmp_path / "workspace") as server:
        made = visit(browser, server.url)
        yield server, made
        made.page.context.close()
        assert made.foreign() == []


def test_the_first_page_is_light_and_asks_nobody_else(tab: Visit) -> None:
    tab.open("/")
    expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    scripts = tab.page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(one => one.name.endsWith('.js')).map(one => one.encodedBodySize)"
    )
    assert scripts
    assert 50_000 < sum(scripts) <= 350_000
    assert tab.streams() == 1


def test_an_empty_workspace_is_told_the_next_step(alone: tuple[RunningServer, Visit]) -> None:
    _, tab = alone
    tab.open("/")
    step = tab.page.get_by_role("region", name="Next step")
    expect(step.get_by_role("link", name="Add a dataset")).to_be_visible()
    expect(step.get_by_text("athanor data add")).to_be_visible()
    step.get_by_role("link", name="Add a dataset").click()
    expect(tab.page).to_have_url(re.compile(r"/data$"))
    assert tab.complaints == []


def test_runs_appear_and_change_without_a_reload(alone: tuple[RunningServer, Visit]) -> None:
    server, tab = alone
    page = tab.page
    tab.open("/runs")
    expect(page.get_by_role("heading", name="No run yet")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    mark(page)

    first = start_run(server, "first")
    expect(page.get_by_role("link", name="first")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="first")).to_contain_text("running")
    rail = page.get_by_role("navigation", name="Life cycle")
    expect(rail.get_by_role("link", name=re.compile("Runs"))).to_contain_text("1")

    finish_run(server, first, "failed")
    expect(page.get_by_role("row").filter(has_text="first")).to_contain_text("failed")

    # Rows that arrive while others are read wait, so that nothing jumps.
    start_run(server, "second")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(page.get_by_role("link", name="second")).to_have_count(0)
    expect(rail.get_by_role("link", name=re.compile("Runs"))).to_contain_text("2")
    page.get_by_role("button", name="1 new").click()
    expect(page.get_by_role("link", name="second")).to_be_visible()

    assert_not_reloaded(page)
    assert tab.streams() == 1
    assert tab.complaints == []


def test_home_follows_along(server: RunningServer, tab: Visit) -> None:
    tab.open("/")
    expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    mark(tab.page)
    name = next(names)
    before = int(tab.page.locator("[data-count=runs]").inner_text())
    start_run(server, name)
    expect(tab.page.get_by_role("link", name=name)).to_be_visible()
    expect(tab.page.locator("[data-count=runs]")).to_have_text(str(before + 1))
    assert_not_reloaded(tab.page)


def test_one_stream_serves_every_page(server: RunningServer, tab: Visit) -> None:
    tab.open("/")
    for title, _ in ROOMS:
        tab.page.get_by_role("navigation", name="Life cycle").get_by_role(
            "link", name=re.compile(f"^{title}")
        ).click()
        expect(tab.page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
    name = next(names)
    tab.page.get_by_role("navigation", name="Life cycle").get_by_role(
        "link", name=re.compile("^Home")
    ).click()
    start_run(server, name)
    expect(tab.page.get_by_role("link", name=name)).to_be_visible()
    assert tab.streams() == 1


def test_every_room_has_a_deep_link(tab: Visit) -> None:
    for title, path in ROOMS:
        tab.open(path)
        heading = tab.page.get_by_role("heading", level=1, name=title, exact=True)
        expect(heading).to_be_visible()
        expect(tab.page.locator(".failure")).to_have_count(0)


def test_a_run_has_a_page_and_the_filter_an_address(server: RunningServer, tab: Visit) -> None:
    name = next(names)
    run = start_run(server, name)
    finish_run(server, run)
    tab.open(f"/runs/{run}")
    expect(tab.page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(tab.page.get_by_text("Ended well after")).to_be_visible()
    tab.page.get_by_role("tab", name="Details").click()
    expect(tab.page).to_have_url(re.compile(r"part=details"))
    tab.page.go_back()
    expect(tab.page.get_by_role("tab", name="Tasks")).to_have_attribute("aria-selected", "true")

    tab.open("/runs?state=done")
    expect(tab.page.get_by_role("button", name="done")).to_have_attribute("aria-pressed", "true")
    expect(tab.page.get_by_role("link", name=name)).to_be_visible()
    tab.page.get_by_role("button", name="failed").click()
    expect(tab.page).to_have_url(re.compile(r"state=failed"))
    expect(tab.page.get_by_role("link", name=name)).to_have_count(0)


def compared(runs: list[str]) -> str:
    return "/compare?" + "&".join(f"run={run}" for run in runs)


def trained(server: RunningServer) -> tuple[str, list[str]]:
    """An experiment with two runs that fell from a loss of 1, each to its own."""
    client = server.client()
    experiment = client.experiments.create(NewExperiment(name=next(names)))
    runs = []
    for depth in (3, 8):
        new = NewTrackedRun(experiment=experiment.id, name=f"depth {depth}")
        runs.append(client.tracking.start(new).info.id)
        points = [NewMetric(key="loss", value=1 / (depth * s + 1), step=s) for s in range(20)]
        params = {"depth": str(depth), "seed": "7"}
        client.tracking.log(runs[-1], Batch(metrics=points, params=params))
        client.tracking.update(runs[-1], RunChange(state="done"))
    return experiment.id, runs


def test_runs_are_searched_and_compared(server: RunningServer, tab: Visit) -> None:
    experiment, runs = trained(server)
    page = tab.page
    # As MLflow prints it.
    tab.open(f"/#/experiments/{experiment}")
    expect(page).to_have_url(re.compile(f"/experiments/{experiment}$"))
    table = page.get_by_role("table", name="Runs")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("columnheader", name="loss")).to_be_visible()
    page.get_by_role("textbox", name="Search the runs").fill("params.depth = '8'")
    page.keyboard.press("Enter")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_role("link", name="depth 8")).to_be_visible()
    page.get_by_role("button", name="Clear the filter").click()
    expect(table.get_by_role("row")).to_have_count(3)
    table.get_by_role("button", name="loss").click()
    expect(page).to_have_url(re.compile("sort=-metrics.loss"))
    expect(table.get_by_role("row").nth(1)).to_contain_text("depth 3")

    for depth in (3, 8):
        box = table.get_by_role("checkbox", name=f"Choose depth {depth}")
        box.click()
        expect(box).to_be_checked()
    page.get_by_role("link", name="Compare 2").click()
    expect(page.get_by_role("heading", level=1, name="2 runs compared")).to_be_visible()
    chart = page.get_by_role("img", name=re.compile("^loss. At the end depth 3 is highest"))
    expect(chart).to_be_visible()
    sides = page.get_by_role("table", name="Side by side")
    expect(sides.get_by_role("rowheader", name="depth")).to_be_visible()
    expect(sides.get_by_role("rowheader", name="seed")).to_have_count(0)
    page.get_by_role("checkbox", name="Only what differs").click()
    expect(sides.get_by_role("rowheader", name="seed")).to_be_visible()
    with page.expect_download() as leaving:
        page.get_by_role("button", name="CSV").click()
    assert leaving.value.path().read_text().startswith("step,depth 3,depth 8\n0,1,1\n")

    tab.open(f"/runs/{runs[0]}")
    expect(page.get_by_role("img", name=re.compile("^loss. From 1 to"))).to_be_visible()

    files, folder = server.client().files, f"{experiment}/{runs[0]}/artifacts"
    files.put(f"{folder}/plots/dot.svg", DOT)
    files.put(f"{folder}/notes.txt", b"depth matters")
    tab.open(f"/runs/{runs[0]}?part=files")
    page.get_by_role("button", name="Show plots/dot.svg").click()
    dot = page.get_by_role("img", name="dot.svg")
    expect(dot).to_be_visible()
    expect(dot).to_have_js_property("naturalWidth", 7)
    page.get_by_role("button", name="Show notes.txt").click()
    expect(page.get_by_text("depth matters")).to_be_visible()
    with page.expect_download() as leaving:
        page.get_by_role("button", name="Save").click()
    assert leaving.value.path().read_bytes() == b"depth matters"


def test_what_is_not_there_is_said_with_the_hint(browser: Browser, server: RunningServer) -> None:
    tab = visit(browser, server.url)
    experiment, _ = trained(server)
    tab.page.goto(f"{server.url}/experiments/{experiment}?filter=metrics.loss+~+3")
    expect(tab.page.get_by_role("alert")).to_contain_text("could not be loaded")
    tab.page.goto(f"{server.url}/runs/{'0' * 32}")
    alert = tab.page.get_by_role("alert")
    expect(alert).to_contain_text("could not be loaded")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    expect(tab.page.get_by_role("navigation", name="Life cycle")).to_be_visible()
    tab.open("/no/such/page")
    expect(tab.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    tab.page.context.close()


def test_everything_is_reached_by_keyboard(server: RunningServer, tab: Visit) -> None:
    older, newer = next(names), next(names)
    start_run(server, older)
    start_run(server, newer)
    page = tab.page
    tab.open("/runs")
    page.get_by_role("link", name=newer).wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter")).to_be_focused()
    page.keyboard.type(newer)
    expect(page.get_by_role("link", name=older)).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("link", name=older).wait_for()
    page.get_by_role("link", name=newer).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name=older)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=older)).to_be_visible()


def test_focus_can_be_seen(tab: Visit) -> None:
    tab.open("/")
    tab.page.get_by_role("link", name=re.compile("^Data")).first.focus()
    tab.page.keyboard.press("Shift+Tab")
    outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-GB"), ("dark", "fr-FR")])
def test_a_narrow_screen_has_no_horizontal_bar(
    browser: Browser, server: RunningServer, scheme: str, language: str
) -> None:
    start_run(server, "a-name-that-is-longer-than-the-screen-of-a-small-telephone-is-wide")
    size = {"width": 320, "height": 640}
    tab = visit(browser, server.url, viewport=size, color_scheme=scheme, locale=language)
    experiment, runs = trained(server)
    for path in [*(path for _, path in ROOMS), f"/experiments/{experiment}", compared(runs)]:
        tab.open(path)
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        wider = tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, path
    tab.page.locator(".rail-opener").click()
    tab.page.get_by_role("dialog").get_by_role("link").nth(2).click()
    expect(tab.page).to_have_url(re.compile(r"/data$"))
    assert tab.page.evaluate("document.documentElement.lang") == language[:2]
    tab.page.context.close()
    assert tab.complaints == []


def found_by_axe(page: Page) -> list[str]:
    """What keeps people from using a page."""
    axe = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed: python web/build.py --check")
    page.evaluate(axe.read_text("utf-8") + "; undefined")
    return [
        f"{violation['help']}: {node['html']} {node['failureSummary']}"
        for violation in page.evaluate("axe.run()")["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_room_is_accessible(browser: Browser, server: RunningServer, scheme: str) -> None:
    run = start_run(server, next(names))
    tab = visit(browser, server.url, color_scheme=scheme, reduced_motion="reduce")
    found = []
    experiment, runs = trained(server)
    things = [f"/runs/{run}", f"/runs/{runs[0]}", f"/experiments/{experiment}", compared(runs)]
    for path in [*(path for _, path in ROOMS), *things, "/no/such/page"]:
        tab.open(path)
        expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
        expect(tab.page.locator("[aria-busy=true]")).to_have_count(0)
        found += [f"{path}: {complaint}" for complaint in found_by_axe(tab.page)]
    tab.page.context.close()
    assert not found, "\n".join(found)


def test_a_server_that_wants_a_token_is_given_one(browser: Browser, server: RunningServer) -> None:
    """The token is asked for once, kept for the tab alone, and sent with the event stream too."""
    tab = visit(browser, server.url)
    page = tab.page
    refused = {"error": "token_wanted", "message": "This server wants a token.", "hint": ""}

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer open-sesame":
            route.continue_()
        else:
            route.fulfill(status=401, json=refused)

    page.route("**/api/v1/**", guard)
    tab.open("/runs")
    expect(page.get_by_role("heading", name="This server asks for a token")).to_be_visible()
    page.get_by_role("textbox", name="Token").fill("wrong")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_text("did not accept this token")).to_be_visible()
    page.get_by_role("textbox", name="Token").fill("open-sesame")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    assert page.evaluate("sessionStorage.getItem('athanor-token')") == "open-sesame"
    page.context.close()


def test_language_and_light_are_chosen_and_remembered(tab: Visit) -> None:
    page = tab.page
    tab.open("/")
    page.get_by_role("button", name="Language: English").click()
    page.get_by_role("menuitem", name="Français").click()
    expect(page.get_by_role("heading", level=1, name="Accueil")).to_be_visible()
    page.get_by_role("button", name="Passer au sombre").click()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Accueil")).to_be_visible()
    expect(page.get_by_role("button", name="Passer au clair")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"


def test_a_server_that_goes_and_comes_back_is_noticed(
    browser: Browser, studio: Path, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "workspace")
    tab = visit(browser, server.url)
    try:
        tab.open("/runs")
        expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
        mark(tab.page)
        server.kill()
        expect(tab.page.get_by_text("Not connected")).to_be_visible()
        server = start_server(tmp_path / "workspace", "--port", server.url.rpartition(":")[2])
        start_run(server, "after-the-restart")
        # The page tries again after half a second, a second, two ... and at most five.
        expect(tab.page.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
        expect(tab.page.get_by_role("link", name="after-the-restart")).to_be_visible()
        assert_not_reloaded(tab.page)
    finally:
        tab.page.context.close()
        server.stop()


@pytest.mark.timeout(400)
def test_the_whole_loop_is_followed_without_a_reload(
    alone: tuple[RunningServer, Visit], tmp_path: Path
) -> None:
    """Datasets, pipelines, models, endpoints and alerts come by the event stream alone."""
    server, tab = alone
    page = tab.page
    client = server.client()
    rail = page.get_by_role("navigation", name="Life cycle")

    def count(room: str) -> Locator:
        return rail.get_by_role("link", name=re.compile(f"^{room}")).locator(".count")

    tab.open("/data")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    mark(page)
    good = write_table(tmp_path / "good.csv")
    add_by_a_form(page, good)
    expect(page.get_by_role("heading", level=1, name="churn")).to_be_visible()
    expect(count("Data")).to_have_text("1")

    rail.get_by_role("link", name="Train").click()
    train_by_a_form(page)
    expect(page.get_by_role("heading", level=1, name="classification")).to_be_visible()
    expect(page.locator("h1 + .badge")).to_have_text("done", timeout=240_000)

    expect(count("Models")).to_have_text("1")
    rail.get_by_role("link", name="Models").click()
    page.get_by_role("link", name="churn", exact=True).click()
    expect(page.get_by_text("Version 1 is the champion.")).to_be_visible()
    expect(page.get_by_role("region", name="Where it comes from")).to_contain_text("churn@1")

    write_a_card(page, client)
    rail.get_by_role("link", name="Approvals").click()
    approve_a_move(page, client)

    rail.get_by_role("link", name="Models").click()
    page.get_by_role("link", name="churn", exact=True).click()
    deploy_by_two_clicks(page)
    expect(count("Endpoints")).to_have_text("1")
    expect(page.get_by_text("churn@1 takes all traffic.")).to_be_visible(timeout=60_000)
    see_how_to_ask(page)
    see_who_answers_what(page, client)
    see_a_canary(page)

    rail.get_by_role("link", name="Monitoring").click()
    expect(page.get_by_role("heading", name="No alert")).to_be_visible()
    expect(page.get_by_role("table", name="Monitors")).to_contain_text("churn@1")
    bad = write_table(tmp_path / "bad.csv", age="none of your business")
    client.data.add("churn", NewVersion(path=bad))
    expect(count("Monitoring")).to_have_text("1")
    page.get_by_role("table", name="Alerts").get_by_role("link", name="churn").click()
    expect(page.get_by_text("is kept in quarantine")).to_be_visible()
    page.get_by_role("link", name="Look at churn").click()
    expect(page.locator("h1 + .badge")).to_have_text("quarantined")
    see_what_columns_hold(page)

    ask_in_sql(page)

    rail.get_by_role("link", name="Home").click()
    expect(page.get_by_role("link", name="See the alerts")).to_be_visible()
    assert_not_reloaded(page)
    assert tab.streams() == 1
    assert tab.complaints == []


def ask_in_sql(page: Page) -> None:
    """A table is chosen, its query changed and run."""
    page.get_by_role("navigation").get_by_role("link", name="SQL").click()
    page.get_by_role("button", name="churn", exact=True).click()
    query = page.get_by_label("Query")
    expect(query).to_have_value("select * from churn limit 100")
    query.fill("select plan, count(*) as people from churn group by all order by plan")
    query.press("Control+Enter")
    answer = page.get_by_role("table", name="Answer")
    expect(answer.get_by_role("row").nth(1)).to_contain_text("basic")
    expect(page.get_by_text("2 rows")).to_be_visible()
    assert found_by_axe(page) == []


def add_by_a_form(page: Page, file: Path) -> None:
    """A file of the reader's becomes a dataset."""
    page.get_by_role("button", name="Add a dataset").click()
    order = page.get_by_role("dialog")
    with page.expect_file_chooser() as chooser:
        order.get_by_role("button", name="File").click()
    chooser.value.set_files(file)
    expect(order.get_by_label("Name")).to_have_value("good")
    order.get_by_label("Name").fill("churn")
    order.get_by_label("Column to predict").fill("left")
    order.get_by_role("button", name="Add", exact=True).click()


def train_by_a_form(page: Page) -> None:
    """The dataset and its target are there already."""
    expect(page.get_by_label("Column to predict")).to_have_value("left")
    assert found_by_axe(page) == []
    page.get_by_role("button", name="Train", exact=True).click()


def see_how_to_ask(page: Page) -> None:
    """A row that the model was trained on stands in each program."""
    page.get_by_role("tab", name="Ask it").click()
    expect(page.get_by_role("region", name="curl")).to_contain_text(
        re.compile(r"curl .*\"age\": [1-9][0-9]")
    )
    expect(page.get_by_role("region", name="Python")).to_contain_text("import urllib.request")


def see_who_answers_what(page: Page, client: Client) -> None:
    """Rules that are made elsewhere appear; answers that were logged can be read."""
    page.get_by_role("tab", name="Traffic").click()
    expect(page.get_by_text("the shares alone decide")).to_be_visible()
    client.deployments.split("churn", rules=[HeaderRule(header="x-plan", deployment=1)])
    rules = page.get_by_role("table", name="Rules by header")
    expect(rules).to_contain_text("1 · churn@1")
    assert found_by_axe(page) == []
    client.endpoints.predict("churn", [{"age": 40, "orders": 3, "plan": "plus"}])
    page.get_by_role("tab", name="Predictions").click()
    expect(page.get_by_role("table", name="Predictions")).to_contain_text(
        "age: 40, orders: 3, plan: plus"
    )
    assert found_by_axe(page) == []


def deploy_by_two_clicks(page: Page) -> None:
    """A model's page puts its champion behind an endpoint of its name."""
    page.get_by_role("button", name="Deploy").click()
    page.get_by_role("dialog").get_by_role("button", name="Deploy").click()
    expect(page).to_have_url(re.compile("/endpoints/churn$"))


def see_a_canary(page: Page) -> None:
    """Where a version answers already, another begins with a tenth of the traffic."""
    page.get_by_role("tab", name="Deployments").click()
    page.get_by_role("table", name="Deployments").get_by_role("link", name="churn@1").click()
    page.get_by_role("button", name="Deploy").click()
    order = page.get_by_role("dialog", name="Deploy churn@1")
    expect(order.get_by_role("checkbox")).to_be_checked()
    order.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("row").filter(has_text="canary")).to_contain_text("churn@1")
    page.get_by_role("tab", name="Traffic").click()
    expect(page.get_by_role("region", name="Canary")).to_contain_text("1 of 2")


def see_what_columns_hold(page: Page) -> None:
    """Each column's values are drawn, and read out by the most frequent of them."""
    page.get_by_role("tab", name="Profile").click()
    drawn = page.get_by_role("row", name=re.compile("^plan ")).get_by_role("img")
    expect(drawn).to_have_accessible_name(re.compile("mostly (basic|plus)"))
    assert found_by_axe(page) == []


def write_a_card(page: Page, client: Client) -> None:
    """It is filled from the lineage, and what people write stands in it."""
    page.get_by_role("tab", name="Card").click()
    expect(page.get_by_role("heading", name="How it was trained")).to_be_visible()
    page.get_by_role("button", name="+ Limits").click()
    page.get_by_role("textbox", name="Text").fill("Not for **children**.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Card")).to_contain_text("Not for children.")
    assert client.cards.card("churn@1").sections[0].title == "Limits"


def approve_a_move(page: Page, client: Client) -> None:
    """An alias that wants people's word moves when it is given."""
    expect(page.get_by_role("heading", name="Nothing waits for approval")).to_be_visible()
    client.promotions.protect_alias(
        NewProtection(alias="prod", model="churn", gates=("pickle",), approvals=1)
    )
    with pytest.raises(AliasProtected):
        client.models.set_alias("churn", "prod", 1)
    request = page.get_by_role("article", name="churn@1 becomes prod")
    expect(request.get_by_role("table")).to_contain_text("Nothing in its files runs")
    assert found_by_axe(page) == []
    request.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.get_by_role("table", name="Decided")).to_contain_text("approved")


def write_table(file: Path, age: str = "") -> Path:
    """A table of customers of whom the old and idle leave; or one with `age` in each third row."""
    random = Random(7)
    lines = ["age,orders,plan,left"]
    for row in range(600):
        years, orders = random.randint(18, 90), random.randint(0, 40)
        left = years / 90 - orders / 40 + random.gauss(0, 0.3) > 0.1
        shown = age if age and row % 3 == 0 else str(years)
        lines.append(f"{shown},{orders},{random.choice(['basic', 'plus'])},{int(left)}")
    file.write_text("\n".join(lines) + "\n")
    return file
