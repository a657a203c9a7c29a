#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian 13's 6.12 kernel with PREEMPT_RT in QEMU: see test/vm/incident.sh.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/incident.sh"
vm_incident 6.12-rt
