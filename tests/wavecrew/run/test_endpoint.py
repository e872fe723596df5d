"""The endpoint is looked at once before a run; only what is certain is refused."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from wavecrew.errors import ModelUnreachable, UsageError
from wavecrew.plan.settings import ModelSettings
from wavecrew.run.endpoint import check, resolve


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        right = self.headers["Authorization"] == "Bearer right"
        missing = self.path.startswith("/none/")
        self.send_response(404 if missing else 200 if right else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def base() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_that_knows_the_key_is_taken(base: str) -> None:
    model = ModelSettings(name="m", base_url=f"{base}/v1")
    assert "answers" in check(model, {"OPENAI_API_KEY": "right"})


def test_a_wrong_key_is_named_with_its_variable(base: str) -> None:
    model = ModelSettings(name="m", base_url=f"{base}/v1", api_key_env="MY_KEY")
    with pytest.raises(ModelUnreachable, match="rejects the key") as caught:
        check(model, {"MY_KEY": "wrong"})
    assert "MY_KEY" in caught.value.mend
    assert caught.value.exit_code == 7


def test_a_server_without_a_model_list_gets_the_benefit_of_the_doubt(base: str) -> None:
    assert "404" in check(ModelSettings(name="m", base_url=f"{base}/none"), {})


def test_a_closed_port_is_an_environment_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelUnreachable, match="no model endpoint answers"):
        check(ModelSettings(name="m", base_url=f"http://127.0.0.1:{port}/v1"), {})


@pytest.mark.parametrize("address", ["file:///etc/passwd", "localhost:80", "ftp://x"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no http"):
        check(ModelSettings(name="m", base_url=address), {})


def test_the_command_line_wins_over_the_file_and_the_file_over_the_environment() -> None:
    settings = ModelSettings(name="file", base_url="http://file/v1")
    environ = {"OPENAI_BASE_URL": "http://env/v1"}
    assert resolve(settings, environ, name="flag", base_url="http://flag/v1").name == "flag"
    assert resolve(settings, environ).base_url == "http://file/v1"
    assert resolve(ModelSettings(name="m"), environ).base_url == "http://env/v1"


def test_no_model_and_no_key_are_told_apart() -> None:
    with pytest.raises(UsageError, match="no model is named"):
        resolve(ModelSettings(), {"OPENAI_API_KEY": "k"})
    with pytest.raises(ModelUnreachable, match="holds no key"):
        resolve(ModelSettings(name="m"), {})
