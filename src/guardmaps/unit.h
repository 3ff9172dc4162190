/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units of systemd, which has a cgroup for each, named after it. */
#ifndef UNIT_H
#define UNIT_H

/**
 * The unit that the cgroup belongs to, of the system's instance of systemd: the
 * first component that is not a slice. NULL if that is not a unit. The caller
 * frees it.
 */
char *unit_of_system(const char *cgroup);

/** The same of a user's instance, whose units are below user@UID.service. */
char *unit_of_user(const char *cgroup);

#endif /* UNIT_H */
