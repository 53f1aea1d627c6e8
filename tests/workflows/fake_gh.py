"""A `gh` that keeps comments and issues in a file: as much of the forge as the workflows use."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
LIMIT = 65_536


def main(arguments: list[str]) -> int:
    """Answer one `gh api` call as the forge would."""
    place = Path(os.environ["FAKE_GH"])
    state = json.loads(place.read_text())
    assert arguments.pop(0) == "api"
    method, paged, feed = "GET", False, None
    path = ""
    while arguments:
        match arguments.pop(0):
            case "--method":
                method = arguments.pop(0)
            case "--input":
                assert arguments.pop(0) == "-"
                feed = json.load(sys.stdin)
            case "--paginate":
                paged = True
            case "--slurp":
                assert paged
            case word:
                assert not path
                path = word
    if not os.environ.get("GH_TOKEN"):
        sys.stderr.write("gh: To use GitHub CLI in a GitHub Actions workflow, set GH_TOKEN\n")
        return 4
    state["calls"].append(f"{method} {path}")
    code, answer = _answer(state, method, path, feed)
    place.write_text(json.dumps(state))
    if code >= 300:
        sys.stderr.write(f"gh: {answer} (HTTP {code})\n")
        return 1
    if isinstance(answer, list):
        size = int(parse_qs(urlsplit(path).query).get("per_page", ["30"])[0])
        pages = [answer[start : start + size] for start in range(0, len(answer), size)] or [[]]
        answer = pages if paged else pages[0]
    sys.stdout.write(json.dumps(answer) if answer is not None else "")
    return 0


def _answer(state: dict[str, Any], method: str, path: str, feed: Any) -> tuple[int, Any]:
    parts = urlsplit(path)
    route = parts.path.removeprefix(f"repos/{os.environ['GITHUB_REPOSITORY']}/")
    if feed and len(feed.get("body", "")) > LIMIT:
        return 422, "Body is too long"
    match method, *route.split("/"):
        case "GET", "issues", number, "comments":
            return 200, [each for each in state["comments"] if each["on"] == int(number)]
        case "POST", "issues", number, "comments":
            made = {"id": _next(state), "on": int(number), "user": {"login": BOT}, "body": feed["body"]}
            state["comments"].append(made)
            return 201, made
        case "PATCH" | "DELETE", "issues", "comments", ident:
            found = next((each for each in state["comments"] if each["id"] == int(ident)), None)
            if found is None:
                return 404, "Not Found"
            if method == "DELETE":
                state["comments"].remove(found)
                return 204, None
            found["body"] = feed["body"]
            return 200, found
        case "GET", "issues":
            assert re.search("state=open", parts.query)
            return 200, [each for each in state["issues"] if each["state"] == "open"]
        case "POST", "issues":
            made = {"number": _next(state), "state": "open", "user": {"login": BOT}, **feed}
            state["issues"].append(made)
            return 201, made
        case "PATCH", "issues", number:
            found = next(each for each in state["issues"] if each["number"] == int(number))
            found.update(feed)
            return 200, found
    return 404, "Not Found"


def _next(state: dict[str, Any]) -> int:
    state["last"] += 1
    return int(state["last"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
