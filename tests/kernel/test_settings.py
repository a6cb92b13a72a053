"""Settings: the strongest source wins, and each value knows its own."""

from pathlib import Path

import pytest

from athanor.kernel.settings import BadSetting, load_settings


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "athanor.toml").write_text('port = 1\nhost = "a"\nworkers = 3\n')
    environment = {"ATHANOR_PORT": "2", "ATHANOR_HOST": "b"}
    settings, sourced = load_settings({"workspace": tmp_path, "port": 3}, environment)
    assert (settings.port, settings.host, settings.workers) == (3, "b", 3)
    sources = {item.name: item.source for item in sourced}
    assert (sources["port"], sources["host"], sources["workers"], sources["log_level"]) == (
        "flag",
        "environment",
        "file",
        "default",
    )


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    urls = {"ATHANOR_ONLINE_URL": "redis://me:secret@host/0",
            "ATHANOR_DATABASE_URL": "postgresql://me:a@secret@host/x"}  # fmt: skip
    _, sourced = load_settings({"workspace": tmp_path}, {"ATHANOR_TOKEN": "secret"} | urls)
    assert "secret" not in str(sourced)
    assert "redis://me:***@host/0" in str(sourced)


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("prot = 1", "prot"),
        ('port = "x"', "port"),
        ("port = 70000", "port"),
        ('log_level = "loud"', "log_level"),
        ("shared_host = 7", "shared_host"),
        ("not toml", "athanor.toml"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, file: str, named: str) -> None:
    (tmp_path / "athanor.toml").write_text(file)
    with pytest.raises(BadSetting, match=named):
        load_settings({"workspace": tmp_path}, {})


def test_the_workspace_is_the_nearest_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "notebooks" / "first"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_settings({}, {})[0].workspace == below / ".athanor"
    above = tmp_path / ".athanor"
    above.mkdir()
    assert load_settings({}, {})[0].workspace == below / ".athanor"  # it holds nothing of ours
    (above / "athanor.toml").write_text("workers = 3\n")
    settings, sources = load_settings({}, {})
    assert (settings.workspace, settings.workers) == (above, 3)
    assert next(s for s in sources if s.name == "workspace").source == "the folder above"
    tmp_path.chmod(0o777)
    assert load_settings({}, {})[0].workspace == below / ".athanor"  # anyone may have put it there
    assert load_settings({"workspace": "here"}, {})[0].workspace == below / "here"
    assert load_settings({}, {"ATHANOR_WORKSPACE": "there"})[0].workspace == below / "there"
