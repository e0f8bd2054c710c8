"""How the report asks Prometheus: a real one of each supported age, and all else that may answer in its place."""

from __future__ import annotations

import base64
import contextlib
import http.server
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone

import pytest

from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Compared, Prometheus, PrometheusError, without_password
from tests.support.listeners import listener
from tests.support.processes import free_port
from tests.support.recorded import DAY, END, anywhere, metric
from tests.support.tools import RELEASES

PERIOD = Period.before(datetime.fromtimestamp(END, timezone.utc))
OURS, OTHER = "mail.example.org", "other.example.org"
HOSTILE = 'Post"amt\\Müller'
MINUTES = range(END - 2 * DAY, END + 1, 60)


def series() -> Iterator[tuple[str, Mapping[str, str], list[tuple[float, float]]]]:
    """Yield two days of our host and of another one, and a little of one with a name that needs quoting."""
    for instance, value in ((OURS, 1.0), (OTHER, 99.0)):
        yield metric("up", ((at, 1.0) for at in MINUTES), instance=instance, job="mailserver-exporter")
        yield metric("load", ((at, value) for at in MINUTES), instance=instance)
    yield metric("load", [(END, 7.0)], instance=HOSTILE)
    yield metric("some", [(END, math.nan)], instance=OURS, kind="nan")
    yield metric("some", [(END, math.inf)], instance=OURS, kind="inf")
    yield metric("ticks_total", ((at, (at - MINUTES[0]) / 60) for at in MINUTES), instance=OURS)
    # From noon of the day before on.
    yield metric("late", ((at, 1.0) for at in MINUTES if at > END - 1.5 * DAY), instance=OURS)


@pytest.fixture(scope="module", params=RELEASES)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with anywhere(series(), request.param) as url:
        yield url


def test_only_our_host_is_asked_about(url: str) -> None:
    assert Prometheus(url, OURS, PERIOD).value("sum(load{$host})") == 1
    assert Prometheus(url, OTHER, PERIOD).value("sum(load{$host})") == 99
    assert Prometheus(url, "nobody", PERIOD).vector("load{$host}") == []


def test_a_name_with_quotes_and_umlauts_is_found(url: str) -> None:
    assert Prometheus(url, HOSTILE, PERIOD).value("load{$host}") == 7


def test_every_version_finds_the_same_samples_in_a_period(url: str) -> None:
    # With both ends it would be 1441 before 3.0.
    assert Prometheus(url, OURS, PERIOD).value("count_over_time(load{$host}[$period])") == 1440


def test_nan_is_left_out_and_infinity_is_not(url: str) -> None:
    assert [(s.labels["kind"], s.value) for s in Prometheus(url, OURS, PERIOD).vector("some{$host}")] == [
        ("inf", math.inf)
    ]


def test_a_value_is_compared_with_the_day_and_the_week_before(url: str) -> None:
    prometheus = Prometheus(url, OURS, PERIOD)
    assert prometheus.compared("sum(count_over_time(load{$host}[$period]))") == Compared(1440, 1440, None)
    assert prometheus.compared("sum(nothing{$host})") == Compared(None, None, None)


def test_several_are_compared_by_their_labels(url: str) -> None:
    found = Prometheus(url, OURS, PERIOD).compared_by('{__name__=~"load|late", $host}', "instance")
    assert found == {(OURS,): Compared(1, 1, None)}


def test_a_day_that_was_mostly_not_measured_is_not_compared_with(url: str) -> None:
    # Ends 15 hours before ours: of the day before it only 9 hours are known.
    early = Period.before(datetime.fromtimestamp(END - 15 * 3600, timezone.utc))
    prometheus = Prometheus(url, OURS, early)
    assert prometheus.measured() == pytest.approx(1, abs=0.01)
    assert prometheus.measured(DAY) == pytest.approx(9 / 24, abs=0.01)
    assert prometheus.compared("sum(count_over_time(load{$host}[$period]))") == Compared(1440, None, None)


def test_a_host_whose_figures_came_another_way_is_compared_all_the_same(url: str) -> None:
    found = Prometheus(url, HOSTILE, PERIOD).compared("load{$host}")
    assert found == Compared(7, None, None)
    assert Prometheus(url, HOSTILE, PERIOD).covered(DAY)


def test_a_course_has_its_own_time(url: str) -> None:
    prometheus = Prometheus(url, OURS, PERIOD)
    (today,) = prometheus.matrix("ticks_total{$host}", 3600)
    (before,) = prometheus.matrix("ticks_total{$host}", 3600, DAY)
    assert (today.points[0], today.points[-1]) == ((END - DAY, 1440), (END, 2880))
    assert (before.points[0], before.points[-1]) == ((END - 2 * DAY, 0), (END - DAY, 1440))
    (long,) = prometheus.matrix("ticks_total{$host}", DAY, length=2 * DAY)
    assert long.points == ((END - 2 * DAY, 0), (END - DAY, 1440), (END, 2880))


def test_a_refused_query_is_told_with_the_reason(url: str) -> None:
    with pytest.raises(PrometheusError, match=r"Prometheus refuses sum\(: .*parse error"):
        Prometheus(url, OURS, PERIOD).vector("sum(")


def test_more_than_one_value_is_a_fault_in_the_query(url: str) -> None:
    with pytest.raises(PrometheusError, match="one series was expected, not 2"):
        Prometheus(url, OURS, PERIOD).value('{__name__=~"load|late", $host}')


def test_nobody_there() -> None:
    with pytest.raises(PrometheusError, match="refused"):
        Prometheus(f"http://127.0.0.1:{free_port()}", OURS, PERIOD).vector("up")


