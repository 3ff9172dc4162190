// SPDX-License-Identifier: LGPL-2.1-or-later
/* `resident MIB`: a process without guards, to dump; prints "ready PID". */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	char *memory = size ? malloc(size) : NULL;

	if (!memory)
		errx(EXIT_FAILURE, "Usage: %s MIB", argv[0]);
	memset(memory, 1, size);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}
