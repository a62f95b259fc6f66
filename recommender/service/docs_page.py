"""The page `/docs`: the API, to read and to try. Its scripts come with a package, not from afar."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

DOCS = "/docs"
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
}
PATHS = frozenset({DOCS, *(f"{DOCS}/{name}" for name in ASSETS)})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Related items</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{DOCS}/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="{DOCS}/swagger-ui-bundle.js"></script>
<script src="{DOCS}/start.js"></script>
</body>
</html>
"""
START = """"use strict";
const headers = {};

async function document_() {
  let answer = await fetch("/openapi.json");
  while (answer.status === 401) {
    const key = window.prompt("API key");
    if (!key) return null;
    headers["X-API-Key"] = key;
    answer = await fetch("/openapi.json", { headers });
  }
  return answer.json();
}

document_().then((spec) => {
  if (spec === null) {
    document.getElementById("api").textContent = "The API can be read with an API key.";
    return;
  }
  SwaggerUIBundle({
    spec,
    dom_id: "#api",
    requestInterceptor: (request) => {
      Object.assign(request.headers, headers);
      return request;
    },
  });
});
"""


def add_docs_page(app: FastAPI) -> None:
    """Add the page and what it needs; it shows `/openapi.json`, and asks for an API key."""
    static = files("fastapi_offline") / "static"
    contents = {
        name: START.encode() if name == "start.js" else (static / name).read_bytes()
        for name in ASSETS
    }

    async def page(_request: Request) -> Response:
        headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
        return Response(PAGE, media_type="text/html", headers=headers)

    async def asset(request: Request) -> Response:
        name = request.url.path.removeprefix(f"{DOCS}/")
        headers = {"cache-control": "max-age=3600", "x-content-type-options": "nosniff"}
        return Response(contents[name], media_type=ASSETS[name], headers=headers)

    app.add_route(DOCS, page, include_in_schema=False)
    for name in ASSETS:
        app.add_route(f"{DOCS}/{name}", asset, include_in_schema=False)