def test_somebody_who_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(PrometheusError, match="timed out"):
            Prometheus(f"http://127.0.0.1:{silent.getsockname()[1]}", OURS, PERIOD, seconds=0.5).vector("up")
        assert time.monotonic() - started < 5


def test_no_time_left() -> None:
    with pytest.raises(PrometheusError, match="too slow"):
        Prometheus("http://127.0.0.1:1", OURS, PERIOD, seconds=0).vector("up")


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Give the URL of a web server that answers everything so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def saying(body: bytes, status: int = 200) -> Answer:
    """Return an answer with this body."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("body", "status", "complaint"),
    [
        (b"<html>It works!</html>", 200, "does not answer as it should"),
        (b"<html>gone</html>", 404, "answers 404"),
        (b"<html>login</html>", 401, "answers 401"),
        (b"[]", 200, "is no Prometheus"),
        (b"{}", 200, "is no Prometheus"),
        (b'{"status": "success"}', 200, "is no Prometheus"),
        (b'{"status": "success", "data": {"resultType": "matrix", "result": []}}', 200, "is no Prometheus"),
        (b'{"status": "success", "data": {"resultType": "vector", "result": [1]}}', 200, "is no Prometheus"),
        (
            b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "x"]}]}}',
            200,
            "is no Prometheus",
        ),
        (b'{"status": "error", "error": "out of memory"}', 503, "refuses up: out of memory"),
        (b"\xff\xfe\x00", 200, "does not answer as it should"),
        (b"[" * 100_000, 200, "does not answer as it should"),
        (b"", 200, "does not answer as it should"),
        (b'{"status": "success", "data": {"resultType": "vector", "result": []}}'[:-9], 302, "answers 302"),
        (
            b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, 1%s]}]}}'
            % (b"0" * 400),
            200,
            "is no Prometheus",
        ),
    ],
)
def test_somebody_else_answers(body: bytes, status: int, complaint: str) -> None:
    with answering(saying(body, status)) as url, pytest.raises(PrometheusError, match=complaint):
        Prometheus(url, OURS, PERIOD).vector("up")


def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    sent = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(800):
                handler.wfile.write(b" " * 65536)
                sent.append(65536)
        except OSError:
            return

    with answering(answer) as url, pytest.raises(PrometheusError, match="more than 4 MB"):
        Prometheus(url, OURS, PERIOD).vector("up")
    assert sum(sent) < 40_000_000


def test_an_answer_that_drips_is_given_up() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        end = time.monotonic() + 10
        try:
            while time.monotonic() < end:
                handler.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            return

    with answering(answer) as url, pytest.raises(PrometheusError, match="timed out"):
        Prometheus(url, OURS, PERIOD, seconds=0.6).vector("up")


def test_an_answer_that_breaks_off() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"status": ')

    with answering(answer) as url, pytest.raises(PrometheusError, match="does not answer as it should"):
        Prometheus(url, OURS, PERIOD).vector("up")


def test_a_proxy_of_the_environment_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert Prometheus(url, OURS, PERIOD).value("load{$host}") == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 500 Oh\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 9999\r\n\r\n", b""])
def test_a_drip_ends_wherever_it_is(head: bytes) -> None:
    """In the status, in the header, in the text of an error."""

    def drip(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(head)
        end = time.monotonic() + 20
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                connection.sendall(b"x")
                time.sleep(0.05)

    with listener(drip) as port:
        began = time.monotonic()
        with pytest.raises(PrometheusError, match="timed out"):
            Prometheus(f"http://127.0.0.1:{port}", OURS, PERIOD, seconds=0.6).vector("up")
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1:{port}/", "http://127.0.0.1:{port}/"])
def test_nobody_sends_us_elsewhere(target: str) -> None:
    called = []
    with listener(lambda *arguments: called.append(arguments)) as port:

        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", target.format(port=port))
            handler.end_headers()

        with answering(answer) as url, pytest.raises(PrometheusError, match="answers 302"):
            Prometheus(url, OURS, PERIOD).vector("up")
    assert not called


def test_a_long_complaint_is_cut() -> None:
    body = b'{"status": "error", "error": "%s"}' % (b"x" * 1_000_000)
    with answering(saying(body, 400)) as url, pytest.raises(PrometheusError) as raised:
        Prometheus(url, OURS, PERIOD).vector("up")
    assert len(str(raised.value)) < 500


def test_the_password_of_the_url_is_given_to_prometheus_and_told_to_nobody() -> None:
    heard = []

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers["Authorization"])
        saying(b"<html>", 401)(handler)

    with answering(answer) as url:
        given = url.replace("://", "://us:s%40cret@")
        with pytest.raises(PrometheusError) as raised:
            Prometheus(given, OURS, PERIOD).vector("up")
    assert heard == [f"Basic {base64.b64encode(b'us:s@cret').decode()}"]
    assert f"{url} answers 401" in str(raised.value)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://u:p@h:1", "http://u:p@p@h:1", "http://u:p/p@h:1", "http://h:1"])
def test_no_password_is_shown_however_it_was_written(url: str) -> None:
    assert without_password(url) == "http://h:1"


@pytest.mark.parametrize(("series", "points"), [(1, 11_001), (16, 10_000)])
def test_more_points_than_anybody_asks_for_are_refused(series: int, points: int) -> None:
    one = b'{"metric": {}, "values": [%s]}' % b",".join([b'[1, "1"]'] * points)
    body = b'{"status": "success", "data": {"resultType": "matrix", "result": [%s]}}' % b",".join([one] * series)
    with answering(saying(body)) as url, pytest.raises(PrometheusError, match="more points than were asked for"):
        Prometheus(url, OURS, PERIOD).matrix("up", 300)
