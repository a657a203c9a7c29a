/* SPDX-License-Identifier: MIT
 * The process's own writes to a file that it has mapped, by every call that writes bytes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "show.h"

static char *shared, *private;

static void look(const char *what)
{
	printf("%s: [%.24s] [%.24s]\n", what, shared, private);
}

int main(void)
{
	struct iovec parts[2] = {{"one ", 4}, {"two", 3}};
	int fd = TRY(open("data", O_RDWR | O_CREAT, 0600)), append, other;

	TRY(write(fd, "........................", 24));
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	TRY(pwrite(fd, "pwrite", 6, 2));
	look("pwrite");
	TRY(lseek(fd, 9, SEEK_SET));
	TRY(write(fd, "write", 5));
	look("write");
	other = TRY(dup(fd));
	TRY(writev(other, parts, 2));
	look("writev at the position of a duplicate");
	TRY(pwritev(fd, parts, 2, 1));
	look("pwritev");
	TRY(pwritev2(fd, parts, 2, 8, 0));
	look("pwritev2");
	TRY(lseek(other, 3, SEEK_SET));
	TRY(pwritev2(fd, parts, 1, -1, 0));
	look("pwritev2 at the position");
	append = TRY(open("data", O_WRONLY | O_APPEND));
	TRY(write(append, "appended", 8));
	TRY(pwrite(append, "PW", 2, 0));
	printf("end: [%.16s]\n", shared + 24);
	TRY(pwritev2(fd, parts, 2, 0, RWF_APPEND));
	printf("end: [%.24s]\n", shared + 24);
	TRY(fcntl(fd, F_SETFL, O_APPEND)); /* of the duplicate too */
	TRY(write(fd, "flag", 4));
	printf("end: [%.32s]\n", shared + 24);
	strcpy(private, "a copy of its own");
	strcpy(shared, "stored");
	look("stores");
	TRY(fcntl(fd, F_SETFL, 0));
	TRY(pwrite(other, "x", 1, 40000));
	printf("behind a hole: %d %c\n", shared[39999], shared[40000]);
	/* From the mapping itself. */
	TRY(lseek(other, 0, SEEK_END));
	TRY(write(other, shared, 6));
	printf("%.6s\n", shared + 40001);
	return 0;
}
