/* SPDX-License-Identifier: MIT
 * Arguments, environment, auxiliary vector and their addresses.
 */
#include <sys/auxv.h>
#include <unistd.h>

#include "show.h"

extern char **environ;

int main(int argc, char **argv)
{
	printf("%d %p %s\n", argc, (void *)argv, argv[0]);
	for (char **e = environ; *e; e++)
		printf("%p %s\n", (void *)*e, *e);
	for (unsigned long type = 1; type < 52; type++)
		if (getauxval(type))
			printf("aux %lu: %lx\n", type,
			       type == AT_SYSINFO_EHDR ? 0 : getauxval(type));
	printf("%s %s\n", (char *)getauxval(AT_PLATFORM), (char *)getauxval(AT_EXECFN));
	return 0;
}
