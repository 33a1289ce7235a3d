# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository laid out, named and signed as Docker's is, made and served by a host: its packages have Docker's names and conflicts, and Debian's programs.

Run on a host of Debian 13, by its own Python, with the folder to serve. Names and relations are those that download.docker.com has for trixie.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

# Docker's name, the packages of Debian that it is made of (the scripts are those of the first), and what it says of others.
PACKAGES = [
    ("docker-ce", ["docker.io"], {"Depends": "containerd.io, docker-ce-cli, iptables, systemd", "Conflicts": "docker.io", "Replaces": "docker.io"}),
    ("docker-ce-cli", ["docker-cli"], {"Conflicts": "docker-cli", "Replaces": "docker-cli"}),
    ("containerd.io", ["containerd", "runc"], {"Provides": "containerd, runc", "Conflicts": "containerd, runc", "Replaces": "containerd, runc"}),
    ("docker-buildx-plugin", ["docker-buildx"], {"Conflicts": "docker-buildx", "Replaces": "docker-buildx"}),
    ("docker-compose-plugin", ["docker-compose"], {"Conflicts": "docker-compose", "Replaces": "docker-compose"}),
]
RELATIONS = re.compile("(Pre-)?Depends|Recommends|Suggests|Conflicts|Breaks|Replaces|Provides|Enhances|(Static-)?Built-Using|Source")


def run(*argv: str, cwd: Path | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def package(work: Path, pool: Path, name: str, sources: list[str], relations: dict[str, str]) -> Path:
    """One of Docker's packages out of Debian's."""
    trees = []
    for source in sources:
        run("apt-get", "--quiet", "download", source, cwd=work)
        [file] = work.glob(f"{source}_*.deb")
        trees.append(work / source)
        run("dpkg-deb", "--raw-extract", str(file), str(trees[-1]))
    tree = trees[0]
    for other in trees[1:]:
        shutil.rmtree(other / "DEBIAN")
        shutil.copytree(other, tree, symlinks=True, dirs_exist_ok=True)
    control = (tree / "DEBIAN" / "control").read_text()
    fields = [field for field in re.split(r"\n(?=\S)", control.strip()) if not RELATIONS.fullmatch(field.split(":")[0])]
    fields = [re.sub(r"^Package: .*", f"Package: {name}", field) for field in fields]
    (tree / "DEBIAN" / "control").write_text("\n".join([*fields, *(f"{key}: {value}" for key, value in relations.items())]) + "\n")
    (tree / "DEBIAN" / "md5sums").unlink(missing_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(pool / f"{name}.deb"))
    return pool / f"{name}.deb"


def index(root: Path, files: list[Path]) -> str:
    """What apt reads of the packages."""
    entries = []
    for file in files:
        told = run("dpkg-deb", "--field", str(file)).strip()
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        entries.append(f"{told}\nFilename: {file.relative_to(root)}\nSize: {file.stat().st_size}\nSHA256: {digest}\n")
    return "\n".join(entries)


def main(served: Path) -> None:
    root, work = served / "linux" / "debian", served / "work"
    architecture = run("dpkg", "--print-architecture").strip()
    suite = root / "dists" / "trixie"
    lists, pool = suite / "stable" / f"binary-{architecture}", suite / "pool" / "stable" / architecture
    for folder in (lists, pool, work):
        folder.mkdir(parents=True)
    files = [package(work, pool, *each) for each in PACKAGES]
    (lists / "Packages").write_text(index(root, files))
    data = (lists / "Packages").read_bytes()
    (suite / "Release").write_text(
        f"Origin: Docker\nLabel: Docker CE\nSuite: trixie\nCodename: trixie\nDate: {run('date', '--utc', '-R').strip().replace('+0000', 'UTC')}\n"
        f"Architectures: {architecture}\nComponents: stable\nSHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} stable/binary-{architecture}/Packages\n"
    )
    gpg = ["gpg", "--homedir", str(work), "--batch", "--yes"]
    run(*gpg, "--passphrase", "", "--quick-generate-key", "Docker Release (of a test) <docker@example.com>", "ed25519", "sign")
    run(*gpg, "--armor", "--output", str(root / "gpg"), "--export")
    run(*gpg, "--clearsign", "--output", str(suite / "InRelease"), str(suite / "Release"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
