/* SPDX-License-Identifier: MIT
 * The build id of an ELF file: the note by which a linker names what it made.
 */
#ifndef KP_RECORD_BUILD_ID_H
#define KP_RECORD_BUILD_ID_H

#include <stddef.h>

#define KP_BUILD_ID_MAX 64 /* bytes; linkers make 8 to 20 */

/*
 * Reads it from an open file, which may hold anything: little is read, and that is checked. Returns
 * its length; 0: the file is no ELF file of this machine's byte order, or has none; or a negative
 * errno of reading.
 */
int kp_build_id_read(int fd, unsigned char ret_id[KP_BUILD_ID_MAX]);

#endif
