# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the calls of a store do to a secret: pure, so that every store decides alike. A change that was made already changes nothing."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.groundcrew.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.groundcrew.ops.plugins.module_utils._rotation.model import Secret, Version


def staged(secret: Secret, pending: Version) -> Secret:
    if secret.pending is None:
        return replace(secret, pending=pending)
    if secret.pending.id != pending.id:
        raise OpsError(f"The secret {secret.name} has another pending version, {secret.pending.id}: a rotation was left. Take it back with phase back.")
    return secret


def without_pending(secret: Secret, version_id: str) -> Secret:
    return replace(secret, pending=None) if secret.pending is not None and secret.pending.id == version_id else secret


def promoted(secret: Secret, old: str, new: str) -> Secret:
    if secret.current.id == new:
        return secret
    if secret.current.id != old or secret.pending is None or secret.pending.id != new:
        raise not_promoted(secret.name, old, new)
    return replace(secret, current=secret.pending, previous=secret.current, pending=None, previous_accepted=True)


def not_promoted(name: str, old: str, new: str) -> OpsError:
    return OpsError(
        f"The secret {name} is not as the rotation left it: current should be {old} and pending {new}. Somebody else changed it; nothing was promoted."
    )


def with_previous(secret: Secret, version_id: str, accepted: bool) -> Secret:
    if secret.previous is None or secret.previous.id != version_id:
        raise OpsError(f"The previous version of {secret.name} is not {version_id} any more: somebody else changed it.")
    return replace(secret, previous_accepted=accepted)
