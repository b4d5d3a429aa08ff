"""Models from a web server: ranges, resuming, checksums, faults, redirects."""

import base64
import hashlib
import signal
import subprocess
import threading

import pytest

import servers
import storage
from certificates import Authority
from storage import MB, File

CHUNK = 64 << 10


@pytest.fixture
def web():
    server = storage.WebServer()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def get(cache, url, *options, **more):
    return storage.probe(cache, url, "--chunk", CHUNK, *options, **more)


def test_a_file_comes_in_ranges_and_once(web, cache):
    data = storage.content(MB + 17)
    web.files["/m/model.onnx"] = File(data)
    first = get(cache, web.url + "/m/model.onnx")
    assert first.files == {"model.onnx": storage.sha256(data)}
    assert first.local.endswith("/model.onnx")
    assert len(web.data_requests()) == 17
    second = get(cache, web.url + "/m/model.onnx")
    assert (second.files, second.local) == (first.files, first.local)
    assert len(web.data_requests()) == 17, "it was in the cache"


def test_a_changed_file_is_loaded_again_and_an_unchanged_one_is_not_news(web, cache):
    web.files["/model.onnx"] = File(storage.content(100))
    assert get(cache, web.url + "/model.onnx", "--refresh-again").refreshes == ["changed", "same"]
    web.files["/model.onnx"] = File(storage.content(100, 2), '"two"')
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(storage.content(100, 2))}


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_sizes_at_the_edges(web, cache, size):
    data = storage.content(size)
    web.files["/model.onnx"] = File(data)
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(data)}


@pytest.mark.parametrize("length", [True, False])
def test_a_server_without_ranges(web, cache, length):
    data = storage.content(MB)
    web.files["/model.onnx"] = File(data, ranges=False, length=length)
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(data)}


def test_a_server_that_tells_no_version(web, cache):
    web.files["/model.onnx"] = File(b"one", etag="")
    assert get(cache, web.url + "/model.onnx", "--refresh-again").refreshes == ["changed", "same"]
    web.files["/model.onnx"] = File(b"two", etag="")
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(b"two")}


@pytest.mark.parametrize("fault", [503, 500, 429, "cut"])
def test_what_passes_is_tried_again(web, cache, fault):
    data = storage.content(4 * CHUNK)
    web.files["/model.onnx"] = File(data)
    web.faults = [fault, None, fault]
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(data)}
    assert len(web.data_requests()) == 6


def test_what_does_not_pass_is_told_after_a_few_tries(web, cache):
    web.files["/model.onnx"] = File(storage.content(100))
    web.faults = [503] * 100
    outcome = get(cache, web.url + "/model.onnx", "--tries", 3, check=False)
    assert outcome.code == 1
    assert "HTTP 503" in outcome.error and web.url + "/model.onnx" in outcome.error
    assert len(web.data_requests()) == 3
    assert storage.cache_files(cache, "blobs") == []


def test_a_missing_file(web, cache):
    outcome = get(cache, web.url + "/none.onnx?token=secret", check=False)
    assert outcome.error.startswith("NOT_FOUND") and "/none.onnx" in outcome.error
    assert "secret" not in outcome.error


def test_a_change_in_the_middle_starts_over(web, cache):
    old, new = storage.content(4 * CHUNK, 1), storage.content(6 * CHUNK, 2)
    web.files["/model.onnx"] = File(old)

    def change():
        web.files["/model.onnx"] = File(new, '"two"')

    web.faults = [None, None, change]
    outcome = get(cache, web.url + "/model.onnx", "--threads", 1)
    assert outcome.files == {"model.onnx": storage.sha256(new)}
    storage.assert_consistent(cache, {storage.sha256(new)})


def digest(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize("header", ["Digest", "Repr-Digest"])
def test_digests_are_verified(web, cache, header):
    data = storage.content(3 * CHUNK)
    text = digest(data)
    web.files["/model.onnx"] = File(data, headers={header: f"sha-256=:{text}:" if header == "Repr-Digest" else f"sha-256={text}"})
    web.faults = ["damage"]  # once: it is loaded again
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(data)}
    assert len(web.data_requests()) == 6


def test_a_damaged_file_never_appears(web, cache):
    data = storage.content(3 * CHUNK)
    web.files["/model.onnx"] = File(data)
    wrong = "0" * 64
    outcome = get(cache, f"{web.url}/model.onnx#sha256={wrong}", check=False)
    assert outcome.error.startswith("DATA_LOSS")
    assert wrong in outcome.error and storage.sha256(data) in outcome.error
    assert storage.cache_files(cache, "blobs") == [] and storage.cache_files(cache, "partial") == []
    right = get(cache, f"{web.url}/model.onnx#sha256={storage.sha256(data)}")
    assert right.files == {"model.onnx": storage.sha256(data)}


def test_the_same_content_is_kept_once(web, cache):
    data = storage.content(CHUNK)
    web.files["/a.onnx"] = web.files["/b.onnx"] = File(data)
    get(cache, web.url + "/a.onnx")
    get(cache, web.url + "/b.onnx")
    [blob] = storage.cache_files(cache, "blobs")
    assert blob.stat().st_nlink == 3 and blob.stat().st_mode & 0o777 == 0o444


def test_a_killed_download_goes_on_where_it_was(web, cache):
    data = storage.content(20 * CHUNK)
    web.files["/model.onnx"] = File(data)
    stop, stopped = threading.Event(), threading.Event()

    def hang():
        stopped.set()
        stop.wait(60)
        return 503

    web.faults = [None] * 12 + [hang]
    command = storage.probe_command(cache, web.url + "/model.onnx", "--chunk", CHUNK, "--threads", 1)
    process = subprocess.Popen(command, env=storage.environment(cache.parent))
    assert stopped.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stop.set()
    before = len(web.data_requests())
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(data)}
    assert len(web.data_requests()) - before == 8
    assert storage.cache_files(cache, "partial") == []


