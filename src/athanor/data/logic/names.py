"""Names of datasets and of their versions."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from athanor.data.errors import BadDatasetName, BadVersionReference, BadVersionTag

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{6,64})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RESERVED = re.compile(r"latest|v[0-9]+|sha256:.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Which version of which dataset is meant; the newest where nothing says more."""

    name: str
    number: int | None = None
    moment: datetime | None = None
    """The newest version that there was at this time."""
    digest: str = ""
    """Its beginning: `sha256:` and 6 to 64 hex digits."""
    tag: str = ""
    part: str = ""
    """A part of a named split: `train` of the split `default`, or `cv.train`."""


def checked_name(name: str) -> str:
    """The name, if it can be one.

    Raises: BadDatasetName.
    """
    if not _NAME.fullmatch(name):
        raise BadDatasetName(name)
    return name


def checked_tag(tag: str) -> str:
    """The tag, if it can be one: it must not read as a number, a date, a digest or `latest`.

    Raises: BadVersionTag.
    """
    if not _TAG.fullmatch(tag) or _RESERVED.fullmatch(tag):
        raise BadVersionTag(tag)
    return tag


def parsed_reference(reference: str) -> Reference:
    """What NAME, NAME@3, NAME@v3, NAME@latest, NAME@<date>, NAME@sha256:<digest>, NAME@<tag> mean.

    Behind a `#` stands a part of a split: `churn@3#train`.
    Raises: BadVersionReference.
    """
    whole, _, part = reference.partition("#")
    name, _, rest = whole.partition("@")
    if rest in {"", "latest"}:
        return Reference(name=name, part=part)
    if found := _VERSION.fullmatch(rest):
        return Reference(name=name, number=int(found[1]), part=part)
    if _DIGEST.fullmatch(rest):
        return Reference(name=name, digest=rest, part=part)
    if _DATE.match(rest):
        return Reference(name=name, moment=_moment(rest, reference), part=part)
    if _TAG.fullmatch(rest):
        return Reference(name=name, tag=rest, part=part)
    raise BadVersionReference(reference)


def _moment(text: str, reference: str) -> datetime:
    """A point in time; a day means its end, a time without a zone is UTC."""
    try:
        # A plus in a URL's query is a blank to some clients.
        found = datetime.fromisoformat(re.sub(r" (\d{2}:?\d{2})$", r"+\1", text))
    except ValueError:
        raise BadVersionReference(reference) from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    if _DATE.fullmatch(text):
        return aware + timedelta(days=1) - timedelta(microseconds=1)
    return aware.astimezone(UTC)
