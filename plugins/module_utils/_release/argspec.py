# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that work on an application's releases have in common."""

from __future__ import annotations

from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import Spec

PLACE: Spec = {
    "name": {"type": "str", "required": True},
    "root": {"type": "path"},
}

TRAFFIC: Spec = {
    "slots": {"type": "dict", "required": True, "options": {"a": {"type": "int", "required": True}, "b": {"type": "int", "required": True}}},
    "health": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "path": {"type": "str", "default": "/health/ready"},
            "release_path": {"type": "str", "default": "/health/status"},
            "successes": {"type": "int", "default": 3},
            "timeout": {"type": "float", "default": 60.0},
            "interval": {"type": "float", "default": 0.1},
        },
    },
    "proxy": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "backend": {"type": "str"},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "state_file": {"type": "path", "default": "/var/lib/haproxy/server-state"},
            "master_socket": {"type": "path", "default": "/run/haproxy-master.sock"},
            "idle_timeout": {"type": "float", "default": 60.0},
            "url": {"type": "str", "default": "http://127.0.0.1:80"},
            "host": {"type": "str"},
        },
    },
}

DRAIN: Spec = {"drain_timeout": {"type": "float", "default": 30.0}}

RELEASE: Spec = {
    **PLACE,
    **TRAFFIC,
    **DRAIN,
    "secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "value": {"type": "str", "required": True, "no_log": True},
        },
    },
    "secret_owner": {"type": "int", "default": 0, "no_log": False},
    "gate": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "seconds": {"type": "float", "default": 0.0},
            "interval": {"type": "float", "default": 1.0},
            "error_rate": {"type": "float", "default": 5.0},
            "response_ms": {"type": "float", "default": 500.0},
            "requests": {"type": "int", "default": 10},
            "failures": {"type": "int", "default": 1},
            "inconclusive": {"type": "int", "default": 3},
            "probe": {"type": "bool", "default": True},
            "metrics": {
                "type": "dict",
                "options": {
                    "path": {"type": "str", "default": "/metrics"},
                    "requests": {"type": "str", "default": "http_requests_total"},
                    "status_label": {"type": "str", "default": "status"},
                    "duration": {"type": "str", "default": "http_request_duration_seconds"},
                },
            },
            "prometheus": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "required_one_of": [("maximum", "minimum")],
                "options": {
                    "url": {"type": "str", "required": True},
                    "query": {"type": "str", "required": True},
                    "maximum": {"type": "float"},
                    "minimum": {"type": "float"},
                    "token": {"type": "str", "no_log": True},
                },
            },
            "cloudwatch": {
                "type": "dict",
                "options": {
                    "alarms": {"type": "list", "elements": "str", "required": True},
                    "region": {"type": "str"},
                    "endpoint_url": {"type": "str"},
                },
            },
        },
    },
    "canary": {
        "type": "dict",
        "apply_defaults": True,
        "options": {"weight": {"type": "float", "default": 0.0}, "seconds": {"type": "float", "default": 10.0}},
    },
    "run": {"type": "str"},
    "controller": {"type": "str", "default": ""},
    "orphan": {"type": "str", "default": ""},
    "resume": {"type": "str", "choices": ["auto", "forward", "back"], "default": "auto"},
    "elsewhere": {"type": "list", "elements": "str", "default": []},
    "lease_seconds": {"type": "float", "default": 300.0},
    "lease_wait": {"type": "float", "default": 0.0},
    "keep": {"type": "int", "default": 5},
    "free_space": {"type": "int", "default": 512},
}
