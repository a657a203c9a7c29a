/* SPDX-License-Identifier: MIT
 * Bytes moved within the kernel: sendfile, splice, tee, copy_file_range.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	char buf[64] = "";
	off_t at = 10;
	loff_t from = 0;
	int in = TRY(open("input.txt", O_RDONLY)), out = TRY(open("o", O_RDWR | O_CREAT, 0600));
	int p[2], q[2];

	TRY(sendfile(out, in, &at, 30));
	printf("at %ld\n", (long)at);
	TRY(copy_file_range(in, &from, out, NULL, 25, 0));
	printf("from %ld\n", (long)from);
	TRY(pipe(p));
	TRY(pipe(q));
	TRY(splice(in, NULL, p[1], NULL, 40, 0));
	TRY(tee(p[0], q[1], 40, 0));
	TRY(read(q[0], buf, 40));
	printf("[%s]\n", buf);
	TRY(splice(p[0], NULL, out, NULL, 40, 0));
	TRY(lseek(out, 0, SEEK_END));
	TRY(pread(out, buf, 60, 30));
	printf("[%.60s]\n", buf);
	return 0;
}
