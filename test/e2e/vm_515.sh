#!/bin/bash
# SPDX-License-Identifier: MIT
# Ubuntu 22.04's 5.15 kernel in QEMU: see test/vm/incident.sh.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/incident.sh"
vm_incident 5.15
