/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Privileges that the program file has and its user lacks: file capabilities, or
 * the set-user-ID bit. They are used to read processes and for nothing else.
 * Without any, these functions do nothing.
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <sys/capability.h>
#include <sys/types.h>

/** Whether this process has privileges that its user lacks. */
bool privileges_are_borrowed(void);

/** What privileges_lower() put aside. */
struct privileges {
	cap_t capabilities;
	uid_t user;
	gid_t group;
};

/** Use the user's own privileges, to open a file that the user has named. */
void privileges_lower(struct privileges *ret);

/** Undo that. */
void privileges_raise(struct privileges *privileges);

/** Have only the user's own privileges from now on. */
void privileges_drop(void);

#endif /* PRIVILEGES_H */
