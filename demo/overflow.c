// SPDX-License-Identifier: LGPL-2.1-or-later
/* A program that crashes: the stack of one of its threads overflows. */
#include <err.h>
#include <pthread.h>
#include <stddef.h>

#define STACK_SIZE (256 * 1024)

/* An expression in parentheses that never end. */
static __attribute__((noinline)) int parse_expression(const char *text);

static __attribute__((noinline)) int parse_term(const char *text)
{
	volatile char frame[64];

	frame[0] = *text;
	return parse_expression(text) + frame[0];
}

static int parse_expression(const char *text)
{
	volatile char frame[64];

	frame[0] = *text;
	return *text == '(' ? parse_term(text) + frame[0] : 0;
}

static void *serve(void *text)
{
	return (char *)text + parse_expression(text);
}

int main(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (pthread_create(&thread, &attributes, serve, "("))
		errx(1, "cannot start a thread");
	pthread_join(thread, NULL);
	return 0;
}
