"""Looks for objects that may not be there, against a server that answers anything."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from components.guards.api import Cluster, Refused, Unanswered, metadata_of

TOKEN = "CANARYtoken"
PATH = "/api/v1/namespaces/shop/persistentvolumeclaims"


class Server(ThreadingHTTPServer):
    """Answers with `status` and `body`, and remembers who asked for what."""

    status, body = 200, b"{}"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(Server, self.server)
        asked = self.path, self.headers["Authorization"], self.headers["Accept"]
        server.asked.append(asked)
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def kubeconfig(url: str, *others: str) -> str:
    """A context `context-<n>` for each server; the first one is current."""
    servers = list(enumerate((url, *others)))
    return json.dumps(
        {
            "current-context": "context-0",
            "clusters": [{"name": f"c{n}", "cluster": {"server": server}} for n, server in servers],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
            "contexts": [
                {"name": f"context-{n}", "context": {"cluster": f"c{n}", "user": "me"}}
                for n, _ in servers
            ],
        }
    )


def test_what_is_there(server: Server) -> None:
    server.body = b'{"items": [{"metadata": {"name": "storage-orders-0"}}]}'
    found = Cluster(kubeconfig(server.url), None).get(PATH)
    assert found == {"items": [{"metadata": {"name": "storage-orders-0"}}]}
    assert server.asked == [(PATH, f"Bearer {TOKEN}", metadata_of(PATH))]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/namespaces/shop", ""),
        ("/api/v1/namespaces/shop/secrets", "List"),
        ("/api/v1/namespaces/shop/secrets/a", ""),
        ("/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs/orders", ""),
        ("/apis/k8s.mariadb.com/v1alpha1/namespaces/shop/mariadbs", "List"),
    ],
)
def test_one_object_is_not_asked_for_as_a_list(path: str, kind: str) -> None:
    assert metadata_of(path).startswith(f"application/json;as=PartialObjectMetadata{kind};")


def test_what_this_user_may_not_read_is_told_apart(server: Server) -> None:
    server.status = 403
    with pytest.raises(Refused):
        Cluster(kubeconfig(server.url), None).get(PATH)


def test_what_is_not_there_is_no_error(server: Server) -> None:
    server.status = 404
    assert Cluster(kubeconfig(server.url), None).get(PATH) is None


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_refusal_says_so(server: Server, status: int) -> None:
    server.status, server.body = status, TOKEN.encode()
    with pytest.raises(Unanswered, match=rf"^{server.url} refuses GET {PATH} \({status}\)$"):
        Cluster(kubeconfig(server.url), None).get(PATH)


def test_nobody_is_waited_for_who_does_not_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(Unanswered, match=rf"^{url} does not answer \(\w+\)$"):
        Cluster(kubeconfig(url), None).get(PATH)
    assert time.monotonic() - began < 2, "once, without retries"


@pytest.mark.parametrize(
    "contents",
    [
        "not: [yaml\n",
        "- a list\n",
        "{}",
        json.dumps({"users": TOKEN}),
        kubeconfig("http://x").replace("context-0", "nowhere", 1),
    ],
)
def test_a_kubeconfig_that_is_none(contents: str) -> None:
    with pytest.raises(Unanswered, match=r"^no usable kubeconfig \(\w+\)$") as refusal:
        Cluster(contents, None)
    assert TOKEN not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_the_stacks_own_settings_win(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    Cluster(kubeconfig("http://127.0.0.1:1", server.url), "context-1").get(PATH)
    assert len(server.asked) == 1


@pytest.mark.parametrize("given", [True, False], ids=["path", "KUBECONFIG"])
def test_a_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(kubeconfig(server.url))
    monkeypatch.setenv("KUBECONFIG", "/nowhere" if given else str(file))
    Cluster(str(file) if given else None, None).get(PATH)
    assert len(server.asked) == 1


def test_without_any_file_it_must_be_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unanswered, match=r"^no usable kubeconfig"):
        Cluster(None, None)
