# Copyright (c) 2026, groundcrew.ops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks around a host's switch that docs/operations/deploy.md shows, as they stand there, on a target group of an ALB."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.integration import moto_ec2
from tests.integration.moto_world import BIN, REGION, ROOT

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}


def documented(module: str) -> Any:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operations/deploy.md").read_text(), re.DOTALL)
    return next(yaml.safe_load(block) for block in blocks if f"  {module}:" in block)


def play(work: Path, tasks: Any, environment: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """The tasks as hooks run: included from a file."""
    (work / "hook.yml").write_text(json.dumps(tasks))
    included = [{"ansible.builtin.include_tasks": str(work / "hook.yml")}]
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": included}]
    (work / "play.yml").write_text(json.dumps(plays))
    command = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(work / "play.yml")]
    return subprocess.run(command, env={**os.environ, **CREDENTIALS, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_host_leaves_its_target_group_and_comes_back(tmp_path: Path) -> None:
    with moto_ec2.serving() as moto:
        url = moto.url
        options: dict[str, Any] = {"region_name": REGION, "endpoint_url": url, "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        ec2, balancing = boto3.client("ec2", **options), boto3.client("elbv2", **options)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*"]}])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)["Instances"]
        first, second = (each["InstanceId"] for each in made)
        group = balancing.create_target_group(Name="shop", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
        balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": first}, {"Id": second}])

        def targets() -> dict[str, str]:
            told = balancing.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in told}

        before = documented("community.aws.elb_target")
        out = play(tmp_path, before, {"AWS_ENDPOINT_URL": url}, instance_id=first)
        assert out.returncode == 0 and "changed=1" in out.stdout, out.stdout + out.stderr
        assert first not in targets() and second in targets()

        [task] = documented("community.aws.elb_target")
        task["community.aws.elb_target"] |= {"state": "present", "target_status": "healthy"}
        back = play(tmp_path, [task], {"AWS_ENDPOINT_URL": url}, instance_id=first)
        assert back.returncode == 0, back.stdout + back.stderr
        assert set(targets()) == {first, second}
        # The control: a target that does not come to where it should be fails the hook, and with it the host.
        [task] = documented("community.aws.elb_target")
        task["community.aws.elb_target"] |= {"target_status": "draining", "target_status_timeout": 2}
        assert play(tmp_path, [task], {"AWS_ENDPOINT_URL": url}, instance_id=first).returncode != 0
