/* SPDX-License-Identifier: MIT
 * What the parts of the generator share.
 */
#ifndef KP_MAN_GENERATE_H
#define KP_MAN_GENERATE_H

/* Text as an argument or lines of roff; each sentence begins a line. */
void man_roff(const char *text);

/* The entries of kprobe-syscalls(7). */
void man_syscalls(void);

#endif
