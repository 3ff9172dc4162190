// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A target to dump: three threads, whose stacks have guard markers from glibc
 * 2.42 on. Makes the file "ready" once they run. On SIGUSR1 they all end, and it
 * makes the file "done".
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 3

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "cannot make %s", name);
	close(fd);
}

/* Meets the others twice: when all run, and when they are to end. */
static void *meet_twice(void *barrier)
{
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

static void start_threads(pthread_t *threads, pthread_barrier_t *barrier)
{
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, meet_twice, barrier) != 0)
			errx(1, "cannot create a thread");
}

int main(void)
{
	pthread_barrier_t barrier;
	pthread_t threads[THREADS];
	sigset_t usr1;
	int signal_number;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	start_threads(threads, &barrier);
	pthread_barrier_wait(&barrier);
	make_file("ready");

	sigwait(&usr1, &signal_number);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	make_file("done");
	return 0;
}
