"""The faces over HTTP, who is let in, and the units behind: keys, quotas, admission, logs."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.errors import UserError
from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.codec import FORMATS, Decoder, Encoder
from step_audio_mini.serve.keys import EVERYBODY, Allowance, Keys, given_key
from step_audio_mini.serve.limits import Admission, Limits, Quota, RefusedError
from step_audio_mini.serve.logs import JsonLines
from step_audio_mini.serve.outbox import Delta, Outbox, SlowReaderError
from step_audio_mini.serve.service import Options
from tests.serve.fakes import FakeTools, FakeWorker, speech

pytestmark = pytest.mark.unit

KEY = "0123456789abcdef"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def client(options: Options | None = None) -> httpx2.AsyncClient:
    app = make_app(FakeWorker(), lambda _: FakeTools(), options)
    app.state.service.models = FakeWorker()
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost")


async def test_models_health_readiness_and_metrics() -> None:
    async with client(Options(packs={"": ("home",), "coffee": ("coffee",)})) as web:
        models = (await web.get("/v1/models")).json()["data"]
        assert [model["id"] for model in models] == ["step-audio-2-mini", "step-audio-2-mini:coffee"]
        assert (await web.get("/v1/models/step-audio-2-mini:coffee")).json()["step_audio"]["packs"] == ["coffee"]
        assert (await web.get("/v1/models/nobody")).status_code == 404
        assert [(await web.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        metrics = (await web.get("/metrics")).text
        for stage in ("end_of_turn", "listen", "think", "tools", "speak_first", "total"):
            assert f'step_audio_stage_seconds_count{{stage="{stage}"}} 0.0' in metrics


async def test_a_server_that_is_full_or_going_says_so() -> None:
    async with client(Options(limits=Limits(sessions=0))) as web:
        answer = await web.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"]["code"] == "server_overloaded"
        assert (await web.get("/healthz")).status_code == 200


async def test_readiness_of_a_key_that_has_all_its_calls() -> None:
    async with client(Options(keys=Keys({"ada": KEY}, allowances={"ada": Allowance(calls=0)}))) as web:
        assert (await web.get("/readyz")).status_code == 200
        answer = await web.get("/readyz", headers={"Authorization": f"Bearer {KEY}"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_keys_and_client_secrets() -> None:
    keys = Keys({"ada": KEY})
    async with client(Options(keys=keys)) as web:
        assert (await web.get("/v1/models")).status_code == 401
        assert (await web.get("/readyz")).status_code == 200
        mine = {"Authorization": f"Bearer {KEY}"}
        assert (await web.get("/v1/models", headers=mine)).status_code == 200
        session = {"type": "realtime", "instructions": "be kind"}
        body: dict[str, Any] = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session}
        secret = (await web.post("/v1/realtime/client_secrets", json=body, headers=mine)).json()
        assert secret["session"]["instructions"] == "be kind"
        assert keys.who(secret["value"]) == "ada"
        body["expires_after"]["seconds"] = 9
        assert (await web.post("/v1/realtime/client_secrets", json=body, headers=mine)).status_code == 400
        body = {"session": {"type": "realtime", "output_modalities": ["text", "audio"]}}
        assert (await web.post("/v1/realtime/client_secrets", json=body, headers=mine)).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "the body: invalid json"),
        (b'{"expires_after": {"seconds": "soon"}}', 400, "expires_after.seconds: "),
        (b'{"session": {"type": "other"}}', 400, "session"),
        (b" " * (257 * 2**10), 413, "KiB"),
    ],
)
async def test_a_body_that_is_none_is_told_as_all_other_errors_are(body: bytes, status: int, told: str) -> None:
    async with client() as web:
        answer = await web.post("/v1/realtime/client_secrets", content=body)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert told in answer.json()["error"]["message"]
        assert (await web.post("/v1/realtime/client_secrets", content=b"")).status_code == 200


async def test_a_page_whose_name_points_here_is_refused() -> None:
    async with client(Options(hosts=("localhost",))) as web:
        assert (await web.get("/v1/models")).status_code == 200
        assert (await web.get("/v1/models", headers={"Host": "evil.example"})).status_code == 421


def test_secrets_live_as_long_as_they_may() -> None:
    clock = Clock()
    keys = Keys({"ada": KEY}, clock)
    secret = keys.make_secret("ada", None, 60)
    assert keys.secret(secret.value) is secret
    clock.now += 61
    assert keys.secret(secret.value) is None
    assert keys.who(secret.value) is None
    assert Keys({}).who(None) == EVERYBODY


def test_a_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# ours\n\nada {KEY}\n{KEY}x\n", "utf-8")
    keys = Keys.read(path)
    assert (keys.who(KEY), keys.who(KEY + "x"), keys.who("no"), keys.who(None)) == ("ada", "key4", None, None)
    path.write_text(f"ada {KEY} 2 5\nbob {KEY}x 1\ncat {KEY}y\n", "utf-8")
    keys = Keys.read(path)
    told = [keys.allowance(name) for name in ("ada", "bob", "cat", "nobody")]
    assert told == [Allowance(2, 5), Allowance(1), Allowance(), Allowance()]
    for wrong in ("", "short\n", f"a b {KEY}\n", f"a {KEY} two\n", f"a {KEY} -1\n", f"a {KEY} 1 2 3\n"):
        path.write_text(wrong, "utf-8")
        with pytest.raises(UserError):
            Keys.read(path)


def test_where_a_key_may_stand() -> None:
    assert given_key("Bearer abc", []) == "abc"
    assert given_key(None, ["realtime", "openai-insecure-api-key.abc"]) == "abc"
    assert given_key("Basic abc", ["realtime"]) is None


def test_a_quota_forgets_after_a_minute() -> None:
    clock = Clock()
    quota = Quota(2, clock)
    assert [quota.take() for _ in range(3)] == [True, True, False]
    clock.now += 30
    assert quota.reset_seconds == pytest.approx(30)
    clock.now += 31
    assert quota.remaining == 2


def test_admission() -> None:
    lag = [0.0]
    admission = Admission(Limits(sessions=3, sessions_a_key=2), lambda: lag[0], lambda: True)
    admission.enter("ada")
    admission.enter("ada")
    with pytest.raises(RefusedError, match="2 calls") as refused:
        admission.enter("ada")
    assert refused.value.status == 429
    admission.enter("bob")
    with pytest.raises(RefusedError, match="full"):
        admission.enter("eve")
    admission.leave("ada")
    lag[0] = 1e4
    with pytest.raises(RefusedError, match="busy"):
        admission.enter("eve")
    lag[0], admission.draining = 0.0, True
    with pytest.raises(RefusedError, match="going away"):
        admission.check()


async def test_the_outbox_forgets_a_response_and_bounds_what_waits() -> None:
    box = Outbox(100)
    box.put("a" * 10)
    box.put("b" * 10, Delta("r1", audio=7))
    box.put("c" * 10, Delta("r2", text=3))
    assert box.drop("r1") == Delta("r1", audio=7)
    assert [await box.take(), await box.take()] == ["a" * 10, "c" * 10]
    box.put("d" * 101)
    assert box.overflowing
    with pytest.raises(SlowReaderError):
        await box.take()


@given(cuts=st.lists(st.integers(1, 4000), max_size=8), name=st.sampled_from(sorted(FORMATS)))
def test_sound_in_pieces_is_the_sound(cuts: list[int], name: str) -> None:
    wire = FORMATS[name]
    samples = FORMATS["audio/pcm"].decode(speech(0.5, 16_000))
    encoder, pieces, start = Encoder(wire), b"", 0
    for cut in cuts:
        pieces += encoder.push(samples[start : start + cut])
        start += cut
    pieces += encoder.push(samples[start:]) + encoder.finish()
    whole = Encoder(wire)
    assert pieces == whole.push(samples) + whole.finish()
    assert abs(len(pieces) - 0.5 * wire.rate * wire.width) <= wire.width
    back = Decoder(wire).push(pieces)
    assert len(back) <= 8000


def test_a_log_line_tells_the_kind_of_an_error_and_not_its_words() -> None:
    try:
        raise ValueError("my password is swordfish")
    except ValueError as error:
        record = logging.getLogger("step_audio_mini.serve").makeRecord(
            "step_audio_mini.serve",
            logging.WARNING,
            "f",
            1,
            "a reply failed",
            (),
            (type(error), error, error.__traceback__),
        )
    record.facts = {"key": "ada"}
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["error"], line["key"]) == ("a reply failed", "ValueError", "ada")
    assert "swordfish" not in json.dumps(line)
