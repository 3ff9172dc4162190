// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define LINE_SIZE 1024

static bool send_to(const char *path, const char *message)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	bool sent = sendto(fd, message, strlen(message),
			   MSG_DONTWAIT | MSG_NOSIGNAL,
			   (struct sockaddr *)&address, sizeof(address)) >= 0;
	close(fd);
	return sent;
}

static bool send_to_kernel(const char *message)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool sent = write(fd, message, strlen(message)) >= 0;
	close(fd);
	return sent;
}

/* Names are others' choice: each is one line, without control characters. */
static void clean(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == '\177')
			*line = '?';
}

void log_line(const char *format, ...)
{
	char line[LINE_SIZE], message[LINE_SIZE + 128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	clean(line);
	snprintf(message, sizeof(message),
		 "PRIORITY=3\nSYSLOG_IDENTIFIER=guardmaps-core\nMESSAGE=%s\n",
		 line);
	if (send_to("/run/systemd/journal/socket", message))
		return;
	/* Facility user, severity error. */
	snprintf(message, sizeof(message), "<11>guardmaps-core: %s", line);
	if (!send_to("/dev/log", message))
		send_to_kernel(message);
}
