"""Where AWS credentials come from: each source is played by a web server that notes what it is asked."""

import base64
import hashlib
import json
import urllib.parse

import pytest

import storage
from storage import File

LISTING = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<IsTruncated>false</IsTruncated><Contents><Key>m/a.txt</Key><Size>4</Size><ETag>"one"</ETag></Contents></ListBucketResult>"""
LENT = {"AccessKeyId": "LENT", "SecretAccessKey": "hush-hush", "Token": "session", "Expiration": "2099-01-01T00:00:00Z"}


@pytest.fixture
def web():
    """A bucket with one object, whoever asks."""
    server = storage.WebServer()
    server.files["/bucket/"] = File(LISTING, ranges=False)
    server.files["/bucket/m/a.txt"] = File(b"text")
    yield server
    server.close()


@pytest.fixture
def ask(web, tmp_path):
    """The Authorization headers with which the bucket was asked."""

    def ask(**env):
        outcome = storage.probe(tmp_path / "cache", "s3://bucket/m", env={"AWS_ENDPOINT_URL_S3": web.url, **env})
        assert outcome.files == {"m/a.txt": storage.sha256(b"text")}
        asked = zip(web.requests, web.heads, strict=True)
        return [head for (path, _), head in asked if path.startswith("/bucket/")]

    return ask


def crc(data, polynomial, bits):
    """The reflected CRC as its definition says it, a bit at a time; in base64."""
    value = mask = (1 << bits) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return base64.b64encode((value ^ mask).to_bytes(bits // 8, "big")).decode()


def hashed(algorithm):
    return lambda data: base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


SUMS = {
    "SHA256": hashed("sha256"),
    "SHA1": hashed("sha1"),
    "CRC32": lambda data: crc(data, 0xEDB88320, 32),
    "CRC32C": lambda data: crc(data, 0x82F63B78, 32),
    "CRC64NVME": lambda data: crc(data, 0x9A6C9329AC4BC9B5, 64),
}


@pytest.mark.parametrize("algorithm", SUMS)
def test_checksums_of_each_kind_are_verified(web, tmp_path, algorithm):
    data = storage.content(10_000)
    header = "x-amz-checksum-" + algorithm.lower()
    web.files["/bucket/right.onnx"] = File(data, headers={header: SUMS[algorithm](data)})
    web.files["/bucket/wrong.onnx"] = File(data, headers={header: SUMS[algorithm](data[1:])})
    web.files["/bucket/parts.onnx"] = File(data, headers={header: "AAAA-2", "x-amz-checksum-type": "COMPOSITE"})

    def look(name, **more):
        return storage.probe(tmp_path / "cache", f"s3://bucket/{name}", env={"AWS_ENDPOINT_URL": web.url}, **more)

    wrong = look("wrong.onnx", check=False)
    assert wrong.error.startswith("DATA_LOSS") and algorithm.lower() in wrong.error
    for name in ("right.onnx", "parts.onnx"):
        assert look(name).files == {name: storage.sha256(data)}


def test_the_etag_is_an_md5_unless_it_is_encrypted(web, tmp_path):
    data, wrong = b"text", hashlib.md5(b"another").hexdigest()
    web.files["/bucket/plain"] = File(data, f'"{wrong}"')
    web.files["/bucket/kms"] = File(data, f'"{wrong}"', {"x-amz-server-side-encryption": "aws:kms"})
    env = {"AWS_ENDPOINT_URL": web.url}
    plain = storage.probe(tmp_path / "cache", "s3://bucket/plain", env=env, check=False)
    assert plain.error.startswith("DATA_LOSS") and wrong in plain.error
    assert storage.probe(tmp_path / "cache", "s3://bucket/kms", env=env).files == {"kms": storage.sha256(data)}


def assert_lent(heads):
    for head in heads:
        assert "Credential=LENT/" in head["Authorization"]
        assert head["x-amz-security-token"] == "session"


def test_anonymous(ask):
    assert all("Authorization" not in head for head in ask())
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert all("Authorization" not in head for head in ask(AWS_S3_ANONYMOUS="1", **keys))


def test_a_container(ask, web, tmp_path):
    web.files["/role"] = File(json.dumps(LENT).encode(), ranges=False)
    (tmp_path / "token").write_text("let me in\n")
    assert_lent(
        ask(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=web.url + "/role",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"),
        )
    )
    assert web.heads[0]["Authorization"] == "let me in"


def test_a_machine(ask, web):
    roles = "/latest/meta-data/iam/security-credentials/"
    web.puts["/latest/api/token"] = b"imds-token"
    web.files[roles] = File(b"reader\n", ranges=False)
    web.files[roles + "reader"] = File(json.dumps(LENT).encode(), ranges=False)
    assert_lent(ask(AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=web.url))
    assert [head["X-aws-ec2-metadata-token"] for head in web.heads[:2]] == ["imds-token"] * 2


def test_a_web_identity(ask, web, tmp_path):
    web.posts["/"] = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>LENT</AccessKeyId>
      <SecretAccessKey>hush-hush</SecretAccessKey><SessionToken>session</SessionToken>
      <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
      </AssumeRoleWithWebIdentityResponse>"""
    (tmp_path / "token").write_text("a.b.c")
    role = "arn:aws:iam::123456789012:role/reader"
    env = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ENDPOINT_URL_STS": web.url}
    assert_lent(ask(**env))
    form = urllib.parse.parse_qs(web.bodies["/"].decode())
    assert (form["RoleArn"], form["WebIdentityToken"]) == ([role], ["a.b.c"])


def test_a_bucket_of_another_region(ask, web):
    """S3 says where it is, and is asked there."""
    web.files["/bucket/"] = File(LISTING, ranges=False)
    web.refusals["/bucket/"] = (400, {"x-amz-bucket-region": "eu-west-3"})
    heads = ask(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_REGION="us-east-1")
    assert "/us-east-1/s3/" in heads[0]["Authorization"]
    assert all("/eu-west-3/s3/" in head["Authorization"] for head in heads[1:])


def test_a_profile_that_is_not_understood(web, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nsso_session = mine\n")
    outcome = storage.probe(tmp_path / "cache", "s3://bucket/m", env={"AWS_ENDPOINT_URL": web.url}, check=False)
    assert outcome.error.startswith("UNIMPLEMENTED") and "sso_session" in outcome.error
