/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Capture of a system call's bytes.
 */
#ifndef KP_BPF_PAYLOAD_H
#define KP_BPF_PAYLOAD_H

#include "bpf/emit.h"

/*
 * Writes the payloads behind argument i of the call that this CPU's kp_cpu describes (args, ret,
 * cap_*, budget) into the payload ring; sets its `incomplete` when some bytes are missing. Returns
 * 0.
 */
int kp_capture_arg(__u32 i);

#endif
