"""Certificates for tests, made by the `openssl` command when a test asks for them."""

import ssl
import subprocess

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def _new_key(key):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]


class Authority:
    """Signs certificates, as files in `folder`."""

    def __init__(self, folder, name="the tests' authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", *_new_key(self._key), "-out", self.certificate, "-subj", f"/CN={name}", "-days", 30)

    def sign(self, name, days=30):
        """(certificate, key) for `name`, good for this machine's own addresses."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        _openssl(
            "req", "-x509", *_new_key(key), "-out", certificate, "-subj", f"/CN={name}", "-days", days,
            "-CA", self.certificate, "-CAkey", self._key, "-addext", NAMES,
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip
        return certificate, key

    def trust(self, certificate=None):
        """What Python's clients need to trust this authority, and to show a certificate of their own."""
        context = ssl.create_default_context(cafile=self.certificate)
        if certificate:
            context.load_cert_chain(*certificate)
        return context
