/* SPDX-License-Identifier: MIT
 * Two threads and a mutex.
 */
#include <pthread.h>

#include "show.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *work(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

int main(void)
{
	pthread_t a, b;

	TRY(pthread_create(&a, NULL, work, NULL));
	TRY(pthread_create(&b, NULL, work, NULL));
	TRY(pthread_join(a, NULL));
	TRY(pthread_join(b, NULL));
	printf("%d\n", counter);
	return 0;
}
