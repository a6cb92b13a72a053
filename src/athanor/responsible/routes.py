"""Reports over HTTP. Their pages are handed out as attachments in a sandbox, never as ours."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from athanor.kernel.http import Caller, provide, room_router
from athanor.responsible.service import Reports
from athanor.responsible.types import Contents, Indicator, Report

router = room_router("responsible")
TheReports = Annotated[Reports, provide(Reports)]

_SANDBOX = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}


@router.get("/reports")
def reports(
    who: Caller, service: TheReports, *, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> list[Report]:
    """The newest reports."""
    return service.reports(who, limit=limit)


@router.get("/reports/{report_id}")
def report(report_id: str, who: Caller, service: TheReports) -> Contents:
    """One report with all its data."""
    return service.report(who, report_id)


@router.get("/reports/{report_id}/page", response_class=Response)
def page(report_id: str, who: Caller, service: TheReports) -> Response:
    """One report as a page."""
    return Response(
        service.page(who, report_id),
        media_type="text/html; charset=utf-8",
        headers={**_SANDBOX, "content-disposition": 'attachment; filename="report.html"'},
    )


@router.get("/indicators")
def indicators(who: Caller, service: TheReports) -> list[Indicator]:
    """What the figures mean."""
    return service.indicators(who)
