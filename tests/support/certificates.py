"""Certificates of an authority that exists for a test alone."""

import pathlib

from support.commands import run

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
LIFETIME = ("-days", "2")

SERVER_EXTENSIONS = """\
subjectAltName=DNS:{name}
basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=serverAuth
"""


def make_authority(folder: pathlib.Path, name: str = "ca") -> pathlib.Path:
    """Makes an authority, and returns the file of its certificate, NAME.pem; NAME.key is beside it."""
    certificate = folder / f"{name}.pem"
    extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
    options = [word for extension in extensions for word in ("-addext", extension)]
    files = ("-keyout", certificate.with_suffix(".key"), "-out", certificate)
    run("openssl", "req", "-x509", *CURVE, *LIFETIME, "-subj", f"/CN=Herolo test {name}", *options, *files)
    return certificate


def make_certificate(authority: pathlib.Path, host_name: str, folder: pathlib.Path) -> None:
    """Writes server.pem and server.key for that name, signed by the authority."""
    extensions, request = authority.with_suffix(".ext"), authority.with_suffix(".csr")
    extensions.write_text(SERVER_EXTENSIONS.format(name=host_name), encoding="utf-8")
    subject = f"/CN={host_name[:64]}"  # no longer by X.509; clients look at the name in the extensions
    run("openssl", "req", "-new", *CURVE, "-subj", subject, "-keyout", folder / "server.key", "-out", request)
    signer = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial")
    options = (*LIFETIME, "-extfile", extensions, "-out", folder / "server.pem")
    run("openssl", "x509", "-req", "-in", request, *signer, *options)
