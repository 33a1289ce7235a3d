#!/usr/bin/python
# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: do_droplet
short_description: Converge a fleet of DigitalOcean droplets in one task
version_added: 0.1.0
description:
  - Brings a whole fleet into the declared state, either the droplets that O(names) lists, or exactly O(count) droplets named
    C(<name_prefix>-<number>).
  - A member is found by its name B(and) by O(fleet_tag), which every member gets, so nothing else in the account is ever touched.
    Two members of one name are an error, not a guess.
  - Droplets are created ten in a call and awaited with one poll for all. A run that was killed is continued by the next one.
  - Tags, backups, IPv6, project, reserved IPs and volumes are changed in place, the size with O(resize=true).
  - The API sets image, region, VPC and monitoring at creation only. Another value is an error, unless O(replace=true) lets new droplets take the
    place of the old ones. The new one comes first, with the same name, the same tags and the tag C(groundcrew:replacement). Once it passes
    O(replace_health), reserved IPs move to it, the old droplet is removed, and the extra tag with it. A run that was killed is finished by the next
    one. When a new droplet does not pass, the old one keeps its place, and the task fails.
  - SSH keys and user data matter at creation only, since the API does not tell them afterwards. Another value changes no droplet that exists.
  - With O(count), the gaps in the numbers are filled from below and the highest numbers leave first, at most O(max_delete) in a run.
    A droplet with the tag C(protect) is never removed, and the module never takes this tag away.
author:
  - groundcrew.ops contributors (@groundcrew)
extends_documentation_fragment:
  - groundcrew.ops.digitalocean
  - groundcrew.ops.digitalocean.state
options:
  fleet_tag:
    description:
      - The tag that marks the members. The API ignores the case of tags, so it is used in lower case.
    type: str
    required: true
  names:
    description:
      - The names of the members. Other droplets with O(fleet_tag) are left alone.
    type: list
    elements: str
  name_prefix:
    description:
      - The members are C(<name_prefix>-1), C(<name_prefix>-2) and so on.
    type: str
  count:
    description:
      - How many members there are. Required with O(name_prefix) and O(state=present).
    type: int
  size:
    description:
      - The slug of the size, such as V(s-1vcpu-2gb). Needed for a creation.
    type: str
  image:
    description:
      - The slug of a public image, such as V(debian-13-x64), or the id of an image of the account. Needed for a creation.
    type: str
  region:
    description:
      - The slug of the region, such as V(fra1). Needed for a creation.
    type: str
  vpc:
    description:
      - The name or the UUID of the VPC. Without it the default one of the region is used.
    type: str
  ssh_keys:
    description:
      - The SSH keys that may log in as root, each by name, fingerprint or id. Used at creation.
    type: list
    elements: str
  user_data:
    description:
      - A script or a cloud-config that runs at the first boot. Used at creation; the diff shows its SHA-256 only.
    type: str
  tags:
    description:
      - The tags, beside O(fleet_tag), exactly. Not given, tags stay as they are.
    type: list
    elements: str
  monitoring:
    description:
      - Install the metrics agent at creation.
    type: bool
  backups:
    description:
      - Have the vendor back the droplet up. Costs extra.
    type: bool
  backup_policy:
    description:
      - When the vendor backs the droplet up. Implies O(backups=true). What is not given is not compared.
    type: dict
    suboptions:
      plan:
        description:
          - How often.
        type: str
        choices: [daily, weekly]
        required: true
      weekday:
        description:
          - The day of a weekly backup.
        type: str
        choices: [SUN, MON, TUE, WED, THU, FRI, SAT]
      hour:
        description:
          - The hour (UTC) in which the four hours begin that a backup falls in.
        type: int
        choices: [0, 4, 8, 12, 16, 20]
  ipv6:
    description:
      - Give the droplet an IPv6 address. It cannot be taken away again, unless by O(replace=true).
    type: bool
  project:
    description:
      - The name or the UUID of the project that the members are in, see M(groundcrew.ops.do_project).
    type: str
  reserved_ips:
    description:
      - Reserved IPs of the account, see M(groundcrew.ops.do_reserved_ip), one for each member in the order of the members' names (V(web-2) before V(web-10)).
      - Members past the end of the list have none of them. Other reserved IPs are left alone, and none is ordered or released.
    type: list
    elements: str
  volumes:
    description:
      - The names of the volumes that are attached to each member, exactly, see M(groundcrew.ops.do_volume). V({name}) in one is the name of the member,
        so V({name}-data) gives each member its own.
      - A volume that is not listed is detached. Unmount it first, the API does not.
    type: list
    elements: str
  resize:
    description:
      - Allow the size to be changed, a droplet at a time. Each is switched off for about a minute.
    type: bool
    default: false
  resize_disk:
    description:
      - Let the disk grow with the size. A disk never shrinks, so the way back to a smaller size is closed.
    type: bool
    default: false
  replace:
    description:
      - Allow droplets to be replaced by new ones when image, region, VPC or monitoring change, or IPv6 is to go. What is on the disks of the old ones
        is lost. Volumes move with the name if O(volumes) declares them. A droplet with the tag C(protect) is never replaced.
    type: bool
    default: false
  replace_batch:
    description:
      - How many droplets are replaced at a time. The account needs room for as many more.
    type: int
    default: 1
  replace_health:
    description:
      - When a new droplet may take the place of the old one. Asked from where the module runs.
    type: dict
    suboptions:
      port:
        description:
          - The port that has to accept a connection.
        type: int
        default: 22
      path:
        description:
          - With it, the port has to answer HTTP GET for this path with a status below 400.
        type: str
      address:
        description:
          - The address that is asked.
        type: str
        choices: [public, private]
        default: public
      timeout:
        description:
          - Seconds to wait for each new droplet.
        type: int
        default: 300
  max_delete:
    description:
      - How many droplets one run may remove when O(count) gets lower. More is an error and removes none.
      - The default lets a fleet shrink by one, so that a mistyped count cannot remove a fleet.
      - It does not limit O(state=absent) and O(replace=true), which say what they do.
    type: int
    default: 1
  wait:
    description:
      - Wait until every droplet runs.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at the most, for the fleet and for each change of a droplet.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Have three application hosts
  groundcrew.ops.do_droplet:
    fleet_tag: shop-production
    name_prefix: shop
    count: 3
    size: s-2vcpu-4gb
    image: debian-13-x64
    region: fra1
    ssh_keys: [operators]
    tags: [app, production]
  register: fleet

