/* SPDX-License-Identifier: MIT
 * A library loaded while running.
 */
#include <dlfcn.h>
#include <math.h>

#include "show.h"

int main(void)
{
	void *lib = dlopen("libm.so.6", RTLD_NOW);
	double (*fn)(double) = lib ? (double (*)(double))dlsym(lib, "cbrt") : NULL;

	printf("%p %p\n", lib, (void *)fn);
	if (fn)
		printf("%.17g\n", fn(17.0));
	printf("%s\n", dlopen("libmissing.so", RTLD_NOW) ? "found" : dlerror());
	return 0;
}
