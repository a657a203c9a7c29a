/* SPDX-License-Identifier: MIT
 * CRC-32C (Castagnoli, polynomial 0x1edc6f41 reflected, RFC 3720 appendix B.4).
 */
#ifndef KP_BASE_CRC32C_H
#define KP_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues crc (0 for the first piece) over len bytes. Uses SSE 4.2 where the CPU has it. */
uint32_t kp_crc32c(uint32_t crc, const void *data, size_t len);

/* The same without the instruction. */
uint32_t kp_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
