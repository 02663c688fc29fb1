"""``create_app``: the API as an ASGI application, to be run by a composition root."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from fastapi import FastAPI

from api import documentation, errors, observability
from api.alerts.answering import router as answering
from api.alerts.endpoints import router as alerts
from api.alerts.reads import router as alert_reads
from api.alerts.stream import router as stream
from api.assessment.endpoints import ROUTERS as assessment
from api.audit.endpoints import router as audit
from api.auth.authentication import UseNotes
from api.backtests.endpoints import router as backtests
from api.basemap.endpoints import router as base_map
from api.basemap.held import HeldMap
from api.cases.desk import router as desk
from api.cases.endpoints import router as cases
from api.cases.files import router as case_files
from api.cases.hotline import router as hotline
from api.commands.endpoints import router as commands
from api.console.serving import Console
from api.costs.driver_costs import router as driver_costs
from api.costs.entries import router as cost_entries
from api.costs.reconciliations import router as reconciliations
from api.costs.statements import router as statements
from api.costs.tariffs import router as tariffs
from api.documents.assessments import router as assessment_papers
from api.documents.endpoints import router as documents
from api.documents.monthly import router as reports
from api.documents.rendering import AT_ONCE
from api.documents.statements import router as statement_papers
from api.drivers.driving import router as driving
from api.drivers.duty import router as duty
from api.drivers.leaves import router as driver_leaves
from api.drivers.records import router as driver_records
from api.drivers.sheets import router as driver_sheets
from api.evaluations.endpoints import router as evaluations
from api.exchange.endpoints import router as exchange
from api.identity.endpoints import ROUTERS as identity
from api.integrity.endpoints import router as integrity
from api.live.endpoints import router as live_map
from api.live.hub import Hub
from api.live.orders import OrderBoards
from api.live.orders import router as live_orders
from api.messages.failures import router as message_failures
from api.messages.own import router as own_channels
from api.messages.units import router as unit_channels
from api.notices.endpoints import ROUTERS as NOTICES
from api.operations.endpoints import router as operations
from api.packing import Packing
from api.positions.endpoints import router as positions
from api.quotas.endpoints import router as quotas
from api.quotas.workbook import router as quota_workbook
from api.registry.areas import router as areas
from api.registry.endpoints import router as registry
from api.registry.seals import router as seals
from api.registry.secrecy import router as secrecy
from api.rentals.endpoints import router as rental_reports
from api.reports.endpoints import router as terminal_reports
from api.routes import add_routes
from api.statistics.alerts import router as alert_statistics
from api.statistics.cockpit import router as cockpit
from api.statistics.fleet import router as fleet
from api.statistics.indicators import router as indicators
from api.statistics.quality import router as data_quality
from api.statistics.recent import Recent
from api.statistics.vehicle_costs import router as vehicle_costs
from api.subscriptions.endpoints import router as subscriptions
from api.subscriptions.webhooks import router as webhooks
from api.tracks.endpoints import router as tracks
from api.trips.call_backs import router as call_backs
from api.trips.dispatches import router as dispatches
from api.trips.places import router as trip_places
from api.trips.requests import router as trip_requests
from api.trips.rules import router as approval_tables
from api.trips.series import router as trip_series
from api.vehicles.acts import router as vehicle_acts
from api.vehicles.documents import router as vehicle_documents
from api.vehicles.file import router as vehicle_file
from api.vehicles.maintenance import router as maintenance
from api.vehicles.papers import router as vehicle_papers
from api.vehicles.sheets import router as vehicle_sheets
from office.basemap.tile_file import path_of
from office.identity.login import Desk
from office.identity.oidc import Provider
from rules.navigation import travel_times
from runtime.bell import Bell
from runtime.metrics import program_version
from runtime.settings import Settings
from telemetry.live.feed import LiveFeed
from telemetry.log.base import LogWriter

_ABOUT: Final = (
    "公务用车定位数据与疑似违规预警接口。错误为 RFC 9457 问题（application/problem+json）；时间为 RFC 3339，须带时区偏移；"
    "坐标须注明 datum（wgs84、gcj02、bd09），返回值均为 WGS-84。 Positions of official vehicles, suspected misuse,"
    " the registry. Errors are RFC 9457 problems; times RFC 3339 with an offset; every coordinate names its datum."
)

#: In the order in which they are tried.
_ROUTERS: Final = (
    stream,  # before the alerts, as the statistics: their addresses look like ids of alerts
    alert_statistics,
    answering,
    alert_reads,
    alerts,
    subscriptions,
    webhooks,
    evaluations,
    backtests,
    commands,
    cases,
    case_files,
    integrity,
    hotline,
    assessment_papers,
    documents,
    reports,
    cockpit,
    fleet,
    data_quality,
    desk,
    *assessment,
    tracks,
    terminal_reports,
    live_map,
    live_orders,
    base_map,
    positions,
    audit,
    exchange,
    operations,
    trip_places,
    trip_requests,
    trip_series,
    dispatches,
    approval_tables,
    call_backs,
    vehicle_sheets,
    vehicle_papers,
    vehicle_documents,
    vehicle_file,
    maintenance,
    duty,
    driving,
    driver_leaves,
    driver_records,
    driver_sheets,
    vehicle_acts,
    quotas,
    quota_workbook,
    rental_reports,
    *NOTICES,
    cost_entries,
    driver_costs,
    tariffs,
    statements,
    statement_papers,
    reconciliations,
    indicators,
    vehicle_costs,
    own_channels,
    unit_channels,
    message_failures,
    *identity,
    secrecy,
    seals,
    areas,
    registry,
    observability.router,
    documentation.router,
)


def create_app(
    settings: Settings,
    pool: Any,
    *,
    position_sink: LogWriter | None,
    bell: Bell | None = None,
    live_feed: LiveFeed | None = None,
) -> FastAPI:
    """The application. The caller owns ``pool`` (runtime.postgres.create_pool),
    ``position_sink`` and ``bell``, and closes them after the server has stopped; there is no lifespan.

    ``bell`` rings for new entries of the feed (rules.alerts.feed.CHANNEL); without one readers who wait look now and then.
    ``live_feed`` has the newest positions; without one the live map has none and says that it is stale.
    Without ``position_sink`` POST /v1/positions answers 503.
    """
    app = FastAPI(
        title="gongche 公务用车",
        version=program_version(),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    state = app.state
    state.settings = settings
    state.pool = pool
    state.position_sink = position_sink
    state.desk = Desk(pool, settings)
    state.provider = Provider(settings, state.desk) if settings.oidc_issuer else None
    state.use_notes = UseNotes(pool)
    state.bell = bell or Bell()
    state.live = Hub(live_feed or LiveFeed())
    state.live_orders = OrderBoards()
    state.travel_times = travel_times(settings)
    state.plan_turns = asyncio.Semaphore(2)  # a plan keeps a core busy
    state.base_map = HeldMap(settings.basemap_file or path_of(settings.data_dir))
    state.streams = Counter[str]()  # open streams by subject
    state.recent = Recent()
    state.document_turns = asyncio.Semaphore(AT_ONCE)
    state.waiting_readers = state.imports_running = state.position_requests = state.arriving_bytes = 0
    state.stopping = (
        False  # the composition root sets it on shutdown: who waits for news is then answered at once
    )
    state.docs_page = ""
    errors.install(app)
    add_routes(app, _ROUTERS)
    documentation.describe(app)
    app.add_middleware(Packing)
    if settings.console:
        origins = [origin for layer in settings.basemap_layers for origin in layer.origins()]
        app.add_middleware(Console, origins=origins)
    app.add_middleware(observability.Boundary)
    return app
