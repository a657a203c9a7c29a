#!/bin/bash
# SPDX-License-Identifier: MIT
# Ubuntu 24.04's 6.8 kernel in QEMU: see test/vm/incident.sh.
. "$(dirname "$0")/lib.sh"
. "$top/test/vm/incident.sh"
vm_incident 6.8