def test_what_was_begun_of_another_version_is_not_gone_on_with(web, cache):
    old, new = storage.content(6 * CHUNK, 1), storage.content(6 * CHUNK, 2)
    web.files["/model.onnx"] = File(old)
    web.faults = [None, None, None] + [503] * 10
    assert get(cache, web.url + "/model.onnx", "--threads", 1, "--tries", 1, check=False).code == 1
    web.faults = []
    web.files["/model.onnx"] = File(new, '"two"')
    assert get(cache, web.url + "/model.onnx").files == {"model.onnx": storage.sha256(new)}


def test_redirects_are_followed(web, cache):
    data = storage.content(100)
    web.files["/latest.onnx"] = "/v2.onnx"
    web.files["/v2.onnx"] = File(data)
    assert get(cache, web.url + "/latest.onnx").files == {"latest.onnx": storage.sha256(data)}


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/round"])
def test_redirects_that_are_not_followed(web, cache, where):
    web.files["/model.onnx"] = web.files["/round"] = where
    outcome = get(cache, web.url + "/model.onnx", check=False)
    assert outcome.code == 1 and outcome.files == {}
    assert "redirect" in outcome.error or "scheme" in outcome.error


def test_a_proxy_is_asked_for_the_whole_url(web, cache):
    data = storage.content(100)
    web.files["http://models.example:80/model.onnx"] = File(data)
    env = {"http_proxy": web.url.replace("//", "//user:pass%21@")}
    assert get(cache, "http://models.example/model.onnx", env=env).files == {"model.onnx": storage.sha256(data)}
    assert web.heads[0]["Proxy-Authorization"] == "Basic " + base64.b64encode(b"user:pass!").decode()
    assert web.heads[0]["Host"] == "models.example"
    exempt = get(cache, "http://models.example/other.onnx", "--tries", 1, env={**env, "no_proxy": ".example"}, check=False)
    assert "'models.example' is not known" in exempt.error


def test_https_through_a_proxys_tunnel(cache, tmp_path):
    authority = Authority(tmp_path / "authority")
    web, proxy = storage.WebServer(authority.sign("server")), storage.TunnelProxy()
    try:
        data = storage.content(3 * CHUNK)
        web.files["/model.onnx"] = File(data)
        trust = {"SSL_CERT_FILE": str(authority.certificate)}
        env = {**trust, "https_proxy": proxy.url.replace("//", "//user:pass@")}
        assert get(cache, web.url + "/model.onnx", env=env).files == {"model.onnx": storage.sha256(data)}
        assert proxy.asked[0].startswith("CONNECT " + web.url.removeprefix("https://"))
        assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in proxy.asked[0]
        assert all("Proxy-Authorization" not in head for head in web.heads)
        untrusted = get(cache, web.url + "/model.onnx", "--tries", 1, check=False)
        assert "certificate" in untrusted.error
        # Out of https into http leads no redirect.
        web.files["/moved.onnx"] = web.url.replace("https", "http") + "/model.onnx"
        assert "leaves https" in get(cache, web.url + "/moved.onnx", env=trust, check=False).error
    finally:
        web.close()
        proxy.close()


def test_urls_that_are_not_allowed(web, cache):
    outcome = get(cache, web.url + "/model.onnx", "--allow", "http://127.0.0.1:1/", check=False)
    assert outcome.error.startswith("PERMISSION_DENIED") and "--allow-model-url" in outcome.error
    assert web.requests == []


def test_the_cache_stays_below_its_bound(web, cache):
    for name in "abc":
        web.files[f"/{name}.onnx"] = File(storage.content(4 * CHUNK, name))
    for name in "abc":
        get(cache, f"{web.url}/{name}.onnx", "--bytes", 9 * CHUNK)
    kept = {path.name for path in storage.cache_files(cache, "blobs")}
    assert kept == {storage.sha256(web.files[f"/{name}.onnx"].data) for name in "bc"}, "the one used longest ago went"


def test_what_another_process_uses_stays(web, cache):
    for name in "ab":
        web.files[f"/{name}.onnx"] = File(storage.content(4 * CHUNK, name))
    command = storage.probe_command(cache, web.url + "/a.onnx", "--stay")
    with subprocess.Popen(
        command, env=storage.environment(cache.parent), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        for line in user.stdout:
            if line.endswith(" a.onnx\n"):
                break
        outcome = get(cache, web.url + "/b.onnx", "--bytes", 6 * CHUNK, check=False)
        assert outcome.error.startswith("RESOURCE_EXHAUSTED") and str(6 * CHUNK) in outcome.error
        user.stdin.close()
        assert user.wait(servers.STOP_SECONDS) == 0
    assert list(get(cache, web.url + "/b.onnx", "--bytes", 6 * CHUNK).files) == ["b.onnx"]


def test_two_processes_load_a_file_once(web, cache):
    data = storage.content(20 * CHUNK)
    web.files["/model.onnx"] = File(data)
    command = storage.probe_command(cache, web.url + "/model.onnx", "--chunk", CHUNK, "--threads", 1)
    options = {"env": storage.environment(cache.parent), "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    for process in both:
        assert storage.sha256(data) in process.communicate(timeout=60)[0]
        assert process.returncode == 0
    assert len(web.data_requests()) == 20
