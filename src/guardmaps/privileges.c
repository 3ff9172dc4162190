// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <errno.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "privileges.h"
#include "report.h"

bool privileges_are_borrowed(void)
{
	return getauxval(AT_SECURE) != 0;
}

/* Exiting is better than continuing with the wrong privileges. */
static void check(int failed)
{
	if (failed)
		fail_with("cannot change privileges: %s", strerror(errno));
}

void privileges_lower(struct privileges *ret)
{
	*ret = (struct privileges){};
	if (!privileges_are_borrowed())
		return;
	ret->user = geteuid();
	ret->group = getegid();
	ret->capabilities = cap_get_proc();
	cap_t lowered = cap_get_proc();
	check(!ret->capabilities || !lowered ||
	      cap_clear_flag(lowered, CAP_EFFECTIVE) || setegid(getgid()) ||
	      seteuid(getuid()) || cap_set_proc(lowered));
	cap_free(lowered);
}

void privileges_raise(struct privileges *privileges)
{
	if (!privileges_are_borrowed())
		return;
	check(seteuid(privileges->user) || setegid(privileges->group) ||
	      cap_set_proc(privileges->capabilities));
	cap_free(privileges->capabilities);
}

void privileges_drop(void)
{
	if (!privileges_are_borrowed())
		return;
	uid_t user = getuid();
	gid_t group = getgid();
	cap_t none = cap_init();
	check(!none || setresgid(group, group, group) ||
	      setresuid(user, user, user) || cap_set_proc(none));
	cap_free(none);
}
