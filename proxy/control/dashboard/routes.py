"""Where the dashboard's files are served."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent / "static"
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""uPlot sets styles from its script; nothing else is allowed that is not one of our files. `no-cache` asks for
revalidation: files are told apart by their ETag, so that a new version shows at once."""


class _Files(StaticFiles):
    """Static files with the headers of a page that shows what strangers wrote."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def add_dashboard(app: FastAPI) -> None:
    """Serve the dashboard's page at every address below /dashboard, and its files."""
    app.mount("/dashboard/static", _Files(directory=FOLDER), name="dashboard files")

    @app.get("/dashboard", include_in_schema=False)
    @app.get("/dashboard/{page:path}", include_in_schema=False)
    def dashboard(page: str = "") -> Response:
        """The page; which part of it is shown is its script's business."""
        return FileResponse(FOLDER / "index.html", media_type="text/html", headers=HEADERS)
