/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first process of the machine that the tests run in. Runs each program in
 * /tests, prints on the console where its output begins and how it ended, then
 * prints the warnings of the kernel, and switches the machine off.
 *
 * If called as "sleep", it is that program: a test needs another program than
 * itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* As numbered by the kernel: warnings and more severe messages. */
enum {
	WARNING = 4
};

static void mount_on(const char *type, const char *folder)
{
	mkdir(folder, 0755);
	if (mount(type, folder, type, 0, NULL))
		printf("## cannot mount %s: %s\n", folder, strerror(errno));
}

static void mount_all(void)
{
	mount_on("proc", "/proc");
	mount_on("sysfs", "/sys");
	mount_on("devtmpfs", "/dev");
	mount_on("tmpfs", "/dev/shm");
	mount_on("tmpfs", "/tmp");
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
}

static void become(const char *program)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	close(null);
	setsid();
	setenv("PATH", "/bin", 1);
	setenv("HOME", "/tmp", 1);
	if (chdir("/tmp") == 0)
		execl(program, program, NULL);
	printf("cannot run %s: %s\n", program, strerror(errno));
	fflush(stdout);
	_exit(127);
}

/* Orphans become children of this process, and must not stay zombies. */
static int wait_for(pid_t pid)
{
	int status;
	pid_t ended;

	do
		ended = wait(&status);
	while (ended != pid && (ended > 0 || errno == EINTR));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void kill_leftovers(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		continue;
}

static void run(const char *name)
{
	char program[512];

	snprintf(program, sizeof(program), "/tests/%s", name);
	printf("## begin %s\n", name);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		become(program);
	int status = pid > 0 ? wait_for(pid) : 127;
	kill_leftovers();
	printf("\n## end %d\n", status);
	fflush(stdout);
}

static int is_program(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_all(void)
{
	struct dirent **entries;
	int count = scandir("/tests", &entries, is_program, alphasort);

	for (int i = 0; i < count; i++)
		run(entries[i]->d_name);
}

/*
 * Each read is a record: "priority,number,time,flags;text\n", and more lines.
 */
static void print_warnings(void)
{
	static char record[8192];
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ssize_t size;

	while ((size = read(log, record, sizeof(record) - 1)) > 0 ||
	       (size < 0 && errno == EPIPE)) {
		record[size > 0 ? size : 0] = '\0';
		char *text = strchr(record, ';');
		if (text && (atoi(record) & 7) <= WARNING)
			printf("## kernel %.*s\n", (int)strcspn(text, "\n") - 1,
			       text + 1);
	}
	close(log);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[0], "sleep") == 0)
		for (;;)
			pause();
	mount_all();
	run_all();
	print_warnings();
	printf("## done\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
