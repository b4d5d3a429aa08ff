"""Many clients at once: batches form and every row comes back to its request; work that nobody wants is not done."""

import concurrent.futures
import re
import threading

import pytest

from clients import InferenceServerException
from kit import assert_close
from servers import wait_until

CLIENTS, REQUESTS = 64, 4
THREADS, ROUNDS = 16, 3
ATTEMPTS = 5
ABANDONED = 3


def metric(stand, name, model):
    """The sum of the model's series, found in the page without parsing it all: these tests are in a hurry."""
    _, page, _ = stand.server.get("/metrics")
    series = re.compile(rf'^{name}{{[^}}]*model="{model.name}"[^}}]*}} (\S+)$', re.MULTILINE)
    return sum(float(value) for value in series.findall(page.decode()))


def executions(stand, model):
    return metric(stand, "nv_inference_exec_count", model)


@pytest.mark.role("batches")
@pytest.mark.parametrize("client_kind", ["http", "grpc"])
def test_batches_of_64_clients(stand, model, client_kind):
    requests = [model.draw((1 + number % 3,), number) for number in range(CLIENTS * REQUESTS)]
    expected = stand.answers(model, requests)
    before = settled_executions(stand, model)
    ready = threading.Barrier(CLIENTS)

    def work(number):
        with stand.client(client_kind) as client:
            ready.wait(60)
            return [stand.ask(client, model, arrays) for arrays in requests[number::CLIENTS]]

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(work, range(CLIENTS)))
    for number in range(CLIENTS):
        for turn, answer in enumerate(answers[number]):
            assert_close(model, answer, expected[number + turn * CLIENTS], f"client {number}, request {turn}")
    stand.server.assert_alive()
    assert 0 < settled_executions(stand, model) - before < CLIENTS * REQUESTS, "requests were batched"


@pytest.mark.role("batches")
def test_requests_without_rows_in_a_batch(stand, model):
    """They come together with others that have rows, and nobody gets another one's."""
    requests = [model.draw((number % 2 * 3,), number) for number in range(16)]
    expected = stand.answers(model, requests[1::2])
    ready = threading.Barrier(len(requests))

    def work(arrays):
        with stand.client() as client:
            ready.wait(60)
            return stand.ask(client, model, arrays)

    with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(work, requests))
    for answer, wanted in zip(answers[1::2], expected, strict=True):
        assert_close(model, answer, wanted)
    for answer in answers[::2]:
        for name, (_, shape) in model.outputs.items():
            assert answer[name].shape[0] == 0 and len(answer[name].shape) == len(shape)


def test_all_models_from_many_threads(stand):
    """Each thread asks another model each time, so that whatever models share is used at once."""
    chosen = [model for role in ("identity", "answers", "batches") for model in stand.kit.of_role(role)]
    requests = {model.name: [model.draw(sizes, seed) for seed, sizes in enumerate(model.sizes)] for model in chosen}
    expected = {
        model.name: requests_of_identity(model, requests)
        if "identity" in model.roles
        else stand.answers(model, requests[model.name])
        for model in chosen
    }

    def work(number):
        with stand.client("http" if number % 2 else "grpc") as client:
            for turn in range(ROUNDS * len(chosen)):
                model = chosen[(number + turn) % len(chosen)]
                index = turn % len(requests[model.name])
                answer = stand.ask(client, model, requests[model.name][index])
                assert_close(model, answer, expected[model.name][index], (model.name, number, turn))

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def requests_of_identity(model, requests):
    (given,), (returned,) = model.inputs, model.outputs
    return [{returned: arrays[given]} for arrays in requests[model.name]]


def settled_executions(stand, model):
    """An execution is counted a little after its answers: those of what was answered before may still come."""
    counts = []

    def is_settled():
        counts.append(executions(stand, model))
        return len(counts) >= 4 and len(set(counts[-4:])) == 1

    wait_until(is_settled, "no execution is counted any more")
    return counts[-1]


def pending(stand, model):
    return metric(stand, "nv_inference_pending_request_count", model)


def cancelled(stand, model):
    return metric(stand, "modelmill_request_cancelled_total", model)


@pytest.mark.role("slow")
def test_what_is_cancelled_in_the_queue_is_not_run(stand, model):
    """Held up by an execution that is under way; an attempt counts only if that one lasted long enough."""
    with stand.client() as client:
        assert any(attempt_to_cancel(stand, client, model) for _ in range(ATTEMPTS)), (
            f"an execution of '{model.name}' is over before requests behind it can be cancelled: make it slower"
        )


def attempt_to_cancel(stand, client, model):
    """False where the first execution was over too early to tell."""
    ran, gone = settled_executions(stand, model), cancelled(stand, model)
    # One of the first two runs, whichever came first: what is cancelled later waits.
    wanted = [start(client, model) for _ in range(2)]

    def is_over():
        return any(done.is_set() for _, done in wanted)

    wait_until(lambda: is_over() or pending(stand, model) == 1, "one runs, one waits")
    abandoned = [start(client, model) for _ in range(ABANDONED)]
    wait_until(lambda: is_over() or pending(stand, model) == 1 + ABANDONED, "they wait")
    for call, _ in abandoned:
        call.cancel()
    wait_until(lambda: is_over() or cancelled(stand, model) == gone + ABANDONED, "they are cancelled")
    in_time = not is_over()
    wanted.append(start(client, model))
    for _, done in wanted:
        assert done.wait(60)
        assert done.error is None, done.error
    wait_until(lambda: pending(stand, model) == 0, "nothing waits")
    if in_time:
        stand.server.wait_executions(ran + len(wanted), model.name)
    return in_time


def start(client, model, inputs=None):
    """(the call, an event with `error` that is set when it is over)"""
    done = threading.Event()
    done.error = None

    def over(result, error):
        done.error = error
        done.set()

    return client.async_infer(model.name, client.inputs(inputs or model.draw()), callback=over), done


@pytest.mark.role("long")
def test_what_is_cancelled_while_it_runs_is_ended(stand, model):
    """Whoever waits behind it is served, and correctly: by itself it would run for minutes."""
    ((rows,),) = model.sizes
    long, short = model.draw((50 * rows,)), model.draw((1,), seed=1)
    (expected,) = stand.answers(model, [short])
    with stand.client() as client:
        gone = cancelled(stand, model)
        call = client.async_infer(model.name, client.inputs(long), callback=lambda result, error: None)
        _, behind = start(client, model, short)
        wait_until(lambda: pending(stand, model) == 1, "one runs and one waits behind it")
        call.cancel()
        assert behind.wait(60) and behind.error is None, behind.error
        wait_until(lambda: cancelled(stand, model) == gone + 1, "it is counted")
        assert_close(model, stand.ask(client, model, short), expected)
        with pytest.raises(InferenceServerException, match="(?i)deadline.exceeded"):
            client.infer(model.name, long, client_timeout=5)
        assert_close(model, stand.ask(client, model, short), expected)
        wait_until(lambda: cancelled(stand, model) == gone + 2, "it is counted")
