# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds side by side share nothing, and a cloud found again is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.config import open_cloud
from localcloud.lifecycle import _require_space
from localcloud.shell import CloudError


def test_a_cloud_is_the_same_when_opened_again(tmp_path: Path) -> None:
    cloud = open_cloud("one", 0, tmp_path / "one")
    assert open_cloud("one", 0, tmp_path / "one") == cloud
    assert cloud.environment()["DIGITALOCEAN_TOKEN"].startswith("dop_v1_")
    assert len(cloud.token) == len("dop_v1_") + 64
    assert (tmp_path / "one" / "cloud.json").stat().st_mode & 0o777 == 0o600


def test_a_directory_of_another_cloud_is_refused(tmp_path: Path) -> None:
    open_cloud("one", 0, tmp_path)
    with pytest.raises(CloudError, match="holds the cloud 'one'"):
        open_cloud("two", 1, tmp_path)


def test_clouds_of_different_index_share_no_port_and_no_subnet(tmp_path: Path) -> None:
    one, two = (open_cloud(f"c{index}", index, tmp_path / str(index)) for index in (0, 1))
    assert (one.api_url, one.s3_url, one.registry) == ("http://127.0.0.1:8480", "http://172.30.77.1:8484", "172.30.77.1:8485")
    assert (two.api_url, two.s3_url, two.registry) == ("http://127.0.0.1:8490", "http://172.30.78.1:8494", "172.30.78.1:8495")
    assert not {one.port(offset) for offset in range(10)} & {two.port(offset) for offset in range(10)}


def test_a_full_disk_is_told_before_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.lifecycle.NEEDED_GIB", 10**9)
    with pytest.raises(CloudError, match="GiB are free"):
        _require_space(tmp_path)
