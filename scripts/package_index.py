"""pip's settings as uv's, and one wheel without pip, for a Python that came without ensurepip."""

from __future__ import annotations

import configparser
import hashlib
import io
import os
import platform
import re
import ssl
import sys
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_SECONDS = 120
# The default of pip and uv, for a machine that has neither and no settings.
_DEFAULT_INDEX = "https://pypi.org/simple"


@dataclass(frozen=True)
class IndexSettings:
    """Where pip would look for packages, from its environment variables and configuration files."""

    index_url: str | None
    extra_index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    certificates: str | None
    no_index: bool

    @classmethod
    def of_pip(cls) -> IndexSettings:
        values = _pip_configuration() | _pip_environment()
        return cls(
            index_url=values.get("index-url"),
            extra_index_urls=tuple(values.get("extra-index-url", "").split()),
            find_links=tuple(values.get("find-links", "").split()),
            trusted_hosts=tuple(values.get("trusted-host", "").split()),
            certificates=values.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE"),
            no_index=values.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        )

    def for_uv(self) -> dict[str, str]:
        """Return uv's environment variables of the same meaning; only those that pip has a value for."""
        # Every file is pinned by hash, so taking the best version of all indexes is safe.
        several = {"UV_INDEX_STRATEGY": "unsafe-best-match"} if self.extra_index_urls else {}
        values = {
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(self.find_links),
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "SSL_CERT_FILE": self.certificates,
            "UV_NO_INDEX": "1" if self.no_index else None,
        }
        return several | {name: value for name, value in values.items() if value}


def download_wheel_script(settings: IndexSettings, name: str, version: str, hashes: set[str], target: Path) -> None:
    """Put the one executable of a wheel at `target`; the wheel must have one of `hashes` (sha256, hex)."""
    wheel = _find_wheel(settings, name, version)
    content = _get(settings, wheel)
    if hashlib.sha256(content).hexdigest() not in hashes:
        sys.exit(f"{wheel} is not the file the lock pins; if the index is a mirror, let it fetch the file anew")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program: bytes = archive.read(f"{name}-{version}.data/scripts/{name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(program)
    target.chmod(0o755)


def _find_wheel(settings: IndexSettings, name: str, version: str) -> str:
    pages = [settings.index_url or _DEFAULT_INDEX, *settings.extra_index_urls]
    for page in [f"{index.rstrip('/')}/{name}/" for index in pages]:
        html = _get(settings, page).decode("utf-8", errors="replace")
        for link in re.findall(r'href="([^"]+)"', html):
            address: str = urllib.parse.urljoin(page, link.replace("&amp;", "&"))
            if _fits(urllib.parse.urlsplit(address).path.rsplit("/", 1)[-1], f"{name}-{version}-"):
                return address
    sys.exit(f"no wheel of {name} {version} for {platform.machine()} at the package index")


def _fits(filename: str, prefix: str) -> bool:
    flavour = "macosx" if sys.platform == "darwin" else "manylinux" if platform.libc_ver()[0] else "musllinux"
    return filename.startswith(prefix) and flavour in filename and filename.endswith(f"_{platform.machine()}.whl")


def _get(settings: IndexSettings, address: str) -> bytes:
    context = ssl.create_default_context(cafile=settings.certificates)
    request = urllib.request.Request(address, headers={"Accept": "text/html, */*;q=0.1"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:
        content: bytes = answer.read()
    return content


def _pip_environment() -> dict[str, str]:
    prefix = "PIP_"
    pairs = ((name, value) for name, value in os.environ.items() if name.startswith(prefix) and value)
    return {name.removeprefix(prefix).lower().replace("_", "-"): value for name, value in pairs}


def _pip_configuration() -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(_pip_configuration_files(), encoding="utf-8")
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    return {name.replace("_", "-"): value for section in sections for name, value in parser.items(section)}


def _pip_configuration_files() -> list[Path]:
    """Return pip's files, weakest first: machine, user, environment, and the one PIP_CONFIG_FILE names."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path.home()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        user / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    return [*files, Path(named)] if named else files
