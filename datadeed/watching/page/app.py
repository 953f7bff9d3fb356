"""The page as a web application: three kinds of pages, and a login where a token is needed."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from datadeed.errors import StoreError
from datadeed.watching.page.evidence import EvidencePages
from datadeed.watching.page.guard import COOKIE, HEADERS, SANDBOX, Guard
from datadeed.watching.page.rendering import Rendering
from datadeed.watching.page.views import overview, suspect_page
from datadeed.watching.store.store import Store

READS = ["GET", "HEAD"]
LOGIN, LOGIN_BYTES = "/login", 4096
_Next = Callable[[Request], Awaitable[Response]]


def make_app(url: str, guard: Guard, *, evidence: Path | None = None) -> FastAPI:
    """The application over a store; the store is opened anew for each answer.

    Args:
        url: of the store.
        guard: whom to answer.
        evidence: the folder with the folders of evidence, or None.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    rendering, pages = Rendering(), EvidencePages(evidence)
    _add_pages(app, url, rendering, pages)
    _add_guard(app, guard, rendering)
    _add_errors(app, rendering)
    return app


def _add_pages(app: FastAPI, url: str, rendering: Rendering, pages: EvidencePages) -> None:
    @app.api_route("/", methods=READS)
    def all_suspects(page: str = "1") -> Response:
        with Store.open(url, create=False) as store:
            return HTMLResponse(rendering.page("overview.html", overview(store, page)))

    @app.api_route("/suspects/{suspect}", methods=READS)
    def one_suspect(suspect: str, page: str = "1") -> Response:
        with Store.open(url, create=False) as store:
            shown = suspect_page(store, suspect, page, pages.digests())
        if shown is None:
            raise HTTPException(404, "the store has no such suspect")
        return HTMLResponse(rendering.page("suspect.html", shown))

    @app.api_route("/evidence/{digest}", methods=READS)
    def one_evidence(digest: str) -> Response:
        content = pages.page(digest)
        if content is None:
            raise HTTPException(404, "there is no page of this evidence")
        return HTMLResponse(content, headers={"Content-Security-Policy": SANDBOX})

    @app.api_route("/style.css", methods=READS)
    def style() -> Response:
        return Response(rendering.style, media_type="text/css; charset=utf-8")


def _add_guard(app: FastAPI, guard: Guard, rendering: Rendering) -> None:
    def login(message: str, status: int) -> Response:
        shown = rendering.page("login.html", {"message": message})
        return HTMLResponse(
            shown, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None
        )

    @app.middleware("http")
    async def guarded(request: Request, call_next: _Next) -> Response:
        if not guard.is_ours(request.headers.get("host", "")):
            text = "this page does not go by that name: start it with --name and the name"
            answer: Response = HTMLResponse(rendering.error(421, text), 421)
        elif request.url.path in ("/style.css", LOGIN) or guard.knows(
            request.headers, request.cookies
        ):
            answer = await call_next(request)
        else:
            answer = login("", 401)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    if not guard.asks:
        return

    @app.api_route(LOGIN, methods=READS)
    def ask() -> Response:
        return login("", 200)

    @app.post(LOGIN)
    async def enter(request: Request) -> Response:
        form = parse_qs(await _body(request))
        if not guard.is_token(form.get("token", [""])[0]):
            return login("That is not the token.", 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, guard.cookie(), httponly=True, samesite="strict")
        return answer


def _add_errors(app: FastAPI, rendering: Rendering) -> None:
    @app.exception_handler(StoreError)
    def no_store(request: Request, error: StoreError) -> Response:
        return HTMLResponse(rendering.error(503, str(error)), 503)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        text = rendering.error(error.status_code, error.detail)
        return HTMLResponse(text, error.status_code, error.headers)

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        text = "this is a fault of datadeed's: its log has more"
        return HTMLResponse(rendering.error(HTTPStatus.INTERNAL_SERVER_ERROR, text), 500, HEADERS)


async def _body(request: Request) -> str:
    """The body of a login.

    Raises:
        HTTPException: it is too long.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LOGIN_BYTES:
            raise HTTPException(413, "a login is shorter than that")
    return body.decode("ascii", "replace")