- name: Go over to a new image, two hosts at a time, each when it answers
  groundcrew.ops.do_droplet:
    fleet_tag: shop-production
    name_prefix: shop
    count: 3
    size: s-2vcpu-4gb
    image: debian-13-x64
    region: fra1
    ssh_keys: [operators]
    tags: [app, production]
    replace: true
    replace_batch: 2
    replace_health:
      port: 8080
      path: /health

- name: Have two hosts of given names
  groundcrew.ops.do_droplet:
    fleet_tag: build
    names: [build-linux, build-docs]
    size: s-1vcpu-2gb
    image: debian-13-x64
    region: fra1
    ssh_keys: [operators]
"""

RETURN = r"""
droplets:
  description: The members in the order of their names; what a dry run would create has no id, status or address.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    id:
      description: Its number; null as long as it does not exist.
      type: int
    status:
      description: V(new), V(active) or V(off); null as long as it does not exist.
      type: str
    public_address:
      description: Its public IPv4 address.
      type: str
    private_address:
      description: Its private IPv4 address.
      type: str
    created_at:
      description: When it was created.
      type: str
    size:
      description: The slug of its size.
      type: str
    image:
      description: The slug or the id of its image.
      type: str
    region:
      description: The slug of its region.
      type: str
    vpc:
      description: The UUID of its VPC.
      type: str
    tags:
      description: Its tags.
      type: list
      elements: str
    monitoring:
      description: Whether the metrics agent is installed.
      type: bool
    backups:
      description: Whether backups are on.
      type: bool
    ipv6:
      description: Whether it has an IPv6 address.
      type: bool
    ipv6_address:
      description: Its public IPv6 address.
      type: str
    project:
      description: Its project as O(project) has it; null without that option.
      type: str
    reserved_ip:
      description: The one of O(reserved_ips) that it has; null without that option.
      type: str
    volumes:
      description: The names of its volumes; null without O(volumes).
      type: list
      elements: str
    backup_policy:
      description: Its backup policy as far as O(backup_policy) names it; null without that option.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundcrew.ops.plugins.module_utils._core import run
from ansible_collections.groundcrew.ops.plugins.module_utils._core.argspec import merge
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.connection import CONNECTION, STATE
from ansible_collections.groundcrew.ops.plugins.module_utils._digitalocean.fleet import fleet

SPEC = {
    "fleet_tag": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str"},
    "name_prefix": {"type": "str"},
    "count": {"type": "int"},
    "size": {"type": "str"},
    "image": {"type": "str"},
    "region": {"type": "str"},
    "vpc": {"type": "str"},
    "ssh_keys": {"type": "list", "elements": "str", "no_log": False},
    "user_data": {"type": "str", "no_log": True},
    "tags": {"type": "list", "elements": "str"},
    "monitoring": {"type": "bool"},
    "backups": {"type": "bool"},
    "backup_policy": {
        "type": "dict",
        "options": {
            "plan": {"type": "str", "choices": ["daily", "weekly"], "required": True},
            "weekday": {"type": "str", "choices": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]},
            "hour": {"type": "int", "choices": [0, 4, 8, 12, 16, 20]},
        },
    },
    "ipv6": {"type": "bool"},
    "project": {"type": "str"},
    "reserved_ips": {"type": "list", "elements": "str"},
    "volumes": {"type": "list", "elements": "str"},
    "resize": {"type": "bool", "default": False},
    "resize_disk": {"type": "bool", "default": False},
    "replace": {"type": "bool", "default": False},
    "replace_batch": {"type": "int", "default": 1},
    "replace_health": {
        "type": "dict",
        "options": {
            "port": {"type": "int", "default": 22},
            "path": {"type": "str"},
            "address": {"type": "str", "choices": ["public", "private"], "default": "public"},
            "timeout": {"type": "int", "default": 300},
        },
    },
    "max_delete": {"type": "int", "default": 1},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=merge(CONNECTION, STATE, SPEC),
        supports_check_mode=True,
        mutually_exclusive=[("names", "name_prefix"), ("names", "count")],
        required_one_of=[("names", "name_prefix")],
        required_by={"count": ["name_prefix"]},
    )
    run.converge(module, fleet)


if __name__ == "__main__":
    main()
