// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Crashes in the ways that the host looks at, and gives it the core files of this
 * kernel and what the program said, on lines
 *
 * ## fact KIND NAME=VALUE
 * ## core KIND BASE64      compressed, as gzip(1) does it
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "basics.h"
#include "check.h"

static const char *const kinds[] = {
	"worker",	   "jump",	     "main-stack",	"guard",
	"guard-read-only", "null",	     "bad-jump",	"raise",
	"forge",	   "handled-worker", "handled-briefly",
};

static bool crash(const char *kind)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int status;

	unlink("core");
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open("facts", O_WRONLY | O_CREAT | O_TRUNC, 0644);

		dup2(fd, STDOUT_FILENO);
		setrlimit(RLIMIT_CORE, &unlimited);
		execl("/bin/crash", "crash", kind, NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WCOREDUMP(status) && access("core", F_OK) == 0;
}

static void print_facts(const char *kind)
{
	FILE *facts = fopen("facts", "r");
	char line[128];

	while (facts && fgets(line, sizeof(line), facts))
		printf("## fact %s %s", kind, line);
	if (facts)
		fclose(facts);
}

static bool compress_file(const char *from, const char *to)
{
	static char bytes[65536];
	int fd = open(from, O_RDONLY);
	gzFile out = gzopen(to, "wb");
	ssize_t size;

	while (fd >= 0 && out && (size = read(fd, bytes, sizeof(bytes))) > 0)
		if (gzwrite(out, bytes, size) != size)
			return false;
	close(fd);
	return out && gzclose(out) == Z_OK;
}

static void print_base64(const unsigned char *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t word = bytes[i] << 16;

		if (i + 1 < size)
			word |= bytes[i + 1] << 8;
		if (i + 2 < size)
			word |= bytes[i + 2];
		putchar(digits[word >> 18]);
		putchar(digits[word >> 12 & 63]);
		putchar(i + 1 < size ? digits[word >> 6 & 63] : '=');
		putchar(i + 2 < size ? digits[word & 63] : '=');
	}
}

static bool print_core(const char *kind)
{
	unsigned char bytes[57];
	size_t size;

	if (!compress_file("core", "core.gz"))
		return false;
	FILE *file = fopen("core.gz", "rb");
	while (file && (size = fread(bytes, 1, sizeof(bytes), file)) > 0) {
		printf("## core %s ", kind);
		print_base64(bytes, size);
		putchar('\n');
	}
	return file && fclose(file) == 0;
}

int main(void)
{
	char folder[] = "/tmp/cores.XXXXXX";

	check_begin();
	check_setup(mkdtemp(folder) && chdir(folder) == 0);
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		if (!check(crash(kinds[i]), "%s: dumps core", kinds[i]))
			continue;
		print_facts(kinds[i]);
		check(print_core(kinds[i]), "%s: is printed", kinds[i]);
	}
	return check_finish();
}
