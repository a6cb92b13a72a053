"""Values that clients rarely send, and the sane ones that they are mixed with."""

from typing import Any

from tests.mlflow.differential.asks import HUGE

NOON = 1_700_000_000_000
LONG = "n" * 10_000
ODD_NAMES: list[Any] = [
    *("", " ", "a" * 250, "a" * 251, "a" * 256, "a" * 501, LONG, "../x", "/abs", "a/b", "a//b"),
    *("./a", "a\u0000b", "\u00e9", "e\u0301", "\u65e5\u672c", "\U0001f642", "a'b", 'a"b', "a`b"),
    *("%2e%2e", "a:b", "a\nb", "\ud800", "null", "a.b", "..", ".", "a#b", "a?b", "a\\b", " a "),
    *("a@b", "a%00b", "A", 123, 1.5, True, None, [], {}, ["a"], {"a": 1}),
]
ODD_NUMBERS: list[Any] = [
    *(0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30, 1.0, 1.5),
    *("1", "1.0", "1.5", " 1 ", "abc", "", "1e3", "1e400", "NaN", "Infinity", "-Infinity", "0x10"),
    *(float("nan"), float("inf"), float("-inf"), HUGE, None, True, [], {}, "+1", "1_0", -0.0),
    *(1e300, 5e-324),
]
ODD_PATHS = [
    *("../x", "/etc/passwd", "a/../b", "a/./b", "a//b", ".", "..", "", " ", "a\\..\\b", "C:\\x"),
    *("C:/x", "%2e%2e/x", "%252e%252e/x", "..%2fx", "%2fetc%2fpasswd", "a%00b", "a#b", "a?b"),
    *("\u00e9", "a" * 300, "a/", "a b", "a%20b", "a\nb", "\u65e5\u672c.txt", "file:///etc/passwd"),
    *("~", "a/b/c/d/e", "a;b"),
]
TOKENS = [
    *("abc", "e30=", "eyJvZmZzZXQiOiAxfQ==", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAiYSJ9"),
    *("0", "1"),
]
STATUSES = [
    *("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", "running", "NONE", 1, 3, 9, "3", ""),
]
VIEWS = ["ACTIVE_ONLY", "DELETED_ONLY", "ALL", "all", 1, 3, 0, "x"]
STAGES = ["Staging", "production", "None", "Archived", "staging", "Nope", ""]
ALIASES = [
    *("champion", "Champion", "latest", "v1", "V12", "a.b", "a b", "1", "a" * 255, "a" * 256, "x"),
]
TAGS = ["team", "a.b", "mlflow.note.content", "x y"]
MODEL_STATUSES = [
    *("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_PENDING", "READY", 2, 9),
]
PLACES = ["", "s3://bucket/x", "s3://bucket/x?y", "s3://bucket/x#y", "ftp://h/x", "gs://b"]
SOURCES = [
    *("s3://bucket/model", "runs:/{run}/model", "models:/{model}", "models:/m-none", "s3://"),
    *("runs:/{other}/model", "mlflow-artifacts:/0/abc/artifacts/model", "http://h/../x", "runs:/"),
    *("/etc/passwd", "file:///etc/passwd", "../x", "dbfs:/x", "s3://b/%2e%2e/x", "x", ""),
    *("models:/{name}/1", "models:/{name}@champion", "models:/none/1"),
]
