"""Starts a demo server, pushes commits to it, and has schemathesis fuzz it.

Usage: fuzz_http.py VECTORLINK SCHEMATHESIS SECONDS (see fuzz-http.sh)
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

DEMO = "admin/star_wars"
PUSHED = "fuzz/notes"


def call(base, path, body=None, **query):
    request = urllib.request.Request(
        f"{base}{path}?{urllib.parse.urlencode(query)}", data=body, method="POST" if body is not None else "GET"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def push(base):
    """Pushes a few commits with odd ids and texts, on two branches."""
    lines = [
        {"op": "Inserted", "id": "terminusdb:///notes/Note/1", "string": "A note about fish.", "fields": {"n": 1, "lang": "en"}},
        {"op": "Inserted", "id": "terminusdb:///notes/Note/2", "string": "A note about fish.", "fields": {"n": 2, "lang": "fr"}},
        {"op": "Inserted", "id": "terminusdb:///notes/Ship/'%\"\u65e5", "string": "long " * 2000},
        {"op": "Inserted", "id": "terminusdb:///notes/Ship/empty", "string": ""},
    ]
    commits = [("n1", "main", lines), ("n2", "main", lines[:1]), ("f1", "fork", lines[2:3])]
    for commit, branch, ops in commits:
        body = "".join(json.dumps(op) + "\n" for op in ops).encode()
        parent = {"parent_commit": "n1"} if branch != "main" else {}
        done = call(base, "/push", body, domain=PUSHED, target_commit=commit, branch=branch, stream="true", **parent)
        assert '"status":"complete"' in done, done
    return [c[0] for c in commits]


def config(base):
    """Returns what schemathesis is told to try besides what it makes up."""
    commits = push(base) + [c["commit"] for c in json.loads(call(base, "/commits", domain=DEMO))]
    ids = list(json.loads(call(base, "/embeddings", domain=DEMO, branch="main"))["doc_embeddings"])[:20]
    ids += list(json.loads(call(base, "/embeddings", domain=PUSHED, branch="main"))["doc_embeddings"])
    task = call(base, "/index", domain=DEMO, commit=commits[-1], branch="main")
    dictionaries = {
        "domains": [DEMO, PUSHED, DEMO + "/local/branch/fan", "no/such"],
        "gone": ["gone/db", "no/such"],
        "commits": commits + ["unknown"],
        "branches": ["main", "fan", "fork", "none", ".-x"],
        "ids": ids + ["nobody"],
        "types": ["People", "Planet", "Note", "Ship", "Nothing"],
        "texts": ["Wise old man", "fish", "\u65e5\u672c", "\x00", " "],
        "tasks": [task],
        "methods": ["embedding"],
    }
    bind = {
        "domain": ("domains", 0.8), "commit": ("commits", 0.8), "branch": ("branches", 0.5),
        "source_commit": ("commits", 0.7), "since": ("commits", 0.7), "ancestor": ("commits", 0.7),
        "id": ("ids", 0.7), "ids": ("ids", 0.7), "doc_id": ("ids", 0.5), "doc_ids": ("ids", 0.5),
        "doc_type": ("types", 0.5), "doc_types": ("types", 0.5), "q": ("texts", 0.5), "text": ("texts", 0.5),
        "task_id": ("tasks", 0.5), "method": ("methods", 0.8),
    }
    out = ["[dictionaries]"]
    out += [f"{name} = {{ values = {json.dumps(values)} }}" for name, values in dictionaries.items()]
    rows = [f'"{place}.{name}" = {{ dictionary = "{d}", probability = {p} }}' for name, (d, p) in bind.items() for place in ("query", "body")]
    out += ["[parameters]", *rows]
    # What removes data must leave some to the others.
    for path in ("/domain", "/branch-index"):
        gone = '"query.domain" = { dictionary = "gone", probability = 1.0 }'
        out += ["[[operations]]", f'include-path = "{path}"', f"parameters = {{ {gone} }}"]
    return "\n".join(out) + "\n"


CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance"


def main(vectorlink, schemathesis, seconds):
    with tempfile.TemporaryDirectory() as scratch:
        log = pathlib.Path(scratch, "log")
        with log.open("w") as out:
            server = subprocess.Popen([vectorlink, "demo", "--listen", "127.0.0.1:18090"], stdout=out, stderr=out)
        try:
            while not (found := re.search(r"Serving on (http://\S+) until", log.read_text())):
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
            base = found[1]
            file = pathlib.Path(scratch, "schemathesis.toml")
            file.write_text(config(base))
            run = subprocess.run(
                [schemathesis, "--config-file", file, "run", pathlib.Path("api/openapi.yaml").resolve(), "--url", base, "--checks", CHECKS,
                 "--max-time", seconds, "--continue-on-failure", "--request-timeout", "60", "--warnings", "off",
                 "--phases", "coverage,fuzzing,stateful"],
                check=False, env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(pathlib.Path("scripts").resolve())}, cwd=scratch,
            )
            assert server.poll() is None, "the server has ended:\n" + log.read_text()[-5000:]
            assert json.loads(call(base, "/health/live")) == {"status": "ok"}
            return run.returncode
        finally:
            server.terminate()
            server.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
