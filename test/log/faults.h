/* SPDX-License-Identifier: MIT
 * The calls that a writer makes to its disk, in their order, and what becomes of the nth; see
 * test_campaign.c.
 */
#ifndef KP_TEST_LOG_FAULTS_H
#define KP_TEST_LOG_FAULTS_H

#include <stdbool.h>
#include <sys/uio.h>

/* Whether the two below are to be asked. */
extern bool faults_on;

ssize_t faults_pwritev(int fd, const struct iovec *iov, int iov_cnt, off_t offset);
int faults_fdatasync(int fd);

#endif
